/* What an agent should show, from what its UCCs contribute: pure functions of the records and `now`. A contribution
 * is an answer that stands and perhaps one that waits for its delay; stand_at() takes the waiting one from its
 * moment on, so what is shown never depends on whether a timer has fired. agent_desired() lets one contribution win
 * as a whole, and says when that can change next, which is all that the scheduler needs to know. The trap: since_ms
 * is the beginning of the run of (state, reason), from_ms that of the answer. A `keep` moves the first and leaves
 * the second. */
#include "model/agent.h"
#include "base/clock.h"
#include "base/must.h"
#include "base/shared.h"
#include "base/str.h"

#include <string.h>

const char *phase_str(enum phase phase)
{
  switch (phase) {
  case PHASE_IDLE:
    return "idle";
  case PHASE_WAITING:
    return "waiting";
  case PHASE_READY:
    return "ready";
  case PHASE_IN_FLIGHT:
    return "in_flight";
  case PHASE_PARKED:
    return "parked";
  }
  return "unknown";
}

const char *park_cause_str(enum park_cause cause)
{
  switch (cause) {
  case PARK_NONE:
    return "none";
  case PARK_NO_ACCOUNT:
    return "no account serves it";
  case PARK_UNKNOWN_NAME:
    return "unknown user";
  case PARK_NO_SUCH_USER:
    return "no Teams presence";
  case PARK_FORBIDDEN:
    return "forbidden";
  case PARK_REFUSED:
    return "refused";
  }
  return "unknown";
}

/* ---- answers */

const struct answer *answer_shared(const struct decision *decision)
{
  /* Made on the stack at its longest; only what is used goes into the pool. */
  _Alignas(struct answer) char
      bytes[sizeof(struct answer) + DECISION_MESSAGE_SIZE + DECISION_RULE_SIZE + DECISION_PLACE_SIZE] = {0};
  struct answer *answer = (struct answer *)(void *)bytes;
  /* Field by field: bytes between them would tell equal ones apart. */
  answer->hold_ms = decision->hold_ms;
  answer->after.session = decision->after.session;
  answer->after.preferred = decision->after.preferred;
  answer->after.hold_ms = decision->after.hold_ms;
  answer->generation = decision->generation;
  answer->kind = decision->kind;
  answer->session = decision->session;
  answer->preferred = decision->preferred;
  /* One behind the other, each with its NUL; the message is the first, so it needs no offset. */
  const char *texts[] = {decision->message, decision->rule, decision->place};
  size_t ends[COUNT_OF(texts)], at = 0;
  for (size_t i = 0; i < COUNT_OF(texts); i++) {
    size_t length = strlen(texts[i]) + 1;
    memcpy(answer->message + at, texts[i], length);
    ends[i] = at += length;
  }
  answer->rule_at = (uint16_t)ends[0];
  answer->place_at = (uint16_t)ends[1];
  return shared_bytes(answer, offsetof(struct answer, message) + at);
}

const char *answer_rule(const struct answer *answer)
{
  return answer->message + answer->rule_at;
}

const char *answer_place(const struct answer *answer)
{
  return answer->message + answer->place_at;
}

static void stand_release(struct stand *stand)
{
  shared_release(stand->answer);
  *stand = (struct stand){0};
}

int64_t stand_until(const struct stand *stand)
{
  return stand->from_ms + stand->answer->hold_ms;
}

/* ---- contributions */

struct contribution *contribution_new(const char *ucc)
{
  struct contribution *contribution = must_alloc(sizeof *contribution);
  const struct decision nothing = {.kind = DECISION_CLEAR};
  contribution->ucc = shared_text(ucc);
  contribution->state = shared_text("");
  contribution->reason = shared_text("");
  contribution->attributes = shared_text("{}");
  contribution->stand.answer = answer_shared(&nothing);
  /* It has an answer from the start, so none of the readers needs to ask whether there is one. */
  contribution->pending_ms = contribution->recheck_ms = CLOCK_NEVER;
  contribution->is_override = strcmp(ucc, AGENT_OVERRIDE) == 0;
  return contribution;
}

void contribution_free(struct contribution *contribution)
{
  if (contribution == NULL)
    return;
  shared_release(contribution->ucc);
  shared_release(contribution->state);
  shared_release(contribution->reason);
  shared_release(contribution->attributes);
  stand_release(&contribution->stand);
  stand_release(&contribution->pending);
  free(contribution);
}

