/* Scripts (examples/README.md, "Scripts"): Lua that does things. A script runs in a coroutine in a VM of its own; a
 * primitive yields a request, and the script goes on when the answer is there. Nothing here waits: script_turn() runs
 * what can run.
 *
 * A *policy script* is one that the daemon keeps: its hooks (on.decision, on.outcome, every, at) are called, each call
 * in a coroutine of its own, for as long as it runs. It ends when it fails, or returns without a hook.
 *
 * The room knows neither sockets nor the engine: what a primitive asks for goes through a struct graph_port, whose
 * owner decides whether a publish is sent to Graph or becomes an override in the engine.
 *
 * Limits: each slice, from one answer to the next request, has `cpu_ms`; the whole state has `memory_bytes`. Beyond
 * them the script ends, which no pcall of its own can stop. graph.each makes at most `tasks` coroutines at once. */
#ifndef SCRIPT_SCRIPT_H
#define SCRIPT_SCRIPT_H

#include "base/err.h"
#include "base/value.h"
#include "model/presence.h"

enum {
  SCRIPT_SOURCE_MAX = 1024 * 1024, /* bytes of a script file */
  SCRIPT_CONCURRENCY = 20,         /* of graph.each, when it is not said */
  SCRIPT_CONCURRENCY_MAX = 100,
  SCRIPT_FILES_MAX = 16,             /* open at once by events() and rows() */
  SCRIPT_RECORD_MAX = 64 * 1024,     /* bytes of one event or row */
  SCRIPT_SLEEP_MAX_S = 24 * 60 * 60, /* of one sleep() */
  SCRIPT_HOOKS_MAX = 64,             /* of one policy script */
  SCRIPT_TURN_MS = 5,                /* CPU time of a turn, after which the rest waits for the next */
  SCRIPT_UPN_SIZE = 321,
  SCRIPT_WHY_SIZE = 257,
  SCRIPT_CODE_SIZE = 64,
};

enum script_operation_kind {
  SCRIPT_AUTH,     /* -> {account, tenant, roles, expires_in} */
  SCRIPT_LOOKUP,   /* -> {id, upn, display_name, account_enabled, user_type} */
  SCRIPT_PUBLISH,  /* -> true */
  SCRIPT_CLEAR,    /* -> true */
  SCRIPT_RELEASE,  /* -> true */
  SCRIPT_PRESENCE, /* -> {availability, activity, message} */
};

struct script_operation {
  enum script_operation_kind kind;
  char name[SCRIPT_UPN_SIZE]; /* UPN or object id; of SCRIPT_AUTH an account's id, "" for the first */
  enum presence presence;     /* of SCRIPT_PUBLISH */
  int64_t hold_ms;            /* of SCRIPT_PUBLISH and SCRIPT_CLEAR; -1: not said */
  char why[SCRIPT_WHY_SIZE];  /* likewise, or "" */
};

/* What a primitive gives the script. */
struct script_answer {
  struct value *value;         /* in the arena that came with the operation; NULL: it failed, for these reasons: */
  char code[SCRIPT_CODE_SIZE]; /* a word to compare with: "no_such_user", "throttled", ... */
  struct err message;          /* a sentence */
  int status;                  /* HTTP status; 0: there was no answer */
  int64_t retry_after_ms;      /* -1: nothing was said */
};
typedef void script_on_answer(void *context, const struct script_answer *answer);

enum script_log { SCRIPT_LOG_ERROR, SCRIPT_LOG_WARN, SCRIPT_LOG_INFO, SCRIPT_LOG_DEBUG };

struct graph_port {
  void *context;
  /* Starts an operation, which is copied. on_answer is called once, never before this returns, unless it is cancelled;
   * it may make the answer's value in `values`. Returns what cancel() takes. */
  void *(*submit)(
      void *context, const struct script_operation *operation, struct values *values, script_on_answer *on_answer,
      void *answer_context);
  /* on_answer is not called any more and `values` not touched; what was sent is sent. */
  void (*cancel)(void *context, void *request);
  /* Asks for a script_turn() at that moment; replaces the earlier one. CLOCK_NEVER: not at all. */
  void (*wake_at)(void *context, int64_t at_ms);
  int64_t (*now)(void *context);
  void (*log)(void *context, enum script_log level, const char *text);
  void (*print)(void *context, const char *bytes, size_t length); /* what the script prints, with its line ends */
  /* An event's bytes, checked, as the table that rules see. */
  bool (*read_event)(
      void *context, const char *bytes, size_t length, struct values *values, struct value **ret_event,
      struct err *err);
};

/* Does the operation publish? In a daemon it becomes an override in the engine; the others ask Graph. */
bool script_overrides(enum script_operation_kind kind);

struct script_limits {
  int64_t cpu_ms;
  size_t memory_bytes;
  size_t tasks; /* half of them at most are calls of hooks, so that these can use graph.each */
  size_t queue; /* what may wait for on.decision and on.outcome; 0: it is no policy script and has no hooks */
};

struct script;

/* Reads and compiles the file; nothing of it runs before the first turn. `arguments` become arg[1] and so on. The port
 * is copied; what it points to must outlive the script. */
struct script *script_open(
    const char *path, const char *const *arguments, size_t count, const struct script_limits *limits,
    const struct graph_port *port, struct err *err) MUST_CHECK;
/* Cancels what is under way. NULL is fine. */
void script_free(struct script *script);

enum script_state {
  SCRIPT_RUNS,
  SCRIPT_DONE,
  SCRIPT_SAID_NO, /* it ended well and returned false: what was asked for is not so */
  SCRIPT_FAILED,
};
/* Runs the coroutines that can go on, each up to where it waits, for about SCRIPT_TURN_MS. */
void script_turn(struct script *script);
enum script_state script_state(const struct script *script);
/* Of a failed one: what, with the author's file and line; and the traceback, over every coroutine in between. */
const struct err *script_err(const struct script *script);
const char *script_traceback(const struct script *script);
/* Operations that wait for their answer. */
size_t script_under_way(const struct script *script);

/* ---- of policy scripts */

enum script_hook { SCRIPT_ON_DECISION, SCRIPT_ON_OUTCOME, SCRIPT_EVERY, SCRIPT_AT };
bool script_has_hook(const struct script *script, enum script_hook kind);
/* on.decision or on.outcome will be called with both values, in a later turn; their arena passes over. Costs the caller
 * nothing else: what finds the queue full is dropped and counted. */
void script_notify(
    struct script *script, enum script_hook kind, struct values *values, struct value *first, struct value *second);
/* Is anything left to do that is neither a sleep nor a hook of time? */
bool script_is_busy(const struct script *script);
struct script_figures {
  size_t hooks, queued, calls; /* calls: that have not returned */
  uint64_t dropped;
};
struct script_figures script_figures(const struct script *script);

#endif
