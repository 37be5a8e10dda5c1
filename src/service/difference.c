/* Two clocks of an agent's own: since when it differs, and when its session lapses in Graph's eyes.
 *
 * A lapse cannot be seen, only worked out: an Available session fades five minutes after it was set, every session ends
 * with its expiration. It is counted when anyone looks after that moment, and once (`ran_out`), so the count does not
 * depend on how often is looked. */
#include "service/difference.h"
#include "base/clock.h"
#include "service/engine.h"

/* Ends that differ by less are one: the session is not refreshed for the rest of its hold. */
#define SAME_END_MS (2 * CLOCK_SECOND)

void difference_note(struct agent *agent, bool differs, int64_t since_ms)
{
  if (!differs)
    agent->differs_since_ms = 0;
  else if (agent->differs_since_ms == 0)
    agent->differs_since_ms = since_ms;
}

void difference_mark(struct agent *agent, bool differs)
{
  agent->differs = differs;
}

void difference_park(struct agent *agent)
{
  agent->differs = false;
  agent->ran_out = true;
  agent->differs_since_ms = 0;
}

void difference_forget(struct agent *agent)
{
  agent->differs_since_ms = 0;
}

void difference_clock_stepped(struct agent *agent, int64_t by_ms)
{
  if (agent->trouble != NULL && agent->trouble->lapses_ms != 0)
    agent->trouble->lapses_ms += by_ms;
  agent->differs_since_ms += agent->differs_since_ms == 0 ? 0 : by_ms;
}

void difference_session_set(struct agent *agent)
{
  agent->ran_out = false;
}

/* ---- lapses */

/* As the last answer tells it: of a refresh that failed it is not known whether it was done. */
static int64_t lapses_at(const struct agent *agent)
{
  bool failed = agent->confirmed.session.unsure && agent->trouble != NULL && agent->trouble->lapses_ms != 0;
  return failed ? agent->trouble->lapses_ms : sched_lapse(&agent->confirmed.session);
}

static bool is_wanted(const struct service *service, const struct agent *agent, int64_t at_ms)
{
  return !service->clears_all && !agent->loses_account &&
         agent_desired(agent, at_ms).session == agent->confirmed.session.presence;
}

void difference_notice_lapse(struct service *service, struct agent *agent, int64_t now)
{
  /* What is under way may have come in time. */
  if (agent->ran_out || agent->confirmed.session.presence == PRESENCE_NONE || agent->phase == PHASE_IN_FLIGHT)
    return;
  int64_t at_ms = lapses_at(agent);
  if (now < at_ms)
    return;
  agent->ran_out = true;
  if (!is_wanted(service, agent, at_ms + SAME_END_MS))
    return;
  metrics_lapsed(&service->metrics);
  difference_note(agent, true, at_ms);
}

void difference_expect_lapse(struct agent *agent, const struct confirmed *before)
{
  agent_trouble(agent)->lapses_ms = sched_lapse(&before->session);
}
