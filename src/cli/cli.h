/* The command line: one file per command, each a function of struct cli, and nothing else. This header is what they
 * share: arguments.c takes options apart, cli.c has the table of commands. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "host/program.h"
#include "host/site.h"

struct cli {
  const char *command, *usage; /* its name, and its arguments for the usage line */
  int argc;                    /* arguments behind the command; options are taken out by cli_option() */
  char **argv;
  struct site_place place; /* -c, --config (default "config.xml"); --key-file */
  bool json;               /* --json */
};

struct cli_command {
  const char *name;
  const char *arguments; /* for the usage line */
  const char *summary;   /* one line */
  const char *help;      /* the rest of --help, or "" */
  int (*run)(struct cli *cli);
};

/* NULL-name terminated. */
extern const struct cli_command cli_commands[];

int cli_main(int argc, char **argv);

/* Takes `--name` out of the arguments: true if it was there. */
bool cli_flag(struct cli *cli, const char *name);
/* Takes `--name VALUE` or `--name=VALUE` out: the value, or NULL when not there. A missing value is a usage error,
 * which ends up in cli_no_more(). */
const char *cli_option(struct cli *cli, const char *name);
/* After all options are taken: checks that between `min` and `max` arguments are left and that none begins with "-"
 * (but "-" itself). Says what is wrong and returns false otherwise. */
bool cli_no_more(struct cli *cli, int min, int max) MUST_CHECK;

/* --for of publish and clear: a duration within Graph's bounds and ours, DIRECT_DEFAULT_HOLD_MS where there is none.
 * Says what is wrong and returns false otherwise. */
bool cli_read_hold(const char *text, int64_t *ret_ms) MUST_CHECK;

int cli_secret(struct cli *cli);
int cli_eval(struct cli *cli);
int cli_test(struct cli *cli);
int cli_codes(struct cli *cli);
int cli_capacity(struct cli *cli);
int cli_check(struct cli *cli);
int cli_run(struct cli *cli);
int cli_publish(struct cli *cli);
int cli_clear(struct cli *cli);
int cli_release(struct cli *cli);
int cli_lookup(struct cli *cli);
int cli_presence(struct cli *cli);
int cli_script(struct cli *cli);
int cli_status(struct cli *cli);
int cli_why(struct cli *cli);
int cli_reload(struct cli *cli);
int cli_replay(struct cli *cli);
int cli_resync(struct cli *cli);
int cli_version(struct cli *cli);

#endif
