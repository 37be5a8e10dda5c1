/* The way of an agent's next request out, and of its outcome back into the agent's record. */
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "service/internal.h"

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
  int64_t stepped_ms; /* service->stepped_ms when it went out */
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
  agent_trouble(agent)->retry_ms = now + sched_backoff(attempts, base_ms, cap_ms, service_random(service));
}

/* Once for the token's sake. Twice, while others got through, and it is this user: no hurry then. Twice while nobody
 * got through, and the account is closed for a while: then a lookup finds out first whether it is over. */
static void react_unauthorized(struct service *service, struct agent *agent, int64_t now)
{
  const struct app *app = service_app(service, agent);
  struct agent_trouble *trouble = agent_trouble(agent);
  bool others_got_through = app->accepted != trouble->accepted_then;
  trouble->accepted_then = app->accepted;
  if (++trouble->unauthorized < 2)
    return;
  if (others_got_through) {
    back_off(service, agent, UNAUTHORIZED_BASE_MS, UNAUTHORIZED_CAP_MS, trouble->unauthorized - 1, now);
    return;
  }
  trouble->retry_ms = app->auth_until_ms + 1;
  identity_prove_token(service, agent, now);
}

/* Others have got through since this user was refused: the next 401 says nothing of the token. */
static bool is_about_user(const struct app *app, const struct agent *agent)
{
  const struct agent_trouble *trouble = agent->trouble;
  return trouble != NULL && trouble->unauthorized > 0 && app->accepted != trouble->accepted_then;
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
  struct sched_plan plan = pipeline_plan(service, agent, now, &desired);
  return plan.step == flight->plan.step && plan.presence == flight->plan.presence &&
         plan.message_hash == flight->plan.message_hash;
}

static void react(
    struct service *service, struct agent *agent, const struct flight *flight, const struct outcome *outcome,
    int64_t now)
{
  switch (reactions[outcome->kind].reaction) {
  case REACT_CONFIRM:
    /* Not later than now, where the clock was set back meanwhile. */
    sched_applied(agent, &flight->plan, flight->sent_ms < now ? flight->sent_ms : now);
    agent->ran_out = agent->ran_out && flight->plan.step != STEP_SET_SESSION;
    agent_trouble_over(agent);
    break;
  case REACT_AGAIN:
    break;
  case REACT_BACK_OFF:
    back_off(service, agent, RETRY_BASE_MS, RETRY_CAP_MS, ++agent_trouble(agent)->attempts, now);
    break;
  case REACT_UNAUTHORIZED:
    react_unauthorized(service, agent, now);
    break;
  case REACT_LOOK_UP:
    agent_trouble(agent)->looked_up_again = true;
    identity_check(service, agent, now);
    break;
  case REACT_PARK:
    if (still_wanted(service, agent, flight, now))
      park_for(service, agent, outcome, graph_operation_str(operation_of(flight->plan.step)));
    break;
  }
}

/* Before what was answered is taken to heart: that is not in doubt. */
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
  pipeline_settle(service, agent, now);
  if (since_ms != 0 && agent->differs_since_ms == 0 && agent->phase != PHASE_PARKED)
    figures_confirmed(service, since_ms, now);
  pipeline_drop_if_empty(service, agent, now);
}

static void on_done(void *context, const struct outcome *outcome, const struct graph_reply *reply UNUSED)
{
  struct flight *flight = context;
  struct service *service = flight->service;
  struct agent *agent = flight->agent;
  if (agent == NULL) /* flight_disown() */
    return;
  shift(flight, service->stepped_ms - flight->stepped_ms);
  int64_t now = service_now(service);
  const struct service_watcher *watcher = &service->setup.watcher;
  if (watcher->on_outcome != NULL)
    watcher->on_outcome(
        watcher->context, agent_label(agent), operation_of(flight->plan.step), flight->plan.presence, outcome);
  if (reactions[outcome->kind].untouched || (outcome->kind == OUTCOME_TRY_LATER && outcome->status == 0))
    agent->confirmed = flight->before;
  land(service, agent);
  int64_t since_ms = flight->plan.refresh && !agent->ran_out ? 0 : agent->differs_since_ms;
  react(service, agent, flight, outcome, now);
  if (flight->plan.refresh && agent->confirmed.session.unsure)
    lapse_expect(agent, &flight->before);
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
  } else if (outcome->kind == OUTCOME_TOKEN_STALE) {
    /* Not what the first token's end has refused. From then on it is as any read that fails. */
    react_unauthorized(service, agent, now);
    if (agent->trouble->unauthorized >= 2 && sched_not_read(agent, now))
      agent->trouble->retry_ms = 0;
  } else if (outcome->kind != OUTCOME_THROTTLED) {
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
  bool applied = outcome->kind == OUTCOME_APPLIED;
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
    /* Of whom nothing will be told nothing is seen: facts 1.7 leaves open whether unknown ids are left out. */
    reading->readers[reading->count++] = (struct reader){agent, AVAILABILITY_UNKNOWN};
    sched_move(&service->sched, agent, PHASE_IN_FLIGHT, CLOCK_NEVER);
  }
  struct graph_operation operation = {.kind = GRAPH_GET_PRESENCES, .ids = buf_text(&ids)};
  struct request *request = app_submit(service_app(service, first), &operation, on_read, reading);
  request->once = request->owns_context = true;
  for (size_t i = 0; i < reading->count; i++)
    request->about_user = request->about_user || is_about_user(request->app, reading->readers[i].agent);
  buf_release(&ids);
}

void flight_launch(struct service *service, struct agent *agent, int64_t now)
{
  struct desired desired;
  lapse_notice(service, agent, now);
  struct sched_plan plan = pipeline_plan(service, agent, now, &desired);
  if (plan.step == STEP_NONE) { /* time has passed since it got ready */
    pipeline_settle(service, agent, now);
    return;
  }
  if (plan.step == STEP_READ_PREFERRED) {
    read_together(service, agent);
    return;
  }
  struct flight *flight = must_alloc(sizeof *flight);
  *flight = (struct flight){service, agent, plan, agent->confirmed, now, service->stepped_ms};
  struct graph_operation operation = {
      .kind = operation_of(plan.step),
      .presence = plan.presence,
      .duration_ms = plan.duration_ms,
      .message = plan.message,
      .message_until_ms = plan.until_ms};
  must(str_copy(operation.user, sizeof operation.user, agent->id));
  struct request *request = app_submit(service_app(service, agent), &operation, on_done, flight);
  request->once = request->owns_context = true;
  request->about_user = is_about_user(request->app, agent);
  agent->by_new_rules = false;
  sched_sent(agent, &plan, now);
  store_touch(service->setup.store, agent);
  sched_move(&service->sched, agent, PHASE_IN_FLIGHT, CLOCK_NEVER);
}

static void disown(void *context, const struct request *request)
{
  const struct agent *agent = context;
  struct flight *flight = request->context;
  struct reading *reading = request->context;
  if (request->on_done == on_done && flight->agent == agent)
    flight->agent = NULL;
  for (size_t i = 0; request->on_done == on_read && i < reading->count; i++)
    if (reading->readers[i].agent == agent)
      reading->readers[i].agent = NULL;
}

void flight_disown(struct service *service, struct agent *agent)
{
  if (agent->phase != PHASE_IN_FLIGHT)
    return;
  app_visit(service_app(service, agent), disown, agent);
  sched_move(&service->sched, agent, PHASE_IDLE, CLOCK_NEVER);
}
