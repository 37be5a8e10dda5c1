/* Names, and the heap of lookups that are due.
 *
 * Every name of an account stands in the heap once it was asked for: for the first lookup, for the next try after a
 * failure, or for the daily verification. While a lookup is under way (`asking`) it stands in no heap, so that nothing
 * asks twice. */
#include "service/names.h"
#include "base/clock.h"
#include "base/str.h"
#include "service/engine.h"

#include <string.h>

struct agent *names_new_agent(struct service *service, int account)
{
  struct agent *agent = store_agent_new(service->setup.store, account);
  sched_add(&service->sched, agent);
  return agent;
}

struct agent_name *names_take(struct service *service, int account, const char *text)
{
  struct store *store = service->setup.store;
  struct agent_name *name = store_name_find(store, account, text);
  if (name != NULL)
    return name;
  /* An agent that is given by its object id, maybe after it was met under a name. */
  if (account != AGENT_NO_ACCOUNT && str_is_guid(text)) {
    struct agent *agent = store_agent_by_id(store, account, text);
    if (agent == NULL) {
      agent = names_new_agent(service, account);
      store_agent_set_id(store, agent, text);
    }
    return store_name_new(store, agent, text);
  }
  return store_name_new(store, names_new_agent(service, account), text);
}

const char *names_suffix_of(const char *agent)
{
  const char *at = strrchr(agent, '@');
  return at == NULL ? "" : at + 1;
}

int names_account_of(const struct service *service, const char *agent, const char *account)
{
  const struct config *config = service->setup.config;
  const struct config_account *found =
      *account != '\0' ? config_account_by_id(config, account) : config_account_for(config, agent);
  return found == NULL ? AGENT_NO_ACCOUNT : (int)(found - config->accounts);
}

bool names_fold(const char *name, char *to, size_t room)
{
  if (!str_copy(to, room, name))
    return false;
  str_trim(str_lower(to));
  return true;
}

void names_ask_at(struct service *service, struct agent_name *name, int64_t at_ms)
{
  heap_put(&service->lookups, &name->due, at_ms);
  store_touch_name(service->setup.store, name);
}

void names_want_id(struct service *service, struct agent *agent, bool at_once, int64_t now)
{
  must(*agent->id == '\0');
  for (struct agent_name *name = agent->names; name != NULL; name = name->next) {
    if (!name->asking && (at_once || name->due.place == 0))
      names_ask_at(service, name, now);
  }
}

void names_check(struct service *service, struct agent *agent, int64_t now)
{
  for (struct agent_name *name = agent->names; name != NULL; name = name->next) {
    name->again = true;
    if (!name->asking)
      names_ask_at(service, name, now);
  }
}

bool names_are_checked(const struct agent *agent)
{
  const struct agent_name *name = agent->names;
  while (name != NULL && !name->again)
    name = name->next;
  return name != NULL;
}

void names_prove_token(struct service *service, struct agent *agent, int64_t now)
{
  struct agent_name *name = agent->names;
  if (name != NULL && !name->asking)
    names_ask_at(service, name, now);
}

static bool waits_after_failure(const struct agent_name *name)
{
  return name->attempts > 0 && !name->asking && name->due.place != 0;
}

int64_t names_retry_ms(const struct agent *agent)
{
  int64_t next = CLOCK_NEVER;
  for (const struct agent_name *name = agent->names; name != NULL; name = name->next)
    if (waits_after_failure(name))
      next = clock_earlier(next, name->due.at_ms);
  return next;
}

void names_retry(struct service *service, struct agent *agent, int64_t now)
{
  for (struct agent_name *name = agent->names; name != NULL; name = name->next)
    if (waits_after_failure(name))
      names_ask_at(service, name, now);
}

void names_clock_stepped(struct service *service, int64_t by_ms)
{
  struct store_walk walk;
  store_walk_begin(service->setup.store, &walk);
  for (struct agent *agent; (agent = store_walk_next(&walk)) != NULL;)
    for (struct agent_name *name = agent->names; name != NULL; name = name->next) {
      name->verified_ms += name->verified_ms == 0 ? 0 : by_ms;
      if (name->due.place != 0)
        name->due.at_ms += by_ms; /* of all of them, so the heap is as it was */
      store_touch_name(service->setup.store, name);
    }
}

void names_move_contributions(
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
