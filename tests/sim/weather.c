/* What contact centres and people do, and what goes wrong. */
#include "base/str.h"
#include "intake/intake.h"
#include "sim.h"
#include "world/disk.h"

#include <sqlite3.h>
#include <string.h>

static struct happening next_event, next_trouble, next_weather;

static bool may(const struct sim *sim, unsigned trouble)
{
  return (sim->troubles & trouble) != 0;
}

/* ---- contact centres */

void weather_event(struct sim *sim, size_t name, size_t ucc, const char *state, const char *reason)
{
  static struct event event;
  event = (struct event){.at_ms = sim_wall_now(sim), .at_given = false};
  must(str_copy(event.agent, sizeof event.agent, sim_name(name)));
  must(str_copy(event.state, sizeof event.state, state));
  must(str_copy(event.reason, sizeof event.reason, reason));
  must(str_copy(event.ucc, sizeof event.ucc, sim_uccs[ucc]));
  if (sim->world.service == NULL)
    return; /* a source that cannot deliver keeps it, and what comes then is newer */
  sim->events++;
  sim_say(sim, "%s from %s: %s %s", event.agent, event.ucc, state, reason);
  if (sim->options.plant != PLANT_LOST_EVENT || sim->events % 50 != 0)
    must(service_event(sim->world.service, &event, false) == SERVICE_ACCEPTED);
  oracle_event(sim, name, ucc, &event);
  check_said(sim, name);
}

/* Older than what the UCC said last: it says nothing, but that the UCC is there. */
static void stale_event(struct sim *sim, size_t name, size_t ucc)
{
  static struct event event;
  const struct voice *voice = &sim->oracle.voices[name][ucc];
  if (sim->world.service == NULL || sim->identities_moved || !voice->spoken || voice->at_ms > sim_wall_now(sim))
    return;
  event = (struct event){.at_ms = voice->at_ms - 1, .at_given = true, .state = "LoggedOff"};
  must(str_copy(event.agent, sizeof event.agent, sim_name(name)));
  must(str_copy(event.ucc, sizeof event.ucc, sim_uccs[ucc]));
  sim_say(sim, "%s from %s: stale", event.agent, event.ucc);
  if (service_event(sim->world.service, &event, false) != SERVICE_STALE)
    sim_fail(sim, "%s: an event older than the last counts", event.agent);
  oracle_hear(sim, ucc);
}

void weather_any_event(struct sim *sim, size_t name, size_t ucc)
{
  static const char *const said[][2] = {
      {"Ready", ""},        {"Ready", ""},         {"Talking", ""},       {"Talking", ""},       {"WrapUp", ""},
      {"Ringing", ""},      {"LoggedOff", ""},     {"NotReady", ""},      {"NotReady", "LUNCH"}, {"NotReady", "LUNCH"},
      {"NotReady", "NOTE"}, {"NotReady", "SHORT"}, {"NotReady", "COACH"}, {"NotReady", "SLOW"}};
  uint32_t which = sim_roll(sim, COUNT_OF(said));
  weather_event(sim, name, ucc, said[which][0], said[which][1]);
}

static void on_event(void *context, struct happening *happening)
{
  struct sim *sim = context;
  if (sim->calm)
    return;
  int count = sim_chance(sim, 0.05) ? 20 : 1;
  for (int i = 0; i < count; i++)
    weather_any_event(sim, sim_roll(sim, SIM_NAMES), sim_chance(sim, 0.8) ? 0 : 1);
  if (sim_chance(sim, 0.05))
    stale_event(sim, sim_roll(sim, SIM_NAMES), sim_roll(sim, SIM_UCCS));
  sim_at(sim, happening, sim_steady(sim) + 1 + sim_roll(sim, 20000));
}

/* ---- the daemon's host */

static void crash(struct sim *sim)
{
  if (sim->world.service == NULL)
    return;
  if (sim_chance(sim, 0.5)) /* within a commit of one of the next turns; life_crash() follows from that */
    disk_fail_after((int)sim_roll(sim, 40), SQLITE_IOERR);
  else if (sim_chance(sim, 0.5))
    life_end(sim);
  else
    life_crash(sim, "killed");
}

static void fill_disk(struct sim *sim)
{
  if (sim->world.service != NULL)
    disk_fail_after(0, SQLITE_FULL);
}

