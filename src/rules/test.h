/* The tests that a ruleset carries (rules/README.md, "Test it"), run in virtual time over the model that the daemon
 * runs: decisions become contributions, wait for their delay, are decided again when a time condition changes, end, and
 * are merged. So what a test says is what Teams would be told. Nothing here prints.
 *
 * A test with one event compares the decision; one with steps compares what is there after the last step, `shows` what
 * colleagues see then while the person's Teams is closed. `wait` passes before its step's event. */
#ifndef RULES_TEST_H
#define RULES_TEST_H

#include "base/err.h"
#include "base/value.h"

struct ruleset;

enum { RULETESTS_CPU_MS = 2000 }; /* of all tests of one ruleset, where nobody says otherwise */

struct ruletest {
  const char *name, *place; /* the ruleset's: valid as long as it is */
  bool passed;
  /* Of a failure: "FILE:LINE: "name": expected ..., got ...". Of a test that has passed: "", or "FILE:LINE: "name": "
   * and what a rule has raised on the way. */
  char *text;
};

enum ruletests_kind { RULETESTS_RULE, RULETESTS_REASON, RULETESTS_STATE, RULETESTS_KINDS };

/* A rule, a reason or a state, and how many decisions of the tests it has made. */
struct ruletests_cover {
  enum ruletests_kind kind;
  const char *label, *place; /* "reasons.LUNCH", "contoso.lua:14" */
  size_t decisions;
};

struct ruletests {
  struct ruletest *tests; /* in the file's order */
  size_t count, failed;
  struct ruletests_cover *covers; /* rules in their order, then reasons, then states */
  size_t cover_count;
  struct values values; /* where their texts live */
};

/* Runs every test. cpu_ms bounds the CPU time of all together; a decision has its own budget besides. False: they could
 * not be run to their end (ERR_CONFIG, with place and remedy). Release what it returns. */
bool ruletests_run(struct ruleset *ruleset, int64_t cpu_ms, struct ruletests *ret_tests, struct err *err) MUST_CHECK;
void ruletests_release(struct ruletests *tests); /* zeroed memory is fine */

/* For a reload: do all of them pass? ERR_CONFIG with the first failure, and how many there are. */
bool ruletests_pass(struct ruleset *ruleset, int64_t cpu_ms, struct err *err) MUST_CHECK;

/* Of `count` reason codes or states of a site, those that no rule answers: marks[i] becomes true. A reason code is
 * answered by an entry of `reasons`, or by a rule that asks for it; a state by an entry of `states`, or by any rule
 * that matches an agent in that state of whom nothing else is known. Rule functions are tried with events. */
bool ruletests_unanswered(
    struct ruleset *ruleset, enum ruletests_kind kind, const char *const *names, size_t count, bool *marks,
    struct err *err) MUST_CHECK;

#endif
