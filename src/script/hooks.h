/* What the daemon calls of a policy script, and when: the hooks that it has registered, and what has happened and waits
 * to be told to them. */
#ifndef SCRIPT_HOOKS_H
#define SCRIPT_HOOKS_H

#include "base/list.h"
#include "script/script.h"

struct hook {
  enum script_hook kind;
  double number;     /* Lua's, of the function */
  int64_t every_ms;  /* of SCRIPT_EVERY */
  struct zone *zone; /* of SCRIPT_AT, with the minute of the day */
  int minute;
  int64_t next_ms; /* of both: when it is due */
  bool running;    /* of both: the last call has not returned */
};

struct occurrence; /* something that has happened */
struct hooks {
  struct hook list[SCRIPT_HOOKS_MAX];
  size_t count;
  struct list_node queue; /* of what has happened and was not told yet, the oldest first */
  size_t queued, queue_max;
  struct occurrence *last; /* behind the call that was given last */
  uint64_t dropped;
};

void hooks_init(struct hooks *hooks, size_t queue_max);
void hooks_release(struct hooks *hooks);
/* Registers what Lua's on, every or at ask for. */
bool hooks_add(struct hooks *hooks, const struct value *request, int64_t now, struct err *why) MUST_CHECK;
/* Something has happened; the arena passes over. Beyond queue_max it is dropped and counted. */
void hooks_put(
    struct hooks *hooks, enum script_hook kind, struct values *values, struct value *first, struct value *second);
/* The next call that is due; its values are borrowed until the next question. False: none is. A call of every or at is
 * left out while the one before has not returned. */
struct hook_call {
  struct hook *hook;
  const struct value *first, *second; /* NULL: it takes none */
};
bool hooks_next(struct hooks *hooks, int64_t now, struct hook_call *ret_call) MUST_CHECK;
/* When hooks_next() will have something to do; CLOCK_NEVER. */
int64_t hooks_due(const struct hooks *hooks);

#endif
