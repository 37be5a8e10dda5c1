/* The tenant's pure parts; its answers are tried over TLS in tests/daemon/test_graphsim.py. */
#include "cases.h"

#include "adapters/json.h"
#include "base/must.h"
#include "base/str.h"
#include "stand_in/tenant/faults.h"
#include "stand_in/tenant/paths.h"
#include "stand_in/tenant/tenant.h"
#include "stand_in/tenant/window.h"

#include <stddef.h>
#include <string.h>

static void test_window(void **state)
{
  (void)state;
  struct window window = {.limit = 3};
  assert_int_equal(window_count(&window, 1000), 0);
  assert_int_equal(window_count(&window, 2000), 0);
  assert_int_equal(window_count(&window, 3000), 0);
  assert_int_equal(window_count(&window, 4000), 28000); /* until the one at 2000 is out: the refused one counts too */
  assert_int_equal(window_count(&window, 32000), 0);
  assert_int_equal(window.max_seen, 4);
  window_release(&window);
}

static void test_window_moves_on(void **state)
{
  (void)state;
  struct window window = {.limit = 100};
  for (int64_t i = 0; i < 100000; i++)
    assert_int_equal(window_count(&window, i * 300), 0); /* 100 in any 30 s, and the memory is used again */
  assert_int_equal(window.max_seen, 100);
  assert_in_range(window.room, 100, 4096);
  window_release(&window);
}

static void test_faults(void **state)
{
  static const char *const wrong[] = {"",        "nope",   "500:",    "500:2",    "500:-1",   "500:x",
                                      "500:nan", "500:1:", "500:1:x", "500:1:-1", "500:1:1:1"};
  (void)state;
  struct faults faults = {0};
  struct err err = ERR_INIT;
  for (size_t i = 0; i < COUNT_OF(wrong); i++)
    assert_false(faults_add(&faults, wrong[i], &err));
  assert_int_equal(faults.count, 0);
  assert_true(faults_add(&faults, "token-500:1:2", &err));
  assert_true(faults_add(&faults, "lost:0.5", &err));
  assert_null(faults_draw(&faults, FAULT_OF_LOOKUP));
  for (int i = 0; i < 3; i++)
    assert_int_equal(faults_draw(&faults, FAULT_OF_TOKEN) != NULL, i < 2);
  int hits = 0;
  for (int i = 0; i < 1000; i++)
    hits += faults_draw(&faults, FAULT_OF_PRESENCE) != NULL ? 1 : 0;
  assert_in_range(hits, 430, 570);
}

/* A new token, as an Authorization header. */
static void get_token(struct tenant *tenant, char to[2048])
{
  static const char body[] = "grant_type=client_credentials&client_id=c&client_secret=s&scope=g%2f.default";
  struct tenant_call call = {
      .method = "POST",
      .path = "/t/oauth2/v2.0/token",
      .query = "",
      .body = body,
      .body_length = sizeof body - 1,
      .content_type = "application/x-www-form-urlencoded"};
  struct visit visit;
  tenant_serve(tenant, &call, 1000, &visit);
  assert_int_equal(visit.status, 200);
  static const char before[] = "\"access_token\":\"";
  const char *token = strstr(buf_text(&visit.body), before);
  assert_non_null(token);
  str_cut(to, 2048, "Bearer ");
  str_cut(to + strlen(to), 2048 - strlen(to), token + sizeof before - 1);
  to[strcspn(to, "\"")] = '\0';
  visit_release(&visit);
}

static int show_token(struct tenant *tenant, const char *authorization, int64_t now)
{
  struct tenant_call call = {
      .method = "GET", .path = "/v1.0/users/x", .query = "", .body = "", .authorization = authorization};
  struct visit visit;
  tenant_serve(tenant, &call, now, &visit);
  int status = visit.status;
  visit_release(&visit);
  return status;
}

