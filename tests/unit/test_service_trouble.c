/* What once went wrong, or would have: each scenario found by somebody who tried to break the engine. */
#include "service_world.h"

#define IN_A_CALL(id) "POST /users/" id "/presence/setPresence Busy InACall PT1H"
#define AVAILABLE(id) "POST /users/" id "/presence/setPresence Available Available PT1H"

/* An agent that is given by its object id: no lookup stands before its first request. */
static enum service_taken by_id(const char *id, const char *name)
{
  char json[200];
  snprintf(json, sizeof json, "{\"agent\":\"%s\",\"state\":\"%s\",\"account\":\"c.com\"}", id, name);
  return give(json);
}

static void reply_to(const char *line, int status, const char *body)
{
  struct exchange *exchange = find(line);
  if (exchange == NULL)
    fail_msg("%s was not sent", line);
  reply_with(exchange, status, "", body);
}

/* Passes time, answering everything with success, until nothing is busy. */
static void settle_down(int64_t within_ms)
{
  int64_t until = now() + within_ms;
  while (now() <= until && service_rest(world.service).busy) {
    bool any = false;
    for (size_t i = 0; i < graph.sent; i++)
      if (graph.exchanges[i]->open && (any = true)) {
        if (strcmp(graph.exchanges[i]->line, "POST token") == 0)
          answer_token();
        else
          reply_with(graph.exchanges[i], 200, "", "");
      }
    compact();
    if (!any && world.clock.wake_at_ms != CLOCK_NEVER)
      world_clock_wake(&world.clock);
    turn();
  }
  assert_false(service_rest(world.service).busy);
}

/* ---- lookups that are refused */

static void test_refused_after_404(void **s UNUSED)
{
  by_id(ID_A, "Talking");
  answer_token();
  answer(IN_A_CALL(ID_A), 404);
  answer("GET /users/" ID_A, 403);
  expect_nothing();
  assert_true(is_parked());
  assert_false(service_rest(world.service).busy);
}

static void test_refused_then_restarted(void **s UNUSED)
{
  state("a@c.com", "Ready", "");
  answer_token();
  answer("GET /users/a%40c.com", 403);
  assert_true(is_parked());
  restart(); /* the permission was granted meanwhile */
  answer_token();
  answer_user("GET /users/a%40c.com", ID_A);
  answer(AVAILABLE(ID_A), 200);
}

static void test_unknown_then_restarted(void **s UNUSED)
{
  state("a@c.com", "Ready", "");
  answer_token();
  answer("GET /users/a%40c.com", 404);
  restart();
  answer_token();
  assert_true(is_parked());
  assert_false(service_rest(world.service).busy);
}

/* ---- names that come to mean somebody else */

static void test_one_of_two_names_reassigned(void **s UNUSED)
{
  first_ready();
  give("{\"agent\":\"alias@c.com\",\"state\":\"Ready\",\"ucc\":\"chat\"}");
  answer_user("GET /users/alias%40c.com", ID_A);
  state("a@c.com", "Talking", "");
  answer(IN_A_CALL(ID_A), 404); /* both names are looked up once more */
  reply_to("GET /users/alias%40c.com", 200, "{\"id\":\"" ID_A "\"}");
  reply_to("GET /users/a%40c.com", 200, "{\"id\":\"" ID_B "\"}");
  settle_down(CLOCK_HOUR); /* A keeps its other name, and B does not wait for ever */
  assert_int_equal(store_agent_by_id(world.store, 0, ID_B)->confirmed.session.presence, SESSION_IN_A_CALL);
  assert_int_equal(store_agent_by_id(world.store, 0, ID_A)->confirmed.session.presence, SESSION_AVAILABLE);
}

static void test_names_swapped(void **s UNUSED)
{
  first_ready();
  state("b@c.com", "Ready", "");
  answer_user("GET /users/b%40c.com", ID_B);
  answer(AVAILABLE(ID_B), 200);
  state("a@c.com", "Talking", "");
  state("b@c.com", "Talking", "");
  reply_to(IN_A_CALL(ID_A), 404, "");
  reply_to(IN_A_CALL(ID_B), 404, "");
  reply_to("GET /users/a%40c.com", 200, "{\"id\":\"" ID_B "\"}");
  reply_to("GET /users/b%40c.com", 200, "{\"id\":\"" ID_A "\"}");
  settle_down(CLOCK_HOUR);
}

/* The directory no longer knows the name, the presence service still knows the id: nothing changes for its presence. */
static void test_renamed(void **s UNUSED)
{
  first_ready();
  state("a@c.com", "LoggedOff", "");
  answer("POST /users/" ID_A "/presence/clearPresence", 200);
  while (find("GET /users/a%40c.com") == NULL) {
    assert_true(now() < START + 25 * CLOCK_HOUR);
    if (find("POST token") != NULL)
      answer_token();
    compact();
    world_clock_wake(&world.clock);
    turn();
  }
  reply_to("GET /users/a%40c.com", 404, "");
  assert_false(is_parked());
  if (find("POST token") != NULL)
    answer_token();
  graph.sent = 0;
  state("a@c.com", "Talking", "");
  answer(IN_A_CALL(ID_A), 200);
}

