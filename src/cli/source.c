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

/* Events handed over per turn: one group commit serves them all, and no turn gets long. */
enum { EVENTS_PER_TURN = 500, READ_BYTES = 64 * 1024 };

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
  size_t line;
  bool overlong; /* the rest of a line that was too long is being skipped */
  bool at_end;
  struct event *event;
  bool pending; /* *event waits for its moment */
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

/* Takes one line out of the buffer. A last line without a newline counts. */
static enum taken take_line(struct source *source, struct err *err)
{
  const char *text = buf_text(&source->bytes);
  const char *newline = memchr(text, '\n', source->bytes.length);
  if (newline == NULL) {
    if (source->bytes.length > EVENT_MAX_BYTES) { /* keep nothing of it */
      source->overlong = true;
      buf_clear(&source->bytes);
    }
    if (!source->at_end || (source->bytes.length == 0 && !source->overlong))
      return TAKEN_NONE;
  }
  size_t length = newline == NULL ? source->bytes.length : (size_t)(newline - text);
  enum taken taken = parse(source, text, length, err);
  source->overlong = false;
  buf_drop_front(&source->bytes, newline == NULL ? length : length + 1);
  return taken;
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

static void on_readable(void *context)
{
  struct source *source = context;
  struct err read_err = ERR_INIT;
  for (int i = 0; i < EVENTS_PER_TURN; i++) {
    struct err err = ERR_INIT;
    enum taken taken = source->pending ? TAKEN_EVENT : take_line(source, &err);
    source->pending = false;
    if (taken == TAKEN_BAD)
      source->callbacks.on_bad_line(source->callbacks.context, &err);
    if (taken == TAKEN_EVENT) {
      int64_t moment = moment_of(source);
      if (moment > clock_now_ms()) {
        source->pending = true;
        loop_timer_at(source->timer, moment);
        return;
      }
      hand_over(source);
    }
    if (taken == TAKEN_NONE && !fill(source, &read_err)) {
      if (!source->at_end)
        return; /* the watch calls again */
      if ((source->bytes.length == 0 && !source->overlong) || read_err.kind != ERR_NONE) {
        end(source, &read_err);
        return;
      }
    }
  }
  loop_timer_at(source->timer, 0); /* more of it in the next turn */
}

/* Looks for the first and the latest time of a recording. */
static void scan(struct source *source, int64_t *ret_first, int64_t *ret_latest)
{
  struct err err = ERR_INIT;
  int64_t first = CLOCK_NEVER, latest = INT64_MIN;
  for (;;) {
    enum taken taken = take_line(source, &err);
    if (taken == TAKEN_EVENT && source->event->at_given) {
      if (first == CLOCK_NEVER)
        first = source->event->at_ms;
      if (source->event->at_ms > latest)
        latest = source->event->at_ms;
    }
    if (taken == TAKEN_NONE && !fill(source, &err) && source->bytes.length == 0)
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
  buf_init(&source->bytes, EVENT_MAX_BYTES + READ_BYTES + 1);
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
