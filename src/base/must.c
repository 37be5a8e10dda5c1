#include "base/must.h"

#include <string.h>

static void *or_die(void *memory)
{
  if (memory == NULL) {
    fputs("presenced: out of memory\n", stderr);
    abort();
  }
  return memory;
}

void *must_alloc(size_t size)
{
  /* One byte for none: for a size of 0 NULL may be a success. */
  return or_die(calloc(1, size == 0 ? 1 : size));
}

void *must_realloc(void *old, size_t size)
{
  return or_die(realloc(old, size == 0 ? 1 : size));
}

char *must_strdup(const char *text)
{
  return or_die(strdup(text));
}
