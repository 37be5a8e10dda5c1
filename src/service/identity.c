/* Names and ids. The object id is the identity: names that resolve to one id are one agent, and a name that comes to
 * mean another person takes what was said under it along, once the old id shows nothing of ours. */
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "service/internal.h"

#include <string.h>

#define VERIFY_EVERY_MS CLOCK_DAY
#define VERIFY_SPREAD_MS                                                                                               \
  (2 * CLOCK_HOUR) /* earlier by up to this much, so that a shift start does not come back as a wave */
#define MISSING_FIRST_MS (15 * CLOCK_MINUTE)
#define MISSING_THEN_MS CLOCK_DAY
#define OVERDUE_SPREAD_MS CLOCK_HOUR
#define FAILED_BASE_MS (2 * CLOCK_SECOND)
#define FAILED_CAP_MS (5 * CLOCK_MINUTE)

struct agent_name *identity_name(struct service *service, int account, const char *text)
{
  struct store *store = service->setup.store;
  struct agent_name *name = store_name_find(store, account, text);
  if (name != NULL)
    return name;
  /* An agent that is given by its object id, maybe after it was met under a name. */
  if (account != AGENT_NO_ACCOUNT && str_is_guid(text)) {
    struct agent *agent = store_agent_by_id(store, account, text);
    if (agent == NULL) {
      agent = pipeline_new_agent(service, account);
      store_agent_set_id(store, agent, text);
    }
    return store_name_new(store, agent, text);
  }
  return store_name_new(store, pipeline_new_agent(service, account), text);
}

static void ask_at(struct service *service, struct agent_name *name, int64_t at_ms)
{
  heap_put(&service->lookups, &name->due, at_ms);
  store_touch_name(service->setup.store, name);
}

void identity_want(struct service *service, struct agent *agent, bool at_once, int64_t now)
{
  must(*agent->id == '\0');
  for (struct agent_name *name = agent->names; name != NULL; name = name->next) {
    if (!name->asking && (at_once || name->due.place == 0))
      ask_at(service, name, now);
  }
}

void identity_check(struct service *service, struct agent *agent, int64_t now)
{
  for (struct agent_name *name = agent->names; name != NULL; name = name->next) {
    name->again = true;
    if (!name->asking)
      ask_at(service, name, now);
  }
}

int64_t identity_retry_ms(const struct agent *agent)
{
  int64_t next = CLOCK_NEVER;
  for (const struct agent_name *name = agent->names; name != NULL; name = name->next)
    if (name->attempts > 0 && !name->asking && name->due.place != 0 && name->due.at_ms < next)
      next = name->due.at_ms;
  return next;
}

void identity_clock_stepped(struct service *service, int64_t by_ms)
{
  struct list_node *agents = store_agents(service->setup.store);
  for (struct list_node *node = agents->next; node != agents; node = node->next)
    for (struct agent_name *name = LIST_ENTRY(node, struct agent, all_link)->names; name != NULL; name = name->next) {
      name->verified_ms += name->verified_ms == 0 ? 0 : by_ms;
      if (name->due.place != 0)
        name->due.at_ms += by_ms; /* of all of them, so the heap is as it was */
      store_touch_name(service->setup.store, name);
    }
}

void identity_retry(struct service *service, struct agent *agent, int64_t now)
{
  for (struct agent_name *name = agent->names; name != NULL; name = name->next)
    if (name->attempts > 0 && !name->asking && name->due.place != 0)
      ask_at(service, name, now);
}

void identity_prove_token(struct service *service, struct agent *agent, int64_t now)
{
  struct agent_name *name = agent->names;
  if (name != NULL && !name->asking)
    ask_at(service, name, now);
}

bool identity_checking(const struct agent *agent)
{
  const struct agent_name *name = agent->names;
  while (name != NULL && !name->again)
    name = name->next;
  return name != NULL;
}

void identity_move_contributions(
    struct service *service, const struct agent_name *name, struct agent *from, struct agent *to)
{
  struct store *store = service->setup.store;
  for (struct contribution *moved = from->contributions, *next; moved != NULL; moved = next) {
    next = moved->next;
    if (name != NULL && moved->name != name)
      continue;
    struct contribution *there = agent_contribution(to, moved->ucc);
    if (there != NULL && there->at_ms > moved->at_ms) {
      store_contribution_remove(store, moved, from);
      continue;
    }
    if (there != NULL)
      store_contribution_remove(store, there, to);
    store_contribution_move(store, moved, from, to);
  }
}

/* A name that had no id yet, and now has one that another agent bears: they are one. */
static void unite(struct service *service, struct agent_name *name, struct agent *into)
{
  struct agent *from = name->agent;
  log_info("%s and %s are one user (%s)", name->text, agent_label(into), into->id);
  identity_move_contributions(service, NULL, from, into);
  while (from->names != NULL)
    store_name_move(service->setup.store, from->names, into);
  change_forget(service, from);
  sched_remove(&service->sched, from);
  store_agent_remove(service->setup.store, from);
}

/* Does `agent` wait for `first`, directly or in turn? Two people may swap their names. */
static bool comes_after(const struct agent *agent, const struct agent *first)
{
  for (const struct agent *next = first->successor; next != NULL; next = next->successor)
    if (next == agent)
      return true;
  return false;
}

/* A name that was somebody else's until now. The old id is cleared before the new one shows anything. */
static void reassign(struct service *service, struct agent_name *name, const char *id, int64_t now)
{
  struct store *store = service->setup.store;
  struct agent *from = name->agent, *to = store_agent_by_id(store, from->account, id);
  log_warn("%s is now another user: %s instead of %s; the old one is cleared first", name->text, id, from->id);
  if (to == NULL) {
    to = pipeline_new_agent(service, from->account);
    store_agent_set_id(store, to, id);
  }
  identity_move_contributions(service, name, from, to);
  store_name_move(store, name, to);
  if (from->successor == NULL && !to->has_predecessor && !comes_after(from, to)) {
    from->successor = to;
    to->has_predecessor = true;
  }
  pipeline_free_parked(service, from);
  pipeline_settle(service, from, now);
  pipeline_drop_if_empty(service, from, now);
  pipeline_settle(service, to, now);
}

