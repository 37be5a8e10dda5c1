/* Two sets of items at most are alive beside the one that is being loaded: those that run, which belong to the caller,
 * and the ones before. A load that fails half-way releases what it has loaded, so what runs is never mixed from two. */
#include "luafile/generations.h"
#include "base/must.h"
#include "base/str.h"

#include <string.h>

struct generations {
  const struct generations_kind *kind;
  void *context;
  size_t count;
  void **before; /* NULL entries at first */
  bool has_before;
  uint32_t newest;
  char **wanted; /* files of the last load, where that failed */
  size_t wanted_count;
  uint64_t reloads, failures;
  char last_failure[sizeof(((struct err *)NULL)->text)];
  int64_t last_failure_ms;
};

struct generations *generations_new(const struct generations_kind *kind, void *context)
{
  struct generations *generations = must_alloc(sizeof *generations);
  generations->kind = kind;
  generations->context = context;
  return generations;
}

static void release_all(const struct generations *generations, void **items)
{
  for (size_t i = 0; i < generations->count; i++) {
    generations->kind->release(items[i]);
    items[i] = NULL;
  }
}

static void forget_before(struct generations *generations)
{
  if (generations->before != NULL)
    release_all(generations, generations->before);
  free(generations->before);
  generations->before = NULL;
  generations->has_before = false;
}

static void forget_wanted(struct generations *generations)
{
  for (size_t i = 0; i < generations->wanted_count; i++)
    free(generations->wanted[i]);
  free(generations->wanted);
  generations->wanted = NULL;
  generations->wanted_count = 0;
}

void generations_free(struct generations *generations)
{
  if (generations == NULL)
    return;
  forget_before(generations);
  forget_wanted(generations);
  free(generations);
}

void generations_reset(struct generations *generations, size_t count, uint32_t newest)
{
  forget_before(generations);
  generations->count = count;
  generations->before = must_alloc(count * sizeof *generations->before);
  generations->newest = newest;
  *generations->last_failure = '\0';
}

size_t generations_count(const struct generations *generations)
{
  return generations->count;
}

uint32_t generations_next(const struct generations *generations)
{
  return generations->newest + 1;
}

/* ---- loading */

static void on_file(void *context, const char *path)
{
  struct generations *generations = context;
  generations->wanted =
      must_realloc(generations->wanted, (generations->wanted_count + 1) * sizeof *generations->wanted);
  generations->wanted[generations->wanted_count++] = must_strdup(path);
}

bool generations_load(struct generations *generations, void **ret_fresh, struct err *err)
{
  uint32_t number = generations_next(generations);
  memset(ret_fresh, 0, generations->count * sizeof *ret_fresh);
  forget_wanted(generations);
  for (size_t i = 0; i < generations->count; i++) {
    ret_fresh[i] = generations->kind->load(generations->context, i, number, on_file, generations, err);
    if (ret_fresh[i] != NULL)
      continue;
    release_all(generations, ret_fresh);
    return false;
  }
  forget_wanted(generations); /* the items know their files themselves */
  return true;
}

void generations_drop(const struct generations *generations, void **fresh)
{
  release_all(generations, fresh);
}

void generations_take(struct generations *generations, void **running, void **fresh)
{
  release_all(generations, generations->before);
  for (size_t i = 0; i < generations->count; i++) {
    generations->before[i] = running[i];
    running[i] = fresh[i];
    fresh[i] = NULL;
  }
  generations->has_before = true;
  generations->newest++;
}

void *const *generations_before(const struct generations *generations)
{
  return generations->has_before ? generations->before : NULL;
}

void generations_swap(struct generations *generations, void **running)
{
  for (size_t i = 0; i < generations->count; i++) {
    void *item = running[i];
    running[i] = generations->before[i];
    generations->before[i] = item;
  }
}

size_t generations_files(
    const struct generations *generations, void *const *running, const char **ret_paths, size_t max)
{
  size_t count = 0;
  for (size_t i = 0; i < generations->count; i++) {
    const char *path;
    for (size_t f = 0; count < max && (path = generations->kind->file_at(running[i], f)) != NULL; f++)
      ret_paths[count++] = path;
  }
  for (size_t i = 0; count < max && i < generations->wanted_count; i++)
    ret_paths[count++] = generations->wanted[i];
  return count;
}

/* ---- what came of reloads */

void generations_note(struct generations *generations, const struct err *err, int64_t now)
{
  if (err == NULL) {
    generations->reloads++;
    *generations->last_failure = '\0';
    return;
  }
  generations->failures++;
  generations->last_failure_ms = now;
  must(str_copy(generations->last_failure, sizeof generations->last_failure, err->text));
}

struct value *generations_view(const struct generations *generations, struct values *values)
{
  struct value *view = value_map(values);
  value_put_number(values, view, "reloads", (double)generations->reloads);
  value_put_number(values, view, "failures", (double)generations->failures);
  value_put_text(values, view, "last_failure", generations->last_failure);
  value_put_instant(
      values, view, "last_failure_at", *generations->last_failure == '\0' ? 0 : generations->last_failure_ms);
  return view;
}

uint64_t generations_reloads(const struct generations *generations)
{
  return generations->reloads;
}

uint64_t generations_failures(const struct generations *generations)
{
  return generations->failures;
}
