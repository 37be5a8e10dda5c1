/* Exchanges on their way. Each is one piece of memory with the texts that were sent behind it; what a tenant answers is
 * much larger, and lies in one of a few places that are used again. */
#include "world/network.h"

#include "base/must.h"
#include "base/str.h"
#include "world/graph.h"

#include <stdlib.h>
#include <string.h>

struct served {
  struct list_node link; /* of network->spare */
  struct visit visit;
};

void network_init(struct network *network, struct world_clock *clock)
{
  *network = (struct network){.clock = clock};
  list_init(&network->exchanges);
  list_init(&network->spare);
}

void network_release(struct network *network)
{
  network_cut(network);
  while (!list_empty(&network->spare)) {
    struct served *served = LIST_ENTRY(list_first(&network->spare), struct served, link);
    list_remove(&served->link);
    free(served);
  }
}

static struct served *served_new(struct network *network)
{
  if (list_empty(&network->spare))
    return must_alloc(sizeof(struct served));
  struct served *served = LIST_ENTRY(list_first(&network->spare), struct served, link);
  list_remove(&served->link);
  return served;
}

static void let_go(struct exchange *exchange)
{
  if (!exchange->open)
    return;
  exchange->open = false;
  if (exchange->network->watcher.on_over != NULL)
    exchange->network->watcher.on_over(exchange->network->watcher.context, exchange);
}

void network_drop(struct exchange *exchange)
{
  struct network *network = exchange->network;
  if (exchange->served != NULL) {
    tenant_answered(exchange->tenant, &exchange->served->visit);
    visit_release(&exchange->served->visit);
    list_add_tail(&network->spare, &exchange->served->link);
  }
  world_clock_forget(network->clock, &exchange->next);
  let_go(exchange);
  list_remove(&exchange->link);
  free(exchange->line);
  free(exchange);
}

void network_cut(struct network *network)
{
  while (!list_empty(&network->exchanges))
    network_drop(LIST_ENTRY(list_first(&network->exchanges), struct exchange, link));
}

/* ---- the answer */

static void hand_over(struct exchange *exchange, const struct visit *visit, struct graph_reply *reply)
{
  struct network *network = exchange->network;
  if (!exchange->open)
    return;
  if (network->watcher.on_answer != NULL)
    network->watcher.on_answer(network->watcher.context, exchange, visit, reply);
  let_go(exchange);
  if (exchange->served != NULL) /* Graph has let go of it before the client can send another */
    tenant_answered(exchange->tenant, &exchange->served->visit);
  network->replies++;
  exchange->on_reply(exchange->context, reply);
}

static void end(struct exchange *exchange)
{
  if (!exchange->network->keeps)
    network_drop(exchange);
}

void network_answer(struct exchange *exchange, struct graph_reply *reply)
{
  must(exchange->open);
  hand_over(exchange, NULL, reply);
  end(exchange);
}

static void on_back(void *context UNUSED, struct happening *happening)
{
  struct exchange *exchange = LIST_ENTRY(happening, struct exchange, next);
  const struct visit *visit = exchange->served == NULL ? NULL : &exchange->served->visit;
  if (visit != NULL && (visit->fate != FATE_ANSWER || exchange->fate.lost_reply ||
                        exchange->network->clock->steady_ms >= exchange->fate.times_out_ms))
    visit = NULL;
  char date[GRAPH_DATE_SIZE];
  struct graph_reply reply = visit == NULL ? graph_reply_none(!exchange->fate.unsent) : graph_reply_from(visit, date);
  hand_over(exchange, visit, &reply);
  end(exchange);
}

/* ---- the way there */

static void serve(struct exchange *exchange)
{
  struct network *network = exchange->network;
  struct tenant_call call = {
      .method = exchange->method,
      .path = exchange->path,
      .query = exchange->query,
      .body = exchange->body,
      .body_length = exchange->body_length,
      .authorization = exchange->authorization,
      .content_type = exchange->is_token ? "application/x-www-form-urlencoded" : "application/json",
      .client_request_id = exchange->client_request_id};
  struct served *served = served_new(network);
  tenant_serve(exchange->tenant, &call, world_clock_true(network->clock), &served->visit);
  served->visit.call = NULL;
  exchange->served = served;
}

