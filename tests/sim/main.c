/* sim --seeds N [--first K]   runs N seeds from K (default 1), stops at the first violation
 * sim --seed K [--trace]      runs one, and tells everything that happens
 * ... --hash                  prints each seed and the hash of its trace: two builds with the same hashes are one
 *                             behaviour
 * sim --same K                runs one twice: the same seed must be the same run
 * sim --planted               plants one defect after the other, each of which a check must find */
#include "base/log.h"
#include "base/str.h"
#include "sim.h"
#include "world/disk.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

static struct sim sim; /* too large for the stack */

static bool run(uint64_t seed, const struct sim_options *options)
{
  bool good = sim_run(&sim, seed, options);
  if (!good && !options->quiet)
    printf("seed %" PRIu64 ": %s\n  replay: sim --seed %" PRIu64 " --trace\n", seed, sim.why, seed);
  return good;
}

static int sweep(uint64_t first, uint64_t count, bool hash)
{
  struct sim_options options = {0};
  size_t requests = 0, events = 0, crashes = 0, reloads = 0;
  int64_t virtual_ms = 0;
  time_t begun = time(NULL);
  for (uint64_t seed = first; seed < first + count; seed++) {
    if (!run(seed, &options))
      return 1;
    if (hash)
      printf("%" PRIu64 " %016" PRIx64 "\n", seed, sim.hash);
    requests += sim.requests;
    events += sim.events;
    crashes += sim.crashes;
    reloads += sim.reloads;
    virtual_ms += sim.world.clock.steady_ms;
  }
  printf(
      "%" PRIu64 " seeds from %" PRIu64
      ": no violation; %.0f virtual hours, %zu events, %zu requests, %zu crashes, %zu "
      "reloads, in %.0f s\n",
      count, first, (double)virtual_ms / (double)CLOCK_HOUR, events, requests, crashes, reloads,
      difftime(time(NULL), begun));
  return 0;
}

static int same(uint64_t seed)
{
  struct sim_options options = {0};
  uint64_t hash[2];
  for (int i = 0; i < 2; i++) {
    if (!run(seed, &options))
      return 1;
    hash[i] = sim.hash;
  }
  printf("seed %" PRIu64 ": %016" PRIx64 " %016" PRIx64 "\n", seed, hash[0], hash[1]);
  return hash[0] == hash[1] ? 0 : 1;
}

static int planted(void)
{
  static const char *const words[PLANTS] = {
      [PLANT_LOST_EVENT] = "the rules say",
      [PLANT_RETRY_AFTER] = "before the pause that Graph asked for is over",
      [PLANT_BUDGET] = "presence requests in 30 seconds",
      [PLANT_CHOICE] = "their own choice is cleared",
      [PLANT_OLD_RULES] = "the rules say",
      [PLANT_FADE] = "has faded",
      [PLANT_LATE] = "before its turn is written down",
      [PLANT_STARVED] = "starves",
      [PLANT_LEASE] = "longer than the lease"};
  int missed = 0;
  for (int plant = PLANT_NOTHING + 1; plant < PLANTS; plant++) {
    struct sim_options options = {.quiet = true, .plant = (enum plant)plant};
    uint64_t seed = 1;
    while (seed <= 40 && (run(seed, &options) || strstr(sim.why, words[plant]) == NULL))
      seed++;
    printf("defect %d: %s\n", plant, seed <= 40 ? sim.why : "NOT FOUND in 40 seeds");
    missed += seed > 40;
  }
  return missed == 0 ? 0 : 1;
}

static int usage(void)
{
  fprintf(stderr, "sim: give --seeds N [--first K] [--hash], --seed K [--trace] [--hash], --same K or --planted\n");
  return 2;
}

int main(int argc, char **argv)
{
  int64_t seeds = 0, first = 1, seed = -1, twice = -1;
  bool trace = false, hash = false, plant = false;
  for (int i = 1; i < argc; i++) {
    int64_t *number = strcmp(argv[i], "--seeds") == 0   ? &seeds
                      : strcmp(argv[i], "--first") == 0 ? &first
                      : strcmp(argv[i], "--seed") == 0  ? &seed
                      : strcmp(argv[i], "--same") == 0  ? &twice
                                                        : NULL;
    trace = trace || strcmp(argv[i], "--trace") == 0;
    hash = hash || strcmp(argv[i], "--hash") == 0;
    plant = plant || strcmp(argv[i], "--planted") == 0;
    if (number != NULL && (i + 1 == argc || !str_parse_int(argv[++i], 0, INT64_MAX, number)))
      return usage();
    if (number == NULL && strcmp(argv[i], "--trace") != 0 && strcmp(argv[i], "--hash") != 0 &&
        strcmp(argv[i], "--planted") != 0)
      return usage();
  }
  disk_install();
  log_init(LOG_LEVEL_DEBUG, 0);
  if (!trace && freopen("/dev/null", "w", stderr) == NULL) /* the daemon's own words */
    return 1;
  if (plant)
    return planted();
  if (twice >= 0)
    return same((uint64_t)twice);
  if (seed >= 0 && hash)
    return sweep((uint64_t)seed, 1, true);
  if (seed >= 0) {
    struct sim_options options = {.trace = trace};
    bool good = run((uint64_t)seed, &options);
    if (good)
      printf("seed %" PRId64 ": no violation; hash %016" PRIx64 "\n", seed, sim.hash);
    return good ? 0 : 1;
  }
  return seeds > 0 ? sweep((uint64_t)first, (uint64_t)seeds, hash) : usage();
}
