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

/* While there is room. */
static double takes(const struct sched_capacity *capacity)
{
  return capacity->available + capacity->others + capacity->changes;
}

/* On a full budget, without a presence that fades. */
static double needs(const struct sched_capacity *capacity)
{
  return capacity->least + capacity->changes;
}

/* The two ways in which a ruleset can hold Available. */
enum { REFRESH, ANCHOR, STRATEGIES };
static const char *const strategies[STRATEGIES] = {"refresh", "anchor"};

static struct value *figures_of(const struct sched_capacity *capacity, struct values *values)
{
  const struct {
    const char *name;
    double number;
  } figures[] = {
      {"requests_per_second", capacity->carries},
      {"taken_per_second", takes(capacity)},
      {"needed_per_second", needs(capacity)},
      {"keep_alive_available_per_second", capacity->available},
      {"keep_alive_others_per_second", capacity->others},
      {"keep_alive_least_per_second", capacity->least},
      {"changes_per_second", capacity->changes},
      {"headroom", 1 - needs(capacity) / capacity->carries},
      {"converge_seconds", capacity->converges_s},
      {"agents_at_most", (double)capacity->agents_most}};
  struct value *map = value_map(values);
  for (size_t i = 0; i < COUNT_OF(figures); i++)
    value_set(values, map, figures[i].name, value_number(values, figures[i].number));
  return map;
}

/* The figures of the strategy that was asked for, and below them those of both. */
static void print_json(const struct sched_capacity capacities[STRATEGIES], int asked)
{
  struct values values = {0};
  struct value *answer = figures_of(&capacities[asked], &values), *both = value_map(&values);
  value_set(&values, answer, "hold", value_string(&values, strategies[asked]));
  for (int i = 0; i < STRATEGIES; i++)
    value_set(&values, both, strategies[i], figures_of(&capacities[i], &values));
  value_set(&values, answer, "strategies", both);
  struct buf text;
  buf_init(&text, 8192);
  json_write_pretty(&text, answer);
  printf("%s\n", buf_text(&text));
  buf_release(&text);
  values_release(&values);
}

static void print_row(const char *what, double refresh, double anchor, const char *unit)
{
  printf("%-26s%10.2f%10.2f %s\n", what, refresh, anchor, unit);
}

static void print_text(
    const struct sched_capacity capacities[STRATEGIES], int asked, int64_t budget, const struct sched_load *load)
{
  const struct sched_capacity *refresh = &capacities[REFRESH], *anchor = &capacities[ANCHOR];
  char lease[CLOCK_TEXT_SIZE], texts[STRATEGIES][CLOCK_TEXT_SIZE];
  printf(
      "the budget carries %.2f requests/s (%lld in 30 s); Lease %s\n\n", refresh->carries, (long long)budget,
      clock_short_duration(load->lease_ms, lease));
  printf("%-26s%10s%10s%s\n", "hold =", strategies[REFRESH], strategies[ANCHOR], asked == ANCHOR ? " (asked for)" : "");
  print_row("keep-alive of Available", refresh->available, anchor->available, "requests/s");
  print_row("keep-alive of the others", refresh->others, anchor->others, "requests/s");
  print_row("changes", refresh->changes, anchor->changes, "requests/s");
  print_row("in all, with room", takes(refresh), takes(anchor), "requests/s");
  print_row("needed at least", needs(refresh), needs(anchor), "requests/s: on a full budget keep-alives come later");
  printf(
      "%-26s%9.0f%%%9.0f%% of the budget\n", "", needs(refresh) / refresh->carries * 100,
      needs(anchor) / anchor->carries * 100);
  for (int i = 0; i < STRATEGIES; i++)
    clock_short_duration((int64_t)(capacities[i].converges_s * 1000) + 999, texts[i]);
  printf("%-26s%10s%10s (a shift start, or after an outage)\n", "everybody at once", texts[REFRESH], texts[ANCHOR]);
  printf(
      "%-26s%10lld%10lld at most\n", "agents of this kind", (long long)refresh->agents_most,
      (long long)anchor->agents_most);
  if (needs(&capacities[asked]) > refresh->carries)
    printf(
        "MORE THAN THE BUDGET GIVES: presences come late, and Available ones fade; raise RequestsPer30Seconds (Graph "
        "allows up to 10000), or publish fewer agents\n");
}

int cli_capacity(struct cli *cli)
{
  int64_t agents = 0, budget = 1500, available = 50, changes = 12, preferred = 30;
  struct sched_load load = {.lease_ms = CLOCK_HOUR};
  int asked = cli_flag(cli, "--anchor") ? ANCHOR : REFRESH;
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
  struct sched_capacity capacities[STRATEGIES];
  for (int i = 0; i < STRATEGIES; i++) {
    load.anchors = i == ANCHOR;
    capacities[i] = sched_capacity(&load, budget);
  }
  if (cli->json)
    print_json(capacities, asked);
  else
    print_text(capacities, asked, budget, &load);
  return needs(&capacities[asked]) > capacities[asked].carries ? EXIT_FAILED : EXIT_DONE;
}
