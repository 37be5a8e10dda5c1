#include "cases.h"

#include "adapters/crypto.h"
#include "base/must.h"
#include "base/str.h"
#include "secret/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TENANT "11111111-2222-3333-4444-55555555aaaa"
#define CLIENT "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"

static void new_key(struct wiped *ret_key)
{
  wiped_reserve(ret_key, CRYPTO_KEY_SIZE);
  crypto_random(ret_key->bytes, CRYPTO_KEY_SIZE);
}

static void seal(const struct wiped *key, const char *secret, struct buf *ret_text)
{
  struct wiped plain = WIPED_INIT;
  struct err err = ERR_INIT;
  wiped_set(&plain, secret, strlen(secret));
  buf_init(ret_text, SECRET_SEALED_MAX);
  assert_true(secret_seal(key, TENANT, CLIENT, &plain, ret_text, &err));
  wiped_release(&plain);
}

static void every_secret_comes_back_as_it_was(void **state)
{
  (void)state;
  char longest[SECRET_MAX + 1];
  memset(longest, 'x', SECRET_MAX);
  longest[SECRET_MAX] = '\0';
  const char *const secrets[] = {"a",   "plain",      "a+b/c%d&e=f", "\xC3\xA9\xE2\x82\xAC~", "a b", "%2B", "<&\"'>",
                                 "pp1", "Xq8Q~w.1-_", longest};
  struct wiped key = WIPED_INIT;
  new_key(&key);
  for (size_t i = 0; i < COUNT_OF(secrets); i++) {
    struct buf text;
    struct wiped opened = WIPED_INIT;
    struct err err = ERR_INIT;
    seal(&key, secrets[i], &text);
    assert_true(str_starts(text.bytes, SECRET_PREFIX));
    assert_int_equal(
        strspn(text.bytes + 4, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), text.length - 4);
    assert_true(secret_open(&key, TENANT, CLIENT, text.bytes, &opened, &err));
    assert_string_equal(wiped_text(&opened), secrets[i]);
    assert_int_equal(opened.length, strlen(secrets[i]));
    wiped_release(&opened);
    buf_release(&text);
  }
  wiped_release(&key);
}

static void what_is_no_secret_is_not_sealed(void **state)
{
  (void)state;
  char too_long[SECRET_MAX + 2];
  memset(too_long, 'x', SECRET_MAX + 1);
  too_long[SECRET_MAX + 1] = '\0';
  const struct {
    const char *secret, *error;
  } cases[] = {
      {"", "the client secret is empty; paste its Value"},
      {too_long, "the client secret is longer than 1024 bytes; paste its Value only"},
      {"11111111-2222-3333-4444-555555555555", "a GUID is no client secret: this is the secret's ID; copy its Value"},
      {"pp1:abc", "this is sealed already; paste the client secret's Value"},
      {"two\nlines", "the client secret holds a line break or control character; paste its Value only"},
      {"tab\there", "the client secret holds a line break or control character; paste its Value only"},
      {" front", "the client secret begins or ends with a space; paste its Value only"},
      {"back ", "the client secret begins or ends with a space; paste its Value only"},
      {"\xE9", "the client secret is not UTF-8 text; paste its Value"},
  };
  struct wiped key = WIPED_INIT;
  new_key(&key);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct wiped plain = WIPED_INIT;
    struct buf text;
    struct err err = ERR_INIT;
    wiped_set(&plain, cases[i].secret, strlen(cases[i].secret));
    buf_init(&text, SECRET_SEALED_MAX);
    assert_false(secret_seal(&key, TENANT, CLIENT, &plain, &text, &err));
    assert_string_equal(err.text, cases[i].error);
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_int_equal(text.length, 0);
    wiped_release(&plain);
    buf_release(&text);
  }
  wiped_release(&key);
}

#define DOES_NOT_OPEN                                                                                                  \
  "does not open: sealed with another key or for another TenantId and ClientId, or changed since; run `presenced "     \
  "secret encrypt` for this account with the key in use"
#define DAMAGED "damaged: not what `presenced secret encrypt` printed; copy its whole line, or run it again"
#define OTHER_TOOL "made by another password tool; run `presenced secret encrypt`"

