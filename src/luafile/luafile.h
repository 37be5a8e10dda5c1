/* A Lua file of a customer's in a VM of its own: read without waiting, bounded, loaded beside the trusted modules that
 * decide what it sees, called under a budget. What rulesets, scripts and, later, feeds have in common. */
#ifndef LUAFILE_LUAFILE_H
#define LUAFILE_LUAFILE_H

#include "adapters/vm.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdio.h>

/* Called for every file that was read or looked for, also when that came to nothing: for watching. */
typedef void luafile_on_file(void *context, const char *path);

/* ---- reading */

/* Opens a regular file, and nothing else: a pipe or a device would make the loop wait for its other end. ERR_CONFIG. */
FILE *luafile_open_regular(const char *path, struct err *err) MUST_CHECK;
/* All of a regular file, as much as the buffer takes. remedy: what to do about one that is larger ("split it"). */
bool luafile_read(const char *path, struct buf *bytes, const char *remedy, struct err *err) MUST_CHECK;
/* Steps over a byte order mark, as some editors write it. */
void luafile_skip_mark(const char **text, size_t *length);
/* UTF-8 throughout, or the line that is not: "CHUNK:LINE: not UTF-8 text; REMEDY" (ERR_CONFIG). */
bool luafile_check_text(const char *text, size_t length, const char *chunk, const char *remedy, struct err *err)
    MUST_CHECK;
/* What follows the last slash. */
const char *luafile_name(const char *path);

/* ---- the VM */

/* Trusted Lua that is embedded in the program. */
struct luafile_module {
  const char *name;
  const unsigned char *source;
  size_t length;
};
/* A VM with these modules, in the order in which they require each other. Its collector is set for loading
 * (VM_PAUSE_MAX): set it back when that is done. */
struct vm *luafile_vm(const struct luafile_module *modules, size_t count, struct err *err) MUST_CHECK;
/* A call within a budget of loading. What the file does wrong is ERR_CONFIG; an error that names no place gets `chunk`.
 * names_place: does the text begin with the place of one of the files? */
bool luafile_load_call(
    struct vm *vm, const char *module, const char *function, const struct value *const *arguments, size_t count,
    const struct vm_budget *budget, const char *chunk, bool (*names_place)(const void *context, const char *text),
    const void *context, struct values *values, struct value **ret_result, struct err *err) MUST_CHECK;

#endif
