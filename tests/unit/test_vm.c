/* The one door to Lua, with a corpus of hostile code behind it: every entry must come back with the right error in
 * little time, and the state must be usable afterwards. */
#include "cases.h"

#include "adapters/vm.h"
#include "base/clock.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* `run` loads what it is given as a customer's chunk, called customer.lua, and calls it. */
static const char module[] = "local M = {}\n"
                             "function M.run(text) return assert(load(text, '@customer.lua', 't'))() end\n"
                             "function M.echo(...) return ... end\n"
                             "function M.fail() error('contoso.lua:3: wrong; mend it', 0) end\n"
                             "function M.thread(text) local f = assert(load(text, '@customer.lua', 't'))\n"
                             "return f(coroutine.yield) end\n"
                             "return M\n";

static struct vm *vm;

static int set_up(void **state UNUSED)
{
  struct err err = ERR_INIT;
  vm = vm_new(&err);
  if (vm == NULL)
    return 1;
  return !vm_load(vm, "m", module, sizeof module - 1, &err);
}

static int tear_down(void **state UNUSED)
{
  vm_free(vm);
  vm_free(NULL);
  return 0;
}

static const struct vm_budget budget = {.cpu_ms = 50, .memory_bytes = 4 * 1024 * 1024};
/* For what has an end: where the host is busy, time passes that nobody has used. */
static const struct vm_budget patient = {.cpu_ms = 3000, .memory_bytes = 4 * 1024 * 1024};

static bool run(
    const char *text, const struct vm_budget *limits, struct values *values, struct value **ret_result, struct err *err)
{
  struct value *source = value_string(values, text);
  const struct value *arguments[] = {source};
  return vm_call(vm, "m", "run", arguments, 1, limits, ERR_RULE, values, ret_result, err);
}

struct hostile {
  const char *name, *text;
  enum err_kind kind;
  const char *why; /* part of the error's text */
  bool patient;    /* it has an end, of another kind than its time */
};

