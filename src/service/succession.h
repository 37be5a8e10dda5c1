/* Successors: an agent that has taken over another one's names shows nothing until the other shows nothing more, or two
 * users would wear one name. */
#ifndef SERVICE_SUCCESSION_H
#define SERVICE_SUCCESSION_H

#include "model/agent.h"

struct service;

/* `to` has taken over a name of `from`; not where either is spoken for already, or where the two would wait for each
 * other (two people may swap their names). */
void succession_begin(struct agent *from, struct agent *to);
/* The successor may go on: returns it, for the caller to settle; NULL: there was none. */
struct agent *succession_end(struct agent *agent);
/* The agent goes, or begins anew: neither waits for others nor others for it. */
void succession_unlink(struct service *service, struct agent *agent);

#endif
