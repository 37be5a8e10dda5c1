/* The loop's promises: a timer is never early, what was cancelled is not called, nothing is lost between turns. */
#include "cases.h"

#include "adapters/loop.h"
#include "base/clock.h"
#include "base/must.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

struct scene {
  struct loop *loop;
  struct loop_timer *timer, *other;
  struct loop_watch *watch;
  int64_t due_ms;
  int fired, turns, descriptor;
};

static int scene_open(void **state)
{
  struct err err = ERR_INIT;
  struct scene *scene = must_alloc(sizeof *scene);
  scene->loop = loop_new(&err);
  *state = scene;
  return scene->loop == NULL ? -1 : 0;
}

static int scene_close(void **state)
{
  struct scene *scene = *state;
  loop_timer_free(scene->timer);
  loop_timer_free(scene->other);
  loop_watch_free(scene->watch);
  loop_free(scene->loop);
  free(scene);
  return 0;
}

static void stop(void *context)
{
  struct scene *scene = context;
  loop_stop(scene->loop);
}

static void fire_again(void *context)
{
  struct scene *scene = context;
  int64_t now = clock_now_ms();
  assert_true(now >= scene->due_ms);
  if (++scene->fired == 20)
    loop_stop(scene->loop);
  scene->due_ms = now + scene->fired % 7; /* 0 to 6 ms: below the resolution of libevent's clock */
  loop_timer_at(scene->timer, scene->due_ms);
}

static void test_timer_is_never_early(void **state)
{
  struct scene *scene = *state;
  scene->timer = loop_timer_new(scene->loop, fire_again, scene);
  scene->due_ms = clock_now_ms() + 10;
  loop_timer_at(scene->timer, scene->due_ms);
  loop_run(scene->loop, NULL, NULL);
  assert_int_equal(scene->fired, 20);
}

static void count(void *context)
{
  struct scene *scene = context;
  scene->fired++;
}

static void test_newest_moment_counts(void **state)
{
  struct scene *scene = *state;
  int64_t now = clock_now_ms();
  scene->timer = loop_timer_new(scene->loop, count, scene);
  scene->other = loop_timer_new(scene->loop, stop, scene);
  loop_timer_at(scene->timer, now + 5);
  loop_timer_at(scene->timer, now + 10);
  loop_timer_at(scene->other, now + 60);
  loop_run(scene->loop, NULL, NULL);
  assert_int_equal(scene->fired, 1);
  loop_timer_at(scene->timer, 0);
  loop_timer_at(scene->timer, CLOCK_NEVER);
  loop_timer_at(scene->other, clock_now_ms() + 20);
  loop_run(scene->loop, NULL, NULL);
  assert_int_equal(scene->fired, 1);
}

static void fire_and_cancel_other(void *context)
{
  struct scene *scene = context;
  scene->fired++;
  loop_timer_free(scene->other);
  scene->other = NULL;
  loop_timer_free(scene->timer); /* itself */
  scene->timer = NULL;
  loop_stop(scene->loop);
}

/* Both are due in the same round; the first frees itself and the second. */
static void test_cancelled_in_the_same_round(void **state)
{
  struct scene *scene = *state;
  scene->timer = loop_timer_new(scene->loop, fire_and_cancel_other, scene);
  scene->other = loop_timer_new(scene->loop, count, scene);
  loop_timer_at(scene->timer, 0);
  loop_timer_at(scene->other, 0);
  loop_run(scene->loop, NULL, NULL);
  assert_in_range(scene->fired, 1, 2); /* which one is first is libevent's affair; none is called after its end */
  assert_null(scene->other);
}

static void count_turn(void *context)
{
  struct scene *scene = context;
  if (++scene->turns < 3)
    loop_again(scene->loop);
  else
    loop_stop(scene->loop); /* from on_turn, with nothing else to wait for */
}

static void test_again_and_stop_from_a_turn(void **state)
{
  struct scene *scene = *state;
  loop_again(scene->loop);
  loop_run(scene->loop, count_turn, scene);
  assert_int_equal(scene->turns, 3);
}

static void test_stop_before_run(void **state)
{
  struct scene *scene = *state;
  loop_stop(scene->loop);
  loop_run(scene->loop, NULL, NULL);
}

static void test_signal(void **state)
{
  struct scene *scene = *state;
  scene->watch = loop_watch_signal(scene->loop, SIGUSR1, stop, scene);
  assert_int_equal(raise(SIGUSR1), 0);
  loop_run(scene->loop, NULL, NULL);
}

static void read_one(void *context)
{
  struct scene *scene = context;
  char byte;
  assert_int_equal(read(scene->descriptor, &byte, 1), 1);
  if (++scene->fired == 3)
    loop_stop(scene->loop);
}

static void test_readable_and_pause(void **state)
{
  struct scene *scene = *state;
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  assert_int_equal(write(ends[1], "abc", 3), 3);
  scene->descriptor = ends[0];
  scene->watch = loop_watch_readable(scene->loop, ends[0], read_one, scene);
  loop_watch_pause(scene->watch, true);
  scene->timer = loop_timer_new(scene->loop, stop, scene);
  loop_timer_at(scene->timer, clock_now_ms() + 20);
  loop_run(scene->loop, NULL, NULL);
  assert_int_equal(scene->fired, 0);
  loop_watch_pause(scene->watch, false);
  loop_run(scene->loop, NULL, NULL);
  assert_int_equal(scene->fired, 3);
  loop_watch_free(scene->watch);
  scene->watch = NULL;
  close(ends[0]);
  close(ends[1]);
}

int main(int argc, char **argv)
{
#define SCENE(test) cmocka_unit_test_setup_teardown(test, scene_open, scene_close)
  const struct CMUnitTest tests[] = {
      SCENE(test_timer_is_never_early),       SCENE(test_newest_moment_counts), SCENE(test_cancelled_in_the_same_round),
      SCENE(test_again_and_stop_from_a_turn), SCENE(test_stop_before_run),      SCENE(test_signal),
      SCENE(test_readable_and_pause),
  };
  return cases_run(argc, argv, tests, NULL, NULL);
}
