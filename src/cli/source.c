#include "cli/source.h"
#include "adapters/json.h"
#include "base/buf.h"
#include "base/clock.h"
#include "intake/intake.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Events handed over per turn: one group commit serves them all, and no turn gets long. Their bytes are kept until
 * then.
 */
enum { EVENTS_PER_TURN = 500, BYTES_PER_TURN = 1024 * 1024, READ_BYTES = 64 * 1024 };

struct source {
  struct json *json;
  struct source_options options;
  struct source_callbacks callbacks;
  const char *name; /* in messages */
  int fd;
  bool recording;
  struct loop_watch *watch; /* live: a pipe or terminal */
  struct loop_timer *timer; /* a regular file, which no loop can watch */
  struct buf bytes;
  size_t taken; /* so many of them were handed over since source_saved() */
  size_t line, saved_line;
  bool overlong, saved_overlong; /* the rest of a line that was too long is being skipped */
  bool at_end, ended, paused;
  struct event *event;
  size_t length; /* of the line that was parsed last, with its newline */
  bool pending;  /* it is not handed over yet: *event waits for its moment */
  int64_t shift_ms, first_ms, started_ms;
};

enum taken { TAKEN_EVENT, TAKEN_BAD, TAKEN_EMPTY, TAKEN_NONE };

static bool blank(const char *text, size_t length)
{
  for (size_t i = 0; i < length; i++)
    if (strchr(" \t\r\n", text[i]) == NULL)
      return false;
  return true;
}

static enum taken parse(struct source *source, const char *text, size_t length, struct err *err)
{
  source->line++;
  if (blank(text, length))
    return TAKEN_EMPTY;
  if (source->overlong || length > EVENT_MAX_BYTES) {
    source->overlong = false;
    err_set(err, ERR_INPUT, "longer than %d bytes; an event is one small JSON object on one line", EVENT_MAX_BYTES);
  } else if (intake_parse(source->json, text, length, clock_now_ms(), source->event, err)) {
    return TAKEN_EVENT;
  }
  err_add(err, "%s:%zu", source->name, source->line);
  return TAKEN_BAD;
}

/* The next line behind those that were taken. A last line without a newline counts. */
static enum taken read_line(struct source *source, struct err *err)
{
  const char *text = buf_text(&source->bytes) + source->taken;
  size_t there = source->bytes.length - source->taken;
  const char *newline = memchr(text, '\n', there);
  if (newline == NULL) {
    if (there > EVENT_MAX_BYTES && source->taken == 0) { /* keep nothing of it */
      source->overlong = true;
      buf_clear(&source->bytes);
      there = 0;
    }
    if (!source->at_end || (there == 0 && !source->overlong))
      return TAKEN_NONE;
  }
  size_t length = newline == NULL ? there : (size_t)(newline - text);
  enum taken taken = parse(source, text, length, err);
  source->overlong = false;
  source->length = newline == NULL ? length : length + 1;
  return taken;
}

static void drop_taken(struct source *source)
{
  buf_drop_front(&source->bytes, source->taken);
  source->taken = 0;
}

/* Reads once. False: nothing more for now, at_end tells whether for good. */
static bool fill(struct source *source, struct err *err)
{
  char bytes[READ_BYTES];
  ssize_t count;
  do
    count = read(source->fd, bytes, sizeof bytes);
  while (count < 0 && errno == EINTR);
  if (count > 0)
    return buf_add(&source->bytes, bytes, (size_t)count);
  if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
    return false;
  source->at_end = true;
  if (count < 0)
    err_set(err, ERR_INPUT, "%s: %s; events end here", source->name, strerror(errno));
  return false;
}

static void end(struct source *source, const struct err *err)
{
  loop_watch_free(source->watch);
  source->watch = NULL;
  loop_timer_at(source->timer, CLOCK_NEVER);
  bool again = source->ended; /* what was taken back has come once more */
  source->ended = true;
  if (!again)
    source->callbacks.on_end(source->callbacks.context, err);
}

/* When the event is due: for a recording that is played by the clock. */
static int64_t moment_of(const struct source *source)
{
  if (!source->recording || source->options.speed <= 0 || !source->event->at_given)
    return 0;
  return source->started_ms + (int64_t)((double)(source->event->at_ms - source->first_ms) / source->options.speed);
}

static void hand_over(struct source *source)
{
  if (source->recording && source->event->at_given)
    source->event->at_ms += source->shift_ms;
  source->callbacks.on_event(source->callbacks.context, source->event, source->recording);
}

/* A line that is too long can only be forgotten when nothing before it has to be kept. */
static bool waits_for_saving(const struct source *source)
{
  return source->taken > 0 && source->bytes.length - source->taken > EVENT_MAX_BYTES;
}

