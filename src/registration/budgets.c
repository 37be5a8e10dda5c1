/* Graph's windows, kept by us, and kept across restarts.
 *
 * A restart must not begin a new budget while Graph still counts the old one, nor wait for what Graph counts no more.
 * So the count is written with the commit before requests go out. Writing it with every turn would cost a row each;
 * instead some more than was used is written down ahead (a twentieth of the limit), and holds for a second. A crash in
 * that second makes the next start wait for requests that never went out: for a twentieth of the budget, once. */
#include "base/clock.h"
#include "config/config.h"
#include "registration/internal.h"
#include "store/store.h"

/* The window is Graph's, and so is the clock that measures it. */
#define BUDGET_MARGIN_MS 100
#define BUDGET_AHEAD_MS CLOCK_SECOND /* how long a row covers what goes out */
#define BUDGET_AHEAD_PART 20
/* Between the moment that is written down with a request and the one at which it goes out lies the commit. */
#define COMMIT_MS CLOCK_SECOND

void budgets_init(struct registration *registration, const struct config_account *account)
{
  struct budgets *budgets = &registration->budgets;
  sched_budget_init(&budgets->presence, (size_t)account->requests_per_30_seconds, 30 * CLOCK_SECOND, BUDGET_MARGIN_MS);
  sched_budget_init(&budgets->lookups, (size_t)account->lookups_per_10_seconds, 10 * CLOCK_SECOND, BUDGET_MARGIN_MS);
}

void budgets_release(struct registration *registration)
{
  sched_budget_release(&registration->budgets.presence);
  sched_budget_release(&registration->budgets.lookups);
}

void budgets_configure(struct registration *registration, const struct config_account *account)
{
  sched_budget_set_limit(&registration->budgets.presence, (size_t)account->requests_per_30_seconds);
  sched_budget_set_limit(&registration->budgets.lookups, (size_t)account->lookups_per_10_seconds);
}

/* Requests that had their answer had arrived before the row was written. The others may have arrived as late as they
 * would have been given up, or now, whichever is earlier. */
void budgets_remember(struct registration *registration, int64_t timeout_ms, int64_t now)
{
  struct sched_budget *presence = &registration->budgets.presence;
  int64_t at_ms = 0;
  size_t under_way = 0;
  size_t used = store_budget(registration->parts.store, registration->key, &under_way, &at_ms);
  int64_t latest_ms = at_ms + BUDGET_AHEAD_MS + COMMIT_MS + timeout_ms;
  sched_budget_assume(presence, used - under_way, clock_earlier(at_ms, now));
  sched_budget_assume(presence, under_way, clock_earlier(latest_ms, now));
}

static bool is_presence(enum graph_operation_kind kind)
{
  return graph_operation_row(kind)->budget != GRAPH_BUDGET_LOOKUPS;
}

static struct sched_budget *budget_of(struct registration *registration, enum graph_operation_kind kind)
{
  return is_presence(kind) ? &registration->budgets.presence : &registration->budgets.lookups;
}

const struct sched_budget *budgets_of(const struct registration *registration, enum graph_operation_kind kind)
{
  return is_presence(kind) ? &registration->budgets.presence : &registration->budgets.lookups;
}

int64_t budgets_next(const struct registration *registration, enum graph_operation_kind kind, int64_t now)
{
  return sched_budget_next(budgets_of(registration, kind), now);
}

void budgets_use(struct registration *registration, enum graph_operation_kind kind, int64_t now)
{
  struct budgets *budgets = &registration->budgets;
  sched_budget_use(budget_of(registration, kind), now);
  if (!is_presence(kind))
    return;
  budgets->unwritten = true;
  if (budgets->ahead == 0)
    budgets->written_ms = 0; /* what was written ahead is used up: the next commit has to write more */
  else
    budgets->ahead--;
}

void budgets_done(struct registration *registration, enum graph_operation_kind kind, bool arrived, int64_t now)
{
  sched_budget_done(budget_of(registration, kind), now, arrived);
  registration->budgets.unwritten = registration->budgets.unwritten || is_presence(kind);
}

/* A script that asks without end must not let a presence fade. Without a store there are no agents to be spared. */
bool budgets_share(const struct registration *registration, enum graph_operation_kind kind, int64_t now)
{
  struct sched_budget *budget = budget_of((struct registration *)registration, kind);
  return registration->parts.store == NULL || sched_budget_used(budget, now) < (budget->allowed + 1) / 2;
}

void budgets_narrow(struct registration *registration, int64_t now)
{
  sched_budget_narrow(&registration->budgets.presence, now);
}

void budgets_widen(struct registration *registration, enum graph_operation_kind kind, int64_t now)
{
  sched_budget_widen(budget_of(registration, kind), now);
}

void registration_waiting(struct registration *registration, size_t agents)
{
  sched_budget_waiting(&registration->budgets.presence, agents);
}

void registration_write_budget(struct registration *registration, bool exactly, int64_t now)
{
  struct budgets *budgets = &registration->budgets;
  struct store *store = registration->parts.store;
  if (!budgets->unwritten || store == NULL)
    return;
  size_t used = sched_budget_used(&budgets->presence, now), under_way = budgets->presence.under_way;
  exactly = exactly || under_way == 0; /* nothing may follow for long */
  if (!exactly && now < budgets->written_ms + BUDGET_AHEAD_MS)
    return;
  budgets->ahead = exactly ? 0 : budgets->presence.limit / BUDGET_AHEAD_PART;
  store_set_budget(store, registration->key, used + budgets->ahead, under_way + budgets->ahead, now);
  budgets->written_ms = now;
  budgets->unwritten = false;
}

void budgets_clock_stepped(struct registration *registration, int64_t by_ms)
{
  struct budgets *budgets = &registration->budgets;
  sched_budget_shift(&budgets->presence, by_ms);
  budgets->unwritten = true; /* the moments of the row are by the old clock */
  budgets->written_ms = 0;
  sched_budget_shift(&budgets->lookups, by_ms);
}
