/* A change of the rules: deciding again in slices, what a change would do, and the shadow that runs beside. */
#include "base/clock.h"
#include "base/log.h"
#include "service/internal.h"

#include <inttypes.h>
#include <string.h>

enum { SLICE = 250 }; /* agents decided again in one turn: some milliseconds */

/* ---- deciding again */

void service_rules_changed(struct service *service, uint32_t generation)
{
  service->to_decide = store_agents(service->setup.store)->next;
  service->generation = generation;
  service->decided_again = service->came_out_different = 0;
}

void change_forget(struct service *service, struct agent *agent)
{
  if (service->to_decide == &agent->all_link)
    service->to_decide = agent->all_link.next;
}

static bool same_picture(const struct desired *a, const struct desired *b)
{
  return a->session == b->session && a->preferred == b->preferred && a->until_ms == b->until_ms &&
         a->never == b->never && strcmp(a->message, b->message) == 0;
}

static void decide_one(struct service *service, struct agent *agent, int64_t now)
{
  if (agent->account == AGENT_NO_ACCOUNT) {
    pipeline_settle(service, agent, now);
    return;
  }
  struct desired before = agent_desired(agent, now);
  char *message = must_strdup(before.message); /* it goes with the decision that made it */
  before.message = message;
  pipeline_decide_all_again(service, agent, now);
  struct desired after = pipeline_desired(service, agent, now);
  service->decided_again++;
  if (!same_picture(&before, &after)) {
    service->came_out_different++;
    agent->by_new_rules = agent->phase != PHASE_IN_FLIGHT;
  }
  free(message);
  pipeline_settle(service, agent, now);
}

bool change_turn(struct service *service, int64_t now)
{
  struct list_node *end = service->setup.store == NULL ? NULL : store_agents(service->setup.store);
  if (service->to_decide == NULL)
    return false;
  for (int i = 0; i < SLICE && service->to_decide != end; i++) {
    struct agent *agent = LIST_ENTRY(service->to_decide, struct agent, all_link);
    service->to_decide = service->to_decide->next;
    decide_one(service, agent, now);
  }
  if (service->to_decide != end)
    return true;
  service->to_decide = NULL;
  log_info(
      "generation %" PRIu32 ": %zu agents decided again, %zu presences differ", service->generation,
      service->decided_again, service->came_out_different);
  return false;
}

/* ---- comparing */

/* "reasons.LUNCH -> rule "vip": preferred.be_right_back 45m -> preferred.busy 1h" */
static void describe(
    char *to, size_t room, const char *old_rule, const char *old_brief, const struct decision *decision)
{
  char brief[DECISION_BRIEF_SIZE];
  snprintf(
      to, room, "%s -> %s: %s -> %s", old_rule, decision->rule, old_brief,
      decision_brief(decision->kind, decision->session, decision->preferred, decision->hold_ms, brief));
}

/* The last one: it stands, or waits for its delay. */
static const struct answer *answer_of(const struct contribution *contribution)
{
  return contribution->pending_ms != CLOCK_NEVER ? contribution->pending.answer : contribution->stand.answer;
}

bool change_differs(const struct contribution *contribution, const struct decision *decision)
{
  const struct answer *answer = answer_of(contribution);
  return decision->kind != DECISION_KEEP &&
         (decision->kind != answer->kind || decision->session != answer->session ||
          decision->preferred != answer->preferred || decision->hold_ms != answer->hold_ms ||
          strcmp(decision->message, answer->message) != 0);
}

