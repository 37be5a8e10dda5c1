/* Rulesets: what they decide, in which order, every way a file can be wrong, and rules that do harm. */
#include "cases.h"

#include "base/clock.h"
#include "base/str.h"
#include "rules/rules.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

static const struct rules_limits limits = {5, 1000, 4 * 1024 * 1024, 32 * 1024 * 1024};
static char folder[] = "/tmp/presenced-rules-XXXXXX";

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

/* The file is always called c.lua. */
static struct ruleset *load(const char *text, const struct rules_limits *with, struct err *err)
{
  FILE *file = fopen("c.lua", "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
  return ruleset_load("c.lua", with, 7, err);
}

/* ---- Files that are refused ---- */

struct refused {
  const char *text, *error; /* the error begins so */
};

#define WHEN(condition)                                                                                                \
  "ruleset { timezone = 'Europe/Amsterdam', rules = { rule 'x' { when = { " condition " }, show = clear } } }"

static const struct refused refusals[] = {
    /* the file */
    {"", "c.lua: there is no ruleset in the file; write ruleset { ... }"},
    {"\xFF", "c.lua:1: not UTF-8 text; save the file as UTF-8"},
    {"\x1bLua", "c.lua: attempt to load a binary chunk"},
    {"ruleset {}\nruleset {}", "c.lua:2: a second ruleset (the first is at c.lua:1); put everything into one"},
    {"ruleset(1)", "c.lua:1: ruleset was given number; write ruleset { ... }"},
    {"ruleset {\n  extends = 'other.lua' }", "c.lua:2: other.lua cannot be read: No such file"},
    {"ruleset {\n  extends = 'c.lua' }", "c.lua:2: c.lua extends itself; remove it"},
    {"ruleset {\n  extends = {} }", "c.lua:2: extends names no file"},
    {"ruleset {\n  extends = { a = 'x' } }", "c.lua:2: extends names no file"},
    {"ruleset {\n  extends = clear }", "c.lua:2: extends is no name of a file"},
    {"ruleset {\n merge = 'newest' }", "c.lua:2: merge is \"newest\"; write merge = \"latest\", a function"},
    {"ruleset {\n name = 'x',\n hold = 'ancor' }",
     "c.lua:3: hold is \"ancor\"; write hold = \"anchor\", or leave it out"},
    {"ruleset { hold = true }", "c.lua:1: hold is true; write hold = \"anchor\""},
    {"ruleset { timezone = 'Europe/Amsterdm' }",
     "c.lua:1: there is no timezone \"Europe/Amsterdm\"; did you mean \"Europe/Amsterdam\"?"},
    {"ruleset {\n timezone = '../x' }", "c.lua:2: there is no timezone"},
    {"ruleset {\n  name = 'x',\n  state = {} }", "c.lua:3: state is unknown here; did you mean states?"},
    {"ruleset { teams.busy }", "c.lua:1: a value without a name; put a name in front"},
    {"ruleset { name = 47 }", "c.lua:1: name is no text"},
    {"ruleset { timezone = {} }", "c.lua:1: timezone is no text"},
    {"error 'own words'", "c.lua:1: own words; correct this line"},
    {"error({})", "c.lua: the file raised an error that is a table; raise texts"},
    {"local x\nx.y = 1", "c.lua:2: attempt to index a nil value (local 'x'); correct this line"},
    /* Lua's syntax */
    {"ruleset {\n reasons = {\n  1:1 = teams.busy,\n } }",
     "c.lua:3: '}' expected (to close '{' at line 2) near ':'; write [\"1:1\"] = teams.busy"},
    {"ruleset {\n reasons = {\n  Tech issue = teams.busy { expires = '1h' },\n } }",
     "c.lua:3: '}' expected (to close '{' at line 2) near 'issue'; write [\"Tech issue\"] = teams.busy"},
    {"ruleset { reasons = { 47 = teams.away } }", "c.lua:1: '}' expected near '='; write [47] = teams.away"},
    {"ruleset {\n reasons = {\n  LUNCH = teams.away -- noon\n\n  -- more\n  COFFEE = teams.away,\n } }",
     "c.lua:6: '}' expected (to close '{' at line 2) near 'COFFEE'; a comma is missing in line 3: write LUNCH = "
     "teams.away,"},
    {"ruleset {\n name = 'x\n", "c.lua:2: unfinished string near ''x'; close the text with a quote on the same line"},
    {"ruleset {\n name = 'x'", "c.lua:2: '}' expected (to close '{' at line 1) near <eof>; close the table with }"},
    {"if x then", "c.lua:1: 'end' expected near <eof>; something opened before is not closed"},
    /* names */
    {"ruleset { states = { Ready = team.available } }", "c.lua:1: there is no team; did you mean teams?"},
    {"ruleset {\n states = { Ready = busy } }", "c.lua:2: there is no busy; put quotes around a text"},
    {"ruleset { states = { Ready = teams.bussy } }", "c.lua:1: there is no teams.bussy; did you mean teams.busy?"},
    {"ruleset {\n states = {\n Ready = session.busy } }",
     "c.lua:3: session.busy is not possible in Graph; write teams.busy or session.in_a_call"},
    {"ruleset { states = { Ready = preferred.in_a_call } }",
     "c.lua:1: preferred.in_a_call is not possible in Graph; write teams.in_a_call or preferred.busy"},
    {"ruleset { states = { Ready = session.offline } }",
     "c.lua:1: session.offline is not possible in Graph; write teams.offline"},
    {"ruleset { on_error = never }", "c.lua:1: on_error = never would take somebody back"},
    {"ruleset {\n reasons = codes 'x.csv' }", "c.lua:2: x.csv cannot be read: No such file"},
    {"ruleset { reasons = codes {} }", "c.lua:1: codes was given table; write reasons = codes \"codes.csv\""},
    {"ruleset { reasons = codes }", "c.lua:1: reasons is function"},
    {"x = 1", "c.lua:1: there is no x; "},
    {"local f = function() return evnt.state end", "c.lua:1: there is no evnt"},
    {"teams.busy = 1", "c.lua:1: teams cannot be changed"},
    {"string.find = 1", "c.lua:1: string.find cannot be changed"},
    {"local _ENV = {}", "c.lua: there is no ruleset"},
    {"_ENV.x = 1", "c.lua:1: there is no _ENV"},
    /* presences and options */
    {"ruleset { states = { Ready = teams.away {\n expire = '1h' } } }",
     "c.lua:2: expire is unknown here; did you mean expires?"},
    {"ruleset { states = { Ready = teams.away { delay = '8d' } } }", "c.lua:1: delay = \"8d\" is out of range"},
    {"ruleset { states = { Ready = teams.away {\n delay = '1h', expires = '1h' } } }",
     "c.lua:1: delay is not shorter than expires, so it would never be seen"},
    {"ruleset { states = { Ready = keep { delay = '1m' } } }", "c.lua:1: keep takes no options; write keep alone"},
    {"ruleset { states = { Ready = teams.away { afterwards = keep } } }",
     "c.lua:1: afterwards = keep; write a presence"},
    {"ruleset { states = { Ready = teams.away { afterwards = 'busy' } } }", "c.lua:1: afterwards is a text; write"},
    {"ruleset { states = { Ready = teams.away {\n afterwards = teams.away { message = 'x' } } } }",
     "c.lua:2: afterwards has the option message; give it expires alone"},
    {"ruleset { states = { Ready = teams.away { afterwards = teams.busy { afterwards = clear } } } }",
     "c.lua:1: afterwards has the option afterwards"},
    {"ruleset { states = { Ready = teams.away '1h' } }",
     "c.lua:1: teams.away was called with text; write teams.away { expires = \"1h\" }"},
    {"ruleset { states = { Ready = clear { expires = '1h' } } }", "c.lua:1: expires is unknown here; there is delay"},
    {"ruleset { states = { Ready = teams.away { expires = 45 } } }",
     "c.lua:1: expires is number; write a duration like \"45m\" or \"1h30m\""},
    {"ruleset { states = { Ready = teams.away { expires = '45 min' } } }",
     "c.lua:1: expires = \"45 min\" is no duration; write it like"},
    {"ruleset { states = { Ready = teams.away { expires = '30m1h' } } }",
     "c.lua:1: expires = \"30m1h\" is no duration"},
    {"ruleset { states = { Ready = teams.away { expires = 'PT1D' } } }", "c.lua:1: expires = \"PT1D\" is no duration"},
    {"ruleset { states = { Ready = teams.away { expires = '0m' } } }",
     "c.lua:1: expires = \"0m\" is out of range; write more than 0 and at most 7d"},
    {"ruleset { states = { Ready = teams.away { expires = '7d1s' } } }", "c.lua:1: expires = \"7d1s\" is out of range"},
    {"ruleset { states = { Ready = teams.away { message = '{expires}' } } }",
     "c.lua:1: {expires} needs a timezone; write timezone = \"Europe/Amsterdam\" into the ruleset"},
    {"ruleset { states = { Ready = teams.away { message = '{raeson}' } } }",
     "c.lua:1: {raeson} is unknown in a message"},
    {"ruleset { states = { Ready = teams.away { message = ('x'):rep(1001) } } }",
     "c.lua:1: message has 1001 characters"},
    {"ruleset { states = { Ready = teams.away { message = '\\255' } } }", "c.lua:1: message is not UTF-8"},
    {"ruleset { states = { Ready = teams.away { message = 'a\\nb' } } }", "c.lua:1: message has a control character"},
    {"ruleset { states = { Ready = teams.away { message = '' } } }", "c.lua:1: message has 0 characters"},
    {"ruleset { states = { Ready = teams.away.x } }", "c.lua:1: teams.away has no field x"},
    /* outcomes */
    {"ruleset { states = {\n Ready = 'busy' } }",
     "c.lua:2: states.Ready is a text; write a presence without quotes: teams.busy"},
    {"ruleset { states = { Ready = true } }", "c.lua:1: states.Ready is true; write a presence"},
    {"ruleset { states = { Ready = {} } }", "c.lua:1: states.Ready is table; write a presence"},
    {"ruleset { states = { Ready = { teams.busy, teams.away } } }",
     "c.lua:1: two presences on the preferred plane; name one presence per plane"},
    {"ruleset { states = { Ready = { teams.busy, clear } } }",
     "c.lua:1: states.Ready is a table of something else than presences"},
    {"ruleset { states = { Ready = { session.away { expires = '1h' }, preferred.away { expires = '2h' } } } }",
     "c.lua:1: the same option stands in both presences"},
    {"ruleset { states = { 'Ready' } }", "c.lua:1: states[1] is a text"},
    {"ruleset { states = { [1.5] = clear } }", "c.lua:1: states[1.5] is no code"},
    {"ruleset { states = { [' '] = clear } }", "c.lua:1: states[\" \"] is no code"},
    {"ruleset { states = clear }", "c.lua:1: states is table; write states = { CODE = teams.busy }"},
    /* codes that are there twice */
    {"ruleset {\n reasons = {\n  LUNCH = teams.away,\n  LUNCH = teams.busy } }",
     "c.lua:4: LUNCH stands twice (first in line 3); keep one of the two"},
    {"ruleset {\n reasons = {\n  LUNCH = teams.away,\n  ['LUNCH'] = teams.busy } }",
     "c.lua:4: LUNCH stands twice (first in line 3)"},
    {"ruleset {\n reasons = {\n  LUNCH = teams.away,\n  [' lunch '] = teams.busy } }",
     "c.lua:3: reasons.LUNCH and reasons[\" lunch \"] are the same code; keep one: case and spaces do not count"},
    {"ruleset { reasons = { [47] = clear,\n ['47'] = clear } }",
     "c.lua:2: reasons[\"47\"] and reasons[47] are the same"},
    {"ruleset { states = {},\n states = {} }", "c.lua:2: states stands twice (first in line 1)"},
    /* rules */
    {"ruleset { rules = { {} } }", "c.lua:1: rules[1] is no rule; write rule \"name\" { ... }"},
    {"ruleset { rules = clear }", "c.lua:1: rules is table"},
    {"ruleset { rules = {\n rule 'x' } }", "c.lua:2: rule \"x\" has no body; write rule \"x\" { when"},
    {"ruleset { rules = {\n rule 'x' 1 } }", "c.lua:2: "},
    {"ruleset { rules = { rule '' {} } }", "c.lua:1: a rule needs a name"},
    {"ruleset { rules = {\n rule 'x' { show = clear } } }", "c.lua:2: rule \"x\" has no when; write when ="},
    {"ruleset { rules = {\n rule 'x' { when = {} } } }", "c.lua:2: rule \"x\" has no show; write show = teams.busy"},
    {"ruleset { rules = {\n rule 'x' { when = {}, show = clear },\n rule 'x' { when = {}, show = clear } } }",
     "c.lua:3: rule \"x\" is there twice (first at c.lua:2); give each its own name"},
    {"ruleset { rules = { rule 'x' {\n  when = {},\n  shows = clear } } }",
     "c.lua:3: shows is unknown here; did you mean show?"},
    {"ruleset { rules = { rule 'x' { when = {}, show = clear, afterwards = clear } } }",
     "c.lua:1: clear takes no afterwards; remove it"},
    {"ruleset { rules = { rule 'x' { when = {},\n show = teams.away { expires = '1h' }, expires = '2h' } } }",
     "c.lua:1: expires stands in the rule and in the presence; keep one of them"},
    {"ruleset { rules = { rule 'x' { when = {}, show = clear, expires = '2h' } } }",
     "c.lua:1: clear takes no expires; remove it"},
    {"ruleset { rules = { rule 'x' { when = {}, show = clear, why = 1 } } }", "c.lua:1: why is number; write a text"},
    {"ruleset { rules = { rule 'x' { when = 'Ready', show = clear } } }", "c.lua:1: when is text; write when = {"},
    /* conditions */
    {"ruleset { rules = { rule 'x' { when = {\n stat = 'Ready' }, show = clear } } }",
     "c.lua:2: stat is an attribute's name too near to the field state; did you mean state?"},
    {"ruleset { rules = { rule 'x' { when = {\n between = '08:00-18:00' }, show = clear } } }",
     "c.lua:2: between needs a timezone; write timezone = \"Europe/Amsterdam\" into the ruleset"},
    {"ruleset { rules = { rule 'x' { when = function(e) return\ntime.hour(e.at) == 1 end, show = clear } } }",
     "c.lua:2: time needs a timezone"},
    {WHEN("between = '8-9'"), "c.lua:1: between = \"8-9\" is no span of time; write it like"},
    {WHEN("between = '08:00-24:01'"), "c.lua:1: between = \"08:00-24:01\" is no span"},
    {WHEN("between = '24:00-08:00'"), "c.lua:1: between = \"24:00-08:00\" is no span"},
    {WHEN("between = '08:60-09:00'"), "c.lua:1: between = \"08:60-09:00\" is no span"},
    {WHEN("between = '08:00-08:00'"), "c.lua:1: between = \"08:00-08:00\" is empty"},
    {WHEN("between = {}"), "c.lua:1: between is table; write between = \"08:00-18:00\""},
    {WHEN("between = 8"), "c.lua:1: between is number"},
    {WHEN("days = 'Mon-Fry'"), "c.lua:1: days = \"Mon-Fry\": there is no day \"Fry\"; did you mean Fri?"},
    {WHEN("days = ''"), "c.lua:1: days = \"\" names no days"},
    {WHEN("days = 'Mon..Fri'"), "c.lua:1: days = \"Mon..Fri\" names no days"},
    {WHEN("days = { 'Mon', 3 }"), "c.lua:1: days is table"},
    {WHEN("day = 'Mon'"), "c.lua:1: day is an attribute's name too near to days"},
    {"ruleset { rules = { rule 'x' { when = { at = 1 }, show = clear } } }", "c.lua:1: at cannot be compared here"},
    {"ruleset { rules = { rule 'x' { when = { 'Ready' }, show = clear } } }",
     "c.lua:1: when has a value without a name"},
    {"ruleset { rules = { rule 'x' { when = { state = {} }, show = clear } } }", "c.lua:1: state = an empty list"},
    {"ruleset { rules = { rule 'x' { when = { state = { a = 1 } }, show = clear } } }",
     "c.lua:1: state has a list with"},
    {"ruleset { rules = { rule 'x' { when = { state = clear }, show = clear } } }", "c.lua:1: state = clear; write"},
    {"ruleset { rules = { rule 'x' { when = { state = not_(not_ 'A') }, show = clear } } }", "c.lua:1: not_ was given"},
    {"ruleset { rules = { rule 'x' { when = { state = text.glob '' }, show = clear } } }", "c.lua:1: text.glob needs"},
    /* options of the ruleset */
    {"ruleset { reason_states = 'NotReady' }", "c.lua:1: reason_states is no list of states; write reason_states"},
    {"ruleset { reason_states = {} }", "c.lua:1: reason_states is no list of states"},
    {"ruleset { max_hold = '8d' }", "c.lua:1: max_hold = \"8d\" is out of range"},
    {"ruleset { max_hold = {\n bussy = '8h' } }", "c.lua:2: max_hold.bussy is no presence; did you mean"},
    {"ruleset { on_error = 'stop' }",
     "c.lua:1: on_error = \"stop\" is unknown; write \"skip\", keep, clear or a presence"},
    {"ruleset { on_error = function() end }", "c.lua:1: on_error is function"},
    {"ruleset { unmatched = 'clear' }", "c.lua:1: unmatched is a text"},
    /* limits of loading */
    {"local x = 0\nwhile true do x = x + 1 end", "c.lua:2: still running after 1000 ms of CPU time"},
    {"local t = {}\nfor i = 1, math.huge do t[i] = {} end", "c.lua:2: needs more than 32 MiB of memory"},
    {"local s = ('x'):rep(65536) while true do s = s .. s end", "c.lua:1: needs more than 32 MiB of memory"},
};

static void refuses_with_place_and_remedy(void **state UNUSED)
{
  int wrong = 0;
  for (size_t i = 0; i < COUNT_OF(refusals); i++) {
    struct err err = ERR_INIT;
    struct ruleset *ruleset = load(refusals[i].text, &limits, &err);
    if (ruleset != NULL || err.kind != ERR_CONFIG || !str_starts(err.text, refusals[i].error) ||
        strstr(err.text, "; ") == NULL)
      wrong += complain(
          "%s\n  gave: %s (%s)\n  not:  %s", refusals[i].text, err.text, err_kind_str(err.kind), refusals[i].error);
  }
  assert_int_equal(wrong, 0);
}

static void refuses_files_that_cannot_be_read(void **state UNUSED)
{
  struct err err = ERR_INIT;
  assert_null(ruleset_load("missing.lua", &limits, 1, &err));
  assert_true(str_starts(err.text, "missing.lua: cannot be read: No such file"));
  assert_int_equal(err.kind, ERR_CONFIG);
  assert_null(ruleset_load("/", &limits, 1, &err));
  assert_true(str_starts(err.text, "/: cannot be read: it is a folder"));
  char *large = must_alloc(300 * 1024);
  memset(large, ' ', 300 * 1024 - 1);
  assert_null(load(large, &limits, &err));
  assert_true(str_starts(err.text, "c.lua: larger than 256 KiB"));
  free(large);
}

/* What the sandbox withholds, each with its reason, as a name in the file and as a member. */
static void withholds_names(void **state UNUSED)
{
  int wrong = 0;
  static const char *const names[] = {
      "print",
      "require",
      "load",
      "loadstring",
      "dofile",
      "loadfile",
      "os",
      "io",
      "debug",
      "coroutine",
      "xpcall",
      "setmetatable",
      "getmetatable",
      "rawget",
      "rawset",
      "rawequal",
      "rawlen",
      "collectgarbage",
      "next",
      "package",
      "_G",
      "string.find",
      "string.match",
      "string.gmatch",
      "string.gsub",
      "string.format",
      "string.pack",
      "string.unpack",
      "string.dump",
      "math.random",
      "math.randomseed",
      "table.move",
      "(''):find",
      "(''):gsub",
      "(''):format"};
  for (size_t i = 0; i < COUNT_OF(names); i++) {
    char text[80];
    snprintf(text, sizeof text, "local x = %s%s", names[i], strstr(names[i], "):") == NULL ? "" : "('x')");
    struct err err = ERR_INIT;
    assert_null(load(text, &limits, &err));
    if (!str_starts(err.text, "c.lua:1: ") || strstr(err.text, "is not available: ") == NULL)
      wrong += complain("%s: %s", names[i], err.text);
  }
  assert_int_equal(wrong, 0);
}

/* ---- Decisions ---- */

static struct event *make_event(const char *state, const char *reason)
{
  static struct event event;
  event = (struct event){.at_ms = 1767614400000, .at_given = true};
  str_cut(event.agent, sizeof event.agent, "anna@contoso.com");
  str_cut(event.ucc, sizeof event.ucc, "North");
  str_cut(event.state, sizeof event.state, state);
  str_cut(event.reason, sizeof event.reason, reason);
  const struct attribute attributes[] = {
      {ATTRIBUTE_NUMBER, "level", "3"},
      {ATTRIBUTE_STRING, "queue", "WC-Nord"},
      {ATTRIBUTE_STRING, "team", " b "},
      {ATTRIBUTE_BOOL, "vip", "true"}};
  event.attribute_count = COUNT_OF(attributes);
  memcpy(event.attributes, attributes, sizeof attributes);
  return &event;
}

static const struct rules_agent_state agent_states[] = {{"North", "Ready"}, {"south", "Talking"}};
static const struct rules_agent agent = {"anna@contoso.com", agent_states, 2};

/* A decision as one line: "show session.available 12h states.Ready c.lua:1", with "!" in front of an expires that was
 * given and the message behind. */
static const char *decide(struct ruleset *ruleset, const char *state, const char *reason, struct err *trouble)
{
  static char text[2048];
  static struct decision decision;
  if (!ruleset_decide(
          ruleset, make_event(state, reason), 1767614400000 - 90000, 1767614400000, &agent, &decision, trouble))
    return "nothing";
  assert_int_equal(decision.generation, 7);
  size_t used = (size_t)snprintf(text, sizeof text, "%s", decision_kind_str(decision.kind));
  const enum presence planes[] = {decision.session, decision.preferred};
  for (size_t i = 0; i < 2; i++)
    if (planes[i] != PRESENCE_NONE)
      used += (size_t)snprintf(text + used, sizeof text - used, " %s", presence_str(planes[i]));
  char hold[CLOCK_TEXT_SIZE];
  if (decision.hold_ms > 0)
    used += (size_t)snprintf(
        text + used, sizeof text - used, " %s%s", decision.expires_given ? "!" : "",
        clock_iso_duration(decision.hold_ms, hold));
  used += (size_t)snprintf(
      text + used, sizeof text - used, " by %s at %s%s", decision.rule, decision.place,
      decision.unmatched ? " unmatched" : "");
  if (*decision.message != '\0')
    snprintf(text + used, sizeof text - used, " saying \"%s\"", decision.message);
  return text;
}

struct decided {
  const char *text, *state, *reason, *decision;
};

#define ONE_RULE(when) "ruleset { rules = { rule 'r' { when = " when ", show = teams.busy } } }"
#define BY_RULE "show preferred.busy PT12H by rule \"r\" at c.lua:1"
#define UNMATCHED "clear by unmatched at c.lua:1 unmatched"

static const struct decided decisions[] = {
    /* outcomes */
    {"ruleset { states = { Ready = teams.available } }", "Ready", "",
     "show session.available PT12H by states.Ready at c.lua:1"},
    {"ruleset { states = { A = teams.in_a_call } }", "a", "", "show session.in_a_call PT4H by states.A at c.lua:1"},
    {"ruleset { states = { A = teams.in_a_conference_call } }", " A", "",
     "show session.in_a_conference_call PT4H by states.A at c.lua:1"},
    {"ruleset { states = { A = teams.presenting } }", "A", "", "show session.presenting PT4H by states.A at c.lua:1"},
    {"ruleset { states = { A = teams.do_not_disturb } }", "A", "",
     "show preferred.do_not_disturb PT12H by states.A at c.lua:1"},
    {"ruleset { states = { A = teams.be_right_back } }", "A", "",
     "show preferred.be_right_back PT12H by states.A at c.lua:1"},
    {"ruleset { states = { A = teams.away } }", "A", "", "show preferred.away PT12H by states.A at c.lua:1"},
    {"ruleset { states = { A = teams.offline } }", "A", "", "show preferred.offline PT12H by states.A at c.lua:1"},
    {"ruleset { states = { A = session.away } }", "A", "", "show session.away PT12H by states.A at c.lua:1"},
    {"ruleset { states = { A = preferred.available } }", "A", "",
     "show preferred.available PT12H by states.A at c.lua:1"},
    {"ruleset { states = { A = clear } }", "A", "", "clear by states.A at c.lua:1"},
    {"ruleset { states = { A = keep } }", "A", "", "keep by states.A at c.lua:1"},
    {"ruleset { states = { A = { session.in_a_call, preferred.do_not_disturb } } }", "A", "",
     "show session.in_a_call preferred.do_not_disturb PT4H by states.A at c.lua:1"},
    {"ruleset { states = {\n A = function() return { session.away, preferred.away { expires = '1h' } } end } }", "A",
     "", "show session.away preferred.away !PT1H by states.A at c.lua:2"},
    {"ruleset { states = { A = function() return keep end } }", "A", "", "keep by states.A at c.lua:1"},
    {"ruleset {\n}", "A", "", UNMATCHED},
    {"return ruleset { states = { A = clear } }", "A", "", "clear by states.A at c.lua:1"},
    {"ruleset { unmatched = teams.away }", "A", "", "show preferred.away PT12H by unmatched at c.lua:1 unmatched"},
    {"ruleset { unmatched = function(event) return teams.busy end }", "A", "",
     "show preferred.busy PT12H by unmatched at c.lua:1 unmatched"},
    {"\xEF\xBB\xBFruleset { states = { A = clear } }", "A", "", "clear by states.A at c.lua:1"},
    /* options */
    {"ruleset { states = { A = teams.away { expires = '1h30m' } } }", "A", "",
     "show preferred.away !PT1H30M by states.A at c.lua:1"},
    {"ruleset { states = { A = teams.away { expires = 'PT45M' } } }", "A", "",
     "show preferred.away !PT45M by states.A at c.lua:1"},
    {"ruleset { states = { A = teams.away { expires = 'P1DT2H' } } }", "A", "",
     "show preferred.away !PT26H by states.A at c.lua:1"},
    {"ruleset { states = { A = teams.away { expires = '7d' } } }", "A", "",
     "show preferred.away !PT168H by states.A at c.lua:1"},
    {"ruleset { rules = { rule 'r' { when = {}, show = teams.away, expires = '90s', message = '{state}/{reason}/{ucc} "
     "{x' } } }",
     "A", "B", "show preferred.away !PT1M30S by rule \"r\" at c.lua:1 saying \"A/B/North {x\""},
    {"local away = teams.away { message = 'a' }\nruleset { states = { A = away { expires = '1h' } } }", "A", "",
     "show preferred.away !PT1H by states.A at c.lua:2 saying \"a\""},
    {"ruleset { max_hold = '3h', states = { A = teams.in_a_call } }", "A", "",
     "show session.in_a_call PT3H by states.A at c.lua:1"},
    {"ruleset { max_hold = { busy = '3h', ['session.away'] = '1h' }, states = { A = teams.busy } }", "A", "",
     "show preferred.busy PT3H by states.A at c.lua:1"},
    {"ruleset { max_hold = '3h', states = { A = teams.busy { expires = '5h' } } }", "A", "",
     "show preferred.busy !PT5H by states.A at c.lua:1"},
    {"ruleset { max_hold = '3h', states = { A = function() return teams.busy end } }", "A", "",
     "show preferred.busy PT3H by states.A at c.lua:1"},
    /* codes */
    {"ruleset { reasons = { [47] = clear } }", "X", "47", "clear by reasons[47] at c.lua:1"},
    {"ruleset { reasons = { ['47'] = clear } }", "X", " 47 ", "clear by reasons[\"47\"] at c.lua:1"},
    {"ruleset { reasons = {\n ['Tech issue'] = clear } }", "X", "TECH ISSUE",
     "clear by reasons[\"Tech issue\"] at c.lua:2"},
    {"ruleset { reasons = { ['\xC3\x84rger'] = clear } }", "X", "\xC3\x84RGER",
     "clear by reasons[\"\xC3\x84rger\"] at c.lua:1"},
    /* order */
    {"ruleset { rules = { rule 'r' { when = {}, show = keep } }, reasons = { L = clear }, states = { A = clear } }",
     "A", "L", "keep by rule \"r\" at c.lua:1"},
    {"ruleset { rules = { rule 'a' { when = { state = 'B' }, show = clear }, rule 'b' { when = {}, show = keep },\n"
     "rule 'c' { when = {}, show = clear } } }",
     "A", "L", "keep by rule \"b\" at c.lua:1"},
    {"ruleset { reasons = { L = keep }, states = { A = teams.away } }", "A", "L", "keep by reasons.L at c.lua:1"},
    {"ruleset { reasons = { L = keep }, states = { A = clear } }", "A", "L", "clear by states.A at c.lua:1"},
    {"ruleset { reasons = { L = keep }, states = { A = teams.away }, reason_states = { 'B' } }", "A", "L",
     "show preferred.away PT12H by states.A at c.lua:1"},
    {"ruleset { reasons = { L = keep }, states = { A = teams.away }, reason_states = { ' a' } }", "A", "l",
     "keep by reasons.L at c.lua:1"},
    {"ruleset { reasons = { L = keep }, states = { A = teams.away } }", "A", "M",
     "show preferred.away PT12H by states.A at c.lua:1"},
    {"ruleset { reasons = { L = keep }, reason_states = { 'B' } }", "A", "L", UNMATCHED},
    /* conditions */
    {ONE_RULE("{}"), "A", "", BY_RULE},
    {ONE_RULE("{ state = 'ready ' }"), "Ready", "", BY_RULE},
    {ONE_RULE("{ state = 'Ready' }"), "NotReady", "", UNMATCHED},
    {ONE_RULE("{ state = { 'A', 'Ready' } }"), "READY", "", BY_RULE},
    {ONE_RULE("{ reason = 47 }"), "A", "47", BY_RULE},
    {ONE_RULE("{ reason = 47 }"), "A", "", UNMATCHED},
    {ONE_RULE("{ reason = not_ 'L' }"), "A", "", BY_RULE},
    {ONE_RULE("{ reason = not_ 'L' }"), "A", "l", UNMATCHED},
    {ONE_RULE("{ reason = not_ { 'L', 'M' } }"), "A", "m", UNMATCHED},
    {ONE_RULE("{ ucc = 'north' }"), "A", "", BY_RULE},
    {ONE_RULE("{ agent = text.glob '*@contoso.com' }"), "A", "", BY_RULE},
    {ONE_RULE("{ agent = text.glob '*@contoso.de' }"), "A", "", UNMATCHED},
    {ONE_RULE("{ team = 'B' }"), "A", "", BY_RULE},
    {ONE_RULE("{ team = 'C' }"), "A", "", UNMATCHED},
    {ONE_RULE("{ level = 3 }"), "A", "", BY_RULE},
    {ONE_RULE("{ level = '3' }"), "A", "", BY_RULE},
    {ONE_RULE("{ level = 3.0 }"), "A", "", BY_RULE},
    {ONE_RULE("{ level = { 1, 2 } }"), "A", "", UNMATCHED},
    {ONE_RULE("{ vip = true }"), "A", "", BY_RULE},
    {ONE_RULE("{ vip = false }"), "A", "", UNMATCHED},
    {ONE_RULE("{ country = 'DE' }"), "A", "", UNMATCHED},
    {ONE_RULE("{ country = not_ 'DE' }"), "A", "", BY_RULE},
    {ONE_RULE("{ queue = text.glob 'wc*' }"), "A", "", BY_RULE},
    {ONE_RULE("{ queue = text.glob 'w*-*d' }"), "A", "", BY_RULE},
    {ONE_RULE("{ queue = text.glob 'wc-nord*nord' }"), "A", "", UNMATCHED},
    {ONE_RULE("{ queue = text.glob 'wc' }"), "A", "", UNMATCHED},
    {ONE_RULE("{ queue = { 'X', text.glob '*nord' } }"), "A", "", BY_RULE},
    {ONE_RULE("{ queue = not_(text.glob '*nord') }"), "A", "", UNMATCHED},
    {ONE_RULE("{ state = 'A', team = 'B', vip = true }"), "A", "", BY_RULE},
    {ONE_RULE("{ state = 'A', team = 'B', vip = false }"), "A", "", UNMATCHED},
    {ONE_RULE("{ state = text.glob 'Not*' }"), "NotReady", "", BY_RULE},
    {ONE_RULE("{ state = not_ 'A' }"), "B", "", BY_RULE},
    {ONE_RULE("{ state = not_ 'A' }"), "A", "", UNMATCHED},
    /* functions */
    {ONE_RULE("function(event) return event.state == 'A' and event.reason == nil end"), "A", "", BY_RULE},
    {ONE_RULE("function(event) return event.attributes.level + 1 == 4 and event.attributes.vip == true end"), "A", "",
     BY_RULE},
    {ONE_RULE("function(event) return event.attributes.missing end"), "A", "", UNMATCHED},
    {ONE_RULE("function(event) return event.at - event.since == 90 and math.type(event.at) == 'integer' end"), "A", "",
     BY_RULE},
    {ONE_RULE("function(event, agent) return agent.upn == event.agent and event.ucc == 'North' end"), "A", "", BY_RULE},
    {ONE_RULE("function(_, agent) return agent.states.SOUTH == 'Talking' and agent.states.x == nil end"), "A", "",
     BY_RULE},
    {ONE_RULE("function(event) local t = {} for k, v in pairs(event.attributes) do t[#t + 1] = k .. tostring(v) end\n"
              "return table.concat(t, ' ') == 'level3 queueWC-Nord team b  viptrue' end"),
     "A", "", BY_RULE},
    {ONE_RULE("function(event) return text.contains(event.attributes.queue, 'NORD') and text.starts('WC-1', 'wc') and\n"
              "text.ends('abc', 'BC') and text.same(' a', 'A') and text.matches('WC-Nord', 'wc*') and\n"
              "text.trim ' x ' == 'x' and #text.split('a,b,,c', ',') == 4 end"),
     "A", "", BY_RULE},
    {ONE_RULE("function() return ('x'):upper() == 'X' and ('ab'):rep(2) == 'abab' and #'\xC3\xA4' == 2 and\n"
              "utf8.len '\xC3\xA4' == 1 and tostring({}) == 'table' and tostring(teams.busy) == 'teams.busy' end"),
     "A", "", BY_RULE},
    {ONE_RULE("function() return pcall(error, 'x') == false and select('#', table.unpack({ 1, 2 })) == 2 end"), "A", "",
     BY_RULE},
};

static void decides(void **state UNUSED)
{
  int wrong = 0;
  for (size_t i = 0; i < COUNT_OF(decisions); i++) {
    struct err err = ERR_INIT;
    struct ruleset *ruleset = load(decisions[i].text, &limits, &err);
    if (ruleset == NULL)
      wrong += complain("%s: %s", decisions[i].text, err.text);
    const char *got = decide(ruleset, decisions[i].state, decisions[i].reason, &err);
    if (strcmp(got, decisions[i].decision) != 0 || err.kind != ERR_NONE)
      wrong += complain("%s\n  gave: %s (%s)\n  not:  %s", decisions[i].text, got, err.text, decisions[i].decision);
    ruleset_free(ruleset);
  }
  assert_int_equal(wrong, 0);
}

/* ---- Rules that raise or do harm ---- */

struct harm {
  const char *function, *trouble; /* the trouble contains */
};

static const struct harm harms[] = {
    {"error('no')", "c.lua:2: no; on_error has answered"},
    {"error('no', 0)", "c.lua:1: no; on_error has answered"},
    {"error()", "c.lua:1: an error that is a nil"},
    {"error({})", "c.lua:1: an error that is a table"},
    {"local x = nil; return x.y", "c.lua:2: attempt to index a nil value (local 'x')"},
    {"return event.stat", "c.lua:2: event has no field \"stat\"; did you mean state?"},
    {"return event.team", "c.lua:2: event has no field \"team\"; write event.attributes.team"},
    {"return agent.name", "c.lua:2: agent has no field \"name\"; there is upn, states"},
    {"event.state = 'X'", "c.lua:2: event.state cannot be changed; use a local variable"},
    {"event.attributes.team = 'X'", "c.lua:2: event.attributes.team cannot be changed"},
    {"agent.states.x = 'X'", "c.lua:2: agent.states.x cannot be changed"},
    {"keep_this = 1", "c.lua:2: "},
    {"math.pi = 3", "c.lua:2: math.pi cannot be changed"},
    {"return ('x'):find('x')", "c.lua:2: string.find is not available: patterns can take time without end"},
    {"return ('x'):fnd('x')", "c.lua:2: string.fnd does not exist"},
    {"return ('x'):rep(1e9)", "c.lua:1: string.rep makes at most 65536 bytes"},
    {"return (''):rep(4e9)", "c.lua:1: string.rep makes at most 65536 bytes"},
    {"return rule 'x'", "c.lua:1: a rule cannot be made while a rule runs"},
    {"return ruleset {}", "c.lua:1: a ruleset cannot be made while a rule runs"},
    {"local t = {} for i = 50, 0, -1 do t[1 << i] = 1 end table.insert(t, 1, 1)",
     "c.lua:2: table.insert was given more"},
    {"local t = {} for i = 1, 20000 do t[i] = i end table.sort(t)", "c.lua:2: table.sort was given more than 10000"},
    {"return text.contains(('a'):rep(60000), ('a'):rep(2000))",
     "c.lua:1: text.contains was given a text that is too long"},
    {"return text.split('a', '')", "c.lua:1: text.split was given an empty separator"},
    {"return text.starts(nil, 'x')", "c.lua:1: text.starts was given nothing"},
    {"while true do end", "c.lua:2: still running after 5 ms of CPU time"},
    {"while true do pcall(function() while true do end end) end", "c.lua:2: still running"},
    {"local t = { 3, 2, 1 } table.sort(t, function() while true do end end)", "c.lua:2: still running"},
    {"for _ in pairs({ 1 }) do while true do end end", "c.lua:2: still running"},
    {"local s = ('x'):rep(60000) local t = {} for i = 1, 9999 do t[i] = s end return table.concat(t)", "c.lua"},
    {"local function f() return 1 + f() end return f()", "c.lua:2: "},
};

/* on_error = skip: the rule counts as not matching, the next one answers; and the ruleset is as good as before. */
static void survives_harm(void **state UNUSED)
{
  int wrong = 0;
  struct rules_limits patient =
      limits; /* also under a sanitizer, memory is to run out before time where it is meant to */
  for (size_t i = 0; i < COUNT_OF(harms); i++) {
    char text[2048];
    snprintf(
        text, sizeof text,
        "ruleset { rules = { rule 'bad' { when = function(event, agent) if event.state == 'A' then\n%s end end, show = "
        "clear },\n"
        "rule 'next' { when = {}, show = keep } } }",
        harms[i].function);
    struct err err = ERR_INIT;
    struct ruleset *ruleset = load(text, &patient, &err);
    if (ruleset == NULL) {
      /* What the loader sees already must be refused for the same reason. */
      if (strstr(err.text, harms[i].trouble) == NULL)
        wrong += complain("%s: %s", harms[i].function, err.text);
      continue;
    }
    int64_t start = clock_now_ms();
    for (int round = 0; round < 2; round++) {
      const char *got = decide(ruleset, "A", "", &err);
      if (strcmp(got, "keep by rule \"next\" at c.lua:3") != 0 || err.kind == ERR_NONE ||
          strstr(err.text, harms[i].trouble) == NULL || strstr(err.text, "; ") == NULL)
        wrong += complain("%s\n  gave: %s (%s)\n  not:  %s", harms[i].function, got, err.text, harms[i].trouble);
      assert_string_equal(decide(ruleset, "B", "", &err), "keep by rule \"next\" at c.lua:3");
      assert_int_equal(err.kind, ERR_NONE);
    }
    assert_true(clock_now_ms() - start < 2000);
    ruleset_free(ruleset);
  }
  assert_int_equal(wrong, 0);
}

struct policy {
  const char *text, *decision;
};

/* A raises, L loops; by each policy, and in each table. */
#define RAISES "function() error('x') end"
#define LOOPS "function() while true do end end"
static const struct policy policies[] = {
    {"on_error = 'skip', rules = { rule 'r' { when = " RAISES ", show = clear } }",
     "show preferred.away PT12H by states.A at c.lua:1"},
    {"on_error = keep, rules = { rule 'r' { when = " RAISES ", show = clear } }", "keep by on_error at c.lua:1"},
    {"on_error = 'keep', rules = { rule 'r' { when = " RAISES ", show = clear } }", "keep by on_error at c.lua:1"},
    {"on_error = clear, rules = { rule 'r' { when = " RAISES ", show = clear } }", "clear by on_error at c.lua:1"},
    {"on_error = teams.busy { expires = '1h' }, rules = { rule 'r' { when = {}, show = " RAISES " } }",
     "show preferred.busy !PT1H by on_error at c.lua:1"},
    {"on_error = keep, rules = { rule 'r' { when = " LOOPS ", show = clear } }", "keep by on_error at c.lua:1"},
    {"rules = { rule 'r' { when = {}, show = " LOOPS " } }", "show preferred.away PT12H by states.A at c.lua:1"},
    {"rules = { rule 'r' { when = {}, show = function() end } }", "show preferred.away PT12H by states.A at c.lua:1"},
    {"rules = { rule 'r' { when = {}, show = function() return 'busy' end } }",
     "show preferred.away PT12H by states.A at c.lua:1"},
    {"rules = { rule 'r' { when = {}, show = function() return { 1, {}, x = print_ } end } }, on_error = keep", NULL},
    {"rules = { rule 'r' { when = {}, show = function() return session.busy end } }",
     "show preferred.away PT12H by states.A at c.lua:1"},
    {"rules = { rule 'r' { when = {}, show = function() return teams.away { expires = '9d' } end } }",
     "show preferred.away PT12H by states.A at c.lua:1"},
    {"rules = { rule 'r' { when = {}, expires = '1h', show = function() return teams.away { expires = '2h' } end } }",
     "show preferred.away PT12H by states.A at c.lua:1"},
    {"reasons = { L = " RAISES " }", "show preferred.away PT12H by states.A at c.lua:1"},
    {"reasons = { L = " LOOPS " }", "show preferred.away PT12H by states.A at c.lua:1"},
    {"unmatched = " RAISES ", reason_states = { 'X' }", "show preferred.away PT12H by states.A at c.lua:1"},
};

static void on_error_answers(void **state UNUSED)
{
  int wrong = 0;
  for (size_t i = 0; i < COUNT_OF(policies); i++) {
    char text[1024];
    snprintf(text, sizeof text, "ruleset { %s, states = { A = teams.away } }", policies[i].text);
    struct err err = ERR_INIT;
    struct ruleset *ruleset = load(text, &limits, &err);
    if (policies[i].decision == NULL) {
      assert_null(ruleset);
      continue;
    }
    if (ruleset == NULL)
      wrong += complain("%s: %s", text, err.text);
    const char *got = decide(ruleset, "A", "L", &err);
    if (strcmp(got, policies[i].decision) != 0 || (err.kind == ERR_NONE) != (strstr(text, "unmatched") != NULL))
      wrong += complain("%s\n  gave: %s (%s)\n  not:  %s", text, got, err.text, policies[i].decision);
    ruleset_free(ruleset);
  }
  assert_int_equal(wrong, 0);
}

static void endless_rules_do_not_add_up(void **state UNUSED)
{
  static char text[8192] = "ruleset { rules = {";
  for (int i = 0; i < 50; i++) {
    size_t used = strlen(text);
    snprintf(text + used, sizeof text - used, "rule 'r%d' { when = " LOOPS ", show = clear },\n", i);
  }
  size_t end = strlen(text);
  snprintf(text + end, sizeof text - end, "}, states = { A = " LOOPS ", B = keep }, unmatched = " LOOPS " }");
  struct err err = ERR_INIT;
  struct ruleset *ruleset = load(text, &limits, &err);
  assert_non_null(ruleset);
  int64_t start = clock_now_ms();
  assert_string_equal(decide(ruleset, "B", "", &err), "keep by states.B at c.lua:51");
  assert_int_equal(err.kind, ERR_RULE);
  assert_true(str_starts(err.text, "c.lua:1: still running")); /* the first of them */
  assert_string_equal(decide(ruleset, "A", "", &err), "clear by unmatched at c.lua:51 unmatched");
  assert_true(clock_now_ms() - start < 1000);
  ruleset_free(ruleset);
}

static void messages_are_bounded(void **state UNUSED)
{
  struct err err = ERR_INIT;
  struct ruleset *ruleset =
      load("ruleset { states = { A = teams.away { message = '{reason}{reason}{reason}' } } }", &limits, &err);
  char reason[EVENT_NAME_SIZE] = "";
  for (size_t i = 0; i < 64; i++)
    memcpy(reason + 2 * i, "\xC3\xA4", 3);
  static struct decision decision;
  struct event *event = make_event("A", reason);
  assert_true(ruleset_decide(ruleset, event, 0, 0, &agent, &decision, &err));
  assert_int_equal(strlen(decision.message), 3 * 128);
  ruleset_free(ruleset);
  ruleset = load(
      "ruleset { states = { A = teams.away { message = '{reason}{reason}{reason}{reason}{reason}' } } }", &limits,
      &err);
  assert_true(ruleset_decide(ruleset, event, 0, 0, &agent, &decision, &err));
  assert_int_equal(strlen(decision.message), 280 * 2);
  assert_true(str_is_utf8(decision.message, strlen(decision.message)));
  str_cut(event->reason, sizeof event->reason, "a\tb\x7F");
  assert_true(ruleset_decide(ruleset, event, 0, 0, &agent, &decision, &err));
  assert_true(str_starts(decision.message, "a b a b "));
  ruleset_free(ruleset);
}

/* Ten thousand decisions do not leave more behind than garbage that is collected. */
static void memory_stays_level(void **state UNUSED)
{
  struct err err = ERR_INIT;
  struct ruleset *ruleset = load(
      "ruleset { rules = { rule 'r' { when = function(e) local t = {}\n"
      "for i = 1, 100 do t[i] = e.state .. i end return false end, show = clear } } }",
      &limits, &err);
  assert_non_null(ruleset);
  size_t before = ruleset_memory_bytes(ruleset);
  for (int i = 0; i < 10000; i++)
    (void)decide(ruleset, "A", "", &err);
  assert_int_equal(err.kind, ERR_NONE);
  assert_true(ruleset_memory_bytes(ruleset) < 4 * before);
  ruleset_free(ruleset);
}

static void explains(void **state UNUSED)
{
  struct err err = ERR_INIT;
  struct ruleset *ruleset = load(
      "ruleset { rules = {\n"
      " rule 'a' { when = { state = 'Ready' }, show = clear },\n"
      " rule 'b' { when = { country = { 'DE', 'AT' } }, show = clear },\n"
      " rule 'c' { when = { team = not_ 'B' }, show = clear },\n"
      " rule 'd' { when = function(event) return event.x end, show = clear },\n"
      " rule 'e' { when = function(event) return false end, show = clear },\n"
      " rule 'f' { why = 'agreed', when = { state = text.glob 'not*' }, show = keep },\n"
      "}, states = { NotReady = teams.away } }",
      &limits, &err);
  if (ruleset == NULL)
    fail_msg("%s", err.text);
  static const char *const expected[][4] = {
      {"rule \"a\"", "c.lua:2", "did not match", "state is \"NotReady\", not \"Ready\""},
      {"rule \"b\"", "c.lua:3", "did not match", "country is missing, not \"DE\", \"AT\""},
      {"rule \"c\"", "c.lua:4", "did not match", "team is \" b \", which is excluded: \"B\""},
      {"rule \"d\"", "c.lua:5", "did not match", "its function raised an error: c.lua:5: event has no field \"x\""},
      {"rule \"e\"", "c.lua:6", "did not match", "its function said no"},
      {"rule \"f\"", "c.lua:7", "matched", "agreed"},
      {"reasons", "c.lua:1", "not reached", ""},
      {"states.NotReady", "c.lua:8", "not reached", ""},
      {"unmatched", "c.lua:1", "not reached", ""},
  };
  struct values values = {0};
  struct value *steps;
  assert_true(ruleset_explain(ruleset, make_event("NotReady", "LUNCH"), 0, 0, &agent, &values, &steps, &err));
  assert_int_equal(value_count(steps), COUNT_OF(expected));
  for (size_t i = 0; i < COUNT_OF(expected); i++) {
    const struct value *step = value_at(steps, i);
    assert_string_equal(value_get_text(step, "rule", ""), expected[i][0]);
    assert_string_equal(value_get_text(step, "place", ""), expected[i][1]);
    assert_string_equal(value_get_text(step, "verdict", ""), expected[i][2]);
    if (!str_starts(value_get_text(step, "why", ""), expected[i][3]))
      fail_msg("%s: %s", expected[i][0], value_get_text(step, "why", ""));
  }
  ruleset_free(ruleset);
  ruleset = load(
      "ruleset { reasons = {}, states = { LoggedOff = clear, A = keep }, reason_states = { 'B' } }", &limits, &err);
  assert_true(ruleset_explain(ruleset, make_event("LoggedOff", "LUNCH"), 0, 0, &agent, &values, &steps, &err));
  assert_string_equal(
      value_get_text(value_at(steps, 0), "why", ""), "state \"LoggedOff\" maps to clear, which always wins");
  assert_true(ruleset_explain(ruleset, make_event("A", "LUNCH"), 0, 0, &agent, &values, &steps, &err));
  assert_string_equal(value_get_text(value_at(steps, 0), "why", ""), "state \"A\" is not in reason_states");
  assert_true(ruleset_explain(ruleset, make_event("A", ""), 0, 0, &agent, &values, &steps, &err));
  assert_string_equal(value_get_text(value_at(steps, 0), "why", ""), "the event has no reason");
  values_release(&values);
  ruleset_free(ruleset);
}

/* ---- The shipped default ---- */

static void default_answers_a_day(void **state UNUSED)
{
  struct err err = ERR_INIT;
  struct ruleset *ruleset = ruleset_load(NULL, &limits, 7, &err);
  if (ruleset == NULL)
    fail_msg("%s", err.text);
  assert_string_equal(ruleset_name(ruleset), "default");
  assert_string_equal(ruleset_path(ruleset), "default.lua");
  assert_int_equal(ruleset_generation(ruleset), 7);
  static const char *const states[] = {"Ready", "NotReady", "Talking", "WrapUp", "Ringing", "LoggedOff"};
  static const char *const reasons[] = {"LUNCH",    "BREAK",      "COFFEE",    "MEETING", "COACHING",
                                        "TRAINING", "BACKOFFICE", "EMAIL",     "CHAT",    "Tech issue",
                                        "PERSONAL", "SUPERVISOR", "PROJECT",   "1:1",     "TEAMMEETING",
                                        "ADMIN",    "OUTBOUND",   "PAPERWORK", "DOCTOR",  "47"};
  for (size_t i = 0; i < COUNT_OF(states); i++)
    assert_null(strstr(decide(ruleset, states[i], "", &err), "unmatched"));
  for (size_t i = 0; i < COUNT_OF(reasons); i++)
    assert_non_null(strstr(decide(ruleset, "NotReady", reasons[i], &err), "by reasons"));
  assert_true(str_starts(decide(ruleset, "WrapUp", "LUNCH", &err), "show session.in_a_call !PT10M by states.WrapUp"));
  assert_true(str_starts(decide(ruleset, "LoggedOff", "LUNCH", &err), "clear by states.LoggedOff"));
  assert_true(str_starts(decide(ruleset, "Dancing", "", &err), "clear by unmatched"));
  ruleset_free(ruleset);
}

static void several_rulesets_live_side_by_side(void **state UNUSED)
{
  struct err err = ERR_INIT;
  struct ruleset *a = load("ruleset { name = 'first', states = { A = clear } }", &limits, &err);
  struct ruleset *b = load("ruleset { states = { A = keep } }", &limits, &err);
  assert_string_equal(decide(a, "A", "", &err), "clear by states.A at c.lua:1");
  assert_string_equal(decide(b, "A", "", &err), "keep by states.A at c.lua:1");
  assert_string_equal(ruleset_name(a), "first");
  assert_string_equal(ruleset_name(b), "c");
  ruleset_free(a);
  assert_string_equal(decide(b, "A", "", &err), "keep by states.A at c.lua:1");
  ruleset_free(b);
  ruleset_free(NULL);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(refuses_with_place_and_remedy),
      cmocka_unit_test(refuses_files_that_cannot_be_read),
      cmocka_unit_test(withholds_names),
      cmocka_unit_test(decides),
      cmocka_unit_test(survives_harm),
      cmocka_unit_test(on_error_answers),
      cmocka_unit_test(endless_rules_do_not_add_up),
      cmocka_unit_test(messages_are_bounded),
      cmocka_unit_test(memory_stays_level),
      cmocka_unit_test(explains),
      cmocka_unit_test(default_answers_a_day),
      cmocka_unit_test(several_rulesets_live_side_by_side),
  };
  return cases_run(argc, argv, tests, set_up, tear_down);
}
