/* The engine against the tenant's code in virtual time: what a day of 20,000 agents costs, and how well the budget is
 * used: at shift start, after an outage, in steady state, under overload. See README.md. */
#include "adapters/json.h"
#include "base/clock.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/log.h"
#include "base/str.h"
#include "sched/sched.h"
#include "service/service.h"
#include "sim.h"
#include "tenant/tenant.h"

#include <math.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define LATENCY_MS 50   /* each way */
#define DELIVERS_MS 100 /* the contact centre sends what has happened ten times a second */
#define WINDOW 30000

static const char rules_text[] =
    "ruleset {\n"
    "  name = 'day',\n"
    "  reasons = { LUNCH = teams.be_right_back { expires = '45m' }, COACH = teams.do_not_disturb { expires = '1h' } "
    "},\n"
    "  states = { Ready = teams.available, Talking = teams.in_a_call, WrapUp = teams.in_a_call { expires = '10m' },\n"
    "    Meeting = session.presenting, Elsewhere = session.away, NotReady = teams.away, LoggedOff = clear },\n"
    "}\n";

/* A request on its way: first there, then back. */
struct exchange {
  struct heap_node due;
  struct list_node link;
  char method[8];
  char *path, *query, *body;
  struct buf authorization; /* empty: none */
  size_t length;
  service_on_reply *on_reply;
  void *context;
  bool there, served;
  struct visit visit;
};

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
  char folder[64], state[96], rules[96];
  struct config_account account;
  struct config config;
  struct wiped secret;
  struct ruleset *ruleset;
  struct json *json, *tenant_json;
  struct store *store;
  struct service *service;
  struct tenant tenant;
  struct seed seed;
  int64_t now, wake_at;
  struct heap network, workers;
  struct list_node exchanges, spare; /* those that are over are used again: they are large */
  struct worker *crew;
  int agents;
  bool down; /* an outage: nothing gets through */
  /* what the tenant saw */
  int64_t *arrivals; /* of presence requests */
  size_t arrived, room;
  size_t events, requests;
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
  return 1 + (int64_t)(-log(1 - seed_unit(&bench.seed)) * mean_ms);
}

/* ---- ports */

static void exchange_free(struct exchange *exchange)
{
  if (exchange->served) {
    tenant_answered(&bench.tenant, &exchange->visit);
    visit_release(&exchange->visit);
  }
  heap_remove(&bench.network, &exchange->due);
  list_remove(&exchange->link);
  free(exchange->path);
  free(exchange->query);
  free(exchange->body);
  buf_clear(&exchange->authorization);
  list_add_tail(&bench.spare, &exchange->link);
}

static struct exchange *exchange_new(void)
{
  if (!list_empty(&bench.spare)) {
    struct exchange *exchange = LIST_ENTRY(list_first(&bench.spare), struct exchange, link);
    list_remove(&exchange->link);
    exchange->there = exchange->served = false;
    return exchange;
  }
  struct exchange *exchange = must_alloc(sizeof *exchange);
  buf_init(&exchange->authorization, 8192);
  return exchange;
}

static void *port_send(
    void *context UNUSED, const struct graph_request *request, const struct wiped *bearer,
    const char *client_request_id UNUSED, bool fresh UNUSED, service_on_reply *on_reply, void *reply_context)
{
  struct exchange *exchange = exchange_new();
  const char *path = strchr(buf_text(&request->url) + strlen("https://"), '/'), *query = strchr(path, '?');
  exchange->path = must_strdup(path);
  exchange->query = must_strdup(query == NULL ? "" : query + 1);
  if (query != NULL)
    exchange->path[query - path] = '\0';
  must(str_copy(exchange->method, sizeof exchange->method, request->method));
  exchange->body = must_strdup(buf_text(&request->body));
  exchange->length = request->body.length;
  exchange->on_reply = on_reply;
  exchange->context = reply_context;
  if (bearer != NULL) {
    buf_add_str(&exchange->authorization, "Bearer ");
    buf_add(&exchange->authorization, wiped_text(bearer), bearer->length);
  }
  list_add_tail(&bench.exchanges, &exchange->link);
  heap_put(&bench.network, &exchange->due, bench.now + LATENCY_MS);
  bench.requests++;
  return exchange;
}

static void port_cancel(void *context UNUSED, void *exchange)
{
  exchange_free(exchange);
}

