/* What every command of the program does alike: exit codes, the line on failure, colours. */
#ifndef HOST_PROGRAM_H
#define HOST_PROGRAM_H

#include "base/err.h"

enum {
  EXIT_DONE = 0,
  EXIT_FAILED = 1, /* the thing asked for failed */
  EXIT_USAGE = 2,  /* usage, configuration or ruleset */
  EXIT_PARKED = 3, /* finished, but some presences are parked */
};

/* First of all: standard input, output and error are open, on /dev/null where the caller has closed them. Else the next
 * file, or the loop, would get their number. */
void program_begin(void);
/* Prints "presenced: TEXT" on standard error and returns the exit code of the error's kind. */
int program_fail(const struct err *err);
/* Colour codes for standard output: "" unless it is a terminal and NO_COLOR is unset. */
const char *program_colour(const char *code);

#endif
