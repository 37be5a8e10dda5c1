#include "cases.h"

#include "adapters/json.h"
#include "base/clock.h"
#include "base/str.h"
#include "intake/intake.h"

#include <string.h>

#define ARRIVAL (INT64_C(1767614400000)) /* 2026-01-05T12:00Z */

static struct json *json;
static struct event event, other;

static bool parse(const char *text, struct event *to, struct err *err)
{
  return intake_parse(json, text, strlen(text), ARRIVAL, to, err);
}

static const struct {
  const char *text, *says;
} refused[] = {
    {"", ""},
    {"{", ""},
    {"[]", "/agent: missing"},
    {"[1]", "object"},
    {"47", "object"},
    {"\"x\"", "object"},
    {"{\"state\":\"Ready\"}", "/agent: missing"},
    {"{\"agent\":\"a@b.c\"}", "/state: missing"},
    {"{\"agent\":\"a@b.c\",\"state\":\"  \"}", "/state: empty"},
    {"{\"agent\":\"a@b.c\",\"state\":7}", "/state: a number"},
    {"{\"agent\":\"anna\",\"state\":\"Ready\"}", "/agent: \"anna\""},
    {"{\"agent\":\"a@b.c\",\"state\":\"Ready\",\"reason\":4.5}", "/reason: a number; write a string or an integer"},
    {"{\"agent\":\"a@b.c\",\"state\":\"Ready\",\"reason\":[1]}", "/reason"},
    {"{\"agent\":\"a@b.c\",\"state\":\"Ready\",\"at\":\"yesterday\"}", "/at: \"yesterday\" is no RFC 3339 time"},
    {"{\"agent\":\"a@b.c\",\"state\":\"Ready\",\"at\":1767614400}", "/at: a number"},
    {"{\"agent\":\"a@b.c\",\"state\":\"Ready\",\"at\":\"2026-01-05T12:00:00\"}", "/at"},
    {"{\"agent\":\"a@b.c\",\"state\":\"Ready\",\"attributes\":[1]}", "/attributes: a"},
    {"{\"agent\":\"a@b.c\",\"state\":\"Ready\",\"attributes\":{\"x\":{\"y\":1}}}", "/attributes/x: a object"},
    {"{\"agent\":\"a@b.c\",\"state\":\"Ready\",\"attributes\":{\"x\":1e300}}", "/attributes/x: too large"},
    {"{\"specversion\":\"1.0\",\"agent\":\"a@b.c\",\"state\":\"Ready\"}", "/data"},
    {"{\"agent\":\"a@b.c\",\"state\":\"Re\\u0000ady\"}", ""},
    {"{\"agent\":\"a@b.c\",\"state\":\"\xff\"}", ""},
};

static void test_refused(void **state UNUSED)
{
  for (size_t i = 0; i < COUNT_OF(refused); i++) {
    struct err err = ERR_INIT;
    if (parse(refused[i].text, &event, &err))
      fail_msg("taken: %s", refused[i].text);
    if (err.kind != ERR_INPUT || strstr(err.text, refused[i].says) == NULL)
      fail_msg("%s: %s", refused[i].text, err.text);
  }
}

static void test_too_long(void **state UNUSED)
{
  char text[EVENT_NAME_SIZE + 100];
  char name[EVENT_NAME_SIZE + 1];
  struct err err = ERR_INIT;
  memset(name, 'x', sizeof name);
  name[EVENT_NAME_SIZE - 1] = '\0';
  snprintf(text, sizeof text, "{\"agent\":\"a@b.c\",\"state\":\"%s\"}", name);
  assert_true(parse(text, &event, &err));
  name[EVENT_NAME_SIZE - 1] = 'x';
  name[EVENT_NAME_SIZE] = '\0';
  snprintf(text, sizeof text, "{\"agent\":\"a@b.c\",\"state\":\"%s\"}", name);
  assert_false(parse(text, &event, &err));
  assert_non_null(strstr(err.text, "/state: longer than 128 bytes"));
  static char large[EVENT_MAX_BYTES + 2];
  memset(large, ' ', sizeof large);
  memcpy(large, "{\"agent\":\"a@b.c\",\"state\":\"Ready\"}", 33);
  assert_true(intake_parse(json, large, EVENT_MAX_BYTES, ARRIVAL, &event, &err));
  assert_false(intake_parse(json, large, EVENT_MAX_BYTES + 1, ARRIVAL, &event, &err));
}

static void test_plain(void **state UNUSED)
{
  struct err err = ERR_INIT;
  assert_true(parse(
      "{\"agent\":\" Anna@Contoso.COM \",\"state\":\" NotReady \",\"reason\":47,\"ucc\":\"Voice\",\"id\":\"e1\","
      "\"at\":\"2026-01-05T13:00:00+01:00\",\"account\":\"contoso.com\","
      "\"attributes\":{\"team\":\"B\",\"skill\":3,\"vip\":true},\"colour\":\"red\"}",
      &event, &err));
  assert_string_equal(event.agent, "anna@contoso.com");
  assert_string_equal(event.state, "NotReady");
  assert_string_equal(event.reason, "47");
  assert_string_equal(event.ucc, "Voice");
  assert_string_equal(event.id, "e1");
  assert_int_equal(event.at_ms, ARRIVAL);
  assert_true(event.at_given);
  assert_int_equal(event.unknown_fields, 1);
  assert_string_equal(event.unknown_field, "colour");
  assert_int_equal(event.attribute_count, 3);
  assert_string_equal(event.attributes[0].name, "skill");
  assert_string_equal(event.attributes[0].text, "3");
  assert_int_equal(event.attributes[2].type, ATTRIBUTE_BOOL);
}

