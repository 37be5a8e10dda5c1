/* struct ports over libcurl, libevent, the system's clocks and OpenSSL's randomness. A delivery stands between
 * libcurl's exchange and the sender's: it puts the reply into Graph's words and is gone before the sender is called,
 * who may send the next request from there. */
#include "host/transport.h"
#include "adapters/crypto.h"
#include "adapters/http_client.h"
#include "base/clock.h"

#include <stdio.h>

#define CONNECT_TIMEOUT_MS (10 * CLOCK_SECOND)
enum { REPLY_MAX = 1024 * 1024 }; /* bytes; Graph's answers to us are a few hundred */

struct transport {
  struct loop *loop;
  struct http_client *client;
  struct loop_timer *timer;
};

/* What a sender knows as its exchange. */
struct delivery {
  struct http_exchange *exchange;
  ports_on_reply *on_reply;
  void *context;
};

static void on_reply(void *context, const struct http_reply *http)
{
  struct delivery delivery = *(struct delivery *)context;
  free(context);
  struct graph_reply reply = {
      .status = http->status,
      .sent = http->sent,
      .failure = http->failure,
      .body = http->body,
      .body_length = http->body_length,
      .retry_after = http->retry_after,
      .date = http->date,
      .request_id = http->request_id,
      .content_type = http->content_type,
      .diagnostic = http->diagnostic};
  delivery.on_reply(delivery.context, &reply);
}

static void *port_send(
    void *context, const struct graph_request *request, const struct wiped *bearer, const char *client_request_id,
    bool fresh_connection, ports_on_reply *reply, void *reply_context)
{
  struct transport *transport = context;
  char id[64];
  snprintf(id, sizeof id, "client-request-id: %s", client_request_id);
  bool form = bearer == NULL;
  const char *headers[] = {
      form ? "Content-Type: application/x-www-form-urlencoded" : "Content-Type: application/json",
      "Accept: application/json", id, NULL};
  const char *without_body[] = {"Accept: application/json", id, NULL};
  bool body = request->body.length > 0;
  struct delivery *delivery = must_alloc(sizeof *delivery);
  struct http_request http = {
      .method = request->method,
      .url = buf_text(&request->url),
      .headers = body ? headers : without_body,
      .bearer = bearer,
      .body = body ? buf_text(&request->body) : NULL,
      .body_length = request->body.length,
      .fresh_connection = fresh_connection};
  *delivery = (struct delivery){http_client_send(transport->client, &http, on_reply, delivery), reply, reply_context};
  return delivery;
}

static void port_cancel(void *context UNUSED, void *exchange)
{
  struct delivery *delivery = exchange;
  http_client_cancel(delivery->exchange);
  free(delivery);
}

static void port_wake_at(void *context, int64_t at_ms)
{
  struct transport *transport = context;
  loop_timer_at(transport->timer, at_ms);
}

static int64_t port_now(void *context UNUSED)
{
  return clock_now_ms();
}

static int64_t port_steady(void *context UNUSED)
{
  return clock_steady_ms();
}

static int64_t port_stopwatch(void *context UNUSED)
{
  return clock_steady_us();
}

static void port_random(void *context UNUSED, void *bytes, size_t length)
{
  crypto_random(bytes, length);
}

/* Waking is all: every turn of the loop ends in a turn of its owner. */
static void on_wake(void *context UNUSED)
{
}

static int connections_of(const struct config *config)
{
  return config->connections * (int)config->account_count + (int)config->account_count; /* and tokens */
}

static int64_t connect_timeout_of(const struct config *config)
{
  return config->request_timeout_ms < CONNECT_TIMEOUT_MS ? config->request_timeout_ms : CONNECT_TIMEOUT_MS;
}

struct transport *transport_new(struct loop *loop, const struct config *config, struct err *err)
{
  struct transport *transport = must_alloc(sizeof *transport);
  struct http_client_options options = {
      .ca_file = config->ca_file,
      .proxy = config->proxy,
      .user_agent = "presenced/" PRESENCED_VERSION,
      .connections = connections_of(config),
      .reply_max = REPLY_MAX,
      .connect_timeout_ms = connect_timeout_of(config),
      .timeout_ms = config->request_timeout_ms};
  transport->loop = loop;
  transport->client = http_client_new(loop, &options, err);
  transport->timer = loop_timer_new(loop, on_wake, transport);
  if (transport->client != NULL)
    return transport;
  transport_free(transport);
  return NULL;
}

void transport_configure(struct transport *transport, const struct config *config)
{
  http_client_set_limits(
      transport->client, connections_of(config), connect_timeout_of(config), config->request_timeout_ms);
}

void transport_free(struct transport *transport)
{
  if (transport == NULL)
    return;
  http_client_free(transport->client);
  loop_timer_free(transport->timer);
  free(transport);
}

struct ports transport_ports(struct transport *transport)
{
  return (struct ports){
      .context = transport,
      .send = port_send,
      .cancel = port_cancel,
      .wake_at = port_wake_at,
      .now = port_now,
      .random = port_random,
      .steady = port_steady,
      .stopwatch = port_stopwatch};
}
