/* The way of an event to a decision, and from there to where the agent stands in the schedule. */
#include "adapters/json.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/shared.h"
#include "base/str.h"
#include "intake/intake.h"
#include "service/internal.h"

#include <string.h>

#define AHEAD_MS CLOCK_MINUTE /* an `at` further ahead of its arrival is a wrong clock */
#define RULE_TROUBLE_EVERY_MS CLOCK_MINUTE

/* ---- event to decision */

const char *pipeline_suffix_of(const char *agent)
{
  const char *at = strrchr(agent, '@');
  return at == NULL ? "" : at + 1;
}

int pipeline_account_of(const struct service *service, const char *agent, const char *account)
{
  const struct config *config = service->setup.config;
  const struct config_account *found =
      *account != '\0' ? config_account_by_id(config, account) : config_account_for(config, agent);
  return found == NULL ? AGENT_NO_ACCOUNT : (int)(found - config->accounts);
}

static void record_event(struct contribution *contribution, const struct agent_name *name, const struct event *event)
{
  contribution_record(contribution, event->state, event->reason, event->at_ms);
  contribution->name = name;
  struct values values = {0};
  struct value *attributes;
  struct buf text;
  buf_init(&text, 8 * EVENT_MAX_BYTES); /* \u00XX is six bytes for one */
  intake_write_attributes(event, &values, &attributes);
  json_write(&text, attributes);
  shared_replace(&contribution->attributes, text.length == 0 ? "{}" : buf_text(&text));
  buf_release(&text);
  values_release(&values);
}

static void tell_rule_trouble(struct service *service, const struct err *trouble)
{
  int64_t now = service_now(service);
  service->rule_errors++;
  if (strcmp(service->rule_trouble, trouble->text) == 0 && now < service->rule_trouble_ms + RULE_TROUBLE_EVERY_MS) {
    service->rule_trouble_more++;
    return;
  }
  if (service->rule_trouble_more > 0)
    log_warn("the last rule error came %llu more times", (unsigned long long)service->rule_trouble_more);
  log_warn("%s", trouble->text);
  must(str_copy(service->rule_trouble, sizeof service->rule_trouble, trouble->text));
  service->rule_trouble_ms = now;
  service->rule_trouble_more = 0;
}

static void note_unmatched(struct service *service, const struct event *event)
{
  char text[2 * EVENT_NAME_SIZE + 32];
  snprintf(text, sizeof text, "state %s%s%s", event->state, *event->reason == '\0' ? "" : ", reason ", event->reason);
  if (tally_add(&service->unmatched, text))
    log_warn("no rule answers %s; add it to the ruleset's states or reasons", text);
}

struct rules_agent pipeline_agent_for_rules(
    const struct agent *agent, struct rules_agent_state states[RULES_STATES_MAX])
{
  struct rules_agent seen = {.upn = agent_label(agent), .states = states};
  for (const struct contribution *c = agent->contributions; c != NULL && seen.state_count < RULES_STATES_MAX;
       c = c->next)
    if (!c->is_override)
      states[seen.state_count++] = (struct rules_agent_state){c->ucc, c->state};
  return seen;
}

static bool decide(
    struct service *service, struct agent *agent, const struct event *event, int64_t since_ms, int64_t moment_ms)
{
  struct rules_agent_state states[RULES_STATES_MAX];
  struct rules_agent seen = pipeline_agent_for_rules(agent, states);
  struct err trouble = ERR_INIT;
  bool ok = ruleset_decide(
      service->setup.rulesets[agent->account], event, since_ms, moment_ms, &seen, &service->decision, &trouble);
  service->decisions++;
  if (trouble.kind != ERR_NONE)
    tell_rule_trouble(service, &trouble);
  if (ok && service->decision.unmatched)
    note_unmatched(service, event);
  if (ok)
    figures_decided(service, agent->account);
  if (ok)
    change_ask_shadow(service, agent, event, since_ms, moment_ms, &seen);
  return ok;
}

