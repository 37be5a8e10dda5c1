/* Replies of Graph and Entra: a struct of borrowed texts, of which a test sets what it cares for. */
#include "world/graph.h"

#include "base/must.h"
#include "base/str.h"

#include <string.h>
#include <time.h>

struct graph_reply graph_reply_of(int status, const char *body)
{
  return (struct graph_reply){
      .status = status,
      .sent = true,
      .failure = status == 0 ? "timeout" : "",
      .body = body,
      .body_length = strlen(body),
      .retry_after = "",
      .date = "",
      .request_id = "r",
      .content_type = "",
      .diagnostic = ""};
}

struct graph_reply graph_reply_none(bool sent)
{
  struct graph_reply reply = graph_reply_of(0, "");
  reply.sent = sent;
  reply.failure = "no answer";
  reply.request_id = "";
  return reply;
}

static const char *header_of(const struct visit *visit, const char *name)
{
  for (size_t i = 0; i < visit->header_count; i++)
    if (str_equal_fold(visit->headers[i].name, name))
      return visit->headers[i].value;
  return "";
}

const char *graph_http_date(int64_t ms, char to[GRAPH_DATE_SIZE])
{
  time_t seconds = (time_t)(ms / 1000);
  struct tm parts;
  must(gmtime_r(&seconds, &parts) != NULL);
  must(strftime(to, GRAPH_DATE_SIZE, "%a, %d %b %Y %H:%M:%S GMT", &parts) > 0);
  return to;
}

struct graph_reply graph_reply_from(const struct visit *visit, char date[GRAPH_DATE_SIZE])
{
  return (struct graph_reply){
      .status = visit->status,
      .sent = true,
      .failure = "",
      .body = buf_text(&visit->body),
      .body_length = visit->body.length,
      .retry_after = header_of(visit, "Retry-After"),
      .date = graph_http_date(visit->now, date),
      .request_id = visit->request_id,
      .content_type = header_of(visit, "Content-Type"),
      .diagnostic = ""};
}
