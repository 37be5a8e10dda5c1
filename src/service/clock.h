/* Steps of the wall clock, noticed at every entry from outside. */
#ifndef SERVICE_CLOCK_H
#define SERVICE_CLOCK_H

#include "registration/ports.h"

struct service;

struct clock_state {
  struct ports_clock ports;
  int64_t stepped_ms; /* how far the clock was set, in all */
  int64_t set_ms;     /* when that was, last */
};

/* If the wall clock was set, what was measured by it moves along. context: the service. */
void clock_notice(void *context);

#endif
