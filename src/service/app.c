/* One app registration: its token, its gates, its budget, and the requests that go out under them. */
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "service/internal.h"

#include <inttypes.h>
#include <string.h>

/* The window is Graph's, and so is the clock that measures it. */
#define BUDGET_MARGIN_MS 100
#define TOKEN_BASE_MS (1 * CLOCK_SECOND) /* between token requests that fail for a passing cause */
#define TOKEN_CAP_MS (30 * CLOCK_SECOND) /* it is one request for all of them */
/* This part of the budget is written down ahead of its use; a restart that follows waits for it in vain. */
#define BUDGET_AHEAD_PART 20
/* So many requests at once still go one by one, which answers each a little sooner. */
#define FEW 3

/* Of what never reached Graph. */
static const struct graph_reply no_reply = {
    .failure = "", .body = "", .retry_after = "", .date = "", .request_id = "", .content_type = "", .diagnostic = ""};

void app_key(const struct config_account *account, char to[APP_KEY_SIZE])
{
  snprintf(to, APP_KEY_SIZE, "%s %s %s", account->graph, account->tenant_id, account->client_id);
}

void app_init(
    struct app *app, struct service *service, const struct config *config, const struct config_account *account,
    const struct wiped *secret)
{
  *app = (struct app){
      .service = service,
      .label = account->id,
      .secret = secret,
      .connections = config->connections,
      .batches = !config->batch_off,
      .window = (size_t)config->connections,
      .endpoint = {account->authority, account->graph, account->tenant_id, account->client_id}};
  app_key(account, app->key);
  sched_budget_init(&app->presence, (size_t)account->requests_per_30_seconds, 30 * CLOCK_SECOND, BUDGET_MARGIN_MS);
  sched_budget_init(&app->lookups, (size_t)account->lookups_per_10_seconds, 10 * CLOCK_SECOND, BUDGET_MARGIN_MS);
  list_init(&app->waiting);
  list_init(&app->waiting_lookups);
  list_init(&app->asides);
  list_init(&app->outgoing);
  list_init(&app->flying);
}

static void request_free(struct request *request)
{
  list_remove(&request->link);
  free(request->message);
  free(request->ids);
  if (request->owns_context)
    free(request->context);
  free(request);
}

static void drop_all(struct list_node *requests)
{
  while (!list_empty(requests))
    request_free(LIST_ENTRY(list_first(requests), struct request, link));
}

static void parcel_free(struct parcel *parcel)
{
  list_remove(&parcel->link);
  drop_all(&parcel->requests);
  free(parcel);
}

void app_release(struct app *app)
{
  if (app->token_exchange != NULL)
    app->service->setup.ports.cancel(app->service->setup.ports.context, app->token_exchange);
  drop_all(&app->waiting);
  drop_all(&app->waiting_lookups);
  drop_all(&app->asides);
  drop_all(&app->outgoing);
  while (!list_empty(&app->flying)) {
    struct parcel *parcel = LIST_ENTRY(list_first(&app->flying), struct parcel, link);
    app->service->setup.ports.cancel(app->service->setup.ports.context, parcel->exchange);
    parcel_free(parcel);
  }
  wiped_release(&app->token.bearer);
  sched_budget_release(&app->presence);
  sched_budget_release(&app->lookups);
}

static bool same_secret(const struct wiped *a, const struct wiped *b)
{
  return a->length == b->length && memcmp(wiped_text(a), wiped_text(b), a->length) == 0;
}

/* The token that there is holds until the new secret has brought another one. */
static void renew_at_once(struct app *app)
{
  if (app->token_exchange != NULL)
    app->service->setup.ports.cancel(app->service->setup.ports.context, app->token_exchange);
  app->token_exchange = NULL;
  app->token.refresh_ms = app->token_next_try_ms = app->auth_until_ms = 0;
  app->token_attempts = app->auth_attempts = 0;
  app->token_trouble = (struct err)ERR_INIT;
  app->token_refused = app->suspect = false;
}