/* Also of one that was shown a moment ago. */
static void test_tokens_end(void **state)
{
  (void)state;
  struct err err = ERR_INIT;
  struct json *json = json_new(&err);
  assert_non_null(json);
  static struct tenant tenant;
  struct tenant_setup setup = {.token_life_s = 60, .requests_per_30s = 1500, .user_role = true};
  assert_true(
      str_copy(setup.client_id, sizeof setup.client_id, "c") && str_copy(setup.secret, sizeof setup.secret, "s") &&
      str_copy(setup.tenant_id, sizeof setup.tenant_id, "t") && str_copy(setup.address, sizeof setup.address, "g"));
  tenant_init(&tenant, &setup, json, 1);
  char first[2048], second[2048];
  get_token(&tenant, first);
  get_token(&tenant, second);
  assert_int_equal(show_token(&tenant, first, 2000), 404); /* it is good: nobody is called that */
  assert_int_equal(show_token(&tenant, second, 2000), 404);
  assert_int_equal(show_token(&tenant, "Bearer other", 2000), 401);
  assert_int_equal(show_token(&tenant, first, 2000), 404);
  assert_int_equal(show_token(&tenant, first, 61000), 401); /* its life is over */
  for (int i = 0; i < TOKENS_MAX - 1; i++) {                /* the last of them takes the first one's place */
    char token[2048];
    get_token(&tenant, token);
  }
  assert_int_equal(show_token(&tenant, first, 2000), 401);
  assert_int_equal(show_token(&tenant, second, 2000), 404);
  tenant_release(&tenant);
  json_free(json);
}

static void test_paths(void **state)
{
  static const struct {
    const char *path;
    enum path_target target;
    const char *user;
  } cases[] = {
      {"/v1.0/users/a@b", PATH_USER, "a@b"},
      {"/v1.0/users('a''b')", PATH_USER, "a'b"},
      {"/v1.0/users('''')", PATH_USER, "'"},
      {"/v1.0/users(%27%24a%27)/presence", PATH_USER_PRESENCE, "$a"},
      {"/v1.0/users/x/presence/setPresence", PATH_USER_ACTION, "x"},
      {"/v1.0/communications/presences/x", PATH_USER_PRESENCE, "x"},
      {"/v1.0/communications/getPresencesByUserId", PATH_PRESENCES, ""},
      {"/v1.0/users/", PATH_BAD, NULL},
      {"/v1.0/users/$a", PATH_BAD, NULL},
      {"/v1.0/users/%24a", PATH_BAD, NULL},
      {"/v1.0/users()", PATH_BAD, NULL},
      {"/v1.0/users(')", PATH_BAD, NULL},
      {"/v1.0/users('a'b')", PATH_BAD, NULL},
      {"/v1.0/users('a", PATH_BAD, NULL},
      {"/v1.0/users/%ff", PATH_BAD, NULL},
      {"/v1.0/users/a b", PATH_BAD, NULL},
      {"/v1.0/users/\xc3\xab", PATH_BAD, NULL},
      {"/v1.0/users", PATH_UNKNOWN, NULL},
      {"/v1.0/users/x/manager", PATH_UNKNOWN, NULL},
      {"/v1.0/communications/presences/x/y", PATH_UNKNOWN, NULL},
      {"/beta/users/x", PATH_UNKNOWN, NULL},
      {"", PATH_UNKNOWN, NULL},
  };
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct path path = path_parse(cases[i].path);
    if (path.target != cases[i].target)
      fail_msg("%s: target %d", cases[i].path, (int)path.target);
    if (cases[i].user != NULL)
      assert_string_equal(path.user, cases[i].user);
    assert_int_equal(path.problem != NULL, path.target == PATH_BAD);
  }
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_window),     cmocka_unit_test(test_window_moves_on), cmocka_unit_test(test_faults),
      cmocka_unit_test(test_tokens_end), cmocka_unit_test(test_paths),
  };
  return cases_run(argc, argv, tests, NULL, NULL);
}
