/* Where events come from on the command line: live lines on a descriptor, or a recording played from a file. Reads in
 * small pieces, so that the loop never waits on a large file, and hands over what intake made of each line. */
#ifndef CLI_SOURCE_H
#define CLI_SOURCE_H

#include "adapters/loop.h"
#include "base/err.h"
#include "model/event.h"

struct json;
struct source;

struct source_options {
  const char *path; /* "-": standard input, live */
  double speed;     /* of a recording; 0: as fast as it is taken */
  bool shift;       /* of a recording: all times by one amount, so that the latest is now */
};

struct source_callbacks {
  void *context;
  void (*on_event)(void *context, const struct event *event, bool recording);
  /* A line that is no event: "FILE:LINE: ...". */
  void (*on_bad_line)(void *context, const struct err *err);
  /* The input is at its end, or (err is not ERR_NONE) cannot be read on. */
  void (*on_end)(void *context, const struct err *err);
};

/* A recording is read through once before it is played, to find its latest time. Errors are ERR_CONFIG. */
struct source *source_open(
    struct loop *loop, struct json *json, const struct source_options *options,
    const struct source_callbacks *callbacks, struct err *err) MUST_CHECK;
void source_close(struct source *source); /* NULL is fine, here and below */

/* Once a turn: what was handed over is durable. */
void source_saved(struct source *source);
/* It cannot be made durable. Nothing more is read, and what was handed over since the last source_saved() comes again,
 * once source_resume() is called. */
void source_take_back(struct source *source);
void source_resume(struct source *source);

#endif
