/* A hash table finds the entry of a text, a list keeps the order in which texts came: people read lists, and the first
 * lines of one should not jump about. */
#include "service/frequency.h"
#include "base/must.h"

#include <string.h>

static uint64_t hash_of(const void *record)
{
  const struct frequency_entry *entry = record;
  return table_hash(entry->text, strlen(entry->text));
}

static bool is_text(const void *record, const void *key)
{
  return strcmp(((const struct frequency_entry *)record)->text, key) == 0;
}

bool frequency_add(struct frequency *frequency, const char *text)
{
  size_t length = strlen(text);
  frequency->by_text.hash_of = hash_of;
  struct frequency_entry *entry = table_find(&frequency->by_text, table_hash(text, length), is_text, text);
  if (entry != NULL) {
    entry->count++;
    return false;
  }
  if (frequency->count == (frequency->most == 0 ? FREQUENCY_MAX : frequency->most)) {
    frequency->others++;
    return false;
  }
  entry = must_alloc(sizeof *entry + length + 1);
  entry->count = 1;
  memcpy(entry->text, text, length + 1);
  frequency->entries = must_realloc(frequency->entries, (frequency->count + 1) * sizeof(struct frequency_entry *));
  frequency->entries[frequency->count++] = entry;
  table_add(&frequency->by_text, entry);
  return true;
}

static int more_first(const void *a, const void *b)
{
  const struct frequency_entry *left = *(struct frequency_entry *const *)a,
                               *right = *(struct frequency_entry *const *)b;
  return left->count != right->count ? (left->count < right->count ? 1 : -1) : strcmp(left->text, right->text);
}

void frequency_sort(struct frequency *frequency)
{
  if (frequency->count > 1)
    qsort(frequency->entries, frequency->count, sizeof(struct frequency_entry *), more_first);
}

void frequency_release(struct frequency *frequency)
{
  for (size_t i = 0; i < frequency->count; i++)
    free(frequency->entries[i]);
  free(frequency->entries);
  table_release(&frequency->by_text);
  *frequency = (struct frequency){0};
}

struct value *frequency_view(const struct frequency *frequency, struct values *values)
{
  struct value *list = value_list(values);
  for (size_t i = 0; i < frequency->count; i++) {
    struct value *entry = value_map(values);
    value_put_text(values, entry, "what", frequency->entries[i]->text);
    value_put_number(values, entry, "count", (double)frequency->entries[i]->count);
    value_add(values, list, entry);
  }
  return list;
}
