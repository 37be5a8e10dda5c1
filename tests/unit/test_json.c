/* JSON by lua-cjson: what it takes, what it refuses although lua-cjson would not, what it writes. */
#include "cases.h"

#include "adapters/json.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static struct json *json;

static int set_up(void **state UNUSED)
{
  struct err err = ERR_INIT;
  json = json_new(&err);
  return json == NULL;
}

static int tear_down(void **state UNUSED)
{
  json_free(json);
  json_free(NULL);
  return 0;
}

/* Parses and writes again; NULL expects a refusal that contains `why`. */
struct round {
  const char *text, *written, *why;
};

static const struct round rounds[] = {
    {"{}", "{}", NULL},
    {"[]", "{}", NULL}, /* an empty Lua table could be either */
    {" { \"b\" : 1 , \"a\" : [ 1, 2.5, true, null, \"x\" ] } ", "{\"a\":[1,2.5,true,null,\"x\"],\"b\":1}", NULL},
    {"null", "null", NULL},
    {"-0", "0", NULL},
    {"47.0", "47", NULL},
    {"1e3", "1000", NULL},
    {"0.1", "0.1", NULL},
    {"1234567890123456", "1234567890123456", NULL},
    {"9007199254740993", "9007199254740992", NULL}, /* a double: ids stay strings */
    {"12345678901234567890", "12345678901234567168", NULL},
    {"1e300", "1e+300", NULL},
    {"3.141592653589793", "3.141592653589793", NULL},
    {"\"\\u00e9 \\ud83d\\ude00 \\\" \\\\ \\n \\u0001\"", "\"\xC3\xA9 \xF0\x9F\x98\x80 \\\" \\\\ \\n \\u0001\"", NULL},
    {"{\"a\":1,\"a\":2}", "{\"a\":2}", NULL},
    {"\"\\\\u0000\"", "\"\\\\u0000\"", NULL}, /* an escaped backslash, no NUL */
    {"{\"\":1}", "{\"\":1}", NULL},
    {"", NULL, "at byte 1"},
    {"  ", NULL, "found the end at byte 3"},
    {"{\"a\":1,}", NULL, "expected object key string but found } at byte 8"},
    {"{\"a\":1 \"b\":2}", NULL, "found a string at byte 8"},
    {"[1,]", NULL, "found ] at byte 4"},
    {"[1", NULL, "found the end at byte 3"},
    {"{1:2}", NULL, "found a number at byte 2"},
    {"1 2", NULL, "at byte 3"},
    {"{} x", NULL, "at byte 4"},
    {"nan", NULL, "at byte 1"},
    {"-inf", NULL, "invalid number at byte 1"},
    {"Infinity", NULL, "at byte 1"},
    {"0x10", NULL, "invalid number"},
    {"01", NULL, "invalid number"},
    {"1.", NULL, "nothing behind its point at byte 2"},
    {"[1.,2]", NULL, "nothing behind its point at byte 3"},
    {"1e400", NULL, "too large"},
    {"[-1e400]", NULL, "too large"},
    {"\"\\u0000\"", NULL, "a NUL in a string at byte 2"},
    {"{\"a\\u0000b\":1}", NULL, "not a text"},
    {"\"\\ud800\"", NULL, "invalid unicode escape"},
    {"\"a\nb\"", NULL, "a control character in a string at byte 3"},
    {"\"\\x\"", NULL, "invalid escape"},
    {"\"\xC3(\"", NULL, "no UTF-8 at byte 2"},
    {"\"abc\xED\xA0\x80\"", NULL, "no UTF-8 at byte 5"},
    {"\"\xC3", NULL, "no UTF-8 at byte 2"},
    {"\xEF\xBB\xBF{}", NULL, "at byte 1"},
};

static void parses_and_writes(void **state UNUSED)
{
  for (size_t i = 0; i < COUNT_OF(rounds); i++) {
    const struct round *round = &rounds[i];
    struct values values = {0};
    struct value *value = NULL;
    struct err err = ERR_INIT;
    struct buf buf;
    buf_init(&buf, 4096);
    /* A copy of its exact size, so that the sanitizer sees a byte read too many. */
    size_t length = strlen(round->text);
    char *exact = malloc(length == 0 ? 1 : length);
    memcpy(exact, round->text, length);
    bool ok = json_parse(json, exact, length, &values, &value, &err);
    free(exact);
    if (ok)
      json_write(&buf, value);
    if (ok != (round->written != NULL) || (ok && strcmp(buf_text(&buf), round->written) != 0) ||
        (!ok && (err.kind != ERR_INPUT || strstr(err.text, round->why) == NULL)))
      fail_msg("%s: %s", round->text, ok ? buf_text(&buf) : err.text);
    assert_true(ok || value == NULL);
    values_release(&values);
    buf_release(&buf);
  }
}

static bool parse_nested(int depth, struct err *err)
{
  char text[200];
  memset(text, '[', (size_t)depth);
  text[depth] = '1';
  memset(text + depth + 1, ']', (size_t)depth);
  struct values values = {0};
  struct value *value;
  bool ok = json_parse(json, text, (size_t)depth * 2 + 1, &values, &value, err);
  values_release(&values);
  return ok;
}

