#include "stand_in/tenant/seed.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

/* splitmix64, by Sebastiano Vigna: every seed gives a good sequence, zero included. */
uint64_t seed_next(struct seed *seed)
{
  uint64_t z = seed->state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

double seed_unit(struct seed *seed)
{
  return (double)(seed_next(seed) >> 11) * 0x1.0p-53;
}

void seed_next_guid(struct seed *seed, char to[SEED_GUID_SIZE])
{
  unsigned char bytes[16];
  for (size_t half = 0; half < 16; half += 8) {
    uint64_t number = seed_next(seed);
    for (size_t i = 0; i < 8; i++)
      bytes[half + i] = (unsigned char)(number >> (56 - 8 * i));
  }
  str_guid(bytes, to);
}

void seed_guid(uint64_t seed, const char *name, char to[SEED_GUID_SIZE])
{
  struct seed own = {str_hash(name, strlen(name), seed)};
  seed_next_guid(&own, to);
}
