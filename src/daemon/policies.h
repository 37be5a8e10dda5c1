/* The scripts that config.xml names (policy scripts), as the daemon keeps them: started, told of decisions and
 * outcomes, stopped when they fail, started again after a pause that doubles from 1 s to 5 min, and when their file
 * changes.
 *
 * A script never disturbs publishing: it runs in its own VM, behind the service, for a few milliseconds a turn; what it
 * publishes is an override in the engine, and what it asks of Graph goes behind the agents. */
#ifndef DAEMON_POLICIES_H
#define DAEMON_POLICIES_H

#include "adapters/loop.h"
#include "daemon/acks.h"
#include "service/service.h"

struct json;
struct policies;

/* All borrowed. Nothing runs before policies_start(). */
struct policies *policies_new(
    struct loop *loop, const struct config *config, struct json *json, struct acks *acks, struct err *err) MUST_CHECK;
/* Stops what runs: behind service_free(), which knows its requests, but with policies_stop() before it. NULL is fine.
 */
void policies_free(struct policies *policies);

/* For struct service_setup. */
struct service_watcher policies_watcher(struct policies *policies);
/* Once there is a service, which is borrowed. A script that does not compile is logged, shown, and tried again. */
void policies_start(struct policies *policies, struct service *service);
/* Cancels all scripts; none is started any more. Fine on what was not started. */
void policies_stop(struct policies *policies);
/* The config, where it always stood, is another one: its scripts start, those that ran before are gone. Call
 * policies_stop() before the service is told, because they know the accounts by their index. */
void policies_configure(struct policies *policies);
/* Once a turn, when it is durable. What a script has published is answered through `acks`. */
void policies_turn(struct policies *policies);
/* Starts those anew whose files have changed. */
void policies_look(struct policies *policies);
/* Is anything left to do that is neither a sleep nor a hook of time? */
bool policies_are_busy(const struct policies *policies);

/* For status: a list of {file=, state=, hooks=, calls=, queued=, dropped=, starts=, failures=, last_failure=,
 * last_failure_at=, traceback=, next_start=}; state: "runs", "waits" (to be started again), "ended", "stopped". */
struct value *policies_view(const struct policies *policies, struct values *values);

void policies_metrics(const struct policies *policies, struct metrics *to);

/* For check: compiles it, and runs nothing. */
bool policies_compile(const struct config *config, const char *file, struct err *err) MUST_CHECK;

#endif
