/* How fast rules decide, against the plainest thing one could write instead.
 *
 * Ours: ruleset_decide() on a decoded event, up to a checked `struct decision`: marshalling, budget, index, result.
 * Peer: stock Lua without limits. The same 20 rules as functions, tried in order, then the same 200 codes and the
 * states as tables; a new event table for each event, lua_pcall, two results read, nothing checked. It compares texts
 * as they are, where ours folds case and spaces.
 *
 * Both see the same events in one process, in turns, and must agree on every one of them before the clock starts. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "rules/rules.h"
#include "rules/test.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
  CODES = 200,
  RULES = 20,
  EVENTS = 1000, /* different ones, again and again */
  PASSES = 200,  /* over the events, in one round */
  ROUNDS = 7,    /* of each side; the middle one counts */
  BIG_CODES = 5000,
  BIG_TESTS = 100,
  RELOADS = 9,
  TEXT_MAX = 1024 * 1024,
};

static const struct rules_limits limits = {5, 1000, 4 * 1024 * 1024, 32 * 1024 * 1024};
static const char *const presences[] = {"teams.busy", "teams.away", "teams.be_right_back", "teams.do_not_disturb"};
static char folder[] = "/tmp/presenced-bench-XXXXXX";

static double now_s(void)
{
  struct timespec now;
  must(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int by_size(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double middle(double *numbers, size_t count)
{
  qsort(numbers, count, sizeof *numbers, by_size);
  return numbers[count / 2];
}

/* The same sequence in every run. */
static uint32_t next_number(uint32_t *seed, uint32_t below)
{
  *seed = *seed * 1664525u + 1013904223u;
  return (*seed >> 8) % below;
}

static void write_file(const char *name, const struct buf *text)
{
  must(!text->overflow);
  FILE *file = fopen(name, "we");
  must(file != NULL);
  must(fwrite(buf_text(text), 1, text->length, file) == text->length);
  must(fclose(file) == 0);
}

static struct ruleset *load(const char *path)
{
  struct err err = ERR_INIT;
  struct ruleset *ruleset = ruleset_load(path, &limits, 1, &err);
  if (ruleset == NULL) {
    fprintf(stderr, "bench_rules: %s\n", err.text);
    exit(1);
  }
  return ruleset;
}

/* ---- The same rules twice ----
 *
 * Every fourth rule looks at attributes alone, so no index can pass it by; the others name a state and two reasons. */

static void write_ours(void)
{
  struct buf text;
  buf_init(&text, TEXT_MAX);
  buf_add_str(&text, "ruleset {\n  rules = {\n");
  for (int i = 0; i < RULES; i++) {
    buf_addf(&text, "    rule \"rule %d\" { when = { team = \"T%d\", ", i, i);
    if (i % 4 == 0)
      buf_addf(&text, "queue = \"Q%d\" }", i);
    else
      buf_addf(&text, "state = \"NotReady\", reason = { \"C%d\", \"C%d\" } }", i, i + 100);
    buf_addf(&text, ", show = %s, expires = \"%dm\" },\n", presences[i % 4], i + 1);
  }
  buf_add_str(&text, "  },\n  reason_states = { \"NotReady\" },\n  reasons = {\n");
  for (int i = 0; i < CODES; i++)
    buf_addf(&text, "    C%d = %s { expires = \"%dm\" },\n", i, presences[i % 4], 100 + i);
  buf_add_str(
      &text, "  },\n  states = { Ready = teams.available { expires = \"1h\" }, Talking = teams.in_a_call { expires = "
             "\"2h\" }, NotReady = teams.away { expires = \"3h\" } },\n}\n");
  write_file("bench.lua", &text);
  buf_release(&text);
}

static lua_State *new_peer(void)
{
  struct buf text;
  buf_init(&text, TEXT_MAX);
  buf_add_str(&text, "local rules = {\n");
  for (int i = 0; i < RULES; i++) {
    buf_addf(&text, "  function(e) if e.attributes.team == 'T%d' and ", i);
    if (i % 4 == 0)
      buf_addf(&text, "e.attributes.queue == 'Q%d'", i);
    else
      buf_addf(&text, "e.state == 'NotReady' and (e.reason == 'C%d' or e.reason == 'C%d')", i, i + 100);
    buf_addf(&text, " then return '%s', %d end end,\n", presences[i % 4], (i + 1) * 60000);
  }
  buf_add_str(&text, "}\nlocal codes = {\n");
  for (int i = 0; i < CODES; i++)
    buf_addf(&text, "  C%d = { '%s', %d },\n", i, presences[i % 4], (100 + i) * 60000);
  buf_add_str(
      &text, "}\nlocal states = { Ready = { 'teams.available', 3600000 }, Talking = { 'teams.in_a_call', 7200000 },\n"
             "  NotReady = { 'teams.away', 10800000 } }\n"
             "return function(e)\n"
             "  for i = 1, #rules do\n"
             "    local presence, hold = rules[i](e)\n"
             "    if presence then return presence, hold end\n"
             "  end\n"
             "  local found = e.state == 'NotReady' and codes[e.reason] or states[e.state]\n"
             "  return found[1], found[2]\n"
             "end\n");
  must(!text.overflow);
  lua_State *L = luaL_newstate();
  must(L != NULL);
  luaL_openlibs(L);
  must(luaL_loadbuffer(L, buf_text(&text), text.length, "=peer") == LUA_OK && lua_pcall(L, 0, 1, 0) == LUA_OK);
  buf_release(&text);
  return L; /* the function stays at index 1 */
}

static struct event *make_events(void)
{
  static const char *const states[] = {"Ready", "Talking"};
  struct event *events = must_alloc(EVENTS * sizeof *events);
  uint32_t seed = 1;
  for (int i = 0; i < EVENTS; i++) {
    struct event *event = &events[i];
    bool coded = next_number(&seed, 10) < 7; /* most changes bear a code */
    snprintf(event->agent, sizeof event->agent, "agent%d@contoso.com", i);
    str_cut(event->ucc, sizeof event->ucc, "default");
    str_cut(event->state, sizeof event->state, coded ? "NotReady" : states[next_number(&seed, 2)]);
    if (coded)
      snprintf(event->reason, sizeof event->reason, "C%u", next_number(&seed, CODES));
    event->at_ms = INT64_C(1767614400000) + i;
    event->attribute_count = 2;
    str_cut(event->attributes[0].name, sizeof event->attributes[0].name, "queue");
    snprintf(event->attributes[0].text, EVENT_ATTRIBUTE_SIZE, "Q%u", next_number(&seed, RULES));
    str_cut(event->attributes[1].name, sizeof event->attributes[1].name, "team");
    snprintf(event->attributes[1].text, EVENT_ATTRIBUTE_SIZE, "T%u", next_number(&seed, RULES));
  }
  return events;
}

/* ---- The two sides ---- */

static void decide_ours(struct ruleset *ruleset, const struct event *event, struct decision *decision)
{
  const struct rules_agent agent = {.upn = event->agent};
  struct err trouble = ERR_INIT;
  must(ruleset_decide(ruleset, event, event->at_ms, event->at_ms, &agent, decision, &trouble));
  must(trouble.kind == ERR_NONE);
}

static void set_text(lua_State *L, const char *name, const char *text)
{
  lua_pushstring(L, text);
  lua_setfield(L, -2, name);
}

/* Leaves presence and hold on the stack. */
static void call_peer(lua_State *L, const struct event *event)
{
  lua_settop(L, 1);
  lua_pushvalue(L, 1);
  lua_createtable(L, 0, 7);
  set_text(L, "agent", event->agent);
  set_text(L, "state", event->state);
  if (*event->reason != '\0')
    set_text(L, "reason", event->reason);
  set_text(L, "ucc", event->ucc);
  lua_pushinteger(L, event->at_ms);
  lua_setfield(L, -2, "at");
  lua_pushinteger(L, event->at_ms);
  lua_setfield(L, -2, "since");
  lua_createtable(L, 0, (int)event->attribute_count);
  for (size_t i = 0; i < event->attribute_count; i++)
    set_text(L, event->attributes[i].name, event->attributes[i].text);
  lua_setfield(L, -2, "attributes");
  must(lua_pcall(L, 1, 2, 0) == LUA_OK);
}

static void check_agreement(struct ruleset *ruleset, lua_State *L, const struct event *events)
{
  for (int i = 0; i < EVENTS; i++) {
    struct decision decision;
    decide_ours(ruleset, &events[i], &decision);
    call_peer(L, &events[i]);
    enum presence peer;
    must(presence_parse(lua_tostring(L, -2), &peer));
    enum presence ours = decision.session != PRESENCE_NONE ? decision.session : decision.preferred;
    if (ours != peer || decision.hold_ms != lua_tointeger(L, -1)) {
      fprintf(stderr, "bench_rules: the two disagree on event %d (%s)\n", i, decision.rule);
      exit(1);
    }
  }
}

static double time_ours(struct ruleset *ruleset, const struct event *events)
{
  struct decision decision;
  double begin = now_s();
  for (int pass = 0; pass < PASSES; pass++)
    for (int i = 0; i < EVENTS; i++)
      decide_ours(ruleset, &events[i], &decision);
  return (now_s() - begin) / PASSES / EVENTS;
}

static double time_peer(lua_State *L, const struct event *events)
{
  lua_Integer holds = 0; /* read, so that the work cannot be left out */
  double begin = now_s();
  for (int pass = 0; pass < PASSES; pass++)
    for (int i = 0; i < EVENTS; i++) {
      call_peer(L, &events[i]);
      must(lua_tostring(L, -2) != NULL);
      holds += lua_tointeger(L, -1);
    }
  must(holds > 0);
  return (now_s() - begin) / PASSES / EVENTS;
}

static void bench_decisions(void)
{
  write_ours();
  struct ruleset *ruleset = load("bench.lua");
  lua_State *L = new_peer();
  struct event *events = make_events();
  double ours[ROUNDS], peer[ROUNDS];
  check_agreement(ruleset, L, events);
  for (int i = 0; i < ROUNDS; i++) {
    ours[i] = time_ours(ruleset, events);
    peer[i] = time_peer(L, events);
  }
  double our_time = middle(ours, ROUNDS), peer_time = middle(peer, ROUNDS);
  printf("decisions, %d codes and %d conditional rules, middle of %d rounds:\n", CODES, RULES, ROUNDS);
  printf("  ruleset_decide    %7.3f us  %9.0f/s\n", our_time * 1e6, 1 / our_time);
  printf("  bare lua_pcall    %7.3f us  %9.0f/s\n", peer_time * 1e6, 1 / peer_time);
  printf("  ratio             %7.2f     (above 1: ours is faster)\n", peer_time / our_time);
  free(events);
  lua_close(L);
  ruleset_free(ruleset);
}

/* ---- Reload and memory ---- */

/* As a reload does it: read, compile, lint, run its tests. NULL: the ruleset inside the program. */
static void time_reload(const char *path, const char *what)
{
  double times[RELOADS];
  size_t memory = 0;
  for (int i = 0; i < RELOADS; i++) {
    struct err err = ERR_INIT;
    double begin = now_s();
    struct ruleset *ruleset = load(path);
    if (!ruletests_pass(ruleset, RULETESTS_CPU_MS, &err)) {
      fprintf(stderr, "bench_rules: %s\n", err.text);
      exit(1);
    }
    times[i] = now_s() - begin;
    memory = ruleset_memory_bytes(ruleset);
    ruleset_free(ruleset);
  }
  printf("  %-24s %7.1f ms  %6zu KiB\n", what, middle(times, RELOADS) * 1e3, memory / 1024);
}

static void write_big(const char *name, const char *reasons)
{
  struct buf text;
  buf_init(&text, TEXT_MAX);
  buf_addf(&text, "ruleset {\n  reasons = %s,\n", reasons);
  buf_add_str(&text, "  states = { NotReady = teams.away, LoggedOff = clear },\n  tests = {\n");
  for (int i = 0; i < BIG_TESTS; i++)
    buf_addf(
        &text, "    { \"test %d\", { state = \"NotReady\", reason = \"C%d\" }, %s },\n", i, i * 4,
        presences[i * 4 % 4]);
  buf_add_str(&text, "  },\n}\n");
  write_file(name, &text);
  buf_release(&text);
}

static void bench_reload(void)
{
  struct buf table, sheet;
  buf_init(&table, TEXT_MAX);
  buf_init(&sheet, TEXT_MAX);
  buf_add_str(&table, "{\n");
  buf_add_str(&sheet, "code,show,expires,message\n");
  for (int i = 0; i < BIG_CODES; i++) {
    buf_addf(&table, "    C%d = %s { expires = \"%dm\" },\n", i, presences[i % 4], 1 + i % 300);
    buf_addf(&sheet, "C%d,%s,%dm,\n", i, presences[i % 4], 1 + i % 300);
  }
  buf_add_str(&table, "  }");
  write_big("table.lua", buf_text(&table));
  write_big("sheet.lua", "codes \"sheet.csv\"");
  write_file("sheet.csv", &sheet);
  printf("reloading a ruleset with its tests, middle of %d, and the memory of its VM:\n", RELOADS);
  time_reload("table.lua", "5000 codes, a table");
  time_reload("sheet.lua", "5000 codes, codes.csv");
  time_reload(NULL, "default.lua");
  must(unlink("table.lua") == 0 && unlink("sheet.lua") == 0 && unlink("sheet.csv") == 0);
  buf_release(&table);
  buf_release(&sheet);
}

int main(void)
{
  must(mkdtemp(folder) != NULL && chdir(folder) == 0);
  bench_decisions();
  bench_reload();
  must(unlink("bench.lua") == 0);
  must(chdir("/") == 0 && rmdir(folder) == 0);
  return 0;
}
