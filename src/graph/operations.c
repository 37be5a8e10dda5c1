/* The table of operations: what Graph is asked, one row each, and the bodies that rows name.
 *
 * All that differs between two operations is in their rows, so that a new one is a row, its place in the enum, and the
 * body if it has one that no other row has. The order of columns is that of the struct in graph.h. */
#include "adapters/json.h"
#include "base/clock.h"
#include "base/str.h"
#include "graph/graph.h"

#include <string.h>

/* Graph's own fields of a user that we read; without $select the answer is three times as long. */
#define USER_FIELDS "?$select=id,userPrincipalName,displayName,accountEnabled,userType"

/* ---- bodies */

static void add_member(struct buf *body, const char *name, const char *text)
{
  buf_add_str(body, body->length == 0 ? "{\"" : ",\"");
  buf_add_str(body, name);
  buf_add_str(body, "\":");
  json_write_string(body, text, strlen(text));
}

/* A presence of the other plane, or a duration that Graph refuses, is our own fault: better a bug report with its cause
 * than a 400 without. */
static bool is_legal(const struct graph_operation *operation, enum plane plane, struct err *err)
{
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

static void add_presence(const struct graph_operation *operation, struct buf *body)
{
  char duration[CLOCK_TEXT_SIZE];
  add_member(body, "availability", presence_availability_str(operation->presence));
  add_member(body, "activity", presence_activity_str(operation->presence));
  add_member(body, "expirationDuration", clock_iso_duration(operation->duration_ms, duration));
  buf_add_str(body, "}");
}

/* The session is named after the application: Graph takes no other name from an app-only caller. */
static bool write_session(
    const struct graph_endpoint *endpoint, const struct graph_operation *operation, struct buf *body, struct err *err)
{
  if (!is_legal(operation, PLANE_SESSION, err))
    return false;
  add_member(body, "sessionId", endpoint->client_id);
  add_presence(operation, body);
  return true;
}

static bool write_preferred(
    const struct graph_endpoint *endpoint UNUSED, const struct graph_operation *operation, struct buf *body,
    struct err *err)
{
  if (!is_legal(operation, PLANE_PREFERRED, err))
    return false;
  add_presence(operation, body);
  return true;
}

static bool write_session_id(
    const struct graph_endpoint *endpoint, const struct graph_operation *operation UNUSED, struct buf *body,
    struct err *err UNUSED)
{
  add_member(body, "sessionId", endpoint->client_id);
  buf_add_str(body, "}");
  return true;
}

static bool write_empty(
    const struct graph_endpoint *endpoint UNUSED, const struct graph_operation *operation UNUSED, struct buf *body,
    struct err *err UNUSED)
{
  buf_add_str(body, "{}");
  return true;
}

/* A message without end would outlive us (FACTS.md, "Status message"): it always gets one. Emptying is a message of no
 * content. */
static bool write_message(
    const struct graph_endpoint *endpoint UNUSED, const struct graph_operation *operation, struct buf *body,
    struct err *err UNUSED)
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
  return true;
}

static bool write_ids(
    const struct graph_endpoint *endpoint UNUSED, const struct graph_operation *operation, struct buf *body,
    struct err *err UNUSED)
{
  buf_add_str(body, "{\"ids\":[");
  for (const char *id = operation->ids; *id != '\0';) {
    size_t length = strcspn(id, " ");
    buf_add_str(body, id == operation->ids ? "" : ",");
    json_write_string(body, id, length);
    id += length + strspn(id + length, " ");
  }
  buf_add_str(body, "]}");
  return true;
}

/* Its body holds a secret, so it is written by graph_encode_token(), which is given one. */
static bool write_token(
    const struct graph_endpoint *endpoint UNUSED, const struct graph_operation *operation UNUSED,
    struct buf *body UNUSED, struct err *err)
{
  return err_set(err, ERR_BUG, "a token request is not a Graph operation");
}

/* ---- the table */

#define PRESENCE GRAPH_USER "/presence"
#define SET_PERMISSION "Presence.ReadWrite.All", "is the user licensed for Teams?"
#define REFUSED "look the error code up in Graph's documentation"

