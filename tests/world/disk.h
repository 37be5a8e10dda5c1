/* SQLite's way to a disk in memory. Files outlive what opens them, so that a crash here is the end of a process, not of
 * a machine. Writes can be made to fail. One disk for the whole program. */
#ifndef TESTS_WORLD_DISK_H
#define TESTS_WORLD_DISK_H

#include <stdint.h>

/* From now on every state file is on this disk. */
void disk_install(void);
/* An empty disk again; no file is open. */
void disk_clear(void);
/* After so many more writes every write fails; -1: never. how: SQLITE_FULL or SQLITE_IOERR. */
void disk_fail_after(int writes, int how);
/* How many there were, ever. */
uint64_t disk_writes(void);

#endif
