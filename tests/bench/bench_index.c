/* What very many agents cost: bytes of memory for each, seconds from a start to ready, and the processor at rest, when
 * nothing happens but keep-alives. See README.md. */
#include "crowd.h"

#include <sys/resource.h>
#include <time.h>

enum { AGENTS_DEFAULT = 100000 };

static double seconds(clockid_t clock)
{
  struct timespec at;
  clock_gettime(clock, &at);
  return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

/* Of the processor's seconds, those that the kernel took. */
static double kernel_seconds(void)
{
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6;
}

static double per_agent(size_t before, int agents)
{
  return ((double)crowd_heap() - (double)before) / agents;
}

/* Returns what the heap holds then. */
static size_t start(int requests_per_30_seconds, int connections)
{
  crowd.accounts[0].requests_per_30_seconds = crowd.accounts[0].lookups_per_10_seconds = requests_per_30_seconds;
  crowd.config.connections = connections;
  crowd_start();
  return crowd_heap();
}

/* Everybody says `state`, and is kept showing it: for `first_ms`, and then for `ms`, which counts. */
static void measure_rest(
    const char *what, const char *state, int agents, int requests_per_30_seconds, int64_t first_ms, int64_t ms)
{
  start(50000, CROWD_AT_ONCE);
  crowd.clock.steady_ms += CLOCK_SECOND; /* an event is newer than the one before it */
  crowd_say(agents, 0, state);
  crowd_stop();
  size_t heap = start(requests_per_30_seconds, CROWD_AT_ONCE);
  crowd_pass(first_ms);
  crowd.network.requests = 0;
  double begin = seconds(CLOCK_PROCESS_CPUTIME_ID), kernel = kernel_seconds();
  crowd_pass(ms);
  double used = seconds(CLOCK_PROCESS_CPUTIME_ID) - begin, of = (double)ms / 1000;
  kernel = kernel_seconds() - kernel;
  printf(
      "  at rest, %-15s %8.2f %% of a core (%.2f in the kernel), for %zu requests in %.0f minutes (%.1f per second)\n",
      what, used * 100 / of, kernel * 100 / of, crowd.network.requests, of / 60, (double)crowd.network.requests / of);
  if (crowd_heap() > heap + heap / 20)
    crowd_end("memory grows at rest", NULL);
  crowd_stop();
}

int main(int argc, char **argv)
{
  int64_t agents = AGENTS_DEFAULT;
  if (argc > 1 && !str_parse_int(argv[1], 1, 999999, &agents))
    crowd_end("bench_index [AGENTS]", NULL);
  int count = (int)agents;
  crowd_init();
  size_t empty = start(50000, CROWD_AT_ONCE); /* nobody waits for the budget while the crowd comes in */

  double begin = seconds(CLOCK_PROCESS_CPUTIME_ID);
  crowd_come_in(count);
  printf("%d agents, one UCC each:\n", count);
  printf(
      "  event to confirmed       %8.1f us of processor per agent\n",
      (seconds(CLOCK_PROCESS_CPUTIME_ID) - begin) * 1e6 / count);
  printf("  memory, after events     %8.0f bytes per agent\n", per_agent(empty, count));
  crowd_stop();

  double from = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
  start(50000, CROWD_AT_ONCE);
  printf(
      "  start to ready           %8.2f s, of which %.2f s of processor\n", seconds(CLOCK_MONOTONIC) - from,
      seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
  printf("  memory, after a start    %8.0f bytes per agent\n", per_agent(empty, count));
  crowd_stop();

  measure_rest("all Available", "Ready", count, 20000, CLOCK_MINUTE, CLOCK_HOUR / 10);
  measure_rest("all with PT4H", "Talking", count, 1500, CLOCK_HOUR, 4 * CLOCK_HOUR);
  crowd_release();
  return 0;
}
