/* Living with Graph's budget: what is sent together, what a restart and a set clock leave of it, and whose preferred
 * presence is cleared. */
#include "service_world.h"

#define AVAILABLE(id) "POST /users/" id "/presence/setPresence Available Available PT1H"
#define ID_OF "%08d-0000-0000-0000-000000000000"

/* The service anew, with what a test has set in world.config and a clock that nobody sets. */
static void restart_steadily(void)
{
  world.clock.shows_steady = true;
  restart();
}

/* `count` agents by object id, given before the next turn. */
static void agents_ready(int first, int count, const char *state_name)
{
  static struct event event;
  struct err err = ERR_INIT;
  for (int i = first; i < first + count; i++) {
    char json[200];
    snprintf(json, sizeof json, "{\"agent\":\"" ID_OF "\",\"state\":\"%s\",\"account\":\"c.com\"}", i, state_name);
    assert_true(intake_parse(world.json, json, strlen(json), now(), &event, &err));
    assert_int_equal(service_event(world.service, &event, false), SERVICE_ACCEPTED);
  }
  turn();
}

static size_t open_exchanges(const char *line)
{
  size_t count = 0;
  for (size_t i = 0; i < graph.sent; i++)
    count += graph.exchanges[i]->open && strcmp(graph.exchanges[i]->line, line) == 0;
  return count;
}

static void answer_all(int status)
{
  for (size_t i = 0; i < graph.sent; i++)
    if (graph.exchanges[i]->open)
      reply_with(graph.exchanges[i], status, "", "");
  compact();
}

/* ---- $batch */

static void with_batches(void)
{
  world.config.batch_off = false;
  restart_steadily();
}

static void test_few_go_alone(void **s UNUSED)
{
  with_batches();
  agents_ready(1, 3, "Talking");
  answer_token();
  assert_int_equal(open_exchanges("POST /$batch"), 0);
  answer_all(204);
  assert_false(service_rest(world.service).busy);
}

/* Twenty-five in two; the answer comes in another order, with one throttled and one left out. */
static void test_many_go_together(void **s UNUSED)
{
  with_batches();
  agents_ready(1, 25, "Talking");
  answer_token();
  assert_int_equal(open_exchanges("POST /$batch"), 2);
  struct buf body;
  buf_init(&body, 8192);
  buf_add_str(&body, "{\"responses\":[");
  for (int i = 19; i >= 0; i--)
    if (i == 7)
      buf_add_str(&body, "{\"id\":\"7\",\"status\":429,\"headers\":{\"retry-after\":\"7\"},\"body\":{\"error\":{}}},");
    else if (i != 3)
      buf_addf(&body, "{\"id\":\"%d\",\"status\":%d,\"headers\":{}}%s", i, i % 2 == 0 ? 200 : 204, i == 0 ? "" : ",");
  buf_add_str(&body, "]}");
  reply_with(expect("POST /$batch"), 200, "", buf_text(&body));
  buf_release(&body);
  reply_with(expect("POST /$batch"), 424, "", "{\"responses\":[]}"); /* the other five: nobody knows */
  expect_nothing();                                                  /* the gate is closed */
  assert_int_equal(registration_gate(service_registration(world.service, 0), now()), now() + 7250);
  pass(7249);
  expect_nothing();
  for (int i = 0; i < 60 && service_rest(world.service).busy; i++) {
    answer_all(200); /* one batch at a time may be among them: its parts are told by nobody, and sent again */
    pass(CLOCK_SECOND);
  }
  assert_false(service_rest(world.service).busy);
  assert_int_equal(service_rest(world.service).parked, 0);
}

/* Where Graph takes no batch, everything goes out by itself, and nothing is lost. */
static void test_batch_refused(void **s UNUSED)
{
  with_batches();
  agents_ready(1, 30, "Talking");
  answer_token();
  while (open_exchanges("POST /$batch") > 0)
    reply_with(find("POST /$batch"), 400, "", "{\"error\":{\"code\":\"BadRequest\"}}");
  for (int round = 0; round < 10; round++)
    answer_all(200);
  assert_false(service_rest(world.service).busy);
  agents_ready(31, 30, "Talking");
  assert_int_equal(open_exchanges("POST /$batch"), 0);
  for (int round = 0; round < 10; round++)
    answer_all(200);
  assert_false(service_rest(world.service).busy);
}

