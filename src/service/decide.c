/* The engine's way to the rules.
 *
 * A contribution keeps the words of its event (state, reason, attributes, time), so that it can be decided again when
 * the rules or the time have changed: the event is made anew from them, and `since` stays the moment at which the agent
 * came into that state. Rules are pure functions, so deciding twice does no harm; it is logged only where it comes out
 * differently. */
#include "service/decide.h"
#include "adapters/json.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "intake/intake.h"
#include "service/difference.h"
#include "service/engine.h"

#include <inttypes.h>
#include <string.h>

#define TROUBLE_EVERY_MS CLOCK_MINUTE

/* ---- asking */

struct rules_agent decide_agent_for_rules(const struct agent *agent, struct rules_agent_state states[RULES_STATES_MAX])
{
  struct rules_agent seen = {.upn = agent_label(agent), .states = states};
  for (const struct contribution *c = agent->contributions; c != NULL && seen.state_count < RULES_STATES_MAX;
       c = c->next)
    if (!c->is_override)
      states[seen.state_count++] = (struct rules_agent_state){c->ucc, c->state};
  return seen;
}

/* A rule that fails, fails with every event: the same sentence is worth one line a minute. */
void decide_tell_trouble(struct service *service, const struct err *trouble)
{
  struct rule_trouble *last = &service->rule_trouble;
  int64_t now = service_now(service);
  metrics_count(&service->metrics, COUNT_RULE_ERRORS, 1);
  if (strcmp(last->text, trouble->text) == 0 && now < last->told_ms + TROUBLE_EVERY_MS) {
    last->more++;
    return;
  }
  if (last->more > 0)
    log_warn("the last rule error came %" PRIu64 " more times", last->more);
  log_warn("%s", trouble->text);
  must(str_copy(last->text, sizeof last->text, trouble->text));
  last->told_ms = now;
  last->more = 0;
}

static void note_unmatched(struct service *service, const struct event *event)
{
  char text[2 * EVENT_NAME_SIZE + 32];
  snprintf(text, sizeof text, "state %s%s%s", event->state, *event->reason == '\0' ? "" : ", reason ", event->reason);
  if (metrics_unmatched(&service->metrics, text))
    log_warn("no rule answers %s; add it to the ruleset's states or reasons", text);
}

bool decide(
    struct service *service, struct agent *agent, const struct event *event, int64_t since_ms, int64_t moment_ms,
    struct decision *ret_decision)
{
  struct rules_agent_state states[RULES_STATES_MAX];
  struct rules_agent seen = decide_agent_for_rules(agent, states);
  struct ruleset *ruleset = service->setup.rulesets[agent->account];
  struct err trouble = ERR_INIT;
  bool ok = ruleset_decide(ruleset, event, since_ms, moment_ms, &seen, ret_decision, &trouble);
  metrics_count(&service->metrics, COUNT_DECISIONS, 1);
  if (trouble.kind != ERR_NONE)
    decide_tell_trouble(service, &trouble);
  if (!ok)
    return false;
  if (ret_decision->unmatched)
    note_unmatched(service, event);
  metrics_decided(&service->metrics, ruleset, ret_decision->rule);
  shadow_ask(service, agent, event, since_ms, moment_ms, &seen, ret_decision);
  return true;
}

/* ---- telling */

void decide_tell(
    struct service *service, const struct contribution *contribution, const struct event *event,
    const struct decision *decision, bool again)
{
  const struct service_watcher *watcher = &service->setup.watcher;
  struct store_decision row = {
      .decided_ms = service_now(service),
      .again = again,
      .agent = event->agent,
      .ucc = contribution->ucc,
      .state = contribution->state,
      .reason = contribution->reason,
      .attributes = contribution->attributes,
      .at_ms = contribution->at_ms,
      .since_ms = contribution->since_ms,
      .decision = decision};
  store_log_decision(service->setup.store, &row);
  if (watcher->on_decision != NULL)
    watcher->on_decision(watcher->context, event, contribution->since_ms, decision);
}

/* ---- again */

/* The room for attributes is large, and mostly empty: only what is filled in is cleared before. */
void decide_event_of(struct service *service, const struct contribution *contribution, struct event *ret_event)
{
  struct values values = {0};
  struct value *attributes = NULL;
  struct err err = ERR_INIT;
  memset(ret_event, 0, offsetof(struct event, attributes));
  ret_event->at_ms = contribution->at_ms;
  ret_event->at_given = true;
  str_cut(ret_event->agent, sizeof ret_event->agent, contribution->name == NULL ? "" : contribution->name->text);
  str_cut(ret_event->state, sizeof ret_event->state, contribution->state);
  str_cut(ret_event->reason, sizeof ret_event->reason, contribution->reason);
  str_cut(ret_event->ucc, sizeof ret_event->ucc, contribution->ucc);
  if (!json_parse(
          service->setup.json, contribution->attributes, strlen(contribution->attributes), &values, &attributes,
          &err) ||
      !intake_read_attributes(attributes, ret_event, &err))
    log_warn("%s: stored attributes: %s", ret_event->agent, err.text);
  values_release(&values);
}

const struct answer *decide_last_answer(const struct contribution *contribution)
{
  return contribution->pending_ms != CLOCK_NEVER ? contribution->pending.answer : contribution->stand.answer;
}

bool decide_differs(const struct contribution *contribution, const struct decision *decision)
{
  const struct answer *answer = decide_last_answer(contribution);
  return decision->kind != DECISION_KEEP &&
         (decision->kind != answer->kind || decision->session != answer->session ||
          decision->preferred != answer->preferred || decision->hold_ms != answer->hold_ms ||
          strcmp(decision->message, answer->message) != 0);
}

void decide_again(struct service *service, struct agent *agent, struct contribution *contribution, int64_t now)
{
  struct event event;
  struct decision decision;
  decide_event_of(service, contribution, &event);
  if (!decide(service, agent, &event, contribution->since_ms, now, &decision))
    return;
  if (decide_differs(contribution, &decision))
    decide_tell(service, contribution, &event, &decision, true);
  if (contribution_apply(contribution, &decision, now)) /* after a start, hardly any */
    store_touch_contribution(service->setup.store, agent, contribution);
}

void decide_all_again(struct service *service, struct agent *agent, int64_t now)
{
  difference_notice_lapse(service, agent, now);
  for (struct contribution *contribution = agent->contributions; contribution != NULL;
       contribution = contribution->next) {
    if (!contribution->is_override)
      decide_again(service, agent, contribution, now);
  }
}
