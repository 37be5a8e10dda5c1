/* Records to rows and back, with the schema. The steps of the schema are history: files of any version may be about, so
 * a step is never changed, only followed by another. Columns are read by number, and ADD COLUMN puts them last: the
 * numbers below follow the order in which the steps have added them, not the order in which one would write them down.
 * Statements NEW_x and PUT_x take the same parameters at the same places, so one function binds both. Agents are read
 * table by table, at a start and when their account comes; otherwise they are only written. */
#include "store/rows.h"
#include "base/clock.h"
#include "base/shared.h"
#include "base/str.h"
#include "model/event.h"
#include "store/internal.h"

#include <string.h>

/* Instants are milliseconds, presences are their names, so that the file can be read with sqlite3. */
const char *const store_schema[] = {
    /* 1 */
    "CREATE TABLE agents(key INTEGER PRIMARY KEY, account TEXT NOT NULL, id TEXT NOT NULL,"
    " session TEXT NOT NULL, session_unsure INTEGER NOT NULL, session_set INTEGER NOT NULL, session_until INTEGER NOT "
    "NULL,"
    " preferred TEXT NOT NULL, preferred_unsure INTEGER NOT NULL, preferred_set INTEGER NOT NULL,"
    " preferred_until INTEGER NOT NULL,"
    " message_hash INTEGER NOT NULL, message_unsure INTEGER NOT NULL, message_until INTEGER NOT NULL);"
    "CREATE TABLE names(account TEXT NOT NULL, name TEXT NOT NULL,"
    " agent INTEGER NOT NULL REFERENCES agents(key) ON DELETE CASCADE, id TEXT NOT NULL, verified INTEGER NOT NULL,"
    " misses INTEGER NOT NULL, due INTEGER NOT NULL, PRIMARY KEY(account, name)) WITHOUT ROWID;"
    "CREATE INDEX names_of_agent ON names(agent);"
    "CREATE TABLE contributions(agent INTEGER NOT NULL REFERENCES agents(key) ON DELETE CASCADE, ucc TEXT NOT NULL,"
    " name TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL, attributes TEXT NOT NULL, at INTEGER NOT NULL,"
    " since INTEGER NOT NULL, recheck INTEGER NOT NULL, PRIMARY KEY(agent, ucc)) WITHOUT ROWID;"
    /* The decision that stands (due 0), and the one whose delay is not over. */
    "CREATE TABLE stands(agent INTEGER NOT NULL, ucc TEXT NOT NULL, waits INTEGER NOT NULL, due INTEGER NOT NULL,"
    " kind TEXT NOT NULL, session TEXT NOT NULL, preferred TEXT NOT NULL, start INTEGER NOT NULL, hold INTEGER NOT "
    "NULL,"
    " after_session TEXT NOT NULL, after_preferred TEXT NOT NULL, after_hold INTEGER NOT NULL, message TEXT NOT NULL,"
    " rule TEXT NOT NULL, place TEXT NOT NULL, generation INTEGER NOT NULL, PRIMARY KEY(agent, ucc, waits),"
    " FOREIGN KEY(agent, ucc) REFERENCES contributions(agent, ucc) ON DELETE CASCADE) WITHOUT ROWID;"
    "CREATE TABLE event_ids(ucc TEXT NOT NULL, id TEXT NOT NULL, fingerprint INTEGER NOT NULL, seen INTEGER NOT NULL,"
    " PRIMARY KEY(ucc, id)) WITHOUT ROWID;"
    "CREATE INDEX event_ids_seen ON event_ids(seen);"
    "CREATE TABLE gates(app TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;",
    /* 2: what was sent in the window before the last commit */
    "CREATE TABLE budgets(app TEXT PRIMARY KEY, used INTEGER NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;",
    /* 3: when a daemon last ran, and the UCCs that have not sent an event since none did for long */
    "CREATE TABLE alive(one INTEGER PRIMARY KEY CHECK(one = 1), at INTEGER NOT NULL);"
    "CREATE TABLE silent(ucc TEXT PRIMARY KEY COLLATE NOCASE) WITHOUT ROWID;",
    /* 4: the end of the hold that a preferred presence was set for; what else Graph may have, as bits by presence */
    "ALTER TABLE agents ADD COLUMN preferred_for INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE agents ADD COLUMN preferred_tried INTEGER NOT NULL DEFAULT 0;",
    /* 5: the decision log */
    "CREATE TABLE decisions(key INTEGER PRIMARY KEY, decided INTEGER NOT NULL, again INTEGER NOT NULL,"
    " agent TEXT NOT NULL, ucc TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL, attributes TEXT NOT NULL,"
    " at INTEGER NOT NULL, since INTEGER NOT NULL, kind TEXT NOT NULL, session TEXT NOT NULL, preferred TEXT NOT NULL,"
    " hold INTEGER NOT NULL, delay INTEGER NOT NULL, after_session TEXT NOT NULL, after_preferred TEXT NOT NULL,"
    " after_hold INTEGER NOT NULL, message TEXT NOT NULL, rule TEXT NOT NULL, place TEXT NOT NULL,"
    " generation INTEGER NOT NULL);",
    /* 6: what stands moves into its contribution's row, because each event writes both */
    "ALTER TABLE contributions ADD COLUMN kind TEXT NOT NULL DEFAULT 'clear';"
    "ALTER TABLE contributions ADD COLUMN session TEXT NOT NULL DEFAULT 'none';"
    "ALTER TABLE contributions ADD COLUMN preferred TEXT NOT NULL DEFAULT 'none';"
    "ALTER TABLE contributions ADD COLUMN start INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE contributions ADD COLUMN hold INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE contributions ADD COLUMN after_session TEXT NOT NULL DEFAULT 'none';"
    "ALTER TABLE contributions ADD COLUMN after_preferred TEXT NOT NULL DEFAULT 'none';"
    "ALTER TABLE contributions ADD COLUMN after_hold INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE contributions ADD COLUMN message TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE contributions ADD COLUMN rule TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE contributions ADD COLUMN place TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE contributions ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;"
    "UPDATE contributions SET (kind, session, preferred, start, hold, after_session, after_preferred, after_hold,"
    " message, rule, place, generation) ="
    " (SELECT kind, session, preferred, start, hold, after_session, after_preferred, after_hold, message, rule, place,"
    " generation FROM stands s WHERE s.agent = contributions.agent AND s.ucc = contributions.ucc AND s.waits = 0)"
    " WHERE EXISTS (SELECT 1 FROM stands s WHERE s.agent = contributions.agent AND s.ucc = contributions.ucc"
    " AND s.waits = 0);"
    /* The decision whose delay is not over, until `due`. */
    "CREATE TABLE delays(agent INTEGER NOT NULL, ucc TEXT NOT NULL, due INTEGER NOT NULL, kind TEXT NOT NULL,"
    " session TEXT NOT NULL, preferred TEXT NOT NULL, start INTEGER NOT NULL, hold INTEGER NOT NULL,"
    " after_session TEXT NOT NULL, after_preferred TEXT NOT NULL, after_hold INTEGER NOT NULL, message TEXT NOT NULL,"
    " rule TEXT NOT NULL, place TEXT NOT NULL, generation INTEGER NOT NULL, PRIMARY KEY(agent, ucc),"
    " FOREIGN KEY(agent, ucc) REFERENCES contributions(agent, ucc) ON DELETE CASCADE) WITHOUT ROWID;"
    "INSERT INTO delays SELECT agent, ucc, due, kind, session, preferred, start, hold, after_session, after_preferred,"
    " after_hold, message, rule, place, generation FROM stands WHERE waits = 1;"
    "DROP TABLE stands;",
    /* 7: how many of what was sent were not answered yet; of older rows nobody knows */
    "ALTER TABLE budgets ADD COLUMN under_way INTEGER NOT NULL DEFAULT 0;"
    "UPDATE budgets SET under_way = used;",
    /* 8: contributions by a number: in a tree that is sorted by texts each step holds whole rows, so few of them */
    "CREATE TABLE contributions_by_key(agent INTEGER NOT NULL REFERENCES agents(key) ON DELETE CASCADE,"
    " ucc TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL, attributes TEXT NOT NULL,"
    " at INTEGER NOT NULL, since INTEGER NOT NULL, recheck INTEGER NOT NULL, kind TEXT NOT NULL,"
    " session TEXT NOT NULL, preferred TEXT NOT NULL, start INTEGER NOT NULL, hold INTEGER NOT NULL,"
    " after_session TEXT NOT NULL, after_preferred TEXT NOT NULL, after_hold INTEGER NOT NULL, message TEXT NOT NULL,"
    " rule TEXT NOT NULL, place TEXT NOT NULL, generation INTEGER NOT NULL, key INTEGER PRIMARY KEY);"
    "INSERT INTO contributions_by_key SELECT *, NULL FROM contributions ORDER BY agent, ucc;"
    /* Kept aside: with foreign keys on, dropping a table deletes its rows first, and those of `delays` go with
     * theirs. */
    "CREATE TABLE delays_kept AS SELECT * FROM delays;"
    "DROP TABLE delays;"
    "DROP TABLE contributions;"
    "ALTER TABLE contributions_by_key RENAME TO contributions;"
    "CREATE UNIQUE INDEX contributions_of_agent ON contributions(agent, ucc);"
    "CREATE TABLE delays(agent INTEGER NOT NULL, ucc TEXT NOT NULL, due INTEGER NOT NULL, kind TEXT NOT NULL,"
    " session TEXT NOT NULL, preferred TEXT NOT NULL, start INTEGER NOT NULL, hold INTEGER NOT NULL,"
    " after_session TEXT NOT NULL, after_preferred TEXT NOT NULL, after_hold INTEGER NOT NULL, message TEXT NOT NULL,"
    " rule TEXT NOT NULL, place TEXT NOT NULL, generation INTEGER NOT NULL, PRIMARY KEY(agent, ucc),"
    " FOREIGN KEY(agent, ucc) REFERENCES contributions(agent, ucc) ON DELETE CASCADE) WITHOUT ROWID;"
    "INSERT INTO delays SELECT * FROM delays_kept;"
    "DROP TABLE delays_kept;",
    /* 9: whose tenant it is that shows what is confirmed; what a person chose over ours */
    "CREATE TABLE registrations(account TEXT PRIMARY KEY, app TEXT NOT NULL) WITHOUT ROWID;"
    "ALTER TABLE agents ADD COLUMN left_choice TEXT NOT NULL DEFAULT '';",
    NULL};