static const struct hostile corpus[] = {
    {"endless loop", "while true do end", ERR_LIMIT, "customer.lua:1: still running after 50 ms", false},
    {"place is the line", "local function f()\n\nwhile true do end\nend\nf()", ERR_LIMIT, "customer.lua:3:", false},
    {"endless repeat", "repeat local x = 1 until false", ERR_LIMIT, "still running", false},
    {"endless goto", "::again:: goto again", ERR_LIMIT, "still running", false},
    {"endless for", "for i = 1, math.huge do end", ERR_LIMIT, "still running", false},
    {"endless in pcall", "while true do pcall(function() while true do end end) end", ERR_LIMIT, "still running",
     false},
    {"pcall of pcall", "local function f() pcall(f) while true do end end f()", ERR_LIMIT, "customer.lua:1:", false},
    {"caught, then another loop", "pcall(function() while true do end end) while true do end", ERR_LIMIT, "still",
     false},
    {"caught, then a result", "pcall(function() while true do end end) return 1", ERR_LIMIT, "still running", false},
    {"sort comparator",
     "local t = {} for i = 1, 100 do t[i] = i end\n"
     "table.sort(t, function() while true do end end)",
     ERR_LIMIT, "customer.lua:2:", false},
    {"close", "local x <close> = setmetatable({}, {__close = function() while true do end end})", ERR_LIMIT, "still",
     false},
    {"iterator", "for _ in function() return 1 end do end", ERR_LIMIT, "still running", false},
    {"metamethod", "local t = setmetatable({}, {__index = function(t, k) return t[k .. 'x'] end}) return t.x", ERR_RULE,
     "overflow", true},
    {"many small pieces", "local t = {} while true do t[#t + 1] = {} end", ERR_LIMIT, "", true},
    {"growing text", "local s = 'x' while true do s = s .. s end", ERR_LIMIT, "needs more than 4 MiB", true},
    {"growing text in pcall", "local s = 'x' while true do pcall(function() s = s .. s end) end", ERR_LIMIT, "", true},
    {"one huge allocation", "return #string.rep('x', 1 << 30)", ERR_LIMIT, "needs more than 4 MiB", true},
    {"one huge allocation, caught", "pcall(string.rep, 'x', 1 << 30) return {f = print}", ERR_RULE, "a function", true},
    {"huge table", "return table.pack(table.unpack({}, 1, 900000))", ERR_LIMIT, "needs more than 4 MiB", true},
    {"endless recursion", "local function f() return 1 + f() end f()", ERR_LIMIT,
     "customer.lua:1: needs more than 4 MiB", true},
    {"recursion through pcall", "local function f() pcall(f) pcall(f) end f()", ERR_LIMIT, "", true},
    {"deep pattern", "return ('a'):rep(300000):find(('(a?)'):rep(40))", ERR_RULE, "captures", true},
    {"error with a place", "error('no')", ERR_RULE, "customer.lua:1: no", false},
    {"error without a place", "error('no', 0)", ERR_RULE, "no", false},
    {"error with nil", "error()", ERR_RULE, "an error that is a nil", false},
    {"error with a table", "error({})", ERR_RULE, "an error that is a table", false},
    {"error with a false friend", "error(setmetatable({}, {__tostring = function() while true do end end}))", ERR_RULE,
     "an error that is a table", false},
    {"error that is no UTF-8", "error('\\xff\\n\\0hidden', 0)", ERR_RULE, "? ", false},
    {"long error", "error(('\xC3\xA4'):rep(5000), 0)", ERR_RULE, "\xC3\xA4", true},
    {"syntax error", "return return", ERR_RULE, "customer.lua:1:", false},
    {"returns a function", "return function() end", ERR_RULE, "a function", false},
    {"returns a coroutine", "return coroutine.create(print)", ERR_RULE, "a thread", false},
    {"returns userdata", "return io.stdout", ERR_RULE, "a userdata", false},
    {"returns a function inside", "return {a = {b = {print}}}", ERR_RULE, "a function", false},
    {"returns a cycle", "local t = {} t.t = t return t", ERR_RULE, "nested more than 32", false},
    {"returns a bush", "local t = {1} for _ = 1, 30 do t = {t, t} end return t", ERR_RULE, "more than 1000000 values",
     true},
    {"returns one text often", "local s, t = ('x'):rep(1000000), {} for i = 1, 100 do t[i] = s end return t", ERR_RULE,
     "bytes of text", true},
    {"returns infinity", "return {1 / 0}", ERR_RULE, "too large", false},
    {"returns not a number", "return 0 / 0", ERR_RULE, "too large", false},
    {"returns a large integer", "return (1 << 53) + 1", ERR_RULE, "too large", false},
    {"returns the least integer", "return math.mininteger", ERR_RULE, "too large", false},
    {"returns a table with holes", "return {1, nil, 3, nil, nil, 6}", ERR_RULE, "key of the result is not a text",
     false},
    {"returns mixed keys", "return {1, a = 2}", ERR_RULE, "key of the result is not a text", false},
    {"returns a NUL in a key", "return {['a\\0b'] = 1}", ERR_RULE, "key of the result is not a text", false},
};

static const struct vm_budget *budget_of(const struct hostile *hostile)
{
  return hostile->kind == ERR_LIMIT && !hostile->patient ? &budget : &patient;
}

static void check_usable(const char *after)
{
  struct values values = {0};
  struct value *result = NULL;
  struct err err = ERR_INIT;
  if (!run("local t = {} for i = 1, 100 do t[i] = i end return #t", &patient, &values, &result, &err))
    fail_msg("after %s: %s", after, err.text);
  assert_int_equal((int)result->u.number, 100);
  values_release(&values);
}

static void survives_the_corpus(void **state UNUSED)
{
  for (size_t i = 0; i < COUNT_OF(corpus); i++) {
    const struct hostile *hostile = &corpus[i];
    struct values values = {0};
    struct value *result = NULL;
    struct err err = ERR_INIT;
    int64_t start = clock_now_ms();
    bool ok = run(hostile->text, budget_of(hostile), &values, &result, &err);
    int64_t took = clock_now_ms() - start;
    if (ok || result != NULL || err.kind != hostile->kind || strstr(err.text, hostile->why) == NULL)
      fail_msg(
          "%s: %s %s \"%s\" after %d ms", hostile->name, ok ? "ok" : "failed", err_kind_str(err.kind), err.text,
          (int)took);
    values_release(&values);
    check_usable(hostile->name);
  }
  vm_collect(vm);
  assert_true(vm_memory_bytes(vm) < 512 * 1024);
}

