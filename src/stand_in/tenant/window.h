/* Graph's presence limit as Graph sees it: how many requests came in any 30 seconds, the refused ones included, since
 * throttled calls still count (FACTS.md, "Throttling"). */
#ifndef STAND_IN_TENANT_WINDOW_H
#define STAND_IN_TENANT_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#define WINDOW_MS INT64_C(30000)

/* Zeroed memory with a limit is a valid, empty window. */
struct window {
  size_t limit;    /* requests in WINDOW_MS */
  size_t max_seen; /* the most there ever were in WINDOW_MS */
  int64_t *times;  /* of the last WINDOW_MS and some before, oldest first */
  size_t first, end, room;
};

/* Counts a request. 0 when it is within the limit, else after how many milliseconds there will be room again. */
int64_t window_count(struct window *window, int64_t now);
void window_release(struct window *window);

#endif
