/* How often texts were seen: so many different ones are told apart, the rest counts as one, so that no input can make
 * it grow without end. */
#ifndef SERVICE_FREQUENCY_H
#define SERVICE_FREQUENCY_H

#include "base/table.h"
#include "base/value.h"

enum { FREQUENCY_MAX = 200 };

/* Zeroed memory is an empty one. */
struct frequency {
  size_t most; /* different ones; 0: FREQUENCY_MAX */
  struct frequency_entry {
    uint64_t count;
    char text[];
  } * *entries; /* in the order in which they came */
  size_t count;
  struct table by_text;
  uint64_t others;
};

bool frequency_add(struct frequency *frequency, const char *text); /* true: the first time */
void frequency_sort(struct frequency *frequency);                  /* the most frequent first */
void frequency_release(struct frequency *frequency);
/* A list of {what=, count=}. */
struct value *frequency_view(const struct frequency *frequency, struct values *values);

#endif
