/* The one way to acknowledge after the commit: whatever was accepted during a turn is answered when that turn is
 * durable, or told that it is not. */
#ifndef DAEMON_ACKS_H
#define DAEMON_ACKS_H

#include <stdbool.h>

struct acks;

struct acks *acks_new(void);
void acks_free(struct acks *acks); /* what waits is forgotten; NULL is fine */

/* on_settled will be called once: with the turn that is sealed next. It may add others, for a later turn. Returns what
 * acks_cancel() takes. */
typedef void acks_on_settled(void *context, bool durable);
void *acks_add(struct acks *acks, acks_on_settled *on_settled, void *context);
/* False: that is none of these, or it was settled already. */
bool acks_cancel(struct acks *acks, const void *ack);
/* A commit begins: what was added until now belongs to it, what is added from now on to the next one. */
void acks_seal(struct acks *acks);
/* What was sealed is durable. */
void acks_saved(struct acks *acks);
/* Nothing of what waits will become durable, sealed or not. */
void acks_failed(struct acks *acks);

#endif
