/* A tree of plain values, the common tongue of JSON and Lua: nil, boolean, number, string, list, map.
 *
 * All nodes of a tree live in one arena (struct values); releasing the arena frees the tree. Numbers are doubles, as in
 * JSON; strings are bytes of any content, NUL-terminated besides. A map keeps the order in which its members were
 * added. An empty Lua table could be either: it is an empty map, and value_at() and value_count() take it for an empty
 * list. */
#ifndef BASE_VALUE_H
#define BASE_VALUE_H

#include "base/must.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum value_type { VALUE_NIL, VALUE_BOOL, VALUE_NUMBER, VALUE_STRING, VALUE_LIST, VALUE_MAP };

struct value {
  enum value_type type;
  union {
    bool boolean;
    double number;
    struct {
      const char *bytes;
      size_t length;
    } string;
    struct {
      struct value **items; /* list: items; map: members */
      const char **keys;    /* map only */
      size_t count, room;
    } table;
  } u;
};

/* The arena. Zeroed memory is a valid, empty arena. */
struct values {
  struct values_block *blocks;
};

void values_release(struct values *values);

struct value *value_nil(struct values *values);
struct value *value_bool(struct values *values, bool boolean);
struct value *value_number(struct values *values, double number);
struct value *value_string(struct values *values, const char *text);
struct value *value_bytes(struct values *values, const char *bytes, size_t length);
struct value *value_list(struct values *values);
struct value *value_map(struct values *values);
void value_add(struct values *values, struct value *list, struct value *item);
/* Replaces a member of the same key. The key is copied. */
void value_set(struct values *values, struct value *map, const char *key, struct value *item);
/* The same for a key that the map certainly does not have yet: without the search, which adds up in a large map. */
void value_set_new(struct values *values, struct value *map, const char *key, struct value *item);

/* value_set() of a new number or text; and of an instant as RFC 3339, nil where there is none (0 or CLOCK_NEVER). */
void value_put_number(struct values *values, struct value *map, const char *key, double number);
void value_put_text(struct values *values, struct value *map, const char *key, const char *text);
void value_put_instant(struct values *values, struct value *map, const char *key, int64_t ms);

/* Readers take NULL and any type, and answer NULL, the default or 0 where the thing is not there. */
const struct value *value_get(const struct value *map, const char *key);
const struct value *value_at(const struct value *list, size_t index); /* from 0 */
size_t value_count(const struct value *table);
const char *value_text(const struct value *value, const char *otherwise); /* strings only */
const char *value_get_text(const struct value *map, const char *key, const char *otherwise);
double value_get_number(const struct value *map, const char *key, double otherwise);
bool value_get_bool(const struct value *map, const char *key, bool otherwise);
bool value_is(const struct value *value, enum value_type type);
const char *value_type_str(enum value_type type); /* in JSON's words: "null", "boolean", ... */

#endif
