/* The cases of a unit program: all of them, or those that are asked for.
 *
 *   test_NAME           runs all
 *   test_NAME PART...   runs those whose name has one of the parts in it
 *   test_NAME --list    prints the names
 *
 * A part that is in no name ends the program with 2, and nothing runs; a case that fails, with 1. Included in place of
 * cmocka.h. A program's main() ends in `return cases_run(argc, argv, tests, set_up, tear_down);`. */
#ifndef TESTS_CASES_H
#define TESTS_CASES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { CASES_MAX = 200 };

#define cases_run(argc, argv, tests, set_up, tear_down)                                                                \
  cases_run_some(argc, argv, tests, sizeof(tests) / sizeof *(tests), set_up, tear_down)

static inline bool cases_has(const struct CMUnitTest *tests, size_t count, const char *part)
{
  for (size_t i = 0; i < count; i++)
    if (strstr(tests[i].name, part) != NULL)
      return true;
  return false;
}

static inline bool cases_wanted(const struct CMUnitTest *test, int argc, char **argv)
{
  for (int i = 1; i < argc; i++)
    if (strstr(test->name, argv[i]) != NULL)
      return true;
  return argc <= 1;
}

static inline int cases_run_some(
    int argc, char **argv, const struct CMUnitTest *tests, size_t count, CMFixtureFunction set_up,
    CMFixtureFunction tear_down)
{
  struct CMUnitTest wanted[CASES_MAX];
  size_t wanted_count = 0;
  if (count > CASES_MAX) {
    fprintf(stderr, "%s: more than %d cases\n", argv[0], CASES_MAX);
    return 2;
  }
  if (argc == 2 && strcmp(argv[1], "--list") == 0) {
    for (size_t i = 0; i < count; i++)
      puts(tests[i].name);
    return 0;
  }
  for (int i = 1; i < argc; i++)
    if (!cases_has(tests, count, argv[i])) {
      fprintf(stderr, "%s: no case has %s in its name; see --list\n", argv[0], argv[i]);
      return 2;
    }
  for (size_t i = 0; i < count; i++)
    if (cases_wanted(&tests[i], argc, argv))
      wanted[wanted_count++] = tests[i];
  return _cmocka_run_group_tests("tests", wanted, wanted_count, set_up, tear_down) == 0 ? 0 : 1;
}

#endif
