/* Rulesets: several files, spreadsheets, times, delays and what follows a hold, merging, and what lint says. */
#include "cases.h"

#include "base/clock.h"
#include "base/str.h"
#include "rules/rules.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct rules_limits limits = {5, 1000, 4 * 1024 * 1024, 32 * 1024 * 1024};
static char folder[] = "/tmp/presenced-language-XXXXXX";

static const char *const made[] = {"c.lua",     "base.lua",     "more.lua",    "default.lua",
                                   "codes.csv", "lib/part.lua", "lib/part.csv"};

static int set_up(void **state UNUSED)
{
  return mkdtemp(folder) == NULL || chdir(folder) != 0 || mkdir("lib", 0700) != 0;
}

static void remove_files(void)
{
  for (size_t i = 0; i < COUNT_OF(made); i++)
    (void)unlink(made[i]);
}

static int tear_down(void **state UNUSED)
{
  remove_files();
  return rmdir("lib") != 0 || chdir("/") != 0 || rmdir(folder) != 0;
}

static int PRINTF_LIKE(1, 2) complain(const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  vprint_error(format, arguments);
  va_end(arguments);
  print_error("\n");
  return 1;
}

static void write_file(const char *name, const char *text)
{
  FILE *file = fopen(name, "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
}

/* Files as "NAME\x01TEXT\x01NAME\x01TEXT": one C string for a table of cases. The first is the outermost. */
static struct ruleset *load_files(const char *files, struct err *err)
{
  char name[64], text[4096];
  remove_files();
  for (const char *at = files; *at != '\0';) {
    size_t length = strcspn(at, "\x01");
    snprintf(name, sizeof name, "%.*s", (int)length, at);
    at += length + 1;
    length = strcspn(at, "\x01");
    assert_true(length < sizeof text);
    snprintf(text, sizeof text, "%.*s", (int)length, at);
    write_file(name, text);
    at += length + (at[length] != '\0');
  }
  return ruleset_load("c.lua", &limits, 7, err);
}

#define C "c.lua\x01"
#define AND(name) "\x01" name "\x01"

static int64_t instant(const char *text)
{
  int64_t ms;
  assert_true(clock_parse_rfc3339(text, &ms));
  return ms;
}

/* A decision as one line. */
static const char *decide(struct ruleset *ruleset, const char *state, const char *reason, int64_t at, struct err *err)
{
  static struct event event;
  static struct decision decision;
  static char text[2048];
  const struct rules_agent_state states[] = {{"North", state}};
  const struct rules_agent agent = {"anna@contoso.com", states, 1};
  event = (struct event){.at_ms = at, .at_given = true};
  str_cut(event.agent, sizeof event.agent, "anna@contoso.com");
  str_cut(event.ucc, sizeof event.ucc, "North");
  str_cut(event.state, sizeof event.state, state);
  str_cut(event.reason, sizeof event.reason, reason);
  if (!ruleset_decide(ruleset, &event, at, at, &agent, &decision, err))
    return "nothing";
  char hold[CLOCK_TEXT_SIZE];
  int used = snprintf(text, sizeof text, "%s", decision_kind_str(decision.kind));
  const enum presence planes[] = {
      decision.session, decision.preferred, decision.after.session, decision.after.preferred};
  for (size_t i = 0; i < COUNT_OF(planes); i++) {
    if (i == 0 && decision.delay_ms > 0)
      used +=
          snprintf(text + used, sizeof text - (size_t)used, " after %s", clock_iso_duration(decision.delay_ms, hold));
    if (i == 2 && decision.hold_ms > 0)
      used += snprintf(text + used, sizeof text - (size_t)used, " %s", clock_iso_duration(decision.hold_ms, hold));
    if (i == 2 && decision.after.hold_ms > 0)
      used += snprintf(text + used, sizeof text - (size_t)used, " then");
    if (planes[i] != PRESENCE_NONE)
      used += snprintf(text + used, sizeof text - (size_t)used, " %s", presence_str(planes[i]));
  }
  if (decision.after.hold_ms > 0)
    used += snprintf(text + used, sizeof text - (size_t)used, " %s", clock_iso_duration(decision.after.hold_ms, hold));
  used += snprintf(text + used, sizeof text - (size_t)used, " by %s at %s", decision.rule, decision.place);
  if (*decision.message != '\0')
    used += snprintf(text + used, sizeof text - (size_t)used, " saying \"%s\"", decision.message);
  if (decision.recheck_ms != CLOCK_NEVER) {
    assert_true(decision.recheck_ms > at);
    snprintf(text + used, sizeof text - (size_t)used, " until %s", clock_rfc3339(decision.recheck_ms, hold));
  }
  return text;
}

struct decided {
  const char *files, *at, *state, *reason, *decision;
};

#define NOON "2026-01-05T12:00:00Z" /* a Monday; 13:00 in Amsterdam */
#define ZONE "timezone = 'Europe/Amsterdam', "
#define ONE_STATE(outcome) C "ruleset { " ZONE "states = { A = " outcome " } }"
#define ONE_RULE(when) C "ruleset { " ZONE "rules = { rule 'r' { when = { " when " }, show = keep } } }"
#define NOT_R "clear by unmatched at c.lua:1"
#define R "keep by rule \"r\" at c.lua:1"

static const struct decided decisions[] = {
    /* outcomes and options */
    {ONE_STATE("never"), NOON, "A", "", "never by states.A at c.lua:1"},
    {ONE_STATE("function() return never end"), NOON, "A", "", "never by states.A at c.lua:1"},
    {C "ruleset { reasons = { L = keep }, states = { A = never } }", NOON, "A", "L", "never by states.A at c.lua:1"},
    {ONE_STATE("clear { delay = '30s' }"), NOON, "A", "", "clear after PT30S by states.A at c.lua:1"},
    {C "ruleset { rules = { rule 'r' { when = {}, show = clear, delay = '2m' } } }", NOON, "A", "",
     "clear after PT2M by rule \"r\" at c.lua:1"},
    {ONE_STATE("teams.away { delay = '5m' }"), NOON, "A", "",
     "show after PT5M preferred.away PT12H by states.A at c.lua:1"},
    {ONE_STATE("teams.away { expires = '1h', afterwards = teams.busy }"), NOON, "A", "",
     "show preferred.away PT1H then preferred.busy PT12H by states.A at c.lua:1"},
    {ONE_STATE("teams.away { expires = '1h', afterwards = teams.busy { expires = '10m' } }"), NOON, "A", "",
     "show preferred.away PT1H then preferred.busy PT10M by states.A at c.lua:1"},
    {ONE_STATE("teams.away { expires = '1h', afterwards = { session.in_a_call, preferred.busy } }"), NOON, "A", "",
     "show preferred.away PT1H then session.in_a_call preferred.busy PT4H by states.A at c.lua:1"},
    {ONE_STATE("teams.away { expires = '1h', afterwards = clear }"), NOON, "A", "",
     "show preferred.away PT1H by states.A at c.lua:1"},
    {C "ruleset { max_hold = { away = '3h' }, states = { A = function() return teams.busy { expires = '1h', delay = "
       "'1m',\nafterwards = teams.away } end } }",
     NOON, "A", "", "show after PT1M preferred.busy PT1H then preferred.away PT3H by states.A at c.lua:1"},
    {C "ruleset { rules = { rule 'r' { when = {}, show = function() return clear end, expires = '1h', delay = '1m' } "
       "} }",
     NOON, "A", "", "clear after PT1M by rule \"r\" at c.lua:1"},
    /* {expires} */
    {ONE_STATE("teams.away { expires = '45m', message = 'back at {expires}' }"), NOON, "A", "",
     "show preferred.away PT45M by states.A at c.lua:1 saying \"back at 13:45\""},
    {ONE_STATE("teams.away { expires = '11h', message = 'back {expires}' }"), NOON, "A", "",
     "show preferred.away PT11H by states.A at c.lua:1 saying \"back Tue 00:00\""},
    {ONE_STATE("function() return teams.away { expires = '1h', message = '{expires}' } end"), NOON, "A", "",
     "show preferred.away PT1H by states.A at c.lua:1 saying \"14:00\""},
    /* times: ends are exclusive */
    {ONE_RULE("between = '08:00-13:00'"), NOON, "A", "", NOT_R " until 2026-01-06T07:00:00.000Z"},
    {ONE_RULE("between = '08:00-13:00'"), "2026-01-05T11:59:59.999Z", "A", "", R " until 2026-01-05T12:00:00.000Z"},
    {ONE_RULE("between = ' 9:00 - 13:01 '"), NOON, "A", "", R " until 2026-01-05T12:01:00.000Z"},
    {ONE_RULE("between = '13:00-24:00'"), NOON, "A", "", R " until 2026-01-05T23:00:00.000Z"},
    {ONE_RULE("between = { '08:00-12:00', '13:00-17:00' }"), NOON, "A", "", R " until 2026-01-05T16:00:00.000Z"},
    {ONE_RULE("between = { '08:00-13:00', '13:00-17:00' }"), NOON, "A", "", R " until 2026-01-05T16:00:00.000Z"},
    {ONE_RULE("between = not_ '08:00-12:30'"), NOON, "A", "", R " until 2026-01-06T07:00:00.000Z"},
    {ONE_RULE("days = 'Mon'"), NOON, "A", "", R " until 2026-01-05T23:00:00.000Z"},
    {ONE_RULE("days = 'Tue-Fri'"), NOON, "A", "", NOT_R " until 2026-01-05T23:00:00.000Z"},
    {ONE_RULE("days = 'Fri-Mon'"), NOON, "A", "", R " until 2026-01-05T23:00:00.000Z"},
    {ONE_RULE("days = { 'sat, Sunday', 'wed' }"), NOON, "A", "", NOT_R " until 2026-01-06T23:00:00.000Z"},
    {ONE_RULE("days = not_ { 'Sat', 'Sun' }"), NOON, "A", "", R " until 2026-01-09T23:00:00.000Z"},
    {ONE_RULE("days = 'Mon-Fri', between = '08:00-18:00'"), "2026-01-09T17:00:00Z", "A", "",
     NOT_R " until 2026-01-12T07:00:00.000Z"},
    /* a span over midnight belongs to the day it began */
    {ONE_RULE("days = 'Mon', between = '22:00-06:00'"), "2026-01-06T04:59:00Z", "A", "",
     R " until 2026-01-06T05:00:00.000Z"},
    {ONE_RULE("days = 'Mon', between = '22:00-06:00'"), "2026-01-05T04:59:00Z", "A", "",
     NOT_R " until 2026-01-05T21:00:00.000Z"},
    {ONE_RULE("days = 'Sun', between = '22:00-06:00'"), "2026-01-05T04:59:00Z", "A", "",
     R " until 2026-01-05T05:00:00.000Z"},
    /* where clocks jump: 02:30 is never shown on 29 March and twice on 25 October */
    {ONE_RULE("between = '02:30-04:00'"), "2026-03-29T00:59:00Z", "A", "", NOT_R " until 2026-03-29T01:00:00.000Z"},
    {ONE_RULE("between = '02:30-04:00'"), "2026-03-29T01:00:00Z", "A", "", R " until 2026-03-29T02:00:00.000Z"},
    {ONE_RULE("between = '02:10-02:50'"), "2026-03-29T01:10:00Z", "A", "", NOT_R " until 2026-03-30T00:10:00.000Z"},
    {ONE_RULE("between = '02:10-02:50'"), "2026-10-25T00:20:00Z", "A", "", R " until 2026-10-25T00:50:00.000Z"},
    {ONE_RULE("between = '02:10-02:50'"), "2026-10-25T01:20:00Z", "A", "", NOT_R " until 2026-10-26T01:10:00.000Z"},
    {ONE_RULE("between = '02:30-03:00'"), "2026-10-25T01:20:00Z", "A", "", R " until 2026-10-25T02:00:00.000Z"},
    /* only what was asked for makes a decision be made again */
    {ONE_RULE("state = 'B', between = '08:00-13:00'"), NOON, "A", "", NOT_R},
    {ONE_RULE("team = 'B', between = '08:00-13:00'"), NOON, "A", "", NOT_R},
    {C "ruleset { " ZONE "rules = { rule 'r' { when = {}, show = keep },\n"
       "rule 's' { when = { days = 'Mon' }, show = clear } } }",
     NOON, "A", "", R},
    {C "ruleset { " ZONE "rules = { rule 'q' { when = { between = '18:00-19:00' }, show = clear },\n"
       "rule 'r' { when = { days = 'Mon' }, show = keep } } }",
     NOON, "A", "", "keep by rule \"r\" at c.lua:2 until 2026-01-05T17:00:00.000Z"},
    /* time.* looks at the event */
    {C "ruleset { " ZONE "rules = { rule 'r' { when = function(e) return time.hour(e.at) == 13 and time.minute(e.at) "
       "== 0 and\ntime.minutes(e.at) == 780 and time.weekday(e.at) == 'Mon' and time.day(e.at) == 5 and\n"
       "time.month(e.at) == 1 and time.year(e.at) == 2026 and time.date(e.at) == '2026-01-05' and\n"
       "time.clock(e.since) == '13:00' end, show = keep } } }",
     NOON, "A", "", R},
    {C "ruleset { " ZONE "rules = { rule 'r' { when = function(e) return time.clock(e.at) == '03:00' and\n"
       "time.clock(e.at - 1) == '01:59' end, show = keep } } }",
     "2026-03-29T01:00:00Z", "A", "", R},
    /* layers */
    {C "ruleset { extends = 'default.lua' }", NOON, "Ready", "",
     "show session.available PT12H by states.Ready at default.lua:"},
    {C "ruleset { extends = 'default.lua' }" AND("default.lua") "ruleset { states = { Ready = keep } }", NOON, "Ready",
     "", "keep by states.Ready at default.lua:1"},
    {C "ruleset { extends = 'base.lua', states = { a = keep } }" AND("base.lua") "ruleset { states = { A = clear } }",
     NOON, "A", "", "keep by states.a at c.lua:1"},
    {C "ruleset { extends = 'base.lua', states = { a = keep } }" AND("base.lua") "ruleset {\nstates = { B = clear } }",
     NOON, "B", "", "clear by states.B at base.lua:2"},
    {C "ruleset { extends = 'base.lua', rules = { rule 'x' { when = { state = 'B' }, show = keep } } }" AND(
         "base.lua") "ruleset { rules = { rule 'x' { when = {}, show = clear }, rule 'y' { when = {}, show = keep } } "
                     "}",
     NOON, "A", "", "keep by rule \"y\" at base.lua:1"},
    {C "ruleset { extends = 'base.lua', reason_states = { 'A' } }" AND(
         "base.lua") "ruleset { reason_states = { 'B' }, reasons = { L = keep }, unmatched = teams.away,\n"
                     "max_hold = { away = '1h' } }",
     NOON, "A", "M", "show preferred.away PT1H by unmatched at base.lua:1"},
    {C "ruleset { extends = { 'base.lua', 'more.lua' } }" AND("base.lua") "ruleset { states = { A = keep } }" AND(
         "more.lua") "ruleset { states = { A = clear, B = never } }",
     NOON, "A", "", "keep by states.A at base.lua:1"},
    {C "ruleset { extends = { 'base.lua', 'more.lua' } }" AND("base.lua") "ruleset { extends = 'more.lua' }" AND(
         "more.lua") "ruleset { states = { B = never } }",
     NOON, "B", "", "never by states.B at more.lua:1"},
    {C "ruleset { extends = 'lib/part.lua' }" AND("lib/part.lua") "ruleset { reasons = codes 'part.csv' }" AND(
         "lib/part.csv") "code,show\nL,keep\n",
     NOON, "A", "L", "keep by reasons.L at lib/part.csv:2"},
    {C "ruleset { extends = 'base.lua', rules = { rule 'r' { when = { days = 'Mon' }, show = keep } } }" AND(
         "base.lua") "ruleset { timezone = 'UTC' }",
     NOON, "A", "", R " until 2026-01-06T00:00:00.000Z"},
    /* spreadsheets */
    {C "ruleset { " ZONE "reasons = codes 'codes.csv' }" AND("codes.csv") "code,show,expires,message\n"
                                                                          "L,be_right_back,45m,Back at {expires}\n",
     NOON, "A", "L", "show preferred.be_right_back PT45M by reasons.L at codes.csv:2 saying \"Back at 13:45\""},
    {C "ruleset { reasons = codes 'codes.csv' }" AND(
         "codes.csv") "\xEF\xBB\xBFMessage;Description;Show; Code \r\n\"a;\"\"b\"\"\";x;Be right back;Tech "
                      "issue\r\n;;;\r\n",
     NOON, "A", "tech ISSUE",
     "show preferred.be_right_back PT12H by reasons[\"Tech issue\"] at codes.csv:2 saying \"a;\"b\"\""},
    {C "ruleset { reasons = codes 'codes.csv', states = codes 'codes.csv' }" AND(
         "codes.csv") "code,state,show\nL,,keep\n,A,session.in_a_call\n47,,clear\n",
     NOON, "A", "", "show session.in_a_call PT4H by states.A at codes.csv:3"},
    {C "ruleset { reasons = { codes 'codes.csv', M = keep } }" AND("codes.csv") "code,show\n\"\n47\",never\n", NOON,
     "A", "47", "never by reasons[\"47\"] at codes.csv:2"},
    {C "ruleset { extends = 'base.lua', reasons = { L = keep } }" AND(
         "base.lua") "ruleset { reasons = codes "
                     "'codes.csv' }" AND("codes.csv") "code,show\nL,clear\nM,clear\n",
     NOON, "A", "L", "keep by reasons.L at c.lua:1"},
};

static void decides(void **state UNUSED)
{
  int wrong = 0;
  for (size_t i = 0; i < COUNT_OF(decisions); i++) {
    struct err err = ERR_INIT;
    struct ruleset *ruleset = load_files(decisions[i].files, &err);
    if (ruleset == NULL) {
      wrong += complain("%s: %s", decisions[i].files, err.text);
      continue;
    }
    const char *got = decide(ruleset, decisions[i].state, decisions[i].reason, instant(decisions[i].at), &err);
    size_t length = strlen(decisions[i].decision); /* one that ends in a colon leaves the line open */
    bool open = decisions[i].decision[length - 1] == ':';
    if (strncmp(got, decisions[i].decision, open ? length : SIZE_MAX) != 0 || err.kind != ERR_NONE)
      wrong += complain("%s\n  gave: %s (%s)\n  not:  %s", decisions[i].files, got, err.text, decisions[i].decision);
    ruleset_free(ruleset);
  }
  assert_int_equal(wrong, 0);
}

struct refused {
  const char *files, *error;
};

#define CODES(text) C "ruleset { reasons = codes 'codes.csv' }" AND("codes.csv") text

static const struct refused refusals[] = {
    {CODES(""), "codes.csv:1: the file is empty; name the columns"},
    {CODES("L,busy\n"), "codes.csv:1: the first row has no column show; name the columns in it"},
    {CODES("reason,show\n"), "codes.csv:1: the first row has no column code; name the columns in it"},
    {CODES("code,show,expire\n"), "codes.csv:1: there is no column \"expire\"; did you mean expires?"},
    {CODES("code,show,Code\n"), "codes.csv:1: the column code is there twice"},
    {CODES("code,show\nL,busi\n"),
     "codes.csv:2: reasons.L shows \"busi\", which is no presence; did you mean teams.busy"},
    {CODES("code,show\nL,\n"), "codes.csv:2: L has no show; write a presence (be_right_back), clear or keep"},
    {CODES("code,show\n,busy\n"), "codes.csv:2: a row without a code"},
    {CODES("code,show\nL,busy\n\n l ,away\n"), "codes.csv:4: reasons.l and reasons.L are the same code"},
    {CODES("code,show,expires\nL,busy,45\n"), "codes.csv:2: expires = \"45\" is no duration"},
    {CODES("code,show,expires\nL,clear,45m\n"), "codes.csv:2: clear takes no expires"},
    {CODES("code,show,message\nL,busy,{expires}\n"), "codes.csv:2: {expires} needs a timezone"},
    {CODES("code,show\n\"L,busy\n"), "codes.csv:2: a quote is opened and not closed"},
    {CODES("code,show\n\"L\"x,busy\n"), "codes.csv:2: text behind a closing quote"},
    {CODES("code,show\nL,busy\n\xC4rger,busy\n"), "codes.csv:3: not UTF-8 text; save it as \"CSV UTF-8\""},
    {C "ruleset { reasons = { codes 'codes.csv', L = keep } }" AND("codes.csv") "code,show\nl,busy\n",
     "c.lua:1: reasons.L and reasons.l are the same code"},
    {C "ruleset {\nextends = 'base.lua' }" AND("base.lua") "ruleset { extends = 'c.lua' }",
     "base.lua:1: c.lua extends itself"},
    {C "ruleset {\nextends = 'base.lua' }" AND("base.lua") "ruleset {\n\nstat = {} }",
     "base.lua:3: stat is unknown here; did you mean states?"},
    {C "ruleset {\nextends = 'base.lua' }" AND("base.lua") "", "base.lua: there is no ruleset in the file"},
    {C "ruleset { extends = 'base.lua' }" AND("base.lua") "ruleset {\nreasons = codes 'codes.csv' }",
     "base.lua:2: codes.csv cannot be read: No such file"},
    {C "ruleset { extends = 'lib' }", "lib: cannot be read: it is a folder"},
};

static void refuses(void **state UNUSED)
{
  int wrong = 0;
  for (size_t i = 0; i < COUNT_OF(refusals); i++) {
    struct err err = ERR_INIT;
    struct ruleset *ruleset = load_files(refusals[i].files, &err);
    if (ruleset != NULL || err.kind != ERR_CONFIG || !str_starts(err.text, refusals[i].error) ||
        strstr(err.text, "; ") == NULL)
      wrong += complain("%s\n  gave: %s\n  not:  %s", refusals[i].files, err.text, refusals[i].error);
    ruleset_free(ruleset);
  }
  assert_int_equal(wrong, 0);
}

static void names_its_files(void **state UNUSED)
{
  struct err err = ERR_INIT;
  struct ruleset *ruleset = load_files(
      C "ruleset { extends = { 'lib/part.lua', 'default.lua' }, reasons = codes 'codes.csv' }" AND(
          "lib/part.lua") "ruleset {}" AND("codes.csv") "code,show\n",
      &err);
  assert_non_null(ruleset);
  static const char *const expected[] = {"c.lua", "lib/part.lua", "codes.csv"}; /* the built-in one is no file */
  for (size_t i = 0; i < COUNT_OF(expected); i++)
    assert_string_equal(ruleset_file_at(ruleset, i), expected[i]);
  assert_null(ruleset_file_at(ruleset, COUNT_OF(expected)));
  ruleset_free(ruleset);
}

/* ---- Lint ---- */

struct warned {
  const char *text, *warning; /* the only one; NULL: none */
};

#define CLEARS "states = { LoggedOff = clear }"

static const struct warned warnings[] = {
    {"ruleset { " CLEARS " }", NULL},
    {"ruleset {}", NULL},
    {"ruleset { states = { Ready = teams.available } }", "c.lua:1: no state ever clears"},
    {"ruleset { unmatched = keep }", "c.lua:1: no state ever clears"},
    {"ruleset { states = { Ready = keep }, rules = { rule 'x' { when = { state = 'off' }, show = clear } } }", NULL},
    {"ruleset { states = { LoggedOff = clear,\n A = session.away } }",
     "c.lua:2: states.A shows session.away, which nobody sees while Teams is open; write teams.away"},
    {"ruleset { states = { LoggedOff = clear, A = { session.away, preferred.busy } } }", NULL},
    {"ruleset { hold = 'refresh', " CLEARS " }", NULL},
    {"ruleset {\n hold = 'anchor', " CLEARS " }",
     "c.lua:2: hold = \"anchor\" makes Available a preferred presence: it hides a call, a meeting or a Do not disturb"},
    {"ruleset { " ZONE "states = { LoggedOff = clear, A = teams.away { message = '{expires}' } } }",
     "c.lua:1: states.A says {expires} but has no expires"},
    {"ruleset { " ZONE "states = { LoggedOff = clear, A = teams.away { expires = '1h', message = '{expires}' } } }",
     NULL},
    {"ruleset { states = { LoggedOff = clear, A = teams.away { message = ('x'):rep(281) } } }",
     "c.lua:1: states.A has a message of 281 characters; write at most 280"},
    {"ruleset { " ZONE CLEARS ", rules = { rule 'x' { when = function(e)\nreturn time.hour(e.at) == 1 end,\n"
     "show = keep } } }",
     "c.lua:2: a function that uses time.* is not asked again"},
#define TWO(first, second)                                                                                             \
  "ruleset { " ZONE CLEARS ", rules = { rule 'a' { when = " first ", show = keep },\nrule 'b' { when = " second        \
  ", show = clear } } }"
#define SHADOWED "c.lua:2: rule \"b\" is never asked: rule \"a\" at c.lua:1 answers all that it would; put it in front"
    {TWO("{}", "{ state = 'A' }"), SHADOWED},
    {TWO("{ state = 'A' }", "{}"), NULL},
    {TWO("{ state = { 'A', 'B' } }", "{ state = 'a', team = 'B' }"), SHADOWED},
    {TWO("{ state = { 'A', 'B' } }", "{ state = { 'A', 'C' } }"), NULL},
    {TWO("{ state = not_ 'A' }", "{ state = 'B' }"), SHADOWED},
    {TWO("{ state = not_ 'A' }", "{ state = { 'A', 'B' } }"), NULL},
    {TWO("{ state = not_ 'A' }", "{ state = not_ 'A' }"), SHADOWED},
    {TWO("{ queue = text.glob 'wc*' }", "{ queue = 'WC-1' }"), SHADOWED},
    {TWO("{ queue = text.glob 'wc*' }", "{ queue = text.glob 'WC*' }"), NULL}, /* we cannot tell */
    {TWO("{ queue = 'WC-1' }", "{ queue = text.glob 'wc*' }"), NULL},
    {TWO("{ team = 'B' }", "{ state = 'A' }"), NULL},
    {TWO("{ between = '08:00-09:00' }", "{ between = '08:00-09:00', state = 'A' }"), SHADOWED},
    {TWO("{ between = '08:00-09:00' }", "{ between = '08:00-10:00' }"), NULL},
    {TWO("{ state = { 'A', 'B', 'C', 'D', 'E', 'F' } }", "{ state = { 'A', 'B', 'C', 'D', 'E', 'G' } }"), NULL},
    {TWO("function() return true end", "{ state = 'A' }"), NULL},
};

static void warns(void **state UNUSED)
{
  int wrong = 0;
  for (size_t i = 0; i < COUNT_OF(warnings); i++) {
    struct err err = ERR_INIT;
    remove_files();
    write_file("c.lua", warnings[i].text);
    struct ruleset *ruleset = ruleset_load("c.lua", &limits, 7, &err);
    if (ruleset == NULL) {
      wrong += complain("%s: %s", warnings[i].text, err.text);
      continue;
    }
    const char *got = ruleset_warning_at(ruleset, 0), *expected = warnings[i].warning;
    bool as_expected = got == NULL || expected == NULL ? got == expected : str_starts(got, expected);
    if (!as_expected || (got != NULL && ruleset_warning_at(ruleset, 1) != NULL))
      wrong += complain("%s\n  gave: %s", warnings[i].text, got == NULL ? "nothing" : got);
    ruleset_free(ruleset);
  }
  assert_int_equal(wrong, 0);
}

static void default_has_no_warnings(void **state UNUSED)
{
  struct err err = ERR_INIT;
  struct ruleset *ruleset = ruleset_load(NULL, &limits, 1, &err);
  assert_non_null(ruleset);
  assert_null(ruleset_warning_at(ruleset, 0));
  assert_null(ruleset_file_at(ruleset, 0));
  assert_true(ruleset_memory_bytes(ruleset) < 1024 * 1024);
  ruleset_free(ruleset);
}

/* ---- Merging ---- */

static void merges(void **state UNUSED)
{
  static const struct {
    const char *merge, *trouble; /* the trouble contains; NULL: "b" wins */
  } cases[] = {
      {"function(list) for i, c in ipairs(list) do if c.ucc == 'b' then return i end end end", NULL},
      {"function(list, agent) return agent.upn == 'anna@contoso.com' and agent.states.A == 'Ready' and 2 or 1 end",
       NULL},
      {"function(list) return list[2].since == 200 and list[2].rank > list[1].rank and list[1].reason == nil and\n"
       "list[2].reason == 'L' and list[2].state == 'Talking' and 2.0 or 1 end",
       NULL},
      {"function() return 3 end", "merge returned 3; return the winner's place in the list, 1 to 2"},
      {"function() return 0 end", "merge returned 0"},
      {"function() end", "merge returned nothing"},
      {"function() return 1.5 end", "merge returned 1.5"},
      {"function(list) return list[1].ukk end",
       "c.lua:1: a member of the list has no field \"ukk\"; did you mean ucc?"},
      {"function(list) list[1].ucc = 'x' return 1 end", "list.ucc cannot be changed"},
      {"function() while true do end end", "c.lua:1: still running"},
  };
  const struct rules_candidate candidates[] = {
      {"a", "Ready", "", 100999, AVAILABILITY_AVAILABLE}, {"b", "Talking", "L", 200000, AVAILABILITY_BUSY}};
  const struct rules_agent_state states[] = {{"a", "Ready"}, {"b", "Talking"}};
  const struct rules_agent agent = {"anna@contoso.com", states, 2};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct err err = ERR_INIT;
    char text[512];
    snprintf(text, sizeof text, "ruleset { merge = %s }", cases[i].merge);
    write_file("c.lua", text);
    struct ruleset *ruleset = ruleset_load("c.lua", &limits, 7, &err);
    if (ruleset == NULL)
      fail_msg("%s", err.text);
    assert_int_equal(ruleset_merge_mode(ruleset), RULES_MERGE_FUNCTION);
    size_t index = 99;
    bool ok = ruleset_merge(ruleset, candidates, 2, &agent, &index, &err);
    if (ok != (cases[i].trouble == NULL) || (ok && index != 1) || (!ok && strstr(err.text, cases[i].trouble) == NULL))
      fail_msg("%s: %zu %s", cases[i].merge, index, err.text);
    ruleset_free(ruleset);
  }
  struct err err = ERR_INIT;
  write_file("c.lua", "ruleset { merge = 'latest' }");
  struct ruleset *ruleset = ruleset_load("c.lua", &limits, 7, &err);
  assert_int_equal(ruleset_merge_mode(ruleset), RULES_MERGE_LATEST);
  ruleset_free(ruleset);
}