static void port_wake_at(void *context UNUSED, int64_t at_ms)
{
  bench.wake_at = at_ms;
}

static int64_t port_now(void *context UNUSED)
{
  return bench.now;
}

static void port_random(void *context UNUSED, void *bytes, size_t length)
{
  for (size_t i = 0; i < length; i++)
    ((unsigned char *)bytes)[i] = (unsigned char)seed_next(&bench.seed);
}

/* ---- the network */

static const char *header_of(const struct visit *visit, const char *name)
{
  for (size_t i = 0; i < visit->header_count; i++)
    if (strcmp(visit->headers[i].name, name) == 0)
      return visit->headers[i].value;
  return "";
}

static void arrive(struct exchange *exchange)
{
  bool is_token = exchange->authorization.length == 0;
  struct tenant_call call = {
      .method = exchange->method,
      .path = exchange->path,
      .query = exchange->query,
      .body = exchange->body,
      .body_length = exchange->length,
      .authorization = is_token ? NULL : buf_text(&exchange->authorization),
      .content_type = is_token ? "application/x-www-form-urlencoded" : "application/json"};
  exchange->there = true;
  if (!bench.down) {
    tenant_serve(&bench.tenant, &call, bench.now, &exchange->visit);
    exchange->served = true;
  }
  heap_put(&bench.network, &exchange->due, bench.now + LATENCY_MS);
}

static void come_back(struct exchange *exchange)
{
  struct graph_reply reply = {
      .sent = false,
      .failure = "no connection",
      .body = "",
      .retry_after = "",
      .date = "",
      .request_id = "",
      .content_type = "",
      .diagnostic = ""};
  if (exchange->served) {
    const struct visit *visit = &exchange->visit;
    reply.sent = true;
    reply.status = visit->status;
    reply.body = buf_text(&visit->body);
    reply.body_length = visit->body.length;
    reply.retry_after = header_of(visit, "Retry-After");
    reply.content_type = header_of(visit, "Content-Type");
    tenant_answered(&bench.tenant, &exchange->visit);
  }
  service_on_reply *on_reply = exchange->on_reply;
  void *context = exchange->context;
  on_reply(context, &reply);
  exchange_free(exchange);
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
    if (bench.now - worker->stale_ms > bench.oldest_ms)
      bench.oldest_ms = bench.now - worker->stale_ms;
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
  event.at_ms = bench.now;
  must(str_copy(event.agent, sizeof event.agent, worker->person->upn));
  must(str_copy(event.state, sizeof event.state, states[state].state));
  must(str_copy(event.reason, sizeof event.reason, states[state].reason));
  must(str_copy(event.ucc, sizeof event.ucc, "voice"));
  must(service_event(bench.service, &event, false) == SERVICE_ACCEPTED);
  bench.events++;
  worker->state = state;
  worker->said = states[state].session;
  if (worker->said == worker->shown)
    worker->stale_ms = 0;
  else if (worker->stale_ms == 0)
    worker->stale_ms = bench.now;
}

/* One call after the other, eight minutes each with their wrap-up, five and a half between; a lunch, some coaching. */
static void work(struct worker *worker)
{
  int number = (int)(worker - bench.crew), next = READY;
  double stay_ms = 5.5 * CLOCK_MINUTE;
  if (bench.now >= worker->shift_ends_ms) {
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
  } else if (worker->state == WRAP_UP && seed_unit(&bench.seed) < 0.04) {
    next = seed_unit(&bench.seed) < 0.5 ? LUNCH : COACH;
    stay_ms = 25.0 * CLOCK_MINUTE;
  }
  say(number, next);
  int64_t due_ms = bench.now + exponential(stay_ms);
  heap_put(&bench.workers, &worker->due, due_ms + DELIVERS_MS - due_ms % DELIVERS_MS);
}

/* ---- time */

static void turn(void)
{
  struct err err = ERR_INIT;
  if (!service_turn(bench.service, &err))
    fail("service_turn", &err);
}

