/* How many requests may go out in Graph's windows: one budget for presence, one for lookups; and what the state file
 * knows of the first. */
#ifndef REGISTRATION_BUDGETS_H
#define REGISTRATION_BUDGETS_H

#include "graph/graph.h"
#include "sched/sched.h"

struct config_account;
struct registration;

struct budgets {
  struct sched_budget presence, lookups;
  /* What the state file says of the presence budget: not the present count when `unwritten`; but it covers `ahead` more
   * requests, where they go out within a second of `written_ms`. */
  bool unwritten;
  size_t ahead;
  int64_t written_ms;
};

void budgets_init(struct registration *registration, const struct config_account *account);
void budgets_release(struct registration *registration);
void budgets_configure(struct registration *registration, const struct config_account *account);
/* What an earlier run has used up, as the state file tells. timeout_ms: after which its requests were given up. */
void budgets_remember(struct registration *registration, int64_t timeout_ms, int64_t now);

const struct sched_budget *budgets_of(const struct registration *registration, enum graph_operation_kind kind);
/* When one more request of that kind may go; see sched_budget_next(). */
int64_t budgets_next(const struct registration *registration, enum graph_operation_kind kind, int64_t now);
void budgets_use(struct registration *registration, enum graph_operation_kind kind, int64_t now);
void budgets_done(struct registration *registration, enum graph_operation_kind kind, bool arrived, int64_t now);
/* Agents keep half of the budget to themselves: may an aside have one? */
bool budgets_share(const struct registration *registration, enum graph_operation_kind kind, int64_t now);
void budgets_narrow(struct registration *registration, int64_t now);
void budgets_widen(struct registration *registration, enum graph_operation_kind kind, int64_t now);
void budgets_clock_stepped(struct registration *registration, int64_t by_ms);

#endif
