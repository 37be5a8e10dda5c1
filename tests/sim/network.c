/* The way to the tenants and back. A request arrives after a while, or never; so does its answer. A client that has
 * given up has closed its connection: what had not arrived by then never does. */
#include "base/buf.h"
#include "base/str.h"
#include "sim.h"

#include <string.h>
#include <time.h>

struct exchange {
  struct happening next;
  struct list_node link; /* of sim->exchanges */
  struct sim_tenant *tenant;
  bool is_token;
  int token; /* how many the daemon had got by then */
  /* the request */
  char method[8], client_request_id[64];
  char *path, *query, *body, *authorization;
  size_t body_length;
  service_on_reply *on_reply; /* NULL: nobody waits any more */
  void *context;
  /* its fate */
  int64_t arrives_ms, back_ms, times_out_ms; /* steady; CLOCK_NEVER */
  bool lost_reply, sent;
  bool served;
  struct visit visit; /* once it is served */
};

static void exchange_free(struct exchange *exchange)
{
  if (exchange->served) {
    tenant_answered(&exchange->tenant->tenant, &exchange->visit);
    visit_release(&exchange->visit);
  }
  heap_remove(&exchange->tenant->sim->queue, &exchange->next.due);
  exchange->tenant->token_requests -= exchange->is_token && exchange->on_reply != NULL;
  list_remove(&exchange->link);
  free(exchange->path);
  free(exchange->query);
  free(exchange->body);
  free(exchange->authorization);
  free(exchange);
}

static const char *header_of(const struct visit *visit, const char *name)
{
  for (size_t i = 0; i < visit->header_count; i++)
    if (str_equal_fold(visit->headers[i].name, name))
      return visit->headers[i].value;
  return "";
}

/* An IMF-fixdate (RFC 9110 5.6.7), as every server sends it. */
static const char *http_date(int64_t ms, char to[40])
{
  time_t seconds = (time_t)(ms / 1000);
  struct tm parts;
  must(gmtime_r(&seconds, &parts) != NULL);
  must(strftime(to, 40, "%a, %d %b %Y %H:%M:%S GMT", &parts) > 0);
  return to;
}

/* Gives the client its answer, if it still waits for one. */
static void answer(struct sim *sim, struct exchange *exchange, bool answered)
{
  service_on_reply *on_reply = exchange->on_reply;
  const struct visit *visit = &exchange->visit;
  char date[40];
  struct graph_reply reply = {
      .sent = exchange->sent,
      .failure = "no answer",
      .body = "",
      .retry_after = "",
      .date = "",
      .request_id = "",
      .content_type = "",
      .diagnostic = ""};
  if (answered) {
    reply.status = visit->status;
    reply.body = buf_text(&visit->body);
    reply.body_length = visit->body.length;
    reply.retry_after = sim->options.plant == PLANT_RETRY_AFTER ? "" : header_of(visit, "Retry-After");
    reply.date = http_date(visit->now, date);
    reply.request_id = visit->request_id;
    reply.content_type = header_of(visit, "Content-Type");
  }
  if (on_reply == NULL)
    return;
  if (answered) {
    struct values values = {0};
    struct part parts[PARTS_MAX];
    size_t count = parts_of(sim, exchange->path, exchange->body, visit, &values, parts);
    pace_reply(sim, exchange->tenant, visit, exchange->is_token, exchange->token, exchange->path, parts, count);
    check_reply(sim, exchange->tenant, visit, exchange->is_token, exchange->path, exchange->body, parts, count);
    values_release(&values);
  }
  sim_say(sim, "  answer %s: %d", exchange->client_request_id, reply.status);
  exchange->tenant->token_requests -= exchange->is_token;
  exchange->on_reply = NULL;
  if (exchange->served) /* Graph has let go of it before the client can send another */
    tenant_answered(&exchange->tenant->tenant, &exchange->visit);
  on_reply(exchange->context, &reply);
}

static void on_back(struct sim *sim, struct happening *happening)
{
  struct exchange *exchange = LIST_ENTRY(happening, struct exchange, next);
  bool answered = exchange->served && exchange->visit.fate == FATE_ANSWER && !exchange->lost_reply &&
                  sim->steady_ms < exchange->times_out_ms;
  answer(sim, exchange, answered);
  exchange_free(exchange);
}

static void on_arrival(struct sim *sim, struct happening *happening)
{
  struct exchange *exchange = LIST_ENTRY(happening, struct exchange, next);
  struct tenant_call call = {
      .method = exchange->method,
      .path = exchange->path,
      .query = exchange->query,
      .body = exchange->body,
      .body_length = exchange->body_length,
      .authorization = exchange->authorization,
      .content_type = exchange->is_token ? "application/x-www-form-urlencoded" : "application/json",
      .client_request_id = exchange->client_request_id};
  struct visit *visit = &exchange->visit;
  tenant_serve(&exchange->tenant->tenant, &call, sim_true_now(sim), visit);
  visit->call = NULL;
  exchange->served = true;
  int64_t back_ms = exchange->back_ms + visit->delay_ms;
  if (visit->fate == FATE_HANG)
    back_ms = CLOCK_NEVER;
  happening->happen = on_back;
  sim_at(sim, happening, back_ms < exchange->times_out_ms ? back_ms : exchange->times_out_ms);
}

