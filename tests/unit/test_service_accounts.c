/* A storm over the accounts: three app registrations, accounts that come, go, share a registration and hand domains to
 * each other, while events come, requests fail and the daemon is killed. In the end everybody shows what he should, in
 * the tenant that serves him now, and nothing anywhere else. Same seed, same run: test_service_accounts SEED runs one.
 */
#include "service_world.h"

enum { SEEDS = 12, STEPS = 1500, TENANTS = 3, ACCOUNTS = 3, DOMAINS = 3, NAMES = 9, BUDGET = 25 };

static const char *const account_names[ACCOUNTS] = {"a.com", "b.com", "c.com"};
static const char *const domain_names[DOMAINS] = {"x.com", "y.com", "*"};
static const char *const suffixes[DOMAINS] = {"x.com", "y.com", "z.com"};

/* What is configured, as the test draws it: -1 for none. */
struct drawn {
  int tenant_of[ACCOUNTS];
  int account_of[DOMAINS];
};

static struct {
  struct drawn running, next;
  bool handing_over;
  struct config *config, *next_config; /* made from them */
  const char *said[NAMES];             /* the last state of each, or NULL */
  /* Graph: what each tenant shows of each name; "" for nothing. */
  struct {
    char session[64], preferred[64];
    int64_t session_until_ms;
  } shown[TENANTS][NAMES];
  int64_t sent_ms[TENANTS][BUDGET]; /* the latest ones */
  size_t sent[TENANTS];
  size_t seen;  /* of graph.exchanges; the note of one says whether Graph has done it, and the answer is to come */
  bool patient; /* hand-overs wait until all is cleared */
  bool wild;    /* names share users, and events name accounts; what is shown in the end is not foretold */
  uint32_t generation;
} storm;

static uint32_t chance_state;
static bool calm;
static int only_seed = -1;

static uint32_t chance(uint32_t below)
{
  chance_state ^= chance_state << 13;
  chance_state ^= chance_state >> 17;
  chance_state ^= chance_state << 5;
  return chance_state % below;
}

/* ---- configurations */

static void draw(struct drawn *drawn)
{
  bool any = false;
  for (int i = 0; i < ACCOUNTS; i++)
    drawn->tenant_of[i] = chance(4) == 0 ? -1 : chance(2) == 0 ? i : (int)chance(TENANTS);
  for (int i = 0; i < DOMAINS; i++) {
    int account = (int)chance(ACCOUNTS);
    drawn->account_of[i] = drawn->tenant_of[account] < 0 ? -1 : account;
    any = any || drawn->account_of[i] >= 0;
  }
  if (!any) {
    drawn->tenant_of[0] = 0;
    drawn->account_of[0] = 0;
  }
}

static char *numbered(const char *before, int width, int number, const char *behind)
{
  char made[128];
  snprintf(made, sizeof made, "%s%0*d%s", before, width, number, behind);
  return must_strdup(made);
}

/* Accounts that serve nobody are left out, so an index means another account each time. */
static struct config *make_config(const struct drawn *drawn)
{
  struct config *config = must_alloc(sizeof *config);
  *config = (struct config){.connections = (int)(2 + chance(7)), .batch_off = true, .preferred_release_always = true};
  config->accounts = must_alloc(ACCOUNTS * sizeof *config->accounts);
  int first = (int)chance(ACCOUNTS);
  for (int n = 0; n < ACCOUNTS; n++) {
    int i = (first + n) % ACCOUNTS;
    struct config_account account = {
        .id = must_strdup(account_names[i]),
        .client_id = numbered("bbbbbbbb-0000-0000-0000-", 12, drawn->tenant_of[i], ""),
        .tenant_id = numbered("aaaaaaaa-0000-0000-0000-", 12, drawn->tenant_of[i], ""),
        .authority = numbered("https://login", 1, drawn->tenant_of[i], ".example"),
        .graph = numbered("https://graph", 1, drawn->tenant_of[i], ".example"),
        .requests_per_30_seconds = BUDGET,
        .lookups_per_10_seconds = 500,
        .lease_ms = CLOCK_HOUR};
    account.domains = must_alloc(DOMAINS * sizeof(char *));
    for (int d = 0; d < DOMAINS; d++)
      if (drawn->account_of[d] == i)
        account.domains[account.domain_count++] = must_strdup(domain_names[d]);
    if (account.domain_count > 0) {
      config->accounts[config->account_count++] = account;
      continue;
    }
    free(account.id), free(account.client_id), free(account.tenant_id), free(account.authority);
    free(account.graph), free(account.domains);
  }
  return config;
}

