/* Samples are kept as text, family by family, until all are there: the format wants every sample of a family in one
 * place, while those who count go account by account. Families are few (some thirty), so they are found by walking. */
#include "base/metrics.h"
#include "base/must.h"

#include <stdlib.h>
#include <string.h>

#define PREFIX "presenced_"

struct metrics_family {
  const struct metric *metric;
  struct buf samples;
};

void metrics_init(struct metrics *metrics, size_t limit)
{
  *metrics = (struct metrics){.limit = limit};
}

void metrics_release(struct metrics *metrics)
{
  for (size_t i = 0; i < metrics->count; i++)
    buf_release(&metrics->families[i].samples);
  free(metrics->families);
  *metrics = (struct metrics){0};
}

static struct metrics_family *family_of(struct metrics *metrics, const struct metric *metric)
{
  for (size_t i = 0; i < metrics->count; i++)
    if (metrics->families[i].metric == metric)
      return &metrics->families[i];
  metrics->families = must_realloc(metrics->families, (metrics->count + 1) * sizeof *metrics->families);
  struct metrics_family *family = &metrics->families[metrics->count++];
  family->metric = metric;
  buf_init(&family->samples, metrics->limit);
  return family;
}

void metrics_declare(struct metrics *metrics, const struct metric *metric)
{
  (void)family_of(metrics, metric);
}

/* A label's value: backslash, quote and line feed are escaped, or the value could end early and forge a sample. */
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

void metrics_add(struct metrics *metrics, const struct metric *metric, double number, const char *const *values)
{
  struct buf *to = &family_of(metrics, metric)->samples;
  buf_addf(to, PREFIX "%s", metric->name);
  size_t i = 0;
  for (; i < METRICS_LABELS_MAX && metric->labels[i] != NULL; i++) {
    must(values != NULL && values[i] != NULL); /* fewer values than labels */
    add_label(to, i == 0 ? "{" : ",", metric->labels[i], values[i]);
  }
  buf_addf(to, "%s %.15g\n", i == 0 ? "" : "}", number);
}

void metrics_add_histogram(struct metrics *metrics, const struct metric *metric, const struct histogram *histogram)
{
  struct buf *to = &family_of(metrics, metric)->samples;
  double count = (double)histogram_up_to(histogram, histogram->bound_count);
  for (size_t i = 0; i < histogram->bound_count; i++)
    buf_addf(
        to, PREFIX "%s_bucket{le=\"%.15g\"} %.15g\n", metric->name, histogram->bounds[i],
        (double)histogram_up_to(histogram, i));
  buf_addf(to, PREFIX "%s_bucket{le=\"+Inf\"} %.15g\n", metric->name, count);
  buf_addf(to, PREFIX "%s_sum %.15g\n", metric->name, histogram->sum);
  buf_addf(to, PREFIX "%s_count %.15g\n", metric->name, count);
}

void metrics_write(const struct metrics *metrics, struct buf *to)
{
  static const char *const kinds[] = {
      [METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_HISTOGRAM] = "histogram"};
  for (size_t i = 0; i < metrics->count; i++) {
    const struct metric *metric = metrics->families[i].metric;
    const struct buf *samples = &metrics->families[i].samples;
    buf_addf(
        to, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", metric->name, metric->help, metric->name,
        kinds[metric->kind]);
    buf_add(to, buf_text(samples), samples->length);
  }
}