static const struct graph_operation_row rows[GRAPH_OPERATION_KINDS] = {
    [GRAPH_SET_PRESENCE] =
        {"setPresence", "POST", PRESENCE "/setPresence", write_session, GRAPH_BUDGET_PRESENCE, false, false,
         SET_PERMISSION, REFUSED},
    [GRAPH_CLEAR_PRESENCE] =
        {"clearPresence", "POST", PRESENCE "/clearPresence", write_session_id, GRAPH_BUDGET_PRESENCE, true, false,
         SET_PERMISSION, REFUSED},
    [GRAPH_SET_PREFERRED] =
        {"setUserPreferredPresence", "POST", PRESENCE "/setUserPreferredPresence", write_preferred,
         GRAPH_BUDGET_PRESENCE, false, false, SET_PERMISSION, REFUSED},
    [GRAPH_CLEAR_PREFERRED] =
        {"clearUserPreferredPresence", "POST", PRESENCE "/clearUserPreferredPresence", write_empty,
         GRAPH_BUDGET_PRESENCE, true, false, SET_PERMISSION, REFUSED},
    [GRAPH_SET_MESSAGE] =
        {"setStatusMessage", "POST", PRESENCE "/setStatusMessage", write_message, GRAPH_BUDGET_PRESENCE, false, false,
         SET_PERMISSION, REFUSED},
    /* Graph has no operation that clears a message: it is set to nothing, so a 404 of that is about the user. */
    [GRAPH_CLEAR_MESSAGE] =
        {"clearStatusMessage", "POST", PRESENCE "/setStatusMessage", write_message, GRAPH_BUDGET_PRESENCE, false, false,
         SET_PERMISSION, REFUSED},
    [GRAPH_LOOKUP] =
        {"lookup", "GET", GRAPH_USER USER_FIELDS, NULL, GRAPH_BUDGET_LOOKUPS, false, true, "User.Read.All",
         "the directory does not know this name", "is this a user principal name?"},
    [GRAPH_GET_PRESENCE] =
        {"getPresence", "GET", PRESENCE, NULL, GRAPH_BUDGET_PRESENCE, false, true, SET_PERMISSION, REFUSED},
    [GRAPH_GET_PRESENCES] =
        {"getPresencesByUserId", "POST", "/communications/getPresencesByUserId", write_ids, GRAPH_BUDGET_PRESENCE,
         false, true, SET_PERMISSION, REFUSED},
    [GRAPH_TOKEN] = {"token", "POST", "", write_token, GRAPH_BUDGET_NONE, false, false, "", "", ""},
};

const struct graph_operation_row *graph_operation_row(enum graph_operation_kind kind)
{
  return &rows[kind];
}

const char *graph_operation_str(enum graph_operation_kind kind)
{
  return rows[kind].name;
}

/* ---- outcomes for people */

static void add_remedy(struct buf *text, const struct graph_operation_row *row, enum outcome_kind kind)
{
  if (outcome_lacks_permission(kind)) {
    buf_addf(text, "; grant the application permission %s, with admin consent", row->permission);
    return;
  }
  switch (outcome_reaction(kind)) {
  case REACT_AGAIN:
    buf_add_str(text, "; Graph throttles this application: try again later");
    break;
  case REACT_NEW_TOKEN:
    buf_add_str(
        text, "; Graph refuses the token: check permissions, admin consent, and that Graph and Cloud belong together");
    break;
  case REACT_LOOK_UP:
    buf_addf(text, "; %s", row->unknown_user);
    break;
  case REACT_PARK:
    buf_addf(text, "; %s", row->refused);
    break;
  case REACT_DONE:
  case REACT_BACK_OFF:
    break;
  }
}

char *graph_outcome_text(enum graph_operation_kind kind, const struct outcome *outcome, char to[GRAPH_TEXT_SIZE])
{
  struct buf text;
  char status[16] = "no answer:";
  if (outcome->status != 0)
    snprintf(status, sizeof status, "%d", outcome->status);
  buf_init(&text, GRAPH_TEXT_SIZE);
  buf_addf(&text, "%s: %s", rows[kind].name, status);
  if (*outcome->code != '\0')
    buf_addf(&text, " %s", outcome->code);
  if (*outcome->detail != '\0')
    buf_addf(&text, " %s", outcome->detail);
  add_remedy(&text, &rows[kind], outcome->kind);
  buf_addf(&text, " (request-id %s, client-request-id %s)", outcome_request_id(outcome), outcome->client_request_id);
  str_cut(to, GRAPH_TEXT_SIZE, buf_text(&text));
  buf_release(&text);
  return to;
}
