/* The attributes of config.xml as one table: name, type, default, range, meaning, remedy. Parsing, defaults,
 * suggestions and config_limit_at() are driven by it. Private to the room. */
#ifndef CONFIG_OPTIONS_H
#define CONFIG_OPTIONS_H

#include "base/err.h"
#include "base/must.h"
#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>

#define ELEMENT_PUBLISHER "MsGraphPresencePublisher"
#define ELEMENT_ACCOUNT "Account"
#define ELEMENT_SCRIPT "Script"

enum {
  CONFIG_TEXT_MAX = 2048,  /* bytes of an attribute's value; Domains: CONFIG_DOMAINS_TEXT_MAX */
  CONFIG_ID_MAX = 128,     /* bytes of an account's Id */
  CONFIG_DOMAIN_MAX = 253, /* bytes of a suffix: RFC 1035 */
  CONFIG_ACCOUNTS_MAX = 256,
  CONFIG_SCRIPTS_MAX = 32,
  CONFIG_DOMAINS_MAX = 5000, /* of all accounts: what Entra allows a tenant */
};

enum option_type {
  OPTION_ID,       /* char * */
  OPTION_GUID,     /* char *, lower case */
  OPTION_TENANT,   /* char *, lower case */
  OPTION_SEALED,   /* char * */
  OPTION_DOMAINS,  /* char ** with its count in domain_count */
  OPTION_PATH,     /* char *, relative to the config file's folder */
  OPTION_CLOUD,    /* enum cloud */
  OPTION_URL,      /* char *, without a final slash */
  OPTION_PROXY,    /* char * */
  OPTION_INT,      /* int, within a range */
  OPTION_DURATION, /* int64_t milliseconds, within a range */
  OPTION_BYTES,    /* size_t, within a range */
  OPTION_CHOICE,   /* bool: which of its two words; the default is what zero means */
  OPTION_LATER,    /* of the contract, but of a later version */
};

struct option {
  struct config_limit text; /* default and range of numbers only */
  enum option_type type;
  size_t offset;        /* of the field in struct config, config_account or config_script */
  const char *remedy;   /* what to do when it is missing or wrong; NULL: not required */
  const char *words[2]; /* of OPTION_CHOICE: for false, for true */
  bool for_sealing;     /* of an Account: looked at by CONFIG_FOR_SEALING too */
  bool at_start;        /* a text of the publisher that a running daemon cannot exchange */
};

/* Where a value stands. */
struct place {
  const char *file;
  int line;
  const char *element;
};

/* All options; NULL past the end. */
const struct option *option_at(size_t index);
const struct option *option_find(const char *element, const char *name);
/* "unknown attribute ..." with a suggestion. */
bool option_unknown(const struct place *place, const char *name, struct err *err);
/* Gives every number of the element its default. */
void option_defaults(const char *element, void *target);
/* Checks `value` and puts it into its field of `target`, which becomes the owner. */
bool option_set(
    const struct place *place, const struct option *option, const char *value, void *target,
    struct err *err) MUST_CHECK;
/* The path as seen from the config file's folder; free() it. */
char *option_resolve_path(const char *file, const char *path) MUST_CHECK;
/* At least two labels of letters, digits and hyphens, the last one not a number. */
bool option_is_domain(const char *text);

#endif
