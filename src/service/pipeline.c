/* The way of an event to a decision and of a decision to requests, and of their outcomes back into the agent's record.
 */
#include "adapters/json.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "intake/intake.h"
#include "service/internal.h"

#include <string.h>

#define AHEAD_MS CLOCK_MINUTE /* an `at` further ahead of its arrival is a wrong clock */
#define RETRY_BASE_MS (2 * CLOCK_SECOND)
#define RETRY_CAP_MS (5 * CLOCK_MINUTE)
#define UNAUTHORIZED_BASE_MS (60 * CLOCK_SECOND)
#define UNAUTHORIZED_CAP_MS (20 * CLOCK_MINUTE)
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

static void record_event(struct contribution *contribution, const struct event *event)
{
  contribution_record(contribution, event->agent, event->state, event->reason, event->at_ms);
  struct values values = {0};
  struct value *attributes;
  struct buf text;
  buf_init(&text, 8 * EVENT_MAX_BYTES); /* \u00XX is six bytes for one */
  intake_write_attributes(event, &values, &attributes);
  json_write(&text, attributes);
  free(contribution->attributes);
  contribution->attributes = must_strdup(text.length == 0 ? "{}" : buf_text(&text));
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
  for (struct list_node *node = agent->contributions.next;
       node != &agent->contributions && seen.state_count < RULES_STATES_MAX; node = node->next) {
    const struct contribution *c = LIST_ENTRY(node, struct contribution, link);
    if (!c->is_override)
      states[seen.state_count++] = (struct rules_agent_state){c->ucc, c->state};
  }
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
    change_ask_shadow(service, agent, event, since_ms, moment_ms, &seen);
  return ok;
}

void pipeline_event_of(struct service *service, const struct contribution *contribution, struct event *event)
{
  *event = (struct event){.at_ms = contribution->at_ms, .at_given = true};
  str_cut(event->agent, sizeof event->agent, contribution->name);
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
    log_warn("%s: stored attributes: %s", contribution->name, err.text);
  values_release(&values);
}

/* By the present rules, with its old `since`; time conditions look at `now`. */
static void decide_again(struct service *service, struct agent *agent, struct contribution *contribution, int64_t now)
{
  pipeline_event_of(service, contribution, service->scratch);
  if (!decide(service, agent, service->scratch, contribution->since_ms, now))
    return;
  contribution_apply(contribution, &service->decision, now);
  store_touch_contribution(service->setup.store, agent, contribution);
}