/* A batch that fails as a whole fails for each. */
static void test_batch_unanswered(void **s UNUSED)
{
  with_batches();
  agents_ready(1, 10, "Talking");
  answer_token();
  reply_with(expect("POST /$batch"), 0, "", "");
  assert_true(service_rest(world.service).busy);
  for (int round = 0; round < 40 && service_rest(world.service).busy; round++) {
    pass(CLOCK_SECOND);
    for (size_t i = 0; i < graph.sent; i++)
      if (graph.exchanges[i]->open)
        reply_with(graph.exchanges[i], strstr(graph.exchanges[i]->line, "$batch") != NULL ? 400 : 200, "", "");
    compact();
  }
  assert_false(service_rest(world.service).busy);
}

/* A success that answers nobody has changed nothing, for all we can know. */
static void test_batch_says_nothing(void **s UNUSED)
{
  static const struct {
    int status;
    const char *body;
  } answers[] = {{200, ""}, {200, "{}"}, {204, ""}, {202, "{\"x\":1}"}, {424, "<html>"}, {200, "{\"responses\":{}}"}};
  for (size_t i = 0; i < COUNT_OF(answers); i++) {
    world.config.batch_off = false;
    restart_with(NULL, true);
    agents_ready(1, 10, "Talking");
    answer_token();
    reply_with(expect("POST /$batch"), answers[i].status, "", answers[i].body);
    assert_int_equal(service_rest(world.service).differ, 10);
    assert_int_equal(service_rest(world.service).parked, 0);
  }
}

/* ---- the budget */

static void test_budget_survives_a_restart(void **s UNUSED)
{
  world.accounts[0].requests_per_30_seconds = 5;
  restart_steadily();
  agents_ready(1, 5, "Talking");
  answer_token();
  answer_all(200);
  later(CLOCK_SECOND);
  restart_steadily(); /* as after kill -9: nothing was written on the way out */
  answer_token();
  agents_ready(6, 1, "Talking");
  expect_nothing();
  pass(29 * CLOCK_SECOND);
  expect_nothing();
  pass(2 * CLOCK_SECOND);
  answer_all(200);
  assert_false(service_rest(world.service).busy);
}

/* Five of five are used by START, and answered or not; a sixth agent comes `ms` later, after a restart. */
static void restart_after_five(bool answered, bool in_order, int64_t ms)
{
  struct err err = ERR_INIT;
  world.accounts[0].requests_per_30_seconds = 5;
  world.config.request_timeout_ms = 30 * CLOCK_SECOND;
  restart_steadily();
  agents_ready(1, 5, "Talking");
  answer_token();
  assert_int_equal(graph.sent, 1 + 5);
  if (answered)
    answer_all(200);
  pass(ms);
  if (in_order)
    assert_true(world_end(&world, &err));
  restart_steadily();
  answer_token();
  compact();
  agents_ready(6, 1, "Talking");
}

/* What was answered leaves the window as it would have without the restart. */
static void test_answered_before_a_restart(void **s UNUSED)
{
  for (int in_order = 0; in_order < 2; in_order++) {
    restart_after_five(true, in_order != 0, 29 * CLOCK_SECOND);
    pass(CLOCK_SECOND + 99);
    expect_nothing();
    pass(1);
    assert_int_equal(graph.sent, 1);
    tear_down(NULL);
    set_up(NULL);
    restart_after_five(true, in_order != 0, 54 * CLOCK_SECOND);
    assert_int_equal(graph.sent, 1);
    tear_down(NULL);
    set_up(NULL);
  }
}

