/* The engine against the tenant's code in virtual time: what a day of 20,000 agents costs, and how well the budget is
 * used: at shift start, after an outage, in steady state, under overload. See README.md. */
#include "adapters/json.h"
#include "base/log.h"
#include "base/str.h"
#include "sched/sched.h"
#include "world/disk.h"
#include "world/world.h"

#include <math.h>
#include <string.h>
#include <time.h>

#define LATENCY_MS 50   /* each way */
#define DELIVERS_MS 100 /* the contact centre sends what has happened ten times a second */
#define WINDOW 30000
#define MIDNIGHT (WORLD_NOON - 12 * CLOCK_HOUR)

static const char rules_text[] =
    "ruleset {\n"
    "  name = 'day',\n"
    "  reasons = { LUNCH = teams.be_right_back { expires = '45m' }, COACH = teams.do_not_disturb { expires = '1h' } "
    "},\n"
    "  states = { Ready = teams.available, Talking = teams.in_a_call, WrapUp = teams.in_a_call { expires = '10m' },\n"
    "    Meeting = session.presenting, Elsewhere = session.away, NotReady = teams.away, LoggedOff = clear },\n"
    "}\n";

/* An agent's working day. */
struct worker {
  struct heap_node due;
  int state; /* of `states` */
  int64_t since_ms, shift_ends_ms;
  const struct person *person; /* the tenant's */
  enum presence shown;         /* what it has */
  int64_t stale_ms;            /* since when that is not what was said last; 0: it is */
  enum presence said;
};

static struct bench {
  struct world world;
  struct tenant tenant;
  struct json *tenant_json;
  struct heap workers; /* the contact centre's own queue: what it says comes after all that the network brings */
  struct worker *crew;
  int agents;
  bool down; /* an outage: nothing gets through */
  /* what the tenant saw */
  int64_t *arrivals; /* of presence requests */
  size_t arrived, room;
  size_t events;
  int64_t oldest_ms; /* the oldest presence that was replaced */
} bench;

static void fail(const char *what, const struct err *err)
{
  fprintf(stderr, "bench_sim: %s%s%s\n", what, err == NULL ? "" : ": ", err == NULL ? "" : err->text);
  exit(1);
}

