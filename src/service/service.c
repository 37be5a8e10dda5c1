/* The turn: what is due, the group commit, what goes out. */
#include "service/service.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "service/internal.h"

#include <string.h>

#define ALIVE_EVERY_MS (30 * CLOCK_SECOND)
/* A step of the clock; less than what is added to every Retry-After and to the window of a budget. */
#define STEP_MS 80

int64_t service_now(const struct service *service)
{
  return service->setup.ports.now(service->setup.ports.context);
}

uint32_t service_random(const struct service *service)
{
  uint32_t random;
  service->setup.ports.random(service->setup.ports.context, &random, sizeof random);
  return random;
}

struct app *service_app(const struct service *service, const struct agent *agent)
{
  return agent->account == AGENT_NO_ACCOUNT ? NULL : service->apps[service->app_of_account[agent->account]];
}

struct service *service_new(const struct service_setup *setup)
{
  struct service *service = must_alloc(sizeof *service);
  const struct config *config = setup->config;
  service->setup = *setup;
  service->scratch = must_alloc(sizeof *service->scratch);
  accounts_set_apps(service, setup, NULL);
  figures_init(&service->figures);
  sched_init(&service->sched, service->app_count);
  if (setup->store != NULL)
    store_keep_decisions(setup->store, config->decision_log_ms);
  return service;
}

void service_free(struct service *service)
{
  if (service == NULL)
    return;
  for (size_t i = 0; i < service->app_count; i++) {
    app_release(service->apps[i]);
    free(service->apps[i]);
  }
  for (size_t i = 0; i < service->left_count; i++)
    free(service->left[i].account);
  free(service->left);
  heap_release(&service->lookups);
  sched_release(&service->sched);
  figures_release(&service->figures);
  tally_release(&service->unmatched);
  tally_release(&service->shadow_differences);
  tally_release(&service->future_uccs);
  tally_release(&service->unserved);
  tally_release(&service->unknown_field_names);
  free(service->scratch);
  free(service->apps);
  free(service->app_of_account);
  free(service);
}

/* An agent that no account served when its events came may have one now. */
static void find_account(struct service *service, struct agent *agent)
{
  if (agent->account != AGENT_NO_ACCOUNT || agent->names == NULL)
    return;
  const struct config *config = service->setup.config;
  const struct config_account *account = config_account_for(config, agent_label(agent));
  if (account != NULL &&
      store_name_find(service->setup.store, (int)(account - config->accounts), agent_label(agent)) == NULL)
    store_agent_set_account(service->setup.store, agent, (int)(account - config->accounts));
}

/* Whoever was away for long does not know what has happened since. After a kill it is at least that long: see
 * say_alive(). */
static void resume(struct service *service, int64_t now)
{
  int64_t within_ms = service->setup.config->resume_within_ms, alive_ms = store_alive(service->setup.store);
  if (within_ms == 0 || alive_ms == 0 || now - alive_ms <= within_ms || store_agent_count(service->setup.store) == 0)
    return;
  char text[CLOCK_TEXT_SIZE];
  log_warn(
      "nothing ran for %s or more, longer than ResumeWithin: states from before count again when their UCC sends an "
      "event",
      clock_short_duration(now - alive_ms, text));
  store_silence_uccs(service->setup.store);
}

/* The file was written by a clock that was ahead of ours, as when a host starts before its clock is set. How long
 * nobody ran is not known, so the moments that we measured are taken for as recent as can be, and sessions for unsure;
 * a preferred presence is not sent again. */
static void start_behind(struct service *service, int64_t by_ms)
{
  char text[CLOCK_TEXT_SIZE];
  log_warn(
      "the clock is %s behind the one that the state file was written by; sessions are sent again",
      clock_short_duration(-by_ms, text));
  for (size_t i = 0; i < service->app_count; i++)
    app_shift_gate(service->apps[i], by_ms);
  struct list_node *agents = store_agents(service->setup.store);
  for (struct list_node *node = agents->next; node != agents; node = node->next) {
    struct agent *agent = LIST_ENTRY(node, struct agent, all_link);
    struct slot *session = &agent->confirmed.session;
    confirmed_shift(&agent->confirmed, by_ms);
    session->unsure = session->unsure || session->presence != PRESENCE_NONE;
    store_touch(service->setup.store, agent);
  }
}