void contribution_record(struct contribution *contribution, const char *state, const char *reason, int64_t at_ms)
{
  bool same_run = *contribution->state != '\0' && str_equal_fold(contribution->state, state) &&
                  str_equal_fold(contribution->reason, reason);
  /* A state that is only reported again does not begin anew: hold and delay count from the first report. */
  if (!same_run)
    contribution->since_ms = at_ms;
  contribution->at_ms = at_ms;
  shared_replace(&contribution->state, state);
  shared_replace(&contribution->reason, reason);
}

/* Pointers suffice, because equal answers are one. */
static bool same_stand(const struct stand *a, const struct stand *b)
{
  return a->answer == b->answer && a->from_ms == b->from_ms;
}

/* The same to colleagues, whatever rule says it. */
static bool shows_the_same(const struct stand *a, const struct stand *b)
{
  const struct answer *one = a->answer, *other = b->answer;
  return a->from_ms == b->from_ms && one->kind == other->kind && one->session == other->session &&
         one->preferred == other->preferred && one->hold_ms == other->hold_ms &&
         one->after.session == other->after.session && one->after.preferred == other->after.preferred &&
         one->after.hold_ms == other->after.hold_ms && strcmp(one->message, other->message) == 0;
}

/* True: it was another one before. */
static bool replace_stand(struct stand *stand, struct stand with)
{
  bool same = same_stand(stand, &with);
  stand_release(stand);
  *stand = with;
  return !same;
}

/* `changed` must not say yes for nothing: the caller writes a row for it, and a decision made again often says the
 * same. */
bool contribution_apply(struct contribution *contribution, const struct decision *decision, int64_t now)
{
  int64_t due_ms = contribution->since_ms + decision->delay_ms;
  /* What was due by now stood, though nobody had looked. */
  bool changed = contribution_ripen(contribution, now) || contribution->recheck_ms != decision->recheck_ms;
  contribution->recheck_ms = decision->recheck_ms;
  struct stand pending = {0};
  int64_t pending_ms = CLOCK_NEVER;
  if (decision->kind != DECISION_KEEP) {
    struct stand new = {answer_shared(decision), contribution->since_ms};
    /* Where the clock was set back, a delay that is over does not begin again. */
    if (decision->delay_ms > 0 && due_ms > now && !shows_the_same(&contribution->stand, &new)) {
      pending = new;
      pending_ms = due_ms;
    } else {
      changed = replace_stand(&contribution->stand, new) || changed;
    }
  }
  changed = replace_stand(&contribution->pending, pending) || contribution->pending_ms != pending_ms || changed;
  contribution->pending_ms = pending_ms;
  return changed;
}

/* Readers see the waiting answer in its time anyway; this makes it the one that stands, to be stored as such. */
bool contribution_ripen(struct contribution *contribution, int64_t now)
{
  if (now < contribution->pending_ms)
    return false;
  stand_release(&contribution->stand);
  contribution->stand = contribution->pending;
  contribution->pending = (struct stand){0};
  contribution->pending_ms = CLOCK_NEVER;
  return true;
}

static const struct stand *stand_at(const struct contribution *contribution, int64_t now)
{
  return now >= contribution->pending_ms ? &contribution->pending : &contribution->stand;
}

bool contribution_at(const struct contribution *contribution, int64_t now, struct contribution_view *ret_view)
{
  const struct stand *stand = stand_at(contribution, now);
  const struct answer *answer = stand->answer;
  if (answer->kind != DECISION_SHOW || contribution->silent)
    return false;
  /* Two stretches: the hold, then what is to follow it, without the message. */
  const struct decision_after *after = &answer->after;
  int64_t until_ms = stand_until(stand);
  struct contribution_view view = {answer->session, answer->preferred, answer->message, until_ms};
  if (now >= until_ms)
    view = (struct contribution_view){after->session, after->preferred, "", until_ms + after->hold_ms};
  if (now >= view.until_ms || (view.session == PRESENCE_NONE && view.preferred == PRESENCE_NONE))
    return false;
  *ret_view = view;
  return true;
}

/* ---- agents */

void agent_add(struct agent *agent, struct contribution *contribution)
{
  struct contribution **at = &agent->contributions;
  while (*at != NULL)
    at = &(*at)->next;
  *at = contribution;
  contribution->next = NULL;
}

void agent_take(struct agent *agent, struct contribution *contribution)
{
  struct contribution **at = &agent->contributions;
  while (*at != contribution)
    at = &(*at)->next;
  *at = contribution->next;
  contribution->next = NULL;
  contribution->chosen = false; /* by this agent's merge */
}

