/* The service with a clock and a Graph of the test's own: what goes out, in which order, and what comes of the answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "adapters/json.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/must.h"
#include "base/str.h"
#include "intake/intake.h"
#include "service/service.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define START (INT64_C(1767614400000)) /* 2026-01-05T12:00Z */
#define ID_A "aaaaaaaa-0000-0000-0000-000000000000"
#define ID_B "bbbbbbbb-0000-0000-0000-000000000000"

static const char rules_text[] =
    "ruleset {\n"
    "  name = 'test',\n"
    "  reasons = { LUNCH = teams.be_right_back { expires = '45m' }, NOTE = teams.busy { expires = '1h', message = "
    "'back soon' },\n"
    "    SHORT = session.in_a_call { expires = '10m' } },\n"
    "  states = { Ready = teams.available, Talking = teams.in_a_call, Ringing = keep, LoggedOff = clear },\n"
    "}\n";

enum { EXCHANGES_MAX = 64 };

static struct world {
  char folder[64], state[96], rules[96];
  struct config_account account;
  struct config config;
  struct wiped secret;
  struct json *json;
  struct ruleset *ruleset;
  struct store *store;
  struct service *service;
  int64_t now, wake_at;
  uint32_t seed;
  struct exchange {
    char line[512]; /* "POST /users/ID/presence/setPresence Busy InACall PT1H" */
    char bearer[32];
    service_on_reply *on_reply;
    void *context;
    bool open;
  } exchanges[EXCHANGES_MAX];
  size_t sent;
  int tokens;
} world;

/* ---- ports */

static void describe(struct exchange *exchange, const struct graph_request *request)
{
  struct values values = {0};
  struct value *body = NULL;
  struct err err = ERR_INIT;
  const char *path = strstr(request->url, "/v1.0");
  char extra[256] = "";
  if (path != NULL && request->body.length > 0 &&
      json_parse(world.json, buf_text(&request->body), request->body.length, &values, &body, &err)) {
    const struct value *message = value_get(value_get(body, "statusMessage"), "message");
    snprintf(
        extra, sizeof extra, " %s %s %s%s", value_get_text(body, "availability", ""),
        value_get_text(body, "activity", ""), value_get_text(body, "expirationDuration", ""),
        value_get_text(message, "content", ""));
  }
  snprintf(exchange->line, sizeof exchange->line, "%s %s%s", request->method, path == NULL ? "token" : path + 5, extra);
  char *query = strstr(exchange->line, "?$select");
  if (query != NULL)
    *query = '\0';
  str_trim(exchange->line);
  values_release(&values);
}

static void *port_send(
    void *context UNUSED, const struct graph_request *request, const struct wiped *bearer,
    const char *client_request_id, bool fresh UNUSED, service_on_reply *on_reply, void *reply_context)
{
  assert_true(str_is_guid(client_request_id));
  assert_true(world.sent < EXCHANGES_MAX);
  struct exchange *exchange = &world.exchanges[world.sent++];
  *exchange = (struct exchange){.on_reply = on_reply, .context = reply_context, .open = true};
  snprintf(exchange->bearer, sizeof exchange->bearer, "%s", bearer == NULL ? "" : wiped_text(bearer));
  describe(exchange, request);
  return exchange;
}

static void port_cancel(void *context UNUSED, void *exchange)
{
  ((struct exchange *)exchange)->open = false;
}

static void port_wake_at(void *context UNUSED, int64_t at_ms)
{
  world.wake_at = at_ms;
}

static int64_t port_now(void *context UNUSED)
{
  return world.now;
}

static void port_random(void *context UNUSED, void *bytes, size_t length)
{
  for (size_t i = 0; i < length; i++)
    ((unsigned char *)bytes)[i] = (unsigned char)((world.seed = world.seed * 1664525u + 1013904223u) >> 24);
}

/* ---- steps of a test */

static void turn(void)
{
  struct err err = ERR_INIT;
  if (!service_turn(world.service, &err))
    fail_msg("%s", err.text);
}

/* Lets time pass, waking whenever it was asked for. */
static void pass(int64_t ms)
{
  int64_t until = world.now + ms;
  turn();
  for (int turns = 0; world.wake_at <= until; turns++) {
    assert_true(turns < 10000); /* it would spin */
    world.now = world.wake_at > world.now ? world.wake_at : world.now + 1;
    turn();
  }
  world.now = until;
  turn();
}

