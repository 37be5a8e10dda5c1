/* The state file and its transaction. The first change of a turn begins a transaction (store_begin), and store_commit()
 * writes what was touched and ends it, so a turn costs one sync of the disk and is kept whole or not at all. The first
 * failure stays in `failure`: from then on nothing is written, and the engine above is dropped and made anew from the
 * file. So writers here return nothing; a caller learns it from the commit. Records are in memory (index.c); small
 * tables that are asked for once per app, account or event are read and written here directly, within the same
 * transaction. */
#include "store/store.h"
#include "base/clock.h"
#include "base/str.h"
#include "store/internal.h"

#include <string.h>

/* All of them once and for good: a busy day runs the same few statements millions of times. */
static bool prepare(struct store *store, struct err *err)
{
  for (int i = 0; i < STATEMENT_COUNT; i++)
    if ((store->statements[i] = db_prepare(store->db, store_sql[i], err)) == NULL)
      return false;
  return true;
}

static bool bring_up_to_date(struct db *db, const char *path, struct err *err)
{
  int64_t newest = 0;
  while (store_schema[newest] != NULL)
    newest++;
  struct db_statement *get = db_prepare(db, "PRAGMA user_version", err);
  if (get == NULL)
    return false;
  enum db_row row = db_step(get, err);
  int64_t version = row == DB_ROW ? db_int(get, 0) : -1;
  db_statement_free(get);
  if (row == DB_FAILED)
    return false;
  /* An older program does not know what a newer one relies on; writing would lose it. */
  if (version > newest)
    return err_set(err, ERR_STORE, "%s: made by a newer presenced; run that one, or set State to another path", path);
  /* All steps in one transaction, version and all: a crash in between leaves a file of the old version. */
  bool ok = version == newest || db_exec(db, "BEGIN IMMEDIATE", err);
  for (int64_t i = version; ok && i < newest; i++) {
    char set[64];
    snprintf(set, sizeof set, "PRAGMA user_version=%lld", (long long)(i + 1));
    ok = db_exec(db, store_schema[i], err) && db_exec(db, set, err);
  }
  return ok && (version == newest || db_exec(db, "COMMIT", err));
}

static void forget_ids(struct store *store)
{
  for (size_t i = 0; i < store->account_count; i++)
    free(store->account_ids[i]);
  free(store->account_ids);
}

static void keep_ids(struct store *store, const char *const *ids, size_t count)
{
  must(count <= INT16_MAX);
  store->account_ids = must_alloc(count * sizeof(char *));
  store->account_count = count;
  for (size_t i = 0; i < count; i++)
    store->account_ids[i] = must_strdup(ids[i]);
}

struct store *store_open(const char *path, const char *const *account_ids, size_t account_count, struct err *err)
{
  struct store *store = must_alloc(sizeof *store);
  store_index_init(store);
  keep_ids(store, account_ids, account_count);
  store->db = db_open(path, err);
  if (store->db != NULL && bring_up_to_date(store->db, path, err) && prepare(store, err) &&
      store_load_rows(store, NULL, err))
    return store;
  store_close(store);
  return NULL;
}

void store_close(struct store *store)
{
  if (store == NULL)
    return;
  for (int i = 0; i < STATEMENT_COUNT; i++)
    db_statement_free(store->statements[i]);
  db_close(store->db);
  store_index_release(store);
  forget_ids(store);
  free(store);
}

enum store_id store_event_id(struct store *store, const char *ucc, const char *id, uint64_t fingerprint, int64_t now)
{
  if (!store_begin(store))
    return STORE_ID_NEW; /* the commit fails, so nothing comes of it */
  /* UCCs are compared without case everywhere; here the key of the table has to do it. */
  char folded[512];
  str_cut(folded, sizeof folded, ucc);
  str_lower(folded);
  struct db_statement *get = store->statements[GET_EVENT_ID], *put = store->statements[PUT_EVENT_ID];
  db_bind_text(get, 1, folded);
  db_bind_text(get, 2, id);
  /* What is older does not count, though it is deleted only once an hour. */
  db_bind_int(get, 3, now - CLOCK_DAY);
  enum db_row row = db_step(get, &store->failure);
  bool same = row == DB_ROW && (uint64_t)db_int(get, 0) == fingerprint;
  db_reset(get);
  if (same)
    return STORE_ID_DUPLICATE;
  db_bind_text(put, 1, folded);
  db_bind_text(put, 2, id);
  db_bind_int(put, 3, (int64_t)fingerprint);
  db_bind_int(put, 4, now);
  store_run(store, PUT_EVENT_ID);
  return row == DB_ROW ? STORE_ID_REUSED : STORE_ID_NEW;
}

