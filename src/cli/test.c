/* test: runs the tests that rulesets carry, says which rules, reasons and states they reach, and which codes of a
 * site's list no rule answers. Needs no configuration and sends nothing. */
#include "rules/test.h"
#include "adapters/json.h"
#include "base/str.h"
#include "cli/cli.h"
#include "host/code_list.h"
#include "host/site.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum {
  NAMES_SHOWN = 40, /* of what is not covered; --json has all */
  ANSWER_LIMIT = 64 * 1024 * 1024,
};

static const char *const kind_names[] = {
    [RULETESTS_RULE] = "rules", [RULETESTS_REASON] = "reasons", [RULETESTS_STATE] = "states"};

struct suite {
  struct cli *cli;
  const struct code_lists *lists; /* NULL: none asked for */
  struct values values;
  struct value *files; /* of the answer for programs */
  size_t failed, broken;
};

/* ---- What no rule answers ---- */

static void add_unanswered(struct suite *suite, struct value *to, const struct code_list *list, const bool *marks)
{
  for (size_t i = 0; i < list->count; i++)
    if (marks[i])
      value_add(&suite->values, to, value_string(&suite->values, list->codes[i].name));
}

/* Of one list. A name that may be either is answered when it is answered as one of the two. */
static bool find_unanswered(
    struct suite *suite, struct ruleset *ruleset, const struct code_list *list, bool as_reason, bool as_state,
    struct value *to, struct err *err)
{
  if (list->count == 0)
    return true;
  const char **names = must_alloc(list->count * sizeof *names);
  bool *marks = must_alloc(list->count * sizeof *marks), *states = must_alloc(list->count * sizeof *states);
  for (size_t i = 0; i < list->count; i++) {
    names[i] = list->codes[i].name;
    marks[i] = states[i] = true;
  }
  bool ok = (!as_reason || ruletests_unanswered(ruleset, RULETESTS_REASON, names, list->count, marks, err)) &&
            (!as_state || ruletests_unanswered(ruleset, RULETESTS_STATE, names, list->count, states, err));
  for (size_t i = 0; ok && i < list->count; i++)
    marks[i] = marks[i] && states[i];
  if (ok)
    add_unanswered(suite, to, list, marks);
  free(names);
  free(marks);
  free(states);
  return ok;
}

static bool describe_unanswered(struct suite *suite, struct ruleset *ruleset, struct value *file, struct err *err)
{
  const struct code_lists *lists = suite->lists;
  if (lists == NULL)
    return true;
  struct value *answer = value_map(&suite->values);
  struct value *codes = value_list(&suite->values), *states = value_list(&suite->values);
  value_set(&suite->values, answer, "codes", codes);
  value_set(&suite->values, answer, "states", states);
  value_set(&suite->values, file, "unanswered", answer);
  return find_unanswered(suite, ruleset, &lists->reasons, true, false, codes, err) &&
         find_unanswered(suite, ruleset, &lists->states, false, true, states, err) &&
         find_unanswered(suite, ruleset, &lists->either, true, true, codes, err);
}

/* ---- One file, as a tree for both ways of printing ---- */

static void put_text(struct suite *suite, struct value *map, const char *key, const char *text)
{
  value_set(&suite->values, map, key, value_string(&suite->values, text));
}

static void put_count(struct suite *suite, struct value *map, const char *key, size_t count)
{
  value_set(&suite->values, map, key, value_number(&suite->values, (double)count));
}

static void describe_tests(struct suite *suite, const struct ruletests *tests, struct value *file)
{
  struct value *failures = value_list(&suite->values), *notes = value_list(&suite->values);
  put_count(suite, file, "tests", tests->count);
  put_count(suite, file, "passed", tests->count - tests->failed);
  put_count(suite, file, "failed", tests->failed);
  for (size_t i = 0; i < tests->count; i++) {
    const struct ruletest *test = &tests->tests[i];
    if (*test->text == '\0')
      continue;
    struct value *entry = value_map(&suite->values);
    put_text(suite, entry, "name", test->name);
    put_text(suite, entry, "place", test->place);
    put_text(suite, entry, "text", test->text);
    value_add(&suite->values, test->passed ? notes : failures, entry);
  }
  value_set(&suite->values, file, "failures", failures);
  value_set(&suite->values, file, "notes", notes);
}

