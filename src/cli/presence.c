/* presence: what Teams shows of a person, as Graph says it now. */
#include "cli/cli.h"
#include "host/once.h"

int cli_presence(struct cli *cli)
{
  static const struct script_operation operation = {.kind = SCRIPT_PRESENCE, .why = ""};
  return cli_no_more(cli, 1, 1) ? once_run(&cli->place, cli->json, cli->argv[0], &operation, "") : EXIT_USAGE;
}
