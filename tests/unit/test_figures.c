/* What the engine measures of itself: how long presences took, what lapsed, what was decided. */
#include "service_world.h"

#define SET(id, presence) "POST /users/" id "/presence/setPresence " presence " PT1H"
#define AVAILABLE SET(ID_A, "Available Available")
#define IN_A_CALL SET(ID_A, "Busy InACall")

static int set_up_measured(void **state_of_test)
{
  int failed = set_up(state_of_test);
  if (failed != 0)
    return failed;
  world.clock.shows_steady = true;
  world.clock.stopwatch_step_us = 250;
  restart();
  return 0;
}

/* A number of the status, by its members; of lists the first entry. */
static double figure(const char *first, const char *second, const char *third)
{
  struct values values = {0};
  const struct value *at = service_status(world.service, false, &values);
  const char *const path[] = {first, second, third};
  for (size_t i = 0; i < COUNT_OF(path) && path[i] != NULL; i++) {
    at = value_get(at, path[i]);
    if (value_is(at, VALUE_LIST))
      at = value_at(at, 0);
  }
  if (!value_is(at, VALUE_NUMBER))
    fail_msg("%s %s %s: no number", first, second, third == NULL ? "" : third);
  double number = at->u.number;
  values_release(&values);
  return number;
}

static double oldest(void)
{
  return figure("accounts", "oldest_difference_seconds", NULL);
}

static double measured_before, sum_before;

static void begin_measuring(void)
{
  measured_before = figure("figures", "presence_age", "count");
  sum_before = figure("figures", "presence_age", "sum");
}

/* What was measured since begin_measuring(). */
static void expect_ages(int count, double sum)
{
  double measured = figure("figures", "presence_age", "count") - measured_before;
  double seconds = figure("figures", "presence_age", "sum") - sum_before;
  if ((int)measured != count || seconds < sum - 1e-6 || seconds > sum + 1e-6)
    fail_msg("%.0f ages of together %.3f s, not %d of %.3f s", measured, seconds, count, sum);
}

/* ---- age */

static void an_age_is_from_the_event_to_the_last_answer(void **s UNUSED)
{
  state("a@c.com", "Ready", "");
  assert_true(oldest() == 0);
  later(1000);
  answer_token();
  later(1000);
  answer_user("GET /users/a%40c.com", ID_A);
  later(500);
  assert_true(oldest() == 2.5);
  expect_ages(0, 0);
  answer(AVAILABLE, 200);
  expect_ages(1, 2.5);
  assert_true(oldest() == 0);
  state("a@c.com", "NotReady", "NOTE"); /* three requests, and one age */
  later(100);
  answer(SET(ID_A, "Away Away"), 200);
  later(100);
  answer("POST /users/" ID_A "/presence/setUserPreferredPresence Busy Busy PT1H", 200);
  later(100);
  answer("POST /users/" ID_A "/presence/setStatusMessage   back soon", 200);
  expect_ages(2, 2.5 + 0.3);
  expect_nothing();
}

static void several_events_of_one_difference_are_one_age(void **s UNUSED)
{
  first_ready();
  begin_measuring();
  state("a@c.com", "Talking", "");
  later(2000);
  state("a@c.com", "Ready", "");
  later(1000);
  answer(IN_A_CALL, 200);
  expect_ages(0, 0); /* it should not show that any more */
  later(4000);
  answer(AVAILABLE, 200);
  expect_ages(1, 7);
}

/* Closes the gate for two minutes, by a request of another agent. */
static void close_gate(void)
{
  state("b@c.com", "Talking", "");
  answer_user("GET /users/b%40c.com", ID_B);
  reply_with(expect(SET(ID_B, "Busy InACall")), 429, "120", "");
}