static void on_arrival(void *context UNUSED, struct happening *happening)
{
  struct exchange *exchange = LIST_ENTRY(happening, struct exchange, next);
  const struct network_watcher *watcher = &exchange->network->watcher;
  int64_t back_ms = exchange->fate.back_ms;
  if (watcher->on_arrival == NULL || watcher->on_arrival(watcher->context, exchange)) {
    serve(exchange);
    const struct visit *visit = &exchange->served->visit;
    back_ms = visit->fate == FATE_HANG ? CLOCK_NEVER : back_ms + visit->delay_ms;
  }
  exchange->next.happen = on_back;
  world_clock_at(
      exchange->network->clock, &exchange->next,
      back_ms < exchange->fate.times_out_ms ? back_ms : exchange->fate.times_out_ms);
}

void network_deliver(struct exchange *exchange)
{
  world_clock_forget(exchange->network->clock, &exchange->next);
  on_arrival(NULL, &exchange->next);
}

static void set_out(struct exchange *exchange)
{
  struct exchange_fate *fate = &exchange->fate;
  if (fate->arrives_ms >= fate->times_out_ms)
    fate->arrives_ms = CLOCK_NEVER;
  if (fate->back_ms > fate->times_out_ms)
    fate->back_ms = fate->times_out_ms;
  bool arrives = fate->arrives_ms != CLOCK_NEVER;
  exchange->next.happen = arrives ? on_arrival : on_back;
  world_clock_at(exchange->network->clock, &exchange->next, arrives ? fate->arrives_ms : fate->back_ms);
}

/* Copies the text to *to, and moves that behind it. */
static const char *keep(char **to, const char *text, size_t length)
{
  char *kept = *to;
  memcpy(kept, text, length);
  kept[length] = '\0';
  *to = kept + length + 1;
  return kept;
}

/* Method, URL, path, query, body and authorization, each with its NUL. */
static struct exchange *exchange_new(const struct graph_request *request, const struct wiped *bearer)
{
  static const char scheme[] = "Bearer ";
  const char *url = buf_text(&request->url), *body = buf_text(&request->body);
  const char *path = strchr(url + strlen("https://"), '/');
  must(path != NULL);
  size_t path_length = strcspn(path, "?"), token_length = bearer == NULL ? 0 : bearer->length;
  const char *query = path[path_length] == '\0' ? "" : path + path_length + 1;
  struct exchange *exchange = must_alloc(
      sizeof *exchange + strlen(request->method) + request->url.length + path_length + strlen(query) +
      request->body.length + strlen(scheme) + token_length + 6);
  char *to = exchange->texts;
  exchange->method = keep(&to, request->method, strlen(request->method));
  exchange->url = keep(&to, url, request->url.length);
  exchange->path = keep(&to, path, path_length);
  exchange->query = keep(&to, query, strlen(query));
  exchange->body = keep(&to, body, request->body.length);
  exchange->body_length = request->body.length;
  exchange->is_token = bearer == NULL;
  exchange->bearer = "";
  if (bearer != NULL) {
    exchange->authorization = to;
    memcpy(to, scheme, strlen(scheme));
    to += strlen(scheme);
    exchange->bearer = keep(&to, wiped_text(bearer), token_length);
  }
  return exchange;
}

static struct tenant *tenant_of(const struct network *network, const char *url)
{
  for (size_t i = 0; i < NETWORK_TENANTS_MAX && network->tenants[i] != NULL; i++)
    if (str_starts(url, network->tenants[i]->setup.address))
      return network->tenants[i];
  return NULL;
}

struct exchange *network_send(
    struct network *network, const struct graph_request *request, const struct wiped *bearer,
    const char *client_request_id, ports_on_reply *on_reply, void *reply_context)
{
  struct exchange *exchange = exchange_new(request, bearer);
  must(str_is_guid(client_request_id));
  must(str_copy(exchange->client_request_id, sizeof exchange->client_request_id, client_request_id));
  exchange->network = network;
  exchange->open = true;
  exchange->on_reply = on_reply;
  exchange->context = reply_context;
  exchange->tenant = tenant_of(network, exchange->url);
  int64_t now = network->clock->steady_ms;
  exchange->fate = (struct exchange_fate){
      .arrives_ms = now + network->latency_ms, .back_ms = now + 2 * network->latency_ms, .times_out_ms = CLOCK_NEVER};
  list_add_tail(&network->exchanges, &exchange->link);
  network->requests++;
  if (network->watcher.on_sent != NULL)
    network->watcher.on_sent(network->watcher.context, exchange);
  if (exchange->tenant != NULL)
    set_out(exchange);
  return exchange;
}

void network_cancel(struct exchange *exchange)
{
  let_go(exchange);
}
