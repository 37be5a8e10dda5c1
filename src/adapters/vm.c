#include "adapters/vm.h"
#include "base/str.h"

#include <lauxlib.h>
#include <lua-cjson.h>
#include <lua.h>
#include <lualib.h>

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
  DEPTH_MAX = 32,               /* nesting of a result */
  NODES_MAX = 1000000,          /* of a result: two references to one table, 32 deep, are 2^32 nodes */
  BYTES_MAX = 64 * 1024 * 1024, /* of a result's strings: one long string may be there a thousand times */
  TRACEBACK_SIZE = 2048,
  TICK_MS = 4,     /* the kernel's own tick: a faster timer would not tick faster */
  TICKS_LEAST = 2, /* a machine that was held up for long, as virtual ones are, loses the time in one tick */
};

#define EXACT_MAX (INT64_C(1) << 53)

enum overrun { OVERRUN_NONE, OVERRUN_TIME, OVERRUN_MEMORY };

struct vm {
  lua_State *L;
  size_t used;
  size_t soft, hard; /* of the call in progress; 0: no limit */
  struct vm_budget budget;
  volatile sig_atomic_t timed_out, crossed; /* why the hook is armed */
  enum overrun overrun;                     /* what the hook has raised */
  char place[LUA_IDSIZE + 16];              /* "FILE:LINE" of the customer's line that overran, or "" */
  char traceback[TRACEBACK_SIZE];
};

/* ---- The guard: one repeating timer on the CPU clock of the one thread that runs Lua ---- */

/* `running` is set while a call with a time budget is under way, and nowhere else does the handler look at a vm: so a
 * vm can be freed at any other moment. */
static struct {
  pid_t process, thread;
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
  struct vm *vm = guard.running;
  if (vm == NULL)
    return;
  int64_t now = thread_cpu_ns();
  if (guard.seen != guard.serial) {
    guard.seen = guard.serial;
    guard.seen_ns = now;
    guard.seen_again = 0;
  } else if (++guard.seen_again >= TICKS_LEAST && now - guard.seen_ns >= (vm->budget.cpu_ms - 1) * 1000000) {
    vm->timed_out = 1;
    lua_sethook(vm->L, hook, LUA_MASKCOUNT, 1);
  }
}

static bool guard_start(struct err *err)
{
  if (guard.process == getpid()) {
    if (guard.thread == gettid())
      return true;
    return err_set(err, ERR_BUG, "Lua: called from a second thread; the time budget watches only the first");
  }
  struct sigaction action = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN + 4};
  event._sigev_un._tid = gettid(); /* glibc has no public name for it */
  struct itimerspec every = {{0, TICK_MS * 1000000}, {0, TICK_MS * 1000000}};
  if (sigaction(SIGRTMIN + 4, &action, NULL) != 0 || timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &guard.timer) != 0 ||
      timer_settime(guard.timer, 0, &every, NULL) != 0)
    return err_set(err, ERR_BUG, "Lua: no timer for the time budget: %s", strerror(errno));
  guard.process = getpid();
  guard.thread = gettid();
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
  if (vm->hard > 0 && size > old_size && (size > vm->hard || vm->used - old_size > vm->hard - size))
    return NULL;
  void *memory = realloc(old, size);
  if (memory == NULL)
    return NULL;
  vm->used = vm->used - old_size + size;
  if (vm->soft > 0 && vm->used > vm->soft && !vm->crossed) {
    vm->crossed = 1;
    lua_sethook(vm->L, hook, LUA_MASKCOUNT, 1);
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
  if (vm->overrun == OVERRUN_NONE) {
    vm->overrun = vm->timed_out ? OVERRUN_TIME : OVERRUN_MEMORY;
    find_place(L, vm->place, sizeof vm->place);
  }
  lua_pushliteral(L, "over budget");
  lua_error(L);
}

static bool enter(struct vm *vm, const struct vm_budget *budget, struct err *err)
{
  must(guard.running == NULL);
  vm->budget = budget == NULL ? (struct vm_budget){0} : *budget;
  vm->overrun = OVERRUN_NONE;
  vm->timed_out = vm->crossed = 0;
  *vm->traceback = '\0';
  if (vm->budget.memory_bytes > 0) {
    vm->soft = vm->used + vm->budget.memory_bytes;
    vm->hard = vm->used + 2 * vm->budget.memory_bytes;
  }
  if (vm->budget.cpu_ms > 0) {
    if (!guard_start(err))
      return false;
    guard.serial++;
    __atomic_signal_fence(__ATOMIC_SEQ_CST); /* the handler finds the budget in place */
    guard.running = vm;
  }
  return true;
}

static void leave(struct vm *vm)
{
  guard.running = NULL;
  if (vm->timed_out || vm->crossed)
    lua_sethook(vm->L, NULL, 0, 0);
  vm->soft = vm->hard = 0;
}

