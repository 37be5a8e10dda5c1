/* One reply to one kind of outcome, and the bodies of reads to values. The status decides; code and message are kept
 * for people, since hardly any code of a presence action is documented, and messages may change at any time. What
 * becomes of the agent is service/flight's business: here only what Graph has said is told apart.
 *
 * A success counts when its body can be Graph's. Presence actions answer 200 or 204, mostly with nothing in the body; a
 * captive portal or a proxy that answers 200 with a page would otherwise count as a presence that was set. */
#include "adapters/json.h"
#include "base/clock.h"
#include "base/str.h"
#include "graph/graph.h"

#include <string.h>

/* Only so that moments can be reckoned with: what was asked is never cut (FACTS.md, "Retry-After"). */
#define RETRY_AFTER_MAX_MS (100 * 366 * CLOCK_DAY)

static int64_t capped(int64_t ms)
{
  return ms < RETRY_AFTER_MAX_MS ? ms : RETRY_AFTER_MAX_MS;
}

int64_t graph_retry_after(const char *text, const char *date, int64_t now)
{
  /* By hand instead of strtod(): a fraction must be rounded up, never down, and a locale must not choose the point. */
  int64_t until, from, ms = 0;
  if (*text == '\0') /* nearly always */
    return -1;
  /* A date of the server's clock, so it is compared with that: ours may be wrong by minutes. */
  if (clock_parse_http_date(text, &until)) {
    if (!clock_parse_http_date(date, &from))
      from = now;
    return until > from ? capped(until - from) : 0;
  }
  const char *c = text;
  if (*c < '0' || *c > '9')
    return -1;
  for (; *c >= '0' && *c <= '9'; c++) {
    ms = ms > RETRY_AFTER_MAX_MS ? ms : ms * 10 + (*c - '0') * 1000;
  }
  if (*c == '.') {
    /* Milliseconds, and one more for whatever stands behind them. */
    int64_t place = 100;
    bool more = false;
    for (c++; *c >= '0' && *c <= '9'; c++, place /= 10) {
      ms += (*c - '0') * place;
      more = more || (place == 0 && *c != '0');
    }
    ms += more ? 1 : 0;
  }
  return *c == '\0' ? capped(ms) : -1;
}

/* {"error":{"code":...,"message":...,"innerError":{...}}}: the innermost code is the most specific one (FACTS.md,
 * "Error bodies"). The key is spelled innerError and innererror. */
static void read_error(const struct value *body, struct outcome *outcome)
{
  const struct value *error = value_get(body, "error");
  str_cut(outcome->detail, sizeof outcome->detail, value_get_text(error, "message", ""));
  /* Inner codes of digits alone ("429") repeat the status and are less specific than the word above them. The limit is
   * for a body that nests without end. */
  for (int depth = 0; error != NULL && depth < 8; depth++) {
    const char *code = value_get_text(error, "code", "");
    if (*code != '\0' && (depth == 0 || strspn(code, "0123456789") != strlen(code)))
      str_cut(outcome->code, sizeof outcome->code, code);
    const struct value *inner = value_get(error, "innerError");
    if (inner == NULL)
      inner = value_get(error, "innererror");
    if (*outcome->request_id == '\0')
      str_cut(outcome->request_id, sizeof outcome->request_id, value_get_text(inner, "request-id", ""));
    error = inner;
  }
}

/* 401 is not always an expired token: presence has answered so for other reasons. So the reaction to it, one fresh
 * token and one more try, is not decided here. 409 and 423 are not documented for presence; both may pass by
 * themselves. */
static enum outcome_kind kind_of_status(enum graph_operation_kind kind, int status)
{
  if (status >= 200 && status <= 299)
    return OUTCOME_APPLIED;
  switch (status) {
  case 401:
    return OUTCOME_TOKEN_STALE;
  case 403:
    return OUTCOME_FORBIDDEN;
  case 404:
    return graph_operation_row(kind)->gone_is_done ? OUTCOME_GONE : OUTCOME_NO_SUCH_USER;
  case 429:
    return OUTCOME_THROTTLED;
  case 408:
  case 409:
  case 423:
    return OUTCOME_TRY_LATER;
  default:
    /* A redirect can only come from something between us and Graph. */
    return status >= 500 || status < 400 ? OUTCOME_TRY_LATER : OUTCOME_REFUSED;
  }
}

/* A success of Graph's is empty or JSON (FACTS.md, "Success of a presence action"); a proxy's login page is neither. */
static bool is_rubbish(enum graph_operation_kind kind, const struct graph_reply *reply, const struct value *body)
{
  if (graph_operation_row(kind)->answers_json)
    return !value_is(body, VALUE_MAP) || value_count(body) == 0;
  return reply->body_length > 0 && body == NULL;
}

