/* A growing buffer for bytes from outside. Replies that hold a token pass through it, so memory is wiped before it is
 * given back, and growing never leaves a copy behind. Every way of adding ends in buf_extend(), which alone knows the
 * limit; what does not fit is dropped whole. A shorter part may fit after a longer one was dropped: once `overflow` is
 * set the bytes may have a hole, and are not to be used. */
#include "base/buf.h"

#include <stdarg.h>
#include <string.h>

void buf_init(struct buf *buf, size_t limit)
{
  *buf = (struct buf){.limit = limit};
}

void buf_release(struct buf *buf)
{
  if (buf->bytes != NULL)
    explicit_bzero(buf->bytes, buf->room);
  free(buf->bytes);
  buf_init(buf, buf->limit);
}

void buf_clear(struct buf *buf)
{
  buf->length = 0;
  buf->overflow = false;
  if (buf->bytes != NULL)
    buf->bytes[0] = '\0';
}

char *buf_extend(struct buf *buf, size_t length)
{
  /* As a difference, which cannot wrap: what is there never exceeds the limit. */
  if (length > buf->limit - buf->length) {
    buf->overflow = true;
    return NULL;
  }
  /* One more for the NUL, which counts for the room but not for the limit. */
  size_t need = buf->length + length + 1;
  if (need > buf->room) {
    size_t room = buf->room == 0 ? 256 : buf->room;
    while (room < need)
      room *= 2;
    /* Not realloc: it would leave a copy behind that nobody wipes. */
    char *grown = must_realloc(NULL, room);
    if (buf->bytes != NULL) {
      memcpy(grown, buf->bytes, buf->length);
      explicit_bzero(buf->bytes, buf->room);
      free(buf->bytes);
    }
    buf->bytes = grown;
    buf->room = room;
  }
  char *added = buf->bytes + buf->length;
  buf->length += length;
  buf->bytes[buf->length] = '\0';
  return added;
}

bool buf_add(struct buf *buf, const void *bytes, size_t length)
{
  char *added = buf_extend(buf, length);
  if (added != NULL && length > 0)
    memcpy(added, bytes, length);
  return added != NULL;
}

bool buf_add_str(struct buf *buf, const char *text)
{
  return buf_add(buf, text, strlen(text));
}

bool buf_addf(struct buf *buf, const char *format, ...)
{
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  /* Nearly every text fits in here and is formatted once; a longer one is measured, then formatted again. */
  char small[512];
  int length = vsnprintf(small, sizeof small, format, args);
  va_end(args);
  bool ok = length >= 0;
  if (ok && (size_t)length < sizeof small) {
    ok = buf_add(buf, small, (size_t)length);
  } else if (ok) {
    char *large = must_alloc((size_t)length + 1);
    vsnprintf(large, (size_t)length + 1, format, again);
    ok = buf_add(buf, large, (size_t)length);
    free(large);
  }
  va_end(again);
  return ok;
}

void buf_drop_front(struct buf *buf, size_t length)
{
  must(length <= buf->length);
  if (length == 0)
    return;
  /* All that stays is moved: a reader of lines drops them together, not one by one. */
  memmove(buf->bytes, buf->bytes + length, buf->length - length + 1);
  buf->length -= length;
}

const char *buf_text(const struct buf *buf)
{
  return buf->bytes == NULL ? "" : buf->bytes;
}
