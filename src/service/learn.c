/* What the outcome of a request says about its app registration: a pause, a token that does not hold, an outage. */
#include "base/clock.h"
#include "base/log.h"
#include "service/internal.h"

#include <inttypes.h>

#define THROTTLE_BASE_MS (5 * CLOCK_SECOND) /* where Retry-After is missing */
#define THROTTLE_CAP_MS (10 * CLOCK_MINUTE)
/* So many failures in a row, with no success between them, are an outage. */
#define OUTAGE_FAILURES 5
/* During an outage one request finds out whether it is over, however long the agents' own pauses are. */
#define PROBE_BASE_MS (2 * CLOCK_SECOND)
#define PROBE_CAP_MS (5 * CLOCK_SECOND)
#define TROUBLE_EVERY_MS CLOCK_MINUTE /* one line a minute about failing requests */

static void close_gate(struct app *app, enum graph_operation_kind kind, const struct outcome *outcome, int64_t now)
{
  bool first = now >= app->gate_until_ms; /* the other replies of the same burst say nothing new */
  int64_t wait = outcome->retry_after_ms + RETRY_AFTER_MARGIN_MS;
  if (first && outcome->kind == OUTCOME_THROTTLED && kind != GRAPH_LOOKUP)
    sched_budget_narrow(&app->presence, now);
  if (outcome->retry_after_ms < 0) {
    if (first)
      app->throttle_attempts++;
    wait = sched_backoff(app->throttle_attempts, 2 * THROTTLE_BASE_MS, THROTTLE_CAP_MS, service_random(app->service));
  }
  int64_t until = now + wait;
  if (until <= app->gate_until_ms) /* a later, shorter one never shortens it */
    return;
  char text[CLOCK_TEXT_SIZE], at[CLOCK_TEXT_SIZE];
  if (first)
    log_warn(
        "account %s: Graph asks for a pause of %s%s; nothing is sent until %s (request-id %s)", app->label,
        clock_short_duration(wait, text), outcome->retry_after_ms < 0 ? " (our guess: Retry-After is missing)" : "",
        clock_rfc3339(until, at), *outcome->request_id == '\0' ? "none" : outcome->request_id);
  app->throttled_ms += until - (now > app->gate_until_ms ? now : app->gate_until_ms);
  app->gate_until_ms = until;
  if (app->service->setup.store != NULL)
    store_set_gate(app->service->setup.store, app->key, until);
}

/* A token that Graph does not take is thrown away and another tried, once. If that one is not taken either, it is not
 * the token: the account closes, and one request at a time finds out when it is over. */
static void doubt_token(struct app *app, const struct request *request, const struct outcome *outcome, int64_t now)
{
  if (request->token_serial != app->token_serial || app->token.bearer.length == 0)
    return; /* it went out with a token that is thrown away already */
  if (request->about_user)
    return; /* others got through with it: it is about this user (facts 6) */
  wiped_release(&app->token.bearer);
  if (!app->suspect) {
    app->suspect = true;
    return;
  }
  app->auth_until_ms = now + sched_doubled(++app->auth_attempts, AUTH_BASE_MS, AUTH_CAP_MS);
  char text[CLOCK_TEXT_SIZE];
  log_error(
      "account %s: Graph refuses a fresh token (401 %s %s); nothing is sent for %s; check the app registration's "
      "permissions and admin consent, and whether Graph and Cloud belong together (request-id %s)",
      app->label, outcome->code, outcome->detail, clock_short_duration(app->auth_until_ms - now, text),
      *outcome->request_id == '\0' ? "none" : outcome->request_id);
}

/* An outage hits every agent: one line says it, and one a minute that it lasts. */
static void tell_trouble(struct app *app, const struct request *request, const struct outcome *outcome, int64_t now)
{
  app->trouble_count++;
  if (now < app->trouble_logged_ms + TROUBLE_EVERY_MS)
    return;
  log_warn(
      "account %s: %s: %s%s%d %s %s; it is tried again (%" PRIu64 " such failure%s; request-id %s, "
      "client-request-id %s)",
      app->label, graph_operation_str(request->operation.kind), outcome->status == 0 ? "no answer" : "answered",
      outcome->status == 0 ? ": " : " ", outcome->status, outcome->code, outcome->detail, app->trouble_count,
      app->trouble_count == 1 ? "" : "s", *outcome->request_id == '\0' ? "none" : outcome->request_id,
      request->client_request_id);
  app->trouble_logged_ms = now;
  app->trouble_count = 0;
}

/* Does a request of the agent's wait that failed for a passing cause? One that is refused for its own sake does not
 * count. */
