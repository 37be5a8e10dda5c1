/* base/: strings, buffers, values, lists, heaps, errors, wiped memory. Time has its own file. */
#include "cases.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/str.h"
#include "base/value.h"
#include "base/wiped.h"

#include <stdint.h>
#include <string.h>

/* ---- str ---- */

static void a_copy_fits_or_does_not_happen(void **state)
{
  (void)state;
  char to[5] = "old";
  assert_true(str_copy(to, sizeof to, "four"));
  assert_string_equal(to, "four");
  assert_false(str_copy(to, sizeof to, "fives"));
  assert_string_equal(to, "four");
  assert_true(str_copy(to, sizeof to, ""));
  assert_string_equal(to, "");
  assert_false(str_copy(to, 0, ""));
}

static void a_cut_keeps_whole_characters(void **state)
{
  (void)state;
  static const struct {
    size_t room;
    const char *from, *cut;
  } rows[] = {
      {8, "short", "short"},
      {6, "exact", "exact"},
      {5, "exact", "exac"},
      {1, "exact", ""},
      {4, "zo\xC3\xAB", "zo"}, /* two bytes, the second does not fit */
      {5, "zo\xC3\xAB", "zo\xC3\xAB"},
      {4, "\xE2\x82\xAC\xE2\x82\xAC", "\xE2\x82\xAC"}, /* euro, euro */
      {6, "\xE2\x82\xAC\xE2\x82\xAC", "\xE2\x82\xAC"},
      {4, "\xF0\x9F\x98\x80", ""}, /* four bytes */
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    char to[16];
    str_cut(to, rows[i].room, rows[i].from);
    assert_string_equal(to, rows[i].cut);
  }
}

static void trim_and_lower_work_in_place(void **state)
{
  (void)state;
  static const struct {
    const char *text, *trimmed;
  } rows[] = {{"", ""}, {"  ", ""}, {" a ", "a"}, {"\t\r\n\v\fa b\n", "a b"}, {"a", "a"}, {"a  ", "a"}};
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    char text[32];
    assert_true(str_copy(text, sizeof text, rows[i].text));
    assert_string_equal(str_trim(text), rows[i].trimmed);
  }
  char mixed[] = "AZaz@[`{\xC3\x8B"; /* the neighbours of the letters, and a capital E with diaeresis, stay */
  assert_string_equal(str_lower(mixed), "azaz@[`{\xC3\x8B");
}

static void comparisons_ignore_ascii_case_only(void **state)
{
  (void)state;
  static const struct {
    const char *a, *b;
    bool equal;
  } rows[] = {
      {"", "", true},    {"Ready", "rEADY", true},        {"a", "ab", false},   {"ab", "a", false}, {"[", "{", false},
      {"@", "`", false}, {"\xC3\x8B", "\xC3\xAB", false}, {"1:1", "1:1", true},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++)
    assert_int_equal(str_equal_fold(rows[i].a, rows[i].b), rows[i].equal);
  assert_true(str_starts("teams.busy", "teams."));
  assert_true(str_starts("x", ""));
  assert_false(str_starts("team", "teams"));
  assert_false(str_starts("Teams.", "teams."));
  assert_true(str_ends_fold("ann@CONTOSO.com", "@contoso.COM"));
  assert_false(str_ends_fold("com", "contoso.com"));
}

static void utf8_is_told_from_other_bytes(void **state)
{
  (void)state;
  static const struct {
    const char *bytes;
    size_t length;
    bool ok;
  } rows[] = {
      {"", 0, true},
      {"plain", 5, true},
      {"a\0b", 3, false},
      {"\x7F", 1, true},
      {"\xC3\xAB", 2, true},
      {"\xE2\x82\xAC", 3, true},
      {"\xF0\x9F\x98\x80", 4, true},
      {"\xF4\x8F\xBF\xBF", 4, true}, /* U+10FFFF */
      {"\xED\x9F\xBF", 3, true},
      {"\xEE\x80\x80", 3, true},
      {"\x80", 1, false},
      {"\xBF", 1, false}, /* a continuation alone */
      {"\xC0\x80", 2, false},
      {"\xC1\xBF", 2, false}, /* overlong */
      {"\xE0\x9F\xBF", 3, false},
      {"\xF0\x8F\xBF\xBF", 4, false}, /* overlong */
      {"\xED\xA0\x80", 3, false},
      {"\xED\xBF\xBF", 3, false}, /* surrogates */
      {"\xF4\x90\x80\x80", 4, false},
      {"\xF5\x80\x80\x80", 4, false}, /* above U+10FFFF */
      {"\xC3", 1, false},
      {"\xE2\x82", 2, false},
      {"\xF0\x9F\x98", 3, false}, /* cut off */
      {"\xC3(", 2, false},
      {"\xE2(\xAC", 3, false},
      {"\xE2\x82(", 3, false},
      {"\xF0\x9F\x98(", 4, false},
      {"\xFF", 1, false},
      {"ok\xFE", 3, false},
  };
  /* Wherever it stands: plain bytes are looked at several at a time. */
  for (size_t i = 0; i < COUNT_OF(rows); i++)
    for (size_t before = 0; before < 20; before++)
      for (size_t behind = 0; behind < 20; behind++) {
        char text[48];
        memset(text, 'a', sizeof text);
        memcpy(text + before, rows[i].bytes, rows[i].length);
        if (str_is_utf8(text, before + rows[i].length + behind) != rows[i].ok)
          fail_msg("row %zu, with %zu bytes before it and %zu behind it", i, before, behind);
      }
}