static void a_sealed_secret_opens_only_where_it_belongs(void **state)
{
  (void)state;
  struct wiped key = WIPED_INIT, other_key = WIPED_INIT;
  struct buf text;
  new_key(&key);
  new_key(&other_key);
  seal(&key, "the-secret-value", &text);
  char changed[256], cut[256], spaced[256], upper[64];
  assert_true(str_copy(changed, sizeof changed, text.bytes));
  changed[10] = changed[10] == 'A' ? 'B' : 'A';
  assert_true(str_copy(cut, sizeof cut, text.bytes));
  cut[strlen(cut) - 3] = '\0'; /* 59 digits; what is left is whole bytes */
  snprintf(spaced, sizeof spaced, "%s ", text.bytes);
  assert_true(str_copy(upper, sizeof upper, "AAAAAAAA-bbbb-CCCC-dddd-eeeeeeeeEEEE"));
  const struct {
    const struct wiped *key;
    const char *tenant, *client, *text, *error; /* NULL: opens */
  } cases[] = {
      {&key, TENANT, CLIENT, text.bytes, NULL},
      {&key, TENANT, upper, text.bytes, NULL},
      {&key, "11111111-2222-3333-4444-55555555AAAA", CLIENT, text.bytes, NULL},
      {&other_key, TENANT, CLIENT, text.bytes, DOES_NOT_OPEN},
      {&key, CLIENT, CLIENT, text.bytes, DOES_NOT_OPEN},
      {&key, TENANT, TENANT, text.bytes, DOES_NOT_OPEN},
      {&key, CLIENT, TENANT, text.bytes, DOES_NOT_OPEN},
      {&key, TENANT, CLIENT, changed, DOES_NOT_OPEN},
      {&key, TENANT, CLIENT, cut, DOES_NOT_OPEN},
      {&key, TENANT, CLIENT, "pp1:", DOES_NOT_OPEN},
      {&key, TENANT, CLIENT, spaced, DAMAGED},
      {&key, TENANT, CLIENT, "pp1:a", DAMAGED},
      {&key, TENANT, CLIENT, "pp1:AA==", DAMAGED},
      {&key, TENANT, CLIENT, "", OTHER_TOOL},
      {&key, TENANT, CLIENT, "PP1:AAAA", OTHER_TOOL},
      {&key, TENANT, CLIENT, "the-secret-value", OTHER_TOOL},
      {&key, TENANT, CLIENT, text.bytes + 4, OTHER_TOOL},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct wiped opened = WIPED_INIT;
    struct err err = ERR_INIT;
    bool ok = secret_open(cases[i].key, cases[i].tenant, cases[i].client, cases[i].text, &opened, &err);
    if (ok != (cases[i].error == NULL) || (!ok && strcmp(err.text, cases[i].error) != 0))
      fail_msg("case %zu: %s", i, err.text);
    assert_string_equal(wiped_text(&opened), ok ? "the-secret-value" : "");
    assert_null(strstr(err.text, "the-secret"));
    wiped_release(&opened);
  }
  buf_release(&text);
  wiped_release(&key);
  wiped_release(&other_key);
}

/* -- key files -------------------------------------------------------------------------------------------------- */

static char folder[64];

/* setenv() is kept out of this project; a test may swap the whole environment. */
static void with_environment(const char *first, const char *second)
{
  static char texts[2][192];
  static char *fake[3];
  size_t count = 0;
  if (first != NULL && str_copy(texts[0], sizeof texts[0], first))
    fake[count++] = texts[0];
  if (second != NULL && str_copy(texts[1], sizeof texts[1], second))
    fake[count++] = texts[1];
  fake[count] = NULL;
  environ = fake;
}

static char *in_folder(const char *name, char path[128])
{
  snprintf(path, 128, "%s/%s", folder, name);
  return path;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  assert_true(fputs(text, file) >= 0);
  assert_int_equal(fclose(file), 0);
  assert_int_equal(chmod(path, mode), 0);
}

static int make_folder(void **state)
{
  (void)state;
  assert_true(str_copy(folder, sizeof folder, "/tmp/presenced-secret-XXXXXX"));
  assert_non_null(mkdtemp(folder));
  with_environment(NULL, NULL);
  return 0;
}

static int remove_folder(void **state)
{
  (void)state;
  static const char *const names[] = {"a.key", "b.key", "c.key", "presenced.key", "deeper/presenced.key", "deeper"};
  char path[128];
  for (size_t i = 0; i < COUNT_OF(names); i++)
    (void)remove(in_folder(names[i], path));
  return rmdir(folder);
}