static void free_config(struct config *config)
{
  if (config == NULL)
    return;
  config_release(config);
  free(config);
}

/* Killed, and started again on the configuration that ran. */
static void start_again(void)
{
  storm.seen = 0;
  storm.handing_over = false;
  world.configured = storm.config;
  restart();
}

static void begin_change(void)
{
  struct config *before = storm.next_config;
  draw(&storm.next);
  storm.next_config = make_config(&storm.next);
  storm.handing_over = true;
  service_hand_over(world.service, storm.next_config);
  free_config(before);
}

static void apply(const struct exchange *exchange, int tenant);

/* Requests that nobody waits for any more do not overtake later ones: they have arrived by now. */
static void let_arrive(void)
{
  for (size_t i = 0; i < graph.sent; i++) {
    struct exchange *exchange = graph.exchanges[i];
    if (!exchange->open || exchange->note != 0 || strstr(exchange->line, "/presence/") == NULL)
      continue;
    exchange->note = 1;
    apply(exchange, exchange->url[strlen("https://graph")] - '0');
  }
}

static void end_change(void)
{
  if (service_handing_over(world.service) > 0)
    let_arrive();
  struct config *before = storm.config;
  storm.config = storm.next_config;
  storm.next_config = NULL;
  storm.running = storm.next;
  storm.handing_over = false;
  world.configured = storm.config;
  world_configure(&world, before, ++storm.generation);
  free_config(before);
}

/* ---- the tenants */

static void name_of(int index, char to[64])
{
  snprintf(to, 64, "u%d@%s", index, suffixes[index % DOMAINS]);
}

static int tenant_in(const char *url)
{
  const char *host = strstr(url, "https://");
  host += strlen("https://") + strlen("graph"); /* or login: as long */
  return *host - '0';
}

/* Every user has another id in every tenant; the last digits tell both. */
static void respond_lookup(struct exchange *exchange, int tenant)
{
  char name[64], line[128], body[128];
  for (int i = 0; i < NAMES; i++) {
    name_of(i, name);
    *strchr(name, '@') = '\0';
    snprintf(line, sizeof line, "GET /users/%s%%40%s", name, suffixes[i % DOMAINS]);
    if (strcmp(line, exchange->line) != 0)
      continue;
    snprintf(
        body, sizeof body, "{\"id\":\"cccccccc-0000-0000-%04d-%012d\"}", tenant, storm.wild ? (i + tenant) % 4 : i);
    reply_with(exchange, 200, "", body);
    return;
  }
  fail_msg("nobody's name: %s", exchange->line);
}

static int64_t duration_in(const char *line)
{
  const char *at = strstr(line, " PT");
  int64_t duration_ms = 0;
  for (at = at == NULL ? "" : at + 3; *at >= '0' && *at <= '9';) {
    char *unit;
    int64_t number = strtoll(at, &unit, 10);
    duration_ms += number * (*unit == 'H' ? CLOCK_HOUR : *unit == 'M' ? CLOCK_MINUTE : CLOCK_SECOND);
    at = unit + 1;
  }
  return duration_ms;
}

static bool is(const char *action, size_t length, const char *name)
{
  return strlen(name) == length && strncmp(action, name, length) == 0;
}

static void apply(const struct exchange *exchange, int tenant)
{
  /* "POST /users/cccccccc-0000-0000-TTTT-NNNNNNNNNNNN/presence/ACTION PAIR DURATION" */
  const char *id = exchange->line + strlen("POST /users/");
  int in_tenant = (int)strtol(id + 19, NULL, 10), index = (int)strtol(id + 24, NULL, 10);
  const char *action = id + 36 + strlen("/presence/"), *pair = strchr(action, ' ');
  size_t length = strcspn(action, " ");
  assert_int_equal(in_tenant, tenant); /* never the id of another tenant */
  char *session = storm.shown[tenant][index].session, *preferred = storm.shown[tenant][index].preferred;
  if (is(action, length, "setPresence")) {
    snprintf(session, 64, "%.30s", pair + 1);
    storm.shown[tenant][index].session_until_ms = now() + duration_in(exchange->line);
  } else if (is(action, length, "clearPresence")) {
    *session = '\0';
  } else if (is(action, length, "setUserPreferredPresence")) {
    snprintf(preferred, 64, "%.30s", pair + 1);
  } else if (is(action, length, "clearUserPreferredPresence")) {
    *preferred = '\0';
  } else {
    fail_msg("not expected: %s", exchange->line);
  }
}

