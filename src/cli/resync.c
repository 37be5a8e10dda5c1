/* resync: has the running daemon send again what an agent, or all of them, should show. */
#include "cli/cli.h"
#include "client/client.h"

#include <stdio.h>

int cli_resync(struct cli *cli)
{
  bool all = cli_flag(cli, "--all");
  if (!cli_no_more(cli, all ? 0 : 1, all ? 0 : 1))
    return EXIT_USAGE;
  struct client_answer answer;
  struct buf target;
  struct err err = ERR_INIT;
  int exit_code = EXIT_DONE;
  buf_init(&target, 4096);
  if (all)
    buf_add_str(&target, "/v1/resync");
  else
    client_add_agent(&target, cli->argv[0], "/resync");
  struct client_request request = {"POST", buf_text(&target), NULL};
  if (client_ask(cli->place.config_path, &request, &answer, &err) == CLIENT_DONE) {
    double count = value_get_number(answer.body, "agents", 0);
    printf("%.0f agent%s sent again\n", count, count == 1 ? "" : "s");
  } else {
    if (!all)
      err_add(&err, "%s", cli->argv[0]);
    exit_code = program_fail(&err);
  }
  client_answer_release(&answer);
  buf_release(&target);
  return exit_code;
}
