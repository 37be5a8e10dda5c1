/* The way of a request: submitted, it waits; prepared, it is outgoing and counts against the budget; after the turn's
 * commit it flies, alone or with others as a $batch; answered, it is told to its sender.
 *
 * The commit lies between prepare and send, because what may have been sent has to be written down before it is: a
 * crash must not forget that Graph may have it. Agents' requests go first; asides, from scripts and commands, wait
 * behind them. Lookups leave half of the connections to presence: a thousand new names must not let one Available fade.
 *
 * A request that sits in a list is ours. It leaves the list only to be freed, after on_done, or to go into the next. */
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "registration/internal.h"

#include <string.h>

/* So many requests at once still go one by one, which answers each a little sooner. */
#define FEW 3

struct request {
  struct list_node link; /* in waiting, asides or outgoing, or in a parcel */
  struct graph_operation operation;
  char *message, *ids; /* the operation's texts, ours */
  registration_on_done *on_done;
  void *context;
  bool owns_context, once, about_user; /* see struct submission */
  bool retried;                        /* after a 401 */
  uint64_t token_serial;
  char client_request_id[STR_GUID_SIZE];
};

/* What goes over one connection at once: one request, or several as a $batch. */
struct parcel {
  struct list_node link; /* in flying */
  struct registration *registration;
  struct list_node requests; /* in the order of their numbers */
  size_t count;
  bool is_batch;
  void *exchange;
};

/* Of what never reached Graph. */
static const struct graph_reply no_reply = {
    .failure = "", .body = "", .retry_after = "", .date = "", .request_id = "", .content_type = "", .diagnostic = ""};

enum graph_operation_kind request_kind(const struct request *request)
{
  return request->operation.kind;
}

uint64_t request_token_serial(const struct request *request)
{
  return request->token_serial;
}

bool request_is_about_user(const struct request *request)
{
  return request->about_user;
}

static struct request *first_of(struct list_node *requests)
{
  return LIST_ENTRY(list_first(requests), struct request, link);
}

/* ---- life */

void traffic_init(struct registration *registration, bool batches)
{
  struct traffic *traffic = &registration->traffic;
  struct list_node *lists[] = {
      &traffic->waiting, &traffic->waiting_lookups, &traffic->asides, &traffic->outgoing, &traffic->flying};
  for (size_t i = 0; i < COUNT_OF(lists); i++)
    list_init(lists[i]);
  traffic->batches = batches;
}

void traffic_set_batches(struct registration *registration, bool batches)
{
  registration->traffic.batches = batches;
}

void traffic_count(struct registration *registration, enum graph_operation_kind kind, const struct outcome *outcome)
{
  registration->traffic.answered[kind][outcome->kind]++;
  if (outcome->status == 503) /* it may come from a front end that the next connection does not meet */
    registration->traffic.fresh_connection = true;
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
    request_free(first_of(requests));
}

static void parcel_free(struct parcel *parcel)
{
  list_remove(&parcel->link);
  drop_all(&parcel->requests);
  free(parcel);
}

void traffic_release(struct registration *registration)
{
  struct traffic *traffic = &registration->traffic;
  const struct ports *ports = registration->parts.ports;
  drop_all(&traffic->waiting);
  drop_all(&traffic->waiting_lookups);
  drop_all(&traffic->asides);
  drop_all(&traffic->outgoing);
  while (!list_empty(&traffic->flying)) {
    struct parcel *parcel = LIST_ENTRY(list_first(&traffic->flying), struct parcel, link);
    ports->cancel(ports->context, parcel->exchange);
    parcel_free(parcel);
  }
}

/* ---- submitting */

static struct list_node *waiting_list(struct registration *registration, enum graph_operation_kind kind)
{
  bool lookup = graph_operation_row(kind)->budget == GRAPH_BUDGET_LOOKUPS;
  return lookup ? &registration->traffic.waiting_lookups : &registration->traffic.waiting;
}

void registration_submit(struct registration *registration, const struct submission *submission)
{
  const struct graph_operation *operation = submission->operation;
  struct request *request = must_alloc(sizeof *request);
  request->operation = *operation;
  request->message = operation->message == NULL ? NULL : must_strdup(operation->message);
  request->operation.message = request->message;
  request->ids = operation->ids == NULL ? NULL : must_strdup(operation->ids);
  request->operation.ids = request->ids;
  request->on_done = submission->on_done;
  request->context = submission->context;
  request->owns_context = submission->owns_context;
  request->once = submission->once;
  request->about_user = submission->about_user;
  list_add_tail(
      submission->aside ? &registration->traffic.asides : waiting_list(registration, operation->kind), &request->link);
}

