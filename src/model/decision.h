/* What a ruleset says about one event: checked, bounded, complete. A value. */
#ifndef MODEL_DECISION_H
#define MODEL_DECISION_H

#include "base/must.h"
#include "model/presence.h"

enum {
  DECISION_RULE_SIZE = 161,     /* "rule "coaching, team B"", "reasons.LUNCH", "states.Ready", "unmatched" */
  DECISION_PLACE_SIZE = 257,    /* "contoso.lua:12" */
  DECISION_MESSAGE_SIZE = 1121, /* 280 characters of at most 4 bytes */
};

enum PACKED decision_kind {
  DECISION_SHOW,  /* this contribution from `since` on */
  DECISION_CLEAR, /* this UCC contributes nothing */
  DECISION_KEEP,  /* this UCC's contribution stays exactly as it was */
  DECISION_NEVER, /* this person is not published, whatever any UCC says */
};

/* What follows when the hold is over; PRESENCE_NONE twice: nothing. */
struct decision_after {
  enum presence session, preferred;
  int64_t hold_ms;
};

/* What a rule says, but for its words: this one list of members is what an outcome of the ruleset keeps, and part of
 * each decision. */
#define DECISION_TERMS                                                                                                 \
  enum decision_kind kind;                                                                                             \
  enum presence session;   /* PRESENCE_NONE: the plane is not named. agent_desired() adds the carrier session */       \
  enum presence preferred; /* PRESENCE_NONE: likewise */                                                               \
  bool expires_given;      /* hold_ms was said by the rule, not by max_hold */                                         \
  bool unmatched;          /* no rule, reason or state answered */                                                     \
  int64_t hold_ms;         /* counted from `since`: `expires`, or the ruleset's max_hold. 0 unless kind is SHOW */     \
  int64_t delay_ms;        /* counted from `since`: until then the previous contribution stays; 0: at once */          \
  struct decision_after after;

struct decision_terms {
  DECISION_TERMS
};

struct decision {
  union {
    struct decision_terms terms; /* all of them at once */
    struct {
      DECISION_TERMS
    };
  };
  int64_t recheck_ms; /* the moment at which a time condition that was tried changes; CLOCK_NEVER: there is none */
  char message[DECISION_MESSAGE_SIZE]; /* "" for none; placeholders filled in */
  char rule[DECISION_RULE_SIZE];
  char place[DECISION_PLACE_SIZE];
  uint32_t generation; /* of the ruleset that decided */
};

const char *decision_kind_str(enum decision_kind kind);
bool decision_kind_parse(const char *text, enum decision_kind *ret_kind) MUST_CHECK;
/* What colleagues would see of it, for the order among UCCs (rules/README.md, "Several contact centres"). */
enum availability decision_availability(const struct decision *decision);
/* What it shows, in two words: "preferred.busy 1h", "clear". Returns to. */
enum { DECISION_BRIEF_SIZE = 64 };
char *decision_brief(
    enum decision_kind kind, enum presence session, enum presence preferred, int64_t hold_ms,
    char to[DECISION_BRIEF_SIZE]);
/* Same kind, planes, hold and message: nothing to do for Graph. */
bool decision_equal(const struct decision *a, const struct decision *b);

#endif
