/* What an account's token is good for, without the token: for scripts and for people. */
#ifndef SERVICE_AUTH_H
#define SERVICE_AUTH_H

#include "service/service.h"

struct service_auth {
  const char *tenant; /* the config's */
  int64_t expires_ms;
  struct graph_roles roles;
};

/* False: there is no token now; service_token_trouble() tells why, service_turn() gets one. */
bool service_auth(const struct service *service, size_t account, struct service_auth *ret_auth);

#endif
