#include "host/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int program_fail(const struct err *err)
{
  fprintf(stderr, "presenced: %s\n", err->text);
  return err->kind == ERR_CONFIG ? EXIT_USAGE : EXIT_FAILED;
}

const char *program_colour(const char *code)
{
  const char *no = getenv("NO_COLOR");
  return isatty(STDOUT_FILENO) == 1 && (no == NULL || *no == '\0') ? code : "";
}
