/* One app registration in one tenant: its token, its gate, its budget, its outages, and the requests that go out under
 * them. Accounts that name the same pair of tenant and client share one.
 *
 * It knows nothing of agents, events or rules. What it needs from above it is told: see struct registration_parts, and
 * on_done of each request. It never waits; its owner calls, once per turn of the loop:
 *
 *   registration_prepare()        token, and requests from waiting to outgoing, while the registration is open
 *   registration_prepare_asides() the same for requests from outside the engine, behind the agents
 *   registration_write_budget()   what the state file is to know, before
 *   (the commit)
 *   registration_send()           what is outgoing goes out
 *   registration_next()           when to call again */
#ifndef REGISTRATION_REGISTRATION_H
#define REGISTRATION_REGISTRATION_H

#include "base/err.h"
#include "base/metrics.h"
#include "base/value.h"
#include "config/config.h"
#include "graph/graph.h"
#include "registration/ports.h"
#include "secret/credential.h"

struct json;
struct registration;
struct request;
struct store;

/* What every registration of a process is told. All borrowed. */
struct registration_parts {
  const struct ports *ports;
  struct json *json;
  struct store
      *store;    /* where gate and budget outlive us; NULL: nothing is remembered, and no agents share the budget */
  void *context; /* of what follows */
  int64_t (*now)(void *context);
  void (*notice_clock)(void *context); /* before an answer is looked at: the wall clock may have been set meanwhile */
  uint32_t (*random)(void *context);
  /* Graph answers again after an outage: all that waits for its own pause to end should be tried now. */
  void (*retry_all)(void *context, struct registration *registration, int64_t now);
};

enum { REGISTRATION_KEY_SIZE = 2400 }; /* two bounded texts and a GUID */
/* "Graph TenantId ClientId": what tells registrations apart, and the key of their rows in the state file. */
void registration_key(const struct config_account *account, char to[REGISTRATION_KEY_SIZE]);

/* Goes on with the gate and the budget that the state file remembers. */
struct registration *registration_new(
    const struct registration_parts *parts, const struct config *config, const struct config_account *account,
    const struct credential *credential);
void registration_free(struct registration *registration); /* cancels what is under way; NULL is fine */
/* The same registration under another configuration, which replaces `before`. Token, budget and gate stay as they are;
 * with another credential, or another place to use it, a new token is asked for at once. */
void registration_configure(
    struct registration *registration, const struct config *before, const struct config *config,
    const struct config_account *account, const struct credential *credential);
/* No account names it any more: asides are answered, the rest is given up. Then free it. */
void registration_retire(struct registration *registration);
/* The wall clock was set: moments of our own move along. */
void registration_clock_stepped(struct registration *registration, int64_t by_ms);
/* Of it the gate alone: a state file from a clock that was ahead of ours. */
void registration_shift_gate(struct registration *registration, int64_t by_ms);

/* ---- requests */

/* Called once. A 401 was then retried once already, unless the request was `once`. */
typedef void registration_on_done(void *context, const struct outcome *outcome, const struct graph_reply *reply);

struct submission {
  const struct graph_operation *operation; /* copied, with its texts */
  registration_on_done *on_done;
  void *context;
  bool owns_context; /* free() it with the request */
  bool once;         /* no second try after a 401 here: the sender decides anew what is wanted by then */
  bool about_user;   /* a 401 will be about this user, not about the token */
  bool aside;        /* from outside the engine: behind the agents, who keep half of the budget to themselves */
};
void registration_submit(struct registration *registration, const struct submission *submission);
/* The context of every request with that on_done that has not been answered yet. */
void registration_visit(
    struct registration *registration, registration_on_done *on_done, void (*visit)(void *context, void *of_request),
    void *context);

/* May one more request of that kind go now? */
bool registration_open(const struct registration *registration, enum graph_operation_kind kind, int64_t now);
/* How many agents wait for a presence request; the budget is spread accordingly. */
void registration_waiting(struct registration *registration, size_t agents);
void registration_prepare(struct registration *registration, int64_t now);
void registration_prepare_asides(struct registration *registration, int64_t now);
/* Before the commit: what is outgoing will have been sent, and what was answered is under way no more. Not with every
 * turn, unless `exactly`: some more is written down ahead. */
void registration_write_budget(struct registration *registration, bool exactly, int64_t now);
/* Sends what is outgoing. Where the commit has taken its time and token or gate are no longer what they were, it is
 * given back instead: as OUTCOME_THROTTLED without a status where the sender decides anew, else it waits again. */
void registration_send(struct registration *registration);
/* When registration_prepare() will have something to do; CLOCK_NEVER. ready: agents wait in its queue. */
int64_t registration_next(const struct registration *registration, bool ready, int64_t now);

/* During an outage one request finds out whether it is over: is it time for it? Then the caller picks who tries, says
 * so, and makes it try. */
bool registration_wants_probe(const struct registration *registration, int64_t now);
/* When that will be; CLOCK_NEVER: there is no outage, or an answer comes first. Not part of registration_next(): only
 * who has somebody to probe with is to wake for it. */
int64_t registration_next_probe(const struct registration *registration);
void registration_probes(struct registration *registration, int64_t now);

/* ---- what others may know */

const char *registration_label(const struct registration *registration); /* the first account's Id, for messages */
const char *registration_key_of(const struct registration *registration);
/* How many replies have proved the token: anything but 401. */
uint64_t registration_accepted(const struct registration *registration);
/* Until when a refused token keeps it closed. */
int64_t registration_refused_until(const struct registration *registration);
/* When Graph's pause ends; 0: there is none now. */
int64_t registration_gate(const struct registration *registration, int64_t now);
/* Without a token, and retrying does not get one. */
bool registration_is_hopeless(const struct registration *registration, int64_t now);
/* Why there is no token, or ERR_NONE while there is one or it is not known yet. `final`: retrying does not mend it. */
struct err registration_token_trouble(const struct registration *registration, bool *ret_final);
/* Anything under way or waiting to go out? Without `in_flight_only` what waits counts too. */
bool registration_is_busy(const struct registration *registration, bool in_flight_only);

/* What a token is good for, without the token: for scripts and for people. False: there is none now. */
struct registration_auth {
  const char *tenant; /* the configuration's */
  int64_t expires_ms;
  struct graph_roles roles;
};
bool registration_auth(const struct registration *registration, int64_t now, struct registration_auth *ret_auth);

/* What the presence budget holds at `now`, for whoever has to remember it elsewhere. */
struct registration_use {
  int64_t gate_until_ms;
  size_t used, under_way;
};
struct registration_use registration_use(struct registration *registration, int64_t now);

/* Adds to an account's view for `status`: token, gate, budget, requests and outcomes. */
void registration_view(const struct registration *registration, int64_t now, struct values *values, struct value *view);
size_t registration_budget(const struct registration *registration); /* RequestsPer30Seconds, as configured */
/* Its metrics, under that account. */
void registration_metrics(
    const struct registration *registration, const char *account, int64_t now, struct metrics *to);

#endif
