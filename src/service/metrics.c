/* Counters and histograms, each with its description beside the function that counts.
 *
 * Names of rulesets, rules and contact centres come from outside: their number is bounded, and what is beyond counts
 * under one common name. There are few, so looking through them is quick. */
#include "service/metrics.h"
#include "base/clock.h"
#include "base/str.h"
#include "model/agent.h"
#include "rules/rules.h"
#include "store/store.h"

#include <string.h>

/* ---- counts */

/* In the words of `status`. */
static const char *const count_names[SERVICE_COUNTS] = {
    [COUNT_ACCEPTED] = "accepted",     [COUNT_DUPLICATE] = "duplicate",
    [COUNT_STALE] = "stale",           [COUNT_REFUSED] = "refused",
    [COUNT_REUSED_IDS] = "reused_ids", [COUNT_AHEAD_OF_TIME] = "ahead_of_time",
    [COUNT_NO_ACCOUNT] = "no_account", [COUNT_UNKNOWN_FIELDS] = "unknown_fields",
    [COUNT_DECISIONS] = "decisions",   [COUNT_RULE_ERRORS] = "rule_errors",
};
static const struct metric events_total = {"events_total", METRIC_COUNTER, "What became of events.", {"outcome"}};
static const struct metric rule_errors_total = {
    "rule_errors_total", METRIC_COUNTER, "Rules that raised an error, and were answered by on_error.", {NULL}};

void metrics_count(struct service_metrics *metrics, enum service_count count, uint64_t by)
{
  metrics->counts[count] += by;
}

bool metrics_ahead_of_time(struct service_metrics *metrics, const char *ucc)
{
  metrics_count(metrics, COUNT_AHEAD_OF_TIME, 1);
  return frequency_add(&metrics->uccs_ahead, ucc);
}

bool metrics_unserved(struct service_metrics *metrics, const char *what)
{
  metrics_count(metrics, COUNT_NO_ACCOUNT, 1);
  return frequency_add(&metrics->unserved, what);
}

void metrics_forget_unserved(struct service_metrics *metrics)
{
  frequency_release(&metrics->unserved);
}

bool metrics_unknown_field(struct service_metrics *metrics, const char *field)
{
  return frequency_add(&metrics->unknown_fields, field);
}

bool metrics_unmatched(struct service_metrics *metrics, const char *text)
{
  return frequency_add(&metrics->unmatched, text);
}

struct value *metrics_view_counts(const struct service_metrics *metrics, struct values *values)
{
  struct value *view = value_map(values);
  for (size_t i = 0; i < SERVICE_COUNTS; i++)
    value_put_number(values, view, count_names[i], (double)metrics->counts[i]);
  return view;
}

static void tell_counts(const struct service_metrics *metrics, struct metrics *to)
{
  for (size_t i = COUNT_ACCEPTED; i <= COUNT_REFUSED; i++)
    METRICS_ADD(to, &events_total, (double)metrics->counts[i], count_names[i]);
  metrics_add(to, &rule_errors_total, (double)metrics->counts[COUNT_RULE_ERRORS], NULL);
}

/* ---- contact centres */

static const struct metric ucc_last_event_seconds = {
    "ucc_last_event_seconds",
    METRIC_GAUGE,
    "How long ago the last event of the contact centre arrived; after a start, since the newest event that is known of "
    "it.",
    {"ucc"}};

static struct ucc_metrics *of_ucc(struct service_metrics *metrics, const char *name)
{
  for (size_t i = 0; i < metrics->ucc_count; i++)
    if (str_equal_fold(metrics->uccs[i].name, name))
      return &metrics->uccs[i];
  if (metrics->ucc_count == COUNT_OF(metrics->uccs))
    return &metrics->uccs[METRICS_UCCS_MAX];
  struct ucc_metrics *new = &metrics->uccs[metrics->ucc_count++];
  new->name = must_strdup(metrics->ucc_count == COUNT_OF(metrics->uccs) ? METRICS_OTHERS : name);
  return new;
}

void metrics_heard(struct service_metrics *metrics, const char *ucc, int64_t now)
{
  struct ucc_metrics *of = of_ucc(metrics, ucc);
  if (of->heard_ms < now)
    of->heard_ms = now;
}

/* When the last event of before arrived is not written down; that it happened was not later. */
void metrics_start(struct service_metrics *metrics, struct store *store, int64_t now)
{
  struct store_walk walk;
  store_walk_begin(store, &walk);
  for (struct agent *agent; (agent = store_walk_next(&walk)) != NULL;)
    for (const struct contribution *c = agent->contributions; c != NULL; c = c->next)
      if (!c->is_override)
        metrics_heard(metrics, c->ucc, clock_earlier(c->at_ms, now));
}