/* What was not may have arrived until now, if it was not given up before. */
static void test_under_way_at_a_restart(void **s UNUSED)
{
  restart_after_five(false, false, 10 * CLOCK_SECOND);
  pass(30 * CLOCK_SECOND + 99);
  expect_nothing();
  pass(1);
  assert_true(graph.sent > 0); /* evenly from now on, because more wait than there is room for */
  tear_down(NULL);
  set_up(NULL);
  restart_after_five(false, false, 59 * CLOCK_SECOND); /* the commit and the row count a second each */
  pass(3 * CLOCK_SECOND + 99);
  expect_nothing();
  pass(1);
  assert_true(graph.sent > 0); /* evenly from now on, because more wait than there is room for */
}

static void expect_row(size_t used, size_t under_way)
{
  char app[256];
  size_t row_under_way = 0;
  int64_t at_ms = 0;
  snprintf(
      app, sizeof app, "%s %s %s", world.accounts[0].graph, world.accounts[0].tenant_id, world.accounts[0].client_id);
  assert_int_equal(store_budget(world.store, app, &row_under_way, &at_ms), used);
  assert_int_equal(row_under_way, under_way);
}

/* A twentieth of the budget is written down ahead, for a second, and only while something is under way. */
static void test_budget_is_written_ahead(void **s UNUSED)
{
  world.accounts[0].requests_per_30_seconds = 40;
  restart_steadily();
  agents_ready(1, 3, "Talking");
  answer_token();
  expect_row(3 + 2, 3 + 2);
  agents_ready(4, 2, "Talking");
  expect_row(3 + 2, 3 + 2);
  agents_ready(6, 1, "Talking");
  expect_row(6 + 2, 6 + 2);
  agents_ready(7, 1, "Talking");
  expect_row(6 + 2, 6 + 2);
  later(CLOCK_SECOND);
  agents_ready(8, 1, "Talking");
  expect_row(8 + 2, 8 + 2);
  answer_all(200);
  expect_row(8, 0);
}

/* Graph counts on, and its pause holds, though the state file is gone. */
static void test_a_lost_state_file(void **s UNUSED)
{
  struct registrations_carried carried = {0};
  world.accounts[0].requests_per_30_seconds = 5;
  restart();
  agents_ready(1, 5, "Talking");
  answer_token();
  for (int i = 0; i < 4; i++)
    reply_with(graph.exchanges[1 + i], 200, "", "");
  service_carry(&carried, world.service);
  restart_with(&carried, true);
  assert_int_equal(store_agent_count(world.store), 0);
  answer_token();
  compact();
  agents_ready(6, 1, "Talking");
  pass(30 * CLOCK_SECOND + 99);
  expect_nothing();
  pass(1);
  reply_with(
      expect("POST /users/00000006-0000-0000-0000-000000000000/presence/setPresence Busy InACall PT1H"), 429, "600",
      "");
  service_carry(&carried, world.service);
  restart_with(&carried, true);
  answer_token();
  compact();
  agents_ready(6, 1, "Talking");
  pass(10 * CLOCK_MINUTE);
  expect_nothing();
  pass(10 * CLOCK_SECOND);
  assert_int_equal(graph.sent, 1);
  registrations_carried_release(&carried);
}

/* Neither the budget's window nor a Retry-After is over because somebody set the clock forward. */
static size_t asides_answered;

static void on_aside(void *context UNUSED, const struct outcome *outcome UNUSED, const struct graph_reply *reply UNUSED)
{
  asides_answered++;
}

static void ask_aside(const struct graph_operation *operation)
{
  struct submission submission = {.operation = operation, .on_done = on_aside, .aside = true};
  registration_submit(service_registration(world.service, 0), &submission);
}

/* What scripts ask leaves half of the budget to the agents, and goes on when the window has passed. */
static void test_asides_leave_half(void **s UNUSED)
{
  static const char get_line[] = "GET /users/" ID_A "/presence";
  world.accounts[0].requests_per_30_seconds = 8;
  restart();
  first_ready(); /* one is used */
  struct graph_operation get = {.kind = GRAPH_GET_PRESENCE, .user = ID_A};
  asides_answered = 0;
  for (int i = 0; i < 9; i++)
    ask_aside(&get);
  turn();
  assert_int_equal(open_exchanges(get_line), 3);
  assert_string_equal(service_known_id(world.service, 0, " A@c.com"), ID_A);
  assert_null(service_known_id(world.service, 0, "b@c.com"));
  assert_true(service_rest(world.service).busy);
  state("a@c.com", "Talking", "");
  assert_non_null(find("POST /users/" ID_A "/presence/setPresence Busy InACall PT1H"));
  answer_all(200);
  assert_int_equal(open_exchanges(get_line), 0);
  pass(31 * CLOCK_SECOND);
  assert_int_equal(open_exchanges(get_line), 4);
  answer_all(200);
  pass(31 * CLOCK_SECOND);
  answer_all(200);
  assert_int_equal(asides_answered, 9);
  assert_false(service_rest(world.service).busy);
}

