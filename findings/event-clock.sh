#!/bin/bash
# libevent 2.1.12 (Debian 12): after a callback that took long, timers fire early or late by as much.
#
# The loop reads the clock when it wakes up, and all callbacks of that turn see this one moment. event_add() counts
# from it, and so does the loop when it works out how long it may sleep. After a callback of 300 ms:
#   * a timer of 100 ms that it has armed is overdue at once, by the real clock. If nothing else happens, the loop
#     sleeps 100 ms all the same, and it looks right; if a descriptor is ready, the timer fires then, 100 ms early;
#   * a timer that was armed before, due 50 ms after the callback's end, fires 350 ms after it: 300 ms late, although
#     the loop had nothing else to do;
#   * event_base_gettimeofday_cached() still says the old moment; event_base_update_cache_time() in the callback
#     helps.
#
# For us: src/adapters/loop.c looks at a fresh clock before a timer fires and arms it again if it was early; nothing
# on the loop runs for long (src/README.md, law 3).
set -euo pipefail
# shellcheck source=findings/trial.sh
. "$(dirname "$0")/trial.sh"

need_package libevent-dev 2.1.12
compile clock libevent_core <<'C'
#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static struct event_base *base;
static struct event *timer, *readable;
static int ends[2];
static bool from_callback, with_byte, with_update;
static double callback_end;

static double now_ms(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
  (void)fd, (void)what, (void)context;
  printf("%.0f", now_ms() - callback_end);
  event_base_loopbreak(base);
}

static void on_byte(evutil_socket_t fd, short what, void *context)
{
  char byte;
  (void)what, (void)context;
  if (read(fd, &byte, 1) != 1)
    printf("no byte");
}

static void long_callback(evutil_socket_t fd, short what, void *context)
{
  (void)fd, (void)what, (void)context;
  struct timeval before, after, wait = {0, 100000};
  event_base_gettimeofday_cached(base, &before);
  double begin = now_ms();
  while (now_ms() < begin + 300)
    ;
  if (with_update)
    event_base_update_cache_time(base);
  event_base_gettimeofday_cached(base, &after);
  printf("%ld|", (after.tv_sec - before.tv_sec) * 1000 + (after.tv_usec - before.tv_usec) / 1000);
  if (with_byte && write(ends[1], "x", 1) != 1)
    printf("no byte");
  if (from_callback)
    event_add(timer, &wait);
  callback_end = now_ms();
}

static void trial(const char *name, bool callback_arms, bool byte, bool update)
{
  struct timeval soon = {0, 10000}, earlier = {0, 360000};
  from_callback = callback_arms, with_byte = byte, with_update = update;
  base = event_base_new();
  timer = event_new(base, -1, 0, on_timer, NULL);
  readable = event_new(base, ends[0], EV_READ | EV_PERSIST, on_byte, NULL);
  event_add(readable, NULL);
  if (!callback_arms)
    event_add(timer, &earlier);
  event_base_once(base, -1, EV_TIMEOUT, long_callback, NULL, &soon);
  printf("%s|", name);
  event_base_dispatch(base);
  printf("\n");
  event_free(readable);
  event_free(timer);
  event_base_free(base);
}

int main(void)
{
  if (pipe(ends) != 0)
    return 1;
  trial("alone", true, false, false);
  trial("byte", true, true, false);
  trial("armed before", false, false, false);
  trial("byte, update", true, true, true);
  trial("armed before, update", false, false, true);
  return 0;
}
C
timeout 20 "$work/clock" >"$work/seen"

# near STATED SEEN: the stated figure when it is no more than 60 ms off
near() {
  (($2 >= $1 - 60 && $2 <= $1 + 60)) && echo "about $1" || echo "$2"
}

while IFS='|' read -r name advance stated; do
  IFS='|' read -r _ advanced fired <<<"$(grep "^$name|" "$work/seen")"
  check "$name: the cached clock went on by, in 300 ms ($advanced ms)" "about $advance" "$(near "$advance" "$advanced")"
  check "$name: the timer fired after the callback ($fired ms)" "about $stated" "$(near "$stated" "$fired")"
done <<'END'
alone|0|100
byte|0|0
armed before|0|350
byte, update|300|100
armed before, update|300|50
END
conclude
