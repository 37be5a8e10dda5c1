/* Lua 5.4 behind one door: a state with a memory cap and a time budget, trusted modules, and calls that take and give
 * plain values (base/value.h). No lua_State leaves this adapter.
 *
 * A *trusted module* is a chunk of ours that returns a table of functions; it has the whole standard library and
 * decides what a customer's chunk sees. Only its functions are called from outside, each call protected, timed and
 * capped.
 *
 * Time: a repeating thread-CPU timer compares serial numbers of calls; a call that overruns gets a hook that raises
 * again and again until the call is left, so that `pcall` cannot swallow it. The kernel's tick is 4 ms: a budget of 5
 * ms means 5 to 13. Memory: a call may pass its cap up to twice the cap; on first crossing the same hook raises an
 * ordinary error with file and line; a single huge allocation meets the hard cap. */
#ifndef ADAPTERS_VM_H
#define ADAPTERS_VM_H

#include "base/err.h"
#include "base/value.h"

struct vm;

struct vm_budget {
  int64_t cpu_ms;      /* thread CPU time; 0: no limit */
  size_t memory_bytes; /* above what the state holds when the call begins; 0: no limit */
  bool memory_in_all;  /* memory_bytes is what the whole state may hold, the libraries included */
  bool large_result;   /* of up to 16 million values and 1 GiB of text, not a million and 64 MiB */
};

struct vm *vm_new(struct err *err) MUST_CHECK;
void vm_free(struct vm *vm); /* NULL is fine */

/* Runs a trusted chunk and keeps the table it returns under `module`; modules loaded later can require it. */
bool vm_load(struct vm *vm, const char *module, const void *source, size_t length, struct err *err) MUST_CHECK;
/* Makes lua-cjson available to trusted modules as require "cjson". */
bool vm_open_cjson(struct vm *vm, struct err *err) MUST_CHECK;

/* Calls MODULE.FUNCTION with `count` values; the first result, as a tree in `values`, goes to *ret_result (nil:
 * VALUE_NIL). A string that the function raises with error(text, 0) becomes the error text as it is, of the given kind;
 * anything else gets a traceback behind it in vm_traceback(). Overruns are ERR_LIMIT and name the limit, with the place
 * of the customer's line where there is one. Results are checked: depth at most 32, no functions, no cycles; integers
 * beyond 2^53 are refused. */
bool vm_call(
    struct vm *vm, const char *module, const char *function, const struct value *const *arguments, size_t count,
    const struct vm_budget *budget, enum err_kind kind, struct values *values, struct value **ret_result,
    struct err *err) MUST_CHECK;

/* A coroutine: it yields a plain value, its request, and goes on with a plain value, the answer. Several may be alive;
 * one runs at a time. Nobody but the host resumes it. */
struct vm_thread;
enum vm_ran { VM_YIELDED, VM_RETURNED, VM_FAILED };

/* It will call MODULE.FUNCTION with the values. */
struct vm_thread *vm_thread_new(
    struct vm *vm, const char *module, const char *function, const struct value *const *arguments, size_t count,
    struct err *err) MUST_CHECK;
void vm_thread_free(struct vm_thread *thread); /* before its vm; what it has open stays open. NULL is fine */
/* Runs it until it yields, returns or fails: under a budget of its own each time, with errors as vm_call() has them.
 * `answer` is what its yield gives; not looked at the first time. *ret_value: what it yields or returns. */
enum vm_ran vm_resume(
    struct vm_thread *thread, const struct value *answer, const struct vm_budget *budget, enum err_kind kind,
    struct values *values, struct value **ret_value, struct err *err) MUST_CHECK;
/* Where it stands now, for a traceback over several coroutines; into vm_traceback(). */
void vm_thread_trace(struct vm_thread *thread);

/* Of the last failed call, or "". */
const char *vm_traceback(const struct vm *vm);
size_t vm_memory_bytes(const struct vm *vm);
/* Collects all garbage: after a load, before the memory is looked at. */
void vm_collect(struct vm *vm);
/* When the collector begins anew: at so many percent of what its last round has left. Lua's own is 200. A load, of
 * which nearly all stays, is quicker with more; the memory cap holds all the same, for what crosses it is collected
 * first. */
enum { VM_PAUSE_DEFAULT = 200, VM_PAUSE_MAX = 1000 };
void vm_set_pause(struct vm *vm, int percent);

const char *vm_version(void); /* "Lua 5.4.4" */

#endif
