/* The ports over the real world: libcurl, libevent, the clock, OpenSSL's randomness. */
#ifndef HOST_TRANSPORT_H
#define HOST_TRANSPORT_H

#include "adapters/loop.h"
#include "config/config.h"
#include "registration/ports.h"

struct transport;

struct transport *transport_new(struct loop *loop, const struct config *config, struct err *err) MUST_CHECK;
void transport_free(struct transport *transport); /* NULL is fine */
/* Another configuration: more or fewer connections, another timeout. CaFile and Proxy stay what they were. */
void transport_configure(struct transport *transport, const struct config *config);
struct ports transport_ports(struct transport *transport);

#endif
