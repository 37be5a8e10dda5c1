/* The command line. Options that take a number are rows of numbers[], and getopt knows them as OPTION_PORT and the
 * values behind it: the two lists must stay in the same order, and a new one needs its place in both and in
 * set_number().
 *
 * Everything is collected in a struct of its own and handed over only when all of it is right, so that a wrong option
 * starts nothing. */
#include "stand_in/graphsim/options.h"
#include "base/str.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char presence_role[] = "Presence.ReadWrite.All", user_role[] = "User.Read.All";

void options_help(void)
{
  struct buf kinds;
  buf_init(&kinds, 4096);
  faults_kinds(&kinds);
  printf(
      "Usage: graphsim --dir DIR [OPTION]...\n"
      "A local stand-in for Entra's token endpoint and Microsoft Graph's presence API. Listens on 127.0.0.1 with TLS "
      "and\n"
      "writes a ready config.xml, its key, its certificate authority and sim.json into DIR.\n\n"
      "  --dir DIR              where to write; made if missing\n"
      "  --port N               of the TLS listener (default: a free one)\n"
      "  --sim-port N           of the plain port with /sim/state and /sim/log (default: a free one)\n"
      "  --users N              agent001@contoso.com and so on (default 250), besides five with difficult names\n"
      "  --seed N               same seed, same ids, secret and faults (default 1)\n"
      "  --fault KIND[:P[:N]]   with probability P (default 1), N times at most; may be repeated\n"
      "  --token-life SECONDS   expires_in of a token (default 3599)\n"
      "  --refresh-in SECONDS   refresh_in of a token (default: not sent)\n"
      "  --roles ROLE,...       the roles of a token (default %s,%s; \"none\")\n"
      "  --requests-per-30s N   presence limit; more is answered with 429 (default 1500)\n"
      "  --latency MS           before every answer of Graph (default 0)\n"
      "  --scenario FILE.lua    a script of faults and of what people do; see below\n"
      "  --help\n\n"
      "Fault kinds: token-* befall token requests, lookup-* user lookups, batch-* a whole $batch, the others presence "
      "actions.\n%s\n",
      presence_role, user_role, buf_text(&kinds));
  buf_release(&kinds);
  printf("\n"
         "A scenario is Lua that runs beside; what stands before its first wait holds from the beginning:\n"
         "  wait(\"1m30s\")                            goes on after this long\n"
         "  faults { \"throttle:0.5\", \"reset\" }       these instead of all before; faults {} ends all\n"
         "  retry_after(\"120s\")                      what throttling faults ask for from now on (at first 2s)\n"
         "  teams(upn, availability, activity)       what their Teams client shows; teams(upn, nil) closes it\n"
         "  preferred(upn, availability, activity)   what they choose by hand; nil takes it back\n"
         "  users.add(upn, id)  users.rename(upn, new)  users.delete(upn)\n"
         "  users.disable(upn)  users.enable(upn)  users.unlicense(upn)  users.license(upn)\n"
         "  say(text)                                 a line on standard output\n"
         "besides Lua's string, table, math, utf8. Errors name file and line, and end graphsim with exit code 2.\n");
}

enum {
  OPTION_DIR = 256, /* beyond any character, as getopt wants it */
  OPTION_FAULT,
  OPTION_ROLES,
  OPTION_SCENARIO,
  OPTION_HELP,
  OPTION_PORT, /* the first that takes a number: the order of numbers[] */
  OPTION_SIM_PORT,
  OPTION_USERS,
  OPTION_SEED,
  OPTION_TOKEN_LIFE,
  OPTION_REFRESH_IN,
  OPTION_REQUESTS,
  OPTION_LATENCY,
};

static const struct {
  const char *name;
  int64_t min, max;
} numbers[] = {
    {"port", 0, 65535},
    {"sim-port", 0, 65535},
    {"users", 0, 100000},
    {"seed", 0, INT64_MAX},
    {"token-life", 1, 100000},
    {"refresh-in", 1, 100000},
    {"requests-per-30s", 1, 1000000},
    {"latency", 0, 60000},
};

