/* The clock, what happens next, and the daemon's life. */
#include "adapters/json.h"
#include "base/log.h"
#include "base/str.h"
#include "sim.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#define TURNS_WITHOUT_TIME 10000 /* more turns at one moment: it spins */

int64_t sim_true_now(const struct sim *sim)
{
  return SIM_START + sim->steady_ms;
}

int64_t sim_wall_now(const struct sim *sim)
{
  return sim_true_now(sim) + sim->offset_ms;
}

uint32_t sim_roll(struct sim *sim, uint32_t below)
{
  return (uint32_t)(seed_next(&sim->seed) % below);
}

bool sim_chance(struct sim *sim, double probability)
{
  return seed_unit(&sim->seed) < probability;
}

/* Of each account. Two are one app registration, and share its budget. */
static const int tenant_of[SIM_ACCOUNTS] = {0, 1, 0};

struct sim_tenant *sim_tenant_of(struct sim *sim, size_t name)
{
  return &sim->tenants[tenant_of[sim_account_of(name)]];
}

void sim_say(struct sim *sim, const char *format, ...)
{
  char line[1024];
  int length = snprintf(line, sizeof line, "%12.3f ", (double)sim->steady_ms / 1000);
  va_list args;
  va_start(args, format);
  vsnprintf(line + length, sizeof line - (size_t)length, format, args);
  va_end(args);
  sim->hash = str_hash(line, strlen(line), sim->hash);
  if (sim->options.trace)
    puts(line);
}

void sim_fail(struct sim *sim, const char *format, ...)
{
  if (sim->failed)
    return;
  va_list args;
  va_start(args, format);
  vsnprintf(sim->why, sizeof sim->why, format, args);
  va_end(args);
  sim->failed = true;
  sim_say(sim, "VIOLATION: %s", sim->why);
}

void sim_at(struct sim *sim, struct happening *happening, int64_t steady_ms)
{
  heap_put(&sim->queue, &happening->due, steady_ms > sim->steady_ms ? steady_ms : sim->steady_ms);
}

/* ---- ports of the daemon */

static void port_wake_at(void *context, int64_t at_ms)
{
  ((struct sim *)context)->wake_at_ms = at_ms;
}

static int64_t port_now(void *context)
{
  return sim_wall_now(context);
}

static int64_t port_steady(void *context)
{
  return ((struct sim *)context)->steady_ms + 1;
}

static void port_random(void *context, void *bytes, size_t length)
{
  struct sim *sim = context;
  for (size_t i = 0; i < length; i++)
    ((unsigned char *)bytes)[i] = (unsigned char)seed_next(&sim->seed);
}

/* ---- the daemon's life */

static struct ruleset *load_rules(uint32_t generation)
{
  struct err err = ERR_INIT;
  struct rules_limits limits = {10000, 60000, (size_t)64 << 20, (size_t)64 << 20};
  static const char *const paths[] = {
      RULES_DIR "/third.lua", RULES_DIR "/first.lua", RULES_DIR "/second.lua", RULES_DIR "/first.lua"};
  const char *path = paths[generation % COUNT_OF(paths)];
  struct ruleset *ruleset = ruleset_load(path, &limits, generation, &err);
  if (ruleset == NULL) {
    fprintf(stderr, "sim: %s\n", err.text);
    abort();
  }
  return ruleset;
}

/* A downtime is never taken for longer than it was, and exactly after an end in good order. */
static void check_alive(struct sim *sim, int64_t alive_ms)
{
  if (sim->ended ? alive_ms != sim->ran_ms : alive_ms < sim->ran_ms)
    sim_fail(sim, "the daemon ran until %lld ms after what the state file says", (long long)(sim->ran_ms - alive_ms));
  sim->ended = false;
}

