/* Open addressing with linear probing, and SipHash to go with it. What must always hold: between a record's home and
 * its place no place is free. So a search ends at the first free one, and there always is one, because at most four
 * fifths are taken. Removing moves records back instead of leaving a mark: tables live for months, and marks would pile
 * up. The hash is computed anew where it is needed, since keeping it would double a place. A table never shrinks. */
#include "base/table.h"
#include "base/must.h"

#include <string.h>
#include <unistd.h>

enum { ROOM_FIRST = 64 }; /* a power of two, as every room is */

void table_release(struct table *table)
{
  free(table->places);
  *table = (struct table){.hash_of = table->hash_of};
}

static size_t next_place(const struct table *table, size_t place)
{
  return (place + 1) & (table->room - 1);
}

static size_t home_of(const struct table *table, uint64_t hash)
{
  return (size_t)hash & (table->room - 1);
}

void *table_find(
    const struct table *table, uint64_t hash, bool (*is)(const void *record, const void *key), const void *key)
{
  if (table->room == 0)
    return NULL;
  size_t place = home_of(table, hash);
  while (table->places[place] != NULL && !is(table->places[place], key))
    place = next_place(table, place);
  return table->places[place];
}

static void put(struct table *table, void *record)
{
  size_t place = home_of(table, table->hash_of(record));
  while (table->places[place] != NULL)
    place = next_place(table, place);
  table->places[place] = record;
}

static void grow(struct table *table)
{
  void **old = table->places;
  size_t old_room = table->room;
  table->room = old_room == 0 ? ROOM_FIRST : old_room * 2;
  table->places = must_alloc(table->room * sizeof *table->places);
  for (size_t i = 0; i < old_room; i++)
    if (old[i] != NULL)
      put(table, old[i]);
  free(old);
}

void table_add(struct table *table, void *record)
{
  /* Also true of a table without room, 0 of 0. */
  if (table->count >= table->room / 5 * 4)
    grow(table);
  put(table, record);
  table->count++;
}

/* May what is at `from` fill the gap at `gap`? Only if its home does not lie between them: it would not be found. */
static bool may_fill(const struct table *table, size_t gap, size_t from)
{
  size_t home = home_of(table, table->hash_of(table->places[from]));
  size_t mask = table->room - 1;
  return ((from - home) & mask) >= ((from - gap) & mask);
}

void table_remove(struct table *table, void *record)
{
  size_t gap = home_of(table, table->hash_of(record));
  while (table->places[gap] != record) {
    must(table->places[gap] != NULL);
    gap = next_place(table, gap);
  }
  /* Ends at a free place, since the run of taken places does. */
  /* No gap may part a record from its home: those behind move up. */
  for (size_t from = next_place(table, gap); table->places[from] != NULL; from = next_place(table, from))
    if (may_fill(table, gap, from)) {
      table->places[gap] = table->places[from];
      gap = from;
    }
  table->places[gap] = NULL;
  table->count--;
}

/* ---- SipHash (Aumasson, Bernstein 2012) */

static uint64_t rotate(uint64_t word, int by)
{
  return word << by | word >> (64 - by);
}

static void sip_rounds(uint64_t v[4], int rounds)
{
  for (int i = 0; i < rounds; i++) {
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
  }
}

/* Little-endian; fewer than eight bytes are filled up with zeros. */
static uint64_t word_of(const unsigned char *bytes, size_t length)
{
  uint64_t word = 0;
  for (size_t i = 0; i < length; i++)
    word |= (uint64_t)bytes[i] << (8 * i);
  return word;
}

static void sip_word(uint64_t v[4], uint64_t word)
{
  v[3] ^= word;
  sip_rounds(v, 2);
  v[0] ^= word;
}

uint64_t table_siphash(uint64_t key0, uint64_t key1, const void *bytes, size_t length)
{
  uint64_t v[4] = {
      key0 ^ UINT64_C(0x736f6d6570736575), key1 ^ UINT64_C(0x646f72616e646f6d), key0 ^ UINT64_C(0x6c7967656e657261),
      key1 ^ UINT64_C(0x7465646279746573)};
  const unsigned char *at = bytes;
  size_t left = length;
  for (; left >= 8; at += 8, left -= 8)
    sip_word(v, word_of(at, 8));
  sip_word(v, (uint64_t)length << 56 | word_of(at, left));
  v[2] ^= 0xff;
  sip_rounds(v, 4);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t table_hash(const void *bytes, size_t length)
{
  static uint64_t key[2];
  /* Names come from outside: with a fixed key a sender could choose them so that all share a home, and each search
   * walks through all of them. */
  static bool drawn;
  if (!drawn)
    must(getentropy(key, sizeof key) == 0);
  drawn = true;
  return table_siphash(key[0], key[1], bytes, length);
}