void pipeline_event_of(struct service *service, const struct contribution *contribution, struct event *event)
{
  *event = (struct event){.at_ms = contribution->at_ms, .at_given = true};
  str_cut(event->agent, sizeof event->agent, contribution->name == NULL ? "" : contribution->name->text);
  str_cut(event->state, sizeof event->state, contribution->state);
  str_cut(event->reason, sizeof event->reason, contribution->reason);
  str_cut(event->ucc, sizeof event->ucc, contribution->ucc);
  struct values values = {0};
  struct value *attributes = NULL;
  struct err err = ERR_INIT;
  if (!json_parse(
          service->setup.json, contribution->attributes, strlen(contribution->attributes), &values, &attributes,
          &err) ||
      !intake_read_attributes(attributes, event, &err))
    log_warn("%s: stored attributes: %s", event->agent, err.text);
  values_release(&values);
}

/* Into the log, and to whoever watches. `again`: the event is known already. */
static void tell_decision(
    struct service *service, const struct contribution *contribution, const struct event *event, bool again)
{
  const struct service_watcher *watcher = &service->setup.watcher;
  const struct decision *decision = &service->decision;
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
      .kind = decision->kind,
      .session = decision->session,
      .preferred = decision->preferred,
      .hold_ms = decision->hold_ms,
      .delay_ms = decision->delay_ms,
      .after = decision->after,
      .message = decision->message,
      .rule = decision->rule,
      .place = decision->place,
      .generation = decision->generation};
  store_log_decision(service->setup.store, &row);
  if (watcher->on_decision != NULL)
    watcher->on_decision(watcher->context, event, contribution->since_ms, decision);
}

/* By the present rules, with its old `since`; time conditions look at `now`. */
static void decide_again(struct service *service, struct agent *agent, struct contribution *contribution, int64_t now)
{
  pipeline_event_of(service, contribution, service->scratch);
  if (!decide(service, agent, service->scratch, contribution->since_ms, now))
    return;
  if (change_differs(contribution, &service->decision))
    tell_decision(service, contribution, service->scratch, true);
  if (contribution_apply(contribution, &service->decision, now)) /* after a start, hardly any */
    store_touch_contribution(service->setup.store, agent, contribution);
}

void pipeline_decide_all_again(struct service *service, struct agent *agent, int64_t now)
{
  lapse_notice(service, agent, now);
  for (struct contribution *contribution = agent->contributions; contribution != NULL;
       contribution = contribution->next) {
    if (!contribution->is_override)
      decide_again(service, agent, contribution, now);
  }
}

/* ---- events */

static void check_time(struct service *service, struct event *event, int64_t now, bool recording)
{
  if (recording || event->at_ms <= now + AHEAD_MS)
    return;
  service->future++;
  if (tally_add(&service->future_uccs, event->ucc)) {
    char at[CLOCK_TEXT_SIZE];
    log_warn(
        "UCC %s: an event's time lies ahead (%s); its arrival counts instead; set that system's clock", event->ucc,
        clock_rfc3339(event->at_ms, at));
  }
  event->at_ms = now;
  event->at_given = false;
}

static void check_fields(struct service *service, const struct event *event)
{
  if (event->unknown_fields == 0)
    return;
  service->unknown_fields += (uint64_t)event->unknown_fields;
  if (tally_add(&service->unknown_field_names, event->unknown_field))
    log_warn("events have an unknown field \"%s\"; put data of your own under \"attributes\"", event->unknown_field);
}

static void warn_unserved(struct service *service, const struct event *event)
{
  service->no_account++;
  const char *what = *event->account != '\0' ? event->account : pipeline_suffix_of(event->agent);
  if (tally_add(&service->unserved, what))
    log_warn("no account serves %s; add it to an Account's Domains", *what == '\0' ? event->agent : what);
}

/* Whatever it sends, be it known or stale already: it is there. */
static void hear(struct service *service, const struct event *event, int64_t now)
{
  figures_heard(&service->figures, event->ucc, now);
  if (!store_hear_ucc(service->setup.store, event->ucc))
    return;
  log_info("UCC %s sends events again: what it said before counts again", event->ucc);
  service_rules_changed(service, ruleset_generation(service->setup.rulesets[0])); /* looks at everybody again */
}