void pipeline_decide_all_again(struct service *service, struct agent *agent, int64_t now)
{
  for (struct list_node *node = agent->contributions.next; node != &agent->contributions; node = node->next) {
    struct contribution *contribution = LIST_ENTRY(node, struct contribution, link);
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

enum service_taken service_event(struct service *service, const struct event *given, bool recording)
{
  struct store *store = service->setup.store;
  int64_t now = service_now(service);
  struct event *event = service->scratch;
  if (event != given)
    *event = *given;
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
  struct agent *agent = identity_name(service, account, event->agent)->agent;
  struct contribution *contribution = agent_contribution(agent, event->ucc);
  if (contribution != NULL && event->at_ms < contribution->at_ms) {
    service->stale++;
    return SERVICE_STALE;
  }
  if (contribution == NULL)
    contribution = store_contribution_new(store, agent, event->ucc);
  (void)contribution_ripen(contribution, now);
  enum decision_kind before = contribution->stand.kind;
  record_event(contribution, event);
  service->accepted++;
  if (account == AGENT_NO_ACCOUNT)
    warn_unserved(service, event);
  else if (decide(service, agent, event, contribution->since_ms, event->at_ms))
    contribution_apply(contribution, &service->decision, now);
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
  if (agent->park_cause != cause || agent->park_detail == NULL || strcmp(agent->park_detail, detail) != 0) {
    if (cause != PARK_NO_ACCOUNT) /* that has its own line, one per suffix */
      log_warn("%s is parked: %s: %s", agent_label(agent), park_cause_str(cause), detail);
    free(agent->park_detail);
    agent->park_detail = must_strdup(detail);
  }
  agent->park_cause = cause;
  agent->differs = false;
  /* Nobody will speak for one without names again: it goes when what it shows has ended by itself. */
  bool orphan = list_empty(&agent->names) && list_empty(&agent->contributions);
  sched_move(&service->sched, agent, PHASE_PARKED, orphan ? agent_shows_until(agent) : CLOCK_NEVER);
  release_successor(service, agent, service_now(service));
}

void pipeline_free_parked(struct service *service, struct agent *agent)
{
  if (agent->phase != PHASE_PARKED)
    return;
  agent->park_cause = PARK_NONE;
  free(agent->park_detail);
  agent->park_detail = NULL;
  agent->attempts = agent->unauthorized = 0;
  agent->retry_ms = 0;
  agent->looked_up_again = false;
  if (*agent->id == '\0' && agent->account != AGENT_NO_ACCOUNT)
    identity_want(service, agent, true, service_now(service));
  sched_move(&service->sched, agent, PHASE_IDLE, CLOCK_NEVER);
}

bool pipeline_drop_if_empty(struct service *service, struct agent *agent, int64_t now)
{
  if (!list_empty(&agent->names) || !list_empty(&agent->contributions) || agent->phase == PHASE_IN_FLIGHT ||
      agent_shows_anything(agent, now) || agent->predecessor != NULL)
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
  for (struct list_node *node = agent->contributions.next; node != &agent->contributions; node = node->next) {
    struct contribution *contribution = LIST_ENTRY(node, struct contribution, link);
    enum decision_kind before = contribution->stand.kind;
    if (contribution_ripen(contribution, now))
      store_touch_contribution(service->setup.store, agent, contribution);
    if (now >= contribution->recheck_ms)
      decide_again(service, agent, contribution, now);
    if (now >= contribution->recheck_ms) /* it could not be decided: the rule may do better later */
      contribution->recheck_ms = now + CLOCK_MINUTE;
    if (contribution->recheck_ms < next)
      next = contribution->recheck_ms;
    log_on = log_on || (before == DECISION_CLEAR && contribution->stand.kind == DECISION_SHOW);
  }
  const struct contribution *override = override_of(agent);
  if (override != NULL && ((log_on && override->stand.kind == DECISION_CLEAR) ||
                           now >= override->stand.from_ms + override->stand.hold_ms)) {
    override_end(service, agent);
    store_touch(service->setup.store, agent);
  }
  return next;
}

/* Lets the ruleset's own `merge` choose among several; where it fails, the rank decides. */
static void choose(struct service *service, struct agent *agent, int64_t now)
{
  struct rules_candidate candidates[RULES_STATES_MAX];
  struct contribution *contributions[RULES_STATES_MAX];
  struct rules_agent_state states[RULES_STATES_MAX];
  struct ruleset *ruleset = service->setup.rulesets[agent->account];
  agent->chosen = NULL;
  agent->merge_latest = ruleset_merge_mode(ruleset) == RULES_MERGE_LATEST;
  if (ruleset_merge_mode(ruleset) != RULES_MERGE_FUNCTION)
    return;
  size_t count = 0, index = 0;
  for (struct list_node *node = agent->contributions.next; node != &agent->contributions && count < RULES_STATES_MAX;
       node = node->next) {
    struct contribution *c = LIST_ENTRY(node, struct contribution, link);
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
    agent->chosen = contributions[index];
  if (trouble.kind != ERR_NONE)
    tell_rule_trouble(service, &trouble);
}

static struct desired desired_now(struct service *service, struct agent *agent, int64_t now)
{
  choose(service, agent, now);
  return agent_desired(agent, now);
}

/* Nothing is left to be cleared, or nothing will be: who waits for it may go on. */
static void release_successor(struct service *service, struct agent *agent, int64_t now)
{
  struct agent *successor = agent->successor;
  if (successor == NULL)
    return;
  agent->successor = successor->predecessor = NULL;
  pipeline_settle(service, successor, now);
}

void pipeline_settle(struct service *service, struct agent *agent, int64_t now)
{
  if (agent->phase == PHASE_IN_FLIGHT || agent->park_cause != PARK_NONE)
    return;
  if (agent->account == AGENT_NO_ACCOUNT) {
    pipeline_park(service, agent, PARK_NO_ACCOUNT, "no account serves it; add its domain to an Account's Domains");
    return;
  }
  int64_t recheck_ms = pass_time(service, agent, now);
  struct desired desired = desired_now(service, agent, now);
  struct sched_plan plan = sched_plan(agent, &desired, now, service->setup.config->accounts[agent->account].lease_ms);
  if (plan.step == STEP_NONE) {
    release_successor(service, agent, now);
    wait_until(service, agent, false, plan.next_ms < recheck_ms ? plan.next_ms : recheck_ms);
  } else if (agent->predecessor != NULL || identity_checking(agent)) {
    wait_until(service, agent, true, CLOCK_NEVER);
  } else if (*agent->id == '\0') {
    identity_want(service, agent, false, now);
    wait_until(service, agent, true, CLOCK_NEVER);
  } else if (agent->retry_ms > now) {
    wait_until(service, agent, !plan.refresh, agent->retry_ms);
  } else {
    agent->differs = !plan.refresh;
    sched_ready(&service->sched, agent, service->app_of_account[agent->account], plan.refresh || agent->by_new_rules);
  }
}

/* ---- requests and their outcomes */

struct flight {
  struct service *service;
  struct agent *agent;
  struct sched_plan plan;
  struct confirmed before;
  int64_t sent_ms;
};

static enum graph_operation_kind operation_of(enum sched_step step)
{
  static const enum graph_operation_kind kinds[] = {
      [STEP_NONE] = GRAPH_TOKEN, /* never sent */
      [STEP_SET_SESSION] = GRAPH_SET_PRESENCE,
      [STEP_SET_PREFERRED] = GRAPH_SET_PREFERRED,
      [STEP_SET_MESSAGE] = GRAPH_SET_MESSAGE,
      [STEP_CLEAR_MESSAGE] = GRAPH_CLEAR_MESSAGE,
      [STEP_CLEAR_PREFERRED] = GRAPH_CLEAR_PREFERRED,
      [STEP_CLEAR_SESSION] = GRAPH_CLEAR_PRESENCE,
  };
  return kinds[step];
}

/* What an outcome means for the agent. Nothing else switches on it. */
enum reaction {
  REACT_CONFIRM, /* Graph has it */
  REACT_AGAIN,   /* as soon as the account is open again */
  REACT_BACK_OFF,
  REACT_UNAUTHORIZED,
  REACT_LOOK_UP,
  REACT_PARK,
};
static const struct {
  enum reaction reaction;
  bool untouched; /* Graph certainly has what it had before */
  enum park_cause cause;
  const char *remedy;
} reactions[] = {
    [OUTCOME_APPLIED] = {REACT_CONFIRM, false, PARK_NONE, ""},
    [OUTCOME_GONE] = {REACT_CONFIRM, false, PARK_NONE, ""},
    [OUTCOME_THROTTLED] = {REACT_AGAIN, false, PARK_NONE, ""}, /* a 429 may have been applied (facts 3.2) */
    [OUTCOME_TRY_LATER] = {REACT_BACK_OFF, false, PARK_NONE, ""},
    [OUTCOME_TOKEN_STALE] = {REACT_UNAUTHORIZED, true, PARK_NONE, ""},
    [OUTCOME_NO_SUCH_USER] = {REACT_LOOK_UP, true, PARK_NO_SUCH_USER, ""},
    [OUTCOME_FORBIDDEN] =
        {REACT_PARK, true, PARK_FORBIDDEN,
         "grant the application permission Presence.ReadWrite.All, with admin consent"},
    [OUTCOME_REFUSED] = {REACT_PARK, true, PARK_REFUSED, "look the error code up in Graph's documentation"},
    [OUTCOME_UNKNOWN] = {REACT_BACK_OFF, false, PARK_NONE, ""},
};

static void park_for(struct service *service, struct agent *agent, const struct outcome *outcome, const char *operation)
{
  char detail[768];
  snprintf(
      detail, sizeof detail, "%s: %d %s %s; %s (request-id %s, client-request-id %s)", operation, outcome->status,
      outcome->code, outcome->detail, reactions[outcome->kind].remedy,
      *outcome->request_id == '\0' ? "none" : outcome->request_id, outcome->client_request_id);
  pipeline_park(service, agent, reactions[outcome->kind].cause, detail);
}

static void back_off(
    struct service *service, struct agent *agent, int64_t base_ms, int64_t cap_ms, int attempts, int64_t now)
{
  agent->retry_ms = now + sched_backoff(attempts, base_ms, cap_ms, service_random(service));
}

/* Once for the token's sake. Twice, while others got through, and it is this user: no hurry then. Twice while nobody
 * got through, and the account is closed for a while: then a lookup finds out first whether it is over. */
static void react_unauthorized(struct service *service, struct agent *agent, int64_t now)
{
  const struct app *app = service_app(service, agent);
  bool others_got_through = app->accepted != agent->accepted_then;
  agent->accepted_then = app->accepted;
  if (++agent->unauthorized < 2)
    return;
  if (others_got_through) {
    back_off(service, agent, UNAUTHORIZED_BASE_MS, UNAUTHORIZED_CAP_MS, agent->unauthorized - 1, now);
    return;
  }
  agent->retry_ms = app->auth_until_ms + 1;
  identity_prove_token(service, agent, now);
}

static void react(
    struct service *service, struct agent *agent, const struct flight *flight, const struct outcome *outcome,
    int64_t now)
{
  switch (reactions[outcome->kind].reaction) {
  case REACT_CONFIRM:
    sched_applied(agent, &flight->plan, flight->sent_ms);
    agent->attempts = agent->unauthorized = 0;
    agent->retry_ms = 0;
    agent->looked_up_again = false;
    break;
  case REACT_AGAIN:
    break;
  case REACT_BACK_OFF:
    agent->attempts++;
    back_off(service, agent, RETRY_BASE_MS, RETRY_CAP_MS, agent->attempts, now);
    break;
  case REACT_UNAUTHORIZED:
    react_unauthorized(service, agent, now);
    break;
  case REACT_LOOK_UP:
    agent->looked_up_again = true;
    identity_check(service, agent, now);
    break;
  case REACT_PARK:
    park_for(service, agent, outcome, graph_operation_str(operation_of(flight->plan.step)));
    break;
  }
}

static void on_done(void *context, const struct outcome *outcome, const struct graph_reply *reply UNUSED)
{
  const struct flight *flight = context;
  struct service *service = flight->service;
  struct agent *agent = flight->agent;
  int64_t now = service_now(service);
  if (reactions[outcome->kind].untouched || (outcome->kind == OUTCOME_TRY_LATER && outcome->status == 0))
    agent->confirmed = flight->before;
  store_touch(service->setup.store, agent);
  sched_move(&service->sched, agent, PHASE_IDLE, CLOCK_NEVER);
  react(service, agent, flight, outcome, now);
  pipeline_settle(service, agent, now);
  pipeline_drop_if_empty(service, agent, now);
}

void pipeline_launch(struct service *service, struct agent *agent, int64_t now)
{
  struct desired desired = desired_now(service, agent, now);
  struct sched_plan plan = sched_plan(agent, &desired, now, service->setup.config->accounts[agent->account].lease_ms);
  if (plan.step == STEP_NONE) { /* time has passed since it got ready */
    pipeline_settle(service, agent, now);
    return;
  }
  struct flight *flight = must_alloc(sizeof *flight);
  *flight = (struct flight){service, agent, plan, agent->confirmed, now};
  struct graph_operation operation = {
      .kind = operation_of(plan.step),
      .presence = plan.presence,
      .duration_ms = plan.duration_ms,
      .message = plan.message,
      .message_until_ms = plan.until_ms};
  must(str_copy(operation.user, sizeof operation.user, agent->id));
  struct request *request = app_submit(service_app(service, agent), &operation, on_done, flight);
  request->once = request->owns_context = true;
  request->about_user = agent->unauthorized > 0 && request->app->accepted != agent->accepted_then;
  agent->by_new_rules = false;
  sched_sent(agent, &plan, now);
  store_touch(service->setup.store, agent);
  sched_move(&service->sched, agent, PHASE_IN_FLIGHT, CLOCK_NEVER);
}
