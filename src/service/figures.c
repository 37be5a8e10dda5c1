/* What the engine measures of itself, for metrics. Histograms and counters begin at 0 with the process. */
#include "base/clock.h"
#include "base/str.h"
#include "service/internal.h"

#include <string.h>

/* A fast disk to one that hangs. */
static const double commit_bounds[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};

/* From one quick request to a day's outage. */
static const double age_bounds[] = {0.05, 0.1, 0.25, 0.5, 1,    2.5,  5,     10,   30,
                                    60,   120, 300,  600, 1800, 3600, 14400, 86400};

void figures_init(struct figures *figures)
{
  figures->presence_age = (struct histogram){.bounds = age_bounds, .bound_count = COUNT_OF(age_bounds)};
  figures->commit = (struct histogram){.bounds = commit_bounds, .bound_count = COUNT_OF(commit_bounds)};
}

void figures_release(struct figures *figures)
{
  for (size_t i = 0; i < figures->ruleset_count; i++) {
    free(figures->rulesets[i].name);
    tally_release(&figures->rulesets[i].decisions);
  }
  for (size_t i = 0; i < figures->ucc_count; i++)
    free(figures->uccs[i].name);
  *figures = (struct figures){0};
}

/* ---- times */

static int64_t stopwatch(const struct service *service)
{
  const struct ports *ports = &service->setup.ports;
  return ports->stopwatch == NULL ? 0 : ports->stopwatch(ports->context);
}

bool figures_commit(struct service *service, int64_t now, struct err *err)
{
  struct store *store = service->setup.store;
  uint64_t before = store_commits(store);
  int64_t began_us = stopwatch(service);
  if (!store_commit(store, now, err))
    return false;
  if (store_commits(store) != before && service->setup.ports.stopwatch != NULL)
    histogram_add(&service->figures.commit, (double)(stopwatch(service) - began_us) / 1e6);
  return true;
}

void figures_confirmed(struct service *service, int64_t since_ms, int64_t now)
{
  histogram_add(&service->figures.presence_age, (double)(now - since_ms) / 1000);
}

/* ---- names: there are few, and a bounded number, so looking through them is quick */

static struct ucc_figures *of_ucc(struct figures *figures, const char *name)
{
  for (size_t i = 0; i < figures->ucc_count; i++)
    if (str_equal_fold(figures->uccs[i].name, name))
      return &figures->uccs[i];
  if (figures->ucc_count == COUNT_OF(figures->uccs))
    return &figures->uccs[FIGURES_UCCS_MAX];
  struct ucc_figures *new = &figures->uccs[figures->ucc_count++];
  new->name = must_strdup(figures->ucc_count == COUNT_OF(figures->uccs) ? FIGURES_OTHERS : name);
  return new;
}

static struct ruleset_figures *of_ruleset(struct figures *figures, const char *name)
{
  for (size_t i = 0; i < figures->ruleset_count; i++)
    if (strcmp(figures->rulesets[i].name, name) == 0)
      return &figures->rulesets[i];
  if (figures->ruleset_count == COUNT_OF(figures->rulesets))
    return &figures->rulesets[FIGURES_RULESETS_MAX];
  struct ruleset_figures *new = &figures->rulesets[figures->ruleset_count++];
  new->name = must_strdup(figures->ruleset_count == COUNT_OF(figures->rulesets) ? FIGURES_OTHERS : name);
  new->decisions.most = FIGURES_RULES_MAX;
  return new;
}

static struct ruleset_figures *of_account(struct service *service, int account)
{
  return of_ruleset(&service->figures, ruleset_name(service->setup.rulesets[account]));
}

void figures_heard(struct figures *figures, const char *ucc, int64_t now)
{
  struct ucc_figures *of = of_ucc(figures, ucc);
  if (of->heard_ms < now)
    of->heard_ms = now;
}

/* When the last event of before arrived nobody has written down; that it happened was not later. */
void figures_start(struct service *service, int64_t now)
{
  struct list_node *agents = store_agents(service->setup.store);
  for (struct list_node *node = agents->next; node != agents; node = node->next) {
    const struct agent *agent = LIST_ENTRY(node, struct agent, all_link);
    for (const struct contribution *c = agent->contributions; c != NULL; c = c->next)
      if (!c->is_override)
        figures_heard(&service->figures, c->ucc, c->at_ms < now ? c->at_ms : now);
  }
}

