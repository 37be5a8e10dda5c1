/* Every request to the TLS port, in order, for tests to look at: GET /sim/log. Holds the last JOURNAL_MAX. */
#ifndef STAND_IN_GRAPHSIM_JOURNAL_H
#define STAND_IN_GRAPHSIM_JOURNAL_H

#include "stand_in/tenant/visit.h"

enum { JOURNAL_MAX = 100000 };

struct journal {
  struct journal_entry **ring; /* JOURNAL_MAX places, NULL until the first entry */
  int64_t last;                /* number of the newest entry, from 1; 0: none */
};

void journal_add(struct journal *journal, const struct visit *visit);
/* {"last":N,"entries":[...]} of all entries with a number above `after` that are still held. */
void journal_write(const struct journal *journal, int64_t after, struct buf *to);
void journal_release(struct journal *journal);

#endif
