/* The names of agents, and when each is looked up next. What an answer of the directory means is identity.h's. */
#ifndef SERVICE_NAMES_H
#define SERVICE_NAMES_H

#include "model/agent.h"

struct service;

/* A new agent of that account, known to the schedule. */
struct agent *names_new_agent(struct service *service, int account);
/* The agent of that name, with the name; both are made where they are not there yet. account: AGENT_NO_ACCOUNT too. */
struct agent_name *names_take(struct service *service, int account, const char *text);
/* The index of the account that serves the agent, or AGENT_NO_ACCOUNT; account "" is found by the domain. */
int names_account_of(const struct service *service, const char *agent, const char *account);
const char *names_suffix_of(const char *agent); /* behind the last "@"; "" without one */
/* Trims and lowers a name as people write it. False: it is too long to be one. */
bool names_fold(const char *name, char *to, size_t room);

/* Looks the name up at that moment. */
void names_ask_at(struct service *service, struct agent_name *name, int64_t at_ms);
/* Asks for the id of an agent that has none, unless that is under way; at_once: without waiting for the next try after
 * a failure. */
void names_want_id(struct service *service, struct agent *agent, bool at_once, int64_t now);
/* The presence service does not know the id: looks the names up once more. */
void names_check(struct service *service, struct agent *agent, int64_t now);
/* Is a lookup due that names_check() asked for? */
bool names_are_checked(const struct agent *agent);
/* Whether Graph takes the token at all: a lookup of the same user tells, when a presence request of theirs got 401. */
void names_prove_token(struct service *service, struct agent *agent, int64_t now);
/* The names whose lookup has failed: when the first of them is tried again, or CLOCK_NEVER; all of them at once. */
int64_t names_retry_ms(const struct agent *agent);
void names_retry(struct service *service, struct agent *agent, int64_t now);
/* The wall clock was set: when names were looked up, and are to be looked up, moves along. */
void names_clock_stepped(struct service *service, int64_t by_ms);

/* The contributions that came in under this name (NULL: any), from one agent to another; per UCC the newer one stays.
 */
void names_move_contributions(
    struct service *service, const struct agent_name *name, struct agent *from, struct agent *to);

#endif
