/* The one way to Graph past the engine: what commands and scripts ask for, sent under an account's registration, so
 * under its token, gate and budget. Passing failures are tried again, alike for all who ask. Nothing keeps alive what
 * is published so; the other way, in the daemon, is an override in the engine. */
#ifndef HOST_DIRECT_H
#define HOST_DIRECT_H

#include "adapters/loop.h"
#include "registration/registration.h"
#include "script/script.h"

struct json;
struct direct;

/* Where the registrations are: in the engine, or in a process without one (host/solo.h). */
struct direct_access {
  void *context;
  struct registration *(*registration)(void *context, size_t account);
  /* The object id of a name, as far as it is known; NULL: not yet. May be NULL itself. */
  const char *(*known_id)(void *context, size_t account, const char *name);
};

/* All borrowed. patience_ms: how long a call waits for a pause that Graph asked for, or for a token while Entra cannot
 * be reached, before it gives up with that as its answer; CLOCK_NEVER: a pause as long as it takes, a token for half a
 * minute. */
struct direct *direct_new(
    const struct direct_access *access, const struct config *config, struct json *json, struct loop *loop,
    int64_t patience_ms);
void direct_free(struct direct *direct); /* after the registrations, which know its calls; NULL is fine */

/* The accounts are others now: no call may be under way but cancelled ones, and ids that were found are forgotten. */
void direct_accounts_changed(struct direct *direct);
/* Delivers the answers that are there; call it once a turn, behind that of the registrations. */
void direct_turn(struct direct *direct);
/* Has anything been published? */
bool direct_published(const struct direct *direct);

/* A graph_port's, with the struct direct as its context. */
void *direct_submit(
    void *context, const struct script_operation *operation, struct values *values, script_on_answer *on_answer,
    void *answer_context);
void direct_cancel(void *context, void *request);

/* How long a presence is shown where nobody says otherwise. */
#define DIRECT_DEFAULT_HOLD_MS CLOCK_HOUR

#endif