/* ---- Values to Lua and back; only inside a protected call ---- */

static void push(lua_State *L, const struct value *value)
{
  luaL_checkstack(L, 4, "value too deep");
  switch (value->type) {
  case VALUE_NIL:
    lua_pushnil(L);
    return;
  case VALUE_BOOL:
    lua_pushboolean(L, value->u.boolean);
    return;
  case VALUE_NUMBER:
    /* Whole numbers become Lua's integers, which print as 47, not 47.0. */
    if (value->u.number == floor(value->u.number) && fabs(value->u.number) <= (double)EXACT_MAX)
      lua_pushinteger(L, (lua_Integer)value->u.number);
    else
      lua_pushnumber(L, value->u.number);
    return;
  case VALUE_STRING:
    lua_pushlstring(L, value->u.string.bytes, value->u.string.length);
    return;
  case VALUE_LIST:
    lua_createtable(L, (int)value->u.table.count, 0);
    for (size_t i = 0; i < value->u.table.count; i++) {
      push(L, value->u.table.items[i]);
      lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return;
  case VALUE_MAP:
    lua_createtable(L, 0, (int)value->u.table.count);
    for (size_t i = 0; i < value->u.table.count; i++) {
      push(L, value->u.table.items[i]);
      lua_setfield(L, -2, value->u.table.keys[i]);
    }
    return;
  }
}

struct reader {
  lua_State *L;
  struct values *values;
  size_t nodes, bytes;
};

static struct value *read_value(struct reader *reader, int depth);

static size_t count_bytes(struct reader *reader, size_t length)
{
  reader->bytes += length;
  if (reader->bytes > BYTES_MAX)
    luaL_error(reader->L, "the result holds more than %d bytes of text", BYTES_MAX);
  return length;
}

static struct value *read_list(struct reader *reader, lua_Integer count, int depth)
{
  struct value *list = value_list(reader->values);
  for (lua_Integer i = 1; i <= count; i++) {
    lua_rawgeti(reader->L, -1, i);
    value_add(reader->values, list, read_value(reader, depth));
    lua_pop(reader->L, 1);
  }
  return list;
}

struct member {
  const char *key;
  struct value *item;
};

static int by_key(const void *a, const void *b)
{
  return strcmp(((const struct member *)a)->key, ((const struct member *)b)->key);
}

/* Lua's order of keys differs from run to run; ours must not. */
static void sort_members(struct value *map)
{
  struct member few[32], *members = few;
  size_t count = map->u.table.count;
  if (count > COUNT_OF(few))
    members = must_alloc(count * sizeof *members);
  for (size_t i = 0; i < count; i++)
    members[i] = (struct member){map->u.table.keys[i], map->u.table.items[i]};
  qsort(members, count, sizeof *members, by_key);
  for (size_t i = 0; i < count; i++) {
    map->u.table.keys[i] = members[i].key;
    map->u.table.items[i] = members[i].item;
  }
  if (members != few)
    free(members);
}

static struct value *read_map(struct reader *reader, int depth)
{
  lua_State *L = reader->L;
  struct value *map = value_map(reader->values);
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    size_t length;
    const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tolstring(L, -2, &length) : NULL;
    if (key == NULL || strlen(key) != count_bytes(reader, length))
      luaL_error(L, "a key of the result is not a text");
    value_set_new(reader->values, map, key, read_value(reader, depth));
  }
  sort_members(map);
  return map;
}

/* A table whose keys are exactly 1 to n, n > 0, is a list. */
static lua_Integer list_length(lua_State *L)
{
  lua_Integer length = (lua_Integer)lua_rawlen(L, -1), members = 0;
  if (length == 0)
    return 0;
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1))
    members++;
  return members == length ? length : 0;
}

static struct value *read_table(struct reader *reader, int depth)
{
  if (depth >= DEPTH_MAX)
    luaL_error(reader->L, "the result is nested more than %d deep", DEPTH_MAX);
  luaL_checkstack(reader->L, 4, "result too deep");
  lua_Integer length = list_length(reader->L);
  return length > 0 ? read_list(reader, length, depth + 1) : read_map(reader, depth + 1);
}

