/* base/table and base/shared: records found by their key, and equal bytes kept once. */
#include "cases.h"

#include "base/must.h"
#include "base/shared.h"
#include "base/table.h"

#include <string.h>

/* ---- table ---- */

enum { KEYS = 3000 };

struct record {
  int key;
};

static uint64_t well_spread(const void *record)
{
  return table_hash(&((const struct record *)record)->key, sizeof(int));
}

/* Everything lives in one run of places, that goes round the end. */
static uint64_t crowded(const void *record)
{
  return UINT64_MAX - (uint64_t)(((const struct record *)record)->key % 3);
}

static bool is_key(const void *record, const void *key)
{
  return ((const struct record *)record)->key == *(const int *)key;
}

/* Comes and goes at random, against an array that says who is in. */
static void come_and_go(uint64_t (*hash_of)(const void *), int keys, int steps)
{
  static struct record records[KEYS];
  static bool in[KEYS];
  struct table table = {.hash_of = hash_of};
  uint32_t seed = 1;
  size_t count = 0;
  memset(in, 0, sizeof in);
  for (int step = 0; step < steps; step++) {
    seed = seed * 1664525u + 1013904223u;
    int key = (int)(seed >> 8) % keys;
    records[key].key = key;
    if (in[key])
      table_remove(&table, &records[key]);
    else
      table_add(&table, &records[key]);
    in[key] = !in[key];
    count = in[key] ? count + 1 : count - 1;
    int other = (int)(seed >> 4) % keys;
    struct record sought = {other};
    assert_ptr_equal(table_find(&table, hash_of(&sought), is_key, &other), in[other] ? &records[other] : NULL);
  }
  assert_int_equal(table.count, count);
  for (int key = 0; key < keys; key++) {
    struct record sought = {key};
    assert_ptr_equal(table_find(&table, hash_of(&sought), is_key, &key), in[key] ? &records[key] : NULL);
  }
  table_release(&table);
  assert_null(table_find(&table, 0, is_key, &keys));
}

static void records_are_found_until_they_go(void **state)
{
  (void)state;
  come_and_go(well_spread, KEYS, 60000);
  come_and_go(crowded, 60, 20000);
}

/* The vectors of the paper's authors: key 00 01 .. 0f, message 00 01 02 ... */
static void the_hash_is_siphash(void **state)
{
  (void)state;
  unsigned char message[16];
  for (unsigned char i = 0; i < sizeof message; i++)
    message[i] = i;
  const uint64_t key0 = UINT64_C(0x0706050403020100), key1 = UINT64_C(0x0f0e0d0c0b0a0908);
  assert_true(table_siphash(key0, key1, message, 15) == UINT64_C(0xa129ca6149be45e5));
  assert_true(table_siphash(key0, key1, message, 0) == UINT64_C(0x726fdb47dd0e0e31));
  assert_true(table_siphash(key0, key1, message, 8) == UINT64_C(0x93f5f5799a932462));
  assert_true(table_hash(message, 15) == table_hash(message, 15));
}

/* ---- shared ---- */

static void equal_bytes_are_one(void **state)
{
  (void)state;
  char text[] = "Lunch";
  const char *first = shared_text("Lunch"), *again = shared_text(text), *other = shared_text("lunch");
  assert_ptr_equal(first, again);
  assert_ptr_not_equal(first, other);
  shared_release(first);
  assert_string_equal(again, "Lunch"); /* it has another holder */
  shared_replace(&again, again);
  assert_string_equal(again, "Lunch");
  shared_replace(&again, "");
  assert_string_equal(again, "");
  shared_release(again);
  shared_release(other);
  shared_release(NULL);

  uint64_t numbers[2] = {1, 2};
  const void *blob = shared_bytes(numbers, sizeof numbers), *shorter = shared_bytes(numbers, sizeof *numbers);
  assert_ptr_not_equal(blob, shorter);
  assert_int_equal((uintptr_t)blob % sizeof(uint64_t), 0);
  assert_memory_equal(blob, numbers, sizeof numbers);
  shared_release(blob);
  shared_release(shorter);
}

static void many_texts_come_and_go(void **state)
{
  (void)state;
  static const char *texts[KEYS];
  char text[16];
  for (int i = 0; i < KEYS; i++) {
    snprintf(text, sizeof text, "text %d", i % 1000);
    texts[i] = shared_text(text);
    assert_string_equal(texts[i], text);
    if (i >= 1000)
      assert_ptr_equal(texts[i], texts[i % 1000]);
  }
  for (int i = 0; i < KEYS; i++)
    shared_release(texts[i]);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(records_are_found_until_they_go), cmocka_unit_test(the_hash_is_siphash),
      cmocka_unit_test(equal_bytes_are_one), cmocka_unit_test(many_texts_come_and_go)};
  return cases_run(argc, argv, tests, NULL, NULL);
}