static void test_defaults(void **state UNUSED)
{
  struct err err = ERR_INIT;
  assert_true(parse("{\"agent\":\"a@b.c\",\"state\":\"Ready\",\"reason\":null,\"attributes\":{}}", &event, &err));
  assert_string_equal(event.ucc, "default");
  assert_string_equal(event.reason, "");
  assert_int_equal(event.at_ms, ARRIVAL);
  assert_false(event.at_given);
  assert_true(
      parse("{\"agent\":\"11111111-2222-3333-4444-55555555555A\",\"state\":\"Ready\",\"reason\":47.0}", &event, &err));
  assert_string_equal(event.agent, "11111111-2222-3333-4444-55555555555a");
  assert_string_equal(event.reason, "47");
}

static void test_cloudevent(void **state UNUSED)
{
  struct err err = ERR_INIT;
  assert_true(parse(
      "{\"specversion\":\"1.0\",\"id\":\"c1\",\"source\":\"voice\",\"type\":\"x\",\"time\":\"2026-01-05T11:00:00Z\","
      "\"data\":{\"agent\":\"a@b.c\",\"state\":\"Ready\"}}",
      &event, &err));
  assert_string_equal(event.id, "c1");
  assert_string_equal(event.ucc, "voice");
  assert_int_equal(event.at_ms, ARRIVAL - CLOCK_HOUR);
  assert_int_equal(event.unknown_fields, 0);
  assert_true(parse(
      "{\"specversion\":\"1.0\",\"id\":\"c1\",\"source\":\"voice\",\"time\":\"2026-01-05T11:00:00Z\","
      "\"data\":{\"agent\":\"a@b.c\",\"state\":\"Ready\",\"id\":\"d1\",\"ucc\":\"chat\",\"at\":\"2026-01-05T10:00:"
      "00Z\"}}",
      &event, &err));
  assert_string_equal(event.id, "d1");
  assert_string_equal(event.ucc, "chat");
  assert_int_equal(event.at_ms, ARRIVAL - 2 * CLOCK_HOUR);
}

static void test_fingerprint(void **state UNUSED)
{
  static const struct {
    const char *text;
    bool same;
  } others[] = {
      {"{\"state\":\"Ready\",\"attributes\":{\"y\":2,\"x\":1},\"agent\":\"A@b.c\"}", true},
      {"{\"agent\":\"a@b.c\",\"state\":\"Ready\",\"attributes\":{\"x\":1,\"y\":3}}", false},
      {"{\"agent\":\"a@b.c\",\"state\":\"Talking\",\"attributes\":{\"x\":1,\"y\":2}}", false},
      {"{\"agent\":\"a@b.c\",\"state\":\"Ready\",\"at\":\"2026-01-05T12:00:00Z\",\"attributes\":{\"x\":1,\"y\":2}}",
       false},
  };
  struct err err = ERR_INIT;
  assert_true(parse("{\"agent\":\"a@b.c\",\"state\":\"Ready\",\"attributes\":{\"x\":1,\"y\":2}}", &event, &err));
  for (size_t i = 0; i < COUNT_OF(others); i++) {
    assert_true(parse(others[i].text, &other, &err));
    assert_int_equal(event.fingerprint == other.fingerprint, others[i].same);
  }
}

static void test_attributes_there_and_back(void **state UNUSED)
{
  struct err err = ERR_INIT;
  struct values values = {0};
  struct value *object;
  assert_true(parse(
      "{\"agent\":\"a@b.c\",\"state\":\"Ready\",\"attributes\":{\"s\":\"47\",\"n\":47,\"f\":0.25,\"b\":false}}", &event,
      &err));
  intake_write_attributes(&event, &values, &object);
  memset(&other, 0, sizeof other);
  assert_true(intake_read_attributes(object, &other, &err));
  assert_int_equal(other.attribute_count, 4);
  for (size_t i = 0; i < 4; i++) {
    assert_string_equal(other.attributes[i].name, event.attributes[i].name);
    assert_string_equal(other.attributes[i].text, event.attributes[i].text);
    assert_int_equal(other.attributes[i].type, event.attributes[i].type);
  }
  values_release(&values);
}

static int set_up(void **state UNUSED)
{
  struct err err = ERR_INIT;
  return (json = json_new(&err)) == NULL;
}

static int tear_down(void **state UNUSED)
{
  json_free(json);
  return 0;
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_too_long),
      cmocka_unit_test(test_plain),
      cmocka_unit_test(test_defaults),
      cmocka_unit_test(test_cloudevent),
      cmocka_unit_test(test_fingerprint),
      cmocka_unit_test(test_attributes_there_and_back)};
  return cases_run(argc, argv, tests, set_up, tear_down);
}
