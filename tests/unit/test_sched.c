#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/must.h"
#include "sched/sched.h"

#include <string.h>

#define NOW (INT64_C(1767614400000)) /* 2026-01-05T12:00Z */
#define LEASE CLOCK_HOUR
#define MIN CLOCK_MINUTE

/* ---- plan */

struct plan_case {
  const char *name;
  struct confirmed confirmed;
  enum presence session, preferred;
  const char *message;
  int64_t left_ms; /* of the hold */
  enum sched_step step;
  int64_t duration_ms;
  bool refresh;
};

#define SLOT(p, set, until)                                                                                            \
  {                                                                                                                    \
    .presence = (p), .set_ms = NOW + (set), .until_ms = NOW + (until)                                                  \
  }

static const struct plan_case plan_cases[] = {
    {.name = "nothing wanted, nothing there", .step = STEP_NONE},
    {.name = "a session is set for the rest of the hold",
     .session = SESSION_IN_A_CALL,
     .left_ms = 20 * MIN,
     .step = STEP_SET_SESSION,
     .duration_ms = 20 * MIN},
    {.name = "never longer than the lease",
     .session = SESSION_IN_A_CALL,
     .left_ms = 3 * CLOCK_HOUR,
     .step = STEP_SET_SESSION,
     .duration_ms = LEASE},
    {.name = "never shorter than five minutes",
     .session = SESSION_IN_A_CALL,
     .left_ms = 7 * CLOCK_SECOND,
     .step = STEP_SET_SESSION,
     .duration_ms = 5 * MIN},
    {.name = "what stands is left alone",
     .session = SESSION_IN_A_CALL,
     .left_ms = 20 * MIN,
     .confirmed = {.session = SLOT(SESSION_IN_A_CALL, 0, 20 * MIN)},
     .step = STEP_NONE},
    {.name = "another presence replaces it",
     .session = SESSION_AVAILABLE,
     .left_ms = 20 * MIN,
     .confirmed = {.session = SLOT(SESSION_IN_A_CALL, 0, 20 * MIN)},
     .step = STEP_SET_SESSION,
     .duration_ms = 20 * MIN},
    {.name = "unsure is sent again",
     .session = SESSION_IN_A_CALL,
     .left_ms = 20 * MIN,
     .confirmed = {.session = {SESSION_IN_A_CALL, true, NOW, NOW + 20 * MIN}},
     .step = STEP_SET_SESSION,
     .duration_ms = 20 * MIN},
    {.name = "an expired session is set anew",
     .session = SESSION_IN_A_CALL,
     .left_ms = 20 * MIN,
     .confirmed = {.session = SLOT(SESSION_IN_A_CALL, -60 * MIN, 0)},
     .step = STEP_SET_SESSION,
     .duration_ms = 20 * MIN},
    {.name = "Available is refreshed before its fade",
     .session = SESSION_AVAILABLE,
     .left_ms = 2 * CLOCK_HOUR,
     .confirmed = {.session = SLOT(SESSION_AVAILABLE, -4 * MIN - 31 * CLOCK_SECOND, 50 * MIN)},
     .step = STEP_SET_SESSION,
     .duration_ms = LEASE,
     .refresh = true},
    {.name = "but not early",
     .session = SESSION_AVAILABLE,
     .left_ms = 2 * CLOCK_HOUR,
     .confirmed = {.session = SLOT(SESSION_AVAILABLE, -3 * MIN, 50 * MIN)},
     .step = STEP_NONE},
    {.name = "nor when the hold ends before the fade",
     .session = SESSION_AVAILABLE,
     .left_ms = 10 * CLOCK_SECOND,
     .confirmed = {.session = SLOT(SESSION_AVAILABLE, -4 * MIN - 40 * CLOCK_SECOND, 20 * CLOCK_SECOND)},
     .step = STEP_NONE},
    {.name = "a call does not fade",
     .session = SESSION_IN_A_CALL,
     .left_ms = 2 * CLOCK_HOUR,
     .confirmed = {.session = SLOT(SESSION_IN_A_CALL, -30 * MIN, 30 * MIN)},
     .step = STEP_NONE},
    {.name = "but is refreshed before it expires",
     .session = SESSION_IN_A_CALL,
     .left_ms = 2 * CLOCK_HOUR,
     .confirmed = {.session = SLOT(SESSION_IN_A_CALL, -59 * MIN, 1 * MIN)},
     .step = STEP_SET_SESSION,
     .duration_ms = LEASE,
     .refresh = true},
    {.name = "the carrier comes before the preferred",
     .session = SESSION_AWAY,
     .preferred = PREFERRED_BUSY,
     .left_ms = 30 * MIN,
     .step = STEP_SET_SESSION,
     .duration_ms = 30 * MIN},
    {.name = "then the preferred, for the rest of the hold",
     .session = SESSION_AWAY,
     .preferred = PREFERRED_BUSY,
     .left_ms = 8 * CLOCK_HOUR,
     .confirmed = {.session = SLOT(SESSION_AWAY, 0, 60 * MIN)},
     .step = STEP_SET_PREFERRED,
     .duration_ms = 8 * CLOCK_HOUR},
    {.name = "a preferred is never refreshed",
     .session = SESSION_AWAY,
     .preferred = PREFERRED_BUSY,
     .left_ms = 20 * MIN,
     .confirmed =
         {.session = SLOT(SESSION_AWAY, -10 * MIN, 50 * MIN),
          .preferred = SLOT(PREFERRED_BUSY, -2 * CLOCK_HOUR, 20 * MIN)},
     .step = STEP_NONE},
    {.name = "a new end is a new decision",
     .session = SESSION_AWAY,
     .preferred = PREFERRED_BUSY,
     .left_ms = 45 * MIN,
     .confirmed = {.session = SLOT(SESSION_AWAY, 0, 50 * MIN), .preferred = SLOT(PREFERRED_BUSY, 0, 20 * MIN)},
     .step = STEP_SET_PREFERRED,
     .duration_ms = 45 * MIN},
    {.name = "then the message",
     .session = SESSION_AVAILABLE,
     .message = "hello",
     .left_ms = 30 * MIN,
     .confirmed = {.session = SLOT(SESSION_AVAILABLE, 0, 30 * MIN)},
     .step = STEP_SET_MESSAGE},
    {.name = "the replacement stands before the preferred is cleared",
     .session = SESSION_AVAILABLE,
     .left_ms = 30 * MIN,
     .confirmed = {.session = SLOT(SESSION_AWAY, 0, 30 * MIN), .preferred = SLOT(PREFERRED_BUSY, 0, 30 * MIN)},
     .step = STEP_SET_SESSION,
     .duration_ms = 30 * MIN},
    {.name = "then it is",
     .session = SESSION_AVAILABLE,
     .left_ms = 30 * MIN,
     .confirmed = {.session = SLOT(SESSION_AVAILABLE, 0, 30 * MIN), .preferred = SLOT(PREFERRED_BUSY, 0, 30 * MIN)},
     .step = STEP_CLEAR_PREFERRED},
    {.name = "clearing goes message first",
     .confirmed =
         {.session = SLOT(SESSION_AWAY, 0, 30 * MIN),
          .preferred = SLOT(PREFERRED_BUSY, 0, 30 * MIN),
          .message = {7, false, NOW + 30 * MIN}},
     .step = STEP_CLEAR_MESSAGE},
    {.name = "then preferred",
     .confirmed = {.session = SLOT(SESSION_AWAY, 0, 30 * MIN), .preferred = SLOT(PREFERRED_BUSY, 0, 30 * MIN)},
     .step = STEP_CLEAR_PREFERRED},
    {.name = "then session", .confirmed = {.session = SLOT(SESSION_AWAY, 0, 30 * MIN)}, .step = STEP_CLEAR_SESSION},
    {.name = "what may be there is cleared too",
     .confirmed = {.session = {PRESENCE_NONE, true, 0, NOW + MIN}},
     .step = STEP_CLEAR_SESSION},
    {.name = "what ended by itself is not",
     .confirmed =
         {.session = SLOT(SESSION_AWAY, -60 * MIN, 0),
          .preferred = SLOT(PREFERRED_BUSY, -60 * MIN, 0),
          .message = {7, false, NOW}},
     .step = STEP_NONE},
};