static void step_clock(struct sim *sim)
{
  if (sim->world.service == NULL)
    return; /* nothing tells a daemon that did not run how far the clock was set */
  disk_fail_after(-1, 0);
  int64_t by_ms =
      (int64_t)sim_roll(sim, sim_chance(sim, 0.5) ? 120000 : 10800000) - (sim_chance(sim, 0.5) ? 60000 : 5400000);
  oracle_pass(sim);
  sim->world.clock.offset_ms = sim_chance(sim, 0.3) ? 0 : sim->world.clock.offset_ms + by_ms;
  sim_say(sim, "the clock is off by %lld ms", (long long)sim->world.clock.offset_ms);
}

/* ---- people */

static void move_identities(struct sim *sim)
{
  size_t name = sim_roll(sim, SIM_NAMES);
  struct sim_tenant *tenant = sim_tenant_of(sim, name);
  struct directory *directory = tenant->tenant.directory;
  struct person *person = directory_by_upn(directory, sim_name(name));
  char other[64], id[SEED_GUID_SIZE];
  sim->identities_moved = true;
  snprintf(other, sizeof other, "x%u@old.example", sim_roll(sim, 1000000000));
  seed_guid(seed_next(&sim->world.seed), other, id);
  if (person == NULL) {
    sim_say(sim, "%s is created", sim_name(name));
    directory_add(directory, sim_name(name), id);
    return;
  }
  switch (sim_roll(sim, 5)) {
  case 0:
    sim_say(sim, "%s is deleted", sim_name(name));
    directory_remove(directory, person);
    break;
  case 1:
    sim_say(sim, "%s is another user now", sim_name(name));
    directory_rename(directory, person, other);
    directory_add(directory, sim_name(name), id);
    break;
  case 2: {
    size_t second = sim_roll(sim, SIM_NAMES);
    struct person *with = sim_tenant_of(sim, second) == tenant ? directory_by_upn(directory, sim_name(second)) : NULL;
    if (with == NULL || with == person || sim_account_of(second) != sim_account_of(name))
      break;
    sim_say(sim, "%s and %s swap their names", sim_name(name), sim_name(second));
    directory_rename(directory, with, other);
    directory_rename(directory, person, sim_name(second));
    directory_rename(directory, with, sim_name(name));
    break;
  }
  case 3:
    sim_say(sim, "%s loses the licence", sim_name(name));
    person->unlicensed = true;
    break;
  default:
    sim_say(sim, "%s gets the licence", sim_name(name));
    person->unlicensed = false;
    break;
  }
}

static void choose(struct sim *sim)
{
  static const enum presence choices[] = {
      PREFERRED_AVAILABLE, PREFERRED_BUSY, PREFERRED_DO_NOT_DISTURB, PREFERRED_BE_RIGHT_BACK, PREFERRED_AWAY,
      PREFERRED_OFFLINE,   PRESENCE_NONE};
  size_t name = sim_roll(sim, SIM_NAMES);
  struct sim_tenant *tenant = sim_tenant_of(sim, name);
  struct person *person = directory_by_upn(tenant->tenant.directory, sim_name(name));
  if (person == NULL)
    return;
  enum presence presence = choices[sim_roll(sim, COUNT_OF(choices))];
  sim_say(
      sim, "%s chooses %s", sim_name(name),
      presence == PRESENCE_NONE ? "nothing" : presence_availability_str(presence));
  person_set_preferred(person, presence, sim_true_now(sim), -1);
  check_choice(sim, tenant, person);
}

static void change_client(struct sim *sim)
{
  static const enum availability seen[] = {
      AVAILABILITY_AVAILABLE, AVAILABILITY_BUSY, AVAILABILITY_AWAY, AVAILABILITY_DO_NOT_DISTURB};
  size_t name = sim_roll(sim, SIM_NAMES);
  struct person *person = directory_by_upn(sim_tenant_of(sim, name)->tenant.directory, sim_name(name));
  if (person == NULL)
    return;
  if (person->has_client && sim_chance(sim, 0.4)) {
    person->has_client = false;
  } else {
    enum availability availability = seen[sim_roll(sim, COUNT_OF(seen))];
    person_set_client(person, availability, availability_str(availability), sim_true_now(sim));
  }
}