void app_configure(
    struct app *app, const struct config *before, const struct config *config, const struct config_account *account,
    const struct wiped *secret)
{
  bool renew = !same_secret(app->secret, secret) || strcmp(app->endpoint.authority, account->authority) != 0;
  app->label = account->id;
  app->secret = secret;
  app->endpoint = (struct graph_endpoint){account->authority, account->graph, account->tenant_id, account->client_id};
  if (before->batch_off != config->batch_off)
    app->batches = !config->batch_off;
  size_t connections = (size_t)config->connections;
  if (app->window == (size_t)app->connections || app->window > connections)
    app->window = connections;
  app->connections = config->connections;
  sched_budget_set_limit(&app->presence, (size_t)account->requests_per_30_seconds);
  sched_budget_set_limit(&app->lookups, (size_t)account->lookups_per_10_seconds);
  if (renew)
    renew_at_once(app);
}

static void visit_list(
    struct list_node *requests, void (*visit)(void *context, const struct request *request), void *context)
{
  for (struct list_node *node = requests->next; node != requests; node = node->next)
    visit(context, LIST_ENTRY(node, struct request, link));
}

void app_visit(struct app *app, void (*visit)(void *context, const struct request *request), void *context)
{
  struct list_node *lists[] = {&app->waiting, &app->waiting_lookups, &app->asides, &app->outgoing};
  for (size_t i = 0; i < COUNT_OF(lists); i++)
    visit_list(lists[i], visit, context);
  for (struct list_node *node = app->flying.next; node != &app->flying; node = node->next)
    visit_list(&LIST_ENTRY(node, struct parcel, link)->requests, visit, context);
}

/* What the engine asked has been given up by now. */
static void answer_aside(void *context UNUSED, const struct request *request)
{
  struct outcome outcome = {.kind = OUTCOME_REFUSED, .retry_after_ms = -1};
  str_cut(outcome.detail, sizeof outcome.detail, "config.xml has no such account any more");
  if (!request->owns_context)
    request->on_done(request->context, &outcome, &no_reply);
}

void app_retire(struct app *app)
{
  app_visit(app, answer_aside, NULL);
  app_release(app);
}

static void new_guid(const struct service *service, char to[STR_GUID_SIZE])
{
  unsigned char b[16];
  service->setup.ports.random(service->setup.ports.context, b, sizeof b);
  str_guid(b, to);
}

/* ---- token */

static bool has_token(const struct app *app, int64_t now)
{
  return app->token.bearer.length > 0 && now < app->token.expires_ms;
}

static void on_token(void *context, const struct graph_reply *reply)
{
  struct app *app = context;
  service_notice_clock(app->service);
  int64_t now = service_now(app->service), retry_after;
  struct graph_token token = {0};
  struct err err = ERR_INIT;
  app->token_exchange = NULL;
  enum graph_token_verdict verdict =
      graph_parse_token(app->service->setup.json, reply, now, &token, &retry_after, &err);
  if (verdict == GRAPH_TOKEN_OK) {
    wiped_release(&app->token.bearer);
    app->token = token;
    app->token_serial++;
    if (app->token_trouble.kind != ERR_NONE)
      log_info("account %s: a token again", app->label);
    app->token_trouble = (struct err)ERR_INIT;
    app->token_refused = false;
    app->token_attempts = 0;
    return;
  }
  app->token_attempts++;
  app->token_refused = verdict == GRAPH_TOKEN_REFUSED;
  int64_t wait = app->token_refused
                     ? sched_backoff(app->token_attempts, 2 * AUTH_BASE_MS, AUTH_CAP_MS, service_random(app->service))
                     : sched_backoff(app->token_attempts, TOKEN_BASE_MS, TOKEN_CAP_MS, service_random(app->service));
  if (retry_after >= 0 && wait < retry_after + RETRY_AFTER_MARGIN_MS)
    wait = retry_after + RETRY_AFTER_MARGIN_MS;
  app->token_next_try_ms = now + wait;
  if (strcmp(app->token_trouble.text, err.text) != 0)
    log_at(app->token_refused ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, "account %s: no new token: %s", app->label, err.text);
  app->token_trouble = err;
}