void service_start(struct service *service)
{
  service_notice_clock(service);
  int64_t now = service_now(service), ran_ms = store_alive(service->setup.store) - ALIVE_EVERY_MS; /* at least */
  if (ran_ms > now)
    start_behind(service, now - ran_ms);
  resume(service, now);
  figures_start(service, now);
  struct list_node *agents = store_agents(service->setup.store);
  for (struct list_node *node = agents->next; node != agents; node = node->next)
    sched_add(&service->sched, LIST_ENTRY(node, struct agent, all_link));
  accounts_start(service, now);
  for (struct list_node *node = agents->next, *next; node != agents; node = next) {
    next = node->next;
    struct agent *agent = LIST_ENTRY(node, struct agent, all_link);
    find_account(service, agent);
    if (agent->account != AGENT_NO_ACCOUNT)
      pipeline_decide_all_again(service, agent, now);
  }
  for (struct list_node *node = agents->next; node != agents; node = node->next)
    identity_resume(service, LIST_ENTRY(node, struct agent, all_link), now);
  for (struct list_node *node = agents->next, *next; node != agents; node = next) {
    next = node->next;
    struct agent *agent = LIST_ENTRY(node, struct agent, all_link);
    pipeline_settle(service, agent, now);
    pipeline_drop_if_empty(service, agent, now);
  }
}

void service_refused(struct service *service)
{
  service->refused++;
}

static void launch_ready(struct service *service, size_t queue, int64_t now)
{
  struct app *app = service->apps[queue];
  struct agent *agent;
  while (app_open(app, GRAPH_SET_PRESENCE, now) && (agent = sched_first_ready(&service->sched, queue, now)) != NULL) {
    flight_launch(service, agent, now);
    app_prepare(app, now);
  }
}

static int64_t earliest(int64_t a, int64_t b)
{
  return a < b ? a : b;
}

/* Delays and overrides that were over before the clock was set: nobody had looked yet. */
static void ripen(struct service *service, struct agent *agent, int64_t at_ms)
{
  for (struct contribution *contribution = agent->contributions; contribution != NULL;
       contribution = contribution->next) {
    if (contribution_ripen(contribution, at_ms))
      store_touch_contribution(service->setup.store, agent, contribution);
  }
  const struct contribution *override = override_of(agent);
  if (override != NULL && at_ms >= stand_until(&override->stand)) {
    override_end(service, agent);
    store_touch(service->setup.store, agent);
  }
}

/* Moments of the contact centre and of the rules stay what they are. What we measure ourselves moves along: how long
 * Graph keeps a session or a preferred presence, and when we may or want to send again. */
static void clock_stepped(struct service *service, int64_t by_ms)
{
  int64_t now = service_now(service);
  char text[CLOCK_TEXT_SIZE];
  log_at(
      by_ms < -10 * CLOCK_SECOND || by_ms > 10 * CLOCK_SECOND ? LOG_LEVEL_WARN : LOG_LEVEL_INFO,
      "the clock was set %s by %s", by_ms < 0 ? "back" : "forward",
      clock_short_duration(by_ms < 0 ? -by_ms : by_ms, text));
  service->stepped_ms += by_ms;
  service->clock_set_ms = now;
  figures_clock_stepped(&service->figures, by_ms);
  for (size_t i = 0; i < service->app_count; i++)
    app_clock_stepped(service->apps[i], by_ms);
  if (service->setup.store == NULL)
    return;
  identity_clock_stepped(service, by_ms);
  struct list_node *agents = store_agents(service->setup.store);
  for (struct list_node *node = agents->next, *next; node != agents; node = next) {
    next = node->next;
    struct agent *agent = LIST_ENTRY(node, struct agent, all_link);
    ripen(service, agent, now - by_ms);
    agent_retry_at_once(agent);
    confirmed_shift(&agent->confirmed, by_ms);
    if (agent->trouble != NULL && agent->trouble->lapses_ms != 0)
      agent->trouble->lapses_ms += by_ms;
    agent->differs_since_ms += agent->differs_since_ms == 0 ? 0 : by_ms;
    agent->read_ms += agent->read_ms == 0 ? 0 : by_ms;
    store_touch(service->setup.store, agent);
    pipeline_settle(service, agent, now);
  }
}

/* The two clocks are compared with how they stood when they were last found apart, so that small steps add up. A
 * reading that was interrupted is no step. */
