/* Time that a test moves: three clocks out of two numbers, and a queue. */
#include "world/clock.h"

#include "base/list.h"

int64_t world_clock_true(const struct world_clock *clock)
{
  return clock->start_ms + clock->steady_ms;
}

int64_t world_clock_wall(const struct world_clock *clock)
{
  return world_clock_true(clock) + clock->offset_ms;
}

void world_clock_set(struct world_clock *clock, int64_t by_ms)
{
  clock->offset_ms += by_ms;
}

int64_t world_clock_steady_of(const struct world_clock *clock, int64_t wall_ms)
{
  return wall_ms == CLOCK_NEVER ? CLOCK_NEVER : wall_ms - clock->start_ms - clock->offset_ms;
}

void world_clock_at(struct world_clock *clock, struct happening *happening, int64_t steady_ms)
{
  heap_put(&clock->queue, &happening->due, steady_ms > clock->steady_ms ? steady_ms : clock->steady_ms);
}

void world_clock_forget(struct world_clock *clock, struct happening *happening)
{
  heap_remove(&clock->queue, &happening->due);
}

int64_t world_clock_next(const struct world_clock *clock)
{
  const struct heap_node *first = heap_first(&clock->queue);
  int64_t wake = world_clock_steady_of(clock, clock->wake_at_ms);
  return first != NULL && first->at_ms < wake ? first->at_ms : wake;
}

bool world_clock_go(struct world_clock *clock, int64_t until_ms)
{
  int64_t next = world_clock_next(clock);
  if (next > until_ms)
    return false;
  if (next > clock->steady_ms)
    clock->steady_ms = next;
  return true;
}

size_t world_clock_happen(struct world_clock *clock)
{
  size_t count = 0;
  for (struct heap_node *node;
       !clock->stopped && (node = heap_first(&clock->queue)) != NULL && node->at_ms <= clock->steady_ms; count++) {
    heap_remove(&clock->queue, node);
    struct happening *happening = LIST_ENTRY(node, struct happening, due);
    happening->happen(clock->context, happening);
  }
  return count;
}

void world_clock_wake(struct world_clock *clock)
{
  must(clock->wake_at_ms != CLOCK_NEVER);
  int64_t wake = world_clock_steady_of(clock, clock->wake_at_ms);
  clock->steady_ms = wake > clock->steady_ms ? wake : clock->steady_ms + 1;
}

void world_clock_release(struct world_clock *clock)
{
  heap_release(&clock->queue);
}