/* One request at a time; a token that still holds is kept while its renewal fails (facts 5.4). */
static void renew_token(struct app *app, int64_t now)
{
  if (app->token_exchange != NULL || now < app->token_next_try_ms || now < app->auth_until_ms)
    return;
  if (has_token(app, now) && now < app->token.refresh_ms)
    return;
  struct graph_request request;
  char guid[STR_GUID_SIZE];
  new_guid(app->service, guid);
  graph_encode_token(&app->endpoint, app->secret, &request);
  app->requests[GRAPH_TOKEN]++;
  const struct ports *ports = &app->service->setup.ports;
  app->token_exchange = ports->send(ports->context, &request, NULL, guid, false, on_token, app);
  graph_request_release(&request);
}

/* ---- requests */

struct sched_budget *app_budget(struct app *app, enum graph_operation_kind kind)
{
  return kind == GRAPH_LOOKUP ? &app->lookups : &app->presence;
}

static int64_t closed_until(const struct app *app)
{
  return app->gate_until_ms > app->auth_until_ms ? app->gate_until_ms : app->auth_until_ms;
}

static size_t connections_of(const struct app *app)
{
  return app->suspect ? 1 : app->window;
}

/* How many of what waits to go out fit into one parcel. */
static size_t parcel_room(const struct app *app)
{
  return app->batches && !app->suspect ? GRAPH_BATCH_MAX : 1;
}

/* Lookups leave half of the connections to presence: a thousand new names must not let one Available fade. */
static bool has_room(const struct app *app, enum graph_operation_kind kind)
{
  size_t most = connections_of(app), room = parcel_room(app);
  size_t needed = app->parcels + (app->outgoing_count + room) / room; /* with one more */
  return needed <= most && (kind != GRAPH_LOOKUP || app->lookups_in_flight < (most + 1) / 2 * room);
}

static struct list_node *waiting_list(struct app *app, enum graph_operation_kind kind)
{
  return kind == GRAPH_LOOKUP ? &app->waiting_lookups : &app->waiting;
}

bool app_open(const struct app *app, enum graph_operation_kind kind, int64_t now)
{
  return has_token(app, now) && now >= closed_until(app) && has_room(app, kind) &&
         now >= sched_budget_next(app_budget((struct app *)app, kind), now);
}

static void go_out(struct app *app, struct request *request, int64_t now)
{
  list_remove(&request->link);
  list_add_tail(&app->outgoing, &request->link);
  app->outgoing_count++;
  app->in_flight++;
  app->lookups_in_flight += request->operation.kind == GRAPH_LOOKUP;
  sched_budget_use(app_budget(app, request->operation.kind), now);
  if (request->operation.kind == GRAPH_LOOKUP)
    return;
  app->budget_unwritten = true;
  if (app->budget_ahead == 0)
    app->budget_written_ms = 0;
  else
    app->budget_ahead--;
}

struct request *app_submit(
    struct app *app, const struct graph_operation *operation, service_on_done *on_done, void *context)
{
  struct request *request = must_alloc(sizeof *request);
  request->app = app;
  request->operation = *operation;
  request->message = operation->message == NULL ? NULL : must_strdup(operation->message);
  request->operation.message = request->message;
  request->ids = operation->ids == NULL ? NULL : must_strdup(operation->ids);
  request->operation.ids = request->ids;
  request->on_done = on_done;
  request->context = context;
  list_add_tail(waiting_list(app, operation->kind), &request->link);
  return request;
}

void app_prepare(struct app *app, int64_t now)
{
  renew_token(app, now);
  struct list_node *lists[] = {&app->waiting, &app->waiting_lookups};
  for (size_t i = 0; i < COUNT_OF(lists); i++)
    while (!list_empty(lists[i])) {
      struct request *request = LIST_ENTRY(list_first(lists[i]), struct request, link);
      if (!app_open(app, request->operation.kind, now))
        break;
      go_out(app, request, now);
    }
}