/* ---- doubt */

static void test_resync_keeps_doubt(void **s UNUSED)
{
  size_t count;
  state("a@c.com", "Talking", "");
  answer_token();
  answer_user("GET /users/a%40c.com", ID_A);
  reply_with(expect(IN_A_CALL(ID_A)), 0, "", ""); /* applied or not, nobody knows */
  state("a@c.com", "LoggedOff", "");
  assert_true(service_resync(world.service, "a@c.com", &count));
  turn();
  answer("POST /users/" ID_A "/presence/clearPresence", 200);
}

static void test_resync_while_one_is_under_way(void **s UNUSED)
{
  size_t count;
  state("a@c.com", "NotReady", "NOTE");
  answer_token();
  answer_user("GET /users/a%40c.com", ID_A);
  answer("POST /users/" ID_A "/presence/setPresence Away Away PT1H", 200);
  answer("POST /users/" ID_A "/presence/setUserPreferredPresence Busy Busy PT1H", 200);
  assert_true(service_resync(world.service, "a@c.com", &count));
  turn();
  answer("POST /users/" ID_A "/presence/setStatusMessage   back soon", 200); /* this one is as new as can be */
  answer("POST /users/" ID_A "/presence/setPresence Away Away PT1H", 200);
  answer("POST /users/" ID_A "/presence/setUserPreferredPresence Busy Busy PT1H", 200);
  expect_nothing();
}

static void test_lost_answer_to_a_refresh(void **s UNUSED)
{
  state("a@c.com", "Talking", "");
  answer_token();
  answer_user("GET /users/a%40c.com", ID_A);
  answer(IN_A_CALL(ID_A), 200);
  expect_nothing();
  while (find(IN_A_CALL(ID_A)) == NULL) {
    world_clock_wake(&world.clock);
    turn();
    if (find("POST token") != NULL)
      answer_token();
  }
  reply_with(find(IN_A_CALL(ID_A)), 503, "300", ""); /* Graph has applied it all the same */
  graph.sent = 0;
  later(START + CLOCK_HOUR + 30 * CLOCK_SECOND - now()); /* past the end of what was confirmed */
  turn();
  state("a@c.com", "LoggedOff", "");
  pass(10 * CLOCK_MINUTE);
  answer("POST /users/" ID_A "/presence/clearPresence", 200);
}

/* ---- fairness */

/* Until then, whatever has `what` in its line is answered with 401, all else with success. */
static struct refusing {
  int tokens, refused, cleared;
  int64_t gap_ms; /* the longest time in which nobody got through */
} refuse(const char *what, int64_t until_ms)
{
  struct refusing seen = {0};
  int64_t last = now();
  while (now() < until_ms) {
    bool any = false;
    for (size_t i = 0; i < graph.sent; i++) {
      struct exchange *exchange = graph.exchanges[i];
      if (!exchange->open)
        continue;
      any = true;
      if (strcmp(exchange->line, "POST token") == 0) {
        seen.tokens++;
        answer_token();
      } else if (strstr(exchange->line, what) != NULL) {
        seen.refused++;
        reply_with(exchange, 401, "", "{\"error\":{\"code\":\"ServiceError\",\"message\":\"another user\"}}");
      } else if (str_starts(exchange->line, "GET")) {
        reply_with(
            exchange, 200, "",
            strstr(exchange->line, "b%40") != NULL ? "{\"id\":\"" ID_B "\"}" : "{\"id\":\"" ID_A "\"}");
      } else {
        seen.gap_ms = now() - last > seen.gap_ms ? now() - last : seen.gap_ms;
        last = now();
        seen.cleared += strstr(exchange->line, "clearUserPreferredPresence") != NULL;
        reply_with(exchange, 200, "", "");
      }
    }
    compact();
    if (!any) {
      world_clock_wake(&world.clock);
      turn();
    }
  }
  return seen;
}

/* FACTS.md, "A 401 that is not about the token". */
static void test_one_user_is_always_unauthorized(void **s UNUSED)
{
  first_ready();
  state("b@c.com", "Ready", "");
  answer_user("GET /users/b%40c.com", ID_B);
  struct refusing seen = refuse(ID_B, START + 2 * CLOCK_HOUR);
  assert_in_range(seen.gap_ms, 1, PRESENCE_FADE_MS); /* the healthy agent never faded */
  assert_in_range(seen.tokens, 1, 6);
}

/* Nor must what cannot be read close the account for those who are Available; after three times it is cleared without.
 */