void metrics_clock_stepped(struct service_metrics *metrics, int64_t by_ms)
{
  for (size_t i = 0; i < metrics->ucc_count; i++)
    metrics->uccs[i].heard_ms += by_ms;
}

static double seconds_since(int64_t ms, int64_t now)
{
  return ms < now ? (double)(now - ms) / 1000 : 0;
}

/* [{ucc=, last_event_seconds=}] */
static struct value *view_uccs(const struct service_metrics *metrics, int64_t now, struct values *values)
{
  struct value *list = value_list(values);
  for (size_t i = 0; i < metrics->ucc_count; i++) {
    struct value *view = value_map(values);
    value_put_text(values, view, "ucc", metrics->uccs[i].name);
    value_put_number(values, view, "last_event_seconds", seconds_since(metrics->uccs[i].heard_ms, now));
    value_add(values, list, view);
  }
  return list;
}

static void tell_uccs(const struct service_metrics *metrics, int64_t now, struct metrics *to)
{
  metrics_declare(to, &ucc_last_event_seconds);
  for (size_t i = 0; i < metrics->ucc_count; i++)
    METRICS_ADD(to, &ucc_last_event_seconds, seconds_since(metrics->uccs[i].heard_ms, now), metrics->uccs[i].name);
}

/* ---- rulesets */

static const struct metric decisions_total = {
    "decisions_total",
    METRIC_COUNTER,
    "What was decided, again after a reload too, by the rule that did.",
    {"ruleset", "rule"}};
static const struct metric events_unmatched_total = {
    "events_unmatched_total", METRIC_COUNTER, "Events that no rule answers.", {"ruleset"}};

static struct ruleset_metrics *of_ruleset(struct service_metrics *metrics, const struct ruleset *ruleset)
{
  const char *name = ruleset_name(ruleset);
  for (size_t i = 0; i < metrics->ruleset_count; i++)
    if (strcmp(metrics->rulesets[i].name, name) == 0)
      return &metrics->rulesets[i];
  if (metrics->ruleset_count == COUNT_OF(metrics->rulesets))
    return &metrics->rulesets[METRICS_RULESETS_MAX];
  struct ruleset_metrics *new = &metrics->rulesets[metrics->ruleset_count++];
  new->name = must_strdup(metrics->ruleset_count == COUNT_OF(metrics->rulesets) ? METRICS_OTHERS : name);
  new->decisions.most = METRICS_RULES_MAX;
  return new;
}

/* A counter that appears with its first value is 0 for whoever asks how much it grew. */
static void make_known(struct service_metrics *metrics, struct ruleset *const *rulesets, size_t count)
{
  for (size_t i = 0; i < count; i++)
    (void)of_ruleset(metrics, rulesets[i]);
}

void metrics_decided(struct service_metrics *metrics, const struct ruleset *ruleset, const char *rule)
{
  frequency_add(&of_ruleset(metrics, ruleset)->decisions, rule);
}

void metrics_event_unmatched(struct service_metrics *metrics, const struct ruleset *ruleset)
{
  of_ruleset(metrics, ruleset)->unmatched++;
}

static void view_rule(struct values *values, struct value *rules, const char *rule, uint64_t count)
{
  struct value *entry = value_map(values);
  value_put_text(values, entry, "rule", rule);
  value_put_number(values, entry, "count", (double)count);
  value_add(values, rules, entry);
}

/* [{ruleset=, unmatched=, decisions=[{rule=, count=}]}] */
static struct value *view_rulesets(const struct service_metrics *metrics, struct values *values)
{
  struct value *list = value_list(values);
  for (size_t i = 0; i < metrics->ruleset_count; i++) {
    const struct frequency *decisions = &metrics->rulesets[i].decisions;
    struct value *view = value_map(values), *rules = value_list(values);
    value_put_text(values, view, "ruleset", metrics->rulesets[i].name);
    value_put_number(values, view, "unmatched", (double)metrics->rulesets[i].unmatched);
    for (size_t j = 0; j < decisions->count; j++)
      view_rule(values, rules, decisions->entries[j]->text, decisions->entries[j]->count);
    if (decisions->others > 0)
      view_rule(values, rules, METRICS_OTHERS, decisions->others);
    value_set(values, view, "decisions", rules);
    value_add(values, list, view);
  }
  return list;
}

