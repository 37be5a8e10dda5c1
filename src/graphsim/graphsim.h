/* graphsim: a local stand-in for Entra's token endpoint and Graph's presence API, for dry runs, tests and benchmarks
 * (interface 8). It is strict where Graph is documented to be, and strict too where its behaviour is not known, so that
 * a client which pleases it asks for nothing doubtful. It keeps nothing on disk but what setup_files() writes. */
#ifndef GRAPHSIM_GRAPHSIM_H
#define GRAPHSIM_GRAPHSIM_H

#include "graphsim/directory.h"
#include "graphsim/faults.h"
#include "graphsim/journal.h"
#include "graphsim/options.h"
#include "graphsim/visit.h"
#include "graphsim/window.h"

struct loop;
struct json;

enum action_kind {
  ACTION_SET_PRESENCE,
  ACTION_CLEAR_PRESENCE,
  ACTION_SET_PREFERRED,
  ACTION_CLEAR_PREFERRED,
  ACTION_SET_MESSAGE,
};
enum { ACTION_COUNT = ACTION_SET_MESSAGE + 1, TOKENS_MAX = 256 };

/* What an issued token may do. The token itself is not kept, only its digest. */
struct issued_token {
  unsigned char digest[32];
  int64_t expires_ms; /* 0: place not in use */
  bool presence_role, user_role;
};

struct counters {
  int64_t token_requests, tokens_issued, lookups, reads;
  int64_t received[ACTION_COUNT], applied[ACTION_COUNT];
  int64_t unauthorized; /* 401 answers of Graph */
  int64_t throttled;    /* 429 answers, by faults or by the budget */
  int64_t over_budget;  /* those by the budget */
  int max_in_flight;    /* the most presence requests of one person at one moment */
};

struct graphsim {
  struct options options;
  char client_id[40], tenant_id[40];
  char secret[96];  /* of a registration that exists nowhere; yet it is not logged */
  char address[64]; /* "https://localhost:PORT" */
  struct loop *loop;
  struct json *json;
  void *tls;
  struct http_server *graph_server, *sim_server;
  int port, sim_port;
  struct directory *directory;
  struct faults faults;
  struct window window;
  struct journal journal;
  struct counters counters;
  struct issued_token tokens[TOKENS_MAX];
  size_t token_next;
  struct list_node held; /* struct held: answers that come later or never; server.c */
};

/* options are copied. Listens when this returns true. */
bool graphsim_open(struct graphsim *graphsim, const struct options *options, struct err *err) MUST_CHECK;
void graphsim_run(struct graphsim *graphsim);   /* until SIGTERM or SIGINT */
void graphsim_close(struct graphsim *graphsim); /* also what was opened by half */

/* token.c: Entra */
bool token_is_path(const char *path);
void token_serve(struct graphsim *graphsim, struct visit *visit);
/* The token of the Authorization header, or NULL after a 401 was made. */
const struct issued_token *token_check(struct graphsim *graphsim, struct visit *visit);

/* lookup.c: GET /users/{id} */
void lookup_serve(struct graphsim *graphsim, struct visit *visit, const struct issued_token *token, const char *user);

/* actions.c: POST /users/{id}/presence/... */
bool action_parse(const char *name, enum action_kind *ret_kind) MUST_CHECK;
const char *action_str(enum action_kind kind);
void action_serve(
    struct graphsim *graphsim, struct visit *visit, const struct issued_token *token, enum action_kind kind,
    const char *user);

/* reads.c: presences */
void read_one(struct graphsim *graphsim, struct visit *visit, const struct issued_token *token, const char *user);
void read_many(struct graphsim *graphsim, struct visit *visit, const struct issued_token *token);

/* guards.c: what every presence request has to pass. False: the answer is made. */
bool guard_presence(struct graphsim *graphsim, struct visit *visit, const struct issued_token *token) MUST_CHECK;
bool guard_json_body(struct graphsim *graphsim, struct visit *visit, struct values *values, struct value **ret_body)
    MUST_CHECK;
/* The person of a presence path: by GUID alone. NULL: the answer is made. */
struct person *guard_person(struct graphsim *graphsim, struct visit *visit, const char *user);

/* sim.c: the plain port */
void sim_serve(void *context, const struct http_server_request *request);

#endif
