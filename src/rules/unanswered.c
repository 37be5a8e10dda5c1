/* Which of a site's codes and states no rule answers. What the ruleset names is known from its tables; what its
 * functions answer is found out by asking them. */
#include "base/clock.h"
#include "base/str.h"
#include "rules/internal.h"
#include "rules/test.h"

#include <string.h>

/* No site has it: what is decided with it, is decided without regard to the reason. */
#define NO_SUCH_CODE "(no such code)"

struct asker {
  struct ruleset *ruleset;
  struct event event;
  struct decision decision, other;
};

/* False: nothing could be decided. */
static bool ask(struct asker *asker, const char *state, const char *reason, struct decision *ret_decision)
{
  struct event *event = &asker->event;
  const struct rules_agent_state states[] = {{"default", state}};
  const struct rules_agent agent = {"test@example.com", states, 1};
  struct err trouble = ERR_INIT;
  event->at_ms = 1767614400000; /* as in tests: 2026-01-05T12:00Z */
  str_cut(event->agent, sizeof event->agent, agent.upn);
  str_cut(event->ucc, sizeof event->ucc, "default");
  str_cut(event->state, sizeof event->state, state);
  str_cut(event->reason, sizeof event->reason, reason);
  return ruleset_decide(asker->ruleset, event, event->at_ms, event->at_ms, &agent, ret_decision, &trouble) &&
         !ret_decision->unmatched;
}

/* Some function decides otherwise for this code than for any other, in one of the states. */
static bool functions_answer(struct asker *asker, const struct value *states, const char *code)
{
  for (size_t i = 0; i < value_count(states); i++) {
    const char *state = value_text(value_at(states, i), "");
    if (!ask(asker, state, code, &asker->decision))
      continue;
    /* Compared with a code that cannot exist: what answers both alike is not an answer to this one. */
    if (!ask(asker, state, NO_SUCH_CODE, &asker->other) || strcmp(asker->decision.place, asker->other.place) != 0 ||
        strcmp(asker->decision.rule, asker->other.rule) != 0 || !decision_equal(&asker->decision, &asker->other))
      return true;
  }
  return false;
}

bool ruletests_unanswered(
    struct ruleset *ruleset, enum ruletests_kind kind, const char *const *names, size_t count, bool *marks,
    struct err *err)
{
  must(kind == RULETESTS_REASON || kind == RULETESTS_STATE);
  struct values values = {0};
  struct value *list = value_list(&values), *answer;
  for (size_t i = 0; i < count; i++)
    value_add(&values, list, value_string(&values, names[i]));
  const struct value *arguments[] = {value_string(&values, kind == RULETESTS_REASON ? "reason" : "state"), list};
  bool ok = vm_call(ruleset->vm, "tests", "unnamed", arguments, 2, NULL, ERR_BUG, &values, &answer, err);
  struct asker *asker = must_alloc(sizeof *asker); /* an event is too large for the stack */
  asker->ruleset = ruleset;
  memset(marks, 0, count * sizeof *marks);
  const struct value *places = ok ? value_get(answer, "places") : NULL;
  for (size_t i = 0; i < value_count(places); i++) {
    size_t place = (size_t)value_at(places, i)->u.number - 1;
    must(place < count);
    if (kind == RULETESTS_STATE)
      marks[place] = !ask(asker, names[place], "", &asker->decision);
    else
      marks[place] = !value_get_bool(answer, "functions", false) ||
                     !functions_answer(asker, value_get(answer, "states"), names[place]);
  }
  free(asker);
  values_release(&values);
  return ok;
}
