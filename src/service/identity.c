/* Names and ids. The object id is the identity: names that resolve to one id are one agent, and a name that comes to
 * mean another person takes what was said under it along, once the old id shows nothing of ours.
 *
 * A name is looked up when it is first met, verified daily, and once more when the presence service says 404 to its id.
 * Unknown names are asked for again after a quarter of an hour, then daily: users are created after the contact centre
 * has named them. Verifications are spread, so that a shift start does not come back as a wave a day later. */
#include "service/identity.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "service/engine.h"
#include "service/names.h"
#include "service/standing.h"
#include "service/succession.h"

#include <string.h>

#define VERIFY_EVERY_MS CLOCK_DAY
#define VERIFY_SPREAD_MS (2 * CLOCK_HOUR) /* earlier by up to this much */
#define MISSING_FIRST_MS (15 * CLOCK_MINUTE)
#define MISSING_THEN_MS CLOCK_DAY
#define OVERDUE_SPREAD_MS CLOCK_HOUR
#define FAILED_BASE_MS (2 * CLOCK_SECOND)
#define FAILED_CAP_MS (5 * CLOCK_MINUTE)

struct lookup {
  struct service *service;
  struct agent_name *name; /* NULL: it means another person meanwhile, and the answer is of no use */
};

/* A name that had no id yet, and now has one that another agent bears: they are one. */
static void unite(struct service *service, struct agent_name *name, struct agent *into)
{
  struct agent *from = name->agent;
  log_info("%s and %s are one user (%s)", name->text, agent_label(into), into->id);
  names_move_contributions(service, NULL, from, into);
  while (from->names != NULL)
    store_name_move(service->setup.store, from->names, into);
  standing_remove(service, from);
}

/* A name that was somebody else's until now. The old id is cleared before the new one shows anything. */
static void reassign(struct service *service, struct agent_name *name, const char *id, int64_t now)
{
  struct store *store = service->setup.store;
  struct agent *from = name->agent, *to = store_agent_by_id(store, from->account, id);
  log_warn("%s is now another user: %s instead of %s; the old one is cleared first", name->text, id, from->id);
  if (to == NULL) {
    to = names_new_agent(service, from->account);
    store_agent_set_id(store, to, id);
  }
  names_move_contributions(service, name, from, to);
  store_name_move(store, name, to);
  succession_begin(from, to);
  standing_free(service, from);
  standing_settle(service, from, now);
  standing_drop_if_empty(service, from, now);
  standing_settle(service, to, now);
}

static void resolved(struct service *service, struct agent_name *name, const char *id, int64_t now)
{
  struct store *store = service->setup.store;
  struct agent *agent = name->agent;
  bool again = name->again;
  name->misses = name->attempts = 0;
  name->again = false;
  name->verified_ms = now;
  names_ask_at(
      service, name, now + VERIFY_EVERY_MS - (int64_t)((uint64_t)VERIFY_SPREAD_MS * service_random(service) >> 32));
  bool known = strcmp(agent->id, id) == 0;
  if (*agent->id != '\0' && !known) {
    reassign(service, name, id, now);
    return;
  }
  struct agent *other = known ? NULL : store_agent_by_id(store, agent->account, id);
  if (other != NULL) {
    unite(service, name, other);
    agent = other;
  } else if (!known) {
    store_agent_set_id(store, agent, id);
  }
  if (agent->phase == PHASE_IN_FLIGHT)
    return;
  if (again && known && agent->trouble != NULL && agent->trouble->looked_up_again) {
    standing_park(
        service, agent, PARK_NO_SUCH_USER,
        "the directory knows the user, Teams presence does not (404); is the user licensed for Teams?");
    return;
  }
  if (!known || agent->park_cause == PARK_UNKNOWN_NAME)
    standing_free(service, agent);
  standing_settle(service, agent, now);
}

static void park_unknown(struct service *service, struct agent *agent)
{
  standing_park(
      service, agent, PARK_UNKNOWN_NAME,
      "the directory does not know this name; correct it in the contact centre, or create the user");
}

static void missing(struct service *service, struct agent_name *name, int64_t now)
{
  bool again = name->again;
  name->misses++;
  name->again = false;
  names_ask_at(service, name, now + (name->misses == 1 ? MISSING_FIRST_MS : MISSING_THEN_MS));
  /* A name may be gone while its user is not : the id is stable (FACTS.md, "Finding the user"). Only when the presence
   * service does not know the id either, or there never was one, is there nobody. */
  if (!again && *name->agent->id != '\0')
    return;
  struct agent *agent = name->agent;
  for (const struct agent_name *other = agent->names; other != NULL; other = other->next)
    if (other != name && other->misses == 0 && *agent->id != '\0')
      return;
  if (agent->phase != PHASE_IN_FLIGHT)
    park_unknown(service, agent);
}

