/* One record per agent: what each UCC contributes, what Graph last confirmed, and where the agent stands in the
 * schedule. The object id is the identity: names that resolve to one id are one agent.
 *
 * Plain data and pure functions; the store owns the memory, the scheduler moves `phase`, the service fills the rest. */
#ifndef MODEL_AGENT_H
#define MODEL_AGENT_H

#include "base/heap.h"
#include "base/list.h"
#include "model/decision.h"

enum { AGENT_ID_SIZE = 37, AGENT_NO_ACCOUNT = -1 };

enum phase {
  PHASE_IDLE,      /* nothing differs, nothing is due */
  PHASE_WAITING,   /* in the heap until `due`, or for a lookup or another agent */
  PHASE_READY,     /* in its account's queue */
  PHASE_IN_FLIGHT, /* one request under way */
  PHASE_PARKED,    /* see park_cause */
};

enum park_cause {
  PARK_NONE,
  PARK_NO_ACCOUNT,   /* no account serves its domain */
  PARK_UNKNOWN_NAME, /* the directory does not know the name; looked up again by itself */
  PARK_NO_SUCH_USER, /* 404 from the presence service for an id that the directory knows */
  PARK_FORBIDDEN,    /* 403 */
  PARK_REFUSED,      /* 400 and the like */
};

/* What one UCC says of the agent now. */
struct contribution {
  struct list_node link;
  char *ucc;  /* as first given; compared without ASCII case */
  char *name; /* the agent's name in the event */
  char *state, *reason;
  char *attributes; /* JSON object */
  int64_t at_ms;    /* of the newest applied event */
  int64_t since_ms; /* beginning of the present run of (state, reason) */
  /* The decision that stands; a `keep` leaves it alone. */
  enum decision_kind kind; /* DECISION_SHOW or DECISION_CLEAR */
  enum presence session, preferred;
  int64_t from_ms, hold_ms;
  char *message, *rule, *place;
  uint32_t generation;
  bool dirty; /* the store's */
};

/* What Graph has of one slot, as far as we know. */
struct slot {
  enum presence presence; /* PRESENCE_NONE: nothing of ours */
  bool unsure;      /* a request was on its way and its answer is not known: Graph has `presence` or something newer */
  int64_t set_ms;   /* when the last applied set was sent */
  int64_t until_ms; /* when it ends by itself */
};

struct message_slot {
  uint64_t hash; /* of the text; 0: nothing of ours */
  bool unsure;
  int64_t until_ms;
};

struct confirmed {
  struct slot session, preferred;
  struct message_slot message;
};

struct agent_name {
  struct list_node link; /* in the agent's names */
  struct heap_node due;  /* next lookup */
  struct agent *agent;
  int account;
  char *name;             /* lower case */
  char id[AGENT_ID_SIZE]; /* "" until it was resolved */
  int64_t verified_ms;    /* last successful lookup */
  int misses;             /* consecutive "unknown" answers: 15 minutes after the first, then daily */
  int attempts;           /* consecutive failures of the lookup itself */
  bool asking;            /* a lookup is under way */
  bool again;             /* look up once more, because the presence service said 404 */
  bool dirty;             /* the store's */
};

struct agent {
  int64_t key;            /* of its row */
  int account;            /* index, or AGENT_NO_ACCOUNT */
  char id[AGENT_ID_SIZE]; /* object id in lower case, "" until it is known */
  struct list_node names, contributions;
  struct confirmed confirmed;
  /* schedule */
  enum phase phase;
  struct heap_node due;
  struct list_node link; /* of the ready queue */
  bool differs;          /* what Graph confirmed is not what it should show, and nobody is to blame but time */
  int attempts;          /* consecutive failures that are worth another try */
  int64_t retry_ms;      /* not before, because of them */
  int unauthorized;      /* consecutive 401 answers */
  bool looked_up_again;  /* after a 404 */
  enum park_cause park_cause;
  char *park_detail;       /* for people; NULL or owned */
  struct agent *successor; /* has taken over our names, and may show something once we show nothing */
  struct agent *predecessor;
  struct list_node all_link, dirty_link; /* the store's */
};

/* What the agent should show now. Texts are the winner's. */
struct desired {
  enum presence session, preferred;
  bool carrier;                      /* the session is there only to keep the preferred presence alive (facts 1.4) */
  const char *message;               /* "" for none */
  int64_t until_ms;                  /* end of the winner's hold */
  int64_t changes_ms;                /* the next moment at which the answer can be another one; CLOCK_NEVER */
  const struct contribution *winner; /* NULL: nothing is to be shown */
};

const char *phase_str(enum phase phase);
const char *park_cause_str(enum park_cause cause); /* "unknown user", for people */

int64_t contribution_until(const struct contribution *contribution); /* end of its hold */
/* The contribution of that UCC, or NULL. */
struct contribution *agent_contribution(const struct agent *agent, const char *ucc);
/* One contribution wins as a whole, by what colleagues would see of it, then by the most recent `since` (interface 4).
 * A decision that names only a preferred presence gets the carrier session Away/Away, which never fades and never masks
 * a Teams client. */
struct desired agent_desired(const struct agent *agent, int64_t now);
/* Does Graph still have anything of ours, for all we know? */
bool agent_shows_anything(const struct agent *agent, int64_t now);
/* A name for people: the first of its names, else the id. */
const char *agent_label(const struct agent *agent);
uint64_t agent_message_hash(const char *message); /* 0 for "" */

void contribution_free(struct contribution *contribution);
/* Frees the agent with its contributions; its names must be gone. */
void agent_free(struct agent *agent);

#endif
