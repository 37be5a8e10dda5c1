/* capacity: what a tenant's budget carries, from the formulas that the engine keeps to. Asks nobody. */
#include "adapters/json.h"
#include "base/clock.h"
#include "base/str.h"
#include "cli/cli.h"
#include "sched/sched.h"

#include <stdio.h>

enum { AGENTS_MAX = 10000000, BUDGET_MAX = 10000, CHANGES_MAX = 3600 };

/* Takes a whole number in a range. False: it was said what is wrong. */
static bool read_number(struct cli *cli, const char *name, int64_t min, int64_t max, int64_t *number)
{
  const char *text = cli_option(cli, name);
  if (text == NULL || str_parse_int(text, min, max, number))
    return true;
  fprintf(
      stderr, "presenced: %s: %s is not a whole number from %lld to %lld; write e.g. %s %lld\n", name, text,
      (long long)min, (long long)max, name, (long long)*number);
  return false;
}

static bool read_lease(struct cli *cli, int64_t *lease_ms)
{
  const char *text = cli_option(cli, "--lease");
  if (text == NULL || (clock_parse_duration(text, lease_ms) && *lease_ms >= PRESENCE_SESSION_MIN_MS &&
                       *lease_ms <= PRESENCE_SESSION_MAX_MS))
    return true;
  fprintf(stderr, "presenced: --lease: %s is not a duration from 5m to 4h; write e.g. --lease 1h\n", text);
  return false;
}

static double needs(const struct sched_capacity *capacity)
{
  return capacity->available + capacity->others + capacity->changes;
}

static void print_json(const struct sched_capacity *capacity)
{
  const struct {
    const char *name;
    double number;
  } figures[] = {
      {"requests_per_second", capacity->carries},
      {"needed_per_second", needs(capacity)},
      {"keep_alive_available_per_second", capacity->available},
      {"keep_alive_others_per_second", capacity->others},
      {"changes_per_second", capacity->changes},
      {"headroom", 1 - needs(capacity) / capacity->carries},
      {"converge_seconds", capacity->converges_s},
      {"agents_at_most", (double)capacity->agents_most}};
  struct values values = {0};
  struct value *answer = value_map(&values);
  for (size_t i = 0; i < COUNT_OF(figures); i++)
    value_set(&values, answer, figures[i].name, value_number(&values, figures[i].number));
  struct buf text;
  buf_init(&text, 4096);
  json_write_pretty(&text, answer);
  printf("%s\n", buf_text(&text));
  buf_release(&text);
  values_release(&values);
}

static void print_text(const struct sched_capacity *capacity, int64_t budget)
{
  char text[CLOCK_TEXT_SIZE];
  double part = needs(capacity) / capacity->carries;
  printf("the budget carries        %8.2f requests/s (%lld in 30 s)\n", capacity->carries, (long long)budget);
  printf("keep-alive of Available   %8.2f requests/s\n", capacity->available);
  printf("keep-alive of the others  %8.2f requests/s\n", capacity->others);
  printf("changes                   %8.2f requests/s\n", capacity->changes);
  printf("in all                    %8.2f requests/s, %.0f %% of the budget\n", needs(capacity), part * 100);
  printf("agents of this kind       %8lld at most\n", (long long)capacity->agents_most);
  printf(
      "everybody at once          %s (a shift start, or after an outage)\n",
      clock_short_duration((int64_t)(capacity->converges_s * 1000) + 999, text));
  if (part > 1)
    printf(
        "MORE THAN THE BUDGET GIVES: presences come late, and Available ones fade; raise RequestsPer30Seconds (Graph "
        "allows up to 10000), or publish fewer agents\n");
}

int cli_capacity(struct cli *cli)
{
  int64_t agents = 0, budget = 1500, available = 50, changes = 12, preferred = 30;
  struct sched_load load = {.lease_ms = CLOCK_HOUR};
  if (!read_number(cli, "--agents", 1, AGENTS_MAX, &agents) || !read_number(cli, "--budget", 1, BUDGET_MAX, &budget) ||
      !read_number(cli, "--available", 0, 100, &available) ||
      !read_number(cli, "--changes", 0, CHANGES_MAX, &changes) ||
      !read_number(cli, "--preferred", 0, 100, &preferred) || !read_lease(cli, &load.lease_ms) ||
      !cli_no_more(cli, 0, 0))
    return EXIT_USAGE;
  if (agents == 0) {
    fprintf(stderr, "presenced: capacity: --agents is missing; say how many, as in --agents 5000\n");
    return EXIT_USAGE;
  }
  load.agents = agents;
  load.available = (double)available / 100;
  load.changes = (double)changes;
  load.preferred = (double)preferred / 100;
  struct sched_capacity capacity = sched_capacity(&load, budget);
  if (cli->json)
    print_json(&capacity);
  else
    print_text(&capacity, budget);
  return needs(&capacity) > capacity.carries ? EXIT_FAILED : EXIT_DONE;
}
