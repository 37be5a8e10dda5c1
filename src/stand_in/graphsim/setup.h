/* What graphsim leaves in its folder: everything a presenced needs to start against it (examples/README.md,
 * "graphsim"). */
#ifndef STAND_IN_GRAPHSIM_SETUP_H
#define STAND_IN_GRAPHSIM_SETUP_H

#include "base/err.h"

#include <stdint.h>

struct graphsim;
struct tenant_setup;

/* Client id, tenant id and secret: they follow from the seed alone, so that a restart fits the same config.xml. */
void setup_registration(uint64_t seed, struct tenant_setup *setup);
/* Makes the folder where it is missing, the certificate authority and the TLS context; removes an old sim.json. */
bool setup_folder(struct graphsim *graphsim, struct err *err) MUST_CHECK;
/* Writes key (a good one is kept), config.xml and, last, sim.json: who sees that file can connect. */
bool setup_files(struct graphsim *graphsim, struct err *err) MUST_CHECK;

#endif
