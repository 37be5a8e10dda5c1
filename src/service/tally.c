#include "service/internal.h"

#include <string.h>

static uint64_t hash_of(const void *record)
{
  const struct tally_entry *entry = record;
  return table_hash(entry->text, strlen(entry->text));
}

static bool is_text(const void *record, const void *key)
{
  return strcmp(((const struct tally_entry *)record)->text, key) == 0;
}

bool tally_add(struct tally *tally, const char *text)
{
  size_t length = strlen(text);
  tally->by_text.hash_of = hash_of;
  struct tally_entry *entry = table_find(&tally->by_text, table_hash(text, length), is_text, text);
  if (entry != NULL) {
    entry->count++;
    return false;
  }
  if (tally->count == (tally->most == 0 ? TALLY_MAX : tally->most)) {
    tally->others++;
    return false;
  }
  entry = must_alloc(sizeof *entry + length + 1);
  entry->count = 1;
  memcpy(entry->text, text, length + 1);
  tally->entries = must_realloc(tally->entries, (tally->count + 1) * sizeof(struct tally_entry *));
  tally->entries[tally->count++] = entry;
  table_add(&tally->by_text, entry);
  return true;
}

void tally_release(struct tally *tally)
{
  for (size_t i = 0; i < tally->count; i++)
    free(tally->entries[i]);
  free(tally->entries);
  table_release(&tally->by_text);
  *tally = (struct tally){0};
}
