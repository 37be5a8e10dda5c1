/* Runs a ruleset's tests one after the other: each is a trial (trial.c) in virtual time, whose end is compared and put
 * into words (verdict.c); here are the loop, its CPU budget, and coverage. The budget is looked at between two tests
 * only, since a single decision has one of its own.
 *
 * Coverage counts every decision on the way, also those that the clock has brought about, by the place and label that
 * the decision itself names; so it needs no help from Lua's side of deciding. */
#include "rules/test.h"
#include "base/clock.h"
#include "base/str.h"
#include "model/effective.h"
#include "rules/trial.h"

#include <string.h>

enum { TEXT_LIMIT = 8192 }; /* bytes of what is said about one test */

struct runner {
  struct trial trial; /* used for one test after the other */
  struct ruletests tests;
  struct ruletests_cover **by_label; /* tests.covers, sorted: a decision must be counted in a ruleset of 5,000 codes */
};

/* ---- Coverage ---- */

static enum ruletests_kind kind_of(const char *text)
{
  if (strcmp(text, "rule") == 0)
    return RULETESTS_RULE;
  return strcmp(text, "reason") == 0 ? RULETESTS_REASON : RULETESTS_STATE;
}

static int by_place_and_label(const void *a, const void *b)
{
  const struct ruletests_cover *left = *(struct ruletests_cover *const *)a;
  const struct ruletests_cover *right = *(struct ruletests_cover *const *)b;
  int order = strcmp(left->place, right->place);
  return order != 0 ? order : strcmp(left->label, right->label);
}

static bool list_covers(struct runner *runner, struct ruleset *ruleset, struct err *err)
{
  struct ruletests *tests = &runner->tests;
  struct value *entries;
  if (!vm_call(ruleset->vm, "tests", "entries", NULL, 0, NULL, ERR_BUG, &tests->values, &entries, err))
    return false;
  size_t count = value_count(entries);
  tests->covers = must_alloc((count + 1) * sizeof *tests->covers);
  runner->by_label = must_alloc((count + 1) * sizeof(struct ruletests_cover *));
  tests->cover_count = count;
  for (size_t i = 0; i < count; i++) {
    const struct value *entry = value_at(entries, i);
    struct ruletests_cover *cover = runner->by_label[i] = &tests->covers[i];
    cover->kind = kind_of(value_get_text(entry, "kind", ""));
    cover->label = value_get_text(entry, "label", "");
    cover->place = value_get_text(entry, "place", "");
  }
  if (count > 0)
    qsort(runner->by_label, count, sizeof(struct ruletests_cover *), by_place_and_label);
  return true;
}

/* A decision names its rule and place in words; the label alone may stand for two that begin alike. */
static void on_decision(void *context, const struct decision *decision)
{
  struct runner *runner = context;
  struct ruletests_cover key = {.label = decision->rule, .place = decision->place}, *wanted = &key;
  size_t count = runner->tests.cover_count;
  if (count == 0)
    return;
  struct ruletests_cover **found =
      bsearch(&wanted, runner->by_label, count, sizeof(struct ruletests_cover *), by_place_and_label);
  if (found != NULL)
    (*found)->decisions++;
}

/* ---- One test ---- */

/* While the person's own Teams is closed. The session counts as set just now, because the daemon keeps it alive. */
static enum availability colleagues_see(const struct desired *desired, int64_t now)
{
  struct effective_session session = {.set_ms = now, .expires_ms = desired->until_ms};
  struct effective_preferred preferred = {desired->preferred, desired->until_ms};
  bool any = desired->session != PRESENCE_NONE;
  if (any) {
    session.availability = presence_availability(desired->session);
    str_cut(session.activity, sizeof session.activity, presence_activity_str(desired->session));
  }
  return effective_at(&session, any ? 1 : 0, &preferred, now).availability;
}

/* Who is to blame, and after steps at which moment. */
static void say_origin(struct buf *text, const struct verdict *verdict, const int64_t *moment_ms)
{
  char at[CLOCK_TEXT_SIZE];
  if (*verdict->rule != '\0')
    buf_addf(text, " by %s (%s)", verdict->rule, verdict->place);
  if (moment_ms != NULL)
    buf_addf(text, " at %s", clock_rfc3339(*moment_ms, at));
}