enum service_taken service_event(struct service *service, const struct event *given, bool recording)
{
  struct store *store = service->setup.store;
  service_notice_clock(service);
  int64_t now = service_now(service);
  struct event *event = service->scratch;
  if (event != given) /* without the room for attributes that it does not have, which is most of it */
    memcpy(event, given, offsetof(struct event, attributes) + given->attribute_count * sizeof *given->attributes);
  hear(service, event, now);
  check_time(service, event, now, recording);
  check_fields(service, event);
  if (*event->id != '\0') {
    enum store_id seen = store_event_id(store, event->ucc, event->id, event->fingerprint, now);
    if (seen == STORE_ID_DUPLICATE) {
      service->duplicates++;
      return SERVICE_DUPLICATE;
    }
    service->reused_ids += seen == STORE_ID_REUSED;
  }
  int account = pipeline_account_of(service, event->agent, event->account);
  const struct agent_name *name = identity_name(service, account, event->agent);
  struct agent *agent = name->agent;
  struct contribution *contribution = agent_contribution(agent, event->ucc);
  if (contribution != NULL && event->at_given && event->at_ms < contribution->at_ms) {
    service->stale++;
    return SERVICE_STALE;
  }
  if (contribution == NULL)
    contribution = store_contribution_new(store, agent, event->ucc);
  lapse_notice(service, agent, now);
  (void)contribution_ripen(contribution, now);
  enum decision_kind before = contribution->stand.answer->kind;
  record_event(contribution, name, event);
  service->accepted++;
  if (account == AGENT_NO_ACCOUNT)
    warn_unserved(service, event);
  else if (decide(service, agent, event, contribution->since_ms, event->at_ms)) {
    if (service->decision.unmatched)
      figures_unmatched(service, account);
    tell_decision(service, contribution, event, false);
    contribution_apply(contribution, &service->decision, now);
  }
  override_notice_log_on(service, agent, contribution, before);
  store_touch_contribution(store, agent, contribution);
  agent->by_new_rules = false;
  if (agent->park_cause != PARK_UNKNOWN_NAME) /* that one is asked for again by itself, not with every event */
    pipeline_free_parked(service, agent);
  pipeline_settle(service, agent, now);
  return SERVICE_ACCEPTED;
}

/* ---- where an agent stands */

struct agent *pipeline_new_agent(struct service *service, int account)
{
  struct agent *agent = store_agent_new(service->setup.store, account);
  sched_add(&service->sched, agent);
  return agent;
}

static void release_successor(struct service *service, struct agent *agent, int64_t now);

void pipeline_park(struct service *service, struct agent *agent, enum park_cause cause, const char *detail)
{
  struct agent_trouble *trouble = agent_trouble(agent);
  if (agent->park_cause != cause || trouble->park_detail == NULL || strcmp(trouble->park_detail, detail) != 0) {
    if (cause != PARK_NO_ACCOUNT) /* that has its own line, one per suffix */
      log_warn("%s is parked: %s: %s", agent_label(agent), park_cause_str(cause), detail);
    free(trouble->park_detail);
    trouble->park_detail = must_strdup(detail);
  }
  agent->park_cause = cause;
  agent->differs = false;
  agent->ran_out = true;       /* nobody keeps it up */
  agent->differs_since_ms = 0; /* once freed it has not waited longer than others */
  /* Nobody will speak for one without names again: it goes when what it shows has ended by itself. */
  bool orphan = agent->names == NULL && agent->contributions == NULL;
  sched_move(&service->sched, agent, PHASE_PARKED, orphan ? agent_shows_until(agent) : CLOCK_NEVER);
  release_successor(service, agent, service_now(service));
}

void pipeline_free_parked(struct service *service, struct agent *agent)
{
  if (agent->phase != PHASE_PARKED)
    return;
  agent->park_cause = PARK_NONE;
  agent_trouble_over(agent);
  if (*agent->id == '\0' && agent->account != AGENT_NO_ACCOUNT)
    identity_want(service, agent, true, service_now(service));
  sched_move(&service->sched, agent, PHASE_IDLE, CLOCK_NEVER);
}