static bool waits(const struct agent *agent, int64_t now)
{
  const struct agent_trouble *trouble = agent->trouble;
  return agent->phase == PHASE_WAITING && trouble != NULL && trouble->attempts > 0 && trouble->unauthorized == 0 &&
         trouble->retry_ms > now;
}

/* When that, or a lookup that failed, is tried again; CLOCK_NEVER. */
static int64_t retry_of(const struct agent *agent, int64_t now)
{
  int64_t lookup_ms = identity_retry_ms(agent);
  return waits(agent, now) && agent->trouble->retry_ms < lookup_ms ? agent->trouble->retry_ms : lookup_ms;
}

static void retry(struct service *service, struct agent *agent, int64_t now)
{
  if (waits(agent, now))
    agent->trouble->retry_ms = 0;
  identity_retry(service, agent, now);
  pipeline_settle(service, agent, now);
}

/* So that nobody sits out a pause that was meant for an outage. Budget and connections see to it that they do not all
 * come at once. */
static void retry_all(struct app *app, int64_t now)
{
  struct service *service = app->service;
  struct list_node *agents = service->setup.store == NULL ? NULL : store_agents(service->setup.store);
  for (struct list_node *node = agents == NULL ? NULL : agents->next; node != agents; node = node->next) {
    struct agent *agent = LIST_ENTRY(node, struct agent, all_link);
    if (service_app(service, agent) == app && retry_of(agent, now) != CLOCK_NEVER)
      retry(service, agent, now);
  }
}

void app_probe(struct app *app, int64_t now)
{
  struct service *service = app->service;
  if (app->outage_since_ms == 0 || now < app->probe_ms || app->in_flight > 0 || service->setup.store == NULL)
    return;
  struct agent *next = NULL;
  int64_t next_ms = CLOCK_NEVER;
  struct list_node *agents = store_agents(service->setup.store);
  for (struct list_node *node = agents->next; node != agents; node = node->next) {
    struct agent *agent = LIST_ENTRY(node, struct agent, all_link);
    int64_t retry_ms = service_app(service, agent) == app ? retry_of(agent, now) : CLOCK_NEVER;
    if (retry_ms < next_ms) {
      next = agent;
      next_ms = retry_ms;
    }
  }
  app->probe_ms = now + sched_backoff(++app->probes, 2 * PROBE_BASE_MS, PROBE_CAP_MS, service_random(service));
  if (next != NULL)
    retry(service, next, now);
}

/* An outage makes us careful: one connection at first, one more with each exchange that brings a success. */
static void learn_outage(struct app *app, bool failed, int64_t now)
{
  if (!failed) {
    bool over = app->outage_since_ms != 0;
    char text[CLOCK_TEXT_SIZE];
    if (over)
      log_info(
          "account %s: Graph answers again after %s", app->label,
          clock_short_duration(now - app->outage_since_ms, text));
    app->failures_in_row = 0;
    app->outage_since_ms = 0;
    app->probes = 0;
    if (over)
      retry_all(app, now);
    app->window += !app->widened && app->window < (size_t)app->connections;
    app->widened = true;
    return;
  }
  if (++app->failures_in_row < OUTAGE_FAILURES)
    return;
  if (app->outage_since_ms == 0)
    app->outage_since_ms = now;
  if (app->probe_ms < now + PROBE_BASE_MS / 2) /* not at once after a failure */
    app->probe_ms = now + PROBE_BASE_MS / 2;
  app->window = 1;
}

void app_learn(struct app *app, const struct request *request, const struct outcome *outcome, int64_t now)
{
  app->answered[request->operation.kind][outcome->kind]++;
  bool passing = outcome->kind == OUTCOME_TRY_LATER || outcome->kind == OUTCOME_UNKNOWN;
  if (outcome->kind == OUTCOME_THROTTLED || (passing && outcome->retry_after_ms >= 0))
    close_gate(app, request->operation.kind, outcome, now);
  if (passing)
    tell_trouble(app, request, outcome, now);
  if (outcome->kind != OUTCOME_THROTTLED)
    learn_outage(app, passing, now);
  if (outcome->status == 503)
    app->fresh_connection = true;
  if (outcome->kind == OUTCOME_TOKEN_STALE) {
    doubt_token(app, request, outcome, now);
    return;
  }
  if (outcome->status != 0 && !passing && request->token_serial == app->token_serial) {
    app->suspect = false; /* whatever Graph said, it took the token */
    app->accepted++;
    app->auth_attempts = 0;
  }
  if (outcome->kind == OUTCOME_APPLIED || outcome->kind == OUTCOME_GONE) {
    app->throttle_attempts = 0;
    sched_budget_widen(app_budget(app, request->operation.kind), now);
  }
}