const char *const store_sql[STATEMENT_COUNT] = {
    /* A row that is there is updated, not inserted over: that looks at no foreign keys. */
    [NEW_AGENT] = "INSERT INTO agents(account, id, session, session_unsure, session_set, session_until, preferred,"
                  " preferred_unsure, preferred_set, preferred_until, message_hash, message_unsure, message_until,"
                  " preferred_for, preferred_tried, left_choice, key) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [PUT_AGENT] = "UPDATE agents SET account=?, id=?, session=?, session_unsure=?, session_set=?, session_until=?,"
                  " preferred=?, preferred_unsure=?, preferred_set=?, preferred_until=?, message_hash=?,"
                  " message_unsure=?, message_until=?, preferred_for=?, preferred_tried=?, left_choice=? WHERE key=?",
    [DELETE_AGENT] = "DELETE FROM agents WHERE key=?",
    [NEW_CONTRIBUTION] = "INSERT INTO contributions(name, state, reason, attributes, at, since, recheck, kind, session,"
                         " preferred, start, hold, after_session, after_preferred, after_hold, message, rule, place,"
                         " generation, key, agent, ucc) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [PUT_CONTRIBUTION] = "UPDATE contributions SET name=?, state=?, reason=?, attributes=?, at=?, since=?, recheck=?,"
                         " kind=?, session=?, preferred=?, start=?, hold=?, after_session=?, after_preferred=?,"
                         " after_hold=?, message=?, rule=?, place=?, generation=? WHERE key=?",
    [PUT_DELAY] = "INSERT OR REPLACE INTO delays VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [DELETE_DELAY] = "DELETE FROM delays WHERE agent=? AND ucc=?",
    [DELETE_CONTRIBUTION] = "DELETE FROM contributions WHERE key=?",
    [PUT_NAME] = "INSERT OR REPLACE INTO names VALUES(?,?,?,?,?,?,?)",
    [DELETE_NAMES] = "DELETE FROM names WHERE agent=?",
    [GET_EVENT_ID] = "SELECT fingerprint FROM event_ids WHERE ucc=? AND id=? AND seen>?",
    [PUT_EVENT_ID] = "INSERT OR REPLACE INTO event_ids VALUES(?,?,?,?)",
    [FORGET_EVENT_IDS] = "DELETE FROM event_ids WHERE seen<=?",
    [GET_GATE] = "SELECT until FROM gates WHERE app=?",
    [PUT_GATE] = "INSERT OR REPLACE INTO gates VALUES(?,?)",
    [GET_REGISTRATION] = "SELECT app FROM registrations WHERE account=?",
    [PUT_REGISTRATION] = "INSERT OR REPLACE INTO registrations VALUES(?,?)",
    /* As agent_shows_anything() has it. */
    [GET_STRANGERS] = "SELECT account, count(*), max(max(session_until, preferred_until, message_until)) FROM agents"
                      " WHERE account<>'' AND (((session<>'none' OR session_unsure) AND session_until>?1)"
                      " OR ((preferred<>'none' OR preferred_unsure) AND preferred_until>?1)"
                      " OR ((message_hash<>0 OR message_unsure) AND message_until>?1)) GROUP BY account",
    [GET_BUDGET] = "SELECT used, under_way, at FROM budgets WHERE app=?",
    [PUT_BUDGET] = "INSERT OR REPLACE INTO budgets(app, used, under_way, at) VALUES(?,?,?,?)",
    [GET_ALIVE] = "SELECT at FROM alive",
    [PUT_ALIVE] = "INSERT OR REPLACE INTO alive VALUES(1,?)",
    [PUT_SILENT] = "INSERT OR IGNORE INTO silent VALUES(?)",
    [DELETE_SILENT] = "DELETE FROM silent WHERE ucc=?",
    [PUT_DECISION] = "INSERT INTO decisions VALUES(NULL,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    /* Keys ascend with time, so the oldest are found without an index over `decided`. */
    [FORGET_DECISIONS] = "DELETE FROM decisions WHERE decided<=? AND key IN"
                         " (SELECT key FROM decisions ORDER BY key LIMIT ?)",
    [GET_DECISIONS] = "SELECT * FROM decisions WHERE key>? ORDER BY key",
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
};

