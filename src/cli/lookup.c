/* lookup: the directory's user of a name. */
#include "cli/cli.h"
#include "host/once.h"

int cli_lookup(struct cli *cli)
{
  return cli_no_more(cli, 1, 1) ? once_run(&cli->place, cli->json, cli->argv[0], NULL, "found") : EXIT_USAGE;
}
