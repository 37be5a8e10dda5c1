#include "cli/control.h"
#include "adapters/http_client.h"
#include "adapters/http_server.h"
#include "adapters/json.h"
#include "api/api.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/str.h"
#include "cli/metrics.h"
#include "cli/policies.h"
#include "cli/renewal.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MAX_HEADER = 8 * 1024, MAX_BODY = 64 * 1024 };
#define SERVER_TIMEOUT_MS (10 * CLOCK_SECOND)
#define CLIENT_TIMEOUT_MS (60 * CLOCK_SECOND)

struct control {
  struct loop *loop;
  struct http_server *server;
  struct control_parts parts;
  uid_t uid;
  struct list_node held; /* of struct held */
};

/* The answer to what changed something: it waits for the commit. */
struct held {
  struct list_node link;
  struct http_call *call;
  struct api_reply reply;
};

static struct value *state_view(const struct state_health *state, struct values *values)
{
  struct value *view = value_map(values);
  char since[CLOCK_TEXT_SIZE];
  bool failed = state->failure.kind != ERR_NONE;
  value_set(values, view, "failed", value_bool(values, failed));
  value_set(values, view, "failures", value_number(values, (double)state->failures));
  if (failed) {
    value_set(values, view, "failure", value_string(values, state->failure.text));
    value_set(values, view, "since", value_string(values, clock_rfc3339(state->since_ms, since)));
  }
  return view;
}

/* While the state file fails, that is all there is to say. */
static struct value *view(const struct control *control, bool with_agents, struct values *values)
{
  bool runs = control->parts.service != NULL;
  struct value *status = runs ? service_status(control->parts.service, with_agents, values) : value_map(values);
  value_set(values, status, "state", state_view(control->parts.state, values));
  if (!runs)
    return status;
  value_set(values, status, "config", renewal_view(control->parts.renewal, values));
  value_set(values, status, "rules", renewal_rules_view(control->parts.renewal, values));
  value_set(values, status, "scripts", policies_view(control->parts.policies, values));
  return status;
}

static void answer_metrics(
    void *context, const struct api_request *request UNUSED, const char *parameter UNUSED, struct api_reply *reply)
{
  struct values values = {0};
  metrics_write(view(context, false, &values), &reply->body);
  reply->status = 200;
  reply->content_type = METRICS_CONTENT_TYPE;
  values_release(&values);
}

static void answer_status(
    void *context, const struct api_request *request, const char *parameter UNUSED, struct api_reply *reply)
{
  struct values values = {0};
  api_answer_json(reply, 200, view(context, api_query_flag(request, "agents"), &values));
  values_release(&values);
}

