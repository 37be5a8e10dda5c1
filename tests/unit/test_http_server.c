/* The HTTP server on a unix socket, spoken to by hand; TCP and TLS are tried by the tests that start the programs. */
#include "cases.h"

#include "adapters/http_server.h"
#include "base/clock.h"
#include "base/must.h"
#include "base/str.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct scene {
  char folder[64], path[128];
  struct loop *loop;
  struct loop_timer *guard, *later;
  struct http_server *server;
  struct http_call *call; /* kept by the handler for later */
  int calls;
  char seen[256];
  int peer;
  char reply[4096];
};

static void give_up(void *context)
{
  (void)context;
  fail_msg("nothing came for 10 s");
}

static void answer_later(void *context)
{
  struct scene *scene = context;
  struct http_call *call = scene->call;
  scene->call = NULL;
  http_call_answer(call, 200, NULL, "late", 4);
  loop_stop(scene->loop);
}

static void serve(void *context, const struct http_server_request *request)
{
  static const char *const headers[] = {"X-One", "1", "X-Split", "a\r\nX-Evil: 1", NULL};
  struct scene *scene = context;
  scene->calls++;
  snprintf(
      scene->seen, sizeof scene->seen, "%s %s ? %s : %s", request->method, request->path, request->query,
      request->body);
  if (strcmp(request->path, "/abort") == 0) {
    http_call_abort(request->call);
  } else if (strcmp(request->path, "/later") == 0) {
    scene->call = request->call;
    if (scene->peer >= 0 && strcmp(request->query, "gone") == 0) {
      close(scene->peer);
      scene->peer = -1;
    }
    loop_timer_at(scene->later, clock_now_ms() + 20);
  } else if (strcmp(request->path, "/never") == 0) {
    loop_stop(scene->loop);
  } else {
    http_call_answer(request->call, 200, headers, "ok", 2);
  }
}

static int scene_open(void **state)
{
  struct err err = ERR_INIT;
  struct scene *scene = must_alloc(sizeof *scene);
  snprintf(scene->folder, sizeof scene->folder, "/tmp/presenced-http-XXXXXX");
  must(mkdtemp(scene->folder) != NULL);
  snprintf(scene->path, sizeof scene->path, "%s/sock", scene->folder);
  scene->peer = -1;
  scene->loop = loop_new(&err);
  must(scene->loop != NULL);
  scene->guard = loop_timer_new(scene->loop, give_up, scene);
  scene->later = loop_timer_new(scene->loop, answer_later, scene);
  loop_timer_at(scene->guard, clock_now_ms() + 10 * CLOCK_SECOND);
  uid_t me = getuid();
  struct http_server_options options = {
      .max_header = 2048, .max_body = 64, .timeout_ms = 5 * CLOCK_SECOND, .only_uid = &me};
  scene->server = http_server_new(scene->loop, &options, serve, scene);
  *state = scene;
  return http_server_listen_unix(scene->server, scene->path, 0600, &err) ? 0 : -1;
}

static int scene_close(void **state)
{
  struct scene *scene = *state;
  struct stat file;
  if (scene->peer >= 0)
    close(scene->peer);
  http_server_free(scene->server);
  loop_timer_free(scene->guard);
  loop_timer_free(scene->later);
  loop_free(scene->loop);
  int left = lstat(scene->path, &file); /* the socket is unlinked */
  int removed = rmdir(scene->folder);
  free(scene);
  return left != 0 && removed == 0 ? 0 : -1;
}

static void read_reply(void *context)
{
  struct scene *scene = context;
  size_t have = strlen(scene->reply);
  ssize_t got = read(scene->peer, scene->reply + have, sizeof scene->reply - have - 1);
  if (got <= 0)
    loop_stop(scene->loop); /* the server closed the connection */
}

static void ask(struct scene *scene, const char *request)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  assert_true(str_copy(address.sun_path, sizeof address.sun_path, scene->path));
  scene->peer = socket(AF_UNIX, SOCK_STREAM, 0);
  assert_int_equal(connect(scene->peer, (struct sockaddr *)&address, sizeof address), 0);
  assert_int_equal(write(scene->peer, request, strlen(request)), (ssize_t)strlen(request));
}

