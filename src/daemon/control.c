/* Requests that change something are held until their turn is durable: then the reply goes out as it was made; where
 * the commit failed, a refusal with the cause goes out instead. */
#include "daemon/control.h"
#include "adapters/http_server.h"
#include "base/clock.h"
#include "base/list.h"

#include <unistd.h>

enum { MAX_HEADER = 8 * 1024, MAX_BODY = 64 * 1024 };
#define SERVER_TIMEOUT_MS (10 * CLOCK_SECOND)

struct control {
  struct loop *loop;
  struct http_server *server;
  struct routes *routes;
  struct acks *acks;
  uid_t uid;
  struct list_node held; /* of struct held */
};

struct held {
  struct list_node link;
  struct control *control;
  void *ack;
  struct http_call *call;
  struct api_reply reply;
};

static void send_answer(struct http_call *call, struct api_reply *reply)
{
  const char *headers[] = {"Content-Type", reply->content_type, NULL};
  http_call_answer(call, reply->status, headers, buf_text(&reply->body), reply->body.length);
  buf_release(&reply->body);
}

static void on_settled(void *context, bool durable)
{
  struct held *held = context;
  if (!durable)
    routes_refuse(held->control->routes, &held->reply);
  send_answer(held->call, &held->reply);
  list_remove(&held->link);
  free(held);
}

static void on_request(void *context, const struct http_server_request *http)
{
  struct control *control = context;
  struct api_request request = {http->method, http->path, http->query, http->body, http->body_length};
  struct api_reply reply;
  if (!routes_answer(control->routes, API_ALL_RIGHTS, &request, &reply)) {
    send_answer(http->call, &reply);
    return;
  }
  struct held *held = must_alloc(sizeof *held);
  *held = (struct held){.control = control, .call = http->call, .reply = reply};
  list_add_tail(&control->held, &held->link);
  held->ack = acks_add(control->acks, on_settled, held);
  loop_again(control->loop); /* for the commit */
}

struct control *control_open(
    struct loop *loop, const char *path, struct routes *routes, struct acks *acks, struct err *err)
{
  struct control *control = must_alloc(sizeof *control);
  control->loop = loop;
  control->routes = routes;
  control->acks = acks;
  control->uid = geteuid();
  list_init(&control->held);
  struct http_server_options options = {
      .max_header = MAX_HEADER, .max_body = MAX_BODY, .timeout_ms = SERVER_TIMEOUT_MS, .only_uid = &control->uid};
  control->server = http_server_new(loop, &options, on_request, control);
  if (http_server_listen_unix(control->server, path, 0600, err))
    return control;
  control_close(control);
  return NULL;
}

void control_close(struct control *control)
{
  if (control == NULL)
    return;
  while (!list_empty(&control->held)) { /* its call goes with the server */
    struct held *held = LIST_ENTRY(list_first(&control->held), struct held, link);
    (void)acks_cancel(control->acks, held->ack);
    buf_release(&held->reply.body);
    list_remove(&held->link);
    free(held);
  }
  http_server_free(control->server);
  free(control);
}