static struct exchange *expect(const char *line)
{
  for (size_t i = 0; i < world.sent; i++)
    if (world.exchanges[i].open) {
      if (strcmp(world.exchanges[i].line, line) != 0)
        fail_msg("expected %s, got %s", line, world.exchanges[i].line);
      return &world.exchanges[i];
    }
  fail_msg("expected %s, got nothing", line);
  return NULL;
}

static void expect_nothing(void)
{
  for (size_t i = 0; i < world.sent; i++)
    if (world.exchanges[i].open)
      fail_msg("expected nothing, got %s", world.exchanges[i].line);
  world.sent = 0;
}

static void reply_with(struct exchange *exchange, int status, const char *retry_after, const char *body)
{
  struct graph_reply reply = {
      .status = status,
      .sent = true,
      .failure = status == 0 ? "timeout" : "",
      .body = body,
      .body_length = strlen(body),
      .retry_after = retry_after,
      .request_id = "r",
      .content_type = "",
      .diagnostic = ""};
  exchange->open = false;
  exchange->on_reply(exchange->context, &reply);
  turn();
}

static void answer(const char *line, int status)
{
  reply_with(expect(line), status, "", "");
}

static void answer_token(void)
{
  char body[128];
  snprintf(body, sizeof body, "{\"access_token\":\"token-%d\",\"expires_in\":3600}", ++world.tokens);
  reply_with(expect("POST token"), 200, "", body);
}

static void answer_user(const char *line, const char *id)
{
  char body[128];
  snprintf(body, sizeof body, "{\"id\":\"%s\"}", id);
  reply_with(expect(line), 200, "", body);
}

static enum service_taken give(const char *json)
{
  static struct event event;
  struct err err = ERR_INIT;
  if (!intake_parse(world.json, json, strlen(json), world.now, &event, &err))
    fail_msg("%s", err.text);
  enum service_taken taken = service_event(world.service, &event, false);
  turn();
  return taken;
}

static enum service_taken state(const char *agent, const char *name, const char *reason)
{
  char json[512];
  snprintf(json, sizeof json, "{\"agent\":\"%s\",\"state\":\"%s\",\"reason\":\"%s\"}", agent, name, reason);
  return give(json);
}

/* The first presence of a@c.com, whose id is ID_A. */
static void first_ready(void)
{
  state("a@c.com", "Ready", "");
  answer_token();
  answer_user("GET /users/a%40c.com", ID_A);
  answer("POST /users/" ID_A "/presence/setPresence Available Available PT1H", 200);
  expect_nothing();
}

static void restart(void)
{
  struct err err = ERR_INIT;
  static const char *ids[1];
  ids[0] = world.account.id;
  service_free(world.service);
  store_close(world.store);
  world.sent = 0;
  world.store = store_open(world.state, ids, 1, &err);
  if (world.store == NULL)
    fail_msg("%s", err.text);
  struct service_setup setup = {
      .config = &world.config,
      .secrets = &world.secret,
      .rulesets = &world.ruleset,
      .store = world.store,
      .json = world.json,
      .ports = {NULL, port_send, port_cancel, port_wake_at, port_now, port_random}};
  world.service = service_new(&setup);
  service_start(world.service);
  turn();
}

static bool is_parked(void)
{
  return service_rest(world.service).parked == 1;
}

/* ---- tests */

static void test_first_presence(void **s UNUSED)
{
  expect("POST token");
  assert_int_equal(state("a@c.com", "Talking", ""), SERVICE_ACCEPTED);
  answer_token();
  answer_user("GET /users/a%40c.com", ID_A);
  struct exchange *set = expect("POST /users/" ID_A "/presence/setPresence Busy InACall PT1H");
  assert_string_equal(set->bearer, "token-1");
  assert_true(service_rest(world.service).busy);
  reply_with(set, 204, "", "");
  expect_nothing();
  assert_false(service_rest(world.service).busy);
}

static void test_latest_state_wins(void **s UNUSED)
{
  state("a@c.com", "LoggedOff", "");
  answer_token();
  expect_nothing(); /* nothing to show, nothing shown: not even a lookup */
  state("a@c.com", "Talking", "");
  state("a@c.com", "Ready", "");
  answer_user("GET /users/a%40c.com", ID_A);
  struct exchange *first = expect("POST /users/" ID_A "/presence/setPresence Available Available PT1H");
  state("a@c.com", "Talking", "");
  state("a@c.com", "Ready", "");
  state("a@c.com", "Talking", "");
  assert_ptr_equal(expect("POST /users/" ID_A "/presence/setPresence Available Available PT1H"), first);
  reply_with(first, 200, "", ""); /* one in flight per agent; then the latest */
  answer("POST /users/" ID_A "/presence/setPresence Busy InACall PT1H", 200);
  expect_nothing();
}