static void on_readable(void *context)
{
  struct source *source = context;
  struct err read_err = ERR_INIT;
  for (int i = 0; i < EVENTS_PER_TURN && source->taken < BYTES_PER_TURN && !source->paused; i++) {
    struct err err = ERR_INIT;
    enum taken taken = source->pending ? TAKEN_EVENT : read_line(source, &err);
    source->pending = taken == TAKEN_EVENT && moment_of(source) > clock_now_ms();
    if (source->pending) {
      loop_timer_at(source->timer, moment_of(source));
      return;
    }
    if (taken == TAKEN_BAD)
      source->callbacks.on_bad_line(source->callbacks.context, &err);
    if (taken == TAKEN_EVENT)
      hand_over(source);
    if (taken != TAKEN_NONE) {
      source->taken += source->length;
      continue;
    }
    if (waits_for_saving(source))
      break;
    if (fill(source, &read_err))
      continue;
    if (!source->at_end)
      return; /* the watch calls again */
    if ((source->bytes.length == source->taken && !source->overlong) || read_err.kind != ERR_NONE) {
      end(source, &read_err);
      return;
    }
  }
  if (!source->paused)
    loop_timer_at(source->timer, 0); /* more of it in the next turn */
}

void source_saved(struct source *source)
{
  if (source == NULL)
    return;
  drop_taken(source);
  source->saved_line = source->line - source->pending;
  source->saved_overlong = source->overlong;
}

void source_take_back(struct source *source)
{
  if (source == NULL)
    return;
  source->taken = 0;
  source->line = source->saved_line;
  source->overlong = source->saved_overlong;
  source->pending = false;
  source->paused = true;
  loop_timer_at(source->timer, CLOCK_NEVER);
  if (source->watch != NULL)
    loop_watch_pause(source->watch, true);
}

void source_resume(struct source *source)
{
  if (source == NULL)
    return;
  source->paused = false;
  loop_timer_at(source->timer, 0);
  if (source->watch != NULL)
    loop_watch_pause(source->watch, false);
}

/* Looks for the first and the latest time of a recording. */
static void scan(struct source *source, int64_t *ret_first, int64_t *ret_latest)
{
  struct err err = ERR_INIT;
  int64_t first = CLOCK_NEVER, latest = INT64_MIN;
  for (;;) {
    enum taken taken = read_line(source, &err);
    if (taken == TAKEN_EVENT && source->event->at_given) {
      if (first == CLOCK_NEVER)
        first = source->event->at_ms;
      if (source->event->at_ms > latest)
        latest = source->event->at_ms;
    }
    if (taken != TAKEN_NONE) {
      source->taken += source->length;
      continue;
    }
    drop_taken(source);
    if (!fill(source, &err) && source->bytes.length == 0)
      break;
  }
  *ret_first = first;
  *ret_latest = latest;
  source->at_end = false;
  source->line = 0;
  buf_clear(&source->bytes);
}

static bool prepare_recording(struct source *source, struct err *err)
{
  int64_t first, latest;
  scan(source, &first, &latest);
  if (lseek(source->fd, 0, SEEK_SET) != 0)
    return err_set(err, ERR_CONFIG, "%s: not a plain file; give live events with --events -", source->name);
  source->started_ms = clock_now_ms();
  source->first_ms = first;
  source->shift_ms = source->options.shift && first != CLOCK_NEVER ? source->started_ms - latest : 0;
  return true;
}

struct source *source_open(
    struct loop *loop, struct json *json, const struct source_options *options,
    const struct source_callbacks *callbacks, struct err *err)
{
  struct source *source = must_alloc(sizeof *source);
  struct stat stat = {0};
  source->json = json;
  source->options = *options;
  source->callbacks = *callbacks;
  source->recording = strcmp(options->path, "-") != 0;
  source->name = source->recording ? options->path : "standard input";
  source->event = must_alloc(sizeof *source->event);
  buf_init(&source->bytes, BYTES_PER_TURN + EVENT_MAX_BYTES + 2 * READ_BYTES);
  source->timer = loop_timer_new(loop, on_readable, source);
  source->fd = source->recording ? open(options->path, O_RDONLY | O_CLOEXEC | O_NOCTTY) : STDIN_FILENO;
  if (source->fd < 0 || fstat(source->fd, &stat) != 0) {
    err_set(err, ERR_CONFIG, "%s: %s; name a file of events, or - for standard input", source->name, strerror(errno));
    goto out;
  }
  if (S_ISDIR(stat.st_mode)) {
    err_set(err, ERR_CONFIG, "%s: a folder; name a file of events, or - for standard input", source->name);
    goto out;
  }
  if (source->recording && !prepare_recording(source, err))
    goto out;
  if (source->recording || S_ISREG(stat.st_mode)) {
    loop_timer_at(source->timer, 0);
    return source;
  }
  int flags = fcntl(source->fd, F_GETFL);
  if (flags >= 0)
    (void)fcntl(
        source->fd, F_SETFL, flags | O_NONBLOCK); /* where refused, a read after readiness does not wait either */
  source->watch = loop_watch_readable(loop, source->fd, on_readable, source);
  return source;
out:
  source_close(source);
  return NULL;
}

void source_close(struct source *source)
{
  if (source == NULL)
    return;
  loop_watch_free(source->watch);
  loop_timer_free(source->timer);
  if (source->recording && source->fd >= 0)
    close(source->fd);
  buf_release(&source->bytes);
  free(source->event);
  free(source);
}
