/* Preloaded by a test: while the file named by $FULL_DISK exists, nothing more fits on the disk for files whose name
 * contains "state.db". */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_full(int fd)
{
  const char *flag = getenv("FULL_DISK");
  char link[64], path[4096];
  if (flag == NULL || access(flag, F_OK) != 0)
    return false;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0)
    return false;
  path[length] = '\0';
  return strstr(path, "state.db") != NULL;
}

static ssize_t no_space(void)
{
  errno = ENOSPC;
  return -1;
}

ssize_t write(int fd, const void *bytes, size_t count)
{
  static ssize_t (*next)(int, const void *, size_t);
  if (next == NULL)
    next = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
  return is_full(fd) ? no_space() : next(fd, bytes, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset)
{
  static ssize_t (*next)(int, const void *, size_t, off_t);
  if (next == NULL)
    next = (ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite");
  return is_full(fd) ? no_space() : next(fd, bytes, count, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset)
{
  static ssize_t (*next)(int, const void *, size_t, off64_t);
  if (next == NULL)
    next = (ssize_t(*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
  return is_full(fd) ? no_space() : next(fd, bytes, count, offset);
}