static void test_preferred_with_carrier(void **s UNUSED)
{
  first_ready();
  state("a@c.com", "NotReady", "LUNCH");
  answer("POST /users/" ID_A "/presence/setPresence Away Away PT45M", 200);
  answer("POST /users/" ID_A "/presence/setUserPreferredPresence BeRightBack BeRightBack PT45M", 200);
  expect_nothing();
  state("a@c.com", "LoggedOff", "");
  answer("POST /users/" ID_A "/presence/clearUserPreferredPresence", 200);
  answer("POST /users/" ID_A "/presence/clearPresence", 404); /* nothing there: as good */
  expect_nothing();
  assert_false(service_rest(world.service).busy);
}

static void test_refused_carrier(void **s UNUSED)
{
  first_ready();
  state("a@c.com", "NotReady", "LUNCH");
  answer("POST /users/" ID_A "/presence/setPresence Away Away PT45M", 400);
  expect_nothing(); /* no preferred without its carrier */
  assert_true(is_parked());
  state("a@c.com", "Ready", ""); /* a new event frees it; Graph still has Available, for all we know */
  expect_nothing();
  assert_false(is_parked());
}

static void test_message(void **s UNUSED)
{
  first_ready();
  state("a@c.com", "NotReady", "NOTE");
  answer("POST /users/" ID_A "/presence/setPresence Away Away PT1H", 200);
  answer("POST /users/" ID_A "/presence/setUserPreferredPresence Busy Busy PT1H", 200);
  answer("POST /users/" ID_A "/presence/setStatusMessage   back soon", 200);
  state("a@c.com", "Ready", "");
  answer("POST /users/" ID_A "/presence/setPresence Available Available PT1H", 200);
  answer("POST /users/" ID_A "/presence/setStatusMessage", 200);
  answer("POST /users/" ID_A "/presence/clearUserPreferredPresence", 200);
  expect_nothing();
}

static void test_keep_alive(void **s UNUSED)
{
  first_ready();
  pass(4 * CLOCK_MINUTE);
  expect_nothing();
  pass(30 * CLOCK_SECOND);
  answer("POST /users/" ID_A "/presence/setPresence Available Available PT1H", 200);
  state("a@c.com", "Talking", "");
  answer("POST /users/" ID_A "/presence/setPresence Busy InACall PT1H", 200);
  pass(51 * CLOCK_MINUTE); /* a call does not fade */
  answer_token();
  expect_nothing();
  pass(9 * CLOCK_MINUTE - 1); /* but it expires */
  answer("POST /users/" ID_A "/presence/setPresence Busy InACall PT1H", 200);
  expect_nothing();
}

static void test_end_of_hold(void **s UNUSED)
{
  first_ready();
  state("a@c.com", "NotReady", "SHORT");
  answer("POST /users/" ID_A "/presence/setPresence Busy InACall PT10M", 200);
  /* A repeat prolongs nothing. */
  pass(5 * CLOCK_MINUTE);
  state("a@c.com", "NotReady", "SHORT");
  expect_nothing();
  /* Another UCC takes over when the winner's hold ends. */
  give("{\"agent\":\"a@c.com\",\"state\":\"Ready\",\"ucc\":\"chat\"}");
  expect_nothing();
  pass(5 * CLOCK_MINUTE + 1);
  answer("POST /users/" ID_A "/presence/setPresence Available Available PT1H", 200);
  expect_nothing();
}

static void test_keep(void **s UNUSED)
{
  first_ready();
  state("a@c.com", "Ringing", "");
  expect_nothing();
  state("b@c.com", "Ringing", ""); /* with nothing before, nothing */
  expect_nothing();
}

