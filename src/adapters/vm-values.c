/* Plain values to Lua and back; only inside a protected call, because both directions may raise. What comes back is
 * looked at as if it came from the network: depth, number of values and bytes are bounded while reading, not after,
 * since a small table can stand for a huge tree. Reading is raw, so no metamethod of a result runs here. An error
 * leaves by longjmp(): all memory is the arena's, and where something is allocated besides, no Lua function is called
 * before it is freed. */
#include "adapters/vm-inside.h"

#include <lauxlib.h>
#include <lua.h>

#include <math.h>
#include <string.h>

enum {
  DEPTH_MAX = 32,               /* nesting of a result */
  NODES_MAX = 1000000,          /* of a result: two references to one table, 32 deep, are 2^32 nodes */
  BYTES_MAX = 64 * 1024 * 1024, /* of a result's strings: one long string may be there a thousand times */
  LARGE = 16,                   /* times both, where the text is known to be long and honest */
  FEW_MEMBERS = 16,             /* so many are sorted by insertion */
};

#define EXACT_MAX (INT64_C(1) << 53)

void vm_push(lua_State *L, const struct value *value)
{
  /* A table, its key and its value, and one for Lua; deeper levels ask again. */
  luaL_checkstack(L, 4, "value too deep");
  switch (value->type) {
  case VALUE_NIL:
    lua_pushnil(L);
    return;
  case VALUE_BOOL:
    lua_pushboolean(L, value->u.boolean);
    return;
  case VALUE_NUMBER:
    /* Whole numbers become Lua's integers, which print as 47, not 47.0. */
    if (value->u.number == floor(value->u.number) && fabs(value->u.number) <= (double)EXACT_MAX)
      lua_pushinteger(L, (lua_Integer)value->u.number);
    else
      lua_pushnumber(L, value->u.number);
    return;
  case VALUE_STRING:
    lua_pushlstring(L, value->u.string.bytes, value->u.string.length);
    return;
  case VALUE_LIST:
    lua_createtable(L, (int)value->u.table.count, 0);
    for (size_t i = 0; i < value->u.table.count; i++) {
      vm_push(L, value->u.table.items[i]);
      lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return;
  case VALUE_MAP:
    lua_createtable(L, 0, (int)value->u.table.count);
    for (size_t i = 0; i < value->u.table.count; i++) {
      vm_push(L, value->u.table.items[i]);
      lua_setfield(L, -2, value->u.table.keys[i]);
    }
    return;
  }
}

struct reader {
  lua_State *L;
  struct values *values;
  size_t nodes, bytes, nodes_max, bytes_max;
};

static struct value *read_value(struct reader *reader, int depth);

static size_t count_bytes(struct reader *reader, size_t length)
{
  reader->bytes += length;
  if (reader->bytes > reader->bytes_max)
    luaL_error(reader->L, "the result holds more than %d bytes of text", (int)reader->bytes_max);
  return length;
}

static struct value *read_list(struct reader *reader, lua_Integer count, int depth)
{
  struct value *list = value_list(reader->values);
  for (lua_Integer i = 1; i <= count; i++) {
    lua_rawgeti(reader->L, -1, i);
    value_add(reader->values, list, read_value(reader, depth));
    lua_pop(reader->L, 1);
  }
  return list;
}

struct member {
  const char *key;
  struct value *item;
};

static int by_key(const void *a, const void *b)
{
  return strcmp(((const struct member *)a)->key, ((const struct member *)b)->key);
}

static void sort_many(struct value *map)
{
  size_t count = map->u.table.count;
  struct member *members = must_alloc(count * sizeof *members);
  for (size_t i = 0; i < count; i++)
    members[i] = (struct member){map->u.table.keys[i], map->u.table.items[i]};
  qsort(members, count, sizeof *members, by_key);
  for (size_t i = 0; i < count; i++) {
    map->u.table.keys[i] = members[i].key;
    map->u.table.items[i] = members[i].item;
  }
  free(members);
}

/* By insertion, which beats qsort() as long as there are few: a setPresence has four. */
static void sort_few(struct value *map)
{
  const char **keys = map->u.table.keys;
  struct value **items = map->u.table.items;
  for (size_t i = 1; i < map->u.table.count; i++) {
    const char *key = keys[i];
    struct value *item = items[i];
    size_t to = i;
    for (; to > 0 && strcmp(keys[to - 1], key) > 0; to--) {
      keys[to] = keys[to - 1];
      items[to] = items[to - 1];
    }
    keys[to] = key;
    items[to] = item;
  }
}

/* Lua's order of keys differs from run to run; ours must not. */
static void sort_members(struct value *map)
{
  if (map->u.table.count <= FEW_MEMBERS)
    sort_few(map);
  else
    sort_many(map);
}

static struct value *read_map(struct reader *reader, int depth)
{
  lua_State *L = reader->L;
  struct value *map = value_map(reader->values);
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    size_t length;
    /* The type first: lua_tolstring() would make a text of a number in place, and lua_next() would lose its way. */
    const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tolstring(L, -2, &length) : NULL;
    /* Keys are C strings here; one with a NUL inside would be taken for another. */
    if (key == NULL || strlen(key) != count_bytes(reader, length))
      luaL_error(L, "a key of the result is not a text");
    value_set_new(reader->values, map, key, read_value(reader, depth));
  }
  sort_members(map);
  return map;
}