static void test_reading_is_always_unauthorized(void **s UNUSED)
{
  first_ready();
  state("b@c.com", "NotReady", "LUNCH");
  answer_user("GET /users/b%40c.com", ID_B);
  refuse("nothing", START + 10 * CLOCK_MINUTE);
  state("b@c.com", "Ready", "");
  struct refusing seen = refuse("getPresencesByUserId", START + CLOCK_HOUR);
  assert_int_equal(seen.cleared, 1);
  assert_in_range(seen.refused, 3, 6);
  assert_in_range(seen.tokens, 1, 6);
  assert_in_range(seen.gap_ms, 1, PRESENCE_FADE_MS);
}

/* Whoever waits after a failure is not left out of what is flushed, nor of what is cleared, at the end. */
static void stop(bool clear)
{
  first_ready();
  state("a@c.com", "Talking", "");
  for (int failures = 0; failures < 4; failures++) {
    answer(IN_A_CALL(ID_A), 500);
    pass(failures < 3 ? CLOCK_MINUTE : 1); /* a pause of at least eight seconds begins */
  }
  expect_nothing();
  service_stop(world.service, clear);
  turn();
  answer(clear ? "POST /users/" ID_A "/presence/clearPresence" : IN_A_CALL(ID_A), 200);
  assert_false(service_rest(world.service).busy);
}

static void test_stop_sends_what_waits(void **s UNUSED)
{
  stop(false);
}

/* Nor whoever waits because a lookup failed. */
static void test_stop_looks_up_who_waits(void **s UNUSED)
{
  state("a@c.com", "Ready", "");
  answer_token();
  for (int failures = 0; failures < 4; failures++) {
    answer("GET /users/a%40c.com", 500);
    pass(failures < 3 ? CLOCK_MINUTE : 1);
  }
  expect_nothing();
  service_stop(world.service, false);
  turn();
  answer_user("GET /users/a%40c.com", ID_A);
  answer(AVAILABLE(ID_A), 200);
  assert_false(service_rest(world.service).busy);
}

static void test_stop_clears_who_waits(void **s UNUSED)
{
  stop(true);
}

static void test_stop_clears_who_is_parked(void **s UNUSED)
{
  first_ready();
  state("a@c.com", "Talking", "");
  answer(IN_A_CALL(ID_A), 403);
  assert_true(is_parked());
  service_stop(world.service, true);
  turn();
  answer("POST /users/" ID_A "/presence/clearPresence", 200);
  assert_int_equal(service_rest(world.service).parked, 0);
}

static void answer_all(const char *wanted, int *ret_wanted)
{
  for (int round = 0; round < 3; round++)
    for (size_t i = 0; i < graph.sent; i++)
      if (graph.exchanges[i]->open) {
        *ret_wanted += strstr(graph.exchanges[i]->line, wanted) != NULL;
        if (strcmp(graph.exchanges[i]->line, "POST token") == 0)
          answer_token();
        else
          reply_with(graph.exchanges[i], 200, "", "");
      }
  compact();
}

/* Changes that outnumber the budget: an agent that changes more often than its turn comes still gets its turn, and an
 * Available one is still kept up. */
static void test_nobody_starves(void **s UNUSED)
{
  static const char *const states[] = {"Ready", "Talking"};
  int flapping = 0, kept = 0;
  world.accounts[0].requests_per_30_seconds = 2;
  restart();
  answer_token();
  by_id(ID_A, "Ready");
  answer(AVAILABLE(ID_A), 200);
  for (int step = 0; step < 360; step++) {
    char id[64];
    later(10 * CLOCK_SECOND);
    turn();
    snprintf(id, sizeof id, "cccccccc-0000-0000-0000-0000000000%02d", step % 40);
    by_id(id, states[step / 40 % 2]);
    by_id(ID_B, states[step % 2]);
    for (size_t i = 0; i < graph.sent; i++)
      flapping += graph.exchanges[i]->open && strstr(graph.exchanges[i]->line, ID_B) != NULL;
    answer_all(ID_A, &kept);
  }
  assert_true(flapping > 0);
  assert_in_range(kept, 5, 14); /* its share: twenty others want to be kept up too */
}

/* ---- what input must not do */

static void test_longest_name(void **s UNUSED)
{
  char name[330] = "$", json[700];
  memset(name + 1, '\'', 300);
  memcpy(name + 301, "@c.com", 7);
  snprintf(json, sizeof json, "{\"agent\":\"%s\",\"state\":\"Ready\"}", name);
  give(json);
  answer_token();
  assert_non_null(strstr(graph.exchanges[1]->line, "%27%27%27%27"));
}

