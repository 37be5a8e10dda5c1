/* What the files of this room share: index.c (records in memory), rows.c (their rows; in rows.h), decisions.c (the
 * decision log), transaction.c (its beginning, statements that are run), store.c (file, commit). */
#ifndef STORE_INTERNAL_H
#define STORE_INTERNAL_H

#include "adapters/db.h"
#include "base/table.h"
#include "store/rows.h"
#include "store/store.h"

struct store {
  struct db *db;
  struct db_statement *statements[STATEMENT_COUNT];
  char **account_ids;
  size_t account_count;
  struct table by_name, by_id; /* of struct agent_name, of struct agent */
  struct list_node agents;     /* through agent->all_link */
  struct list_node walks;      /* of struct store_walk that are not over */
  struct agent **dirty;        /* to be written with the next commit; NULL: gone meanwhile */
  size_t dirty_count, dirty_room;
  size_t agent_count;
  int64_t last_key;  /* of agents */
  uint32_t last_row; /* of contributions */
  bool in_transaction;
  struct err failure; /* the first one; ERR_NONE while all is well */
  int64_t forget_ids_at_ms, forget_decisions_at_ms;
  int64_t keep_decisions_ms;
  uint64_t commits;    /* that had something to write */
  size_t silent_count; /* contributions that are silent */
};

/* transaction.c */
/* Begins the turn's transaction unless it runs already. False once the store has failed. */
bool store_begin(struct store *store);
/* Runs a bound statement that gives no row; remembers a failure. */
void store_run(struct store *store, enum statement statement);

/* decisions.c */
/* Deletes what is too old, a slice at a time; within a transaction. */
void store_forget_decisions(struct store *store, int64_t now);

/* index.c: records in memory alone, for those that are read from their rows */
void store_index_init(struct store *store);
struct agent *store_index_agent(struct store *store, int account, int64_t key);
void store_index_id(struct store *store, struct agent *agent, const char *id);
struct agent_name *store_index_name(struct store *store, struct agent *agent, const char *text);
void store_index_release(struct store *store);

#endif