/* ---- asides */

void app_submit_aside(struct app *app, const struct graph_operation *operation, service_on_done *on_done, void *context)
{
  struct request *request = app_submit(app, operation, on_done, context);
  list_remove(&request->link);
  list_add_tail(&app->asides, &request->link);
}

/* Agents keep half of the budget to themselves: a script that asks without end must not let a presence fade. */
static bool has_share(const struct app *app, enum graph_operation_kind kind, int64_t now)
{
  struct sched_budget *budget = app_budget((struct app *)app, kind);
  return app->service->setup.store == NULL || sched_budget_used(budget, now) < (budget->allowed + 1) / 2;
}

void app_prepare_asides(struct app *app, int64_t now)
{
  while (!list_empty(&app->asides)) {
    struct request *request = LIST_ENTRY(list_first(&app->asides), struct request, link);
    if (!app_open(app, request->operation.kind, now) || !has_share(app, request->operation.kind, now))
      break;
    go_out(app, request, now);
  }
}

static int64_t latest(int64_t a, int64_t b)
{
  return a > b ? a : b;
}

/* While the share is used up, looking once a second is often enough. */
static int64_t next_aside(const struct app *app, int64_t now)
{
  if (list_empty(&app->asides))
    return CLOCK_NEVER;
  enum graph_operation_kind kind = LIST_ENTRY(list_first(&app->asides), struct request, link)->operation.kind;
  if (!has_room(app, kind))
    return CLOCK_NEVER; /* the reply that makes room wakes us */
  int64_t next = latest(closed_until(app), sched_budget_next(app_budget((struct app *)app, kind), now));
  return has_share(app, kind, now) || next == CLOCK_NEVER ? next : latest(next, now + CLOCK_SECOND);
}

/* ---- outcomes */

static void leave_flight(struct app *app, struct request *request, bool arrived, int64_t now)
{
  list_remove(&request->link);
  app->in_flight--;
  app->lookups_in_flight -= request->operation.kind == GRAPH_LOOKUP;
  sched_budget_done(app_budget(app, request->operation.kind), now, arrived);
  app->budget_unwritten = app->budget_unwritten || request->operation.kind != GRAPH_LOOKUP;
}

static void take_reply(struct app *app, struct request *request, const struct graph_reply *reply)
{
  int64_t now = service_now(app->service);
  struct outcome outcome;
  graph_classify(app->service->setup.json, request->operation.kind, reply, now, &outcome);
  must(str_copy(outcome.client_request_id, sizeof outcome.client_request_id, request->client_request_id));
  leave_flight(app, request, reply->status != 0 || reply->sent, now);
  app_learn(app, request, &outcome, now);
  log_debug(
      "account %s: %s %s: %s %d (request-id %s, client-request-id %s)", app->label,
      graph_operation_str(request->operation.kind), request->operation.user, outcome_kind_str(outcome.kind),
      outcome.status, outcome.request_id, request->client_request_id);
  if (outcome.kind == OUTCOME_TOKEN_STALE && !request->once && !request->retried) {
    request->retried = true;
    list_add_tail(waiting_list(app, request->operation.kind), &request->link);
    return;
  }
  request->on_done(request->context, &outcome, reply);
  request_free(request);
}

static void on_part(void *context, size_t number UNUSED, const struct graph_reply *reply)
{
  struct parcel *parcel = context;
  take_reply(parcel->app, LIST_ENTRY(list_first(&parcel->requests), struct request, link), reply);
}

/* Whether presence actions are taken in a batch is not documented (facts 3.3). Where they are not, everything goes out
 * by itself from now on. */
static bool is_refused_as_batch(const struct graph_reply *reply)
{
  return reply->status == 400 || reply->status == 404 || reply->status == 405 || reply->status == 413 ||
         reply->status == 415 || reply->status == 501;
}

