#include "base/str.h"
#include "store/internal.h"

#include <search.h>
#include <string.h>

static int compare_names(const void *a, const void *b)
{
  const struct agent_name *left = a, *right = b;
  if (left->account != right->account)
    return left->account < right->account ? -1 : 1;
  return strcmp(left->name, right->name);
}

static int compare_ids(const void *a, const void *b)
{
  const struct agent *left = a, *right = b;
  if (left->account != right->account)
    return left->account < right->account ? -1 : 1;
  return strcmp(left->id, right->id);
}

static void insert(void **tree, void *record, int (*compare)(const void *, const void *))
{
  void *const *found = tsearch(record, tree, compare);
  must(found != NULL && *found == record);
}

struct list_node *store_agents(struct store *store)
{
  return &store->agents;
}

size_t store_agent_count(const struct store *store)
{
  return store->agent_count;
}

struct agent *store_index_agent(struct store *store, int account, int64_t key)
{
  struct agent *agent = must_alloc(sizeof *agent);
  agent->key = key;
  agent->account = account;
  list_init(&agent->names);
  list_init(&agent->contributions);
  list_add_tail(&store->agents, &agent->all_link);
  store->agent_count++;
  if (key > store->last_key)
    store->last_key = key;
  return agent;
}

struct agent *store_agent_new(struct store *store, int account)
{
  struct agent *agent = store_index_agent(store, account, store->last_key + 1);
  store_touch(store, agent);
  return agent;
}

void store_agent_remove(struct store *store, struct agent *agent)
{
  must(list_empty(&agent->names));
  if (*agent->id != '\0')
    tdelete(agent, &store->by_id, compare_ids);
  list_remove(&agent->all_link);
  list_remove(&agent->dirty_link);
  store->agent_count--;
  if (store_begin(store)) {
    db_bind_int(store->statements[DELETE_AGENT], 1, agent->key);
    store_run(store, DELETE_AGENT);
  }
  agent_free(agent);
}

struct agent *store_agent_by_id(struct store *store, int account, const char *id)
{
  struct agent key = {.account = account};
  if (!str_copy(key.id, sizeof key.id, id))
    return NULL;
  struct agent **found = tfind(&key, &store->by_id, compare_ids);
  return found == NULL ? NULL : *found;
}

void store_agent_set_id(struct store *store, struct agent *agent, const char *id)
{
  if (*agent->id != '\0')
    tdelete(agent, &store->by_id, compare_ids);
  must(str_copy(agent->id, sizeof agent->id, id));
  if (*agent->id != '\0')
    insert(&store->by_id, agent, compare_ids);
  store_touch(store, agent);
}

void store_agent_set_account(struct store *store, struct agent *agent, int account)
{
  must(*agent->id == '\0');
  if (store_begin(store)) { /* the account is part of a name's key */
    db_bind_int(store->statements[DELETE_NAMES], 1, agent->key);
    store_run(store, DELETE_NAMES);
  }
  agent->account = account;
  for (struct list_node *node = agent->names.next; node != &agent->names; node = node->next) {
    struct agent_name *name = LIST_ENTRY(node, struct agent_name, link);
    tdelete(name, &store->by_name, compare_names);
    name->account = account;
    insert(&store->by_name, name, compare_names);
    store_touch_name(store, name);
  }
}

struct agent_name *store_name_find(struct store *store, int account, const char *name)
{
  struct agent_name key = {.account = account, .name = (char *)name};
  struct agent_name **found = tfind(&key, &store->by_name, compare_names);
  return found == NULL ? NULL : *found;
}

struct agent_name *store_name_new(struct store *store, struct agent *agent, const char *text)
{
  struct agent_name *name = must_alloc(sizeof *name);
  name->account = agent->account;
  name->agent = agent;
  name->name = must_strdup(text);
  list_add_tail(&agent->names, &name->link);
  insert(&store->by_name, name, compare_names);
  store_touch_name(store, name);
  return name;
}

void store_name_move(struct store *store, struct agent_name *name, struct agent *to)
{
  list_remove(&name->link);
  list_add_tail(&to->names, &name->link);
  name->agent = to;
  store_touch_name(store, name);
}

struct contribution *store_contribution_new(struct store *store, struct agent *agent, const char *ucc)
{
  struct contribution *contribution = contribution_new(ucc);
  list_add_tail(&agent->contributions, &contribution->link);
  store_touch_contribution(store, agent, contribution);
  return contribution;
}

static void delete_row(struct store *store, const struct contribution *contribution, const struct agent *from)
{
  if (!store_begin(store))
    return;
  db_bind_int(store->statements[DELETE_CONTRIBUTION], 1, from->key);
  db_bind_text(store->statements[DELETE_CONTRIBUTION], 2, contribution->ucc);
  store_run(store, DELETE_CONTRIBUTION);
}

void store_contribution_move(
    struct store *store, struct contribution *contribution, struct agent *from, struct agent *to)
{
  delete_row(store, contribution, from);
  if (from->chosen == contribution)
    from->chosen = NULL;
  list_remove(&contribution->link);
  list_add_tail(&to->contributions, &contribution->link);
  store_touch_contribution(store, to, contribution);
}

void store_contribution_remove(struct store *store, struct contribution *contribution, struct agent *from)
{
  delete_row(store, contribution, from);
  if (from->chosen == contribution)
    from->chosen = NULL;
  store->silent_count -= contribution->silent;
  list_remove(&contribution->link);
  contribution_free(contribution);
}

void store_touch(struct store *store, struct agent *agent)
{
  if (agent->dirty_link.next == NULL)
    list_add_tail(&store->dirty, &agent->dirty_link);
}

void store_touch_contribution(struct store *store, struct agent *agent, struct contribution *contribution)
{
  contribution->dirty = true;
  store_touch(store, agent);
}

void store_touch_name(struct store *store, struct agent_name *name)
{
  name->dirty = true;
  store_touch(store, name->agent);
}

static void leave_alone(void *record UNUSED)
{
}

void store_index_release(struct store *store)
{
  tdestroy(store->by_name, leave_alone);
  tdestroy(store->by_id, leave_alone);
  while (!list_empty(&store->agents)) {
    struct agent *agent = LIST_ENTRY(list_first(&store->agents), struct agent, all_link);
    while (!list_empty(&agent->names)) {
      struct agent_name *name = LIST_ENTRY(list_first(&agent->names), struct agent_name, link);
      list_remove(&name->link);
      free(name->name);
      free(name);
    }
    list_remove(&agent->all_link);
    agent_free(agent);
  }
}
