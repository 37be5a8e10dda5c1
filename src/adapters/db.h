/* SQLite 3: one connection, prepared statements, WAL, an exclusive lock for the life of the connection.
 *
 * Errors are ERR_STORE and name the file. A statement is used as: db_bind_*(...), db_step() until no row, db_reset().
 */
#ifndef ADAPTERS_DB_H
#define ADAPTERS_DB_H

#include "base/err.h"

#include <stdint.h>

struct db;
struct db_statement;

enum db_row { DB_ROW, DB_DONE, DB_FAILED };

/* Once a process, before anything uses SQLite: it need not count the memory it takes, nor lock that count. db_open()
 * does it, so only who registers something with SQLite before calls it. */
void db_configure(void);

/* Opens or creates the file (mode 0600), refuses a file that is no database, is corrupt, has rows that refer to none,
 * or is held by another process. */
struct db *db_open(const char *path, struct err *err) MUST_CHECK;
void db_close(struct db *db); /* NULL is fine; every statement is freed before */

/* Statements without parameters or rows, separated by semicolons. */
bool db_exec(struct db *db, const char *sql, struct err *err) MUST_CHECK;
/* False: the file is not under its path any more, or another one is. */
bool db_is_there(struct db *db, struct err *err) MUST_CHECK;
/* Says that what it holds cannot have been written by us; false, as err_set() is. */
bool db_damaged(const struct db *db, struct err *err);
int64_t db_last_row_id(struct db *db);
int64_t db_changes(struct db *db); /* rows that the last statement changed */

struct db_statement *db_prepare(struct db *db, const char *sql, struct err *err) MUST_CHECK;
void db_statement_free(struct db_statement *statement); /* NULL is fine */

/* Parameters and columns count from 1 and from 0, as SQLite's do. Texts
 * are borrowed until the statement is reset (db_run() does that). NULL text binds NULL. */
void db_bind_int(struct db_statement *statement, int index, int64_t number);
void db_bind_text(struct db_statement *statement, int index, const char *text);
enum db_row db_step(struct db_statement *statement, struct err *err) MUST_CHECK;
/* Steps once, expects no row, resets. */
bool db_run(struct db_statement *statement, struct err *err) MUST_CHECK;
void db_reset(struct db_statement *statement);
int64_t db_int(struct db_statement *statement, int column);
const char *db_text(struct db_statement *statement, int column); /* never NULL; until the next step or reset */

const char *db_version(void);

#endif