void figures_clock_stepped(struct figures *figures, int64_t by_ms)
{
  for (size_t i = 0; i < figures->ucc_count; i++)
    figures->uccs[i].heard_ms += by_ms;
}

void figures_decided(struct service *service, int account)
{
  tally_add(&of_account(service, account)->decisions, service->decision.rule);
}

void figures_unmatched(struct service *service, int account)
{
  of_account(service, account)->unmatched++;
}

/* ---- view */

static void put_number(struct values *values, struct value *map, const char *key, double number)
{
  value_set(values, map, key, value_number(values, number));
}

static void put_text(struct values *values, struct value *map, const char *key, const char *text)
{
  value_set(values, map, key, value_string(values, text));
}

/* {up_to=[{le=, count=}], count=, sum=} */
static struct value *view_histogram(const struct histogram *histogram, struct values *values)
{
  struct value *view = value_map(values), *list = value_list(values);
  for (size_t i = 0; i < histogram->bound_count; i++) {
    struct value *entry = value_map(values);
    put_number(values, entry, "le", histogram->bounds[i]);
    put_number(values, entry, "count", (double)histogram_up_to(histogram, i));
    value_add(values, list, entry);
  }
  value_set(values, view, "up_to", list);
  put_number(values, view, "count", (double)histogram_up_to(histogram, histogram->bound_count));
  put_number(values, view, "sum", histogram->sum);
  return view;
}

static void add_rule(struct values *values, struct value *rules, const char *rule, uint64_t count)
{
  struct value *entry = value_map(values);
  put_text(values, entry, "rule", rule);
  put_number(values, entry, "count", (double)count);
  value_add(values, rules, entry);
}

/* [{ruleset=, unmatched=, decisions=[{rule=, count=}]}] */
static struct value *view_rulesets(struct service *service, struct values *values)
{
  struct figures *figures = &service->figures;
  for (size_t i = 0; i < service->setup.config->account_count; i++)
    (void)of_account(service, (int)i); /* a counter is there before it counts */
  struct value *list = value_list(values);
  for (size_t i = 0; i < figures->ruleset_count; i++) {
    const struct tally *decisions = &figures->rulesets[i].decisions;
    struct value *view = value_map(values), *rules = value_list(values);
    put_text(values, view, "ruleset", figures->rulesets[i].name);
    put_number(values, view, "unmatched", (double)figures->rulesets[i].unmatched);
    for (size_t j = 0; j < decisions->count; j++)
      add_rule(values, rules, decisions->entries[j]->text, decisions->entries[j]->count);
    if (decisions->others > 0)
      add_rule(values, rules, FIGURES_OTHERS, decisions->others);
    value_set(values, view, "decisions", rules);
    value_add(values, list, view);
  }
  return list;
}

/* [{ucc=, last_event_seconds=}] */
static struct value *view_uccs(const struct figures *figures, int64_t now, struct values *values)
{
  struct value *list = value_list(values);
  for (size_t i = 0; i < figures->ucc_count; i++) {
    struct value *view = value_map(values);
    int64_t heard_ms = figures->uccs[i].heard_ms;
    put_text(values, view, "ucc", figures->uccs[i].name);
    put_number(values, view, "last_event_seconds", heard_ms < now ? (double)(now - heard_ms) / 1000 : 0);
    value_add(values, list, view);
  }
  return list;
}

struct value *figures_view(struct service *service, struct values *values)
{
  const struct figures *figures = &service->figures;
  struct value *view = value_map(values);
  value_set(values, view, "presence_age", view_histogram(&figures->presence_age, values));
  put_number(values, view, "lapses", (double)figures->lapses);
  value_set(values, view, "commit", view_histogram(&figures->commit, values));
  value_set(values, view, "rulesets", view_rulesets(service, values));
  value_set(values, view, "uccs", view_uccs(figures, service_now(service), values));
  return view;
}