static double cpu_seconds(void)
{
  struct timespec at;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
  return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static int64_t exponential(double mean_ms)
{
  return 1 + (int64_t)(-log(1 - seed_unit(&bench.world.seed)) * mean_ms);
}

static int64_t now(void)
{
  return world_clock_wall(&bench.world.clock);
}

/* ---- the network */

static bool on_arrival(void *context UNUSED, struct exchange *exchange)
{
  exchange->fate.unsent = bench.down;
  return !bench.down;
}

static void note_shown(const char *upn)
{
  long number = str_starts(upn, "agent") ? strtol(upn + strlen("agent"), NULL, 10) : 0;
  if (number < 1 || number > bench.agents)
    return;
  struct worker *worker = &bench.crew[number - 1];
  const struct person *person = worker->person;
  worker->shown = PRESENCE_NONE;
  if (person->has_app)
    (void)presence_parse_pair(
        PLANE_SESSION, availability_str(person->app.availability), person->app.activity, &worker->shown);
  if (worker->stale_ms != 0 && worker->shown == worker->said) {
    if (now() - worker->stale_ms > bench.oldest_ms)
      bench.oldest_ms = now() - worker->stale_ms;
    worker->stale_ms = 0;
  }
}

static void on_visit(void *context UNUSED, const struct visit *visit)
{
  if (*visit->operation == '\0' || strcmp(visit->operation, "token") == 0 || strcmp(visit->operation, "lookup") == 0 ||
      strcmp(visit->operation, "$batch") == 0)
    return;
  if (bench.arrived == bench.room) {
    bench.room = bench.room == 0 ? 65536 : 2 * bench.room;
    bench.arrivals = must_realloc(bench.arrivals, bench.room * sizeof *bench.arrivals);
  }
  bench.arrivals[bench.arrived++] = visit->now;
  note_shown(visit->user);
}

/* ---- contact centre */

static const struct {
  const char *state, *reason;
  enum presence session;
} states[] = {{"LoggedOff", "", PRESENCE_NONE},    {"Ready", "", SESSION_AVAILABLE},
              {"Talking", "", SESSION_IN_A_CALL},  {"WrapUp", "", SESSION_IN_A_CALL},
              {"NotReady", "LUNCH", SESSION_AWAY}, {"NotReady", "COACH", SESSION_AWAY},
              {"Meeting", "", SESSION_PRESENTING}, {"Elsewhere", "", SESSION_AWAY}};
enum { OFF, READY, TALKING, WRAP_UP, LUNCH, COACH, MEETING, ELSEWHERE };

static void say(int number, int state)
{
  static struct event event;
  struct worker *worker = &bench.crew[number];
  event.at_ms = now();
  must(str_copy(event.agent, sizeof event.agent, worker->person->upn));
  must(str_copy(event.state, sizeof event.state, states[state].state));
  must(str_copy(event.reason, sizeof event.reason, states[state].reason));
  must(str_copy(event.ucc, sizeof event.ucc, "voice"));
  must(service_event(bench.world.service, &event, false) == SERVICE_ACCEPTED);
  bench.events++;
  worker->state = state;
  worker->said = states[state].session;
  if (worker->said == worker->shown)
    worker->stale_ms = 0;
  else if (worker->stale_ms == 0)
    worker->stale_ms = now();
}

/* One call after the other, eight minutes each with their wrap-up, five and a half between; a lunch, some coaching. */
static void work(struct worker *worker)
{
  int number = (int)(worker - bench.crew), next = READY;
  double stay_ms = 5.5 * CLOCK_MINUTE;
  if (now() >= worker->shift_ends_ms) {
    heap_remove(&bench.workers, &worker->due);
    say(number, OFF);
    return;
  }
  if (worker->state == READY) {
    next = TALKING;
    stay_ms = 6.5 * CLOCK_MINUTE;
  } else if (worker->state == TALKING) {
    next = WRAP_UP;
    stay_ms = 1.5 * CLOCK_MINUTE;
  } else if (worker->state == WRAP_UP && seed_unit(&bench.world.seed) < 0.04) {
    next = seed_unit(&bench.world.seed) < 0.5 ? LUNCH : COACH;
    stay_ms = 25.0 * CLOCK_MINUTE;
  }
  say(number, next);
  int64_t due_ms = now() + exponential(stay_ms);
  heap_put(&bench.workers, &worker->due, due_ms + DELIVERS_MS - due_ms % DELIVERS_MS);
}

/* ---- time */

static void turn(void)
{
  struct err err = ERR_INIT;
  if (!world_turn(&bench.world, &err))
    fail("service_turn", &err);
}

/* Until that moment. The daemon takes a turn when it wanted one, or has heard something. */
static void pass(int64_t until)
{
  struct world_clock *clock = &bench.world.clock;
  int64_t until_ms = world_clock_steady_of(clock, until);
  for (;;) {
    const struct heap_node *worker = heap_first(&bench.workers);
    int64_t next = world_clock_next(clock);
    if (worker != NULL && world_clock_steady_of(clock, worker->at_ms) < next)
      next = world_clock_steady_of(clock, worker->at_ms);
    if (next > until_ms)
      break;
    if (next > clock->steady_ms)
      clock->steady_ms = next;
    size_t replies = bench.world.network.replies;
    bool concerned = clock->wake_at_ms <= now();
    (void)world_clock_happen(clock);
    concerned = concerned || replies != bench.world.network.replies;
    for (struct heap_node *node; (node = heap_first(&bench.workers)) != NULL && node->at_ms <= now();) {
      work(LIST_ENTRY(node, struct worker, due));
      concerned = true;
    }
    if (concerned)
      turn();
  }
  clock->steady_ms = until_ms;
}

/* ---- a world for each figure */

static void begin(int agents, int requests_per_30s)
{
  struct err err = ERR_INIT;
  bench = (struct bench){.agents = agents};
  world_init(&bench.world, "bench", MIDNIGHT, 42);
  bench.world.clock.shows_steady = true;
  bench.world.network.latency_ms = LATENCY_MS;
  bench.world.network.watcher.on_arrival = on_arrival;
  bench.tenant_json = json_new(&err);
  struct tenant_setup setup = {.token_life_s = 3599, .requests_per_30s = requests_per_30s, .on_visit = on_visit};
  world_tenant_setup(&setup, 1, "https://graph.example");
  tenant_init(&bench.tenant, &setup, bench.tenant_json, 1);
  directory_populate(bench.tenant.directory, agents, 1);
  world_account_of(&bench.world, "contoso.com", &bench.tenant)->lookups_per_10_seconds = 3500;
  bench.world.config.connections = 32;
  bench.world.config.request_timeout_ms = 30 * CLOCK_SECOND;
  if (!world_take_rules(&bench.world, rules_text, 1, &err) || !world_start(&bench.world, &err))
    fail("begin", &err);
  bench.crew = must_alloc((size_t)agents * sizeof *bench.crew);
  const struct list_node *person = &bench.tenant.directory->people; /* in the order of their numbers */
  for (int i = 0; i < agents; i++) {
    person = person->next;
    bench.crew[i].person = LIST_ENTRY(person, struct person, node);
  }
  turn();
}

static void end(void)
{
  if (bench.tenant.counters.throttled > 0)
    printf("  THROTTLED %lld times\n", (long long)bench.tenant.counters.throttled);
  world_release(&bench.world);
  tenant_release(&bench.tenant);
  json_free(bench.tenant_json);
  heap_release(&bench.workers);
  free(bench.crew);
  free(bench.arrivals);
  disk_clear();
}

/* ---- figures */

/* The peer: additions of which each needs the one before it, so one clock cycle each on any core that is ours alone.
 * What is missing, others took: a virtual machine's processor seconds run on while its core works for another. */
static double peer_seconds(int64_t additions)
{
  double from = cpu_seconds();
  int64_t sum = 0;
  for (int64_t i = 0; i < additions; i++) {
    sum++;
    __asm__ volatile("" : "+r"(sum)); /* done one by one */
  }
  must(sum == additions);
  return cpu_seconds() - from;
}

static void day(int agents)
{
  const int64_t additions = 20000000;
  begin(agents, 10000);
  for (int i = 0; i < agents; i++) {
    struct worker *worker = &bench.crew[i];
    /* Three shifts, most of them by day, each beginning within a quarter of an hour. */
    double share = seed_unit(&bench.world.seed);
    int64_t hour = share < 0.6 ? 8 : share < 0.85 ? 14 : 22;
    int64_t start_ms = MIDNIGHT + hour * CLOCK_HOUR + (int64_t)(seed_next(&bench.world.seed) % (15 * CLOCK_MINUTE));
    worker->shift_ends_ms = start_ms + 8 * CLOCK_HOUR;
    heap_put(&bench.workers, &worker->due, start_ms);
  }
  /* The peer runs all along, because what others take changes from second to second. */
  double seconds = 0, cycles = 0;
  for (int quarter = 0; quarter < 24 * 4; quarter++) {
    double before = peer_seconds(additions), from = cpu_seconds();
    pass(now() + CLOCK_HOUR / 4);
    double took = cpu_seconds() - from, after = peer_seconds(additions);
    seconds += took;
    cycles += took * (double)(2 * additions) / (before + after);
  }
  printf(
      "a day of %d agents: %zu events, %zu presence requests in %zu exchanges: %.1f s of one core, which gave "
      "%.2f G cycles a second: %.1f G cycles\n",
      agents, bench.events, bench.arrived, bench.world.network.requests, seconds, cycles / seconds / 1e9, cycles / 1e9);
  end();
}

/* Until nobody differs any more, beside what the budget alone would take. */
static void converge(const char *what, int agents, int requests_per_30s, size_t first_request, int64_t from_ms)
{
  while (service_rest(bench.world.service).differ > 0)
    pass(now() + 100);
  int64_t last_ms = bench.arrivals[bench.arrived - 1];
  size_t count = bench.arrived - first_request;
  double theory_s = (double)count / requests_per_30s * 30, took_s = (double)(last_ms - from_ms) / 1000;
  printf(
      "%s: %d agents, %zu requests, %.1f s; operations / budget %.1f s: %.3f of it\n", what, agents, count, took_s,
      theory_s, took_s / theory_s);
}

static void shift_start(int agents, int requests_per_30s)
{
  begin(agents, requests_per_30s);
  for (int i = 0; i < agents; i++)
    say(i, OFF);
  turn();
  pass(now() + 5 * CLOCK_MINUTE); /* everybody is known by then */
  size_t first = bench.arrived;
  int64_t from_ms = now();
  for (int i = 0; i < agents; i++)
    say(i, TALKING);
  turn();
  converge("shift start", agents, requests_per_30s, first, from_ms);
  /* Nothing gets through for an hour, meanwhile all change. */
  bench.down = true;
  pass(now() + CLOCK_MINUTE);
  for (int i = 0; i < agents; i++)
    say(i, LUNCH);
  turn();
  pass(now() + CLOCK_HOUR / 2);
  bench.down = false;
  first = bench.arrived;
  from_ms = now();
  converge("after an outage", agents, requests_per_30s, first, from_ms);
  end();
}

/* How many presences colleagues see as Available, and how many of them have faded. */
static void look(int64_t *looks, int64_t *faded)
{
  const struct list_node *people = &bench.tenant.directory->people;
  for (struct list_node *node = people->next; node != people; node = node->next) {
    const struct person *person = LIST_ENTRY(node, struct person, node);
    bool available = person->has_app && person->app.availability == AVAILABILITY_AVAILABLE;
    *looks += available;
    *faded += available && now() - person->app.set_ms > PRESENCE_FADE_MS;
  }
}

/* Available agents that `presenced capacity` says the budget carries. */
static int capacity_of(int requests_per_30s)
{
  struct sched_load load = {.agents = 1000, .available = 1, .lease_ms = CLOCK_HOUR};
  return (int)sched_capacity(&load, requests_per_30s).agents_most;
}

/* Few agents, one request each: what counts is how soon it is noticed that Graph is back. */
static void outage(int agents, int requests_per_30s, int64_t lasts_ms)
{
  begin(agents, requests_per_30s);
  for (int i = 0; i < agents; i++)
    say(i, TALKING);
  turn();
  pass(now() + 10 * CLOCK_MINUTE);
  bench.down = true;
  pass(now() + CLOCK_MINUTE);
  for (int i = 0; i < agents; i++)
    say(i, READY);
  turn();
  pass(now() + lasts_ms);
  bench.down = false;
  size_t first = bench.arrived;
  int64_t from_ms = now();
  char lasts[CLOCK_TEXT_SIZE], what[80];
  snprintf(what, sizeof what, "after an outage of %s", clock_short_duration(lasts_ms, lasts));
  converge(what, agents, requests_per_30s, first, from_ms);
  end();
}

static void steady(int agents, int requests_per_30s)
{
  begin(agents, requests_per_30s);
  for (int i = 0; i < agents; i++)
    say(i, READY);
  turn();
  pass(now() + 30 * CLOCK_MINUTE);
  int64_t faded = 0, looks = 0;
  for (int64_t until = now() + CLOCK_HOUR; now() < until; pass(now() + CLOCK_SECOND))
    look(&looks, &faded);
  printf(
      "steady state: %d agents Available for an hour at %d per 30 s (budget x 270 s = %d, of which %.1f %%): %lld of "
      "%lld looks at them find one faded\n",
      agents, requests_per_30s, requests_per_30s * 9, agents * 100.0 / (requests_per_30s * 9), (long long)faded,
      (long long)looks);
  end();
}

/* Four states in rotation, so that a change never goes back to what is shown and so is never saved. */
static void say_another(int number)
{
  static const int rotation[] = {READY, TALKING, ELSEWHERE, MEETING};
  const struct worker *worker = &bench.crew[number];
  int state;
  do
    state = rotation[seed_next(&bench.world.seed) % COUNT_OF(rotation)];
  while (states[state].session == worker->shown || states[state].session == worker->said);
  say(number, state);
}

/* The fewest requests in any window between two moments. */
static size_t least_sent(int64_t from_ms, int64_t until_ms)
{
  size_t least = SIZE_MAX, first = 0, last = 0;
  for (int64_t at = from_ms; at + WINDOW <= until_ms; at += 1000) {
    while (first < bench.arrived && bench.arrivals[first] < at)
      first++;
    while (last < bench.arrived && bench.arrivals[last] < at + WINDOW)
      last++;
    if (last - first < least)
      least = last - first;
  }
  return least;
}

/* The oldest presence that was replaced, or that still waits for it. */
static double oldest_s(int changing)
{
  int64_t oldest_ms = bench.oldest_ms;
  for (int i = 0; i < changing; i++)
    if (bench.crew[i].stale_ms != 0 && now() - bench.crew[i].stale_ms > oldest_ms)
      oldest_ms = now() - bench.crew[i].stale_ms;
  return (double)oldest_ms / 1000;
}

/* `changing` agents have that many times more changes than the budget carries, beside others who stay Available: each
 * of those needs a request every 270 s. */
static void overload(int changing, int idle, int requests_per_30s, double times)
{
  begin(changing + idle, requests_per_30s);
  for (int i = 0; i < changing + idle; i++)
    say(i, i < changing ? TALKING : READY);
  turn();
  pass(now() + 20 * CLOCK_MINUTE);
  int64_t from_ms = now() + 20 * CLOCK_MINUTE, until_ms = from_ms + CLOCK_HOUR, looks = 0, faded = 0;
  double budget = requests_per_30s / 30.0, due = 0;
  while (now() < until_ms) {
    for (due += times * budget / 10; due >= 1; due--)
      say_another((int)(seed_next(&bench.world.seed) % (uint64_t)changing));
    turn();
    if (now() < from_ms)
      bench.oldest_ms = 0;
    if (now() >= from_ms && now() % CLOCK_SECOND == 0)
      look(&looks, &faded);
    pass(now() + 100);
  }
  double bound_s = changing / (budget - idle / 270.0), waited_s = oldest_s(changing);
  printf(
      "overload: %d agents with %.0f times the changes that %d per 30 s carry, beside %d who stay Available, for an "
      "hour: at least %.1f %% of the budget in any 30 s; the oldest presence %.1f s, agents / what keep-alives leave "
      "%.1f s: %.3f of it; %lld of %lld looks at Available ones find one faded\n",
      changing, times, requests_per_30s, idle, (double)least_sent(from_ms, until_ms) * 100 / requests_per_30s, waited_s,
      bound_s, waited_s / bound_s, (long long)faded, (long long)looks);
  end();
}

int main(int argc, char **argv)
{
  const char *only = argc > 1 ? argv[1] : "";
  int64_t agents = 20000;
  if (argc > 2 && !str_parse_int(argv[2], 1, 1000000, &agents))
    fail("day AGENTS", NULL);
  disk_install();
  log_init(LOG_LEVEL_ERROR, 0);
  if (*only == '\0' || strcmp(only, "converge") == 0) {
    shift_start(9000, 1500);
    outage(100, 1500, CLOCK_HOUR / 2);
    outage(2000, 1500, 4 * CLOCK_HOUR);
  }
  if (*only == '\0' || strcmp(only, "steady") == 0) {
    steady(12825, 1500);
    steady(capacity_of(1500), 1500);
  }
  if (*only == '\0' || strcmp(only, "overload") == 0)
    overload(6000, 0, 1500, 10);
  if (*only == '\0' || strcmp(only, "beside") == 0) {
    overload(1000, 10000, 1500, 2);
    overload(300, 11000, 1500, 1);
  }
  if (*only == '\0' || strcmp(only, "day") == 0)
    day((int)agents);
  return 0;
}
