/* Views: what the operator asks to see, as values. Instants are RFC 3339 texts. */
#include "base/clock.h"
#include "base/str.h"
#include "service/internal.h"

#include <string.h>

static struct value *instant(struct values *values, int64_t ms)
{
  char text[CLOCK_TEXT_SIZE];
  return ms <= 0 || ms == CLOCK_NEVER ? value_nil(values) : value_string(values, clock_rfc3339(ms, text));
}

static void put_number(struct values *values, struct value *map, const char *key, double number)
{
  value_set(values, map, key, value_number(values, number));
}

static void put_text(struct values *values, struct value *map, const char *key, const char *text)
{
  value_set(values, map, key, value_string(values, text));
}

static struct value *view_tally(const struct tally *tally, struct values *values)
{
  struct value *list = value_list(values);
  for (size_t i = 0; i < tally->count; i++) {
    struct value *entry = value_map(values);
    put_text(values, entry, "what", tally->entries[i]->text);
    put_number(values, entry, "count", (double)tally->entries[i]->count);
    value_add(values, list, entry);
  }
  return list;
}

/* 0: there is none that holds. */
static int64_t token_left_ms(const struct app *app, int64_t now)
{
  return app->token.bearer.length > 0 && now < app->token.expires_ms ? app->token.expires_ms - now : 0;
}

static const char *token_state(const struct app *app, int64_t now)
{
  bool valid = token_left_ms(app, now) > 0;
  if (app->token_trouble.kind != ERR_NONE)
    return valid ? "valid, renewal fails" : app->token_refused ? "refused" : "failing";
  return valid ? "valid" : "none yet";
}

/* Where agents stand, from one look at all of them. */
struct census {
  size_t phases[PHASE_PARKED + 1];
  size_t available, others; /* sessions that are to be kept up */
  int64_t oldest_ms;        /* the beginning of the oldest difference; 0: nothing differs. Who is parked has none */
};

/* One per account, behind that of agents that no account serves. free() it. */
static struct census *take_census(struct service *service, int64_t now)
{
  struct census *census = must_alloc((service->setup.config->account_count + 1) * sizeof *census);
  struct list_node *agents = store_agents(service->setup.store);
  for (struct list_node *node = agents->next; node != agents; node = node->next) {
    struct agent *agent = LIST_ENTRY(node, struct agent, all_link);
    const struct slot *session = &agent->confirmed.session;
    struct census *of = &census[agent->account - AGENT_NO_ACCOUNT];
    lapse_notice(service, agent, now);
    of->phases[agent->phase]++;
    if (agent->differs_since_ms != 0 && (of->oldest_ms == 0 || agent->differs_since_ms < of->oldest_ms))
      of->oldest_ms = agent->differs_since_ms;
    if (session->presence == PRESENCE_NONE || now >= session->until_ms)
      continue;
    of->available += session->presence == SESSION_AVAILABLE;
    of->others += session->presence != SESSION_AVAILABLE;
  }
  return census;
}

static struct value *view_phases(const struct census *of, struct values *values)
{
  struct value *view = value_map(values);
  for (int phase = PHASE_IDLE; phase <= PHASE_PARKED; phase++)
    put_number(values, view, phase_str((enum phase)phase), (double)of->phases[phase]);
  return view;
}

/* What the budget is, and what keeping up what stands takes of it. */
static void view_budget(
    const struct service *service, const struct app *app, const struct census *census, struct values *values,
    struct value *view)
{
  const struct config *config = service->setup.config;
  double takes = 0, needs = 0;
  for (size_t i = 0; i < config->account_count; i++) {
    const struct census *of = &census[i + 1];
    int64_t available = (int64_t)of->available, others = (int64_t)of->others, lease_ms = config->accounts[i].lease_ms;
    if (service->apps[service->app_of_account[i]] != app)
      continue;
    takes += sched_keep_alives(available, others, lease_ms);
    needs += sched_keep_alives_least(available, others, lease_ms);
  }
  struct sched_load load = {.agents = 1, .lease_ms = CLOCK_HOUR};
  put_number(values, view, "requests_per_30_seconds", (double)app->presence.limit);
  put_number(values, view, "requests_allowed_now", (double)app->presence.allowed);
  put_number(values, view, "keep_alives_per_second", takes);
  put_number(values, view, "keep_alives_least_per_second", needs);
  put_number(values, view, "budget_per_second", sched_capacity(&load, (int64_t)app->presence.limit).carries);
  value_set(values, view, "batches", value_bool(values, app->batches));
  value_set(values, view, "outage_since", instant(values, app->outage_since_ms));
}

