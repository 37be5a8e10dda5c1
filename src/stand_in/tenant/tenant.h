/* A tenant as Microsoft's services keep it: Entra's token endpoint and Graph's presence API over people, their sessions
 * and a budget, as src/graph/FACTS.md has them. It is strict where Graph is documented to be, and strict too where its
 * behaviour is not known, so that a client which pleases it asks for nothing doubtful.
 *
 * Pure: bytes and `now` in, an answer out, randomness from seeds. graphsim puts it behind TLS, the simulation of
 * tests/sim asks it directly. */
#ifndef STAND_IN_TENANT_TENANT_H
#define STAND_IN_TENANT_TENANT_H

#include "base/wiped.h"
#include "graph/graph.h"
#include "stand_in/tenant/directory.h"
#include "stand_in/tenant/faults.h"
#include "stand_in/tenant/visit.h"
#include "stand_in/tenant/window.h"

struct json;

enum { TOKENS_MAX = 256 };

/* What an issued token may do. Of the tokens themselves only the one that was shown last is kept. */
struct issued_token {
  unsigned char digest[32];
  int64_t expires_ms; /* 0: place not in use */
  bool presence_role, user_role;
};

struct counters {
  int64_t token_requests, tokens_issued, lookups, reads, batches;
  int64_t received[GRAPH_OPERATION_KINDS], applied[GRAPH_OPERATION_KINDS]; /* of presence actions */
  int64_t unauthorized;                                                    /* 401 answers of Graph */
  int64_t throttled;                                                       /* 429 answers, by faults or by the budget */
  int64_t over_budget;                                                     /* those by the budget */
  int max_in_flight; /* the most presence requests of one person at one moment */
};

/* Called for everything that was served, each request of a $batch by itself and then the batch, before the answer goes
 * out. */
typedef void tenant_on_visit(void *context, const struct visit *visit);

struct tenant_setup {
  char client_id[40], tenant_id[40];
  char secret[96];                    /* of a registration that exists nowhere; yet it is not logged */
  char address[64];                   /* "https://localhost:PORT": of Entra and Graph alike */
  int64_t token_life_s, refresh_in_s; /* refresh_in_s 0: not in the answer */
  int requests_per_30s;
  int64_t latency_ms; /* before every answer of Graph */
  bool presence_role, user_role;
  tenant_on_visit *on_visit; /* or NULL */
  void *context;
};

struct tenant {
  struct tenant_setup setup;
  struct json *json; /* borrowed */
  struct directory *directory;
  struct faults faults;
  struct window window;
  struct counters counters;
  struct issued_token tokens[TOKENS_MAX];
  size_t token_next;
  struct wiped shown;                      /* the token that was shown last ... */
  const struct issued_token *shown_issued; /* ... and its place, or NULL */
  struct seed noise;                       /* of tokens and request ids */
};

/* Nobody is in the directory yet, and nothing goes wrong. The setup is copied. */
void tenant_init(struct tenant *tenant, const struct tenant_setup *setup, struct json *json, uint64_t noise);
void tenant_release(struct tenant *tenant); /* wipes the secret */

/* Serves one request: fills the visit, which the caller releases. The people whose presence it asked about count as in
 * flight until tenant_answered(). */
void tenant_serve(struct tenant *tenant, const struct tenant_call *call, int64_t now, struct visit *ret_visit);
/* The answer is with the client, or the client has given it up. */
void tenant_answered(struct tenant *tenant, struct visit *visit);

/* ---- the rooms' parts */

/* What every path of Graph leads to; the token has been looked at. */
void tenant_serve_path(struct tenant *tenant, struct visit *visit, const struct issued_token *token);
/* Counts the answer, and tells setup.on_visit. */
void tenant_served(struct tenant *tenant, struct visit *visit);

/* token.c: Entra */
bool token_is_path(const char *path);
void token_serve(struct tenant *tenant, struct visit *visit);
/* The token of the Authorization header, or NULL after a 401 was made. */
const struct issued_token *token_check(struct tenant *tenant, struct visit *visit);

/* batch.c: POST /$batch */
void batch_serve(struct tenant *tenant, struct visit *visit, const struct issued_token *token);

/* lookup.c: GET /users/{id} */
void lookup_serve(struct tenant *tenant, struct visit *visit, const struct issued_token *token, const char *user);

/* actions.c: POST /users/{id}/presence/... */
/* The action of that path segment. */
bool action_parse(const char *name, enum graph_operation_kind *ret_kind) MUST_CHECK;
bool action_is(enum graph_operation_kind kind); /* is there such an action? */
void action_serve(
    struct tenant *tenant, struct visit *visit, const struct issued_token *token, enum graph_operation_kind kind,
    const char *user);

/* reads.c: presences */
void read_one(struct tenant *tenant, struct visit *visit, const struct issued_token *token, const char *user);
void read_many(struct tenant *tenant, struct visit *visit, const struct issued_token *token);

/* guards.c: what every presence request has to pass. False: the answer is made. */
bool guard_presence(struct tenant *tenant, struct visit *visit, const struct issued_token *token) MUST_CHECK;
bool guard_json_body(struct tenant *tenant, struct visit *visit, struct values *values, const struct value **ret_body)
    MUST_CHECK;
/* The user of a presence path, a GUID, and who was found by it; NULL: nobody. */
bool guard_person(struct visit *visit, const char *user, struct person *person) MUST_CHECK;

#endif
