/* The way of an agent's next request out, and of its outcome back into the agent's record.
 *
 * Before a request leaves, what it may change is marked unsure (sched_sent): from the commit on, a crash cannot make us
 * believe that Graph has what it had before. What the answer means stands in one table, model/outcome; here each
 * reaction is carried out once. An agent has one request under way at most, so an answer always is about the last thing
 * that was sent. */
#include "service/flight.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "service/difference.h"
#include "service/engine.h"
#include "service/names.h"
#include "service/standing.h"

#include <string.h>

#define RETRY_BASE_MS (2 * CLOCK_SECOND)
#define RETRY_CAP_MS (5 * CLOCK_MINUTE)
#define UNAUTHORIZED_BASE_MS (60 * CLOCK_SECOND)
#define UNAUTHORIZED_CAP_MS (20 * CLOCK_MINUTE)

struct flight {
  struct service *service;
  struct agent *agent;
  struct sched_plan plan;
  struct confirmed before;
  int64_t sent_ms;
  int64_t stepped_ms; /* service->clock.stepped_ms when it went out */
};

static enum graph_operation_kind operation_of(enum sched_step step)
{
  static const enum graph_operation_kind kinds[] = {
      [STEP_NONE] = GRAPH_TOKEN, /* never sent */
      [STEP_SET_SESSION] = GRAPH_SET_PRESENCE,
      [STEP_SET_PREFERRED] = GRAPH_SET_PREFERRED,
      [STEP_SET_MESSAGE] = GRAPH_SET_MESSAGE,
      [STEP_CLEAR_MESSAGE] = GRAPH_CLEAR_MESSAGE,
      [STEP_READ_PREFERRED] = GRAPH_GET_PRESENCES,
      [STEP_CLEAR_PREFERRED] = GRAPH_CLEAR_PREFERRED,
      [STEP_CLEAR_SESSION] = GRAPH_CLEAR_PRESENCE,
  };
  return kinds[step];
}

static void park_for(
    struct service *service, struct agent *agent, const struct outcome *outcome, enum graph_operation_kind operation)
{
  char detail[GRAPH_TEXT_SIZE];
  graph_outcome_text(operation, outcome, detail);
  standing_park(service, agent, outcome_lacks_permission(outcome->kind) ? PARK_FORBIDDEN : PARK_REFUSED, detail);
}

static void back_off(
    struct service *service, struct agent *agent, int64_t base_ms, int64_t cap_ms, int attempts, int64_t now)
{
  agent_trouble(agent)->retry_ms = now + sched_backoff(attempts, base_ms, cap_ms, service_random(service));
}

/* Once for the token's sake. Twice, while others got through, and it is this user: no hurry then. Twice while nobody
 * got through, and the account is closed for a while: then a lookup finds out first whether it is over. */
static void react_unauthorized(struct service *service, struct agent *agent, int64_t now)
{
  const struct registration *registration = registration_of_agent(service, agent);
  struct agent_trouble *trouble = agent_trouble(agent);
  bool others_got_through = registration_accepted(registration) != trouble->accepted_then;
  trouble->accepted_then = registration_accepted(registration);
  if (++trouble->unauthorized < 2)
    return;
  if (others_got_through) {
    back_off(service, agent, UNAUTHORIZED_BASE_MS, UNAUTHORIZED_CAP_MS, trouble->unauthorized - 1, now);
    return;
  }
  trouble->retry_ms = registration_refused_until(registration) + 1;
  names_prove_token(service, agent, now);
}

/* Others have got through since this user was refused: the next 401 says nothing of the token. */
static bool is_about_user(const struct registration *registration, const struct agent *agent)
{
  const struct agent_trouble *trouble = agent->trouble;
  return trouble != NULL && trouble->unauthorized > 0 && registration_accepted(registration) != trouble->accepted_then;
}

/* What was noted when it went out, by the clock as it is now. */
static void shift(struct flight *flight, int64_t by_ms)
{
  flight->sent_ms += by_ms;
  if (flight->plan.step != STEP_SET_MESSAGE) /* its end is a date */
    flight->plan.until_ms += by_ms;
  confirmed_shift(&flight->before, by_ms);
}

/* Is it what would be sent now? Something else may have been said while the request was on its way. */
static bool still_wanted(struct service *service, struct agent *agent, const struct flight *flight, int64_t now)
{
  struct desired desired;
  struct sched_plan plan = standing_plan(service, agent, now, &desired);
  return plan.step == flight->plan.step && plan.presence == flight->plan.presence &&
         plan.message_hash == flight->plan.message_hash;
}