static void test_stale_and_duplicate(void **s UNUSED)
{
  first_ready();
  assert_int_equal(
      give("{\"agent\":\"a@c.com\",\"state\":\"Talking\",\"at\":\"2026-01-05T11:59:00Z\"}"), SERVICE_STALE);
  expect_nothing();
  assert_int_equal(
      give("{\"agent\":\"a@c.com\",\"state\":\"Talking\",\"id\":\"1\",\"at\":\"2026-01-05T12:00:00Z\"}"),
      SERVICE_ACCEPTED); /* equal `at`: the later arrival wins */
  answer("POST /users/" ID_A "/presence/setPresence Busy InACall PT1H", 200);
  assert_int_equal(
      give("{\"agent\":\"a@c.com\",\"state\":\"Talking\",\"id\":\"1\",\"at\":\"2026-01-05T12:00:00Z\"}"),
      SERVICE_DUPLICATE);
  assert_int_equal(
      give("{\"agent\":\"a@c.com\",\"state\":\"Ready\",\"id\":\"1\",\"at\":\"2026-01-05T12:00:00Z\"}"),
      SERVICE_ACCEPTED); /* the same id with other content is applied by its time */
  answer("POST /users/" ID_A "/presence/setPresence Available Available PT1H", 200);
  /* Ahead of time: its arrival counts, so that later events are not stale against it. */
  give("{\"agent\":\"a@c.com\",\"state\":\"Talking\",\"at\":\"2027-01-05T12:00:00Z\"}");
  answer("POST /users/" ID_A "/presence/setPresence Busy InACall PT1H", 200);
  world.now += CLOCK_SECOND;
  assert_int_equal(state("a@c.com", "Ready", ""), SERVICE_ACCEPTED);
}

static void test_throttled(void **s UNUSED)
{
  first_ready();
  state("a@c.com", "Talking", "");
  reply_with(expect("POST /users/" ID_A "/presence/setPresence Busy InACall PT1H"), 429, "120", "");
  state("b@c.com", "Ready", ""); /* the gate is the account's, lookups included */
  int64_t closed = world.now;
  pass(60 * CLOCK_SECOND);
  expect_nothing();
  restart();      /* the gate survives */
  answer_token(); /* the token endpoint is not behind it */
  pass(60 * CLOCK_SECOND + 249);
  expect_nothing();
  assert_int_equal(world.wake_at, closed + 120250);
  pass(1);
  answer_user("GET /users/b%40c.com", ID_B);
  answer("POST /users/" ID_A "/presence/setPresence Busy InACall PT1H", 200);
  answer("POST /users/" ID_B "/presence/setPresence Available Available PT1H", 200);
  expect_nothing();
}

static void test_throttled_forms(void **s UNUSED)
{
  char date[64];
  const struct {
    const char *retry_after;
    int64_t least_ms, most_ms;
  } forms[] = {{"2.128", 2378, 2378}, {date, 6250, 7250}, {"", 5000, 10000}, {"soon", 10000, 20000}};
  first_ready();
  state("a@c.com", "Talking", "");
  for (size_t i = 0; i < COUNT_OF(forms); i++) {
    time_t in_seven_seconds = (time_t)(world.now / 1000 + 7);
    struct tm tm;
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&in_seven_seconds, &tm));
    reply_with(expect("POST /users/" ID_A "/presence/setPresence Busy InACall PT1H"), 429, forms[i].retry_after, "");
    int64_t wait = world.wake_at - world.now;
    if (wait < forms[i].least_ms || wait > forms[i].most_ms)
      fail_msg("%s: %lld", forms[i].retry_after, (long long)wait);
    pass(wait - 1);
    expect_nothing();
    pass(1);
  }
  answer("POST /users/" ID_A "/presence/setPresence Busy InACall PT1H", 200);
}

static void test_shorter_never_shortens(void **s UNUSED)
{
  state("a@c.com", "Ready", "");
  answer_token();
  answer_user("GET /users/a%40c.com", ID_A);
  state("b@c.com", "Ready", "");
  struct exchange *first = expect("POST /users/" ID_A "/presence/setPresence Available Available PT1H");
  first->open = false;
  struct exchange *second = expect("GET /users/b%40c.com");
  reply_with(first, 429, "600", "");
  reply_with(second, 429, "5", "");
  pass(599 * CLOCK_SECOND);
  expect_nothing();
}

