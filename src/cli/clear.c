/* clear: removes what we set. While a daemon runs, nothing is shown until --for is over or the agent logs on; without
 * one it is cleared once. */
#include "base/clock.h"
#include "cli/cli.h"
#include "client/client.h"
#include "host/once.h"

#include <stdio.h>

int cli_clear(struct cli *cli)
{
  static const struct script_operation operation = {.kind = SCRIPT_CLEAR, .why = ""};
  const char *duration = cli_option(cli, "--for");
  int64_t hold_ms;
  struct err err = ERR_INIT;
  char hold[CLOCK_TEXT_SIZE];
  if (!cli_no_more(cli, 1, 1) || !cli_read_hold(duration, &hold_ms))
    return EXIT_USAGE;
  const char *upn = cli->argv[0];
  switch (client_override(cli->place.config_path, upn, "clear", hold_ms, "the command line", &err)) {
  case CLIENT_NO_DAEMON:
    if (duration != NULL)
      fprintf(stderr, "presenced: --for: no daemon runs with this config.xml, so it is cleared once, for no time\n");
    return once_run(&cli->place, cli->json, upn, &operation, "cleared");
  case CLIENT_DONE:
    printf(
        "%s: clear for %s, kept up by the daemon; `presenced release %s` ends it\n", upn,
        clock_short_duration(hold_ms, hold), upn);
    return EXIT_DONE;
  case CLIENT_FAILED:
  case CLIENT_REFUSED:
    break;
  }
  return program_fail(&err);
}
