/* JSON by lua-cjson in a trusted VM of its own: bytes to a value tree and back.
 *
 * lua-cjson is lenient (src/README.md, "Libraries, and why each is there"); what this adapter refuses besides: anything
 * but UTF-8, NUL (also \u0000), nan and infinity, nesting beyond 32, bytes behind the value. Duplicate keys: the last
 * wins. Numbers are doubles; keep ids as strings. null is VALUE_NIL. An empty array and an empty object are both an
 * empty map: value_count() is 0. */
#ifndef ADAPTERS_JSON_H
#define ADAPTERS_JSON_H

#include "base/buf.h"
#include "base/err.h"
#include "base/value.h"

struct json;

struct json *json_new(struct err *err) MUST_CHECK;
void json_free(struct json *json); /* NULL is fine */

/* From now on, texts of up to 16 million values are read, not of a million: for what our own daemon says of all its
 * agents. */
void json_take_large(struct json *json);

/* Errors are ERR_INPUT and say what is wrong and at which byte. */
bool json_parse(
    struct json *json, const char *bytes, size_t length, struct values *values, struct value **ret_value,
    struct err *err) MUST_CHECK;

/* Writers keep the order of members, so that the same tree gives the same bytes in every run, which the order of a Lua
 * table would not. Whole numbers are written without fraction or exponent. */
void json_write(struct buf *to, const struct value *value);
void json_write_pretty(struct buf *to, const struct value *value); /* two spaces a level, for people */
void json_write_string(struct buf *to, const char *bytes, size_t length);

#endif
