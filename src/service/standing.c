/* What keeps an agent from showing what it should, and so when it is looked at next.
 *
 * The schedule has no memory of its own: settling an agent works out everything again from what was said of it and from
 * what Graph has confirmed. So it may be done once too often, never once too seldom, and every path that changes
 * anything about an agent ends here. An agent in flight is left alone: one request at a time, so that its requests
 * cannot overtake each other. */
#include "service/standing.h"
#include "base/clock.h"
#include "base/log.h"
#include "rules/rules.h"
#include "service/decide.h"
#include "service/destination.h"
#include "service/difference.h"
#include "service/engine.h"
#include "service/names.h"
#include "service/override.h"
#include "service/succession.h"

#include <string.h>

/* ---- coming and going */

/* Nothing is left to be cleared, or nothing will be: the successor may go on. */
static void release_successor(struct service *service, struct agent *agent, int64_t now)
{
  struct agent *successor = succession_end(agent);
  if (successor != NULL)
    standing_settle(service, successor, now);
}

void standing_park(struct service *service, struct agent *agent, enum park_cause cause, const char *detail)
{
  if (agent_park(agent, cause, detail) && cause != PARK_NO_ACCOUNT) /* that has its own line, one per suffix */
    log_warn("%s is parked: %s: %s", agent_label(agent), park_cause_str(cause), detail);
  difference_park(agent);
  /* No event will come for one without names: it goes when what it shows has ended by itself. */
  bool orphan = agent->names == NULL && agent->contributions == NULL;
  sched_move(&service->sched, agent, PHASE_PARKED, orphan ? agent_shows_until(agent) : CLOCK_NEVER);
  release_successor(service, agent, service_now(service));
}

void standing_free(struct service *service, struct agent *agent)
{
  if (agent->phase != PHASE_PARKED)
    return;
  agent_unpark(agent);
  agent_trouble_over(agent);
  if (*agent->id == '\0' && agent->account != AGENT_NO_ACCOUNT)
    names_want_id(service, agent, true, service_now(service));
  sched_move(&service->sched, agent, PHASE_IDLE, CLOCK_NEVER);
}

void standing_remove(struct service *service, struct agent *agent)
{
  sched_remove(&service->sched, agent);
  store_agent_remove(service->setup.store, agent);
}

bool standing_drop_if_empty(struct service *service, struct agent *agent, int64_t now)
{
  if (agent->names != NULL || agent->contributions != NULL || agent->phase == PHASE_IN_FLIGHT ||
      agent_shows_anything(agent, now) || agent->has_predecessor)
    return false;
  release_successor(service, agent, now);
  standing_remove(service, agent);
  return true;
}

void standing_spoken_for(struct agent *agent)
{
  agent->by_new_rules = false;
}

void standing_changed_by_rules(struct agent *agent)
{
  agent->by_new_rules = agent->phase != PHASE_IN_FLIGHT;
}

void standing_keeps_account(struct agent *agent)
{
  agent->loses_account = false;
}

/* ---- what it should show */

/* What time alone has changed: delays that are over, time conditions that must be looked at again. When the next of
 * those is. */
static int64_t pass_time(struct service *service, struct agent *agent, int64_t now)
{
  int64_t next = CLOCK_NEVER;
  bool log_on = false;
  for (struct contribution *contribution = agent->contributions; contribution != NULL;
       contribution = contribution->next) {
    enum decision_kind before = contribution->stand.answer->kind;
    if (contribution_ripen(contribution, now))
      store_touch_contribution(service->setup.store, agent, contribution);
    if (now >= contribution->recheck_ms)
      decide_again(service, agent, contribution, now);
    if (now >= contribution->recheck_ms) /* it could not be decided: the rule may do better later */
      contribution->recheck_ms = now + CLOCK_MINUTE;
    next = clock_earlier(next, contribution->recheck_ms);
    log_on = log_on || (before == DECISION_CLEAR && contribution->stand.answer->kind == DECISION_SHOW);
  }
  const struct contribution *override = override_of(agent);
  if (override != NULL &&
      ((log_on && override->stand.answer->kind == DECISION_CLEAR) || now >= stand_until(&override->stand))) {
    override_end(service, agent);
    store_touch(service->setup.store, agent);
  }
  return next;
}

/* What the ruleset says for the agent as a whole. Its own `merge` chooses among several; where it fails, the rank
 * decides. */
static void choose(struct service *service, struct agent *agent, int64_t now)
{
  struct rules_candidate candidates[RULES_STATES_MAX];
  struct contribution *contributions[RULES_STATES_MAX];
  struct rules_agent_state states[RULES_STATES_MAX];
  struct ruleset *ruleset = service->setup.rulesets[agent->account];
  for (struct contribution *c = agent->contributions; c != NULL; c = c->next)
    c->chosen = false;
  agent->anchors = ruleset_anchors(ruleset);
  agent->merge_latest = ruleset_merge_mode(ruleset) == RULES_MERGE_LATEST;
  if (ruleset_merge_mode(ruleset) != RULES_MERGE_FUNCTION)
    return;
  size_t count = 0, index = 0;
  for (struct contribution *c = agent->contributions; c != NULL && count < RULES_STATES_MAX; c = c->next) {
    struct contribution_view view;
    if (c->is_override || !contribution_at(c, now, &view))
      continue;
    contributions[count] = c;
    candidates[count++] = (struct rules_candidate){
        c->ucc, c->state, c->reason, c->since_ms,
        presence_availability(view.preferred != PRESENCE_NONE ? view.preferred : view.session)};
  }
  if (count < 2)
    return;
  struct rules_agent seen = decide_agent_for_rules(agent, states);
  struct err trouble = ERR_INIT;
  if (ruleset_merge(ruleset, candidates, count, &seen, &index, &trouble))
    contributions[index]->chosen = true;
  if (trouble.kind != ERR_NONE)
    decide_tell_trouble(service, &trouble);
}

