#include "cli/site.h"
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

static bool open_secrets(const struct cli *cli, struct site *site, struct err *err)
{
  struct wiped key = WIPED_INIT;
  if (!secret_load_key(cli->key_file, site->config.key_file, &key, err))
    return false;
  bool ok = true;
  for (size_t i = 0; ok && i < site->config.account_count; i++) {
    const struct config_account *account = &site->config.accounts[i];
    ok = secret_open(&key, account->tenant_id, account->client_id, account->encrypted_secret, &site->secrets[i], err);
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

bool site_open(const struct cli *cli, enum site_parts parts, struct site *ret_site, struct err *err)
{
  struct site site = {0};
  if (!config_load(cli->config_path, parts == SITE_STATE ? CONFIG_FOR_STATE : CONFIG_FOR_USE, &site.config, err))
    return false;
  size_t count = site.config.account_count;
  site.secrets = must_alloc(count * sizeof *site.secrets);
  site.rulesets = must_alloc(count * sizeof *site.rulesets);
  site.shadows = must_alloc(count * sizeof *site.shadows);
  site.account_ids = must_alloc(count * sizeof *site.account_ids);
  for (size_t i = 0; i < count; i++)
    site.account_ids[i] = site.config.accounts[i].id;
  site.json = json_new(err);
  if (site.json == NULL || (parts >= SITE_WITH_SECRETS && !open_secrets(cli, &site, err)) ||
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
    wiped_release(&site->secrets[i]);
    ruleset_free(site->rulesets[i]);
    ruleset_free(site->shadows[i]);
  }
  free(site->secrets);
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

char *site_control_path(const struct config *config)
{
  const char *runtime = getenv("RUNTIME_DIRECTORY");
  const char *slash = strrchr(config->state, '/');
  struct buf path;
  buf_init(&path, 4096);
  if (runtime != NULL && *runtime != '\0')
    buf_addf(&path, "%s/", runtime);
  else if (slash != NULL)
    buf_add(&path, config->state, (size_t)(slash - config->state) + 1);
  buf_add_str(&path, "control.sock");
  char *text = must_strdup(buf_text(&path));
  buf_release(&path);
  return text;
}