static void test_plan(void **state UNUSED)
{
  for (size_t i = 0; i < COUNT_OF(plan_cases); i++) {
    const struct plan_case *c = &plan_cases[i];
    struct agent agent = {.key = 1, .confirmed = c->confirmed};
    struct desired desired = {
        .session = c->session,
        .preferred = c->preferred,
        .message = c->message == NULL ? "" : c->message,
        .until_ms = NOW + c->left_ms,
        .changes_ms = c->session == PRESENCE_NONE ? CLOCK_NEVER : NOW + c->left_ms};
    struct sched_plan plan = sched_plan(&agent, &desired, NOW, LEASE);
    if (plan.step != c->step || plan.duration_ms != c->duration_ms || plan.refresh != c->refresh)
      fail_msg("%s: step %d, duration %lld, refresh %d", c->name, plan.step, (long long)plan.duration_ms, plan.refresh);
    /* Applied, it is never wanted again at once. */
    if (plan.step != STEP_NONE) {
      sched_sent(&agent, &plan, NOW);
      sched_applied(&agent, &plan, NOW);
      struct sched_plan next = sched_plan(&agent, &desired, NOW, LEASE);
      if (next.step == plan.step)
        fail_msg("%s: wanted again", c->name);
    }
  }
}

/* Whatever is sent and never answered is sent or cleared again, whatever is wanted by then. */
static void test_unanswered(void **state UNUSED)
{
  struct desired call = {
      .session = SESSION_IN_A_CALL, .message = "", .until_ms = NOW + 30 * MIN, .changes_ms = NOW + 30 * MIN};
  struct desired nothing = {.message = "", .changes_ms = CLOCK_NEVER};
  struct agent agent = {.key = 1};
  struct sched_plan plan = sched_plan(&agent, &call, NOW, LEASE);
  sched_sent(&agent, &plan, NOW);
  assert_int_equal(sched_plan(&agent, &call, NOW, LEASE).step, STEP_SET_SESSION);
  assert_int_equal(sched_plan(&agent, &nothing, NOW, LEASE).step, STEP_CLEAR_SESSION);
  /* Past any end that Graph can have counted, it has gone by itself. */
  assert_int_equal(sched_plan(&agent, &nothing, NOW + 32 * MIN, LEASE).step, STEP_NONE);
}