static void test_clock_set_forward(void **s UNUSED)
{
  world.accounts[0].requests_per_30_seconds = 2;
  restart_steadily();
  agents_ready(1, 2, "Talking");
  answer_token();
  answer_all(200);
  agents_ready(3, 1, "Talking");
  expect_nothing();
  set_clock(CLOCK_HOUR);
  expect_nothing();
  for (int i = 0; i < 31; i++) {
    later(CLOCK_SECOND);
    turn();
  }
  reply_with(
      find("POST /users/00000003-0000-0000-0000-000000000000/presence/setPresence Busy InACall PT1H"), 429, "60", "");
  assert_int_equal(registration_gate(service_registration(world.service, 0), now()), now() + 60250);
  set_clock(CLOCK_HOUR);
  assert_int_equal(registration_gate(service_registration(world.service, 0), now()), now() + 60250);
}

/* Sessions that Graph holds are refreshed by the time that passed, not by what the clock shows. */
static void test_clock_set_back(void **s UNUSED)
{
  restart_steadily();
  agents_ready(1, 1, "Ready");
  answer_token();
  answer_all(200);
  set_clock(-2 * CLOCK_HOUR);
  for (int i = 0; i < 271 && graph.sent == 0; i++) {
    later(CLOCK_SECOND);
    turn();
  }
  assert_int_equal(
      open_exchanges("POST /users/00000001-0000-0000-0000-000000000000/presence/setPresence Available Available PT1H"),
      1);
}

static void test_lookups_and_a_clock_set_back(void **s UNUSED)
{
  restart_steadily();
  state("b@c.com", "Ready", "");
  answer_token();
  reply_with(expect("GET /users/b%40c.com"), 503, "", "");
  set_clock(-2 * CLOCK_HOUR);
  pass(CLOCK_MINUTE);
  expect("GET /users/b%40c.com");
}

/* After an outage one request finds out, then more and more go. */
static void test_outage(void **s UNUSED)
{
  restart_steadily();
  agents_ready(1, 40, "Talking");
  answer_token();
  assert_int_equal(graph.sent, 1 + 8);
  for (int i = 0; i < 12; i++) {
    for (size_t e = 0; e < graph.sent; e++)
      if (graph.exchanges[e]->open) {
        reply_with(graph.exchanges[e], 503, "", "");
        break;
      }
  }
  size_t open = 0;
  for (size_t e = 0; e < graph.sent; e++)
    open += graph.exchanges[e]->open;
  assert_true(open <= 1);
  for (int round = 0; round < 400 && service_rest(world.service).busy; round++) {
    pass(CLOCK_SECOND);
    answer_all(200);
  }
  assert_false(service_rest(world.service).busy);
}

/* Likewise with batches: twenty that are done together are one success. */
static void test_outage_of_batches(void **s UNUSED)
{
  with_batches();
  agents_ready(1, 300, "Talking");
  answer_token();
  assert_int_equal(open_exchanges("POST /$batch"), 8);
  answer_all(503);
  pass(10 * CLOCK_SECOND);
  struct exchange *probe = NULL;
  for (size_t i = 0; i < graph.sent; i++)
    if (graph.exchanges[i]->open) {
      assert_null(probe);
      probe = graph.exchanges[i];
    }
  assert_non_null(probe);
  reply_with(probe, 204, "", "");
  assert_int_equal(open_exchanges("POST /$batch"), 2);
  struct buf body;
  buf_init(&body, 8192);
  buf_add_str(&body, "{\"responses\":[");
  for (int i = 0; i < 20; i++)
    buf_addf(&body, "%s{\"id\":\"%d\",\"status\":204}", i == 0 ? "" : ",", i);
  buf_add_str(&body, "]}");
  reply_with(find("POST /$batch"), 200, "", buf_text(&body));
  buf_release(&body);
  assert_int_equal(open_exchanges("POST /$batch"), 3);
}

