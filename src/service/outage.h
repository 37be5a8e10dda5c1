/* What an outage of one registration means for its agents: who tries before its time, and when all do. */
#ifndef SERVICE_OUTAGE_H
#define SERVICE_OUTAGE_H

#include "registration/registration.h"

struct service;

/* During an outage: lets the agent that has waited longest, or would be next, find out whether it is over. */
void outage_probe(struct service *service, struct registration *registration, int64_t now);
/* It is over: no agent sits out a pause that was meant for it. Budget and connections see to it that they do not all
 * come at once. context: the service. */
void outage_retry_all(void *context, struct registration *registration, int64_t now);

#endif