/* A lookup that was refused as such: nothing of the account can be resolved until a person mends it. */
static void refused(struct service *service, struct agent_name *name, const struct outcome *outcome, int64_t now)
{
  char text[GRAPH_TEXT_SIZE], detail[GRAPH_TEXT_SIZE + 8];
  snprintf(detail, sizeof detail, "user %s", graph_outcome_text(GRAPH_LOOKUP, outcome, text));
  bool again = name->again;
  name->again = false;
  names_ask_at(service, name, now + MISSING_THEN_MS);
  if ((again || *name->agent->id == '\0') && name->agent->phase != PHASE_IN_FLIGHT)
    standing_park(
        service, name->agent, outcome_lacks_permission(outcome->kind) ? PARK_FORBIDDEN : PARK_REFUSED, detail);
}

/* The lookup itself has failed; the name is as it was. */
static void failed(struct service *service, struct agent_name *name, int64_t now)
{
  name->attempts++;
  names_ask_at(
      service, name, now + sched_backoff(name->attempts, FAILED_BASE_MS, FAILED_CAP_MS, service_random(service)));
}

static void found(struct service *service, struct agent_name *name, const struct graph_reply *reply, int64_t now)
{
  struct graph_user user;
  struct err err = ERR_INIT;
  if (graph_parse_user(service->setup.json, reply, &user, &err)) {
    resolved(service, name, user.id, now);
    return;
  }
  log_warn("%s: %s", name->text, err.text);
  failed(service, name, now);
}

static void on_looked_up(void *context, const struct outcome *outcome, const struct graph_reply *reply)
{
  const struct lookup *lookup = context;
  struct service *service = lookup->service;
  struct agent_name *name = lookup->name;
  if (name == NULL)
    return;
  int64_t now = service_now(service);
  name->asking = false;
  switch (outcome_reaction(outcome->kind)) {
  case REACT_DONE:
    found(service, name, reply, now);
    break;
  case REACT_LOOK_UP:
    missing(service, name, now);
    break;
  case REACT_PARK:
    refused(service, name, outcome, now);
    break;
  case REACT_AGAIN: /* the registration's gate says when */
    names_ask_at(service, name, now);
    break;
  case REACT_NEW_TOKEN:
  case REACT_BACK_OFF:
    failed(service, name, now);
    break;
  }
}

static void ask(struct service *service, struct agent_name *name)
{
  struct registration *registration = registration_of_agent(service, name->agent);
  if (registration == NULL) /* nobody to ask; standing_settle() has parked the agent */
    return;
  struct lookup *lookup = must_alloc(sizeof *lookup);
  *lookup = (struct lookup){service, name};
  struct graph_operation operation = {.kind = GRAPH_LOOKUP};
  must(str_copy(operation.user, sizeof operation.user, name->text));
  struct submission submission = {
      .operation = &operation, .on_done = on_looked_up, .context = lookup, .owns_context = true};
  registration_submit(registration, &submission);
  name->asking = true;
}

void identity_turn(struct service *service, int64_t now)
{
  struct heap_node *first;
  while ((first = heap_first(&service->lookups)) != NULL && first->at_ms <= now) {
    heap_remove(&service->lookups, first);
    ask(service, LIST_ENTRY(first, struct agent_name, due));
  }
}

void identity_resume(struct service *service, struct agent *agent, int64_t now)
{
  bool unknown = false;
  for (struct agent_name *name = agent->names; name != NULL; name = name->next) {
    unknown = unknown || name->misses > 0;
    if (agent->account == AGENT_NO_ACCOUNT || str_is_guid(name->text)) /* nobody asks for an id */
      continue;
    int64_t due_ms = name->due.at_ms;
    if (*agent->id == '\0' && name->misses == 0)
      due_ms = now;        /* it was refused as such; that may have been mended */
    else if (due_ms < now) /* verifications that fell due while we were away do not come all at once */
      due_ms = now + (int64_t)((uint64_t)OVERDUE_SPREAD_MS * service_random(service) >> 32);
    heap_put(&service->lookups, &name->due, due_ms);
  }
  if (unknown && *agent->id == '\0' && agent->account != AGENT_NO_ACCOUNT)
    park_unknown(service, agent);
}

static void disown(void *context, void *of_request)
{
  struct lookup *lookup = of_request;
  if (lookup->name == context)
    lookup->name = NULL;
}

void identity_forget(struct service *service, struct agent_name *name)
{
  if (name->asking)
    registration_visit(registration_of_agent(service, name->agent), on_looked_up, disown, name);
  heap_remove(&service->lookups, &name->due);
  name->asking = name->again = false;
  name->misses = name->attempts = 0;
  name->verified_ms = 0;
  store_touch_name(service->setup.store, name);
}
