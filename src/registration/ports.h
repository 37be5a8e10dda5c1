/* How the floors from here on meet the outside: the daemon, the commands, a simulation and the tests each fill in a
 * struct ports, and the same code runs over all of them.
 *
 * Times are milliseconds since 1970, unless a port says otherwise. */
#ifndef REGISTRATION_PORTS_H
#define REGISTRATION_PORTS_H

#include "base/str.h"
#include "base/wiped.h"
#include "graph/graph.h"

typedef void ports_on_reply(void *context, const struct graph_reply *reply);

/* To be filled by name: members are added. */
struct ports {
  void *context;
  /* Starts an exchange. on_reply is called once, never before this returns, unless it is cancelled. bearer NULL: none.
   */
  void *(*send)(
      void *context, const struct graph_request *request, const struct wiped *bearer, const char *client_request_id,
      bool fresh_connection, ports_on_reply *on_reply, void *reply_context);
  void (*cancel)(void *context, void *exchange);
  void (*wake_at)(void *context, int64_t at_ms); /* replaces the earlier one; CLOCK_NEVER: not at all */
  int64_t (*now)(void *context);                 /* a fresh clock */
  void (*random)(void *context, void *bytes, size_t length);
  /* Milliseconds of a clock that is never set; NULL: only a step back of `now` is noticed. */
  int64_t (*steady)(void *context);
  /* Microseconds of such a clock, to measure our own work; no decision depends on it. NULL: it is not measured. */
  int64_t (*stopwatch)(void *context);
};

int64_t ports_now(const struct ports *ports);
uint32_t ports_random(const struct ports *ports);
void ports_guid(const struct ports *ports, char to[STR_GUID_SIZE]);

/* What is remembered of the wall clock, to notice that it was set. Zeroed: nothing yet. */
struct ports_clock {
  bool known;
  int64_t ahead_ms; /* of the steady clock; without one, the wall clock's last reading */
};
/* By how much the wall clock was set since the last call, in milliseconds; 0: it was not, or by too little to matter
 * (small steps add up until they do). */
int64_t ports_clock_step(const struct ports *ports, struct ports_clock *clock);

#endif
