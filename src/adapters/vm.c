/* The one door to Lua: every call goes through vm_run() or, for coroutines, vm_enter() and vm_leave(), with a budget of
 * time and of memory. The hard part is to end code that does not want to end. A count hook on every call would cost a
 * quarter of the throughput. Instead one timer runs all the time, on the thread's CPU clock, which stands still while
 * we sleep, and its signal handler arms a hook only for a call that it has seen too often. Lua allows lua_sethook()
 * from a signal handler, and that is all the handler does to it. An error raised by the hook can be caught by pcall; so
 * the hook stays armed and raises at every further instruction until the call is left. */
#include "adapters/vm.h"
#include "adapters/vm-inside.h"
#include "base/str.h"

#include <lauxlib.h>
#include <lua-cjson.h>
#include <lua.h>
#include <lualib.h>

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
  TICK_MS = 4,     /* the kernel's own tick: a faster timer would not tick faster */
  TICKS_LEAST = 2, /* a machine that was held up for long, as virtual ones are, loses the time in one tick */
};

/* ---- The guard: one repeating timer on the CPU clock of the one thread that runs Lua ---- */

/* `running` is set while a call with a time budget is under way, and nowhere else does the handler look at a vm: so a
 * vm can be freed at any other moment. */
static struct {
  bool started; /* in this process */
  timer_t timer;
  struct vm *volatile running;
  volatile uint64_t serial; /* of the call in progress, over all VMs */
  uint64_t seen;            /* the handler's: of the call at the last tick ... */
  int64_t seen_ns;          /* ... when it saw it first, ... */
  int seen_again;           /* ... and how many ticks since */
} guard;

static void hook(lua_State *L, lua_Debug *ar);

static int64_t thread_cpu_ns(void)
{
  struct timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static void on_tick(int signal_number UNUSED)
{
  /* In a signal handler: only volatile words, the clock, and lua_sethook(). */
  struct vm *vm = guard.running;
  if (vm == NULL)
    return;
  int64_t now = thread_cpu_ns();
  /* The serial, not the address of the vm, tells one call from the next. */
  if (guard.seen != guard.serial) {
    guard.seen = guard.serial;
    guard.seen_ns = now;
    guard.seen_again = 0;
  } else if (++guard.seen_again >= TICKS_LEAST && now - guard.seen_ns >= (vm->budget.cpu_ms - 1) * 1000000) {
    vm->timed_out = 1;
    lua_sethook(vm->active, hook, LUA_MASKCOUNT, 1);
  }
}

static _Thread_local bool
    guarded; /* this thread is the one: asking the kernel each time would cost a fifth of a decision */

static void on_fork(void)
{
  guard.started = false; /* a child does not inherit timers */
  guarded = false;
}

static bool guard_start(struct err *err)
{
  if (guarded)
    return true;
  if (guard.started)
    return err_set(err, ERR_BUG, "Lua: called from a second thread; the time budget watches only the first");
  struct sigaction action = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  /* To this thread: in another, such as the one in which libcurl looks up names, the handler would read the wrong CPU
   * clock. */
  struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN + 4};
  event._sigev_un._tid = gettid(); /* glibc has no public name for it */
  struct itimerspec every = {{0, TICK_MS * 1000000}, {0, TICK_MS * 1000000}};
  if (pthread_atfork(NULL, NULL, on_fork) != 0 || sigaction(SIGRTMIN + 4, &action, NULL) != 0 ||
      timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &guard.timer) != 0 ||
      timer_settime(guard.timer, 0, &every, NULL) != 0)
    return err_set(err, ERR_BUG, "Lua: no timer for the time budget: %s", strerror(errno));
  guard.started = guarded = true;
  return true;
}

/* ---- Budgets ---- */