/* Sends, reads until the server closes. */
static const char *exchange(struct scene *scene, const char *request)
{
  memset(scene->reply, 0, sizeof scene->reply);
  ask(scene, request);
  struct loop_watch *watch = loop_watch_readable(scene->loop, scene->peer, read_reply, scene);
  loop_run(scene->loop, NULL, NULL);
  loop_watch_free(watch);
  close(scene->peer);
  scene->peer = -1;
  return scene->reply;
}

static void test_request_and_answer(void **state)
{
  struct scene *scene = *state;
  const char *reply =
      exchange(scene, "POST /a%2Fb?x=%20 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc");
  assert_string_equal(scene->seen, "POST /a%2Fb ? x=%20 : abc");
  assert_true(str_starts(reply, "HTTP/1.1 200 OK\r\n"));
  assert_non_null(strstr(reply, "X-One: 1\r\n"));
  assert_null(strstr(reply, "X-Evil"));
  assert_string_equal(strstr(reply, "\r\n\r\n"), "\r\n\r\nok");
}

static void test_refused_before_the_handler(void **state)
{
  static const struct {
    const char *request, *status;
  } cases[] = {
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "400"},
      {"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\nGET /evil HTTP/1.1\r\n", "400"},
      {"BREW / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 65\r\n\r\n", "413"},
  };
  struct scene *scene = *state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    const char *reply = exchange(scene, cases[i].request);
    assert_true(str_starts(reply, "HTTP/1.1 "));
    assert_memory_equal(reply + strlen("HTTP/1.1 "), cases[i].status, 3);
  }
  assert_int_equal(scene->calls, 0);
}

static void test_abort(void **state)
{
  struct scene *scene = *state;
  assert_string_equal(exchange(scene, "GET /abort HTTP/1.1\r\nHost: x\r\n\r\n"), "");
}

static void test_late_answer_to_nobody(void **state)
{
  struct scene *scene = *state;
  ask(scene, "GET /later?gone HTTP/1.1\r\nHost: x\r\n\r\n");
  loop_run(scene->loop, NULL, NULL); /* until answer_later(); the sanitizers look on */
  assert_null(scene->call);
}

static void test_freed_with_a_call_open(void **state)
{
  struct scene *scene = *state;
  ask(scene, "GET /never HTTP/1.1\r\nHost: x\r\n\r\n");
  loop_run(scene->loop, NULL, NULL);
  assert_int_equal(scene->calls, 1);
}

static void test_places_to_listen(void **state)
{
  struct scene *scene = *state;
  struct err err = ERR_INIT;
  struct stat file;
  char path[160];
  assert_int_equal(lstat(scene->path, &file), 0);
  assert_int_equal(file.st_mode & 0777, 0600);
  assert_false(http_server_listen_unix(scene->server, scene->path, 0600, &err)); /* we live there */
  assert_non_null(strstr(err.text, "another process listens"));
  assert_false(http_server_listen_unix(scene->server, scene->folder, 0600, &err)); /* no socket */
  assert_non_null(strstr(err.text, "no socket"));
  snprintf(path, sizeof path, "%s/none/sock", scene->folder);
  assert_false(http_server_listen_unix(scene->server, path, 0600, &err));
  assert_non_null(strstr(err.text, path));
  /* A socket file that a dead process left is replaced. */
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(path, sizeof path, "%s/old", scene->folder);
  assert_true(str_copy(address.sun_path, sizeof address.sun_path, path));
  int dead = socket(AF_UNIX, SOCK_STREAM, 0);
  assert_int_equal(bind(dead, (struct sockaddr *)&address, sizeof address), 0);
  close(dead);
  assert_true(http_server_listen_unix(scene->server, path, 0660, &err));
  int port = 0, again;
  assert_true(http_server_listen_tcp(scene->server, "127.0.0.1", 0, &port, &err));
  assert_in_range(port, 1, 65535);
  assert_false(http_server_listen_tcp(scene->server, "127.0.0.1", port, &again, &err));
  assert_non_null(strstr(err.text, "cannot listen"));
}

int main(int argc, char **argv)
{
#define SCENE(test) cmocka_unit_test_setup_teardown(test, scene_open, scene_close)
  const struct CMUnitTest tests[] = {
      SCENE(test_request_and_answer),    SCENE(test_refused_before_the_handler), SCENE(test_abort),
      SCENE(test_late_answer_to_nobody), SCENE(test_freed_with_a_call_open),     SCENE(test_places_to_listen),
  };
  return cases_run(argc, argv, tests, NULL, NULL);
}
