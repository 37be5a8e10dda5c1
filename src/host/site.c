/* Opens what a command needs of an installation, in the order in which a person would check it: config.xml, the key and
 * the secrets, the rulesets with their tests. The first that is wrong is the error; what was opened before is closed.
 */
#include "host/site.h"
#include "adapters/json.h"
#include "rules/test.h"
#include "secret/secret.h"

#include <string.h>

struct rules_limits site_rules_limits(const struct config *config)
{
  return (struct rules_limits){
      config->decision_cpu_ms, config->load_cpu_ms, config->decision_memory_bytes, config->load_memory_bytes};
}

struct rules_limits site_default_rules_limits(void)
{
  struct config config;
  config_defaults(&config);
  return site_rules_limits(&config);
}

static bool open_credentials(const struct site_place *place, struct site *site, struct err *err)
{
  struct wiped key = WIPED_INIT;
  if (!secret_load_key(place->key_file, site->config.key_file, &key, err))
    return false;
  bool ok = true;
  for (size_t i = 0; ok && i < site->config.account_count; i++) {
    const struct config_account *account = &site->config.accounts[i];
    ok = secret_open(
        &key, account->tenant_id, account->client_id, account->encrypted_secret, &site->credentials[i].secret, err);
    if (!ok)
      err_add(err, "%s:%d: account %s", site->config.path, account->line, account->id);
  }
  wiped_release(&key);
  return ok;
}

bool site_load_rulesets(struct site *site, uint32_t generation, struct err *err)
{
  struct rules_limits limits = site_rules_limits(&site->config);
  for (size_t i = 0; i < site->config.account_count; i++)
    if ((site->rulesets[i] = ruleset_load(site->config.accounts[i].rules, &limits, generation, err)) == NULL ||
        !ruletests_pass(site->rulesets[i], RULETESTS_CPU_MS, err) ||
        (site->config.shadow != NULL &&
         (site->shadows[i] = ruleset_load(site->config.shadow, &limits, generation, err)) == NULL))
      return false;
  return true;
}

bool site_open(const struct site_place *place, enum site_parts parts, struct site *ret_site, struct err *err)
{
  struct site site = {0};
  if (!config_load(place->config_path, CONFIG_FOR_USE, &site.config, err))
    return false;
  size_t count = site.config.account_count;
  site.credentials = must_alloc(count * sizeof *site.credentials);
  site.rulesets = must_alloc(count * sizeof *site.rulesets);
  site.shadows = must_alloc(count * sizeof *site.shadows);
  site.account_ids = must_alloc(count * sizeof *site.account_ids);
  for (size_t i = 0; i < count; i++)
    site.account_ids[i] = site.config.accounts[i].id;
  site.json = json_new(err);
  if (site.json == NULL || (parts >= SITE_WITH_SECRETS && !open_credentials(place, &site, err)) ||
      (parts >= SITE_WITH_RULES && !site_load_rulesets(&site, 1, err))) {
    site_close(&site);
    return false;
  }
  *ret_site = site;
  return true;
}

void site_close(struct site *site)
{
  for (size_t i = 0; i < site->config.account_count; i++) {
    credential_release(&site->credentials[i]);
    ruleset_free(site->rulesets[i]);
    ruleset_free(site->shadows[i]);
  }
  free(site->credentials);
  free(site->rulesets);
  free(site->shadows);
  free(site->account_ids);
  json_free(site->json);
  config_release(&site->config);
  *site = (struct site){0};
}

void site_exchange(struct site *running, struct site *fresh)
{
  struct site old = *running;
  *running = *fresh;
  *fresh = old;
  fresh->json = running->json;
  running->json = old.json;
}
