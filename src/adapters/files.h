/* Notices when files change (inotify), by watching their folders, so that editors which write a new file and rename it
 * over the old one are seen too. Linux's own interface; no library stands behind it. */
#ifndef ADAPTERS_FILES_H
#define ADAPTERS_FILES_H

#include "adapters/loop.h"

enum { FILES_QUIET_MS = 200 }; /* an editor's several writes are one change */

struct files;

/* on_change is called once the watched files have been quiet for a moment after a change. */
struct files *files_new(struct loop *loop, void (*on_change)(void *context), void *context, struct err *err) MUST_CHECK;
void files_free(struct files *files); /* NULL is fine */
/* Watches these files, what they link to, and no others any more. A folder that cannot be watched is an error
 * (ERR_CONFIG); the others are. */
bool files_watch(struct files *files, const char *const *paths, size_t count, struct err *err) MUST_CHECK;

#endif