int64_t store_gate(struct store *store, const char *app)
{
  struct db_statement *get = store->statements[GET_GATE];
  db_bind_text(get, 1, app);
  int64_t until = db_step(get, &store->failure) == DB_ROW ? db_int(get, 0) : 0;
  db_reset(get);
  return until;
}

void store_set_gate(struct store *store, const char *app, int64_t until_ms)
{
  if (!store_begin(store))
    return;
  db_bind_text(store->statements[PUT_GATE], 1, app);
  db_bind_int(store->statements[PUT_GATE], 2, until_ms);
  store_run(store, PUT_GATE);
}

bool store_registration(struct store *store, const char *account, char *to, size_t room)
{
  struct db_statement *get = store->statements[GET_REGISTRATION];
  db_bind_text(get, 1, account);
  bool found = db_step(get, &store->failure) == DB_ROW;
  if (found)
    str_cut(to, room, db_text(get, 0));
  db_reset(get);
  return found;
}

void store_set_registration(struct store *store, const char *account, const char *app)
{
  if (!store_begin(store))
    return;
  db_bind_text(store->statements[PUT_REGISTRATION], 1, account);
  db_bind_text(store->statements[PUT_REGISTRATION], 2, app);
  store_run(store, PUT_REGISTRATION);
}

void store_visit_strangers(struct store *store, int64_t now, store_on_stranger *on_stranger, void *context)
{
  struct db_statement *get = store->statements[GET_STRANGERS];
  db_bind_int(get, 1, now);
  while (db_step(get, &store->failure) == DB_ROW) {
    const char *account = db_text(get, 0);
    size_t known = 0;
    while (known < store->account_count && strcmp(store->account_ids[known], account) != 0)
      known++;
    if (known == store->account_count)
      on_stranger(context, account, (size_t)db_int(get, 1), db_int(get, 2));
  }
  db_reset(get);
}

size_t store_budget(struct store *store, const char *app, size_t *ret_under_way, int64_t *ret_at_ms)
{
  struct db_statement *get = store->statements[GET_BUDGET];
  db_bind_text(get, 1, app);
  bool found = db_step(get, &store->failure) == DB_ROW;
  /* The file is not ours alone: a figure that cannot be must not become a budget that never opens. */
  size_t used = found && db_int(get, 0) > 0 ? (size_t)db_int(get, 0) : 0;
  size_t under_way = used > 0 && db_int(get, 1) > 0 ? (size_t)db_int(get, 1) : 0;
  if (used > 0) {
    *ret_under_way = under_way < used ? under_way : used;
    *ret_at_ms = db_int(get, 2);
  }
  db_reset(get);
  return used;
}

void store_set_budget(struct store *store, const char *app, size_t used, size_t under_way, int64_t at_ms)
{
  if (!store_begin(store))
    return;
  db_bind_text(store->statements[PUT_BUDGET], 1, app);
  db_bind_int(store->statements[PUT_BUDGET], 2, (int64_t)used);
  db_bind_int(store->statements[PUT_BUDGET], 3, (int64_t)under_way);
  db_bind_int(store->statements[PUT_BUDGET], 4, at_ms);
  store_run(store, PUT_BUDGET);
}

int64_t store_alive(struct store *store)
{
  struct db_statement *get = store->statements[GET_ALIVE];
  int64_t at_ms = db_step(get, &store->failure) == DB_ROW ? db_int(get, 0) : 0;
  db_reset(get);
  return at_ms;
}

void store_set_alive(struct store *store, int64_t until_ms)
{
  if (!store_begin(store))
    return;
  db_bind_int(store->statements[PUT_ALIVE], 1, until_ms);
  store_run(store, PUT_ALIVE);
}

void store_silence_uccs(struct store *store)
{
  for (struct list_node *node = store->agents.next; node != &store->agents; node = node->next) {
    struct agent *agent = LIST_ENTRY(node, struct agent, all_link);
    for (struct contribution *contribution = agent->contributions; contribution != NULL;
         contribution = contribution->next) {
      if (contribution->is_override || contribution->silent)
        continue;
      contribution->silent = true;
      store->silent_count++;
      if (!store_begin(store))
        continue;
      /* Once per contribution, which is more than once per UCC: the statement ignores what is there. */
      db_bind_text(store->statements[PUT_SILENT], 1, contribution->ucc);
      store_run(store, PUT_SILENT);
    }
  }
}

