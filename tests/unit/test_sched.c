#include "cases.h"

#include "base/clock.h"
#include "base/must.h"
#include "sched/sched.h"

#include <math.h>
#include <string.h>

#define NOW (INT64_C(1767614400000)) /* 2026-01-05T12:00Z */
#define LEASE CLOCK_HOUR
static const struct sched_policy policy = {.lease_ms = LEASE};
#define OLD (-10 * MIN) /* set long enough ago that the person may have chosen something else */
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
     .confirmed =
         {.session = {.presence = SESSION_IN_A_CALL, .unsure = true, .set_ms = NOW, .until_ms = NOW + 20 * MIN}},
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
    {.name = "a refresh with a change behind it is no mere keep-alive",
     .session = SESSION_AWAY,
     .preferred = PREFERRED_BUSY,
     .left_ms = 2 * CLOCK_HOUR,
     .confirmed = {.session = SLOT(SESSION_AWAY, -59 * MIN, 1 * MIN)},
     .step = STEP_SET_SESSION,
     .duration_ms = LEASE},
    {.name = "likewise with something to take back",
     .session = SESSION_AVAILABLE,
     .left_ms = 2 * CLOCK_HOUR,
     .confirmed =
         {.session = SLOT(SESSION_AVAILABLE, -4 * MIN - 31 * CLOCK_SECOND, 50 * MIN),
          .message = {.hash = 7, .until_ms = NOW + 30 * MIN}},
     .step = STEP_SET_SESSION,
     .duration_ms = LEASE},
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
     .confirmed = {.session = {.unsure = true, .until_ms = NOW + MIN}},
     .step = STEP_CLEAR_SESSION},
    {.name = "before an older preferred presence is cleared, it is read",
     .confirmed = {.session = SLOT(SESSION_AWAY, OLD, 30 * MIN), .preferred = SLOT(PREFERRED_BUSY, OLD, 30 * MIN)},
     .step = STEP_READ_PREFERRED},
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
    struct sched_plan plan = sched_plan(&agent, &desired, NOW, &policy);
    if (plan.step != c->step || plan.duration_ms != c->duration_ms || plan.refresh != c->refresh)
      fail_msg("%s: step %d, duration %lld, refresh %d", c->name, plan.step, (long long)plan.duration_ms, plan.refresh);
    /* Applied, it is never wanted again at once. */
    if (plan.step == STEP_READ_PREFERRED)
      assert_true(sched_was_read(&agent, AVAILABILITY_BUSY, NOW));
    if (plan.step != STEP_NONE) {
      sched_sent(&agent, &plan, NOW);
      sched_applied(&agent, &plan, NOW);
      struct sched_plan next = sched_plan(&agent, &desired, NOW, &policy);
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
  struct sched_plan plan = sched_plan(&agent, &call, NOW, &policy);
  sched_sent(&agent, &plan, NOW);
  assert_int_equal(sched_plan(&agent, &call, NOW, &policy).step, STEP_SET_SESSION);
  assert_int_equal(sched_plan(&agent, &nothing, NOW, &policy).step, STEP_CLEAR_SESSION);
  /* Past any end that Graph can have counted, it has gone by itself. */
  assert_int_equal(sched_plan(&agent, &nothing, NOW + 32 * MIN, &policy).step, STEP_NONE);
}

