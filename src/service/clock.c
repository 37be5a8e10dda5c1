/* What a step of the wall clock means.
 *
 * Moments of the contact centre and of the rules stay what they are: an event's time, a rule's `until 18:00`. What we
 * measure ourselves moves along: how long Graph keeps a session or a preferred presence, and when we may or want to
 * send again. What was over before the step stays over, though the new clock may say that it is still to come. */
#include "service/clock.h"
#include "base/clock.h"
#include "base/log.h"
#include "service/difference.h"
#include "service/engine.h"
#include "service/names.h"
#include "service/override.h"
#include "service/standing.h"

#define WORTH_A_WARNING_MS (10 * CLOCK_SECOND)

/* Delays and overrides that were over before the clock was set, and at which no turn had looked yet. */
static void ripen(struct service *service, struct agent *agent, int64_t at_ms)
{
  for (struct contribution *contribution = agent->contributions; contribution != NULL;
       contribution = contribution->next) {
    if (contribution_ripen(contribution, at_ms))
      store_touch_contribution(service->setup.store, agent, contribution);
  }
  const struct contribution *override = override_of(agent);
  if (override != NULL && at_ms >= stand_until(&override->stand)) {
    override_end(service, agent);
    store_touch(service->setup.store, agent);
  }
}

static void tell(int64_t by_ms)
{
  int64_t far_ms = by_ms < 0 ? -by_ms : by_ms;
  char text[CLOCK_TEXT_SIZE];
  log_at(
      far_ms > WORTH_A_WARNING_MS ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "the clock was set %s by %s",
      by_ms < 0 ? "back" : "forward", clock_short_duration(far_ms, text));
}

static void step(struct service *service, int64_t by_ms)
{
  int64_t now = service_now(service);
  struct store_walk walk;
  tell(by_ms);
  service->clock.stepped_ms += by_ms;
  service->clock.set_ms = now;
  metrics_clock_stepped(&service->metrics, by_ms);
  for (size_t i = 0; i < service->registrations.count; i++)
    registration_clock_stepped(service->registrations.list[i], by_ms);
  names_clock_stepped(service, by_ms);
  store_walk_begin(service->setup.store, &walk);
  for (struct agent *agent; (agent = store_walk_next(&walk)) != NULL;) {
    ripen(service, agent, now - by_ms);
    agent_retry_at_once(agent);
    sched_shift(agent, by_ms);
    difference_clock_stepped(agent, by_ms);
    store_touch(service->setup.store, agent);
    standing_settle(service, agent, now);
  }
}

void clock_notice(void *context)
{
  struct service *service = context;
  int64_t by_ms = ports_clock_step(&service->setup.ports, &service->clock.ports);
  if (by_ms != 0)
    step(service, by_ms);
}
