/* Microsoft Graph's presence API and Entra's token endpoint as bytes: encodes requests, classifies replies. Pure: no
 * clock, no socket, nothing remembered. Sources: facts 1 (actions), 3.2 (throttling), 4 (users), 5 (tokens), 6
 * (errors). */
#ifndef GRAPH_GRAPH_H
#define GRAPH_GRAPH_H

#include "base/buf.h"
#include "base/err.h"
#include "base/wiped.h"
#include "model/outcome.h"
#include "model/presence.h"

struct json;

enum { GRAPH_ID_SIZE = 37, GRAPH_NAME_SIZE = 321, GRAPH_REQUEST_MAX = 32 * 1024 };
/* A base URL of 2 KiB and a name of 320 bytes, each at most %27%27. */
enum { GRAPH_URL_MAX = 5 * 1024 };
/* Of facts 1.7 and 3.3. */
enum { GRAPH_PRESENCES_MAX = 650, GRAPH_BATCH_MAX = 20 };

enum graph_operation_kind {
  GRAPH_SET_PRESENCE,
  GRAPH_CLEAR_PRESENCE,
  GRAPH_SET_PREFERRED,
  GRAPH_CLEAR_PREFERRED,
  GRAPH_SET_MESSAGE,
  GRAPH_CLEAR_MESSAGE,
  GRAPH_LOOKUP,        /* UPN or id to user */
  GRAPH_GET_PRESENCE,  /* what Teams shows */
  GRAPH_GET_PRESENCES, /* ... of many people at once */
  GRAPH_TOKEN,         /* not Graph's but Entra's; here so that counters have one vocabulary */
};
enum { GRAPH_OPERATION_KINDS = GRAPH_TOKEN + 1 };

struct graph_operation {
  enum graph_operation_kind kind;
  char user[GRAPH_NAME_SIZE]; /* the object id; for GRAPH_LOOKUP a UPN or an object id */
  enum presence presence;     /* of the sets */
  int64_t duration_ms;        /* of the sets: expirationDuration */
  const char *message;        /* of GRAPH_SET_MESSAGE; borrowed */
  int64_t message_until_ms;   /* its end: always there */
  const char *ids;            /* of GRAPH_GET_PRESENCES: object ids, separated by spaces; borrowed */
};

/* What belongs to the app registration. */
struct graph_endpoint {
  const char *authority, *graph; /* base URLs without a final slash */
  const char *tenant_id, *client_id;
};

struct graph_request {
  const char *method;
  struct buf url;  /* GRAPH_URL_MAX at most; both are released with graph_request_release() */
  struct buf body; /* for a token request it holds the secret */
};

/* What the transport brought back; texts borrowed. */
struct graph_reply {
  int status;          /* 0: none */
  bool sent;           /* false: it certainly did not reach the server */
  const char *failure; /* why there is no status */
  const char *body;
  size_t body_length;
  const char *retry_after, *date, *request_id, *content_type, *diagnostic; /* header values, "" when missing */
};

const char *graph_operation_str(enum graph_operation_kind kind); /* "setPresence", "lookup", "token" */

/* ERR_BUG when the operation is not legal: a presence of the other plane, a session's duration outside PT5M..PT4H. */
bool graph_encode(
    const struct graph_endpoint *endpoint, const struct graph_operation *operation, struct graph_request *ret_request,
    struct err *err) MUST_CHECK;

/* Several requests as one $batch (facts 3.3), of GRAPH_BATCH_MAX at most; their numbers count from 0. Each counts
 * against the budget as if it came alone. */
struct graph_batch {
  struct buf body;
  size_t count;
};
void graph_batch_begin(struct graph_batch *batch);
void graph_batch_add(
    struct graph_batch *batch, const struct graph_endpoint *endpoint, const struct graph_request *request);
/* The batch is empty again. */
void graph_batch_end(
    struct graph_batch *batch, const struct graph_endpoint *endpoint, struct graph_request *ret_request);
/* Calls on_part once for each of `count` requests, in their order, whatever the order of the answer; one that the
 * answer leaves out has status 0, and so have all where a success holds no answers. False: another status than those of
 * a batch (nothing was called), which stands for all. */
typedef void graph_on_part(void *context, size_t number, const struct graph_reply *reply);
bool graph_split_batch(
    struct json *json, const struct graph_reply *reply, size_t count, graph_on_part *on_part, void *context) MUST_CHECK;

/* Client credentials with a secret (facts 5.2). */
void graph_encode_token(
    const struct graph_endpoint *endpoint, const struct wiped *secret, struct graph_request *ret_request);
void graph_request_release(struct graph_request *request);

/* `now` turns a Retry-After that is a date into a duration. */
void graph_classify(
    struct json *json, enum graph_operation_kind kind, const struct graph_reply *reply, int64_t now,
    struct outcome *ret_outcome);
/* Seconds, decimal or an HTTP-date (facts 3.2); -1 when missing or unparsable. Rounded up to milliseconds. A date is
 * one of the server's clock: it counts from the reply's own `date`, and from `now` only where that is missing. */
int64_t graph_retry_after(const char *text, const char *date, int64_t now);

struct graph_user {
  char id[GRAPH_ID_SIZE]; /* lower case */
  char upn[GRAPH_NAME_SIZE];
  char display_name[256];
  bool account_enabled; /* true as well when the directory does not say */
  char user_type[32];   /* "Member", "Guest", or "" */
};
/* Of an OUTCOME_APPLIED lookup. ERR_NET when the body is not a user. */
bool graph_parse_user(struct json *json, const struct graph_reply *reply, struct graph_user *ret_user, struct err *err)
    MUST_CHECK;

struct graph_presence {
  char availability[64], activity[64]; /* as Graph spells them; open strings (facts 1.7) */
  char message[1200];
};
bool graph_parse_presence(
    struct json *json, const struct graph_reply *reply, struct graph_presence *ret_presence,
    struct err *err) MUST_CHECK;

/* Calls on_presence for every person in the answer to GRAPH_GET_PRESENCES. False, ERR_NET: it is none. */
typedef void graph_on_presence(void *context, const char *id, enum availability availability);
bool graph_parse_presences(
    struct json *json, const struct graph_reply *reply, graph_on_presence *on_presence, void *context,
    struct err *err) MUST_CHECK;

struct graph_token {
  struct wiped bearer; /* access token */
  int64_t expires_ms, refresh_ms;
};

enum { GRAPH_ROLES_MAX = 64, GRAPH_ROLE_SIZE = 80 };
struct graph_roles {
  char names[GRAPH_ROLES_MAX][GRAPH_ROLE_SIZE];
  size_t count;
};
/* The application permissions that a token's payload names; none when it is opaque, which it may be at any time. For
 * people to read, never to decide by (facts 5). The token is read where it lies and leaves no copy. */
void graph_token_roles(const struct wiped *bearer, struct graph_roles *ret_roles);
enum graph_token_verdict {
  GRAPH_TOKEN_OK,
  GRAPH_TOKEN_RETRY,   /* the service's fault or the network's: again, with backoff */
  GRAPH_TOKEN_REFUSED, /* configuration: retrying does not mend it, but a slow probe notices when it is mended */
};
/* `now` is when the reply was read. On any verdict but OK, err (ERR_NET or ERR_AUTH) holds a sentence with a remedy,
 * and *ret_retry_after_ms what the reply asked for or -1. */
enum graph_token_verdict graph_parse_token(
    struct json *json, const struct graph_reply *reply, int64_t now, struct graph_token *ret_token,
    int64_t *ret_retry_after_ms, struct err *err);

#endif