static void visit_list(
    struct list_node *requests, registration_on_done *on_done, void (*visit)(void *context, void *of_request),
    void *context)
{
  for (struct list_node *node = requests->next; node != requests; node = node->next) {
    struct request *request = LIST_ENTRY(node, struct request, link);
    if (request->on_done == on_done)
      visit(context, request->context);
  }
}

void registration_visit(
    struct registration *registration, registration_on_done *on_done, void (*visit)(void *context, void *of_request),
    void *context)
{
  struct traffic *traffic = &registration->traffic;
  struct list_node *lists[] = {&traffic->waiting, &traffic->waiting_lookups, &traffic->asides, &traffic->outgoing};
  for (size_t i = 0; i < COUNT_OF(lists); i++)
    visit_list(lists[i], on_done, visit, context);
  for (struct list_node *node = traffic->flying.next; node != &traffic->flying; node = node->next)
    visit_list(&LIST_ENTRY(node, struct parcel, link)->requests, on_done, visit, context);
}

static void answer_asides(struct list_node *requests)
{
  struct outcome outcome = {.kind = OUTCOME_REFUSED, .retry_after_ms = -1};
  str_cut(outcome.detail, sizeof outcome.detail, "config.xml has no such account any more");
  for (struct list_node *node = requests->next; node != requests; node = node->next) {
    const struct request *request = LIST_ENTRY(node, struct request, link);
    /* What the engine asked has been given up by now, and its contexts are the request's. */
    if (!request->owns_context)
      request->on_done(request->context, &outcome, &no_reply);
  }
}

void traffic_answer_asides(struct registration *registration)
{
  struct traffic *traffic = &registration->traffic;
  answer_asides(&traffic->asides);
  answer_asides(&traffic->outgoing);
  for (struct list_node *node = traffic->flying.next; node != &traffic->flying; node = node->next)
    answer_asides(&LIST_ENTRY(node, struct parcel, link)->requests);
  answer_asides(&traffic->waiting); /* an aside that waits for its second try after a 401 */
  answer_asides(&traffic->waiting_lookups);
}

/* ---- going out */

/* While the token is in doubt, one request at a time is enough to find out. */
static size_t connections_of(const struct registration *registration)
{
  return registration->token.suspect ? 1 : registration->outage.window;
}

/* How many of what waits to go out fit into one parcel. */
static size_t parcel_room(const struct registration *registration)
{
  return registration->traffic.batches && !registration->token.suspect ? GRAPH_BATCH_MAX : 1;
}

static bool has_room(const struct registration *registration, enum graph_operation_kind kind)
{
  const struct traffic *traffic = &registration->traffic;
  size_t most = connections_of(registration), room = parcel_room(registration);
  size_t needed = traffic->parcels + (traffic->outgoing_count + room) / room; /* with one more */
  bool lookup = graph_operation_row(kind)->budget == GRAPH_BUDGET_LOOKUPS;
  return needed <= most && (!lookup || traffic->lookups_in_flight < (most + 1) / 2 * room);
}

static int64_t closed_until(const struct registration *registration)
{
  return clock_later(registration->gate.until_ms, registration->token.closed_until_ms);
}

bool registration_open(const struct registration *registration, enum graph_operation_kind kind, int64_t now)
{
  return token_holds(registration, now) && now >= closed_until(registration) && has_room(registration, kind) &&
         now >= budgets_next(registration, kind, now);
}

static void go_out(struct registration *registration, struct request *request, int64_t now)
{
  struct traffic *traffic = &registration->traffic;
  enum graph_operation_kind kind = request->operation.kind;
  list_remove(&request->link);
  list_add_tail(&traffic->outgoing, &request->link);
  traffic->outgoing_count++;
  traffic->in_flight++;
  traffic->lookups_in_flight += graph_operation_row(kind)->budget == GRAPH_BUDGET_LOOKUPS;
  budgets_use(registration, kind, now);
}

void registration_prepare(struct registration *registration, int64_t now)
{
  struct list_node *lists[] = {&registration->traffic.waiting, &registration->traffic.waiting_lookups};
  token_renew(registration, now);
  for (size_t i = 0; i < COUNT_OF(lists); i++)
    while (!list_empty(lists[i])) {
      struct request *request = first_of(lists[i]);
      if (!registration_open(registration, request->operation.kind, now))
        break;
      go_out(registration, request, now);
    }
}

void registration_prepare_asides(struct registration *registration, int64_t now)
{
  while (!list_empty(&registration->traffic.asides)) {
    struct request *request = first_of(&registration->traffic.asides);
    enum graph_operation_kind kind = request->operation.kind;
    if (!registration_open(registration, kind, now) || !budgets_share(registration, kind, now))
      break;
    go_out(registration, request, now);
  }
}

