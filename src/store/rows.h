/* The SQL of the state file: its schema by version, every statement, and the rows of agents, written and read. */
#ifndef STORE_ROWS_H
#define STORE_ROWS_H

#include "store/store.h"

enum statement {
  NEW_AGENT,
  PUT_AGENT,
  DELETE_AGENT,
  NEW_CONTRIBUTION,
  PUT_CONTRIBUTION,
  PUT_DELAY,
  DELETE_DELAY,
  DELETE_CONTRIBUTION,
  PUT_NAME,
  DELETE_NAMES,
  GET_EVENT_ID,
  PUT_EVENT_ID,
  FORGET_EVENT_IDS,
  GET_GATE,
  PUT_GATE,
  GET_REGISTRATION,
  PUT_REGISTRATION,
  GET_STRANGERS,
  GET_BUDGET,
  PUT_BUDGET,
  GET_ALIVE,
  PUT_ALIVE,
  PUT_SILENT,
  DELETE_SILENT,
  PUT_DECISION,
  FORGET_DECISIONS,
  GET_DECISIONS,
  BEGIN,
  COMMIT,
  STATEMENT_COUNT,
};

/* What brings a file of version i to version i + 1; NULL-terminated. */
extern const char *const store_schema[];
extern const char *const store_sql[STATEMENT_COUNT];
void store_write_agent(struct store *store, struct agent *agent);
/* known: one per account, whose agents are loaded already, as are those of none; NULL: nobody is. */
bool store_load_rows(struct store *store, const bool *known, struct err *err) MUST_CHECK;

#endif
