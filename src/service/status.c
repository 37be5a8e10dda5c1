/* The engine as `status` and the metrics show it. Instants are RFC 3339 texts.
 *
 * All agents are looked at once, for all accounts together (struct standings): with 100,000 of them, a look for each
 * figure would be felt. */
#include "base/clock.h"
#include "base/str.h"
#include "service/agent_view.h"
#include "service/difference.h"
#include "service/engine.h"

#include <string.h>

/* Where agents stand, from one look at all of them. */
struct standings {
  size_t phases[PHASE_PARKED + 1];
  size_t available, others; /* sessions that are to be kept up */
  int64_t oldest_ms;        /* the beginning of the oldest difference; 0: nothing differs. Who is parked has none */
};

/* One per account, behind that of agents that no account serves. free() it. */
static struct standings *look_at_all(struct service *service, int64_t now)
{
  struct standings *standings = must_alloc((service->setup.config->account_count + 1) * sizeof *standings);
  struct store_walk walk;
  store_walk_begin(service->setup.store, &walk);
  for (struct agent *agent; (agent = store_walk_next(&walk)) != NULL;) {
    const struct slot *session = &agent->confirmed.session;
    struct standings *of = &standings[agent->account - AGENT_NO_ACCOUNT];
    difference_notice_lapse(service, agent, now);
    of->phases[agent->phase]++;
    if (agent->differs_since_ms != 0 && (of->oldest_ms == 0 || agent->differs_since_ms < of->oldest_ms))
      of->oldest_ms = agent->differs_since_ms;
    if (session->presence == PRESENCE_NONE || now >= session->until_ms)
      continue;
    of->available += session->presence == SESSION_AVAILABLE;
    of->others += session->presence != SESSION_AVAILABLE;
  }
  return standings;
}

static struct value *view_phases(const struct standings *of, struct values *values)
{
  struct value *view = value_map(values);
  for (int phase = PHASE_IDLE; phase <= PHASE_PARKED; phase++)
    value_put_number(values, view, phase_str((enum phase)phase), (double)of->phases[phase]);
  return view;
}

static double oldest_difference_s(const struct standings *of, int64_t now)
{
  return of->oldest_ms == 0 || of->oldest_ms > now ? 0 : (double)(now - of->oldest_ms) / 1000;
}

/* What keeping up what stands takes of the budget, which several accounts may share. */
static void view_keep_alives(
    const struct service *service, const struct registration *registration, const struct standings *standings,
    struct values *values, struct value *view)
{
  const struct config *config = service->setup.config;
  double takes = 0, needs = 0;
  for (size_t i = 0; i < config->account_count; i++) {
    const struct standings *of = &standings[i + 1];
    int64_t available = (int64_t)of->available, others = (int64_t)of->others, lease_ms = config->accounts[i].lease_ms;
    if (registrations_of(&service->registrations, i) != registration)
      continue;
    takes += sched_keep_alives(available, others, lease_ms);
    needs += sched_keep_alives_least(available, others, lease_ms);
  }
  value_put_number(values, view, "keep_alives_per_second", takes);
  value_put_number(values, view, "keep_alives_least_per_second", needs);
}

static struct value *view_account(
    const struct service *service, size_t index, const struct standings *standings, struct values *values)
{
  const struct config_account *account = &service->setup.config->accounts[index];
  const struct ruleset *ruleset = service->setup.rulesets[index];
  const struct registration *registration = registrations_of(&service->registrations, index);
  int64_t now = service_now(service);
  struct value *view = value_map(values);
  value_put_text(values, view, "account", account->id);
  value_put_text(values, view, "ruleset", ruleset_name(ruleset));
  value_put_text(values, view, "rules_file", ruleset_path(ruleset));
  value_put_number(values, view, "generation", ruleset_generation(ruleset));
  registration_view(registration, now, values, view);
  value_set(values, view, "phases", view_phases(&standings[index + 1], values));
  value_put_number(values, view, "oldest_difference_seconds", oldest_difference_s(&standings[index + 1], now));
  view_keep_alives(service, registration, standings, values, view);
  return view;
}

struct value *service_status(struct service *service, bool with_agents, struct values *values)
{
  const struct config *config = service->setup.config;
  int64_t now = service_now(service);
  struct value *view = value_map(values), *accounts = value_list(values), *phases = value_map(values);
  struct standings *standings = look_at_all(service, now);
  for (size_t i = 0; i < config->account_count; i++)
    value_add(values, accounts, view_account(service, i, standings, values));
  for (int phase = PHASE_IDLE; phase <= PHASE_PARKED; phase++)
    value_put_number(values, phases, phase_str((enum phase)phase), (double)service->sched.counts[phase]);
  value_put_instant(values, view, "time", now);
  value_set(values, view, "accounts", accounts);
  value_set(values, view, "phases", phases);
  value_set(values, view, "phases_without_account", view_phases(&standings[0], values));
  value_set(values, view, "events", metrics_view_counts(&service->metrics, values));
  value_set(values, view, "unmatched", frequency_view(&service->metrics.unmatched, values));
  if (service->setup.shadows != NULL)
    value_set(values, view, "shadow", shadow_view(&service->shadow, values));
  value_set(values, view, "left_behind", accounts_view_left(&service->accounts, now, values));
  value_set(values, view, "unserved", frequency_view(&service->metrics.unserved, values));
  value_set(
      values, view, "figures",
      metrics_view(&service->metrics, service->setup.rulesets, config->account_count, now, values));
  if (with_agents)
    value_set(values, view, "agents", agent_view_all(service, values));
  free(standings);
  return view;
}

/* ---- metrics */

static const struct metric agents = {
    "agents",
    METRIC_GAUGE,
    "Agents by where they stand in the schedule; account \"\": no account serves them.",
    {"account", "phase"}};
static const struct metric oldest_difference_seconds = {
    "presence_oldest_difference_seconds",
    METRIC_GAUGE,
    "For how long an agent has not shown what it should, of those that wait for it now the longest; 0: none waits.",
    {"account"}};

static void tell_phases(const struct standings *of, const char *account, struct metrics *to)
{
  for (int phase = PHASE_IDLE; phase <= PHASE_PARKED; phase++)
    METRICS_ADD(to, &agents, (double)of->phases[phase], account, phase_str((enum phase)phase));
}

void service_tell_metrics(struct service *service, struct metrics *to)
{
  const struct config *config = service->setup.config;
  int64_t now = service_now(service);
  struct standings *standings = look_at_all(service, now);
  metrics_tell(&service->metrics, service->setup.rulesets, config->account_count, now, to);
  for (size_t i = 0; i < config->account_count; i++) {
    const char *account = config->accounts[i].id;
    tell_phases(&standings[i + 1], account, to);
    METRICS_ADD(to, &oldest_difference_seconds, oldest_difference_s(&standings[i + 1], now), account);
    registration_metrics(registrations_of(&service->registrations, i), account, now, to);
  }
  tell_phases(&standings[0], "", to);
  free(standings);
}
