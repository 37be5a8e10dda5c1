/* One record per agent: what each UCC contributes, what Graph last confirmed, and where the agent stands in the
 * schedule. The object id is the identity: names that resolve to one id are one agent.
 *
 * Plain data and pure functions; the store owns the memory, the scheduler moves `phase`, the service fills the rest. */
#ifndef MODEL_AGENT_H
#define MODEL_AGENT_H

#include "base/heap.h"
#include "base/list.h"
#include "base/must.h"
#include "model/decision.h"

enum { AGENT_ID_SIZE = 37, AGENT_NO_ACCOUNT = -1 };

/* The name under which somebody at the keyboard, or a script, contributes: it outranks every UCC until its hold is
 * over. With DECISION_CLEAR and a hold it contributes nothing, and lets nobody else either. */
#define AGENT_OVERRIDE "(override)"

enum PACKED phase {
  PHASE_IDLE,      /* nothing differs, nothing is due */
  PHASE_WAITING,   /* in the heap until `due`, or for a lookup or another agent */
  PHASE_READY,     /* in its account's queue */
  PHASE_IN_FLIGHT, /* one request under way */
  PHASE_PARKED,    /* see park_cause */
};

enum PACKED park_cause {
  PARK_NONE,
  PARK_NO_ACCOUNT,   /* no account serves its domain */
  PARK_UNKNOWN_NAME, /* the directory does not know the name; looked up again by itself */
  PARK_NO_SUCH_USER, /* 404 from the presence service for an id that the directory knows */
  PARK_FORBIDDEN,    /* 403 */
  PARK_REFUSED,      /* 400 and the like */
};

/* What was decided, in a decision's words. The same for everybody whom the same rule answered, so it is kept once
 * (base/shared): equal answers are one pointer, and never change. */
struct answer {
  int64_t hold_ms;
  struct decision_after after;
  uint32_t generation;
  enum decision_kind kind; /* DECISION_SHOW, DECISION_CLEAR or DECISION_NEVER */
  enum presence session, preferred;
  uint16_t rule_at, place_at; /* in `message`, behind its NUL; see answer_rule() and answer_place() */
  char message[];
};

/* An answer that stands, or that waits for its delay. */
struct stand {
  const struct answer *answer; /* NULL: none */
  int64_t from_ms;
};

/* What one UCC says of the agent now. Texts are shared (base/shared), never NULL. */
struct contribution {
  struct contribution *next; /* of the agent */
  const char *ucc;           /* as first given; compared without ASCII case */
  const char *state, *reason;
  const char *attributes;        /* JSON object */
  const struct agent_name *name; /* of the agent in the event; NULL where agents have no names */
  int64_t at_ms;                 /* of the newest applied event */
  int64_t since_ms;              /* beginning of the present run of (state, reason) */
  struct stand stand;            /* always there */
  struct stand pending;          /* its delay is not over */
  int64_t pending_ms;            /* when it is; CLOCK_NEVER: there is none */
  int64_t recheck_ms;            /* when a time condition changes, and it must be decided again; CLOCK_NEVER */
  uint32_t row;                  /* the store's: the key of its row; 0: it has none */
  bool is_override : 1;          /* see AGENT_OVERRIDE */
  bool chosen : 1;               /* by the ruleset's own merge; with none of the agent's, the rank decides */
  bool silent : 1;               /* from before a long downtime: it does not count until its UCC sends an event */
  bool dirty : 1;                /* the store's */
  bool pending_stored : 1;       /* likewise: there is a row of `pending` */
};

/* What Graph has of one slot, as far as we know. */
struct PACKED slot {
  enum presence presence; /* PRESENCE_NONE: nothing of ours */
  bool unsure;      /* a request was on its way and its answer is not known: Graph has `presence` or something newer */
  int64_t set_ms;   /* when the last applied set was sent; of an unsure preferred presence, the last one at all */
  int64_t until_ms; /* when it ends by itself */
};

struct PACKED message_slot {
  uint64_t hash; /* of the text; 0: nothing of ours */
  bool unsure;
  int64_t until_ms;
};

