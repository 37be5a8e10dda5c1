/* The daemon's life: it starts, takes its turns as time passes, dies, and starts again. And one whole run. */
#include "adapters/json.h"
#include "base/log.h"
#include "base/str.h"
#include "sim.h"
#include "world/disk.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#define TURNS_WITHOUT_TIME 10000 /* more turns at one moment: it spins */

int64_t sim_steady(const struct sim *sim)
{
  return sim->world.clock.steady_ms;
}

int64_t sim_true_now(const struct sim *sim)
{
  return world_clock_true(&sim->world.clock);
}

int64_t sim_wall_now(const struct sim *sim)
{
  return world_clock_wall(&sim->world.clock);
}

uint32_t sim_roll(struct sim *sim, uint32_t below)
{
  return (uint32_t)(seed_next(&sim->world.seed) % below);
}

bool sim_chance(struct sim *sim, double probability)
{
  return seed_unit(&sim->world.seed) < probability;
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
  int length = snprintf(line, sizeof line, "%12.3f ", (double)sim_steady(sim) / 1000);
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
  sim->world.clock.stopped = true;
  sim_say(sim, "VIOLATION: %s", sim->why);
}

void sim_at(struct sim *sim, struct happening *happening, int64_t steady_ms)
{
  world_clock_at(&sim->world.clock, happening, steady_ms);
}

/* ---- the daemon's life */

static void load_rules(struct sim *sim)
{
  static const char *const paths[] = {
      RULES_DIR "/third.lua", RULES_DIR "/first.lua", RULES_DIR "/second.lua", RULES_DIR "/first.lua"};
  struct err err = ERR_INIT;
  if (!world_load_rules(&sim->world, paths[sim->generation % COUNT_OF(paths)], sim->generation, &err)) {
    fprintf(stderr, "sim: %s\n", err.text);
    abort();
  }
}

/* A downtime is never taken for longer than it was, and exactly after an end in good order. */
static void check_alive(struct sim *sim, int64_t alive_ms)
{
  if (sim->ended ? alive_ms != sim->ran_ms : alive_ms < sim->ran_ms)
    sim_fail(sim, "the daemon ran until %lld ms after what the state file says", (long long)(sim->ran_ms - alive_ms));
  sim->ended = false;
}

void life_start(struct sim *sim)
{
  struct err err = ERR_INIT;
  disk_fail_after(-1, 0);
  if (!world_open_store(&sim->world, &err)) {
    sim_fail(sim, "the state file cannot be opened: %s", err.text);
    return;
  }
  sim_say(sim, "the daemon starts");
  check_alive(sim, store_alive(sim->world.store));
  oracle_resume(sim, store_alive(sim->world.store));
  world_start_service(&sim->world);
  sim->restarts++;
  oracle_decide_again(sim);
  oracle_saved(sim);
}

