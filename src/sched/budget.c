#include "base/clock.h"
#include "base/must.h"
#include "sched/sched.h"

void sched_budget_init(struct sched_budget *budget, size_t limit, int64_t window_ms, int64_t margin_ms)
{
  must(limit > 0);
  *budget = (struct sched_budget){.limit = limit, .window_ms = window_ms + margin_ms};
  budget->sent_ms = must_alloc(limit * sizeof *budget->sent_ms);
  for (size_t i = 0; i < limit; i++)
    budget->sent_ms[i] = INT64_MIN / 2; /* long before any window */
}

void sched_budget_release(struct sched_budget *budget)
{
  free(budget->sent_ms);
  *budget = (struct sched_budget){0};
}

int64_t sched_budget_next(const struct sched_budget *budget)
{
  return budget->sent_ms[budget->next] + budget->window_ms;
}

void sched_budget_use(struct sched_budget *budget, int64_t now)
{
  budget->sent_ms[budget->next] = now;
  budget->next = (budget->next + 1) % budget->limit;
}

void sched_budget_shift(struct sched_budget *budget, int64_t by_ms)
{
  for (size_t i = 0; i < budget->limit; i++)
    budget->sent_ms[i] += by_ms;
}

int64_t sched_backoff(int attempts, int64_t base_ms, int64_t cap_ms, uint32_t random)
{
  int64_t whole = base_ms;
  for (int i = 1; i < attempts && whole < cap_ms; i++)
    whole *= 2;
  if (whole > cap_ms)
    whole = cap_ms;
  return whole / 2 + (int64_t)((uint64_t)(whole / 2) * random >> 32);
}
