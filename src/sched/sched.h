/* Who is due at `now`. Pure: no clock, no socket, no randomness of its own.
 *
 *   plan    the one next request between what an agent should show and what Graph confirmed, or when to look again
 *   queue   every agent in exactly one phase; only sched_move() and sched_ready() change it
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
  STEP_READ_PREFERRED, /* is it still ours? */
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
  int64_t for_ms;   /* of STEP_SET_PREFERRED: the end of the hold */
  int64_t next_ms;  /* with STEP_NONE: when to look again, CLOCK_NEVER if nothing will change by itself */
};

struct sched_policy {
  int64_t lease_ms;         /* longest expiration of a session */
  bool clears_without_look; /* PreferredRelease="always" */
};

/* Sets first (session, preferred, message), then clears in the reverse order, so that nothing is cleared before its
 * replacement stands. Sessions are sent with min(rest of the hold, lease), never under Graph's 5 minutes; refreshed
 * before an Available session fades and before any session expires, while the hold lasts (FACTS.md, "Timeout and
 * expiration"). A preferred presence is sent once per decision and never refreshed: that would overwrite a choice the
 * person has made since. It has no owner (FACTS.md, "Preferred presence"), so before it is cleared, unless it was
 * surely set less than five minutes ago, it is read. */
struct sched_plan sched_plan(
    const struct agent *agent, const struct desired *desired, int64_t now, const struct sched_policy *policy);
/* Before the request goes out: whatever becomes of it, Graph may have it. */
void sched_sent(struct agent *agent, const struct sched_plan *plan, int64_t now);
/* It was applied (or there was nothing left to clear). sent_ms: when the request went out. */
void sched_applied(struct agent *agent, const struct sched_plan *plan, int64_t sent_ms);

/* What was read: as we left it, or with nothing to see, it may be cleared; else the person has made a choice, which is
 * theirs, and we forget what we had set. True: it is ours. */
bool sched_was_read(struct agent *agent, enum availability shown, int64_t now);
/* It could not be read; at the third time it counts as ours, for as long as what was read would. True: it does. */
bool sched_not_read(struct agent *agent, int64_t now);

/* The request certainly changed nothing: Graph has what it had before it. */
void sched_untouched(struct agent *agent, const struct confirmed *before);
/* What Graph has of the agent is out of our reach, or another agent's. */
void sched_forget(struct agent *agent);
void sched_inherit(struct agent *agent, const struct confirmed *confirmed);
/* The clock was set: what is measured by it moves along. */
void sched_shift(struct agent *agent, int64_t by_ms);

/* ---- queue */

/* What an agent is ready for, and so whose turn is first. Changes go by how long they have been waiting, with a head
 * start for those that make somebody busy, because a colleague's call is what they prevent; a change of the rules is in
 * no hurry. Head starts are bounded, so nobody starves. Refreshes go by when their session fades or expires. Until the
 * first of them is near that, changes pass; from then on refreshes have the more of the turns the nearer it is, at last
 * nearly all of them, so that changes get what refreshes leave, whatever they are, and always a little. */
enum sched_urgency { SCHED_BUSY, SCHED_CHANGE, SCHED_NEW_RULES, SCHED_REFRESH };

struct sched {
  struct heap due; /* waiting and parked agents */
  struct sched_queue *queues;
  size_t queue_count;
  size_t counts[PHASE_PARKED + 1];
};

struct sched_queue {
  struct heap changes, refreshes; /* ready agents */
  struct heap readers;            /* changes whose next step is STEP_READ_PREFERRED */
  int share;                      /* of the turns, what refreshes had when the first was asked for */
  int owed;                       /* what is left to them of those that changes had */
};

void sched_init(struct sched *sched, size_t queue_count);
void sched_release(struct sched *sched);
/* Other queues; no agent may be ready. */
void sched_set_queues(struct sched *sched, size_t queue_count);
/* The phase must not be PHASE_READY, see sched_ready(). at_ms: when sched_due() gives the agent back, CLOCK_NEVER for
 * not by itself. */
void sched_move(struct sched *sched, struct agent *agent, enum phase phase, int64_t at_ms);
/* since_ms: since when it has been waiting; of a refresh nothing. One that is ready already keeps its place as long as
 * nothing of this changes. reads: its next step is a read, which many can share. */
void sched_ready(
    struct sched *sched, struct agent *agent, size_t queue, enum sched_urgency urgency, int64_t since_ms, bool reads);