bool pipeline_drop_if_empty(struct service *service, struct agent *agent, int64_t now)
{
  if (agent->names != NULL || agent->contributions != NULL || agent->phase == PHASE_IN_FLIGHT ||
      agent_shows_anything(agent, now) || agent->has_predecessor)
    return false;
  release_successor(service, agent, now);
  change_forget(service, agent);
  sched_remove(&service->sched, agent);
  store_agent_remove(service->setup.store, agent);
  return true;
}

static void wait_until(struct service *service, struct agent *agent, bool differs, int64_t at_ms)
{
  agent->differs = differs;
  sched_move(&service->sched, agent, differs || at_ms != CLOCK_NEVER ? PHASE_WAITING : PHASE_IDLE, at_ms);
}

/* What time alone has changed: delays that are over, time conditions that must be looked at again. */
static int64_t pass_time(struct service *service, struct agent *agent, int64_t now)
{
  int64_t next = CLOCK_NEVER;
  bool log_on = false;
  for (struct contribution *contribution = agent->contributions; contribution != NULL;
       contribution = contribution->next) {
    enum decision_kind before = contribution->stand.answer->kind;
    if (contribution_ripen(contribution, now))
      store_touch_contribution(service->setup.store, agent, contribution);
    if (now >= contribution->recheck_ms)
      decide_again(service, agent, contribution, now);
    if (now >= contribution->recheck_ms) /* it could not be decided: the rule may do better later */
      contribution->recheck_ms = now + CLOCK_MINUTE;
    if (contribution->recheck_ms < next)
      next = contribution->recheck_ms;
    log_on = log_on || (before == DECISION_CLEAR && contribution->stand.answer->kind == DECISION_SHOW);
  }
  const struct contribution *override = override_of(agent);
  if (override != NULL &&
      ((log_on && override->stand.answer->kind == DECISION_CLEAR) || now >= stand_until(&override->stand))) {
    override_end(service, agent);
    store_touch(service->setup.store, agent);
  }
  return next;
}

/* What the ruleset says for the agent as a whole. Its own `merge` chooses among several; where it fails, the rank
 * decides. */
static void choose(struct service *service, struct agent *agent, int64_t now)
{
  struct rules_candidate candidates[RULES_STATES_MAX];
  struct contribution *contributions[RULES_STATES_MAX];
  struct rules_agent_state states[RULES_STATES_MAX];
  struct ruleset *ruleset = service->setup.rulesets[agent->account];
  for (struct contribution *c = agent->contributions; c != NULL; c = c->next)
    c->chosen = false;
  agent->anchors = ruleset_anchors(ruleset);
  agent->merge_latest = ruleset_merge_mode(ruleset) == RULES_MERGE_LATEST;
  if (ruleset_merge_mode(ruleset) != RULES_MERGE_FUNCTION)
    return;
  size_t count = 0, index = 0;
  for (struct contribution *c = agent->contributions; c != NULL && count < RULES_STATES_MAX; c = c->next) {
    struct contribution_view view;
    if (c->is_override || !contribution_at(c, now, &view))
      continue;
    contributions[count] = c;
    candidates[count++] = (struct rules_candidate){
        c->ucc, c->state, c->reason, c->since_ms,
        presence_availability(view.preferred != PRESENCE_NONE ? view.preferred : view.session)};
  }
  if (count < 2)
    return;
  struct rules_agent seen = pipeline_agent_for_rules(agent, states);
  struct err trouble = ERR_INIT;
  if (ruleset_merge(ruleset, candidates, count, &seen, &index, &trouble))
    contributions[index]->chosen = true;
  if (trouble.kind != ERR_NONE)
    tell_rule_trouble(service, &trouble);
}

struct desired pipeline_desired(struct service *service, struct agent *agent, int64_t now)
{
  if (service->clears_all || agent->loses_account)
    return (struct desired){.message = "", .changes_ms = CLOCK_NEVER};
  choose(service, agent, now);
  return agent_desired(agent, now);
}

/* Nothing is left to be cleared, or nothing will be: who waits for it may go on. */
static void release_successor(struct service *service, struct agent *agent, int64_t now)
{
  struct agent *successor = agent->successor;
  if (successor == NULL)
    return;
  agent->successor = NULL;
  successor->has_predecessor = false;
  pipeline_settle(service, successor, now);
}

