/* A ruleset (rules/README.md, "What a ruleset says"): loaded, linted and evaluated in a VM of its own. A rule is a pure
 * function (event, agent) -> decision; what it returns is checked here as if it came from the network.
 *
 * The language itself is lua/ruleset.lua, a trusted module; this room gives it files, budgets and values. */
#ifndef RULES_RULES_H
#define RULES_RULES_H

#include "base/buf.h"
#include "base/err.h"
#include "base/value.h"
#include "luafile/luafile.h"
#include "model/decision.h"
#include "model/event.h"

struct ruleset;

struct rules_limits {
  int64_t decision_cpu_ms, load_cpu_ms;
  size_t decision_memory_bytes, load_memory_bytes;
};

/* The agent as a rule function sees it: `agent.upn` and `agent.states[ucc]`. */
struct rules_agent_state {
  const char *ucc, *state;
};
struct rules_agent {
  const char *upn;
  const struct rules_agent_state *states;
  size_t state_count;
};

/* path NULL: the built-in default ruleset, called "default.lua". Errors are ERR_CONFIG: "FILE:LINE: WHAT; REMEDY". */
struct ruleset *ruleset_load(const char *path, const struct rules_limits *limits, uint32_t generation, struct err *err)
    MUST_CHECK;
/* Likewise, and calls on_file for every file that it has read or looked for, also when that comes to nothing. */
struct ruleset *ruleset_load_noting(
    const char *path, const struct rules_limits *limits, uint32_t generation, luafile_on_file *on_file, void *context,
    struct err *err) MUST_CHECK;
void ruleset_free(struct ruleset *ruleset); /* NULL is fine */

const char *ruleset_name(const struct ruleset *ruleset);
const char *ruleset_path(const struct ruleset *ruleset);
uint32_t ruleset_generation(const struct ruleset *ruleset);
size_t ruleset_memory_bytes(const struct ruleset *ruleset);

/* Decides. since_ms: the beginning of the present (state, reason). moment_ms: what time conditions look at, the event's
 * `at` at first, later the moment at which one of them changed. A raising rule is answered by the ruleset's `on_error`,
 * so this always gives a decision; false means that even that failed, and then the caller keeps what was. *ret_trouble
 * (ERR_NONE when there is none) says what went wrong on the way: one line with the author's file:line. */
bool ruleset_decide(
    struct ruleset *ruleset, const struct event *event, int64_t since_ms, int64_t moment_ms,
    const struct rules_agent *agent, struct decision *ret_decision, struct err *ret_trouble) MUST_CHECK;

/* Why: a list of {rule=, place=, verdict="matched"|"did not match"|"not reached", why="state is \"Ready\", not ...",
 * near=how many of its conditions hold} in `values`, for `eval`. */
bool ruleset_explain(
    struct ruleset *ruleset, const struct event *event, int64_t since_ms, int64_t moment_ms,
    const struct rules_agent *agent, struct values *values, struct value **ret_steps, struct err *err) MUST_CHECK;

/* "18:00" by the ruleset's clock, "Tue 18:00" when that is not the local day of `today_ms`; "" without a timezone.
 * Returns to. */
enum { RULES_CLOCK_SIZE = 16 };
char *ruleset_clock(const struct ruleset *ruleset, int64_t at_ms, int64_t today_ms, char to[RULES_CLOCK_SIZE]);

/* How the contributions of several UCCs become one: by what colleagues would see, then the most recent; the most recent
 * alone; or the ruleset's own function. */
enum rules_merge { RULES_MERGE_RANK, RULES_MERGE_LATEST, RULES_MERGE_FUNCTION };
enum rules_merge ruleset_merge_mode(const struct ruleset *ruleset);
struct rules_candidate {
  const char *ucc, *state, *reason;
  int64_t since_ms;
  enum availability rank;
};
/* Of RULES_MERGE_FUNCTION: the index (from 0) of the candidate that wins. False: the function failed; the caller merges
 * by rank. Same budget as a decision. */
bool ruleset_merge(
    struct ruleset *ruleset, const struct rules_candidate *candidates, size_t count, const struct rules_agent *agent,
    size_t *ret_index, struct err *ret_trouble) MUST_CHECK;

/* hold = "anchor": see agent_desired(). It is how what was decided is held, and no part of a decision. */
bool ruleset_anchors(const struct ruleset *ruleset);

/* Every file that it was read from: itself, what it extends, codes; for watching. NULL past the end. */
const char *ruleset_file_at(const struct ruleset *ruleset, size_t index);
/* What lint found that is no error: "FILE:LINE: WHAT; WHAT TO WRITE". NULL past the end. */
const char *ruleset_warning_at(const struct ruleset *ruleset, size_t index);

#endif