static void pass(int64_t until)
{
  for (;;) {
    const struct heap_node *network = heap_first(&bench.network), *worker = heap_first(&bench.workers);
    int64_t next = bench.wake_at;
    if (network != NULL && network->at_ms < next)
      next = network->at_ms;
    if (worker != NULL && worker->at_ms < next)
      next = worker->at_ms;
    if (next > until)
      break;
    if (next > bench.now)
      bench.now = next;
    bool concerned = bench.wake_at <= bench.now;
    for (struct heap_node *node; (node = heap_first(&bench.network)) != NULL && node->at_ms <= bench.now;) {
      struct exchange *exchange = LIST_ENTRY(node, struct exchange, due);
      concerned = concerned || exchange->there;
      if (exchange->there)
        come_back(exchange);
      else
        arrive(exchange);
    }
    for (struct heap_node *node; (node = heap_first(&bench.workers)) != NULL && node->at_ms <= bench.now;) {
      work(LIST_ENTRY(node, struct worker, due));
      concerned = true;
    }
    if (concerned)
      turn();
  }
  bench.now = until;
}

/* ---- a world for each figure */

static void begin(int agents, int requests_per_30s)
{
  struct err err = ERR_INIT;
  static char *domains[] = {(char *)"contoso.com"};
  static const char *ids[] = {"contoso.com"};
  bench = (struct bench){.agents = agents, .now = SIM_START, .seed = {42}};
  snprintf(bench.folder, sizeof bench.folder, "/tmp/bench_sim.XXXXXX");
  if (mkdtemp(bench.folder) == NULL)
    fail("no folder can be made", NULL);
  snprintf(bench.state, sizeof bench.state, "%s/state.db", bench.folder);
  snprintf(bench.rules, sizeof bench.rules, "%s/rules.lua", bench.folder);
  FILE *file = fopen(bench.rules, "w");
  if (file == NULL || fputs(rules_text, file) < 0 || fclose(file) != 0)
    fail("the rules cannot be written", NULL);
  struct rules_limits limits = {10000, 60000, (size_t)64 << 20, (size_t)64 << 20};
  if ((bench.ruleset = ruleset_load(bench.rules, &limits, 1, &err)) == NULL)
    fail("rules", &err);
  bench.json = json_new(&err);
  bench.tenant_json = json_new(&err);
  list_init(&bench.exchanges);
  list_init(&bench.spare);
  struct tenant_setup setup = {
      .token_life_s = 3599,
      .requests_per_30s = requests_per_30s,
      .presence_role = true,
      .user_role = true,
      .on_visit = on_visit};
  must(str_copy(setup.address, sizeof setup.address, "https://graph.example"));
  must(str_copy(setup.secret, sizeof setup.secret, "secret"));
  seed_guid(1, "client", setup.client_id);
  seed_guid(1, "tenant", setup.tenant_id);
  tenant_init(&bench.tenant, &setup, bench.tenant_json, 1);
  directory_populate(bench.tenant.directory, agents, 1);
  wiped_set(&bench.secret, "secret", 6);
  bench.account = (struct config_account){
      .id = domains[0],
      .client_id = bench.tenant.setup.client_id,
      .tenant_id = bench.tenant.setup.tenant_id,
      .domains = domains,
      .domain_count = 1,
      .authority = bench.tenant.setup.address,
      .graph = bench.tenant.setup.address,
      .requests_per_30_seconds = requests_per_30s,
      .lookups_per_10_seconds = 3500,
      .lease_ms = CLOCK_HOUR};
  bench.config = (struct config){
      .accounts = &bench.account, .account_count = 1, .connections = 32, .request_timeout_ms = 30 * CLOCK_SECOND};
  if ((bench.store = store_open(bench.state, ids, 1, &err)) == NULL)
    fail("store", &err);
  struct service_setup service = {
      .config = &bench.config,
      .secrets = &bench.secret,
      .rulesets = &bench.ruleset,
      .store = bench.store,
      .json = bench.json,
      .ports = {NULL, port_send, port_cancel, port_wake_at, port_now, port_random, port_now}};
  bench.service = service_new(&service);
  service_start(bench.service);
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
  service_free(bench.service);
  store_close(bench.store);
  while (!list_empty(&bench.exchanges))
    exchange_free(LIST_ENTRY(list_first(&bench.exchanges), struct exchange, link));
  while (!list_empty(&bench.spare)) {
    struct exchange *exchange = LIST_ENTRY(list_first(&bench.spare), struct exchange, link);
    list_remove(&exchange->link);
    buf_release(&exchange->authorization);
    free(exchange);
  }
  ruleset_free(bench.ruleset);
  tenant_release(&bench.tenant);
  json_free(bench.json);
  json_free(bench.tenant_json);
  wiped_release(&bench.secret);
  heap_release(&bench.network);
  heap_release(&bench.workers);
  free(bench.crew);
  free(bench.arrivals);
  disk_clear();
  (void)unlink(bench.state);
  (void)unlink(bench.rules);
  (void)rmdir(bench.folder);
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
    double share = seed_unit(&bench.seed);
    int64_t hour = share < 0.6 ? 8 : share < 0.85 ? 14 : 22;
    int64_t start_ms = SIM_START + hour * CLOCK_HOUR + (int64_t)(seed_next(&bench.seed) % (15 * CLOCK_MINUTE));
    worker->shift_ends_ms = start_ms + 8 * CLOCK_HOUR;
    heap_put(&bench.workers, &worker->due, start_ms);
  }
  /* The peer runs all along, because what others take changes from second to second. */
  double seconds = 0, cycles = 0;
  for (int quarter = 0; quarter < 24 * 4; quarter++) {
    double before = peer_seconds(additions), from = cpu_seconds();
    pass(bench.now + CLOCK_HOUR / 4);
    double took = cpu_seconds() - from, after = peer_seconds(additions);
    seconds += took;
    cycles += took * (double)(2 * additions) / (before + after);
  }
  printf(
      "a day of %d agents: %zu events, %zu presence requests in %zu exchanges: %.1f s of one core, which gave "
      "%.2f G cycles a second: %.1f G cycles\n",
      agents, bench.events, bench.arrived, bench.requests, seconds, cycles / seconds / 1e9, cycles / 1e9);
  end();
}

