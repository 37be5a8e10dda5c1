/* The files of a ruleset: the outermost one, what it extends and the codes that they name. They are read here, not by
 * Lua, which only says what it wants; so a ruleset can name files, but not open any. The queue is worked off from the
 * front while reading adds to its end: nearest first, so that each layer comes before those that it extends.
 *
 * Files are told apart by device and inode, because two paths may lead to one file and a link may close a cycle. Every
 * file that was looked for is noted, also one that is not there: it is watched, and its coming may mend the ruleset. */
#include "base/buf.h"
#include "base/str.h"
#include "rules/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

extern const unsigned char embedded_default_lua[];
extern const size_t embedded_default_lua_length;

enum {
  SOURCE_MAX = 256 * 1024, /* bytes of a ruleset file */
  CODES_MAX = 1024 * 1024, /* bytes of a codes file */
  FILES_MAX = 64,          /* of one ruleset */
  DEPTH_MAX = 8,           /* of extends */
  PATH_SIZE = 4096,
};

static const char built_in[] = "default.lua";

/* A file that is to be read. */
struct wanted {
  struct wanted *parent; /* NULL: the outermost */
  bool is_codes, is_built_in;
  char path[PATH_SIZE];
  dev_t device; /* with inode: which file it is, whatever it is called */
  ino_t inode;
  int depth;
  double layer, number; /* codes: for which layer, and which of those that it wants */
};

struct queue {
  struct ruleset *ruleset;
  struct wanted *wanted[FILES_MAX];
  size_t count;
};

/* Lua cuts longer chunk names in its messages, and a cut path leads nowhere; then the file's name alone stands for
 * it. */
static void note_file(struct ruleset *ruleset, const struct wanted *wanted)
{
  ruleset->files = must_realloc(ruleset->files, (ruleset->file_count + 1) * sizeof *ruleset->files);
  struct rules_file *file = &ruleset->files[ruleset->file_count++];
  *file = (struct rules_file){.path = must_strdup(wanted->path)};
  str_cut(
      file->chunk, sizeof file->chunk,
      strlen(wanted->path) <= RULES_CHUNK_NAME_MAX ? wanted->path : luafile_name(wanted->path));
}

/* ---- What a file wants ---- */

/* Where a file is that `parent` names. */
static bool resolve(const struct wanted *parent, const char *name, char to[PATH_SIZE])
{
  const char *slash = strrchr(parent->path, '/');
  int folder = *name == '/' || slash == NULL ? 0 : (int)(slash - parent->path) + 1;
  return snprintf(to, PATH_SIZE, "%.*s%s", folder, parent->path, name) < PATH_SIZE;
}

static bool same_file(const struct wanted *a, const struct wanted *b)
{
  return a->is_built_in || b->is_built_in ? a->is_built_in == b->is_built_in
                                          : a->device == b->device && a->inode == b->inode;
}

/* Finds the file. The built-in ruleset stands in for a default.lua that is not there. One that is not there is noted
 * too: it may come. */
static bool locate(struct ruleset *ruleset, struct wanted *wanted, const char *name, const char *place, struct err *err)
{
  struct stat status;
  if (!resolve(wanted->parent, name, wanted->path))
    return err_set(err, ERR_CONFIG, "%s: the path of \"%.100s\" is too long; shorten it", place, name);
  if (stat(wanted->path, &status) == 0) {
    wanted->device = status.st_dev;
    wanted->inode = status.st_ino;
    return true;
  }
  if (errno == ENOENT && !wanted->is_codes && strcmp(name, built_in) == 0) {
    wanted->is_built_in = true;
    str_cut(wanted->path, sizeof wanted->path, built_in);
    return true;
  }
  int reason = errno;
  note_file(ruleset, wanted);
  return err_set(
      err, ERR_CONFIG, "%s: %.200s cannot be read: %s; check the path, which begins at this file's folder", place,
      wanted->path, strerror(reason));
}

