/* Overrides: what somebody at the keyboard, or a script, says of an agent, as a contribution above every UCC. */
#include "base/clock.h"
#include "base/str.h"
#include "service/internal.h"

#include <stdio.h>
#include <string.h>

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

bool service_override(struct service *service, const char *name, const struct service_override *given, struct err *err)
{
  char folded[EVENT_AGENT_SIZE];
  if (!str_copy(folded, sizeof folded, name))
    return err_set(err, ERR_INPUT, "%.40s...: too long for a user name", name);
  str_trim(str_lower(folded));
  if (strchr(folded, '@') == NULL && !str_is_guid(folded))
    return err_set(err, ERR_INPUT, "%s: neither a UPN nor an object id; write name@domain", name);
  int account = pipeline_account_of(service, folded, "");
  if (account == AGENT_NO_ACCOUNT)
    return err_set(
        err, ERR_INPUT, "%s: no account serves %s; add it to an Account's Domains", name, pipeline_suffix_of(folded));
  if (given->hold_ms < SERVICE_OVERRIDE_MIN_MS || given->hold_ms > SERVICE_OVERRIDE_MAX_MS)
    return err_set(err, ERR_LIMIT, "%s: the hold is out of range; write a duration of 1m to 7d", name);
  int64_t now = service_now(service);
  const struct agent_name *known = identity_name(service, account, folded);
  struct agent *agent = known->agent;
  lapse_notice(service, agent, now);
  override_end(service, agent);
  struct contribution *contribution = store_contribution_new(service->setup.store, agent, AGENT_OVERRIDE);
  struct decision decision = {.hold_ms = given->hold_ms, .recheck_ms = CLOCK_NEVER};
  bool clears = given->presence == PRESENCE_NONE;
  if (!clears && presence_plane(given->presence) == PLANE_SESSION)
    decision.session = given->presence;
  else
    decision.preferred = given->presence;
  decision.kind = clears ? DECISION_CLEAR : DECISION_SHOW;
  char rule[1024];
  snprintf(rule, sizeof rule, "override by %.900s", given->by);
  str_cut(decision.rule, sizeof decision.rule, rule);
  contribution_record(contribution, clears ? "clear" : "publish", "", now);
  contribution->name = known;
  contribution_apply(contribution, &decision, now);
  store_touch_contribution(service->setup.store, agent, contribution);
  agent->by_new_rules = false;
  pipeline_free_parked(service, agent);
  pipeline_settle(service, agent, now);
  return true;
}

bool service_release(struct service *service, const char *name)
{
  char folded[EVENT_AGENT_SIZE];
  if (!str_copy(folded, sizeof folded, name))
    return false;
  str_trim(str_lower(folded));
  int account = pipeline_account_of(service, folded, "");
  struct agent_name *found = store_name_find(service->setup.store, account, folded);
  if (found == NULL || override_of(found->agent) == NULL)
    return false;
  lapse_notice(service, found->agent, service_now(service));
  override_end(service, found->agent);
  store_touch(service->setup.store, found->agent);
  found->agent->by_new_rules = false;
  pipeline_settle(service, found->agent, service_now(service));
  return true;
}

void override_notice_log_on(
    struct service *service, struct agent *agent, const struct contribution *contribution, enum decision_kind before)
{
  const struct contribution *override = override_of(agent);
  if (override != NULL && override->stand.answer->kind == DECISION_CLEAR && before == DECISION_CLEAR &&
      contribution->stand.answer->kind == DECISION_SHOW)
    override_end(service, agent);
}
