#include "cases.h"

#include "adapters/json.h"
#include "base/clock.h"
#include "base/str.h"
#include "graph/graph.h"

#include <string.h>

#define NOW (INT64_C(1767614400000)) /* 2026-01-05T12:00Z */
#define ID "11111111-2222-3333-4444-555555555555"

static struct json *json;
static const struct graph_endpoint endpoint = {
    "https://login.example", "https://graph.example", "aaaaaaaa-0000-0000-0000-000000000001",
    "bbbbbbbb-0000-0000-0000-000000000002"};

/* ---- encoding */

static const struct {
  struct graph_operation operation;
  const char *method, *path, *body; /* body NULL: refused as a bug */
} encodings[] = {
    {{.kind = GRAPH_SET_PRESENCE, .user = ID, .presence = SESSION_IN_A_CALL, .duration_ms = CLOCK_HOUR},
     "POST",
     "/users/" ID "/presence/setPresence",
     "{\"sessionId\":\"bbbbbbbb-0000-0000-0000-000000000002\",\"availability\":\"Busy\",\"activity\":\"InACall\","
     "\"expirationDuration\":\"PT1H\"}"},
    {{.kind = GRAPH_SET_PRESENCE, .user = ID, .presence = PREFERRED_BUSY, .duration_ms = CLOCK_HOUR}, "", "", NULL},
    {{.kind = GRAPH_SET_PRESENCE, .user = ID, .presence = PRESENCE_NONE, .duration_ms = CLOCK_HOUR}, "", "", NULL},
    {{.kind = GRAPH_SET_PRESENCE, .user = ID, .presence = SESSION_AWAY, .duration_ms = 5 * CLOCK_MINUTE - 1},
     "",
     "",
     NULL},
    {{.kind = GRAPH_SET_PRESENCE, .user = ID, .presence = SESSION_AWAY, .duration_ms = 4 * CLOCK_HOUR + 1},
     "",
     "",
     NULL},
    {{.kind = GRAPH_CLEAR_PRESENCE, .user = ID},
     "POST",
     "/users/" ID "/presence/clearPresence",
     "{\"sessionId\":\"bbbbbbbb-0000-0000-0000-000000000002\"}"},
    {{.kind = GRAPH_SET_PREFERRED, .user = ID, .presence = PREFERRED_OFFLINE, .duration_ms = 8 * CLOCK_HOUR},
     "POST",
     "/users/" ID "/presence/setUserPreferredPresence",
     "{\"availability\":\"Offline\",\"activity\":\"OffWork\",\"expirationDuration\":\"PT8H\"}"},
    {{.kind = GRAPH_SET_PREFERRED, .user = ID, .presence = SESSION_AWAY, .duration_ms = CLOCK_HOUR}, "", "", NULL},
    {{.kind = GRAPH_CLEAR_PREFERRED, .user = ID}, "POST", "/users/" ID "/presence/clearUserPreferredPresence", "{}"},
    {{.kind = GRAPH_SET_MESSAGE, .user = ID, .message = "Caf\u00e9 \"now\"", .message_until_ms = NOW},
     "POST",
     "/users/" ID "/presence/setStatusMessage",
     "{\"statusMessage\":{\"message\":{\"content\":\"Caf\u00e9 \\\"now\\\"\",\"contentType\":\"text\"},"
     "\"expiryDateTime\":{\"dateTime\":\"2026-01-05T12:00:00\",\"timeZone\":\"UTC\"}}}"},
    {{.kind = GRAPH_CLEAR_MESSAGE, .user = ID},
     "POST",
     "/users/" ID "/presence/setStatusMessage",
     "{\"statusMessage\":{\"message\":{\"content\":\"\",\"contentType\":\"text\"}}}"},
    {{.kind = GRAPH_GET_PRESENCE, .user = ID}, "GET", "/users/" ID "/presence", ""},
    {{.kind = GRAPH_LOOKUP, .user = "anna@contoso.com"},
     "GET",
     "/users/anna%40contoso.com?$select=id,userPrincipalName,displayName,accountEnabled,userType",
     ""},
    {{.kind = GRAPH_LOOKUP, .user = "a_b.com#EXT#@c.com"},
     "GET",
     "/users/a_b.com%23EXT%23%40c.com?$select=id,userPrincipalName,displayName,accountEnabled,userType",
     ""},
    {{.kind = GRAPH_LOOKUP, .user = "o'neil@c.com"},
     "GET",
     "/users/o%27neil%40c.com?$select=id,userPrincipalName,displayName,accountEnabled,userType",
     ""},
    {{.kind = GRAPH_LOOKUP, .user = "a+b@c.com"},
     "GET",
     "/users/a%2Bb%40c.com?$select=id,userPrincipalName,displayName,accountEnabled,userType",
     ""},
    {{.kind = GRAPH_LOOKUP, .user = "zo\u00eb@c.com"},
     "GET",
     "/users/zo%C3%AB%40c.com?$select=id,userPrincipalName,displayName,accountEnabled,userType",
     ""},
    {{.kind = GRAPH_LOOKUP, .user = "$er'v@c.com"},
     "GET",
     "/users('%24er%27%27v%40c.com')?$select=id,userPrincipalName,displayName,accountEnabled,userType",
     ""},
};

