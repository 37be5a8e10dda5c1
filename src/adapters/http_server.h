/* HTTP by evhttp on the loop: TCP with or without TLS, or a unix socket. Bounded headers and bodies; handlers answer at
 * once or later.
 *
 * Refused before the handler sees it, with the connection closed: a repeated Content-Length or Host, a body where
 * evhttp reads none (400; it would be taken for the next request), a peer of another uid (403). */
#ifndef ADAPTERS_HTTP_SERVER_H
#define ADAPTERS_HTTP_SERVER_H

#include "adapters/loop.h"
#include "base/buf.h"

#include <sys/types.h>

struct http_server;
struct http_call; /* a request that waits for its answer */

struct http_server_options {
  void *tls;             /* from crypto_tls_local_server(), or NULL for plain; borrowed */
  size_t max_header;     /* bytes */
  size_t max_body;       /* bytes */
  int64_t timeout_ms;    /* of a read or write */
  const uid_t *only_uid; /* unix socket: this uid and root alone, by peer credentials; NULL for anyone */
};

/* What the handler sees; borrowed until it returns. */
struct http_server_request {
  const char *method; /* "GET" ... */
  const char *path;   /* percent-encoded as sent, without the query */
  const char *query;  /* "" when there is none */
  const char *body;   /* NUL-terminated; never NULL */
  size_t body_length;
  struct http_call *call;
};

/* Must see to it that http_call_answer() or http_call_abort() is called once for the call, now or later. */
typedef void http_server_handler(void *context, const struct http_server_request *request);

struct http_server *http_server_new(
    struct loop *loop, const struct http_server_options *options, http_server_handler *handler, void *context);
/* Stops listening and drops every connection; calls still open are freed unanswered. Not from a handler. */
void http_server_free(struct http_server *server); /* NULL is fine */

/* Port 0 takes a free one; *ret_port is the one taken. */
bool http_server_listen_tcp(struct http_server *server, const char *host, int port, int *ret_port, struct err *err)
    MUST_CHECK;
/* Replaces a socket that nobody listens on; unlinks it on free. */
bool http_server_listen_unix(struct http_server *server, const char *path, mode_t mode, struct err *err) MUST_CHECK;

/* A request header's value, or NULL; until the answer. */
const char *http_call_header(const struct http_call *call, const char *name);
/* `headers`: name, value, name, value, ..., NULL; may be NULL. body may be NULL. */
void http_call_answer(struct http_call *call, int status, const char *const *headers, const char *body, size_t length);
/* Drops the connection without an answer (reset, where the system allows it): for graphsim's faults. */
void http_call_abort(struct http_call *call);

const char *http_server_version(void); /* "libevent 2.1.12-stable" */

#endif
