/* What the files of this room share: script.c (turns), tasks.c (coroutines; in tasks.h), request.c (what a primitive
 * asks for), hooks.c (what the daemon calls, and when; in hooks.h), files.c (recordings and spreadsheets). */
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

#endif