static int64_t clock_difference(const struct service *service)
{
  const struct ports *ports = &service->setup.ports;
  int64_t now = 0, before = 0, after = STEP_MS;
  for (int i = 0; i < 5 && after - before > STEP_MS / 4; i++) {
    before = ports->steady(ports->context);
    now = service_now(service);
    after = ports->steady(ports->context);
  }
  return now - after;
}

void service_notice_clock(struct service *service)
{
  int64_t by_ms;
  if (service->setup.ports.steady == NULL) {
    int64_t now = service_now(service);
    by_ms = now < service->clock_ms ? now - service->clock_ms : 0;
    service->clock_ms = now;
  } else {
    int64_t difference = clock_difference(service);
    by_ms = service->clock_known ? difference - service->clock_ms : 0;
    if (!service->clock_known || by_ms <= -STEP_MS || by_ms >= STEP_MS)
      service->clock_ms = difference;
    service->clock_known = true;
  }
  if (by_ms <= -STEP_MS || by_ms >= STEP_MS)
    clock_stepped(service, by_ms);
}

/* So that the next start can tell how long nobody ran. What is written is until when we run, at the latest, unless it
 * is written again: a kill must not count as longer than it was, and service_end() says it exactly. */
static int64_t say_alive(struct service *service, int64_t now)
{
  if (service->setup.store == NULL)
    return CLOCK_NEVER;
  if (now < service->alive_written_ms || now >= service->alive_written_ms + ALIVE_EVERY_MS) {
    store_set_alive(service->setup.store, now + ALIVE_EVERY_MS);
    service->alive_written_ms = now;
  }
  return service->alive_written_ms + ALIVE_EVERY_MS;
}

bool service_turn(struct service *service, struct err *err)
{
  service_notice_clock(service);
  int64_t now = service_now(service);
  struct agent *agent;
  while ((agent = sched_due(&service->sched, now)) != NULL) {
    if (agent->phase == PHASE_PARKED) /* an orphan; see pipeline_park() */
      sched_move(&service->sched, agent, PHASE_PARKED, CLOCK_NEVER);
    pipeline_settle(service, agent, now);
    pipeline_drop_if_empty(service, agent, now);
  }
  bool more = change_turn(service, now);
  if (service->setup.store != NULL)
    identity_turn(service, now);
  for (size_t i = 0; i < service->app_count; i++) {
    const struct sched_queue *ready = &service->sched.queues[i];
    sched_budget_waiting(&service->apps[i]->presence, ready->changes.count + ready->refreshes.count);
    app_probe(service->apps[i], now);
    app_prepare(service->apps[i], now);
    launch_ready(service, i, now);
    app_prepare_asides(service->apps[i], now);
    app_write_budget(service->apps[i], false, now);
  }
  int64_t next = earliest(say_alive(service, now), more ? now : CLOCK_NEVER);
  if (service->setup.store != NULL && !figures_commit(service, now, err))
    return false;
  next = earliest(next, sched_next_due(&service->sched));
  const struct heap_node *lookup = heap_first(&service->lookups);
  if (lookup != NULL)
    next = earliest(next, lookup->at_ms);
  for (size_t i = 0; i < service->app_count; i++) {
    app_send(service->apps[i]);
    next = earliest(next, app_next(service->apps[i], sched_first_ready(&service->sched, i, now) != NULL, now));
  }
  service->setup.ports.wake_at(service->setup.ports.context, next);
  return true;
}

static void resync(struct service *service, struct agent *agent, int64_t now)
{
  agent_doubt(agent);
  agent_retry_at_once(agent);
  pipeline_free_parked(service, agent);
  if (*agent->id == '\0' && agent->account != AGENT_NO_ACCOUNT)
    identity_want(service, agent, true, now);
  pipeline_settle(service, agent, now);
  store_touch(service->setup.store, agent);
}