static void letters_and_digits_are_those_of_ascii(void **state)
{
  (void)state;
  static const char these[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  for (int c = 0; c < 256; c++)
    assert_true(str_is_alphanumeric((char)c) == (c != 0 && strchr(these, c) != NULL));
}

static void guids_are_known_by_their_shape(void **state)
{
  (void)state;
  assert_true(str_is_guid("00000000-0000-0000-0000-000000000000"));
  assert_true(str_is_guid("6F9619FF-8b86-D011-B42D-00CF4FC964ff"));
  static const char *const rows[] = {
      "",
      "6F9619FF8b86D011B42D00CF4FC964ff",
      "{6F9619FF-8b86-D011-B42D-00CF4FC964ff}",
      "6F9619FF-8b86-D011-B42D-00CF4FC964f",
      "6F9619FF-8b86-D011-B42D-00CF4FC964ff0",
      "6F9619FF-8b86-D011-B42D-00CF4FC964fg",
      "6F9619FF-8b86-D011-B42D000CF4FC964ff",
      "6F9619FFF8b86-D011-B42D-00CF4FC964ff",
      "contoso.com",
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++)
    assert_false(str_is_guid(rows[i]));
}

static void a_guid_says_its_version(void **state)
{
  (void)state;
  static const unsigned char bytes[16] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0xf6, 0x77,
                                          0xff, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0x0f};
  char text[STR_GUID_SIZE];
  str_guid(bytes, text);
  assert_string_equal(text, "00112233-4455-4677-bf99-aabbccddee0f");
}

static void the_nearest_word_is_proposed(void **state)
{
  (void)state;
  static const char *const words[] = {"TenantId", "ClientId", "Encryptedsecret", "Rules", "Cloud", "Lease"};
  static const struct {
    const char *text, *nearest;
  } rows[] = {
      {"TenantID", "TenantId"},
      {"TennantId", "TenantId"},
      {"tenantid", "TenantId"},
      {"Cilentid", "ClientId"},
      {"EncryptedSecret", "Encryptedsecret"},
      {"Rule", "Rules"},
      {"Claud", "Cloud"},
      {"Proxy", NULL},
      {"x", NULL},
      {"ThisWordIsLongerThanAnyNameThatCouldEverBeMeantByIt", NULL},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    const char *nearest = str_nearest(rows[i].text, words, COUNT_OF(words));
    if (rows[i].nearest == NULL ? nearest != NULL : nearest == NULL || strcmp(nearest, rows[i].nearest) != 0)
      fail_msg("%s: proposed %s", rows[i].text, nearest == NULL ? "nothing" : nearest);
  }
  assert_null(str_nearest("Rules", words, 0));
}

static void integers_are_whole_and_in_range(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    int64_t min, max, number;
    bool ok;
  } rows[] = {
      {"0", 0, 10, 0, true},
      {"10", 0, 10, 10, true},
      {"-3", -5, 5, -3, true},
      {"007", 0, 10, 7, true},
      {"9223372036854775807", 0, INT64_MAX, INT64_MAX, true},
      {"-9223372036854775808", INT64_MIN, 0, INT64_MIN, true},
      {"11", 0, 10, 0, false},
      {"-1", 0, 10, 0, false},
      {"", 0, 10, 0, false},
      {" 1", 0, 10, 0, false},
      {"1 ", 0, 10, 0, false},
      {"+1", 0, 10, 0, false},
      {"1.0", 0, 10, 0, false},
      {"0x1", 0, 10, 0, false},
      {"--1", -5, 10, 0, false},
      {"1-", 0, 10, 0, false},
      {"-", -5, 10, 0, false},
      {"9223372036854775808", INT64_MIN, INT64_MAX, 0, false},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    int64_t number = 4711;
    bool ok = str_parse_int(rows[i].text, rows[i].min, rows[i].max, &number);
    if (ok != rows[i].ok || number != (ok ? rows[i].number : 4711))
      fail_msg("\"%s\"", rows[i].text);
  }
}

