#include "cli/engine.h"
#include "adapters/http_client.h"
#include "adapters/json.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/str.h"
#include "cli/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS (10 * CLOCK_SECOND)
#define DEFAULT_HOLD_MS CLOCK_HOUR

enum { CONNECTIONS = 8, ANSWER_MAX = 64 * 1024, BY_SIZE = 400 };

struct engine {
  struct http_client *client;
  struct json *json;
  const char *by;
  struct list_node calls;
};

struct call {
  struct list_node link;
  struct engine *engine;
  struct http_exchange *exchange;
  struct values *values;
  script_on_answer *on_answer;
  void *context;
};

struct engine *engine_open(struct loop *loop, const char *path, struct json *json, const char *by, struct err *err)
{
  if (control_find(path) == CONTROL_NO_DAEMON)
    return NULL;
  struct http_client_options options = {
      .user_agent = "presenced/" PRESENCED_VERSION,
      .unix_socket = path,
      .connections = CONNECTIONS,
      .reply_max = ANSWER_MAX,
      .connect_timeout_ms = TIMEOUT_MS,
      .timeout_ms = TIMEOUT_MS};
  struct http_client *client = http_client_new(loop, &options, err);
  if (client == NULL)
    return NULL;
  struct engine *engine = must_alloc(sizeof *engine);
  *engine = (struct engine){.client = client, .json = json, .by = by};
  list_init(&engine->calls);
  return engine;
}

static void call_free(struct call *call)
{
  list_remove(&call->link);
  free(call);
}

void engine_close(struct engine *engine)
{
  if (engine == NULL)
    return;
  http_client_free(engine->client); /* its exchanges are gone with it */
  while (!list_empty(&engine->calls))
    call_free(LIST_ENTRY(list_first(&engine->calls), struct call, link));
  free(engine);
}

bool engine_does(enum script_operation_kind kind)
{
  return kind == SCRIPT_PUBLISH || kind == SCRIPT_CLEAR || kind == SCRIPT_RELEASE;
}

void engine_write_override(struct buf *to, const char *presence, int64_t hold_ms, const char *by)
{
  struct values values = {0};
  char hold[CLOCK_TEXT_SIZE];
  struct value *override = value_map(&values);
  value_set(&values, override, "presence", value_string(&values, presence));
  value_set(&values, override, "hold", value_string(&values, clock_iso_duration(hold_ms, hold)));
  value_set(&values, override, "by", value_string(&values, by));
  json_write(to, override);
  values_release(&values);
}

static void refuse(struct engine *engine, const struct http_reply *reply, struct script_answer *answer)
{
  struct values values = {0};
  struct value *problem = NULL;
  struct err err = ERR_INIT;
  const char *detail = reply->failure;
  if (reply->status != 0 && json_parse(engine->json, reply->body, reply->body_length, &values, &problem, &err))
    detail = value_get_text(problem, "detail", "the daemon refuses");
  answer->status = reply->status;
  must(str_copy(answer->code, sizeof answer->code, reply->status == 0 ? "unknown" : "refused"));
  err_set(&answer->message, ERR_NET, "the daemon: %s", detail);
  values_release(&values);
}

static void on_reply(void *context, const struct http_reply *reply)
{
  struct call *call = context;
  struct script_answer answer = {.retry_after_ms = -1, .message = ERR_INIT};
  if (reply->status == 200)
    answer.value = value_bool(call->values, true);
  else
    refuse(call->engine, reply, &answer);
  script_on_answer *on_answer = call->on_answer;
  void *answer_context = call->context;
  call_free(call);
  on_answer(answer_context, &answer);
}

void *engine_submit(
    struct engine *engine, const struct script_operation *operation, struct values *values, script_on_answer *on_answer,
    void *answer_context)
{
  struct buf url, body;
  char by[BY_SIZE];
  buf_init(&url, 4096);
  buf_init(&body, 4096);
  buf_add_str(&url, "http://localhost");
  control_add_agent(&url, operation->name);
  buf_add_str(&url, "/override");
  bool release = operation->kind == SCRIPT_RELEASE;
  char whole[8192];
  snprintf(whole, sizeof whole, "%.4000s%s%s", engine->by, *operation->why == '\0' ? "" : ": ", operation->why);
  str_cut(by, sizeof by, whole);
  if (!release)
    engine_write_override(
        &body, operation->kind == SCRIPT_CLEAR ? "clear" : presence_str(operation->presence),
        operation->hold_ms < 0 ? DEFAULT_HOLD_MS : operation->hold_ms, by);
  struct call *call = must_alloc(sizeof *call);
  *call = (struct call){.engine = engine, .values = values, .on_answer = on_answer, .context = answer_context};
  list_add_tail(&engine->calls, &call->link);
  struct http_request request = {
      .method = release ? "DELETE" : "PUT",
      .url = buf_text(&url),
      .body = release ? NULL : buf_text(&body),
      .body_length = body.length};
  call->exchange = http_client_send(engine->client, &request, on_reply, call);
  buf_release(&url);
  buf_release(&body);
  return call;
}

bool engine_cancel(struct engine *engine, void *request)
{
  for (struct list_node *node = engine->calls.next; node != &engine->calls; node = node->next)
    if (LIST_ENTRY(node, struct call, link) == request) {
      struct call *call = request;
      http_client_cancel(call->exchange);
      call_free(call);
      return true;
    }
  return false;
}