void graph_classify(
    struct json *json, enum graph_operation_kind kind, const struct graph_reply *reply, int64_t now,
    struct outcome *ret_outcome)
{
  struct outcome outcome = {
      .status = reply->status, .retry_after_ms = graph_retry_after(reply->retry_after, reply->date, now)};
  str_cut(outcome.request_id, sizeof outcome.request_id, reply->request_id);
  /* Sent without an answer may have been done: a presence that may be up must be taken back in the end. */
  if (reply->status == 0) {
    outcome.kind = reply->sent ? OUTCOME_UNKNOWN : OUTCOME_TRY_LATER;
    str_cut(outcome.detail, sizeof outcome.detail, reply->failure);
    *ret_outcome = outcome;
    return;
  }
  struct values values = {0};
  struct value *body = NULL;
  struct err err = ERR_INIT;
  if (reply->body_length > 0 && !json_parse(json, reply->body, reply->body_length, &values, &body, &err))
    body = NULL;
  outcome.kind = kind_of_status(kind, reply->status);
  if (outcome.kind != OUTCOME_APPLIED) {
    read_error(body, &outcome);
  } else if (is_rubbish(kind, reply, body)) {
    outcome.kind = OUTCOME_TRY_LATER;
    snprintf(
        outcome.detail, sizeof outcome.detail, "the answer is not Graph's (%.80s); is there a proxy in between?",
        *reply->content_type == '\0' ? "no content type" : reply->content_type);
  }
  values_release(&values);
  *ret_outcome = outcome;
}

static bool parse_object(
    struct json *json, const struct graph_reply *reply, struct values *values, struct value **ret_body,
    const char *what, struct err *err)
{
  struct err why = ERR_INIT;
  if (!json_parse(json, reply->body, reply->body_length, values, ret_body, &why) || !value_is(*ret_body, VALUE_MAP))
    return err_set(err, ERR_NET, "the answer is no %s; is there a proxy in between?", what);
  return true;
}

bool graph_parse_user(struct json *json, const struct graph_reply *reply, struct graph_user *ret_user, struct err *err)
{
  struct values values = {0};
  struct value *body = NULL;
  bool ok = parse_object(json, reply, &values, &body, "user", err);
  if (ok) {
    struct graph_user user = {0};
    /* The one member that must be right: presences are addressed by it. Lower case, so that it compares as text. */
    const char *id = value_get_text(body, "id", "");
    ok = str_is_guid(id);
    if (ok) {
      must(str_copy(user.id, sizeof user.id, id));
      str_lower(user.id);
      str_cut(user.upn, sizeof user.upn, value_get_text(body, "userPrincipalName", ""));
      str_cut(user.display_name, sizeof user.display_name, value_get_text(body, "displayName", ""));
      user.account_enabled = value_get_bool(body, "accountEnabled", true);
      str_cut(user.user_type, sizeof user.user_type, value_get_text(body, "userType", ""));
      *ret_user = user;
    } else {
      err_set(err, ERR_NET, "the answer is no user: its id is no GUID; is there a proxy in between?");
    }
  }
  values_release(&values);
  return ok;
}

bool graph_parse_presence(
    struct json *json, const struct graph_reply *reply, struct graph_presence *ret_presence, struct err *err)
{
  struct values values = {0};
  struct value *body = NULL;
  bool ok = parse_object(json, reply, &values, &body, "presence", err);
  if (ok) {
    /* Open strings: the documentation has exchanged the list of values once, and may do so again. */
    struct graph_presence presence = {0};
    str_cut(
        presence.availability, sizeof presence.availability, value_get_text(body, "availability", "PresenceUnknown"));
    str_cut(presence.activity, sizeof presence.activity, value_get_text(body, "activity", "PresenceUnknown"));
    const struct value *message = value_get(value_get(body, "statusMessage"), "message");
    str_cut(presence.message, sizeof presence.message, value_get_text(message, "content", ""));
    *ret_presence = presence;
  }
  values_release(&values);
  return ok;
}

bool graph_parse_presences(
    struct json *json, const struct graph_reply *reply, graph_on_presence *on_presence, void *context, struct err *err)
{
  struct values values = {0};
  struct value *body = NULL;
  bool ok = parse_object(json, reply, &values, &body, "list of presences", err);
  const struct value *list = ok ? value_get(body, "value") : NULL;
  bool empty = value_is(list, VALUE_MAP) && value_count(list) == 0; /* see base/value.h */
  if (ok && !value_is(list, VALUE_LIST) && !empty)
    ok = err_set(err, ERR_NET, "the answer is no list of presences; is there a proxy in between?");
  for (size_t i = 0; ok && i < value_count(list); i++) {
    const struct value *presence = value_at(list, i);
    on_presence(
        context, value_get_text(presence, "id", ""), availability_parse(value_get_text(presence, "availability", "")));
  }
  values_release(&values);
  return ok;
}
