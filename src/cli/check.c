/* check: everything that can be wrong before the first request, each with its place and remedy. Sends nothing. */
#include "base/str.h"
#include "cli/site.h"
#include "secret/secret.h"

#include <stdio.h>

static void say(bool ok, const char *what)
{
  printf("%s%s%s  %s\n", cli_colour(ok ? "\033[32m" : "\033[31m"), ok ? "ok  " : "FAIL", cli_colour("\033[0m"), what);
}

static int check_secrets(const struct cli *cli, const struct site *site)
{
  struct wiped key = WIPED_INIT;
  struct err err = ERR_INIT;
  if (!secret_load_key(cli->key_file, site->config.key_file, &key, &err)) {
    say(false, err.text);
    return 1;
  }
  int failures = 0;
  for (size_t i = 0; i < site->config.account_count; i++) {
    const struct config_account *account = &site->config.accounts[i];
    struct wiped secret = WIPED_INIT;
    char text[sizeof err.text];
    bool ok = secret_open(&key, account->tenant_id, account->client_id, account->encrypted_secret, &secret, &err);
    if (ok)
      snprintf(text, sizeof text, "account %s: its client secret opens", account->id);
    else
      snprintf(text, sizeof text, "%s:%d: account %s: %.600s", site->config.path, account->line, account->id, err.text);
    say(ok, text);
    wiped_release(&secret);
    failures += !ok;
  }
  wiped_release(&key);
  return failures;
}

static int check_rulesets(const struct site *site)
{
  struct rules_limits limits = site_rules_limits(&site->config);
  int failures = 0;
  for (size_t i = 0; i < site->config.account_count; i++) {
    const struct config_account *account = &site->config.accounts[i];
    struct err err = ERR_INIT;
    char text[sizeof err.text];
    struct ruleset *ruleset = ruleset_load(account->rules, &limits, 1, &err);
    if (ruleset != NULL)
      snprintf(
          text, sizeof text, "account %s: ruleset %s loads (%zu KiB)", account->id, ruleset_path(ruleset),
          ruleset_memory_bytes(ruleset) / 1024);
    else
      str_cut(text, sizeof text, err.text);
    say(ruleset != NULL, text);
    failures += ruleset == NULL;
    ruleset_free(ruleset);
  }
  return failures;
}

int cli_check(struct cli *cli)
{
  struct site site;
  struct err err = ERR_INIT;
  if (!cli_no_more(cli, 0, 0))
    return EXIT_USAGE;
  if (!site_open(cli, SITE_CONFIG, &site, &err))
    return cli_fail(&err);
  char text[sizeof err.text];
  snprintf(
      text, sizeof text, "%s: %zu account%s", site.config.path, site.config.account_count,
      site.config.account_count == 1 ? "" : "s");
  say(true, text);
  int failures = check_secrets(cli, &site) + check_rulesets(&site);
  site_close(&site);
  return failures == 0 ? EXIT_DONE : EXIT_USAGE;
}
