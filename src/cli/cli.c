/* The table of commands, and the way from argv to one of them. It stands above the commands, and what they share
 * (arguments.c) below them. */
#include "cli/cli.h"
#include "base/log.h"
#include "base/str.h"
#include "host/program.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#define WITH_CONFIG "  -c, --config FILE   the contact centre's config.xml (default: config.xml)\n"
#define WITH_KEY "      --key-file FILE the key that opens the client secrets\n"
#define WITH_JSON "      --json          the answer for a program\n"

const struct cli_command cli_commands[] = {
    {"run", "[--events FILE|-] [--speed N] [--no-shift] [--until-idle]", "the daemon: agent states to Teams presence",
     WITH_CONFIG WITH_KEY "      --events -      read live events, one JSON object a line, from standard input\n"
                          "      --events FILE   play a recording; its times are shifted so that the latest is now\n"
                          "      --speed N       N times as fast as it was recorded (default: as fast as it is taken)\n"
                          "      --no-shift      leave the recording's times alone\n"
                          "      --until-idle    end when all is read and Graph has confirmed all; presences stay\n"
                          "      --verbose       log each request\n"
                          "A changed config.xml or ruleset is taken up while it runs; SIGHUP makes it look.\n"
                          "Exit code with --until-idle: 0 all confirmed, 3 some parked or some lines no events, 1 no "
                          "token or no state file.\n",
     cli_run},
    {"capacity", "--agents N", "what a tenant's budget carries: requests, headroom, time to converge",
     WITH_JSON
     "      --agents N       agents in all\n"
     "      --budget N       RequestsPer30Seconds (default 1500)\n"
     "      --lease D        Lease (default 1h)\n"
     "      --available P    percent of the agents who are shown as Available at one time (default 50)\n"
     "      --changes N      changes of what an agent shows, per hour (default 12)\n"
     "      --preferred P    percent of the changes that show a preferred presence (default 30)\n"
     "      --anchor         the ruleset says hold = \"anchor\": its figures decide, not those of refreshes\n",
     cli_capacity},
    {"check", "[--strict]", "checks config.xml, the secrets, the rulesets and their tests; sends nothing",
     WITH_CONFIG WITH_KEY "      --strict        refuse what is only a warning, too\n", cli_check},
    {"eval", "RULES.lua [EVENT.json|-]", "what a ruleset makes of an event, and why",
     WITH_JSON "      --teams PRESENCE  what the person's Teams client shows, e.g. Available\n", cli_eval},
    {"test", "RULES.lua...", "runs the rulesets' own tests, and says what they cover",
     WITH_JSON "      --codes FILE    a list of the site's codes and states: names those that no rule answers\n"
               "Exit code: 0 all tests pass, 1 one fails, 2 a file does not load.\n",
     cli_test},
    {"codes", "init --from EVENTS.ndjson", "a codes.csv of every reason code and state in a recording, to fill in",
     WITH_JSON "      --from FILE     the recording, one event a line; - is standard input\n"
               "The table goes to standard output; what the built-in ruleset would show stands in it already.\n",
     cli_codes},
    {"publish", "UPN PRESENCE", "sets a presence once, e.g. teams.busy, or \"Busy InACall\"",
     WITH_CONFIG WITH_KEY WITH_JSON "      --for DURATION  for how long (default: 1h)\n", cli_publish},
    {"clear", "UPN", "removes what we set: session and preferred presence",
     WITH_CONFIG WITH_KEY WITH_JSON
     "      --for DURATION  in a running daemon: for how long nothing is shown (default: 1h)\n",
     cli_clear},
    {"release", "UPN", "ends what publish or clear has set in the running daemon", WITH_CONFIG, cli_release},
    {"lookup", "UPN", "the directory's user of that name", WITH_CONFIG WITH_KEY WITH_JSON, cli_lookup},
    {"presence", "UPN", "what Teams shows", WITH_CONFIG WITH_KEY WITH_JSON, cli_presence},
    {"script", "FILE.lua [ARGUMENT...]", "runs a script: Lua that looks up, publishes, clears, reads",
     WITH_CONFIG WITH_KEY "      --verbose       log each request\n"
                          "What follows FILE.lua is the script's, in arg[1] and on, but for these options.\n"
                          "Exit code: 0 done, 1 the script failed or returned false, 130 interrupted.\n",
     cli_script},
    {"status", "[--agents]", "what the running daemon does",
     WITH_CONFIG WITH_JSON "      --agents        one line per agent: what it shows and which rule said so\n",
     cli_status},
    {"why", "UPN", "what an agent shows, who said so, and what Graph has confirmed", WITH_CONFIG WITH_JSON, cli_why},
    {"reload", "[--dry-run] [--rollback]", "has the running daemon look at config.xml and its rulesets again",
     WITH_CONFIG WITH_JSON "      --dry-run       only say what would change, in config.xml and by rule\n"
                           "      --rollback      run the rules of the generation before again, until a file changes\n"
                           "A config.xml that is not right, or whose rulesets are not, changes nothing: exit code 2.\n",
     cli_reload},
    {"replay", "[--events FILE] --rules NEW.lua [--against OLD.lua]",
     "what another ruleset would have said of a recording, or of what was decided",
     WITH_CONFIG WITH_JSON "      --events FILE   a recording; without one, the decision log (DecisionLog) is read\n"
                           "      --against FILE  the ruleset to compare with (default: the built-in one; of the log, "
                           "what was decided then)\n",
     cli_replay},
    {"resync", "UPN|--all", "sends again what an agent should show, and frees it when it is parked", WITH_CONFIG,
     cli_resync},
    {"secret", "keygen FILE | encrypt --account ID | check", "makes the key; seals and checks client secrets",
     WITH_CONFIG WITH_KEY "      --account ID    the Account that the secret belongs to\n"
                          "The secret is read from the terminal without echo, or from standard input.\n",
     cli_secret},
    {"version", "", "version, libraries, limits", WITH_JSON, cli_version},
    {NULL, NULL, NULL, NULL, NULL},
};

