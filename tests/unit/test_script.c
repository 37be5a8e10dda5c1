/* Scripts over a fake port: its clock is a number and its answers come when the test says so. */
#include "cases.h"

#include "base/clock.h"
#include "base/str.h"
#include "script/script.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

enum { ASKED_MAX = 200, TEXT_SIZE = 8192 };

struct asked {
  struct script_operation operation;
  struct values *values;
  script_on_answer *on_answer;
  void *context;
  bool open, cancelled;
};

static struct world {
  struct asked asked[ASKED_MAX];
  size_t count;
  int64_t now, wake;
  char printed[TEXT_SIZE], logged[TEXT_SIZE];
  char path[64];
  struct script *script;
} world;

static void *port_submit(
    void *context UNUSED, const struct script_operation *operation, struct values *values, script_on_answer *on_answer,
    void *answer_context)
{
  must(world.count < ASKED_MAX);
  world.asked[world.count] = (struct asked){*operation, values, on_answer, answer_context, true, false};
  return &world.asked[world.count++];
}

static void port_cancel(void *context UNUSED, void *request)
{
  struct asked *asked = request;
  assert_true(asked->open);
  asked->open = false;
  asked->cancelled = true;
}

static void port_wake_at(void *context UNUSED, int64_t at_ms)
{
  world.wake = at_ms;
}

static int64_t port_now(void *context UNUSED)
{
  return world.now;
}

static void append(char to[TEXT_SIZE], const char *text)
{
  size_t length = strlen(to);
  str_cut(to + length, TEXT_SIZE - length, text);
}

static void port_log(void *context UNUSED, enum script_log level, const char *text)
{
  static const char *const names[] = {"error ", "warn ", "info ", "debug "};
  append(world.logged, names[level]);
  append(world.logged, text);
  append(world.logged, "\n");
}

static void port_print(void *context UNUSED, const char *bytes, size_t length)
{
  assert_int_equal(strlen(bytes), length);
  append(world.printed, bytes);
}

/* "e:NAME" is an event. */
static bool port_read_event(
    void *context UNUSED, const char *bytes, size_t length, struct values *values, struct value **ret_event,
    struct err *err)
{
  if (length < 2 || bytes[0] != 'e')
    return err_set(err, ERR_INPUT, "begins with no e");
  *ret_event = value_map(values);
  value_set(values, *ret_event, "agent", value_bytes(values, bytes + 2, length - 2));
  return true;
}

static const struct graph_port port = {
    .submit = port_submit,
    .cancel = port_cancel,
    .wake_at = port_wake_at,
    .now = port_now,
    .log = port_log,
    .print = port_print,
    .read_event = port_read_event};

static const struct script_limits limits = {.cpu_ms = 200, .memory_bytes = 8 * 1024 * 1024, .tasks = 1000};
static const struct script_limits policy = {.cpu_ms = 200, .memory_bytes = 8 * 1024 * 1024, .tasks = 6, .queue = 4};

static void write_file(const char *bytes, size_t length)
{
  must(str_copy(world.path, sizeof world.path, "/tmp/test_script.XXXXXX"));
  int fd = mkstemp(world.path);
  must(fd >= 0 && write(fd, bytes, length) == (ssize_t)length);
  close(fd);
}

static int end(void **state UNUSED)
{
  script_free(world.script);
  unlink(world.path);
  world = (struct world){.wake = CLOCK_NEVER};
  return 0;
}

static bool open_within(const char *text, const struct script_limits *bounds, struct err *err)
{
  static const char *const arguments[] = {"first", "second"};
  end(NULL);
  write_file(text, strlen(text));
  world.script = script_open(world.path, arguments, COUNT_OF(arguments), bounds, &port, err);
  return world.script != NULL;
}

static bool open_script(const char *text, struct err *err)
{
  return open_within(text, &limits, err);
}

/* Turns until it waits for something. */
static void turn(void)
{
  int turns = 0;
  do {
    script_turn(world.script);
    must(++turns < 10000);
  } while (world.wake <= world.now && script_state(world.script) == SCRIPT_RUNS);
}