static void *allocate(void *context, void *old, size_t old_size, size_t size)
{
  struct vm *vm = context;
  if (old == NULL)
    old_size = 0; /* Lua gives the kind of object here */
  if (size == 0) {
    free(old);
    vm->used -= old_size;
    return NULL;
  }
  /* Shrinking must not fail, Lua relies on it. The differences cannot wrap, in this order. */
  if (vm->hard > 0 && size > old_size && (size > vm->hard || vm->used - old_size > vm->hard - size))
    return NULL;
  void *memory = realloc(old, size);
  if (memory == NULL)
    return NULL;
  vm->used = vm->used - old_size + size;
  /* Not NULL yet: out of memory has no line, while the hook's error tells where it was. */
  if (vm->soft > 0 && vm->used > vm->soft && !vm->crossed) {
    vm->crossed = 1;
    lua_sethook(vm->active, hook, LUA_MASKCOUNT, 1);
  }
  return memory;
}

/* The innermost line of a customer: their chunks are named "@FILE", ours "=FILE". */
static void find_place(lua_State *L, char *to, size_t room)
{
  lua_Debug ar;
  *to = '\0';
  for (int level = 0; lua_getstack(L, level, &ar) != 0; level++)
    if (lua_getinfo(L, "Sl", &ar) != 0 && ar.source[0] == '@' && ar.currentline > 0) {
      snprintf(to, room, "%s:%d", ar.short_src, ar.currentline);
      return;
    }
}

static struct vm *vm_of(lua_State *L)
{
  void *context;
  lua_getallocf(L, &context);
  return context;
}

/* Stays armed after it has raised: a pcall that catches the error runs into it again at the next instruction. */
static void hook(lua_State *L, lua_Debug *ar UNUSED)
{
  struct vm *vm = vm_of(L);
  /* First a full collection, once per crossing. */
  if (vm->crossed && vm->overrun == OVERRUN_NONE && !vm->timed_out) {
    lua_gc(L, LUA_GCCOLLECT); /* it may have been garbage only */
    if (vm->used <= vm->soft) {
      lua_sethook(L, NULL, 0, 0);
      vm->crossed = 0;
      if (!vm->timed_out) /* a tick in between would have been undone */
        return;
      lua_sethook(L, hook, LUA_MASKCOUNT, 1);
    }
  }
  /* The first reason and the first place count, not where a pcall has run to since. */
  if (vm->overrun == OVERRUN_NONE) {
    vm->overrun = vm->timed_out ? OVERRUN_TIME : OVERRUN_MEMORY;
    find_place(L, vm->place, sizeof vm->place);
  }
  lua_pushliteral(L, "over budget");
  lua_error(L);
}

bool vm_enter(struct vm *vm, lua_State *active, const struct vm_budget *budget, struct err *err)
{
  /* Calls are not nested: the guard watches one at a time. */
  must(guard.running == NULL);
  vm->active = active;
  vm->budget = budget == NULL ? (struct vm_budget){0} : *budget;
  vm->overrun = OVERRUN_NONE;
  vm->timed_out = vm->crossed = 0;
  *vm->traceback = '\0';
  if (vm->budget.memory_bytes > 0) {
    size_t base = vm->budget.memory_in_all ? 0 : vm->used;
    vm->soft = base + vm->budget.memory_bytes;
    vm->hard = base + 2 * vm->budget.memory_bytes;
  }
  if (vm->budget.cpu_ms > 0) {
    if (!guard_start(err))
      return false;
    /* In this order: a tick in between finds no running call, or a new serial. */
    guard.serial++;
    __atomic_signal_fence(__ATOMIC_SEQ_CST); /* the handler finds the budget in place */
    guard.running = vm;
  }
  return true;
}

void vm_leave(struct vm *vm)
{
  /* First: from here on no tick can arm the hook that is taken away below. */
  guard.running = NULL;
  if (vm->timed_out || vm->crossed)
    lua_sethook(vm->active, NULL, 0, 0);
  vm->soft = vm->hard = 0;
}

/* ---- Calls ---- */

static const char modules_key; /* its address is the registry's key of the modules */