static const char *account_text(const struct store *store, int account)
{
  return account == AGENT_NO_ACCOUNT ? "" : store->account_ids[account];
}

/* From that parameter on. */
static void bind_stand(struct db_statement *put, int first, const struct stand *stand)
{
  const struct answer *answer = stand->answer;
  db_bind_text(put, first, decision_kind_str(answer->kind));
  db_bind_text(put, first + 1, presence_str(answer->session));
  db_bind_text(put, first + 2, presence_str(answer->preferred));
  db_bind_int(put, first + 3, stand->from_ms);
  db_bind_int(put, first + 4, answer->hold_ms);
  db_bind_text(put, first + 5, presence_str(answer->after.session));
  db_bind_text(put, first + 6, presence_str(answer->after.preferred));
  db_bind_int(put, first + 7, answer->after.hold_ms);
  db_bind_text(put, first + 8, answer->message);
  db_bind_text(put, first + 9, answer_rule(answer));
  db_bind_text(put, first + 10, answer_place(answer));
  db_bind_int(put, first + 11, answer->generation);
}

static void write_delay(struct store *store, const struct agent *agent, struct contribution *c)
{
  /* Most contributions never have a delay: without this mark each write would delete a row that is not there. */
  bool waits = c->pending_ms != CLOCK_NEVER;
  if (!waits && !c->pending_stored)
    return;
  c->pending_stored = waits;
  enum statement statement = waits ? PUT_DELAY : DELETE_DELAY;
  struct db_statement *change = store->statements[statement];
  db_bind_int(change, 1, agent->key);
  db_bind_text(change, 2, c->ucc);
  if (waits) {
    db_bind_int(change, 3, c->pending_ms);
    bind_stand(change, 4, &c->pending);
  }
  store_run(store, statement);
}

