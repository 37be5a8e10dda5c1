/* The attributes of config.xml as one table. A row is all that an option needs: parsing and checks (values.c), its
 * default, the suggestion for a misspelt name, the list of `version`, the comparison with a changed file and the tests
 * are driven by it. Default and range are texts as an author writes them, so that messages show them in the author's
 * units; that they parse is a promise that must() keeps.
 *
 * The trap: `offset` counts from the struct of the row's element, P() with publisher, A() with account, S() with
 * script, and the compiler cannot tell when these do not belong together. */
#include "config/options.h"
#include "base/str.h"

#include <string.h>

#define P(field) offsetof(struct config, field)
#define A(field) offsetof(struct config_account, field)
#define S(field) offsetof(struct config_script, field)

#define COPY_CLIENT "copy \"Application (client) ID\" from the app registration's Overview page"
#define COPY_TENANT "copy \"Directory (tenant) ID\" from the app registration's Overview page"
#define MAKE_SECRET "make it with `presenced secret encrypt --account ID`"

static const char publisher[] = ELEMENT_PUBLISHER, account[] = ELEMENT_ACCOUNT, script[] = ELEMENT_SCRIPT;

/* IDENTITY: what sealing a secret needs too. TEXT: a remedy makes it required. NUMBER: a limit, always with a range.
 * START: one that a running daemon cannot exchange. CHOICE: one of two words, the default first. LATER: of the
 * contract, but not built yet; it is refused by name rather than taken for a misspelling. */
#define IDENTITY(name, type, field, meaning, remedy)                                                                   \
  {                                                                                                                    \
    {account, name, NULL, NULL, NULL, meaning}, type, A(field), remedy, {NULL, NULL}, true, false                      \
  }
#define TEXT(element, name, type, offset, meaning, remedy)                                                             \
  {                                                                                                                    \
    {element, name, NULL, NULL, NULL, meaning}, type, offset, remedy, {NULL, NULL}, false, false                       \
  }
#define START(name, type, field, meaning)                                                                              \
  {                                                                                                                    \
    {publisher, name, NULL, NULL, NULL, meaning}, type, P(field), NULL, {NULL, NULL}, false, true                      \
  }
#define NUMBER(element, name, type, offset, otherwise, min, max, meaning)                                              \
  {                                                                                                                    \
    {element, name, otherwise, min, max, meaning}, type, offset, NULL, {NULL, NULL}, false, false                      \
  }
#define CHOICE(name, field, otherwise, other, meaning)                                                                 \
  {                                                                                                                    \
    {publisher, name, NULL, NULL, NULL, meaning}, OPTION_CHOICE, P(field), NULL, {otherwise, other}, false, false      \
  }
#define LATER(element, name, meaning) TEXT(element, name, OPTION_LATER, 0, meaning, NULL)

