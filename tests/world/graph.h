/* What comes back from Graph and Entra, as the daemon's transport hands it over: made by a test, or from what a tenant
 * has answered. Texts are borrowed. */
#ifndef TESTS_WORLD_GRAPH_H
#define TESTS_WORLD_GRAPH_H

#include "graph/graph.h"
#include "stand_in/tenant/tenant.h"

enum { GRAPH_DATE_SIZE = 40 };

/* An answer without headers. Status 0: it was sent, and none came. */
struct graph_reply graph_reply_of(int status, const char *body);
/* None comes; sent: the request may have arrived nevertheless. */
struct graph_reply graph_reply_none(bool sent);
/* What a tenant has answered; date: for the header Date, which every server sends. */
struct graph_reply graph_reply_from(const struct visit *visit, char date[GRAPH_DATE_SIZE]);
/* An IMF-fixdate (RFC 9110 5.6.7); returns to. */
const char *graph_http_date(int64_t ms, char to[GRAPH_DATE_SIZE]);

#endif