/* The value on top of the stack, which stays there. */
static struct value *read_value(struct reader *reader, int depth)
{
  lua_State *L = reader->L;
  if (++reader->nodes > NODES_MAX)
    luaL_error(L, "the result has more than %d values", NODES_MAX);
  switch (lua_type(L, -1)) {
  case LUA_TNIL:
    return value_nil(reader->values);
  case LUA_TBOOLEAN:
    return value_bool(reader->values, lua_toboolean(L, -1) != 0);
  case LUA_TNUMBER: {
    lua_Integer integer = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : 0;
    if (integer > EXACT_MAX || integer < -EXACT_MAX || !isfinite(lua_tonumber(L, -1)))
      luaL_error(L, "the result holds a number that is too large");
    return value_number(reader->values, lua_tonumber(L, -1));
  }
  case LUA_TSTRING: {
    size_t length;
    const char *bytes = lua_tolstring(L, -1, &length);
    return value_bytes(reader->values, bytes, count_bytes(reader, length));
  }
  case LUA_TTABLE:
    return read_table(reader, depth);
  case LUA_TLIGHTUSERDATA:
    if (lua_touserdata(L, -1) == NULL) /* cjson.null */
      return value_nil(reader->values);
    break;
  default:
    break;
  }
  luaL_error(L, "the result holds a %s, which is no plain value", luaL_typename(L, -1));
  return NULL;
}

/* ---- Calls ---- */

static const char modules_key; /* its address is the registry's key of the modules */

static int on_error(lua_State *L)
{
  struct vm *vm = vm_of(L);
  if (lua_type(L, 1) != LUA_TSTRING) {
    lua_pushfstring(L, "an error that is a %s, not a text", luaL_typename(L, 1));
    lua_replace(L, 1);
    lua_settop(L, 1);
  }
  luaL_traceback(L, L, lua_tostring(L, 1), 1);
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

/* Runs `function` protected, with `context` as its only argument, and turns what Lua says into our error. */
static bool run(
    struct vm *vm, lua_CFunction function, void *context, const struct vm_budget *budget, enum err_kind kind,
    struct err *err)
{
  if (!enter(vm, budget, err))
    return false;
  lua_State *L = vm->L;
  /* Light functions and pointers need no memory, so none of these can fail outside the protected call. */
  lua_pushcfunction(L, on_error);
  lua_pushcfunction(L, function);
  lua_pushlightuserdata(L, context);
  int status = lua_pcall(L, 1, 0, -3);
  leave(vm);
  if (vm->overrun != OVERRUN_NONE) {
    over_budget(vm, err);
  } else if (status == LUA_ERRMEM) {
    vm->overrun = OVERRUN_MEMORY; /* one allocation beyond the hard cap: Lua does not say where */
    *vm->place = '\0';
    over_budget(vm, err);
  } else if (status != LUA_OK) {
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "an error in an error";
    set_text(err, kind, text);
  }
  bool ok = status == LUA_OK && vm->overrun == OVERRUN_NONE;
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
  if (luaL_loadbufferx(L, load->source, load->length, lua_tostring(L, -1), "t") != LUA_OK)
    return lua_error(L);
  lua_call(L, 0, 1);
  if (!lua_istable(L, -1))
    return luaL_error(L, "module %s does not return a table", load->module);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE); /* for require, of modules that are loaded after it */
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, load->module);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &modules_key);
  lua_pushvalue(L, -3);
  lua_setfield(L, -2, load->module);
  return 0;
}

bool vm_load(struct vm *vm, const char *module, const void *source, size_t length, struct err *err)
{
  struct load load = {module, source, length};
  return run(vm, load_inside, &load, NULL, ERR_BUG, err);
}

struct call {
  const char *module, *function;
  const struct value *const *arguments;
  size_t count;
  struct values *values;
  struct value *result;
};

static int call_inside(lua_State *L)
{
  struct call *call = lua_touserdata(L, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &modules_key);
  lua_getfield(L, -1, call->module);
  if (!lua_istable(L, -1) || lua_getfield(L, -1, call->function) != LUA_TFUNCTION)
    return luaL_error(L, "there is no function %s.%s", call->module, call->function);
  luaL_checkstack(L, (int)call->count, "arguments");
  for (size_t i = 0; i < call->count; i++)
    push(L, call->arguments[i]);
  lua_call(L, (int)call->count, 1);
  struct reader reader = {.L = L, .values = call->values};
  call->result = read_value(&reader, 0);
  return 0;
}

bool vm_call(
    struct vm *vm, const char *module, const char *function, const struct value *const *arguments, size_t count,
    const struct vm_budget *budget, enum err_kind kind, struct values *values, struct value **ret_result,
    struct err *err)
{
  struct call call = {module, function, arguments, count, values, NULL};
  if (!run(vm, call_inside, &call, budget, kind, err))
    return false;
  *ret_result = call.result;
  return true;
}

/* ---- Life ---- */

static int open_inside(lua_State *L)
{
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
  lua_atpanic(vm->L, on_panic);
  if (!run(vm, open_inside, NULL, NULL, ERR_BUG, err)) {
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
  return run(vm, cjson_inside, NULL, NULL, ERR_BUG, err);
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

const char *vm_version(void)
{
  return LUA_RELEASE;
}