struct PACKED confirmed {
  struct slot session, preferred;
  uint16_t preferred_tried; /* while it is unsure: what Graph may have besides, as bits 1 << presence */
  int64_t preferred_for_ms; /* the end of the hold that it was set for: the decision it belongs to. 0: its until_ms */
  struct message_slot message;
};

/* What the agent is called. Once it was resolved, its id is the agent's: names of one id are names of one agent. */
struct agent_name {
  struct agent_name *next; /* of the agent */
  struct agent *agent;
  struct heap_node due; /* next lookup */
  int64_t verified_ms;  /* last successful lookup */
  uint16_t misses;      /* consecutive "unknown" answers: 15 minutes after the first, then daily */
  uint16_t attempts;    /* consecutive failures of the lookup itself */
  bool asking : 1;      /* a lookup is under way */
  bool again : 1;       /* look up once more, because the presence service said 404 */
  bool dirty : 1;       /* the store's */
  char text[];          /* lower case */
};

/* What stands in an agent's way; few have any. */
struct agent_trouble {
  int attempts;           /* consecutive failures that are worth another try */
  int64_t retry_ms;       /* not before, because of them */
  uint64_t accepted_then; /* how many replies had proved the account's token at the last 401 */
  int unauthorized;       /* consecutive 401 answers */
  bool looked_up_again;   /* after a 404 */
  int64_t lapses_ms;      /* when the session ends whose refresh failed; 0: none did */
  char *park_detail;      /* for people; NULL or owned */
};

/* There may be a hundred thousand: tests/unit/test_index_size.c holds down what one takes. */
struct agent {
  int64_t key;              /* of its row */
  struct agent_name *names; /* the first is what people read */
  struct contribution *contributions;
  struct list_node all_link;     /* the store's */
  struct agent_trouble *trouble; /* NULL while all goes well; owned */
  struct agent *successor;       /* has taken over our names, and may show something once we show nothing */
  /* schedule */
  struct heap_node due;
  int64_t differs_since_ms; /* since when it has been waiting for what `differs`; 0 while it does not */
  int64_t read_ms;          /* when Graph last told what is shown, before a preferred presence is cleared; 0: not yet */
  uint32_t dirty;           /* the store's: its place among those to be written, from 1 */
  int16_t account;          /* index, or AGENT_NO_ACCOUNT */
  uint16_t queue;           /* of the ready: which one, and by is_refresh and reads which part of it */
  struct confirmed confirmed;
  char id[AGENT_ID_SIZE]; /* object id in lower case, "" until it is known */
  enum phase phase;
  enum park_cause park_cause;
  enum availability left_choice; /* what the person chose over our preferred presence, and we left alone */
  uint8_t reads_failed : 2;      /* consecutive, up to three: then it is cleared without */
  bool is_refresh : 1;
  bool reads : 1;           /* what is next is to look at what is shown, and others may look along */
  bool by_new_rules : 1;    /* a change of the rules made it differ: live changes go first */
  bool differs : 1;         /* what Graph confirmed is not what it should show, and nobody is to blame but time */
  bool has_predecessor : 1; /* it is somebody's successor */
  bool merge_latest : 1;    /* the most recent contribution wins, whatever it shows */
  bool anchors : 1;         /* its ruleset says hold = "anchor" */
  bool row_dirty : 1;       /* the store's: not only what belongs to it is to be written */
  bool stored : 1;          /* likewise: it has a row */
  bool ran_out : 1;         /* its session has, and that was noticed; see difference_notice_lapse() */
  bool resync : 1;          /* was asked for while a request was under way: see agent_doubt() */
  bool loses_account : 1;   /* a change of the accounts is under way: nothing is shown, see service_hand_over() */
};

/* What the agent should show now. Texts are the winner's. */
struct desired {
  enum presence session, preferred;
  bool carrier;        /* the session only keeps the preferred presence alive (FACTS.md, "The carrier") */
  bool anchored;       /* likewise, and the preferred presence stands for the winner's session.available */
  const char *message; /* "" for none */
  int64_t until_ms;    /* end of the winner's hold */
  int64_t changes_ms;  /* the next moment at which the answer can be another one; CLOCK_NEVER */
  const struct contribution *winner; /* NULL: nothing is to be shown */
  bool never;                        /* some UCC's rules say that this person is not published */
};

