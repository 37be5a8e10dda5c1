/* Microsoft Graph's presence API and Entra's token endpoint as bytes: encodes requests, classifies replies. Pure: no
 * clock, no socket, nothing remembered. How the two behave, and by which source, is written in src/graph/FACTS.md. */
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
/* FACTS.md, "Reading presences", "JSON batching". */
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

/* What an operation is: one row of the table in operations.c, which the encoder, the classifier, the budgets, scripts,
 * views and the stand-in read. */
enum graph_budget { GRAPH_BUDGET_PRESENCE, GRAPH_BUDGET_LOOKUPS, GRAPH_BUDGET_NONE };
struct graph_operation_row {
  const char *name;   /* "setPresence", "lookup", "token": in metrics, logs and messages; each has one of its own */
  const char *method; /* "POST" */
  const char *path;   /* behind "/v1.0"; begins with GRAPH_USER where it is about one user */
  /* The request's body; NULL: it has none. ERR_BUG when the operation is not legal. */
  bool (*write_body)(
      const struct graph_endpoint *endpoint, const struct graph_operation *operation, struct buf *to, struct err *err);
  enum graph_budget budget;
  bool gone_is_done;        /* a 404 says that nothing is there to clear */
  bool answers_json;        /* a success without a JSON object is none */
  const char *permission;   /* the application permission that it needs */
  const char *unknown_user; /* what a 404 suggests, for people */
  const char *refused;      /* what another refusal suggests, for people */
};
#define GRAPH_USER "/users/{id}"
const struct graph_operation_row *graph_operation_row(enum graph_operation_kind kind);
const char *graph_operation_str(enum graph_operation_kind kind); /* its name */

/* "setPresence: 403 Forbidden No rights; grant ... (request-id R, client-request-id C)": an outcome for people, with
 * its remedy where there is one; returns to. */
enum { GRAPH_TEXT_SIZE = 768 };
char *graph_outcome_text(enum graph_operation_kind kind, const struct outcome *outcome, char to[GRAPH_TEXT_SIZE]);

/* ERR_BUG when the operation is not legal: a presence of the other plane, a session's duration outside PT5M..PT4H. */
bool graph_encode(
    const struct graph_endpoint *endpoint, const struct graph_operation *operation, struct graph_request *ret_request,
    struct err *err) MUST_CHECK;

/* Several requests as one $batch (FACTS.md, "JSON batching"), of GRAPH_BATCH_MAX at most; their numbers count from 0.
 * Each counts against the budget as if it came alone. */
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

/* Client credentials (FACTS.md, "Token requests"). parameter and proof: what the application proves itself with, such
 * as "client_secret". */
void graph_encode_token(
    const struct graph_endpoint *endpoint, const char *parameter, const struct wiped *proof,
    struct graph_request *ret_request);
void graph_request_release(struct graph_request *request);

/* `now` turns a Retry-After that is a date into a duration. */
void graph_classify(
    struct json *json, enum graph_operation_kind kind, const struct graph_reply *reply, int64_t now,
    struct outcome *ret_outcome);
/* Seconds, decimal or an HTTP-date (FACTS.md, "Retry-After"); -1 when missing or unparsable. Rounded up to
 * milliseconds. A date is one of the server's clock: it counts from the reply's own `date`, and from `now` only where
 * that is missing. */
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
  char availability[64], activity[64]; /* as Graph spells them; open strings (FACTS.md, "Reading presences") */
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
 * people to read, never to decide by (FACTS.md, "Roles in a token"). It is read where it lies and leaves no copy. */
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
