#include "base/histogram.h"
#include "base/must.h"

void histogram_add(struct histogram *histogram, double value)
{
  must(histogram->bound_count <= HISTOGRAM_BOUNDS_MAX);
  if (value < 0)
    value = 0;
  size_t range = 0;
  while (range < histogram->bound_count && value > histogram->bounds[range])
    range++;
  histogram->counts[range]++;
  histogram->sum += value;
}

uint64_t histogram_up_to(const struct histogram *histogram, size_t bound)
{
  uint64_t count = 0;
  for (size_t range = 0; range <= bound; range++)
    count += histogram->counts[range];
  return count;
}
