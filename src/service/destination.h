/* Which account serves an agent under another configuration. Pure. */
#ifndef SERVICE_DESTINATION_H
#define SERVICE_DESTINATION_H

#include "config/config.h"
#include "model/agent.h"

/* Its index by the very Id, as the state file knows it; AGENT_NO_ACCOUNT. */
int destination_index(const struct config *config, const char *id);
/* The account of `next` that serves a name which `account` of `now` serves. */
int destination_of_name(const struct config *now, const struct config *next, int account, const char *name);
int destination_of_agent(const struct config *now, const struct config *next, const struct agent *agent);
/* Are both accounts one app registration? */
bool destination_keeps(const struct config *now, const struct config *next, int account, int to);
/* Would the agent lose its app registration? */
bool destination_loses(const struct config *now, const struct config *next, const struct agent *agent);

#endif