/* Whose preferred presence is it, by what colleagues see? */
static void test_release(void **state UNUSED)
{
  static const struct {
    enum availability shown;
    bool ours;
  } cases[] = {{AVAILABILITY_BUSY, true},  {AVAILABILITY_OFFLINE, true},         {AVAILABILITY_UNKNOWN, true},
               {AVAILABILITY_AWAY, false}, {AVAILABILITY_DO_NOT_DISTURB, false}, {AVAILABILITY_AVAILABLE, false},
               {AVAILABILITY_OTHER, false}};
  struct desired nothing = {.message = "", .changes_ms = CLOCK_NEVER};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct agent agent = {.key = 1, .confirmed = {.preferred = SLOT(PREFERRED_BUSY, OLD, 30 * MIN)}};
    assert_int_equal(sched_was_read(&agent, cases[i].shown, NOW), cases[i].ours);
    assert_int_equal(sched_plan(&agent, &nothing, NOW, &policy).step, cases[i].ours ? STEP_CLEAR_PREFERRED : STEP_NONE);
    assert_int_equal(agent.left_choice, cases[i].ours ? AVAILABILITY_UNKNOWN : cases[i].shown);
    /* What was read counts for a while only. */
    assert_int_equal(
        sched_plan(&agent, &nothing, NOW + 2 * MIN, &policy).step, cases[i].ours ? STEP_READ_PREFERRED : STEP_NONE);
  }
  struct agent agent = {.key = 1, .confirmed = {.preferred = SLOT(PREFERRED_BUSY, OLD, 30 * MIN)}};
  for (int i = 0; i < 3; i++) {
    assert_int_equal(sched_plan(&agent, &nothing, NOW, &policy).step, STEP_READ_PREFERRED);
    assert_int_equal(sched_not_read(&agent, NOW), i == 2);
  }
  struct sched_plan blind = sched_plan(&agent, &nothing, NOW, &policy);
  assert_int_equal(blind.step, STEP_CLEAR_PREFERRED);
  /* Not much later, and not a second time. */
  assert_int_equal(sched_plan(&agent, &nothing, NOW + 10 * MIN, &policy).step, STEP_READ_PREFERRED);
  struct agent later = agent;
  sched_sent(&later, &blind, NOW);
  assert_int_equal(sched_plan(&later, &nothing, NOW, &policy).step, STEP_READ_PREFERRED);
  /* Without a look where the administrator wants it so. */
  const struct sched_policy always = {.lease_ms = LEASE, .clears_without_look = true};
  agent.read_ms = 0;
  assert_int_equal(sched_plan(&agent, &nothing, NOW, &always).step, STEP_CLEAR_PREFERRED);
}

/* A preferred presence belongs to a decision, whatever is done to the clock meanwhile. */
static void test_preferred_and_the_clock(void **state UNUSED)
{
  struct desired lunch = {
      .session = SESSION_AWAY,
      .preferred = PREFERRED_BUSY,
      .message = "",
      .until_ms = NOW + 30 * MIN,
      .changes_ms = NOW + 30 * MIN};
  static const int64_t steps[] = {0, 3 * CLOCK_SECOND, -3 * CLOCK_SECOND, 20 * MIN, -10 * MIN};
  for (size_t i = 0; i < COUNT_OF(steps); i++) {
    struct agent agent = {.key = 1, .confirmed.session = SLOT(SESSION_AWAY, 0, 300 * MIN)};
    struct sched_plan plan = sched_plan(&agent, &lunch, NOW, &policy);
    assert_int_equal(plan.step, STEP_SET_PREFERRED);
    sched_sent(&agent, &plan, NOW);
    sched_applied(&agent, &plan, NOW);
    confirmed_shift(&agent.confirmed, steps[i]);
    agent.confirmed.session = (struct slot)SLOT(SESSION_AWAY, 0, 300 * MIN);
    assert_int_equal(sched_plan(&agent, &lunch, NOW + MIN, &policy).step, STEP_NONE);
    /* Graph lets it go before the hold is over: then it is set for the rest. */
    int64_t gone_ms = NOW + 30 * MIN + steps[i];
    if (steps[i] < 0) {
      assert_int_equal(sched_plan(&agent, &lunch, NOW + MIN, &policy).next_ms, gone_ms);
      assert_int_equal(sched_plan(&agent, &lunch, gone_ms, &policy).step, STEP_SET_PREFERRED);
    }
  }
}

/* Of a set whose answer is not known not even that it was done: the person's own choice may still be there. */
static void test_unsure_preferred_is_read(void **state UNUSED)
{
  struct desired nothing = {.message = "", .changes_ms = CLOCK_NEVER};
  struct desired lunch = {
      .session = SESSION_AWAY,
      .preferred = PREFERRED_BE_RIGHT_BACK,
      .message = "",
      .until_ms = NOW + 30 * MIN,
      .changes_ms = NOW + 30 * MIN};
  struct agent agent = {.key = 1};
  agent.confirmed.session = (struct slot)SLOT(SESSION_AWAY, 0, 60 * MIN);
  agent.confirmed.preferred = (struct slot)SLOT(PREFERRED_BUSY, 0, 60 * MIN);
  struct sched_plan plan = sched_plan(&agent, &lunch, NOW, &policy);
  sched_sent(&agent, &plan, NOW);
  lunch.preferred = PREFERRED_DO_NOT_DISTURB;
  plan = sched_plan(&agent, &lunch, NOW, &policy);
  sched_sent(&agent, &plan, NOW);
  assert_int_equal(sched_plan(&agent, &nothing, NOW, &policy).step, STEP_READ_PREFERRED);
  static const struct {
    enum availability shown;
    bool ours;
  } cases[] = {
      {AVAILABILITY_BUSY, true},
      {AVAILABILITY_BE_RIGHT_BACK, true},
      {AVAILABILITY_DO_NOT_DISTURB, true},
      {AVAILABILITY_AWAY, false}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct agent copy = agent;
    assert_int_equal(sched_was_read(&copy, cases[i].shown, NOW), cases[i].ours);
  }
}

