/* Coroutines that the host resumes. What goes in and out is marshalled in a protected call of the main state; the
 * coroutine itself is protected by lua_resume(). A value is made or read on the main stack and moved over, because an
 * error there is caught, and one on the coroutine's stack outside of a resume would be a panic. Once it has ended it is
 * never resumed again; after an error its stack stays for the traceback. */
#include "adapters/vm-inside.h"
#include "base/str.h"

#include <lauxlib.h>
#include <lua.h>

struct vm_thread {
  struct vm *vm;
  lua_State *co;
  int reference; /* in the registry, so that it is not collected */
  bool started, ended;
  int waiting; /* values on its stack for the first resume: the function and its arguments */
};

struct making {
  struct vm_thread *thread;
  const char *module, *function;
  const struct value *const *arguments;
  size_t count;
};

static int make_inside(lua_State *L)
{
  struct making *making = lua_touserdata(L, 1);
  struct vm_thread *thread = making->thread;
  thread->co = lua_newthread(L);
  lua_sethook(thread->co, NULL, 0, 0); /* it would inherit one */
  /* Lua collects a coroutine that nothing refers to. */
  thread->reference = luaL_ref(L, LUA_REGISTRYINDEX);
  int below = lua_gettop(L);
  vm_push_function(L, making->module, making->function);
  /* Only the function is to stay of what its search has left on the stack. */
  lua_insert(L, below + 1);
  lua_settop(L, below + 1);
  luaL_checkstack(L, (int)making->count, "arguments");
  for (size_t i = 0; i < making->count; i++)
    vm_push(L, making->arguments[i]);
  thread->waiting = (int)making->count + 1;
  if (!lua_checkstack(thread->co, thread->waiting))
    return luaL_error(L, "too many arguments");
  lua_xmove(L, thread->co, thread->waiting);
  return 0;
}

struct vm_thread *vm_thread_new(
    struct vm *vm, const char *module, const char *function, const struct value *const *arguments, size_t count,
    struct err *err)
{
  struct vm_thread *thread = must_alloc(sizeof *thread);
  *thread = (struct vm_thread){.vm = vm, .reference = LUA_NOREF};
  struct making making = {thread, module, function, arguments, count};
  if (vm_run(vm, make_inside, &making, NULL, ERR_BUG, err))
    return thread;
  vm_thread_free(thread);
  return NULL;
}

void vm_thread_free(struct vm_thread *thread)
{
  if (thread == NULL)
    return;
  luaL_unref(thread->vm->L, LUA_REGISTRYINDEX, thread->reference); /* writes to a slot that is there */
  free(thread);
}

struct passing {
  struct vm_thread *thread;
  const struct value *answer;
  struct values *values;
  struct value *value;
};

static int give_inside(lua_State *L)
{
  struct passing *passing = lua_touserdata(L, 1);
  vm_push(L, passing->answer);
  if (!lua_checkstack(passing->thread->co, 1))
    return luaL_error(L, "the stack is full");
  lua_xmove(L, passing->thread->co, 1);
  return 0;
}

static int take_inside(lua_State *L)
{
  struct passing *passing = lua_touserdata(L, 1);
  luaL_checkstack(L, 1, "result");
  lua_xmove(passing->thread->co, L, 1);
  passing->value = vm_read(L, passing->values, false);
  return 0;
}

/* The stack of a coroutine that failed is still there. */
static int trace_inside(lua_State *L)
{
  struct passing *passing = lua_touserdata(L, 1);
  struct vm *vm = passing->thread->vm;
  luaL_traceback(L, passing->thread->co, NULL, 0);
  str_cut(vm->traceback, sizeof vm->traceback, lua_tostring(L, -1));
  return 0;
}

static int text_inside(lua_State *L)
{
  struct passing *passing = lua_touserdata(L, 1);
  lua_State *co = passing->thread->co;
  luaL_checkstack(L, 1, "error");
  lua_xmove(co, L, 1);
  passing->value = value_string(passing->values, vm_error_text(L, -1));
  return 0;
}

/* Makes error and traceback while the budget's verdict is kept over the calls that it takes. */
static enum vm_ran fail(struct vm_thread *thread, int status, enum err_kind kind, struct err *err)
{
  struct vm *vm = thread->vm;
  struct values values = {0};
  struct passing passing = {.thread = thread, .values = &values};
  struct err unused = ERR_INIT;
  enum overrun overrun = vm->overrun;
  struct vm_budget budget = vm->budget;
  thread->ended = true;
  /* Each vm_run() begins a budget of its own and so forgets the overrun that is to be reported. */
  if (!vm_run(vm, text_inside, &passing, NULL, ERR_BUG, &unused))
    passing.value = value_string(&values, "an error in an error");
  vm->overrun = overrun;
  vm->budget = budget;
  vm_failed(vm, status, value_text(passing.value, ""), kind, err);
  overrun = vm->overrun;
  if (!vm_run(vm, trace_inside, &passing, NULL, ERR_BUG, &unused))
    *vm->traceback = '\0';
  vm->overrun = overrun;
  values_release(&values);
  return VM_FAILED;
}

enum vm_ran vm_resume(
    struct vm_thread *thread, const struct value *answer, const struct vm_budget *budget, enum err_kind kind,
    struct values *values, struct value **ret_value, struct err *err)
{
  struct vm *vm = thread->vm;
  struct passing passing = {.thread = thread, .answer = answer, .values = values};
  must(!thread->ended);
  int arguments = thread->waiting - 1, results = 0;
  if (thread->started) {
    arguments = 1;
    if (!vm_run(vm, give_inside, &passing, NULL, ERR_BUG, err))
      return VM_FAILED;
  }
  thread->started = true;
  if (!vm_enter(vm, thread->co, budget, err))
    return VM_FAILED;
  /* Under no lua_pcall: a resume catches errors itself and returns them as a status. */
  int status = lua_resume(thread->co, vm->L, arguments, &results);
  vm_leave(vm);
  bool raised = status != LUA_OK && status != LUA_YIELD;
  if (raised || vm->overrun != OVERRUN_NONE) {
    if (!raised && lua_checkstack(thread->co, 1))
      lua_pushnil(thread->co); /* an overrun that was caught just before: there is no error on the stack */
    return fail(thread, status, kind, err);
  }
  thread->ended = status == LUA_OK;
  if (results == 0) {
    passing.value = value_nil(values);
  } else {
    lua_settop(thread->co, lua_gettop(thread->co) - results + 1); /* the first result only */
    if (!vm_run(vm, take_inside, &passing, NULL, kind, err)) {
      /* A result that cannot be read leaves a coroutine that nothing sensible can be told. */
      thread->ended = true;
      vm_thread_trace(thread);
      return VM_FAILED;
    }
  }
  *ret_value = passing.value;
  return thread->ended ? VM_RETURNED : VM_YIELDED;
}

void vm_thread_trace(struct vm_thread *thread)
{
  struct passing passing = {.thread = thread};
  struct err unused = ERR_INIT;
  if (!vm_run(thread->vm, trace_inside, &passing, NULL, ERR_BUG, &unused))
    *thread->vm->traceback = '\0';
}
