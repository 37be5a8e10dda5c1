/* reload: has the running daemon look at config.xml and its rulesets, and tells what that changes. With --dry-run
 * nothing is taken up: the same answer, in the conditional. */
#include "cli/cli.h"
#include "client/client.h"

#include <stdio.h>

static void print_differences(const struct value *list)
{
  for (size_t i = 0; i < value_count(list); i++)
    printf(
        "%-12s %s (%.0f times)\n", "", value_get_text(value_at(list, i), "what", ""),
        value_get_number(value_at(list, i), "count", 0));
}

/* What another config.xml changes; nothing where it is as it runs. */
static void print_config_answer(const struct value *answer, bool dry_run)
{
  const struct value *config = value_get(answer, "config");
  const char *waits = value_get_text(answer, "waits_for_start", "");
  double cleared = value_get_number(answer, "cleared_first", 0);
  for (size_t i = 0; i < value_count(config); i++)
    printf("%-12s %s\n", i == 0 ? "config" : "", value_text(value_at(config, i), ""));
  if (*waits != '\0')
    printf("%-12s %s: takes effect at the next start\n", value_count(config) == 0 ? "config" : "", waits);
  if (cleared > 0)
    printf(
        "             %.0f agents lose their app registration%s\n", cleared,
        dry_run ? "; what they show would be cleared first" : ", and are cleared first; see `presenced status`");
}

static void print_answer(const struct value *answer, bool dry_run)
{
  printf(
      "generation %.0f%s: %.0f agents %s\n", value_get_number(answer, "generation", 0),
      dry_run                                  ? " (not taken up)"
      : value_get_bool(answer, "waits", false) ? " waits"
                                               : " runs",
      value_get_number(answer, "agents_differ", 0), dry_run ? "would differ" : "differ");
  print_config_answer(answer, dry_run);
  print_differences(value_get(answer, "differences"));
}

int cli_reload(struct cli *cli)
{
  bool dry_run = cli_flag(cli, "--dry-run"), rollback = cli_flag(cli, "--rollback");
  if (!cli_no_more(cli, 0, 0))
    return EXIT_USAGE;
  struct client_answer answer;
  struct err err = ERR_INIT;
  int exit_code = EXIT_DONE;
  struct client_request request = {
      "POST",
      dry_run    ? "/v1/rules/reload?dry_run"
      : rollback ? "/v1/rules/reload?rollback"
                 : "/v1/rules/reload",
      NULL};
  enum client_result result = client_ask(cli->place.config_path, &request, &answer, &err);
  if (result == CLIENT_REFUSED)
    err.kind = ERR_CONFIG; /* the ruleset's fault, or config.xml's */
  if (result != CLIENT_DONE)
    exit_code = program_fail(&err);
  else if (cli->json)
    printf("%s\n", buf_text(&answer.bytes));
  else
    print_answer(answer.body, dry_run);
  client_answer_release(&answer);
  return exit_code;
}