struct sched_plan pipeline_plan(struct service *service, struct agent *agent, int64_t now, struct desired *ret_desired)
{
  const struct config *config = service->setup.config;
  struct sched_policy policy = {config->accounts[agent->account].lease_ms, config->preferred_release_always};
  *ret_desired = pipeline_desired(service, agent, now);
  return sched_plan(agent, ret_desired, now, &policy);
}

/* Since when what is new now is so: where it was waited for, since that moment, however late the turn comes. Moments
 * from before the clock was set are by another clock. */
static int64_t beginning(const struct service *service, const struct agent *agent, int64_t now)
{
  bool was_due = agent->phase == PHASE_WAITING && agent->due.place != 0 && agent->due.at_ms < now;
  return was_due && agent->due.at_ms > service->clock_set_ms ? agent->due.at_ms : now;
}

/* The age of a difference outlives its steps and newer decisions: who waits longest is served first. */
static void note_difference(const struct service *service, struct agent *agent, bool differs, int64_t now)
{
  if (!differs)
    agent->differs_since_ms = 0;
  else if (agent->differs_since_ms == 0)
    agent->differs_since_ms = beginning(service, agent, now);
}

/* What arrives while a refresh is under way has to wait for its answer: will anything differ then? */
static bool differs_behind_refresh(struct service *service, struct agent *agent, int64_t now)
{
  struct slot *session = &agent->confirmed.session, before = *session;
  struct desired desired;
  session->unsure = false;
  struct sched_plan plan = pipeline_plan(service, agent, now, &desired);
  *session = before;
  return plan.step != STEP_NONE && !plan.refresh;
}

static enum sched_urgency urgency_of(
    const struct agent *agent, const struct desired *desired, const struct sched_plan *plan)
{
  if (plan->refresh)
    return SCHED_REFRESH;
  if (agent->by_new_rules)
    return SCHED_NEW_RULES;
  enum presence shows = desired->preferred != PRESENCE_NONE ? desired->preferred : desired->session;
  return presence_availability(shows) >= AVAILABILITY_BUSY ? SCHED_BUSY : SCHED_CHANGE;
}

void pipeline_settle(struct service *service, struct agent *agent, int64_t now)
{
  agent->loses_account = accounts_loses(service, agent);
  if (agent->phase == PHASE_IN_FLIGHT && agent->differs_since_ms == 0)
    note_difference(service, agent, differs_behind_refresh(service, agent, now), now);
  if (agent->phase == PHASE_IN_FLIGHT || agent->park_cause != PARK_NONE)
    return;
  if (agent->account == AGENT_NO_ACCOUNT) {
    pipeline_park(service, agent, PARK_NO_ACCOUNT, "no account serves it; add its domain to an Account's Domains");
    return;
  }
  lapse_notice(service, agent, now);
  int64_t recheck_ms = pass_time(service, agent, now);
  struct desired desired;
  struct sched_plan plan = pipeline_plan(service, agent, now, &desired);
  bool differs = plan.step != STEP_NONE && (!plan.refresh || agent->ran_out); /* a refresh that comes too late */
  note_difference(service, agent, differs, now);
  if (plan.step == STEP_NONE) {
    release_successor(service, agent, now);
    wait_until(service, agent, false, plan.next_ms < recheck_ms ? plan.next_ms : recheck_ms);
  } else if (agent->has_predecessor || identity_checking(agent)) {
    wait_until(service, agent, true, CLOCK_NEVER);
  } else if (*agent->id == '\0') {
    identity_want(service, agent, false, now);
    wait_until(service, agent, true, CLOCK_NEVER);
  } else if (agent_retry_ms(agent) > now) {
    wait_until(service, agent, differs, agent_retry_ms(agent));
  } else {
    agent->differs = differs;
    sched_ready(
        &service->sched, agent, service->app_of_account[agent->account], urgency_of(agent, &desired, &plan),
        agent->differs_since_ms, plan.step == STEP_READ_PREFERRED);
  }
}
