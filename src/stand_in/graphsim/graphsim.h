/* graphsim: a local stand-in for Entra's token endpoint and Graph's presence API, for dry runs, tests and benchmarks
 * (examples/README.md, "graphsim"). What they do is in the room tenant; here it gets a command line, TLS, and a port to
 * look behind the scenes. It keeps nothing on disk but what setup_files() writes. */
#ifndef STAND_IN_GRAPHSIM_GRAPHSIM_H
#define STAND_IN_GRAPHSIM_GRAPHSIM_H

#include "adapters/http_server.h"
#include "stand_in/graphsim/journal.h"
#include "stand_in/graphsim/options.h"
#include "stand_in/tenant/tenant.h"

struct loop;
struct scenario;

struct graphsim {
  struct options options;
  struct tenant tenant;
  struct loop *loop;
  struct json *json;
  void *tls;
  struct http_server *graph_server, *sim_server;
  int port, sim_port;
  struct journal journal;
  struct list_node held;     /* struct held: answers that come later or never; server.c */
  struct scenario *scenario; /* NULL: there is none */
  struct err failure;        /* of the scenario, while it ran */
};

/* options are copied. Listens when this returns true. */
bool graphsim_open(struct graphsim *graphsim, const struct options *options, struct err *err) MUST_CHECK;
/* Until SIGTERM or SIGINT; false when the scenario fails. */
bool graphsim_run(struct graphsim *graphsim, struct err *err) MUST_CHECK;
void graphsim_close(struct graphsim *graphsim); /* also what was opened by half */

/* sim.c: the plain port */
void sim_serve(void *context, const struct http_server_request *request);

#endif