/* What lint found that is no error. */
static void describe_warnings(struct suite *suite, const struct ruleset *ruleset, struct value *file)
{
  struct value *list = value_list(&suite->values);
  const char *text;
  for (size_t i = 0; (text = ruleset_warning_at(ruleset, i)) != NULL; i++)
    value_add(&suite->values, list, value_string(&suite->values, text));
  value_set(&suite->values, file, "warnings", list);
}

static void describe_coverage(struct suite *suite, const struct ruletests *tests, struct value *file)
{
  struct value *coverage = value_map(&suite->values);
  for (int kind = 0; kind < RULETESTS_KINDS; kind++) {
    struct value *part = value_map(&suite->values);
    struct value *lists[] = {value_list(&suite->values), value_list(&suite->values)};
    size_t count = 0;
    for (size_t i = 0; i < tests->cover_count; i++) {
      const struct ruletests_cover *cover = &tests->covers[i];
      if ((int)cover->kind != kind)
        continue;
      struct value *entry = value_map(&suite->values);
      put_text(suite, entry, "name", cover->label);
      put_text(suite, entry, "place", cover->place);
      value_add(&suite->values, lists[cover->decisions > 0], entry);
      count++;
    }
    put_count(suite, part, "count", count);
    value_set(&suite->values, part, "covered", lists[1]);
    value_set(&suite->values, part, "uncovered", lists[0]);
    value_set(&suite->values, coverage, kind_names[kind], part);
  }
  value_set(&suite->values, file, "coverage", coverage);
}

/* ---- Printing ---- */

/* reasons.LUNCH, reasons["Tech issue"], rule "vip desk": what stands behind the kind, which the line says already. */
static const char *short_label(const char *label)
{
  static const char *const begins[] = {"rule ", "reasons.", "reasons", "states.", "states"};
  for (size_t i = 0; i < COUNT_OF(begins); i++)
    if (str_starts(label, begins[i]))
      return label + strlen(begins[i]);
  return label;
}

static void print_names(const char *title, const char *kind, const struct value *list)
{
  size_t count = value_count(list);
  if (count == 0)
    return;
  printf("  %s %s: ", title, kind);
  for (size_t i = 0; i < count && i < NAMES_SHOWN; i++) {
    const struct value *item = value_at(list, i);
    const char *name = value_text(item, NULL);
    printf("%s%s", i == 0 ? "" : ", ", name != NULL ? name : short_label(value_get_text(item, "name", "")));
  }
  if (count > NAMES_SHOWN)
    printf(" and %zu more (--json names them)", count - NAMES_SHOWN);
  putchar('\n');
}

static void print_texts(const struct value *list, const char *colour)
{
  for (size_t i = 0; i < value_count(list); i++)
    printf(
        "%s%s%s\n", program_colour(colour), value_get_text(value_at(list, i), "text", ""), program_colour("\033[0m"));
}

static void print_warnings(const struct value *list)
{
  for (size_t i = 0; i < value_count(list); i++)
    printf(
        "  %swarning:%s %s\n", program_colour("\033[33m"), program_colour("\033[0m"),
        value_text(value_at(list, i), ""));
}