/* True: it has passed. What is to be said about it goes to `text`. */
static bool judge(struct trial *trial, const struct value *test, struct buf *text)
{
  const struct value *expected = value_get(test, "expected");
  const char *shows = value_get_text(test, "shows", NULL);
  bool single = value_get_bool(test, "single", false);
  struct desired desired = trial_desired(trial);
  struct verdict verdict = single ? verdict_of_decision(&trial->decision) : verdict_of_steps(trial, &desired);
  const int64_t *moment_ms = single ? NULL : &trial->now;
  const char *seen = availability_str(colleagues_see(&desired, trial->now));
  bool right = expected == NULL || verdict_matches(&verdict, expected);
  bool visible = shows == NULL || strcmp(shows, seen) == 0;
  if (!right) {
    buf_add_str(text, "expected ");
    verdict_say_expected(expected, text);
    buf_add_str(text, ", got ");
    verdict_say(&verdict, expected, text);
    say_origin(text, &verdict, moment_ms);
  }
  if (!visible) {
    buf_addf(text, "%sexpected shows = \"%s\", got \"%s\"", right ? "" : "; ", shows, seen);
    say_origin(text, &verdict, moment_ms);
  }
  if (trial->trouble.kind != ERR_NONE)
    buf_addf(
        text, "%s: %s", right && visible ? "passes, but on the way a rule failed" : "; on the way a rule failed",
        trial->trouble.text);
  return right && visible;
}

static void run_test(struct trial *trial, const struct value *test, struct ruletest *ret_test)
{
  const struct value *steps = value_get(test, "steps");
  struct buf text;
  buf_init(&text, TEXT_LIMIT);
  trial_begin(trial);
  for (size_t i = 0; i < value_count(steps); i++)
    trial_step(trial, value_at(steps, i));
  ret_test->name = value_get_text(test, "name", "");
  ret_test->place = value_get_text(test, "place", "");
  ret_test->passed = judge(trial, test, &text);
  trial_end(trial);
  /* A test that has passed may have something to say as well: on_error has answered for a rule that failed. */
  size_t room = text.length + strlen(ret_test->place) + strlen(ret_test->name) + sizeof ": \"\": ";
  ret_test->text = must_alloc(room);
  if (text.length > 0)
    snprintf(ret_test->text, room, "%s: \"%s\": %s", ret_test->place, ret_test->name, buf_text(&text));
  buf_release(&text);
}

/* ---- All tests ---- */

static bool over_budget(const struct ruleset *ruleset, size_t done, int64_t cpu_ms, struct err *err)
{
  const struct value *next = value_at(ruleset->tests, done);
  return err_set(
      err, ERR_CONFIG, "%s: after %lld ms of CPU time only %zu of %zu tests have run; look for a rule that takes long",
      value_get_text(next, "place", ""), (long long)cpu_ms, done, value_count(ruleset->tests));
}

/* A reload does not ask what the tests cover, which takes long in a ruleset of 5,000 codes. */
static bool run_all(
    struct ruleset *ruleset, bool with_covers, int64_t cpu_ms, struct ruletests *ret_tests, struct err *err)
{
  struct runner *runner = must_alloc(sizeof *runner); /* an event is too large for the stack */
  struct ruletests *tests = &runner->tests;
  size_t all = value_count(ruleset->tests);
  int64_t stop_ms = clock_cpu_ms() + cpu_ms;
  bool ok = !with_covers || list_covers(runner, ruleset, err);
  runner->trial = (struct trial){.ruleset = ruleset, .on_decision = on_decision, .context = runner};
  tests->tests = must_alloc((all + 1) * sizeof *tests->tests);
  while (ok && tests->count < all) {
    struct ruletest *test = &tests->tests[tests->count];
    ok = clock_cpu_ms() <= stop_ms || over_budget(ruleset, tests->count, cpu_ms, err);
    if (!ok)
      break;
    run_test(&runner->trial, value_at(ruleset->tests, tests->count), test);
    tests->count++;
    tests->failed += !test->passed;
  }
  if (ok)
    *ret_tests = *tests;
  else
    ruletests_release(tests);
  free(runner->by_label);
  free(runner);
  return ok;
}

bool ruletests_run(struct ruleset *ruleset, int64_t cpu_ms, struct ruletests *ret_tests, struct err *err)
{
  return run_all(ruleset, true, cpu_ms, ret_tests, err);
}

void ruletests_release(struct ruletests *tests)
{
  for (size_t i = 0; i < tests->count; i++)
    free(tests->tests[i].text);
  free(tests->tests);
  free(tests->covers);
  values_release(&tests->values);
  *tests = (struct ruletests){0};
}

/* Of several failures the first, and how many more there are. */
static bool tell_failures(const struct ruletests *tests, struct err *err)
{
  size_t i = 0;
  while (tests->tests[i].passed)
    i++;
  if (tests->failed == 1)
    return err_set(err, ERR_CONFIG, "%s", tests->tests[i].text);
  return err_set(
      err, ERR_CONFIG, "%.600s (and %zu more test%s failed)", tests->tests[i].text, tests->failed - 1,
      tests->failed == 2 ? "" : "s");
}

bool ruletests_pass(struct ruleset *ruleset, int64_t cpu_ms, struct err *err)
{
  struct ruletests tests;
  if (!run_all(ruleset, false, cpu_ms, &tests, err))
    return false;
  bool ok = tests.failed == 0 || tell_failures(&tests, err);
  ruletests_release(&tests);
  return ok;
}