void world_start(struct sim *sim)
{
  struct err err = ERR_INIT;
  for (size_t i = 0; i < SIM_ACCOUNTS; i++)
    sim->account_ids[i] = sim->accounts[i].id;
  disk_fail_after(-1, 0);
  sim->store = store_open(sim->state, sim->account_ids, SIM_ACCOUNTS, &err);
  if (sim->store == NULL) {
    sim_fail(sim, "the state file cannot be opened: %s", err.text);
    return;
  }
  struct service_setup setup = {
      .config = &sim->config,
      .secrets = sim->secrets,
      .rulesets = sim->rulesets,
      .store = sim->store,
      .json = sim->json};
  network_ports(sim, &setup.ports);
  setup.ports.wake_at = port_wake_at;
  setup.ports.now = port_now;
  setup.ports.random = port_random;
  setup.ports.steady = port_steady;
  sim_say(sim, "the daemon starts");
  check_alive(sim, store_alive(sim->store));
  oracle_resume(sim, store_alive(sim->store));
  sim->service = service_new(&setup);
  sim->restarts++;
  service_start(sim->service);
  oracle_decide_again(sim);
  oracle_saved(sim);
  sim->wake_at_ms = 0;
}

static void on_restart(struct sim *sim, struct happening *happening UNUSED)
{
  if (sim->service == NULL)
    world_start(sim);
}

/* What the last turns did is in the file. */
static void note_saved(struct sim *sim)
{
  oracle_saved(sim);
  sim->ran_ms = sim_wall_now(sim);
  for (size_t i = 0; i < SIM_TENANTS; i++) {
    struct sim_tenant *tenant = &sim->tenants[i];
    if (tenant->gate_unsaved_ms > tenant->gate_ms)
      tenant->gate_ms = tenant->gate_unsaved_ms;
    tenant->gate_unsaved_ms = 0;
  }
}

void world_crash(struct sim *sim, const char *how)
{
  if (sim->service == NULL)
    return;
  /* Every run has a folder of its own, and is the same run. */
  sim_say(sim, "the daemon dies: %s", str_starts(how, sim->folder) ? how + strlen(sim->folder) : how);
  sim->crashes++;
  service_free(sim->service);
  store_close(sim->store);
  sim->service = NULL;
  sim->store = NULL;
  network_cut(sim);
  oracle_undo(sim);
  check_crash(sim);
  sim->restart.happen = on_restart;
  sim_at(sim, &sim->restart, sim->steady_ms + 200 + sim_roll(sim, sim_chance(sim, 0.8) ? 10000 : 3600000));
}

void world_end(struct sim *sim)
{
  struct err err = ERR_INIT;
  if (sim->service == NULL)
    return;
  if (!service_end(sim->service, &err)) {
    world_crash(sim, err.text);
    return;
  }
  note_saved(sim);
  sim->ended = true;
  world_crash(sim, "it ends in good order");
}

void world_reload(struct sim *sim)
{
  sim->generation++;
  sim->reloads++;
  sim_say(sim, "generation %" PRIu32, sim->generation);
  sim->before_reload = sim->oracle;
  sim->turns_since_reload = 0;
  for (size_t i = 0; i < SIM_ACCOUNTS; i++) {
    ruleset_free(sim->rulesets[i]);
    sim->rulesets[i] = load_rules(sim->generation);
  }
  sim->oracle.anchors = ruleset_anchors(sim->rulesets[0]);
  check_unconfirm(sim);
  if (sim->service == NULL)
    return; /* it decides everything again when it starts */
  if (sim->options.plant != PLANT_OLD_RULES)
    service_rules_changed(sim->service, sim->generation);
  oracle_decide_again(sim);
}

static bool write_late(struct sim *sim, struct err *err)
{
  store_set_alive(sim->store, sim_wall_now(sim));
  return store_commit(sim->store, sim_wall_now(sim), err);
}

/* True: the turn is over and what it did is saved. */
static bool turn(struct sim *sim)
{
  struct err err = ERR_INIT;
  oracle_pass(sim);
  sim->in_turn = true;
  bool saved = service_turn(sim->service, &err);
  if (saved && sim->options.plant == PLANT_LATE)
    saved = write_late(sim, &err);
  check_turn(sim);
  if (!saved) {
    world_crash(sim, err.text);
    return false;
  }
  note_saved(sim);
  sim->turns_since_reload++;
  check_saved(sim);
  return true;
}