struct desired standing_desired(struct service *service, struct agent *agent, int64_t now)
{
  if (service->clears_all || agent->loses_account)
    return (struct desired){.message = "", .changes_ms = CLOCK_NEVER};
  choose(service, agent, now);
  return agent_desired(agent, now);
}

struct sched_plan standing_plan(struct service *service, struct agent *agent, int64_t now, struct desired *ret_desired)
{
  const struct config *config = service->setup.config;
  struct sched_policy policy = {config->accounts[agent->account].lease_ms, config->preferred_release_always};
  *ret_desired = standing_desired(service, agent, now);
  return sched_plan(agent, ret_desired, now, &policy);
}

/* ---- settling */

/* Since when what is new now is so: where it was waited for, since that moment, however late the turn comes. Moments
 * from before the clock was set are by another clock. */
static int64_t beginning(const struct service *service, const struct agent *agent, int64_t now)
{
  bool was_due = agent->phase == PHASE_WAITING && agent->due.place != 0 && agent->due.at_ms < now;
  return was_due && agent->due.at_ms > service->clock.set_ms ? agent->due.at_ms : now;
}

/* What arrives while a refresh is under way has to wait for its answer: will anything differ then? */
static bool differs_behind_refresh(struct service *service, struct agent *agent, int64_t now)
{
  struct confirmed before = agent->confirmed, answered = before;
  struct desired desired;
  answered.session.unsure = false;
  sched_untouched(agent, &answered);
  struct sched_plan plan = standing_plan(service, agent, now, &desired);
  sched_untouched(agent, &before);
  return plan.step != STEP_NONE && !plan.refresh;
}

static enum sched_urgency urgency_of(
    const struct agent *agent, const struct desired *desired, const struct sched_plan *plan)
{
  if (plan->refresh)
    return SCHED_REFRESH;
  if (agent->by_new_rules)
    return SCHED_NEW_RULES;
  enum presence shows = desired->preferred != PRESENCE_NONE ? desired->preferred : desired->session;
  return presence_availability(shows) >= AVAILABILITY_BUSY ? SCHED_BUSY : SCHED_CHANGE;
}

static void wait_until(struct service *service, struct agent *agent, bool differs, int64_t at_ms)
{
  difference_mark(agent, differs);
  sched_move(&service->sched, agent, differs || at_ms != CLOCK_NEVER ? PHASE_WAITING : PHASE_IDLE, at_ms);
}

/* The plan has something to send: is anything in its way? In this order: a predecessor that still shows something, a
 * lookup, a pause after a failure. */
static void place(
    struct service *service, struct agent *agent, const struct desired *desired, const struct sched_plan *plan,
    bool differs, int64_t now)
{
  if (agent->has_predecessor || names_are_checked(agent)) {
    wait_until(service, agent, true, CLOCK_NEVER);
  } else if (*agent->id == '\0') {
    names_want_id(service, agent, false, now);
    wait_until(service, agent, true, CLOCK_NEVER);
  } else if (agent_retry_ms(agent) > now) {
    wait_until(service, agent, differs, agent_retry_ms(agent));
  } else {
    difference_mark(agent, differs);
    sched_ready(
        &service->sched, agent, service->registrations.of_account[agent->account], urgency_of(agent, desired, plan),
        agent->differs_since_ms, plan->step == STEP_READ_PREFERRED);
  }
}

void standing_settle(struct service *service, struct agent *agent, int64_t now)
{
  agent->loses_account = destination_loses(service->setup.config, service->accounts.next, agent);
  if (agent->phase == PHASE_IN_FLIGHT && agent->differs_since_ms == 0)
    difference_note(agent, differs_behind_refresh(service, agent, now), beginning(service, agent, now));
  if (agent->phase == PHASE_IN_FLIGHT || agent->park_cause != PARK_NONE)
    return;
  if (agent->account == AGENT_NO_ACCOUNT) {
    standing_park(service, agent, PARK_NO_ACCOUNT, "no account serves it; add its domain to an Account's Domains");
    return;
  }
  difference_notice_lapse(service, agent, now);
  int64_t recheck_ms = pass_time(service, agent, now);
  struct desired desired;
  struct sched_plan plan = standing_plan(service, agent, now, &desired);
  bool differs = plan.step != STEP_NONE && (!plan.refresh || agent->ran_out); /* a refresh that comes too late */
  difference_note(agent, differs, beginning(service, agent, now));
  if (plan.step != STEP_NONE) {
    place(service, agent, &desired, &plan, differs, now);
    return;
  }
  release_successor(service, agent, now);
  wait_until(service, agent, false, clock_earlier(plan.next_ms, recheck_ms));
}