static void test_encode(void **state UNUSED)
{
  for (size_t i = 0; i < COUNT_OF(encodings); i++) {
    struct graph_request request;
    struct err err = ERR_INIT;
    bool ok = graph_encode(&endpoint, &encodings[i].operation, &request, &err);
    if (encodings[i].body == NULL) {
      assert_false(ok);
      assert_int_equal(err.kind, ERR_BUG);
      continue;
    }
    assert_true(ok);
    char url[1024];
    snprintf(url, sizeof url, "https://graph.example/v1.0%s", encodings[i].path);
    assert_string_equal(request.method, encodings[i].method);
    assert_string_equal(buf_text(&request.url), url);
    assert_string_equal(buf_text(&request.body), encodings[i].body);
    graph_request_release(&request);
  }
}

static void test_encode_token(void **state UNUSED)
{
  struct wiped secret = WIPED_INIT;
  struct graph_request request;
  wiped_set(&secret, "a+b/c%d&e=\u00e9~", strlen("a+b/c%d&e=\u00e9~"));
  graph_encode_token(&endpoint, "client_secret", &secret, &request);
  assert_string_equal(
      buf_text(&request.url), "https://login.example/aaaaaaaa-0000-0000-0000-000000000001/oauth2/v2.0/token");
  assert_string_equal(
      buf_text(&request.body),
      "grant_type=client_credentials&client_id=bbbbbbbb-0000-0000-0000-000000000002"
      "&scope=https%3A%2F%2Fgraph.example%2F.default&client_secret=a%2Bb%2Fc%25d%26e%3D%C3%A9~");
  graph_request_release(&request);
  wiped_release(&secret);
}

/* ---- Retry-After */

static const struct {
  const char *text;
  int64_t ms;
} retry_afters[] = {
    {"10", 10000},
    {"0", 0},
    {"2.128", 2128},
    {"2.1281", 2129},
    {"1.", 1000},
    {"86400", 86400000},
    {"Mon, 05 Jan 2026 12:02:00 GMT", 120000},
    {"Mon, 05 Jan 2026 11:00:00 GMT", 0},
    {"", -1},
    {"soon", -1},
    {"-5", -1},
    {"10 s", -1},
    {"1e3", -1},
    {"2592000", 30 * CLOCK_DAY},
    {"2592001", 30 * CLOCK_DAY + CLOCK_SECOND},
    {"99999999999999999999", 36600 * CLOCK_DAY},
    {"99999999999999999999x", -1},
    {"Fri, 31 Dec 2099 23:59:59 GMT", INT64_C(4102444799000) - NOW},
};