static bool enqueue(struct queue *queue, struct wanted *parent, const struct value *want, struct err *err)
{
  const char *name = value_get_text(want, "name", ""), *place = value_get_text(want, "place", "");
  struct wanted *wanted = must_alloc(sizeof *wanted);
  wanted->parent = parent;
  wanted->is_codes = strcmp(value_get_text(want, "kind", ""), "codes") == 0;
  wanted->depth = parent->depth + 1;
  wanted->layer = value_get_number(want, "layer", 0);
  wanted->number = value_get_number(want, "number", 0);
  bool known = false, ok = locate(queue->ruleset, wanted, name, place, err);
  /* Up the chain only: that two branches extend the same file is fine, that one extends itself is a cycle. */
  for (struct wanted *above = parent; ok && !wanted->is_codes && above != NULL; above = above->parent)
    if (same_file(above, wanted))
      ok = err_set(err, ERR_CONFIG, "%s: %.200s extends itself; remove it", place, wanted->path);
  if (ok && wanted->depth > DEPTH_MAX)
    ok = err_set(err, ERR_CONFIG, "%s: extends is nested more than %d deep; use fewer files", place, DEPTH_MAX);
  /* A file that two layers extend counts once, at its nearest place. Codes are read for each layer that names them,
   * since they become a part of it. */
  for (size_t i = 0; ok && !wanted->is_codes && i < queue->count; i++)
    known = known || (!queue->wanted[i]->is_codes && same_file(queue->wanted[i], wanted));
  if (ok && !known && queue->count == FILES_MAX)
    ok = err_set(err, ERR_CONFIG, "%s: more than %d files; use fewer", place, FILES_MAX);
  if (ok && !known)
    queue->wanted[queue->count++] = wanted;
  else
    free(wanted);
  return ok;
}

bool rules_names_file(const struct ruleset *ruleset, const char *text)
{
  for (size_t i = 0; i < ruleset->file_count; i++)
    if (str_starts(text, ruleset->files[i].chunk) && text[strlen(ruleset->files[i].chunk)] == ':')
      return true;
  return str_starts(text, built_in) && text[strlen(built_in)] == ':';
}

/* ---- Reading ---- */

static bool hand_over(
    struct queue *queue, struct wanted *wanted, const char *text, size_t length, const char *chunk, struct err *err)
{
  struct values values = {0};
  struct value *result;
  const struct value *arguments[] = {value_bytes(&values, text, length), value_string(&values, chunk), NULL, NULL};
  size_t count = 2;
  if (wanted->is_codes) {
    arguments[count++] = value_number(&values, wanted->layer);
    arguments[count++] = value_number(&values, wanted->number);
  } else if (wanted->parent == NULL) {
    arguments[count++] = rules_presence_catalog(&values);
  }
  bool ok = rules_load_call(
      queue->ruleset, wanted->is_codes ? "read_codes" : "read", arguments, count, chunk, &values, &result, err);
  for (size_t i = 0; ok && !wanted->is_codes && i < value_count(result); i++)
    ok = enqueue(queue, wanted, value_at(result, i), err);
  values_release(&values);
  return ok;
}

static bool read_wanted(struct queue *queue, struct wanted *wanted, struct err *err)
{
  const char *text = (const char *)embedded_default_lua;
  size_t length = embedded_default_lua_length, limit = wanted->is_codes ? CODES_MAX : SOURCE_MAX;
  struct buf bytes;
  buf_init(&bytes, limit);
  bool ok = true;
  char chunk[RULES_CHUNK_NAME_MAX + 1];
  str_cut(chunk, sizeof chunk, built_in);
  if (!wanted->is_built_in) {
    note_file(queue->ruleset, wanted);
    str_cut(chunk, sizeof chunk, queue->ruleset->files[queue->ruleset->file_count - 1].chunk);
    ok = luafile_read(wanted->path, &bytes, "split what is not needed off", err);
    text = buf_text(&bytes);
    length = bytes.length;
  }
  luafile_skip_mark(&text, &length);
  ok = ok &&
       luafile_check_text(
           text, length, chunk, wanted->is_codes ? "save it as \"CSV UTF-8\"" : "save the file as UTF-8", err) &&
       hand_over(queue, wanted, text, length, chunk, err);
  buf_release(&bytes);
  return ok;
}

bool rules_read_files(struct ruleset *ruleset, const char *path, struct err *err)
{
  struct queue queue = {.ruleset = ruleset, .count = 1};
  struct wanted *outermost = queue.wanted[0] = must_alloc(sizeof *outermost);
  struct stat status;
  outermost->is_built_in = path == NULL;
  bool ok = str_copy(outermost->path, sizeof outermost->path, path == NULL ? built_in : path) ||
            err_set(err, ERR_CONFIG, "%.100s...: the path is too long; shorten it", path);
  /* If it cannot be found, read_file() says so, and better. */
  if (ok && path != NULL && stat(path, &status) == 0) {
    outermost->device = status.st_dev;
    outermost->inode = status.st_ino;
  }
  /* The count grows meanwhile: hand_over() adds what each file wants. */
  for (size_t i = 0; ok && i < queue.count; i++)
    ok = read_wanted(&queue, queue.wanted[i], err);
  for (size_t i = 0; i < queue.count; i++)
    free(queue.wanted[i]);
  return ok;
}
