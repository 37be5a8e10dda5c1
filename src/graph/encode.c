#include "adapters/json.h"
#include "base/clock.h"
#include "base/str.h"
#include "graph/graph.h"

#include <string.h>

const char *graph_operation_str(enum graph_operation_kind kind)
{
  switch (kind) {
  case GRAPH_SET_PRESENCE:
    return "setPresence";
  case GRAPH_CLEAR_PRESENCE:
    return "clearPresence";
  case GRAPH_SET_PREFERRED:
    return "setUserPreferredPresence";
  case GRAPH_CLEAR_PREFERRED:
    return "clearUserPreferredPresence";
  case GRAPH_SET_MESSAGE:
    return "setStatusMessage";
  case GRAPH_CLEAR_MESSAGE:
    return "clearStatusMessage";
  case GRAPH_LOOKUP:
    return "lookup";
  case GRAPH_GET_PRESENCE:
    return "getPresence";
  case GRAPH_GET_PRESENCES:
    return "getPresencesByUserId";
  case GRAPH_TOKEN:
    return "token";
  }
  return "unknown";
}

static bool is_unreserved(char c)
{
  return str_is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

/* Everything outside RFC 3986's unreserved characters as %XX: right for a path segment and for a form field. */
static void percent_encode(struct buf *to, const char *text)
{
  for (;;) {
    const char *plain = text;
    while (is_unreserved(*text))
      text++;
    buf_add(to, plain, (size_t)(text - plain));
    if (*text == '\0')
      return;
    buf_addf(to, "%%%02X", (unsigned)(unsigned char)*text++);
  }
}

/* A UPN that begins with "$" is not taken as a path segment; the quoted key form is, with apostrophes doubled (facts
 * 4). */
static void add_user_path(struct buf *url, const char *user)
{
  if (*user != '$') {
    buf_add_str(url, "/users/");
    percent_encode(url, user);
    return;
  }
  struct buf doubled;
  buf_init(&doubled, 2 * GRAPH_NAME_SIZE);
  for (const char *c = user; *c != '\0'; c++) {
    if (*c == '\'')
      buf_add(&doubled, "'", 1);
    buf_add(&doubled, c, 1);
  }
  buf_add_str(url, "/users('");
  percent_encode(url, buf_text(&doubled));
  buf_add_str(url, "')");
  buf_release(&doubled);
}

static void add_member(struct buf *body, const char *name, const char *text)
{
  buf_add_str(body, body->length == 0 ? "{\"" : ",\"");
  buf_add_str(body, name);
  buf_add_str(body, "\":");
  json_write_string(body, text, strlen(text));
}

static void encode_set(const struct graph_endpoint *endpoint, const struct graph_operation *operation, struct buf *body)
{
  char duration[CLOCK_TEXT_SIZE];
  if (operation->kind == GRAPH_SET_PRESENCE)
    add_member(body, "sessionId", endpoint->client_id);
  add_member(body, "availability", presence_availability_str(operation->presence));
  add_member(body, "activity", presence_activity_str(operation->presence));
  add_member(body, "expirationDuration", clock_iso_duration(operation->duration_ms, duration));
  buf_add_str(body, "}");
}

/* A message without end would outlive us (facts 1.5): it always gets one. Emptying is a message of no content. */
static void encode_message(const struct graph_operation *operation, struct buf *body)
{
  bool set = operation->kind == GRAPH_SET_MESSAGE;
  const char *content = set ? operation->message : "";
  buf_add_str(body, "{\"statusMessage\":{\"message\":{\"content\":");
  json_write_string(body, content, strlen(content));
  buf_add_str(body, ",\"contentType\":\"text\"}");
  if (set) {
    char end[CLOCK_TEXT_SIZE];
    buf_addf(
        body, ",\"expiryDateTime\":{\"dateTime\":\"%s\",\"timeZone\":\"UTC\"}",
        clock_graph_datetime(operation->message_until_ms, end));
  }
  buf_add_str(body, "}}");
}

static bool is_legal(const struct graph_operation *operation, struct err *err)
{
  enum plane plane = operation->kind == GRAPH_SET_PRESENCE ? PLANE_SESSION : PLANE_PREFERRED;
  if (operation->presence == PRESENCE_NONE || presence_plane(operation->presence) != plane)
    return err_set(
        err, ERR_BUG, "%s cannot be sent by %s", presence_str(operation->presence),
        graph_operation_str(operation->kind));
  int64_t max = plane == PLANE_SESSION ? PRESENCE_SESSION_MAX_MS : 30 * CLOCK_DAY;
  int64_t min = plane == PLANE_SESSION ? PRESENCE_SESSION_MIN_MS : CLOCK_SECOND;
  if (operation->duration_ms < min || operation->duration_ms > max) {
    char text[CLOCK_TEXT_SIZE];
    return err_set(
        err, ERR_BUG, "%s: a duration of %s is not legal", graph_operation_str(operation->kind),
        clock_iso_duration(operation->duration_ms, text));
  }
  return true;
}

static void encode_ids(const char *ids, struct buf *body)
{
  buf_add_str(body, "{\"ids\":[");
  for (const char *id = ids; *id != '\0';) {
    size_t length = strcspn(id, " ");
    buf_add_str(body, id == ids ? "" : ",");
    json_write_string(body, id, length);
    id += length + strspn(id + length, " ");
  }
  buf_add_str(body, "]}");
}

static bool encode_body(
    const struct graph_endpoint *endpoint, const struct graph_operation *operation, struct buf *body, struct err *err)
{
  switch (operation->kind) {
  case GRAPH_SET_PRESENCE:
  case GRAPH_SET_PREFERRED:
    if (!is_legal(operation, err))
      return false;
    encode_set(endpoint, operation, body);
    return true;
  case GRAPH_CLEAR_PRESENCE:
    add_member(body, "sessionId", endpoint->client_id);
    buf_add_str(body, "}");
    return true;
  case GRAPH_CLEAR_PREFERRED:
    buf_add_str(body, "{}");
    return true;
  case GRAPH_SET_MESSAGE:
  case GRAPH_CLEAR_MESSAGE:
    encode_message(operation, body);
    return true;
  case GRAPH_GET_PRESENCES:
    encode_ids(operation->ids, body);
    return true;
  case GRAPH_LOOKUP:
  case GRAPH_GET_PRESENCE:
    return true;
  case GRAPH_TOKEN:
    break;
  }
  return err_set(err, ERR_BUG, "a token request is not a Graph operation");
}

static const char *action_of(enum graph_operation_kind kind)
{
  return kind == GRAPH_CLEAR_MESSAGE ? "setStatusMessage" : graph_operation_str(kind);
}

bool graph_encode(
    const struct graph_endpoint *endpoint, const struct graph_operation *operation, struct graph_request *ret_request,
    struct err *err)
{
  struct buf url, body;
  buf_init(&url, GRAPH_URL_MAX);
  buf_init(&body, GRAPH_REQUEST_MAX);
  if (!encode_body(endpoint, operation, &body, err))
    goto out;
  buf_add_str(&url, endpoint->graph);
  buf_add_str(&url, "/v1.0");
  const char *method = "POST";
  if (operation->kind == GRAPH_GET_PRESENCES)
    buf_add_str(&url, "/communications/getPresencesByUserId");
  else
    add_user_path(&url, operation->user);
  if (operation->kind == GRAPH_LOOKUP) {
    method = "GET";
    buf_add_str(&url, "?$select=id,userPrincipalName,displayName,accountEnabled,userType");
  } else if (operation->kind == GRAPH_GET_PRESENCE) {
    method = "GET";
    buf_add_str(&url, "/presence");
  } else if (operation->kind != GRAPH_GET_PRESENCES) {
    buf_add_str(&url, "/presence/");
    buf_add_str(&url, action_of(operation->kind));
  }
  if (url.overflow || body.overflow) {
    err_set(
        err, ERR_LIMIT, "%s: the request for %.64s... is too long", graph_operation_str(operation->kind),
        operation->user);
    goto out;
  }
  *ret_request = (struct graph_request){method, url, body};
  return true;
out:
  buf_release(&url);
  buf_release(&body);
  return false;
}

void graph_encode_token(
    const struct graph_endpoint *endpoint, const struct wiped *secret, struct graph_request *ret_request)
{
  ret_request->method = "POST";
  buf_init(&ret_request->url, GRAPH_URL_MAX);
  buf_addf(&ret_request->url, "%s/%s/oauth2/v2.0/token", endpoint->authority, endpoint->tenant_id);
  struct buf *body = &ret_request->body;
  buf_init(body, GRAPH_REQUEST_MAX);
  buf_add_str(body, "grant_type=client_credentials&client_id=");
  percent_encode(body, endpoint->client_id);
  buf_add_str(body, "&scope=");
  percent_encode(body, endpoint->graph);
  percent_encode(body, "/.default");
  buf_add_str(body, "&client_secret=");
  percent_encode(body, wiped_text(secret));
}

void graph_request_release(struct graph_request *request)
{
  buf_release(&request->url);
  buf_release(&request->body);
}