static void hashes_are_those_of_fnv1a(void **state)
{
  (void)state;
  assert_true(str_hash("", 0, 0) == 0xCBF29CE484222325u);
  assert_true(str_hash("a", 1, 0) == 0xAF63DC4C8601EC8Cu);
  assert_true(str_hash("foobar", 6, 0) == 0x85944171F73967E8u);
  assert_true(str_hash("a", 1, 1) != str_hash("a", 1, 0));
}

/* ---- buf ---- */

static void a_buffer_grows_up_to_its_limit(void **state)
{
  (void)state;
  struct buf buf;
  buf_init(&buf, 1000);
  assert_string_equal(buf_text(&buf), "");
  assert_true(buf_add_str(&buf, "one "));
  assert_true(buf_addf(&buf, "%d %s", 2, "three"));
  assert_string_equal(buf_text(&buf), "one 2 three");
  assert_int_equal(buf.length, 11);
  char block[600];
  memset(block, 'x', sizeof block);
  assert_true(buf_add(&buf, block, sizeof block));
  assert_false(buf_add(&buf, block, sizeof block));
  assert_true(buf.overflow);
  assert_int_equal(buf.length, 611); /* what does not fit is dropped whole */
  assert_true(buf_add(&buf, block, 1000 - 611));
  assert_int_equal(buf.bytes[1000], '\0');
  assert_false(buf_add(&buf, "y", 1));
  assert_null(buf_extend(&buf, 1));
  assert_true(buf_add(&buf, "", 0));
  assert_true(buf.overflow); /* stays, so that a writer may check once at the end */
  buf_clear(&buf);
  assert_false(buf.overflow);
  assert_string_equal(buf_text(&buf), "");
  buf_release(&buf);
  assert_null(buf.bytes);
  assert_true(buf_add_str(&buf, "again"));
  memcpy(buf_extend(&buf, 3), "st.", 3);
  assert_string_equal(buf_text(&buf), "against.");
  assert_int_equal(buf.length, 8);
  buf_release(&buf);
}

static void long_formats_fit_too(void **state)
{
  (void)state;
  struct buf buf;
  buf_init(&buf, 2000);
  for (int width = 510; width <= 514; width++) { /* around the size that needs no memory of its own */
    buf_clear(&buf);
    assert_true(buf_addf(&buf, "%*d", width, 7));
    assert_int_equal(buf.length, width);
    assert_int_equal(buf.bytes[width - 1], '7');
  }
  assert_false(buf_addf(&buf, "%*d", 1900, 7));
  assert_true(buf.overflow);
  assert_int_equal(buf.length, 514);
  buf_release(&buf);
}

static void the_front_of_a_buffer_can_go(void **state)
{
  (void)state;
  struct buf buf;
  buf_init(&buf, 100);
  buf_drop_front(&buf, 0);
  assert_true(buf_add_str(&buf, "line\nrest"));
  buf_drop_front(&buf, 5);
  assert_string_equal(buf_text(&buf), "rest");
  assert_int_equal(buf.length, 4);
  buf_drop_front(&buf, 4);
  assert_string_equal(buf_text(&buf), "");
  buf_release(&buf);
  buf_init(&buf, 0);
  assert_true(buf_add(&buf, "", 0));
  assert_false(buf_add(&buf, "x", 1));
  buf_release(&buf);
}

/* ---- value ---- */

