/* JSON batching (FACTS.md, "JSON batching"): several requests out as one, their answers apart again.
 *
 * A request's id is its number in the batch. The answer is searched by id for each number in turn, since Graph may
 * answer in any order and may leave one out, so on_part is called exactly once for each. A part is handed on as the
 * reply that it would have been alone; graph_classify() does not know whether a request came in a batch. */
#include "adapters/json.h"
#include "base/str.h"
#include "graph/graph.h"

#include <string.h>

void graph_batch_begin(struct graph_batch *batch)
{
  *batch = (struct graph_batch){0};
  buf_init(&batch->body, (size_t)GRAPH_BATCH_MAX * 2 * GRAPH_REQUEST_MAX);
  buf_add_str(&batch->body, "{\"requests\":[");
}

void graph_batch_add(
    struct graph_batch *batch, const struct graph_endpoint *endpoint, const struct graph_request *request)
{
  must(batch->count < GRAPH_BATCH_MAX);
  /* Graph takes URLs inside a batch relative to its version. */
  const char *url = buf_text(&request->url) + strlen(endpoint->graph) + strlen("/v1.0");
  buf_addf(&batch->body, "%s{\"id\":\"%zu\",\"method\":", batch->count == 0 ? "" : ",", batch->count);
  json_write_string(&batch->body, request->method, strlen(request->method));
  buf_add_str(&batch->body, ",\"url\":");
  json_write_string(&batch->body, url, strlen(url));
  /* A body needs a Content-Type of its own; that of the whole does not count for it. */
  if (request->body.length > 0) {
    buf_add_str(&batch->body, ",\"headers\":{\"Content-Type\":\"application/json\"},\"body\":");
    buf_add(&batch->body, request->body.bytes, request->body.length);
  }
  buf_add_str(&batch->body, "}");
  batch->count++;
}

void graph_batch_end(
    struct graph_batch *batch, const struct graph_endpoint *endpoint, struct graph_request *ret_request)
{
  buf_add_str(&batch->body, "]}");
  must(!batch->body.overflow);
  ret_request->method = "POST";
  buf_init(&ret_request->url, GRAPH_URL_MAX);
  buf_addf(&ret_request->url, "%s/v1.0/$batch", endpoint->graph);
  ret_request->body = batch->body;
  *batch = (struct graph_batch){0};
}

/* The names of headers come in any case, values as text or number (FACTS.md, "JSON batching"). */
static const char *header_of(const struct value *headers, const char *name, char *to, size_t room)
{
  *to = '\0';
  for (size_t i = 0; value_is(headers, VALUE_MAP) && i < value_count(headers); i++) {
    const struct value *value = headers->u.table.items[i];
    if (!str_equal_fold(headers->u.table.keys[i], name))
      continue;
    if (value_is(value, VALUE_NUMBER))
      snprintf(to, room, "%.3f", value->u.number);
    else
      str_cut(to, room, value_text(value, ""));
  }
  return to;
}

static const struct value *part_of(const struct value *responses, size_t number)
{
  for (size_t i = 0; i < value_count(responses); i++) {
    const struct value *part = value_at(responses, i);
    int64_t id;
    if (str_parse_int(value_get_text(part, "id", ""), 0, GRAPH_BATCH_MAX, &id) && (size_t)id == number)
      return part;
  }
  return NULL;
}

/* failure: what is said of a part that has no status. */
static void give_part(
    const struct graph_reply *whole, const struct value *part, size_t number, const char *failure,
    graph_on_part *on_part, void *context)
{
  char retry_after[64], request_id[64], content_type[64];
  const struct value *headers = value_get(part, "headers"), *content = value_get(part, "body");
  double status = value_get_number(part, "status", 0);
  struct buf body;
  buf_init(&body, (size_t)1024 * 1024);
  if (value_is(content, VALUE_STRING)) /* of what is not JSON, as a proxy's page */
    buf_add_str(&body, content->u.string.bytes);
  else if (content != NULL && !value_is(content, VALUE_NIL))
    json_write(&body, content);
  struct graph_reply reply = {
      .status = status >= 100 && status <= 599 ? (int)status : 0,
      /* The whole came back, so the part did reach Graph: without a status its outcome is unknown, not "not sent". */
      .sent = true,
      .failure = failure,
      .body = body.length == 0 ? "" : buf_text(&body),
      .body_length = body.length,
      .retry_after = header_of(headers, "Retry-After", retry_after, sizeof retry_after),
      /* A Retry-After that is a date is one of the server's clock, and only the whole says what that shows. */
      .date = whole->date,
      .request_id = header_of(headers, "request-id", request_id, sizeof request_id),
      .content_type = header_of(headers, "Content-Type", content_type, sizeof content_type),
      .diagnostic = ""};
  on_part(context, number, &reply);
  buf_release(&body);
}

bool graph_split_batch(
    struct json *json, const struct graph_reply *reply, size_t count, graph_on_part *on_part, void *context)
{
  /* 200 as documented; 424 when all were throttled, by another page (FACTS.md, "JSON batching"). */
  if (reply->status != 424 && (reply->status < 200 || reply->status > 299))
    return false;
  struct values values = {0};
  struct value *body = NULL;
  struct err err = ERR_INIT;
  const struct value *responses = NULL;
  if (json_parse(json, reply->body, reply->body_length, &values, &body, &err))
    responses = value_get(body, "responses");
  char failure[160] = "the answer to the batch leaves it out";
  /* An empty list looks like an empty map (base/value.h). What is no list tells nobody anything: nothing was done. */
  if (!value_is(responses, VALUE_LIST) && !(value_is(responses, VALUE_MAP) && value_count(responses) == 0))
    snprintf(
        failure, sizeof failure, "the answer to the batch is not Graph's (%.80s); is there a proxy in between?",
        *reply->content_type == '\0' ? "no content type" : reply->content_type);
  for (size_t i = 0; i < count; i++)
    give_part(reply, part_of(responses, i), i, failure, on_part, context);
  values_release(&values);
  return true;
}
