/* One pool of immutable bytes, counted. Many agents have the same answer and the same reason code; kept once per agent,
 * equal texts took much of the memory of a large index. An entry is the count and the bytes behind it; callers hold the
 * address of the bytes, and the table finds an entry by its contents. The count is not atomic: all of this is on the
 * one thread of the loop. */
#include "base/shared.h"
#include "base/table.h"

#include <string.h>

/* The bytes are what callers have; an entry is found from them by its offset. */
struct entry {
  uint32_t holders, length;
  char bytes[];
};

struct key {
  const void *bytes;
  size_t length;
};

static uint64_t hash_of(const void *record)
{
  const struct entry *entry = record;
  return table_hash(entry->bytes, entry->length);
}

static bool is(const void *record, const void *sought)
{
  const struct entry *entry = record;
  const struct key *key = sought;
  return entry->length == key->length && memcmp(entry->bytes, key->bytes, key->length) == 0;
}

/* Two numbers of 32 bits in front keep `bytes` aligned for numbers of 64, which struct answer has. */
static struct table pool = {.hash_of = hash_of};

const void *shared_bytes(const void *bytes, size_t length)
{
  struct key key = {bytes, length};
  must(length <= UINT32_MAX);
  struct entry *entry = table_find(&pool, table_hash(bytes, length), is, &key);
  if (entry == NULL) {
    entry = must_alloc(sizeof *entry + length);
    entry->length = (uint32_t)length;
    memcpy(entry->bytes, bytes, length);
    table_add(&pool, entry);
  }
  entry->holders++; /* many millions at most: each is a pointer somewhere */
  must(entry->holders != 0);
  return entry->bytes;
}

const char *shared_text(const char *text)
{
  return shared_bytes(text, strlen(text) + 1);
}

void shared_release(const void *bytes)
{
  if (bytes == NULL)
    return;
  struct entry *entry = (struct entry *)(void *)((char *)bytes - offsetof(struct entry, bytes));
  if (--entry->holders > 0)
    return;
  /* While the bytes are still there: the table hashes them to find the entry. */
  table_remove(&pool, entry);
  free(entry);
  if (pool.count == 0)
    table_release(&pool);
}

void shared_replace(const char **text, const char *with)
{
  const char *old = *text;
  if (strcmp(old, with) == 0) /* often */
    return;
  /* The new one first: `with` may point into the old. */
  *text = shared_text(with);
  shared_release(old);
}
