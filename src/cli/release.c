/* release: ends what publish or clear has set in the running daemon. */
#include "cli/cli.h"
#include "client/client.h"

#include <stdio.h>

int cli_release(struct cli *cli)
{
  struct err err = ERR_INIT;
  if (!cli_no_more(cli, 1, 1))
    return EXIT_USAGE;
  if (client_override(cli->place.config_path, cli->argv[0], NULL, 0, "", &err) != CLIENT_DONE)
    return program_fail(&err);
  printf("%s: released; the contact centre's states count again\n", cli->argv[0]);
  return EXIT_DONE;
}
