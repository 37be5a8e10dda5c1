/* A change of the rules: every agent is decided again, in slices, so that no turn gets long. */
#ifndef SERVICE_RULES_CHANGE_H
#define SERVICE_RULES_CHANGE_H

#include "store/store.h"

struct service;

struct rules_change {
  bool under_way;
  struct store_walk walk; /* over those that are still to be decided again */
  uint32_t generation;
  size_t decided_again, came_out_different;
};

/* Decides the next slice again. True: there is more. */
bool rules_change_turn(struct service *service, int64_t now);
void rules_change_release(struct rules_change *change);

#endif
