/* The turn's transaction, below all that writes: it begins with the first write, and is ended by store_commit(). */
#include "store/internal.h"

bool store_begin(struct store *store)
{
  if (store->failure.kind != ERR_NONE)
    return false;
  /* Not at the start of each turn: many turns change nothing, and would commit nothing all the same. */
  if (!store->in_transaction)
    store->in_transaction = db_run(store->statements[BEGIN], &store->failure);
  return store->in_transaction;
}

void store_run(struct store *store, enum statement statement)
{
  struct err err = ERR_INIT;
  /* Only the first failure is kept: those after it are its consequences. */
  if (store->failure.kind == ERR_NONE && !db_run(store->statements[statement], &err))
    store->failure = err;
}