/* The agents' own pauses have grown to minutes; but one finds out, and then all come. */
static void test_nobody_sits_out_an_outage(void **s UNUSED)
{
  restart_steadily();
  agents_ready(1, 3, "Talking");
  answer_token();
  size_t failed = 0;
  for (int second = 0; second < 20 * 60; second++) {
    pass(CLOCK_SECOND);
    for (size_t i = 0; i < graph.sent; i++)
      failed += graph.exchanges[i]->open;
    answer_all(503);
  }
  assert_in_range(failed, 20 * 60 / 30, 20 * 60 / 2); /* and that is no storm */
  int seconds = 0;
  for (; seconds < 60 && service_rest(world.service).busy; seconds++) {
    pass(CLOCK_SECOND);
    answer_all(200);
  }
  assert_in_range(seconds, 1, 10);
}

/* A host may start before its clock is set: what a clock ahead of it has written was not written in the future. */
static void test_starts_with_a_clock_behind(void **s UNUSED)
{
  first_ready();
  state("a@c.com", "NotReady", "LUNCH");
  answer("POST /users/" ID_A "/presence/setPresence Away Away PT45M", 200);
  answer("POST /users/" ID_A "/presence/setUserPreferredPresence BeRightBack BeRightBack PT45M", 200);
  pass(CLOCK_MINUTE);
  world_clock_set(&world.clock, -2 * CLOCK_HOUR);
  restart();
  answer_token();
  answer("POST /users/" ID_A "/presence/setPresence Away Away PT1H", 200); /* and not the preferred presence */
  expect_nothing();
}

static void test_a_gate_and_a_clock_behind(void **s UNUSED)
{
  first_ready();
  state("a@c.com", "Talking", "");
  reply_with(expect("POST /users/" ID_A "/presence/setPresence Busy InACall PT1H"), 429, "600", "");
  pass(CLOCK_MINUTE);
  world_clock_set(&world.clock, -2 * CLOCK_HOUR);
  restart();
  answer_token();
  pass(8 * CLOCK_MINUTE);
  expect_nothing();
  pass(2 * CLOCK_MINUTE);
  expect("POST /users/" ID_A "/presence/setPresence Busy InACall PT1H");
}

/* ---- whose preferred presence */

static void lunch_is_over(const char *reads, const char *expected)
{
  char body[256];
  first_ready();
  state("a@c.com", "NotReady", "LUNCH");
  answer("POST /users/" ID_A "/presence/setPresence Away Away PT45M", 200);
  answer("POST /users/" ID_A "/presence/setUserPreferredPresence BeRightBack BeRightBack PT45M", 200);
  pass(10 * CLOCK_MINUTE);
  state("a@c.com", "Ready", "");
  answer("POST /users/" ID_A "/presence/setPresence Available Available PT1H", 200);
  snprintf(body, sizeof body, "{\"value\":[{\"id\":\"" ID_A "\",\"availability\":\"%s\"}]}", reads);
  reply_with(expect("POST /communications/getPresencesByUserId"), 200, "", body);
  if (expected != NULL)
    answer(expected, 200);
  expect_nothing();
  assert_false(service_rest(world.service).busy);
}

static void test_ours_is_cleared(void **s UNUSED)
{
  lunch_is_over("beRightBack", "POST /users/" ID_A "/presence/clearUserPreferredPresence");
}

static void test_theirs_is_left(void **s UNUSED)
{
  lunch_is_over("DoNotDisturb", NULL);
}