static void what_was_taken_back_unsent_has_no_age(void **s UNUSED)
{
  first_ready();
  begin_measuring();
  close_gate();
  later(CLOCK_SECOND);
  state("a@c.com", "Talking", "");
  pass(CLOCK_MINUTE);
  assert_true(oldest() == 61);
  state("a@c.com", "Ready", "");
  pass(CLOCK_MINUTE);
  answer(SET(ID_B, "Busy InACall"), 200);
  expect_nothing();
  expect_ages(1, 121); /* the other's */
}

static void a_delay_is_no_age(void **s UNUSED)
{
  first_ready();
  begin_measuring();
  state("a@c.com", "NotReady", "LATER");
  pass(29 * CLOCK_SECOND);
  assert_true(oldest() == 0);
  later(1500); /* the turn comes half a second late */
  turn();
  assert_true(oldest() == 0.5);
  later(500);
  answer("POST /users/" ID_A "/presence/setPresence Busy InACall PT59M30S", 200);
  expect_ages(1, 1);
}

static void an_event_during_a_refresh_counts_from_its_arrival(void **s UNUSED)
{
  first_ready();
  begin_measuring();
  pass(270 * CLOCK_SECOND);
  state("a@c.com", "Ready", ""); /* nothing new */
  later(1000);
  state("a@c.com", "Talking", "");
  later(3000);
  answer(AVAILABLE, 200);
  later(1000);
  expect_ages(0, 0);
  answer(IN_A_CALL, 200);
  expect_ages(1, 4);
  pass(58 * CLOCK_MINUTE);
  answer_token();
  state("a@c.com", "Talking", "");
  later(3000);
  answer(IN_A_CALL, 200);
  expect_ages(1, 4); /* it showed all along what it should */
  assert_true(oldest() == 0);
}

static void who_is_parked_does_not_wait(void **s UNUSED)
{
  size_t count;
  first_ready();
  begin_measuring();
  state("a@c.com", "Talking", "");
  answer(IN_A_CALL, 403);
  assert_true(is_parked());
  pass(10 * CLOCK_MINUTE);
  assert_true(oldest() == 0);
  assert_true(service_resync(world.service, "a@c.com", &count));
  turn();
  later(1000);
  assert_true(oldest() == 1);
  answer(IN_A_CALL, 200);
  expect_ages(1, 1);
}

static void a_set_clock_makes_nobody_wait_longer(void **s UNUSED)
{
  static const int64_t steps[] = {CLOCK_HOUR, -CLOCK_HOUR};
  first_ready();
  for (size_t i = 0; i < COUNT_OF(steps); i++) {
    begin_measuring();
    state("a@c.com", "Talking", "");
    later(1000);
    set_clock(steps[i]);
    later(1000);
    assert_true(oldest() == 2);
    answer(IN_A_CALL, 200);
    expect_ages(1, 2);
    state("a@c.com", "Ready", "");
    answer(AVAILABLE, 200);
  }
  begin_measuring();
  state("a@c.com", "NotReady", "SHORT");
  answer("POST /users/" ID_A "/presence/setPresence Busy InACall PT10M", 200);
  give("{\"agent\":\"a@c.com\",\"state\":\"Ready\",\"ucc\":\"chat\"}");
  set_clock(CLOCK_HOUR / 2); /* its hold is over, by the new clock for long */
  later(500);
  assert_true(oldest() == 0.5);
}

/* ---- lapses */

static void expect_lapses(double count)
{
  double counted = figure("figures", "lapses", NULL);
  if (counted != count)
    fail_msg("%.0f lapses, not %.0f", counted, count);
}

/* Every request is answered so at once, until that moment after the start; a token is always given. */
static void answer_all_until(int64_t until_ms, int status)
{
  while (now() < START + until_ms) {
    pass(500);
    for (size_t i = 0; i < graph.sent; i++) {
      if (graph.exchanges[i]->open && strcmp(graph.exchanges[i]->line, "POST token") == 0)
        reply_with(graph.exchanges[i], 200, "", "{\"access_token\":\"t\",\"expires_in\":3600}");
      else if (graph.exchanges[i]->open)
        reply_with(graph.exchanges[i], status, "", "");
    }
    compact();
  }
}