/* No metamethod is called: it could run without end. */
const char *vm_error_text(lua_State *L, int index)
{
  index = lua_absindex(L, index);
  const char *type = luaL_typename(L, index);
  if (lua_type(L, index) == LUA_TTABLE) {
    lua_pushliteral(L, "message");
    lua_rawget(L, index);
    if (lua_type(L, -1) == LUA_TSTRING)
      lua_replace(L, index);
    else
      lua_pop(L, 1);
  }
  /* A number is not a text either, though Lua would make it one. */
  if (lua_type(L, index) != LUA_TSTRING) {
    lua_pushfstring(L, "an error that is a %s, not a text", type);
    lua_replace(L, index);
  }
  return lua_tostring(L, index);
}

static int on_error(lua_State *L)
{
  struct vm *vm = vm_of(L);
  luaL_traceback(L, L, vm_error_text(L, 1), 1);
  str_cut(vm->traceback, sizeof vm->traceback, lua_tostring(L, -1));
  lua_settop(L, 1);
  return 1;
}

/* Error texts must be UTF-8; a customer's may be any bytes. */
static void set_text(struct err *err, enum err_kind kind, const char *text)
{
  char clean[sizeof err->text];
  str_cut(clean, sizeof clean, text);
  if (!str_is_utf8(clean, strlen(clean)))
    for (char *c = clean; *c != '\0'; c++)
      if ((unsigned char)*c >= 0x80)
        *c = '?';
  err_set(err, kind, "%s", clean);
}

static bool over_budget(const struct vm *vm, struct err *err)
{
  char what[160];
  if (vm->overrun == OVERRUN_TIME)
    snprintf(
        what, sizeof what, "still running after %" PRId64 " ms of CPU time; look for a loop that does not end",
        vm->budget.cpu_ms);
  else
    snprintf(
        what, sizeof what, "needs more than %.4g MiB of memory; build smaller tables and texts",
        (double)vm->budget.memory_bytes / (1024 * 1024));
  return err_set(err, ERR_LIMIT, "%s%s%s", vm->place, *vm->place == '\0' ? "" : ": ", what);
}

bool vm_failed(struct vm *vm, int status, const char *text, enum err_kind kind, struct err *err)
{
  if (vm->overrun != OVERRUN_NONE)
    return over_budget(vm, err);
  if (status == LUA_ERRMEM) {
    vm->overrun = OVERRUN_MEMORY; /* one allocation beyond the hard cap: Lua does not say where */
    *vm->place = '\0';
    return over_budget(vm, err);
  }
  set_text(err, kind, text);
  return false;
}

bool vm_run(
    struct vm *vm, lua_CFunction function, void *context, const struct vm_budget *budget, enum err_kind kind,
    struct err *err)
{
  lua_State *L = vm->L;
  if (!vm_enter(vm, L, budget, err))
    return false;
  /* Light functions and pointers need no memory, so none of these can fail outside the protected call. */
  lua_pushcfunction(L, on_error);
  lua_pushcfunction(L, function);
  lua_pushlightuserdata(L, context);
  int status = lua_pcall(L, 1, 0, -3);
  vm_leave(vm);
  /* Also when it returned: an overrun that was caught at the very end is one. */
  bool ok = status == LUA_OK && vm->overrun == OVERRUN_NONE;
  if (!ok)
    vm_failed(vm, status, lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "an error in an error", kind, err);
  lua_settop(L, 0);
  return ok;
}

struct load {
  const char *module;
  const char *source;
  size_t length;
};

static int load_inside(lua_State *L)
{
  struct load *load = lua_touserdata(L, 1);
  lua_pushfstring(L, "=%s.lua", load->module);
  /* "t": texts only. Lua does not verify bytecode, which can crash it. */
  if (luaL_loadbufferx(L, load->source, load->length, lua_tostring(L, -1), "t") != LUA_OK)
    return lua_error(L);
  lua_call(L, 0, 1);
  if (!lua_istable(L, -1))
    return luaL_error(L, "module %s does not return a table", load->module);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE); /* for require, of modules that are loaded after it */
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, load->module);
  /* Ours is found by an address, which no Lua code can name or replace. */
  lua_rawgetp(L, LUA_REGISTRYINDEX, &modules_key);
  lua_pushvalue(L, -3);
  lua_setfield(L, -2, load->module);
  return 0;
}

