#include "cases.h"

#include "adapters/crypto.h"
#include "base/must.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

static void from_hex(const char *hex, struct wiped *ret_bytes)
{
  size_t length = strlen(hex) / 2;
  wiped_reserve(ret_bytes, length);
  for (size_t i = 0; i < length; i++) {
    const char pair[] = {hex[2 * i], hex[2 * i + 1], '\0'};
    ret_bytes->bytes[i] = (unsigned char)strtoul(pair, NULL, 16);
  }
}

static void sha256_gives_the_published_digests(void **state)
{
  (void)state;
  static const struct {
    const char *text, *digest;
  } cases[] = {
      {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct wiped expected = WIPED_INIT;
    from_hex(cases[i].digest, &expected);
    unsigned char digest[32];
    crypto_sha256(cases[i].text, strlen(cases[i].text), digest);
    assert_memory_equal(digest, expected.bytes, sizeof digest);
    wiped_release(&expected);
  }
}

/* Test cases 13, 14 and 16 of the GCM specification (McGrew, Viega), as nonce + ciphertext + tag. */
static void aes_gcm_opens_the_published_vectors(void **state)
{
  (void)state;
  static const struct {
    const char *key, *bound, *sealed, *plain;
  } cases[] = {
      {"0000000000000000000000000000000000000000000000000000000000000000", "",
       "000000000000000000000000530f8afbc74536b9a963b4f1c4cb738b", ""},
      {"0000000000000000000000000000000000000000000000000000000000000000", "",
       "000000000000000000000000cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
       "00000000000000000000000000000000"},
      {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
       "cafebabefacedbaddecaf888522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b"
       "1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b",
       "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de65"
       "7"
       "ba637b39"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct wiped key = WIPED_INIT, bound = WIPED_INIT, sealed = WIPED_INIT, plain = WIPED_INIT, opened = WIPED_INIT;
    struct err err = ERR_INIT;
    from_hex(cases[i].key, &key);
    from_hex(cases[i].bound, &bound);
    from_hex(cases[i].sealed, &sealed);
    from_hex(cases[i].plain, &plain);
    assert_true(crypto_open(&key, bound.bytes, bound.length, sealed.bytes, sealed.length, &opened, &err));
    assert_int_equal(opened.length, plain.length);
    assert_memory_equal(opened.bytes, plain.bytes, plain.length);
    wiped_release(&key);
    wiped_release(&bound);
    wiped_release(&sealed);
    wiped_release(&plain);
    wiped_release(&opened);
  }
}

static void new_key(struct wiped *ret_key)
{
  wiped_reserve(ret_key, CRYPTO_KEY_SIZE);
  crypto_random(ret_key->bytes, CRYPTO_KEY_SIZE);
}

static void any_changed_bit_prevents_opening(void **state)
{
  (void)state;
  static const char bound[] = "tenant\nclient", text[] = "a+b/c%d&e=\xC3\xA9";
  struct wiped key = WIPED_INIT, plain = WIPED_INIT, opened = WIPED_INIT;
  struct buf sealed;
  struct err err = ERR_INIT;
  new_key(&key);
  wiped_set(&plain, text, strlen(text));
  buf_init(&sealed, 1024);
  assert_true(crypto_seal(&key, bound, strlen(bound), &plain, &sealed, &err));
  assert_int_equal(sealed.length, CRYPTO_NONCE_SIZE + strlen(text) + CRYPTO_TAG_SIZE);
  for (size_t bit = 0; bit < sealed.length * 8; bit++) {
    sealed.bytes[bit / 8] = (char)(sealed.bytes[bit / 8] ^ (1 << bit % 8));
    assert_false(crypto_open(&key, bound, strlen(bound), sealed.bytes, sealed.length, &opened, &err));
    assert_int_equal(err.kind, ERR_AUTH);
    assert_null(opened.bytes);
    sealed.bytes[bit / 8] = (char)(sealed.bytes[bit / 8] ^ (1 << bit % 8));
  }
  for (size_t length = 0; length < sealed.length; length++)
    assert_false(crypto_open(&key, bound, strlen(bound), sealed.bytes, length, &opened, &err));
  assert_false(crypto_open(&key, bound, strlen(bound) - 1, sealed.bytes, sealed.length, &opened, &err));
  assert_null(strstr(err.text, "a+b"));
  key.bytes[31] ^= 1;
  assert_false(crypto_open(&key, bound, strlen(bound), sealed.bytes, sealed.length, &opened, &err));
  key.bytes[31] ^= 1;
  assert_true(crypto_open(&key, bound, strlen(bound), sealed.bytes, sealed.length, &opened, &err));
  assert_string_equal(wiped_text(&opened), text);
  wiped_release(&key);
  wiped_release(&plain);
  wiped_release(&opened);
  buf_release(&sealed);
}

static void sealing_twice_gives_two_texts_and_respects_the_room(void **state)
{
  (void)state;
  struct wiped key = WIPED_INIT, plain = WIPED_INIT;
  struct buf first, second, small;
  struct err err = ERR_INIT;
  new_key(&key);
  wiped_set(&plain, "same", 4);
  buf_init(&first, 64);
  buf_init(&second, 64);
  buf_init(&small, CRYPTO_NONCE_SIZE + 4 + CRYPTO_TAG_SIZE - 1);
  assert_true(crypto_seal(&key, "x", 1, &plain, &first, &err));
  assert_true(crypto_seal(&key, "x", 1, &plain, &second, &err));
  assert_memory_not_equal(first.bytes, second.bytes, first.length);
  assert_false(crypto_seal(&key, "x", 1, &plain, &small, &err));
  assert_int_equal(err.kind, ERR_LIMIT);
  buf_release(&first);
  buf_release(&second);
  buf_release(&small);
  wiped_release(&key);
  wiped_release(&plain);
}

static void base64url_follows_rfc_4648(void **state)
{
  (void)state;
  static const struct {
    const char *hex, *text;
  } cases[] = {
      {"", ""},
      {"66", "Zg"},
      {"666f", "Zm8"},
      {"666f6f", "Zm9v"},
      {"666f6f62", "Zm9vYg"},
      {"666f6f6261", "Zm9vYmE"},
      {"666f6f626172", "Zm9vYmFy"},
      {"fbff", "-_8"},
      {"000000", "AAAA"},
      {"ffffffff", "_____w"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct wiped bytes = WIPED_INIT, back = WIPED_INIT;
    struct buf text;
    from_hex(cases[i].hex, &bytes);
    buf_init(&text, 64);
    crypto_base64url(bytes.bytes, bytes.length, &text);
    assert_string_equal(buf_text(&text), cases[i].text);
    assert_true(crypto_base64url_decode(cases[i].text, &back));
    assert_int_equal(back.length, bytes.length);
    assert_memory_equal(back.bytes, bytes.bytes, bytes.length);
    wiped_release(&bytes);
    wiped_release(&back);
    buf_release(&text);
  }
}

static void base64url_refuses_every_second_way_to_write_a_value(void **state)
{
  (void)state;
  static const char *const cases[] = {"Z",     "Zg==",  "Zm9vY",  "Zh",         "Zm9",   "Zm+v", "Zm/v",
                                      "Zm9v ", " Zm9v", "Zm9v\n", "Zm\xC3\xA9", "Zm9v=", "A~AA"};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct wiped bytes = WIPED_INIT;
    if (crypto_base64url_decode(cases[i], &bytes))
      fail_msg("\"%s\" was decoded", cases[i]);
    assert_null(bytes.bytes);
  }
}

static void guids_are_version_4_and_differ(void **state)
{
  (void)state;
  char a[CRYPTO_GUID_SIZE], b[CRYPTO_GUID_SIZE];
  for (int i = 0; i < 100; i++) {
    crypto_guid(a);
    crypto_guid(b);
    assert_true(str_is_guid(a));
    assert_int_equal(a[14], '4');
    assert_non_null(strchr("89ab", a[19]));
    assert_string_not_equal(a, b);
  }
}

static void equality_looks_at_every_byte(void **state)
{
  (void)state;
  assert_true(crypto_equal("abc", "abc", 3));
  assert_false(crypto_equal("abc", "abd", 3));
  assert_false(crypto_equal("abc", "bbc", 3));
  assert_true(crypto_equal("abc", "xyz", 0));
}

static void the_local_server_leaves_its_authority_in_a_file(void **state)
{
  (void)state;
  char folder[] = "/tmp/presenced-crypto-XXXXXX", path[64], text[64] = "";
  assert_non_null(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/ca.pem", folder);
  struct err err = ERR_INIT;
  void *tls = crypto_tls_local_server(path, &err);
  assert_non_null(tls);
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  assert_non_null(fgets(text, sizeof text, file));
  assert_string_equal(text, "-----BEGIN CERTIFICATE-----\n");
  fclose(file);
  crypto_tls_free(tls);
  unlink(path);
  rmdir(folder);
  assert_null(crypto_tls_local_server(path, &err)); /* the folder is gone */
  assert_int_equal(err.kind, ERR_CONFIG);
  assert_non_null(strstr(err.text, "ca.pem: cannot be written: No such file or directory"));
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sha256_gives_the_published_digests),
      cmocka_unit_test(aes_gcm_opens_the_published_vectors),
      cmocka_unit_test(any_changed_bit_prevents_opening),
      cmocka_unit_test(sealing_twice_gives_two_texts_and_respects_the_room),
      cmocka_unit_test(base64url_follows_rfc_4648),
      cmocka_unit_test(base64url_refuses_every_second_way_to_write_a_value),
      cmocka_unit_test(guids_are_version_4_and_differ),
      cmocka_unit_test(equality_looks_at_every_byte),
      cmocka_unit_test(the_local_server_leaves_its_authority_in_a_file),
  };
  return cases_run(argc, argv, tests, NULL, NULL);
}