static void test_far_future_of_a_recording(void **s UNUSED)
{
  static struct event event;
  struct err err = ERR_INIT;
  const char *json =
      "{\"agent\":\"a@c.com\",\"state\":\"NotReady\",\"reason\":\"LUNCH\",\"at\":\"2027-03-05T12:00:00Z\"}";
  first_ready();
  assert_true(intake_parse(world.json, json, strlen(json), now(), &event, &err));
  service_event(world.service, &event, true);
  turn();
  answer("POST /users/" ID_A "/presence/setPresence Away Away PT1H", 200);
  answer("POST /users/" ID_A "/presence/setUserPreferredPresence BeRightBack BeRightBack PT168H", 200);
  expect_nothing();
}

static void test_short_rest_of_a_preferred_hold(void **s UNUSED)
{
  first_ready();
  give("{\"agent\":\"a@c.com\",\"state\":\"NotReady\",\"reason\":\"LUNCH\",\"ucc\":\"x\","
       "\"at\":\"2026-01-05T11:15:10Z\"}");
  answer("POST /users/" ID_A "/presence/setPresence Away Away PT5M", 200);
  answer("POST /users/" ID_A "/presence/setUserPreferredPresence BeRightBack BeRightBack PT1M", 200);
  expect_nothing();
  pass(10 * CLOCK_SECOND); /* Graph would show it for 50 s more */
  answer(AVAILABLE(ID_A), 200);
  answer("POST /users/" ID_A "/presence/clearUserPreferredPresence", 200);
}

/* ---- time and ends */

static void test_clock_set_back(void **s UNUSED)
{
  world.accounts[0].requests_per_30_seconds = 1;
  restart();
  answer_token();
  by_id(ID_A, "Ready");
  answer(AVAILABLE(ID_A), 200);
  world_clock_set(&world.clock, -CLOCK_HOUR);
  turn();
  by_id(ID_B, "Ready");
  pass(45 * CLOCK_SECOND);
  assert_non_null(find(AVAILABLE(ID_B)));
}

static void test_refused_renewal_of_an_expired_token(void **s UNUSED)
{
  first_ready();
  state("a@c.com", "Talking", "");
  reply_with(expect(IN_A_CALL(ID_A)), 503, "7200", "");
  while (now() < START + 90 * CLOCK_MINUTE) {
    compact();
    world_clock_wake(&world.clock);
    turn();
    if (find("POST token") != NULL)
      reply_to("POST token", 401, "{\"error\":\"invalid_client\",\"error_codes\":[7000222]}");
  }
  struct service_rest rest = service_rest(world.service);
  assert_true(rest.refused);
  assert_false(rest.busy);
}

/* The clock is set between the last turn and the moment at which another configuration, with an account less, is taken
 * up: the step is carried through while the agents' indexes still mean the accounts that run. */
static void test_clock_set_before_configuring(void **s UNUSED)
{
  struct config one = world.config, running, next;
  struct config_account accounts[2];
  world_account(&world, "d.com");
  world.accounts[1].client_id = (char *)"dddddddd-0000-0000-0000-000000000002";
  memcpy(accounts, world.accounts, sizeof accounts);
  running = world.config;
  running.accounts = accounts;
  next = one;
  world.clock.shows_steady = true;
  world.configured = &running;
  take_rules(rules_text, 1);
  restart();
  state("x@d.com", "Ready", "");
  service_hand_over(world.service, &next);
  world_clock_set(&world.clock, 5 * CLOCK_SECOND);
  service_notice_clock(world.service);
  world_clock_set(&world.clock, 5 * CLOCK_SECOND); /* and once more, at the worst moment */
  struct config before = running;                  /* what site_exchange() does */
  running = next;
  next = before;
  world_configure(&world, &next, 2);
  turn();
  assert_int_equal(service_handing_over(world.service), 0);
  world_stop(&world);
  world.configured = &world.config;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      TEST(test_refused_after_404),
      TEST(test_refused_then_restarted),
      TEST(test_unknown_then_restarted),
      TEST(test_one_of_two_names_reassigned),
      TEST(test_names_swapped),
      TEST(test_renamed),
      TEST(test_resync_keeps_doubt),
      TEST(test_resync_while_one_is_under_way),
      TEST(test_lost_answer_to_a_refresh),
      TEST(test_one_user_is_always_unauthorized),
      TEST(test_reading_is_always_unauthorized),
      TEST(test_stop_sends_what_waits),
      TEST(test_stop_looks_up_who_waits),
      TEST(test_stop_clears_who_waits),
      TEST(test_stop_clears_who_is_parked),
      TEST(test_nobody_starves),
      TEST(test_longest_name),
      TEST(test_far_future_of_a_recording),
      TEST(test_short_rest_of_a_preferred_hold),
      TEST(test_clock_set_back),
      TEST(test_clock_set_before_configuring),
      TEST(test_refused_renewal_of_an_expired_token),
  };
  return cases_run(argc, argv, tests, NULL, NULL);
}