bool vm_load(struct vm *vm, const char *module, const void *source, size_t length, struct err *err)
{
  struct load load = {module, source, length};
  return vm_run(vm, load_inside, &load, NULL, ERR_BUG, err);
}

struct call {
  const char *module, *function;
  const struct value *const *arguments;
  size_t count;
  struct values *values;
  bool large_result;
  struct value *result;
};

void vm_push_function(lua_State *L, const char *module, const char *function)
{
  lua_rawgetp(L, LUA_REGISTRYINDEX, &modules_key);
  if (lua_getfield(L, -1, module) != LUA_TTABLE || lua_getfield(L, -1, function) != LUA_TFUNCTION)
    luaL_error(L, "there is no function %s.%s", module, function);
}

static int call_inside(lua_State *L)
{
  struct call *call = lua_touserdata(L, 1);
  vm_push_function(L, call->module, call->function);
  luaL_checkstack(L, (int)call->count, "arguments");
  for (size_t i = 0; i < call->count; i++)
    vm_push(L, call->arguments[i]);
  lua_call(L, (int)call->count, 1);
  call->result = vm_read(L, call->values, call->large_result);
  return 0;
}

bool vm_call(
    struct vm *vm, const char *module, const char *function, const struct value *const *arguments, size_t count,
    const struct vm_budget *budget, enum err_kind kind, struct values *values, struct value **ret_result,
    struct err *err)
{
  struct call call = {module, function, arguments, count, values, budget != NULL && budget->large_result, NULL};
  if (!vm_run(vm, call_inside, &call, budget, kind, err))
    return false;
  *ret_result = call.result;
  return true;
}

/* ---- Life ---- */

static int open_inside(lua_State *L)
{
  /* All of it, for trusted modules; what a customer's chunk sees is theirs to choose. */
  luaL_openlibs(L);
  lua_newtable(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &modules_key);
  return 0;
}

static int cjson_inside(lua_State *L)
{
  luaL_requiref(L, "cjson", luaopen_cjson, 0);
  return 0;
}

static int on_panic(lua_State *L UNUSED)
{
  must(!"Lua raised an error outside a protected call");
  return 0;
}

struct vm *vm_new(struct err *err)
{
  struct vm *vm = must_alloc(sizeof *vm);
  vm->L = lua_newstate(allocate, vm);
  if (vm->L == NULL) {
    err_set(err, ERR_BUG, "Lua: no memory for a state");
    vm_free(vm);
    return NULL;
  }
  vm->active = vm->L;
  lua_atpanic(vm->L, on_panic);
  if (!vm_run(vm, open_inside, NULL, NULL, ERR_BUG, err)) {
    vm_free(vm);
    return NULL;
  }
  return vm;
}

void vm_free(struct vm *vm)
{
  if (vm == NULL)
    return;
  if (vm->L != NULL)
    lua_close(vm->L);
  free(vm);
}

bool vm_open_cjson(struct vm *vm, struct err *err)
{
  return vm_run(vm, cjson_inside, NULL, NULL, ERR_BUG, err);
}

const char *vm_traceback(const struct vm *vm)
{
  return vm->traceback;
}

size_t vm_memory_bytes(const struct vm *vm)
{
  return vm->used;
}

void vm_collect(struct vm *vm)
{
  lua_gc(vm->L, LUA_GCCOLLECT);
}

void vm_set_pause(struct vm *vm, int percent)
{
  /* 0: the two others stay as they are. */
  lua_gc(vm->L, LUA_GCINC, percent, 0, 0);
}

const char *vm_version(void)
{
  return LUA_RELEASE;
}
