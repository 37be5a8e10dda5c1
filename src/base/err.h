/* The error value. The caller owns it, it is the last parameter, and nothing is allocated on the failing path.
 *
 *     if (!file_open(path, err))
 *       return err_add(err, "state file");             -> "state file: /x: permission denied; ..."
 *
 * Texts have the form "WHERE: WHAT; REMEDY" where there is a place and a remedy. Floors 0 to 3 return errors, floors 4
 * and 5 log them, once. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/must.h"

#include <stdbool.h>

/* The kind says what to do about it. */
enum err_kind {
  ERR_NONE,
  ERR_CONFIG, /* refuse to start: usage, configuration, ruleset (exit code 2) */
  ERR_INPUT,  /* refuse it and tell the sender */
  ERR_RULE,   /* apply the ruleset's fail policy */
  ERR_STORE,  /* stop intake: nothing can be made durable */
  ERR_NET,    /* try again later */
  ERR_AUTH,   /* get a new token, or tell the administrator */
  ERR_LIMIT,  /* a named limit was reached */
  ERR_BUG,    /* our own fault */
};

struct err {
  enum err_kind kind;
  char text[768]; /* UTF-8, one line */
};

#define ERR_INIT                                                                                                       \
  {                                                                                                                    \
    ERR_NONE, ""                                                                                                       \
  }

/* Both return false, so that an error path is one line. */
bool err_set(struct err *err, enum err_kind kind, const char *format, ...) PRINTF_LIKE(3, 4);
/* Prefixes "format: " to the text. */
bool err_add(struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);
const char *err_kind_str(enum err_kind kind);

#endif
