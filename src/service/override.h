/* What a person at the keyboard, or a script, says of an agent: a contribution above those of every UCC. */
#ifndef SERVICE_OVERRIDE_H
#define SERVICE_OVERRIDE_H

#include "model/agent.h"

struct service;

struct contribution *override_of(const struct agent *agent); /* or NULL */
void override_end(struct service *service, struct agent *agent);
/* A clear-override ends when the agent logs on: when a UCC that said nothing begins to say something. */
void override_notice_log_on(
    struct service *service, struct agent *agent, const struct contribution *contribution, enum decision_kind before);

#endif