static void keygen_makes_a_private_file_and_never_overwrites(void **state)
{
  (void)state;
  char path[128], text[256] = "", expected[512];
  struct err err = ERR_INIT;
  struct stat info;
  struct wiped key = WIPED_INIT, again = WIPED_INIT;
  mode_t before = umask(0277); /* the worst of both: neither more nor less than 0600 may come out */
  assert_true(secret_keygen(in_folder("a.key", path), &err));
  umask(before);
  assert_int_equal(stat(path, &info), 0);
  assert_int_equal(info.st_mode & 07777, 0600);
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  assert_non_null(fgets(text, sizeof text, file));
  assert_int_equal(fgetc(file), EOF);
  fclose(file);
  assert_true(str_starts(text, "presenced-key-1:"));
  assert_int_equal(text[strlen(text) - 1], '\n');
  assert_true(secret_load_key(path, NULL, &key, &err));
  assert_int_equal(key.length, CRYPTO_KEY_SIZE);
  assert_false(secret_keygen(path, &err));
  snprintf(
      expected, sizeof expected,
      "%s: exists already; a key is never overwritten, since what it sealed would be lost: choose another name, or "
      "remove the file first",
      path);
  assert_string_equal(err.text, expected);
  assert_true(secret_load_key(path, NULL, &again, &err));
  assert_memory_equal(key.bytes, again.bytes, CRYPTO_KEY_SIZE);
  assert_true(secret_keygen(in_folder("b.key", path), &err));
  assert_true(secret_load_key(path, NULL, &again, &err));
  assert_memory_not_equal(key.bytes, again.bytes, CRYPTO_KEY_SIZE);
  assert_false(secret_keygen(in_folder("nowhere/c.key", path), &err));
  snprintf(
      expected, sizeof expected, "%s: cannot be made: No such file or directory; check folder and permissions", path);
  assert_string_equal(err.text, expected);
  wiped_release(&key);
  wiped_release(&again);
}

static void key_files_that_others_can_read_are_refused(void **state)
{
  (void)state;
  static const struct {
    mode_t mode;
    bool in_credentials, ok;
  } cases[] = {
      {0600, false, true},  {0400, false, true},  {0700, false, true},  {0640, false, false}, {0604, false, false},
      {0660, false, false}, {0620, false, false}, {0602, false, false}, {0666, false, false}, {0440, true, true},
      {0400, true, true},   {0444, true, false},  {0404, true, false},
  };
  char path[128], variable[192];
  struct err err = ERR_INIT;
  snprintf(variable, sizeof variable, "CREDENTIALS_DIRECTORY=%s", folder);
  assert_true(secret_keygen(in_folder("a.key", path), &err));
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct wiped key = WIPED_INIT;
    assert_int_equal(chmod(path, cases[i].mode), 0);
    with_environment(cases[i].in_credentials ? variable : NULL, NULL);
    if (secret_load_key(path, NULL, &key, &err) != cases[i].ok)
      fail_msg("mode %04o: %s", (unsigned)cases[i].mode, err.text);
    assert_int_equal(key.length, cases[i].ok ? CRYPTO_KEY_SIZE : 0);
    wiped_release(&key);
  }
  char expected[512];
  struct wiped key = WIPED_INIT;
  assert_int_equal(chmod(path, 0644), 0);
  with_environment(NULL, NULL);
  assert_false(secret_load_key(path, NULL, &key, &err));
  snprintf(
      expected, sizeof expected,
      "%s: key file with mode 0644, which others than its owner can read or write; run `chmod 600 %s`", path, path);
  assert_string_equal(err.text, expected);
}

static void wrong_files_are_told_from_keys(void **state)
{
  (void)state;
  static const struct {
    const char *text, *error;
  } cases[] = {
      {"", "not a key of presenced; make one with `presenced secret keygen FILE`"},
      {"-----BEGIN PRIVATE KEY-----\n", "not a key of presenced; make one with `presenced secret keygen FILE`"},
      {"presenced-key-2:AAAA\n", "not a key of presenced; make one with `presenced secret keygen FILE`"},
      {"presenced-key-1:\n", "the key in it is damaged; restore the file from a copy"},
      {"presenced-key-1:AAAA\n", "the key in it is damaged; restore the file from a copy"},
      {"presenced-key-1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB\n",
       "the key in it is damaged; restore the file from a copy"},
      {"presenced-key-1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\nmore\n",
       "the key in it is damaged; restore the file from a copy"},
      {"presenced-key-1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n", NULL},
      {"presenced-key-1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", NULL},
  };
  char path[128], expected[256];
  in_folder("a.key", path);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct err err = ERR_INIT;
    struct wiped key = WIPED_INIT;
    write_file(path, cases[i].text, 0600);
    bool ok = secret_load_key(path, NULL, &key, &err);
    snprintf(expected, sizeof expected, "%s: %s", path, cases[i].error == NULL ? "" : cases[i].error);
    if (ok != (cases[i].error == NULL) || (!ok && strcmp(err.text, expected) != 0))
      fail_msg("case %zu: %s", i, err.text);
    wiped_release(&key);
  }
  struct err err = ERR_INIT;
  struct wiped key = WIPED_INIT;
  char big[300];
  memset(big, 'x', sizeof big - 1);
  big[sizeof big - 1] = '\0';
  write_file(path, big, 0600);
  assert_false(secret_load_key(path, NULL, &key, &err));
  assert_false(secret_load_key(folder, NULL, &key, &err));
  snprintf(
      expected, sizeof expected, "%s: not a key of presenced; make one with `presenced secret keygen FILE`", folder);
  assert_string_equal(err.text, expected);
}