static void test_retry_after(void **state UNUSED)
{
  for (size_t i = 0; i < COUNT_OF(retry_afters); i++)
    if (graph_retry_after(retry_afters[i].text, "", NOW) != retry_afters[i].ms)
      fail_msg("%s: %lld", retry_afters[i].text, (long long)graph_retry_after(retry_afters[i].text, "", NOW));
}

/* A date is the server's: our clock may be hours off. */
static void test_retry_after_a_date(void **state UNUSED)
{
  static const char until[] = "Mon, 05 Jan 2026 12:02:00 GMT";
  assert_int_equal(graph_retry_after(until, "Mon, 05 Jan 2026 12:01:30 GMT", NOW + 7200000), 30000);
  assert_int_equal(graph_retry_after(until, "Mon, 05 Jan 2026 12:01:30 GMT", NOW - 7200000), 30000);
  assert_int_equal(graph_retry_after(until, "yesterday", NOW), 120000);
  assert_int_equal(graph_retry_after("7", "Mon, 05 Jan 2026 12:01:30 GMT", NOW), 7000);
}

/* ---- batches that say nothing */

static void note_failure(void *context, size_t number UNUSED, const struct graph_reply *reply)
{
  assert_int_equal(reply->status, 0);
  assert_true(reply->sent);
  str_cut(context, 200, reply->failure);
}

static void test_batch_says_nothing(void **state UNUSED)
{
  static const struct {
    const char *content_type, *body, *failure;
  } answers[] = {
      {"application/json", "{\"responses\":[]}", "the answer to the batch leaves it out"},
      {"text/html", "<html>", "the answer to the batch is not Graph's (text/html); is there a proxy in between?"},
      {"", "", "the answer to the batch is not Graph's (no content type); is there a proxy in between?"},
      {"application/json", "{\"responses\":7}",
       "the answer to the batch is not Graph's (application/json); is there a proxy in between?"}};
  for (size_t i = 0; i < COUNT_OF(answers); i++) {
    char failure[200] = "";
    struct graph_reply reply = {
        .status = 200,
        .sent = true,
        .failure = "",
        .body = answers[i].body,
        .body_length = strlen(answers[i].body),
        .retry_after = "",
        .date = "",
        .request_id = "",
        .content_type = answers[i].content_type,
        .diagnostic = ""};
    assert_true(graph_split_batch(json, &reply, 1, note_failure, failure));
    assert_string_equal(failure, answers[i].failure);
    reply.status = 503;
    assert_false(graph_split_batch(json, &reply, 1, note_failure, failure));
  }
}

/* ---- classification */

static struct graph_reply reply_of(int status, const char *body)
{
  return (struct graph_reply){
      .status = status,
      .sent = true,
      .failure = "",
      .body = body,
      .body_length = strlen(body),
      .retry_after = "",
      .date = "",
      .request_id = "",
      .content_type = "text/html",
      .diagnostic = ""};
}