static void test_next_moment(void **state UNUSED)
{
  struct agent agent = {.key = 1, .confirmed = {.session = SLOT(SESSION_AVAILABLE, 0, 60 * MIN)}};
  struct desired desired = {
      .session = SESSION_AVAILABLE,
      .message = "",
      .until_ms = NOW + 12 * CLOCK_HOUR,
      .changes_ms = NOW + 12 * CLOCK_HOUR};
  struct sched_plan plan = sched_plan(&agent, &desired, NOW, &policy);
  assert_int_equal(plan.step, STEP_NONE);
  assert_true(plan.next_ms >= NOW + 210 * CLOCK_SECOND && plan.next_ms < NOW + 270 * CLOCK_SECOND);
  assert_int_equal(sched_plan(&agent, &desired, plan.next_ms, &policy).step, STEP_SET_SESSION);
  assert_int_equal(sched_plan(&agent, &desired, plan.next_ms - 1, &policy).step, STEP_NONE);
}

/* Refreshes that are due close together are due at once, and none of them late. */
static void test_refreshes_together(void **state UNUSED)
{
  struct desired desired = {
      .session = SESSION_AVAILABLE,
      .message = "",
      .until_ms = NOW + 12 * CLOCK_HOUR,
      .changes_ms = NOW + 12 * CLOCK_HOUR};
  for (int i = 0; i < 1000; i++) {
    struct agent agent = {.key = i, .confirmed = {.session = SLOT(SESSION_AVAILABLE, i, 60 * MIN)}};
    int64_t next_ms = sched_plan(&agent, &desired, NOW + i, &policy).next_ms;
    assert_int_equal(next_ms % 100, 0);
    assert_true(next_ms > NOW + i + 210 * CLOCK_SECOND - 100 && next_ms < NOW + i + 270 * CLOCK_SECOND);
    agent.confirmed.session.presence = desired.session = SESSION_IN_A_CALL; /* before it expires */
    next_ms = sched_plan(&agent, &desired, NOW + i, &policy).next_ms;
    assert_int_equal(next_ms % 100, 0);
    assert_true(next_ms > NOW + 57 * MIN - 100 && next_ms <= NOW + 58 * MIN);
    desired.session = SESSION_AVAILABLE;
  }
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
    agents[i].confirmed.session = (struct slot)SLOT(SESSION_AVAILABLE, 0, 60 * MIN);
    sched_add(&sched, &agents[i]);
    sched_move(&sched, &agents[i], PHASE_WAITING, NOW + (i * 37) % AGENTS);
  }
  assert_int_equal(sched.counts[PHASE_WAITING], AGENTS);
  assert_null(sched_due(&sched, NOW - 1));
  for (int i = 0; i < AGENTS; i++) {
    assert_int_equal(sched_next_due(&sched), NOW + i);
    struct agent *agent = sched_due(&sched, NOW + i);
    assert_non_null(agent);
    sched_ready(&sched, agent, (size_t)(i % 2), i % 3 == 0 ? SCHED_REFRESH : SCHED_CHANGE, NOW + i, false);
  }
  assert_int_equal(sched_next_due(&sched), CLOCK_NEVER);
  /* Changes first, each kind in its order; nobody loses his place by getting ready again. */
  struct agent *first = sched_first_ready(&sched, 0, NOW);
  assert_non_null(first);
  assert_false(first->is_refresh);
  sched_ready(&sched, first, 0, SCHED_CHANGE, first->due.at_ms, false);
  assert_ptr_equal(sched_first_ready(&sched, 0, NOW), first);
  /* Refreshes that press go first, but not always. */
  const int64_t pressing = NOW + 4 * MIN + 45 * CLOCK_SECOND;
  assert_ptr_equal(sched_first_ready(&sched, 0, pressing), first);
  sched_move(&sched, first, PHASE_IN_FLIGHT, CLOCK_NEVER);
  struct agent *refresh = sched_first_ready(&sched, 0, pressing);
  assert_non_null(refresh);
  assert_true(refresh->is_refresh);
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