static void run(const char *text)
{
  struct err err = ERR_INIT;
  if (!open_script(text, &err))
    fail_msg("%s: %s", text, err.text);
  turn();
}

static void answer_true(size_t index)
{
  struct asked *asked = &world.asked[index];
  must(index < world.count && asked->open);
  asked->open = false;
  struct script_answer answer = {.value = value_bool(asked->values, true), .retry_after_ms = -1};
  asked->on_answer(asked->context, &answer);
}

static void answer_failure(size_t index)
{
  struct asked *asked = &world.asked[index];
  struct script_answer answer = {.code = "throttled", .status = 429, .retry_after_ms = 1500};
  must(index < world.count && asked->open);
  asked->open = false;
  err_set(&answer.message, ERR_NET, "too fast");
  asked->on_answer(asked->context, &answer);
}

static void expect_failure(const char *says)
{
  assert_int_equal(script_state(world.script), SCRIPT_FAILED);
  if (strstr(script_err(world.script)->text, says) == NULL)
    fail_msg("%s\nsays: %s", script_err(world.script)->text, says);
}

static void test_operations(void **state UNUSED)
{
  run("graph.publish(' a@b.c ', 'Busy InACall', { hold = '1h30m', why = 'w' }) graph.publish('a', teams.busy, { hold = "
      "90 }) graph.clear('b', { hold = '5m' }) graph.release('c') graph.lookup('d') graph.presence('e') graph.auth() "
      "graph.auth('acc')");
  static const struct {
    enum script_operation_kind kind;
    const char *name;
    enum presence presence;
    int64_t hold_ms;
  } expected[] = {
      {SCRIPT_PUBLISH, "a@b.c", SESSION_IN_A_CALL, 90 * CLOCK_MINUTE},
      {SCRIPT_PUBLISH, "a", PREFERRED_BUSY, 90 * CLOCK_SECOND},
      {SCRIPT_CLEAR, "b", PRESENCE_NONE, 5 * CLOCK_MINUTE},
      {SCRIPT_RELEASE, "c", PRESENCE_NONE, -1},
      {SCRIPT_LOOKUP, "d", PRESENCE_NONE, -1},
      {SCRIPT_PRESENCE, "e", PRESENCE_NONE, -1},
      {SCRIPT_AUTH, "", PRESENCE_NONE, -1},
      {SCRIPT_AUTH, "acc", PRESENCE_NONE, -1},
  };
  for (size_t i = 0; i < COUNT_OF(expected); i++) {
    assert_int_equal(world.count, i + 1);
    const struct script_operation *operation = &world.asked[i].operation;
    assert_int_equal(operation->kind, expected[i].kind);
    assert_string_equal(operation->name, expected[i].name);
    assert_int_equal(operation->presence, expected[i].presence);
    assert_int_equal(operation->hold_ms, expected[i].hold_ms);
    assert_string_equal(operation->why, i == 0 ? "w" : "");
    assert_int_equal(script_under_way(world.script), 1);
    answer_true(i);
    turn();
  }
  assert_int_equal(script_state(world.script), SCRIPT_DONE);
}

static void test_answers(void **state UNUSED)
{
  run("print(graph.clear('a')) local ok, err = graph.clear('b') print(ok, err.code, err.message, err.status, "
      "err.retry_after, err) print(err .. '!') assert(graph.clear('c'))");
  answer_true(0);
  turn();
  answer_failure(1);
  turn();
  answer_failure(2);
  turn();
  assert_string_equal(world.printed, "true\nnil\tthrottled\ttoo fast\t429\t1.5\ttoo fast\ntoo fast!\n");
  expect_failure("too fast");
  assert_non_null(strstr(script_traceback(world.script), "in function 'assert'"));
}

static void test_sleep(void **state UNUSED)
{
  world.now = 1000;
  run("graph.each({ 3, 1, 2 }, function(s) sleep(s) print(s) end)");
  for (int i = 1; i <= 3; i++) {
    assert_int_equal(world.wake, i * 1000);
    world.now = world.wake - 1;
    turn();
    world.now++;
    turn();
    assert_int_equal(strlen(world.printed), 2 * (size_t)i);
  }
  assert_string_equal(world.printed, "1\n2\n3\n");
  assert_int_equal(script_state(world.script), SCRIPT_DONE);
}