static void override(struct sim *sim)
{
  if (sim->world.service == NULL)
    return;
  size_t name = sim_roll(sim, SIM_NAMES);
  check_said(sim, name);
  struct service_override override = {
      .presence = sim_chance(sim, 0.5) ? SESSION_PRESENTING : SESSION_IN_A_CALL,
      .hold_ms = 5 * CLOCK_MINUTE + sim_roll(sim, 3600000),
      .by = "sim"};
  struct err err = ERR_INIT;
  if (sim_chance(sim, 0.4)) {
    sim_say(sim, "%s is released", sim_name(name));
    if (service_release(sim->world.service, sim_name(name)))
      oracle_release(sim, name);
    return;
  }
  sim_say(sim, "%s is overridden", sim_name(name));
  must(service_override(sim->world.service, sim_name(name), &override, &err));
  oracle_override(sim, name, override.presence, override.hold_ms);
}

static void resync(struct sim *sim)
{
  size_t count;
  if (sim->world.service != NULL)
    must(service_resync(sim->world.service, NULL, &count));
  check_unconfirm(sim); /* what was confirmed is not any more */
}

static void free_one(struct sim *sim, const char *name)
{
  size_t count;
  sim_say(sim, "%s is freed", name);
  must(service_resync(sim->world.service, name, &count));
  for (size_t i = 0; i < SIM_NAMES; i++)
    if (str_equal_fold(sim_name(i), name))
      check_said(sim, i);
}

/* What Graph refused in foul weather nobody tries again by himself. All the others must know what they have to do: a
 * resync of everybody would mend what was forgotten. */
static void free_parked(struct sim *sim)
{
  if (sim->world.service == NULL)
    return; /* the run has failed */
  struct store_walk walk;
  store_walk_begin(sim->world.store, &walk);
  for (const struct agent *agent; (agent = store_walk_next(&walk)) != NULL;)
    if (agent->phase == PHASE_PARKED && agent->names != NULL)
      free_one(sim, agent->names->text);
}

static const struct {
  unsigned trouble;
  void (*act)(struct sim *sim);
} acts[] = {
    {TROUBLE_CRASH, crash},          {TROUBLE_DISK, fill_disk},
    {TROUBLE_CLOCK, step_clock},     {TROUBLE_IDENTITY, move_identities},
    {TROUBLE_CHOICE, choose},        {TROUBLE_CHOICE, choose},
    {TROUBLE_CLIENT, change_client}, {TROUBLE_RELOAD, life_reload},
    {TROUBLE_OVERRIDE, override},    {TROUBLE_REFUSAL, resync},
};

static void on_trouble(void *context, struct happening *happening)
{
  struct sim *sim = context;
  if (sim->calm)
    return;
  size_t which = sim_roll(sim, COUNT_OF(acts));
  if (may(sim, acts[which].trouble))
    acts[which].act(sim);
  sim_at(sim, happening, sim_steady(sim) + 1 + sim_roll(sim, 120000));
}

/* ---- networks and services */

static void add_fault(struct sim *sim, struct sim_tenant *tenant, const char *kind, double probability, int times)
{
  char text[64];
  struct err err = ERR_INIT;
  snprintf(text, sizeof text, "%s:%.3f:%d", kind, probability, times);
  must(faults_add(&tenant->tenant.faults, text, &err));
  sim_say(sim, "%s: %s", tenant->tenant.setup.address, text);
}

static void fair(struct sim_tenant *tenant)
{
  tenant->down = false;
  tenant->loses_request = tenant->loses_reply = 0;
  tenant->latency_ms = 100;
  tenant->tenant.faults.count = 0;
}

