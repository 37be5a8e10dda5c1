/* An agent's requests: sent, answered, given up. */
#ifndef SERVICE_FLIGHT_H
#define SERVICE_FLIGHT_H

#include "model/agent.h"

struct service;

/* Sends the agent's next request; it is ready and its registration open. */
void flight_launch(struct service *service, struct agent *agent, int64_t now);
/* The agent is idle, and what comes of its request is of no interest any more. */
void flight_disown(struct service *service, struct agent *agent);

#endif
