/* What people ask for of an agent, at the keyboard or through a script: an override, its end, and sending once more. */
#include "base/clock.h"
#include "base/str.h"
#include "service/difference.h"
#include "service/engine.h"
#include "service/names.h"
#include "service/override.h"
#include "service/standing.h"

#include <string.h>

/* ---- overrides */

static bool check(
    const struct service *service, const char *name, const struct service_override *given,
    char folded[EVENT_AGENT_SIZE], int *ret_account, struct err *err)
{
  if (!names_fold(name, folded, EVENT_AGENT_SIZE))
    return err_set(err, ERR_INPUT, "%.40s...: too long for a user name", name);
  if (strchr(folded, '@') == NULL && !str_is_guid(folded))
    return err_set(err, ERR_INPUT, "%s: neither a UPN nor an object id; write name@domain", name);
  int account = names_account_of(service, folded, "");
  if (account == AGENT_NO_ACCOUNT)
    return err_set(
        err, ERR_INPUT, "%s: no account serves %s; add it to an Account's Domains", name, names_suffix_of(folded));
  if (given->hold_ms < SERVICE_OVERRIDE_MIN_MS || given->hold_ms > SERVICE_OVERRIDE_MAX_MS)
    return err_set(err, ERR_LIMIT, "%s: the hold is out of range; write a duration of 1m to 7d", name);
  *ret_account = account;
  return true;
}

static struct decision decision_of(const struct service_override *given)
{
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
  return decision;
}

bool service_override(struct service *service, const char *name, const struct service_override *given, struct err *err)
{
  char folded[EVENT_AGENT_SIZE];
  int account;
  if (!check(service, name, given, folded, &account, err))
    return false;
  int64_t now = service_now(service);
  const struct agent_name *known = names_take(service, account, folded);
  struct agent *agent = known->agent;
  difference_notice_lapse(service, agent, now);
  override_end(service, agent);
  struct contribution *contribution = store_contribution_new(service->setup.store, agent, AGENT_OVERRIDE);
  struct decision decision = decision_of(given);
  contribution_record(contribution, decision.kind == DECISION_CLEAR ? "clear" : "publish", "", now);
  contribution->name = known;
  contribution_apply(contribution, &decision, now);
  store_touch_contribution(service->setup.store, agent, contribution);
  standing_spoken_for(agent);
  standing_free(service, agent);
  standing_settle(service, agent, now);
  return true;
}

bool service_release(struct service *service, const char *name)
{
  char folded[EVENT_AGENT_SIZE];
  if (!names_fold(name, folded, sizeof folded))
    return false;
  int account = names_account_of(service, folded, "");
  struct agent_name *found = store_name_find(service->setup.store, account, folded);
  if (found == NULL || override_of(found->agent) == NULL)
    return false;
  difference_notice_lapse(service, found->agent, service_now(service));
  override_end(service, found->agent);
  store_touch(service->setup.store, found->agent);
  standing_spoken_for(found->agent);
  standing_settle(service, found->agent, service_now(service));
  return true;
}

/* ---- once more */

static void resync(struct service *service, struct agent *agent, int64_t now)
{
  agent_doubt(agent);
  agent_retry_at_once(agent);
  standing_free(service, agent);
  if (*agent->id == '\0' && agent->account != AGENT_NO_ACCOUNT)
    names_want_id(service, agent, true, now);
  standing_settle(service, agent, now);
  store_touch(service->setup.store, agent);
}

static bool is_called(const struct agent *agent, const char *name)
{
  bool is = str_equal_fold(agent->id, name);
  for (const struct agent_name *n = agent->names; n != NULL; n = n->next)
    is = is || str_equal_fold(n->text, name);
  return is;
}

bool service_resync(struct service *service, const char *name, size_t *ret_count)
{
  int64_t now = service_now(service);
  size_t count = 0;
  struct store_walk walk;
  store_walk_begin(service->setup.store, &walk);
  for (struct agent *agent; (agent = store_walk_next(&walk)) != NULL;) {
    if (name != NULL && !is_called(agent, name))
      continue;
    count++;
    if (agent->phase == PHASE_IN_FLIGHT) /* one thing is being sent already; the others wait for its answer */
      agent_doubt_later(agent);
    else
      resync(service, agent, now);
  }
  *ret_count = count;
  return count > 0 || name == NULL;
}
