/* What the files of this room share. */
#ifndef RULES_INTERNAL_H
#define RULES_INTERNAL_H

#include "adapters/vm.h"
#include "rules/rules.h"

enum {
  RULES_CHUNK_NAME_MAX = 55, /* longer names Lua cuts in its messages */
  RULES_MESSAGE_MAX = 280,   /* characters */
};

/* An outcome that is known when the file has been read. Texts live in the ruleset's values. */
struct rules_outcome {
  bool computed; /* by a function: only rule and place are known before */
  enum decision_kind kind;
  enum presence session, preferred;
  int64_t hold_ms;
  bool expires_given, unmatched;
  const char *message, *rule, *place;
};

struct ruleset {
  struct vm *vm;
  char *path, *name;
  char chunk[RULES_CHUNK_NAME_MAX + 1]; /* what the file is called in errors and places */
  uint32_t generation;
  struct vm_budget decision_budget;
  bool uses_attributes, uses_agent;
  struct values values;
  struct rules_outcome *outcomes;
  size_t outcome_count;
};

/* Checks and takes what Lua says of one outcome, as if it came from the network; texts stay where they are. Leaves
 * rule, place and `unmatched` alone. */
bool rules_read_outcome(const struct value *from, struct rules_outcome *outcome, struct err *err) MUST_CHECK;
bool rules_bad_answer(struct err *err, const char *what);

#endif
