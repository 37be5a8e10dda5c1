#include "base/wiped.h"
#include "base/must.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void wiped_reserve(struct wiped *wiped, size_t length)
{
  wiped_release(wiped);
  /* Pages of its own, because dumping and locking are settled by the page: in the heap, secrets would share it with
   * anything. */
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  size_t mapped = (length / page + 1) * page; /* always one byte more than length, for the NUL */
  void *memory = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  must(memory != MAP_FAILED);
  /* Both may be refused (limits, old kernels): the secret is then only as safe as the process. */
  (void)madvise(memory, mapped, MADV_DONTDUMP);
  (void)mlock(memory, mapped);
  *wiped = (struct wiped){memory, length, mapped};
}

void wiped_set(struct wiped *wiped, const void *bytes, size_t length)
{
  struct wiped fresh = WIPED_INIT; /* `bytes` may lie in the old mapping */
  wiped_reserve(&fresh, length);
  if (length > 0)
    memcpy(fresh.bytes, bytes, length);
  wiped_release(wiped);
  *wiped = fresh;
}

void wiped_release(struct wiped *wiped)
{
  if (wiped->bytes != NULL) {
    explicit_bzero(wiped->bytes, wiped->mapped);
    munmap(wiped->bytes, wiped->mapped);
  }
  *wiped = (struct wiped)WIPED_INIT;
}

const char *wiped_text(const struct wiped *wiped)
{
  return wiped->bytes == NULL ? "" : (const char *)wiped->bytes;
}