static void behind_a_closed_gate(void **s UNUSED)
{
  first_ready();
  begin_measuring();
  pass(200 * CLOCK_SECOND);
  close_gate();
  pass(98 * CLOCK_SECOND);
  expect_lapses(0);
  pass(7 * CLOCK_SECOND);
  for (int i = 0; i < 2; i++) {
    expect_lapses(1);
    assert_true(oldest() == 105); /* the other agent's call */
    state("a@c.com", "Ready", "");
  }
  pass(15250);
  answer(SET(ID_B, "Busy InACall"), 200);
  answer(AVAILABLE, 200);
  expect_ages(2, 120.25 + 20.25);
  expect_lapses(1);
  answer_all_until(CLOCK_HOUR, 200);
  expect_lapses(1);
  expect_ages(2, 120.25 + 20.25);
}

static void by_refreshes_that_fail(void **s UNUSED)
{
  static const struct {
    const char *state, *line;
    int64_t lapses_ms;
  } table[] = {
      {"Ready", AVAILABLE, 5 * CLOCK_MINUTE},
      {"Talking", IN_A_CALL, CLOCK_HOUR},
  };
  static const int statuses[] = {503, 429, 0};
  for (size_t i = 0; i < COUNT_OF(table); i++)
    for (size_t j = 0; j < COUNT_OF(statuses); j++) {
      tear_down(NULL);
      set_up_measured(NULL);
      state("a@c.com", table[i].state, "");
      answer_token();
      answer_user("GET /users/a%40c.com", ID_A);
      answer(table[i].line, 200);
      answer_all_until(table[i].lapses_ms - 3 * CLOCK_MINUTE, 200);
      answer_all_until(table[i].lapses_ms - CLOCK_SECOND, statuses[j]);
      expect_lapses(0);
      answer_all_until(table[i].lapses_ms + CLOCK_SECOND, statuses[j]);
      expect_lapses(1);
      answer_all_until(table[i].lapses_ms + 20 * CLOCK_MINUTE, statuses[j]);
      expect_lapses(1);
      answer_all_until(table[i].lapses_ms + 3 * CLOCK_HOUR, 200);
      expect_lapses(1);
    }
}

static void not_what_should_end(void **s UNUSED)
{
  static const struct {
    int64_t lease_ms;
    const char *line;
  } table[] = {
      {CLOCK_HOUR, "POST /users/" ID_A "/presence/setPresence Busy InACall PT10M"},
      {10 * CLOCK_MINUTE - 1500,
       "POST /users/" ID_A "/presence/setPresence Busy InACall PT9M59S"}, /* not again for it */
  };
  for (size_t i = 0; i < COUNT_OF(table); i++) {
    tear_down(NULL);
    set_up_measured(NULL);
    first_ready();
    world.accounts[0].lease_ms = table[i].lease_ms;
    state("a@c.com", "NotReady", "SHORT");
    answer(table[i].line, 200);
    answer_all_until(70 * CLOCK_MINUTE, 200);
    expect_lapses(0);
  }
}

static void not_what_was_taken_back_before(void **s UNUSED)
{
  first_ready();
  pass(200 * CLOCK_SECOND);
  close_gate();
  pass(90 * CLOCK_SECOND);
  state("a@c.com", "LoggedOff", "");
  answer_all_until(CLOCK_HOUR, 200);
  expect_lapses(0);
}

static void what_was_taken_back_after_it(void **s UNUSED)
{
  first_ready();
  pass(200 * CLOCK_SECOND);
  close_gate();
  pass(110 * CLOCK_SECOND);
  state("a@c.com", "LoggedOff", "");
  expect_lapses(1);
  answer_all_until(CLOCK_HOUR, 200);
  expect_lapses(1);
}

