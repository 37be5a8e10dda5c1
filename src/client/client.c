/* Both ways to ask are one: a question that waits is a call on a loop of its own, which ends with its answer. What the
 * answer means is worked out in one place, judge().
 *
 * Whether a daemon runs is asked before the first request (client_finds_daemon), because the answer decides what a
 * command does: without one it may send to Graph itself; with one that hangs it must not, or two would show different
 * presences. */
#include "client/client.h"
#include "adapters/http_client.h"
#include "adapters/json.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/str.h"
#include "config/config.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TIMEOUT_MS (60 * CLOCK_SECOND) /* a preview over all agents takes its time */
enum { CONNECTIONS = 8, URL_SIZE = 4096, BY_SIZE = 400 };

struct client {
  struct http_client *http;
  struct json *json;
  char *socket_path;
  struct list_node calls;
};

struct call {
  struct list_node link;
  struct client *client;
  struct http_exchange *exchange;
  struct buf *bytes; /* where a copy of the answer goes, or NULL */
  struct values *values;
  client_on_answer *on_answer;
  void *context;
};

/* ---- answers */

static void say_no_daemon(const char *socket_path, struct err *err)
{
  err_set(
      err, ERR_NET, "%s: no daemon answers; is presenced running with this config.xml, and are you its user?",
      socket_path);
}

/* *ret_body is in `values`. */
static enum client_result judge(
    const struct client *client, const struct http_reply *reply, struct values *values, struct value **ret_body,
    struct err *err)
{
  if (reply->status == 0) {
    say_no_daemon(client->socket_path, err);
    return CLIENT_FAILED;
  }
  if (!json_parse(client->json, reply->body, reply->body_length, values, ret_body, err)) {
    err_add(err, "%s: the answer of the daemon", client->socket_path);
    return CLIENT_FAILED;
  }
  if (reply->status == 200)
    return CLIENT_DONE;
  err_set(err, ERR_INPUT, "%s", value_get_text(*ret_body, "detail", "the daemon refuses"));
  return CLIENT_REFUSED;
}

static void call_free(struct call *call)
{
  list_remove(&call->link);
  free(call);
}

static void on_reply(void *context, const struct http_reply *reply)
{
  struct call call = *(struct call *)context;
  struct values own = {0}, *values = call.values == NULL ? &own : call.values;
  struct value *body = NULL;
  struct err err = ERR_INIT;
  if (call.bytes != NULL && !buf_add(call.bytes, reply->body, reply->body_length))
    err_set(&err, ERR_LIMIT, "%s: the answer of the daemon is too long", call.client->socket_path);
  enum client_result result = err.kind != ERR_NONE ? CLIENT_FAILED : judge(call.client, reply, values, &body, &err);
  call_free(context);
  call.on_answer(call.context, result, reply->status, body, &err);
  values_release(&own);
}

/* ---- many questions */

struct client *client_new(struct loop *loop, const char *socket_path, struct json *json, struct err *err)
{
  struct http_client_options options = {
      .user_agent = "presenced/" PRESENCED_VERSION,
      .unix_socket = socket_path,
      .connections = CONNECTIONS,
      .connect_timeout_ms = TIMEOUT_MS,
      .timeout_ms = TIMEOUT_MS,
      .reply_max = CLIENT_ANSWER_MAX};
  struct http_client *http = http_client_new(loop, &options, err);
  if (http == NULL)
    return NULL;
  struct client *client = must_alloc(sizeof *client);
  client->http = http;
  client->json = json;
  client->socket_path = must_strdup(socket_path);
  list_init(&client->calls);
  return client;
}

void client_free(struct client *client)
{
  if (client == NULL)
    return;
  http_client_free(client->http); /* its exchanges are gone with it */
  while (!list_empty(&client->calls))
    call_free(LIST_ENTRY(list_first(&client->calls), struct call, link));
  free(client->socket_path);
  free(client);
}

static struct call *send_call(struct client *client, const struct client_request *request, const struct call *given)
{
  char url[URL_SIZE];
  struct call *call = must_alloc(sizeof *call);
  *call = *given;
  call->client = client;
  list_add_tail(&client->calls, &call->link);
  snprintf(url, sizeof url, "http://localhost%s", request->target);
  struct http_request http = {
      .method = request->method,
      .url = url,
      .body = request->body,
      .body_length = request->body == NULL ? 0 : strlen(request->body)};
  call->exchange = http_client_send(client->http, &http, on_reply, call);
  return call;
}

void *client_send(
    struct client *client, const struct client_request *request, client_on_answer *on_answer, void *context)
{
  struct call call = {.on_answer = on_answer, .context = context};
  return send_call(client, request, &call);
}

