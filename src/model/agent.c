#include "model/agent.h"
#include "base/clock.h"
#include "base/must.h"
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

static void stand_release(struct stand *stand)
{
  free(stand->message);
  free(stand->rule);
  free(stand->place);
  *stand = (struct stand){0};
}

struct contribution *contribution_new(const char *ucc)
{
  struct contribution *contribution = must_alloc(sizeof *contribution);
  contribution->ucc = must_strdup(ucc);
  contribution->name = must_strdup("");
  contribution->state = must_strdup("");
  contribution->reason = must_strdup("");
  contribution->attributes = must_strdup("{}");
  contribution->stand = (struct stand){
      .kind = DECISION_CLEAR, .message = must_strdup(""), .rule = must_strdup(""), .place = must_strdup("")};
  contribution->pending_ms = contribution->recheck_ms = CLOCK_NEVER;
  contribution->is_override = strcmp(ucc, AGENT_OVERRIDE) == 0;
  return contribution;
}

void contribution_free(struct contribution *contribution)
{
  if (contribution == NULL)
    return;
  free(contribution->ucc);
  free(contribution->name);
  free(contribution->state);
  free(contribution->reason);
  free(contribution->attributes);
  stand_release(&contribution->stand);
  stand_release(&contribution->pending);
  free(contribution);
}

static void replace_text(char **text, const char *with)
{
  char *copy = must_strdup(with);
  free(*text);
  *text = copy;
}

void contribution_record(
    struct contribution *contribution, const char *name, const char *state, const char *reason, int64_t at_ms)
{
  bool same_run = *contribution->state != '\0' && str_equal_fold(contribution->state, state) &&
                  str_equal_fold(contribution->reason, reason);
  if (!same_run)
    contribution->since_ms = at_ms;
  contribution->at_ms = at_ms;
  replace_text(&contribution->name, name);
  replace_text(&contribution->state, state);
  replace_text(&contribution->reason, reason);
}

static void take_over(struct stand *stand, const struct decision *decision, int64_t from_ms)
{
  stand_release(stand);
  *stand = (struct stand){
      .kind = decision->kind,
      .session = decision->session,
      .preferred = decision->preferred,
      .from_ms = from_ms,
      .hold_ms = decision->hold_ms,
      .after = decision->after,
      .message = must_strdup(decision->message),
      .rule = must_strdup(decision->rule),
      .place = must_strdup(decision->place),
      .generation = decision->generation,
  };
}

void contribution_apply(struct contribution *contribution, const struct decision *decision, int64_t now)
{
  int64_t due_ms = contribution->since_ms + decision->delay_ms;
  (void)contribution_ripen(contribution, now); /* what was due by now stood, though nobody had looked */
  stand_release(&contribution->pending);
  contribution->pending_ms = CLOCK_NEVER;
  contribution->recheck_ms = decision->recheck_ms;
  if (decision->kind == DECISION_KEEP)
    return;
  if (decision->delay_ms > 0 && due_ms > now) {
    take_over(&contribution->pending, decision, contribution->since_ms);
    contribution->pending_ms = due_ms;
  } else {
    take_over(&contribution->stand, decision, contribution->since_ms);
  }
}

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
  if (stand->kind != DECISION_SHOW || contribution->silent)
    return false;
  int64_t until_ms = stand->from_ms + stand->hold_ms;
  struct contribution_view view = {stand->session, stand->preferred, stand->message, until_ms};
  if (now >= until_ms)
    view =
        (struct contribution_view){stand->after.session, stand->after.preferred, "", until_ms + stand->after.hold_ms};
  if (now >= view.until_ms || (view.session == PRESENCE_NONE && view.preferred == PRESENCE_NONE))
    return false;
  *ret_view = view;
  return true;
}

struct contribution *agent_contribution(const struct agent *agent, const char *ucc)
{
  for (struct list_node *node = agent->contributions.next; node != &agent->contributions; node = node->next) {
    struct contribution *contribution = LIST_ENTRY(node, struct contribution, link);
    if (str_equal_fold(contribution->ucc, ucc))
      return contribution;
  }
  return NULL;
}

static enum availability seen_of(const struct contribution_view *view)
{
  return presence_availability(view->preferred != PRESENCE_NONE ? view->preferred : view->session);
}

struct rival {
  const struct contribution *contribution;
  struct contribution_view view;
  int64_t from_ms; /* not since_ms, which a `keep` moves on */
};

static bool outranks(const struct agent *agent, const struct rival *a, const struct rival *b)
{
  if (b->contribution == NULL || a->contribution->is_override)
    return true;
  if (b->contribution->is_override)
    return false;
  if (a->contribution == agent->chosen)
    return true;
  if (b->contribution == agent->chosen)
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
  for (struct list_node *node = agent->contributions.next; node != &agent->contributions; node = node->next) {
    const struct contribution *contribution = LIST_ENTRY(node, struct contribution, link);
    if (now < contribution->pending_ms)
      sooner(&desired->changes_ms, contribution->pending_ms);
    const struct stand *stand = stand_at(contribution, now);
    desired->never = desired->never || stand->kind == DECISION_NEVER;
    struct rival rival = {.contribution = contribution, .from_ms = stand->from_ms};
    bool shows = contribution_at(contribution, now, &rival.view);
    if (!shows && contribution->is_override && now < stand->from_ms + stand->hold_ms) {
      rival.view = (struct contribution_view){.message = "", .until_ms = stand->from_ms + stand->hold_ms};
      shows = true;
    }
    if (!shows)
      continue;
    sooner(&desired->changes_ms, rival.view.until_ms);
    if (outranks(agent, &rival, &best))
      best = rival;
  }
  return best;
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
  desired.carrier = desired.session == PRESENCE_NONE && desired.preferred != PRESENCE_NONE;
  if (desired.carrier)
    desired.session = SESSION_AWAY;
  desired.message = winner.view.message;
  desired.until_ms = winner.view.until_ms;
  return desired;
}

static void shift(struct slot *slot, int64_t by_ms)
{
  slot->set_ms += slot->set_ms == 0 ? 0 : by_ms;
  slot->until_ms += slot->until_ms == 0 ? 0 : by_ms;
}

void confirmed_shift(struct confirmed *confirmed, int64_t by_ms)
{
  shift(&confirmed->session, by_ms);
  shift(&confirmed->preferred, by_ms);
}

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
  if (!list_empty(&agent->names))
    return LIST_ENTRY(list_first(&agent->names), struct agent_name, link)->name;
  return agent->id;
}

uint64_t agent_message_hash(const char *message)
{
  if (*message == '\0')
    return 0;
  uint64_t hash = str_hash(message, strlen(message), 0) >> 1; /* SQLite's integers are signed */
  return hash == 0 ? 1 : hash;
}

void agent_free(struct agent *agent)
{
  if (agent == NULL)
    return;
  while (!list_empty(&agent->contributions)) {
    struct list_node *node = list_first(&agent->contributions);
    list_remove(node);
    contribution_free(LIST_ENTRY(node, struct contribution, link));
  }
  free(agent->park_detail);
  free(agent);
}