static void unpack(struct parcel *parcel, const struct graph_reply *reply)
{
  struct app *app = parcel->app;
  int64_t now = service_now(app->service);
  while (!list_empty(&parcel->requests)) {
    struct request *request = LIST_ENTRY(list_first(&parcel->requests), struct request, link);
    leave_flight(app, request, true, now);
    if (!request->once) {
      list_add_tail(waiting_list(app, request->operation.kind), &request->link);
      continue;
    }
    /* Nothing of it was done, and when it can go out at last something else may be wanted. */
    struct outcome outcome = {.kind = OUTCOME_THROTTLED, .status = reply->status, .retry_after_ms = -1};
    request->on_done(request->context, &outcome, reply);
    request_free(request);
  }
}

static void on_reply(void *context, const struct graph_reply *reply)
{
  struct parcel *parcel = context;
  struct app *app = parcel->app;
  service_notice_clock(app->service);
  list_remove(&parcel->link);
  app->parcels--;
  app->widened = false;
  bool apart = parcel->is_batch && graph_split_batch(app->service->setup.json, reply, parcel->count, on_part, parcel);
  if (!apart && parcel->is_batch && is_refused_as_batch(reply)) {
    log_warn("account %s: Graph refuses a $batch (%d); requests go out one by one", app->label, reply->status);
    app->batches = false;
    unpack(parcel, reply);
  }
  while (!list_empty(&parcel->requests))
    take_reply(app, LIST_ENTRY(list_first(&parcel->requests), struct request, link), reply);
  parcel_free(parcel);
}

/* What cannot be put into a request is refused, as Graph would. */
static void refuse(struct app *app, struct request *request, const struct err *err)
{
  struct outcome outcome = {.kind = OUTCOME_REFUSED, .retry_after_ms = -1};
  str_cut(outcome.detail, sizeof outcome.detail, err->text);
  leave_flight(app, request, false, service_now(app->service));
  request->on_done(request->context, &outcome, &no_reply);
  request_free(request);
}

/* Takes requests out of `outgoing` until the parcel holds `most`, and puts them together. */
static void pack(struct app *app, struct parcel *parcel, size_t most, struct graph_request *ret_request)
{
  struct graph_batch batch;
  graph_batch_begin(&batch);
  while (parcel->count < most && !list_empty(&app->outgoing)) {
    struct request *request = LIST_ENTRY(list_first(&app->outgoing), struct request, link);
    struct err err = ERR_INIT;
    struct graph_request encoded;
    app->outgoing_count--;
    if (!graph_encode(&app->endpoint, &request->operation, &encoded, &err)) {
      refuse(app, request, &err);
      continue;
    }
    request->token_serial = app->token_serial;
    app->requests[request->operation.kind]++;
    list_remove(&request->link);
    list_add_tail(&parcel->requests, &request->link);
    parcel->count++;
    if (most == 1) {
      *ret_request = encoded;
      continue;
    }
    graph_batch_add(&batch, &app->endpoint, &encoded);
    graph_request_release(&encoded);
  }
  if (most > 1)
    graph_batch_end(&batch, &app->endpoint, ret_request);
  else
    buf_release(&batch.body);
}

static void send_parcel(struct app *app, size_t most)
{
  const struct ports *ports = &app->service->setup.ports;
  struct parcel *parcel = must_alloc(sizeof *parcel);
  struct graph_request request = {0};
  char client_request_id[STR_GUID_SIZE];
  parcel->app = app;
  parcel->is_batch = most > 1;
  list_init(&parcel->requests);
  pack(app, parcel, most, &request);
  if (parcel->count == 0) {
    graph_request_release(&request);
    parcel_free(parcel);
    return;
  }
  new_guid(app->service, client_request_id);
  for (struct list_node *node = parcel->requests.next; node != &parcel->requests; node = node->next)
    must(str_copy(LIST_ENTRY(node, struct request, link)->client_request_id, 40, client_request_id));
  list_add_tail(&app->flying, &parcel->link);
  app->parcels++;
  parcel->exchange = ports->send(
      ports->context, &request, &app->token.bearer, client_request_id, app->fresh_connection, on_reply, parcel);
  app->fresh_connection = false;
  graph_request_release(&request);
}