bool service_resync(struct service *service, const char *name, size_t *ret_count)
{
  int64_t now = service_now(service);
  size_t count = 0;
  struct list_node *agents = store_agents(service->setup.store);
  for (struct list_node *node = agents->next; node != agents; node = node->next) {
    struct agent *agent = LIST_ENTRY(node, struct agent, all_link);
    bool wanted = name == NULL || str_equal_fold(agent->id, name);
    for (const struct agent_name *n = agent->names; n != NULL; n = n->next)
      wanted = wanted || str_equal_fold(n->text, name);
    if (!wanted)
      continue;
    count++;
    if (agent->phase == PHASE_IN_FLIGHT) /* one thing is being sent already; the others wait for its answer */
      agent->resync = true;
    else
      resync(service, agent, now);
  }
  *ret_count = count;
  return count > 0 || name == NULL;
}

void service_stop(struct service *service, bool clear)
{
  int64_t now = service_now(service);
  service->stopping = true;
  service->clears_all = clear;
  struct list_node *agents = store_agents(service->setup.store);
  for (struct list_node *node = agents->next; node != agents; node = node->next) {
    struct agent *agent = LIST_ENTRY(node, struct agent, all_link);
    if (clear && agent_shows_anything(agent, now))
      pipeline_free_parked(service, agent);
    agent_retry_at_once(agent); /* it is the last chance */
    identity_retry(service, agent, now);
    pipeline_settle(service, agent, now);
  }
}

bool service_end(struct service *service, struct err *err)
{
  service_notice_clock(service);
  int64_t now = service_now(service);
  for (size_t i = 0; i < service->app_count; i++)
    app_write_budget(service->apps[i], true, now);
  store_set_alive(service->setup.store, now);
  return figures_commit(service, now, err);
}

static bool has_delay(const struct agent *agent)
{
  const struct contribution *contribution = agent->contributions;
  while (contribution != NULL && contribution->pending_ms == CLOCK_NEVER)
    contribution = contribution->next;
  return contribution != NULL;
}

struct service_rest service_rest(struct service *service)
{
  struct service_rest rest = {.refused_why = ERR_INIT, .busy = service->to_decide != NULL};
  int64_t now = service_now(service);
  for (size_t i = 0; i < service->app_count; i++) {
    const struct app *app = service->apps[i];
    bool hopeless = app_is_hopeless(app, now);
    if (hopeless && !rest.refused) {
      rest.refused = true;
      rest.refused_why = app->token_trouble;
      err_add(&rest.refused_why, "account %s", app->label);
    }
    rest.busy =
        rest.busy || app->in_flight > 0 ||
        (!hopeless && (!list_empty(&app->waiting) || !list_empty(&app->waiting_lookups) || !list_empty(&app->asides)));
  }
  struct list_node *agents = store_agents(service->setup.store);
  for (struct list_node *node = agents->next; node != agents; node = node->next) {
    struct agent *agent = LIST_ENTRY(node, struct agent, all_link);
    rest.parked += agent->phase == PHASE_PARKED;
    const struct app *app = service_app(service, agent);
    bool hopeless = app != NULL && app_is_hopeless(app, now);
    lapse_notice(service, agent, now);
    /* Also while a refresh that failed waits for its next try, and the session has run out meanwhile. */
    bool differs = agent->differs || (agent->phase == PHASE_WAITING && agent->differs_since_ms != 0);
    rest.busy = rest.busy || agent->phase == PHASE_IN_FLIGHT || (differs && !hopeless) ||
                (!service->stopping && has_delay(agent));
    rest.differ += differs || agent->phase == PHASE_IN_FLIGHT;
  }
  return rest;
}

void service_request(
    struct service *service, size_t account, const struct graph_operation *operation, service_on_done *on_done,
    void *context)
{
  app_submit_aside(service->apps[service->app_of_account[account]], operation, on_done, context);
}

const char *service_known_id(struct service *service, size_t account, const char *name)
{
  char folded[EVENT_AGENT_SIZE];
  if (service->setup.store == NULL || !str_copy(folded, sizeof folded, name))
    return NULL;
  const struct agent_name *known = store_name_find(service->setup.store, (int)account, str_trim(str_lower(folded)));
  return known == NULL || *known->agent->id == '\0' ? NULL : known->agent->id;
}

struct err service_token_trouble(const struct service *service, size_t account, bool *ret_final)
{
  const struct app *app = service->apps[service->app_of_account[account]];
  *ret_final = app->token_refused;
  return app->token_trouble;
}

int64_t service_gate(const struct service *service, size_t account)
{
  const struct app *app = service->apps[service->app_of_account[account]];
  return app->gate_until_ms > service_now(service) ? app->gate_until_ms : 0;
}
