/* run: the daemon. */
#include "cli/cli.h"
#include "daemon/daemon.h"

#include <stdio.h>
#include <stdlib.h>

static bool read_speed(const char *text, double *ret_speed)
{
  char *end;
  if (text == NULL)
    return true;
  *ret_speed = strtod(text, &end);
  if (*end == '\0' && end != text && *ret_speed > 0 && *ret_speed <= 1e6)
    return true;
  fprintf(stderr, "presenced: --speed: %s is not a number above 0; write e.g. --speed 60\n", text);
  return false;
}

int cli_run(struct cli *cli)
{
  const char *speed = cli_option(cli, "--speed");
  struct lines_options events = {.path = cli_option(cli, "--events"), .shift = !cli_flag(cli, "--no-shift")};
  struct daemon_options options = {.place = cli->place, .until_idle = cli_flag(cli, "--until-idle")};
  if (!cli_no_more(cli, 0, 0) || !read_speed(speed, &events.speed))
    return EXIT_USAGE;
  if (events.path != NULL)
    options.events = &events;
  return daemon_run(&options);
}
