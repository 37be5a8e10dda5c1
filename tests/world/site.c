/* A host for one daemon: a folder, a configuration, rules and a state file, and the daemon's start, turns and end. What
 * cannot go wrong here ends the program when it does. */
#include "adapters/json.h"
#include "base/str.h"
#include "world/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char secret[] = "secret";

void world_init(struct world *world, const char *name, int64_t start_ms, uint64_t seed)
{
  struct err err = ERR_INIT;
  *world = (struct world){
      .clock = {.start_ms = start_ms, .wake_at_ms = CLOCK_NEVER},
      .seed = {seed},
      .config = {.accounts = world->accounts}};
  world->configured = &world->config;
  network_init(&world->network, &world->clock);
  snprintf(world->folder, sizeof world->folder, "/tmp/presenced-%.20s.XXXXXX", name);
  must(mkdtemp(world->folder) != NULL);
  snprintf(world->state, sizeof world->state, "%s/state.db", world->folder);
  snprintf(world->rules, sizeof world->rules, "%s/rules.lua", world->folder);
  world->json = json_new(&err);
  must(world->json != NULL);
}

static void drop_rules(struct world *world)
{
  for (size_t i = 0; i < WORLD_ACCOUNTS; i++) {
    struct ruleset *ruleset = world->rulesets[i];
    for (size_t j = i; j < WORLD_ACCOUNTS; j++)
      if (world->rulesets[j] == ruleset)
        world->rulesets[j] = NULL;
    ruleset_free(ruleset);
  }
}

void world_release(struct world *world)
{
  static const char *const suffixes[] = {"", "-wal", "-shm"};
  world_stop(world);
  network_release(&world->network);
  world_clock_release(&world->clock);
  drop_rules(world);
  for (size_t i = 0; i < WORLD_ACCOUNTS; i++)
    credential_release(&world->credentials[i]);
  for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
    char file[WORLD_PATH_SIZE + 8];
    snprintf(file, sizeof file, "%s%s", world->state, suffixes[i]);
    (void)unlink(file);
  }
  (void)unlink(world->rules);
  must(rmdir(world->folder) == 0);
  json_free(world->json);
  world->json = NULL;
}

/* ---- configuration */

struct config_account *world_account(struct world *world, const char *id)
{
  must(world->config.account_count < WORLD_ACCOUNTS);
  size_t index = world->config.account_count++;
  char **domains = world->domains[index];
  domains[0] = (char *)id;
  struct config_account *account = &world->accounts[index];
  *account = (struct config_account){
      .id = (char *)id,
      .client_id = (char *)"bbbbbbbb-0000-0000-0000-000000000002",
      .tenant_id = (char *)"aaaaaaaa-0000-0000-0000-000000000001",
      .domains = domains,
      .domain_count = 1,
      .authority = (char *)"https://login.example",
      .graph = (char *)"https://graph.example",
      .requests_per_30_seconds = 1500,
      .lookups_per_10_seconds = 500,
      .lease_ms = CLOCK_HOUR};
  wiped_set(&world->credentials[index].secret, secret, strlen(secret));
  return account;
}

void world_tenant_setup(struct tenant_setup *setup, uint64_t number, const char *address)
{
  must(str_copy(setup->address, sizeof setup->address, address));
  must(str_copy(setup->secret, sizeof setup->secret, secret));
  seed_guid(number, "client", setup->client_id);
  seed_guid(number, "tenant", setup->tenant_id);
  setup->presence_role = setup->user_role = true;
}

static void connect(struct network *network, struct tenant *tenant)
{
  size_t place = 0;
  while (place < NETWORK_TENANTS_MAX && network->tenants[place] != NULL && network->tenants[place] != tenant)
    place++;
  must(place < NETWORK_TENANTS_MAX);
  network->tenants[place] = tenant;
}

struct config_account *world_account_of(struct world *world, const char *id, struct tenant *tenant)
{
  struct config_account *account = world_account(world, id);
  account->client_id = tenant->setup.client_id;
  account->tenant_id = tenant->setup.tenant_id;
  account->authority = account->graph = tenant->setup.address;
  account->requests_per_30_seconds = tenant->setup.requests_per_30s;
  connect(&world->network, tenant);
  return account;
}

/* ---- rules */

bool world_load_rules(struct world *world, const char *path, uint32_t generation, struct err *err)
{
  const struct rules_limits limits = {10000, 60000, (size_t)64 << 20, (size_t)64 << 20};
  drop_rules(world);
  for (size_t i = 0; i < world->config.account_count; i++)
    if ((world->rulesets[i] = ruleset_load(path, &limits, generation, err)) == NULL)
      return false;
  return true;
}

bool world_take_rules(struct world *world, const char *text, uint32_t generation, struct err *err)
{
  FILE *file = fopen(world->rules, "w");
  must(file != NULL);
  must(fputs(text, file) >= 0 && fclose(file) == 0);
  return world_load_rules(world, world->rules, generation, err);
}

/* ---- the daemon */

bool world_open_store(struct world *world, struct err *err)
{
  const char *ids[WORLD_ACCOUNTS];
  must(world->configured->account_count <= WORLD_ACCOUNTS);
  for (size_t i = 0; i < world->configured->account_count; i++)
    ids[i] = world->configured->accounts[i].id;
  world->store = store_open(world->state, ids, world->configured->account_count, err);
  return world->store != NULL;
}

void world_start_service(struct world *world)
{
  struct service_setup setup = world_setup(world);
  world->service = service_new(&setup);
  service_start(world->service);
  world->clock.wake_at_ms = 0; /* its first turn is due */
}

bool world_start(struct world *world, struct err *err)
{
  if (!world_open_store(world, err))
    return false;
  world_start_service(world);
  return true;
}

void world_stop(struct world *world)
{
  service_free(world->service);
  store_close(world->store);
  world->service = NULL;
  world->store = NULL;
  world->held_done = NULL;
  world->clock.wake_at_ms = CLOCK_NEVER;
}

/* What came of the commit, as the daemon was told. */
static bool commit_result(const struct world *world, struct err *err)
{
  must(world->saved || world->failure.kind != ERR_NONE || world->held_done != NULL);
  if (world->failure.kind == ERR_NONE)
    return true;
  *err = world->failure;
  return false;
}

bool world_turn(struct world *world, struct err *err)
{
  world->saved = false;
  world->failure = (struct err)ERR_INIT;
  service_turn(world->service);
  return commit_result(world, err);
}

void world_tell_saved(struct world *world)
{
  store_on_commit *on_done = world->held_done;
  must(on_done != NULL);
  world->held_done = NULL;
  on_done(world->held_context, NULL);
}

bool world_end(struct world *world, struct err *err)
{
  world->saved = false;
  world->failure = (struct err)ERR_INIT;
  service_end(world->service);
  return commit_result(world, err);
}

void world_configure(struct world *world, const struct config *before, uint32_t generation)
{
  struct service_setup setup = world_setup(world);
  service_configure(world->service, &setup, before, generation);
}
