/* Where every agent is in the schedule: in one phase, and so in at most one heap, with its one heap node. change()
 * alone moves it, so heaps, counts and phases cannot come apart. A queue belongs to one app registration: changes by
 * when they began to wait, refreshes by the moment of their lapse, readers apart from changes because many of them
 * share a request. Between refreshes and changes turns are given out by share: each turn adds the refreshes' share to
 * `owed`, and a whole turn owed is theirs. So any ratio is kept to without chance, and neither side waits for ever. */
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
  /* Ready agents would stand in heaps that are freed. */
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

/* What refreshes may be owed of the turns, see share_of_refreshes(): less than one. */
#define ONE_TURN 80000

/* Several readers are one request and one turn: the owed is kept to its range. */
static void note_sent(struct sched_queue *queue, bool refresh)
{
  queue->owed += queue->share - (refresh ? ONE_TURN : 0);
  if (queue->owed < 0)
    queue->owed = 0;
  if (queue->owed >= ONE_TURN)
    queue->owed = ONE_TURN - 1;
}

/* The one place where an agent changes its phase: out of the heap of the old one. */
static void change(struct sched *sched, struct agent *agent, enum phase phase)
{
  heap_remove(heap_of(sched, agent), &agent->due);
  sched->counts[agent->phase]--;
  sched->counts[phase]++;
  /* A turn is counted when it is taken, not when it is offered: a first that cannot be sent, for want of a token, costs
   * nothing. */
  if (agent->phase == PHASE_READY && phase == PHASE_IN_FLIGHT)
    note_sent(&sched->queues[agent->queue], agent->is_refresh);
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
  /* Called at every look at the agent; only what differs moves it, so that looking does not cost it its place. */
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

/* From NEAR_MS before its session fades or expires on, a refresh has a share of the turns, one ONE_TURN'th more with
 * each millisecond. So rounds settle where the share is what keep-alives need: with 11,000 Available agents and a
 * budget of 50/s at four fifths, some 20 s before. And who was set together is soon refreshed apart, because the share
 * grows slowly. */
#define NEAR_MS (85 * CLOCK_SECOND)
/* With the largest share, budget x 270 s agents stay Available for ever, in rounds of 279 s; what is left of it is the
 * floor for changes. */
#define SHARE_AT_MOST (ONE_TURN / 32 * 31)
/* Refreshes that are this late are more than the budget gives, or come out of an outage: then changes have a quarter.
 * As many as the budget could hold come in time again all the same: with three quarters their round takes 360 s, so
 * they are not this late for long. */
#define LATE_MS (75 * CLOCK_SECOND)
#define SHARE_WHEN_LATE (ONE_TURN / 4 * 3)

/* While changes wait too. left_ms: until the first of the refreshes fades or expires. */
static int share_of_refreshes(int64_t left_ms)
{
  if (left_ms < -LATE_MS)
    return SHARE_WHEN_LATE;
  if (left_ms < NEAR_MS - SHARE_AT_MOST)
    return SHARE_AT_MOST;
  return left_ms < NEAR_MS ? (int)(NEAR_MS - left_ms) : 0;
}

struct agent *sched_first_ready(struct sched *sched, size_t queue, int64_t now)
{
  struct sched_queue *q = &sched->queues[queue];
  struct heap_node *change_node = heap_first(&q->changes), *refresh_node = heap_first(&q->refreshes);
  struct heap_node *reader_node = heap_first(&q->readers);
  /* The reader that has waited longest competes with the changes; the others of its heap go along with it. */
  if (change_node == NULL || (reader_node != NULL && reader_node->at_ms < change_node->at_ms))
    change_node = reader_node;
  if (change_node != NULL && refresh_node != NULL)
    q->share = share_of_refreshes(refresh_node->at_ms - now);
  else /* nothing is owed for having passed nobody */
    q->share = refresh_node == NULL ? 0 : ONE_TURN;
  struct heap_node *first = q->owed + q->share >= ONE_TURN ? refresh_node : change_node;
  return first == NULL ? NULL : LIST_ENTRY(first, struct agent, due);
}

struct agent *sched_first_reader(const struct sched *sched, size_t queue)
{
  struct heap_node *first = heap_first(&sched->queues[queue].readers);
  return first == NULL ? NULL : LIST_ENTRY(first, struct agent, due);
}