static const struct cli_command *find(const char *name)
{
  for (const struct cli_command *command = cli_commands; command->name != NULL; command++)
    if (strcmp(command->name, name) == 0)
      return command;
  return NULL;
}

static void print_usage(FILE *to)
{
  fputs(
      "presenced: contact-centre agent states as Microsoft Teams presence\n\nusage: presenced COMMAND [options]\n\n",
      to);
  for (const struct cli_command *command = cli_commands; command->name != NULL; command++)
    fprintf(to, "  %-9s %s\n", command->name, command->summary);
  fputs("\npresenced COMMAND --help tells more.\n", to);
}

static int unknown_command(const char *name)
{
  const char *names[COUNT_OF(cli_commands)];
  size_t count = 0;
  for (const struct cli_command *command = cli_commands; command->name != NULL; command++)
    names[count++] = command->name;
  const char *near = str_nearest(name, names, count);
  fprintf(
      stderr, "presenced: %s is no command; %s%s%s\n", name, near == NULL ? "see presenced --help" : "did you mean ",
      near == NULL ? "" : near, near == NULL ? "" : "?");
  return EXIT_USAGE;
}

/* Secrets and tokens are in this process: no core dump, no other process of this user looks in. Not in a debug build,
 * which is made to be looked into, nor under AddressSanitizer, whose leak check is a tracer. */
static void close_shutters(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(PRESENCED_DEBUG)
  (void)prctl(PR_SET_DUMPABLE, 0);
#endif
  (void)signal(SIGPIPE, SIG_IGN);
}

int cli_main(int argc, char **argv)
{
  program_begin();
  setlocale(LC_CTYPE, "C.UTF-8"); /* numbers stay in the C locale */
  if (argc < 2) {
    print_usage(stderr);
    return EXIT_USAGE;
  }
  if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
    print_usage(stdout);
    return EXIT_DONE;
  }
  const struct cli_command *command = find(strcmp(argv[1], "--version") == 0 ? "version" : argv[1]);
  if (command == NULL)
    return unknown_command(argv[1]);
  struct cli cli = {.command = command->name, .usage = command->arguments, .argc = argc - 2, .argv = argv + 2};
  if (cli_flag(&cli, "--help") || cli_flag(&cli, "-h")) {
    printf("presenced %s %s\n%s\n\n%s", command->name, command->arguments, command->summary, command->help);
    return EXIT_DONE;
  }
  const char *config = cli_option(&cli, "--config"), *short_config = cli_option(&cli, "-c");
  cli.place.config_path = config != NULL ? config : short_config != NULL ? short_config : "config.xml";
  cli.place.key_file = cli_option(&cli, "--key-file");
  cli.json = cli_flag(&cli, "--json");
  log_init(cli_flag(&cli, "--verbose") ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, getenv("JOURNAL_STREAM") == NULL);
  close_shutters();
  return command->run(&cli);
}
