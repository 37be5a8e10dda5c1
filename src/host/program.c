#include "host/program.h"
#include "base/must.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void program_begin(void)
{
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (fcntl(fd, F_GETFD) < 0)
      must(open("/dev/null", O_RDWR) == fd); /* the lowest number that is free */
}

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
