/* This installation: its configuration with opened secrets and loaded rulesets, as every command needs it. */
#ifndef CLI_SITE_H
#define CLI_SITE_H

#include "base/wiped.h"
#include "cli/cli.h"
#include "rules/rules.h"

struct json;

struct site {
  struct config config;
  struct wiped *secrets;     /* one per account */
  struct ruleset **rulesets; /* one per account; NULL entries without SITE_WITH_RULES */
  struct ruleset **shadows;  /* likewise, and NULL entries without Shadow */
  const char **account_ids;  /* borrowed from config */
  struct json *json;
};

/* Each with the ones before. SITE_STATE: only where the state file is, and so the daemon; without accounts. */
enum site_parts { SITE_STATE, SITE_CONFIG, SITE_WITH_SECRETS, SITE_WITH_RULES };

/* Errors are ready to print. On failure nothing is left to close. */
bool site_open(const struct cli *cli, enum site_parts parts, struct site *ret_site, struct err *err) MUST_CHECK;
void site_close(struct site *site);
/* For a site without them; on failure some may be there. */
bool site_load_rulesets(struct site *site, uint32_t generation, struct err *err) MUST_CHECK;
/* Puts a fresh one into the place of the one that runs, where everybody looks, and the other way round; but `json`, of
 * which others have the address, stays. */
void site_exchange(struct site *running, struct site *fresh);

/* As config.xml says, and as its defaults are, for commands that need none. */
struct rules_limits site_rules_limits(const struct config *config);
struct rules_limits site_default_rules_limits(void);
/* Where the daemon's control socket is: in $RUNTIME_DIRECTORY, else beside the state file. free() it. */
char *site_control_path(const struct config *config) MUST_CHECK;

#endif
