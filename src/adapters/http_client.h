/* HTTPS requests by libcurl multi on the loop: HTTP/1.1 keep-alive, one shared trust store, bounded replies.
 *
 * Why not HTTP/2: libcurl 7.88 sends a reset after every reply, and servers that count resets end the connection
 * (src/README.md, "Libraries, and why each is there"). Only https: URLs are sent, redirects are not followed, TLS is at
 * least 1.2 and always verified. */
#ifndef ADAPTERS_HTTP_CLIENT_H
#define ADAPTERS_HTTP_CLIENT_H

#include "adapters/loop.h"
#include "base/buf.h"
#include "base/wiped.h"

enum { HTTP_CLIENT_HEADER_SIZE = 256 };

struct http_client;
struct http_exchange; /* one request under way */

struct http_client_options {
  const char *ca_file; /* trust anchors besides the system's, PEM; or NULL */
  const char *proxy;   /* URL, or NULL: none (the environment is not asked) */
  const char *user_agent;
  const char *unix_socket; /* every request goes there, http: allowed then; or NULL */
  int connections;         /* at most, in all */
  size_t reply_max;        /* bytes of a reply's body; a longer one is a failure */
  int64_t connect_timeout_ms;
  int64_t timeout_ms; /* for the whole exchange */
};

struct http_request {
  const char *method; /* "GET", "POST" */
  const char *url;
  const char *const *headers; /* "Name: value", NULL-terminated; may be NULL */
  const struct wiped *bearer; /* becomes an Authorization header; copied; may be NULL */
  const char *body;           /* copied; NULL for none */
  size_t body_length;
  bool fresh_connection; /* not one that was used before (after a 503: FACTS.md, "Throttling") */
};

struct http_reply {
  int status;          /* 0: no answer, `failure` says why */
  bool sent;           /* false: the request certainly did not reach the server (no connection, no TLS) */
  const char *failure; /* for people, no secret in it; "" when there is a status */
  const char *body;    /* NUL-terminated; never NULL */
  size_t body_length;
  char retry_after[HTTP_CLIENT_HEADER_SIZE]; /* header values, "" when missing or longer */
  char date[HTTP_CLIENT_HEADER_SIZE];
  char request_id[HTTP_CLIENT_HEADER_SIZE];
  char content_type[HTTP_CLIENT_HEADER_SIZE];
  char diagnostic[HTTP_CLIENT_HEADER_SIZE]; /* x-ms-ags-diagnostic */
};

/* Borrowed until it returns. May send, may cancel other exchanges; the own one is gone afterwards. */
typedef void http_on_reply(void *context, const struct http_reply *reply);

struct http_client *http_client_new(struct loop *loop, const struct http_client_options *options, struct err *err)
    MUST_CHECK;
void http_client_free(struct http_client *client); /* cancels all; NULL is fine */
/* For exchanges that begin from now on. */
void http_client_set_limits(
    struct http_client *client, int connections, int64_t connect_timeout_ms, int64_t timeout_ms);

/* on_reply is called once, never before this returns, unless the exchange is cancelled. */
struct http_exchange *http_client_send(
    struct http_client *client, const struct http_request *request, http_on_reply *on_reply, void *context);
void http_client_cancel(struct http_exchange *exchange);

const char *http_client_version(void);

#endif
