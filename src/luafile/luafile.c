/* Reading is the part with traps: opening a FIFO waits for a writer, a device never ends, /dev/stdin eats the event
 * stream. So files are opened without blocking and looked at before a byte is read. */
#include "luafile/luafile.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

FILE *luafile_open_regular(const char *path, struct err *err)
{
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  struct stat about;
  bool regular = fd >= 0 && fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
  FILE *file = regular ? fdopen(fd, "r") : NULL;
  if (file != NULL)
    return file;
  const char *cause = fd < 0 || regular        ? strerror(errno)
                      : S_ISDIR(about.st_mode) ? "it is a folder"
                                               : "it is not a regular file";
  err_set(err, ERR_CONFIG, "%s: cannot be read: %s; check the path and its permissions", path, cause);
  if (fd >= 0)
    close(fd);
  return NULL;
}

bool luafile_read(const char *path, struct buf *bytes, const char *remedy, struct err *err)
{
  FILE *file = luafile_open_regular(path, err);
  if (file == NULL)
    return false;
  char block[4096];
  size_t got;
  while ((got = fread(block, 1, sizeof block, file)) > 0)
    if (!buf_add(bytes, block, got))
      break;
  int cause = ferror(file) != 0 ? errno : 0;
  fclose(file);
  if (cause != 0)
    return err_set(err, ERR_CONFIG, "%s: cannot be read: %s; check the disk", path, strerror(cause));
  if (bytes->overflow)
    return err_set(err, ERR_CONFIG, "%s: larger than %zu KiB; %s", path, bytes->limit / 1024, remedy);
  return true;
}

void luafile_skip_mark(const char **text, size_t *length)
{
  if (*length < 3 || memcmp(*text, "\xEF\xBB\xBF", 3) != 0)
    return;
  *text += 3;
  *length -= 3;
}

bool luafile_check_text(const char *text, size_t length, const char *chunk, const char *remedy, struct err *err)
{
  if (str_is_utf8(text, length))
    return true;
  int line = 1;
  for (size_t from = 0; from < length; line++) {
    const char *end = memchr(text + from, '\n', length - from);
    size_t size = end == NULL ? length - from : (size_t)(end - text) - from + 1;
    if (!str_is_utf8(text + from, size))
      break;
    from += size;
  }
  return err_set(err, ERR_CONFIG, "%s:%d: not UTF-8 text; %s", chunk, line, remedy);
}

const char *luafile_name(const char *path)
{
  const char *slash = strrchr(path, '/');
  return slash == NULL ? path : slash + 1;
}

struct vm *luafile_vm(const struct luafile_module *modules, size_t count, struct err *err)
{
  struct vm *vm = vm_new(err);
  if (vm != NULL)
    vm_set_pause(vm, VM_PAUSE_MAX);
  for (size_t i = 0; vm != NULL && i < count; i++)
    if (!vm_load(vm, modules[i].name, modules[i].source, modules[i].length, err)) {
      vm_free(vm);
      return NULL;
    }
  return vm;
}

bool luafile_load_call(
    struct vm *vm, const char *module, const char *function, const struct value *const *arguments, size_t count,
    const struct vm_budget *budget, const char *chunk, bool (*names_place)(const void *context, const char *text),
    const void *context, struct values *values, struct value **ret_result, struct err *err)
{
  if (vm_call(vm, module, function, arguments, count, budget, ERR_CONFIG, values, ret_result, err))
    return true;
  if (err->kind != ERR_CONFIG && !names_place(context, err->text))
    err_add(err, "%s", chunk); /* one allocation beyond the cap has no place of its own */
  err->kind = ERR_CONFIG;
  return false;
}
