/* check: everything that can be wrong before the first request, each with its place and remedy. Sends nothing. */
#include "base/str.h"
#include "cli/cli.h"
#include "client/client.h"
#include "daemon/policies.h"
#include "host/site.h"
#include "rules/test.h"
#include "sched/sched.h"
#include "secret/secret.h"

#include <stdio.h>
#include <string.h>

static void say_as(const char *verdict, const char *colour, const char *what)
{
  printf("%s%s%s  %s\n", program_colour(colour), verdict, program_colour("\033[0m"), what);
}

static void say(bool ok, const char *what)
{
  say_as(ok ? "ok  " : "FAIL", ok ? "\033[32m" : "\033[31m", what);
}

static int check_secrets(const struct cli *cli, const struct site *site)
{
  struct wiped key = WIPED_INIT;
  struct err err = ERR_INIT;
  if (!secret_load_key(cli->place.key_file, site->config.key_file, &key, &err)) {
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

/* The tests that the file carries; how many failures there are. */
static int check_tests(const char *account, struct ruleset *ruleset)
{
  struct ruletests tests;
  struct err err = ERR_INIT;
  char text[sizeof err.text];
  if (!ruletests_run(ruleset, RULETESTS_CPU_MS, &tests, &err)) {
    say(false, err.text);
    return 1;
  }
  for (size_t i = 0; i < tests.count; i++)
    if (!tests.tests[i].passed)
      say(false, tests.tests[i].text);
    else if (*tests.tests[i].text != '\0')
      say_as("warn", "\033[33m", tests.tests[i].text);
  char verdict[64] = "it has no tests";
  if (tests.failed > 0)
    snprintf(verdict, sizeof verdict, "%zu of %zu tests fail", tests.failed, tests.count);
  else if (tests.count > 0)
    snprintf(verdict, sizeof verdict, "%zu test%s", tests.count, tests.count == 1 ? " passes" : "s pass");
  snprintf(
      text, sizeof text, "account %s: ruleset %s loads (%zu KiB), %s", account, ruleset_path(ruleset),
      ruleset_memory_bytes(ruleset) / 1024, verdict);
  int failures = (int)tests.failed;
  say(failures == 0, text);
  ruletests_release(&tests);
  return failures;
}

/* What lint found that is no error, unless it has to be one; how many failures that makes. */
static int check_warnings(const struct ruleset *ruleset, bool strict)
{
  size_t count = 0;
  for (const char *text; (text = ruleset_warning_at(ruleset, count)) != NULL; count++)
    if (strict)
      say(false, text);
    else
      say_as("warn", "\033[33m", text);
  return strict ? (int)count : 0;
}

/* "account a", "accounts a, b (one app registration)"; false: an earlier account is of the same one, and named it. */
static bool registration_text(const struct config *config, size_t index, char *to, size_t room)
{
  size_t length = 0, count = 0;
  for (size_t i = 0; i < config->account_count; i++) {
    if (!config_same_registration(&config->accounts[i], &config->accounts[index]))
      continue;
    if (i < index)
      return false;
    snprintf(to + length, room - length, "%s%s", count == 0 ? "" : ", ", config->accounts[i].id);
    length = strlen(to);
    count++;
  }
  char ids[512];
  str_cut(ids, sizeof ids, to);
  snprintf(to, room, count == 1 ? "account %s" : "accounts %s (one app registration)", ids);
  return true;
}

/* Requests per second that keep up what agents of the registration show now, as a daemon says that runs; 0: none does.
 */
static double needs_of(const struct config *config, size_t index, const struct value *status)
{
  const struct value *accounts = value_get(status, "accounts");
  double needs = 0;
  for (size_t i = 0; i < config->account_count; i++)
    for (size_t j = 0; j < value_count(accounts); j++) {
      const struct value *account = value_at(accounts, j);
      double least = value_get_number(account, "keep_alives_least_per_second", 0);
      if (config_same_registration(&config->accounts[i], &config->accounts[index]) &&
          strcmp(value_get_text(account, "account", ""), config->accounts[i].id) == 0 && least > needs)
        needs = least;
    }
  return needs;
}

/* How many agents the budget keeps up, so that nobody finds out by presences that fade. */
static void tell_capacity(const struct config *config, size_t index, const struct value *status)
{
  const struct config_account *account = &config->accounts[index];
  struct sched_load load = {.agents = 1000, .available = 1, .lease_ms = account->lease_ms};
  struct sched_capacity capacity = sched_capacity(&load, account->requests_per_30_seconds);
  char who[600], text[1024];
  if (!registration_text(config, index, who, sizeof who))
    return;
  snprintf(
      text, sizeof text,
      "%s: %d requests per 30 s refresh %lld Available agents at most; `presenced capacity --agents N` says more", who,
      account->requests_per_30_seconds, (long long)capacity.agents_most);
  say(true, text);
  double needs = needs_of(config, index, status);
  if (needs <= capacity.carries)
    return;
  snprintf(
      text, sizeof text,
      "%s: what the running daemon keeps up takes at least %.2f requests/s, which is more than the %.2f of this "
      "budget: Available presences would fade; raise RequestsPer30Seconds",
      who, needs, capacity.carries);
  say_as("warn", "\033[33m", text);
}

/* Of each registration; with what its agents need, where a daemon runs with this config.xml. */
static void tell_capacities(struct cli *cli, const struct config *config)
{
  struct client_answer status;
  struct client_request request = {"GET", "/v1/status", NULL};
  struct err err = ERR_INIT;
  enum client_result result = client_ask(cli->place.config_path, &request, &status, &err);
  if (result != CLIENT_DONE && err.kind != ERR_NET) /* mostly none runs, which is as it should be */
    say_as("warn", "\033[33m", err.text);
  for (size_t i = 0; i < config->account_count; i++)
    tell_capacity(config, i, result == CLIENT_DONE ? status.body : NULL);
  client_answer_release(&status);
}

/* Several accounts mostly share one file: it is looked at once. */
static bool is_checked(const struct config *config, size_t account)
{
  const char *path = config->accounts[account].rules;
  for (size_t i = 0; i < account; i++) {
    const char *other = config->accounts[i].rules;
    if (path == other || (path != NULL && other != NULL && strcmp(path, other) == 0))
      return true;
  }
  return false;
}

static int check_rulesets(const struct site *site, bool strict)
{
  struct rules_limits limits = site_rules_limits(&site->config);
  int failures = 0;
  for (size_t i = 0; i < site->config.account_count; i++) {
    const struct config_account *account = &site->config.accounts[i];
    if (is_checked(&site->config, i))
      continue;
    struct err err = ERR_INIT;
    struct ruleset *ruleset = ruleset_load(account->rules, &limits, 1, &err);
    if (ruleset == NULL) {
      say(false, err.text);
      failures++;
      continue;
    }
    failures += check_tests(account->id, ruleset) + check_warnings(ruleset, strict);
    ruleset_free(ruleset);
  }
  return failures;
}

static int check_scripts(const struct config *config)
{
  int failures = 0;
  for (size_t i = 0; i < config->script_count; i++) {
    const struct config_script *script = &config->scripts[i];
    struct err err = ERR_INIT;
    char text[sizeof err.text];
    bool ok = policies_compile(config, script->file, &err);
    if (ok)
      snprintf(text, sizeof text, "script %.600s compiles", script->file);
    else
      snprintf(text, sizeof text, "%s:%d: Script: %.600s", config->path, script->line, err.text);
    say(ok, text);
    failures += !ok;
  }
  return failures;
}

int cli_check(struct cli *cli)
{
  struct site site;
  struct err err = ERR_INIT;
  bool strict = cli_flag(cli, "--strict");
  if (!cli_no_more(cli, 0, 0))
    return EXIT_USAGE;
  if (!site_open(&cli->place, SITE_CONFIG, &site, &err))
    return program_fail(&err);
  char text[sizeof err.text];
  snprintf(
      text, sizeof text, "%s: %zu account%s", site.config.path, site.config.account_count,
      site.config.account_count == 1 ? "" : "s");
  say(true, text);
  tell_capacities(cli, &site.config);
  int failures = check_secrets(cli, &site) + check_rulesets(&site, strict) + check_scripts(&site.config);
  site_close(&site);
  return failures == 0 ? EXIT_DONE : EXIT_USAGE;
}
