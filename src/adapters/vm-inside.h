/* What the files of this adapter share: vm.c (state, budgets, calls), vm-values.c (values to Lua and back),
 * vm-thread.c (coroutines). No other room includes this. */
#ifndef ADAPTERS_VM_INSIDE_H
#define ADAPTERS_VM_INSIDE_H

#include "adapters/vm.h"

#include <signal.h>

struct lua_State; /* Lua's */

enum { TRACEBACK_SIZE = 2048, PLACE_SIZE = 80 };

enum overrun { OVERRUN_NONE, OVERRUN_TIME, OVERRUN_MEMORY };

struct vm {
  struct lua_State *L;
  struct lua_State *volatile active; /* the one that runs: a hook belongs to one */
  size_t used;
  size_t soft, hard; /* of the call in progress; 0: no limit */
  struct vm_budget budget;
  volatile sig_atomic_t timed_out, crossed; /* why the hook is armed */
  enum overrun overrun;                     /* what the hook has raised */
  char place[PLACE_SIZE];                   /* "FILE:LINE" of the customer's line that overran, or "" */
  char traceback[TRACEBACK_SIZE];
};

/* vm-values.c; both raise Lua errors */
void vm_push(struct lua_State *L, const struct value *value);
/* The value on top of the stack, which stays there. large: see struct vm_budget. */
struct value *vm_read(struct lua_State *L, struct values *values, bool large);

/* vm.c */
/* Runs `function` protected, with `context` as its only argument, and turns what Lua says into our error. */
bool vm_run(
    struct vm *vm, int (*function)(struct lua_State *L), void *context, const struct vm_budget *budget,
    enum err_kind kind, struct err *err) MUST_CHECK;
/* The same bounds around `active`, for what is protected by itself. */
bool vm_enter(struct vm *vm, struct lua_State *active, const struct vm_budget *budget, struct err *err) MUST_CHECK;
void vm_leave(struct vm *vm);
/* After vm_leave(): the error of a status other than LUA_OK and LUA_YIELD; `text` is what was raised. False. */
bool vm_failed(struct vm *vm, int status, const char *text, enum err_kind kind, struct err *err);
/* Pushes MODULE.FUNCTION; raises when there is none. */
void vm_push_function(struct lua_State *L, const char *module, const char *function);
/* Replaces the error at `index` by its text: a string, or the member `message` of a table. */
const char *vm_error_text(struct lua_State *L, int index);

#endif