static void resync(const struct control *control, const char *name, struct api_reply *reply)
{
  size_t count = 0;
  if (!service_resync(control->parts.service, name, &count)) {
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

static void answer_agent(
    void *context, const struct api_request *request UNUSED, const char *parameter, struct api_reply *reply)
{
  const struct control *control = context;
  struct values values = {0};
  struct value *agent = service_agent(control->parts.service, parameter, &values);
  if (agent == NULL)
    api_answer_problem(reply, 404, "Not Found", "no event has named this agent");
  else
    api_answer_json(reply, 200, agent);
  values_release(&values);
}

static const struct value *field(const struct value *body, const char *name, struct api_reply *reply)
{
  const struct value *value = value_get(body, name);
  if (!value_is(value, VALUE_STRING)) {
    char detail[128];
    snprintf(detail, sizeof detail, "/%s: missing or no string", name);
    api_answer_problem(reply, 422, "Unprocessable Content", detail);
    return NULL;
  }
  return value;
}

/* {"presence":"teams.busy"|"clear","hold":"1h","by":"somebody"} */
static void read_override(
    const struct control *control, const struct value *body, const char *name, struct api_reply *reply)
{
  const struct value *presence = field(body, "presence", reply);
  const struct value *hold = presence == NULL ? NULL : field(body, "hold", reply);
  const struct value *by = hold == NULL ? NULL : field(body, "by", reply);
  if (by == NULL)
    return;
  struct service_override override = {.by = by->u.string.bytes};
  struct err err = ERR_INIT;
  enum presence shown = PRESENCE_NONE;
  const char *text = presence->u.string.bytes;
  if (strcmp(text, "clear") != 0 && !presence_parse(text, &shown)) {
    api_answer_problem(reply, 422, "Unprocessable Content", "/presence: no such presence");
    return;
  }
  if (!clock_parse_duration(hold->u.string.bytes, &override.hold_ms)) {
    api_answer_problem(reply, 422, "Unprocessable Content", "/hold: write a duration of 1m to 7d");
    return;
  }
  override.presence = shown;
  if (!service_override(control->parts.service, name, &override, &err) && err.kind == ERR_LIMIT) {
    api_answer_problem(reply, 422, "Unprocessable Content", err.text);
    return;
  }
  if (err.kind != ERR_NONE) {
    api_answer_problem(reply, 404, "Not Found", err.text);
    return;
  }
  struct values values = {0};
  api_answer_json(reply, 200, value_map(&values));
  values_release(&values);
}

static void answer_override(
    void *context, const struct api_request *request, const char *parameter, struct api_reply *reply)
{
  const struct control *control = context;
  struct values values = {0};
  struct value *body = NULL;
  struct err err = ERR_INIT;
  if (json_parse(control->parts.json, request->body, request->body_length, &values, &body, &err))
    read_override(control, body, parameter, reply);
  else
    api_answer_problem(reply, 400, "Bad Request", err.text);
  values_release(&values);
}

static void answer_release(
    void *context, const struct api_request *request UNUSED, const char *parameter, struct api_reply *reply)
{
  const struct control *control = context;
  if (!service_release(control->parts.service, parameter)) {
    api_answer_problem(reply, 404, "Not Found", "there is no override on this agent");
    return;
  }
  struct values values = {0};
  api_answer_json(reply, 200, value_map(&values));
  values_release(&values);
}

static void answer_reload(
    void *context, const struct api_request *request, const char *parameter UNUSED, struct api_reply *reply)
{
  const struct control *control = context;
  struct values values = {0};
  struct value *answer = NULL;
  struct err err = ERR_INIT;
  enum reload_action action = api_query_flag(request, "dry_run")    ? RELOAD_DRY_RUN
                              : api_query_flag(request, "rollback") ? RELOAD_ROLLBACK
                                                                    : RELOAD_REPLACE;
  if (renewal_run(control->parts.renewal, action, &values, &answer, &err))
    api_answer_json(reply, 200, answer);
  else
    api_answer_problem(reply, 422, "Unprocessable Content", err.text);
  values_release(&values);
}

/* A page; "after" is the key of the last row of the one before. */
static void answer_decisions(
    void *context, const struct api_request *request, const char *parameter UNUSED, struct api_reply *reply)
{
  const struct control *control = context;
  struct values values = {0};
  struct value *list, *answer = value_map(&values);
  struct err err = ERR_INIT;
  if (service_read_decisions(
          control->parts.store, control->parts.json, api_query_number(request, "after"), &values, &list, &err)) {
    value_set(&values, answer, "decisions", list);
    api_answer_json(reply, 200, answer);
  } else {
    api_answer_problem(reply, 503, "Service Unavailable", err.text);
  }
  values_release(&values);
}

static const struct api_route routes[] = {
    {"GET", "/metrics", answer_metrics},
    {"GET", "/v1/decisions", answer_decisions},
    {"GET", "/v1/status", answer_status},
    {"GET", "/v1/agents/{name}", answer_agent},
    {"POST", "/v1/agents/{name}/resync", answer_resync},
    {"POST", "/v1/resync", answer_resync_all},
    {"POST", "/v1/rules/reload", answer_reload},
    {"PUT", "/v1/agents/{name}/override", answer_override},
    {"DELETE", "/v1/agents/{name}/override", answer_release},
};

static void send_answer(struct http_call *call, struct api_reply *reply)
{
  const char *headers[] = {"Content-Type", reply->content_type, NULL};
  http_call_answer(call, reply->status, headers, buf_text(&reply->body), reply->body.length);
  buf_release(&reply->body);
}

static void refuse(const struct control *control, struct api_reply *reply)
{
  buf_release(&reply->body);
  api_answer_problem(reply, 503, "Service Unavailable", control->parts.state->failure.text);
}

/* What can be answered without an engine. */
static bool is_about_state(const struct api_request *request)
{
  return strcmp(request->method, "GET") == 0 &&
         (strcmp(request->path, "/metrics") == 0 || strcmp(request->path, "/v1/status") == 0);
}

static void on_request(void *context, const struct http_server_request *http)
{
  struct control *control = context;
  struct api_request request = {http->method, http->path, http->query, http->body, http->body_length};
  struct api_reply reply;
  bool failed = control->parts.service == NULL && !is_about_state(&request);
  if (failed) {
    buf_init(&reply.body, API_REPLY_MAX);
    refuse(control, &reply);
  } else {
    api_dispatch(routes, COUNT_OF(routes), context, &request, &reply);
  }
  if (failed || strcmp(http->method, "GET") == 0) {
    send_answer(http->call, &reply);
    return;
  }
  struct held *held = must_alloc(sizeof *held);
  *held = (struct held){.call = http->call, .reply = reply};
  list_add_tail(&control->held, &held->link);
  loop_again(control->loop);
}

void control_set_parts(struct control *control, const struct control_parts *parts)
{
  control->parts = *parts;
}

void control_turn(struct control *control)
{
  while (!list_empty(&control->held)) {
    struct held *held = LIST_ENTRY(list_first(&control->held), struct held, link);
    if (control->parts.service == NULL)
      refuse(control, &held->reply);
    send_answer(held->call, &held->reply);
    list_remove(&held->link);
    free(held);
  }
}

struct control *control_open(struct loop *loop, const char *path, const struct control_parts *parts, struct err *err)
{
  struct control *control = must_alloc(sizeof *control);
  control->loop = loop;
  control->parts = *parts;
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
    buf_release(&held->reply.body);
    list_remove(&held->link);
    free(held);
  }
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
    const char *path, const char *method, const char *target, const char *body, int *ret_status, struct buf *ret_body,
    struct err *err)
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
    struct http_request request = {
        .method = method, .url = url, .body = body, .body_length = body == NULL ? 0 : strlen(body)};
    http_client_send(client, &request, on_answer, &question);
    loop_run(loop, on_turn, NULL);
    if (question.err.kind != ERR_NONE)
      err_set(
          err, ERR_NET, "%s: no daemon answers; is presenced running with this config.xml, and are you its user?",
          path);
  }
  bool ok = client != NULL && question.err.kind == ERR_NONE;
  http_client_free(client);
  loop_free(loop);
  *ret_status = question.status;
  return ok;
}

void control_add_agent(struct buf *target, const char *name)
{
  buf_add_str(target, "/v1/agents/");
  for (; *name != '\0'; name++)
    buf_addf(target, "%%%02X", (unsigned)(unsigned char)*name);
}

enum control_daemon control_find(const char *path)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || !str_copy(address.sun_path, sizeof address.sun_path, path)) {
    if (fd >= 0)
      close(fd);
    return CONTROL_NO_DAEMON; /* nobody can listen on such a path either */
  }
  int failure = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
  close(fd);
  return failure == ENOENT || failure == ECONNREFUSED ? CONTROL_NO_DAEMON : CONTROL_DAEMON;
}
