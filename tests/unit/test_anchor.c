/* hold = "anchor": who is anchored, what goes out for it, and how soon it is dropped. */
#include "service_world.h"

#include "model/agent.h"

#define PRESENCE "/users/" ID_A "/presence/"
#define SET "POST " PRESENCE "setPresence "
#define PREFER "POST " PRESENCE "setUserPreferredPresence "
#define CLEAR_PREFERRED "POST " PRESENCE "clearUserPreferredPresence"
#define READ "POST /communications/getPresencesByUserId"

static const char anchored_rules[] =
    "ruleset {\n  hold = 'anchor',\n"
    "  reasons = { LUNCH = teams.be_right_back { expires = '45m' },\n"
    "    SLOW = teams.away { delay = '2m', expires = '20m' } },\n"
    "  states = { Ready = teams.available, Talking = teams.in_a_call, Ringing = keep, Absent = teams.offline,\n"
    "    Chosen = { session.available, preferred.busy }, LoggedOff = clear },\n"
    "}\n";

static int set_up_anchored(void **s)
{
  int failed = set_up(s);
  if (failed == 0) {
    take_rules(anchored_rules, 2);
    restart();
  }
  return failed;
}

static void says(const char *ucc, const char *name, const char *reason)
{
  char json[256];
  snprintf(
      json, sizeof json, "{\"agent\":\"a@c.com\",\"ucc\":\"%s\",\"state\":\"%s\",\"reason\":\"%s\"}", ucc, name,
      reason);
  give(json);
}

static void shown_is(const char *availability)
{
  char body[256];
  snprintf(
      body, sizeof body, "{\"value\":[{\"id\":\"" ID_A "\",\"availability\":\"%s\",\"activity\":\"x\"}]}",
      availability);
  reply_with(expect(READ), 200, "", body);
}

static void anchor(void)
{
  says("a", "Ready", "");
  answer_token();
  answer_user("GET /users/a%40c.com", ID_A);
  answer(SET "Away Away PT1H", 200);
  answer(PREFER "Available Available PT12H", 200);
  expect_nothing();
}

/* ---- who is anchored */

struct report {
  const char *ucc;
  enum decision_kind kind;
  enum presence session, preferred;
  int64_t delay_ms;
};

#define REPORTS_MAX 3
#define READY                                                                                                          \
  {                                                                                                                    \
    "a", DECISION_SHOW, SESSION_AVAILABLE, PRESENCE_NONE, 0                                                            \
  }

/* Reports one second apart, of one agent, each with a state of its own. */
static void test_who_is_anchored(void **s UNUSED)
{
  static const struct {
    const char *what;
    struct report reports[REPORTS_MAX];
    bool anchored;
  } cases[] = {
      {"ready", {READY}, true},
      {"an override", {{AGENT_OVERRIDE, DECISION_SHOW, SESSION_AVAILABLE, PRESENCE_NONE, 0}}, false},
      {"a call", {{"a", DECISION_SHOW, SESSION_IN_A_CALL, PRESENCE_NONE, 0}}, false},
      {"both planes named", {{"a", DECISION_SHOW, SESSION_AVAILABLE, PREFERRED_BUSY, 0}}, false},
      {"preferred by the rules", {{"a", DECISION_SHOW, PRESENCE_NONE, PREFERRED_AVAILABLE, 0}}, false},
      {"two are ready", {READY, {"b", DECISION_SHOW, SESSION_AVAILABLE, PRESENCE_NONE, 0}}, true},
      {"a lower one elsewhere", {READY, {"b", DECISION_SHOW, PRESENCE_NONE, PREFERRED_OFFLINE, 0}}, false},
      {"also when it was there before", {{"b", DECISION_SHOW, PRESENCE_NONE, PREFERRED_OFFLINE, 0}, READY}, false},
      {"a higher one elsewhere", {READY, {"b", DECISION_SHOW, SESSION_IN_A_CALL, PRESENCE_NONE, 0}}, false},
      {"log-off elsewhere", {READY, {"b", DECISION_CLEAR, PRESENCE_NONE, PRESENCE_NONE, 0}}, false},
      {"ready after that", {{"b", DECISION_CLEAR, PRESENCE_NONE, PRESENCE_NONE, 0}, READY}, true},
      {"keep", {READY, {"a", DECISION_KEEP, PRESENCE_NONE, PRESENCE_NONE, 0}}, false},
      {"ready after keep", {READY, {"a", DECISION_KEEP, PRESENCE_NONE, PRESENCE_NONE, 0}, READY}, true},
      {"a delay", {READY, {"a", DECISION_SHOW, PRESENCE_NONE, PREFERRED_AWAY, CLOCK_MINUTE}}, false},
      {"a delay elsewhere", {READY, {"b", DECISION_SHOW, PRESENCE_NONE, PREFERRED_AWAY, CLOCK_MINUTE}}, false},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++)
    for (int anchors = 0; anchors < 2; anchors++) {
      struct agent agent = {.anchors = anchors};
      int64_t now = START;
      for (size_t j = 0; j < REPORTS_MAX && cases[i].reports[j].ucc != NULL; j++, now += CLOCK_SECOND) {
        const struct report *report = &cases[i].reports[j];
        struct contribution *contribution = agent_contribution(&agent, report->ucc);
        if (contribution == NULL) {
          contribution = contribution_new(report->ucc);
          agent_add(&agent, contribution);
        }
        char state[16];
        snprintf(state, sizeof state, "state %zu", j);
        contribution_record(contribution, state, "", now);
        const struct decision decision = {
            .kind = report->kind,
            .session = report->session,
            .preferred = report->preferred,
            .hold_ms = CLOCK_HOUR,
            .delay_ms = report->delay_ms,
            .recheck_ms = CLOCK_NEVER};
        contribution_apply(contribution, &decision, now);
      }
      struct desired desired = agent_desired(&agent, now);
      if (desired.anchored != (cases[i].anchored && anchors == 1))
        fail_msg("%s, hold %d: anchored %d", cases[i].what, anchors, desired.anchored);
      if (desired.anchored) {
        assert_int_equal(desired.session, SESSION_AWAY);
        assert_int_equal(desired.preferred, PREFERRED_AVAILABLE);
        assert_true(desired.carrier);
      }
      while (agent.contributions != NULL) {
        struct contribution *first = agent.contributions;
        agent_take(&agent, first);
        contribution_free(first);
      }
    }
}

