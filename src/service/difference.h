/* Since when an agent has not shown what it should, and sessions that run out in Graph's eyes before they could be
 * refreshed. */
#ifndef SERVICE_DIFFERENCE_H
#define SERVICE_DIFFERENCE_H

#include "model/agent.h"

struct service;

/* The agent differs, or does not (any more), since that moment. The age of a difference outlives its steps and newer
 * decisions: who waits longest is served first. */
void difference_note(struct agent *agent, bool differs, int64_t since_ms);
/* Whether it is time alone that keeps it from showing what it should; see agent.differs. */
void difference_mark(struct agent *agent, bool differs);
/* It is parked: nobody keeps it up, and once freed it has not waited longer than others. */
void difference_park(struct agent *agent);
/* What Graph has of it counts no more. */
void difference_forget(struct agent *agent);
void difference_clock_stepped(struct agent *agent, int64_t by_ms);
/* A session was set: it has not run out. */
void difference_session_set(struct agent *agent);

/* Counts, once, a session of ours that has faded or expired by now while it should be shown; from then on there is a
 * difference. To be called before what should be shown changes, before a request goes out, and before anyone looks at
 * the count. */
void difference_notice_lapse(struct service *service, struct agent *agent, int64_t now);
/* A refresh has failed and what Graph has is not known; `before` is what it had. */
void difference_expect_lapse(struct agent *agent, const struct confirmed *before);

#endif
