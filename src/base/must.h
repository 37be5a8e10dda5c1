/* Attributes and the one fatal assertion.
 *
 * must() states what the program's own code guarantees; when it does not hold, going on would do harm, so the process
 * ends with the place. It is kept in every build. Input, peers and rules are never checked with it: they get an error.
 */
#ifndef BASE_MUST_H
#define BASE_MUST_H

#include <stdio.h>
#include <stdlib.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))
#define UNUSED __attribute__((unused))
/* For records that there are very many of. enum PACKED: in as few bytes as its values need; struct PACKED: without
 * gaps, so nobody may keep the address of a number in it. */
#define PACKED __attribute__((packed))

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define must(condition)                                                                                                \
  do {                                                                                                                 \
    if (!(condition)) {                                                                                                \
      fprintf(stderr, "presenced: %s:%d: broken promise: %s\n", __FILE__, __LINE__, #condition);                       \
      abort();                                                                                                         \
    }                                                                                                                  \
  } while (0)

/* Memory or the end: a daemon that cannot get a few bytes cannot do anything sensible with the failure either. */
void *must_alloc(size_t size) MUST_CHECK; /* zeroed; free() */
void *must_realloc(void *old, size_t size) MUST_CHECK;
char *must_strdup(const char *text) MUST_CHECK; /* free() */

#endif