static int64_t wake_steady(const struct sim *sim)
{
  if (sim->service == NULL || sim->wake_at_ms == CLOCK_NEVER)
    return CLOCK_NEVER;
  return sim->wake_at_ms - SIM_START - sim->offset_ms;
}

/* The next moment at which anything happens, and all of it. False: that lies beyond `until`. */
static bool step(struct sim *sim, int64_t until_ms)
{
  const struct heap_node *first = heap_first(&sim->queue);
  int64_t next = first == NULL ? CLOCK_NEVER : first->at_ms, wake = wake_steady(sim);
  if (wake < next)
    next = wake;
  if (next > until_ms || sim->failed)
    return false;
  if (next > sim->steady_ms)
    sim->steady_ms = next;
  bool any = wake <= sim->steady_ms;
  for (struct heap_node *node;
       (node = heap_first(&sim->queue)) != NULL && node->at_ms <= sim->steady_ms && !sim->failed; any = true) {
    heap_remove(&sim->queue, node);
    struct happening *happening = LIST_ENTRY(node, struct happening, due);
    happening->happen(sim, happening);
  }
  if (any && sim->service != NULL && !sim->failed)
    (void)turn(sim);
  return true;
}

static void check_spin(struct sim *sim, int64_t *moment, int *steps)
{
  *steps = *moment == sim->steady_ms ? *steps + 1 : 0;
  *moment = sim->steady_ms;
  if (*steps > TURNS_WITHOUT_TIME)
    sim_fail(sim, "the daemon spins: %d turns at one moment", *steps);
}

void world_pass(struct sim *sim, int64_t ms)
{
  int64_t until_ms = sim->steady_ms + ms, moment = 0;
  int steps = 0;
  while (step(sim, until_ms))
    check_spin(sim, &moment, &steps);
  if (!sim->failed)
    sim->steady_ms = until_ms;
}

bool world_rest(struct sim *sim, int64_t within_ms)
{
  int64_t until_ms = sim->steady_ms + within_ms, moment = 0;
  int steps = 0;
  while (!sim->failed && (sim->service == NULL || service_rest(sim->service).differ > 0)) {
    if (!step(sim, until_ms))
      return false;
    check_spin(sim, &moment, &steps);
  }
  return !sim->failed;
}

/* ---- one run */

static void make_accounts(struct sim *sim)
{
  static char *domains[SIM_ACCOUNTS][1] = {{(char *)"a.example"}, {(char *)"b.example"}, {(char *)"c.example"}};
  static const int budgets[] = {15, 30, 60, 300, 1500};
  int limits[SIM_TENANTS] = {budgets[sim_roll(sim, COUNT_OF(budgets))], budgets[sim_roll(sim, COUNT_OF(budgets))]};
  for (size_t i = 0; i < SIM_TENANTS; i++) {
    struct sim_tenant *tenant = &sim->tenants[i];
    struct tenant_setup setup = {
        .token_life_s = sim_chance(sim, 0.3) ? 600 : 3599,
        .requests_per_30s = sim->options.plant == PLANT_BUDGET ? limits[i] / 2 : limits[i],
        .presence_role = true,
        .user_role = true,
        .on_visit = check_visit,
        .context = tenant};
    tenant->sim = sim;
    snprintf(tenant->host, sizeof tenant->host, "https://tenant%zu.example", i);
    must(str_copy(setup.address, sizeof setup.address, tenant->host));
    seed_guid(i, "client", setup.client_id);
    seed_guid(i, "tenant", setup.tenant_id);
    must(str_copy(setup.secret, sizeof setup.secret, "secret"));
    tenant_init(&tenant->tenant, &setup, sim->tenant_json, seed_next(&sim->seed));
    tenant->latency_ms = 100;
  }
  for (size_t i = 0; i < SIM_ACCOUNTS; i++) {
    struct sim_tenant *tenant = &sim->tenants[tenant_of[i]];
    sim->accounts[i] = (struct config_account){
        .id = domains[i][0],
        .client_id = tenant->tenant.setup.client_id,
        .tenant_id = tenant->tenant.setup.tenant_id,
        .domains = domains[i],
        .domain_count = 1,
        .authority = tenant->host,
        .graph = tenant->host,
        .requests_per_30_seconds = limits[tenant_of[i]],
        .lookups_per_10_seconds = 500,
        .lease_ms = sim_chance(sim, 0.5) ? CLOCK_HOUR : 10 * CLOCK_MINUTE};
    sim->leases_ms[i] = sim->accounts[i].lease_ms;
    if (sim->options.plant == PLANT_LEASE)
      sim->accounts[i].lease_ms *= 2;
    wiped_set(&sim->secrets[i], "secret", 6);
  }
  for (size_t i = 0; i < SIM_NAMES; i++) {
    char id[SEED_GUID_SIZE];
    seed_guid(sim->number, sim_name(i), id);
    directory_add(sim_tenant_of(sim, i)->tenant.directory, sim_name(i), id);
  }
}

