/* Who is due at `now`. Pure: no clock, no socket, no randomness of its own.
 *
 *   plan    the one next request between what an agent should show and what Graph confirmed, or when to look again
 *   queue   every agent in exactly one phase; only sched_move() changes it
 *   budget  how many requests may still be sent in any window, exact
 *   backoff how long to wait after the n-th failure */
#ifndef SCHED_SCHED_H
#define SCHED_SCHED_H

#include "model/agent.h"

/* ---- plan */

enum sched_step {
  STEP_NONE,
  STEP_SET_SESSION,
  STEP_SET_PREFERRED,
  STEP_SET_MESSAGE,
  STEP_CLEAR_MESSAGE,
  STEP_CLEAR_PREFERRED,
  STEP_CLEAR_SESSION,
};

struct sched_plan {
  enum sched_step step;
  bool refresh;           /* a keep-alive: what is shown stays the same */
  enum presence presence; /* of the sets */
  int64_t duration_ms;    /* of the sets */
  const char *message;    /* of STEP_SET_MESSAGE; the desired's, gone with the next event */
  uint64_t message_hash;
  int64_t until_ms; /* what becomes the slot's until_ms once applied */
  int64_t next_ms;  /* with STEP_NONE: when to look again, CLOCK_NEVER if nothing will change by itself */
};

/* Sets first (session, preferred, message), then clears in the reverse order, so that nothing is cleared before its
 * replacement stands. Sessions are sent with min(rest of the hold, lease), never under Graph's 5 minutes; refreshed
 * before an Available session fades and before any session expires, while the hold lasts (facts 2). A preferred
 * presence is sent once per decision and never refreshed: that would overwrite a choice the person has made since. */
struct sched_plan sched_plan(const struct agent *agent, const struct desired *desired, int64_t now, int64_t lease_ms);
/* Before the request goes out: whatever becomes of it, Graph may have it. */
void sched_sent(struct agent *agent, const struct sched_plan *plan, int64_t now);
/* It was applied (or there was nothing left to clear). sent_ms: when the request went out. */
void sched_applied(struct agent *agent, const struct sched_plan *plan, int64_t sent_ms);

/* ---- queue */

struct sched {
  struct heap due; /* waiting and parked agents */
  struct sched_queue *queues;
  size_t queue_count;
  size_t counts[PHASE_PARKED + 1];
};

struct sched_queue {
  struct list_node changes, refreshes; /* ready agents; changes go first */
  bool refreshed_last;                 /* the last one that was sent was a refresh */
};

void sched_init(struct sched *sched, size_t queue_count);
void sched_release(struct sched *sched);
/* The phase must not be PHASE_READY, see sched_ready(). at_ms: when sched_due() gives the agent back, CLOCK_NEVER for
 * not by itself. */
void sched_move(struct sched *sched, struct agent *agent, enum phase phase, int64_t at_ms);
/* One that is ready already keeps its place, unless a refresh became a change. */
void sched_ready(struct sched *sched, struct agent *agent, size_t queue, bool refresh);
/* A new agent, in PHASE_IDLE; and one that is about to be freed. */
void sched_add(struct sched *sched, struct agent *agent);
void sched_remove(struct sched *sched, struct agent *agent);
/* The next agent whose moment has come (still in its phase), or NULL. Move it, or it comes again. */
struct agent *sched_due(const struct sched *sched, int64_t now);
int64_t sched_next_due(const struct sched *sched); /* CLOCK_NEVER */
/* Who goes next, or NULL. Changes first, unless the oldest refresh is about to come too late; then the two take turns.
 */
struct agent *sched_first_ready(const struct sched *sched, size_t queue, int64_t now);

/* ---- budget */

/* The send times of the last `limit` requests: one more may go when the oldest has left the window. Allows the whole
 * burst and holds exactly in any window. */
struct sched_budget {
  int64_t *sent_ms;
  size_t limit, next;
  int64_t window_ms;
};

/* margin_ms is added to the window, because the peer's clock sees requests closer together than they were sent. */
void sched_budget_init(struct sched_budget *budget, size_t limit, int64_t window_ms, int64_t margin_ms);
void sched_budget_release(struct sched_budget *budget);
int64_t sched_budget_next(const struct sched_budget *budget); /* the earliest moment for one more */
void sched_budget_use(struct sched_budget *budget, int64_t now);
void sched_budget_shift(struct sched_budget *budget, int64_t by_ms); /* the clock was set */

/* ---- backoff */

/* Doubles from base to cap with the number of attempts (from 1), of which a random half: [1/2, 1) of it.
 * random: any 32 bits. */
int64_t sched_backoff(int attempts, int64_t base_ms, int64_t cap_ms, uint32_t random);

#endif
