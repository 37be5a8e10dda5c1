/* inotify on folders, with the names that matter filtered here. A watch on the file itself would follow the file, not
 * the name: an editor that writes a new file and renames it over the old one would be seen once, and never again. Each
 * event that concerns us starts the quiet timer anew, so one save, however many writes it takes, is one call. inotify
 * gives the same number for the same folder, so several entries may share one: it is removed with the last of them. */
#include "adapters/files.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

struct watched {
  int folder; /* inotify's watch */
  char *name; /* within it */
};

struct files {
  int fd;
  struct loop_watch *readable;
  struct loop_timer *quiet;
  void (*on_change)(void *context);
  void *context;
  struct watched *watched;
  size_t count;
};

static bool is_watched(const struct files *files, const struct inotify_event *event)
{
  for (size_t i = 0; event->len > 0 && i < files->count; i++)
    if (files->watched[i].folder == event->wd && strcmp(files->watched[i].name, event->name) == 0)
      return true;
  return false;
}

static void on_readable(void *context)
{
  struct files *files = context;
  _Alignas(struct inotify_event) char bytes[4096];
  ssize_t length;
  /* Until it would block, several events at a time. Each is as long as its name, and none is cut in two. */
  while ((length = read(files->fd, bytes, sizeof bytes)) > 0)
    for (char *at = bytes; at < bytes + length;) {
      const struct inotify_event *event = (const struct inotify_event *)(const void *)at;
      /* After an overflow nobody knows what changed. */
      if ((event->mask & IN_Q_OVERFLOW) != 0 || is_watched(files, event))
        loop_timer_in(files->quiet, FILES_QUIET_MS);
      at += sizeof *event + event->len;
    }
}

static void on_quiet(void *context)
{
  struct files *files = context;
  files->on_change(files->context);
}

struct files *files_new(struct loop *loop, void (*on_change)(void *context), void *context, struct err *err)
{
  int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0) {
    err_set(err, ERR_LIMIT, "inotify: %s; raise fs.inotify.max_user_instances", strerror(errno));
    return NULL;
  }
  struct files *files = must_alloc(sizeof *files);
  *files = (struct files){.fd = fd, .on_change = on_change, .context = context};
  files->readable = loop_watch_readable(loop, fd, on_readable, files);
  files->quiet = loop_timer_new(loop, on_quiet, files);
  return files;
}

static bool has_folder(const struct watched *watched, size_t count, int folder)
{
  for (size_t i = 0; i < count; i++)
    if (watched[i].folder == folder)
      return true;
  return false;
}

/* Drops what was watched, but the folders that still are: events that wait to be read bear their number. */
static void forget(struct files *files, struct watched *old, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    if (!has_folder(files->watched, files->count, old[i].folder))
      (void)inotify_rm_watch(files->fd, old[i].folder); /* gone with its folder, or by a neighbour, already */
    free(old[i].name);
  }
  free(old);
}

void files_free(struct files *files)
{
  if (files == NULL)
    return;
  struct watched *old = files->watched;
  size_t count = files->count;
  /* Nothing is left to keep a folder for. */
  files->count = 0;
  forget(files, old, count);
  loop_watch_free(files->readable);
  loop_timer_free(files->quiet);
  close(files->fd);
  free(files);
}

static bool add(struct files *files, const char *path)
{
  char *folder = must_strdup(path);
  char *slash = strrchr(folder, '/');
  const char *name = slash == NULL ? path : path + (slash - folder) + 1;
  if (slash != NULL)
    /* The root keeps its slash. */
    slash[slash == folder] = '\0';
  /* A write counts when the writer closes. IN_CREATE is for links, which are complete when they appear; leaving counts
   * too, so that a reload can say that the file is missing. */
  int watch = inotify_add_watch(
      files->fd, slash == NULL ? "." : folder, IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE);
  int reason = errno;
  free(folder);
  if (watch >= 0)
    files->watched[files->count++] = (struct watched){watch, must_strdup(name)};
  errno = reason;
  return watch >= 0;
}

bool files_watch(struct files *files, const char *const *paths, size_t count, struct err *err)
{
  bool ok = true;
  struct watched *old = files->watched;
  size_t old_count = files->count;
  /* Two each: the path, and what it leads to. */
  files->watched = must_alloc(2 * count * sizeof *files->watched);
  files->count = 0;
  for (size_t i = 0; i < count; i++) {
    if (!add(files, paths[i]))
      ok = err_set(err, ERR_CONFIG, "%s: its folder cannot be watched: %s; reload by hand", paths[i], strerror(errno));
    /* What a link leads to is edited where it is. */
    char *target = realpath(paths[i], NULL);
    if (target != NULL && strcmp(target, paths[i]) != 0 && !add(files, target))
      ok = err_set(err, ERR_CONFIG, "%s: its folder cannot be watched: %s; reload by hand", target, strerror(errno));
    free(target);
  }
  forget(files, old, old_count);
  return ok;
}