static void not_who_is_parked(void **s UNUSED)
{
  size_t count;
  first_ready();
  answer_all_until(10 * CLOCK_MINUTE, 403);
  assert_true(is_parked());
  assert_true(service_resync(world.service, "a@c.com", &count));
  answer_all_until(CLOCK_HOUR, 200);
  expect_lapses(0);
}

static void not_behind_a_slow_answer(void **s UNUSED)
{
  first_ready();
  pass(270 * CLOCK_SECOND);
  struct exchange *refresh = expect(AVAILABLE);
  pass(CLOCK_MINUTE);
  expect_lapses(0);
  reply_with(refresh, 200, "", "");
  answer_all_until(CLOCK_HOUR, 200);
  expect_lapses(0);
}

static void while_nothing_ran(void **s UNUSED)
{
  first_ready();
  later(6 * CLOCK_MINUTE);
  restart();
  expect_lapses(1);
  answer_token();
  answer(AVAILABLE, 200);
  expect_lapses(1);
}

static void not_by_a_set_clock(void **s UNUSED)
{
  first_ready();
  set_clock(CLOCK_HOUR);
  expect_lapses(0);
  set_clock(-CLOCK_HOUR);
  answer_all_until(CLOCK_HOUR, 200);
  expect_lapses(0);
}

/* ---- who spoke, and which rule answered */

/* The number `what` of the entry of figures[list] whose `key` is the name; -1: there is none. of_ruleset: of its
 * decisions.
 */
static double entry(const char *list, const char *key, const char *name, const char *what, bool of_ruleset)
{
  struct values values = {0};
  const struct value *entries = value_get(value_get(service_status(world.service, false, &values), "figures"), list);
  double number = -1;
  if (of_ruleset)
    entries = value_get(value_at(entries, 0), "decisions");
  for (size_t i = 0; i < value_count(entries); i++)
    if (strcmp(value_get_text(value_at(entries, i), key, ""), name) == 0)
      number = value_get_number(value_at(entries, i), what, -1);
  values_release(&values);
  return number;
}

static double heard(const char *ucc)
{
  return entry("uccs", "ucc", ucc, "last_event_seconds", false);
}

static double decided(const char *rule)
{
  return entry("rulesets", "rule", rule, "count", true);
}

static double unmatched(const char *ruleset)
{
  return entry("rulesets", "ruleset", ruleset, "unmatched", false);
}

static void said_by(const char *ucc, const char *name)
{
  char json[512];
  snprintf(json, sizeof json, "{\"agent\":\"a@c.com\",\"state\":\"%s\",\"ucc\":\"%s\"}", name, ucc);
  give(json);
}

static void a_ucc_was_heard_when_its_event_arrived(void **s UNUSED)
{
  assert_true(heard("chat") == -1);
  said_by("chat", "Ready");
  later(5 * CLOCK_SECOND);
  said_by("voice", "Ready");
  assert_true(heard("chat") == 5 && heard("voice") == 0);
  set_clock(CLOCK_HOUR);
  set_clock(-2 * CLOCK_HOUR);
  assert_true(heard("chat") == 5 && heard("voice") == 0);
  later(CLOCK_SECOND);
  give("{\"agent\":\"a@c.com\",\"state\":\"Ready\",\"ucc\":\"CHAT\",\"at\":\"2026-01-05T09:00:00Z\"}"); /* as it arrives
                                                                                                         */
  assert_true(heard("chat") == 0 && heard("voice") == 1 && heard("CHAT") == -1);
}

static void a_ucc_is_known_after_a_start(void **s UNUSED)
{
  said_by("chat", "Ready");
  later(5 * CLOCK_SECOND);
  restart();
  assert_true(heard("chat") == 5);
  assert_true(service_override(
      world.service, "a@c.com", &(struct service_override){PREFERRED_BUSY, CLOCK_HOUR, "somebody"}, &(struct err){0}));
  later(CLOCK_SECOND);
  restart();
  assert_true(heard("chat") == 6 && heard("(override)") == -1);
}