static void a_tree_is_built_and_read(void **state)
{
  (void)state;
  struct values values = {0};
  struct value *map = value_map(&values), *list = value_list(&values);
  for (int i = 0; i < 100; i++)
    value_add(&values, list, value_number(&values, i));
  value_set(&values, map, "list", list);
  value_set(&values, map, "name", value_string(&values, "first"));
  value_set(&values, map, "on", value_bool(&values, true));
  value_set(&values, map, "nothing", value_nil(&values));
  value_set(&values, map, "bytes", value_bytes(&values, "a\0b", 3));
  value_set(&values, map, "name", value_string(&values, "second")); /* replaces, in its old place */
  assert_int_equal(value_count(map), 5);
  assert_string_equal(map->u.table.keys[1], "name");
  assert_string_equal(value_get_text(map, "name", ""), "second");
  assert_true(value_get_bool(map, "on", false));
  assert_true(value_is(value_get(map, "nothing"), VALUE_NIL));
  assert_int_equal(value_count(value_get(map, "list")), 100);
  for (size_t i = 0; i < 100; i++)
    assert_true(value_at(list, i)->u.number == (double)i);
  const struct value *bytes = value_get(map, "bytes");
  assert_int_equal(bytes->u.string.length, 3);
  assert_memory_equal(bytes->u.string.bytes, "a\0b", 4);
  values_release(&values);
  assert_null(values.blocks);
}

static void readers_take_what_is_not_there(void **state)
{
  (void)state;
  struct values values = {0};
  struct value *map = value_map(&values), *number = value_number(&values, 4.5);
  value_set(&values, map, "n", number);
  assert_null(value_get(NULL, "x"));
  assert_null(value_get(number, "x"));
  assert_null(value_get(map, "x"));
  assert_null(value_at(NULL, 0));
  assert_null(value_at(map, 0)); /* a map is no list */
  assert_int_equal(value_count(NULL), 0);
  assert_int_equal(value_count(number), 0);
  assert_null(value_at(value_map(&values), 0));
  assert_string_equal(value_text(NULL, "otherwise"), "otherwise");
  assert_string_equal(value_get_text(map, "n", "otherwise"), "otherwise");
  assert_true(value_get_number(map, "n", 1) == 4.5);
  assert_true(value_get_number(map, "x", 1) == 1);
  assert_true(value_get_bool(map, "n", true));
  assert_false(value_is(NULL, VALUE_NIL));
  assert_string_equal(value_type_str(VALUE_LIST), "array");
  assert_string_equal(value_type_str(VALUE_MAP), "object");
  values_release(&values);
}

static void large_values_have_their_own_block(void **state)
{
  (void)state;
  struct values values = {0};
  char large[10000];
  memset(large, 'x', sizeof large);
  struct value *small = value_string(&values, "small");
  struct value *value = value_bytes(&values, large, sizeof large);
  struct value *after = value_string(&values, "after");
  assert_int_equal(value->u.string.length, sizeof large);
  assert_memory_equal(value->u.string.bytes, large, sizeof large);
  assert_int_equal(value->u.string.bytes[sizeof large], '\0');
  assert_string_equal(value_text(small, ""), "small");
  assert_string_equal(value_text(after, ""), "after");
  values_release(&values);
}

/* ---- list, heap ---- */

struct item {
  int number;
  struct list_node link;
  struct heap_node due;
};

static void a_list_keeps_its_order(void **state)
{
  (void)state;
  struct list_node list;
  struct item items[4] = {0};
  list_init(&list);
  assert_true(list_empty(&list));
  assert_null(list_first(&list));
  for (int i = 0; i < 4; i++) {
    items[i].number = i;
    list_add_tail(&list, &items[i].link);
  }
  list_remove(&items[1].link);
  list_remove(&items[1].link); /* fine a second time */
  list_remove(&items[3].link);
  list_add_tail(&list, &items[1].link);
  static const int order[] = {0, 2, 1};
  for (size_t i = 0; i < COUNT_OF(order); i++) {
    struct list_node *node = list_first(&list);
    must(node != NULL);
    assert_int_equal(LIST_ENTRY(node, struct item, link)->number, order[i]);
    list_remove(node);
  }
  assert_true(list_empty(&list));
}

static void a_heap_gives_the_earliest_first(void **state)
{
  (void)state;
  enum { COUNT = 500 };
  struct heap heap = {0};
  static struct item items[COUNT];
  heap_remove(&heap, &items[0].due); /* fine when it is in no heap */
  assert_null(heap_first(&heap));
  for (int i = 0; i < COUNT; i++)
    heap_put(&heap, &items[i].due, (i * 7919) % 1009);
  for (int i = 0; i < COUNT; i += 3) /* moved, both ways */
    heap_put(&heap, &items[i].due, (i * 104729) % 1013);
  for (int i = 1; i < COUNT; i += 5)
    heap_remove(&heap, &items[i].due);
  int left = 0;
  int64_t last = INT64_MIN;
  for (struct heap_node *node; (node = heap_first(&heap)) != NULL; left++) {
    assert_true(node->at_ms >= last);
    last = node->at_ms;
    heap_remove(&heap, node);
    assert_int_equal(node->place, 0);
  }
  assert_int_equal(left, COUNT - COUNT / 5);
  assert_true(heap.room < COUNT / 4); /* what a wave needed is not kept */
  heap_put(&heap, &items[7].due, 1);
  heap_release(&heap);
  assert_int_equal(items[7].due.place, 0);
}

