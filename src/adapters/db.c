/* One connection to one SQLite file, and what SQLite says turned into what an operator can do about it (fail()). It is
 * opened so that the file survives a power cut and has one user: WAL, synchronous=FULL, an exclusive lock from the
 * start. No busy timeout: the lock belongs to a running daemon, and waiting would not free it. Texts are bound
 * without a copy, so they must live until the statement is reset; db_run() does that at once, a caller that steps does
 * it itself. */
#include "adapters/db.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

struct db {
  sqlite3 *sqlite;
  char *path;
};

struct db_statement {
  struct db *db;
  sqlite3_stmt *sqlite;
};

#define DAMAGED "the state file is damaged; move it away: agents' states come back with their next events"

/* What an operator can do about it, by SQLite's primary result code. */
static bool fail(struct db *db, struct err *err)
{
  static const struct {
    int code;
    const char *what;
  } known[] = {
      {SQLITE_FULL, "the disk is full; make room: what was acknowledged is safe"},
      {SQLITE_READONLY, "the state file cannot be written; make it and its folder writable for this user"},
      {SQLITE_CANTOPEN, "the state file cannot be opened; make its folder exist and writable for this user"},
      {SQLITE_PERM, "no permission; make the state file and its folder writable for this user"},
      {SQLITE_NOTADB, "this is no state file; move it away or set State to another path"},
      {SQLITE_CORRUPT, DAMAGED},
      {SQLITE_BUSY, "another presenced uses this state file; stop it, or set State to another path"},
      {SQLITE_LOCKED, "another presenced uses this state file; stop it, or set State to another path"},
      {SQLITE_IOERR, "the disk failed; look at the system's log"},
  };
  /* The extended code is for the report; its lowest byte is the primary one. */
  int code = sqlite3_extended_errcode(db->sqlite);
  for (size_t i = 0; i < COUNT_OF(known); i++)
    if ((code & 0xff) == known[i].code)
      return err_set(err, ERR_STORE, "%s: %s (SQLite %d)", db->path, known[i].what, code);
  return err_set(err, ERR_STORE, "%s: %s (SQLite %d)", db->path, sqlite3_errmsg(db->sqlite), code);
}

/* SQLite creates with the umask's mode; agents' states are nobody else's business. */
static bool create_private(const char *path, struct err *err)
{
  /* Not O_EXCL: an existing file keeps its mode, which somebody may have set on purpose. */
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
  if (fd < 0) {
    const char *remedy = errno == ENOENT ? "make its folder" : "make it and its folder writable for this user";
    return err_set(err, ERR_STORE, "%s: %s; %s, or set State to another path", path, strerror(errno), remedy);
  }
  close(fd);
  return true;
}

bool db_damaged(const struct db *db, struct err *err)
{
  return err_set(err, ERR_STORE, "%s: " DAMAGED, db->path);
}

/* One row at most is looked at: `ok`, or with NULL none, is what the check should say. */
static bool check(struct db *db, const char *pragma, const char *ok, struct err *err)
{
  struct db_statement *statement = db_prepare(db, pragma, err);
  if (statement == NULL)
    return false;
  enum db_row row = db_step(statement, err);
  bool sound = ok == NULL ? row == DB_DONE : row == DB_ROW && strcmp(db_text(statement, 0), ok) == 0;
  db_statement_free(statement);
  return sound || (row != DB_FAILED && db_damaged(db, err));
}

/* Each reads the file once; a state file is a few megabytes. A row whose parent is gone is no damage to SQLite, but to
 * us: foreign keys are enforced, so it was not we who left it. */
static bool is_sound(struct db *db, struct err *err)
{
  return check(db, "PRAGMA quick_check(1)", "ok", err) && check(db, "PRAGMA foreign_key_check", NULL, err);
}

void db_configure(void)
{
  static bool done;
  if (!done)
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* refused when SQLite is in use already: it works all the same */
  done = true;
}

