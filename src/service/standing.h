/* Where an agent stands in the schedule: idle, waiting, ready or parked. Whatever changes about an agent (an event, an
 * answer, the time, the rules, the accounts), standing_settle() puts it where it belongs now. */
#ifndef SERVICE_STANDING_H
#define SERVICE_STANDING_H

#include "sched/sched.h"

struct service;

/* Puts the agent where it belongs now. Not while it is in flight: then its answer does. */
void standing_settle(struct service *service, struct agent *agent, int64_t now);
/* What the agent should show, by the present rules; agent_desired() alone goes by those of when it was settled last. */
struct desired standing_desired(struct service *service, struct agent *agent, int64_t now);
/* What is next for the agent, and what it should show. */
struct sched_plan standing_plan(struct service *service, struct agent *agent, int64_t now, struct desired *ret_desired);
void standing_park(struct service *service, struct agent *agent, enum park_cause cause, const char *detail);
/* Out of PHASE_PARKED, with a clean slate; then settle it. */
void standing_free(struct service *service, struct agent *agent);
/* Something was said of the agent itself: it is no longer one whom only new rules have changed. */
void standing_spoken_for(struct agent *agent);
/* New rules have made it differ: live changes go first. */
void standing_changed_by_rules(struct agent *agent);
/* The accounts have changed: it is of one that the new configuration has. */
void standing_keeps_account(struct agent *agent);
/* The agent shows nothing, has no names and no contributions: it goes. True: it is gone. */
bool standing_drop_if_empty(struct service *service, struct agent *agent, int64_t now);
/* In any case. Nothing of it may be under way. */
void standing_remove(struct service *service, struct agent *agent);

#endif
