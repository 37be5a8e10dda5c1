/* A commit that takes its time: nothing is sent and nothing acknowledged before it is told to be done, the loop is not
 * held, and what comes meanwhile belongs to the next one. */
#include "service_world.h"

#define IN_A_CALL "POST /users/" ID_A "/presence/setPresence Busy InACall PT1H"
#define AVAILABLE "POST /users/" ID_A "/presence/setPresence Available Available PT1H"

/* Until then commits are told at once. */
static void hold(void)
{
  first_ready();
  world.holds_commits = true;
}

static void test_nothing_goes_out_before(void **s UNUSED)
{
  hold();
  state("a@c.com", "Talking", "");
  assert_true(service_is_saving(world.service));
  assert_false(world.saved);
  expect_nothing();
  turn(); /* asks for nothing more, and prepares nothing twice */
  expect_nothing();
  world_tell_saved(&world);
  assert_true(world.saved);
  assert_false(service_is_saving(world.service));
  expect(IN_A_CALL);
  assert_true(world.clock.wake_at_ms <= now()); /* the turn that was asked for meanwhile is due */
}

static void test_what_comes_meanwhile_is_of_the_next(void **s UNUSED)
{
  hold();
  state("a@c.com", "Talking", "");
  state("a@c.com", "Ready", ""); /* shown already: once the first has its answer, it goes back */
  world_tell_saved(&world);
  expect(IN_A_CALL);
  turn();
  assert_true(service_is_saving(world.service)); /* the second event's commit */
  world_tell_saved(&world);
  answer(IN_A_CALL, 200);
  world_tell_saved(&world); /* of the turn that the answer brought */
  expect(AVAILABLE);
}

/* Killed between the commit and its completion: the file has the event, Graph does not. */
static void test_killed_before_it_was_told(void **s UNUSED)
{
  hold();
  state("a@c.com", "Talking", "");
  expect_nothing();
  world.holds_commits = false;
  restart();
  answer_token();
  expect(IN_A_CALL);
}

/* An end in good order waits for its commit as well. */
static void test_the_end_is_told(void **s UNUSED)
{
  struct err err = ERR_INIT;
  hold();
  assert_true(world_end(&world, &err));
  assert_false(world.saved);
  world_tell_saved(&world);
  assert_true(world.saved);
  expect_nothing();
}

/* While a commit is under way, the end follows it: one commit at a time, and what it had prepared stays here. */
static void test_the_end_follows_a_commit(void **s UNUSED)
{
  struct err err = ERR_INIT;
  hold();
  state("a@c.com", "Talking", "");
  assert_true(world_end(&world, &err)); /* world_tell_saved() would tell of the first only */
  world_tell_saved(&world);
  assert_true(service_is_saving(world.service));
  expect_nothing();
  world_tell_saved(&world);
  assert_false(service_is_saving(world.service));
  assert_true(world.saved);
  expect_nothing();
}

/* ---- what a reply says while others wait for their commit */

#define IN_A_CALL_B "POST /users/" ID_B "/presence/setPresence Busy InACall PT1H"

/* a@c.com's request is on its way, b@c.com's waits for its commit. */
static struct exchange *first_sent_second_held(void)
{
  first_ready();
  state("b@c.com", "Ready", "");
  answer_user("GET /users/b%40c.com", ID_B);
  answer("POST /users/" ID_B "/presence/setPresence Available Available PT1H", 200);
  state("a@c.com", "Talking", "");
  struct exchange *first = expect(IN_A_CALL);
  world.holds_commits = true;
  state("b@c.com", "Talking", "");
  assert_true(service_is_saving(world.service));
  return first;
}

/* Told, and from here on told at once. */
static void tell_and_go_on(void)
{
  world_tell_saved(&world);
  world.holds_commits = false;
  turn();
}

static void test_a_closed_gate_holds_it_back(void **s UNUSED)
{
  reply_with(first_sent_second_held(), 429, "60", "");
  tell_and_go_on();
  assert_null(find(IN_A_CALL_B));
  later(70 * CLOCK_SECOND);
  turn();
  assert_non_null(find(IN_A_CALL_B));
}

static void test_a_refused_token_holds_it_back(void **s UNUSED)
{
  reply_with(first_sent_second_held(), 401, "", "");
  tell_and_go_on();
  assert_null(find(IN_A_CALL_B));
  answer_token();
  answer(IN_A_CALL, 200); /* the new token is tried with one request first */
  assert_non_null(find(IN_A_CALL_B));
  assert_string_not_equal(find(IN_A_CALL_B)->bearer, "");
}

static void test_a_token_that_ends_holds_it_back(void **s UNUSED)
{
  first_sent_second_held();
  later(2 * CLOCK_HOUR);
  tell_and_go_on();
  assert_null(find(IN_A_CALL_B));
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_nothing_goes_out_before, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_what_comes_meanwhile_is_of_the_next, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_killed_before_it_was_told, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_the_end_is_told, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_the_end_follows_a_commit, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_a_closed_gate_holds_it_back, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_a_refused_token_holds_it_back, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_a_token_that_ends_holds_it_back, set_up, tear_down),
  };
  return cases_run(argc, argv, tests, NULL, NULL);
}
