/* How many values fell into which range, as Prometheus counts: each range reaches up to its bound, the bound included;
 * one more takes what lies above all. Adding allocates nothing. */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum { HISTOGRAM_BOUNDS_MAX = 20 };

/* With bounds and bound_count set, and the rest zero, it is an empty one. */
struct histogram {
  const double *bounds; /* ascending; borrowed */
  size_t bound_count;
  uint64_t counts[HISTOGRAM_BOUNDS_MAX + 1]; /* one per range */
  double sum;
};

void histogram_add(struct histogram *histogram, double value); /* a negative one counts as 0 */
/* How many values were at most bounds[bound]; with bound_count: all. */
uint64_t histogram_up_to(const struct histogram *histogram, size_t bound);

#endif
