#include "cli/metrics.h"

#include <string.h>

static void begin(struct buf *to, const char *name, const char *type, const char *help)
{
  buf_addf(to, "# HELP presenced_%s %s\n# TYPE presenced_%s %s\n", name, help, name, type);
}

/* A label's value: backslash, quote and line feed are escaped. */
static void add_label(struct buf *to, const char *separator, const char *name, const char *value)
{
  buf_addf(to, "%s%s=\"", separator, name);
  for (; *value != '\0'; value++) {
    if (*value == '\n')
      buf_add_str(to, "\\n");
    else
      buf_addf(to, "%s%c", *value == '"' || *value == '\\' ? "\\" : "", *value);
  }
  buf_add_str(to, "\"");
}

static void add_one(struct buf *to, const char *metric, const char *label, const char *value, double number)
{
  buf_addf(to, "presenced_%s", metric);
  if (label != NULL) {
    add_label(to, "{", label, value);
    buf_add_str(to, "}");
  }
  buf_addf(to, " %.15g\n", number);
}

static void add_of_two(
    struct buf *to, const char *metric, const char *const labels[2], const char *first, const char *second,
    double number)
{
  buf_addf(to, "presenced_%s", metric);
  add_label(to, "{", labels[0], first);
  add_label(to, ",", labels[1], second);
  buf_addf(to, "} %.15g\n", number);
}

static void add_phases(struct buf *to, const char *account, const struct value *phases)
{
  static const char *const labels[] = {"account", "phase"};
  for (size_t i = 0; value_is(phases, VALUE_MAP) && i < value_count(phases); i++)
    add_of_two(to, "agents", labels, account, phases->u.table.keys[i], phases->u.table.items[i]->u.number);
}

static void write_agents(const struct value *accounts, const struct value *without_account, struct buf *to)
{
  begin(to, "agents", "gauge", "Agents by where they stand in the schedule; account \"\": no account serves them.");
  for (size_t i = 0; i < value_count(accounts); i++)
    add_phases(to, value_get_text(value_at(accounts, i), "account", ""), value_get(value_at(accounts, i), "phases"));
  add_phases(to, "", without_account);
}

static void write_histogram(const struct value *histogram, const char *metric, const char *help, struct buf *to)
{
  const struct value *up_to = value_get(histogram, "up_to");
  double count = value_get_number(histogram, "count", 0);
  begin(to, metric, "histogram", help);
  for (size_t i = 0; i < value_count(up_to); i++)
    buf_addf(
        to, "presenced_%s_bucket{le=\"%.15g\"} %.15g\n", metric, value_get_number(value_at(up_to, i), "le", 0),
        value_get_number(value_at(up_to, i), "count", 0));
  buf_addf(to, "presenced_%s_bucket{le=\"+Inf\"} %.15g\n", metric, count);
  buf_addf(to, "presenced_%s_sum %.15g\n", metric, value_get_number(histogram, "sum", 0));
  buf_addf(to, "presenced_%s_count %.15g\n", metric, count);
}

/* Each event has one of these outcomes, so that their sum is the number of events; what else `status` counts of events
 * is said of accepted ones besides. */
static void write_events(const struct value *events, struct buf *to)
{
  static const char *const outcomes[] = {"accepted", "duplicate", "stale", "refused"};
  begin(to, "events_total", "counter", "What became of events.");
  for (size_t i = 0; i < COUNT_OF(outcomes); i++)
    add_one(to, "events_total", "outcome", outcomes[i], value_get_number(events, outcomes[i], 0));
  begin(to, "rule_errors_total", "counter", "Rules that raised an error, and were answered by on_error.");
  add_one(to, "rule_errors_total", NULL, NULL, value_get_number(events, "rule_errors", 0));
}

static void write_requests(const struct value *accounts, struct buf *to)
{
  begin(to, "graph_requests_total", "counter", "Requests that were answered, or given up, by operation and outcome.");
  for (size_t i = 0; i < value_count(accounts); i++) {
    const struct value *account = value_at(accounts, i), *answered = value_get(account, "answered");
    for (size_t j = 0; value_is(answered, VALUE_MAP) && j < value_count(answered); j++) {
      const struct value *outcomes = answered->u.table.items[j];
      for (size_t k = 0; value_is(outcomes, VALUE_MAP) && k < value_count(outcomes); k++) {
        buf_add_str(to, "presenced_graph_requests_total");
        add_label(to, "{", "account", value_get_text(account, "account", ""));
        add_label(to, ",", "operation", answered->u.table.keys[j]);
        add_label(to, ",", "outcome", outcomes->u.table.keys[k]);
        buf_addf(to, "} %.15g\n", outcomes->u.table.items[k]->u.number);
      }
    }
  }
}

static void write_of_accounts(
    const struct value *accounts, const char *metric, const char *type, const char *help, const char *member,
    struct buf *to)
{
  begin(to, metric, type, help);
  for (size_t i = 0; i < value_count(accounts); i++)
    add_one(
        to, metric, "account", value_get_text(value_at(accounts, i), "account", ""),
        value_get_number(value_at(accounts, i), member, 0));
}