static void on_restart(void *context, struct happening *happening UNUSED)
{
  struct sim *sim = context;
  if (sim->world.service == NULL)
    life_start(sim);
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

void life_crash(struct sim *sim, const char *how)
{
  if (sim->world.service == NULL)
    return;
  /* Every run has a folder of its own, and is the same run. */
  sim_say(sim, "the daemon dies: %s", str_starts(how, sim->world.folder) ? how + strlen(sim->world.folder) : how);
  sim->crashes++;
  world_stop(&sim->world);
  sim_network_cut(sim);
  oracle_undo(sim);
  check_crash(sim);
  sim->restart.happen = on_restart;
  sim_at(sim, &sim->restart, sim_steady(sim) + 200 + sim_roll(sim, sim_chance(sim, 0.8) ? 10000 : 3600000));
}

void life_end(struct sim *sim)
{
  struct err err = ERR_INIT;
  if (sim->world.service == NULL)
    return;
  if (!world_end(&sim->world, &err)) {
    life_crash(sim, err.text);
    return;
  }
  note_saved(sim);
  sim->ended = true;
  life_crash(sim, "it ends in good order");
}

void life_reload(struct sim *sim)
{
  sim->generation++;
  sim->reloads++;
  sim_say(sim, "generation %" PRIu32, sim->generation);
  sim->before_reload = sim->oracle;
  sim->turns_since_reload = 0;
  load_rules(sim);
  sim->oracle.anchors = ruleset_anchors(sim->world.rulesets[0]);
  check_unconfirm(sim);
  if (sim->world.service == NULL)
    return; /* it decides everything again when it starts */
  if (sim->options.plant != PLANT_OLD_RULES)
    service_rules_changed(sim->world.service, sim->generation);
  oracle_decide_again(sim);
}

static void on_late(void *context, const struct err *err)
{
  if (err != NULL)
    *(struct err *)context = *err;
}

static bool write_late(struct sim *sim, struct err *err)
{
  store_set_alive(sim->world.store, sim_wall_now(sim));
  store_commit(sim->world.store, sim_wall_now(sim), on_late, err);
  return err->kind == ERR_NONE;
}

/* True: the turn is over and what it did is saved. */
static bool turn(struct sim *sim)
{
  struct err err = ERR_INIT;
  oracle_pass(sim);
  sim->in_turn = true;
  bool saved = world_turn(&sim->world, &err);
  if (saved && sim->options.plant == PLANT_LATE)
    saved = write_late(sim, &err);
  check_turn(sim);
  if (!saved) {
    life_crash(sim, err.text);
    return false;
  }
  note_saved(sim);
  sim->turns_since_reload++;
  check_saved(sim);
  return true;
}

/* The next moment at which anything happens, and all of it. False: that lies beyond `until`. */
static bool step(struct sim *sim, int64_t until_ms)
{
  struct world_clock *clock = &sim->world.clock;
  if (sim->failed || !world_clock_go(clock, until_ms))
    return false;
  bool any = world_clock_steady_of(clock, clock->wake_at_ms) <= clock->steady_ms;
  any = world_clock_happen(clock) > 0 || any;
  if (any && sim->world.service != NULL && !sim->failed)
    (void)turn(sim);
  return true;
}

static void check_spin(struct sim *sim, int64_t *moment, int *steps)
{
  *steps = *moment == sim_steady(sim) ? *steps + 1 : 0;
  *moment = sim_steady(sim);
  if (*steps > TURNS_WITHOUT_TIME)
    sim_fail(sim, "the daemon spins: %d turns at one moment", *steps);
}

void life_pass(struct sim *sim, int64_t ms)
{
  int64_t until_ms = sim_steady(sim) + ms, moment = 0;
  int steps = 0;
  while (step(sim, until_ms))
    check_spin(sim, &moment, &steps);
  if (!sim->failed)
    sim->world.clock.steady_ms = until_ms;
}

bool life_rest(struct sim *sim, int64_t within_ms)
{
  int64_t until_ms = sim_steady(sim) + within_ms, moment = 0;
  int steps = 0;
  while (!sim->failed && (sim->world.service == NULL || service_rest(sim->world.service).differ > 0)) {
    if (!step(sim, until_ms))
      return false;
    check_spin(sim, &moment, &steps);
  }
  return !sim->failed;
}

/* ---- one run */

static void make_tenants(struct sim *sim, const int limits[SIM_TENANTS])
{
  for (size_t i = 0; i < SIM_TENANTS; i++) {
    struct sim_tenant *tenant = &sim->tenants[i];
    struct tenant_setup setup = {
        .token_life_s = sim_chance(sim, 0.3) ? 600 : 3599,
        .requests_per_30s = sim->options.plant == PLANT_BUDGET ? limits[i] / 2 : limits[i],
        .on_visit = check_visit,
        .context = tenant};
    char address[sizeof setup.address];
    tenant->sim = sim;
    snprintf(address, sizeof address, "https://tenant%zu.example", i);
    world_tenant_setup(&setup, i, address);
    tenant_init(&tenant->tenant, &setup, sim->tenant_json, seed_next(&sim->world.seed));
    tenant->latency_ms = 100;
  }
}

static void make_accounts(struct sim *sim)
{
  static const char *const ids[SIM_ACCOUNTS] = {"a.example", "b.example", "c.example"};
  static const int budgets[] = {15, 30, 60, 300, 1500};
  int limits[SIM_TENANTS] = {budgets[sim_roll(sim, COUNT_OF(budgets))], budgets[sim_roll(sim, COUNT_OF(budgets))]};
  make_tenants(sim, limits);
  for (size_t i = 0; i < SIM_ACCOUNTS; i++) {
    struct config_account *account = world_account_of(&sim->world, ids[i], &sim->tenants[tenant_of[i]].tenant);
    account->requests_per_30_seconds = limits[tenant_of[i]];
    sim->leases_ms[i] = sim_chance(sim, 0.5) ? CLOCK_HOUR : 10 * CLOCK_MINUTE;
    account->lease_ms = sim->options.plant == PLANT_LEASE ? 2 * sim->leases_ms[i] : sim->leases_ms[i];
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
  struct config *config = &sim->world.config;
  sim->tenant_json = json_new(&err);
  must(sim->tenant_json != NULL);
  sim_network_begin(sim);
  make_accounts(sim);
  sim->generation = 1;
  load_rules(sim);
  config->connections = 1 + (int)sim_roll(sim, 32);
  config->batch_off = sim_chance(sim, 0.3);
  config->preferred_release_always = sim->options.plant == PLANT_CHOICE;
  config->request_timeout_ms = sim_chance(sim, 0.2) ? 5 * CLOCK_MINUTE : 30 * CLOCK_SECOND;
  config->resume_within_ms = (sim->troubles & TROUBLE_RESUME) != 0 ? 10 * CLOCK_MINUTE : 0;
  life_start(sim);
  return !sim->failed;
}

/* What the daemon itself would say of it. */
static void tell_status(struct sim *sim)
{
  struct values values = {0};
  struct buf text;
  buf_init(&text, (size_t)16 << 20);
  if (sim->world.service != NULL)
    json_write_pretty(&text, service_status(sim->world.service, true, &values));
  puts(buf_text(&text));
  buf_release(&text);
  values_release(&values);
}

static void end(struct sim *sim)
{
  disk_fail_after(-1, 0);
  world_stop(&sim->world);
  sim_network_cut(sim);
  world_release(&sim->world);
  for (size_t i = 0; i < SIM_TENANTS; i++)
    tenant_release(&sim->tenants[i].tenant);
  json_free(sim->tenant_json);
  free(sim->undo);
  disk_clear();
}

bool sim_run(struct sim *sim, uint64_t number, const struct sim_options *options)
{
  *sim = (struct sim){.number = number, .options = *options};
  world_init(&sim->world, "sim", SIM_START, number * UINT64_C(0x9e3779b97f4a7c15) + 1);
  sim->world.clock.context = sim;
  sim->world.clock.shows_steady = true;
  for (int i = 0; i < TROUBLES; i++)
    sim->troubles |= sim_chance(sim, 0.4) ? 1u << i : 0;
  if (begin(sim)) {
    weather_begin(sim);
    life_pass(sim, (int64_t)(1 + sim_roll(sim, 6)) * CLOCK_HOUR);
    weather_end(sim);
    check_end(sim);
  }
  if (sim->failed && options->trace)
    tell_status(sim);
  end(sim);
  return !sim->failed;
}