static bool begin(struct sim *sim)
{
  struct err err = ERR_INIT;
  snprintf(sim->folder, sizeof sim->folder, "/tmp/presenced-sim.XXXXXX");
  must(mkdtemp(sim->folder) != NULL);
  snprintf(sim->state, sizeof sim->state, "%s/state.db", sim->folder);
  sim->json = json_new(&err);
  sim->tenant_json = json_new(&err);
  must(sim->json != NULL && sim->tenant_json != NULL);
  list_init(&sim->exchanges);
  sim->generation = 1;
  for (size_t i = 0; i < SIM_ACCOUNTS; i++)
    sim->rulesets[i] = load_rules(1);
  make_accounts(sim);
  sim->config = (struct config){
      .accounts = sim->accounts,
      .account_count = SIM_ACCOUNTS,
      .connections = 1 + (int)sim_roll(sim, 32),
      .batch_off = sim_chance(sim, 0.3),
      .preferred_release_always = sim->options.plant == PLANT_CHOICE,
      .request_timeout_ms = sim_chance(sim, 0.2) ? 5 * CLOCK_MINUTE : 30 * CLOCK_SECOND,
      .resume_within_ms = (sim->troubles & TROUBLE_RESUME) != 0 ? 10 * CLOCK_MINUTE : 0};
  world_start(sim);
  return !sim->failed;
}

/* What the daemon itself would say of it. */
static void tell_status(struct sim *sim)
{
  struct values values = {0};
  struct buf text;
  buf_init(&text, (size_t)16 << 20);
  if (sim->service != NULL)
    json_write_pretty(&text, service_status(sim->service, true, &values));
  puts(buf_text(&text));
  buf_release(&text);
  values_release(&values);
}

static void end(struct sim *sim)
{
  disk_fail_after(-1, 0);
  service_free(sim->service);
  store_close(sim->store);
  network_cut(sim);
  for (size_t i = 0; i < SIM_ACCOUNTS; i++) {
    ruleset_free(sim->rulesets[i]);
    wiped_release(&sim->secrets[i]);
  }
  for (size_t i = 0; i < SIM_TENANTS; i++)
    tenant_release(&sim->tenants[i].tenant);
  json_free(sim->json);
  json_free(sim->tenant_json);
  heap_release(&sim->queue);
  free(sim->undo);
  disk_clear();
  (void)unlink(sim->state); /* made by hand, for its mode, before SQLite opens it */
  (void)rmdir(sim->folder);
}

bool sim_run(struct sim *sim, uint64_t number, const struct sim_options *options)
{
  *sim = (struct sim){.number = number, .seed = {number * UINT64_C(0x9e3779b97f4a7c15) + 1}, .options = *options};
  for (int i = 0; i < TROUBLES; i++)
    sim->troubles |= sim_chance(sim, 0.4) ? 1u << i : 0;
  if (begin(sim)) {
    weather_begin(sim);
    world_pass(sim, (int64_t)(1 + sim_roll(sim, 6)) * CLOCK_HOUR);
    weather_end(sim);
    check_end(sim);
  }
  if (sim->failed && options->trace)
    tell_status(sim);
  end(sim);
  return !sim->failed;
}