static void test_each_keeps_to_its_concurrency(void **state UNUSED)
{
  run("local list = {} for i = 1, 50 do list[i] = 'u' .. i end\n"
      "local r, e = graph.each(list, graph.clear, { concurrency = 7 }) print(#r, #e)");
  for (size_t i = 0; i < 50; i++) {
    assert_int_equal(script_under_way(world.script), i + 7 <= 50 ? 7 : 50 - i);
    answer_true(i);
    turn();
  }
  assert_string_equal(world.printed, "50\t0\n");
  run("local list = {} for i = 1, 50 do list[i] = 'u' .. i end graph.each(list, graph.clear)");
  assert_int_equal(script_under_way(world.script), SCRIPT_CONCURRENCY);
}

static void test_error_cancels_the_others(void **state UNUSED)
{
  run("print(pcall(graph.each, { 'a', 'b', 'c' }, function(u)\n if u == 'c' then sleep(0) error('stop', 0) end "
      "graph.clear(u) end))");
  assert_true(world.asked[0].cancelled);
  assert_true(world.asked[1].cancelled);
  assert_string_equal(world.printed, "false\tstop\n");
  assert_int_equal(script_state(world.script), SCRIPT_DONE);
}

static void test_free_cancels(void **state UNUSED)
{
  run("graph.each({ 'a', 'b', 'c' }, function(u) if u == 'c' then sleep(9) else graph.clear(u) end end)");
  script_free(world.script);
  world.script = NULL;
  assert_true(world.asked[0].cancelled && world.asked[1].cancelled);
  script_free(NULL);
}

static void test_traceback(void **state UNUSED)
{
  run("local function inner(u)\n"
      "  graph.clear(u)\n"
      "  local t = nil\n"
      "  t.x = 1\n"
      "end\n"
      "graph.each({ 'a' }, function(u)\n"
      "  graph.each({ u }, inner)\n"
      "end)");
  answer_true(0);
  turn();
  expect_failure(":4: attempt to index a nil value (local 't')");
  const char *at = script_traceback(world.script);
  static const char *const lines[] = {":4: in ", ":7: in ", ":8: in "};
  for (size_t i = 0; i < COUNT_OF(lines) - 1; i++) {
    at = strstr(at, lines[i]);
    assert_non_null(at);
  }
}

static const struct {
  const char *text, *says;
} hostile[] = {
    {"while true do end", ":1: still running after 200 ms"},
    {"sleep(0) while true do pcall(function() while true do end end) end", ":1: still running"},
    {"graph.each({ 1, 2 }, function() sleep(0) repeat until false end)", ":1: still running"},
    {"pcall(graph.each, { 1 }, function() repeat until false end) print('not reached')", ":1: still running"},
    {"local t = {} while true do t[#t + 1] = {} end", "needs more than 8 MiB of memory"},
    {"local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t sleep(0) end", "needs more than 8 MiB of memory"},
    {"local s = 'x' while true do s = s .. s end", "needs more than 8 MiB of memory"},
    {"local function f() return graph.each({ 1, 2 }, f) end f()", "more than 1000 coroutines at once"},
    {"sleep('1')", ":1: argument 1 of sleep is a string"},
    {"sleep(0/0)", ":1: sleep takes from 0 to 86400 seconds"},
    {"sleep(1e300)", ":1: sleep takes from 0 to 86400 seconds"},
    {"graph.clear('a', { hold = 1/0 })", ":1: the hold of graph.clear is inf"},
    {"graph.clear('a', { hold = {} })", ":1: the hold of graph.clear is table"},
    {"graph.clear('a', { hold = -1 })", ":1: a hold of that size is no duration"},
    {"graph.clear('\\255')", ":1: \""},
    {"graph.clear('a', { why = '\\255' })", ":1: the text of why is no UTF-8"},
    {"graph.each({ 1 }, print, { concurrency = 1.5 })", ":1: the concurrency of graph.each is a whole number"},
    {"graph.each({ 1 }, print, { concurrency = print })", ":1: the concurrency of graph.each is a whole number"},
    {"error('\\255')", "?"},
    {"error(setmetatable({}, { __tostring = function() repeat until false end }))", "an error that is a table"},
    {"table.sort({ 2, 1 }, function() graph.clear('a') end)", "it is not possible to wait here"},
    {"local a = nil + 1", "attempt to perform arithmetic"},
};