/* How many went out, what came of them, and both together. */
static void view_requests(const struct app *app, struct values *values, struct value *view)
{
  struct value *requests = value_map(values), *outcomes = value_map(values), *answered = value_map(values);
  uint64_t sums[OUTCOME_UNKNOWN + 1] = {0};
  for (size_t i = 0; i < GRAPH_OPERATION_KINDS; i++) {
    const char *operation = graph_operation_str((enum graph_operation_kind)i);
    struct value *of_operation = value_map(values);
    put_number(values, requests, operation, (double)app->requests[i]);
    for (size_t kind = 0; kind < COUNT_OF(sums); kind++) {
      sums[kind] += app->answered[i][kind];
      if (app->answered[i][kind] > 0)
        put_number(values, of_operation, outcome_kind_str((enum outcome_kind)kind), (double)app->answered[i][kind]);
    }
    value_set(values, answered, operation, of_operation);
  }
  for (size_t kind = 0; kind < COUNT_OF(sums); kind++)
    put_number(values, outcomes, outcome_kind_str((enum outcome_kind)kind), (double)sums[kind]);
  value_set(values, view, "requests", requests);
  value_set(values, view, "outcomes", outcomes);
  value_set(values, view, "answered", answered);
}

static struct value *view_account(
    const struct service *service, size_t index, const struct census *census, struct values *values)
{
  const struct config_account *account = &service->setup.config->accounts[index];
  const struct app *app = service->apps[service->app_of_account[index]];
  int64_t now = service_now(service);
  struct value *view = value_map(values);
  put_text(values, view, "account", account->id);
  put_text(values, view, "ruleset", ruleset_name(service->setup.rulesets[index]));
  put_text(values, view, "rules_file", ruleset_path(service->setup.rulesets[index]));
  put_number(values, view, "generation", ruleset_generation(service->setup.rulesets[index]));
  put_text(values, view, "token", token_state(app, now));
  put_text(values, view, "token_trouble", app->token_trouble.text);
  value_set(
      values, view, "token_expires",
      app->token.bearer.length > 0 ? instant(values, app->token.expires_ms) : value_nil(values));
  put_number(values, view, "token_expires_in_seconds", token_left_ms(app, now) / 1000.0);
  value_set(values, view, "closed_until", instant(values, app->gate_until_ms > now ? app->gate_until_ms : 0));
  value_set(values, view, "refused_until", instant(values, app->auth_until_ms > now ? app->auth_until_ms : 0));
  put_number(values, view, "in_flight", (double)app->in_flight);
  const struct census *of = &census[index + 1];
  value_set(values, view, "phases", view_phases(of, values));
  put_number(
      values, view, "oldest_difference_seconds",
      of->oldest_ms == 0 || of->oldest_ms > now ? 0 : (double)(now - of->oldest_ms) / 1000);
  view_budget(service, app, census, values, view);
  put_number(values, view, "throttled_seconds", (double)app->throttled_ms / 1000);
  view_requests(app, values, view);
  return view;
}

static struct value *view_contribution(
    const struct service *service, const struct contribution *c, struct values *values)
{
  struct value *view = value_map(values);
  const struct answer *answer = c->stand.answer;
  struct contribution_view shown;
  put_text(values, view, "ucc", c->ucc);
  put_text(values, view, "state", c->state);
  put_text(values, view, "reason", c->reason);
  value_set(values, view, "at", instant(values, c->at_ms));
  value_set(values, view, "since", instant(values, c->since_ms));
  put_text(values, view, "decision", decision_kind_str(answer->kind));
  put_text(values, view, "session", presence_str(answer->session));
  put_text(values, view, "preferred", presence_str(answer->preferred));
  value_set(
      values, view, "until",
      contribution_at(c, service_now(service), &shown) ? instant(values, shown.until_ms) : value_nil(values));
  put_text(values, view, "message", answer->message);
  put_text(values, view, "rule", answer_rule(answer));
  put_text(values, view, "place", answer_place(answer));
  put_number(values, view, "generation", answer->generation);
  value_set(values, view, "waits_until", instant(values, c->pending_ms));
  value_set(values, view, "silent", value_bool(values, c->silent));
  return view;
}

