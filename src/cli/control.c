#include "cli/control.h"
#include "adapters/http_client.h"
#include "adapters/http_server.h"
#include "api/api.h"
#include "base/clock.h"

#include <string.h>
#include <unistd.h>

enum { MAX_HEADER = 8 * 1024, MAX_BODY = 64 * 1024 };
#define SERVER_TIMEOUT_MS (10 * CLOCK_SECOND)
#define CLIENT_TIMEOUT_MS (60 * CLOCK_SECOND)

struct control {
  struct http_server *server;
  struct service *service;
  uid_t uid;
};

static void answer_status(
    void *context, const struct api_request *request, const char *parameter UNUSED, struct api_reply *reply)
{
  const struct control *control = context;
  struct values values = {0};
  api_answer_json(reply, 200, service_status(control->service, api_query_flag(request, "agents"), &values));
  values_release(&values);
}

static void resync(const struct control *control, const char *name, struct api_reply *reply)
{
  size_t count = 0;
  if (!service_resync(control->service, name, &count)) {
    api_answer_problem(reply, 404, "Not Found", "no such agent; no event has named it yet");
    return;
  }
  struct values values = {0};
  struct value *answer = value_map(&values);
  value_set(&values, answer, "agents", value_number(&values, (double)count));
  api_answer_json(reply, 200, answer);
  values_release(&values);
}

static void answer_resync(
    void *context, const struct api_request *request UNUSED, const char *parameter, struct api_reply *reply)
{
  resync(context, parameter, reply);
}

static void answer_resync_all(
    void *context, const struct api_request *request UNUSED, const char *parameter UNUSED, struct api_reply *reply)
{
  resync(context, NULL, reply);
}

static const struct api_route routes[] = {
    {"GET", "/v1/status", answer_status},
    {"POST", "/v1/agents/{name}/resync", answer_resync},
    {"POST", "/v1/resync", answer_resync_all},
};

static void on_request(void *context, const struct http_server_request *http)
{
  struct api_request request = {http->method, http->path, http->query, http->body, http->body_length};
  struct api_reply reply;
  api_dispatch(routes, COUNT_OF(routes), context, &request, &reply);
  const char *headers[] = {"Content-Type", reply.content_type, NULL};
  http_call_answer(http->call, reply.status, headers, buf_text(&reply.body), reply.body.length);
  buf_release(&reply.body);
}

struct control *control_open(struct loop *loop, const char *path, struct service *service, struct err *err)
{
  struct control *control = must_alloc(sizeof *control);
  control->service = service;
  control->uid = geteuid();
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
  http_server_free(control->server);
  free(control);
}

/* ---- the client's side */

struct question {
  struct loop *loop;
  int status;
  struct buf *body;
  struct err err;
};

static void on_answer(void *context, const struct http_reply *reply)
{
  struct question *question = context;
  question->status = reply->status;
  if (reply->status == 0)
    err_set(&question->err, ERR_NET, "%s", reply->failure);
  else if (!buf_add(question->body, reply->body, reply->body_length))
    err_set(&question->err, ERR_LIMIT, "the answer is too long");
  loop_stop(question->loop);
}

static void on_turn(void *context UNUSED)
{
}

bool control_ask(
    const char *path, const char *method, const char *target, int *ret_status, struct buf *ret_body, struct err *err)
{
  struct loop *loop = loop_new(err);
  if (loop == NULL)
    return false;
  struct http_client_options options = {
      .user_agent = "presenced/" PRESENCED_VERSION,
      .unix_socket = path,
      .connections = 1,
      .connect_timeout_ms = CLIENT_TIMEOUT_MS,
      .timeout_ms = CLIENT_TIMEOUT_MS,
      .reply_max = API_REPLY_MAX};
  struct http_client *client = http_client_new(loop, &options, err);
  struct question question = {.loop = loop, .body = ret_body, .err = ERR_INIT};
  char url[1024];
  snprintf(url, sizeof url, "http://localhost%s", target);
  if (client != NULL) {
    struct http_request request = {.method = method, .url = url};
    http_client_send(client, &request, on_answer, &question);
    loop_run(loop, on_turn, NULL);
    if (question.err.kind != ERR_NONE)
      err_set(
          err, ERR_NET, "%s: no daemon answers (%s); is presenced running with this config.xml, and are you its user?",
          path, question.err.text);
  }
  bool ok = client != NULL && question.err.kind == ERR_NONE;
  http_client_free(client);
  loop_free(loop);
  *ret_status = question.status;
  return ok;
}
