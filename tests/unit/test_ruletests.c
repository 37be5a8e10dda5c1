/* The tests that rulesets carry: what they may say, what they find out in virtual time, how failures read, coverage,
 * and the codes that no rule answers. */
#include "cases.h"

#include "base/clock.h"
#include "base/str.h"
#include "rules/rules.h"
#include "rules/test.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

static const struct rules_limits limits = {5, 1000, 4 * 1024 * 1024, 32 * 1024 * 1024};
static char folder[] = "/tmp/presenced-ruletests-XXXXXX";

static int set_up(void **state UNUSED)
{
  return mkdtemp(folder) == NULL || chdir(folder) != 0;
}

static int tear_down(void **state UNUSED)
{
  return unlink("c.lua") != 0 || chdir("/") != 0 || rmdir(folder) != 0;
}

/* So that a table shows all that is wrong with it, not only the first. */
static int PRINTF_LIKE(1, 2) complain(const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  vprint_error(format, arguments);
  va_end(arguments);
  print_error("\n");
  return 1;
}

/* What the tests below are about. The test stands behind it, in line 20. */
static const char rules[] =
    "ruleset {\n"
    "  name = 'c',\n"
    "  timezone = 'Europe/Amsterdam',\n"
    "  reason_states = { 'NotReady' },\n"
    "  rules = {\n"
    "    rule 'vip desk' { when = function(event) return event.attributes.queue == 'VIP' end, show = teams.presenting "
    "},\n"
    "    rule 'coaching, team B' { when = { reason = { 'COACH', '1:1' }, team = 'B' }, show = teams.do_not_disturb,\n"
    "      expires = '1h', delay = '30s', message = 'In coaching ({reason})' },\n"
    "    rule 'closed' { when = { state = 'Open', between = '18:00-08:00' }, show = teams.offline },\n"
    "    rule 'Germany' { when = { country = 'DE' }, show = never },\n"
    "    rule 'raises' { when = { state = 'Raises' }, show = function(event) return event.nothing end },\n"
    "    rule 'sees' { when = function(event, agent) return event.state == 'Sees' and agent.states.b == 'Talking' "
    "end,\n"
    "      show = teams.busy },\n"
    "  },\n"
    "  reasons = { LUNCH = teams.be_right_back { expires = '45m' }, [47] = teams.away { afterwards = teams.offline,\n"
    "    expires = '1h' }, [' Tech issue'] = { session.in_a_call, preferred.do_not_disturb } },\n"
    "  states = { Ready = teams.available, Talking = teams.in_a_call, WrapUp = teams.in_a_call { expires = '10m' },\n"
    "    Ringing = keep, NotReady = teams.away, LoggedOff = clear, Open = teams.available },\n"
    "  tests = {\n"
    "%s\n"
    "  },\n"
    "}\n";