static void test_read_fails_three_times(void **s UNUSED)
{
  first_ready();
  state("a@c.com", "NotReady", "LUNCH");
  answer("POST /users/" ID_A "/presence/setPresence Away Away PT45M", 200);
  answer("POST /users/" ID_A "/presence/setUserPreferredPresence BeRightBack BeRightBack PT45M", 200);
  pass(10 * CLOCK_MINUTE);
  state("a@c.com", "LoggedOff", "");
  for (int i = 0; i < 3; i++) {
    reply_with(expect("POST /communications/getPresencesByUserId"), 503, "", "");
    pass(20 * CLOCK_SECOND);
  }
  answer("POST /users/" ID_A "/presence/clearUserPreferredPresence", 200);
  answer("POST /users/" ID_A "/presence/clearPresence", 200);
}

static void test_soon_after_or_always_without_a_look(void **s UNUSED)
{
  first_ready();
  state("a@c.com", "NotReady", "LUNCH");
  answer("POST /users/" ID_A "/presence/setPresence Away Away PT45M", 200);
  answer("POST /users/" ID_A "/presence/setUserPreferredPresence BeRightBack BeRightBack PT45M", 200);
  pass(4 * CLOCK_MINUTE);
  state("a@c.com", "LoggedOff", "");
  answer("POST /users/" ID_A "/presence/clearUserPreferredPresence", 200);
}

/* Many who go home together are read together. */
static void test_read_together(void **s UNUSED)
{
  world.config.connections = 64;
  restart_steadily();
  for (int i = 1; i <= 20; i++) {
    char json[256];
    snprintf(
        json, sizeof json,
        "{\"agent\":\"" ID_OF "\",\"state\":\"NotReady\",\"reason\":\"LUNCH\",\"account\":\"c.com\"}", i);
    give(json);
  }
  answer_token();
  for (int round = 0; round < 4; round++)
    answer_all(200);
  assert_false(service_rest(world.service).busy);
  for (int i = 0; i < 600; i++) {
    later(CLOCK_SECOND);
    turn();
    answer_all(200);
  }
  agents_ready(1, 20, "LoggedOff");
  assert_int_equal(open_exchanges("POST /communications/getPresencesByUserId"), 1);
  assert_int_equal(graph.sent, 1);
  reply_with(graph.exchanges[0], 200, "", "{\"value\":[]}"); /* of nobody anything is seen */
  assert_int_equal(graph.sent, 21);
  for (int round = 0; round < 4; round++)
    answer_all(200);
  assert_false(service_rest(world.service).busy);
}

/* ---- the end, and the next start */

static void test_stop_clears(void **s UNUSED)
{
  first_ready();
  service_stop(world.service, true);
  turn();
  answer("POST /users/" ID_A "/presence/clearPresence", 200);
  expect_nothing();
  assert_false(service_rest(world.service).busy);
  restart(); /* what was said is still known */
  answer_token();
  answer("POST /users/" ID_A "/presence/setPresence Available Available PT1H", 200);
}

static void test_stop_leaves(void **s UNUSED)
{
  first_ready();
  service_stop(world.service, false);
  turn();
  expect_nothing();
  assert_false(service_rest(world.service).busy);
}

/* After a long downtime what one UCC had said counts no more until it speaks, of whomever; the other one still waits.
 */
static void test_long_downtime(void **s UNUSED)
{
  first_ready();
  give("{\"agent\":\"" ID_B "\",\"state\":\"Talking\",\"ucc\":\"other\",\"account\":\"c.com\"}");
  answer("POST /users/" ID_B "/presence/setPresence Busy InACall PT1H", 200);
  world.config.resume_within_ms = 15 * CLOCK_MINUTE;
  later(16 * CLOCK_MINUTE);
  restart();
  answer_token();
  answer("POST /users/" ID_A "/presence/clearPresence", 200);
  answer("POST /users/" ID_B "/presence/clearPresence", 200);
  expect_nothing();
  later(CLOCK_SECOND);
  restart(); /* a short one: it stays so */
  answer_token();
  expect_nothing();
  state("somebody@c.com", "LoggedOff", "");
  answer("POST /users/" ID_A "/presence/setPresence Available Available PT1H", 200);
  expect_nothing();
}

/* How long nobody ran is known exactly after an end in good order, and after a kill never taken for longer than it was:
 * however old the mark is. */