/* Moments that go back and forth, over a week, against one ruleset: what Lua was told is never stale. */
static void time_goes_back_and_forth(void **state UNUSED)
{
  struct err err = ERR_INIT;
  struct ruleset *ruleset = load_files(ONE_RULE("days = 'Mon-Fri', between = '08:00-18:00'"), &err), *fresh;
  assert_non_null(ruleset);
  int64_t start = instant("2026-03-26T00:00:00Z");
  uint32_t step = 12345;
  for (int i = 0; i < 300; i++) {
    step = step * 1103515245 + 12345;
    int64_t at = start + (int64_t)(step >> 8) % (7 * 24 * 60) * CLOCK_MINUTE;
    char got[256];
    str_cut(got, sizeof got, decide(ruleset, "A", "", at, &err));
    fresh = ruleset_load("c.lua", &limits, 7, &err);
    assert_string_equal(got, decide(fresh, "A", "", at, &err));
    ruleset_free(fresh);
  }
  ruleset_free(ruleset);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(decides),
      cmocka_unit_test(refuses),
      cmocka_unit_test(names_its_files),
      cmocka_unit_test(warns),
      cmocka_unit_test(default_has_no_warnings),
      cmocka_unit_test(merges),
      cmocka_unit_test(time_goes_back_and_forth),
  };
  return cases_run(argc, argv, tests, set_up, tear_down);
}
