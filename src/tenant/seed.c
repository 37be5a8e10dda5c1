#include "tenant/seed.h"
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

void seed_guid(uint64_t seed, const char *name, char to[SEED_GUID_SIZE])
{
  struct seed own = {str_hash(name, strlen(name), seed)};
  uint64_t high = seed_next(&own), low = seed_next(&own);
  snprintf(
      to, SEED_GUID_SIZE, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(high >> 32), (unsigned)(high >> 16) & 0xffff,
      (unsigned)high & 0xfff, ((unsigned)(low >> 48) & 0x3fff) | 0x8000, (unsigned long long)low & 0xffffffffffff);
}