static void takes_and_gives_values(void **state UNUSED)
{
  struct values values = {0};
  struct value *result = NULL;
  struct err err = ERR_INIT;
  assert_true(
      run("return {n = 47, s = 'a\\0b', list = {1, 2, 3}, flag = false, none = {}}", NULL, &values, &result, &err));
  assert_string_equal(result->u.table.keys[0], "flag");
  assert_int_equal(value_count(value_get(result, "list")), 3);
  assert_int_equal(value_get(result, "s")->u.string.length, 3);
  assert_int_equal(value_count(value_get(result, "none")), 0);
  const struct value *arguments[] = {result};
  struct value *echo = NULL;
  assert_true(vm_call(vm, "m", "echo", arguments, 1, &patient, ERR_RULE, &values, &echo, &err));
  assert_int_equal(value_count(echo), 5);
  assert_true(value_at(value_get(echo, "list"), 2)->u.number == 3.0);
  assert_true(vm_call(vm, "m", "echo", NULL, 0, &patient, ERR_RULE, &values, &echo, &err));
  assert_int_equal(echo->type, VALUE_NIL);
  values_release(&values);
}

static void whole_numbers_are_integers(void **state UNUSED)
{
  struct values values = {0};
  struct value *result = NULL;
  struct err err = ERR_INIT;
  const char *source = "return {show = function(x) return tostring(x) end}";
  assert_true(vm_load(vm, "n", source, strlen(source), &err));
  const struct value *whole[] = {value_number(&values, 47)}, *half[] = {value_number(&values, 0.5)};
  assert_true(vm_call(vm, "n", "show", whole, 1, NULL, ERR_RULE, &values, &result, &err));
  assert_string_equal(value_text(result, ""), "47");
  assert_true(vm_call(vm, "n", "show", half, 1, NULL, ERR_RULE, &values, &result, &err));
  assert_string_equal(value_text(result, ""), "0.5");
  values_release(&values);
}

static void errors_keep_their_text_and_have_a_traceback(void **state UNUSED)
{
  struct values values = {0};
  struct value *result = NULL;
  struct err err = ERR_INIT;
  assert_false(vm_call(vm, "m", "fail", NULL, 0, NULL, ERR_CONFIG, &values, &result, &err));
  assert_int_equal(err.kind, ERR_CONFIG);
  assert_string_equal(err.text, "contoso.lua:3: wrong; mend it");
  assert_non_null(strstr(vm_traceback(vm), "m.lua:4"));
  assert_false(vm_call(vm, "m", "missing", NULL, 0, NULL, ERR_CONFIG, &values, &result, &err));
  assert_non_null(strstr(err.text, "no function m.missing"));
  assert_false(vm_call(vm, "nothing", "x", NULL, 0, NULL, ERR_CONFIG, &values, &result, &err));
  assert_true(vm_call(vm, "m", "echo", NULL, 0, NULL, ERR_CONFIG, &values, &result, &err));
  assert_string_equal(vm_traceback(vm), "");
  values_release(&values);
}

static void modules_are_checked(void **state UNUSED)
{
  struct err err = ERR_INIT;
  assert_false(vm_load(vm, "x", "return 1", 8, &err));
  assert_non_null(strstr(err.text, "does not return a table"));
  assert_false(vm_load(vm, "x", "\x1bLua", 4, &err)); /* bytecode */
  assert_false(vm_load(vm, "x", "}", 1, &err));
  assert_false(vm_load(vm, "x", "error('at start')", 17, &err));
  assert_non_null(strstr(err.text, "x.lua:1: at start"));
}

/* Garbage alone must not meet the cap: it is collected first. */
static void garbage_is_not_memory(void **state UNUSED)
{
  const struct vm_budget small = {.cpu_ms = 2000, .memory_bytes = 256 * 1024};
  struct values values = {0};
  struct value *result = NULL;
  struct err err = ERR_INIT;
  if (!run("for i = 1, 20000 do local s = {i, i, i, i, i, i, i, i} end return 1", &small, &values, &result, &err))
    fail_msg("%s", err.text);
  assert_false(run("local keep = {} for i = 1, 20000 do keep[i] = {} end return 1", &small, &values, &result, &err));
  assert_int_equal(err.kind, ERR_LIMIT);
  assert_string_equal(err.text, "customer.lua:1: needs more than 0.25 MiB of memory; build smaller tables and texts");
  values_release(&values);
}