static void resolved(struct service *service, struct agent_name *name, const char *id, int64_t now)
{
  struct store *store = service->setup.store;
  struct agent *agent = name->agent;
  bool again = name->again;
  name->misses = name->attempts = 0;
  name->again = false;
  name->verified_ms = now;
  ask_at(service, name, now + VERIFY_EVERY_MS - (int64_t)((uint64_t)VERIFY_SPREAD_MS * service_random(service) >> 32));
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
    pipeline_park(
        service, agent, PARK_NO_SUCH_USER,
        "the directory knows the user, Teams presence does not (404); is the user licensed for Teams?");
    return;
  }
  if (!known || agent->park_cause == PARK_UNKNOWN_NAME)
    pipeline_free_parked(service, agent);
  pipeline_settle(service, agent, now);
}

static void park_unknown(struct service *service, struct agent *agent)
{
  pipeline_park(
      service, agent, PARK_UNKNOWN_NAME,
      "the directory does not know this name; correct it in the contact centre, or create the user");
}

static void missing(struct service *service, struct agent_name *name, int64_t now)
{
  bool again = name->again;
  name->misses++;
  name->again = false;
  ask_at(service, name, now + (name->misses == 1 ? MISSING_FIRST_MS : MISSING_THEN_MS));
  /* A name may be gone while its user is not (facts 4: the id is stable). Only when the presence service does not know
   * the id either, or there never was one, is there nobody. */
  if (!again && *name->agent->id != '\0')
    return;
  struct agent *agent = name->agent;
  for (const struct agent_name *other = agent->names; other != NULL; other = other->next)
    if (other != name && other->misses == 0 && *agent->id != '\0')
      return;
  if (agent->phase != PHASE_IN_FLIGHT)
    park_unknown(service, agent);
}

struct lookup {
  struct service *service;
  struct agent_name *name;
};

/* A lookup that was refused as such: nothing of the account can be resolved until somebody mends it. */
static void refused(struct service *service, struct agent_name *name, const struct outcome *outcome, int64_t now)
{
  char detail[512];
  snprintf(
      detail, sizeof detail, "user lookup: %d %s %.120s; %s (request-id %s)", outcome->status, outcome->code,
      outcome->detail,
      outcome->kind == OUTCOME_FORBIDDEN ? "grant the application permission User.Read.All, with admin consent"
                                         : "is this a user principal name?",
      *outcome->request_id == '\0' ? "none" : outcome->request_id);
  bool again = name->again;
  name->again = false;
  ask_at(service, name, now + MISSING_THEN_MS);
  if ((again || *name->agent->id == '\0') && name->agent->phase != PHASE_IN_FLIGHT)
    pipeline_park(service, name->agent, outcome->kind == OUTCOME_FORBIDDEN ? PARK_FORBIDDEN : PARK_REFUSED, detail);
}

static void on_looked_up(void *context, const struct outcome *outcome, const struct graph_reply *reply)
{
  const struct lookup *lookup = context;
  struct service *service = lookup->service;
  struct agent_name *name = lookup->name;
  if (name == NULL) /* identity_forget() */
    return;
  int64_t now = service_now(service);
  struct graph_user user;
  struct err err = ERR_INIT;
  name->asking = false;
  switch (outcome->kind) {
  case OUTCOME_APPLIED:
    if (graph_parse_user(service->setup.json, reply, &user, &err)) {
      resolved(service, name, user.id, now);
      return;
    }
    log_warn("%s: %s", name->text, err.text);
    break;
  case OUTCOME_NO_SUCH_USER:
    missing(service, name, now);
    return;
  case OUTCOME_FORBIDDEN:
  case OUTCOME_REFUSED:
    refused(service, name, outcome, now);
    return;
  case OUTCOME_THROTTLED: /* the account's gate says when */
    ask_at(service, name, now);
    return;
  case OUTCOME_TOKEN_STALE:
  case OUTCOME_TRY_LATER:
  case OUTCOME_UNKNOWN:
  case OUTCOME_GONE:
    break;
  }
  name->attempts++;
  ask_at(service, name, now + sched_backoff(name->attempts, FAILED_BASE_MS, FAILED_CAP_MS, service_random(service)));
}

static void ask(struct service *service, struct agent_name *name)
{
  struct app *app = service_app(service, name->agent);
  if (app == NULL) /* nobody to ask; pipeline_settle() has parked the agent */
    return;
  struct lookup *lookup = must_alloc(sizeof *lookup);
  *lookup = (struct lookup){service, name};
  struct graph_operation operation = {.kind = GRAPH_LOOKUP};
  must(str_copy(operation.user, sizeof operation.user, name->text));
  app_submit(app, &operation, on_looked_up, lookup)->owns_context = true;
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

static void disown(void *context, const struct request *request)
{
  struct agent_name *name = context;
  struct lookup *lookup = request->context;
  if (request->on_done == on_looked_up && lookup->name == name)
    lookup->name = NULL;
}

void identity_forget(struct service *service, struct agent_name *name)
{
  if (name->asking)
    app_visit(service_app(service, name->agent), disown, name);
  heap_remove(&service->lookups, &name->due);
  name->asking = name->again = false;
  name->misses = name->attempts = 0;
  name->verified_ms = 0;
  store_touch_name(service->setup.store, name);
}
