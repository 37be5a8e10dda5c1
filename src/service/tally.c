#include "service/internal.h"

#include <string.h>

bool tally_add(struct tally *tally, const char *text)
{
  for (size_t i = 0; i < tally->count; i++)
    if (strcmp(tally->entries[i].text, text) == 0) {
      tally->entries[i].count++;
      return false;
    }
  if (tally->count == TALLY_MAX) {
    tally->others++;
    return false;
  }
  tally->entries = must_realloc(tally->entries, (tally->count + 1) * sizeof *tally->entries);
  tally->entries[tally->count++] = (struct tally_entry){must_strdup(text), 1};
  return true;
}

void tally_release(struct tally *tally)
{
  for (size_t i = 0; i < tally->count; i++)
    free(tally->entries[i].text);
  free(tally->entries);
  *tally = (struct tally){0};
}
