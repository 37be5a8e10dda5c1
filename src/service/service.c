/* The engine's life and its turn.
 *
 * A turn: agents whose moment has come are settled, rules that changed are applied to the next slice, lookups that are
 * due are started, and what may go out under each registration is prepared. Then all of it is committed at once, and
 * only when that is done requests are sent: Graph must never have anything that the state file does not expect. */
#include "service/service.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "service/decide.h"
#include "service/difference.h"
#include "service/engine.h"
#include "service/flight.h"
#include "service/identity.h"
#include "service/names.h"
#include "service/outage.h"
#include "service/standing.h"

#include <string.h>

#define ALIVE_EVERY_MS (30 * CLOCK_SECOND)

/* ---- life */

static int64_t part_now(void *context)
{
  return service_now(context);
}

static uint32_t part_random(void *context)
{
  return service_random(context);
}

struct service *service_new(const struct service_setup *setup)
{
  struct service *service = must_alloc(sizeof *service);
  service->parts = (struct registration_parts){
      .ports = &service->setup.ports,
      .json = setup->json,
      .store = setup->store,
      .context = service,
      .now = part_now,
      .notice_clock = clock_notice,
      .random = part_random,
      .retry_all = outage_retry_all};
  service_metrics_init(&service->metrics);
  sched_init(&service->sched, 0);
  engine_adopt(service, setup, NULL);
  return service;
}