/* ---- answers */

static void leave_flight(struct registration *registration, struct request *request, bool arrived, int64_t now)
{
  enum graph_operation_kind kind = request->operation.kind;
  list_remove(&request->link);
  registration->traffic.in_flight--;
  registration->traffic.lookups_in_flight -= graph_operation_row(kind)->budget == GRAPH_BUDGET_LOOKUPS;
  budgets_done(registration, kind, arrived, now);
}

static void take_reply(struct registration *registration, struct request *request, const struct graph_reply *reply)
{
  int64_t now = registration_now(registration);
  enum graph_operation_kind kind = request->operation.kind;
  struct outcome outcome;
  graph_classify(registration->parts.json, kind, reply, now, &outcome);
  must(str_copy(outcome.client_request_id, sizeof outcome.client_request_id, request->client_request_id));
  leave_flight(registration, request, reply->status != 0 || reply->sent, now);
  registration_take_outcome(registration, request, &outcome, now);
  log_debug(
      "account %s: %s %s: %s %d (request-id %s, client-request-id %s)", registration->label, graph_operation_str(kind),
      request->operation.user, outcome_kind_str(outcome.kind), outcome.status, outcome.request_id,
      request->client_request_id);
  if (outcome_reaction(outcome.kind) == REACT_NEW_TOKEN && !request->once && !request->retried) {
    request->retried = true;
    list_add_tail(waiting_list(registration, kind), &request->link);
    return;
  }
  request->on_done(request->context, &outcome, reply);
  request_free(request);
}

static void on_part(void *context, size_t number UNUSED, const struct graph_reply *reply)
{
  struct parcel *parcel = context;
  take_reply(parcel->registration, first_of(&parcel->requests), reply);
}

/* Whether presence actions are taken in a batch is not documented (FACTS.md, "JSON batching"). Where they are not,
 * everything goes out by itself from now on. */
static bool is_refused_as_batch(const struct graph_reply *reply)
{
  return reply->status == 400 || reply->status == 404 || reply->status == 405 || reply->status == 413 ||
         reply->status == 415 || reply->status == 501;
}

/* Nothing of it was done. What may be sent again unchanged waits again; of the rest the senders decide anew, because by
 * the time it could go out something else may be wanted. */
static void give_back(
    struct registration *registration, struct request *request, bool arrived, const struct graph_reply *reply,
    int64_t now)
{
  leave_flight(registration, request, arrived, now);
  if (!request->once) {
    list_add_tail(waiting_list(registration, request->operation.kind), &request->link);
    return;
  }
  struct outcome outcome = {.kind = OUTCOME_THROTTLED, .status = reply->status, .retry_after_ms = -1};
  request->on_done(request->context, &outcome, reply);
  request_free(request);
}

static void unpack(struct parcel *parcel, const struct graph_reply *reply)
{
  struct registration *registration = parcel->registration;
  int64_t now = registration_now(registration);
  while (!list_empty(&parcel->requests))
    give_back(registration, first_of(&parcel->requests), true, reply, now);
}

static void on_reply(void *context, const struct graph_reply *reply)
{
  struct parcel *parcel = context;
  struct registration *registration = parcel->registration;
  registration->parts.notice_clock(registration->parts.context);
  list_remove(&parcel->link);
  registration->traffic.parcels--;
  outage_next_exchange(registration);
  bool apart = parcel->is_batch && graph_split_batch(registration->parts.json, reply, parcel->count, on_part, parcel);
  if (!apart && parcel->is_batch && is_refused_as_batch(reply)) {
    log_warn("account %s: Graph refuses a $batch (%d); requests go out one by one", registration->label, reply->status);
    registration->traffic.batches = false;
    unpack(parcel, reply);
  }
  while (!list_empty(&parcel->requests))
    take_reply(registration, first_of(&parcel->requests), reply);
  parcel_free(parcel);
}

/* ---- sending */

/* What cannot be put into a request is refused, as Graph would. */
static void refuse(struct registration *registration, struct request *request, const struct err *err)
{
  struct outcome outcome = {.kind = OUTCOME_REFUSED, .retry_after_ms = -1};
  str_cut(outcome.detail, sizeof outcome.detail, err->text);
  leave_flight(registration, request, false, registration_now(registration));
  request->on_done(request->context, &outcome, &no_reply);
  request_free(request);
}

