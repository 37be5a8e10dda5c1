/* config.xml as checked values (README.md, "config.xml, all of it"). Reads files named by the caller and nothing else;
 * does not open secrets, compile rulesets or touch the network.
 *
 * Errors are ERR_CONFIG, "FILE:LINE: WHAT; REMEDY", and name the attribute. */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cloud { CLOUD_GLOBAL, CLOUD_USGOV_L4, CLOUD_USGOV_L5 };

struct config_account {
  int line; /* of the start tag's end, for messages */
  char *id;
  char *client_id;        /* lower case */
  char *tenant_id;        /* GUID in lower case, or a domain */
  char *encrypted_secret; /* "pp1:..." */
  char **domains;         /* lower case, without "@"; or the one entry "*" */
  size_t domain_count;
  char *rules; /* path, or NULL: the built-in default ruleset */
  enum cloud cloud;
  char *authority; /* "https://login.microsoftonline.com", without a final slash */
  char *graph;     /* "https://graph.microsoft.com", likewise */
  int requests_per_30_seconds;
  int lookups_per_10_seconds;
  int64_t lease_ms;
};

struct config_script {
  int line;
  char *file;
};

struct config {
  char *path; /* of the file, as given */
  struct config_account *accounts;
  size_t account_count;
  struct config_script *scripts; /* that the daemon runs */
  size_t script_count;
  char *rules;    /* the publisher's Rules, which accounts without their own were given; or NULL */
  char *state;    /* path of the SQLite file */
  char *ca_file;  /* or NULL */
  char *proxy;    /* or NULL */
  char *key_file; /* as configured, or NULL: see secret/secret.h for the order */
  char *shadow;   /* ruleset run beside, or NULL */
  int connections;
  bool batch_off;                /* every request goes out by itself, never several as one $batch */
  bool preferred_release_always; /* clear a preferred presence without a look at what is shown */
  bool on_stop_clear;            /* take back what is ours before the daemon ends */
  int reload_max_changes;        /* 0: any number */
  int64_t request_timeout_ms;
  int64_t stop_timeout_ms;    /* how long the daemon may take to end */
  int64_t release_timeout_ms; /* how long it may clear what is ours of agents that lose their account */
  int64_t decision_log_ms;    /* how long decisions are kept; 0: they are not */
  int64_t resume_within_ms;   /* after a longer downtime what was said before counts no more; 0: always */
  int64_t decision_cpu_ms, load_cpu_ms;
  size_t decision_memory_bytes, load_memory_bytes;
  int64_t script_cpu_ms;
  size_t script_memory_bytes;
  int script_tasks;
  int64_t policy_cpu_ms;
  int policy_queue;
};

/* How strict loading is. `secret encrypt` must work before there is a sealed secret. */
enum config_purpose {
  CONFIG_FOR_USE,
  CONFIG_FOR_SEALING, /* of an Account only Id, ClientId and TenantId are checked; encrypted_secret is what stands
                         there, or NULL, and the rest is left out */
  CONFIG_FOR_STATE,   /* only State: to find the daemon, whatever is wrong with the rest */
};

/* Relative paths in the result are relative to the config file's folder. State defaults to $STATE_DIRECTORY/state.db,
 * else presenced.db in the working directory. */
bool config_load(const char *path, enum config_purpose purpose, struct config *ret_config, struct err *err) MUST_CHECK;
void config_release(struct config *config);
/* Where the daemon's control socket is: in $RUNTIME_DIRECTORY, else beside the state file. free() it. */
char *config_control_path(const struct config *config) MUST_CHECK;
/* The publisher's limits as they are without a config.xml; nothing else is set, and nothing needs a release. */
void config_defaults(struct config *ret_config);

const struct config_account *config_account_by_id(const struct config *config, const char *id);
/* The account that serves this UPN, by what follows the last `@`; NULL when none does. Without an `@`, only an account
 * with Domains="*" does. */
const struct config_account *config_account_for(const struct config *config, const char *upn);

/* Both belong to one app registration in one tenant, as seen by one Graph: what one has set, the other may clear. */
bool config_same_registration(const struct config_account *a, const struct config_account *b);

/* What `next` changes of `now`, one call each: "account x: Lease 1h -> 30m", "account y is added", or of what takes
 * effect at the next start only, "State". Values that are texts are not shown. */
enum config_effect { CONFIG_LIVE, CONFIG_AT_START };
typedef void config_on_difference(void *context, enum config_effect effect, const char *text);
void config_compare(
    const struct config *now, const struct config *next, config_on_difference *on_difference, void *context);
/* Exchanges what takes effect at the next start only, so that `next` says what is in effect until then. */
void config_keep_until_start(struct config *next, struct config *now);

/* Every limit, for `version` and the tests: name, default, range. NULL past the end. */
struct config_limit {
  const char *element, *attribute, *default_text, *min_text, *max_text, *meaning;
};
const struct config_limit *config_limit_at(size_t index);

#endif