bool store_hear_ucc(struct store *store, const char *ucc)
{
  bool was_silent = false;
  if (store->silent_count == 0) /* nearly always */
    return false;
  for (struct list_node *node = store->agents.next; node != &store->agents; node = node->next) {
    struct contribution *contribution = agent_contribution(LIST_ENTRY(node, struct agent, all_link), ucc);
    if (contribution == NULL || !contribution->silent)
      continue;
    contribution->silent = false;
    store->silent_count--;
    was_silent = true;
  }
  if (was_silent && store_begin(store)) {
    db_bind_text(store->statements[DELETE_SILENT], 1, ucc);
    store_run(store, DELETE_SILENT);
  }
  return was_silent;
}

static void write_dirty(struct store *store)
{
  /* In the order in which they were touched. After a failure nothing is written, but the marks go: a new engine starts
   * from the file. */
  for (size_t i = 0; i < store->dirty_count; i++) {
    struct agent *agent = store->dirty[i];
    if (agent == NULL)
      continue;
    agent->dirty = 0;
    if (store_begin(store))
      store_write_agent(store, agent);
  }
  free(store->dirty); /* a turn with very many is rare */
  store->dirty = NULL;
  store->dirty_count = store->dirty_room = 0;
}

static int index_of(const char *const *ids, size_t count, const char *id)
{
  for (size_t i = 0; i < count; i++)
    if (strcmp(ids[i], id) == 0)
      return (int)i;
  return AGENT_NO_ACCOUNT;
}

void store_set_accounts(struct store *store, const char *const *account_ids, size_t account_count)
{
  write_dirty(store); /* before it is read: whoever is loaded is not to be loaded again */
  int *moved_to = must_alloc(store->account_count * sizeof *moved_to);
  bool *known = must_alloc(account_count * sizeof *known);
  /* Rows name their account, records its index: only the records have to change. */
  for (size_t i = 0; i < store->account_count; i++) {
    moved_to[i] = index_of(account_ids, account_count, store->account_ids[i]);
    if (moved_to[i] != AGENT_NO_ACCOUNT)
      known[moved_to[i]] = true;
  }
  for (struct list_node *node = store->agents.next; node != &store->agents; node = node->next) {
    struct agent *agent = LIST_ENTRY(node, struct agent, all_link);
    if (agent->account == AGENT_NO_ACCOUNT)
      continue;
    agent->account = (int16_t)moved_to[agent->account];
    /* service moves the agents of an account that goes before it comes here. */
    must(agent->account != AGENT_NO_ACCOUNT);
  }
  forget_ids(store);
  keep_ids(store, account_ids, account_count);
  struct err err = ERR_INIT;
  if (store->failure.kind == ERR_NONE && !store_load_rows(store, known, &err))
    store->failure = err;
  free(moved_to);
  free(known);
}

static bool end_transaction(struct store *store, struct err *err)
{
  if (store->in_transaction && store->failure.kind == ERR_NONE)
    (void)!db_is_there(store->db, &store->failure); /* else nothing of it would be there at the next start */
  if (store->in_transaction)
    store_run(store, COMMIT);
  store->commits += store->in_transaction;
  store->in_transaction = false;
  if (store->failure.kind == ERR_NONE)
    return true;
  *err = store->failure;
  return false;
}

void store_commit(struct store *store, int64_t now, store_on_commit *on_done, void *context)
{
  struct err err = ERR_INIT;
  write_dirty(store);
  /* Only along with other changes: what is old may wait, and tidying alone is not worth a sync. */
  if (store->in_transaction && now >= store->forget_ids_at_ms) {
    db_bind_int(store->statements[FORGET_EVENT_IDS], 1, now - CLOCK_DAY);
    store_run(store, FORGET_EVENT_IDS);
    store->forget_ids_at_ms = now + CLOCK_HOUR;
  }
  if (store->in_transaction)
    store_forget_decisions(store, now);
  bool durable = end_transaction(store, &err);
  on_done(context, durable ? NULL : &err);
}

bool store_try_write(struct store *store, struct err *err)
{
  store_set_alive(store, store_alive(store)); /* a page is written, though it says the same */
  return end_transaction(store, err);
}

uint64_t store_commits(const struct store *store)
{
  return store->commits;
}