static void foul(struct sim *sim, struct sim_tenant *tenant)
{
  static const struct {
    unsigned trouble;
    const char *kind;
  } kinds[] = {
      {TROUBLE_THROTTLE, "throttle"},
      {TROUBLE_THROTTLE, "throttle-date"},
      {TROUBLE_THROTTLE, "throttle-decimal"},
      {TROUBLE_THROTTLE, "throttle-bare"},
      {TROUBLE_THROTTLE, "throttle-rubbish"},
      {TROUBLE_THROTTLE, "lookup-throttle"},
      {TROUBLE_SERVER, "500"},
      {TROUBLE_SERVER, "502"},
      {TROUBLE_SERVER, "503"},
      {TROUBLE_SERVER, "504"},
      {TROUBLE_SERVER, "rubbish"},
      {TROUBLE_SERVER, "lookup-500"},
      {TROUBLE_SERVER, "slow"},
      {TROUBLE_TOKEN, "401"},
      {TROUBLE_TOKEN, "token-500"},
      {TROUBLE_TOKEN, "token-reset"},
      {TROUBLE_TOKEN, "token-rubbish"},
      {TROUBLE_TOKEN, "token-bad-secret"},
      {TROUBLE_BATCH, "batch-424"},
      {TROUBLE_BATCH, "batch-429"},
      {TROUBLE_BATCH, "batch-503"},
      {TROUBLE_BATCH, "batch-lost"},
      {TROUBLE_BATCH, "batch-refused"},
      {TROUBLE_REFUSAL, "400"},
      {TROUBLE_REFUSAL, "403"},
      {TROUBLE_REFUSAL, "lookup-404"},
      {TROUBLE_NETWORK, "reset"},
      {TROUBLE_NETWORK, "lost"},
      {TROUBLE_NETWORK, "hang"},
      {TROUBLE_NETWORK, "token-hang"},
      {TROUBLE_NETWORK, "lookup-hang"},
  };
  static const int64_t pauses_s[] = {1, 2, 7, 30, 120, 3600};
  tenant->tenant.faults.retry_after_s = pauses_s[sim_roll(sim, COUNT_OF(pauses_s))];
  for (int i = 0; i < 3; i++) {
    size_t which = sim_roll(sim, COUNT_OF(kinds));
    if (may(sim, kinds[which].trouble))
      add_fault(sim, tenant, kinds[which].kind, seed_unit(&sim->world.seed) * 0.5, 1 + (int)sim_roll(sim, 50));
  }
  if (may(sim, TROUBLE_LONG) && sim_chance(sim, 0.1)) {
    tenant->tenant.faults.retry_after_s = 86400;
    add_fault(sim, tenant, sim_chance(sim, 0.5) ? "throttle" : "throttle-date", 1, 1);
  }
  if (may(sim, TROUBLE_NETWORK)) {
    tenant->loses_request = sim_chance(sim, 0.5) ? seed_unit(&sim->world.seed) * 0.3 : 0;
    tenant->loses_reply = sim_chance(sim, 0.5) ? seed_unit(&sim->world.seed) * 0.3 : 0;
    tenant->latency_ms = sim_chance(sim, 0.5) ? 100 + sim_roll(sim, 20000) : 100 + sim_roll(sim, 200000);
  }
  tenant->down = may(sim, TROUBLE_OUTAGE) && sim_chance(sim, 0.3);
  if (tenant->down)
    sim_say(sim, "%s is down", tenant->tenant.setup.address);
}

static void on_weather(void *context, struct happening *happening)
{
  struct sim *sim = context;
  bool outage = false;
  if (sim->calm)
    return;
  for (size_t i = 0; i < SIM_TENANTS; i++) {
    fair(&sim->tenants[i]);
    if (sim_chance(sim, 0.6))
      foul(sim, &sim->tenants[i]);
    outage = outage || sim->tenants[i].down;
  }
  sim_at(sim, happening, sim_steady(sim) + 10000 + sim_roll(sim, outage ? 7200000 : 1200000));
}

void weather_begin(struct sim *sim)
{
  for (size_t i = 0; i < SIM_TENANTS; i++)
    sim->tenants[i].tenant.faults.seed.state = seed_next(&sim->world.seed);
  next_event = (struct happening){.happen = on_event};
  next_trouble = (struct happening){.happen = on_trouble};
  next_weather = (struct happening){.happen = on_weather};
  sim_at(sim, &next_event, 0);
  sim_at(sim, &next_trouble, 60000);
  sim_at(sim, &next_weather, 300000);
}

void weather_end(struct sim *sim)
{
  sim->calm = true;
  sim_say(sim, "calm");
  for (size_t i = 0; i < SIM_TENANTS; i++) {
    fair(&sim->tenants[i]);
    struct list_node *people = &sim->tenants[i].tenant.directory->people;
    for (struct list_node *node = people->next; node != people; node = node->next)
      LIST_ENTRY(node, struct person, node)->unlicensed = false;
  }
  for (size_t name = 0; name < SIM_NAMES; name++) {
    struct directory *directory = sim_tenant_of(sim, name)->tenant.directory;
    char id[SEED_GUID_SIZE];
    seed_guid(seed_next(&sim->world.seed), "again", id);
    if (directory_by_upn(directory, sim_name(name)) == NULL)
      directory_add(directory, sim_name(name), id);
  }
  disk_fail_after(-1, 0);
  if (sim->world.service == NULL)
    life_start(sim);
  oracle_pass(sim);
  sim->world.clock.offset_ms = 0;
  sim_at(sim, &next_trouble, sim_steady(sim));                         /* so that the daemon looks at the clock now */
  life_pass(sim, sim->world.config.request_timeout_ms + CLOCK_SECOND); /* the last answers of foul weather */
  free_parked(sim);
}
