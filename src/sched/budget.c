/* The budget of an app registration: at most `allowed` requests in any window, by the clock of the other side. A ring
 * holds when each answer came, in order; requests under way are a number only, since they count as if they arrived now.
 * So what counts is under_way + done, and the next may go when enough of the oldest have left the window. A plain
 * window gives its whole budget at once and then nothing; where more waits than fits, its second half is paced by
 * `even_us`, in microseconds, because whole milliseconds would round the pace of a large budget. Backoff stands at the
 * end. */
#include "base/clock.h"
#include "base/must.h"
#include "sched/sched.h"

/* Paced requests are held back for so long, to go out several at a time: they can share a $batch and a commit. As long
 * as REFRESH_TOGETHER_MS in plan.c. */
#define TOGETHER_MS 100

void sched_budget_init(struct sched_budget *budget, size_t limit, int64_t window_ms, int64_t margin_ms)
{
  must(limit > 0);
  *budget = (struct sched_budget){.room = limit, .limit = limit, .allowed = limit, .window_ms = window_ms + margin_ms};
  budget->done_ms = must_alloc(limit * sizeof *budget->done_ms);
}

void sched_budget_release(struct sched_budget *budget)
{
  free(budget->done_ms);
  *budget = (struct sched_budget){0};
}

static int64_t done_at(const struct sched_budget *budget, size_t index)
{
  return budget->done_ms[(budget->first + index) % budget->room];
}

static void forget_old(struct sched_budget *budget, int64_t now)
{
  while (budget->done > 0 && done_at(budget, 0) + budget->window_ms <= now) {
    budget->first = (budget->first + 1) % budget->room;
    budget->done--;
  }
}

size_t sched_budget_used(struct sched_budget *budget, int64_t now)
{
  forget_old(budget, now);
  return budget->under_way + budget->done;
}

void sched_budget_waiting(struct sched_budget *budget, size_t waiting)
{
  budget->waiting = waiting;
}

/* The first half goes at once also when many wait: a short rush is over sooner, and a long one is paced soon enough. */
static bool is_crowded(const struct sched_budget *budget)
{
  size_t used = budget->under_way + budget->done;
  return used + budget->waiting > budget->allowed && used >= budget->allowed / 2;
}

int64_t sched_budget_next(const struct sched_budget *budget, int64_t now)
{
  /* What is too old is still counted, as the budget is not ours to change here: the moment below then lies in the past,
   * which is at once. */
  size_t used = budget->under_way + budget->done;
  if (used < budget->allowed) { /* evenly, but several at a time: they can share a $batch */
    bool early = is_crowded(budget) && budget->even_us > now * 1000;
    return early ? budget->even_us / 1000 + TOGETHER_MS : INT64_MIN;
  }
  size_t too_many = used - budget->allowed; /* this many more than one must leave the window */
  return too_many >= budget->done ? CLOCK_NEVER : done_at(budget, too_many) + budget->window_ms;
}

void sched_budget_use(struct sched_budget *budget, int64_t now)
{
  forget_old(budget, now);
  int64_t behind_us = (now - TOGETHER_MS) * 1000; /* what was not used by then does not add up */
  if (!is_crowded(budget))
    budget->even_us = now * 1000;
  else if (budget->even_us < behind_us)
    budget->even_us = behind_us;
  budget->even_us += budget->window_ms * 1000 / (int64_t)budget->allowed;
  budget->under_way++;
  budget->waiting -= budget->waiting > 0;
}

static void note_arrival(struct sched_budget *budget, int64_t at_ms)
{
  if (budget->done == budget->room) { /* after a narrowing: the oldest counts least */
    budget->first = (budget->first + 1) % budget->room;
    budget->done--;
  }
  budget->done_ms[(budget->first + budget->done++) % budget->room] = at_ms;
}

void sched_budget_done(struct sched_budget *budget, int64_t now, bool arrived)
{
  must(budget->under_way > 0);
  budget->under_way--;
  if (!arrived)
    return;
  forget_old(budget, now);
  note_arrival(budget, now);
}

void sched_budget_assume(struct sched_budget *budget, size_t count, int64_t at_ms)
{
  /* More than the ring holds would only push out each other. */
  for (size_t i = 0; i < count && i < budget->room; i++)
    note_arrival(budget, at_ms);
}

/* The ring only grows: what was sent under a higher limit still counts. */
void sched_budget_set_limit(struct sched_budget *budget, size_t limit)
{
  must(limit > 0);
  if (limit > budget->room) {
    int64_t *done_ms = must_alloc(limit * sizeof *done_ms);
    for (size_t i = 0; i < budget->done; i++)
      done_ms[i] = done_at(budget, i);
    free(budget->done_ms);
    budget->done_ms = done_ms;
    budget->room = limit;
    budget->first = 0;
  }
  if (budget->allowed == budget->limit || budget->allowed > limit)
    budget->allowed = limit;
  budget->limit = limit;
}

void sched_budget_narrow(struct sched_budget *budget, int64_t now)
{
  /* The 429 shows that what was used is more than there is; a floor, because only a success widens it, and at 0 there
   * would be none. */
  size_t least = budget->limit / 50 + 1, used = sched_budget_used(budget, now) * 3 / 4;
  if (used < budget->allowed)
    budget->allowed = used < least ? least : used;
  if (budget->allowed > budget->limit)
    budget->allowed = budget->limit;
  budget->changed_ms = now;
}

void sched_budget_widen(struct sched_budget *budget, int64_t now)
{
  /* Once per window: before that, success says nothing of the new figure. */
  if (budget->allowed == budget->limit || now < budget->changed_ms + budget->window_ms)
    return;
  budget->allowed += budget->limit / 10 + 1;
  if (budget->allowed > budget->limit)
    budget->allowed = budget->limit;
  budget->changed_ms = now;
}

void sched_budget_shift(struct sched_budget *budget, int64_t by_ms)
{
  /* The window is a length of time; the wall clock only names its ends. */
  for (size_t i = 0; i < budget->done; i++)
    budget->done_ms[(budget->first + i) % budget->room] += by_ms;
  budget->changed_ms += by_ms;
  budget->even_us += by_ms * 1000;
}

int64_t sched_doubled(int attempts, int64_t base_ms, int64_t cap_ms)
{
  int64_t doubled = base_ms;
  for (int i = 1; i < attempts && doubled < cap_ms; i++)
    doubled *= 2;
  return doubled < cap_ms ? doubled : cap_ms;
}

int64_t sched_backoff(int attempts, int64_t base_ms, int64_t cap_ms, uint32_t random)
{
  /* The first half is sure, so a failing service gets its pause; the second is drawn, so that the crowd spreads out. */
  int64_t whole = sched_doubled(attempts, base_ms, cap_ms);
  return whole / 2 + (int64_t)((uint64_t)(whole / 2) * random >> 32);
}
