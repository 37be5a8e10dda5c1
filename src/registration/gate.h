/* The pauses that Graph asks for: while the gate is closed, no Graph request goes out (token requests do). */
#ifndef REGISTRATION_GATE_H
#define REGISTRATION_GATE_H

#include "graph/graph.h"

struct registration;

struct gate {
  int64_t until_ms;
  int attempts;         /* consecutive 429 without Retry-After */
  int64_t throttled_ms; /* of pauses, in all */
  /* failing requests, for the log */
  int64_t trouble_logged_ms;
  uint64_t trouble_count;
};

/* Closes for as long as the outcome asks, or else for a guess; a shorter pause never shortens a longer one. Durable
 * with the next commit. */
void gate_close(
    struct registration *registration, enum graph_operation_kind kind, const struct outcome *outcome, int64_t now);
void gate_success(struct registration *registration);
/* The pause that is remembered from before. */
void gate_remember(struct registration *registration, int64_t until_ms);
/* A request failed for a passing cause: one line at once, and one a minute while it lasts. */
void gate_tell_trouble(
    struct registration *registration, enum graph_operation_kind kind, const struct outcome *outcome, int64_t now);
void gate_clock_stepped(struct registration *registration, int64_t by_ms);

#endif
