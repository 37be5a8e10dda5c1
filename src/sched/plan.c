/* The difference between what an agent should show and what Graph confirmed, as the one next request. There is no list
 * of steps to work off: after each answer the plan is made anew from the records, so a newer decision replaces what is
 * left of an older one, and a restart goes on where the file says. A slot is unsure from the moment a request goes out
 * until its answer; unsure never counts as standing, so a lost answer leads to the same request again, which Graph
 * takes twice without harm. What has ended by itself counts as empty. The figures at the top belong together:
 * REFRESH_AVAILABLE_MS, REFRESH_SPREAD_MS and SURELY_BEFORE_MS fill the five minutes until the fade. */
#include "base/clock.h"
#include "sched/sched.h"

/* An Available session is refreshed this long after it was set: before its fade at 5 minutes, with room for a busy
 * minute. */
#define REFRESH_AVAILABLE_MS (210 * CLOCK_SECOND)
/* Agents that were set together are refreshed apart, over this span: the wave of a shift start gets this much flatter
 * with each round. Who is due is not yet in a hurry; on a full budget the queue makes the rounds as long as they may
 * be. */
#define REFRESH_SPREAD_MS (60 * CLOCK_SECOND)
/* Whoever is due within such a stretch is refreshed at its beginning: they share a commit, and a $batch. */
#define REFRESH_TOGETHER_MS 100
/* Others are refreshed this long before they expire, or a tenth of the lease if that is less. */
#define REFRESH_BEFORE_MS (2 * CLOCK_MINUTE)
/* On a full budget sessions are refreshed this long before they fade or expire, at the least: what is left for a window
 * that is used up, and the way of a request. The bench `steady` holds as many agents as this makes. */
#define SURELY_BEFORE_MS (30 * CLOCK_SECOND)
/* Ends that differ by less are the same: Graph counts whole seconds from its own receipt. */
#define SAME_END_MS (2 * CLOCK_SECOND)

/* Graph documents no limits for a preferred presence (FACTS.md, "Preferred presence"): what a person can choose in
 * Teams is between these. */
#define PREFERRED_MIN_MS CLOCK_MINUTE
#define PREFERRED_MAX_MS (7 * CLOCK_DAY)
/* So soon after we set it, nobody has chosen something else; and Teams would not show it yet, because its clients poll
 * (FACTS.md, "Sessions and what colleagues see"). */
#define PREFERRED_SURELY_OURS_MS (5 * CLOCK_MINUTE)
/* How long what was read counts. */
#define PREFERRED_READ_COUNTS_MS CLOCK_MINUTE
enum { READS_MAX = 3 };

static int64_t least(int64_t a, int64_t b)
{
  return a < b ? a : b;
}

static int64_t spread(const struct agent *agent)
{
  /* Fibonacci hashing: neighbouring keys lie far apart. */
  return (int64_t)((uint64_t)agent->key * UINT64_C(0x9E3779B97F4A7C15) >> 32) % REFRESH_SPREAD_MS;
}

/* What the slot holds at `now`: an ended one holds nothing, and nobody needs to clear it. */
static struct slot alive(struct slot slot, int64_t now)
{
  return now < slot.until_ms ? slot : (struct slot){0};
}

static int64_t session_duration(int64_t until_ms, int64_t now, int64_t lease_ms)
{
  /* Never under Graph's least, which a short hold may be; the clear at its end takes the rest back. */
  int64_t duration = least(least(until_ms - now, lease_ms), PRESENCE_SESSION_MAX_MS);
  return duration < PRESENCE_SESSION_MIN_MS ? PRESENCE_SESSION_MIN_MS : duration;
}

/* When the session that stands must be sent again to go on standing; CLOCK_NEVER if it outlasts the hold. */
static int64_t session_refresh(
    const struct agent *agent, const struct slot *session, int64_t hold_until_ms, int64_t lease_ms)
{
  int64_t at = CLOCK_NEVER;
  if (session->presence == SESSION_AVAILABLE && hold_until_ms > session->set_ms + PRESENCE_FADE_MS)
    at = session->set_ms + REFRESH_AVAILABLE_MS + spread(agent);
  if (session->until_ms + SAME_END_MS < hold_until_ms)
    at = least(at, session->until_ms - least(REFRESH_BEFORE_MS, lease_ms / 10) - spread(agent));
  /* Rounded down, because later than planned would be nearer to the fade. */
  return at == CLOCK_NEVER ? at : at - at % REFRESH_TOGETHER_MS;
}

static bool same_end(int64_t a, int64_t b)
{
  return a - b < SAME_END_MS && b - a < SAME_END_MS;
}

/* What was confirmed a moment ago is surely ours; of a set whose answer is not known not even that it was done. */
static bool wants_look(const struct agent *agent, const struct slot *preferred, int64_t now)
{
  bool surely_ours = !preferred->unsure && now < preferred->set_ms + PREFERRED_SURELY_OURS_MS;
  return !surely_ours && (agent->read_ms == 0 || now >= agent->read_ms + PREFERRED_READ_COUNTS_MS);
}

