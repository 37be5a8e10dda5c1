/* evhttp with a fence around it: what evhttp 2.1 takes too lightly is refused here before a handler sees it. A request
 * is handed out as a struct http_call, which stands in `calls` until it is answered, now or in a later turn. evhttp
 * owns the request as long as it has its connection; when the peer goes away first, evhttp lets go of it, and an answer
 * then only frees it. A connection is never freed from inside one of evhttp's callbacks: an abort resets the socket at
 * once and leaves the rest to the undertaker, a timer. */
#include "adapters/http_server.h"
#include "adapters/crypto.h"
#include "base/list.h"
#include "base/must.h"
#include "base/str.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* More than any burst of ours; the kernel cuts it to net.core.somaxconn. */
enum { BACKLOG = 511 };

struct http_server {
  struct http_server_options options;
  uid_t only_uid;
  struct loop *loop;
  struct evhttp *evhttp;
  http_server_handler *handler;
  void *context;
  struct list_node calls;   /* struct http_call: handed out, not yet answered */
  struct list_node aborted; /* struct http_call: their connections are dropped in the next turn */
  struct list_node sockets; /* struct unix_socket: unlinked at the end */
  struct loop_timer *undertaker;
};

struct http_call {
  struct list_node node;
  struct http_server *server;
  /* Ours until the answer. When the peer goes away before, evhttp takes the connection from it and leaves it to us. */
  struct evhttp_request *request;
};

struct unix_socket {
  struct list_node node;
  char *path;
};

/* ---- requests ---- */

static const char *method_name(enum evhttp_cmd_type type)
{
  static const struct {
    enum evhttp_cmd_type type;
    const char *name;
  } names[] = {{EVHTTP_REQ_GET, "GET"},     {EVHTTP_REQ_POST, "POST"},       {EVHTTP_REQ_HEAD, "HEAD"},
               {EVHTTP_REQ_PUT, "PUT"},     {EVHTTP_REQ_DELETE, "DELETE"},   {EVHTTP_REQ_OPTIONS, "OPTIONS"},
               {EVHTTP_REQ_TRACE, "TRACE"}, {EVHTTP_REQ_CONNECT, "CONNECT"}, {EVHTTP_REQ_PATCH, "PATCH"}};
  for (size_t i = 0; i < COUNT_OF(names); i++)
    if (names[i].type == type)
      return names[i].name;
  return "UNKNOWN";
}

static int request_socket(struct evhttp_request *request)
{
  struct evhttp_connection *connection = evhttp_request_get_connection(request);
  return connection == NULL ? -1 : (int)bufferevent_getfd(evhttp_connection_get_bufferevent(connection));
}

/* evhttp 2.1 lets the first of two different lengths win: a road to request smuggling. */
static bool is_repeated(const struct evkeyvalq *headers, const char *name)
{
  size_t count = 0;
  for (const struct evkeyval *header = headers->tqh_first; header != NULL; header = header->next.tqe_next)
    count += str_equal_fold(header->key, name) ? 1 : 0;
  return count > 1;
}

/* evhttp reads no body of other methods, and would take one for the next request of the connection. */
static bool has_unread_body(struct evhttp_request *request)
{
  enum evhttp_cmd_type type = evhttp_request_get_command(request);
  if (type == EVHTTP_REQ_POST || type == EVHTTP_REQ_PUT || type == EVHTTP_REQ_PATCH)
    return false;
  const struct evkeyvalq *headers = evhttp_request_get_input_headers(request);
  const char *length = evhttp_find_header(headers, "Content-Length");
  return evhttp_find_header(headers, "Transfer-Encoding") != NULL || (length != NULL && strcmp(length, "0") != 0);
}

