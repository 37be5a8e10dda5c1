/* What the daemon answers over HTTP, as one table: served by the control socket, and by any other listener alike, each
 * with the rights of its callers. */
#ifndef DAEMON_ROUTES_H
#define DAEMON_ROUTES_H

#include "api/api.h"
#include "daemon/source.h"
#include "service/service.h"

struct config_reload;
struct policies;

/* How the state file fares. */
struct state_health {
  struct err failure; /* ERR_NONE: it is well */
  int64_t since_ms;   /* of the failure */
  uint64_t failures;  /* since the start */
};

/* What is asked; all borrowed. The owner keeps it up to date. */
struct routes {
  struct state_health state;
  struct service *service; /* NULL, like the next three: the state file has failed, and there is no engine to ask */
  struct store *store;
  struct config_reload *config_reload;
  struct policies *policies;
  struct source *source; /* NULL: there is none */
  struct json *json;
};

/* rights: the caller's. True: what the route changed is to be committed before the reply goes out. */
bool routes_answer(
    struct routes *routes, unsigned rights, const struct api_request *request, struct api_reply *ret_reply);
/* In place of a reply that was made: what it said did not become durable. */
void routes_refuse(const struct routes *routes, struct api_reply *reply);

#endif