static void test_hostile(void **state UNUSED)
{
  for (size_t i = 0; i < COUNT_OF(hostile); i++) {
    run(hostile[i].text);
    expect_failure(hostile[i].says);
    assert_string_equal(world.printed, "");
    assert_non_null(strstr(script_traceback(world.script), "stack traceback:"));
    turn(); /* nothing more comes of it */
    assert_int_equal(world.wake, CLOCK_NEVER);
  }
}

static void test_output_comes_before_the_failure(void **state UNUSED)
{
  run("print('a') log('warn', 'b\\nc') table.sort({ 2, 1 }, function() print('d') error('stop') end)");
  assert_string_equal(world.printed, "a\nd\n");
  assert_string_equal(world.logged, "warn b\nc\n");
  expect_failure("stop");
}

static void test_result(void **state UNUSED)
{
  run("return false");
  assert_int_equal(script_state(world.script), SCRIPT_SAID_NO);
  run("assert(arg[1] == 'first' and (...) == 'first' and select('#', ...) == 2)");
  assert_int_equal(script_state(world.script), SCRIPT_DONE);
}

static void test_files_that_do_not_open(void **state UNUSED)
{
  struct err err = ERR_INIT;
  assert_null(script_open("/nonexistent/x.lua", NULL, 0, &limits, &port, &err));
  assert_int_equal(err.kind, ERR_CONFIG);
  assert_null(script_open("/dev/zero", NULL, 0, &limits, &port, &err));
  assert_false(open_script("local x = = 1", &err));
  assert_int_equal(err.kind, ERR_RULE);
  assert_non_null(strstr(err.text, ":1: unexpected symbol"));
}

/* A script's own file does for a recording. */
static void test_reading(void **state UNUSED)
{
  run("for event, line in assert(events(arg[0])) do print(line, event.agent) end do return end --[[\n"
      "e:one\n\nx\ne:two\n]]");
  assert_string_equal(world.printed, "2\tone\n5\ttwo\n");
  assert_int_equal(strncmp(world.logged, "warn /tmp/test_script.", 22), 0);
  assert_non_null(strstr(world.logged, ":4: no event, skipped: begins with no e"));
  char table[64] = "/tmp/test_script.XXXXXX", text[256];
  static const char rows[] = "\xEF\xBB\xBF"
                             "a;b, c\r\n1;\"2 \"\"x\"\"\n3\"\n\n 5 \n;6";
  int fd = mkstemp(table);
  must(fd >= 0 && write(fd, rows, sizeof rows - 1) == sizeof rows - 1);
  close(fd);
  snprintf(text, sizeof text, "for row, line in rows('%s') do print(line, row.a, row['b, c']) end", table);
  run(text);
  unlink(table);
  assert_string_equal(world.printed, "2\t1\t2 \"x\"\n3\n5\t5\t\n6\t\t6\n");
  run("local open = {} for i = 1, 17 do local next, err = rows(arg[0]) open[i] = next if err then print(i, err.code) "
      "end "
      "end");
  assert_string_equal(world.printed, "17\ttoo_many_files\n");
}

/* ---- hooks */

static void run_policy(const char *text)
{
  int64_t now = world.now;
  struct err err = ERR_INIT;
  if (!open_within(text, &policy, &err))
    fail_msg("%s: %s", text, err.text);
  world.now = now;
  turn();
}

