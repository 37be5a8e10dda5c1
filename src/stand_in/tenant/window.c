/* A queue in one array: moments are added at `end`, and `first` moves on past those that are too old. Room is made by
 * moving them to the front, or by doubling when that would not help for long, so a moment costs a constant on
 * average. */
#include "stand_in/tenant/window.h"
#include "base/must.h"

#include <string.h>

int64_t window_count(struct window *window, int64_t now)
{
  while (window->first < window->end && window->times[window->first] <= now - WINDOW_MS)
    window->first++;
  if (window->end == window->room) {
    size_t used = window->end - window->first;
    if (window->first < used + 1) { /* more than half in use: moving alone would soon be needed again */
      window->room = window->room == 0 ? 1024 : 2 * window->room;
      window->times = must_realloc(window->times, window->room * sizeof *window->times);
    }
    memmove(window->times, window->times + window->first, used * sizeof *window->times);
    window->first = 0;
    window->end = used;
  }
  window->times[window->end++] = now;
  size_t seen = window->end - window->first;
  if (seen > window->max_seen)
    window->max_seen = seen;
  if (seen <= window->limit)
    return 0;
  /* There is room for one more when fewer than `limit` of those seen are younger than the window. */
  return window->times[window->end - window->limit] + WINDOW_MS - now;
}

void window_release(struct window *window)
{
  free(window->times);
  *window = (struct window){.limit = window->limit};
}