static void write_file(const char *text)
{
  FILE *file = fopen("c.lua", "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
}

/* With these tests, the first in line 20. */
static struct ruleset *load(const char *tests, struct err *err)
{
  char text[8192];
  assert_true((size_t)snprintf(text, sizeof text, rules, tests) < sizeof text);
  write_file(text);
  return ruleset_load("c.lua", &limits, 7, err);
}

/* ---- What may stand there ---- */

struct refused {
  const char *tests, *error; /* the error begins so */
};

static const struct refused refusals[] = {
    {"1", "c.lua:20: a test is number; write { \"lunch\", "},
    {"{}", "c.lua:20: a test begins with no name of at most 100 bytes; write"},
    {"{ { state = 'Ready' }, clear }", "c.lua:20: a test begins with no name"},
    {"{ 'a\\nb', { state = 'Ready' }, clear }", "c.lua:20: a test begins with no name"},
    {"clear", "c.lua:20: a test is"},
    {"{ 'x' }", "c.lua:20: the test \"x\" has no event; write { state = \"Ready\" } behind the name"},
    {"{ 'x', { state = 'Ready' } }", "c.lua:20: the test \"x\" expects nothing; write a presence, clear or keep"},
    {"{ 'x', steps = { { state = 'Ready' } } }",
     "c.lua:20: the test \"x\" expects nothing; write shows = \"Busy\" behind the steps"},
    {"{ 'x', { state = 'Ready' }, clear, 4 }", "c.lua:20: a test has too many values; write"},
    {"{ 'x', { state = 'Ready' }, show = 'Busy' }", "c.lua:20: show is unknown in a test; did you mean shows?"},
    {"{ 'x', { state = 'Ready' },\n shows = 'Bussy' }",
     "c.lua:20: shows = \"Bussy\" is nothing that colleagues can see; did you mean Busy?"},
    {"{ 'x', { state = 'Ready' }, shows = teams.busy }", "c.lua:20: shows is teams.busy; write what colleagues see"},
    {"{ 'x', 'Ready', clear }", "c.lua:20: the event is text; write { state = \"NotReady\" }"},
    {"\n{ 'x', { stat = 'Ready' }, clear }", "c.lua:21: the event has no field stat; did you mean state?"},
    {"{ 'x', { 'Ready' }, clear }", "c.lua:20: the event has a value without a name; write state = \"Ready\""},
    {"{ 'x', { reason = 'LUNCH' }, clear }", "c.lua:20: the event has no state"},
    {"{ 'x', { state = true }, clear }", "c.lua:20: the event.state is true; write a text or a whole number"},
    {"{ 'x', { state = ' ' }, clear }", "c.lua:20: the event.state = \" \" cannot be; write a text of 1 to 128 bytes"},
    {"{ 'x', { state = 'Ready', since = 1 }, clear }", "c.lua:20: the event has since, which means nothing in a test"},
    {"{ 'x', { state = 'Ready', team = {} }, clear }", "c.lua:20: the event.team is table; write a text"},
    {"{ 'x', { state = 'Ready', load = 1/0 }, clear }", "c.lua:20: the event.load is no attribute; write a text"},
    {"{ 'x', { state = 'Ready', attributes = 1 }, clear }",
     "c.lua:20: the event.attributes is number; write attributes"},
    {"{ 'x', { state = 'Ready', team = 'A', attributes = { team = 'B' } }, clear }",
     "c.lua:20: the event has the attribute team twice; keep one of them"},
    {"{ 'x', { state = 'Ready', wait = '1m' }, clear }", "c.lua:20: the event begins with wait, but there is nothing"},
    {"{ 'x', { state = 'Ready', at = 'noon' }, clear }",
     "c.lua:20: the event.at is no time; write at = \"2026-01-05T12:00Z\", or +01:00 instead of Z"},
    {"{ 'x', { state = 'Ready', at = '2026-02-29T12:00Z' }, clear }", "c.lua:20: the event.at is no time"},
    {"{ 'x', { state = 'Ready', at = '2026-01-05 12:00 CET' }, clear }", "c.lua:20: the event.at is no time"},
    {"{ 'x', { state = 'Ready', at = '1999-01-05 12:00' }, clear }", "c.lua:20: the event.at is no time"},
    {"{ 'x', steps = { { state = 'Ready' }, { state = 'Ready', at = '2026-02-06T12:00Z' } }, clear }",
     "c.lua:20: step 2.at lies more than 31 days behind the step in front of it; write a test of its own"},
    {"{ 'x', steps = {}, clear }", "c.lua:20: steps is no list of 1 to 100 events; write steps ="},
    {"{ 'x', steps = { state = 'Ready' }, clear }", "c.lua:20: steps is no list of 1 to 100 events"},
    {"{ 'x', steps = { { state = 'Ready' }, wait = '1m' }, clear }", "c.lua:20: steps has the name wait; put each"},
    {"{ 'x', steps = { { wait = '1m' } }, clear }",
     "c.lua:20: step 1 begins with wait, but there is nothing before it"},
    {"{ 'x', steps = { { state = 'Ready' }, { wait = '5' } }, clear }", "c.lua:20: step 2.wait = \"5\" is no duration"},
    {"{ 'x', steps = { { state = 'Ready' }, {} }, clear }", "c.lua:20: step 2 has no state"},
    {"{ 'x', steps = { { state = 'Ready' }, { state = 'Ready', at = '2026-01-05T11:59Z' } }, clear }",
     "c.lua:20: step 2.at lies before the step in front of it; put the steps in the order of their times"},
    {"{ 'x', steps = { { state = 'Ready' }, { state = 'Ready', at = '2026-01-05T13:00Z', wait = '1m' } }, clear }",
     "c.lua:20: step 2 has wait and at; keep one of them"},
    {"{ 'x', steps = { { state = 'Ready', agent = 'a@b.c' }, { state = 'Ready', agent = 'd@b.c' } }, clear }",
     "c.lua:20: step 2 is of another agent than the steps before; write a test for each agent"},
    {"{ 'x', steps = { { state = 'Ready' } }, keep }", "c.lua:20: keep cannot be expected after steps; write"},
    {"{ 'x', { state = 'Ready' }, 'busy' }", "c.lua:20: the expected presence is a text; write a presence without"},
    {"{ 'x', { state = 'Ready' }, function() end }", "c.lua:20: the expected presence is a function; write teams.busy"},
    {"{ 'x', { state = 'Ready' }, {} }", "c.lua:20: the expected presence is table; write a presence"},
    {"x = { 'x', { state = 'Ready' }, clear }", "c.lua:19: tests.x stands outside the list; write { \"name\", ... }"},
};

static void refuses_illegal_tests_at_load(void **state UNUSED)
{
  int wrong = 0;
  for (size_t i = 0; i < COUNT_OF(refusals); i++) {
    struct err err = ERR_INIT;
    struct ruleset *ruleset = load(refusals[i].tests, &err);
    if (ruleset != NULL || err.kind != ERR_CONFIG || !str_starts(err.text, refusals[i].error) ||
        strstr(err.text, "; ") == NULL)
      wrong += complain("%s\n  gave: %s\n  not:  %s", refusals[i].tests, err.text, refusals[i].error);
    ruleset_free(ruleset);
  }
  assert_int_equal(wrong, 0);
}

/* ---- What they find out ---- */

struct told {
  const char *test;
  const char *text; /* "" when it passes; else what is said behind its name */
};

#define LUNCH "{ ucc = 'a', state = 'NotReady', reason = 'LUNCH' }"
#define COACH "state = 'NotReady', reason = 'COACH', team = 'B'"

static const struct told passing[] = {
    /* one event */
    {"{ 'x', { state = 'Ready' }, teams.available }", ""},
    {"{ 'x', { state = ' ready ' }, session.available }", ""},
    {"{ 'x', { state = 'Ringing' }, keep }", ""},
    {"{ 'x', { state = 'LoggedOff', reason = 'LUNCH' }, clear }", ""},
    {"{ 'x', { state = 'Zebra' }, clear }", ""},
    {"{ 'x', { state = 'NotReady', reason = 'lunch' }, teams.be_right_back }", ""},
    {"{ 'x', { state = 'NotReady', reason = 'LUNCH' }, teams.be_right_back { expires = 'PT45M' } }", ""},
    {"{ 'x', { state = 'NotReady', reason = 47 }, teams.away }", ""},
    {"{ 'x', { state = 'NotReady', reason = 'Tech issue' }, { session.in_a_call, preferred.do_not_disturb } }", ""},
    {"{ 'x', { state = 'Talking', reason = 'LUNCH' }, teams.in_a_call { expires = '4h' } }", ""},
    {"{ 'x', { " COACH " }, teams.do_not_disturb { expires = '1h', message = 'In coaching (COACH)' } }", ""},
    {"{ 'x', { " COACH " }, teams.do_not_disturb { message = 'In coaching ({reason})' } }", ""},
    {"{ 'x', { state = 'Zebra', attributes = { queue = 'VIP' } }, teams.presenting }", ""},
    {"{ 'x', { state = 'Ready' }, shows = 'available' }", ""},
    {"{ 'x', { state = 'Ready', country = 'DE' }, never }", ""},
    {"{ 'x', { state = 'Open', at = '2026-01-05T16:59:59Z' }, teams.available }", ""},
    {"{ 'x', { state = 'Open', at = '2026-01-05T17:00Z' }, teams.offline }", ""},
    {"{ 'x', { state = 'Open', at = '2026-07-01T18:00+02:00' }, teams.offline }", ""},
    {"{ 'x', { state = 'Open', at = '2026-01-05 17:59' }, teams.available }", ""}, /* the ruleset's clock */
    {"{ 'x', { state = 'Open', at = '2026-01-05T18:00' }, teams.offline }", ""},
    {"{ 'x', { state = 'Open', at = '2026-07-01 07:59:59' }, teams.offline }", ""},
    {"{ 'x', { state = 'Open', at = '2026-07-01 08:00' }, teams.available }", ""},
    /* steps */
    {"{ 'x', steps = { " LUNCH ", { ucc = 'b', state = 'Talking', wait = '2m' } }, teams.in_a_call, shows = 'Busy' }",
     ""},
    {"{ 'x', steps = { " LUNCH ", { ucc = 'b', state = 'Ready', wait = '2m' } }, shows = 'BeRightBack' }", ""},
    {"{ 'x', steps = { " LUNCH ", { ucc = 'b', state = 'Ready' }, { wait = '45m' } }, shows = 'Available' }", ""},
    {"{ 'x', steps = { " LUNCH ", { wait = '44m' }, { ucc = 'A', state = 'NotReady', reason = 'LUNCH' }, "
     "{ wait = '1m' } }, clear }",
     ""},
    {"{ 'x', steps = { { state = 'Talking' }, { state = 'Ringing', wait = '1h' } }, shows = 'Busy' }", ""},
    {"{ 'x', steps = { { state = 'Ready' }, { wait = '7h' } }, shows = 'Available' }", ""}, /* kept alive, no fade */
    {"{ 'x', steps = { { state = 'Talking' }, { state = 'LoggedOff', wait = '1m' } }, shows = 'Offline' }", ""},
    {"{ 'x', steps = { { state = 'Talking' }, { ucc = 'b', state = 'Ready', country = 'DE' } }, never }", ""},
    /* a delay: what was before stays until it is over */
    {"{ 'x', steps = { { state = 'Talking' }, { wait = '1m', " COACH " }, { wait = '29s' } }, teams.in_a_call }", ""},
    {"{ 'x', steps = { { state = 'Talking' }, { wait = '1m', " COACH " }, { wait = '30s' } }, teams.do_not_disturb }",
     ""},
    {"{ 'x', steps = { { " COACH " }, { wait = '29s', state = 'Ready' }, { wait = '1h' } }, teams.available }", ""},
    /* what follows a hold */
    {"{ 'x', steps = { { state = 'NotReady', reason = '47' }, { wait = '61m' } }, teams.offline }", ""},
    /* a time condition that changes while nothing happens */
    {"{ 'x', steps = { { state = 'Open', at = '2026-01-05T16:00Z' }, { wait = '59m' } }, teams.available }", ""},
    {"{ 'x', steps = { { state = 'Open', at = '2026-01-05T16:00Z' }, { wait = '60m' } }, teams.offline }", ""},
    {"{ 'x', steps = { { state = 'Open', at = '2026-01-05T20:00Z' }, { wait = '659m' } }, teams.offline }", ""},
    {"{ 'x', steps = { { state = 'Open', at = '2026-01-05T20:00Z' }, { wait = '11h' } }, teams.available }", ""},
    {"{ 'x', steps = { { state = 'Open', at = '2026-01-05T20:00Z' }, { state = 'Ready', at = '2026-01-06T10:00Z' } }, "
     "teams.available }",
     ""},
    /* rules see the other contact centres, and the agent */
    {"{ 'x', steps = { { ucc = 'b', state = 'Talking' }, { ucc = 'a', state = 'Sees', wait = '1s' } }, teams.busy }",
     ""},
    {"{ 'x', { agent = ' Test@Example.com ', state = 'Sees' }, clear }", ""},
};

static const struct told failing[] = {
    {"{ 'x', { state = 'Ready' }, teams.busy }", "expected teams.busy, got teams.available by states.Ready (c.lua:17)"},
    {"{ 'x', { state = 'NotReady', reason = 'LUNCH' }, teams.be_right_back { expires = '1h30m' } }",
     "expected teams.be_right_back { expires = \"1h30m\" }, got teams.be_right_back { expires = \"45m\" } by "
     "reasons.LUNCH (c.lua:15)"},
    {"{ 'x', { " COACH " }, teams.do_not_disturb { message = 'In {reason}!' } }",
     "expected teams.do_not_disturb { message = \"In {reason}!\" }, got teams.do_not_disturb { message = \"In coaching "
     "(COACH)\" } by rule \"coaching, team B\" (c.lua:7)"},
    {"{ 'x', { state = 'NotReady', reason = 'Tech issue' }, teams.do_not_disturb }",
     "expected teams.do_not_disturb, got { session.in_a_call, preferred.do_not_disturb } by reasons[\" Tech issue\"] "
     "(c.lua:16)"},
    {"{ 'x', { state = 'Ringing' }, clear }", "expected clear, got keep by states.Ringing (c.lua:18)"},
    {"{ 'x', { state = 'Zebra' }, keep }", "expected keep, got clear by unmatched (c.lua:1)"},
    {"{ 'x', { state = 'Ready' }, shows = 'Busy' }",
     "expected shows = \"Busy\", got \"Available\" by states.Ready (c.lua:17)"},
    {"{ 'x', { state = 'Ready' }, clear, shows = 'Busy' }",
     "expected clear, got teams.available by states.Ready (c.lua:17); expected shows = \"Busy\", got \"Available\" by "
     "states.Ready (c.lua:17)"},
    {"{ 'x', steps = { " LUNCH ", { ucc = 'b', state = 'Talking', wait = '2m' } }, teams.be_right_back }",
     "expected teams.be_right_back, got teams.in_a_call by states.Talking (c.lua:17) at 2026-01-05T12:02:00.000Z"},
    {"{ 'x', steps = { " LUNCH ", { wait = '45m' } }, shows = 'BeRightBack' }",
     "expected shows = \"BeRightBack\", got \"Offline\" at 2026-01-05T12:45:00.000Z"},
    {"{ 'x', steps = { { state = 'Ready', country = 'DE' } }, clear }",
     "expected clear, got never by rule \"Germany\" (c.lua:10) at 2026-01-05T12:00:00.000Z"},
    /* clocks go forward on 2026-03-29 at 02:00, back on 2026-10-25 at 03:00: 02:30 is never shown, or twice */
    {"{ 'x', steps = { { state = 'Ready', at = '2026-03-29 02:30' } }, clear }",
     "expected clear, got teams.available by states.Ready (c.lua:17) at 2026-03-29T01:00:00.000Z"},
    {"{ 'x', steps = { { state = 'Ready', at = '2026-10-25 02:30' } }, clear }",
     "expected clear, got teams.available by states.Ready (c.lua:17) at 2026-10-25T00:30:00.000Z"},
    {"{ 'x', { state = 'Raises' }, teams.busy }",
     "expected teams.busy, got clear by unmatched (c.lua:1); on the way a rule failed: c.lua:11: event has no field "
     "\"nothing\""},
};

/* One at a time, in line 20. */
static int check_told(const struct told *told, bool passes)
{
  struct err err = ERR_INIT;
  struct ruletests tests;
  struct ruleset *ruleset = load(told->test, &err);
  int wrong = 0;
  if (ruleset == NULL)
    return complain("%s\n  gave: %s", told->test, err.text);
  assert_true(ruletests_run(ruleset, RULETESTS_CPU_MS, &tests, &err));
  assert_int_equal(tests.count, 1);
  char wanted[1024] = "";
  if (!passes)
    snprintf(wanted, sizeof wanted, "c.lua:20: \"x\": %s", told->text);
  if (tests.tests[0].passed != passes || tests.failed != !passes || !str_starts(tests.tests[0].text, wanted) ||
      (passes && *tests.tests[0].text != '\0'))
    wrong = complain("%s\n  gave: %s\n  not:  %s", told->test, tests.tests[0].text, wanted);
  ruletests_release(&tests);
  if (ruletests_pass(ruleset, RULETESTS_CPU_MS, &err) != passes)
    wrong += complain("%s: ruletests_pass says otherwise", told->test);
  if (!passes && (err.kind != ERR_CONFIG || !str_starts(err.text, wanted)))
    wrong += complain("%s\n  gave: %s\n  not:  %s", told->test, err.text, wanted);
  ruleset_free(ruleset);
  return wrong;
}

static void runs_in_virtual_time(void **state UNUSED)
{
  int wrong = 0;
  for (size_t i = 0; i < COUNT_OF(passing); i++)
    wrong += check_told(&passing[i], true);
  assert_int_equal(wrong, 0);
}

static void tells_expected_and_got(void **state UNUSED)
{
  int wrong = 0;
  for (size_t i = 0; i < COUNT_OF(failing); i++)
    wrong += check_told(&failing[i], false);
  assert_int_equal(wrong, 0);
}

static void says_how_many_failed(void **state UNUSED)
{
  struct err err = ERR_INIT;
  struct ruleset *ruleset = load(
      "{ 'one', { state = 'Ready' }, teams.available },\n{ 'two', { state = 'Ready' }, clear },\n"
      "{ 'three', { state = 'Ready' }, keep },\n{ 'four', { state = 'Ready' }, keep },",
      &err);
  assert_non_null(ruleset);
  assert_false(ruletests_pass(ruleset, RULETESTS_CPU_MS, &err));
  assert_string_equal(
      err.text, "c.lua:21: \"two\": expected clear, got teams.available by states.Ready (c.lua:17) (and 2 more tests "
                "failed)");
  ruleset_free(ruleset);
}

/* A rule that raises where the test still holds is told, and is no failure. */
static void notes_what_a_rule_raised(void **state UNUSED)
{
  struct err err = ERR_INIT;
  struct ruletests tests;
  struct ruleset *ruleset = load("{ 'x', { state = 'Raises' }, clear }", &err);
  assert_non_null(ruleset);
  assert_true(ruletests_run(ruleset, RULETESTS_CPU_MS, &tests, &err));
  assert_true(tests.tests[0].passed);
  assert_true(str_starts(
      tests.tests[0].text,
      "c.lua:20: \"x\": passes, but on the way a rule failed: c.lua:11: event has no field \"nothing\""));
  ruletests_release(&tests);
  ruleset_free(ruleset);
}

static void own_merge_decides(void **state UNUSED)
{
  struct err err = ERR_INIT;
  write_file("ruleset { states = { A = teams.busy, B = teams.available },\n"
             " merge = function(list) for i, c in ipairs(list) do if c.ucc == 'main' then return i end end end,\n"
             " tests = { { 'main wins', steps = { { ucc = 'main', state = 'B' }, { ucc = 'x', state = 'A' } },\n"
             "   teams.available } } }");
  struct ruleset *ruleset = ruleset_load("c.lua", &limits, 1, &err);
  if (ruleset == NULL)
    fail_msg("%s", err.text);
  if (!ruletests_pass(ruleset, RULETESTS_CPU_MS, &err))
    fail_msg("%s", err.text);
  ruleset_free(ruleset);
}

/* Tests speak of what was decided, not of how it is held. */
static void an_anchor_is_no_part_of_a_decision(void **state UNUSED)
{
  struct err err = ERR_INIT;
  write_file("ruleset { hold = 'anchor', states = { A = teams.available },\n"
             " tests = { { 'one', { state = 'A' }, teams.available },\n"
             "  { 'two', steps = { { ucc = 'a', state = 'A' }, { ucc = 'b', state = 'A', wait = '1m' } },\n"
             "    teams.available, shows = 'Available' } } }");
  struct ruleset *ruleset = ruleset_load("c.lua", &limits, 1, &err);
  if (ruleset == NULL)
    fail_msg("%s", err.text);
  assert_true(ruleset_anchors(ruleset));
  if (!ruletests_pass(ruleset, RULETESTS_CPU_MS, &err))
    fail_msg("%s", err.text);
  ruleset_free(ruleset);
}

/* ---- Coverage and limits ---- */

static struct ruletests_cover cover_of(const struct ruletests *tests, const char *label)
{
  for (size_t i = 0; i < tests->cover_count; i++)
    if (strcmp(tests->covers[i].label, label) == 0)
      return tests->covers[i];
  fail_msg("%s is not listed", label);
  return (struct ruletests_cover){.label = ""};
}

static void counts_what_was_reached(void **state UNUSED)
{
  struct err err = ERR_INIT;
  struct ruletests tests;
  struct ruleset *ruleset = load(
      "{ 'a', { state = 'Ready' }, teams.available }, { 'b', { state = 'Zebra' }, clear },\n"
      "{ 'c', steps = { " LUNCH ", { state = 'Ready', wait = '1m' } }, shows = 'BeRightBack' },\n"
      "{ 'd', { state = 'x', queue = 'VIP' }, keep }",
      &err);
  assert_non_null(ruleset);
  assert_true(ruletests_run(ruleset, RULETESTS_CPU_MS, &tests, &err));
  assert_int_equal(tests.cover_count, 6 + 3 + 7);
  assert_int_equal(cover_of(&tests, "states.Ready").decisions, 2);
  assert_int_equal(cover_of(&tests, "reasons.LUNCH").decisions, 1);
  assert_int_equal(cover_of(&tests, "rule \"vip desk\"").decisions, 1);
  assert_int_equal(cover_of(&tests, "states.Talking").decisions, 0);
  assert_int_equal(cover_of(&tests, "rule \"Germany\"").decisions, 0);
  assert_int_equal(cover_of(&tests, "states.Ready").kind, RULETESTS_STATE);
  assert_int_equal(cover_of(&tests, "reasons[47]").kind, RULETESTS_REASON);
  assert_int_equal(cover_of(&tests, "rule \"closed\"").kind, RULETESTS_RULE);
  assert_string_equal(cover_of(&tests, "reasons[47]").place, "c.lua:15");
  ruletests_release(&tests);
  ruleset_free(ruleset);
}

/* What an outer layer has replaced cannot be reached, and need not be. */
static void counts_no_replaced_layer(void **state UNUSED)
{
  struct err err = ERR_INIT;
  struct ruletests tests;
  write_file("ruleset { extends = 'default.lua', reasons = { LUNCH = teams.away },\n"
             " tests = { { 'x', { state = 'NotReady', reason = 'LUNCH' }, teams.away } } }");
  struct ruleset *ruleset = ruleset_load("c.lua", &limits, 1, &err);
  if (ruleset == NULL)
    fail_msg("%s", err.text);
  assert_true(ruletests_run(ruleset, RULETESTS_CPU_MS, &tests, &err));
  size_t lunches = 0;
  for (size_t i = 0; i < tests.cover_count; i++)
    lunches += strcmp(tests.covers[i].label, "reasons.LUNCH") == 0;
  assert_int_equal(lunches, 1);
  assert_int_equal(cover_of(&tests, "reasons.LUNCH").decisions, 1);
  ruletests_release(&tests);
  ruleset_free(ruleset);
}

static void without_tests_all_is_well(void **state UNUSED)
{
  struct err err = ERR_INIT;
  struct ruletests tests;
  write_file("ruleset {}");
  struct ruleset *ruleset = ruleset_load("c.lua", &limits, 1, &err);
  assert_non_null(ruleset);
  assert_true(ruletests_run(ruleset, RULETESTS_CPU_MS, &tests, &err));
  assert_int_equal(tests.count + tests.failed + tests.cover_count, 0);
  ruletests_release(&tests);
  assert_true(ruletests_pass(ruleset, RULETESTS_CPU_MS, &err));
  ruleset_free(ruleset);
}

/* A reload may not stop the service: slow rules end the run, not the patience. */
static void stops_over_its_budget(void **state UNUSED)
{
  struct err err = ERR_INIT;
  write_file("local list = {}\n"
             "for i = 1, 2000 do list[i] = { 'test ' .. i, { state = 'Ready' }, clear } end\n"
             "ruleset {\n"
             "  rules = { rule 'slow' { when = function() while true do end end, show = teams.busy } },\n"
             "  tests = list,\n"
             "}\n");
  struct ruleset *ruleset = ruleset_load("c.lua", &limits, 1, &err);
  assert_non_null(ruleset);
  int64_t before = clock_cpu_ms();
  assert_false(ruletests_pass(ruleset, 100, &err));
  assert_true(clock_cpu_ms() - before < 1000);
  assert_int_equal(err.kind, ERR_CONFIG);
  assert_true(str_starts(err.text, "c.lua:5: after 100 ms of CPU time only "));
  assert_non_null(strstr(err.text, " of 2000 tests have run; look for a rule that takes long"));
  ruleset_free(ruleset);
}

static void default_ruleset_passes(void **state UNUSED)
{
  struct err err = ERR_INIT;
  struct ruletests tests;
  struct ruleset *ruleset = ruleset_load(NULL, &limits, 1, &err);
  assert_non_null(ruleset);
  assert_true(ruletests_run(ruleset, RULETESTS_CPU_MS, &tests, &err));
  for (size_t i = 0; i < tests.count; i++)
    if (!tests.tests[i].passed)
      complain("%s", tests.tests[i].text);
  assert_int_equal(tests.failed, 0);
  assert_true(tests.count >= 15);
  ruletests_release(&tests);
  ruleset_free(ruleset);
}

/* ---- Codes and states that nothing answers ---- */

static void names_what_no_rule_answers(void **state UNUSED)
{
  static const struct {
    enum ruletests_kind kind;
    const char *name;
    bool unanswered;
  } cases[] = {
      {RULETESTS_REASON, "LUNCH", false},      {RULETESTS_REASON, " lunch", false},
      {RULETESTS_REASON, "47", false},         {RULETESTS_REASON, "COACH", false},
      {RULETESTS_REASON, "DINNER", true},      {RULETESTS_REASON, "Ready", true},
      {RULETESTS_REASON, "Tech issue", false}, {RULETESTS_REASON, "BY-FUNCTION", false},
      {RULETESTS_REASON, "WC left", false},    {RULETESTS_REASON, "NOT-THIS", true},
      {RULETESTS_STATE, "ready", false},       {RULETESTS_STATE, "Zebra", true},
      {RULETESTS_STATE, "Quiet", false},       {RULETESTS_STATE, "By function", false},
      {RULETESTS_STATE, "LUNCH", true},
  };
  struct err err = ERR_INIT;
  write_file("ruleset { reason_states = { 'NotReady' }, rules = {\n"
             " rule 'f' { when = function(e) return e.reason == 'BY-FUNCTION' or e.state == 'By function' end,\n"
             "   show = clear },\n"
             " rule 'g' { when = { reason = { 'COACH', text.glob 'WC*' }, team = 'B' }, show = clear },\n"
             " rule 'h' { when = { state = 'Quiet', team = 'B' }, show = clear },\n"
             " rule 'i' { when = { reason = not_ 'NOT-THIS', team = 'C' }, show = clear } },\n"
             " reasons = { LUNCH = clear, [47] = clear, ['Tech issue'] = clear },\n"
             " states = { Ready = teams.available, NotReady = teams.away } }");
  struct ruleset *ruleset = ruleset_load("c.lua", &limits, 1, &err);
  assert_non_null(ruleset);
  int wrong = 0;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    bool mark = !cases[i].unanswered;
    assert_true(ruletests_unanswered(ruleset, cases[i].kind, &cases[i].name, 1, &mark, &err));
    if (mark != cases[i].unanswered)
      wrong += complain("%s is %sanswered", cases[i].name, mark ? "not " : "");
  }
  assert_int_equal(wrong, 0);
  ruleset_free(ruleset);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(refuses_illegal_tests_at_load),
      cmocka_unit_test(runs_in_virtual_time),
      cmocka_unit_test(tells_expected_and_got),
      cmocka_unit_test(says_how_many_failed),
      cmocka_unit_test(notes_what_a_rule_raised),
      cmocka_unit_test(own_merge_decides),
      cmocka_unit_test(an_anchor_is_no_part_of_a_decision),
      cmocka_unit_test(counts_what_was_reached),
      cmocka_unit_test(counts_no_replaced_layer),
      cmocka_unit_test(without_tests_all_is_well),
      cmocka_unit_test(stops_over_its_budget),
      cmocka_unit_test(default_ruleset_passes),
      cmocka_unit_test(names_what_no_rule_answers),
  };
  return cases_run(argc, argv, tests, set_up, tear_down);
}
