/* cli/metrics: what status tells, as Prometheus reads it. */
#include "adapters/json.h"
#include "cli/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct buf written;

static const char *text_of(const char *status)
{
  struct err err = ERR_INIT;
  struct values values = {0};
  struct value *value;
  struct json *json = json_new(&err);
  if (json == NULL || !json_parse(json, status, strlen(status), &values, &value, &err))
    fail_msg("%s", err.text);
  buf_init(&written, 1024 * 1024);
  metrics_write(value, &written);
  values_release(&values);
  json_free(json);
  return buf_text(&written);
}

static void what_status_tells_is_in_the_text(void **state UNUSED)
{
  static const struct {
    const char *status, *lines;
  } table[] = {
      {"{\"events\":{\"accepted\":3,\"stale\":1}}", "presenced_events_total{outcome=\"accepted\"} 3\n"
                                                    "presenced_events_total{outcome=\"duplicate\"} 0\n"
                                                    "presenced_events_total{outcome=\"stale\"} 1\n"
                                                    "presenced_events_total{outcome=\"refused\"} 0\n"},
      {"{\"accounts\":[{\"account\":\"c.com\",\"token_expires_in_seconds\":3599.5,\"phases\":{\"idle\":7,\"parked\":1}}"
       "],"
       "\"phases_without_account\":{\"idle\":0,\"parked\":2}}",
       "presenced_agents{account=\"c.com\",phase=\"idle\"} 7\n"
       "presenced_agents{account=\"c.com\",phase=\"parked\"} 1\n"
       "presenced_agents{account=\"\",phase=\"idle\"} 0\n"
       "presenced_agents{account=\"\",phase=\"parked\"} 2\n"},
      {"{\"accounts\":[{\"account\":\"c.com\",\"token_expires_in_seconds\":3599.5},{\"account\":\"d.com\"}]}",
       "# TYPE presenced_token_expires_seconds gauge\n"
       "presenced_token_expires_seconds{account=\"c.com\"} 3599.5\n"
       "presenced_token_expires_seconds{account=\"d.com\"} 0\n"},
      {"{\"figures\":{\"commit\":{\"up_to\":[{\"le\":0.0005,\"count\":1},{\"le\":10,\"count\":3}],"
       "\"count\":4,\"sum\":20.25}}}",
       "# TYPE presenced_commit_seconds histogram\n"
       "presenced_commit_seconds_bucket{le=\"0.0005\"} 1\n"
       "presenced_commit_seconds_bucket{le=\"10\"} 3\n"
       "presenced_commit_seconds_bucket{le=\"+Inf\"} 4\n"
       "presenced_commit_seconds_sum 20.25\n"
       "presenced_commit_seconds_count 4\n"},
      {"{\"figures\":{\"lapses\":3,\"uccs\":[{\"ucc\":\"a \\\"b\\\"\",\"last_event_seconds\":0.5}],"
       "\"rulesets\":[{\"ruleset\":\"one\",\"unmatched\":0,\"decisions\":[{\"rule\":\"rule \\\"x\\\"\",\"count\":2},"
       "{\"rule\":\"(others)\",\"count\":1}]},{\"ruleset\":\"two\",\"unmatched\":7,\"decisions\":[]}]}}",
       "presenced_ucc_last_event_seconds{ucc=\"a \\\"b\\\"\"} 0.5\n"
       "# HELP presenced_decisions_total What was decided, again after a reload too, by the rule that did.\n"
       "# TYPE presenced_decisions_total counter\n"
       "presenced_decisions_total{ruleset=\"one\",rule=\"rule \\\"x\\\"\"} 2\n"
       "presenced_decisions_total{ruleset=\"one\",rule=\"(others)\"} 1\n"
       "# HELP presenced_events_unmatched_total Events that no rule answers.\n"
       "# TYPE presenced_events_unmatched_total counter\n"
       "presenced_events_unmatched_total{ruleset=\"one\"} 0\n"
       "presenced_events_unmatched_total{ruleset=\"two\"} 7\n"},
      {"{\"scripts\":[{\"file\":\"odd \\\"n\\\\am\\ne\\\".lua\",\"state\":\"runs\"}]}",
       "presenced_script_running{script=\"odd \\\"n\\\\am\\ne\\\".lua\"} 1\n"},
  };
  for (size_t i = 0; i < COUNT_OF(table); i++) {
    const char *text = text_of(table[i].status);
    if (strstr(text, table[i].lines) == NULL)
      fail_msg("not found:\n%s\nin:\n%s", table[i].lines, text);
    buf_release(&written);
  }
}

/* Zeros would look as if the process had begun anew. */
static void a_state_file_that_fails_is_all_there_is(void **state UNUSED)
{
  const char *text = text_of("{\"state\":{\"failed\":true,\"failures\":2}}");
  assert_non_null(strstr(text, "\npresenced_state_failed 1\n"));
  assert_non_null(strstr(text, "\npresenced_state_failures_total 2\n"));
  assert_null(strstr(text, "events_total"));
  buf_release(&written);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_status_tells_is_in_the_text), cmocka_unit_test(a_state_file_that_fails_is_all_there_is)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