void service_free(struct service *service)
{
  if (service == NULL)
    return;
  registrations_release(&service->registrations);
  accounts_release(&service->accounts);
  rules_change_release(&service->rules_change);
  shadow_release(&service->shadow);
  heap_release(&service->lookups);
  sched_release(&service->sched);
  service_metrics_release(&service->metrics);
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

/* After a long standstill it is not known what has happened since. After a kill it counts as at least that long: see
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

/* The file was written by a clock that was ahead of ours, as when a host starts before its clock is set. How long the
 * standstill was is not known, so the moments that we measured are taken for as recent as can be, and sessions for
 * unsure; a preferred presence is not sent again. */
static void start_behind(struct service *service, int64_t by_ms)
{
  char text[CLOCK_TEXT_SIZE];
  struct store_walk walk;
  log_warn(
      "the clock is %s behind the one that the state file was written by; sessions are sent again",
      clock_short_duration(-by_ms, text));
  for (size_t i = 0; i < service->registrations.count; i++)
    registration_shift_gate(service->registrations.list[i], by_ms);
  store_walk_begin(service->setup.store, &walk);
  for (struct agent *agent; (agent = store_walk_next(&walk)) != NULL;) {
    struct confirmed confirmed = agent->confirmed;
    confirmed_shift(&confirmed, by_ms);
    confirmed.session.unsure = confirmed.session.unsure || confirmed.session.presence != PRESENCE_NONE;
    sched_inherit(agent, &confirmed);
    store_touch(service->setup.store, agent);
  }
}

static void decide_and_settle_all(struct service *service, int64_t now)
{
  struct store_walk walk;
  store_walk_begin(service->setup.store, &walk);
  for (struct agent *agent; (agent = store_walk_next(&walk)) != NULL;) {
    find_account(service, agent);
    if (agent->account != AGENT_NO_ACCOUNT)
      decide_all_again(service, agent, now);
  }
  store_walk_begin(service->setup.store, &walk);
  for (struct agent *agent; (agent = store_walk_next(&walk)) != NULL;)
    identity_resume(service, agent, now);
  store_walk_begin(service->setup.store, &walk);
  for (struct agent *agent; (agent = store_walk_next(&walk)) != NULL;) {
    standing_settle(service, agent, now);
    standing_drop_if_empty(service, agent, now);
  }
}

void service_start(struct service *service)
{
  clock_notice(service);
  int64_t now = service_now(service), ran_ms = store_alive(service->setup.store) - ALIVE_EVERY_MS; /* at least */
  struct store_walk walk;
  if (ran_ms > now)
    start_behind(service, now - ran_ms);
  resume(service, now);
  metrics_start(&service->metrics, service->setup.store, now);
  store_walk_begin(service->setup.store, &walk);
  for (struct agent *agent; (agent = store_walk_next(&walk)) != NULL;)
    sched_add(&service->sched, agent);
  accounts_start(service, now);
  decide_and_settle_all(service, now);
}

/* ---- the turn */

static void launch_ready(struct service *service, size_t queue, int64_t now)
{
  struct registration *registration = service->registrations.list[queue];
  struct agent *agent;
  while (registration_open(registration, GRAPH_SET_PRESENCE, now) &&
         (agent = sched_first_ready(&service->sched, queue, now)) != NULL) {
    flight_launch(service, agent, now);
    registration_prepare(registration, now);
  }
}

/* So that the next start can tell how long the standstill was. What is written is until when we run, at the latest,
 * unless it is written again: a kill must not count as longer than it was, and service_end() says it exactly. */
static int64_t say_alive(struct service *service, int64_t now)
{
  if (now < service->alive_written_ms || now >= service->alive_written_ms + ALIVE_EVERY_MS) {
    store_set_alive(service->setup.store, now + ALIVE_EVERY_MS);
    service->alive_written_ms = now;
  }
  return service->alive_written_ms + ALIVE_EVERY_MS;
}

static void settle_due(struct service *service, int64_t now)
{
  struct agent *agent;
  while ((agent = sched_due(&service->sched, now)) != NULL) {
    if (agent->phase == PHASE_PARKED) /* an orphan; see standing_park() */
      sched_move(&service->sched, agent, PHASE_PARKED, CLOCK_NEVER);
    standing_settle(service, agent, now);
    standing_drop_if_empty(service, agent, now);
  }
}

/* Everything up to the commit. When there is more to do, as far as is known before what is sent now. */
static int64_t prepare(struct service *service, int64_t now)
{
  settle_due(service, now);
  bool more = rules_change_turn(service, now);
  identity_turn(service, now);
  for (size_t i = 0; i < service->registrations.count; i++) {
    struct registration *registration = service->registrations.list[i];
    const struct sched_queue *ready = &service->sched.queues[i];
    registration_waiting(registration, ready->changes.count + ready->refreshes.count);
    outage_probe(service, registration, now);
    registration_prepare(registration, now);
    launch_ready(service, i, now);
    registration_prepare_asides(registration, now);
    registration_write_budget(registration, false, now);
  }
  return clock_earlier(say_alive(service, now), more ? now : CLOCK_NEVER);
}

/* Everything behind the commit. */
static void send_prepared(struct service *service)
{
  int64_t now = service_now(service), next = clock_earlier(service->saving.next_ms, sched_next_due(&service->sched));
  const struct heap_node *lookup = heap_first(&service->lookups);
  if (lookup != NULL)
    next = clock_earlier(next, lookup->at_ms);
  for (size_t i = 0; i < service->registrations.count; i++) {
    struct registration *registration = service->registrations.list[i];
    registration_send(registration);
    bool ready = sched_first_ready(&service->sched, i, now) != NULL;
    next = clock_earlier(next, registration_next(registration, ready, now));
    next = clock_earlier(next, registration_next_probe(registration));
  }
  service->setup.ports.wake_at(service->setup.ports.context, service->saving.again ? now : next);
}

static int64_t stopwatch_us(const struct service *service)
{
  const struct ports *ports = &service->setup.ports;
  return ports->stopwatch == NULL ? 0 : ports->stopwatch(ports->context);
}

/* A commit that had nothing to write says nothing of the disk. */
static void measure(struct service *service)
{
  if (store_commits(service->setup.store) != service->saving.commits && service->setup.ports.stopwatch != NULL)
    metrics_committed(&service->metrics, (double)(stopwatch_us(service) - service->saving.began_us) / 1e6);
}

static void save(struct service *service, int64_t now, store_on_commit *on_done)
{
  const struct service_setup *setup = &service->setup;
  service->saving.under_way = true;
  service->saving.again = false;
  service->saving.commits = store_commits(setup->store);
  service->saving.began_us = stopwatch_us(service);
  if (setup->commit != NULL)
    setup->commit(setup->commit_context, setup->store, now, on_done, service);
  else
    store_commit(setup->store, now, on_done, service);
}

static void tell_owner(const struct service_owner *owner, const struct err *err)
{
  if (err != NULL && owner->on_failed != NULL)
    owner->on_failed(owner->context, err);
  if (err == NULL && owner->on_saved != NULL)
    owner->on_saved(owner->context);
}

static void end(struct service *service);

static void on_turn_saved(void *context, const struct err *err)
{
  struct service *service = context;
  service->saving.under_way = false;
  if (err == NULL) {
    measure(service);
    if (service->saving.ends)
      end(service);
    else
      send_prepared(service);
  }
  tell_owner(&service->setup.owner, err);
}

void service_turn(struct service *service)
{
  if (service->saving.under_way) {
    service->saving.again = true;
    return;
  }
  clock_notice(service);
  int64_t now = service_now(service);
  service->saving.next_ms = prepare(service, now);
  save(service, now, on_turn_saved);
}

bool service_is_saving(const struct service *service)
{
  return service->saving.under_way;
}

/* ---- the end */

void service_stop(struct service *service, bool clear)
{
  int64_t now = service_now(service);
  struct store_walk walk;
  service->stopping = true;
  service->clears_all = clear;
  store_walk_begin(service->setup.store, &walk);
  for (struct agent *agent; (agent = store_walk_next(&walk)) != NULL;) {
    if (clear && agent_shows_anything(agent, now))
      standing_free(service, agent);
    agent_retry_at_once(agent); /* it is the last chance */
    names_retry(service, agent, now);
    standing_settle(service, agent, now);
  }
}

static void on_end_saved(void *context, const struct err *err)
{
  struct service *service = context;
  service->saving.under_way = false;
  tell_owner(&service->setup.owner, err);
}

static void end(struct service *service)
{
  clock_notice(service);
  int64_t now = service_now(service);
  for (size_t i = 0; i < service->registrations.count; i++)
    registration_write_budget(service->registrations.list[i], true, now);
  store_set_alive(service->setup.store, now);
  save(service, now, on_end_saved);
}

void service_notice_clock(struct service *service)
{
  clock_notice(service);
}

void service_end(struct service *service)
{
  service->saving.ends = true;
  if (!service->saving.under_way) /* else it follows that commit */
    end(service);
}

static bool has_delay(const struct agent *agent)
{
  const struct contribution *contribution = agent->contributions;
  while (contribution != NULL && contribution->pending_ms == CLOCK_NEVER)
    contribution = contribution->next;
  return contribution != NULL;
}

static void rest_of_registration(const struct registration *registration, int64_t now, struct service_rest *rest)
{
  bool hopeless = registration_is_hopeless(registration, now), final;
  if (hopeless && !rest->refused) {
    rest->refused = true;
    rest->refused_why = registration_token_trouble(registration, &final);
    err_add(&rest->refused_why, "account %s", registration_label(registration));
  }
  rest->busy = rest->busy || registration_is_busy(registration, hopeless);
}

struct service_rest service_rest(struct service *service)
{
  struct service_rest rest = {.refused_why = ERR_INIT, .busy = service->rules_change.under_way};
  int64_t now = service_now(service);
  struct store_walk walk;
  for (size_t i = 0; i < service->registrations.count; i++)
    rest_of_registration(service->registrations.list[i], now, &rest);
  store_walk_begin(service->setup.store, &walk);
  for (struct agent *agent; (agent = store_walk_next(&walk)) != NULL;) {
    rest.parked += agent->phase == PHASE_PARKED;
    const struct registration *registration = registration_of_agent(service, agent);
    bool hopeless = registration != NULL && registration_is_hopeless(registration, now);
    difference_notice_lapse(service, agent, now);
    /* Also while a refresh that failed waits for its next try, and the session has run out meanwhile. */
    bool differs = agent->differs || (agent->phase == PHASE_WAITING && agent->differs_since_ms != 0);
    rest.busy = rest.busy || agent->phase == PHASE_IN_FLIGHT || (differs && !hopeless) ||
                (!service->stopping && has_delay(agent));
    rest.differ += differs || agent->phase == PHASE_IN_FLIGHT;
  }
  return rest;
}

/* ---- for others */

void service_carry(struct registrations_carried *carried, const struct service *service)
{
  registrations_carry(carried, &service->registrations, service_now(service));
}

struct registration *service_registration(const struct service *service, size_t account)
{
  return registrations_of(&service->registrations, account);
}

const char *service_known_id(struct service *service, size_t account, const char *name)
{
  char folded[EVENT_AGENT_SIZE];
  if (!names_fold(name, folded, sizeof folded))
    return NULL;
  const struct agent_name *known = store_name_find(service->setup.store, (int)account, folded);
  return known == NULL || *known->agent->id == '\0' ? NULL : known->agent->id;
}
