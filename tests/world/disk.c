/* A VFS of SQLite's: a file is a name and bytes, an open file points to it. Locks and syncs do nothing, because one
 * process has the disk and nothing is lost when it dies. */
#include "world/disk.h"

#include "adapters/db.h"
#include "base/must.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

enum { DISK_FILES = 8, DISK_NAME_SIZE = 128 };

/* A file of the disk. */
struct disk_bytes {
  char name[DISK_NAME_SIZE]; /* "": this place is free */
  unsigned char *bytes;
  size_t length, room;
};

/* One that is open. */
struct disk_file {
  sqlite3_file base;
  struct disk_bytes *file;
};

static struct disk_bytes disk[DISK_FILES];
static int writes_left = -1, failure;
static uint64_t written;

void disk_fail_after(int writes, int how)
{
  writes_left = writes;
  failure = how;
}

uint64_t disk_writes(void)
{
  return written;
}

static struct disk_bytes *of(sqlite3_file *file)
{
  return ((struct disk_file *)file)->file;
}

static bool fails(void)
{
  if (writes_left > 0)
    writes_left--;
  return writes_left == 0;
}

static struct disk_bytes *find(const char *name)
{
  for (size_t i = 0; i < DISK_FILES; i++)
    if (strcmp(disk[i].name, name) == 0)
      return &disk[i];
  return NULL;
}

static int on_close(sqlite3_file *file UNUSED)
{
  return SQLITE_OK;
}

static int on_read(sqlite3_file *file, void *bytes, int count, sqlite3_int64 offset)
{
  const struct disk_bytes *from = of(file);
  size_t start = (size_t)offset, wanted = (size_t)count;
  size_t there = start >= from->length ? 0 : from->length - start;
  if (there > wanted)
    there = wanted;
  if (there > 0)
    memcpy(bytes, from->bytes + start, there);
  memset((char *)bytes + there, 0, wanted - there);
  return there == wanted ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int on_write(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 offset)
{
  struct disk_bytes *to = of(file);
  size_t end = (size_t)offset + (size_t)count;
  written++;
  if (fails())
    return failure;
  if (end > to->room) {
    to->room = end < (1 << 16) ? (1 << 16) : 2 * end;
    to->bytes = must_realloc(to->bytes, to->room);
  }
  if ((size_t)offset > to->length)
    memset(to->bytes + to->length, 0, (size_t)offset - to->length);
  memcpy(to->bytes + offset, bytes, (size_t)count);
  if (end > to->length)
    to->length = end;
  return SQLITE_OK;
}

static int on_truncate(sqlite3_file *file, sqlite3_int64 size)
{
  if (fails())
    return failure;
  if ((size_t)size < of(file)->length)
    of(file)->length = (size_t)size;
  return SQLITE_OK;
}

static int on_sync(sqlite3_file *file UNUSED, int flags UNUSED)
{
  return SQLITE_OK;
}

static int on_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
  *ret_size = (sqlite3_int64)of(file)->length;
  return SQLITE_OK;
}

/* There is one process, and one daemon in it at a time. */
static int on_lock(sqlite3_file *file UNUSED, int level UNUSED)
{
  return SQLITE_OK;
}

static int on_check_lock(sqlite3_file *file UNUSED, int *ret_locked)
{
  *ret_locked = 0;
  return SQLITE_OK;
}

static int on_control(sqlite3_file *file UNUSED, int operation UNUSED, void *argument UNUSED)
{
  return SQLITE_NOTFOUND;
}

static int on_sector(sqlite3_file *file UNUSED)
{
  return 4096;
}

/* As the real ones say it: else a commit is followed by padding, and one that failed in the padding is durable though
 * it was not acknowledged. */
static int on_characteristics(sqlite3_file *file UNUSED)
{
  return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* The lock is exclusive, so SQLite keeps the WAL's index on the heap and asks for no shared memory. */
static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = on_close,
    .xRead = on_read,
    .xWrite = on_write,
    .xTruncate = on_truncate,
    .xSync = on_sync,
    .xFileSize = on_size,
    .xLock = on_lock,
    .xUnlock = on_lock,
    .xCheckReservedLock = on_check_lock,
    .xFileControl = on_control,
    .xSectorSize = on_sector,
    .xDeviceCharacteristics = on_characteristics,
};

static int on_open(sqlite3_vfs *vfs UNUSED, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
  must(name != NULL && strlen(name) < DISK_NAME_SIZE);
  struct disk_bytes *found = find(name);
  if (found == NULL) {
    found = find("");
    must(found != NULL);
    *found = (struct disk_bytes){0};
    memcpy(found->name, name, strlen(name) + 1);
  }
  *(struct disk_file *)file = (struct disk_file){.base.pMethods = &methods, .file = found};
  if (ret_flags != NULL)
    *ret_flags = flags;
  return SQLITE_OK;
}

static int on_delete(sqlite3_vfs *vfs UNUSED, const char *name, int sync UNUSED)
{
  struct disk_bytes *found = find(name);
  if (found == NULL)
    return SQLITE_IOERR_DELETE_NOENT;
  free(found->bytes);
  *found = (struct disk_bytes){0};
  return SQLITE_OK;
}

static int on_access(sqlite3_vfs *vfs UNUSED, const char *name, int flags UNUSED, int *ret_found)
{
  *ret_found = find(name) != NULL;
  return SQLITE_OK;
}

void disk_clear(void)
{
  for (size_t i = 0; i < DISK_FILES; i++) {
    free(disk[i].bytes);
    disk[i] = (struct disk_bytes){0};
  }
}

void disk_install(void)
{
  static sqlite3_vfs vfs;
  db_configure();
  vfs = *sqlite3_vfs_find(NULL); /* paths, time and randomness are the real one's */
  vfs.zName = "memory";
  vfs.szOsFile = (int)sizeof(struct disk_file);
  vfs.xOpen = on_open;
  vfs.xDelete = on_delete;
  vfs.xAccess = on_access;
  must(sqlite3_vfs_register(&vfs, 1) == SQLITE_OK);
}
