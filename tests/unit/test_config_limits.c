#include "config_file.h"

/* -- limits ----------------------------------------------------------------------------------------------------- */

/* The value that a limit has in the loaded configuration. */
static int64_t limit_value(const struct config *config, const char *attribute)
{
  const struct config_account *account = &config->accounts[0];
  const struct {
    const char *attribute;
    int64_t value;
  } values[] = {
      {"RequestsPer30Seconds", account->requests_per_30_seconds},
      {"LookupsPer10Seconds", account->lookups_per_10_seconds},
      {"Lease", account->lease_ms},
      {"Connections", config->connections},
      {"ReloadMaxChanges", config->reload_max_changes},
      {"RequestTimeout", config->request_timeout_ms},
      {"StopTimeout", config->stop_timeout_ms},
      {"ReleaseTimeout", config->release_timeout_ms},
      {"ResumeWithin", config->resume_within_ms},
      {"DecisionLog", config->decision_log_ms},
      {"DecisionTime", config->decision_cpu_ms},
      {"DecisionMemory", (int64_t)config->decision_memory_bytes},
      {"LoadTime", config->load_cpu_ms},
      {"LoadMemory", (int64_t)config->load_memory_bytes},
      {"ScriptTime", config->script_cpu_ms},
      {"ScriptMemory", (int64_t)config->script_memory_bytes},
      {"ScriptTasks", config->script_tasks},
      {"PolicyTime", config->policy_cpu_ms},
      {"PolicyQueue", config->policy_queue},
  };
  for (size_t i = 0; i < COUNT_OF(values); i++)
    if (strcmp(values[i].attribute, attribute) == 0)
      return values[i].value;
  fail_msg("limit %s is not tested", attribute);
  return 0;
}

static const char *with_limit(const struct config_limit *limit, const char *value, char text[1024])
{
  bool of_account = strcmp(limit->element, "Account") == 0;
  char attribute[128] = "";
  if (value != NULL)
    snprintf(attribute, sizeof attribute, "%s='%s'", limit->attribute, value);
  snprintf(
      text, 1024,
      "<PresencePublisher>\n<MsGraphPresencePublisher %s><Account Id='a' " CREDENTIALS
      " %s/></MsGraphPresencePublisher></PresencePublisher>",
      of_account ? "" : attribute, of_account ? attribute : "");
  return text;
}

