/* What the files of this room share. Each part of a registration is written by the one file whose header declares it;
 * the others read. registration.c puts them together and stands above all of them; traffic.c carries requests and tells
 * outcome.c what came of them, which tells token.c, gate.c, outage.c and budgets.c. */
#ifndef REGISTRATION_INTERNAL_H
#define REGISTRATION_INTERNAL_H

#include "registration/budgets.h"
#include "registration/gate.h"
#include "registration/outage.h"
#include "registration/registration.h"
#include "registration/token.h"
#include "registration/traffic.h"

/* What a Retry-After leaves open: its seconds count from a clock that is not ours. */
#define RETRY_AFTER_MARGIN_MS 250
#define AUTH_BASE_MS (30 * CLOCK_SECOND) /* after a second 401, and between token requests that are refused */
#define AUTH_CAP_MS (10 * CLOCK_MINUTE)

struct registration {
  /* registration.c */
  struct registration_parts parts;
  char key[REGISTRATION_KEY_SIZE]; /* of the gate's row */
  const char *label;               /* the first account's id */
  struct graph_endpoint endpoint;
  const struct credential *credential;
  size_t connections;
  /* the file of that name each */
  struct token_state token;
  struct gate gate;
  struct outage outage;
  struct budgets budgets;
  struct traffic traffic;
};

static inline int64_t registration_now(const struct registration *registration)
{
  return registration->parts.now(registration->parts.context);
}

static inline uint32_t registration_random(const struct registration *registration)
{
  return registration->parts.random(registration->parts.context);
}

/* outcome.c: updates token, gate, outage and budget from what came of a request. */
void registration_take_outcome(
    struct registration *registration, const struct request *request, const struct outcome *outcome, int64_t now);

#endif