static const struct {
  enum graph_operation_kind kind;
  int status;
  const char *body;
  enum outcome_kind outcome;
} classes[] = {
    {GRAPH_SET_PRESENCE, 200, "", OUTCOME_APPLIED},
    {GRAPH_SET_PRESENCE, 204, "", OUTCOME_APPLIED},
    {GRAPH_SET_PRESENCE, 200, "{}", OUTCOME_APPLIED},
    {GRAPH_SET_PRESENCE, 200, "<html>log in</html>", OUTCOME_TRY_LATER},
    {GRAPH_SET_PRESENCE, 302, "", OUTCOME_TRY_LATER},
    {GRAPH_SET_PRESENCE, 400, "", OUTCOME_REFUSED},
    {GRAPH_SET_PRESENCE, 401, "", OUTCOME_TOKEN_STALE},
    {GRAPH_SET_PRESENCE, 403, "", OUTCOME_FORBIDDEN},
    {GRAPH_SET_PRESENCE, 404, "", OUTCOME_NO_SUCH_USER},
    {GRAPH_SET_PREFERRED, 404, "", OUTCOME_NO_SUCH_USER},
    {GRAPH_CLEAR_PRESENCE, 404, "", OUTCOME_GONE},
    {GRAPH_CLEAR_PREFERRED, 404, "", OUTCOME_GONE},
    {GRAPH_CLEAR_MESSAGE, 404, "", OUTCOME_NO_SUCH_USER}, /* it is a setStatusMessage */
    {GRAPH_LOOKUP, 404, "", OUTCOME_NO_SUCH_USER},
    {GRAPH_SET_PRESENCE, 408, "", OUTCOME_TRY_LATER},
    {GRAPH_SET_PRESENCE, 409, "", OUTCOME_TRY_LATER},
    {GRAPH_SET_PRESENCE, 415, "", OUTCOME_REFUSED},
    {GRAPH_SET_PRESENCE, 423, "", OUTCOME_TRY_LATER},
    {GRAPH_SET_PRESENCE, 429, "", OUTCOME_THROTTLED},
    {GRAPH_SET_PRESENCE, 500, "", OUTCOME_TRY_LATER},
    {GRAPH_SET_PRESENCE, 502, "<html>", OUTCOME_TRY_LATER},
    {GRAPH_SET_PRESENCE, 503, "", OUTCOME_TRY_LATER},
    {GRAPH_SET_PRESENCE, 504, "", OUTCOME_TRY_LATER},
    {GRAPH_LOOKUP, 200, "", OUTCOME_TRY_LATER},
    {GRAPH_LOOKUP, 202, "{}", OUTCOME_TRY_LATER},
    {GRAPH_LOOKUP, 200, "{\"id\":\"x\"}", OUTCOME_APPLIED},
    {GRAPH_GET_PRESENCE, 200, "nonsense", OUTCOME_TRY_LATER},
};

static void test_classify(void **state UNUSED)
{
  for (size_t i = 0; i < COUNT_OF(classes); i++) {
    struct graph_reply reply = reply_of(classes[i].status, classes[i].body);
    struct outcome outcome;
    graph_classify(json, classes[i].kind, &reply, NOW, &outcome);
    if (outcome.kind != classes[i].outcome)
      fail_msg("%s %d: %s", graph_operation_str(classes[i].kind), classes[i].status, outcome_kind_str(outcome.kind));
    assert_int_equal(outcome.retry_after_ms, -1);
  }
}

static void test_classify_no_answer(void **state UNUSED)
{
  struct graph_reply reply = reply_of(0, "");
  struct outcome outcome;
  reply.failure = "connection refused";
  graph_classify(json, GRAPH_SET_PRESENCE, &reply, NOW, &outcome);
  assert_int_equal(outcome.kind, OUTCOME_UNKNOWN);
  reply.sent = false;
  graph_classify(json, GRAPH_SET_PRESENCE, &reply, NOW, &outcome);
  assert_int_equal(outcome.kind, OUTCOME_TRY_LATER);
  assert_string_equal(outcome.detail, "connection refused");
}

static void test_classify_error_body(void **state UNUSED)
{
  static const char *const bodies[] = {
      "{\"error\":{\"code\":\"Outer\",\"message\":\"why\",\"innerError\":{\"code\":\"Inner\",\"request-id\":\"r-1\"}}}",
      "{\"error\":{\"code\":\"Outer\",\"message\":\"why\",\"innererror\":{\"code\":\"Inner\",\"request-id\":\"r-1\"}}}",
  };
  for (size_t i = 0; i < COUNT_OF(bodies); i++) {
    struct graph_reply reply = reply_of(403, bodies[i]);
    struct outcome outcome;
    graph_classify(json, GRAPH_SET_PRESENCE, &reply, NOW, &outcome);
    assert_string_equal(outcome.code, "Inner");
    assert_string_equal(outcome.detail, "why");
    assert_string_equal(outcome.request_id, "r-1");
  }
}

/* ---- users and tokens */