static void write_contribution(struct store *store, const struct agent *agent, struct contribution *c)
{
  /* The number is its own and not the pair (agent, UCC): see step 8 of the schema. */
  bool new = c->row == 0;
  enum statement statement = new ? NEW_CONTRIBUTION : PUT_CONTRIBUTION;
  struct db_statement *put = store->statements[statement];
  db_bind_text(put, 1, c->name == NULL ? "" : c->name->text);
  db_bind_text(put, 2, c->state);
  db_bind_text(put, 3, c->reason);
  db_bind_text(put, 4, c->attributes);
  db_bind_int(put, 5, c->at_ms);
  db_bind_int(put, 6, c->since_ms);
  db_bind_int(put, 7, c->recheck_ms);
  bind_stand(put, 8, &c->stand);
  if (new) {
    must(store->last_row < UINT32_MAX - 1); /* far more than memory holds; the last one is used again */
    c->row = ++store->last_row;
    db_bind_int(put, 21, agent->key);
    db_bind_text(put, 22, c->ucc);
  }
  db_bind_int(put, 20, c->row);
  store_run(store, statement);
  write_delay(store, agent, c);
}

static void write_name(struct store *store, const struct agent_name *name)
{
  struct db_statement *put = store->statements[PUT_NAME];
  db_bind_text(put, 1, account_text(store, name->agent->account));
  db_bind_text(put, 2, name->text);
  db_bind_int(put, 3, name->agent->key);
  db_bind_text(put, 4, name->agent->id);
  db_bind_int(put, 5, name->verified_ms);
  db_bind_int(put, 6, name->misses);
  /* When to look it up next; 0 when it is not to be looked up. */
  db_bind_int(put, 7, name->due.place == 0 ? 0 : name->due.at_ms);
  store_run(store, PUT_NAME);
}

