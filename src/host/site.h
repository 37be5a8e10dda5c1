/* This installation: its configuration with opened secrets and loaded rulesets, as every command needs it. */
#ifndef HOST_SITE_H
#define HOST_SITE_H

#include "config/config.h"
#include "rules/rules.h"
#include "secret/credential.h"

struct json;

/* Where it is, as the command line says. Borrowed. */
struct site_place {
  const char *config_path; /* -c, --config */
  const char *key_file;    /* --key-file, or NULL */
};

struct site {
  struct config config;
  struct credential *credentials; /* one per account */
  struct ruleset **rulesets;      /* one per account; NULL entries without SITE_WITH_RULES */
  struct ruleset **shadows;       /* likewise, and NULL entries without Shadow */
  const char **account_ids;       /* borrowed from config */
  struct json *json;
};

/* Each with the ones before. */
enum site_parts { SITE_CONFIG, SITE_WITH_SECRETS, SITE_WITH_RULES };

/* Errors are ready to print. On failure nothing is left to close. */
bool site_open(const struct site_place *place, enum site_parts parts, struct site *ret_site, struct err *err)
    MUST_CHECK;
void site_close(struct site *site);
/* For a site without them; on failure some may be there. */
bool site_load_rulesets(struct site *site, uint32_t generation, struct err *err) MUST_CHECK;
/* Puts a fresh one into the place of the one that runs, where everybody looks, and the other way round; but `json`, of
 * which others have the address, stays. */
void site_exchange(struct site *running, struct site *fresh);

/* As config.xml says, and as its defaults are, for commands that need none. */
struct rules_limits site_rules_limits(const struct config *config);
struct rules_limits site_default_rules_limits(void);

#endif
