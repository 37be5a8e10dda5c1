/* Sessions that run out in Graph's eyes before they could be refreshed. */
#include "base/clock.h"
#include "service/internal.h"

/* Ends that differ by less are one: the session is not refreshed for the rest of its hold. */
#define SAME_END_MS (2 * CLOCK_SECOND)

/* As the last answer tells it: of a refresh that failed nobody knows whether it was done. */
static int64_t moment_of(const struct agent *agent)
{
  bool failed = agent->confirmed.session.unsure && agent->trouble != NULL && agent->trouble->lapses_ms != 0;
  return failed ? agent->trouble->lapses_ms : sched_lapse(&agent->confirmed.session);
}

static bool is_wanted(const struct service *service, const struct agent *agent, int64_t at_ms)
{
  return !service->clears_all && !agent->loses_account &&
         agent_desired(agent, at_ms).session == agent->confirmed.session.presence;
}

void lapse_notice(struct service *service, struct agent *agent, int64_t now)
{
  /* What is under way may have come in time. */
  if (agent->ran_out || agent->confirmed.session.presence == PRESENCE_NONE || agent->phase == PHASE_IN_FLIGHT)
    return;
  int64_t at_ms = moment_of(agent);
  if (now < at_ms)
    return;
  agent->ran_out = true;
  if (!is_wanted(service, agent, at_ms + SAME_END_MS))
    return;
  service->figures.lapses++;
  if (agent->differs_since_ms == 0)
    agent->differs_since_ms = at_ms;
}

void lapse_expect(struct agent *agent, const struct confirmed *before)
{
  agent_trouble(agent)->lapses_ms = sched_lapse(&before->session);
}
