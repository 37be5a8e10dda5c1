/* Events, decisions and outcomes as the tables that scripts see. Times are seconds since 1970, durations seconds. */
#ifndef HOST_TABLES_H
#define HOST_TABLES_H

#include "base/value.h"
#include "graph/graph.h"
#include "model/decision.h"
#include "model/event.h"

struct value *table_of_event(struct values *values, const struct event *event);
/* "presence" is what colleagues would see of it. */
struct value *table_of_decision(struct values *values, const struct decision *decision);
/* With the words that a primitive's error has: code, message, status, retry_after. */
struct value *table_of_outcome(
    struct values *values, enum graph_operation_kind operation, enum presence presence, const struct outcome *outcome);

#endif