bool client_cancel(struct client *client, const void *wanted)
{
  for (struct list_node *node = client->calls.next; node != &client->calls; node = node->next) {
    struct call *call = LIST_ENTRY(node, struct call, link);
    if (call != wanted)
      continue;
    http_client_cancel(call->exchange);
    call_free(call);
    return true;
  }
  return false;
}

/* ---- one question */

struct question {
  struct loop *loop;
  struct client_answer *answer;
  enum client_result result;
  struct err err;
};

static void on_answer(
    void *context, enum client_result result, int status UNUSED, const struct value *body, const struct err *err)
{
  struct question *question = context;
  question->result = result;
  question->err = *err;
  question->answer->body = (struct value *)body; /* it lives in the answer's own arena */
  loop_stop(question->loop);
}

static void on_turn(void *context UNUSED)
{
}

static enum client_result ask(
    const char *socket_path, struct json *json, const struct client_request *request, struct client_answer *answer,
    struct err *err)
{
  struct question question = {.loop = loop_new(err), .answer = answer, .result = CLIENT_FAILED, .err = ERR_INIT};
  struct client *client = question.loop == NULL ? NULL : client_new(question.loop, socket_path, json, err);
  if (client != NULL) {
    struct call call = {
        .bytes = &answer->bytes, .values = &answer->values, .on_answer = on_answer, .context = &question};
    (void)send_call(client, request, &call);
    loop_run(question.loop, on_turn, NULL);
    *err = question.err;
  }
  client_free(client);
  loop_free(question.loop);
  return question.result;
}

enum client_result client_ask(
    const char *config_path, const struct client_request *request, struct client_answer *ret_answer, struct err *err)
{
  struct config config;
  enum client_result result = CLIENT_FAILED;
  *ret_answer = (struct client_answer){.body = NULL};
  buf_init(&ret_answer->bytes, CLIENT_ANSWER_MAX);
  if (!config_load(config_path, CONFIG_FOR_STATE, &config, err))
    return CLIENT_FAILED;
  char *socket_path = config_control_path(&config);
  struct json *json = json_new(err);
  if (json != NULL)
    json_take_large(json); /* `status --agents` of a large site has some 50 values per agent */
  if (!client_finds_daemon(socket_path)) {
    say_no_daemon(socket_path, err);
    result = CLIENT_NO_DAEMON;
  } else if (json != NULL) {
    result = ask(socket_path, json, request, ret_answer, err);
  }
  json_free(json);
  free(socket_path);
  config_release(&config);
  return result;
}

void client_answer_release(struct client_answer *answer)
{
  buf_release(&answer->bytes);
  values_release(&answer->values);
}

/* ---- what is asked */

bool client_finds_daemon(const char *socket_path)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  /* Where the queue of a daemon that hangs is full, connect() would wait for as long as it does; so it says EAGAIN. */
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return false;
  if (!str_copy(address.sun_path, sizeof address.sun_path, socket_path)) {
    close(fd);
    return false; /* nothing can listen on such a path either */
  }
  int failure = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
  close(fd);
  return failure != ENOENT && failure != ECONNREFUSED;
}

void client_add_agent(struct buf *target, const char *name, const char *rest)
{
  buf_add_str(target, "/v1/agents/");
  for (; *name != '\0'; name++)
    buf_addf(target, "%%%02X", (unsigned)(unsigned char)*name);
  buf_add_str(target, rest);
}

void client_write_override(struct buf *to, const char *presence, int64_t hold_ms, const char *by, const char *why)
{
  struct values values = {0};
  char hold[CLOCK_TEXT_SIZE], whole[8192], cut[BY_SIZE];
  snprintf(whole, sizeof whole, "%.4000s%s%.4000s", by, *why == '\0' ? "" : ": ", why);
  str_cut(cut, sizeof cut, whole);
  struct value *override = value_map(&values);
  value_put_text(&values, override, "presence", presence);
  value_put_text(&values, override, "hold", clock_iso_duration(hold_ms, hold));
  value_put_text(&values, override, "by", cut);
  json_write(to, override);
  values_release(&values);
}

enum client_result client_override(
    const char *config_path, const char *name, const char *presence, int64_t hold_ms, const char *by, struct err *err)
{
  struct buf target, body;
  struct client_answer answer;
  bool ends = presence == NULL;
  buf_init(&target, URL_SIZE);
  buf_init(&body, URL_SIZE);
  client_add_agent(&target, name, "/override");
  if (!ends)
    client_write_override(&body, presence, hold_ms, by, "");
  struct client_request request = {ends ? "DELETE" : "PUT", buf_text(&target), ends ? NULL : buf_text(&body)};
  enum client_result result = client_ask(config_path, &request, &answer, err);
  if (result == CLIENT_REFUSED)
    err_add(err, "%s", name);
  client_answer_release(&answer);
  buf_release(&target);
  buf_release(&body);
  return result;
}
