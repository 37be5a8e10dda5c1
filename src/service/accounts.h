/* A change of the accounts: an agent that loses its app registration is cleared under the old one first, then moves. */
#ifndef SERVICE_ACCOUNTS_H
#define SERVICE_ACCOUNTS_H

#include "base/value.h"
#include "config/config.h"

struct service;

struct accounts_state {
  const struct config *next; /* see service_hand_over(); NULL: none is under way */
  struct left_behind {
    char *account; /* its Id, which is gone or means another registration now */
    size_t agents;
    int64_t until_ms;
  } * left; /* what could not be cleared in time */
  size_t left_count;
};

/* What an earlier run showed under registrations that are not those of the config, or for accounts that it does not
 * have, is out of reach: such agents are taken for new ones, and it is said. */
void accounts_start(struct service *service, int64_t now);
void accounts_release(struct accounts_state *accounts);
/* What could not be cleared in time, for `status`: [{account=, agents=, until=}]. */
struct value *accounts_view_left(const struct accounts_state *accounts, int64_t now, struct values *values);

#endif