static bool same_key(const char *path, const struct wiped *key)
{
  struct err err = ERR_INIT;
  struct wiped other = WIPED_INIT;
  assert_true(secret_load_key(path, NULL, &other, &err));
  bool same = memcmp(other.bytes, key->bytes, CRYPTO_KEY_SIZE) == 0;
  wiped_release(&other);
  return same;
}

static void the_key_is_the_first_that_is_named(void **state)
{
  (void)state;
  char a[128], b[128], c[128], credential[128], variable[192], credentials[192], none[128];
  struct err err = ERR_INIT;
  assert_true(secret_keygen(in_folder("a.key", a), &err));
  assert_true(secret_keygen(in_folder("b.key", b), &err));
  assert_true(secret_keygen(in_folder("c.key", c), &err));
  assert_true(secret_keygen(in_folder("presenced.key", credential), &err));
  in_folder("none.key", none);
  snprintf(variable, sizeof variable, "PRESENCED_KEY_FILE=%s", c);
  snprintf(credentials, sizeof credentials, "CREDENTIALS_DIRECTORY=%s", folder);
  const struct {
    const char *command_line, *configured;
    const char *variable, *credentials;
    const char *expected; /* NULL: an error that names `culprit` */
    const char *culprit;
  } cases[] = {
      {a, b, variable, credentials, a, NULL},
      {NULL, b, variable, credentials, b, NULL},
      {NULL, NULL, variable, credentials, c, NULL},
      {NULL, NULL, NULL, credentials, credential, NULL},
      {NULL, NULL, "PRESENCED_KEY_FILE=", credentials, credential, NULL},
      {NULL, NULL, variable, "CREDENTIALS_DIRECTORY=/nonexistent", c, NULL},
      {none, b, variable, credentials, NULL, "none.key: key file named by --key-file cannot be opened"},
      {NULL, none, variable, credentials, NULL, "none.key: key file named by KeyFile cannot be opened"},
      {NULL, NULL, "PRESENCED_KEY_FILE=/nonexistent/k", credentials, NULL,
       "/nonexistent/k: key file named by $PRESENCED_KEY_FILE cannot be opened: No such file or directory; check "},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct wiped key = WIPED_INIT;
    with_environment(cases[i].variable, cases[i].credentials);
    bool ok = secret_load_key(cases[i].command_line, cases[i].configured, &key, &err);
    if (ok != (cases[i].expected != NULL) || (!ok && strstr(err.text, cases[i].culprit) == NULL))
      fail_msg("case %zu: %s", i, err.text);
    with_environment(NULL, NULL);
    if (ok && !same_key(cases[i].expected, &key))
      fail_msg("case %zu: another key", i);
    wiped_release(&key);
  }
}

static void without_any_key_the_error_says_how_to_make_one(void **state)
{
  (void)state;
  struct err err = ERR_INIT;
  struct wiped key = WIPED_INIT;
  if (access("/etc/presenced/presenced.key", F_OK) == 0)
    skip(); /* the one place that a test cannot move */
  with_environment("CREDENTIALS_DIRECTORY=/nonexistent", NULL);
  assert_false(secret_load_key(NULL, NULL, &key, &err));
  assert_string_equal(
      err.text, "no key file: none is named and /etc/presenced/presenced.key does not exist; make one with `presenced "
                "secret keygen FILE` and name it with KeyFile in config.xml, --key-file or $PRESENCED_KEY_FILE");
  assert_int_equal(err.kind, ERR_CONFIG);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_secret_comes_back_as_it_was),
      cmocka_unit_test(what_is_no_secret_is_not_sealed),
      cmocka_unit_test(a_sealed_secret_opens_only_where_it_belongs),
      cmocka_unit_test_setup_teardown(keygen_makes_a_private_file_and_never_overwrites, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(key_files_that_others_can_read_are_refused, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(wrong_files_are_told_from_keys, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(the_key_is_the_first_that_is_named, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(without_any_key_the_error_says_how_to_make_one, make_folder, remove_folder),
  };
  return cases_run(argc, argv, tests, NULL, NULL);
}
