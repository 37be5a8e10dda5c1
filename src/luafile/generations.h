/* What runs, what ran before, and what is wanted next: the life of things that are made from Lua files while a daemon
 * runs (rulesets today). Loads all of them or none, numbers each load (a *generation*), keeps the one before for a
 * rollback, and knows which files to watch: also those of a load that failed, for what mends it may be in any of them.
 *
 * It knows no rules: an item is a void pointer, and a struct generations_kind says what can be done with it. */
#ifndef LUAFILE_GENERATIONS_H
#define LUAFILE_GENERATIONS_H

#include "base/err.h"
#include "base/metrics.h"
#include "base/value.h"
#include "luafile/luafile.h"

struct generations;

struct generations_kind {
  /* Loads, checks and tests item `index`; calls on_file for every file that it reads or looks for. NULL: *err says why.
   */
  void *(*load)(
      void *context, size_t index, uint32_t generation, luafile_on_file *on_file, void *file_context, struct err *err);
  void (*release)(void *item);                            /* NULL is fine */
  const char *(*file_at)(const void *item, size_t index); /* NULL past the end */
};

/* kind and context are borrowed. Empty until generations_reset(). */
struct generations *generations_new(const struct generations_kind *kind, void *context);
void generations_free(struct generations *generations); /* the one before goes, too; NULL is fine */
/* Other items run now, so many, of that generation; there is none before any more. */
void generations_reset(struct generations *generations, size_t count, uint32_t newest);
size_t generations_count(const struct generations *generations);
uint32_t generations_next(const struct generations *generations); /* the number that the next load gets */

/* Loads the next generation into `ret_fresh`, which has room for all. False: ERR_CONFIG, and none is loaded. */
bool generations_load(struct generations *generations, void **ret_fresh, struct err *err) MUST_CHECK;
/* What was loaded is not wanted after all. */
void generations_drop(const struct generations *generations, void **fresh);
/* `fresh` runs from now on, in place of what is in `running`, which becomes the one before. */
void generations_take(struct generations *generations, void **running, void **fresh);
/* The one before; NULL: there is none. */
void *const *generations_before(const struct generations *generations);
/* The one before runs again, and what ran is the one before. */
void generations_swap(struct generations *generations, void **running);

/* Every file to be watched, `max` at most: how many. */
size_t generations_files(
    const struct generations *generations, void *const *running, const char **ret_paths, size_t max);

/* A reload has succeeded (err NULL) or was refused. */
void generations_note(struct generations *generations, const struct err *err, int64_t now);
/* {reloads=, failures=, last_failure=, last_failure_at=} */
struct value *generations_view(const struct generations *generations, struct values *values);
uint64_t generations_reloads(const struct generations *generations);
uint64_t generations_failures(const struct generations *generations);

#endif