static void away(bool in_order, int64_t ms, bool counts)
{
  struct err err = ERR_INIT;
  world.config.resume_within_ms = 20 * CLOCK_SECOND;
  restart();
  answer_token();
  pass(31 * CLOCK_SECOND);
  pass(29 * CLOCK_SECOND);
  expect_nothing();
  if (in_order)
    assert_true(world_end(&world, &err));
  later(ms);
  restart();
  answer_token();
  if (!counts) {
    answer("POST /users/" ID_A "/presence/clearPresence", 200);
    state("somebody@c.com", "LoggedOff", "");
    answer("POST /users/" ID_A "/presence/setPresence Available Available PT1H", 200);
  }
  expect_nothing();
}

static void test_a_clean_restart(void **s UNUSED)
{
  first_ready();
  away(true, 0, true);
  away(true, 20 * CLOCK_SECOND, true);
  away(true, 20 * CLOCK_SECOND + 1, false);
}

static void test_a_kill(void **s UNUSED)
{
  first_ready();
  away(false, 0, true);
  away(false, 20 * CLOCK_SECOND, true);
  away(false, 51 * CLOCK_SECOND, false);
}

/* A sender that repeats its last event, or sends an older one, is there. */
static void test_heard_by_what_is_known(void **s UNUSED)
{
  static const char known[] = "{\"agent\":\"" ID_A "\",\"state\":\"Talking\",\"account\":\"c.com\",\"id\":\"1\"}";
  static const char stale[] = "{\"agent\":\"" ID_A "\",\"state\":\"Ready\",\"account\":\"c.com\",\"at\":"
                              "\"2026-01-05T11:59:00Z\"}";
  static const struct {
    const char *event;
    enum service_taken taken;
  } heard[] = {{known, SERVICE_DUPLICATE}, {stale, SERVICE_STALE}};
  assert_int_equal(give(known), SERVICE_ACCEPTED);
  answer_token();
  answer("POST /users/" ID_A "/presence/setPresence Busy InACall PT1H", 200);
  world.config.resume_within_ms = 15 * CLOCK_MINUTE;
  for (size_t i = 0; i < COUNT_OF(heard); i++) {
    later(16 * CLOCK_MINUTE);
    restart();
    answer_token();
    answer("POST /users/" ID_A "/presence/clearPresence", 200);
    expect_nothing();
    assert_int_equal(give(heard[i].event), heard[i].taken);
    answer("POST /users/" ID_A "/presence/setPresence Busy InACall PT1H", 200);
    expect_nothing();
  }
}

static void test_short_downtime(void **s UNUSED)
{
  first_ready();
  world.config.resume_within_ms = 15 * CLOCK_MINUTE;
  later(14 * CLOCK_MINUTE);
  restart();
  answer_token();
  answer("POST /users/" ID_A "/presence/setPresence Available Available PT1H", 200); /* it has faded */
  expect_nothing();
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      TEST(few_go_alone),
      TEST(many_go_together),
      TEST(batch_refused),
      TEST(batch_unanswered),
      TEST(batch_says_nothing),
      TEST(outage_of_batches),
      TEST(budget_survives_a_restart),
      TEST(answered_before_a_restart),
      TEST(a_lost_state_file),
      TEST(under_way_at_a_restart),
      TEST(budget_is_written_ahead),
      TEST(asides_leave_half),
      TEST(clock_set_forward),
      TEST(clock_set_back),
      TEST(lookups_and_a_clock_set_back),
      TEST(outage),
      TEST(nobody_sits_out_an_outage),
      TEST(starts_with_a_clock_behind),
      TEST(a_gate_and_a_clock_behind),
      TEST(ours_is_cleared),
      TEST(theirs_is_left),
      TEST(read_fails_three_times),
      TEST(soon_after_or_always_without_a_look),
      TEST(read_together),
      TEST(stop_clears),
      TEST(stop_leaves),
      TEST(long_downtime),
      TEST(a_clean_restart),
      TEST(a_kill),
      TEST(heard_by_what_is_known),
      TEST(short_downtime)};
  return cases_run(argc, argv, tests, NULL, NULL);
}