static void write_row(struct store *store, struct agent *agent)
{
  const struct confirmed *c = &agent->confirmed;
  enum statement statement = agent->stored ? PUT_AGENT : NEW_AGENT;
  struct db_statement *put = store->statements[statement];
  db_bind_text(put, 1, account_text(store, agent->account));
  db_bind_text(put, 2, agent->id);
  const struct slot *slots[] = {&c->session, &c->preferred};
  for (int i = 0; i < 2; i++) {
    db_bind_text(put, 3 + 4 * i, presence_str(slots[i]->presence));
    db_bind_int(put, 4 + 4 * i, slots[i]->unsure);
    db_bind_int(put, 5 + 4 * i, slots[i]->set_ms);
    db_bind_int(put, 6 + 4 * i, slots[i]->until_ms);
  }
  /* Not the text: whether another one is to be shown can be told by the hash, and the text is the decision's. */
  db_bind_int(put, 11, (int64_t)c->message.hash);
  db_bind_int(put, 12, c->message.unsure);
  db_bind_int(put, 13, c->message.until_ms);
  db_bind_int(put, 14, c->preferred_for_ms);
  db_bind_int(put, 15, c->preferred_tried);
  db_bind_text(put, 16, agent->left_choice == AVAILABILITY_UNKNOWN ? "" : availability_str(agent->left_choice));
  db_bind_int(put, 17, agent->key);
  store_run(store, statement);
  agent->stored = true;
}

/* Its own row first: the others refer to it. */
void store_write_agent(struct store *store, struct agent *agent)
{
  if (agent->row_dirty)
    write_row(store, agent);
  agent->row_dirty = false;
  for (struct contribution *contribution = agent->contributions; contribution != NULL;
       contribution = contribution->next) {
    if (contribution->dirty)
      write_contribution(store, agent, contribution);
    contribution->dirty = false;
  }
  for (struct agent_name *name = agent->names; name != NULL; name = name->next) {
    if (name->dirty)
      write_name(store, name);
    name->dirty = false;
  }
}

static enum presence presence_of(const char *text)
{
  enum presence presence = PRESENCE_NONE;
  if (!presence_parse(text, &presence)) /* "none" is the only other text that is written */
    return PRESENCE_NONE;
  return presence;
}

static struct slot read_slot(struct db_statement *row, int column)
{
  return (struct slot){
      .presence = presence_of(db_text(row, column)),
      .unsure = db_int(row, column + 1) != 0,
      .set_ms = db_int(row, column + 2),
      .until_ms = db_int(row, column + 3)};
}

