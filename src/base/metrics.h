/* Metrics in Prometheus' text format (version 0.0.4). A metric is described once, beside what it counts: name, kind,
 * help and labels; whoever counts adds samples under that description, and the text is made of both. So a name cannot
 * be written in one place and read, misspelt, in another.
 *
 * Conventions: names get the prefix "presenced_", base units, counters end in "_total". */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include "base/buf.h"
#include "base/histogram.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum { METRICS_LABELS_MAX = 3 };
enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* A description: static, for samples refer to it by its address. */
struct metric {
  const char *name;
  enum metric_kind kind;
  const char *help;
  const char *labels[METRICS_LABELS_MAX]; /* names; NULL: no more */
};

/* The samples of one look at everything. */
struct metrics {
  struct metrics_family *families;
  size_t count;
  size_t limit; /* bytes of each family's samples */
};

void metrics_init(struct metrics *metrics, size_t limit);
void metrics_release(struct metrics *metrics);
/* There is such a metric, though it may have no sample now. The others declare, too; the order of first mention is that
 * of the text. */
void metrics_declare(struct metrics *metrics, const struct metric *metric);
/* A sample; as many label values as the metric has labels. */
void metrics_add(struct metrics *metrics, const struct metric *metric, double number, const char *const *values);
#define METRICS_ADD(metrics, metric, number, ...)                                                                      \
  metrics_add(metrics, metric, number, (const char *const[]){__VA_ARGS__, NULL})
void metrics_add_histogram(struct metrics *metrics, const struct metric *metric, const struct histogram *histogram);
/* All of it, one family after the other. */
void metrics_write(const struct metrics *metrics, struct buf *to);

#endif