static void write_rulesets(const struct value *rulesets, struct buf *to)
{
  static const char *const labels[] = {"ruleset", "rule"};
  begin(to, "decisions_total", "counter", "What was decided, again after a reload too, by the rule that did.");
  for (size_t i = 0; i < value_count(rulesets); i++) {
    const struct value *ruleset = value_at(rulesets, i), *decisions = value_get(ruleset, "decisions");
    for (size_t j = 0; j < value_count(decisions); j++)
      add_of_two(
          to, "decisions_total", labels, value_get_text(ruleset, "ruleset", ""),
          value_get_text(value_at(decisions, j), "rule", ""), value_get_number(value_at(decisions, j), "count", 0));
  }
  begin(to, "events_unmatched_total", "counter", "Events that no rule answers.");
  for (size_t i = 0; i < value_count(rulesets); i++)
    add_one(
        to, "events_unmatched_total", "ruleset", value_get_text(value_at(rulesets, i), "ruleset", ""),
        value_get_number(value_at(rulesets, i), "unmatched", 0));
}

static void write_uccs(const struct value *uccs, struct buf *to)
{
  begin(
      to, "ucc_last_event_seconds", "gauge",
      "How long ago the last event of the contact centre arrived; after a start, since the newest event that is known "
      "of it.");
  for (size_t i = 0; i < value_count(uccs); i++)
    add_one(
        to, "ucc_last_event_seconds", "ucc", value_get_text(value_at(uccs, i), "ucc", ""),
        value_get_number(value_at(uccs, i), "last_event_seconds", 0));
}

static void write_of_scripts(
    const struct value *scripts, const char *metric, const char *type, const char *help, const char *member,
    struct buf *to)
{
  begin(to, metric, type, help);
  for (size_t i = 0; i < value_count(scripts); i++)
    add_one(
        to, metric, "script", value_get_text(value_at(scripts, i), "file", ""),
        value_get_number(value_at(scripts, i), member, 0));
}

static void write_state(const struct value *state, struct buf *to)
{
  begin(
      to, "state_failed", "gauge",
      "1 while the state file cannot be written: no event is taken, nothing is sent; no other metrics are there.");
  add_one(to, "state_failed", NULL, NULL, value_get_bool(state, "failed", false));
  begin(to, "state_failures_total", "counter", "How often the state file has failed.");
  add_one(to, "state_failures_total", NULL, NULL, value_get_number(state, "failures", 0));
}

void metrics_write(const struct value *status, struct buf *to)
{
  const struct value *state = value_get(status, "state");
  write_state(state, to);
  if (value_get_bool(state, "failed", false) && value_get(status, "accounts") == NULL)
    return; /* zeros would say that all counters begin anew */
  const struct value *accounts = value_get(status, "accounts"), *rules = value_get(status, "rules");
  const struct value *scripts = value_get(status, "scripts"), *figures = value_get(status, "figures");
  write_events(value_get(status, "events"), to);
  write_uccs(value_get(figures, "uccs"), to);
  write_rulesets(value_get(figures, "rulesets"), to);
  write_agents(accounts, value_get(status, "phases_without_account"), to);
  write_of_accounts(
      accounts, "presence_oldest_difference_seconds", "gauge",
      "For how long an agent has not shown what it should, of those that wait for it now the longest; 0: none waits.",
      "oldest_difference_seconds", to);
  write_histogram(
      value_get(figures, "presence_age"), "presence_age_seconds",
      "For how long an agent did not show what it should: from the event, or the end of its delay, to Graph's answer "
      "after which nothing was missing.",
      to);
  begin(
      to, "presence_lapses_total", "counter",
      "How often a session ran out (Available fades after 5 minutes) before it was refreshed, though it should be "
      "shown.");
  add_one(to, "presence_lapses_total", NULL, NULL, value_get_number(figures, "lapses", 0));
  write_requests(accounts, to);
  write_of_accounts(
      accounts, "graph_throttled_seconds_total", "counter", "Time for which Graph has asked for a pause.",
      "throttled_seconds", to);
  write_of_accounts(
      accounts, "graph_requests_allowed", "gauge", "Presence requests in 30 seconds, as throttling leaves them.",
      "requests_allowed_now", to);
  write_of_accounts(
      accounts, "token_expires_seconds", "gauge",
      "Until the token in hand expires; 0: there is none that holds, and nothing can be sent.",
      "token_expires_in_seconds", to);
  write_histogram(
      value_get(figures, "commit"), "commit_seconds", "How long the state file took to write what a turn had changed.",
      to);
  begin(to, "rules_generation", "gauge", "Number of the rules that run.");
  add_one(to, "rules_generation", NULL, NULL, value_get_number(rules, "generation", 0));
  begin(to, "rules_reloads_total", "counter", "Reloads of the rules.");
  add_one(to, "rules_reloads_total", "result", "ok", value_get_number(rules, "reloads", 0));
  add_one(to, "rules_reloads_total", "result", "refused", value_get_number(rules, "failures", 0));
  begin(
      to, "script_running", "gauge",
      "1 while a policy script runs, 0 while it waits to be started again or has ended.");
  for (size_t i = 0; i < value_count(scripts); i++)
    add_one(
        to, "script_running", "script", value_get_text(value_at(scripts, i), "file", ""),
        strcmp(value_get_text(value_at(scripts, i), "state", ""), "runs") == 0);
  write_of_scripts(
      scripts, "script_failures_total", "counter", "How often a policy script was stopped because it failed.",
      "failures", to);
  write_of_scripts(scripts, "script_starts_total", "counter", "How often a policy script was started.", "starts", to);
  write_of_scripts(
      scripts, "script_dropped_total", "counter", "Decisions and outcomes that a policy script was too slow for.",
      "dropped", to);
}
