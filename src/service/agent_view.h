/* Agents as values; see service_agent() and service_status(). */
#ifndef SERVICE_AGENT_VIEW_H
#define SERVICE_AGENT_VIEW_H

#include "base/value.h"

struct service;

/* Of all agents, sorted by name. */
struct value *agent_view_all(const struct service *service, struct values *values);

#endif