bool sched_was_read(struct agent *agent, enum availability shown, int64_t now)
{
  struct slot *preferred = &agent->confirmed.preferred;
  /* Offline: without a session there is nothing to see, so a choice of the person cannot be told from ours. */
  bool ours = shown == AVAILABILITY_OFFLINE || shown == AVAILABILITY_UNKNOWN;
  for (int i = PRESENCE_NONE + 1; i < PRESENCE_COUNT; i++)
    if (i == (int)preferred->presence || (agent->confirmed.preferred_tried & 1u << i) != 0)
      ours = ours || shown == presence_availability((enum presence)i);
  agent->reads_failed = 0;
  agent->read_ms = now;
  if (ours)
    return true;
  *preferred = (struct slot){0};
  agent->confirmed.preferred_tried = 0;
  agent->left_choice = shown;
  return false;
}

bool sched_not_read(struct agent *agent, int64_t now)
{
  /* Better cleared blindly than shown for ever because reading fails. */
  if (++agent->reads_failed < READS_MAX)
    return false;
  agent->reads_failed = 0;
  agent->read_ms = now;
  return true;
}

/* Once per decision: not again because its end was moved to what Graph takes, or because the clock was set. */
static bool preferred_stands(const struct agent *agent, const struct slot *preferred, const struct desired *desired)
{
  int64_t for_ms = agent->confirmed.preferred_for_ms;
  return preferred->presence == desired->preferred && !preferred->unsure &&
         same_end(for_ms == 0 ? preferred->until_ms : for_ms, desired->until_ms);
}

/* What preferred presence and message still need, once the session stands. */
static struct sched_plan plan_rest(
    const struct agent *agent, const struct desired *desired, int64_t now, const struct sched_policy *policy)
{
  /* The order of the steps below is a promise, see sched_plan() in sched.h: sets, then clears in the reverse order, the
   * session last because it carries the others. */
  struct slot session = alive(agent->confirmed.session, now), preferred = alive(agent->confirmed.preferred, now);
  struct message_slot message =
      now < agent->confirmed.message.until_ms ? agent->confirmed.message : (struct message_slot){0};
  uint64_t hash = agent_message_hash(desired->message);
  if (desired->preferred != PRESENCE_NONE && !preferred_stands(agent, &preferred, desired)) {
    int64_t duration = desired->until_ms - now;
    if (duration < PREFERRED_MIN_MS)
      duration = PREFERRED_MIN_MS;
    if (duration > PREFERRED_MAX_MS)
      duration = PREFERRED_MAX_MS;
    return (struct sched_plan){
        .step = STEP_SET_PREFERRED,
        .presence = desired->preferred,
        .duration_ms = duration,
        .until_ms = now + duration,
        .for_ms = desired->until_ms};
  }
  if (hash != 0 && (message.hash != hash || message.unsure || !same_end(message.until_ms, desired->until_ms)))
    return (struct sched_plan){
        .step = STEP_SET_MESSAGE, .message = desired->message, .message_hash = hash, .until_ms = desired->until_ms};
  if (hash == 0 && (message.hash != 0 || message.unsure))
    return (struct sched_plan){.step = STEP_CLEAR_MESSAGE};
  if (desired->preferred == PRESENCE_NONE && (preferred.presence != PRESENCE_NONE || preferred.unsure))
    return (struct sched_plan){
        .step = !policy->clears_without_look && wants_look(agent, &preferred, now) ? STEP_READ_PREFERRED
                                                                                   : STEP_CLEAR_PREFERRED};
  if (desired->session == PRESENCE_NONE && (session.presence != PRESENCE_NONE || session.unsure))
    return (struct sched_plan){.step = STEP_CLEAR_SESSION};
  /* It ends before its hold when that is longer than Graph takes. */
  return (struct sched_plan){
      .step = STEP_NONE,
      .next_ms =
          desired->preferred != PRESENCE_NONE ? least(desired->changes_ms, preferred.until_ms) : desired->changes_ms};
}

struct sched_plan sched_plan(
    const struct agent *agent, const struct desired *desired, int64_t now, const struct sched_policy *policy)
{
  /* The session goes first, since a preferred presence shows nothing without one. */
  struct sched_plan rest = plan_rest(agent, desired, now, policy);
  if (desired->session == PRESENCE_NONE)
    return rest;
  struct slot session = alive(agent->confirmed.session, now);
  bool stands = session.presence == desired->session && !session.unsure;
  int64_t refresh = stands ? session_refresh(agent, &session, desired->until_ms, policy->lease_ms) : now;
  if (refresh <= now) {
    int64_t duration = session_duration(desired->until_ms, now, policy->lease_ms);
    return (struct sched_plan){
        .step = STEP_SET_SESSION,
        .refresh = stands && rest.step == STEP_NONE, /* else what waits behind it would wait as long as a keep-alive */
        .presence = desired->session,
        .duration_ms = duration,
        .until_ms = now + duration};
  }
  if (rest.step == STEP_NONE)
    rest.next_ms = least(rest.next_ms, refresh);
  return rest;
}

