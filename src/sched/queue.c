#include "base/clock.h"
#include "base/must.h"
#include "sched/sched.h"

void sched_init(struct sched *sched, size_t queue_count)
{
  *sched = (struct sched){.queue_count = queue_count};
  sched->queues = must_alloc(queue_count * sizeof *sched->queues);
  for (size_t i = 0; i < queue_count; i++) {
    list_init(&sched->queues[i].changes);
    list_init(&sched->queues[i].refreshes);
  }
}

void sched_release(struct sched *sched)
{
  heap_release(&sched->due);
  free(sched->queues);
  *sched = (struct sched){0};
}

/* The one place where an agent changes its phase: out of the list of the old one, into that of the new one. */
static void change(struct sched *sched, struct agent *agent, enum phase phase)
{
  heap_remove(&sched->due, &agent->due);
  list_remove(&agent->link);
  sched->counts[agent->phase]--;
  sched->counts[phase]++;
  agent->phase = phase;
}

void sched_move(struct sched *sched, struct agent *agent, enum phase phase, int64_t at_ms)
{
  must(phase != PHASE_READY);
  change(sched, agent, phase);
  if (at_ms != CLOCK_NEVER && (phase == PHASE_WAITING || phase == PHASE_PARKED))
    heap_put(&sched->due, &agent->due, at_ms);
}

void sched_ready(struct sched *sched, struct agent *agent, size_t queue, bool refresh)
{
  must(queue < sched->queue_count);
  change(sched, agent, PHASE_READY);
  list_add_tail(refresh ? &sched->queues[queue].refreshes : &sched->queues[queue].changes, &agent->link);
}

void sched_add(struct sched *sched, struct agent *agent)
{
  must(agent->phase == PHASE_IDLE);
  sched->counts[PHASE_IDLE]++;
}

void sched_remove(struct sched *sched, struct agent *agent)
{
  change(sched, agent, PHASE_IDLE);
  sched->counts[PHASE_IDLE]--;
}

struct agent *sched_due(const struct sched *sched, int64_t now)
{
  struct heap_node *first = heap_first(&sched->due);
  return first != NULL && first->at_ms <= now ? LIST_ENTRY(first, struct agent, due) : NULL;
}

int64_t sched_next_due(const struct sched *sched)
{
  struct heap_node *first = heap_first(&sched->due);
  return first == NULL ? CLOCK_NEVER : first->at_ms;
}

struct agent *sched_first_ready(const struct sched *sched, size_t queue)
{
  const struct sched_queue *q = &sched->queues[queue];
  struct list_node *first = list_first(&q->changes);
  if (first == NULL)
    first = list_first(&q->refreshes);
  return first == NULL ? NULL : LIST_ENTRY(first, struct agent, link);
}
