/* Routes as a table that is searched from the top for each request: a control socket has a dozen of them, and few
 * requests. The path is matched as it was sent and only the one parameter is percent-decoded, afterwards; decoded
 * first, a name with %2F in it would fall into two segments.
 *
 * A reply is always filled in, also where no route fits or an answer is too long, since the caller sends what is in
 * it. */
#include "api/api.h"
#include "adapters/json.h"
#include "base/str.h"

#include <string.h>

/* One path segment, percent-decoded. False: malformed or too long. */
static bool decode_segment(const char *from, size_t length, char to[API_PARAMETER_SIZE])
{
  if (length == 0 || length >= API_PARAMETER_SIZE)
    return false;
  memcpy(to, from, length);
  to[length] = '\0';
  return str_percent_decode(to) && str_is_utf8(to, strlen(to));
}

static bool matches(const char *pattern, const char *path, char parameter[API_PARAMETER_SIZE])
{
  /* A pattern without a parameter leaves "", so that a route never reads what another one's pattern left there. */
  parameter[0] = '\0';
  const char *open = strchr(pattern, '{');
  if (open == NULL)
    return strcmp(pattern, path) == 0;
  size_t before = (size_t)(open - pattern);
  const char *after = strchr(open, '}') + 1;
  if (strncmp(pattern, path, before) != 0)
    return false;
  size_t length = strcspn(path + before, "/");
  return strcmp(after, path + before + length) == 0 && decode_segment(path + before, length, parameter);
}

/* The right is looked at before the engine: who may not ask learns nothing of how we fare. */
static bool may_answer(const struct api_route *route, const struct api_caller *caller, struct api_reply *reply)
{
  if ((caller->rights & route->right) == 0) {
    api_answer_problem(reply, 403, "Forbidden", "this token does not allow it");
    return false;
  }
  if (caller->unavailable != NULL && !route->without_engine) {
    api_answer_problem(reply, 503, "Service Unavailable", caller->unavailable);
    return false;
  }
  return true;
}

bool api_dispatch(
    const struct api_route *routes, size_t count, void *context, const struct api_caller *caller,
    const struct api_request *request, struct api_reply *ret_reply)
{
  char parameter[API_PARAMETER_SIZE];
  bool path_known = false;
  /* What a route forgets to set is seen as a failure, not taken for an empty success. */
  *ret_reply = (struct api_reply){.status = 500, .content_type = "application/json"};
  buf_init(&ret_reply->body, API_REPLY_MAX);
  for (size_t i = 0; i < count; i++) {
    if (!matches(routes[i].pattern, request->path, parameter))
      continue;
    /* The search goes on: the same path may stand further down with the other method. */
    path_known = true;
    if (strcmp(routes[i].method, request->method) != 0)
      continue;
    if (!may_answer(&routes[i], caller, ret_reply))
      return false;
    routes[i].answer(context, request, parameter, ret_reply);
    return true;
  }
  if (path_known)
    api_answer_problem(ret_reply, 405, "Method Not Allowed", "this path takes another method");
  else
    api_answer_problem(ret_reply, 404, "Not Found", "there is no such path");
  return false;
}

void api_answer_json(struct api_reply *reply, int status, const struct value *value)
{
  reply->status = status;
  reply->content_type = "application/json";
  json_write(&reply->body, value);
  if (reply->body.overflow) {
    /* Half a JSON text cannot be read. The short one is written by hand, as it must not fail in its turn. */
    buf_clear(&reply->body);
    reply->status = 500;
    buf_add_str(
        &reply->body, "{\"status\":500,\"title\":\"Internal Server Error\",\"detail\":\"the answer is too long\"}");
  }
}

void api_answer_problem(struct api_reply *reply, int status, const char *title, const char *detail)
{
  struct values values = {0};
  struct value *problem = value_map(&values);
  value_set(&values, problem, "status", value_number(&values, status));
  value_set(&values, problem, "title", value_string(&values, title));
  value_set(&values, problem, "detail", value_string(&values, detail));
  api_answer_json(reply, status, problem);
  reply->content_type = "application/problem+json";
  values_release(&values);
}

bool api_query_flag(const struct api_request *request, const char *name)
{
  size_t length = strlen(name);
  for (const char *c = request->query; *c != '\0'; c += strcspn(c, "&"), c += *c == '&')
    if (strncmp(c, name, length) == 0 && (c[length] == '\0' || c[length] == '&' || strncmp(c + length, "=1", 2) == 0))
      return true;
  return false;
}

int64_t api_query_number(const struct api_request *request, const char *name)
{
  size_t length = strlen(name);
  int64_t number = 0;
  for (const char *c = request->query; *c != '\0'; c += strcspn(c, "&"), c += *c == '&') {
    char text[24];
    if (strncmp(c, name, length) != 0 || c[length] != '=')
      continue;
    snprintf(text, sizeof text, "%.*s", (int)strcspn(c + length + 1, "&"), c + length + 1);
    if (!str_parse_int(text, 0, INT64_MAX, &number))
      number = 0;
  }
  return number;
}
