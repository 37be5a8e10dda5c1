/* The one type for secrets and tokens: its memory is left out of core dumps, locked where the limits allow it, and
 * wiped before it is freed. Never passed to a log, an error text or Lua. */
#ifndef BASE_WIPED_H
#define BASE_WIPED_H

#include <stddef.h>

struct wiped {
  unsigned char *bytes; /* NULL when empty; else NUL-terminated, which `length` does not count */
  size_t length;
  size_t mapped; /* bytes of the mapping */
};

#define WIPED_INIT                                                                                                     \
  {                                                                                                                    \
    NULL, 0, 0                                                                                                         \
  }

/* Makes `wiped` hold `length` zero bytes, dropping what it held. */
void wiped_reserve(struct wiped *wiped, size_t length);
void wiped_set(struct wiped *wiped, const void *bytes, size_t length);
void wiped_release(struct wiped *wiped);
const char *wiped_text(const struct wiped *wiped); /* never NULL */

#endif