static void respond_token(struct exchange *exchange, int tenant)
{
  char body[128];
  uint32_t luck = calm ? 99 : chance(100);
  if (luck < 10 || (luck < 14 && storm.patient)) {
    reply_with(exchange, luck % 2 == 0 ? 503 : 0, "", "");
  } else if (luck < 14) {
    reply_with(exchange, 401, "", "{\"error\":\"invalid_client\"}");
  } else {
    snprintf(body, sizeof body, "{\"access_token\":\"token-of-%d\",\"expires_in\":%u}", tenant, 600 + chance(3000));
    reply_with(exchange, 200, "", body);
  }
}

static void respond(struct exchange *exchange)
{
  int tenant = tenant_in(exchange->url);
  char bearer[32];
  if (strcmp(exchange->line, "POST token") == 0) {
    respond_token(exchange, tenant);
    return;
  }
  snprintf(bearer, sizeof bearer, "token-of-%d", tenant);
  assert_string_equal(exchange->bearer, bearer);
  uint32_t luck = calm ? 99 : chance(100);
  bool done = exchange->note != 0;
  bool lookup = str_starts(exchange->line, "GET");
  if (done)
    reply_with(exchange, luck < 14 ? 0 : 200, "", "");
  else if (luck < 4)
    reply_with(exchange, 429, luck < 2 ? "3" : "", "");
  else if (luck < 7)
    reply_with(exchange, 503, "", "");
  else if (luck < 8)
    reply_with(exchange, 401, "", "");
  else if (luck < 11 && !storm.patient)
    reply_with(exchange, luck == 8 ? 403 : luck == 9 ? 400 : 404, "", "");
  else if (lookup)
    respond_lookup(exchange, tenant);
  else {
    bool arrives = luck >= 14 || chance(2) == 0;
    if (arrives)
      apply(exchange, tenant);
    reply_with(exchange, luck < 14 ? 0 : 200, "", "");
  }
}

static bool respond_to_one(bool any)
{
  for (size_t i = 0; i < graph.sent; i++)
    if (graph.exchanges[i]->open && (any || chance(2) == 0)) {
      respond(graph.exchanges[i]);
      return true;
    }
  return false;
}

/* What has gone out since the last look, against the budget of its registration: whatever became of the accounts. */
static void count_requests(void)
{
  for (; storm.seen < graph.sent; storm.seen++) {
    const struct exchange *exchange = graph.exchanges[storm.seen];
    if (strstr(exchange->line, "/presence/") == NULL)
      continue;
    int tenant = tenant_in(exchange->url);
    int64_t *oldest = &storm.sent_ms[tenant][storm.sent[tenant]++ % BUDGET];
    if (*oldest != 0 && now() - *oldest < WINDOW_MS)
      fail_msg("tenant %d: more than %d requests in 30 s", tenant, BUDGET);
    *oldest = now();
  }
  compact();
  if (graph.sent == 0)
    storm.seen = 0;
}

/* ---- the storm */

static void some_event(void)
{
  static const char *const states[] = {"Ready", "Talking", "LoggedOff", "NotReady"};
  char json[300], name[64];
  int who = (int)chance(NAMES);
  uint32_t kind = chance(COUNT_OF(states));
  name_of(who, name);
  storm.said[who] = states[kind];
  const char *account = storm.wild && chance(3) == 0 ? chance(3) == 0 ? "nobody" : account_names[chance(ACCOUNTS)] : "";
  snprintf(
      json, sizeof json, "{\"agent\":\"%s\",\"state\":\"%s\",\"reason\":\"%s\",\"ucc\":\"%u\"%s%s%s}", name,
      states[kind], kind == 3 ? "LUNCH" : "", storm.wild ? chance(2) : 0, *account == '\0' ? "" : ",\"account\":\"",
      account, *account == '\0' ? "" : "\"");
  give(json);
}

static void step(void)
{
  uint32_t what = chance(100);
  if (what < 25) {
    some_event();
  } else if (what < 75) {
    (void)respond_to_one(false);
  } else if (what < 93) {
    if (world.clock.wake_at_ms != CLOCK_NEVER && world.clock.wake_at_ms > now() && chance(10) > 0)
      world_clock_wake(&world.clock);
    else
      later(chance(60000));
  } else if (what < 96) {
    begin_change();
  } else if (what < 97 && chance(3) == 0) {
    storm.handing_over = false;
    service_hand_over(world.service, NULL);
  } else if (what < 98) {
    start_again();
  }
  if (storm.handing_over && (service_handing_over(world.service) == 0 || (!storm.patient && chance(30) == 0)))
    end_change();
  turn();
  assert_true(world.clock.wake_at_ms > now()); /* it would spin */
}

