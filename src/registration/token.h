/* The token of a registration, and what is known of its worth. */
#ifndef REGISTRATION_TOKEN_H
#define REGISTRATION_TOKEN_H

#include "base/err.h"
#include "graph/graph.h"

struct registration;

struct token_state {
  struct graph_token token; /* empty bearer: none */
  uint64_t serial;          /* of the token, counted up with each one */
  void *exchange;           /* the request for one, while it is under way */
  int attempts;
  int64_t next_try_ms;
  struct err trouble; /* ERR_NONE while the last request went well */
  bool refused;       /* and retrying does not mend it */
  uint64_t requests;
  /* 401: one new token is tried; a second 401 closes the registration until closed_until_ms, and one request at a time
   * probes */
  bool suspect;
  int closed_attempts;
  int64_t closed_until_ms;
  uint64_t accepted; /* replies that prove the token: anything but 401 */
};

/* Asks for a token when it is time to. */
void token_renew(struct registration *registration, int64_t now);
/* The one in hand is kept until there is another, but that is asked for at once. */
void token_renew_at_once(struct registration *registration);
bool token_holds(const struct registration *registration, int64_t now);
/* Graph has refused the token with that serial number. */
void token_doubt(struct registration *registration, uint64_t serial, const struct outcome *outcome, int64_t now);
/* Whatever Graph said to it, it took the token with that serial number. */
void token_proved(struct registration *registration, uint64_t serial);
/* When token_renew() has something to do; CLOCK_NEVER while a request is under way. */
int64_t token_next(const struct registration *registration, int64_t now);
void token_clock_stepped(struct registration *registration, int64_t by_ms);
void token_release(struct registration *registration);

#endif
