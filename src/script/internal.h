/* What the files of this room share: script.c (turns), tasks.c (coroutines; in tasks.h), request.c (what a primitive
 * asks for), hooks.c (what the daemon calls, and when), files.c (recordings and spreadsheets). */
#ifndef SCRIPT_INTERNAL_H
#define SCRIPT_INTERNAL_H

#include "base/buf.h"
#include "base/heap.h"
#include "base/list.h"
#include "script/script.h"

#include <stdio.h>

/* ---- files.c */

struct script_file; /* one that a script reads */

/* kind "events": one JSON object a line; "rows": a table with a head line, fields divided by comma, semicolon or tab.
 * Regular files only, so that reading does not wait for anybody. */
struct script_file *script_file_open(const char *path, const char *kind, struct err *err) MUST_CHECK;
void script_file_close(struct script_file *file); /* NULL is fine */
/* Some hundred records as {{value=..., line=...}, ...}; none: the file is at its end, and closed by the caller. A line
 * that is no event is skipped and told to port->log. */
bool script_file_next(
    struct script_file *file, const struct graph_port *port, struct values *values, struct value **ret_records,
    struct err *err) MUST_CHECK;

/* ---- request.c */

/* Fills in the operation of a request. False: the request is wrong, and `why` is for the author. */
bool script_read_operation(const struct value *request, struct script_operation *ret_operation, struct err *why)
    MUST_CHECK;
/* "1h30m" or a number of seconds, above 0; `what` it is, for the message. */
bool script_read_duration(const struct value *time, const char *what, int64_t *ret_ms, struct err *why) MUST_CHECK;
/* The answers that Lua understands: {value=...}, {err={...}}, {wrong=...}. */
struct value *script_answer_value(struct values *values, struct value *value);
struct value *script_answer_failure(struct values *values, const struct script_answer *answer);
struct value *script_answer_wrong(struct values *values, const char *text);
/* Every presence by the names that scripts know it by. */
struct value *script_presence_names(struct values *values);

/* ---- hooks.c */

struct hook {
  enum script_hook kind;
  double number;     /* Lua's, of the function */
  int64_t every_ms;  /* of SCRIPT_EVERY */
  struct zone *zone; /* of SCRIPT_AT, with the minute of the day */
  int minute;
  int64_t next_ms; /* of both: when it is due */
  bool running;    /* of both: the last call has not returned */
};

struct occurrence; /* something that has happened */
struct hooks {
  struct hook list[SCRIPT_HOOKS_MAX];
  size_t count;
  struct list_node queue; /* of what has happened and was not told yet, the oldest first */
  size_t queued, queue_max;
  struct occurrence *last; /* behind the call that was given last */
  uint64_t dropped;
};

void hooks_init(struct hooks *hooks, size_t queue_max);
void hooks_release(struct hooks *hooks);
/* Registers what Lua's on, every or at ask for. */
bool hooks_add(struct hooks *hooks, const struct value *request, int64_t now, struct err *why) MUST_CHECK;
/* Something has happened; the arena passes over. Beyond queue_max it is dropped and counted. */
void hooks_put(
    struct hooks *hooks, enum script_hook kind, struct values *values, struct value *first, struct value *second);
/* The next call that is due; its values are borrowed until the next question. False: none is. A call of every or at is
 * left out while the one before has not returned. */
struct hook_call {
  struct hook *hook;
  const struct value *first, *second; /* NULL: it takes none */
};
bool hooks_next(struct hooks *hooks, int64_t now, struct hook_call *ret_call) MUST_CHECK;
/* When hooks_next() will have something to do; CLOCK_NEVER. */
int64_t hooks_due(const struct hooks *hooks);

#endif