double sched_keep_alives(int64_t available, int64_t others, int64_t lease_ms)
{
  /* Spread evenly over its span, a refresh comes half of it later or earlier. */
  double every_ms = (double)(lease_ms - least(REFRESH_BEFORE_MS, lease_ms / 10)) - (double)REFRESH_SPREAD_MS / 2;
  double available_every_ms = (double)REFRESH_AVAILABLE_MS + (double)REFRESH_SPREAD_MS / 2;
  return (double)available * 1000 / available_every_ms + (double)others * 1000 / every_ms;
}

double sched_keep_alives_least(int64_t available, int64_t others, int64_t lease_ms)
{
  double available_every_ms = (double)(PRESENCE_FADE_MS - SURELY_BEFORE_MS);
  double every_ms = (double)(lease_ms - SURELY_BEFORE_MS);
  return (double)available * 1000 / available_every_ms + (double)others * 1000 / every_ms;
}

/* What stood is kept beside the mark: Graph has either that or what was sent. */
static void mark_unsure(struct slot *slot, int64_t until_ms, int64_t now)
{
  *slot = alive(*slot, now);
  slot->unsure = true;
  if (slot->until_ms < until_ms)
    slot->until_ms = until_ms;
}

/* An unsure slot counts until the later of the old end and the new one; a minute more, because Graph counts from its
 * own receipt of a request that may have been on its way for a while. */
void sched_sent(struct agent *agent, const struct sched_plan *plan, int64_t now)
{
  struct confirmed *c = &agent->confirmed;
  switch (plan->step) {
  case STEP_SET_SESSION:
    mark_unsure(&c->session, plan->until_ms + CLOCK_MINUTE, now);
    break;
  case STEP_SET_PREFERRED:
    mark_unsure(&c->preferred, plan->until_ms + CLOCK_MINUTE, now);
    c->preferred_tried |= 1u << plan->presence;
    c->preferred.set_ms = now;
    agent->read_ms = 0;
    agent->reads_failed = 0;
    agent->left_choice = AVAILABILITY_UNKNOWN;
    break;
  case STEP_SET_MESSAGE:
    c->message.unsure = true;
    if (c->message.until_ms < plan->until_ms + CLOCK_MINUTE)
      c->message.until_ms = plan->until_ms + CLOCK_MINUTE;
    break;
  case STEP_CLEAR_MESSAGE:
    c->message.unsure = true;
    break;
  case STEP_CLEAR_PREFERRED:
    c->preferred.unsure = true;
    agent->read_ms = 0; /* if this fails, there is another look before the next one */
    break;
  case STEP_CLEAR_SESSION:
    c->session.unsure = true;
    break;
  case STEP_READ_PREFERRED:
  case STEP_NONE:
    break;
  }
}

void sched_applied(struct agent *agent, const struct sched_plan *plan, int64_t sent_ms)
{
  struct confirmed *c = &agent->confirmed;
  switch (plan->step) {
  case STEP_SET_SESSION:
    /* From when it was sent, not from the answer: Graph's own count began somewhere in between, so ours ends first. */
    c->session = (struct slot){.presence = plan->presence, .set_ms = sent_ms, .until_ms = sent_ms + plan->duration_ms};
    break;
  case STEP_SET_PREFERRED:
    c->preferred = (struct slot){.presence = plan->presence, .set_ms = sent_ms, .until_ms = plan->until_ms};
    c->preferred_for_ms = plan->for_ms;
    c->preferred_tried = 0;
    break;
  case STEP_SET_MESSAGE:
    c->message = (struct message_slot){plan->message_hash, false, plan->until_ms};
    break;
  case STEP_CLEAR_MESSAGE:
    c->message = (struct message_slot){0};
    break;
  case STEP_CLEAR_PREFERRED:
    c->preferred = (struct slot){0};
    c->preferred_tried = 0;
    break;
  case STEP_CLEAR_SESSION:
    c->session = (struct slot){0};
    break;
  case STEP_READ_PREFERRED:
  case STEP_NONE:
    break;
  }
}

void sched_untouched(struct agent *agent, const struct confirmed *before)
{
  agent->confirmed = *before;
}

void sched_forget(struct agent *agent)
{
  agent->confirmed = (struct confirmed){0};
  agent->read_ms = 0;
  agent->reads_failed = 0;
  agent->left_choice = AVAILABILITY_UNKNOWN;
}

void sched_inherit(struct agent *agent, const struct confirmed *confirmed)
{
  agent->confirmed = *confirmed;
}

void sched_shift(struct agent *agent, int64_t by_ms)
{
  confirmed_shift(&agent->confirmed, by_ms);
  agent->read_ms += agent->read_ms == 0 ? 0 : by_ms;
}