static void test_stale_token(void **s UNUSED)
{
  first_ready();
  state("a@c.com", "Talking", "");
  struct exchange *set = expect("POST /users/" ID_A "/presence/setPresence Busy InACall PT1H");
  assert_string_equal(set->bearer, "token-1");
  reply_with(set, 401, "", "");
  answer_token();
  set = expect("POST /users/" ID_A "/presence/setPresence Busy InACall PT1H");
  assert_string_equal(set->bearer, "token-2");
  reply_with(set, 401, "", ""); /* a second 401: closed for 30 s, parks nobody */
  expect_nothing();
  assert_false(is_parked());
  pass(30 * CLOCK_SECOND - 1);
  expect_nothing();
  pass(1);
  answer_token();
  reply_with(expect("POST /users/" ID_A "/presence/setPresence Busy InACall PT1H"), 401, "", "");
  pass(60 * CLOCK_SECOND - 1); /* doubled */
  expect_nothing();
  pass(1);
  answer_token();
  /* One request at a time probes. */
  state("b@c.com", "Ready", "");
  set = expect("POST /users/" ID_A "/presence/setPresence Busy InACall PT1H");
  set->open = false;
  expect_nothing();
  world.sent = 10; /* keep the probe's place */
  reply_with(set, 200, "", "");
  answer_user("GET /users/b%40c.com", ID_B);
}

static void test_renewal_fails(void **s UNUSED)
{
  first_ready();
  state("a@c.com", "Talking", "");
  answer("POST /users/" ID_A "/presence/setPresence Busy InACall PT1H", 200);
  pass(55 * CLOCK_MINUTE + CLOCK_SECOND);
  answer("POST token", 503);
  state("a@c.com", "Ready", ""); /* the token still holds */
  struct exchange *set = expect("POST /users/" ID_A "/presence/setPresence Available Available PT1H");
  assert_string_equal(set->bearer, "token-1");
  reply_with(set, 200, "", "");
}

static void test_refused_secret(void **s UNUSED)
{
  state("a@c.com", "Ready", "");
  reply_with(expect("POST token"), 401, "", "{\"error\":\"invalid_client\",\"error_codes\":[7000215]}");
  struct service_rest rest = service_rest(world.service);
  assert_false(rest.busy);
  assert_true(rest.refused);
  assert_non_null(strstr(rest.refused_why.text, "account c.com: the client secret is wrong"));
  pass(29 * CLOCK_SECOND);
  expect_nothing();
  pass(31 * CLOCK_SECOND); /* a slow probe notices when it is mended */
  answer_token();
  answer_user("GET /users/a%40c.com", ID_A);
  assert_false(service_rest(world.service).refused);
}

static void test_outage(void **s UNUSED)
{
  first_ready();
  state("a@c.com", "Talking", "");
  int64_t before = 0;
  for (int i = 0; i < 12; i++) {
    reply_with(expect("POST /users/" ID_A "/presence/setPresence Busy InACall PT1H"), i % 2 == 0 ? 0 : 500, "", "");
    expect_nothing();
    int64_t wait = world.wake_at - world.now;
    assert_true(wait >= CLOCK_SECOND && wait <= 5 * CLOCK_MINUTE);
    assert_true(i > 6 || wait > before / 2);
    before = wait;
    state("a@c.com", "Talking", ""); /* a new event does not make it hurry */
    expect_nothing();
    world.now = world.wake_at;
    turn();
    while (!world.exchanges[0].open) { /* the token may be renewed meanwhile */
      world.sent = 0;
      world.now = world.wake_at;
      turn();
    }
    if (strcmp(world.exchanges[0].line, "POST token") == 0)
      answer_token();
  }
}

static void test_unknown_user(void **s UNUSED)
{
  state("nobody@c.com", "Ready", "");
  answer_token();
  answer("GET /users/nobody%40c.com", 404);
  assert_true(is_parked());
  state("nobody@c.com", "Talking", "");
  pass(15 * CLOCK_MINUTE - 1);
  expect_nothing();
  pass(1);
  answer("GET /users/nobody%40c.com", 404);
  assert_true(is_parked());
  world.sent = 0;
  pass(CLOCK_HOUR);
  for (size_t i = 0; i < world.sent; i++)
    assert_string_equal(world.exchanges[i].line, "POST token");
  size_t count;
  assert_true(service_resync(world.service, "Nobody@c.com", &count)); /* asks at once */
  answer_token();
  answer_user("GET /users/nobody%40c.com", ID_A);
  answer("POST /users/" ID_A "/presence/setPresence Busy InACall PT1H", 200);
  assert_false(is_parked());
}