static void many_uccs_are_others(void **s UNUSED)
{
  char ucc[16];
  for (int i = 0; i < 103; i++) {
    snprintf(ucc, sizeof ucc, "ucc%d", i);
    said_by(ucc, "Ready");
    later(CLOCK_SECOND);
  }
  assert_true(heard("ucc0") == 103 && heard("ucc99") == 4 && heard("ucc100") == -1 && heard("(others)") == 1);
}

static void a_rule_is_counted_when_it_decides(void **s UNUSED)
{
  assert_true(unmatched("test") == 0);
  said_by("chat", "Ready");
  said_by("chat", "Ready");
  said_by("chat", "Talking");
  said_by("chat", "Elsewhere");
  said_by("voice", "Elsewhere");
  assert_true(decided("states.Ready") == 2 && decided("states.Talking") == 1 && decided("unmatched") == 2);
  assert_true(unmatched("test") == 2);
  service_rules_changed(world.service, 2);
  turn();
  assert_true(decided("states.Ready") == 2 && decided("unmatched") == 4);
  assert_true(unmatched("test") == 2); /* it is about events */
}

static void many_rules_are_others(void **s UNUSED)
{
  enum { RULES = 510 };
  char text[16 * RULES];
  int length = snprintf(text, sizeof text, "ruleset { name = 'many', states = {");
  for (int i = 0; i < RULES; i++)
    length += snprintf(text + length, sizeof text - (size_t)length, "S%d = clear, ", i);
  snprintf(text + length, sizeof text - (size_t)length, "} }\n");
  take_rules(text, 1);
  restart();
  for (int i = 0; i < RULES; i++) {
    char name[16];
    snprintf(name, sizeof name, "S%d", i);
    said_by("chat", name);
  }
  assert_true(decided("states.S0") == 1 && decided("states.S499") == 1);
  assert_true(decided("states.S500") == -1 && decided("(others)") == 10);
}

/* ---- commits */

static void commits_that_write_are_measured(void **s UNUSED)
{
  first_ready();
  double before = figure("figures", "commit", "count"), sum = figure("figures", "commit", "sum");
  for (int i = 0; i < 10; i++)
    turn();
  assert_true(figure("figures", "commit", "count") == before);
  state("a@c.com", "Ringing", "");
  assert_true(figure("figures", "commit", "count") == before + 1);
  double took = figure("figures", "commit", "sum") - sum;
  assert_true(took > 0.000249 && took < 0.000251);
  world.clock.stopwatch_step_us = 0;
  restart();
  state("a@c.com", "Ringing", "");
  assert_true(figure("figures", "commit", "count") == 0);
}

#define MEASURED(test) cmocka_unit_test_setup_teardown(test, set_up_measured, tear_down)

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      MEASURED(an_age_is_from_the_event_to_the_last_answer),
      MEASURED(several_events_of_one_difference_are_one_age),
      MEASURED(what_was_taken_back_unsent_has_no_age),
      MEASURED(a_delay_is_no_age),
      MEASURED(an_event_during_a_refresh_counts_from_its_arrival),
      MEASURED(who_is_parked_does_not_wait),
      MEASURED(a_set_clock_makes_nobody_wait_longer),
      MEASURED(behind_a_closed_gate),
      MEASURED(by_refreshes_that_fail),
      MEASURED(not_what_should_end),
      MEASURED(not_what_was_taken_back_before),
      MEASURED(what_was_taken_back_after_it),
      MEASURED(not_who_is_parked),
      MEASURED(not_behind_a_slow_answer),
      MEASURED(while_nothing_ran),
      MEASURED(not_by_a_set_clock),
      MEASURED(a_ucc_was_heard_when_its_event_arrived),
      MEASURED(a_ucc_is_known_after_a_start),
      MEASURED(many_uccs_are_others),
      MEASURED(a_rule_is_counted_when_it_decides),
      MEASURED(many_rules_are_others),
      MEASURED(commits_that_write_are_measured),
  };
  return cases_run(argc, argv, tests, NULL, NULL);
}