/* A table whose keys are exactly 1 to n, n > 0, is a list. */
static lua_Integer list_length(lua_State *L)
{
  lua_Integer length = (lua_Integer)lua_rawlen(L, -1), members = 0;
  if (length == 0)
    return 0;
  /* Counted, because the length of a table with holes may be any border. */
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1))
    members++;
  return members == length ? length : 0;
}

static struct value *read_table(struct reader *reader, int depth)
{
  if (depth >= DEPTH_MAX)
    luaL_error(reader->L, "the result is nested more than %d deep", DEPTH_MAX);
  lua_Integer length = list_length(reader->L);
  return length > 0 ? read_list(reader, length, depth + 1) : read_map(reader, depth + 1);
}

/* The value on top of the stack, which stays there. */
static struct value *read_value(struct reader *reader, int depth)
{
  lua_State *L = reader->L;
  if (++reader->nodes > reader->nodes_max)
    luaL_error(L, "the result has more than %d values", (int)reader->nodes_max);
  switch (lua_type(L, -1)) {
  case LUA_TNIL:
    return value_nil(reader->values);
  case LUA_TBOOLEAN:
    return value_bool(reader->values, lua_toboolean(L, -1) != 0);
  case LUA_TNUMBER: {
    lua_Integer integer = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : 0;
    /* An id beyond 2^53 would silently become its neighbour. */
    if (integer > EXACT_MAX || integer < -EXACT_MAX || !isfinite(lua_tonumber(L, -1)))
      luaL_error(L, "the result holds a number that is too large");
    return value_number(reader->values, lua_tonumber(L, -1));
  }
  case LUA_TSTRING: {
    size_t length;
    const char *bytes = lua_tolstring(L, -1, &length);
    return value_bytes(reader->values, bytes, count_bytes(reader, length));
  }
  case LUA_TTABLE:
    return read_table(reader, depth);
  case LUA_TLIGHTUSERDATA:
    if (lua_touserdata(L, -1) == NULL) /* cjson.null */
      return value_nil(reader->values);
    break;
  default:
    break;
  }
  luaL_error(L, "the result holds a %s, which is no plain value", luaL_typename(L, -1));
  return NULL;
}

struct value *vm_read(lua_State *L, struct values *values, bool large)
{
  size_t times = large ? LARGE : 1;
  struct reader reader = {.L = L, .values = values, .nodes_max = times * NODES_MAX, .bytes_max = times * BYTES_MAX};
  luaL_checkstack(L, 3 * (DEPTH_MAX + 1), "result too deep"); /* a level: a member's key, its value, a word of Lua's */
  return read_value(&reader, 0);
}
