/* What scripts ask for, sent directly: through the service's account, so under its token, gate and budget, but past the
 * engine. Nothing keeps alive what is published so. The other way, for the daemon, is an override in the engine. */
#ifndef CLI_DIRECT_H
#define CLI_DIRECT_H

#include "adapters/loop.h"
#include "script/script.h"
#include "service/service.h"

struct json;
struct direct;

/* All borrowed. */
struct direct *direct_new(struct service *service, const struct config *config, struct json *json, struct loop *loop);
void direct_free(struct direct *direct); /* after the service, which knows its calls; NULL is fine */

/* The accounts are others now: no call may be under way but cancelled ones, and ids that were found are forgotten. */
void direct_accounts_changed(struct direct *direct);
/* Delivers the answers that are there; call it once a turn, behind service_turn(). */
void direct_turn(struct direct *direct);
/* Has anything been published? */
bool direct_published(const struct direct *direct);

/* A graph_port's, with the struct direct as its context. */
void *direct_submit(
    void *context, const struct script_operation *operation, struct values *values, script_on_answer *on_answer,
    void *answer_context);
void direct_cancel(void *context, void *request);

#endif
