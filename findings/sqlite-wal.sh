#!/bin/bash
# SQLite 3.40.1 (Debian 12): what is missing of a write-ahead log is missing from the database, and nothing says so.
#
# Ten transactions were committed with synchronous=FULL. A copy of the database file without its -wal file has none of
# them, not even the table. A copy whose -wal ends in the middle, or has one other byte there, has the first four. In
# each case the database opens without an error, is changed by the opening alone (the log is thrown away on close),
# and "PRAGMA integrity_check" says "ok". VACUUM INTO, run beside the writer, gives all ten.
#
# For us: src/adapters/db.c keeps state.db in WAL mode, under a lock that keeps other readers out. A copy is made
# while the daemon is stopped, or of both files at one moment; one of the file alone is an older state that passes for
# whole.
set -euo pipefail
# shellcheck source=findings/trial.sh
. "$(dirname "$0")/trial.sh"

need_package libsqlite3-0 3.40.1
need_command python3 python3
cd "$work"
cat >wal.py <<'PYTHON'
import os, shutil, sqlite3

writer = sqlite3.connect("day.db", isolation_level=None)
writer.execute("PRAGMA journal_mode=WAL")
writer.execute("PRAGMA synchronous=FULL")
writer.execute("CREATE TABLE event (number, bytes)")
for number in range(10):
    writer.execute("INSERT INTO event VALUES (?, zeroblob(5000))", (number,))  # each is a transaction

def copy(name, wal):
    shutil.copy("day.db", name)
    if wal:
        shutil.copy("day.db-wal", name + "-wal")
    return name

def look(what, name):
    database = sqlite3.connect(name)
    try:
        rows = str(database.execute("SELECT count(*) FROM event").fetchone()[0])
    except sqlite3.OperationalError as error:
        rows = str(error)
    integrity = database.execute("PRAGMA integrity_check").fetchone()[0]
    database.close()
    print(f"{what}|{rows}|{integrity}|{'kept' if os.path.exists(name + '-wal') else 'gone'}")

middle = os.path.getsize("day.db-wal") // 2
look("both files", copy("both.db", wal=True))
look("without -wal", copy("alone.db", wal=False))
os.truncate(copy("cut.db", wal=True) + "-wal", middle)
look("-wal cut in the middle", "cut.db")
with open(copy("byte.db", wal=True) + "-wal", "r+b") as log:
    log.seek(middle)
    byte = log.read(1)[0]
    log.seek(middle)
    log.write(bytes([byte ^ 1]))
look("one bit of -wal changed", "byte.db")
sqlite3.connect("day.db").execute("VACUUM INTO 'vacuum.db'")
look("VACUUM INTO", "vacuum.db")
PYTHON
timeout 60 python3 wal.py >seen
while IFS='|' read -r what rows wal; do
  check "$what: rows|integrity|the log afterwards" "$rows|ok|$wal" "$(value "$what" seen)"
done <<'END'
both files|10|gone
without -wal|no such table: event|gone
-wal cut in the middle|4|gone
one bit of -wal changed|4|gone
VACUUM INTO|10|gone
END
conclude
