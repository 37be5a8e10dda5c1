/* api/: which route answers, for whom, and when there is no engine. */
#include "cases.h"

#include "api/api.h"
#include "base/must.h"

#include <string.h>

static void answer(void *context, const struct api_request *request, const char *parameter, struct api_reply *reply)
{
  assert_non_null(request);
  reply->status = 200;
  buf_add_str(&reply->body, context);
  buf_add_str(&reply->body, parameter);
}

static const struct api_route routes[] = {
    {"GET", "/health", API_READ, true, answer},
    {"GET", "/agents/{name}", API_READ, false, answer},
    {"POST", "/agents/{name}/resync", API_ADMIN, false, answer},
};

static void routes_and_rights(void **state UNUSED)
{
  static const struct {
    unsigned rights;
    const char *unavailable, *method, *path;
    int status;
    const char *says; /* part of the answer */
  } table[] = {
      {API_ALL_RIGHTS, NULL, "GET", "/health", 200, "hello"},
      {API_ALL_RIGHTS, NULL, "GET", "/agents/a%40b.c", 200, "helloa@b.c"},
      {API_ALL_RIGHTS, NULL, "GET", "/agents/", 404, "no such path"},
      {API_ALL_RIGHTS, NULL, "GET", "/agents/a/b", 404, "no such path"},
      {API_ALL_RIGHTS, NULL, "GET", "/agents/%zz", 404, "no such path"},
      {API_ALL_RIGHTS, NULL, "POST", "/health", 405, "another method"},
      {API_READ, NULL, "POST", "/agents/a/resync", 403, "does not allow"},
      {API_ADMIN, NULL, "POST", "/agents/a/resync", 200, "helloa"},
      {0, NULL, "GET", "/health", 403, "does not allow"},
      {API_READ, "the disk is full", "GET", "/health", 200, "hello"},
      {API_READ, "the disk is full", "GET", "/agents/a", 503, "the disk is full"},
      {API_READ, "the disk is full", "POST", "/agents/a/resync", 403, "does not allow"}, /* and not why */
      {API_ALL_RIGHTS, "the disk is full", "POST", "/agents/a/resync", 503, "the disk is full"},
      {API_ALL_RIGHTS, "the disk is full", "GET", "/nowhere", 404, "no such path"},
  };
  for (size_t i = 0; i < COUNT_OF(table); i++) {
    struct api_request request = {table[i].method, table[i].path, "", "", 0};
    struct api_caller caller = {table[i].rights, table[i].unavailable};
    struct api_reply reply;
    char hello[] = "hello";
    bool called = api_dispatch(routes, COUNT_OF(routes), hello, &caller, &request, &reply);
    if (reply.status != table[i].status || strstr(buf_text(&reply.body), table[i].says) == NULL)
      fail_msg("%s %s: %d %s", table[i].method, table[i].path, reply.status, buf_text(&reply.body));
    assert_int_equal(called, table[i].status == 200);
    buf_release(&reply.body);
  }
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(routes_and_rights)};
  return cases_run(argc, argv, tests, NULL, NULL);
}
