/* What the directory says of a name: lookups, and what their answers mean for the agent. */
#ifndef SERVICE_IDENTITY_H
#define SERVICE_IDENTITY_H

#include "model/agent.h"

struct service;

/* Starts the lookups that are due. */
void identity_turn(struct service *service, int64_t now);
/* After loading: verifications and retries go on where they were, and who was unknown is parked again. */
void identity_resume(struct service *service, struct agent *agent, int64_t now);
/* What is known of the name, and what is being asked, is another's. */
void identity_forget(struct service *service, struct agent_name *name);

#endif