static void set_number(struct options *options, int option, int64_t number)
{
  switch (option) {
  case OPTION_PORT:
    options->port = (int)number;
    break;
  case OPTION_SIM_PORT:
    options->sim_port = (int)number;
    break;
  case OPTION_USERS:
    options->users = (int)number;
    break;
  case OPTION_SEED:
    options->seed = (uint64_t)number;
    break;
  case OPTION_TOKEN_LIFE:
    options->tenant.token_life_s = number;
    break;
  case OPTION_REFRESH_IN:
    options->tenant.refresh_in_s = number;
    break;
  case OPTION_REQUESTS:
    options->tenant.requests_per_30s = (int)number;
    break;
  default:
    options->tenant.latency_ms = number;
    break;
  }
}

/* What is named replaces both defaults. "none" names nothing and so leaves a token without roles, as Entra issues it
 * when no permission was granted. */
static bool parse_roles(struct options *options, const char *text, struct err *err)
{
  char copy[256], *rest = NULL;
  options->tenant.presence_role = options->tenant.user_role = false;
  if (!str_copy(copy, sizeof copy, text))
    return err_set(err, ERR_CONFIG, "--roles: too long; give %s,%s or \"none\"", presence_role, user_role);
  for (char *role = strtok_r(copy, ",", &rest); role != NULL; role = strtok_r(NULL, ",", &rest)) {
    if (strcmp(role, presence_role) == 0)
      options->tenant.presence_role = true;
    else if (strcmp(role, user_role) == 0)
      options->tenant.user_role = true;
    else if (strcmp(role, "none") != 0)
      return err_set(
          err, ERR_CONFIG, "--roles: \"%s\" is not known; give %s,%s or \"none\"", role, presence_role, user_role);
  }
  return true;
}

static bool apply(struct options *options, int option, const char *text, bool *help, struct err *err)
{
  switch (option) {
  case OPTION_DIR:
    options->dir = text;
    return true;
  case OPTION_FAULT:
    return faults_add(&options->faults, text, err) || err_add(err, "--fault");
  case OPTION_ROLES:
    return parse_roles(options, text, err);
  case OPTION_SCENARIO:
    options->scenario = text;
    return true;
  case OPTION_HELP:
    *help = true;
    return true;
  default:
    break;
  }
  /* All that is left takes a number. */
  size_t which = (size_t)(option - OPTION_PORT);
  must(which < COUNT_OF(numbers));
  int64_t number;
  if (!str_parse_int(text, numbers[which].min, numbers[which].max, &number))
    return err_set(
        err, ERR_CONFIG, "--%s: \"%s\" will not do; give a whole number from %lld to %lld", numbers[which].name, text,
        (long long)numbers[which].min, (long long)numbers[which].max);
  set_number(options, option, number);
  return true;
}

bool options_parse(int argc, char **argv, struct options *ret_options, bool *ret_help, struct err *err)
{
  struct option table[5 + COUNT_OF(numbers) + 1] = {
      {"dir", required_argument, NULL, OPTION_DIR},     {"fault", required_argument, NULL, OPTION_FAULT},
      {"roles", required_argument, NULL, OPTION_ROLES}, {"scenario", required_argument, NULL, OPTION_SCENARIO},
      {"help", no_argument, NULL, OPTION_HELP},
  };
  /* Behind the five that take no number; the last row stays zero, which ends the table for getopt. */
  for (size_t i = 0; i < COUNT_OF(numbers); i++)
    table[5 + i] = (struct option){numbers[i].name, required_argument, NULL, OPTION_PORT + (int)i};
  struct options options = {
      .users = 250,
      .seed = 1,
      .tenant = {.token_life_s = 3599, .requests_per_30s = 1500, .presence_role = true, .user_role = true},
  };
  bool help = false;
  /* Its messages know no remedy; ours are made here. The ":" tells a missing value from an unknown option. */
  opterr = 0;
  for (int option; (option = getopt_long(argc, argv, ":", table, NULL)) != -1;) {
    if (option == '?')
      return err_set(err, ERR_CONFIG, "%s: no such option; see graphsim --help", argv[optind - 1]);
    if (option == ':')
      return err_set(err, ERR_CONFIG, "%s: needs a value; see graphsim --help", argv[optind - 1]);
    if (!apply(&options, option, optarg, &help, err))
      return false;
  }
  if (optind < argc)
    return err_set(err, ERR_CONFIG, "%s: is no option; see graphsim --help", argv[optind]);
  if (options.dir == NULL && !help)
    return err_set(err, ERR_CONFIG, "--dir is missing; say where to write config.xml; see graphsim --help");
  /* Last, since --seed may stand behind --fault. */
  options.faults.seed.state = options.seed;
  *ret_options = options;
  *ret_help = help;
  return true;
}
