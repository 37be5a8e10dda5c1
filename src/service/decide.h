/* From an event to a decision, by the account's ruleset; and again, for a contribution that is known already. Decisions
 * are returned: what becomes of one is the caller's. */
#ifndef SERVICE_DECIDE_H
#define SERVICE_DECIDE_H

#include "model/agent.h"
#include "model/event.h"
#include "rules/rules.h"

struct service;

/* Asks the rules, and the shadow beside them. False: there is no decision, and what stood stands on; it was told. */
bool decide(
    struct service *service, struct agent *agent, const struct event *event, int64_t since_ms, int64_t moment_ms,
    struct decision *ret_decision) MUST_CHECK;
/* A rule has raised an error: a line in the log, and one a minute while it stays the same. */
void decide_tell_trouble(struct service *service, const struct err *trouble);
/* Into the decision log, and to the watcher. `again`: the event is known already. */
void decide_tell(
    struct service *service, const struct contribution *contribution, const struct event *event,
    const struct decision *decision, bool again);

/* By the present rules, with its old `since`; time conditions look at `now`. */
void decide_again(struct service *service, struct agent *agent, struct contribution *contribution, int64_t now);
/* The same for what every UCC said. */
void decide_all_again(struct service *service, struct agent *agent, int64_t now);
/* Is the decision another one than what stands, or waits for its delay? */
bool decide_differs(const struct contribution *contribution, const struct decision *decision);
/* Of those, the one that came last. */
const struct answer *decide_last_answer(const struct contribution *contribution);

/* The event that a contribution was made from, as far as rules look at it. */
void decide_event_of(struct service *service, const struct contribution *contribution, struct event *ret_event);
/* The agent as rules see it. */
enum { RULES_STATES_MAX = 64 }; /* UCCs of one agent that a rule function sees */
struct rules_agent decide_agent_for_rules(const struct agent *agent, struct rules_agent_state states[RULES_STATES_MAX]);

#endif