/* In what is decided, or in how it is held. */
static bool would_differ(
    struct service *service, struct ruleset *ruleset, const struct agent *agent,
    const struct contribution *contribution, struct tally *tally)
{
  struct rules_agent_state states[RULES_STATES_MAX];
  struct rules_agent seen = pipeline_agent_for_rules(agent, states);
  struct err trouble = ERR_INIT;
  const struct answer *answer = answer_of(contribution);
  pipeline_event_of(service, contribution, service->scratch);
  if (!ruleset_decide(
          ruleset, service->scratch, contribution->since_ms, service_now(service), &seen, &service->decision, &trouble))
    return false;
  const struct decision *decision = &service->decision;
  char text[512], brief[DECISION_BRIEF_SIZE];
  if (!change_differs(contribution, decision)) {
    bool anchors = ruleset_anchors(ruleset);
    if (decision->session != SESSION_AVAILABLE || decision->preferred != PRESENCE_NONE ||
        anchors == ruleset_anchors(service->setup.rulesets[agent->account]))
      return false;
    snprintf(text, sizeof text, "%s: Available is held by %s", decision->rule, anchors ? "an anchor" : "refreshes");
    tally_add(tally, text);
    return true;
  }
  decision_brief(answer->kind, answer->session, answer->preferred, answer->hold_ms, brief);
  describe(text, sizeof text, answer_rule(answer), brief, decision);
  tally_add(tally, text);
  return true;
}

static int more_first(const void *a, const void *b)
{
  const struct tally_entry *left = *(struct tally_entry *const *)a, *right = *(struct tally_entry *const *)b;
  return left->count != right->count ? (left->count < right->count ? 1 : -1) : strcmp(left->text, right->text);
}

struct value *service_preview(
    struct service *service, struct ruleset *const *rulesets, struct values *values, size_t *ret_differ)
{
  struct tally tally = {0};
  size_t differ = 0;
  struct list_node *agents = store_agents(service->setup.store);
  for (struct list_node *node = agents->next; node != agents; node = node->next) {
    const struct agent *agent = LIST_ENTRY(node, struct agent, all_link);
    bool any = false;
    for (const struct contribution *contribution = agent->contributions; contribution != NULL;
         contribution = contribution->next) {
      if (agent->account != AGENT_NO_ACCOUNT && rulesets[agent->account] != NULL && !contribution->is_override)
        any = would_differ(service, rulesets[agent->account], agent, contribution, &tally) || any;
    }
    differ += any;
  }
  if (tally.count > 1)
    qsort(tally.entries, tally.count, sizeof(struct tally_entry *), more_first);
  struct value *list = value_list(values);
  for (size_t i = 0; i < tally.count; i++) {
    struct value *entry = value_map(values);
    value_set(values, entry, "what", value_string(values, tally.entries[i]->text));
    value_set(values, entry, "count", value_number(values, (double)tally.entries[i]->count));
    value_add(values, list, entry);
  }
  tally_release(&tally);
  *ret_differ = differ;
  return list;
}

/* ---- the shadow */

void service_shadow_changed(struct service *service)
{
  service->shadow_same = service->shadow_different = service->shadow_errors = 0;
  tally_release(&service->shadow_differences);
}

void change_ask_shadow(
    struct service *service, const struct agent *agent, const struct event *event, int64_t since_ms, int64_t moment_ms,
    const struct rules_agent *seen)
{
  struct ruleset *const *shadows = service->setup.shadows;
  if (shadows == NULL || shadows[agent->account] == NULL)
    return;
  struct decision *shadow = &service->shadow_decision;
  struct err trouble = ERR_INIT;
  bool ok = ruleset_decide(shadows[agent->account], event, since_ms, moment_ms, seen, shadow, &trouble);
  if (!ok || trouble.kind != ERR_NONE) {
    service->shadow_errors++;
    tally_add(&service->shadow_differences, trouble.text);
  }
  const struct decision *ours = &service->decision;
  if (!ok || decision_equal(ours, shadow)) {
    service->shadow_same += ok;
    return;
  }
  char text[512], brief[DECISION_BRIEF_SIZE];
  decision_brief(ours->kind, ours->session, ours->preferred, ours->hold_ms, brief);
  describe(text, sizeof text, ours->rule, brief, shadow);
  service->shadow_different++;
  tally_add(&service->shadow_differences, text);
}
