/* Texts are bytes of UTF-8, and all that is done to single characters concerns ASCII alone: every byte of a longer
 * character is at least 0x80, so none of it can be taken for a letter, a space or a digit. The locale is never asked;
 * names must compare the same on every machine. Copies either fit whole or are cut where a reader may cut, before a
 * character. */
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

bool str_copy(char *to, size_t room, const char *from)
{
  size_t length = strlen(from);
  if (length >= room)
    return false;
  memmove(to, from, length + 1);
  return true;
}

void str_cut(char *to, size_t room, const char *from)
{
  size_t length = strlen(from);
  if (length >= room) {
    length = room - 1;
    /* Back over the bytes 10xxxxxx to the first byte of the character that does not fit. */
    while (length > 0 && ((unsigned char)from[length] & 0xC0) == 0x80)
      length--;
  }
  memmove(to, from, length);
  to[length] = '\0';
}

char *str_trim(char *text)
{
  char *start = text;
  while (*start != '\0' && strchr(" \t\r\n\v\f", *start) != NULL)
    start++;
  size_t length = strlen(start);
  while (length > 0 && strchr(" \t\r\n\v\f", start[length - 1]) != NULL)
    length--;
  memmove(text, start, length);
  text[length] = '\0';
  return text;
}

char *str_lower(char *text)
{
  for (char *c = text; *c != '\0'; c++)
    if (*c >= 'A' && *c <= 'Z')
      *c = (char)(*c - 'A' + 'a');
  return text;
}

static unsigned char fold(char c)
{
  return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

bool str_equal_fold(const char *a, const char *b)
{
  /* Most bytes are equal as they are; folding each was seen in profiles of a day. */
  for (; *a != '\0' && (*a == *b || fold(*a) == fold(*b)); a++, b++)
    ;
  return fold(*a) == fold(*b);
}

bool str_starts(const char *text, const char *prefix)
{
  return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool str_ends_fold(const char *text, const char *suffix)
{
  size_t length = strlen(text), end = strlen(suffix);
  return length >= end && str_equal_fold(text + length - end, suffix);
}

bool str_is_utf8(const char *bytes, size_t length)
{
  const unsigned char *c = (const unsigned char *)bytes, *end = c + length;
  uint64_t word;
  while (c < end) {
    if ((size_t)(end - c) >= sizeof word) { /* nearly all is ASCII: eight at a time */
      /* Subtracting one sets the highest bit of a zero byte; a byte of 0x80 or more has it set. A borrow can only begin
       * at a zero byte, so it raises no false alarm. */
      memcpy(&word, c, sizeof word);
      if (((word | (word - 0x0101010101010101u)) & 0x8080808080808080u) == 0) { /* each is 1 to 0x7F */
        c += sizeof word;
        continue;
      }
    }
    if (*c == 0)
      return false;
    if (*c < 0x80) {
      c++;
      continue;
    }
    int more = *c >= 0xF0 ? 3 : *c >= 0xE0 ? 2 : 1;
    if (*c < 0xC2 || *c > 0xF4 || end - c <= more)
      return false;
    /* The second byte rules out overlong forms, surrogates and what lies above U+10FFFF. */
    unsigned char low = *c == 0xE0 ? 0xA0 : *c == 0xF0 ? 0x90 : 0x80;
    unsigned char high = *c == 0xED ? 0x9F : *c == 0xF4 ? 0x8F : 0xBF;
    if (c[1] < low || c[1] > high)
      return false;
    for (int i = 2; i <= more; i++)
      if ((c[i] & 0xC0) != 0x80)
        return false;
    c += more + 1;
  }
  return true;
}

bool str_is_guid(const char *text)
{
  if (strlen(text) != 36)
    return false;
  for (size_t i = 0; i < 36; i++) {
    bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : isxdigit((unsigned char)text[i]) == 0)
      return false;
  }
  return true;
}

void str_guid(const unsigned char bytes[16], char to[STR_GUID_SIZE])
{
  for (size_t i = 0; i < 16; i++) {
    unsigned byte = bytes[i];
    if (i == 6)
      byte = (byte & 0x0F) | 0x40; /* the version ... */
    if (i == 8)
      byte = (byte & 0x3F) | 0x80; /* ... and the variant */
    if (i == 4 || i == 6 || i == 8 || i == 10)
      *to++ = '-';
    *to++ = "0123456789abcdef"[byte >> 4];
    *to++ = "0123456789abcdef"[byte & 15];
  }
  *to = '\0';
}

/* Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours. */
static size_t distance(const char *a, const char *b)
{
  enum { MAX = 48 };
  size_t la = strlen(a), lb = strlen(b);
  /* Bounds the table on the stack, and the time; longer texts are not names that were misspelt. */
  if (la > MAX || lb > MAX)
    return SIZE_MAX;
  size_t d[MAX + 1][MAX + 1];
  for (size_t i = 0; i <= la; i++)
    d[i][0] = i;
  for (size_t j = 0; j <= lb; j++)
    d[0][j] = j;
  for (size_t i = 1; i <= la; i++)
    for (size_t j = 1; j <= lb; j++) {
      size_t best = d[i - 1][j - 1] + (fold(a[i - 1]) != fold(b[j - 1]));
      if (d[i - 1][j] + 1 < best)
        best = d[i - 1][j] + 1;
      if (d[i][j - 1] + 1 < best)
        best = d[i][j - 1] + 1;
      if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) && fold(a[i - 2]) == fold(b[j - 1]) &&
          d[i - 2][j - 2] + 1 < best)
        best = d[i - 2][j - 2] + 1;
      d[i][j] = best;
    }
  return d[la][lb];
}

const char *str_nearest(const char *text, const char *const *candidates, size_t count)
{
  const char *nearest = NULL;
  size_t best = strlen(text) / 3 + 2; /* further away is another word */
  for (size_t i = 0; i < count; i++) {
    size_t d = distance(text, candidates[i]);
    if (d < best) {
      best = d;
      nearest = candidates[i];
    }
  }
  return nearest;
}

bool str_parse_int(const char *text, int64_t min, int64_t max, int64_t *ret_number)
{
  /* strtoll() alone would take leading white space and a plus. */
  if (*text == '\0' || strspn(text, "-0123456789") != strlen(text))
    return false;
  char *end;
  errno = 0;
  long long number = strtoll(text, &end, 10);
  if (errno != 0 || *end != '\0' || end == text || number < min || number > max)
    return false;
  *ret_number = number;
  return true;
}

static int hex_digit(char c)
{
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

bool str_percent_decode(char *text)
{
  char *to = text;
  for (const char *from = text; *from != '\0'; from++) {
    if (*from != '%') {
      *to++ = *from;
      continue;
    }
    int high = hex_digit(from[1]);
    /* The second digit is looked at only where the first is one: it may be the NUL. */
    int low = high < 0 ? -1 : hex_digit(from[2]);
    /* A decoded NUL would cut the text short behind the back of whoever checks it. */
    if (low < 0 || high + low == 0)
      return false;
    *to++ = (char)(high * 16 + low);
    from += 2;
  }
  *to = '\0';
  return true;
}

uint64_t str_hash(const void *bytes, size_t length, uint64_t seed)
{
  uint64_t hash = 0xCBF29CE484222325u ^ seed;
  for (const unsigned char *c = bytes, *end = c + length; c < end; c++)
    hash = (hash ^ *c) * 0x100000001B3u;
  return hash;
}
