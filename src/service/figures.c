/* What the engine measures of itself, for metrics. Histograms and counters begin at 0 with the process. */
#include "base/clock.h"
#include "service/internal.h"

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

/* ---- view */

/* {up_to=[{le=, count=}], count=, sum=} */
static struct value *view_histogram(const struct histogram *histogram, struct values *values)
{
  struct value *view = value_map(values), *list = value_list(values);
  for (size_t i = 0; i < histogram->bound_count; i++) {
    struct value *entry = value_map(values);
    value_set(values, entry, "le", value_number(values, histogram->bounds[i]));
    value_set(values, entry, "count", value_number(values, (double)histogram_up_to(histogram, i)));
    value_add(values, list, entry);
  }
  value_set(values, view, "up_to", list);
  value_set(values, view, "count", value_number(values, (double)histogram_up_to(histogram, histogram->bound_count)));
  value_set(values, view, "sum", value_number(values, histogram->sum));
  return view;
}

struct value *figures_view(struct service *service, struct values *values)
{
  struct value *view = value_map(values);
  value_set(values, view, "presence_age", view_histogram(&service->figures.presence_age, values));
  value_set(values, view, "lapses", value_number(values, (double)service->figures.lapses));
  value_set(values, view, "commit", view_histogram(&service->figures.commit, values));
  return view;
}
