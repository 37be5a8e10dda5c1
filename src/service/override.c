#include "service/override.h"
#include "service/engine.h"

struct contribution *override_of(const struct agent *agent)
{
  return agent_contribution(agent, AGENT_OVERRIDE);
}

void override_end(struct service *service, struct agent *agent)
{
  struct contribution *override = override_of(agent);
  if (override != NULL)
    store_contribution_remove(service->setup.store, override, agent);
}

void override_notice_log_on(
    struct service *service, struct agent *agent, const struct contribution *contribution, enum decision_kind before)
{
  const struct contribution *override = override_of(agent);
  if (override != NULL && override->stand.answer->kind == DECISION_CLEAR && before == DECISION_CLEAR &&
      contribution->stand.answer->kind == DECISION_SHOW)
    override_end(service, agent);
}
