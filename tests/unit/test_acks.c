/* daemon/acks: what is answered when. */
#include "cases.h"

#include "base/must.h"
#include "daemon/acks.h"

#include <string.h>

static char said[64];
static struct acks *acks;

/* A capital letter for what is durable, a small one for what is not. */
static void say(void *context, bool durable)
{
  char letter[2] = {*(const char *)context, '\0'};
  if (!durable)
    letter[0] = (char)(letter[0] - 'A' + 'a');
  must(strlen(said) + 1 < sizeof said);
  said[strlen(said)] = letter[0]; /* the rest is zero */
}

static void say_and_add(void *context, bool durable)
{
  say(context, durable);
  (void)acks_add(acks, say, (void *)(uintptr_t) "Z");
}

static void *add(const char *letter)
{
  return acks_add(acks, say, (void *)(uintptr_t)letter);
}

static void assert_said(const char *expected)
{
  assert_string_equal(said, expected);
  memset(said, 0, sizeof said);
}

static void what_comes_behind_the_seal_waits(void **state UNUSED)
{
  (void)add("A");
  acks_saved(acks); /* of a commit before it was there */
  assert_said("");
  acks_seal(acks);
  (void)add("B");
  acks_saved(acks);
  assert_said("A");
  acks_saved(acks);
  assert_said("");
  acks_seal(acks);
  acks_saved(acks);
  assert_said("B");
}

static void a_failure_is_for_all(void **state UNUSED)
{
  (void)add("A");
  acks_seal(acks);
  (void)add("B");
  acks_failed(acks);
  assert_said("ab");
  acks_seal(acks);
  acks_saved(acks);
  assert_said("");
}

static void what_is_cancelled_is_not_told(void **state UNUSED)
{
  void *first = add("A"), *second = add("B");
  acks_seal(acks);
  void *third = add("C");
  assert_true(acks_cancel(acks, first));
  assert_false(acks_cancel(acks, first));
  assert_true(acks_cancel(acks, third));
  assert_false(acks_cancel(acks, &third));
  acks_saved(acks);
  assert_said("B");
  assert_false(acks_cancel(acks, second));
}

static void one_that_is_added_meanwhile_belongs_to_the_next(void **state UNUSED)
{
  (void)acks_add(acks, say_and_add, (void *)(uintptr_t) "A");
  acks_seal(acks);
  acks_saved(acks);
  assert_said("A");
  acks_seal(acks);
  acks_saved(acks);
  assert_said("Z");
}

static int begin(void **state UNUSED)
{
  acks = acks_new();
  memset(said, 0, sizeof said);
  return 0;
}

static int end(void **state UNUSED)
{
  acks_free(acks);
  return 0;
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(what_comes_behind_the_seal_waits, begin, end),
      cmocka_unit_test_setup_teardown(a_failure_is_for_all, begin, end),
      cmocka_unit_test_setup_teardown(what_is_cancelled_is_not_told, begin, end),
      cmocka_unit_test_setup_teardown(one_that_is_added_meanwhile_belongs_to_the_next, begin, end),
  };
  return cases_run(argc, argv, tests, NULL, NULL);
}