/* When the session fades or expires, and is no longer what colleagues should see. */
int64_t sched_lapse(const struct slot *session);
/* A new agent, in PHASE_IDLE; and one that is about to be freed. */
void sched_add(struct sched *sched, struct agent *agent);
void sched_remove(struct sched *sched, struct agent *agent);
/* A waiting or parked agent whose moment has come, or NULL; it stays where it is until it is moved. */
struct agent *sched_due(const struct sched *sched, int64_t now);
int64_t sched_next_due(const struct sched *sched); /* CLOCK_NEVER when nothing waits for a moment */
/* Who is next in that queue, or NULL; stays in its place. */
struct agent *sched_first_ready(struct sched *sched, size_t queue, int64_t now);
/* Another one of that queue that has something to read, or NULL. */
struct agent *sched_first_reader(const struct sched *sched, size_t queue);

/* ---- budget: at most `limit` requests in any window, as the other side sees them
 *
 * We know when a request was sent and when its answer came; it arrived in between. So one that is under way counts as
 * if it arrived now, and one that is done as if it had arrived with its answer. That is exact however slow the way is,
 * and costs the time of an answer out of each window.
 *
 * A burst comes back as a burst one window later, and so costs that time at its own rate. Where more is waiting than
 * the window has room for, the second half of the window is therefore spent evenly: the burst is spread out, and what
 * is lost stays small. */

struct sched_budget {
  int64_t *done_ms; /* a ring of `room` moments, in order */
  size_t room, first, done, under_way;
  size_t limit, allowed; /* allowed: less than the limit after a 429 */
  int64_t window_ms;
  int64_t changed_ms; /* `allowed` */
  size_t waiting;
  int64_t even_us; /* when the next one may go out where they are spread evenly */
};

/* margin_ms is added to the window, for the other side's clock. */
void sched_budget_init(struct sched_budget *budget, size_t limit, int64_t window_ms, int64_t margin_ms);
void sched_budget_release(struct sched_budget *budget);
/* Another limit from now on, for what was sent already too. What a 429 has taken away stays away. */
void sched_budget_set_limit(struct sched_budget *budget, size_t limit);
/* How many are waiting; each use is one less. */
void sched_budget_waiting(struct sched_budget *budget, size_t waiting);
/* The earliest moment for one more, at `now` or before it for at once; CLOCK_NEVER: not before an answer comes. */
int64_t sched_budget_next(const struct sched_budget *budget, int64_t now);
void sched_budget_use(struct sched_budget *budget, int64_t now);
/* The answer came, or nothing will. arrived: false when it certainly did not reach the other side. */
void sched_budget_done(struct sched_budget *budget, int64_t now, bool arrived);
/* How many count at `now`. */
size_t sched_budget_used(struct sched_budget *budget, int64_t now);
/* At the start: that many may have arrived as late as at_ms, which is not before that of an earlier call. */
void sched_budget_assume(struct sched_budget *budget, size_t count, int64_t at_ms);
/* A 429 although we kept to the limit: it is less, or somebody else uses it up (FACTS.md, "Throttling"). What was used
 * was too much; three quarters of it are allowed now, never less than a fiftieth of the limit. */
void sched_budget_narrow(struct sched_budget *budget, int64_t now);
/* A success: a tenth of the limit more, once per window. */
void sched_budget_widen(struct sched_budget *budget, int64_t now);
void sched_budget_shift(struct sched_budget *budget, int64_t by_ms); /* the clock was set */

/* ---- capacity: what a budget carries, by the plan's own intervals */

struct sched_load {
  int64_t agents;
  double available; /* of them, shown as Available at one time: 0..1 */
  double changes;   /* of what is to be shown, per agent and hour */
  double preferred; /* of the changes, those that show a preferred presence: 0..1 */
  bool anchors;     /* Available is held by an anchor, see agent_desired() */
  int64_t lease_ms;
};

struct sched_capacity {
  double carries;                    /* requests per second that the budget carries for ever */
  double available, others, changes; /* requests per second for keep-alives, while there is room, and for changes */
  double least;                      /* for all keep-alives, on a full budget */
  double converges_s;                /* until everybody shows something new, as at shift start or after an outage */
  int64_t agents_most;               /* agents of that kind that the budget carries */
};
/* limit: requests in 30 s. */
struct sched_capacity sched_capacity(const struct sched_load *load, int64_t limit);
/* Requests per second that keep this many sessions up while there is room; and the least that does, because on a full
 * budget the queue makes rounds longer. More than the budget gives is only what has no room even so. */
double sched_keep_alives(int64_t available, int64_t others, int64_t lease_ms);
double sched_keep_alives_least(int64_t available, int64_t others, int64_t lease_ms);

/* ---- backoff */

/* Doubles from base to cap with the number of attempts (from 1). */
int64_t sched_doubled(int attempts, int64_t base_ms, int64_t cap_ms);
/* [1/2, 1) of that, for requests: those that failed together do not come back together. random: any 32 bits. */
int64_t sched_backoff(int attempts, int64_t base_ms, int64_t cap_ms, uint32_t random);

#endif
