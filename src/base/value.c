/* Trees in an arena: memory is taken from the end of the newest block, never given back alone, and released with the
 * whole tree. So an error in the midst of a parse leaves nothing behind, also when Lua leaves by longjmp(). A list or
 * map that grows leaves its old arrays in the arena; as they double, that is less than the newest ones have room for.
 * Members are found by walking: they keep their order, and maps of JSON are small. value_set_new() spares the walk
 * where one is large. */
#include "base/value.h"
#include "base/clock.h"

#include <string.h>

struct values_block {
  struct values_block *next;
  size_t used, room;
  _Alignas(max_align_t) char bytes[];
};

/* The first block is small: most trees are, and malloc keeps small blocks at hand. */
enum { FIRST_ROOM = 960, BLOCK_ROOM = 4000 };

/* Not zeroed: whoever takes it fills it. */
static void *arena_take(struct values *values, size_t size)
{
  /* Whatever is put there is aligned. */
  size = (size + 15) & ~(size_t)15;
  struct values_block *block = values->blocks;
  if (block == NULL || block->room - block->used < size) {
    /* What was left of the block before is given up: looking for a fit would cost more than it saves. */
    size_t least = block == NULL ? FIRST_ROOM : BLOCK_ROOM;
    size_t room = size > least ? size : least;
    block = must_realloc(NULL, sizeof *block + room);
    *block = (struct values_block){.next = values->blocks, .room = room};
    values->blocks = block;
  }
  void *memory = block->bytes + block->used;
  block->used += size;
  return memory;
}

void values_release(struct values *values)
{
  while (values->blocks != NULL) {
    struct values_block *block = values->blocks;
    values->blocks = block->next;
    /* Blocks are freed whole, so what is wiped is all that the tree ever held, its outgrown arrays too. */
    explicit_bzero(block->bytes, block->used); /* a token response passes through here */
    free(block);
  }
}

static struct value *node(struct values *values, enum value_type type)
{
  struct value *value = arena_take(values, sizeof *value);
  *value = (struct value){.type = type};
  return value;
}

struct value *value_nil(struct values *values)
{
  return node(values, VALUE_NIL);
}

struct value *value_bool(struct values *values, bool boolean)
{
  struct value *value = node(values, VALUE_BOOL);
  value->u.boolean = boolean;
  return value;
}

struct value *value_number(struct values *values, double number)
{
  struct value *value = node(values, VALUE_NUMBER);
  value->u.number = number;
  return value;
}

static char *copy(char *to, const char *bytes, size_t length)
{
  if (length > 0)
    memcpy(to, bytes, length);
  to[length] = '\0';
  return to;
}

/* The text stands behind its node. */
struct value *value_bytes(struct values *values, const char *bytes, size_t length)
{
  struct value *value = arena_take(values, sizeof *value + length + 1);
  *value = (struct value){.type = VALUE_STRING};
  value->u.string.bytes = copy((char *)(value + 1), bytes, length);
  value->u.string.length = length;
  return value;
}

struct value *value_string(struct values *values, const char *text)
{
  return value_bytes(values, text, strlen(text));
}

struct value *value_list(struct values *values)
{
  return node(values, VALUE_LIST);
}

struct value *value_map(struct values *values)
{
  return node(values, VALUE_MAP);
}

static void grow(struct values *values, struct value *table)
{
  if (table->u.table.count < table->u.table.room)
    return;
  size_t room = table->u.table.room == 0 ? 4 : table->u.table.room * 2;
  struct value **items = arena_take(values, room * sizeof *items);
  if (table->u.table.count > 0)
    memcpy(items, table->u.table.items, table->u.table.count * sizeof *items);
  table->u.table.items = items;
  if (table->type == VALUE_MAP) {
    const char **keys = arena_take(values, room * sizeof *keys);
    if (table->u.table.count > 0)
      memcpy(keys, table->u.table.keys, table->u.table.count * sizeof *keys);
    table->u.table.keys = keys;
  }
  table->u.table.room = room;
}

void value_add(struct values *values, struct value *list, struct value *item)
{
  must(list->type == VALUE_LIST);
  grow(values, list);
  list->u.table.items[list->u.table.count++] = item;
}

void value_set(struct values *values, struct value *map, const char *key, struct value *item)
{
  must(map->type == VALUE_MAP);
  /* In its old place, so that writing the map again gives the same order. */
  for (size_t i = 0; i < map->u.table.count; i++)
    if (strcmp(map->u.table.keys[i], key) == 0) {
      map->u.table.items[i] = item;
      return;
    }
  value_set_new(values, map, key, item);
}

void value_set_new(struct values *values, struct value *map, const char *key, struct value *item)
{
  must(map->type == VALUE_MAP);
  grow(values, map);
  /* Callers' keys are often Lua's, and gone with the next collection. */
  size_t length = strlen(key);
  map->u.table.keys[map->u.table.count] = copy(arena_take(values, length + 1), key, length);
  map->u.table.items[map->u.table.count++] = item;
}

void value_put_number(struct values *values, struct value *map, const char *key, double number)
{
  value_set(values, map, key, value_number(values, number));
}

void value_put_text(struct values *values, struct value *map, const char *key, const char *text)
{
  value_set(values, map, key, value_string(values, text));
}

void value_put_instant(struct values *values, struct value *map, const char *key, int64_t ms)
{
  char text[CLOCK_TEXT_SIZE];
  bool none = ms <= 0 || ms == CLOCK_NEVER;
  value_set(values, map, key, none ? value_nil(values) : value_string(values, clock_rfc3339(ms, text)));
}

const struct value *value_get(const struct value *map, const char *key)
{
  if (map == NULL || map->type != VALUE_MAP)
    return NULL;
  for (size_t i = 0; i < map->u.table.count; i++)
    if (*map->u.table.keys[i] == *key && strcmp(map->u.table.keys[i], key) == 0) /* most differ in their first byte */
      return map->u.table.items[i];
  return NULL;
}

size_t value_count(const struct value *table)
{
  return table != NULL && (table->type == VALUE_LIST || table->type == VALUE_MAP) ? table->u.table.count : 0;
}

const struct value *value_at(const struct value *list, size_t index)
{
  return list != NULL && list->type == VALUE_LIST && index < list->u.table.count ? list->u.table.items[index] : NULL;
}

const char *value_text(const struct value *value, const char *otherwise)
{
  return value_is(value, VALUE_STRING) ? value->u.string.bytes : otherwise;
}

const char *value_get_text(const struct value *map, const char *key, const char *otherwise)
{
  return value_text(value_get(map, key), otherwise);
}

double value_get_number(const struct value *map, const char *key, double otherwise)
{
  const struct value *value = value_get(map, key);
  return value_is(value, VALUE_NUMBER) ? value->u.number : otherwise;
}

bool value_get_bool(const struct value *map, const char *key, bool otherwise)
{
  const struct value *value = value_get(map, key);
  return value_is(value, VALUE_BOOL) ? value->u.boolean : otherwise;
}

bool value_is(const struct value *value, enum value_type type)
{
  return value != NULL && value->type == type;
}

const char *value_type_str(enum value_type type)
{
  switch (type) {
  case VALUE_NIL:
    return "null";
  case VALUE_BOOL:
    return "boolean";
  case VALUE_NUMBER:
    return "number";
  case VALUE_STRING:
    return "string";
  case VALUE_LIST:
    return "array";
  case VALUE_MAP:
    return "object";
  }
  return "unknown";
}