/* What refreshes have of a hundred turns while changes wait too, when the first fades after left_ms. */
static int share_of_refreshes(int64_t left_ms)
{
  enum { AGENTS = 100 };
  static struct agent agents[2 * AGENTS];
  memset(agents, 0, sizeof agents);
  struct sched sched;
  int refreshes = 0;
  sched_init(&sched, 1);
  for (int i = 0; i < 2 * AGENTS; i++) {
    agents[i].confirmed.session = (struct slot)SLOT(SESSION_AVAILABLE, left_ms - 5 * MIN, 60 * MIN);
    sched_add(&sched, &agents[i]);
    sched_ready(&sched, &agents[i], 0, i % 2 == 0 ? SCHED_REFRESH : SCHED_CHANGE, NOW, false);
  }
  for (int i = 0; i < AGENTS; i++) {
    struct agent *first = sched_first_ready(&sched, 0, NOW);
    refreshes += first->is_refresh;
    sched_move(&sched, first, PHASE_IN_FLIGHT, CLOCK_NEVER);
  }
  sched_release(&sched);
  return refreshes;
}

static void test_turns(void **state UNUSED)
{
  assert_int_equal(share_of_refreshes(120 * CLOCK_SECOND), 0);
  assert_int_equal(share_of_refreshes(85 * CLOCK_SECOND), 0);
  for (int64_t left_ms = 85 * CLOCK_SECOND; left_ms > 0; left_ms -= CLOCK_SECOND)
    assert_true(share_of_refreshes(left_ms) <= share_of_refreshes(left_ms - CLOCK_SECOND));
  assert_int_equal(share_of_refreshes(45 * CLOCK_SECOND), 50);
  assert_in_range(share_of_refreshes(5 * CLOCK_SECOND), 96, 97);
  assert_in_range(share_of_refreshes(-75 * CLOCK_SECOND), 96, 97);
  assert_in_range(share_of_refreshes(-5 * MIN), 74, 76); /* more than the budget gives */
}

enum { RATE = 49, CHANGING = 300 };

struct crowd {
  int faded, faded_later; /* sessions, in all and in the second half */
  int64_t longest_ms;     /* that a change has waited in the second half */
};

/* A queue in virtual time that sends 49 in a second: agents who stay Available, set within span_ms until ago_ms, beside
 * twice as many changes as that, for half an hour. */
static struct crowd beside_changes(int available, int64_t ago_ms, int64_t span_ms)
{
  enum { AGENTS = 16000 };
  static struct agent agents[AGENTS];
  static int64_t since[CHANGING];
  memset(agents, 0, sizeof agents);
  struct crowd crowd = {0};
  int number = 0;
  const struct desired desired = {
      .session = SESSION_AVAILABLE,
      .message = "",
      .until_ms = NOW + 12 * CLOCK_HOUR,
      .changes_ms = NOW + 12 * CLOCK_HOUR};
  struct sched sched;
  sched_init(&sched, 1);
  for (int i = 0; i < available + CHANGING; i++) {
    struct agent *agent = &agents[i];
    agent->key = i;
    agent->confirmed.session =
        (struct slot)SLOT(SESSION_AVAILABLE, -ago_ms - (available - i) * span_ms / available, 60 * MIN);
    sched_add(&sched, agent);
    if (i < available)
      sched_move(&sched, agent, PHASE_WAITING, sched_plan(agent, &desired, NOW - ago_ms - 5 * MIN, &policy).next_ms);
    else
      since[i - available] = 0;
  }
  for (int64_t at = NOW; at < NOW + 30 * MIN; at += CLOCK_SECOND) {
    for (struct agent *agent; (agent = sched_due(&sched, at)) != NULL;)
      sched_ready(&sched, agent, 0, SCHED_REFRESH, 0, false);
    for (int i = 0; i < 2 * RATE; i++, number = (number + 7) % CHANGING)
      if (agents[available + number].phase == PHASE_IDLE) {
        since[number] = at;
        sched_ready(&sched, &agents[available + number], 0, SCHED_CHANGE, at, false);
      }
    for (int i = 0; i < RATE; i++) {
      struct agent *agent = sched_first_ready(&sched, 0, at);
      sched_move(&sched, agent, PHASE_IN_FLIGHT, CLOCK_NEVER);
      if (agent->is_refresh) {
        bool faded = at > sched_lapse(&agent->confirmed.session);
        crowd.faded += faded;
        crowd.faded_later += faded && at > NOW + 15 * MIN;
        agent->confirmed.session = (struct slot)SLOT(SESSION_AVAILABLE, at - NOW, at - NOW + 60 * MIN);
        sched_move(&sched, agent, PHASE_WAITING, sched_plan(agent, &desired, at, &policy).next_ms);
        continue;
      }
      int64_t waited_ms = at - since[agent - agents - available];
      if (at > NOW + 15 * MIN && waited_ms > crowd.longest_ms)
        crowd.longest_ms = waited_ms;
      sched_move(&sched, agent, PHASE_IDLE, CLOCK_NEVER);
    }
  }
  sched_release(&sched);
  return crowd;
}