/* Who spoke last, for an agent of whom nothing is claimed. */
static const struct contribution *latest(const struct agent *agent)
{
  const struct contribution *latest = NULL;
  for (const struct contribution *contribution = agent->contributions; contribution != NULL;
       contribution = contribution->next) {
    if (latest == NULL || contribution->at_ms > latest->at_ms)
      latest = contribution;
  }
  return latest;
}

static struct value *view_slot(const struct slot *slot, int64_t now, struct values *values)
{
  if ((slot->presence == PRESENCE_NONE && !slot->unsure) || now >= slot->until_ms)
    return value_nil(values);
  struct value *view = value_map(values);
  put_text(values, view, "presence", presence_str(slot->presence));
  value_set(values, view, "since", instant(values, slot->set_ms));
  value_set(values, view, "until", instant(values, slot->until_ms));
  value_set(values, view, "unsure", value_bool(values, slot->unsure));
  return view;
}

/* What Graph has, for all we know. */
static struct value *view_confirmed(const struct confirmed *confirmed, int64_t now, struct values *values)
{
  const struct message_slot *message = &confirmed->message;
  struct value *view = value_map(values), *text = value_nil(values);
  if ((message->hash != 0 || message->unsure) && now < message->until_ms) {
    text = value_map(values);
    value_set(values, text, "until", instant(values, message->until_ms));
    value_set(values, text, "unsure", value_bool(values, message->unsure));
  }
  value_set(values, view, "session", view_slot(&confirmed->session, now, values));
  value_set(values, view, "preferred", view_slot(&confirmed->preferred, now, values));
  value_set(values, view, "message", text);
  return view;
}

static struct value *view_agent(const struct service *service, const struct agent *agent, struct values *values)
{
  int64_t now = service_now(service);
  struct desired desired = agent_desired(agent, now);
  struct value *view = value_map(values), *uccs = value_list(values), *names = value_list(values);
  put_text(values, view, "agent", agent_label(agent));
  put_text(values, view, "id", agent->id);
  for (const struct agent_name *name = agent->names; name != NULL; name = name->next)
    value_add(values, names, value_string(values, name->text));
  value_set(values, view, "names", names);
  put_text(
      values, view, "account",
      agent->account == AGENT_NO_ACCOUNT ? "" : service->setup.config->accounts[agent->account].id);
  put_text(values, view, "phase", phase_str(agent->phase));
  /* A keep-alive that is due or under way takes nothing from it, unless it comes too late. */
  bool confirmed = agent->differs_since_ms == 0 && agent->phase != PHASE_PARKED;
  value_set(values, view, "confirmed", value_bool(values, confirmed));
  const char *detail = agent->trouble == NULL ? NULL : agent->trouble->park_detail;
  if (agent->phase == PHASE_PARKED) {
    put_text(values, view, "parked", park_cause_str(agent->park_cause));
    put_text(values, view, "parked_because", detail == NULL ? "" : detail);
  }
  put_text(values, view, "session", presence_str(desired.session));
  put_text(values, view, "preferred", presence_str(desired.preferred));
  value_set(values, view, "carrier", value_bool(values, desired.carrier));
  value_set(values, view, "anchored", value_bool(values, desired.anchored));
  if (agent->left_choice != AVAILABILITY_UNKNOWN)
    put_text(values, view, "left_to_their_choice", availability_str(agent->left_choice));
  if (agent->trouble != NULL && agent->trouble->retry_ms > now)
    value_set(values, view, "retry_at", instant(values, agent->trouble->retry_ms));
  value_set(values, view, "graph", view_confirmed(&agent->confirmed, now, values));
  put_text(values, view, "message", desired.message);
  value_set(values, view, "until", instant(values, desired.winner == NULL ? 0 : desired.until_ms));
  const struct contribution *said = desired.winner != NULL ? desired.winner : latest(agent);
  put_text(values, view, "rule", said == NULL ? "" : answer_rule(said->stand.answer));
  put_text(values, view, "place", said == NULL ? "" : answer_place(said->stand.answer));
  put_text(values, view, "ucc", said == NULL ? "" : said->ucc);
  value_set(
      values, view, "over",
      value_bool(values, desired.winner == NULL && said != NULL && said->stand.answer->kind == DECISION_SHOW));
  for (const struct contribution *c = agent->contributions; c != NULL; c = c->next)
    value_add(values, uccs, view_contribution(service, c, values));
  value_set(values, view, "uccs", uccs);
  return view;
}