void app_send(struct app *app)
{
  while (!list_empty(&app->outgoing)) {
    bool alone = parcel_room(app) == 1 ||
                 (app->outgoing_count <= FEW && app->parcels + app->outgoing_count <= connections_of(app));
    send_parcel(app, alone || app->outgoing_count == 1 ? 1 : GRAPH_BATCH_MAX);
  }
}

/* A restart must not begin a new budget while Graph still counts the old one, nor wait for what Graph counts no more.
 */
void app_write_budget(struct app *app, bool exactly, int64_t now)
{
  if (!app->budget_unwritten || app->service->setup.store == NULL)
    return;
  size_t used = sched_budget_used(&app->presence, now), under_way = app->presence.under_way;
  exactly = exactly || under_way == 0; /* nothing may follow for long */
  if (!exactly && now < app->budget_written_ms + BUDGET_AHEAD_MS)
    return;
  app->budget_ahead = exactly ? 0 : app->presence.limit / BUDGET_AHEAD_PART;
  store_set_budget(app->service->setup.store, app->key, used + app->budget_ahead, under_way + app->budget_ahead, now);
  app->budget_written_ms = now;
  app->budget_unwritten = false;
}

int64_t app_next(const struct app *app, bool ready, int64_t now)
{
  int64_t next = app->outage_since_ms != 0 && app->in_flight == 0 ? app->probe_ms : CLOCK_NEVER;
  if (app->token_exchange == NULL) {
    int64_t renewal = has_token(app, now) ? app->token.refresh_ms : 0;
    int64_t token_ms = latest(renewal, latest(app->token_next_try_ms, app->auth_until_ms));
    next = token_ms < next ? token_ms : next;
  }
  bool lookups = !list_empty(&app->waiting_lookups) && has_room(app, GRAPH_LOOKUP);
  bool presence = (ready || !list_empty(&app->waiting)) && has_room(app, GRAPH_SET_PRESENCE);
  if (!has_token(
          app, now)) /* the reply to the token request is what wakes us, and with the connections full any reply */
    return next;
  int64_t open = closed_until(app), aside = next_aside(app, now);
  if (aside < next)
    next = aside;
  if (lookups && latest(open, sched_budget_next(&app->lookups, now)) < next)
    next = latest(open, sched_budget_next(&app->lookups, now));
  if (presence && latest(open, sched_budget_next(&app->presence, now)) < next)
    next = latest(open, sched_budget_next(&app->presence, now));
  return next;
}

bool app_is_hopeless(const struct app *app, int64_t now)
{
  return app->token_refused && !has_token(app, now);
}

void app_shift_gate(struct app *app, int64_t by_ms)
{
  if (app->gate_until_ms == 0)
    return;
  app->gate_until_ms += by_ms;
  if (app->service->setup.store != NULL)
    store_set_gate(app->service->setup.store, app->key, app->gate_until_ms);
}

void app_clock_stepped(struct app *app, int64_t by_ms)
{
  int64_t *const moments[] = {&app->probe_ms,         &app->auth_until_ms,    &app->token_next_try_ms,
                              &app->token.expires_ms, &app->token.refresh_ms, &app->outage_since_ms,
                              &app->trouble_logged_ms};
  sched_budget_shift(&app->presence, by_ms);
  app->budget_unwritten = true;
  app->budget_written_ms = 0;
  sched_budget_shift(&app->lookups, by_ms);
  for (size_t i = 0; i < COUNT_OF(moments); i++)
    *moments[i] += *moments[i] == 0 ? 0 : by_ms;
  app_shift_gate(app, by_ms);
}
