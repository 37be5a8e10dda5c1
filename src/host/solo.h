/* Registrations in a process that has no engine: commands and scripts, which ask Graph a few things and end. Nothing is
 * remembered, and nothing keeps alive what they set. */
#ifndef HOST_SOLO_H
#define HOST_SOLO_H

#include "host/direct.h"
#include "host/transport.h"

struct solo;

/* All borrowed. credentials: one per account. */
struct solo *solo_new(
    struct transport *transport, const struct config *config, const struct credential *credentials, struct json *json);
void solo_free(struct solo *solo); /* cancels what is under way; NULL is fine */
/* Once a turn of the loop, and when the transport's timer wakes. */
void solo_turn(struct solo *solo);
/* For direct_new(). */
struct direct_access solo_access(struct solo *solo);

#endif