/* The kernel says who has connected, so no secret is needed. Root may, because it could anyway. */
static bool peer_may(const struct http_server *server, struct evhttp_request *request)
{
  if (server->options.only_uid == NULL)
    return true;
  struct ucred peer;
  socklen_t size = sizeof peer;
  if (getsockopt(request_socket(request), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
    return false;
  return peer.uid == server->only_uid || peer.uid == 0;
}

static void answer(
    struct evhttp_request *request, int status, const char *const *headers, const char *body, size_t length)
{
  struct evkeyvalq *to = evhttp_request_get_output_headers(request);
  for (size_t i = 0; headers != NULL && headers[i] != NULL; i += 2)
    (void)evhttp_add_header(to, headers[i], headers[i + 1]); /* refuses line breaks: such a header is left out */
  struct evbuffer *bytes = evbuffer_new();
  must(bytes != NULL && evbuffer_add(bytes, body == NULL ? "" : body, body == NULL ? 0 : length) == 0);
  evhttp_send_reply(request, status, NULL, bytes); /* frees the request, also when the peer is gone */
  evbuffer_free(bytes);
}

static void refuse(struct evhttp_request *request, int status)
{
  static const char *const headers[] = {"Connection", "close", NULL};
  answer(request, status, headers, NULL, 0);
}

static void on_request(struct evhttp_request *request, void *context)
{
  struct http_server *server = context;
  const struct evkeyvalq *headers = evhttp_request_get_input_headers(request);
  const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
  if (uri == NULL || is_repeated(headers, "Content-Length") || is_repeated(headers, "Host") ||
      has_unread_body(request)) {
    refuse(request, 400);
    return;
  }
  if (!peer_may(server, request)) {
    refuse(request, 403);
    return;
  }
  struct evbuffer *input = evhttp_request_get_input_buffer(request);
  size_t length = evbuffer_get_length(input);
  /* Handlers may take the body for a text; the NUL is not counted. */
  must(evbuffer_add(input, "", 1) == 0);
  struct http_call *call = must_alloc(sizeof *call);
  call->server = server;
  call->request = request;
  list_add_tail(&server->calls, &call->node);
  const char *path = evhttp_uri_get_path(uri), *query = evhttp_uri_get_query(uri);
  struct http_server_request seen = {
      .method = method_name(evhttp_request_get_command(request)),
      .path = path == NULL ? "" : path,
      .query = query == NULL ? "" : query,
      .body = (const char *)evbuffer_pullup(input, -1),
      .body_length = length,
      .call = call,
  };
  server->handler(server->context, &seen);
}

const char *http_call_header(const struct http_call *call, const char *name)
{
  return evhttp_find_header(evhttp_request_get_input_headers(call->request), name);
}

static void call_free(struct http_call *call)
{
  list_remove(&call->node);
  free(call);
}

void http_call_answer(struct http_call *call, int status, const char *const *headers, const char *body, size_t length)
{
  struct evhttp_request *request = call->request;
  /* Before the answer, which may free the request that the call refers to. */
  call_free(call);
  answer(request, status, headers, body, length);
}

void http_call_abort(struct http_call *call)
{
  /* Dissolving the association resets a TCP connection at once. A close would not do: evhttp shuts the connection down
   * first, which the peer sees as an orderly end. Where it fails (unix sockets), the close has to do after all. */
  static const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
  int fd = request_socket(call->request);
  if (fd >= 0)
    (void)connect(fd, &nobody, sizeof nobody);
  list_remove(&call->node);
  list_add_tail(&call->server->aborted, &call->node);
  loop_timer_at(call->server->undertaker, 0);
}

/* Later than the abort, because evhttp may be in the middle of a callback of the very connection. */
static void bury(void *context)
{
  struct http_server *server = context;
  for (struct list_node *node; (node = list_first(&server->aborted)) != NULL;) {
    struct http_call *call = LIST_ENTRY(node, struct http_call, node);
    struct evhttp_connection *connection = evhttp_request_get_connection(call->request);
    if (connection != NULL)
      evhttp_connection_free(connection); /* and the request with it */
    else
      evhttp_request_free(call->request);
    call_free(call);
  }
}

/* ---- server ---- */

static struct bufferevent *new_connection(struct event_base *base, void *context)
{
  struct http_server *server = context;
  struct bufferevent *connection;
  if (server->options.tls == NULL) {
    connection = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
  } else {
    connection = bufferevent_openssl_socket_new(
        base, -1, crypto_tls_session(server->options.tls), BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    if (connection != NULL)
      bufferevent_openssl_set_allow_dirty_shutdown(connection, 1);
  }
  must(connection != NULL); /* evhttp would take NULL for "make a plain one", also where TLS is asked for */
  return connection;
}

struct http_server *http_server_new(
    struct loop *loop, const struct http_server_options *options, http_server_handler *handler, void *context)
{
  struct http_server *server = must_alloc(sizeof *server);
  /* The uid is copied, since the options point to the caller's. */
  server->options = *options;
  if (options->only_uid != NULL) {
    server->only_uid = *options->only_uid;
    server->options.only_uid = &server->only_uid;
  }
  server->loop = loop;
  server->handler = handler;
  server->context = context;
  list_init(&server->calls);
  list_init(&server->aborted);
  list_init(&server->sockets);
  server->undertaker = loop_timer_new(loop, bury, server);
  server->evhttp = evhttp_new(loop_base(loop));
  must(server->evhttp != NULL);
  struct timeval timeout = {.tv_sec = options->timeout_ms / 1000, .tv_usec = options->timeout_ms % 1000 * 1000};
  evhttp_set_timeout_tv(server->evhttp, &timeout);
  evhttp_set_max_headers_size(server->evhttp, (ev_ssize_t)options->max_header);
  evhttp_set_max_body_size(server->evhttp, (ev_ssize_t)options->max_body);
  /* All: by default evhttp answers 501 by itself, where the routes have an answer of their own. */
  evhttp_set_allowed_methods(server->evhttp, UINT16_MAX);
  /* None, or an answer that names no type would claim to be text/html. */
  evhttp_set_default_content_type(server->evhttp, NULL);
  evhttp_set_bevcb(server->evhttp, new_connection, server);
  evhttp_set_gencb(server->evhttp, on_request, server);
  return server;
}

void http_server_free(struct http_server *server)
{
  if (server == NULL)
    return;
  bury(server);
  for (struct list_node *node; (node = list_first(&server->calls)) != NULL;) {
    struct http_call *call = LIST_ENTRY(node, struct http_call, node);
    if (evhttp_request_get_connection(call->request) == NULL)
      evhttp_request_free(call->request); /* the others belong to their connections */
    call_free(call);
  }
  evhttp_free(server->evhttp);
  for (struct list_node *node; (node = list_first(&server->sockets)) != NULL;) {
    struct unix_socket *unix_socket = LIST_ENTRY(node, struct unix_socket, node);
    (void)unlink(unix_socket->path); /* gone already is as good */
    list_remove(&unix_socket->node);
    free(unix_socket->path);
    free(unix_socket);
  }
  loop_timer_free(server->undertaker);
  free(server);
}

/* ---- listening ---- */

/* Takes the bound socket over. */
static bool serve(struct http_server *server, int fd)
{
  if (listen(fd, BACKLOG) != 0)
    return false;
  struct evconnlistener *listener =
      evconnlistener_new(loop_base(server->loop), NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
  must(listener != NULL);
  must(evhttp_bind_listener(server->evhttp, listener) != NULL);
  return true;
}

static int bound_port(int fd)
{
  struct sockaddr_storage address;
  socklen_t size = sizeof address;
  must(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
  if (address.ss_family == AF_INET6)
    return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
  return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

bool http_server_listen_tcp(struct http_server *server, const char *host, int port, int *ret_port, struct err *err)
{
  char service[16];
  snprintf(service, sizeof service, "%d", port);
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *found = NULL;
  int failure = getaddrinfo(host, service, &hints, &found);
  if (failure != 0)
    return err_set(err, ERR_CONFIG, "%s:%d: %s; name an address of this host", host, port, gai_strerror(failure));
  /* Bound here and not by evhttp, which does not set TCP_NODELAY and says only that it has failed, not why. REUSEADDR
   * lets a restart listen while old connections are still in TIME_WAIT. */
  const int on = 1;
  int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  bool done = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
              setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 && /* accepted sockets inherit it */
              bind(fd, found->ai_addr, found->ai_addrlen) == 0 && serve(server, fd);
  int reason = errno;
  freeaddrinfo(found);
  if (done) {
    *ret_port = bound_port(fd);
    return true;
  }
  if (fd >= 0)
    close(fd);
  return err_set(
      err, ERR_CONFIG, "%s:%d: cannot listen: %s; choose a free port of this host", host, port, strerror(reason));
}

/* A socket file that a dead process left behind is no obstacle; a living listener is. */
static bool clear_way(const char *path, const struct sockaddr_un *address, struct err *err)
{
  struct stat file;
  if (lstat(path, &file) != 0)
    return true; /* nothing there, or bind will say what is wrong */
  if (!S_ISSOCK(file.st_mode))
    return err_set(err, ERR_CONFIG, "%s: is there already and no socket; remove it or choose another path", path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  must(fd >= 0);
  int failure = connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 ? 0 : errno;
  close(fd);
  /* Refused: nothing listens. Anything else, also a full backlog, may be a living process. */
  if (failure != ECONNREFUSED)
    return err_set(err, ERR_CONFIG, "%s: another process listens there; stop it or choose another path", path);
  (void)unlink(path); /* bind tells if this did not help */
  return true;
}

bool http_server_listen_unix(struct http_server *server, const char *path, mode_t mode, struct err *err)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (!str_copy(address.sun_path, sizeof address.sun_path, path))
    return err_set(
        err, ERR_CONFIG, "%s: longer than the %zu bytes a socket's path may have; choose a shorter one", path,
        sizeof address.sun_path - 1);
  if (!clear_way(path, &address, err))
    return false;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  /* The file must never be there with a wider mode, so a chmod afterwards will not do. */
  mode_t usual = umask(0777 & ~mode);
  bool done = fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) == 0;
  int reason = errno;
  umask(usual);
  if (done && !(done = serve(server, fd))) {
    reason = errno;
    (void)unlink(path);
  }
  if (!done) {
    if (fd >= 0)
      close(fd);
    return err_set(
        err, ERR_CONFIG, "%s: cannot listen: %s; see that its folder exists and is writable", path, strerror(reason));
  }
  struct unix_socket *unix_socket = must_alloc(sizeof *unix_socket);
  unix_socket->path = must_strdup(path);
  list_add_tail(&server->sockets, &unix_socket->node);
  return true;
}

const char *http_server_version(void)
{
  return "libevent " LIBEVENT_VERSION;
}
