/* A registration as `status` and the metrics show it. Two accounts of one registration show the same figures: they are
 * the registration's, and a sum over accounts would count them twice. */
#include "base/clock.h"
#include "registration/internal.h"

static int64_t token_left_ms(const struct registration *registration, int64_t now)
{
  return token_holds(registration, now) ? registration->token.token.expires_ms - now : 0;
}

static const char *token_word(const struct registration *registration, int64_t now)
{
  bool valid = token_holds(registration, now);
  if (registration->token.trouble.kind != ERR_NONE)
    return valid ? "valid, renewal fails" : registration->token.refused ? "refused" : "failing";
  return valid ? "valid" : "none yet";
}

static uint64_t requests_of(const struct registration *registration, enum graph_operation_kind kind)
{
  return kind == GRAPH_TOKEN ? registration->token.requests : registration->traffic.requests[kind];
}

/* How many went out, what came of them, and both together. */
static void view_requests(const struct registration *registration, struct values *values, struct value *view)
{
  struct value *requests = value_map(values), *outcomes = value_map(values), *answered = value_map(values);
  uint64_t sums[OUTCOME_KINDS] = {0};
  for (size_t i = 0; i < GRAPH_OPERATION_KINDS; i++) {
    enum graph_operation_kind operation = (enum graph_operation_kind)i;
    struct value *of_operation = value_map(values);
    value_put_number(values, requests, graph_operation_str(operation), (double)requests_of(registration, operation));
    for (size_t kind = 0; kind < OUTCOME_KINDS; kind++) {
      uint64_t count = registration->traffic.answered[i][kind];
      sums[kind] += count;
      if (count > 0)
        value_put_number(values, of_operation, outcome_kind_str((enum outcome_kind)kind), (double)count);
    }
    value_set(values, answered, graph_operation_str(operation), of_operation);
  }
  for (size_t kind = 0; kind < OUTCOME_KINDS; kind++)
    value_put_number(values, outcomes, outcome_kind_str((enum outcome_kind)kind), (double)sums[kind]);
  value_set(values, view, "requests", requests);
  value_set(values, view, "outcomes", outcomes);
  value_set(values, view, "answered", answered);
}

void registration_view(const struct registration *registration, int64_t now, struct values *values, struct value *view)
{
  const struct token_state *token = &registration->token;
  const struct sched_budget *presence = &registration->budgets.presence;
  struct sched_load load = {.agents = 1, .lease_ms = CLOCK_HOUR};
  value_put_text(values, view, "token", token_word(registration, now));
  value_put_text(values, view, "token_trouble", token->trouble.text);
  value_put_instant(values, view, "token_expires", token->token.bearer.length > 0 ? token->token.expires_ms : 0);
  value_put_number(values, view, "token_expires_in_seconds", token_left_ms(registration, now) / 1000.0);
  value_put_instant(values, view, "closed_until", registration_gate(registration, now));
  value_put_instant(values, view, "refused_until", token->closed_until_ms > now ? token->closed_until_ms : 0);
  value_put_number(values, view, "in_flight", (double)registration->traffic.in_flight);
  value_put_number(values, view, "requests_per_30_seconds", (double)presence->limit);
  value_put_number(values, view, "requests_allowed_now", (double)presence->allowed);
  value_put_number(values, view, "budget_per_second", sched_capacity(&load, (int64_t)presence->limit).carries);
  value_set(values, view, "batches", value_bool(values, registration->traffic.batches));
  value_put_instant(values, view, "outage_since", registration->outage.since_ms);
  value_put_number(values, view, "throttled_seconds", (double)registration->gate.throttled_ms / 1000);
  view_requests(registration, values, view);
}

static const struct metric requests_total = {
    "graph_requests_total",
    METRIC_COUNTER,
    "Requests that were answered, or given up, by operation and outcome.",
    {"account", "operation", "outcome"}};
static const struct metric throttled_seconds_total = {
    "graph_throttled_seconds_total", METRIC_COUNTER, "Time for which Graph has asked for a pause.", {"account"}};
static const struct metric requests_allowed = {
    "graph_requests_allowed", METRIC_GAUGE, "Presence requests in 30 seconds, as throttling leaves them.", {"account"}};
static const struct metric token_expires_seconds = {
    "token_expires_seconds",
    METRIC_GAUGE,
    "Until the token in hand expires; 0: there is none that holds, and nothing can be sent.",
    {"account"}};

void registration_metrics(const struct registration *registration, const char *account, int64_t now, struct metrics *to)
{
  const struct traffic *traffic = &registration->traffic;
  metrics_declare(to, &requests_total);
  for (size_t i = 0; i < GRAPH_OPERATION_KINDS; i++)
    for (size_t kind = 0; kind < OUTCOME_KINDS; kind++)
      if (traffic->answered[i][kind] > 0)
        METRICS_ADD(
            to, &requests_total, (double)traffic->answered[i][kind], account,
            graph_operation_str((enum graph_operation_kind)i), outcome_kind_str((enum outcome_kind)kind));
  METRICS_ADD(to, &throttled_seconds_total, (double)registration->gate.throttled_ms / 1000, account);
  METRICS_ADD(to, &requests_allowed, (double)registration->budgets.presence.allowed, account);
  METRICS_ADD(to, &token_expires_seconds, token_left_ms(registration, now) / 1000.0, account);
}
