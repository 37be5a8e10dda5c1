/* A descriptor's bytes become lines, lines become events.
 *
 * The bytes of what was handed over are kept (`taken`) until the commit: then they are dropped, or, where it failed,
 * taken back and read again, with the line number and the state of an overlong line that belonged to them. So an event
 * that the daemon has read but not made durable is never lost, although a pipe cannot be read twice. A regular file is
 * always readable to the loop, so it is read by a timer instead of a watch. */
#include "daemon/lines.h"
#include "adapters/json.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/list.h"
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

struct lines {
  struct source source;
  struct json *json;
  struct lines_options options;
  struct source_sink sink;
  const char *name; /* in messages */
  int fd;
  bool recording;
  struct loop_watch *watch; /* live: a pipe or terminal */
  struct loop_timer *timer; /* a regular file, which no loop can watch */
  struct buf bytes;
  size_t taken; /* so many of them were handed over since saved() */
  size_t line, saved_line;
  bool overlong, saved_overlong; /* the rest of a line that was too long is being skipped */
  bool at_end, ended, paused;
  int64_t heard_ms; /* see struct source_liveness, as the next two */
  uint64_t events, refused, saved_events, saved_refused;
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

static enum taken parse(struct lines *lines, const char *text, size_t length, struct err *err)
{
  lines->line++;
  if (blank(text, length))
    return TAKEN_EMPTY;
  if (lines->overlong || length > EVENT_MAX_BYTES) {
    lines->overlong = false;
    err_set(err, ERR_INPUT, "longer than %d bytes; an event is one small JSON object on one line", EVENT_MAX_BYTES);
  } else if (intake_parse(lines->json, text, length, clock_now_ms(), lines->event, err)) {
    return TAKEN_EVENT;
  }
  err_add(err, "%s:%zu", lines->name, lines->line);
  return TAKEN_BAD;
}

/* The next line behind those that were taken. A last line without a newline counts. */
static enum taken read_line(struct lines *lines, struct err *err)
{
  const char *text = buf_text(&lines->bytes) + lines->taken;
  size_t there = lines->bytes.length - lines->taken;
  const char *newline = memchr(text, '\n', there);
  if (newline == NULL) {
    if (there > EVENT_MAX_BYTES && lines->taken == 0) { /* keep nothing of it */
      lines->overlong = true;
      buf_clear(&lines->bytes);
      there = 0;
    }
    if (!lines->at_end || (there == 0 && !lines->overlong))
      return TAKEN_NONE;
  }
  size_t length = newline == NULL ? there : (size_t)(newline - text);
  enum taken taken = parse(lines, text, length, err);
  lines->overlong = false;
  lines->length = newline == NULL ? length : length + 1;
  return taken;
}

static void drop_taken(struct lines *lines)
{
  buf_drop_front(&lines->bytes, lines->taken);
  lines->taken = 0;
}

/* Reads once. False: nothing more for now, at_end tells whether for good. */
static bool fill(struct lines *lines, struct err *err)
{
  char bytes[READ_BYTES];
  ssize_t count;
  do
    count = read(lines->fd, bytes, sizeof bytes);
  while (count < 0 && errno == EINTR);
  if (count > 0)
    return buf_add(&lines->bytes, bytes, (size_t)count);
  if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
    return false;
  lines->at_end = true;
  if (count < 0)
    err_set(err, ERR_INPUT, "%s: %s; events end here", lines->name, strerror(errno));
  return false;
}

static void end(struct lines *lines, const struct err *err)
{
  loop_watch_free(lines->watch);
  lines->watch = NULL;
  loop_timer_at(lines->timer, CLOCK_NEVER);
  bool again = lines->ended; /* what was taken back has come once more */
  lines->ended = true;
  if (!again)
    lines->sink.on_end(lines->sink.context, err);
}

/* When the event is due: for a recording that is played by the clock. */
static int64_t moment_of(const struct lines *lines)
{
  if (!lines->recording || lines->options.speed <= 0 || !lines->event->at_given)
    return 0;
  return lines->started_ms + (int64_t)((double)(lines->event->at_ms - lines->first_ms) / lines->options.speed);
}

static void hand_over(struct lines *lines)
{
  lines->events++;
  lines->heard_ms = clock_now_ms();
  if (lines->recording && lines->event->at_given)
    lines->event->at_ms += lines->shift_ms;
  lines->sink.on_event(lines->sink.context, lines->event, lines->recording);
}

/* A line that is too long can only be forgotten when nothing before it has to be kept. */
static bool waits_for_saving(const struct lines *lines)
{
  return lines->taken > 0 && lines->bytes.length - lines->taken > EVENT_MAX_BYTES;
}

static void on_readable(void *context)
{
  struct lines *lines = context;
  struct err read_err = ERR_INIT;
  for (int i = 0; i < EVENTS_PER_TURN && lines->taken < BYTES_PER_TURN && !lines->paused; i++) {
    struct err err = ERR_INIT;
    enum taken taken = lines->pending ? TAKEN_EVENT : read_line(lines, &err);
    lines->pending = taken == TAKEN_EVENT && moment_of(lines) > clock_now_ms();
    if (lines->pending) {
      loop_timer_at(lines->timer, moment_of(lines));
      return;
    }
    lines->refused += taken == TAKEN_BAD;
    if (taken == TAKEN_BAD)
      lines->sink.on_bad(lines->sink.context, &err);
    if (taken == TAKEN_EVENT)
      hand_over(lines);
    if (taken != TAKEN_NONE) {
      lines->taken += lines->length;
      continue;
    }
    if (waits_for_saving(lines))
      break;
    if (fill(lines, &read_err))
      continue;
    if (!lines->at_end)
      return; /* the watch calls again */
    if ((lines->bytes.length == lines->taken && !lines->overlong) || read_err.kind != ERR_NONE) {
      end(lines, &read_err);
      return;
    }
  }
  if (!lines->paused)
    loop_timer_at(lines->timer, 0); /* more of it in the next turn */
}

/* ---- what the daemon tells it */

static struct lines *lines_of(struct source *source)
{
  return LIST_ENTRY(source, struct lines, source);
}

static void saved(struct source *source)
{
  struct lines *lines = lines_of(source);
  drop_taken(lines);
  lines->saved_line = lines->line - lines->pending;
  lines->saved_overlong = lines->overlong;
  lines->saved_events = lines->events;
  lines->saved_refused = lines->refused;
}

static void take_back(struct source *source)
{
  struct lines *lines = lines_of(source);
  lines->taken = 0;
  lines->line = lines->saved_line;
  lines->overlong = lines->saved_overlong;
  lines->events = lines->saved_events;
  lines->refused = lines->saved_refused;
  lines->pending = false;
}

static void pause_lines(struct source *source)
{
  struct lines *lines = lines_of(source);
  lines->paused = true;
  loop_timer_at(lines->timer, CLOCK_NEVER);
  if (lines->watch != NULL)
    loop_watch_pause(lines->watch, true);
}

static void resume(struct source *source)
{
  struct lines *lines = lines_of(source);
  lines->paused = false;
  loop_timer_at(lines->timer, 0);
  if (lines->watch != NULL)
    loop_watch_pause(lines->watch, false);
}

static void close_lines(struct source *source)
{
  struct lines *lines = lines_of(source);
  loop_watch_free(lines->watch);
  loop_timer_free(lines->timer);
  if (lines->recording && lines->fd >= 0)
    close(lines->fd);
  buf_release(&lines->bytes);
  free(lines->event);
  free(lines);
}

static const char *name_of(const struct source *source)
{
  return lines_of((struct source *)source)->name;
}

static struct source_liveness liveness(const struct source *source)
{
  const struct lines *lines = lines_of((struct source *)source);
  return (struct source_liveness){lines->ended, lines->heard_ms, lines->events, lines->refused};
}

static const struct source_kind kind = {
    .name = name_of,
    .saved = saved,
    .take_back = take_back,
    .pause = pause_lines,
    .resume = resume,
    .close = close_lines,
    .liveness = liveness};

/* ---- opening */

/* Looks for the first and the latest time of a recording. */
static void scan(struct lines *lines, int64_t *ret_first, int64_t *ret_latest)
{
  struct err err = ERR_INIT;
  int64_t first = CLOCK_NEVER, latest = INT64_MIN;
  for (;;) {
    enum taken taken = read_line(lines, &err);
    if (taken == TAKEN_EVENT && lines->event->at_given) {
      if (first == CLOCK_NEVER)
        first = lines->event->at_ms;
      if (lines->event->at_ms > latest)
        latest = lines->event->at_ms;
    }
    if (taken != TAKEN_NONE) {
      lines->taken += lines->length;
      continue;
    }
    drop_taken(lines);
    if (!fill(lines, &err) && lines->bytes.length == 0)
      break;
  }
  *ret_first = first;
  *ret_latest = latest;
  lines->at_end = false;
  lines->line = 0;
  buf_clear(&lines->bytes);
}

static bool prepare_recording(struct lines *lines, struct err *err)
{
  int64_t first, latest;
  scan(lines, &first, &latest);
  if (lseek(lines->fd, 0, SEEK_SET) != 0)
    return err_set(err, ERR_CONFIG, "%s: %s; give live events with --events -", lines->name, strerror(errno));
  lines->started_ms = clock_now_ms();
  lines->first_ms = first;
  lines->shift_ms = lines->options.shift && first != CLOCK_NEVER ? lines->started_ms - latest : 0;
  return true;
}

/* Always ready, and so nothing that a loop can watch: epoll refuses it. A terminal is the one device that is not. */
static bool is_always_ready(int fd, const struct stat *stat)
{
  return S_ISREG(stat->st_mode) || S_ISBLK(stat->st_mode) || (S_ISCHR(stat->st_mode) && isatty(fd) == 0);
}

/* What kind of input it is the descriptor tells, not the name. A pipe without a writer would hold open(), and a
 * recording is read twice. */
static bool begin(struct lines *lines, struct loop *loop, struct err *err)
{
  struct stat stat = {0};
  lines->fd = lines->recording ? open(lines->options.path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY) : STDIN_FILENO;
  if (lines->fd < 0 || fstat(lines->fd, &stat) != 0)
    return err_set(
        err, ERR_CONFIG, "%s: %s; name a file of events, or - for standard input", lines->name, strerror(errno));
  if (S_ISDIR(stat.st_mode))
    return err_set(err, ERR_CONFIG, "%s: a folder; name a file of events, or - for standard input", lines->name);
  if (lines->recording && !S_ISREG(stat.st_mode))
    return err_set(err, ERR_CONFIG, "%s: not a plain file; give live events with --events -", lines->name);
  if (lines->recording && !prepare_recording(lines, err))
    return false;
  if (is_always_ready(lines->fd, &stat)) {
    loop_timer_at(lines->timer, 0);
    return true;
  }
  int flags = fcntl(lines->fd, F_GETFL);
  if (flags >= 0) /* where refused, a read after readiness does not wait either */
    (void)fcntl(lines->fd, F_SETFL, flags | O_NONBLOCK);
  lines->watch = loop_watch_readable(loop, lines->fd, on_readable, lines);
  return true;
}

struct source *lines_source_open(
    struct loop *loop, struct json *json, const struct lines_options *options, const struct source_sink *sink,
    struct err *err)
{
  struct lines *lines = must_alloc(sizeof *lines);
  lines->source.kind = &kind;
  lines->json = json;
  lines->options = *options;
  lines->sink = *sink;
  lines->recording = strcmp(options->path, "-") != 0;
  lines->name = lines->recording ? options->path : "standard input";
  lines->event = must_alloc(sizeof *lines->event);
  buf_init(&lines->bytes, BYTES_PER_TURN + EVENT_MAX_BYTES + 2 * READ_BYTES);
  lines->timer = loop_timer_new(loop, on_readable, lines);
  if (begin(lines, loop, err))
    return &lines->source;
  close_lines(&lines->source);
  return NULL;
}