static void test_no_presence_for_user(void **s UNUSED)
{
  first_ready();
  state("a@c.com", "Talking", "");
  answer("POST /users/" ID_A "/presence/setPresence Busy InACall PT1H", 404);
  answer_user("GET /users/a%40c.com", ID_A); /* looked up once more */
  expect_nothing();
  assert_true(is_parked());
}

static void test_user_recreated(void **s UNUSED)
{
  first_ready();
  state("a@c.com", "Talking", "");
  answer("POST /users/" ID_A "/presence/setPresence Busy InACall PT1H", 404);
  answer_user("GET /users/a%40c.com", ID_B);
  answer("POST /users/" ID_A "/presence/clearPresence", 404); /* the old id first */
  answer("POST /users/" ID_B "/presence/setPresence Busy InACall PT1H", 200);
  expect_nothing();
  assert_int_equal(store_agent_count(world.store), 1);
}

static void test_forbidden(void **s UNUSED)
{
  first_ready();
  state("a@c.com", "Talking", "");
  answer("POST /users/" ID_A "/presence/setPresence Busy InACall PT1H", 403);
  expect_nothing();
  assert_true(is_parked());
  size_t count;
  assert_true(service_resync(world.service, "a@c.com", &count));
  assert_int_equal(count, 1);
  turn();
  answer("POST /users/" ID_A "/presence/setPresence Busy InACall PT1H", 200);
  assert_false(is_parked());
  assert_false(service_resync(world.service, "b@c.com", &count));
}

static void test_two_names_one_user(void **s UNUSED)
{
  first_ready();
  give("{\"agent\":\"alias@c.com\",\"state\":\"Talking\",\"ucc\":\"chat\"}");
  answer_user("GET /users/alias%40c.com", ID_A);
  answer("POST /users/" ID_A "/presence/setPresence Busy InACall PT1H", 200);
  expect_nothing();
  assert_int_equal(store_agent_count(world.store), 1);
  give("{\"agent\":\"" ID_A "\",\"state\":\"LoggedOff\",\"ucc\":\"chat\",\"account\":\"c.com\"}");
  answer("POST /users/" ID_A "/presence/setPresence Available Available PT1H", 200);
  assert_int_equal(store_agent_count(world.store), 1);
}

static void test_name_reassigned(void **s UNUSED)
{
  first_ready();
  state("a@c.com", "Talking", "");
  answer("POST /users/" ID_A "/presence/setPresence Busy InACall PT1H", 200);
  /* Verified every day, with all that goes on meanwhile. */
  int64_t until = world.now + 24 * CLOCK_HOUR;
  bool verified = false;
  while (world.now < until && !verified) {
    world.now = world.wake_at;
    turn();
    for (size_t i = 0; i < world.sent && !verified; i++) {
      struct exchange *exchange = &world.exchanges[i];
      if (!exchange->open)
        continue;
      if (strcmp(exchange->line, "POST token") == 0)
        answer_token();
      else if ((verified = str_starts(exchange->line, "GET")))
        break;
      else
        reply_with(exchange, 200, "", "");
    }
    if (!verified)
      world.sent = 0;
  }
  assert_true(verified && world.now >= until - 3 * CLOCK_HOUR);
  state("a@c.com", "Ready", "");
  /* The lookup that is out answers with another user. */
  for (size_t i = 0; i < world.sent; i++)
    if (world.exchanges[i].open && str_starts(world.exchanges[i].line, "POST"))
      reply_with(&world.exchanges[i], 200, "", "");
  answer_user("GET /users/a%40c.com", ID_B);
  answer("POST /users/" ID_A "/presence/clearPresence", 200); /* the old one first */
  answer("POST /users/" ID_B "/presence/setPresence Available Available PT1H", 200);
  assert_int_equal(store_agent_count(world.store), 1);
}

static void test_crash(void **s UNUSED)
{
  first_ready();
  state("a@c.com", "Talking", "");
  expect("POST /users/" ID_A "/presence/setPresence Busy InACall PT1H");
  restart(); /* it was sent; nobody knows what became of it */
  answer_token();
  answer("POST /users/" ID_A "/presence/setPresence Busy InACall PT1H", 200);
  restart();
  answer_token();
  expect_nothing(); /* confirmed and still valid: left alone */
  state("a@c.com", "LoggedOff", "");
  expect("POST /users/" ID_A "/presence/clearPresence");
  restart();
  answer_token();
  answer("POST /users/" ID_A "/presence/clearPresence", 404);
  restart();
  answer_token();
  expect_nothing();
}

