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

int64_t contribution_until(const struct contribution *contribution)
{
  return contribution->from_ms + contribution->hold_ms;
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

static enum availability seen_of(const struct contribution *contribution)
{
  return presence_availability(
      contribution->preferred != PRESENCE_NONE ? contribution->preferred : contribution->session);
}

static bool outranks(const struct contribution *a, const struct contribution *b)
{
  if (seen_of(a) != seen_of(b))
    return seen_of(a) > seen_of(b);
  return a->from_ms > b->from_ms; /* not since_ms, which a `keep` moves on */
}

struct desired agent_desired(const struct agent *agent, int64_t now)
{
  struct desired desired = {.message = "", .changes_ms = CLOCK_NEVER};
  for (struct list_node *node = agent->contributions.next; node != &agent->contributions; node = node->next) {
    const struct contribution *contribution = LIST_ENTRY(node, struct contribution, link);
    int64_t until = contribution_until(contribution);
    if (contribution->kind != DECISION_SHOW || now >= until)
      continue;
    if (until < desired.changes_ms)
      desired.changes_ms = until;
    if (desired.winner == NULL || outranks(contribution, desired.winner))
      desired.winner = contribution;
  }
  if (desired.winner == NULL)
    return desired;
  desired.session = desired.winner->session;
  desired.preferred = desired.winner->preferred;
  desired.carrier = desired.session == PRESENCE_NONE && desired.preferred != PRESENCE_NONE;
  if (desired.carrier)
    desired.session = SESSION_AWAY;
  desired.message = desired.winner->message;
  desired.until_ms = contribution_until(desired.winner);
  return desired;
}

bool agent_shows_anything(const struct agent *agent, int64_t now)
{
  const struct confirmed *c = &agent->confirmed;
  return ((c->session.presence != PRESENCE_NONE || c->session.unsure) && now < c->session.until_ms) ||
         ((c->preferred.presence != PRESENCE_NONE || c->preferred.unsure) && now < c->preferred.until_ms) ||
         ((c->message.hash != 0 || c->message.unsure) && now < c->message.until_ms);
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

void contribution_free(struct contribution *contribution)
{
  if (contribution == NULL)
    return;
  free(contribution->ucc);
  free(contribution->name);
  free(contribution->state);
  free(contribution->reason);
  free(contribution->attributes);
  free(contribution->message);
  free(contribution->rule);
  free(contribution->place);
  free(contribution);
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