static void nests_to_32(void **state UNUSED)
{
  struct err err = ERR_INIT;
  assert_true(parse_nested(32, &err));
  assert_false(parse_nested(33, &err));
  assert_non_null(strstr(err.text, "too many nested data structures (33)"));
}

static void refuses_nul_bytes(void **state UNUSED)
{
  struct values values = {0};
  struct value *value;
  struct err err = ERR_INIT;
  assert_false(json_parse(json, "{}\0", 3, &values, &value, &err));
  assert_non_null(strstr(err.text, "a NUL at byte 3"));
  values_release(&values);
}

/* The keys are the numbers below `members`, the values where they stood. */
static void check_order(int members)
{
  struct buf buf;
  buf_init(&buf, 2 * 1024 * 1024);
  buf_add_str(&buf, "{");
  for (int i = 0; i < members; i++)
    buf_addf(&buf, "%s\"%d\":%d", i == 0 ? "" : ",", (i * 7919) % members, i);
  buf_add_str(&buf, "}");
  struct values values = {0};
  struct value *value;
  struct err err = ERR_INIT;
  assert_true(json_parse(json, buf.bytes, buf.length, &values, &value, &err));
  assert_int_equal(value_count(value), members);
  for (int i = 0; i < members; i++) {
    assert_true(i == 0 || strcmp(value->u.table.keys[i - 1], value->u.table.keys[i]) < 0);
    char key[16];
    snprintf(key, sizeof key, "%d", (int)value->u.table.items[i]->u.number * 7919 % members);
    assert_string_equal(value->u.table.keys[i], key);
  }
  values_release(&values);
  buf_release(&buf);
}

/* Members come in order, of a large object quickly too: the search for a key's twin must not be quadratic. */
static void objects_are_sorted(void **state UNUSED)
{
  for (int members = 0; members < 50; members++)
    check_order(members);
  check_order(50000);
}

/* What lua-cjson lets pass is found wherever it stands, also by those that look at eight bytes at a time. */
static void finds_any_byte_anywhere(void **state UNUSED)
{
  for (size_t length = 1; length < 36; length++)
    for (size_t at = 0; at < length; at++)
      for (int byte = 1; byte < 256; byte++) {
        char text[40] = "\"";
        memset(text + 1, 'a', length);
        text[1 + at] = (char)byte;
        text[1 + length] = '"';
        /* A quote ends the string too early, unless it was the last; a backslash begins an escape that is none. */
        bool good = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
        struct values values = {0};
        struct value *value;
        struct err err = ERR_INIT;
        if (json_parse(json, text, length + 2, &values, &value, &err) != good)
          fail_msg("byte %d at %zu of %zu: %s", byte, at, length, good ? err.text : "taken");
        values_release(&values);
      }
}

static void writes_for_people(void **state UNUSED)
{
  struct values values = {0};
  struct value *value;
  struct err err = ERR_INIT;
  const char *text = "{\"a\":[1,{\"b\":null}],\"c\":{}}";
  assert_true(json_parse(json, text, strlen(text), &values, &value, &err));
  struct buf buf;
  buf_init(&buf, 4096);
  json_write_pretty(&buf, value);
  assert_string_equal(buf_text(&buf), "{\n  \"a\": [\n    1,\n    {\n      \"b\": null\n    }\n  ],\n  \"c\": {}\n}");
  values_release(&values);
  buf_release(&buf);
}

static void writing_overflows_cleanly(void **state UNUSED)
{
  struct buf buf;
  buf_init(&buf, 4);
  json_write_string(&buf, "abcdef", 6);
  assert_true(buf.overflow);
  buf_release(&buf);
}

/* What a large site's daemon says of its agents is more than anything that comes from others may be. */
static void takes_large_texts_where_told(void **state UNUSED)
{
  enum { COUNT = 1200000 };
  struct values values = {0};
  struct value *value;
  struct err err = ERR_INIT;
  struct json *large = json_new(&err);
  char *text = must_alloc(2 * COUNT + 1);
  for (size_t i = 0; i < COUNT; i++)
    memcpy(text + 2 * i, i == 0 ? "[1" : ",1", 2);
  text[2 * COUNT] = ']';
  assert_non_null(large);
  assert_false(json_parse(large, text, 2 * COUNT + 1, &values, &value, &err));
  assert_non_null(strstr(err.text, "more than 1000000 values"));
  json_take_large(large);
  assert_true(json_parse(large, text, 2 * COUNT + 1, &values, &value, &err));
  assert_int_equal(value_count(value), COUNT);
  free(text);
  json_free(large);
  values_release(&values);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(parses_and_writes),         cmocka_unit_test(nests_to_32),
      cmocka_unit_test(refuses_nul_bytes),         cmocka_unit_test(objects_are_sorted),
      cmocka_unit_test(finds_any_byte_anywhere),   cmocka_unit_test(writes_for_people),
      cmocka_unit_test(writing_overflows_cleanly), cmocka_unit_test(takes_large_texts_where_told),
  };
  return cases_run(argc, argv, tests, set_up, tear_down);
}
