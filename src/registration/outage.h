/* Outages: Graph does not answer, or answers 5xx, several times in a row. */
#ifndef REGISTRATION_OUTAGE_H
#define REGISTRATION_OUTAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct registration;

struct outage {
  int failures_in_row;
  int64_t since_ms; /* 0: there is none */
  int64_t probe_ms; /* when one agent tries before its time, unless something is under way */
  int probes;
  size_t window; /* connections in use: all, but after an outage one at first */
  bool widened;  /* by the exchange that is being looked at */
};

/* A request was answered, or failed for a passing cause. */
void outage_note(struct registration *registration, bool failed, int64_t now);
/* Another exchange begins to be looked at: however many requests it holds, it widens the window once. */
void outage_next_exchange(struct registration *registration);
/* More or fewer connections than before. */
void outage_set_connections(struct registration *registration, size_t before);
void outage_clock_stepped(struct registration *registration, int64_t by_ms);

#endif