static void test_no_account(void **s UNUSED)
{
  answer_token();
  state("x@elsewhere.example", "Ready", "");
  expect_nothing();
  assert_true(is_parked());
  assert_false(service_rest(world.service).busy);
}

static void test_budget(void **s UNUSED)
{
  world.account.requests_per_30_seconds = 3;
  restart();
  answer_token();
  for (int i = 0; i < 8; i++) {
    char json[200];
    snprintf(
        json, sizeof json,
        "{\"agent\":\"aaaaaaaa-0000-0000-0000-00000000000%d\",\"state\":\"Talking\",\"account\":\"c.com\"}", i);
    give(json);
  }
  size_t sent = world.sent;
  assert_int_equal(sent, 1 + 3);
  for (size_t i = 1; i < sent; i++)
    reply_with(&world.exchanges[i], 200, "", "");
  assert_int_equal(world.sent, 1 + 3);
  pass(30 * CLOCK_SECOND);
  assert_int_equal(world.sent, 1 + 3);
  pass(500);
  assert_int_equal(world.sent, 1 + 6);
}

static int set_up(void **s UNUSED)
{
  struct err err = ERR_INIT;
  static char *domains[] = {(char *)"c.com", (char *)"*"};
  memset(&world, 0, sizeof world);
  world.now = START;
  world.seed = 7;
  log_init(LOG_LEVEL_ERROR, 0);
  snprintf(world.folder, sizeof world.folder, "/tmp/test_service.XXXXXX");
  if (mkdtemp(world.folder) == NULL)
    return 1;
  snprintf(world.state, sizeof world.state, "%s/state.db", world.folder);
  snprintf(world.rules, sizeof world.rules, "%s/rules.lua", world.folder);
  FILE *file = fopen(world.rules, "w");
  if (file == NULL || fputs(rules_text, file) < 0 || fclose(file) != 0)
    return 1;
  world.account = (struct config_account){
      .id = (char *)"c.com",
      .client_id = (char *)"bbbbbbbb-0000-0000-0000-000000000002",
      .tenant_id = (char *)"aaaaaaaa-0000-0000-0000-000000000001",
      .domains = domains,
      .domain_count = 1,
      .authority = (char *)"https://login.example",
      .graph = (char *)"https://graph.example",
      .requests_per_30_seconds = 1500,
      .lookups_per_10_seconds = 500,
      .lease_ms = CLOCK_HOUR};
  world.config = (struct config){.accounts = &world.account, .account_count = 1, .connections = 8};
  struct rules_limits limits = {1000, 5000, 64 << 20, 64 << 20};
  wiped_set(&world.secret, "secret", 6);
  if ((world.json = json_new(&err)) == NULL || (world.ruleset = ruleset_load(world.rules, &limits, 1, &err)) == NULL) {
    print_error("%s\n", err.text);
    return 1;
  }
  restart();
  return 0;
}

static int tear_down(void **s UNUSED)
{
  static const char *const suffixes[] = {"", "-wal", "-shm"};
  service_free(world.service);
  store_close(world.store);
  ruleset_free(world.ruleset);
  json_free(world.json);
  wiped_release(&world.secret);
  for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
    char file[128];
    snprintf(file, sizeof file, "%s%s", world.state, suffixes[i]);
    (void)unlink(file);
  }
  (void)unlink(world.rules);
  return rmdir(world.folder);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
  const struct CMUnitTest tests[] = {
      TEST(test_first_presence),
      TEST(test_latest_state_wins),
      TEST(test_preferred_with_carrier),
      TEST(test_refused_carrier),
      TEST(test_message),
      TEST(test_keep_alive),
      TEST(test_end_of_hold),
      TEST(test_keep),
      TEST(test_stale_and_duplicate),
      TEST(test_throttled),
      TEST(test_throttled_forms),
      TEST(test_shorter_never_shortens),
      TEST(test_stale_token),
      TEST(test_renewal_fails),
      TEST(test_refused_secret),
      TEST(test_outage),
      TEST(test_unknown_user),
      TEST(test_no_presence_for_user),
      TEST(test_user_recreated),
      TEST(test_forbidden),
      TEST(test_two_names_one_user),
      TEST(test_name_reassigned),
      TEST(test_crash),
      TEST(test_no_account),
      TEST(test_budget)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
