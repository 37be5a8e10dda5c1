#include "base/clock.h"
#include "sched/sched.h"

/* A request counts for the window and until its answer has come; these are what a tenth of a second of margin and a
 * fifth of a second of answering leave of it. */
#define WINDOW_S 30.3

struct sched_capacity sched_capacity(const struct sched_load *load, int64_t limit)
{
  double agents = (double)load->agents;
  int64_t available = (int64_t)(agents * load->available + 0.5);
  struct sched_capacity capacity = {.carries = (double)limit / WINDOW_S};
  int64_t others = load->agents - available, fading = load->anchors ? 0 : available;
  capacity.available = sched_keep_alives(fading, available - fading, load->lease_ms);
  capacity.others = sched_keep_alives(0, others, load->lease_ms);
  capacity.least = sched_keep_alives_least(fading, load->agents - fading, load->lease_ms);
  /* Each change sets a session; one that shows a preferred presence sets and later clears that too. The anchor is a
   * preferred presence; who is Available half of the time comes to it by half of the changes. */
  double preferred = load->preferred + (load->anchors ? load->available : 0);
  if (preferred > 1)
    preferred = 1;
  capacity.changes = agents * load->changes / 3600 * (1 + 2 * preferred);
  capacity.converges_s = agents * (1 + preferred) / capacity.carries;
  double needs = capacity.least + capacity.changes;
  capacity.agents_most = needs <= 0 ? INT64_MAX : (int64_t)(agents * capacity.carries / needs);
  return capacity;
}