static void tell_rulesets(const struct service_metrics *metrics, struct metrics *to)
{
  metrics_declare(to, &decisions_total);
  for (size_t i = 0; i < metrics->ruleset_count; i++) {
    const struct ruleset_metrics *of = &metrics->rulesets[i];
    for (size_t j = 0; j < of->decisions.count; j++) {
      const struct frequency_entry *entry = of->decisions.entries[j];
      METRICS_ADD(to, &decisions_total, (double)entry->count, of->name, entry->text);
    }
    if (of->decisions.others > 0)
      METRICS_ADD(to, &decisions_total, (double)of->decisions.others, of->name, METRICS_OTHERS);
    METRICS_ADD(to, &events_unmatched_total, (double)of->unmatched, of->name);
  }
}

/* ---- times */

/* A fast disk to one that hangs. */
static const double commit_bounds[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
static const struct metric commit_seconds = {
    "commit_seconds", METRIC_HISTOGRAM, "How long the state file took to write what a turn had changed.", {NULL}};

/* From one quick request to a day's outage. */
static const double age_bounds[] = {0.05, 0.1, 0.25, 0.5, 1,    2.5,  5,     10,   30,
                                    60,   120, 300,  600, 1800, 3600, 14400, 86400};
static const struct metric presence_age_seconds = {
    "presence_age_seconds",
    METRIC_HISTOGRAM,
    "For how long an agent did not show what it should: from the event, or the end of its delay, to Graph's answer "
    "after "
    "which nothing was missing.",
    {NULL}};
static const struct metric presence_lapses_total = {
    "presence_lapses_total",
    METRIC_COUNTER,
    "How often a session ran out (Available fades after 5 minutes) before it was refreshed, though it should be shown.",
    {NULL}};

void metrics_committed(struct service_metrics *metrics, double seconds)
{
  histogram_add(&metrics->commit, seconds);
}

void metrics_confirmed(struct service_metrics *metrics, double seconds)
{
  histogram_add(&metrics->presence_age, seconds);
}

void metrics_lapsed(struct service_metrics *metrics)
{
  metrics->lapses++;
}

/* {up_to=[{le=, count=}], count=, sum=} */
static struct value *view_histogram(const struct histogram *histogram, struct values *values)
{
  struct value *view = value_map(values), *list = value_list(values);
  for (size_t i = 0; i < histogram->bound_count; i++) {
    struct value *entry = value_map(values);
    value_put_number(values, entry, "le", histogram->bounds[i]);
    value_put_number(values, entry, "count", (double)histogram_up_to(histogram, i));
    value_add(values, list, entry);
  }
  value_set(values, view, "up_to", list);
  value_put_number(values, view, "count", (double)histogram_up_to(histogram, histogram->bound_count));
  value_put_number(values, view, "sum", histogram->sum);
  return view;
}

/* ---- all of it */

void service_metrics_init(struct service_metrics *metrics)
{
  metrics->presence_age = (struct histogram){.bounds = age_bounds, .bound_count = COUNT_OF(age_bounds)};
  metrics->commit = (struct histogram){.bounds = commit_bounds, .bound_count = COUNT_OF(commit_bounds)};
}

void service_metrics_release(struct service_metrics *metrics)
{
  for (size_t i = 0; i < metrics->ruleset_count; i++) {
    free(metrics->rulesets[i].name);
    frequency_release(&metrics->rulesets[i].decisions);
  }
  for (size_t i = 0; i < metrics->ucc_count; i++)
    free(metrics->uccs[i].name);
  struct frequency *texts[] = {&metrics->unmatched, &metrics->uccs_ahead, &metrics->unserved, &metrics->unknown_fields};
  for (size_t i = 0; i < COUNT_OF(texts); i++)
    frequency_release(texts[i]);
  *metrics = (struct service_metrics){0};
}

struct value *metrics_view(
    struct service_metrics *metrics, struct ruleset *const *rulesets, size_t count, int64_t now, struct values *values)
{
  struct value *view = value_map(values);
  make_known(metrics, rulesets, count);
  value_set(values, view, "presence_age", view_histogram(&metrics->presence_age, values));
  value_put_number(values, view, "lapses", (double)metrics->lapses);
  value_set(values, view, "commit", view_histogram(&metrics->commit, values));
  value_set(values, view, "rulesets", view_rulesets(metrics, values));
  value_set(values, view, "uccs", view_uccs(metrics, now, values));
  return view;
}

void metrics_tell(
    struct service_metrics *metrics, struct ruleset *const *rulesets, size_t count, int64_t now, struct metrics *to)
{
  make_known(metrics, rulesets, count);
  tell_counts(metrics, to);
  tell_uccs(metrics, now, to);
  tell_rulesets(metrics, to);
  metrics_add_histogram(to, &presence_age_seconds, &metrics->presence_age);
  metrics_add(to, &presence_lapses_total, (double)metrics->lapses, NULL);
  metrics_add_histogram(to, &commit_seconds, &metrics->commit);
}