/* ---- what goes out */

/* Twelve requests where refreshes would be two hundred, and the preferred presence once. */
static void test_no_refresh_but_for_the_lease(void **s UNUSED)
{
  anchor();
  int64_t last = now();
  int carriers = 0;
  while (now() < START + 12 * CLOCK_HOUR - CLOCK_MINUTE) {
    pass(10 * CLOCK_SECOND);
    if (graph.sent == 0)
      continue;
    struct exchange *exchange = graph.exchanges[0];
    if (strcmp(exchange->line, "POST token") == 0) {
      answer_token();
    } else {
      assert_true(str_starts(exchange->line, SET "Away Away PT"));
      assert_true(now() - last >= 56 * CLOCK_MINUTE && now() - last < CLOCK_HOUR);
      last = now();
      carriers++;
      reply_with(exchange, 200, "", "");
    }
    expect_nothing();
  }
  assert_in_range(carriers, 12, 13);
  pass(2 * CLOCK_MINUTE);
  expect_nothing(); /* the hold is over, and both have ended by themselves */
}

static void test_dropped_by_a_call(void **s UNUSED)
{
  anchor();
  says("a", "Talking", "");
  answer(SET "Busy InACall PT1H", 200); /* first what replaces it */
  answer(CLEAR_PREFERRED, 200);
  expect_nothing();
  says("a", "Ready", "");
  answer(SET "Away Away PT1H", 200);
  answer(PREFER "Available Available PT12H", 200);
  expect_nothing();
}

/* Later than that, it is looked at before it is cleared: it has no owner. */
static void test_released_like_any_preferred(void **s UNUSED)
{
  anchor();
  pass(20 * CLOCK_MINUTE);
  says("b", "NotReady", "LUNCH");
  answer(PREFER "BeRightBack BeRightBack PT45M", 200); /* the carrier stands */
  expect_nothing();
  says("b", "LoggedOff", "");
  answer(SET "Available Available PT1H", 200);
  answer(CLEAR_PREFERRED, 200);
  expect_nothing();
  pass(CLOCK_SECOND);
  says("a", "Talking", "");
  answer(SET "Busy InACall PT1H", 200);
  says("a", "Ready", "");
  answer(SET "Away Away PT1H", 200);
  answer(PREFER "Available Available PT12H", 200);
  pass(20 * CLOCK_MINUTE);
  says("a", "Talking", "");
  answer(SET "Busy InACall PT1H", 200);
  shown_is("DoNotDisturb");
  expect_nothing(); /* their own choice */
}

/* Whatever any UCC reports, also what the rules keep, delay or do not show. */
static void test_dropped_by_every_other_state(void **s UNUSED)
{
  static const struct {
    const char *ucc, *state, *reason;
  } reports[] = {{"a", "Ringing", ""}, {"a", "NotReady", "SLOW"}, {"b", "LoggedOff", ""}, {"b", "Unheard", ""}};
  anchor();
  for (size_t i = 0; i < COUNT_OF(reports); i++) {
    pass(CLOCK_SECOND); /* a later moment: `at` is all that tells which report came first */
    says(reports[i].ucc, reports[i].state, reports[i].reason);
    answer(SET "Available Available PT1H", 200);
    answer(CLEAR_PREFERRED, 200);
    expect_nothing();
    pass(CLOCK_SECOND);
    says("a", "Talking", "");
    answer(SET "Busy InACall PT1H", 200);
    says("a", "Ready", "");
    answer(SET "Away Away PT1H", 200);
    answer(PREFER "Available Available PT12H", 200);
    expect_nothing();
  }
}

/* The option comes and goes with the rules, and is no part of what was decided. */
static void test_reload_and_restart(void **s UNUSED)
{
  anchor();
  restart();
  answer_token();
  expect_nothing();
  take_rules(rules_text, 2);
  service_rules_changed(world.service, 2);
  turn();
  answer(SET "Available Available PT1H", 200);
  answer(CLEAR_PREFERRED, 200);
  expect_nothing();
  take_rules(anchored_rules, 2);
  service_rules_changed(world.service, 3);
  turn();
  answer(SET "Away Away PT1H", 200);
  answer(PREFER "Available Available PT12H", 200);
  expect_nothing();
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_who_is_anchored),
      cmocka_unit_test_setup_teardown(test_no_refresh_but_for_the_lease, set_up_anchored, tear_down),
      cmocka_unit_test_setup_teardown(test_dropped_by_a_call, set_up_anchored, tear_down),
      cmocka_unit_test_setup_teardown(test_released_like_any_preferred, set_up_anchored, tear_down),
      cmocka_unit_test_setup_teardown(test_dropped_by_every_other_state, set_up_anchored, tear_down),
      cmocka_unit_test_setup_teardown(test_reload_and_restart, set_up_anchored, tear_down),
  };
  return cases_run(argc, argv, tests, NULL, NULL);
}
