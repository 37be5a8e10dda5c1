/* Lists of a site's reason codes and agent states: read from what the site has, a table or plain lines, and made from a
 * recording of events. */
#ifndef HOST_CODE_LIST_H
#define HOST_CODE_LIST_H

#include "base/err.h"
#include "model/event.h"

#include <stdio.h>

/* Sorted, compared without ASCII case. Zeroed memory is an empty list. */
struct code_list {
  struct code {
    char *name;    /* as first seen */
    uint64_t seen; /* how often */
  } * codes;
  size_t count, room;
};

/* Counts a name. Spaces around it are the caller's to remove. */
void code_list_add(struct code_list *list, const char *name);
void code_list_release(struct code_list *list);

struct code_lists {
  struct code_list reasons, states;
  struct code_list either; /* of plain lines, which do not say */
};

/* A table with the columns `code` or `state` or both, divided by commas, semicolons or tabs, with or without a byte
 * order mark; or one name a line. Empty lines and those that begin with # are skipped. Errors are ERR_CONFIG. */
bool code_lists_read(const char *path, struct code_lists *ret_lists, struct err *err) MUST_CHECK;
void code_lists_release(struct code_lists *lists);

/* A file line by line, or standard input for "-". */
enum { LINES_MAX_BYTES = EVENT_MAX_BYTES + 2 }; /* one more than an event may have, for intake to refuse */
struct lines {
  FILE *file;
  const char *path;
  int number;    /* of the line at hand, from 1 */
  bool too_long; /* the line at hand: it is cut */
  char text[LINES_MAX_BYTES + 1];
};

/* NULL and *err (ERR_CONFIG) when it cannot be opened. */
struct lines *lines_open(const char *path, struct err *err) MUST_CHECK;
void lines_close(struct lines *lines);
/* The next line without its end. False at the end of the file, or when it cannot be read: then *err says why. */
bool lines_next(struct lines *lines, struct err *err) MUST_CHECK;

#endif
