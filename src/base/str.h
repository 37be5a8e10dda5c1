/* Strings: NUL-terminated UTF-8, compared without ASCII case where said so. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include "base/must.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Copies with truncation never: false, and `to` untouched, when `from` with its NUL does not fit into `room` bytes. */
bool str_copy(char *to, size_t room, const char *from) MUST_CHECK;
/* As much as fits, cut before an incomplete UTF-8 character. */
void str_cut(char *to, size_t room, const char *from);
/* Removes ASCII white space from both ends, in place; returns text. */
char *str_trim(char *text);
/* ASCII letters to lower case, in place; returns text. */
char *str_lower(char *text);
bool str_equal_fold(const char *a, const char *b); /* without ASCII case */
bool str_starts(const char *text, const char *prefix);
bool str_ends_fold(const char *text, const char *suffix);
/* A whole UTF-8 text without NUL (RFC 3629: no surrogates, no overlong forms). */
bool str_is_utf8(const char *bytes, size_t length);
/* Of ASCII, whatever the locale says. */
static inline bool str_is_alphanumeric(char c)
{
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}
/* 8-4-4-4-12 hexadecimal digits, either case. */
bool str_is_guid(const char *text);
enum { STR_GUID_SIZE = 37 };
/* The version 4 GUID (RFC 9562) that these bytes give, in lower case. */
void str_guid(const unsigned char bytes[16], char to[STR_GUID_SIZE]);
/* The candidate that `text` most probably meant, or NULL when none is near; for "did you mean". */
const char *str_nearest(const char *text, const char *const *candidates, size_t count);
/* Whole decimal number within [min, max]. */
bool str_parse_int(const char *text, int64_t min, int64_t max, int64_t *ret_number) MUST_CHECK;
/* Decodes %XX (RFC 3986) in place. False, and the text is scratch: malformed, or a NUL. */
bool str_percent_decode(char *text) MUST_CHECK;
/* FNV-1a, for change detection only; never where an attacker could profit from a collision. */
uint64_t str_hash(const void *bytes, size_t length, uint64_t seed);

#endif