static void every_limit_has_default_range_and_both_ends(void **state)
{
  (void)state;
  static const struct {
    const char *attribute;
    int64_t otherwise, min, max; /* in the unit of the field: number, ms or bytes */
    const char *otherwise_text, *min_text, *max_text, *below, *above;
  } cases[] = {
      {"RequestsPer30Seconds", 1500, 1, 10000, "1500", "1", "10000", "0", "10001"},
      {"LookupsPer10Seconds", 500, 1, 3500, "500", "1", "3500", "0", "3501"},
      {"Lease", 3600000, 300000, 14400000, "1h", "5m", "4h", "4m59s", "4h1s"},
      {"ReloadMaxChanges", 0, 0, 1000000, "0", "0", "1000000", "-1", "1000001"},
      {"Connections", 32, 1, 256, "32", "1", "256", "0", "257"},
      {"StopTimeout", 5000, 0, 300000, "5s", "0s", "5m", NULL, "5m1s"},
      {"ReleaseTimeout", 60000, 0, 600000, "1m", "0s", "10m", NULL, "10m1s"},
      {"DecisionLog", 0, 0, 7776000000, "0s", "0s", "90d", NULL, "90d1s"},
      {"ResumeWithin", 900000, 0, 604800000, "15m", "0s", "7d", NULL, "7d1s"},
      {"RequestTimeout", 30000, 1000, 300000, "30s", "1s", "5m", "999ms", "5m1s"},
      {"DecisionTime", 5, 1, 1000, "5ms", "1ms", "1s", "0ms", "1001ms"},
      {"DecisionMemory", 4194304, 1048576, 268435456, "4MiB", "1MiB", "256MiB", "1048575", "268435457"},
      {"LoadTime", 1000, 10, 60000, "1s", "10ms", "60s", "9ms", "60001ms"},
      {"LoadMemory", 33554432, 4194304, 1073741824, "32MiB", "4MiB", "1GiB", "4095KiB", "1073741825"},
      {"ScriptTime", 1000, 10, 60000, "1s", "10ms", "60s", "9ms", "60001ms"},
      {"ScriptMemory", 134217728, 4194304, 1073741824, "128MiB", "4MiB", "1GiB", "4095KiB", "1073741825"},
      {"ScriptTasks", 1000, 2, 10000, "1000", "2", "10000", "1", "10001"},
      {"PolicyTime", 50, 5, 1000, "50ms", "5ms", "1s", "4ms", "1001ms"},
      {"PolicyQueue", 1000, 1, 100000, "1000", "1", "100000", "0", "100001"},
  };
  size_t count = 0;
  const struct config_limit *limit;
  for (; (limit = config_limit_at(count)) != NULL; count++) {
    size_t c = 0;
    while (c < COUNT_OF(cases) && strcmp(cases[c].attribute, limit->attribute) != 0)
      c++;
    assert_true(c < COUNT_OF(cases));
    assert_string_equal(limit->default_text, cases[c].otherwise_text);
    assert_string_equal(limit->min_text, cases[c].min_text);
    assert_string_equal(limit->max_text, cases[c].max_text);
    assert_true(strlen(limit->meaning) > 0);
    const struct {
      const char *value;
      int64_t expected;
    } good[] = {{NULL, cases[c].otherwise}, {cases[c].min_text, cases[c].min}, {cases[c].max_text, cases[c].max}};
    char text[1024], error[256];
    for (size_t i = 0; i < COUNT_OF(good); i++) {
      struct config config;
      assert_loads(with_limit(limit, good[i].value, text), &config);
      assert_int_equal(limit_value(&config, limit->attribute), good[i].expected);
      config_release(&config);
    }
    const char *const bad[] = {cases[c].below, cases[c].above};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
      if (bad[i] == NULL) /* there are no durations below 0s */
        continue;
      snprintf(
          error, sizeof error, ":2: %s %s=\"%s\": out of range; write %s..%s, or leave it out for %s", limit->element,
          limit->attribute, bad[i], limit->min_text, limit->max_text, limit->default_text);
      assert_refused(with_limit(limit, bad[i], text), error);
    }
  }
  assert_int_equal(count, COUNT_OF(cases));
}