/* -2: an account that this configuration does not have. */
static int account_index(const struct store *store, const char *text)
{
  if (*text == '\0')
    return AGENT_NO_ACCOUNT;
  for (size_t i = 0; i < store->account_count; i++)
    if (strcmp(store->account_ids[i], text) == 0)
      return (int)i;
  return -2;
}

/* DECISION_KEEP never stands: it leaves what stood. What cannot be read shows nothing. */
static enum decision_kind kind_of(const char *text)
{
  static const enum decision_kind kinds[] = {DECISION_SHOW, DECISION_NEVER};
  for (size_t i = 0; i < COUNT_OF(kinds); i++)
    if (strcmp(decision_kind_str(kinds[i]), text) == 0)
      return kinds[i];
  return DECISION_CLEAR;
}

/* ---- loading: one pass over each table; what belongs to an agent finds it by its key. A reader that finds a row which
 * we cannot have written returns false: the file is damaged */

/* Agents by key; those of accounts that are not configured, or known already, are not among them. */
struct loaded {
  const bool *known;
  struct agent **agents;
  size_t count;
};

/* By halves, since they were read in the order of their keys. Queries per agent, as there once were, made a start
 * long. */
static struct agent *agent_of(const struct loaded *loaded, int64_t key)
{
  size_t low = 0, high = loaded->count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (loaded->agents[middle]->key < key)
      low = middle + 1;
    else
      high = middle;
  }
  return low < loaded->count && loaded->agents[low]->key == key ? loaded->agents[low] : NULL;
}

static bool read_agent(struct store *store, struct loaded *loaded, struct db_statement *row)
{
  int64_t key = db_int(row, 0);
  int account = account_index(store, db_text(row, 1));
  const char *id = db_text(row, 2);
  if (strlen(id) >= AGENT_ID_SIZE)
    return false;
  /* Before others are passed over: a new agent must not get the key of one that is not loaded. */
  if (key > store->last_key)
    store->last_key = key;
  if (account == -2 || (loaded->known != NULL && (account == AGENT_NO_ACCOUNT || loaded->known[account])))
    return true;
  struct agent *agent = store_index_agent(store, account, key);
  agent->stored = true;
  store_index_id(store, agent, id);
  agent->confirmed.session = read_slot(row, 3);
  agent->confirmed.preferred = read_slot(row, 7);
  agent->confirmed.preferred_for_ms = db_int(row, 14);
  agent->confirmed.preferred_tried = (uint16_t)db_int(row, 15);
  agent->left_choice = availability_parse(db_text(row, 16));
  agent->confirmed.message = (struct message_slot){(uint64_t)db_int(row, 11), db_int(row, 12) != 0, db_int(row, 13)};
  if ((loaded->count & (loaded->count - 1)) == 0) /* grows by doubling: 1, 2, 4, ... */
    loaded->agents = must_realloc(loaded->agents, (loaded->count == 0 ? 1 : 2 * loaded->count) * sizeof agent);
  loaded->agents[loaded->count++] = agent;
  return true;
}

static bool read_name(struct store *store, struct agent *agent, struct db_statement *row)
{
  const char *text = db_text(row, 1);
  if (strlen(text) >= EVENT_AGENT_SIZE)
    return false;
  struct agent_name *name = store_index_name(store, agent, text);
  name->verified_ms = db_int(row, 4);
  name->misses = (uint16_t)db_int(row, 5);
  /* In no heap yet: service takes names into its own when it starts. */
  name->due.at_ms = db_int(row, 6);
  return true;
}

/* From that column on; replaces what is there. */
static void read_stand(struct db_statement *row, int first, struct stand *stand)
{
  struct decision decision = {
      .kind = kind_of(db_text(row, first)),
      .session = presence_of(db_text(row, first + 1)),
      .preferred = presence_of(db_text(row, first + 2)),
      .hold_ms = db_int(row, first + 4),
      .after = {presence_of(db_text(row, first + 5)), presence_of(db_text(row, first + 6)), db_int(row, first + 7)},
      .generation = (uint32_t)db_int(row, first + 11)};
  str_cut(decision.message, sizeof decision.message, db_text(row, first + 8));
  str_cut(decision.rule, sizeof decision.rule, db_text(row, first + 9));
  str_cut(decision.place, sizeof decision.place, db_text(row, first + 10));
  shared_release(stand->answer);
  *stand = (struct stand){answer_shared(&decision), db_int(row, first + 3)};
}

