/* publish: shows a presence. While a daemon runs it becomes an override on the agent, which the engine keeps up:
 * nothing goes past the engine. Without one it is sent directly, once. */
#include "base/clock.h"
#include "cli/cli.h"
#include "client/client.h"
#include "host/once.h"

#include <stdio.h>

static bool read_presence(const char *text, enum presence *ret_presence)
{
  if (presence_parse_words(text, ret_presence))
    return true;
  fprintf(
      stderr,
      "presenced: %s is no presence; write teams.available, in_a_call, in_a_conference_call, presenting, busy, "
      "do_not_disturb, be_right_back, away or offline, or a pair like \"Busy InACall\"\n",
      text);
  return false;
}

static int publish_directly(struct cli *cli, enum presence presence, int64_t hold_ms, const char *duration)
{
  const char *upn = cli->argv[0];
  struct script_operation operation = {.kind = SCRIPT_PUBLISH, .presence = presence, .hold_ms = hold_ms, .why = ""};
  if (presence_plane(presence) == PLANE_SESSION && hold_ms > PRESENCE_SESSION_MAX_MS) {
    fprintf(
        stderr, "presenced: --for: %s is out of range without a daemon; Graph takes 5m to 4h for %s\n", duration,
        presence_str(presence));
    return EXIT_USAGE;
  }
  int exit_code = once_run(&cli->place, cli->json, upn, &operation, "published");
  if (exit_code == EXIT_DONE)
    fprintf(stderr, "presenced: %s: no daemon runs with this config.xml, so nothing keeps this up\n", upn);
  return exit_code;
}

int cli_publish(struct cli *cli)
{
  const char *duration = cli_option(cli, "--for");
  enum presence presence;
  int64_t hold_ms;
  struct err err = ERR_INIT;
  char hold[CLOCK_TEXT_SIZE];
  if (!cli_no_more(cli, 2, 2) || !read_presence(cli->argv[1], &presence) || !cli_read_hold(duration, &hold_ms))
    return EXIT_USAGE;
  const char *upn = cli->argv[0], *name = presence_str(presence);
  switch (client_override(cli->place.config_path, upn, name, hold_ms, "the command line", &err)) {
  case CLIENT_NO_DAEMON:
    return publish_directly(cli, presence, hold_ms, duration);
  case CLIENT_DONE:
    printf(
        "%s: %s for %s, kept up by the daemon; `presenced release %s` ends it\n", upn, name,
        clock_short_duration(hold_ms, hold), upn);
    return EXIT_DONE;
  case CLIENT_FAILED:
  case CLIENT_REFUSED:
    break;
  }
  return program_fail(&err);
}
