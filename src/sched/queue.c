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
  if (agent->phase == PHASE_READY && phase == PHASE_IN_FLIGHT)
    sched->queues[agent->queue].refreshed_last = agent->is_refresh;
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
  if (agent->phase == PHASE_READY && agent->queue == queue && agent->is_refresh == refresh)
    return;
  change(sched, agent, PHASE_READY);
  agent->queue = queue;
  agent->is_refresh = refresh;
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

/* This long before a session fades or expires, its refresh no longer lets changes pass. */
#define PRESSING_MS (20 * CLOCK_SECOND)

static bool presses(const struct agent *agent, int64_t now)
{
  const struct slot *session = &agent->confirmed.session;
  int64_t end_ms = session->until_ms;
  if (session->presence == SESSION_AVAILABLE && session->set_ms + PRESENCE_FADE_MS < end_ms)
    end_ms = session->set_ms + PRESENCE_FADE_MS;
  return now >= end_ms - PRESSING_MS;
}

struct agent *sched_first_ready(const struct sched *sched, size_t queue, int64_t now)
{
  const struct sched_queue *q = &sched->queues[queue];
  struct list_node *change_node = list_first(&q->changes), *refresh_node = list_first(&q->refreshes);
  struct agent *first_change = change_node == NULL ? NULL : LIST_ENTRY(change_node, struct agent, link);
  struct agent *first_refresh = refresh_node == NULL ? NULL : LIST_ENTRY(refresh_node, struct agent, link);
  if (first_change == NULL || first_refresh == NULL)
    return first_change != NULL ? first_change : first_refresh;
  return presses(first_refresh, now) && !q->refreshed_last ? first_refresh : first_change;
}
