/* A growing byte buffer with an upper bound given at init. What does not fit sets `overflow` and is dropped whole, so a
 * writer may add at will and check once at the end. The bytes are always followed by a NUL that `length` does not
 * count. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/must.h"

#include <stdbool.h>
#include <stddef.h>

struct buf {
  char *bytes; /* NULL until something is added; see buf_text() */
  size_t length;
  size_t room;
  size_t limit; /* bytes */
  bool overflow;
};

void buf_init(struct buf *buf, size_t limit);
void buf_release(struct buf *buf); /* wipes, frees; the buffer is empty and usable again */
void buf_clear(struct buf *buf);   /* keeps the memory */
bool buf_add(struct buf *buf, const void *bytes, size_t length); /* false: would overflow */
/* Makes it so much longer, for the caller to write those bytes; NULL: would overflow. */
char *buf_extend(struct buf *buf, size_t length);
bool buf_add_str(struct buf *buf, const char *text);
bool buf_addf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_drop_front(struct buf *buf, size_t length);
const char *buf_text(const struct buf *buf); /* never NULL */

#endif