/* ---- err, wiped ---- */

static void errors_carry_their_way(void **state)
{
  (void)state;
  struct err err = ERR_INIT;
  assert_false(err_set(&err, ERR_STORE, "%s: permission denied\nsecond line", "/x"));
  assert_int_equal(err.kind, ERR_STORE);
  assert_string_equal(err.text, "/x: permission denied second line");
  assert_false(err_add(&err, "state file %d", 1));
  assert_string_equal(err.text, "state file 1: /x: permission denied second line");
  assert_false(err_set(&err, ERR_NET, "again: %s", err.text)); /* an argument may be the old text */
  assert_string_equal(err.text, "again: state file 1: /x: permission denied second line");
  assert_false(err_add(&err, "%s", "a\x1B]0;b\a\nc\x7F"));
  assert_string_equal(err.text, "a ]0;b  c : again: state file 1: /x: permission denied second line");
  for (int i = 0; i < 100; i++)
    assert_false(err_add(&err, "long context \xC3\xAB"));
  assert_true(strlen(err.text) < sizeof err.text);
  assert_true(str_is_utf8(err.text, strlen(err.text)));
  assert_string_equal(err_kind_str(ERR_RULE), "rule");
}

static void wiped_memory_holds_and_forgets(void **state)
{
  (void)state;
  struct wiped wiped = WIPED_INIT;
  assert_string_equal(wiped_text(&wiped), "");
  wiped_set(&wiped, "s3cret", 6);
  assert_string_equal(wiped_text(&wiped), "s3cret");
  wiped_set(&wiped, wiped.bytes + 2, 4); /* from within itself */
  assert_string_equal(wiped_text(&wiped), "cret");
  wiped_reserve(&wiped, 4096); /* a page exactly: the NUL needs another */
  assert_int_equal(wiped.length, 4096);
  assert_int_equal(wiped.bytes[4096], 0);
  wiped_release(&wiped);
  wiped_release(&wiped);
  assert_null(wiped.bytes);
}

static void test_percent_decode(void **state)
{
  static const struct {
    const char *text, *decoded; /* NULL: refused */
  } cases[] = {{"", ""},      {"abc", "abc"},   {"a%20b+c", "a b+c"}, {"%C3%ab", "\xc3\xab"},
               {"%25", "%"},  {"%2525", "%25"}, {"%", NULL},          {"a%2", NULL},
               {"%zz", NULL}, {"%00", NULL},    {"%0", NULL},         {"% 1", NULL}};
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    char text[32];
    assert_true(str_copy(text, sizeof text, cases[i].text));
    assert_int_equal(str_percent_decode(text), cases[i].decoded != NULL);
    if (cases[i].decoded != NULL)
      assert_string_equal(text, cases[i].decoded);
  }
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_percent_decode),
      cmocka_unit_test(a_copy_fits_or_does_not_happen),
      cmocka_unit_test(a_cut_keeps_whole_characters),
      cmocka_unit_test(trim_and_lower_work_in_place),
      cmocka_unit_test(comparisons_ignore_ascii_case_only),
      cmocka_unit_test(utf8_is_told_from_other_bytes),
      cmocka_unit_test(letters_and_digits_are_those_of_ascii),
      cmocka_unit_test(guids_are_known_by_their_shape),
      cmocka_unit_test(a_guid_says_its_version),
      cmocka_unit_test(the_nearest_word_is_proposed),
      cmocka_unit_test(integers_are_whole_and_in_range),
      cmocka_unit_test(hashes_are_those_of_fnv1a),
      cmocka_unit_test(a_buffer_grows_up_to_its_limit),
      cmocka_unit_test(long_formats_fit_too),
      cmocka_unit_test(the_front_of_a_buffer_can_go),
      cmocka_unit_test(a_tree_is_built_and_read),
      cmocka_unit_test(readers_take_what_is_not_there),
      cmocka_unit_test(large_values_have_their_own_block),
      cmocka_unit_test(a_list_keeps_its_order),
      cmocka_unit_test(a_heap_gives_the_earliest_first),
      cmocka_unit_test(errors_carry_their_way),
      cmocka_unit_test(wiped_memory_holds_and_forgets),
  };
  return cases_run(argc, argv, tests, NULL, NULL);
}