static bool read_contribution(struct store *store, struct agent *agent, struct db_statement *row)
{
  int64_t key = db_int(row, 21);
  if (key <= 0)
    return false;
  struct contribution *c = contribution_new(db_text(row, 1));
  const struct agent_name *name = store_name_find(store, agent->account, db_text(row, 2));
  /* A name may have moved to another agent since; any of its own will do then. */
  c->name = name != NULL && name->agent == agent ? name : agent->names;
  shared_replace(&c->state, db_text(row, 3));
  shared_replace(&c->reason, db_text(row, 4));
  shared_replace(&c->attributes, db_text(row, 5));
  c->at_ms = db_int(row, 6);
  c->since_ms = db_int(row, 7);
  c->recheck_ms = db_int(row, 8);
  read_stand(row, 9, &c->stand);
  c->row = (uint32_t)key;
  c->silent = db_int(row, 22) != 0;
  store->silent_count += c->silent;
  agent_add(agent, c);
  return true;
}

static bool read_delay(struct store *store UNUSED, struct agent *agent, struct db_statement *row)
{
  struct contribution *c = agent_contribution(agent, db_text(row, 1));
  if (c == NULL) /* it is a foreign key, but only as long as the table says so */
    return false;
  c->pending_ms = db_int(row, 2);
  c->pending_stored = true;
  read_stand(row, 3, &c->pending);
  return true;
}

/* Column `key` of the query is the agent's. */
static bool read_table(
    struct store *store, const struct loaded *loaded, const char *sql, int key,
    bool (*read)(struct store *store, struct agent *agent, struct db_statement *row), struct err *err)
{
  struct db_statement *select = db_prepare(store->db, sql, err);
  if (select == NULL)
    return false;
  enum db_row row = DB_DONE;
  bool ok = true;
  while (ok && (row = db_step(select, err)) == DB_ROW) {
    /* No agent: of an account that is not loaded. */
    struct agent *agent = agent_of(loaded, db_int(select, key));
    ok = agent == NULL || read(store, agent, select);
  }
  db_statement_free(select);
  return ok ? row == DB_DONE : db_damaged(store->db, err);
}

static bool read_agents(struct store *store, struct loaded *loaded, struct err *err)
{
  struct db_statement *select = db_prepare(store->db, "SELECT * FROM agents ORDER BY key", err);
  if (select == NULL)
    return false;
  enum db_row row = DB_DONE;
  /* Agents before what refers to them, names before contributions, which name one, and those before their delays. */
  bool ok = true;
  while (ok && (row = db_step(select, err)) == DB_ROW)
    ok = read_agent(store, loaded, select);
  db_statement_free(select);
  return ok ? row == DB_DONE : db_damaged(store->db, err);
}

/* Also of those that are not loaded. */
static bool read_last_row(struct store *store, struct err *err)
{
  struct db_statement *select = db_prepare(store->db, "SELECT coalesce(max(key), 0) FROM contributions", err);
  if (select == NULL)
    return false;
  enum db_row row = db_step(select, err);
  int64_t last = row == DB_ROW ? db_int(select, 0) : 0;
  db_statement_free(select);
  if (last >= UINT32_MAX)
    return db_damaged(store->db, err);
  store->last_row = last > 0 ? (uint32_t)last : 0;
  return row == DB_ROW;
}

bool store_load_rows(struct store *store, const bool *known, struct err *err)
{
  struct loaded loaded = {.known = known};
  bool ok =
      read_agents(store, &loaded, err) && read_last_row(store, err) &&
      read_table(store, &loaded, "SELECT * FROM names ORDER BY account, name", 2, read_name, err) &&
      read_table(
          store, &loaded, "SELECT *, ucc COLLATE NOCASE IN (SELECT ucc FROM silent) FROM contributions ORDER BY key", 0,
          read_contribution, err) &&
      read_table(store, &loaded, "SELECT * FROM delays ORDER BY agent, ucc", 0, read_delay, err);
  free(loaded.agents);
  return ok;
}
