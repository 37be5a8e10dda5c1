/* What goes out, in which order, and what comes of the answers. */
#include "service_world.h"

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
  later(CLOCK_SECOND);
  assert_int_equal(state("a@c.com", "Ready", ""), SERVICE_ACCEPTED);
}

static void test_throttled(void **s UNUSED)
{
  first_ready();
  state("a@c.com", "Talking", "");
  reply_with(expect("POST /users/" ID_A "/presence/setPresence Busy InACall PT1H"), 429, "120", "");
  state("b@c.com", "Ready", ""); /* the gate is the account's, lookups included */
  int64_t closed = now();
  pass(60 * CLOCK_SECOND);
  expect_nothing();
  restart();      /* the gate survives */
  answer_token(); /* the token endpoint is not behind it */
  pass(60 * CLOCK_SECOND + 249);
  expect_nothing();
  assert_int_equal(world.clock.wake_at_ms, closed + 120250);
  pass(1);
  answer_user("GET /users/b%40c.com", ID_B);
  answer("POST /users/" ID_A "/presence/setPresence Busy InACall PT1H", 200);
  answer("POST /users/" ID_B "/presence/setPresence Available Available PT1H", 200);
  expect_nothing();
}

static void test_throttled_forms(void **s UNUSED)
{
  char date[GRAPH_DATE_SIZE];
  const struct {
    const char *retry_after;
    int64_t least_ms, most_ms;
  } forms[] = {{"2.128", 2378, 2378}, {date, 6250, 7250}, {"", 5000, 10000}, {"soon", 10000, 20000}};
  first_ready();
  state("a@c.com", "Talking", "");
  for (size_t i = 0; i < COUNT_OF(forms); i++) {
    graph_http_date(now() + 7 * CLOCK_SECOND, date);
    reply_with(expect("POST /users/" ID_A "/presence/setPresence Busy InACall PT1H"), 429, forms[i].retry_after, "");
    int64_t wait = registration_gate(service_registration(world.service, 0), now()) - now();
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
  struct exchange *second = find("GET /users/b%40c.com");
  assert_non_null(second);
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
  reply_with(expect("GET /users/a%40c.com"), 401, "", ""); /* a lookup finds out whether it is over */
  pass(60 * CLOCK_SECOND - 1);                             /* doubled */
  expect_nothing();
  pass(1);
  answer_token();
  /* One request at a time probes. */
  state("b@c.com", "Ready", "");
  answer_user("GET /users/a%40c.com", ID_A);
  pass(1);
  answer_user("GET /users/b%40c.com", ID_B);
  answer("POST /users/" ID_A "/presence/setPresence Busy InACall PT1H", 200);
  answer("POST /users/" ID_B "/presence/setPresence Available Available PT1H", 200);
  expect_nothing();
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
    state("a@c.com", "Talking", ""); /* a new event does not make it hurry */
    expect_nothing();
    int64_t failed = now();
    while (!graph.exchanges[0]->open) {
      graph.sent = 0;
      world_clock_wake(&world.clock);
      turn();
    }
    int64_t wait = now() - failed;                                  /* or the token is renewed meanwhile */
    assert_true(wait >= CLOCK_SECOND && wait <= 20 * CLOCK_SECOND); /* it is an outage by the fifth: it is probed */
    assert_true(i > 3 || wait > before / 2);
    before = wait;
    if (strcmp(graph.exchanges[0]->line, "POST token") == 0)
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
  graph.sent = 0;
  pass(CLOCK_HOUR);
  for (size_t i = 0; i < graph.sent; i++)
    assert_string_equal(graph.exchanges[i]->line, "POST token");
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
  int64_t until = now() + 24 * CLOCK_HOUR;
  bool verified = false;
  while (now() < until && !verified) {
    world_clock_wake(&world.clock);
    turn();
    for (size_t i = 0; i < graph.sent && !verified; i++) {
      struct exchange *exchange = graph.exchanges[i];
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
      graph.sent = 0;
  }
  assert_true(verified && now() >= until - 3 * CLOCK_HOUR);
  state("a@c.com", "Ready", "");
  /* The lookup that is out answers with another user. */
  for (size_t i = 0; i < graph.sent; i++)
    if (graph.exchanges[i]->open && str_starts(graph.exchanges[i]->line, "POST"))
      reply_with(graph.exchanges[i], 200, "", "");
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
  world.accounts[0].requests_per_30_seconds = 3;
  restart();
  answer_token();
  for (int i = 0; i < 8; i++) {
    char json[200];
    snprintf(
        json, sizeof json,
        "{\"agent\":\"aaaaaaaa-0000-0000-0000-00000000000%d\",\"state\":\"Talking\",\"account\":\"c.com\"}", i);
    give(json);
  }
  size_t sent = graph.sent;
  assert_int_equal(sent, 1 + 3);
  for (size_t i = 1; i < sent; i++)
    reply_with(graph.exchanges[i], 200, "", "");
  assert_int_equal(graph.sent, 1 + 3);
  pass(30 * CLOCK_SECOND);
  assert_int_equal(graph.sent, 1 + 3);
  pass(500);
  assert_true(graph.sent > 1 + 3); /* more is waiting than fits: the next ones go out evenly */
  pass(30 * CLOCK_SECOND);
  assert_int_equal(graph.sent, 1 + 6);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(int argc, char **argv)
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
  return cases_run(argc, argv, tests, NULL, NULL);
}
