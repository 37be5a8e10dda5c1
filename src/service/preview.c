/* What other rules would do: each contribution is decided by them, and compared with what was decided. Nothing changes;
 * it takes as long as all agents take. */
#include "service/decide.h"
#include "service/engine.h"

/* In what is decided, or in how it is held. */
static bool would_differ(
    struct service *service, struct ruleset *ruleset, const struct agent *agent,
    const struct contribution *contribution, struct frequency *differences)
{
  struct rules_agent_state states[RULES_STATES_MAX];
  struct rules_agent seen = decide_agent_for_rules(agent, states);
  struct err trouble = ERR_INIT;
  const struct answer *answer = decide_last_answer(contribution);
  struct event event;
  struct decision decision;
  decide_event_of(service, contribution, &event);
  if (!ruleset_decide(ruleset, &event, contribution->since_ms, service_now(service), &seen, &decision, &trouble))
    return false;
  char text[SHADOW_TEXT_SIZE], brief[DECISION_BRIEF_SIZE];
  if (!decide_differs(contribution, &decision)) {
    bool anchors = ruleset_anchors(ruleset);
    if (decision.session != SESSION_AVAILABLE || decision.preferred != PRESENCE_NONE ||
        anchors == ruleset_anchors(service->setup.rulesets[agent->account]))
      return false;
    snprintf(text, sizeof text, "%s: Available is held by %s", decision.rule, anchors ? "an anchor" : "refreshes");
    frequency_add(differences, text);
    return true;
  }
  decision_brief(answer->kind, answer->session, answer->preferred, answer->hold_ms, brief);
  frequency_add(differences, shadow_describe(answer_rule(answer), brief, &decision, text));
  return true;
}

static bool agent_would_differ(
    struct service *service, struct ruleset *const *rulesets, const struct agent *agent, struct frequency *differences)
{
  bool any = false;
  if (agent->account == AGENT_NO_ACCOUNT || rulesets[agent->account] == NULL)
    return false;
  for (const struct contribution *contribution = agent->contributions; contribution != NULL;
       contribution = contribution->next)
    if (!contribution->is_override)
      any = would_differ(service, rulesets[agent->account], agent, contribution, differences) || any;
  return any;
}

struct value *service_preview(
    struct service *service, struct ruleset *const *rulesets, struct values *values, size_t *ret_differ)
{
  struct frequency differences = {0};
  size_t differ = 0;
  struct store_walk walk;
  store_walk_begin(service->setup.store, &walk);
  for (const struct agent *agent; (agent = store_walk_next(&walk)) != NULL;)
    differ += agent_would_differ(service, rulesets, agent, &differences);
  frequency_sort(&differences);
  struct value *list = frequency_view(&differences, values);
  frequency_release(&differences);
  *ret_differ = differ;
  return list;
}