/* Takes requests out of `outgoing` until the parcel holds `most`, and puts them together. */
static void pack(
    struct registration *registration, struct parcel *parcel, size_t most, struct graph_request *ret_request)
{
  struct traffic *traffic = &registration->traffic;
  struct graph_batch batch;
  graph_batch_begin(&batch);
  while (parcel->count < most && !list_empty(&traffic->outgoing)) {
    struct request *request = first_of(&traffic->outgoing);
    struct err err = ERR_INIT;
    struct graph_request encoded;
    traffic->outgoing_count--;
    if (!graph_encode(&registration->endpoint, &request->operation, &encoded, &err)) {
      refuse(registration, request, &err);
      continue;
    }
    request->token_serial = registration->token.serial;
    traffic->requests[request->operation.kind]++;
    list_remove(&request->link);
    list_add_tail(&parcel->requests, &request->link);
    parcel->count++;
    if (most == 1) {
      *ret_request = encoded;
      continue;
    }
    graph_batch_add(&batch, &registration->endpoint, &encoded);
    graph_request_release(&encoded);
  }
  if (most > 1)
    graph_batch_end(&batch, &registration->endpoint, ret_request);
  else
    buf_release(&batch.body);
}

static void send_parcel(struct registration *registration, size_t most)
{
  const struct ports *ports = registration->parts.ports;
  struct traffic *traffic = &registration->traffic;
  struct parcel *parcel = must_alloc(sizeof *parcel);
  struct graph_request request = {0};
  char client_request_id[STR_GUID_SIZE];
  parcel->registration = registration;
  parcel->is_batch = most > 1;
  list_init(&parcel->requests);
  pack(registration, parcel, most, &request);
  if (parcel->count == 0) { /* none could be encoded */
    graph_request_release(&request);
    parcel_free(parcel);
    return;
  }
  ports_guid(ports, client_request_id);
  for (struct list_node *node = parcel->requests.next; node != &parcel->requests; node = node->next)
    must(str_copy(LIST_ENTRY(node, struct request, link)->client_request_id, STR_GUID_SIZE, client_request_id));
  list_add_tail(&traffic->flying, &parcel->link);
  traffic->parcels++;
  parcel->exchange = ports->send(
      ports->context, &request, &registration->token.token.bearer, client_request_id, traffic->fresh_connection,
      on_reply, parcel);
  traffic->fresh_connection = false;
  graph_request_release(&request);
}

/* A commit may take its time, and what a reply meanwhile has said of token or gate counts for what waits for it too. */
static void take_back(struct registration *registration, int64_t now)
{
  struct traffic *traffic = &registration->traffic;
  while (!list_empty(&traffic->outgoing)) {
    traffic->outgoing_count--;
    give_back(registration, first_of(&traffic->outgoing), false, &no_reply, now);
  }
}

void registration_send(struct registration *registration)
{
  const struct traffic *traffic = &registration->traffic;
  int64_t now = registration_now(registration);
  if (!token_holds(registration, now) || now < closed_until(registration))
    take_back(registration, now);
  while (!list_empty(&traffic->outgoing)) {
    bool few =
        traffic->outgoing_count <= FEW && traffic->parcels + traffic->outgoing_count <= connections_of(registration);
    bool alone = parcel_room(registration) == 1 || few || traffic->outgoing_count == 1;
    send_parcel(registration, alone ? 1 : GRAPH_BATCH_MAX);
  }
}

/* ---- the next moment */

/* While the share is used up, looking once a second is often enough. */
static int64_t next_aside(const struct registration *registration, int64_t now)
{
  const struct list_node *asides = &registration->traffic.asides;
  if (list_empty(asides))
    return CLOCK_NEVER;
  enum graph_operation_kind kind = LIST_ENTRY(asides->next, struct request, link)->operation.kind;
  if (!has_room(registration, kind))
    return CLOCK_NEVER; /* the reply that makes room wakes us */
  int64_t next = clock_later(closed_until(registration), budgets_next(registration, kind, now));
  return budgets_share(registration, kind, now) || next == CLOCK_NEVER ? next : clock_later(next, now + CLOCK_SECOND);
}

/* Without a token, the reply to the token request is what wakes us; with the connections full, any reply. */
int64_t traffic_next(const struct registration *registration, bool ready, int64_t now)
{
  const struct traffic *traffic = &registration->traffic;
  if (!token_holds(registration, now))
    return CLOCK_NEVER;
  int64_t open = closed_until(registration), next = next_aside(registration, now);
  if (!list_empty(&traffic->waiting_lookups) && has_room(registration, GRAPH_LOOKUP))
    next = clock_earlier(next, clock_later(open, budgets_next(registration, GRAPH_LOOKUP, now)));
  if ((ready || !list_empty(&traffic->waiting)) && has_room(registration, GRAPH_SET_PRESENCE))
    next = clock_earlier(next, clock_later(open, budgets_next(registration, GRAPH_SET_PRESENCE, now)));
  return next;
}