/* The order is the one in which missing attributes are looked for and in which `version` lists the limits. */
static const struct option options[] = {
    IDENTITY("Id", OPTION_ID, id, "the account's unique name", "name it after its domain, as in Id=\"contoso.com\""),
    IDENTITY("ClientId", OPTION_GUID, client_id, "the app registration", COPY_CLIENT),
    IDENTITY("TenantId", OPTION_TENANT, tenant_id, "the tenant", COPY_TENANT),
    TEXT(account, "Encryptedsecret", OPTION_SEALED, A(encrypted_secret), "the sealed client secret", MAKE_SECRET),
    TEXT(account, "Domains", OPTION_DOMAINS, A(domains), "UPN suffixes served by this account", NULL),
    TEXT(account, "Rules", OPTION_PATH, A(rules), "ruleset file", NULL),
    TEXT(account, "Cloud", OPTION_CLOUD, A(cloud), "Global, USGovL4 or USGovL5", NULL),
    TEXT(account, "Authority", OPTION_URL, A(authority), "base URL of the token endpoint", NULL),
    TEXT(account, "Graph", OPTION_URL, A(graph), "base URL of Microsoft Graph", NULL),
    /* Microsoft has raised the limit of presence requests from 1,500 to 10,000 per application and tenant in 30
     * seconds, but two of its pages still say 1,500. So that is the default, and the newer one what a site may choose.
     * A lookup costs one resource unit, of which the smallest tenants have 3,500 in ten seconds. */
    NUMBER(
        account, "RequestsPer30Seconds", OPTION_INT, A(requests_per_30_seconds), "1500", "1", "10000",
        "presence requests in any 30 seconds, per TenantId and ClientId"),
    NUMBER(
        account, "LookupsPer10Seconds", OPTION_INT, A(lookups_per_10_seconds), "500", "1", "3500",
        "user lookups in any 10 seconds, per TenantId and ClientId"),
    /* setPresence takes an expirationDuration of 5 minutes to 4 hours. A longer lease asks for fewer refreshes, and
     * leaves a presence up for longer when this host is gone. */
    NUMBER(account, "Lease", OPTION_DURATION, A(lease_ms), "1h", "5m", "4h", "longest expiration sent for a session"),
    LATER(account, "Publish", "on, dry-run or off"),
    TEXT(publisher, "Rules", OPTION_PATH, P(rules), "ruleset file of accounts without their own", NULL),
    START("State", OPTION_PATH, state, "SQLite file"),
    START("CaFile", OPTION_PATH, ca_file, "extra trust anchors"),
    START("Proxy", OPTION_PROXY, proxy, "proxy URL"),
    TEXT(publisher, "KeyFile", OPTION_PATH, P(key_file), "key of the sealed secrets", NULL),
    NUMBER(publisher, "Connections", OPTION_INT, P(connections), "32", "1", "256", "HTTPS connections at most"),
    NUMBER(
        publisher, "RequestTimeout", OPTION_DURATION, P(request_timeout_ms), "30s", "1s", "5m",
        "time for one request, connecting included"),
    NUMBER(
        publisher, "DecisionTime", OPTION_DURATION, P(decision_cpu_ms), "5ms", "1ms", "1s", "CPU time of one decision"),
    NUMBER(
        publisher, "DecisionMemory", OPTION_BYTES, P(decision_memory_bytes), "4MiB", "1MiB", "256MiB",
        "memory of one decision above the loaded ruleset"),
    NUMBER(
        publisher, "LoadTime", OPTION_DURATION, P(load_cpu_ms), "1s", "10ms", "60s", "CPU time of loading a ruleset"),
    NUMBER(
        publisher, "LoadMemory", OPTION_BYTES, P(load_memory_bytes), "32MiB", "4MiB", "1GiB",
        "memory of a loaded ruleset"),
    NUMBER(
        publisher, "ScriptTime", OPTION_DURATION, P(script_cpu_ms), "1s", "10ms", "60s",
        "CPU time of a script from one answer to its next request"),
    NUMBER(
        publisher, "ScriptMemory", OPTION_BYTES, P(script_memory_bytes), "128MiB", "4MiB", "1GiB",
        "memory of a script"),
    /* Two at least: half of them may be calls of hooks, and each of these must be able to use graph.each. */
    NUMBER(
        publisher, "ScriptTasks", OPTION_INT, P(script_tasks), "1000", "2", "10000",
        "coroutines of a script at once, those of graph.each among them"),
    NUMBER(
        publisher, "PolicyTime", OPTION_DURATION, P(policy_cpu_ms), "50ms", "5ms", "1s",
        "the same of a script that the daemon runs, which publishes nothing meanwhile"),
    NUMBER(
        publisher, "PolicyQueue", OPTION_INT, P(policy_queue), "1000", "1", "100000",
        "decisions and outcomes that may wait for a script that the daemon runs"),
    TEXT(
        script, "File", OPTION_PATH, S(file), "a script that the daemon runs",
        "name it, as in File=\"policies/x.lua\""),
    TEXT(publisher, "Shadow", OPTION_PATH, P(shadow), "a second ruleset run beside, reported, never published", NULL),
    CHOICE("OnStop", on_stop_clear, "leave", "clear", "what happens to presences when the daemon is asked to end"),
    NUMBER(
        publisher, "StopTimeout", OPTION_DURATION, P(stop_timeout_ms), "5s", "0s", "5m",
        "time to send what is left when the daemon is asked to end"),
    NUMBER(
        publisher, "ReleaseTimeout", OPTION_DURATION, P(release_timeout_ms), "1m", "0s", "10m",
        "time to clear what is ours of agents whose account a changed config.xml takes away"),
    NUMBER(
        publisher, "ResumeWithin", OPTION_DURATION, P(resume_within_ms), "15m", "0s", "7d",
        "downtime after which states from before it count no more until their UCC sends an event; 0s: they always do"),
    LATER(publisher, "LogAgents", "how logs name agents"),
    NUMBER(
        publisher, "DecisionLog", OPTION_DURATION, P(decision_log_ms), "0s", "0s", "90d",
        "how long the state file keeps what was decided, for replay; 0s: it does not"),
    LATER(publisher, "Forget", "when a silent agent is forgotten"),
    NUMBER(
        publisher, "ReloadMaxChanges", OPTION_INT, P(reload_max_changes), "0", "0", "1000000",
        "agents that a reload may change; 0: any number"),
    CHOICE(
        "PreferredRelease", preferred_release_always, "check", "always",
        "whether a preferred presence is cleared only where nobody has chosen another one since"),
    CHOICE("Batch", batch_off, "on", "off", "whether several requests may go out as one $batch"),
};

const struct option *option_at(size_t index)
{
  return index < COUNT_OF(options) ? &options[index] : NULL;
}

const struct option *option_find(const char *element, const char *name)
{
  for (size_t i = 0; i < COUNT_OF(options); i++)
    if (strcmp(options[i].text.element, element) == 0 && strcmp(options[i].text.attribute, name) == 0)
      return &options[i];
  return NULL;
}

bool option_unknown(const struct place *place, const char *name, struct err *err)
{
  /* What is refused anyway is no good suggestion. */
  const char *names[COUNT_OF(options)];
  size_t count = 0;
  for (size_t i = 0; i < COUNT_OF(options); i++)
    if (strcmp(options[i].text.element, place->element) == 0 && options[i].type != OPTION_LATER)
      names[count++] = options[i].text.attribute;
  const char *nearest = str_nearest(name, names, count);
  if (nearest != NULL)
    return err_set(
        err, ERR_CONFIG, "%s:%d: %s has an unknown attribute %s; did you mean %s?", place->file, place->line,
        place->element, name, nearest);
  return err_set(
      err, ERR_CONFIG, "%s:%d: %s has an unknown attribute %s; remove it", place->file, place->line, place->element,
      name);
}

/* Only rows with a range count: that is what makes a row a limit. */
const struct config_limit *config_limit_at(size_t index)
{
  for (size_t i = 0; i < COUNT_OF(options); i++)
    if (options[i].text.min_text != NULL && index-- == 0)
      return &options[i].text;
  return NULL;
}