struct db *db_open(const char *path, struct err *err)
{
  db_configure();
  struct db *db = must_alloc(sizeof *db);
  db->path = must_strdup(path);
  if (!create_private(path, err))
    goto out;
  /* NOMUTEX: the connection belongs to one thread, that of the loop. */
  if (sqlite3_open_v2(path, &db->sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
    fail(db, err);
    goto out;
  }
  sqlite3_extended_result_codes(db->sqlite, 1);
  /* Small pages, because what changes are single rows all over the file: less to write, and as many before a
   * checkpoint. The exclusive lock is the lock against a second daemon: BEGIN takes it, and in this mode it is held
   * until close. FULL makes a commit durable before it returns. */
  if (!db_exec(
          db,
          "PRAGMA page_size=1024; PRAGMA wal_autocheckpoint=4000; PRAGMA locking_mode=EXCLUSIVE;"
          "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; BEGIN IMMEDIATE; COMMIT;",
          err))
    goto out;
  /* Under the lock, and before anything is read: a damaged page would otherwise show in the midst of a day. */
  if (is_sound(db, err))
    return db;
out:
  db_close(db);
  return NULL;
}

void db_close(struct db *db)
{
  if (db == NULL)
    return;
  sqlite3_close_v2(db->sqlite);
  free(db->path);
  free(db);
}

bool db_exec(struct db *db, const char *sql, struct err *err)
{
  /* Without SQLite's own text: fail() asks the connection. */
  return sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL) == SQLITE_OK || fail(db, err);
}

bool db_is_there(struct db *db, struct err *err)
{
  int moved = 0; /* left alone by a disk that cannot tell */
  (void)sqlite3_file_control(db->sqlite, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  return moved == 0 || err_set(
                           err, ERR_STORE,
                           "%s: moved or deleted while it was in use; a new state file is begun, and agents' states "
                           "come back with their next events",
                           db->path);
}

int64_t db_changes(struct db *db)
{
  return sqlite3_changes64(db->sqlite);
}

int64_t db_last_row_id(struct db *db)
{
  return sqlite3_last_insert_rowid(db->sqlite);
}

struct db_statement *db_prepare(struct db *db, const char *sql, struct err *err)
{
  sqlite3_stmt *sqlite = NULL;
  if (sqlite3_prepare_v3(db->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, &sqlite, NULL) != SQLITE_OK) {
    fail(db, err);
    return NULL;
  }
  struct db_statement *statement = must_alloc(sizeof *statement);
  *statement = (struct db_statement){db, sqlite};
  return statement;
}

void db_statement_free(struct db_statement *statement)
{
  if (statement == NULL)
    return;
  sqlite3_finalize(statement->sqlite);
  free(statement);
}

void db_bind_int(struct db_statement *statement, int index, int64_t number)
{
  /* A wrong index, or a statement that was not reset, is our mistake; nothing else can fail. */
  must(sqlite3_bind_int64(statement->sqlite, index, number) == SQLITE_OK);
}

void db_bind_text(struct db_statement *statement, int index, const char *text)
{
  must(sqlite3_bind_text(statement->sqlite, index, text, -1, SQLITE_STATIC) == SQLITE_OK);
}

enum db_row db_step(struct db_statement *statement, struct err *err)
{
  switch (sqlite3_step(statement->sqlite)) {
  case SQLITE_ROW:
    return DB_ROW;
  case SQLITE_DONE:
    return DB_DONE;
  default:
    fail(statement->db, err);
    return DB_FAILED;
  }
}

bool db_run(struct db_statement *statement, struct err *err)
{
  enum db_row row = db_step(statement, err);
  db_reset(statement);
  /* After the reset: a statement left open would hold its transaction. */
  must(row != DB_ROW);
  return row == DB_DONE;
}

void db_reset(struct db_statement *statement)
{
  /* Its result repeats that of the last step, which the caller has seen. */
  (void)sqlite3_reset(statement->sqlite);
  (void)sqlite3_clear_bindings(statement->sqlite);
}

int64_t db_int(struct db_statement *statement, int column)
{
  return sqlite3_column_int64(statement->sqlite, column);
}

const char *db_text(struct db_statement *statement, int column)
{
  const unsigned char *text = sqlite3_column_text(statement->sqlite, column);
  return text == NULL ? "" : (const char *)text;
}

const char *db_version(void)
{
  return "SQLite " SQLITE_VERSION;
}