struct contribution *agent_contribution(const struct agent *agent, const char *ucc)
{
  struct contribution *contribution = agent->contributions;
  while (contribution != NULL && !str_equal_fold(contribution->ucc, ucc))
    contribution = contribution->next;
  return contribution;
}

/* ---- which contribution wins */

static enum availability seen_of(const struct contribution_view *view)
{
  return presence_availability(view->preferred != PRESENCE_NONE ? view->preferred : view->session);
}

struct rival {
  const struct contribution *contribution;
  struct contribution_view view;
  int64_t from_ms; /* not since_ms, which a `keep` moves on */
};

/* Overrides first; then what the ruleset's own merge has chosen; then what colleagues would see of it, unless the
 * latest is to win; then the later one. In a tie the first in the list stays, so the answer does not flicker. */
static bool outranks(const struct agent *agent, const struct rival *a, const struct rival *b)
{
  if (b->contribution == NULL || a->contribution->is_override)
    return true;
  if (b->contribution->is_override)
    return false;
  if (a->contribution->chosen)
    return true;
  if (b->contribution->chosen)
    return false;
  if (!agent->merge_latest && seen_of(&a->view) != seen_of(&b->view))
    return seen_of(&a->view) > seen_of(&b->view);
  return a->from_ms > b->from_ms;
}

static void sooner(int64_t *moment, int64_t other)
{
  if (other < *moment)
    *moment = other;
}

/* The contribution that wins at `now`; on the way, when that can change, and whether somebody says `never`. */
static struct rival winner_of(const struct agent *agent, int64_t now, struct desired *desired)
{
  struct rival best = {0};
  for (const struct contribution *contribution = agent->contributions; contribution != NULL;
       contribution = contribution->next) {
    if (now < contribution->pending_ms)
      sooner(&desired->changes_ms, contribution->pending_ms);
    const struct stand *stand = stand_at(contribution, now);
    /* Also of a contribution that shows nothing now, or is silent: `never` is said of the person. */
    desired->never = desired->never || stand->answer->kind == DECISION_NEVER;
    struct rival rival = {.contribution = contribution, .from_ms = stand->from_ms};
    bool shows = contribution_at(contribution, now, &rival.view);
    /* An override that clears shows nothing, and wins with it until its hold is over. */
    if (!shows && contribution->is_override && now < stand_until(stand)) {
      rival.view = (struct contribution_view){.message = "", .until_ms = stand_until(stand)};
      shows = true;
    }
    if (!shows)
      continue;
    /* Of losers too: what follows their hold may win. */
    sooner(&desired->changes_ms, rival.view.until_ms);
    if (outranks(agent, &rival, &best))
      best = rival;
  }
  return best;
}

static bool shows_available(const struct contribution_view *view)
{
  return view->session == SESSION_AVAILABLE && view->preferred == PRESENCE_NONE;
}

/* Has its UCC reported something else than that the agent is available, since the anchor's own report? */
static bool speaks_against(const struct contribution *contribution, int64_t anchor_from_ms, int64_t now)
{
  struct contribution_view view;
  if (contribution->silent)
    return false;
  /* Its UCC has reported something else already; that the rule lets it wait does not take that back. */
  if (contribution->pending_ms != CLOCK_NEVER && now < contribution->pending_ms)
    return true;
  if (!contribution_at(contribution, now, &view))
    return contribution->since_ms >= anchor_from_ms;
  return !shows_available(&view) || contribution->since_ms != stand_at(contribution, now)->from_ms; /* `keep` */
}

static bool may_anchor(const struct agent *agent, const struct rival *winner, int64_t now)
{
  if (!agent->anchors || winner->contribution->is_override || !shows_available(&winner->view))
    return false;
  for (const struct contribution *contribution = agent->contributions; contribution != NULL;
       contribution = contribution->next) {
    if (speaks_against(contribution, winner->from_ms, now))
      return false;
  }
  return true;
}