static void test_keep_alives_beside_changes(void **state UNUSED)
{
  /* Changes get what keep-alives leave. */
  for (int available = 2000; available < 12000; available += 1500) {
    struct crowd crowd = beside_changes(available, 0, 280 * CLOCK_SECOND);
    assert_int_equal(crowd.faded, 0);
    double left = RATE - available / 270.0;
    assert_true((double)(crowd.longest_ms - CLOCK_SECOND) / 1000 <= 1.15 * CHANGING / left);
  }
  /* Set in a row, as fast as the budget allows, so that for a while keep-alives take all of it. */
  for (int available = 1000; available < RATE * 270; available += 1747)
    assert_int_equal(beside_changes(available, 0, available * CLOCK_SECOND / RATE).faded, 0);
  assert_int_equal(beside_changes(RATE * 270 - 1, 0, 270 * CLOCK_SECOND).faded, 0);
  /* All have faded in an outage: they are up again, and stay so. */
  assert_int_equal(beside_changes(12000, 10 * MIN, 240 * CLOCK_SECOND).faded_later, 0);
  /* More than the budget gives: changes go on. */
  struct crowd crowd = beside_changes(RATE * 320, 0, 320 * CLOCK_SECOND);
  assert_true(crowd.faded_later > 0);
  assert_in_range(crowd.longest_ms, CLOCK_SECOND, 200 * CLOCK_SECOND);
}

/* Who makes somebody busy is ahead of who waits as long, but not for ever; new rules wait for live changes; refreshes
 * go by when they lapse; readers are found by themselves. */
static void test_order(void **state UNUSED)
{
  static struct agent busy, change, late_busy, rules, early, late;
  struct agent *const order[] = {&busy, &change, &late_busy, &rules, &early, &late};
  struct sched sched;
  sched_init(&sched, 1);
  for (size_t i = 0; i < COUNT_OF(order); i++)
    sched_add(&sched, order[i]);
  early.confirmed.session = (struct slot)SLOT(SESSION_AVAILABLE, -30 * CLOCK_SECOND, 60 * MIN);
  late.confirmed.session = (struct slot)SLOT(SESSION_AVAILABLE, 0, 60 * MIN);
  sched_ready(&sched, &late, 0, SCHED_REFRESH, 0, false);
  sched_ready(&sched, &early, 0, SCHED_REFRESH, 0, false);
  sched_ready(&sched, &rules, 0, SCHED_NEW_RULES, NOW, false);
  sched_ready(&sched, &late_busy, 0, SCHED_BUSY, NOW + 11 * CLOCK_SECOND, false);
  sched_ready(&sched, &change, 0, SCHED_CHANGE, NOW, true);
  sched_ready(&sched, &busy, 0, SCHED_BUSY, NOW, false);
  assert_ptr_equal(sched_first_reader(&sched, 0), &change);
  for (size_t i = 0; i < COUNT_OF(order); i++) {
    struct agent *first = sched_first_ready(&sched, 0, NOW);
    assert_ptr_equal(first, order[i]);
    sched_move(&sched, first, PHASE_IN_FLIGHT, CLOCK_NEVER);
  }
  assert_null(sched_first_reader(&sched, 0));
  sched_release(&sched);
}

