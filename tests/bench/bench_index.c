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

static double per_agent(size_t before, int agents)
{
  return ((double)crowd_heap() - (double)before) / agents;
}

/* Returns what the heap holds then. */
static size_t start(int requests_per_30_seconds, int connections)
{
  crowd.account.requests_per_30_seconds = crowd.account.lookups_per_10_seconds = requests_per_30_seconds;
  crowd.config.connections = connections;
  crowd_start();
  return crowd_heap();
}

int main(int argc, char **argv)
{
  int64_t agents = AGENTS_DEFAULT;
  if (argc > 1 && !str_parse_int(argv[1], 1, 999999, &agents))
    crowd_end("bench_index [AGENTS]", NULL);
  int count = (int)agents, available = count / 10;
  crowd_init();
  size_t empty_at_rest = start(1500, 16); /* what Graph allows (facts 3.1) */
  crowd_stop();
  size_t empty = start(50000, 1000); /* nobody waits for the budget while the crowd comes in */

  double begin = seconds(CLOCK_PROCESS_CPUTIME_ID);
  for (int i = 0; i < count; i++) {
    crowd_event(i, i < available ? "Ready" : "Talking");
    if (i % 250 == 249)
      crowd_pass(CROWD_LATENCY_MS);
  }
  crowd_settle();
  printf("%d agents, one UCC, %d%% of them Available:\n", count, available * 100 / count);
  printf(
      "  event to confirmed       %8.1f us of processor per agent\n",
      (seconds(CLOCK_PROCESS_CPUTIME_ID) - begin) * 1e6 / count);
  printf("  memory, after events     %8.0f bytes per agent\n", per_agent(empty, count));
  crowd_stop();

  double from = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
  start(1500, 16);
  printf(
      "  start to ready           %8.2f s, of which %.2f s of processor\n", seconds(CLOCK_MONOTONIC) - from,
      seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
  printf("  memory, after a start    %8.0f bytes per agent\n", per_agent(empty_at_rest, count));

  crowd_pass(CLOCK_HOUR / 4);
  crowd.requests = 0;
  begin = seconds(CLOCK_PROCESS_CPUTIME_ID);
  crowd_pass(CLOCK_HOUR);
  double used = seconds(CLOCK_PROCESS_CPUTIME_ID) - begin;
  printf(
      "  an hour of keep-alives   %8.2f %% of a core, %zu requests (%.1f per second)\n", used / 36.0, crowd.requests,
      (double)crowd.requests / 3600);
  printf("  memory, after that hour  %8.0f bytes per agent\n", per_agent(empty_at_rest, count));
  crowd_stop();
  crowd_release();
  return 0;
}
