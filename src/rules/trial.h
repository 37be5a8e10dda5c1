/* One test of a ruleset: its agent in virtual time (trial.c), and what came of it against what was expected, compared
 * and in words (verdict.c). For test.c, which is what others call. */
#ifndef RULES_TRIAL_H
#define RULES_TRIAL_H

#include "base/buf.h"
#include "model/agent.h"
#include "rules/internal.h"

enum { TRIAL_SEATS_MAX = 100 }; /* UCCs of one test: each step brings one at most (lua/tests.lua) */

/* One contact centre of the test's agent, with the event that it sent last. */
struct seat {
  struct contribution *contribution;
  const struct value *step;
};

/* Set ruleset and on_decision; the rest is zero at first. Some 40 KiB, mostly the event. */
struct trial {
  struct ruleset *ruleset;
  void (*on_decision)(void *context, const struct decision *decision);
  void *context;
  struct agent agent;
  struct seat seats[TRIAL_SEATS_MAX];
  size_t seat_count;
  int64_t now;
  struct event event;
  struct decision decision; /* the latest */
  struct err trouble;       /* the first that a rule has raised in this test; ERR_NONE */
};

void trial_begin(struct trial *trial);
/* Lets time pass until the step's moment, then takes its event, if it has one. */
void trial_step(struct trial *trial, const struct value *step);
/* What the daemon would want Graph to show now. */
struct desired trial_desired(struct trial *trial);
void trial_end(struct trial *trial);

/* What a test has brought about, by its one event or at the end of its steps. Texts are borrowed. */
struct verdict {
  enum decision_kind kind;
  enum presence session, preferred;
  int64_t hold_ms, delay_ms;
  struct decision_after after;
  const char *message, *rule, *place; /* rule "": nobody's */
};

struct verdict verdict_of_decision(const struct decision *decision);
struct verdict verdict_of_steps(const struct trial *trial, const struct desired *desired);
/* expected: as lua/tests.lua has put it. What it does not name is not compared, but planes are. */
bool verdict_matches(const struct verdict *verdict, const struct value *expected);
/* Both sides with the same options, those that `expected` names: teams.busy { expires = "1h" }. */
void verdict_say(const struct verdict *verdict, const struct value *expected, struct buf *to);
void verdict_say_expected(const struct value *expected, struct buf *to);

#endif
