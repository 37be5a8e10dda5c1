/* What must survive: agents with what their UCCs contribute and what Graph confirmed, user ids, event ids, gates. An
 * index in memory over one SQLite file (WAL, synchronous=FULL), rebuilt at the start.
 *
 * Changes are made to the records in memory, marked by store_touch*(), and written together by store_commit(), once per
 * turn of the loop. Nothing may be acknowledged or sent before the completion of the commit that holds it. The first
 * failure sticks: every later commit fails with it. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/err.h"
#include "model/agent.h"

struct store;

/* account_ids: the account of an index; copied. Agents of other accounts stay in the file and are not loaded. */
struct store *store_open(const char *path, const char *const *account_ids, size_t account_count, struct err *err)
    MUST_CHECK;
void store_close(struct store *store); /* frees every record; does not commit; NULL is fine */
/* Other accounts from now on: agents get the index that their account has there. An account that is
 * not there any more must have no agents; those of one that was not there before are loaded, at the end of the list. */
void store_set_accounts(struct store *store, const char *const *account_ids, size_t account_count);

/* The one way to look at all agents, in the order in which they came. Agents may come and go during a walk: one that
 * goes is not met, one that comes is. A walk that is not finished has to be ended, before the store is closed.
 *
 *     struct store_walk walk;
 *     store_walk_begin(store, &walk);
 *     for (struct agent *agent; (agent = store_walk_next(&walk)) != NULL;)
 */
struct store_walk {
  struct store *store; /* NULL: it is over */
  struct list_node *at;
  struct list_node open; /* in the store, which moves it along when an agent goes */
};
void store_walk_begin(struct store *store, struct store_walk *walk);
/* Behind the last agent of today: only those that come from now on are met. */
void store_walk_begin_at_end(struct store *store, struct store_walk *walk);
struct agent *store_walk_next(struct store_walk *walk); /* NULL: that was all, and the walk is ended */
bool store_walk_is_done(const struct store_walk *walk); /* nobody is left to be met, by now */
void store_walk_end(struct store_walk *walk);           /* fine on one that is over, or zeroed */
size_t store_agent_count(const struct store *store);

struct agent *store_agent_new(struct store *store, int account);
/* The agent has no names left. */
void store_agent_remove(struct store *store, struct agent *agent);
struct agent *store_agent_by_id(struct store *store, int account, const char *id);
void store_agent_set_id(struct store *store, struct agent *agent, const char *id);
/* Its names and its id change along; the account must not know them yet. */
void store_agent_set_account(struct store *store, struct agent *agent, int account);

struct agent_name *store_name_find(struct store *store, int account, const char *name);
struct agent_name *store_name_new(struct store *store, struct agent *agent, const char *name);
void store_name_move(struct store *store, struct agent_name *name, struct agent *to);
/* Nothing may point to it any more. */
void store_name_remove(struct store *store, struct agent_name *name);

/* A new, empty contribution of that UCC. */
struct contribution *store_contribution_new(struct store *store, struct agent *agent, const char *ucc);
void store_contribution_move(
    struct store *store, struct contribution *contribution, struct agent *from, struct agent *to);
void store_contribution_remove(struct store *store, struct contribution *contribution, struct agent *from);

/* Mark for the next commit: the agent's own row (account, id, what is confirmed), or what belongs to it. */
void store_touch(struct store *store, struct agent *agent);
void store_touch_contribution(struct store *store, struct agent *agent, struct contribution *contribution);
void store_touch_name(struct store *store, struct agent_name *name);

/* Remembers an event's id per UCC for 24 hours. */
enum store_id { STORE_ID_NEW, STORE_ID_DUPLICATE, STORE_ID_REUSED };
enum store_id store_event_id(struct store *store, const char *ucc, const char *id, uint64_t fingerprint, int64_t now);

/* When an app registration may be called again; 0: now. */
int64_t store_gate(struct store *store, const char *app);
void store_set_gate(struct store *store, const char *app, int64_t until_ms);

/* The app registration that an account's agents were shown under, as the file last said. False: it never did. */
bool store_registration(struct store *store, const char *account, char *to, size_t room);
void store_set_registration(struct store *store, const char *account, const char *app);
/* Each account of the file that this store does not have, with how many of its agents show something of ours, and until
 * when. */
typedef void store_on_stranger(void *context, const char *account, size_t agents, int64_t until_ms);
void store_visit_strangers(struct store *store, int64_t now, store_on_stranger *on_stranger, void *context);

/* How many presence requests of the app the budget's window held at *ret_at_ms, and how many of them had no answer by
 * then: those may have arrived later. 0: none, and nothing is returned. To be written with the commit before they are
 * sent, so that a restart does not begin a budget anew, and with the one after their answers. */
size_t store_budget(struct store *store, const char *app, size_t *ret_under_way, int64_t *ret_at_ms);
void store_set_budget(struct store *store, const char *app, size_t used, size_t under_way, int64_t at_ms);

/* Until when a daemon ran, as it last said; 0: never. */
int64_t store_alive(struct store *store);
void store_set_alive(struct store *store, int64_t until_ms);
/* UCCs whose contributions do not count until they send an event (contribution.silent): all that have any; one that
 * has sent one. False: it was not silent. */
void store_silence_uccs(struct store *store);
bool store_hear_ucc(struct store *store, const char *ucc);

/* ---- the decision log (decisions.c) */

enum { STORE_FORGET_AT_ONCE = 500 }; /* rows that one commit deletes */

/* A row; all that it points to is borrowed. */
struct store_decision {
  int64_t key; /* ascending */
  int64_t decided_ms;
  bool again; /* time or new rules have changed what was decided about the event */
  const char *agent, *ucc, *state, *reason;
  const char *attributes; /* JSON object */
  int64_t at_ms, since_ms;
  const struct decision *decision; /* of one that is read: what is kept of it, the rest is 0 */
};

/* For how long decisions are kept; 0: none is, and what there is goes. It goes with the commits, oldest first. */
void store_keep_decisions(struct store *store, int64_t keep_ms);
/* Becomes durable with the next commit. */
void store_log_decision(struct store *store, const struct store_decision *row);
/* Those behind the key `after`, in order, until on_decision returns false. False: the file cannot be read. */
bool store_read_decisions(
    struct store *store, int64_t after, bool (*on_decision)(void *context, const struct store_decision *row),
    void *context, struct err *err) MUST_CHECK;

/* Writes all that was marked, in one transaction; on_done is told when that is durable (err NULL), or that it failed
 * (ERR_STORE). A store may take its time for it; this one, over SQLite, calls on_done before it returns. What is marked
 * meanwhile belongs to the next commit. */
typedef void store_on_commit(void *context, const struct err *err);
void store_commit(struct store *store, int64_t now, store_on_commit *on_done, void *context);
/* Can the file be written? Nothing in it changes. */
bool store_try_write(struct store *store, struct err *err) MUST_CHECK;
/* How many commits had something to write. */
uint64_t store_commits(const struct store *store);

#endif