static void test_next_moment(void **state UNUSED)
{
  struct agent agent = {.key = 1, .confirmed = {.session = SLOT(SESSION_AVAILABLE, 0, 60 * MIN)}};
  struct desired desired = {
      .session = SESSION_AVAILABLE,
      .message = "",
      .until_ms = NOW + 12 * CLOCK_HOUR,
      .changes_ms = NOW + 12 * CLOCK_HOUR};
  struct sched_plan plan = sched_plan(&agent, &desired, NOW, LEASE);
  assert_int_equal(plan.step, STEP_NONE);
  assert_true(plan.next_ms >= NOW + 255 * CLOCK_SECOND && plan.next_ms < NOW + 270 * CLOCK_SECOND);
  assert_int_equal(sched_plan(&agent, &desired, plan.next_ms, LEASE).step, STEP_SET_SESSION);
  assert_int_equal(sched_plan(&agent, &desired, plan.next_ms - 1, LEASE).step, STEP_NONE);
}

/* ---- queue */

static void test_queue(void **state UNUSED)
{
  enum { AGENTS = 50 };
  static struct agent agents[AGENTS];
  memset(agents, 0, sizeof agents);
  struct sched sched;
  sched_init(&sched, 2);
  for (int i = 0; i < AGENTS; i++) {
    sched_add(&sched, &agents[i]);
    sched_move(&sched, &agents[i], PHASE_WAITING, NOW + (i * 37) % AGENTS);
  }
  assert_int_equal(sched.counts[PHASE_WAITING], AGENTS);
  assert_null(sched_due(&sched, NOW - 1));
  for (int i = 0; i < AGENTS; i++) {
    assert_int_equal(sched_next_due(&sched), NOW + i);
    struct agent *agent = sched_due(&sched, NOW + i);
    assert_non_null(agent);
    sched_ready(&sched, agent, (size_t)(i % 2), i % 3 == 0);
  }
  assert_int_equal(sched_next_due(&sched), CLOCK_NEVER);
  /* Changes first, each kind in its order; nobody loses his place by getting ready again. */
  for (int i = 0; i < AGENTS; i++) /* none presses */
    agents[i].confirmed.session = (struct slot)SLOT(SESSION_AVAILABLE, 0, 60 * MIN);
  struct agent *first = sched_first_ready(&sched, 0, NOW);
  assert_non_null(first);
  assert_false(first->is_refresh);
  sched_ready(&sched, first, 0, false);
  assert_ptr_equal(sched_first_ready(&sched, 0, NOW), first);
  /* Refreshes that press take turns with them. */
  for (int i = 0; i < AGENTS; i++)
    agents[i].confirmed.session = (struct slot)SLOT(SESSION_AVAILABLE, -4 * MIN - 45 * CLOCK_SECOND, 30 * MIN);
  struct agent *refresh = sched_first_ready(&sched, 0, NOW);
  assert_non_null(refresh);
  assert_true(refresh->is_refresh);
  sched_move(&sched, refresh, PHASE_IN_FLIGHT, CLOCK_NEVER);
  assert_ptr_equal(sched_first_ready(&sched, 0, NOW), first);
  while ((first = sched_first_ready(&sched, 0, NOW)) != NULL)
    sched_move(&sched, first, PHASE_IN_FLIGHT, CLOCK_NEVER);
  assert_int_equal(sched.counts[PHASE_IN_FLIGHT], AGENTS / 2);
  assert_int_equal(sched.counts[PHASE_READY], AGENTS / 2);
  for (int i = 0; i < AGENTS; i++)
    sched_remove(&sched, &agents[i]);
  for (int phase = PHASE_IDLE; phase <= PHASE_PARKED; phase++)
    assert_int_equal(sched.counts[phase], 0);
  assert_null(sched_first_ready(&sched, 1, NOW));
  sched_release(&sched);
}