static void test_parse_user(void **state UNUSED)
{
  struct graph_user user;
  struct err err = ERR_INIT;
  struct graph_reply good =
      reply_of(200, "{\"id\":\"11111111-2222-3333-4444-55555555555A\",\"userPrincipalName\":\"A@b.c\"}");
  assert_true(graph_parse_user(json, &good, &user, &err));
  assert_string_equal(user.id, "11111111-2222-3333-4444-55555555555a");
  assert_string_equal(user.upn, "A@b.c");
  assert_true(user.account_enabled);
  assert_string_equal(user.user_type, "");
  struct graph_reply guest = reply_of(
      200, "{\"id\":\"11111111-2222-3333-4444-55555555555A\",\"accountEnabled\":false,\"userType\":\"Guest\"}");
  assert_true(graph_parse_user(json, &guest, &user, &err));
  assert_false(user.account_enabled);
  assert_string_equal(user.user_type, "Guest");
  static const char *const bad[] = {"", "[]", "{}", "{\"id\":\"nope\"}", "{\"id\":47}", "<html>"};
  for (size_t i = 0; i < COUNT_OF(bad); i++) {
    struct graph_reply reply = reply_of(200, bad[i]);
    assert_false(graph_parse_user(json, &reply, &user, &err));
    assert_int_equal(err.kind, ERR_NET);
  }
}

static const struct {
  const char *token;
  const char *roles[3];
} tokens_with_roles[] = {
    {"e30.eyJyb2xlcyI6WyJVc2VyLlJlYWQuQWxsIiwgIlByZXNlbmNlLlJlYWRXcml0ZS5BbGwiXX0.x", /* {"roles":["User...","Pre..."]}
                                                                                       */
     {"User.Read.All", "Presence.ReadWrite.All"}},
    {"e30.eyJyb2xlcyI6W119.x", {NULL}},            /* {"roles":[]} */
    {"e30.eyJyb2xlcyI6WyJBIiwiQg.x", {"A"}},       /* {"roles":["A","B : cut off */
    {"e30.eyJyb2xlcyI6IkEifQ.x", {NULL}},          /* {"roles":"A"} */
    {"e30.eyJyb2xlcyI6WyJcdTAwNDEiXX0.x", {NULL}}, /* an escape */
    {"e30.e30.x", {NULL}},
    {"opaque", {NULL}},
    {"a.b", {NULL}},
    {"..", {NULL}},
    {"e30.!!!!.x", {NULL}},
    {"", {NULL}},
};

static void test_token_roles(void **state UNUSED)
{
  for (size_t i = 0; i < COUNT_OF(tokens_with_roles); i++) {
    struct wiped token = WIPED_INIT;
    struct graph_roles roles;
    size_t count = 0;
    wiped_set(&token, tokens_with_roles[i].token, strlen(tokens_with_roles[i].token));
    graph_token_roles(&token, &roles);
    for (; tokens_with_roles[i].roles[count] != NULL; count++) {
      assert_true(count < roles.count);
      assert_string_equal(roles.names[count], tokens_with_roles[i].roles[count]);
    }
    assert_int_equal(roles.count, count);
    wiped_release(&token);
  }
}

