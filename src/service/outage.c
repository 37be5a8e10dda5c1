#include "service/outage.h"
#include "base/clock.h"
#include "service/engine.h"
#include "service/names.h"
#include "service/standing.h"

/* Does a request of the agent's wait that failed for a passing cause? One that is refused for its own sake does not
 * count: its pause has nothing to do with the outage. */
static bool waits(const struct agent *agent, int64_t now)
{
  const struct agent_trouble *trouble = agent->trouble;
  return agent->phase == PHASE_WAITING && trouble != NULL && trouble->attempts > 0 && trouble->unauthorized == 0 &&
         trouble->retry_ms > now;
}

/* When that, or a lookup that failed, is tried again; CLOCK_NEVER. */
static int64_t retry_of(const struct agent *agent, int64_t now)
{
  int64_t lookup_ms = names_retry_ms(agent);
  return waits(agent, now) ? clock_earlier(agent->trouble->retry_ms, lookup_ms) : lookup_ms;
}

static void retry(struct service *service, struct agent *agent, int64_t now)
{
  if (waits(agent, now))
    agent_retry_at_once(agent);
  names_retry(service, agent, now);
  standing_settle(service, agent, now);
}

void outage_retry_all(void *context, struct registration *registration, int64_t now)
{
  struct service *service = context;
  struct store_walk walk;
  store_walk_begin(service->setup.store, &walk);
  for (struct agent *agent; (agent = store_walk_next(&walk)) != NULL;)
    if (registration_of_agent(service, agent) == registration && retry_of(agent, now) != CLOCK_NEVER)
      retry(service, agent, now);
}

void outage_probe(struct service *service, struct registration *registration, int64_t now)
{
  struct agent *next = NULL;
  int64_t next_ms = CLOCK_NEVER;
  struct store_walk walk;
  if (!registration_wants_probe(registration, now))
    return;
  store_walk_begin(service->setup.store, &walk);
  for (struct agent *agent; (agent = store_walk_next(&walk)) != NULL;) {
    int64_t retry_ms = registration_of_agent(service, agent) == registration ? retry_of(agent, now) : CLOCK_NEVER;
    if (retry_ms < next_ms) {
      next = agent;
      next_ms = retry_ms;
    }
  }
  registration_probes(registration, now);
  if (next != NULL)
    retry(service, next, now);
}