static struct value *view_events(const struct service *service, struct values *values)
{
  const struct {
    const char *name;
    uint64_t count;
  } counts[] = {
      {"accepted", service->accepted},     {"duplicate", service->duplicates},
      {"stale", service->stale},           {"refused", service->refused},
      {"reused_ids", service->reused_ids}, {"ahead_of_time", service->future},
      {"no_account", service->no_account}, {"unknown_fields", service->unknown_fields},
      {"decisions", service->decisions},   {"rule_errors", service->rule_errors},
  };
  struct value *view = value_map(values);
  for (size_t i = 0; i < COUNT_OF(counts); i++)
    put_number(values, view, counts[i].name, (double)counts[i].count);
  return view;
}

static int by_label(const void *a, const void *b)
{
  return strcmp(agent_label(*(const struct agent *const *)a), agent_label(*(const struct agent *const *)b));
}

static struct value *view_agents(const struct service *service, struct values *values)
{
  struct list_node *agents = store_agents(service->setup.store);
  const struct agent **sorted = must_alloc(store_agent_count(service->setup.store) * sizeof *sorted);
  size_t count = 0;
  for (struct list_node *node = agents->next; node != agents; node = node->next)
    sorted[count++] = LIST_ENTRY(node, struct agent, all_link);
  if (count > 1)
    qsort(sorted, count, sizeof *sorted, by_label);
  struct value *list = value_list(values);
  for (size_t i = 0; i < count; i++)
    value_add(values, list, view_agent(service, sorted[i], values));
  free(sorted);
  return list;
}

struct value *service_agent(struct service *service, const char *name, struct values *values)
{
  char folded[EVENT_AGENT_SIZE];
  if (!str_copy(folded, sizeof folded, name))
    return NULL;
  str_trim(str_lower(folded));
  for (int account = AGENT_NO_ACCOUNT; account < (int)service->setup.config->account_count; account++) {
    const struct agent_name *found = store_name_find(service->setup.store, account, folded);
    const struct agent *agent = found != NULL         ? found->agent
                                : str_is_guid(folded) ? store_agent_by_id(service->setup.store, account, folded)
                                                      : NULL;
    if (agent != NULL)
      return view_agent(service, agent, values);
  }
  return NULL;
}

/* What a change of the accounts could not clear in time. */
static struct value *view_left(const struct service *service, struct values *values)
{
  struct value *list = value_list(values);
  for (size_t i = 0; i < service->left_count; i++) {
    const struct left *left = &service->left[i];
    if (left->until_ms <= service_now(service))
      continue;
    struct value *view = value_map(values);
    put_text(values, view, "account", left->account);
    put_number(values, view, "agents", (double)left->agents);
    value_set(values, view, "until", instant(values, left->until_ms));
    value_add(values, list, view);
  }
  return list;
}

struct value *service_status(struct service *service, bool with_agents, struct values *values)
{
  struct value *view = value_map(values), *accounts = value_list(values), *phases = value_map(values);
  struct census *census = take_census(service, service_now(service));
  for (size_t i = 0; i < service->setup.config->account_count; i++)
    value_add(values, accounts, view_account(service, i, census, values));
  for (int phase = PHASE_IDLE; phase <= PHASE_PARKED; phase++)
    put_number(values, phases, phase_str((enum phase)phase), (double)service->sched.counts[phase]);
  value_set(values, view, "time", instant(values, service_now(service)));
  value_set(values, view, "accounts", accounts);
  value_set(values, view, "phases", phases);
  value_set(values, view, "phases_without_account", view_phases(&census[0], values));
  value_set(values, view, "events", view_events(service, values));
  value_set(values, view, "unmatched", view_tally(&service->unmatched, values));
  if (service->setup.shadows != NULL) {
    struct value *shadow = value_map(values);
    put_number(values, shadow, "same", (double)service->shadow_same);
    put_number(values, shadow, "different", (double)service->shadow_different);
    put_number(values, shadow, "errors", (double)service->shadow_errors);
    value_set(values, shadow, "differences", view_tally(&service->shadow_differences, values));
    value_set(values, view, "shadow", shadow);
  }
  value_set(values, view, "left_behind", view_left(service, values));
  value_set(values, view, "unserved", view_tally(&service->unserved, values));
  value_set(values, view, "figures", figures_view(service, values));
  if (with_agents)
    value_set(values, view, "agents", view_agents(service, values));
  free(census);
  return view;
}
