/* Where events come from. A source hands events over and gives them up only when they are durable: the daemon tells it
 * of each commit, and of one that failed. Lines of a file or of standard input are the first kind (daemon/lines.h).
 *
 * A kind fills in a struct source_kind and makes a struct whose first member is a struct source. */
#ifndef DAEMON_SOURCE_H
#define DAEMON_SOURCE_H

#include "base/err.h"
#include "model/event.h"

struct source;

/* For whoever asks how the source fares. */
struct source_liveness {
  bool ended;              /* nothing more will come */
  int64_t heard_ms;        /* when it last handed something over; 0: never */
  uint64_t taken, refused; /* events; items that were none */
};

struct source_kind {
  const char *(*name)(const struct source *source); /* for messages and status */
  /* What was handed over is durable. */
  void (*saved)(struct source *source);
  /* It cannot be made durable: what was handed over since the last saved() comes again, once it may go on. */
  void (*take_back)(struct source *source);
  /* Hands nothing over until resume(); both may be called twice. */
  void (*pause)(struct source *source);
  void (*resume)(struct source *source);
  void (*close)(struct source *source); /* and frees it */
  struct source_liveness (*liveness)(const struct source *source);
};

struct source {
  const struct source_kind *kind;
};

/* To whom it hands over. */
struct source_sink {
  void *context;
  void (*on_event)(void *context, const struct event *event, bool recording);
  /* An item that is no event: "FILE:LINE: ...". */
  void (*on_bad)(void *context, const struct err *err);
  /* The source is at its end, or (err is not ERR_NONE) cannot be read on. */
  void (*on_end)(void *context, const struct err *err);
};

/* NULL is fine for all of these: there is no source. */
static inline void source_saved(struct source *source)
{
  if (source != NULL)
    source->kind->saved(source);
}

static inline void source_take_back(struct source *source)
{
  if (source != NULL)
    source->kind->take_back(source);
}

static inline void source_pause(struct source *source)
{
  if (source != NULL)
    source->kind->pause(source);
}

static inline void source_resume(struct source *source)
{
  if (source != NULL)
    source->kind->resume(source);
}

static inline void source_close(struct source *source)
{
  if (source != NULL)
    source->kind->close(source);
}

#endif