static void notify(enum script_hook kind, const char *first)
{
  struct values values = {0};
  struct value *one = value_string(&values, first), *two = value_map(&values);
  value_set(&values, two, "rule", value_string(&values, "r"));
  script_notify(world.script, kind, &values, one, two);
}

/* So that each step shows what was printed since the one before. */
static void expect_printed(const char *text)
{
  assert_string_equal(world.printed, text);
  *world.printed = '\0';
}

static void test_hooks_are_called(void **state UNUSED)
{
  run_policy("on.decision(function(e, d) print('one', e, d.rule) end) on.outcome(function(u) print('out', u) end) "
             "on.decision(function(e) print('two', e) end) print('main')");
  expect_printed("main\n");
  assert_int_equal(script_state(world.script), SCRIPT_RUNS);
  assert_int_equal(world.wake, CLOCK_NEVER);
  assert_true(script_has_hook(world.script, SCRIPT_ON_OUTCOME) && !script_has_hook(world.script, SCRIPT_AT));
  notify(SCRIPT_ON_DECISION, "a");
  notify(SCRIPT_ON_OUTCOME, "b");
  assert_true(script_is_busy(world.script));
  turn();
  expect_printed("one\ta\tr\ntwo\ta\nout\tb\n");
  assert_false(script_is_busy(world.script));
  assert_int_equal(script_figures(world.script).calls, 0);
}

static void test_a_policy_without_hooks_ends(void **state UNUSED)
{
  run_policy("sleep(1)");
  assert_int_equal(script_state(world.script), SCRIPT_RUNS);
  world.now += 1000;
  turn();
  assert_int_equal(script_state(world.script), SCRIPT_DONE);
}

/* Half of the coroutines may be calls, the queue holds four more, and the rest is counted. */
static void test_the_queue_is_bounded(void **state UNUSED)
{
  run_policy("on.decision(function(e) graph.clear(e) print(e) end)");
  static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
  for (size_t i = 0; i < COUNT_OF(names); i++) {
    notify(SCRIPT_ON_DECISION, names[i]);
    if (i == 2)
      turn();
  }
  turn();
  struct script_figures figures = script_figures(world.script);
  assert_int_equal(figures.calls, 3);
  assert_int_equal(figures.queued, 4);
  assert_int_equal(figures.dropped, 1);
  assert_int_equal(world.wake, CLOCK_NEVER); /* only an answer can make it go on */
  for (size_t i = 0; i < 7; i++) {
    answer_true(i);
    turn();
  }
  expect_printed("a\nb\nc\nd\ne\nf\ng\n");
}

static void test_every(void **state UNUSED)
{
  world.now = 1000;
  run_policy("every('5m', function() print('beat') graph.clear('x') end)");
  assert_int_equal(world.wake, 1000 + 5 * CLOCK_MINUTE);
  world.now = world.wake;
  turn();
  expect_printed("beat\n");
  world.now = world.wake; /* the call before has not returned: this one is left out */
  turn();
  expect_printed("");
  answer_true(0);
  turn();
  world.now += CLOCK_DAY; /* nobody looked for a day: one call, not many */
  turn();
  expect_printed("beat\n");
  assert_int_equal(world.wake, world.now + 5 * CLOCK_MINUTE);
  answer_true(1);
  turn();
  world.now -= 10 * CLOCK_DAY; /* the clock was set */
  turn();
  assert_int_equal(world.wake, world.now + 5 * CLOCK_MINUTE);
}

static int64_t moment(const char *text)
{
  int64_t ms = 0;
  must(clock_parse_rfc3339(text, &ms));
  return ms;
}

static void expect_calls(const char *const *moments, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    assert_int_equal(world.wake, moment(moments[i]));
    world.now = world.wake;
    turn();
    expect_printed("now\n");
  }
}

