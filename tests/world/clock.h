/* The clock of a test, and what happens next by it. Time stands still until a test moves it.
 *
 * Steady time counts from 0 and is never set. The host's clock is what a daemon sees: it is off by as much as a test
 * has set it. True time is what tenants go by. What is to happen later is a happening in
 * the queue; what happens at the same moment happens in an order that the queue alone decides, the same in every run.
 */
#ifndef TESTS_WORLD_CLOCK_H
#define TESTS_WORLD_CLOCK_H

#include "base/clock.h"
#include "base/heap.h"
#include "base/must.h"

/* Something that happens at a moment of steady time; a member of whatever it happens to. It is out of the queue when it
 * happens, and may be put in again. */
struct happening {
  struct heap_node due;
  void (*happen)(void *context, struct happening *happening); /* context: the clock's */
};

struct world_clock {
  int64_t start_ms;   /* the true time at steady 0 */
  int64_t steady_ms;  /* may be moved on; what is due then happens with clock_happen() */
  int64_t offset_ms;  /* by how much the host's clock is off */
  int64_t wake_at_ms; /* by the host's clock: when the daemon wants its next turn; CLOCK_NEVER: not at all */
  struct heap queue;  /* struct happening */
  void *context;
  bool stopped; /* nothing happens any more */
  /* What the daemon is shown beside the host's clock; read when it starts. */
  bool shows_steady;
  int64_t stopwatch_step_us; /* a stopwatch that goes on so much at each look; 0: there is none */
  int64_t stopwatch_us;
};

int64_t world_clock_true(const struct world_clock *clock);
int64_t world_clock_wall(const struct world_clock *clock); /* the host's */
/* The host's clock is set, forward or back. */
void world_clock_set(struct world_clock *clock, int64_t by_ms);
/* A moment of the host's clock as steady time; CLOCK_NEVER stays. */
int64_t world_clock_steady_of(const struct world_clock *clock, int64_t wall_ms);

/* In place of when it was to happen; now, if that is past. */
void world_clock_at(struct world_clock *clock, struct happening *happening, int64_t steady_ms);
void world_clock_forget(struct world_clock *clock, struct happening *happening);
/* When the next thing happens (steady): of the queue, or that the daemon wants its turn. */
int64_t world_clock_next(const struct world_clock *clock);
/* On to that, unless it is later than `until` (steady): then nothing is done, and it is false. */
bool world_clock_go(struct world_clock *clock, int64_t until_ms) MUST_CHECK;
/* Everything that is due happens, also what becomes due by it. How many. */
size_t world_clock_happen(struct world_clock *clock);
/* On to when the daemon wants its next turn, or a millisecond if it wants that now. */
void world_clock_wake(struct world_clock *clock);
/* Empties the queue. */
void world_clock_release(struct world_clock *clock);

#endif
