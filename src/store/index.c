/* The records in memory: every agent in one list, and found by name or by id through two hash tables. A record is
 * changed in place and then touched; touched agents stand in `dirty`, and each knows its place there, so it is entered
 * once however often it is touched, and can be struck out when it goes. Rows of what is removed are deleted at once,
 * because afterwards there is no record to remember it; all others wait for the commit. Keys are given out here, not by
 * SQLite: what refers to an agent needs its key before the row is written. */
#include "base/str.h"
#include "store/internal.h"

#include <string.h>

struct key {
  int account;
  const char *text;
};

/* The account is left out: that one name or id is known in two of them is rare. */
static uint64_t hash_text(const char *text)
{
  return table_hash(text, strlen(text));
}

static uint64_t hash_of_name(const void *record)
{
  return hash_text(((const struct agent_name *)record)->text);
}

static uint64_t hash_of_id(const void *record)
{
  return hash_text(((const struct agent *)record)->id);
}

static bool is_name(const void *record, const void *sought)
{
  const struct agent_name *name = record;
  const struct key *key = sought;
  return name->agent->account == key->account && strcmp(name->text, key->text) == 0;
}

static bool is_id(const void *record, const void *sought)
{
  const struct agent *agent = record;
  const struct key *key = sought;
  return agent->account == key->account && strcmp(agent->id, key->text) == 0;
}

void store_index_init(struct store *store)
{
  list_init(&store->agents);
  list_init(&store->walks);
  store->by_name.hash_of = hash_of_name;
  store->by_id.hash_of = hash_of_id;
}

/* A walk stands at the agent that it gave last, not before the next one: so those that come meanwhile are met whatever
 * the place at which they come. When the agent goes at which it stands, it steps back by one. */
void store_walk_begin(struct store *store, struct store_walk *walk)
{
  *walk = (struct store_walk){.store = store, .at = &store->agents};
  list_add_tail(&store->walks, &walk->open);
}

void store_walk_begin_at_end(struct store *store, struct store_walk *walk)
{
  store_walk_begin(store, walk);
  walk->at = store->agents.prev;
}

void store_walk_end(struct store_walk *walk)
{
  list_remove(&walk->open);
  walk->store = NULL;
}

bool store_walk_is_done(const struct store_walk *walk)
{
  return walk->store == NULL || walk->at->next == &walk->store->agents;
}

struct agent *store_walk_next(struct store_walk *walk)
{
  if (walk->store == NULL)
    return NULL;
  if (store_walk_is_done(walk)) {
    store_walk_end(walk);
    return NULL;
  }
  walk->at = walk->at->next;
  return LIST_ENTRY(walk->at, struct agent, all_link);
}

static void step_back(struct store *store, const struct agent *gone)
{
  for (struct list_node *node = store->walks.next; node != &store->walks; node = node->next) {
    struct store_walk *walk = LIST_ENTRY(node, struct store_walk, open);
    if (walk->at == &gone->all_link)
      walk->at = walk->at->prev;
  }
}

size_t store_agent_count(const struct store *store)
{
  return store->agent_count;
}

struct agent *store_index_agent(struct store *store, int account, int64_t key)
{
  struct agent *agent = must_alloc(sizeof *agent);
  agent->key = key;
  agent->account = (int16_t)account;
  list_add_tail(&store->agents, &agent->all_link);
  store->agent_count++;
  /* Also of rows that are read: a new agent must not get the key of one in the file. */
  if (key > store->last_key)
    store->last_key = key;
  return agent;
}

void store_index_id(struct store *store, struct agent *agent, const char *id)
{
  /* Out under the old id, in under the new: the table finds a record by its hash. */
  if (*agent->id != '\0')
    table_remove(&store->by_id, agent);
  must(str_copy(agent->id, sizeof agent->id, id));
  if (*agent->id != '\0')
    table_add(&store->by_id, agent);
}

static void add_name(struct agent *agent, struct agent_name *name)
{
  /* At the end: the first name is the one that people read, and newer ones do not replace it. */
  struct agent_name **at = &agent->names;
  while (*at != NULL)
    at = &(*at)->next;
  *at = name;
  name->next = NULL;
  name->agent = agent;
}

static void take_name(struct agent_name *name)
{
  struct agent_name **at = &name->agent->names;
  while (*at != name)
    at = &(*at)->next;
  *at = name->next;
}

struct agent_name *store_index_name(struct store *store, struct agent *agent, const char *text)
{
  size_t length = strlen(text) + 1;
  struct agent_name *name = must_alloc(offsetof(struct agent_name, text) + length);
  memcpy(name->text, text, length);
  add_name(agent, name);
  table_add(&store->by_name, name);
  return name;
}

struct agent *store_agent_new(struct store *store, int account)
{
  struct agent *agent = store_index_agent(store, account, store->last_key + 1);
  store_touch(store, agent);
  return agent;
}

void store_agent_remove(struct store *store, struct agent *agent)
{
  /* The table of names would lead to freed memory. */
  must(agent->names == NULL);
  if (*agent->id != '\0')
    table_remove(&store->by_id, agent);
  step_back(store, agent);
  list_remove(&agent->all_link);
  /* A gap, since closing it would move the places of the others. */
  if (agent->dirty > 0)
    store->dirty[agent->dirty - 1] = NULL;
  store->agent_count--;
  if (store_begin(store)) {
    db_bind_int(store->statements[DELETE_AGENT], 1, agent->key);
    store_run(store, DELETE_AGENT);
  }
  agent_free(agent);
}