static void no_budget_is_no_limit(void **state UNUSED)
{
  const struct vm_budget none = {0};
  struct values values = {0};
  struct value *result = NULL;
  struct err err = ERR_INIT;
  assert_true(run("local t = {} for i = 1, 1000000 do t[i] = i end return #t", &none, &values, &result, &err));
  values_release(&values);
  vm_collect(vm);
}

/* Calls that are long in sum, but each of them short, do not meet the time budget. */
static void each_call_has_its_own_budget(void **state UNUSED)
{
  static const struct vm_budget brief = {.cpu_ms = 5, .memory_bytes = 4 * 1024 * 1024};
  int calls = 0, stopped = 0;
  for (int64_t end = clock_now_ms() + 60; calls < 20 || clock_now_ms() < end; calls++) {
    struct values values = {0};
    struct value *result = NULL;
    struct err err = ERR_INIT;
    stopped += !run("local t = {} for i = 1, 100 do t[i] = i end return #t", &brief, &values, &result, &err);
    values_release(&values);
  }
  assert_true(stopped * 10 <= calls); /* time that a busy host takes counts too */
}

static void several_states_live_and_die(void **state UNUSED)
{
  struct err err = ERR_INIT;
  struct values values = {0};
  struct value *result = NULL;
  for (int i = 0; i < 3; i++) {
    struct vm *other = vm_new(&err);
    assert_non_null(other);
    assert_true(vm_load(other, "m", module, sizeof module - 1, &err));
    const struct value *arguments[] = {value_string(&values, "while true do end")};
    assert_false(vm_call(other, "m", "run", arguments, 1, &budget, ERR_RULE, &values, &result, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    vm_free(other);
    /* The guard's ticks go on while none of the states is there any more. */
    for (volatile int n = 0; n < 20000000; n = n + 1)
      ;
    check_usable("another state");
  }
  values_release(&values);
}

static void cjson_is_there_when_asked_for(void **state UNUSED)
{
  struct err err = ERR_INIT;
  struct values values = {0};
  struct value *result = NULL;
  struct vm *other = vm_new(&err);
  const char *source = "return {null = function() return {a = require('cjson').null} end}";
  assert_false(
      vm_load(other, "j", "require 'cjson'", 15, &err) &&
      vm_call(other, "j", "null", NULL, 0, NULL, ERR_BUG, &values, &result, &err));
  assert_true(vm_open_cjson(other, &err));
  assert_true(vm_load(other, "j", source, strlen(source), &err));
  assert_true(vm_call(other, "j", "null", NULL, 0, NULL, ERR_BUG, &values, &result, &err));
  assert_int_equal(value_get(result, "a")->type, VALUE_NIL);
  assert_string_equal(vm_version(), "Lua 5.4.4");
  values_release(&values);
  vm_free(other);
}

/* ---- Coroutines ---- */

static struct vm_thread *start(const char *text)
{
  struct values values = {0};
  struct err err = ERR_INIT;
  const struct value *arguments[] = {value_string(&values, text)};
  struct vm_thread *thread = vm_thread_new(vm, "m", "thread", arguments, 1, &err);
  values_release(&values);
  if (thread == NULL)
    fail_msg("%s", err.text);
  return thread;
}

static enum vm_ran resume(struct vm_thread *thread, double answer, double *ret_number, struct err *err)
{
  struct values values = {0};
  struct value *result = NULL;
  enum vm_ran ran = vm_resume(thread, value_number(&values, answer), &budget, ERR_RULE, &values, &result, err);
  if (ran != VM_FAILED)
    *ret_number = value_is(result, VALUE_NUMBER) ? result->u.number : -1;
  values_release(&values);
  return ran;
}

static void several_coroutines_take_turns(void **state UNUSED)
{
  struct vm_thread *threads[3];
  struct err err = ERR_INIT;
  double number = 0;
  for (size_t i = 0; i < COUNT_OF(threads); i++)
    threads[i] = start("local yield = ... local sum = 0 for i = 1, 3 do sum = sum + yield(sum) end return sum");
  for (int round = 0; round < 3; round++)
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
      assert_int_equal(resume(threads[i], (double)i, &number, &err), VM_YIELDED);
      assert_int_equal((int)number, round * (int)i);
    }
  for (size_t i = 0; i < COUNT_OF(threads); i++) {
    assert_int_equal(resume(threads[i], (double)i, &number, &err), VM_RETURNED);
    assert_int_equal((int)number, 3 * (int)i);
    vm_thread_free(threads[i]);
  }
  vm_thread_free(NULL);
}

/* What is done to a call is done to each slice of a coroutine, also behind a yield. */
static void coroutines_survive_the_corpus(void **state UNUSED)
{
  for (size_t i = 0; i < COUNT_OF(corpus); i++) {
    char text[1024];
    const struct vm_budget *limits = budget_of(&corpus[i]);
    struct values values = {0};
    struct value *result = NULL;
    struct err err = ERR_INIT;
    snprintf(text, sizeof text, "local yield = ... yield(1) %s", corpus[i].text);
    struct vm_thread *thread = start(text);
    enum vm_ran ran = vm_resume(thread, NULL, limits, ERR_RULE, &values, &result, &err);
    if (ran == VM_YIELDED) /* not so where the text does not compile */
      ran = vm_resume(thread, value_nil(&values), limits, ERR_RULE, &values, &result, &err);
    assert_int_equal(ran, VM_FAILED);
    /* The stack of a coroutine is small when the cap is met: Lua then refuses before the host does. */
    bool refused = strstr(err.text, "customer.lua:1: too many results to unpack") != NULL;
    if (!refused && (err.kind != corpus[i].kind || strstr(err.text, corpus[i].why) == NULL))
      fail_msg("%s: %s %s", corpus[i].name, err_kind_str(err.kind), err.text);
    vm_thread_free(thread);
    values_release(&values);
    vm_collect(vm);
  }
}

static void coroutines_have_a_traceback(void **state UNUSED)
{
  struct err err = ERR_INIT;
  double number;
  struct vm_thread *thread = start("local yield = ...\nlocal function f()\nyield(1)\nlocal x = nil + 1\nend\nf()");
  assert_int_equal(resume(thread, 0, &number, &err), VM_YIELDED);
  vm_thread_trace(thread);
  assert_non_null(strstr(vm_traceback(vm), "customer.lua:3: in"));
  assert_int_equal(resume(thread, 0, &number, &err), VM_FAILED);
  assert_non_null(strstr(err.text, "customer.lua:4: attempt to perform arithmetic"));
  assert_non_null(strstr(vm_traceback(vm), "customer.lua:4: in"));
  assert_non_null(strstr(vm_traceback(vm), "customer.lua:6: in"));
  vm_thread_free(thread);
  thread = start("local yield = ... yield(print)");
  assert_int_equal(resume(thread, 0, &number, &err), VM_FAILED);
  assert_non_null(strstr(err.text, "function, which is no plain value"));
  vm_thread_free(thread);
}

static void memory_in_all_counts_from_nothing(void **state UNUSED)
{
  struct err err = ERR_INIT;
  struct values values = {0};
  struct value *result;
  struct vm_budget in_all = {.cpu_ms = 1000, .memory_bytes = vm_memory_bytes(vm) + 1024 * 1024, .memory_in_all = true};
  struct vm_thread *thread = start("local yield = ... local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t "
                                   "yield(1) end");
  int slices = 0;
  while (vm_resume(thread, value_nil(&values), &in_all, ERR_RULE, &values, &result, &err) == VM_YIELDED)
    must(++slices < 5000);
  assert_in_range(slices, 100, 1100);
  assert_int_equal(err.kind, ERR_LIMIT);
  vm_thread_free(thread);
  values_release(&values);
  vm_collect(vm);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(survives_the_corpus),           cmocka_unit_test(takes_and_gives_values),
      cmocka_unit_test(whole_numbers_are_integers),    cmocka_unit_test(errors_keep_their_text_and_have_a_traceback),
      cmocka_unit_test(modules_are_checked),           cmocka_unit_test(garbage_is_not_memory),
      cmocka_unit_test(no_budget_is_no_limit),         cmocka_unit_test(each_call_has_its_own_budget),
      cmocka_unit_test(several_states_live_and_die),   cmocka_unit_test(cjson_is_there_when_asked_for),
      cmocka_unit_test(several_coroutines_take_turns), cmocka_unit_test(coroutines_survive_the_corpus),
      cmocka_unit_test(coroutines_have_a_traceback),   cmocka_unit_test(memory_in_all_counts_from_nothing),
  };
  return cases_run(argc, argv, tests, set_up, tear_down);
}