static const struct {
  int status;
  const char *body;
  enum graph_token_verdict verdict;
  int64_t life_ms, refresh_ms; /* of GRAPH_TOKEN_OK */
  const char *says;            /* part of the error text */
} tokens[] = {
    {200, "{\"access_token\":\"t\",\"expires_in\":3599}", GRAPH_TOKEN_OK, 3599000, 3299000, ""},
    {200, "{\"access_token\":\"t\",\"expires_in\":\"3599\"}", GRAPH_TOKEN_OK, 3599000, 3299000, ""},
    {200, "{\"access_token\":\"t\",\"expires_in\":86400,\"refresh_in\":43200}", GRAPH_TOKEN_OK, 86400000, 43200000, ""},
    {200, "{\"access_token\":\"t\",\"expires_in\":60}", GRAPH_TOKEN_OK, 60000, 30000, ""},
    {200, "{\"expires_in\":3599,\n \"access_token\" : \"t\"}", GRAPH_TOKEN_OK, 3599000, 3299000, ""},
    {200, "{\"access_token\":\"t\\u0041\",\"expires_in\":3599}", GRAPH_TOKEN_RETRY, 0, 0, "no token"},
    {200, "{\"access_token\":\"\",\"expires_in\":3599}", GRAPH_TOKEN_RETRY, 0, 0, "no token"},
    {200, "{\"x\":{\"access_token\":\"t\"},\"expires_in\":3599}", GRAPH_TOKEN_RETRY, 0, 0, "no token"},
    {200, "{}", GRAPH_TOKEN_RETRY, 0, 0, "no token"},
    {200, "<html>", GRAPH_TOKEN_RETRY, 0, 0, "no token"},
    {0, "", GRAPH_TOKEN_RETRY, 0, 0, "cannot be reached"},
    {500, "", GRAPH_TOKEN_RETRY, 0, 0, "500"},
    {429, "{\"error\":\"temporarily_unavailable\"}", GRAPH_TOKEN_RETRY, 0, 0, "429"},
    {401, "{\"error\":\"invalid_client\",\"error_codes\":[7000215]}", GRAPH_TOKEN_REFUSED, 0, 0, "Value"},
    {401, "{\"error\":\"invalid_client\",\"error_codes\":[7000222]}", GRAPH_TOKEN_REFUSED, 0, 0, "expired"},
    {400, "{\"error\":\"invalid_request\",\"error_codes\":[90002]}", GRAPH_TOKEN_REFUSED, 0, 0, "no such tenant"},
    {400, "{\"error\":\"unauthorized_client\",\"error_codes\":[700016]}", GRAPH_TOKEN_REFUSED, 0, 0, "ClientId"},
    {400, "{\"error\":\"invalid_grant\",\"error_codes\":[50196]}", GRAPH_TOKEN_RETRY, 0, 0, "too many token requests"},
    {400, "{\"error\":\"invalid_scope\",\"error_description\":\"AADSTS1: hm\\r\\nTrace\",\"error_codes\":[1]}",
     GRAPH_TOKEN_REFUSED, 0, 0, "AADSTS1: hm;"},
};

static void test_parse_token(void **state UNUSED)
{
  for (size_t i = 0; i < COUNT_OF(tokens); i++) {
    struct graph_reply reply = reply_of(tokens[i].status, tokens[i].body);
    struct graph_token token = {0};
    struct err err = ERR_INIT;
    int64_t retry_after;
    enum graph_token_verdict verdict = graph_parse_token(json, &reply, NOW, &token, &retry_after, &err);
    if (verdict != tokens[i].verdict || strstr(err.text, tokens[i].says) == NULL)
      fail_msg("%d %s: %d %s", tokens[i].status, tokens[i].body, verdict, err.text);
    if (verdict == GRAPH_TOKEN_OK) {
      assert_string_equal(wiped_text(&token.bearer), "t");
      assert_int_equal(token.expires_ms, NOW + tokens[i].life_ms);
      assert_int_equal(token.refresh_ms, NOW + tokens[i].refresh_ms);
    } else {
      assert_int_equal(err.kind, verdict == GRAPH_TOKEN_RETRY ? ERR_NET : ERR_AUTH);
    }
    wiped_release(&token.bearer);
  }
}

static int set_up(void **state UNUSED)
{
  struct err err = ERR_INIT;
  return (json = json_new(&err)) == NULL;
}

static int tear_down(void **state UNUSED)
{
  json_free(json);
  return 0;
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_encode),
      cmocka_unit_test(test_encode_token),
      cmocka_unit_test(test_batch_says_nothing),
      cmocka_unit_test(test_retry_after),
      cmocka_unit_test(test_retry_after_a_date),
      cmocka_unit_test(test_classify),
      cmocka_unit_test(test_classify_no_answer),
      cmocka_unit_test(test_classify_error_body),
      cmocka_unit_test(test_parse_user),
      cmocka_unit_test(test_token_roles),
      cmocka_unit_test(test_parse_token)};
  return cases_run(argc, argv, tests, set_up, tear_down);
}