/* Takes it out of the schedule for a cause that a person has to mend. True: the cause or its detail is new. */
bool agent_park(struct agent *agent, enum park_cause cause, const char *detail);
void agent_unpark(struct agent *agent);

const char *phase_str(enum phase phase);
const char *park_cause_str(enum park_cause cause); /* "unknown user", for people */

/* A decision's lasting part: everything but delay and recheck. Released with shared_release(). */
const struct answer *answer_shared(const struct decision *decision) MUST_CHECK;
const char *answer_rule(const struct answer *answer);
const char *answer_place(const struct answer *answer);

/* Empty texts, DECISION_CLEAR, of no agent. */
struct contribution *contribution_new(const char *ucc) MUST_CHECK;
void contribution_free(struct contribution *contribution); /* NULL is fine */
/* Takes an event's words over; `since` moves when state or reason change. */
void contribution_record(struct contribution *contribution, const char *state, const char *reason, int64_t at_ms);
/* Takes a decision over. `keep` leaves what stands alone, with its old end; a `delay` that is not over at `now` makes
 * it wait, unless the same stands already; what waited before is dropped either way. True: something of the
 * contribution has changed. */
bool contribution_apply(struct contribution *contribution, const struct decision *decision, int64_t now);
/* Lets a decision stand whose delay is over. True: it did. */
bool contribution_ripen(struct contribution *contribution, int64_t now);
/* What it contributes at `now`: the hold, then what follows it. False: nothing. */
struct contribution_view {
  enum presence session, preferred;
  const char *message; /* of the hold alone */
  int64_t until_ms;
};
bool contribution_at(const struct contribution *contribution, int64_t now, struct contribution_view *ret_view);
/* When what stands, with the hold of its answer, is over. */
int64_t stand_until(const struct stand *stand);

/* At the end of the agent's; out of the agent's, where it must be. */
void agent_add(struct agent *agent, struct contribution *contribution);
void agent_take(struct agent *agent, struct contribution *contribution);
/* The contribution of that UCC, or NULL. */
struct contribution *agent_contribution(const struct agent *agent, const char *ucc);
/* One contribution wins as a whole, by what colleagues would see of it, then by the most recent `since`
 * (rules/README.md, "Several contact centres"). A decision that names only a preferred presence gets the carrier
 * session Away/Away, which never fades and never masks a Teams client (FACTS.md, "The carrier").
 *
 * Of an agent that anchors, an Available session is held the same way, by the preferred Available: a session would have
 * to be refreshed every few minutes. That hides whatever nobody has told us of, so it is so only while nobody speaks
 * against it: no contribution shows, or waits to show, anything else, and no UCC that shows nothing, or was told to
 * keep what it showed, has come to another state since. An override is never anchored. */
struct desired agent_desired(const struct agent *agent, int64_t now);
/* The clock was set: how long Graph keeps a session or a preferred presence does not depend on our clock. */
void confirmed_shift(struct confirmed *confirmed, int64_t by_ms);
/* What is confirmed is to be sent again: at once, or behind the request that is under way. */
void agent_doubt(struct agent *agent);
void agent_doubt_later(struct agent *agent);
/* Does Graph still have anything of ours, for all we know? */
bool agent_shows_anything(const struct agent *agent, int64_t now);
/* When the last of it ends by itself, at the latest. */
int64_t agent_shows_until(const struct agent *agent);
/* A name for people: the first of its names, else the id. */
const char *agent_label(const struct agent *agent);
uint64_t agent_message_hash(const char *message); /* 0 for "" */

/* The agent's trouble; a new one, all zero, if it has none. */
struct agent_trouble *agent_trouble(struct agent *agent);
void agent_trouble_over(struct agent *agent);
int64_t agent_retry_ms(const struct agent *agent); /* 0: at once */
void agent_retry_at_once(struct agent *agent);     /* whatever has failed before */

/* Frees the agent with its contributions; its names must be gone. NULL is fine. */
void agent_free(struct agent *agent);

#endif
