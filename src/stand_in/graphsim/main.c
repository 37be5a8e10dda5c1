/* graphsim: the second program. See graphsim.h for what it is. */
#include "stand_in/graphsim/graphsim.h"

#include <stdio.h>
#include <stdlib.h>

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static int fail(const struct err *err)
{
  fprintf(stderr, "graphsim: %s\n", err->text);
  return err->kind == ERR_CONFIG ? EXIT_USAGE : EXIT_FAILED;
}

int main(int argc, char **argv)
{
  struct err err = ERR_INIT;
  struct options options;
  bool help;
  if (!options_parse(argc, argv, &options, &help, &err))
    return fail(&err);
  if (help) {
    options_help();
    return EXIT_OK;
  }
  struct graphsim *graphsim = must_alloc(sizeof *graphsim); /* too large for the stack */
  bool ok = graphsim_open(graphsim, &options, &err) && graphsim_run(graphsim, &err);
  graphsim_close(graphsim);
  free(graphsim);
  return ok ? EXIT_OK : fail(&err);
}
