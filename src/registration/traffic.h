/* Requests on their way: waiting, outgoing with the turn's commit, and flying over a connection. */
#ifndef REGISTRATION_TRAFFIC_H
#define REGISTRATION_TRAFFIC_H

#include "base/list.h"
#include "graph/graph.h"

struct registration;
struct request;

struct traffic {
  struct list_node waiting, waiting_lookups, asides, outgoing; /* of struct request */
  struct list_node flying;                                     /* of struct parcel */
  size_t in_flight, lookups_in_flight;                         /* requests, outgoing and flying */
  size_t outgoing_count, parcels;                              /* how long those lists are */
  bool batches;                                                /* until Graph refuses one */
  bool fresh_connection; /* the next request takes a new one (FACTS.md, "Throttling") */
  uint64_t requests[GRAPH_OPERATION_KINDS], answered[GRAPH_OPERATION_KINDS][OUTCOME_KINDS];
};

void traffic_init(struct registration *registration, bool batches);
/* Cancels and forgets all. */
void traffic_release(struct registration *registration);
void traffic_set_batches(struct registration *registration, bool batches);
/* Answers the asides: there is no such registration any more. */
void traffic_answer_asides(struct registration *registration);
int64_t traffic_next(const struct registration *registration, bool ready, int64_t now);
void traffic_count(struct registration *registration, enum graph_operation_kind kind, const struct outcome *outcome);

/* What outcome.c looks at of a request. */
enum graph_operation_kind request_kind(const struct request *request);
uint64_t request_token_serial(const struct request *request); /* of the token it went out with */
bool request_is_about_user(const struct request *request);

#endif
