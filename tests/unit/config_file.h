/* A config.xml of one test's making, and what loading it must give. Shared by the tests of the room config. */
#ifndef TESTS_CONFIG_FILE_H
#define TESTS_CONFIG_FILE_H

#include "cases.h"

#include "base/buf.h"
#include "base/must.h"
#include "base/str.h"
#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define G1 "11111111-2222-3333-4444-555555555555"
#define G2 "AAAAAAAA-bbbb-cccc-dddd-eeeeeeeeeeee"
#define G2_LOWER "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
#define G3 "99999999-8888-7777-6666-555555555555"
#define CREDENTIALS "ClientId='" G1 "' TenantId='" G2 "' Encryptedsecret='pp1:AAAA'"

/* Line 1 holds the way to the publisher's start tag, line 2 its end and an account; `more` follows on line 3. */
#define PUBLISHER(attributes, account, more)                                                                           \
  "<PresenceProvider><PresencePublisher><MsGraphPresencePublisher " attributes ">\n<Account " account "/>\n" more      \
  "</MsGraphPresencePublisher></PresencePublisher></PresenceProvider>"
#define ACCOUNT(attributes) PUBLISHER("", "Id='contoso.com' " CREDENTIALS " " attributes, "")
/* Two accounts, on lines 2 and 3. */
#define TWO(first, second) PUBLISHER("", first, "<Account " second "/>\n")

UNUSED static char folder[64], path[80];

UNUSED static int make_folder(void **state)
{
  (void)state;
  static char *nothing[] = {NULL};
  environ = nothing; /* $STATE_DIRECTORY may be set where tests run */
  assert_true(str_copy(folder, sizeof folder, "/tmp/presenced-config-XXXXXX"));
  assert_non_null(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/c.xml", folder);
  return 0;
}

UNUSED static int remove_folder(void **state)
{
  (void)state;
  (void)unlink(path);
  return rmdir(folder);
}

UNUSED static bool load_for(const char *text, enum config_purpose purpose, struct config *ret_config, struct err *err)
{
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  assert_true(fputs(text, file) >= 0);
  assert_int_equal(fclose(file), 0);
  return config_load(path, purpose, ret_config, err);
}

UNUSED static bool load(const char *text, struct config *ret_config, struct err *err)
{
  return load_for(text, CONFIG_FOR_USE, ret_config, err);
}

/* `error` is what follows the file's name. */
UNUSED static void assert_refused(const char *text, const char *error)
{
  struct config config;
  struct err err = ERR_INIT;
  char expected[sizeof err.text];
  snprintf(expected, sizeof expected, "%s%s", path, error);
  if (load(text, &config, &err))
    fail_msg("loaded, expected \"%s\": %s", error, text);
  if (strcmp(err.text, expected) != 0)
    fail_msg("\"%s\", expected \"%s\"", err.text, expected);
  assert_int_equal(err.kind, ERR_CONFIG);
}

UNUSED static void assert_loads(const char *text, struct config *ret_config)
{
  struct err err = ERR_INIT;
  if (!load(text, ret_config, &err))
    fail_msg("%s: %s", err.text, text);
}

#endif
