/* SQLite's way to the disk: everything is handed on, except that nothing is synced (a crash here is the end of the
 * process, not of the machine) and that writes can be made to fail. */
#include "sim.h"

#include <sqlite3.h>
#include <string.h>

struct disk_file {
  sqlite3_file base;
  sqlite3_file *real;
};

static sqlite3_vfs *below;
static int writes_left = -1, failure;

void disk_fail_after(int writes, int how)
{
  writes_left = writes;
  failure = how;
}

static sqlite3_file *real_of(sqlite3_file *file)
{
  return ((struct disk_file *)file)->real;
}

static int on_close(sqlite3_file *file)
{
  int code = real_of(file)->pMethods == NULL ? SQLITE_OK : real_of(file)->pMethods->xClose(real_of(file));
  sqlite3_free(real_of(file));
  return code;
}

static int on_read(sqlite3_file *file, void *bytes, int count, sqlite3_int64 offset)
{
  return real_of(file)->pMethods->xRead(real_of(file), bytes, count, offset);
}

static bool fails(void)
{
  if (writes_left > 0)
    writes_left--;
  return writes_left == 0;
}

static int on_write(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 offset)
{
  return fails() ? failure : real_of(file)->pMethods->xWrite(real_of(file), bytes, count, offset);
}

static int on_truncate(sqlite3_file *file, sqlite3_int64 size)
{
  return fails() ? failure : real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int on_sync(sqlite3_file *file UNUSED, int flags UNUSED)
{
  return SQLITE_OK;
}

static int on_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
  return real_of(file)->pMethods->xFileSize(real_of(file), ret_size);
}

static int on_lock(sqlite3_file *file, int level)
{
  return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int on_unlock(sqlite3_file *file, int level)
{
  return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int on_check_lock(sqlite3_file *file, int *ret_locked)
{
  return real_of(file)->pMethods->xCheckReservedLock(real_of(file), ret_locked);
}

static int on_control(sqlite3_file *file, int operation, void *argument)
{
  return real_of(file)->pMethods->xFileControl(real_of(file), operation, argument);
}

static int on_sector(sqlite3_file *file)
{
  return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int on_characteristics(sqlite3_file *file)
{
  return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
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
    .xUnlock = on_unlock,
    .xCheckReservedLock = on_check_lock,
    .xFileControl = on_control,
    .xSectorSize = on_sector,
    .xDeviceCharacteristics = on_characteristics,
};

static int on_open(sqlite3_vfs *vfs UNUSED, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
  struct disk_file *ours = (struct disk_file *)file;
  *ours = (struct disk_file){.real = sqlite3_malloc(below->szOsFile)};
  if (ours->real == NULL)
    return SQLITE_NOMEM;
  memset(ours->real, 0, (size_t)below->szOsFile);
  int code = below->xOpen(below, name, ours->real, flags, ret_flags);
  if (code == SQLITE_OK)
    ours->base.pMethods = &methods;
  else
    sqlite3_free(ours->real);
  return code;
}

void disk_install(void)
{
  static sqlite3_vfs vfs;
  below = sqlite3_vfs_find(NULL);
  vfs = *below; /* everything but files is the one below's */
  vfs.zName = "sim";
  vfs.szOsFile = (int)sizeof(struct disk_file);
  vfs.xOpen = on_open;
  must(sqlite3_vfs_register(&vfs, 1) == SQLITE_OK);
}
