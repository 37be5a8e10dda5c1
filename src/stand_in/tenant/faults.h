/* What goes wrong, and how often: `KIND[:P[:N]]`, drawn from the seed. P is a probability, N how many times at most. */
#ifndef STAND_IN_TENANT_FAULTS_H
#define STAND_IN_TENANT_FAULTS_H

#include "base/buf.h"
#include "base/err.h"
#include "stand_in/tenant/seed.h"

enum { FAULTS_MAX = 32, FAULTS_RETRY_AFTER_S = 2 };

/* Which requests a kind befalls. */
enum fault_target { FAULT_OF_PRESENCE, FAULT_OF_TOKEN, FAULT_OF_LOOKUP, FAULT_OF_BATCH };

enum fault_effect {
  FAULT_THROTTLE,         /* 429 with Retry-After in seconds */
  FAULT_THROTTLE_DATE,    /* ... as an HTTP-date */
  FAULT_THROTTLE_DECIMAL, /* ... with a fraction */
  FAULT_THROTTLE_BARE,    /* ... missing */
  FAULT_THROTTLE_RUBBISH, /* ... a word */
  FAULT_STATUS,           /* the status of the kind */
  FAULT_RESET,            /* nothing is done, the connection is reset */
  FAULT_LOST,             /* it is done, then the connection is reset */
  FAULT_HANG,             /* never an answer */
  FAULT_SLOW,             /* it is done, the answer comes late */
  FAULT_RUBBISH,          /* 200 and a web page */
  FAULT_BAD_SECRET,
  FAULT_NO_ROLE, /* a token without roles */
};

struct fault_kind {
  const char *name;
  enum fault_target target;
  enum fault_effect effect;
  int status; /* of FAULT_STATUS */
};

struct fault {
  const struct fault_kind *kind;
  double probability;
  int64_t left; /* -1: without end */
};

struct faults {
  struct fault list[FAULTS_MAX];
  size_t count;
  struct seed seed;
  int64_t retry_after_s; /* of a throttling one; 0: FAULTS_RETRY_AFTER_S */
};

/* ERR_CONFIG; an unknown kind is answered with all known ones. */
bool faults_add(struct faults *faults, const char *text, struct err *err) MUST_CHECK;
/* The first fault on the list that befalls this request, or NULL. */
const struct fault_kind *faults_draw(struct faults *faults, enum fault_target target);
/* Every kind, separated by spaces. */
void faults_kinds(struct buf *to);

#endif
