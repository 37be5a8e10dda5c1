#include "base/clock.h"
#include "base/must.h"
#include "sched/sched.h"

void sched_init(struct sched *sched, size_t queue_count)
{
  *sched = (struct sched){0};
  sched_set_queues(sched, queue_count);
}

static void release_queues(struct sched *sched)
{
  for (size_t i = 0; i < sched->queue_count; i++) {
    heap_release(&sched->queues[i].changes);
    heap_release(&sched->queues[i].readers);
    heap_release(&sched->queues[i].refreshes);
  }
  free(sched->queues);
}

void sched_set_queues(struct sched *sched, size_t queue_count)
{
  must(queue_count <= UINT16_MAX && sched->counts[PHASE_READY] == 0);
  release_queues(sched);
  sched->queues = must_alloc(queue_count * sizeof *sched->queues);
  sched->queue_count = queue_count;
}

void sched_release(struct sched *sched)
{
  heap_release(&sched->due);
  release_queues(sched);
  *sched = (struct sched){0};
}

/* The heap that an agent of this phase is in, if it is in one. */
static struct heap *heap_of(struct sched *sched, const struct agent *agent)
{
  if (agent->phase != PHASE_READY)
    return &sched->due;
  struct sched_queue *queue = &sched->queues[agent->queue];
  return agent->is_refresh ? &queue->refreshes : agent->reads ? &queue->readers : &queue->changes;
}

/* The one place where an agent changes its phase: out of the heap of the old one. */
static void change(struct sched *sched, struct agent *agent, enum phase phase)
{
  heap_remove(heap_of(sched, agent), &agent->due);
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

/* How much longer an agent counts as having waited than it has. */
#define BUSY_HEAD_START_MS (10 * CLOCK_SECOND)
#define NEW_RULES_HEAD_START_MS (-60 * CLOCK_SECOND)

int64_t sched_lapse(const struct slot *session)
{
  int64_t fade_ms = session->set_ms + PRESENCE_FADE_MS;
  return session->presence == SESSION_AVAILABLE && fade_ms < session->until_ms ? fade_ms : session->until_ms;
}

static int64_t place_of(const struct agent *agent, enum sched_urgency urgency, int64_t since_ms)
{
  switch (urgency) {
  case SCHED_BUSY:
    return since_ms - BUSY_HEAD_START_MS;
  case SCHED_CHANGE:
    return since_ms;
  case SCHED_NEW_RULES:
    return since_ms - NEW_RULES_HEAD_START_MS;
  case SCHED_REFRESH:
    return sched_lapse(&agent->confirmed.session);
  }
  return since_ms;
}

void sched_ready(
    struct sched *sched, struct agent *agent, size_t queue, enum sched_urgency urgency, int64_t since_ms, bool reads)
{
  must(queue < sched->queue_count);
  bool refresh = urgency == SCHED_REFRESH;
  if (agent->phase != PHASE_READY || agent->queue != queue || agent->is_refresh != refresh || agent->reads != reads) {
    change(sched, agent, PHASE_READY);
    agent->queue = (uint16_t)queue;
    agent->is_refresh = refresh;
    agent->reads = reads;
  }
  int64_t place = place_of(agent, urgency, since_ms);
  if (agent->due.place == 0 || agent->due.at_ms != place)
    heap_put(heap_of(sched, agent), &agent->due, place);
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

struct agent *sched_first_ready(const struct sched *sched, size_t queue, int64_t now)
{
  const struct sched_queue *q = &sched->queues[queue];
  struct heap_node *change_node = heap_first(&q->changes), *refresh_node = heap_first(&q->refreshes);
  struct heap_node *reader_node = heap_first(&q->readers);
  if (change_node == NULL || (reader_node != NULL && reader_node->at_ms < change_node->at_ms))
    change_node = reader_node;
  bool refresh =
      refresh_node != NULL && (change_node == NULL || (now >= refresh_node->at_ms - PRESSING_MS && !q->refreshed_last));
  struct heap_node *first = refresh ? refresh_node : change_node;
  return first == NULL ? NULL : LIST_ENTRY(first, struct agent, due);
}

struct agent *sched_first_reader(const struct sched *sched, size_t queue)
{
  struct heap_node *first = heap_first(&sched->queues[queue].readers);
  return first == NULL ? NULL : LIST_ENTRY(first, struct agent, due);
}