struct desired agent_desired(const struct agent *agent, int64_t now)
{
  struct desired desired = {.message = "", .changes_ms = CLOCK_NEVER};
  struct rival winner = winner_of(agent, now, &desired);
  if (winner.contribution == NULL || desired.never)
    return desired;
  desired.winner = winner.contribution;
  desired.session = winner.view.session;
  desired.preferred = winner.view.preferred;
  desired.anchored = may_anchor(agent, &winner, now);
  if (desired.anchored) {
    desired.session = PRESENCE_NONE;
    desired.preferred = PREFERRED_AVAILABLE;
  }
  /* Teams shows a preferred presence only while there is a session, of whatever kind. */
  desired.carrier = desired.session == PRESENCE_NONE && desired.preferred != PRESENCE_NONE;
  if (desired.carrier)
    desired.session = SESSION_AWAY;
  desired.message = winner.view.message;
  desired.until_ms = winner.view.until_ms;
  return desired;
}

static void shift(struct slot *slot, int64_t by_ms)
{
  /* 0 is not a moment but says that there is none. */
  slot->set_ms += slot->set_ms == 0 ? 0 : by_ms;
  slot->until_ms += slot->until_ms == 0 ? 0 : by_ms;
}

/* Not the message: its end was sent as a date, and does not move with our clock. */
void confirmed_shift(struct confirmed *confirmed, int64_t by_ms)
{
  shift(&confirmed->session, by_ms);
  shift(&confirmed->preferred, by_ms);
}

void agent_doubt(struct agent *agent)
{
  struct confirmed *c = &agent->confirmed;
  /* Only what holds something. An unsure slot never stands, so the plan sends it again; an empty one would have to be
   * cleared for nothing. */
  c->session.unsure = c->session.unsure || c->session.presence != PRESENCE_NONE;
  c->preferred.unsure = c->preferred.unsure || c->preferred.presence != PRESENCE_NONE;
  c->message.unsure = c->message.unsure || c->message.hash != 0;
  agent->resync = false;
}

void agent_doubt_later(struct agent *agent)
{
  agent->resync = true;
}

bool agent_park(struct agent *agent, enum park_cause cause, const char *detail)
{
  struct agent_trouble *trouble = agent_trouble(agent);
  bool is_new = agent->park_cause != cause || trouble->park_detail == NULL || strcmp(trouble->park_detail, detail) != 0;
  if (is_new) {
    free(trouble->park_detail);
    trouble->park_detail = must_strdup(detail);
  }
  agent->park_cause = cause;
  return is_new;
}

void agent_unpark(struct agent *agent)
{
  agent->park_cause = PARK_NONE;
}

/* The query GET_STRANGERS of store/rows.c asks the same of agents that are not loaded; the two change together. */
bool agent_shows_anything(const struct agent *agent, int64_t now)
{
  const struct confirmed *c = &agent->confirmed;
  return ((c->session.presence != PRESENCE_NONE || c->session.unsure) && now < c->session.until_ms) ||
         ((c->preferred.presence != PRESENCE_NONE || c->preferred.unsure) && now < c->preferred.until_ms) ||
         ((c->message.hash != 0 || c->message.unsure) && now < c->message.until_ms);
}

int64_t agent_shows_until(const struct agent *agent)
{
  const struct confirmed *c = &agent->confirmed;
  int64_t until_ms = c->session.until_ms;
  if (c->preferred.until_ms > until_ms)
    until_ms = c->preferred.until_ms;
  return c->message.until_ms > until_ms ? c->message.until_ms : until_ms;
}

const char *agent_label(const struct agent *agent)
{
  return agent->names != NULL ? agent->names->text : agent->id;
}

uint64_t agent_message_hash(const char *message)
{
  if (*message == '\0')
    return 0;
  uint64_t hash = str_hash(message, strlen(message), 0) >> 1; /* SQLite's integers are signed */
  /* 0 says that there is no message. */
  return hash == 0 ? 1 : hash;
}

struct agent_trouble *agent_trouble(struct agent *agent)
{
  if (agent->trouble == NULL)
    agent->trouble = must_alloc(sizeof *agent->trouble);
  return agent->trouble;
}

void agent_trouble_over(struct agent *agent)
{
  if (agent->trouble == NULL)
    return;
  free(agent->trouble->park_detail);
  free(agent->trouble);
  agent->trouble = NULL;
}

int64_t agent_retry_ms(const struct agent *agent)
{
  return agent->trouble == NULL ? 0 : agent->trouble->retry_ms;
}

void agent_retry_at_once(struct agent *agent)
{
  if (agent->trouble != NULL)
    agent->trouble->retry_ms = 0;
}

void agent_free(struct agent *agent)
{
  if (agent == NULL)
    return;
  while (agent->contributions != NULL) {
    struct contribution *first = agent->contributions;
    agent_take(agent, first);
    contribution_free(first);
  }
  agent_trouble_over(agent);
  free(agent);
}
