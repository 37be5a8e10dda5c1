/* What another config.xml changes: every attribute is noticed, in words, and nothing else is. */
#include "config_file.h"

enum { LINES_SIZE = 1024 };

static void on_difference(void *context, enum config_effect effect, const char *text)
{
  struct buf *lines = context;
  buf_addf(lines, "%s%s%s", lines->length == 0 ? "" : "; ", effect == CONFIG_AT_START ? "start: " : "", text);
}

static void assert_differs(const char *now, const char *next, const char *expected)
{
  struct config a, b;
  struct buf lines;
  assert_loads(now, &a);
  assert_loads(next, &b);
  buf_init(&lines, LINES_SIZE);
  config_compare(&a, &b, on_difference, &lines);
  assert_string_equal(buf_text(&lines), expected);
  buf_release(&lines);
  config_release(&a);
  config_release(&b);
}

static void every_attribute_is_noticed(void **state)
{
  (void)state;
  static const struct {
    const char *publisher, *account, *expected;
  } cases[] = {
      {"", "", ""},
      {"Rules='r.lua'", "", "account contoso.com: Rules changed; Rules changed"},
      {"", "Rules='r.lua'", "account contoso.com: Rules changed"},
      {"", "Domains='contoso.com contoso.de'", "account contoso.com: Domains changed"},
      {"", "Domains='CONTOSO.com'", ""}, /* the same in other words */
      {"", "Cloud='USGovL4'",
       "account contoso.com: Cloud changed; account contoso.com: Authority changed; account contoso.com: Graph "
       "changed"},
      {"", "Authority='https://a.example'", "account contoso.com: Authority changed"},
      {"", "Graph='https://a.example'", "account contoso.com: Graph changed"},
      {"", "RequestsPer30Seconds='300'", "account contoso.com: RequestsPer30Seconds 1500 -> 300"},
      {"", "LookupsPer10Seconds='50'", "account contoso.com: LookupsPer10Seconds 500 -> 50"},
      {"", "Lease='30m'", "account contoso.com: Lease 1h -> 30m"},
      {"State='s.db'", "", "start: State"},
      {"CaFile='c.pem' Proxy='http://user:secret@p:1'", "", "start: CaFile; start: Proxy"},
      {"KeyFile='k'", "", "KeyFile changed"},
      {"Shadow='s.lua'", "", "Shadow changed"},
      {"Connections='4'", "", "Connections 32 -> 4"},
      {"RequestTimeout='10s'", "", "RequestTimeout 30s -> 10s"},
      {"DecisionTime='6ms'", "", "DecisionTime 5ms -> 6ms"},
      {"DecisionMemory='5MiB'", "", "DecisionMemory 4194304 bytes -> 5242880 bytes"},
      {"LoadTime='2s' LoadMemory='16MiB'", "", "LoadTime 1s -> 2s; LoadMemory 33554432 bytes -> 16777216 bytes"},
      {"ScriptTime='2s' ScriptTasks='10'", "", "ScriptTime 1s -> 2s; ScriptTasks 1000 -> 10"},
      {"PolicyTime='60ms' PolicyQueue='9'", "", "PolicyTime 50ms -> 60ms; PolicyQueue 1000 -> 9"},
      {"OnStop='clear' StopTimeout='1m'", "", "OnStop leave -> clear; StopTimeout 5s -> 1m"},
      {"ReleaseTimeout='0s'", "", "ReleaseTimeout 1m -> 0s"},
      {"ResumeWithin='0s' DecisionLog='7d'", "", "ResumeWithin 15m -> 0s; DecisionLog 0s -> 7d"},
      {"ReloadMaxChanges='9'", "", "ReloadMaxChanges 0 -> 9"},
      {"PreferredRelease='always' Batch='off'", "", "PreferredRelease check -> always; Batch on -> off"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    char text[1024];
    snprintf(
        text, sizeof text,
        "<PresencePublisher><MsGraphPresencePublisher %s><Account Id='contoso.com' " CREDENTIALS " %s/>"
        "</MsGraphPresencePublisher></PresencePublisher>",
        cases[i].publisher, cases[i].account);
    assert_differs(ACCOUNT(""), text, cases[i].expected);
  }
}

static void accounts_and_scripts_come_and_go(void **state)
{
  (void)state;
#define OTHER "ClientId='" G3 "' TenantId='" G2 "' Encryptedsecret='pp1:BBBB'"
#define SCRIPTS(scripts) PUBLISHER("", "Id='contoso.com' " CREDENTIALS, scripts)
  assert_differs(ACCOUNT(""), TWO("Id='contoso.com' " CREDENTIALS, "Id='b.com' " OTHER), "account b.com is added");
  assert_differs(TWO("Id='b.com' " OTHER, "Id='contoso.com' " CREDENTIALS), ACCOUNT(""), "account b.com is removed");
  /* Their order means nothing, the very Id does. */
  assert_differs(
      TWO("Id='a.com' " CREDENTIALS, "Id='b.com' " OTHER), TWO("Id='b.com' " OTHER, "Id='A.com' " CREDENTIALS),
      "account a.com is removed; account A.com is added");
  assert_differs(
      ACCOUNT(""), PUBLISHER("", "Id='contoso.com' " OTHER, ""),
      "account contoso.com: ClientId changed; account contoso.com: Encryptedsecret changed");
  assert_differs(SCRIPTS(""), SCRIPTS("<Script File='a.lua'/>"), "the list of Scripts changed");
  assert_differs(SCRIPTS("<Script File='a.lua'/>"), SCRIPTS("<Script File='b.lua'/>"), "the list of Scripts changed");
}

static void what_waits_for_the_start_stays(void **state)
{
  (void)state;
  struct config now, next;
  assert_loads(PUBLISHER("State='/a.db' Proxy='http://p:1'", "Id='a.com' " CREDENTIALS, ""), &now);
  assert_loads(PUBLISHER("State='/b.db' Connections='3'", "Id='a.com' " CREDENTIALS, ""), &next);
  config_keep_until_start(&next, &now);
  assert_string_equal(next.state, "/a.db");
  assert_string_equal(next.proxy, "http://p:1");
  assert_string_equal(now.state, "/b.db");
  assert_null(now.proxy);
  assert_int_equal(next.connections, 3);
  config_release(&now);
  config_release(&next);
}

static void the_state_file_is_found_in_spite_of_the_rest(void **state)
{
  (void)state;
  static const char text[] = "<PresencePublisher><MsGraphPresencePublisher State='s.db' Lease='?' Stat='x'>no<Acount/>"
                             "</MsGraphPresencePublisher></PresencePublisher>";
  struct config config;
  struct err err = ERR_INIT;
  assert_true(load_for(text, CONFIG_FOR_STATE, &config, &err));
  assert_true(str_ends_fold(config.state, "/s.db"));
  assert_int_equal(config.account_count, 0);
  config_release(&config);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_attribute_is_noticed),
      cmocka_unit_test(accounts_and_scripts_come_and_go),
      cmocka_unit_test(what_waits_for_the_start_stays),
      cmocka_unit_test(the_state_file_is_found_in_spite_of_the_rest),
  };
  return cases_run(argc, argv, tests, make_folder, remove_folder);
}
