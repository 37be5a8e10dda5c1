/* Rulesets that do harm: loops, bombs, tricks, freezes. Each must end by itself, be answered by the next rule with its
 * place said in one line, and leave the ruleset as good as before. The longest pause is printed, not asserted: the
 * budget is the processor's time, the clock on the wall depends on what else runs. */
#include "cases.h"

#include "base/clock.h"
#include "base/str.h"
#include "rules/rules.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct rules_limits limits = {5, 1000, 4 * 1024 * 1024, 32 * 1024 * 1024};
static char folder[] = "/tmp/presenced-hostile-XXXXXX";

static int set_up(void **state UNUSED)
{
  return mkdtemp(folder) == NULL || chdir(folder) != 0;
}

static int tear_down(void **state UNUSED)
{
  return unlink("c.lua") != 0 || chdir("/") != 0 || rmdir(folder) != 0;
}

static struct ruleset *load(const char *text, struct err *err)
{
  FILE *file = fopen("c.lua", "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
  return ruleset_load("c.lua", &limits, 7, err);
}

static double now_ms(clockid_t clock)
{
  struct timespec now;
  clock_gettime(clock, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* The bodies of rule functions. B is 60,000 bytes of text. */
static const char *const bodies[] = {
    /* loops without end */
    "while true do end",
    "repeat until false",
    "::again:: goto again",
    "for i = 1, math.huge do end",
    "while true do pcall(error, 'x') end",
    "while true do pcall(pcall, error) end",
    "while true do pcall(function() while true do end end) end",
    "pcall(function() while true do end end) while true do end",
    "local function f() return pcall(f) end while true do f() end",
    "local function f() return f() end return f()",
    "local x <close> = nil while true do end",
    "table.sort({ 3, 2, 1, 5, 4 }, function() while true do end end)",
    "table.sort({ 3, 2, 1, 5, 4 }, function(a, b) pcall(function() while true do end end) return a < b end)",
    "for _ in pairs(event.attributes) do while true do end end while true do end",
    "for _ in function() return 1 end do end",
    "for _ in utf8.codes(B) do while true do end end",
    "while true do text.contains(B, 'y') end",
    "while true do local _ = event.nothing == 1 end",
    "while true do pcall(function() return event.nothing end) end",
    "while true do pcall(function() return teams.nothing end) end",
    /* memory */
    "local s = B while true do s = s .. s end",
    "local t = {} while true do t[#t + 1] = {} end",
    "local t = {} while true do t = { t } end",
    "local t = {} for i = 1, 1e9 do t[i] = B .. i end",
    "while true do pcall(function() local s = B while true do s = s .. s end end) end",
    "local t = {} for i = 1, 9999 do t[i] = B end return table.concat(t, B)",
    "return (B):rep(60000)",
    "return ('x'):rep(65536, B)",
    "return table.concat({ table.unpack({ B, B, B }) }):rep(1000)",
    "error(select('#', ('x'):rep(60000):byte(1, -1)))",
    "local function f(...) return f(1, ...) end return f()",
    "local function f() local a = B .. 'x' return f() .. a end return f()",
    /* depth */
    "local function f() return 1 + f() end return f()",
    "local function f() return (pcall(f)) and 1 end error(f())",
    "local function f() error(f()) end return f()",
    "local function f(n) local ok, e = pcall(f, n + 1) error(e) end f(1)",
    "local f = function() end for i = 1, 250 do local g = f f = function() return g() + 1 end end return f()",
    /* long stays in C */
    "local t = {} for i = 1, 10000 do t[i] = i % 7 end while true do table.sort(t, function(a, b) return a <= b end) "
    "end",
    "local t = {} for i = 1, 10000 do t[i] = B end while true do table.sort(t) end",
    "while true do local _ = tonumber(B) end",
    "while true do local _ = tonumber(('9'):rep(60000)) end",
    "while true do local _ = tonumber(('9'):rep(60000), 10) end",
    "while true do local _ = math.fmod(1e308, 5e-324) end",
    "while true do local _ = (B):upper():lower():reverse() end",
    "while true do local _ = utf8.len(B) + utf8.offset(B, -1) end",
    "while true do local _ = text.split(B, 'x') end",
    "while true do local _ = text.matches(B, '*x*x*x*x*x*x*x*y') end",
    "while true do local _ = text.trim((' '):rep(60000)) end",
    "while true do local _ = B < B .. 'y' end",
    "local t = {} for i = 1, 50 do t[1 << i] = i end while true do local _ = #t end",
    /* tricks */
    "return ('x').rep.x",
    "('').rep = nil",
    "('').__index = nil",
    "string.rep = nil",
    "teams.busy = teams.away",
    "event.attributes = {}",
    "agent.states.North = 'x'",
    "error(setmetatable)",
    "return getmetatable('').__index",
    "local x <close> = teams.busy",
    "local x <close> = {}",
    "error(event)",
    "error(function() while true do end end)",
    "error(B)",
    "error('a\\nb\\27[31mc')",
    "error('\\255\\254')",
    "return event.at / 0 .. nil",
    "return 1 // 0",
    "return math.tointeger('x') + 1",
    "return ruleset { states = {} }",
    "return codes 'c.csv'",
    "return rule 'x'",
    "return load 'return 1'",
    "return _ENV.event",
    "return _G.string",
    "return tostring(event):find 'x'",
};

/* What `show` may return, badly. */
static const char *const results[] = {
    "local t = {} t[1] = t return t",
    "local t = {} for i = 1, 1000 do t = { t } end return t",
    "local t = {} for i = 1, 10000 do t[i] = teams.busy end return t",
    "return { teams.busy, teams.busy }",
    "return { x = teams.busy }",
    "return teams.busy { message = B }",
    "return teams.busy { message = '\\255' }",
    "return teams.busy { message = {} }",
    "return teams.busy { expires = B }",
    "return teams.busy { expires = '1h', delay = '2h' }",
    "return teams.busy { afterwards = { teams.busy, { } } }",
    "local t = {} t.afterwards = t return teams.busy(t)",
    "return event",
    "return agent",
    "return function() while true do end end",
    "return string",
    "return rule",
    "return 0 / 0",
    "return B",
    "return",
};

/* The longest of several pauses, on the clock on the wall and of the processor's time. */
struct measured {
  double start_ms, start_cpu_ms;
  double longest_ms, longest_cpu_ms;
  const char *what; /* took the most of the processor's time */
};

static void start(struct measured *measured)
{
  measured->start_ms = now_ms(CLOCK_MONOTONIC);
  measured->start_cpu_ms = now_ms(CLOCK_THREAD_CPUTIME_ID);
}

static void stop(struct measured *measured, const char *what)
{
  double ms = now_ms(CLOCK_MONOTONIC) - measured->start_ms;
  double cpu_ms = now_ms(CLOCK_THREAD_CPUTIME_ID) - measured->start_cpu_ms;
  if (ms > measured->longest_ms)
    measured->longest_ms = ms;
  if (cpu_ms > measured->longest_cpu_ms) {
    measured->longest_cpu_ms = cpu_ms;
    measured->what = what;
  }
}

static void tell(const char *of, const struct measured *measured)
{
  print_message(
      "longest pause of a %s: %.1f ms of CPU (%s), %.1f ms on the wall\n", of, measured->longest_cpu_ms, measured->what,
      measured->longest_ms);
}

static struct err trouble; /* of the decision made last */

static bool decide(struct ruleset *ruleset, const char *state, struct measured *measured, const char *what)
{
  static struct event event;
  static struct decision decision;
  static const struct rules_agent_state states[] = {{"North", "Ready"}};
  static const struct rules_agent agent = {"anna@contoso.com", states, 1};
  event = (struct event){.at_ms = 1767614400000, .attribute_count = 1};
  str_cut(event.agent, sizeof event.agent, agent.upn);
  str_cut(event.ucc, sizeof event.ucc, "North");
  str_cut(event.state, sizeof event.state, state);
  event.attributes[0] = (struct attribute){.type = ATTRIBUTE_STRING, .name = "team", .text = "B"};
  start(measured);
  bool ok = ruleset_decide(ruleset, &event, event.at_ms, event.at_ms, &agent, &decision, &trouble);
  stop(measured, what);
  return ok && decision.kind == DECISION_KEEP && strcmp(decision.rule, "rule \"next\"") == 0;
}

static bool is_one_line(const char *text)
{
  for (; *text != '\0'; text++)
    if ((unsigned char)*text < 0x20 || *text == 0x7F)
      return false;
  return true;
}

/* `rule` is the bad one; it answers events of state A only. */
static int survive(const char *rule, const char *what, struct measured *measured)
{
  static char text[8192];
  struct err err = ERR_INIT;
  snprintf(
      text, sizeof text,
      "local B = ('x'):rep(60000)\nruleset { rules = { %s,\nrule 'next' { when = {}, show = keep } } }", rule);
  double start_ms = now_ms(CLOCK_MONOTONIC);
  struct ruleset *ruleset = load(text, &err);
  if (ruleset == NULL) { /* what the loader sees already */
    if (str_starts(err.text, "c.lua:") && is_one_line(err.text))
      return 0;
    print_error("%s\n  refused: %s\n", what, err.text);
    return 1;
  }
  int wrong = 0;
  for (int round = 0; round < 2; round++) {
    if (!decide(ruleset, "A", measured, what) || trouble.kind == ERR_NONE || !str_starts(trouble.text, "c.lua") ||
        !is_one_line(trouble.text) || !str_is_utf8(trouble.text, strlen(trouble.text))) {
      print_error("%s\n  gave: %s\n", what, trouble.text);
      wrong++;
    }
    if (!decide(ruleset, "B", measured, what) || trouble.kind != ERR_NONE) {
      print_error("%s\n  left: %s\n", what, trouble.text);
      wrong++;
    }
  }
  if (now_ms(CLOCK_MONOTONIC) - start_ms > 5000) {
    print_error("%s\n  took %.0f ms\n", what, now_ms(CLOCK_MONOTONIC) - start_ms);
    wrong++;
  }
  ruleset_free(ruleset);
  return wrong;
}

static void rules_do_no_harm(void **state UNUSED)
{
  static char rule[4096];
  struct measured measured = {0};
  int wrong = 0;
  for (size_t i = 0; i < COUNT_OF(bodies); i++) {
    snprintf(
        rule, sizeof rule,
        "rule 'bad' { when = function(event, agent) if event.state ~= 'A' then return false end\n%s end, show = clear "
        "}",
        bodies[i]);
    wrong += survive(rule, bodies[i], &measured);
  }
  for (size_t i = 0; i < COUNT_OF(results); i++) {
    snprintf(
        rule, sizeof rule, "rule 'bad' { when = { state = 'A' }, show = function(event, agent)\n%s end }", results[i]);
    wrong += survive(rule, results[i], &measured);
  }
  tell("decision", &measured);
  assert_int_equal(wrong, 0);
}

/* Files that do harm while they are read. %s is 20,000 times the second text. */
static const struct {
  const char *format, *many;
} files[] = {
    {"local x = %s", "("},
    {"local x = %s", "{"},
    {"local x = %s", "not "},
    {"local x = %s", "- "},
    {"local x = 1 %s 1", ".. 1 "},
    {"%s", "do "},
    {"%s", "function() "},
    {"ruleset { reasons = { %s } }", "x = clear, "},
    {"ruleset { rules = { %s } }", "{}, "},
    {"ruleset { states = { A = teams.away { message = '%s' } } }", "{reason}"},
    {"ruleset { rules = { rule '%s' { when = {}, show = clear } } }", "x"},
    {"ruleset { rules = { rule 'x' { when = { days = '%s' }, show = clear } } }", "Mon,"},
    {"ruleset { rules = { rule 'x' { when = { between = { %s } }, show = clear } } }", "'08:00-09:00',"},
    {"ruleset { extends = { %s } }", "'a',"},
    {"%s", "[=[ "},
    {"%s", "-- x\n"},
    {"%s", "\n1:1 = x"},
    {"while true do end%s", " "},
    {"local t = {} while true do t[#t + 1] = %s {} end", " "},
    {"local function f() return pcall(f) end while true do f() end%s", " "},
    {"local function f() return 1 + f() end f()%s", " "},
    {"error(('x'):rep(60000))%s", " "},
    {"error('a\\nb')%s", " "},
    {"local s = ('x'):rep(65536) while true do s = s .. s end%s", " "},
    {"for i = 1, 1e9 do rule('r' .. i) end%s", " "},
    {"for i = 1, 1e9 do codes('r' .. i) end%s", " "},
    {"for i = 1, 1e9 do local _ = teams.busy { expires = '1h' } end%s", " "},
};

static void files_do_no_harm(void **state UNUSED)
{
  enum { MANY = 20000, SIZE = 512 * 1024 };
  char *many = must_alloc(SIZE), *text = must_alloc(SIZE);
  struct measured measured = {0};
  int wrong = 0;
  for (size_t i = 0; i < COUNT_OF(files); i++) {
    struct err err = ERR_INIT;
    size_t length = strlen(files[i].many);
    for (size_t n = 0; n < MANY; n++)
      memcpy(many + n * length, files[i].many, length + 1);
    const char *middle = strstr(files[i].format, "%s");
    snprintf(text, SIZE, "%.*s%s%s", (int)(middle - files[i].format), files[i].format, many, middle + 2);
    start(&measured);
    struct ruleset *ruleset = load(text, &err);
    stop(&measured, files[i].format);
    if (ruleset != NULL || !str_starts(err.text, "c.lua") || !is_one_line(err.text)) {
      print_error("%s with %s\n  gave: %s\n", files[i].format, files[i].many, err.text);
      wrong++;
    }
    ruleset_free(ruleset);
  }
  free(many);
  free(text);
  tell("load", &measured);
  assert_int_equal(wrong, 0);
}

/* A rule that remembers more and more is stopped before it takes the host's memory; all else goes on. */
static void memory_does_not_creep(void **state UNUSED)
{
  struct err err = ERR_INIT;
  struct measured measured = {0};
  struct ruleset *ruleset = load(
      "local kept = {}\nruleset { rules = { rule 'bad' { when = function(event) for i = 1, 50 do\n"
      "kept[#kept + 1] = event.state .. #kept .. ('x'):rep(1000) end return false end, show = clear },\n"
      "rule 'next' { when = {}, show = keep } } }",
      &err);
  assert_non_null(ruleset);
  for (int i = 0; i < 2000; i++)
    assert_true(decide(ruleset, "A", &measured, "kept"));
  assert_true(str_starts(trouble.text, "c.lua: its functions keep "));
  assert_true(ruleset_memory_bytes(ruleset) < 24 * 1024 * 1024);
  ruleset_free(ruleset);
}

/* Accounts have VMs of their own: whatever one tries, the other decides as before. */
static void accounts_do_not_meet(void **state UNUSED)
{
  struct err err = ERR_INIT;
  struct measured measured = {0};
  struct ruleset *victim = load(
      "ruleset { rules = { rule 'next' { when = function(event) return text.trim(' ' .. event.state) == 'A' and\n"
      "('x'):rep(2) == 'xx' end, show = keep } } }",
      &err);
  assert_non_null(victim);
  static const char *const attacks[] = {
      "string.rep = function() return '' end",
      "text.trim = function() return '' end",
      "('x').rep = 1",
      "keep = clear",
      "pcall(function() string.rep = nil end) pcall(function() text.trim = nil end)",
      "local s = string pcall(function() s.rep = nil end)",
      "while true do end",
  };
  for (size_t i = 0; i < COUNT_OF(attacks); i++) {
    char text[512];
    snprintf(
        text, sizeof text,
        "ruleset { rules = { rule 'bad' { when = function() %s end, show = clear }, rule 'next' { when = {}, show = "
        "keep "
        "} } }",
        attacks[i]);
    struct ruleset *attacker = load(text, &err);
    if (attacker != NULL)
      assert_true(decide(attacker, "A", &measured, attacks[i]));
    assert_true(decide(victim, "A", &measured, attacks[i]));
    assert_int_equal(trouble.kind, ERR_NONE);
    ruleset_free(attacker);
  }
  ruleset_free(victim);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rules_do_no_harm),
      cmocka_unit_test(files_do_no_harm),
      cmocka_unit_test(memory_does_not_creep),
      cmocka_unit_test(accounts_do_not_meet),
  };
  return cases_run(argc, argv, tests, set_up, tear_down);
}