static void react(
    struct service *service, struct agent *agent, const struct flight *flight, const struct outcome *outcome,
    int64_t now)
{
  switch (outcome_reaction(outcome->kind)) {
  case REACT_DONE:
    /* Not later than now, where the clock was set back meanwhile. */
    sched_applied(agent, &flight->plan, clock_earlier(flight->sent_ms, now));
    if (flight->plan.step == STEP_SET_SESSION)
      difference_session_set(agent);
    agent_trouble_over(agent);
    break;
  case REACT_AGAIN:
    break;
  case REACT_BACK_OFF:
    back_off(service, agent, RETRY_BASE_MS, RETRY_CAP_MS, ++agent_trouble(agent)->attempts, now);
    break;
  case REACT_NEW_TOKEN:
    react_unauthorized(service, agent, now);
    break;
  case REACT_LOOK_UP:
    agent_trouble(agent)->looked_up_again = true;
    names_check(service, agent, now);
    break;
  case REACT_PARK:
    if (still_wanted(service, agent, flight, now))
      park_for(service, agent, outcome, operation_of(flight->plan.step));
    break;
  }
}

/* A resync that came meanwhile doubts all that was confirmed; so it comes before the answer, which is not in doubt. */
static void land(struct service *service, struct agent *agent)
{
  sched_move(&service->sched, agent, PHASE_IDLE, CLOCK_NEVER);
  if (agent->resync)
    agent_doubt(agent);
  store_touch(service->setup.store, agent);
}

/* Settles the agent after an answer; since_ms: since when it has not shown all it should, 0 if it has. */
static void settle(struct service *service, struct agent *agent, int64_t since_ms, int64_t now)
{
  standing_settle(service, agent, now);
  if (since_ms != 0 && agent->differs_since_ms == 0 && agent->phase != PHASE_PARKED)
    metrics_confirmed(&service->metrics, (double)(now - since_ms) / 1000);
  standing_drop_if_empty(service, agent, now);
}

static void on_done(void *context, const struct outcome *outcome, const struct graph_reply *reply UNUSED)
{
  struct flight *flight = context;
  struct service *service = flight->service;
  struct agent *agent = flight->agent;
  if (agent == NULL) /* flight_disown() */
    return;
  shift(flight, service->clock.stepped_ms - flight->stepped_ms);
  int64_t now = service_now(service);
  const struct service_watcher *watcher = &service->setup.watcher;
  if (watcher->on_outcome != NULL)
    watcher->on_outcome(
        watcher->context, agent_label(agent), operation_of(flight->plan.step), flight->plan.presence, outcome);
  if (outcome_leaves_untouched(outcome))
    sched_untouched(agent, &flight->before);
  land(service, agent);
  int64_t since_ms = flight->plan.refresh && !agent->ran_out ? 0 : agent->differs_since_ms;
  react(service, agent, flight, outcome, now);
  if (flight->plan.refresh && agent->confirmed.session.unsure)
    difference_expect_lapse(agent, &flight->before);
  settle(service, agent, since_ms, now);
}

/* ---- reading before a preferred presence is cleared: many agents share one request */

struct reading {
  struct service *service;
  size_t count;
  struct reader {
    struct agent *agent; /* in flight, so it does not go away; NULL: disowned */
    enum availability shown;
  } readers[GRAPH_PRESENCES_MAX];
};

static void note_shown(void *context, const char *id, enum availability availability)
{
  struct reading *reading = context;
  for (size_t i = 0; i < reading->count; i++)
    if (reading->readers[i].agent != NULL && str_equal_fold(reading->readers[i].agent->id, id))
      reading->readers[i].shown = availability;
}

/* What was read, or that it was not, in the agent's record. */
static void take_reading(
    struct service *service, const struct reader *reader, const struct outcome *outcome, bool told, int64_t now)
{
  struct agent *agent = reader->agent;
  if (told) {
    if (agent->trouble != NULL)
      agent->trouble->attempts = agent->trouble->unauthorized = 0;
    if (!sched_was_read(agent, reader->shown, now))
      log_info(
          "%s shows %s by their own choice; it is left alone", agent_label(agent), availability_str(reader->shown));
    store_touch(service->setup.store, agent);
  } else if (outcome_reaction(outcome->kind) == REACT_NEW_TOKEN) {
    /* Not what the first token's end has refused. From then on it is as any read that fails. */
    react_unauthorized(service, agent, now);
    if (agent->trouble->unauthorized >= 2 && sched_not_read(agent, now))
      agent->trouble->retry_ms = 0;
  } else if (outcome_reaction(outcome->kind) != REACT_AGAIN) {
    int attempts = ++agent_trouble(agent)->attempts;
    if (!sched_not_read(agent, now))
      back_off(service, agent, RETRY_BASE_MS, RETRY_CAP_MS, attempts, now);
  }
}

