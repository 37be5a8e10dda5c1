/* The network between a daemon and its tenants: what was sent, and what becomes of it.
 *
 * An exchange holds a copy of what was sent. If its URL has the address of a tenant, it finds its way by itself: it
 * arrives after a while, the tenant serves it, and the answer goes back, as its fate says. Otherwise it waits until a
 * test answers it. A watcher sees each of them, and may choose its fate. An exchange that the client has given up stays
 * on its way: its request may still arrive, and its answer is dropped. */
#ifndef TESTS_WORLD_NETWORK_H
#define TESTS_WORLD_NETWORK_H

#include "base/list.h"
#include "service/service.h"
#include "stand_in/tenant/tenant.h"
#include "world/clock.h"

enum { NETWORK_TENANTS_MAX = 3, NETWORK_CLIENT_ID_SIZE = 40 };

/* Moments of steady time; CLOCK_NEVER: it never comes to that. */
struct exchange_fate {
  int64_t arrives_ms;   /* with the tenant */
  int64_t back_ms;      /* the answer with the client, or that none comes; later if the tenant takes its time */
  int64_t times_out_ms; /* the client waits no longer */
  bool unsent;          /* the client knows that it did not arrive */
  bool lost_reply;      /* it arrives, and the answer does not */
};

struct exchange {
  struct happening next; /* on its way; that of an exchange that waits for a test is the test's */
  struct list_node link; /* of network->exchanges */
  struct network *network;
  /* What was sent. */
  const char *method;
  const char *url, *path, *query; /* the path without the query, the query "" when there is none */
  const char *body;
  size_t body_length;
  const char *authorization, *bearer; /* "Bearer TOKEN" and the TOKEN; NULL and "" of a token request */
  char client_request_id[NETWORK_CLIENT_ID_SIZE];
  bool is_token;
  /* Who waits. */
  bool open; /* a client does */
  ports_on_reply *on_reply;
  void *context;
  /* Its way. */
  struct tenant *tenant; /* NULL: a test answers */
  struct exchange_fate fate;
  struct served *served; /* what the tenant has answered; NULL: it has not arrived */
  /* The watcher's own. */
  int note;
  char *line; /* on the heap; freed with the exchange */
  char texts[];
};

/* Called amid the daemon's turn, or amid what happens: takes note, changes the exchange, and calls nothing of the
 * service. Any of them may be NULL. */
struct network_watcher {
  void *context;
  /* It was sent. Its fate is drawn up as the network's latency has it, and may be changed. */
  void (*on_sent)(void *context, struct exchange *exchange);
  /* It arrives. False: it does not, after all. */
  bool (*on_arrival)(void *context, struct exchange *exchange);
  /* The client will have this answer. visit NULL: it has none; else the reply was made from it, and may be changed. */
  void (*on_answer)(void *context, struct exchange *exchange, const struct visit *visit, struct graph_reply *reply);
  /* The client does not wait for it any more: it has its answer, or has given up. */
  void (*on_over)(void *context, struct exchange *exchange);
};

struct network {
  struct world_clock *clock;
  struct network_watcher watcher;
  struct tenant *tenants[NETWORK_TENANTS_MAX]; /* borrowed; of different addresses */
  int64_t latency_ms;                          /* each way */
  bool keeps; /* exchanges that are over stay until network_cut(), for a test that still looks at them */
  struct list_node exchanges; /* in the order they were sent */
  struct list_node spare;     /* struct served: they are large, and used again */
  size_t requests, replies;
};

void network_init(struct network *network, struct world_clock *clock);
void network_release(struct network *network);

/* The ports send and cancel. */
struct exchange *network_send(
    struct network *network, const struct graph_request *request, const struct wiped *bearer,
    const char *client_request_id, ports_on_reply *on_reply, void *reply_context);
void network_cancel(struct exchange *exchange);

/* Answers an exchange that waits for a test, once; it is freed, unless the network keeps it. */
void network_answer(struct exchange *exchange, struct graph_reply *reply);
/* It arrives now, whatever its fate was; its answer will go back. */
void network_deliver(struct exchange *exchange);
/* Drops the exchange, wherever it is. */
void network_drop(struct exchange *exchange);
/* Drops all. */
void network_cut(struct network *network);

#endif