static void what_is_no_number_says_so(void **state)
{
  (void)state;
  static const struct {
    const char *text, *error;
  } cases[] = {
      {ACCOUNT("RequestsPer30Seconds='many'"),
       ":2: Account RequestsPer30Seconds=\"many\": not a whole number; write 1..10000, or leave it out for 1500"},
      {ACCOUNT("RequestsPer30Seconds='1.5'"),
       ":2: Account RequestsPer30Seconds=\"1.5\": not a whole number; write 1..10000, or leave it out for 1500"},
      {ACCOUNT("RequestsPer30Seconds='99999999999999999999'"), ":2: Account RequestsPer30Seconds=\"99999999999999999999"
                                                               "\": not a whole number; write 1..10000, or leave it "
                                                               "out for 1500"},
      {ACCOUNT("RequestsPer30Seconds='-1'"),
       ":2: Account RequestsPer30Seconds=\"-1\": out of range; write 1..10000, or leave it out for 1500"},
      {ACCOUNT("Lease='60'"), ":2: Account Lease=\"60\": not a duration; write 5m..4h, or leave it out for 1h"},
      {ACCOUNT("Lease='1 hour'"), ":2: Account Lease=\"1 hour\": not a duration; write 5m..4h, or leave it out for 1h"},
      {PUBLISHER("DecisionTime='xms'", "Id='a'", ""),
       ":1: MsGraphPresencePublisher DecisionTime=\"xms\": not a duration; write 1ms..1s, or leave it out for 5ms"},
      {PUBLISHER("LoadMemory='64MB'", "Id='a'", ""),
       ":1: MsGraphPresencePublisher LoadMemory=\"64MB\": not a size; write 4MiB..1GiB, or leave it out for 32MiB"},
      {PUBLISHER("LoadMemory='MiB'", "Id='a'", ""),
       ":1: MsGraphPresencePublisher LoadMemory=\"MiB\": not a size; write 4MiB..1GiB, or leave it out for 32MiB"},
      {PUBLISHER("LoadMemory='99999999999999999999GiB'", "Id='a'", ""),
       ":1: MsGraphPresencePublisher LoadMemory=\"99999999999999999999GiB\": not a size; write 4MiB..1GiB, or leave "
       "it out for 32MiB"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++)
    assert_refused(cases[i].text, cases[i].error);
  struct config config;
  assert_loads(ACCOUNT("Lease=' PT90M '"), &config);
  assert_int_equal(config.accounts[0].lease_ms, 5400000);
  config_release(&config);
}

/* Accounts a0.com, a1.com, ..., each with `extra` besides. */
static void add_accounts(struct buf *text, int count, const char *extra)
{
  buf_init(text, 2 * 1024 * 1024);
  buf_add_str(text, "<PresencePublisher><MsGraphPresencePublisher>\n");
  for (int i = 0; i < count; i++)
    buf_addf(text, "<Account Id='a%d.com' %s " CREDENTIALS "/>\n", i, extra);
  buf_add_str(text, "</MsGraphPresencePublisher></PresencePublisher>");
}

static void the_numbers_of_accounts_and_suffixes_are_bounded(void **state)
{
  (void)state;
  struct buf text, many;
  struct config config;
  add_accounts(&text, 256, "");
  assert_loads(text.bytes, &config);
  assert_int_equal(config.account_count, 256);
  config_release(&config);
  buf_release(&text);
  add_accounts(&text, 257, "");
  assert_refused(text.bytes, ":258: more than 256 accounts; share them among several hosts");
  buf_release(&text);
  for (int over = 0; over <= 1; over++) {
    buf_init(&many, 256 * 1024);
    buf_add_str(&many, "Domains='");
    for (int i = 0; i < 5000 + over; i++)
      buf_addf(&many, "d%d.com ", i);
    buf_add_str(&many, "'");
    add_accounts(&text, 1, many.bytes);
    struct err err = ERR_INIT;
    assert_int_equal(load(text.bytes, &config, &err), over == 0);
    if (over == 0)
      config_release(&config);
    else
      assert_non_null(strstr(err.text, "...\": more than 5000 suffixes; write * for all that no other account names"));
    buf_release(&text);
    buf_release(&many);
  }
  char id[160], long_text[1024];
  for (int length = 128; length <= 129; length++) {
    struct err err = ERR_INIT;
    memset(id, 'x', sizeof id);
    snprintf(
        long_text, sizeof long_text,
        "<PresencePublisher><MsGraphPresencePublisher><Account Id='%.*s' " CREDENTIALS
        "/></MsGraphPresencePublisher></PresencePublisher>",
        length, id);
    assert_int_equal(load(long_text, &config, &err), length == 128);
    if (length == 128)
      config_release(&config);
    else
      assert_non_null(strstr(err.text, "longer than 128 bytes; name it after its domain"));
  }
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_limit_has_default_range_and_both_ends),
      cmocka_unit_test(what_is_no_number_says_so),
      cmocka_unit_test(the_numbers_of_accounts_and_suffixes_are_bounded),
  };
  return cases_run(argc, argv, tests, make_folder, remove_folder);
}