/* ---- capacity: with room a round takes four minutes, on a full budget as long as it may */

static void test_capacity(void **state UNUSED)
{
  struct sched_load load = {.agents = 12825, .available = 1, .lease_ms = CLOCK_HOUR};
  struct sched_capacity capacity = sched_capacity(&load, 1500);
  assert_true(fabs(capacity.available - 12825 / 240.0) < 0.01);
  assert_true(fabs(capacity.least - 12825 / 270.0) < 0.01);
  assert_true(capacity.available > capacity.carries && capacity.least < capacity.carries);
  assert_int_equal(capacity.agents_most, 13366); /* bench_sim holds them */
  load.anchors = true;
  assert_true(sched_capacity(&load, 1500).least < 12825 / 3500.0);
}

/* ---- budget: never more than the limit in any window, as the other side sees it, and nearly all of it used */

static void test_budget(void **state UNUSED)
{
  enum { LIMIT = 100, WINDOW = 30000, MARGIN = 100, ON_THE_WAY = 400 };
  struct sched_budget budget;
  sched_budget_init(&budget, LIMIT, WINDOW, MARGIN);
  static int64_t arrived[4000];
  size_t count = 0;
  uint32_t random = 1;
  int64_t now = NOW;
  while (count < COUNT_OF(arrived)) {
    /* A burst goes out at once; each of it arrives at some time before the answers come. */
    size_t burst = 0;
    for (; sched_budget_next(&budget, now) <= now && count + burst < COUNT_OF(arrived); burst++)
      sched_budget_use(&budget, now);
    assert_true(burst > 0);
    for (size_t i = 0; i < burst; i++) {
      random = random * 1664525u + 1013904223u;
      arrived[count + i] = now + random % (ON_THE_WAY + 1);
    }
    count += burst;
    if (sched_budget_used(&budget, now) == LIMIT && burst == LIMIT)
      assert_true(sched_budget_next(&budget, now) == CLOCK_NEVER); /* an answer has to come first */
    now += ON_THE_WAY;
    for (size_t i = 0; i < burst; i++)
      sched_budget_done(&budget, now, true);
    if (sched_budget_next(&budget, now) > now)
      now = sched_budget_next(&budget, now);
  }
  for (size_t i = LIMIT; i < count; i++)
    for (size_t j = i - LIMIT; j < i; j++) /* not in order within a burst */
      if (j / LIMIT != i / LIMIT)
        assert_true(arrived[i] - arrived[j] >= WINDOW);
  double used = (double)count / ((double)(now - NOW) / WINDOW) / LIMIT;
  assert_true(used > 0.97);
  sched_budget_release(&budget);
}

static void test_budget_adapts(void **state UNUSED)
{
  struct sched_budget budget;
  sched_budget_init(&budget, 100, 30000, 0);
  for (int i = 0; i < 40; i++)
    sched_budget_use(&budget, NOW);
  for (int i = 0; i < 40; i++)
    sched_budget_done(&budget, NOW, true);
  sched_budget_narrow(&budget, NOW); /* 40 in the window were too many */
  assert_int_equal(budget.allowed, 30);
  assert_int_equal(sched_budget_next(&budget, NOW), NOW + 30000);
  sched_budget_widen(&budget, NOW + 29999);
  assert_int_equal(budget.allowed, 30);
  for (int i = 1; i <= 10; i++)
    sched_budget_widen(&budget, NOW + i * 30000);
  assert_int_equal(budget.allowed, 100);
  sched_budget_narrow(&budget, NOW + 400000); /* nothing was used: still a little is allowed */
  assert_int_equal(budget.allowed, 3);
  sched_budget_release(&budget);
}

/* More is waiting than fits: after half of it at once the rest is spread evenly, several at a time. */
static void test_budget_is_spread(void **state UNUSED)
{
  struct sched_budget budget;
  sched_budget_init(&budget, 300, 30000, 0);
  int sent = 0;
  for (int64_t now = NOW; now < NOW + 15000;) {
    sched_budget_waiting(&budget, 10000);
    int together = 0;
    for (; sched_budget_next(&budget, now) <= now; together++) {
      sched_budget_use(&budget, now);
      sched_budget_done(&budget, now, true);
    }
    assert_true(now == NOW ? together == 150 || together == 151 : together <= 2);
    sent += together;
    int64_t next = sched_budget_next(&budget, now);
    assert_true(next > now && next <= now + 200);
    now = next;
  }
  assert_in_range(sent, 295, 300);
  sched_budget_release(&budget);
  /* What fits goes out at once. */
  sched_budget_init(&budget, 300, 30000, 0);
  sched_budget_waiting(&budget, 290);
  for (sent = 0; sent < 290; sent++) {
    assert_true(sched_budget_next(&budget, NOW) <= NOW);
    sched_budget_use(&budget, NOW);
  }
  sched_budget_release(&budget);
}