static void print_coverage(const struct value *coverage)
{
  printf("  covered:");
  for (int kind = 0; kind < RULETESTS_KINDS; kind++) {
    const struct value *part = value_get(coverage, kind_names[kind]);
    printf(
        "%s %s %zu of %.0f", kind == 0 ? "" : ",", kind_names[kind], value_count(value_get(part, "covered")),
        value_get_number(part, "count", 0));
  }
  putchar('\n');
  for (int kind = 0; kind < RULETESTS_KINDS; kind++)
    print_names("not covered", kind_names[kind], value_get(value_get(coverage, kind_names[kind]), "uncovered"));
}

static void print_file(const struct suite *suite, const struct value *file)
{
  double tests = value_get_number(file, "tests", 0), failed = value_get_number(file, "failed", 0);
  print_texts(value_get(file, "failures"), "\033[31m");
  print_texts(value_get(file, "notes"), "\033[33m");
  printf("%s: ", value_get_text(file, "file", ""));
  if (tests == 0)
    printf("no tests; write some into its tests = { }\n");
  else
    printf("%.0f passed, %.0f failed\n", tests - failed, failed);
  print_warnings(value_get(file, "warnings"));
  print_coverage(value_get(file, "coverage"));
  const struct value *unanswered = value_get(file, "unanswered");
  print_names("no rule answers the", "codes", value_get(unanswered, "codes"));
  print_names("no rule answers the", "states", value_get(unanswered, "states"));
  if (suite->lists != NULL && value_count(value_get(unanswered, "codes")) == 0 &&
      value_count(value_get(unanswered, "states")) == 0)
    printf("  every code and state of the list is answered\n");
}

/* ---- The command ---- */

static bool run_file(struct suite *suite, const char *path, struct value *file, struct err *err)
{
  struct rules_limits limits = site_default_rules_limits();
  struct ruletests tests = {0};
  struct ruleset *ruleset = ruleset_load(path, &limits, 1, err);
  bool ok = ruleset != NULL && ruletests_run(ruleset, RULETESTS_CPU_MS, &tests, err);
  if (ok) {
    put_text(suite, file, "ruleset", ruleset_name(ruleset));
    describe_tests(suite, &tests, file);
    describe_coverage(suite, &tests, file);
    describe_warnings(suite, ruleset, file);
    ok = describe_unanswered(suite, ruleset, file, err);
  }
  if (ok && !suite->cli->json)
    print_file(suite, file);
  suite->failed += tests.failed;
  ruletests_release(&tests);
  ruleset_free(ruleset);
  return ok;
}

static void print_json(struct suite *suite)
{
  struct value *answer = value_map(&suite->values);
  put_count(suite, answer, "failed", suite->failed);
  value_set(&suite->values, answer, "files", suite->files);
  struct buf text;
  buf_init(&text, ANSWER_LIMIT);
  json_write_pretty(&text, answer);
  printf("%s\n", buf_text(&text));
  buf_release(&text);
}

int cli_test(struct cli *cli)
{
  struct suite suite = {.cli = cli};
  struct code_lists lists = {0};
  const char *codes = cli_option(cli, "--codes");
  struct err err = ERR_INIT;
  if (!cli_no_more(cli, 1, INT_MAX))
    return EXIT_USAGE;
  if (codes != NULL && !code_lists_read(codes, &lists, &err))
    return program_fail(&err);
  suite.lists = codes == NULL ? NULL : &lists;
  suite.files = value_list(&suite.values);
  for (int i = 0; i < cli->argc; i++) {
    struct value *file = value_map(&suite.values);
    put_text(&suite, file, "file", cli->argv[i]);
    value_add(&suite.values, suite.files, file);
    if (run_file(&suite, cli->argv[i], file, &err))
      continue;
    fflush(stdout); /* what the files before have said comes first */
    (void)program_fail(&err);
    put_text(&suite, file, "error", err.text);
    suite.broken++;
  }
  if (cli->json)
    print_json(&suite);
  code_lists_release(&lists);
  values_release(&suite.values);
  return suite.broken > 0 ? EXIT_USAGE : suite.failed > 0 ? EXIT_FAILED : EXIT_DONE;
}
