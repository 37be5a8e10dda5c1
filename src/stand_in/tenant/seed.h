/* Seeded randomness: the same seed gives the same people, ids and faults in every run. Not for secrets that matter. */
#ifndef STAND_IN_TENANT_SEED_H
#define STAND_IN_TENANT_SEED_H

#include <stdint.h>

enum { SEED_GUID_SIZE = 37 };

struct seed {
  uint64_t state;
};

uint64_t seed_next(struct seed *seed);
double seed_unit(struct seed *seed); /* in [0, 1) */
void seed_next_guid(struct seed *seed, char to[SEED_GUID_SIZE]);
/* The GUID that `name` has under this seed, in the form of a version 4 one. */
void seed_guid(uint64_t seed, const char *name, char to[SEED_GUID_SIZE]);

#endif
