/* More changes than a small budget carries: who waits longest has his turn, and who stays Available does not fade. */
#include "sim.h"

#include <string.h>

#define WARM_UP_MS (3 * CLOCK_MINUTE) /* a budget that foul weather has narrowed widens again */
#define RUSH_MS (8 * CLOCK_MINUTE)
#define EVENT_MS 1000 /* between events, at most */
#define FADE_MS (5 * CLOCK_MINUTE)
/* That one agent may take: session, preferred with a look before it is cleared, message twice. */
#define REQUESTS_MOST 5

/* True time. */
static struct queuing {
  int64_t since_ms; /* since when the session is not what the rules say, and was not set; 0: it is */
  int64_t set_ms;   /* the session's last */
} queuing[SIM_NAMES];

static struct happening next_change;

/* Every third stays Available all along. */
static bool stays(size_t name)
{
  return name % 3 == 0;
}

/* Until everybody of the tenant has had a turn, in what keep-alives leave of the budget. */
static int64_t longest_wait(struct sim *sim, const struct sim_tenant *tenant)
{
  double people = 0, kept_up = 0;
  int budget = tenant->tenant.setup.requests_per_30s;
  for (size_t name = 0; name < SIM_NAMES; name++)
    if (sim_tenant_of(sim, name) == tenant) {
      people++;
      kept_up += stays(name);
    }
  double per_second = budget / 30.5 - kept_up / 240;
  return (int64_t)(people * REQUESTS_MOST / per_second * 1150) + 10 * CLOCK_SECOND;
}

static void look(struct sim *sim, size_t name)
{
  struct sim_tenant *tenant = sim_tenant_of(sim, name);
  struct person *person = directory_by_upn(tenant->tenant.directory, sim_name(name));
  struct queuing *queue = &queuing[name];
  struct expectation expected = oracle_expects(&sim->oracle, name, sim_wall_now(sim));
  int64_t now = sim_true_now(sim);
  must(person != NULL);
  person_expire(person, now);
  bool right = expected.tie || check_session(person, expected.session, now);
  if (right || person->app.set_ms != queue->set_ms)
    queue->since_ms = 0;
  else if (queue->since_ms == 0)
    queue->since_ms = now;
  queue->set_ms = person->app.set_ms;
  if (queue->since_ms != 0 && now - queue->since_ms > longest_wait(sim, tenant))
    sim_fail(
        sim, "%s starves: nothing has been done for %lld s", sim_name(name), (long long)(now - queue->since_ms) / 1000);
  if (right && expected.session == SESSION_AVAILABLE && now - person->app.set_ms > FADE_MS)
    sim_fail(
        sim, "%s: an Available session has faded; it was set %lld s ago", sim_name(name),
        (long long)(now - person->app.set_ms) / 1000);
}

/* A happening, because a turn of the daemon follows each. */
static void on_change(void *context, struct happening *happening UNUSED)
{
  struct sim *sim = context;
  static const char *const states[] = {"Talking", "WrapUp", "NotReady", "Ready"};
  size_t name = sim_roll(sim, SIM_NAMES);
  if (!stays(name))
    weather_event(sim, name, 0, states[sim_roll(sim, COUNT_OF(states))], "");
}

static void rush(struct sim *sim, int64_t ms, bool looks)
{
  for (int64_t until_ms = sim_steady(sim) + ms; sim_steady(sim) < until_ms && !sim->failed;) {
    sim_at(sim, &next_change, sim_steady(sim));
    life_pass(sim, 1 + sim_roll(sim, EVENT_MS));
    for (size_t name = 0; looks && name < SIM_NAMES && !sim->failed; name++)
      look(sim, name);
  }
}

void rush_hour(struct sim *sim)
{
  sim_say(sim, "rush hour");
  memset(queuing, 0, sizeof queuing);
  next_change = (struct happening){.happen = on_change};
  for (size_t name = 0; name < SIM_NAMES; name++) {
    weather_event(sim, name, 1, "LoggedOff", "");
    weather_event(sim, name, 0, stays(name) ? "Ready" : "Talking", "");
  }
  rush(sim, WARM_UP_MS, false);
  sim->rushes = true;
  rush(sim, RUSH_MS, true);
  sim->rushes = false;
}
