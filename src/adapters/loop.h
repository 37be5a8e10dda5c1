/* The event loop (libevent): timers, signals, readable descriptors. One loop, one thread. Callbacks return; nothing
 * waits.
 *
 * A callback may cancel its own or any other timer or reader; after a cancel the callback is not called again. Time is
 * fresh, not libevent's cached one: a timer never fires before its moment by clock_now_ms(). */
#ifndef ADAPTERS_LOOP_H
#define ADAPTERS_LOOP_H

#include "base/err.h"

#include <stdint.h>

struct event_base; /* libevent's, for the other adapters that stand on it */
struct loop;
struct loop_timer;
struct loop_watch;

/* Also makes the process ignore SIGPIPE. */
struct loop *loop_new(struct err *err) MUST_CHECK;
void loop_free(struct loop *loop);
struct event_base *loop_base(struct loop *loop);

/* Runs until loop_stop(). on_turn is called after each round of callbacks: the place for the group commit. */
void loop_run(struct loop *loop, void (*on_turn)(void *context), void *context);
void loop_stop(struct loop *loop); /* after the present round; before loop_run(): it returns at once */
/* Asks for one more turn soon, even if nothing happens outside. */
void loop_again(struct loop *loop);

/* A timer is made unarmed. At most one firing per loop_timer_at(); a new moment replaces the old one. */
struct loop_timer *loop_timer_new(struct loop *loop, void (*on_due)(void *context), void *context);
void loop_timer_at(struct loop_timer *timer, int64_t at_ms); /* CLOCK_NEVER disarms; the past means the next turn */
/* After so long by a clock that nobody sets; 0: the next turn. */
void loop_timer_in(struct loop_timer *timer, int64_t ms);
void loop_timer_free(struct loop_timer *timer); /* NULL is fine */

/* Calls on_event for each arrival of the signal (not in signal context), until the watch is freed. */
struct loop_watch *loop_watch_signal(struct loop *loop, int signal, void (*on_event)(void *context), void *context);
/* Calls on_event while `fd` is readable (level-triggered). The descriptor stays the caller's. Regular files are not
 * pollable: read them with a timer. */
struct loop_watch *loop_watch_readable(struct loop *loop, int fd, void (*on_event)(void *context), void *context);
/* For adapters that write too: `interest` and what on_ready is told are LOOP_READ | LOOP_WRITE. */
enum { LOOP_READ = 1, LOOP_WRITE = 2 };
typedef void loop_on_ready(void *context, int fd, int ready);
struct loop_watch *loop_watch_descriptor(
    struct loop *loop, int fd, int interest, loop_on_ready *on_ready, void *context);
void loop_watch_pause(struct loop_watch *watch, bool paused);
void loop_watch_free(struct loop_watch *watch); /* NULL is fine */

#endif
