/* What the files of this room share: the engine as the sum of its parts. Each part is declared in the header of the one
 * file that writes it; the others read it, or ask that file to. From the bottom up: frequency, metrics, names,
 * succession, difference, shadow, decide, override, standing, identity, outage, flight, rules_change, preview, events,
 * accounts, commands, clock, views (status, agent_view, decisions), and service.c, which owns the turn. */
#ifndef SERVICE_ENGINE_H
#define SERVICE_ENGINE_H

#include "sched/sched.h"
#include "service/accounts.h"
#include "service/clock.h"
#include "service/metrics.h"
#include "service/rules_change.h"
#include "service/service.h"
#include "service/shadow.h"

struct service {
  /* engine.c */
  struct service_setup setup;
  struct registrations registrations;
  /* service.c */
  struct registration_parts parts; /* what each of the registrations is told */
  int64_t alive_written_ms;
  bool stopping, clears_all; /* see service_stop() */
  struct saving {
    bool under_way, again, ends; /* meanwhile a turn was asked for, or the end */
    int64_t began_us, next_ms;
    uint64_t commits;
  } saving;
  /* sched/queue.c */
  struct sched sched;
  /* names.c */
  struct heap lookups; /* of agent_name.due */
  /* decide.c */
  struct rule_trouble {
    char text[sizeof(((struct err *)NULL)->text)];
    int64_t told_ms;
    uint64_t more; /* times since then */
  } rule_trouble;
  /* the file of that name each */
  struct clock_state clock;
  struct accounts_state accounts;
  struct rules_change rules_change;
  struct shadow shadow;
  struct service_metrics metrics;
};

/* engine.c: the setup replaces the one before, and the registrations follow; before: the configuration that ran, NULL
 * at first. No agent may be ready, because their queues are the registrations'. */
void engine_adopt(struct service *service, const struct service_setup *setup, const struct config *before);

static inline int64_t service_now(const struct service *service)
{
  return ports_now(&service->setup.ports);
}

static inline uint32_t service_random(const struct service *service)
{
  return ports_random(&service->setup.ports);
}

/* NULL without an account. */
static inline struct registration *registration_of_agent(const struct service *service, const struct agent *agent)
{
  return agent->account == AGENT_NO_ACCOUNT ? NULL : registrations_of(&service->registrations, (size_t)agent->account);
}

#endif