struct agent *store_agent_by_id(struct store *store, int account, const char *id)
{
  struct key key = {account, id};
  /* Agents whose id is not known yet share the empty one, and are not in the table. */
  return *id == '\0' ? NULL : table_find(&store->by_id, hash_text(id), is_id, &key);
}

void store_agent_set_id(struct store *store, struct agent *agent, const char *id)
{
  store_index_id(store, agent, id);
  store_touch(store, agent);
}

/* For names whose rows bear another key than they do. */
static void write_names_anew(struct store *store, struct agent *agent)
{
  if (store_begin(store)) {
    db_bind_int(store->statements[DELETE_NAMES], 1, agent->key);
    store_run(store, DELETE_NAMES);
  }
  for (struct agent_name *name = agent->names; name != NULL; name = name->next)
    store_touch_name(store, name);
}

void store_agent_set_account(struct store *store, struct agent *agent, int account)
{
  /* Two agents of one id would each show what half of the person's UCCs say. */
  must(store_agent_by_id(store, account, agent->id) == NULL);
  agent->account = (int16_t)account; /* of no hash, so the index need not know */
  write_names_anew(store, agent);    /* the account is part of a name's key */
  store_touch(store, agent);
}

struct agent_name *store_name_find(struct store *store, int account, const char *name)
{
  struct key key = {account, name};
  return table_find(&store->by_name, hash_text(name), is_name, &key);
}

struct agent_name *store_name_new(struct store *store, struct agent *agent, const char *text)
{
  struct agent_name *name = store_index_name(store, agent, text);
  store_touch_name(store, name);
  return name;
}

void store_name_move(struct store *store, struct agent_name *name, struct agent *to)
{
  struct agent *from = name->agent;
  take_name(name);
  /* Its old row bears the old account, so the new one would not replace it. */
  if (from->account != to->account)
    write_names_anew(store, from);
  add_name(to, name);
  store_touch_name(store, name);
}

void store_name_remove(struct store *store, struct agent_name *name)
{
  struct agent *agent = name->agent;
  table_remove(&store->by_name, name);
  take_name(name);
  free(name);
  /* There is no statement for a single name: removing one is rare. */
  write_names_anew(store, agent);
}

struct contribution *store_contribution_new(struct store *store, struct agent *agent, const char *ucc)
{
  struct contribution *contribution = contribution_new(ucc);
  agent_add(agent, contribution);
  store_touch_contribution(store, agent, contribution);
  return contribution;
}

/* At once, since the new row of a moved contribution must not meet it: an agent has one per UCC. */
static void delete_row(struct store *store, struct contribution *contribution)
{
  if (contribution->row == 0 || !store_begin(store))
    return;
  db_bind_int(store->statements[DELETE_CONTRIBUTION], 1, contribution->row);
  store_run(store, DELETE_CONTRIBUTION);
  /* So a contribution that moves back and forth does not use the numbers up. */
  store->last_row -= store->last_row == contribution->row;
  contribution->row = 0;
}

void store_contribution_move(
    struct store *store, struct contribution *contribution, struct agent *from, struct agent *to)
{
  delete_row(store, contribution);
  /* The row of its delay has gone with its own, by the foreign key. */
  contribution->pending_stored = false;
  agent_take(from, contribution);
  agent_add(to, contribution);
  store_touch_contribution(store, to, contribution);
}

void store_contribution_remove(struct store *store, struct contribution *contribution, struct agent *from)
{
  delete_row(store, contribution);
  store->silent_count -= contribution->silent;
  agent_take(from, contribution);
  contribution_free(contribution);
}

static void enlist(struct store *store, struct agent *agent)
{
  if (agent->dirty > 0)
    return;
  if (store->dirty_count == store->dirty_room) {
    /* Given back with every commit; only a start or new rules touch very many in one turn. */
    store->dirty_room = store->dirty_room == 0 ? 64 : store->dirty_room * 2;
    store->dirty = must_realloc(store->dirty, store->dirty_room * sizeof(struct agent *));
  }
  store->dirty[store->dirty_count++] = agent;
  must(store->dirty_count <= UINT32_MAX);
  agent->dirty = (uint32_t)store->dirty_count;
}

void store_touch(struct store *store, struct agent *agent)
{
  agent->row_dirty = true;
  enlist(store, agent);
}

void store_touch_contribution(struct store *store, struct agent *agent, struct contribution *contribution)
{
  contribution->dirty = true;
  enlist(store, agent);
}

void store_touch_name(struct store *store, struct agent_name *name)
{
  name->dirty = true;
  enlist(store, name->agent);
}

void store_index_release(struct store *store)
{
  /* Tables first: they only point. What is not written is lost, as at the end of a process. */
  table_release(&store->by_name);
  table_release(&store->by_id);
  free(store->dirty);
  while (!list_empty(&store->agents)) {
    struct agent *agent = LIST_ENTRY(list_first(&store->agents), struct agent, all_link);
    while (agent->names != NULL) {
      struct agent_name *name = agent->names;
      take_name(name);
      free(name);
    }
    list_remove(&agent->all_link);
    agent_free(agent);
  }
}