static void on_read(void *context, const struct outcome *outcome, const struct graph_reply *reply)
{
  struct reading *reading = context;
  struct service *service = reading->service;
  int64_t now = service_now(service);
  struct err err = ERR_INIT;
  bool applied = outcome_reaction(outcome->kind) == REACT_DONE;
  if (applied && !graph_parse_presences(service->setup.json, reply, note_shown, reading, &err)) {
    log_warn("%s", err.text);
    applied = false;
  }
  for (size_t i = 0; i < reading->count; i++) {
    struct agent *agent = reading->readers[i].agent;
    if (agent == NULL)
      continue;
    land(service, agent);
    take_reading(service, &reading->readers[i], outcome, applied, now);
    settle(service, agent, agent->differs_since_ms, now);
  }
}

/* `first` has something to read, and so may others of its queue. */
static void read_together(struct service *service, struct agent *first)
{
  struct reading *reading = must_alloc(sizeof *reading);
  struct buf ids;
  size_t queue = first->queue;
  reading->service = service;
  buf_init(&ids, (size_t)GRAPH_PRESENCES_MAX * GRAPH_ID_SIZE);
  for (struct agent *agent = first; agent != NULL && reading->count < GRAPH_PRESENCES_MAX;
       agent = sched_first_reader(&service->sched, queue)) {
    buf_addf(&ids, "%s%s", reading->count == 0 ? "" : " ", agent->id);
    /* Of whom nothing will be told nothing is seen: whether unknown ids are left out is not known (FACTS.md, "Reading
     * presences"). */
    reading->readers[reading->count++] = (struct reader){agent, AVAILABILITY_UNKNOWN};
    sched_move(&service->sched, agent, PHASE_IN_FLIGHT, CLOCK_NEVER);
  }
  struct graph_operation operation = {.kind = GRAPH_GET_PRESENCES, .ids = buf_text(&ids)};
  struct registration *registration = registration_of_agent(service, first);
  struct submission submission = {
      .operation = &operation, .on_done = on_read, .context = reading, .owns_context = true, .once = true};
  for (size_t i = 0; i < reading->count; i++)
    submission.about_user = submission.about_user || is_about_user(registration, reading->readers[i].agent);
  registration_submit(registration, &submission);
  buf_release(&ids);
}

void flight_launch(struct service *service, struct agent *agent, int64_t now)
{
  struct desired desired;
  difference_notice_lapse(service, agent, now);
  struct sched_plan plan = standing_plan(service, agent, now, &desired);
  if (plan.step == STEP_NONE) { /* time has passed since it got ready */
    standing_settle(service, agent, now);
    return;
  }
  if (plan.step == STEP_READ_PREFERRED) {
    read_together(service, agent);
    return;
  }
  struct flight *flight = must_alloc(sizeof *flight);
  *flight = (struct flight){service, agent, plan, agent->confirmed, now, service->clock.stepped_ms};
  struct graph_operation operation = {
      .kind = operation_of(plan.step),
      .presence = plan.presence,
      .duration_ms = plan.duration_ms,
      .message = plan.message,
      .message_until_ms = plan.until_ms};
  must(str_copy(operation.user, sizeof operation.user, agent->id));
  struct registration *registration = registration_of_agent(service, agent);
  struct submission submission = {
      .operation = &operation,
      .on_done = on_done,
      .context = flight,
      .owns_context = true,
      .once = true,
      .about_user = is_about_user(registration, agent)};
  registration_submit(registration, &submission);
  standing_spoken_for(agent);
  sched_sent(agent, &plan, now);
  store_touch(service->setup.store, agent);
  sched_move(&service->sched, agent, PHASE_IN_FLIGHT, CLOCK_NEVER);
}

static void disown_flight(void *context, void *of_request)
{
  struct flight *flight = of_request;
  if (flight->agent == context)
    flight->agent = NULL;
}

static void disown_reading(void *context, void *of_request)
{
  struct reading *reading = of_request;
  for (size_t i = 0; i < reading->count; i++)
    if (reading->readers[i].agent == context)
      reading->readers[i].agent = NULL;
}

void flight_disown(struct service *service, struct agent *agent)
{
  if (agent->phase != PHASE_IN_FLIGHT)
    return;
  struct registration *registration = registration_of_agent(service, agent);
  registration_visit(registration, on_done, disown_flight, agent);
  registration_visit(registration, on_read, disown_reading, agent);
  sched_move(&service->sched, agent, PHASE_IDLE, CLOCK_NEVER);
}
