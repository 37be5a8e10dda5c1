/* libevent for one thread. A turn is one round of whatever is ready, then on_turn, where the group commit has its
 * place: all that the callbacks of a turn have begun becomes durable together. Timers of two kinds share a struct:
 * loop_timer_at() means a moment of the wall clock and is armed again until clock_now_ms() has come so far;
 * loop_timer_in() means a stretch of libevent's monotonic clock, and says so by at_ms = 0. Callbacks come last in their
 * function, because they may free what they were called for. */
#include "adapters/loop.h"
#include "base/clock.h"
#include "base/must.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>

/* No sleep is longer than this: libevent counts on the monotonic clock, moments here are of the wall clock, and a wall
 * clock that was set forward must be noticed some time. */
#define LONGEST_SLEEP_MS CLOCK_MINUTE

struct loop {
  struct event_base *base;
  struct event *again; /* never added, only made active by hand */
  bool stopped;
};

struct loop_timer {
  struct event *event;
  int64_t at_ms; /* CLOCK_NEVER while unarmed */
  void (*on_due)(void *context);
  void *context;
};

struct loop_watch {
  struct event *event;
  void (*on_event)(void *context);
  loop_on_ready *on_ready; /* instead of on_event */
  void *context;
};

static void on_again(evutil_socket_t fd, short what, void *context)
{
  (void)fd, (void)what, (void)context;
}

/* Adapters do not log. libevent's warnings repeat what its functions return; its fatal errors end the process, and then
 * their text is all there will be. */
static void on_libevent_text(int severity, const char *text)
{
  if (severity == EVENT_LOG_ERR)
    fprintf(stderr, "presenced: event loop: %s\n", text);
}

struct loop *loop_new(struct err *err)
{
  event_set_log_callback(on_libevent_text);
  struct loop *loop = must_alloc(sizeof *loop);
  loop->base = event_base_new();
  if (loop->base == NULL) {
    free(loop);
    err_set(err, ERR_LIMIT, "event loop: cannot be made; look at the limit of open files (ulimit -n)");
    return NULL;
  }
  loop->again = event_new(loop->base, -1, 0, on_again, NULL);
  must(loop->again != NULL);
  /* A peer that goes away while we write is an error of that connection, not the end of the process. */
  signal(SIGPIPE, SIG_IGN);
  return loop;
}

void loop_free(struct loop *loop)
{
  if (loop == NULL)
    return;
  event_free(loop->again);
  event_base_free(loop->base);
  free(loop);
}

struct event_base *loop_base(struct loop *loop)
{
  return loop->base;
}

void loop_run(struct loop *loop, void (*on_turn)(void *context), void *context)
{
  /* NO_EXIT_ON_EMPTY: without anything to wait for, libevent would return at once, for ever. */
  while (!loop->stopped) {
    must(event_base_loop(loop->base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY) >= 0);
    if (on_turn != NULL)
      on_turn(context);
  }
  loop->stopped = false;
}

void loop_stop(struct loop *loop)
{
  loop->stopped = true;
  loop_again(loop); /* the stop may come from on_turn, after which nothing else need happen */
}

void loop_again(struct loop *loop)
{
  /* An active event makes the next round return without sleeping; that it does nothing does not matter. */
  event_active(loop->again, EV_TIMEOUT, 0);
}

static void arm(struct loop_timer *timer)
{
  int64_t wait_ms = timer->at_ms - clock_now_ms();
  if (wait_ms < 0)
    wait_ms = 0;
  if (wait_ms > LONGEST_SLEEP_MS)
    wait_ms = LONGEST_SLEEP_MS;
  struct timeval wait = {.tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000};
  /* Adding an event that is pending already moves it. */
  must(event_add(timer->event, &wait) == 0);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
  (void)fd, (void)what;
  struct loop_timer *timer = context;
  /* libevent counts from a cached time and on a coarse clock: it may be early. */
  if (clock_now_ms() < timer->at_ms) {
    arm(timer);
    return;
  }
  /* Unarmed before the callback, which may arm it anew. */
  timer->at_ms = CLOCK_NEVER;
  timer->on_due(timer->context); /* may free the timer */
}

struct loop_timer *loop_timer_new(struct loop *loop, void (*on_due)(void *context), void *context)
{
  struct loop_timer *timer = must_alloc(sizeof *timer);
  timer->at_ms = CLOCK_NEVER;
  timer->on_due = on_due;
  timer->context = context;
  timer->event = event_new(loop->base, -1, 0, on_timer, timer);
  must(timer->event != NULL);
  return timer;
}

void loop_timer_at(struct loop_timer *timer, int64_t at_ms)
{
  timer->at_ms = at_ms;
  if (at_ms == CLOCK_NEVER)
    event_del(timer->event);
  else
    arm(timer);
}

void loop_timer_in(struct loop_timer *timer, int64_t ms)
{
  struct timeval wait = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
  timer->at_ms = 0; /* whatever the wall clock says when libevent's has come so far */
  must(event_add(timer->event, &wait) == 0);
}

void loop_timer_free(struct loop_timer *timer)
{
  if (timer == NULL)
    return;
  event_free(timer->event);
  free(timer);
}

static void on_watch(evutil_socket_t fd, short what, void *context)
{
  (void)fd, (void)what;
  struct loop_watch *watch = context;
  watch->on_event(watch->context); /* may free the watch */
}

static struct loop_watch *watch_new(
    struct loop *loop, int fd, short what, void (*on_event)(void *context), void *context)
{
  struct loop_watch *watch = must_alloc(sizeof *watch);
  watch->on_event = on_event;
  watch->context = context;
  /* EV_PERSIST: else libevent would forget it after the first call. */
  watch->event = event_new(loop->base, fd, (short)(what | EV_PERSIST), on_watch, watch);
  must(watch->event != NULL);
  must(event_add(watch->event, NULL) == 0);
  return watch;
}

struct loop_watch *loop_watch_signal(
    struct loop *loop, int signal_number, void (*on_event)(void *context), void *context)
{
  return watch_new(loop, signal_number, EV_SIGNAL, on_event, context);
}

struct loop_watch *loop_watch_readable(struct loop *loop, int fd, void (*on_event)(void *context), void *context)
{
  return watch_new(loop, fd, EV_READ, on_event, context);
}

static void on_ready(evutil_socket_t fd, short what, void *context)
{
  struct loop_watch *watch = context;
  int ready = ((what & EV_READ) != 0 ? LOOP_READ : 0) | ((what & EV_WRITE) != 0 ? LOOP_WRITE : 0);
  watch->on_ready(watch->context, fd, ready); /* may free the watch */
}

struct loop_watch *loop_watch_descriptor(
    struct loop *loop, int fd, int interest, loop_on_ready *callback, void *context)
{
  struct loop_watch *watch = must_alloc(sizeof *watch);
  short what = (short)(((interest & LOOP_READ) != 0 ? EV_READ : 0) | ((interest & LOOP_WRITE) != 0 ? EV_WRITE : 0));
  watch->on_ready = callback;
  watch->context = context;
  watch->event = event_new(loop->base, fd, (short)(what | EV_PERSIST), on_ready, watch);
  must(watch->event != NULL);
  must(event_add(watch->event, NULL) == 0);
  return watch;
}

void loop_watch_pause(struct loop_watch *watch, bool paused)
{
  if (paused)
    event_del(watch->event);
  else
    must(event_add(watch->event, NULL) == 0);
}

void loop_watch_free(struct loop_watch *watch)
{
  if (watch == NULL)
    return;
  event_free(watch->event);
  free(watch);
}
