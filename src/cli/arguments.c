/* Options and arguments of a command. Options are taken out of the arguments as the command asks for them, in any order
 * and place; what is left then are arguments, and cli_no_more() says of the rest what is wrong. So an option that no
 * command asks for cannot pass unnoticed. */
#include "base/clock.h"
#include "base/str.h"
#include "cli/cli.h"
#include "host/direct.h"

#include <stdio.h>
#include <string.h>

bool cli_flag(struct cli *cli, const char *name)
{
  for (int i = 0; i < cli->argc; i++)
    if (strcmp(cli->argv[i], name) == 0) {
      memmove(&cli->argv[i], &cli->argv[i + 1], (size_t)(cli->argc - i) * sizeof *cli->argv);
      cli->argc--;
      return true;
    }
  return false;
}

const char *cli_option(struct cli *cli, const char *name)
{
  size_t length = strlen(name);
  for (int i = 0; i < cli->argc; i++) {
    int used = 0;
    const char *value = NULL;
    if (strcmp(cli->argv[i], name) == 0 && i + 1 < cli->argc) {
      value = cli->argv[i + 1];
      used = 2;
    } else if (strncmp(cli->argv[i], name, length) == 0 && cli->argv[i][length] == '=' && str_starts(name, "--")) {
      value = cli->argv[i] + length + 1;
      used = 1;
    }
    if (used == 0)
      continue;
    memmove(&cli->argv[i], &cli->argv[i + used], (size_t)(cli->argc - i - used + 1) * sizeof *cli->argv);
    cli->argc -= used;
    return value;
  }
  return NULL;
}

bool cli_no_more(struct cli *cli, int min, int max)
{
  for (int i = 0; i < cli->argc; i++)
    if (cli->argv[i][0] == '-' && cli->argv[i][1] != '\0') {
      fprintf(
          stderr, "presenced: %s: %s is no option of this command, or lacks its value; see presenced %s --help\n",
          cli->command, cli->argv[i], cli->command);
      return false;
    }
  if (cli->argc >= min && cli->argc <= max)
    return true;
  fprintf(
      stderr, "presenced: %s: %s; usage: presenced %s %s\n", cli->command,
      cli->argc < min ? "an argument is missing" : "too many arguments", cli->command, cli->usage);
  return false;
}

bool cli_read_hold(const char *text, int64_t *ret_ms)
{
  *ret_ms = DIRECT_DEFAULT_HOLD_MS;
  if (text != NULL && !clock_parse_duration(text, ret_ms)) {
    fprintf(stderr, "presenced: --for: %s is no duration; write e.g. 45m, 1h30m or PT45M\n", text);
    return false;
  }
  if (*ret_ms >= PRESENCE_SESSION_MIN_MS && *ret_ms <= 7 * CLOCK_DAY)
    return true;
  fprintf(stderr, "presenced: --for: %s is out of range; write a duration of 5m to 7d\n", text);
  return false;
}