/* Until nobody differs any more, beside what the budget alone would take. */
static void converge(const char *what, int agents, int requests_per_30s, size_t first_request, int64_t from_ms)
{
  while (service_rest(bench.service).differ > 0)
    pass(bench.now + 100);
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
  pass(bench.now + 5 * CLOCK_MINUTE); /* everybody is known by then */
  size_t first = bench.arrived;
  int64_t from_ms = bench.now;
  for (int i = 0; i < agents; i++)
    say(i, TALKING);
  turn();
  converge("shift start", agents, requests_per_30s, first, from_ms);
  /* Nothing gets through for an hour, meanwhile all change. */
  bench.down = true;
  pass(bench.now + CLOCK_MINUTE);
  for (int i = 0; i < agents; i++)
    say(i, LUNCH);
  turn();
  pass(bench.now + CLOCK_HOUR / 2);
  bench.down = false;
  first = bench.arrived;
  from_ms = bench.now;
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
    *faded += available && bench.now - person->app.set_ms > PRESENCE_FADE_MS;
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
  pass(bench.now + 10 * CLOCK_MINUTE);
  bench.down = true;
  pass(bench.now + CLOCK_MINUTE);
  for (int i = 0; i < agents; i++)
    say(i, READY);
  turn();
  pass(bench.now + lasts_ms);
  bench.down = false;
  size_t first = bench.arrived;
  int64_t from_ms = bench.now;
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
  pass(bench.now + 30 * CLOCK_MINUTE);
  int64_t faded = 0, looks = 0;
  for (int64_t until = bench.now + CLOCK_HOUR; bench.now < until; pass(bench.now + CLOCK_SECOND))
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
    state = rotation[seed_next(&bench.seed) % COUNT_OF(rotation)];
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
    if (bench.crew[i].stale_ms != 0 && bench.now - bench.crew[i].stale_ms > oldest_ms)
      oldest_ms = bench.now - bench.crew[i].stale_ms;
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
  pass(bench.now + 20 * CLOCK_MINUTE);
  int64_t from_ms = bench.now + 20 * CLOCK_MINUTE, until_ms = from_ms + CLOCK_HOUR, looks = 0, faded = 0;
  double budget = requests_per_30s / 30.0, due = 0;
  while (bench.now < until_ms) {
    for (due += times * budget / 10; due >= 1; due--)
      say_another((int)(seed_next(&bench.seed) % (uint64_t)changing));
    turn();
    if (bench.now < from_ms)
      bench.oldest_ms = 0;
    if (bench.now >= from_ms && bench.now % CLOCK_SECOND == 0)
      look(&looks, &faded);
    pass(bench.now + 100);
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
