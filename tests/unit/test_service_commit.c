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

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_nothing_goes_out_before, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_what_comes_meanwhile_is_of_the_next, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_killed_before_it_was_told, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_the_end_is_told, set_up, tear_down),
  };
  return cases_run(argc, argv, tests, NULL, NULL);
}