/* ---- budget: never more than the limit in any window, and all of it used */

static void test_budget(void **state UNUSED)
{
  enum { LIMIT = 100, WINDOW = 30000, MARGIN = 500 };
  struct sched_budget budget;
  sched_budget_init(&budget, LIMIT, WINDOW, MARGIN);
  static int64_t sent[4000];
  size_t count = 0;
  uint32_t random = 1;
  for (int64_t now = NOW; count < COUNT_OF(sent);) {
    random = random * 1664525u + 1013904223u;
    if (sched_budget_next(&budget) <= now) {
      sched_budget_use(&budget, now);
      sent[count++] = now;
    } else {
      now = sched_budget_next(&budget) + random % 5;
    }
  }
  for (size_t i = LIMIT; i < count; i++)
    assert_true(sent[i] - sent[i - LIMIT] >= WINDOW + MARGIN);
  assert_int_equal(sent[LIMIT - 1], NOW); /* the whole burst at once */
  double used = (double)count / ((double)(sent[count - 1] - NOW) / WINDOW + 1) / LIMIT;
  assert_true(used > 0.97);
  sched_budget_release(&budget);
}

static void test_backoff(void **state UNUSED)
{
  for (int attempts = 1; attempts < 100; attempts++) {
    int64_t least = sched_backoff(attempts, 1000, 60000, 0), most = sched_backoff(attempts, 1000, 60000, UINT32_MAX);
    int64_t whole = attempts > 6 ? 60000 : INT64_C(1000) << (attempts - 1);
    assert_int_equal(least, whole / 2);
    assert_true(most < whole && most >= whole - 2);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_plan),        cmocka_unit_test(test_unanswered),
                                     cmocka_unit_test(test_next_moment), cmocka_unit_test(test_queue),
                                     cmocka_unit_test(test_budget),      cmocka_unit_test(test_backoff)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