/* "https://host/path?query" */
static void split(struct exchange *exchange, struct sim *sim, const char *url)
{
  for (size_t i = 0; i < SIM_TENANTS; i++)
    if (str_starts(url, sim->tenants[i].host))
      exchange->tenant = &sim->tenants[i];
  must(exchange->tenant != NULL);
  const char *path = url + strlen(exchange->tenant->host), *query = strchr(path, '?');
  exchange->path = must_strdup(path);
  exchange->query = must_strdup(query == NULL ? "" : query + 1);
  if (query != NULL)
    exchange->path[query - path] = '\0';
}

static bool is_of_the_first(struct sim *sim, const struct exchange *exchange)
{
  const struct person *person = directory_by_upn(sim->tenants[0].tenant.directory, sim_name(1));
  return person != NULL && (strstr(exchange->path, person->id) != NULL || strstr(exchange->body, person->id) != NULL);
}

static void decide_fate(struct sim *sim, struct exchange *exchange)
{
  struct sim_tenant *tenant = exchange->tenant;
  exchange->times_out_ms = sim->steady_ms + sim->config.request_timeout_ms;
  exchange->arrives_ms = sim->steady_ms + 1 + sim_roll(sim, (uint32_t)tenant->latency_ms);
  exchange->back_ms = exchange->arrives_ms + 1 + sim_roll(sim, (uint32_t)tenant->latency_ms);
  exchange->sent = true;
  if (tenant->down || (sim->options.plant == PLANT_STARVED && sim->rushes && is_of_the_first(sim, exchange))) {
    exchange->sent = sim_chance(sim, 0.3);
    exchange->arrives_ms = CLOCK_NEVER;
    exchange->back_ms = exchange->sent ? exchange->times_out_ms : sim->steady_ms + 1 + sim_roll(sim, 3000);
  } else if (sim_chance(sim, tenant->loses_request)) {
    exchange->arrives_ms = CLOCK_NEVER;
    exchange->back_ms = sim_chance(sim, 0.5) ? exchange->times_out_ms : exchange->back_ms;
  } else {
    exchange->lost_reply = sim_chance(sim, tenant->loses_reply);
  }
  if (exchange->arrives_ms >= exchange->times_out_ms)
    exchange->arrives_ms = CLOCK_NEVER;
  if (exchange->back_ms > exchange->times_out_ms)
    exchange->back_ms = exchange->times_out_ms;
  bool arrives = exchange->arrives_ms != CLOCK_NEVER;
  exchange->next.happen = arrives ? on_arrival : on_back;
  sim_at(sim, &exchange->next, arrives ? exchange->arrives_ms : exchange->back_ms);
}

static void *port_send(
    void *context, const struct graph_request *request, const struct wiped *bearer, const char *client_request_id,
    bool fresh UNUSED, service_on_reply *on_reply, void *reply_context)
{
  struct sim *sim = context;
  struct exchange *exchange = must_alloc(sizeof *exchange);
  split(exchange, sim, buf_text(&request->url));
  must(str_copy(exchange->method, sizeof exchange->method, request->method));
  must(str_copy(exchange->client_request_id, sizeof exchange->client_request_id, client_request_id));
  exchange->body = must_strdup(buf_text(&request->body));
  exchange->body_length = request->body.length;
  exchange->on_reply = on_reply;
  exchange->context = reply_context;
  exchange->is_token = bearer == NULL;
  exchange->token = exchange->tenant->pace.tokens;
  if (bearer != NULL) {
    struct buf authorization;
    buf_init(&authorization, 8192);
    buf_addf(&authorization, "Bearer %s", wiped_text(bearer));
    exchange->authorization = must_strdup(buf_text(&authorization));
    buf_release(&authorization);
  }
  list_add_tail(&sim->exchanges, &exchange->link);
  exchange->tenant->token_requests += exchange->is_token;
  sim->requests++;
  sim_say(
      sim, "  %s %s%s %s", exchange->method, exchange->tenant->host, exchange->path,
      exchange->is_token ? "" : exchange->body);
  check_sent(sim, exchange->tenant, exchange->is_token, exchange->path, exchange->body);
  decide_fate(sim, exchange);
  return exchange;
}

static void port_cancel(void *context UNUSED, void *exchange)
{
  struct exchange *cancelled = exchange;
  cancelled->tenant->token_requests -= cancelled->is_token && cancelled->on_reply != NULL;
  cancelled->on_reply = NULL;
}

void network_ports(struct sim *sim, struct ports *ret_ports)
{
  *ret_ports = (struct ports){.context = sim, .send = port_send, .cancel = port_cancel};
}

/* Half of what is on its way is in the network already, and arrives now; the rest never does. */
void network_cut(struct sim *sim)
{
  while (!list_empty(&sim->exchanges)) {
    struct exchange *exchange = LIST_ENTRY(list_first(&sim->exchanges), struct exchange, link);
    if (!exchange->served && exchange->arrives_ms != CLOCK_NEVER && sim_chance(sim, 0.5)) {
      heap_remove(&sim->queue, &exchange->next.due);
      on_arrival(sim, &exchange->next);
    }
    exchange_free(exchange);
  }
}