/* An account that was refused a token asks again within 10 minutes. */
static bool is_busy(void)
{
  struct service_rest rest = service_rest(world.service);
  return rest.busy || rest.refused;
}

static void come_to_rest(int seed)
{
  size_t count;
  (void)service_resync(world.service, NULL, &count);
  turn();
  int64_t until = now() + 12 * CLOCK_HOUR;
  while ((is_busy() || storm.handing_over) && now() < until) {
    while (respond_to_one(true))
      count_requests();
    if (storm.handing_over && service_handing_over(world.service) == 0)
      end_change();
    else
      world_clock_wake(&world.clock);
    turn();
    count_requests();
  }
  if (is_busy())
    fail_msg("does not come to rest: run test_service_accounts %d", seed);
}

/* Twice: a lookup that was still to come may have parked somebody, after a 404 from before. */
static void calm_down(int seed)
{
  calm = true;
  come_to_rest(seed);
  come_to_rest(seed);
}

static const char *session_of(int tenant, int index)
{
  return storm.shown[tenant][index].session_until_ms > now() ? storm.shown[tenant][index].session : "";
}

/* Each name in each tenant: what it said where it is served, nothing elsewhere. */
static void check_shown(int seed)
{
  for (int i = 0; i < NAMES; i++) {
    int account = storm.running.account_of[i % DOMAINS];
    if (account < 0)
      account = storm.running.account_of[DOMAINS - 1]; /* that of "*" */
    int tenant = account < 0 ? -1 : storm.running.tenant_of[account];
    const char *said = storm.said[i] == NULL ? "LoggedOff" : storm.said[i];
    const char *session = strcmp(said, "Ready") == 0      ? "Available Available"
                          : strcmp(said, "Talking") == 0  ? "Busy InACall"
                          : strcmp(said, "NotReady") == 0 ? "Away Away"
                                                          : "";
    const char *preferred = strcmp(said, "NotReady") == 0 ? "BeRightBack BeRightBack" : "";
    for (int t = 0; t < TENANTS; t++) {
      bool here = t == tenant;
      if (!here && !storm.patient) /* it may have been left behind */
        continue;
      if (!str_starts(session_of(t, i), here ? session : "") || (!here && *session_of(t, i) != '\0') ||
          !str_starts(storm.shown[t][i].preferred, here ? preferred : "") ||
          (!here && *storm.shown[t][i].preferred != '\0'))
        fail_msg(
            "u%d said %s, is served by tenant %d, and tenant %d shows \"%s\" \"%s\": run test_service_accounts %d", i,
            said, tenant, t, session_of(t, i), storm.shown[t][i].preferred, seed);
    }
  }
}

static void blow(int seed)
{
  chance_state = 2463534242u + (uint32_t)seed * 7919u;
  memset(&storm, 0, sizeof storm);
  calm = false;
  storm.patient = seed % 2 == 0;
  storm.wild = seed % 4 == 3;
  storm.generation = 1;
  for (int i = 1; i < ACCOUNTS; i++) {
    world.rulesets[i] = world.rulesets[0];
    wiped_set(&world.credentials[i].secret, "secret", 6);
  }
  draw(&storm.running);
  storm.config = make_config(&storm.running);
  start_again();
  for (int i = 0; i < STEPS; i++) {
    while (graph.sent > EXCHANGES_MAX - 64 && respond_to_one(true))
      count_requests();
    step();
    count_requests();
  }
  calm_down(seed);
  if (!storm.wild)
    check_shown(seed);
  start_again(); /* and the state file says the same */
  calm_down(seed);
  if (!storm.wild)
    check_shown(seed);
  world_stop(&world);
  free_config(storm.config);
  free_config(storm.next_config);
}

static void test_storm(void **s)
{
  int first = only_seed >= 0 ? only_seed : 0, end = only_seed >= 0 ? only_seed + 1 : SEEDS;
  for (int seed = first; seed < end; seed++) {
    assert_int_equal(set_up(s), 0);
    blow(seed);
    assert_int_equal(tear_down(s), 0);
  }
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_storm)};
  if (argc > 1 && *argv[1] >= '0' && *argv[1] <= '9') {
    only_seed = (int)strtol(argv[1], NULL, 10);
    argc--;
    argv++;
  }
  return cases_run(argc, argv, tests, NULL, NULL);
}
