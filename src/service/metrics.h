/* What the engine counts and measures of itself; no decision depends on it. Histograms and counters begin at 0 with the
 * engine. A new counter is a row of the table in metrics.c, or a description there beside the function that counts. */
#ifndef SERVICE_METRICS_H
#define SERVICE_METRICS_H

#include "base/metrics.h"
#include "service/frequency.h"

struct config;
struct ruleset;
struct store;

/* How many names of a kind are told apart; further ones are told as METRICS_OTHERS. */
#define METRICS_OTHERS "(others)"
enum { METRICS_RULESETS_MAX = 32, METRICS_RULES_MAX = 500, METRICS_UCCS_MAX = 100 };

/* The first four are what an event comes to: each event has one of them. */
enum service_count {
  COUNT_ACCEPTED,
  COUNT_DUPLICATE,
  COUNT_STALE,
  COUNT_REFUSED,
  COUNT_REUSED_IDS,
  COUNT_AHEAD_OF_TIME,
  COUNT_NO_ACCOUNT,
  COUNT_UNKNOWN_FIELDS,
  COUNT_DECISIONS,
  COUNT_RULE_ERRORS,
};
enum { SERVICE_COUNTS = COUNT_RULE_ERRORS + 1 };

struct service_metrics {
  uint64_t counts[SERVICE_COUNTS];
  uint64_t lapses;
  struct histogram presence_age, commit; /* seconds */
  struct ruleset_metrics {
    char *name;
    struct frequency decisions; /* by rule; METRICS_RULES_MAX */
    uint64_t unmatched;         /* events */
  } rulesets[METRICS_RULESETS_MAX + 1];
  size_t ruleset_count;
  struct ucc_metrics {
    char *name;
    int64_t heard_ms; /* the arrival of its last event */
  } uccs[METRICS_UCCS_MAX + 1];
  size_t ucc_count;
  /* names that are worth a line in the log the first time */
  struct frequency unmatched, uccs_ahead, unserved, unknown_fields;
};

void service_metrics_init(struct service_metrics *metrics);
void service_metrics_release(struct service_metrics *metrics);

void metrics_count(struct service_metrics *metrics, enum service_count count, uint64_t by);
/* True: the first time that such a thing is seen. */
bool metrics_ahead_of_time(struct service_metrics *metrics, const char *ucc);
bool metrics_unserved(struct service_metrics *metrics, const char *what);
bool metrics_unknown_field(struct service_metrics *metrics, const char *field);
/* The configuration serves others now: who is still unserved is worth a line again. */
void metrics_forget_unserved(struct service_metrics *metrics);

/* An event of that UCC has arrived. */
void metrics_heard(struct service_metrics *metrics, const char *ucc, int64_t now);
/* That rule of the ruleset decided. */
void metrics_decided(struct service_metrics *metrics, const struct ruleset *ruleset, const char *rule);
/* No rule of it matches a state ("state NotReady, reason X"); true: the first time. */
bool metrics_unmatched(struct service_metrics *metrics, const char *text);
void metrics_event_unmatched(struct service_metrics *metrics, const struct ruleset *ruleset);
void metrics_committed(struct service_metrics *metrics, double seconds);
/* Graph has just confirmed the last of what an agent should show, for which it waited so long. */
void metrics_confirmed(struct service_metrics *metrics, double seconds);
/* A session ran out before it was refreshed, though it should be shown. */
void metrics_lapsed(struct service_metrics *metrics);

/* What is known from before the start; and a step of the clock. */
void metrics_start(struct service_metrics *metrics, struct store *store, int64_t now);
void metrics_clock_stepped(struct service_metrics *metrics, int64_t by_ms);

/* For `status`: {accepted=, ...}; {presence_age=, lapses=, commit=, rulesets=, uccs=}. */
struct value *metrics_view_counts(const struct service_metrics *metrics, struct values *values);
struct value *metrics_view(
    struct service_metrics *metrics, struct ruleset *const *rulesets, size_t count, int64_t now, struct values *values);
/* All of it. rulesets: those that run; a counter of theirs is there before it counts. */
void metrics_tell(
    struct service_metrics *metrics, struct ruleset *const *rulesets, size_t count, int64_t now, struct metrics *to);

#endif
