/* Hash table of records that bear their key themselves: open addressing, one pointer per place, at most four fifths of
 * the places taken. The records stay their owners', and must not change their key while they are in. Nobody walks
 * through a table, so nothing depends on its order. */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* With hash_of set and the rest zero it is an empty table. */
struct table {
  uint64_t (*hash_of)(const void *record);
  void **places; /* NULL: free */
  size_t count, room;
};

void table_release(struct table *table);
/* The record that `is` the key, or NULL. hash: what hash_of() gives for such a record. */
void *table_find(
    const struct table *table, uint64_t hash, bool (*is)(const void *record, const void *key), const void *key);
void table_add(struct table *table, void *record);    /* no record of that key may be in */
void table_remove(struct table *table, void *record); /* it must be in */

/* SipHash-2-4 under a key that this process has drawn for itself: who chooses the texts cannot make them collide. */
uint64_t table_hash(const void *bytes, size_t length);
uint64_t table_siphash(uint64_t key0, uint64_t key1, const void *bytes, size_t length);

#endif