/* Another limit counts what was sent under the old one, and leaves alone what a 429 has taken away. */
static void test_budget_changes_its_limit(void **state UNUSED)
{
  struct sched_budget budget;
  sched_budget_init(&budget, 4, 30000, 0);
  for (int i = 0; i < 4; i++) {
    sched_budget_use(&budget, NOW + i);
    sched_budget_done(&budget, NOW + i, true);
  }
  sched_budget_set_limit(&budget, 2); /* four are in the window: the third of them must leave it */
  assert_int_equal(sched_budget_next(&budget, NOW + 6), NOW + 2 + 30000);
  sched_budget_set_limit(&budget, 6); /* and back again: two more */
  assert_int_equal(budget.allowed, 6);
  for (int i = 4; i < 6; i++) {
    assert_true(sched_budget_next(&budget, NOW + i) <= NOW + i);
    sched_budget_use(&budget, NOW + i);
    sched_budget_done(&budget, NOW + i, true);
  }
  assert_int_equal(sched_budget_next(&budget, NOW + 6), NOW + 30000);
  sched_budget_narrow(&budget, NOW + 6);
  assert_int_equal(budget.allowed, 4);
  sched_budget_set_limit(&budget, 100);
  assert_int_equal(budget.allowed, 4);
  sched_budget_set_limit(&budget, 3);
  assert_int_equal(budget.allowed, 3);
  sched_budget_release(&budget);
}

/* What never reached the other side does not count; what may have reached it before a restart does. */
static void test_budget_counts(void **state UNUSED)
{
  struct sched_budget budget;
  sched_budget_init(&budget, 2, 30000, 0);
  sched_budget_use(&budget, NOW);
  sched_budget_use(&budget, NOW);
  assert_true(sched_budget_next(&budget, NOW) == CLOCK_NEVER);
  sched_budget_done(&budget, NOW, false);
  assert_true(sched_budget_next(&budget, NOW) <= NOW);
  sched_budget_done(&budget, NOW, false);
  sched_budget_assume(&budget, 5, NOW);
  assert_int_equal(sched_budget_used(&budget, NOW), 2);
  sched_budget_shift(&budget, -10000);
  assert_int_equal(sched_budget_next(&budget, NOW), NOW + 20000);
  sched_budget_release(&budget);
}

static void test_backoff(void **state UNUSED)
{
  for (int attempts = 1; attempts < 100; attempts++) {
    int64_t least = sched_backoff(attempts, 1000, 60000, 0), most = sched_backoff(attempts, 1000, 60000, UINT32_MAX);
    int64_t whole = attempts > 6 ? 60000 : INT64_C(1000) << (attempts - 1);
    assert_int_equal(sched_doubled(attempts, 1000, 60000), whole);
    assert_int_equal(least, whole / 2);
    assert_true(most < whole && most >= whole - 2);
  }
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_plan),
      cmocka_unit_test(test_unanswered),
      cmocka_unit_test(test_release),
      cmocka_unit_test(test_preferred_and_the_clock),
      cmocka_unit_test(test_unsure_preferred_is_read),
      cmocka_unit_test(test_next_moment),
      cmocka_unit_test(test_refreshes_together),
      cmocka_unit_test(test_queue),
      cmocka_unit_test(test_turns),
      cmocka_unit_test(test_keep_alives_beside_changes),
      cmocka_unit_test(test_order),
      cmocka_unit_test(test_capacity),
      cmocka_unit_test(test_budget),
      cmocka_unit_test(test_budget_adapts),
      cmocka_unit_test(test_budget_is_spread),
      cmocka_unit_test(test_budget_changes_its_limit),
      cmocka_unit_test(test_budget_counts),
      cmocka_unit_test(test_backoff)};
  return cases_run(argc, argv, tests, NULL, NULL);
}