/* Once a day, whatever the clock on the wall does. */
static void test_at(void **state UNUSED)
{
  static const char *const evening[] = {
      "2026-03-28T18:00:00+01:00", "2026-03-29T18:00:00+02:00", "2026-03-30T18:00:00+02:00"};
  static const char *const gap[] = {
      "2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"};
  static const char *const overlap[] = {
      "2026-10-24T02:30:00+02:00", "2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"};
  world.now = moment("2026-03-28T00:00:00Z");
  run_policy("at('18:00 Europe/Amsterdam', function() print('now') end)");
  expect_calls(evening, COUNT_OF(evening));
  world.now = moment("2026-03-28T00:00:00Z");
  run_policy("at('02:30 Europe/Amsterdam', function() print('now') end)");
  expect_calls(gap, COUNT_OF(gap));
  world.now = moment("2026-10-24T00:00:00Z");
  run_policy("at('02:30 Europe/Amsterdam', function() print('now') end)");
  expect_calls(overlap, COUNT_OF(overlap));
}

static void test_hooks_that_are_wrong(void **state UNUSED)
{
  static const struct {
    const char *text, *says;
  } cases[] = {
      {"every('soon', print)", ":1: a time of soon is no duration"},
      {"every(0.5, print)", ":1: every takes a duration from 1s to 7d"},
      {"every(nil, print)", ":1: argument 1 of every is missing"},
      {"every('5m')", ":1: argument 2 of every is missing"},
      {"at('18:00', print)", ":1: \"18:00\" is no time of day with its zone"},
      {"at('24:00 UTC', print)", "is no time of day"},
      {"at('6 pm', print)", "is no time of day"},
      {"at('18:00 Europe/Amsterdan', print)", "Europe/Amsterdan\"; did you mean"},
      {"on.decision('x')", ":1: argument 1 of on.decision is a string"},
      {"for _ = 1, 65 do on.outcome(print) end", ":1: more than 64 hooks"},
      {"on.decision(function() local x = nil + 1 end)", ":1: attempt to perform arithmetic on a nil value"},
      {"on.decision(function() while true do end end)", ":1: still running after 200 ms"},
      {"on.decision(function() graph.each({1, 2}, function() error('inner') end) end)", ":1: inner"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    run_policy(cases[i].text);
    if (script_state(world.script) == SCRIPT_RUNS) {
      notify(SCRIPT_ON_DECISION, "a");
      turn();
    }
    expect_failure(cases[i].says);
    assert_non_null(strstr(script_traceback(world.script), ":1: in "));
  }
  run("every('5m', print)");
  expect_failure(":1: every is not available: the daemon calls hooks");
}

static void test_free_with_hooks(void **state UNUSED)
{
  run_policy("at('18:00 UTC', print) on.decision(function(e) graph.clear(e) end)");
  for (int i = 0; i < 4; i++)
    notify(SCRIPT_ON_DECISION, "a");
  turn();
  script_free(world.script);
  world.script = NULL;
  for (size_t i = 0; i < world.count; i++)
    assert_true(world.asked[i].cancelled);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(test_operations, end),
      cmocka_unit_test_teardown(test_answers, end),
      cmocka_unit_test_teardown(test_sleep, end),
      cmocka_unit_test_teardown(test_each_keeps_to_its_concurrency, end),
      cmocka_unit_test_teardown(test_error_cancels_the_others, end),
      cmocka_unit_test_teardown(test_free_cancels, end),
      cmocka_unit_test_teardown(test_traceback, end),
      cmocka_unit_test_teardown(test_hostile, end),
      cmocka_unit_test_teardown(test_output_comes_before_the_failure, end),
      cmocka_unit_test_teardown(test_result, end),
      cmocka_unit_test_teardown(test_files_that_do_not_open, end),
      cmocka_unit_test_teardown(test_reading, end),
      cmocka_unit_test_teardown(test_hooks_are_called, end),
      cmocka_unit_test_teardown(test_a_policy_without_hooks_ends, end),
      cmocka_unit_test_teardown(test_the_queue_is_bounded, end),
      cmocka_unit_test_teardown(test_every, end),
      cmocka_unit_test_teardown(test_at, end),
      cmocka_unit_test_teardown(test_hooks_that_are_wrong, end),
      cmocka_unit_test_teardown(test_free_with_hooks, end),
  };
  return cases_run(argc, argv, tests, NULL, NULL);
}
