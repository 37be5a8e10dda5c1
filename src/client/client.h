/* The one way to ask the daemon that runs with a config.xml: HTTP over its control socket. So there is one sentence for
 * a daemon that does not answer, and one for one that refuses, whatever was asked. */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include "adapters/loop.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/value.h"

struct client;
struct json;

enum { CLIENT_ANSWER_MAX = 256 * 1024 * 1024 };

enum client_result {
  CLIENT_DONE,
  CLIENT_NO_DAEMON, /* nothing listens there (ERR_NET) */
  CLIENT_FAILED,    /* something listens and does not answer, or not to us (ERR_NET) */
  CLIENT_REFUSED,   /* in the daemon's words (ERR_INPUT) */
};

/* A request; all borrowed. */
struct client_request {
  const char *method;
  const char *target; /* path and query, percent-encoded */
  const char *body;   /* JSON, or NULL */
};

/* ---- a question, and the whole answer: waits, on a loop of its own */

struct client_answer {
  struct buf bytes; /* as it came */
  struct values values;
  struct value *body; /* parsed, in `values` */
};
/* The daemon that runs with this config.xml; nothing of the file but State has to be right. Unless it is done, *err
 * says why. Release the answer in any case. ERR_CONFIG (CLIENT_FAILED): the file cannot be read. */
enum client_result client_ask(
    const char *config_path, const struct client_request *request, struct client_answer *ret_answer,
    struct err *err) MUST_CHECK;
void client_answer_release(struct client_answer *answer);

/* ---- many questions, on the caller's loop */

typedef void client_on_answer(
    void *context, enum client_result result, int status, const struct value *body, const struct err *err);

/* All borrowed. */
struct client *client_new(struct loop *loop, const char *socket_path, struct json *json, struct err *err) MUST_CHECK;
void client_free(struct client *client); /* cancels what is under way; NULL is fine */
/* on_answer is called once, never before this returns, unless the call is cancelled. Returns what client_cancel()
 * takes. */
void *client_send(
    struct client *client, const struct client_request *request, client_on_answer *on_answer, void *context);
/* False: that is no call of this client's. */
bool client_cancel(struct client *client, const void *call);

/* ---- what is asked */

/* Does anything listen on the socket? One that listens and does not answer, or not to us, counts: nothing may go past
 * it. */
bool client_finds_daemon(const char *socket_path);
/* "/v1/agents/NAME" and what follows, the name percent-encoded. */
void client_add_agent(struct buf *target, const char *name, const char *rest);
/* The body of PUT /v1/agents/{name}/override; presence: a name as rules write it, or "clear". by: cut where it is too
 * long. */
void client_write_override(struct buf *to, const char *presence, int64_t hold_ms, const char *by, const char *why);

/* Sets an override on an agent of the daemon that runs with this config.xml; presence NULL: ends it. As client_ask(); a
 * refusal names the agent. */
enum client_result client_override(
    const char *config_path, const char *name, const char *presence, int64_t hold_ms, const char *by,
    struct err *err) MUST_CHECK;

#endif
