/* Agents between configurations.
 *
 * The danger is a presence that nobody can take back: once the old credentials are gone, what was set with them stays
 * until it ends by itself. So a change has two steps. First, agents that would lose their app registration are to show
 * nothing, and the ordinary schedule clears them under the old one. Then, when all is cleared or time is up, they move
 * to the account that serves them now, keeping what their contact centres said, and forgetting what Graph had of them.
 * While they move, the store knows the accounts of both configurations (`joint`), because the index of an account
 * means another one before and after. */
#include "service/accounts.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "service/destination.h"
#include "service/difference.h"
#include "service/engine.h"
#include "service/flight.h"
#include "service/identity.h"
#include "service/names.h"
#include "service/standing.h"
#include "service/succession.h"

#include <string.h>

/* ---- clearing */

void service_hand_over(struct service *service, const struct config *next)
{
  struct store_walk walk;
  clock_notice(service);
  int64_t now = service_now(service);
  service->accounts.next = next;
  store_walk_begin(service->setup.store, &walk);
  for (struct agent *agent; (agent = store_walk_next(&walk)) != NULL;) {
    if (destination_loses(service->setup.config, next, agent) && agent_shows_anything(agent, now) &&
        agent->phase != PHASE_IN_FLIGHT) {
      standing_free(service, agent); /* once more: it is the last chance */
      agent_retry_at_once(agent);
    }
    standing_settle(service, agent, now);
    standing_drop_if_empty(service, agent, now);
  }
}

size_t service_handing_over(struct service *service)
{
  int64_t now = service_now(service);
  size_t count = 0;
  struct store_walk walk;
  if (service->accounts.next == NULL)
    return 0;
  store_walk_begin(service->setup.store, &walk);
  for (const struct agent *agent; (agent = store_walk_next(&walk)) != NULL;) {
    bool waits = agent->loses_account && agent->phase != PHASE_PARKED &&
                 (agent->phase == PHASE_IN_FLIGHT || agent_shows_anything(agent, now));
    count += waits && !registration_is_hopeless(registration_of_agent(service, agent), now);
  }
  return count;
}

size_t service_would_clear(struct service *service, const struct config *next)
{
  int64_t now = service_now(service);
  size_t count = 0;
  struct store_walk walk;
  store_walk_begin(service->setup.store, &walk);
  for (const struct agent *agent; (agent = store_walk_next(&walk)) != NULL;)
    count += destination_loses(service->setup.config, next, agent) &&
             (agent->phase == PHASE_IN_FLIGHT || agent_shows_anything(agent, now));
  return count;
}

/* ---- moving */

/* What a change makes of the agents of one account. */
struct departure {
  size_t moved, unserved, left;
  int64_t left_until_ms;
};

/* The user is another one there, or none, and what is shown here nobody can change any more. */
static void forget_registration(struct service *service, struct agent *agent)
{
  flight_disown(service, agent);
  for (struct agent_name *name = agent->names; name != NULL; name = name->next)
    identity_forget(service, name);
  succession_unlink(service, agent);
  store_agent_set_id(service->setup.store, agent, "");
  sched_forget(agent);
  difference_forget(agent);
  agent_doubt(agent); /* of what is forgotten nothing is left, but a resync that was asked for is over */
}

static void remove_agent(struct service *service, struct agent *agent)
{
  flight_disown(service, agent);
  succession_unlink(service, agent);
  standing_remove(service, agent);
}

/* Names that mean different accounts from now on part; each new agent stands at the end of the list. */
static void part_names(struct service *service, const struct config *now, struct agent *agent)
{
  int to = destination_of_agent(now, service->accounts.next, agent);
  for (struct agent_name *name = agent->names, *after; name != NULL; name = after) {
    after = name->next;
    if (destination_of_name(now, service->accounts.next, agent->account, name->text) == to)
      continue;
    struct agent *other = names_new_agent(service, agent->account);
    identity_forget(service, name); /* the new agent has no id yet */
    names_move_contributions(service, name, agent, other);
    store_name_move(service->setup.store, name, other);
  }
}

/* Whom the account knows under one of the names, or as the same user. */
static struct agent *double_of(struct service *service, const struct agent *agent, int account)
{
  for (const struct agent_name *name = agent->names; name != NULL; name = name->next) {
    const struct agent_name *known = store_name_find(service->setup.store, account, name->text);
    if (known != NULL)
      return known->agent;
  }
  return store_agent_by_id(service->setup.store, account, agent->id);
}

/* What came in under the name goes to whoever bears it there, which may be somebody else for each. */
static void give_name(struct service *service, struct agent_name *name, struct agent *into)
{
  struct store *store = service->setup.store;
  struct agent *from = name->agent;
  struct agent_name *known = store_name_find(store, into->account, name->text);
  names_move_contributions(service, name, from, known == NULL ? into : known->agent);
  if (known == NULL) {
    store_name_move(store, name, into);
    return;
  }
  for (struct contribution *c = known->agent->contributions; c != NULL; c = c->next)
    if (c->name == name) {
      c->name = known;
      store_touch_contribution(store, known->agent, c);
    }
  identity_forget(service, name);
  store_name_remove(store, name);
}

static void unite(struct service *service, struct agent *agent, struct agent *into)
{
  struct store *store = service->setup.store;
  while (agent->names != NULL)
    give_name(service, agent->names, into);
  names_move_contributions(service, NULL, agent, into);
  struct confirmed confirmed = agent->confirmed;
  bool resync = agent->resync;
  char id[AGENT_ID_SIZE];
  must(str_copy(id, sizeof id, agent->id));
  remove_agent(service, agent);
  if (*id == '\0' || *into->id != '\0')
    return;
  store_agent_set_id(store, into, id);
  sched_inherit(into, &confirmed);
  if (resync)
    agent_doubt(into);
}

/* `to`: an index of both configurations' accounts together. */
static void move(struct service *service, struct agent *agent, int to)
{
  if (agent->phase == PHASE_PARKED) {
    agent_unpark(agent);
    sched_move(&service->sched, agent, PHASE_IDLE, CLOCK_NEVER);
  }
  agent_trouble_over(agent);
  if (to == agent->account)
    return;
  struct agent *into = double_of(service, agent, to);
  if (into != NULL)
    unite(service, agent, into);
  else
    store_agent_set_account(service->setup.store, agent, to);
}

static void note_departure(struct departure *departure, const struct agent *agent, int to, int64_t now)
{
  departure->moved++;
  departure->unserved += to == AGENT_NO_ACCOUNT;
  if (!agent_shows_anything(agent, now))
    return;
  departure->left++;
  if (agent_shows_until(agent) > departure->left_until_ms)
    departure->left_until_ms = agent_shows_until(agent);
}

/* One agent; it may be gone afterwards. joint: the index, in both configurations' accounts together, of each account of
 * the next one. */
static void move_agent(
    struct service *service, const struct config *now, const int *joint, struct departure *departures,
    struct agent *agent, int64_t now_ms)
{
  const struct config *next = service->accounts.next;
  part_names(service, now, agent);
  int to = destination_of_agent(now, next, agent), account = agent->account;
  bool keeps = destination_keeps(now, next, account, to), loses = account != AGENT_NO_ACCOUNT && !keeps;
  if (loses) {
    note_departure(&departures[account], agent, to, now_ms);
    forget_registration(service, agent);
    if (agent->names == NULL) {
      remove_agent(service, agent);
      return;
    }
  }
  int target = to == AGENT_NO_ACCOUNT ? to : joint[to];
  if (target != account || loses)
    move(service, agent, target);
}

static void move_agents(
    struct service *service, const struct config *now, const int *joint, struct departure *departures, int64_t now_ms)
{
  struct store_walk walk;
  store_walk_begin(service->setup.store, &walk);
  for (struct agent *agent; (agent = store_walk_next(&walk)) != NULL;) {
    standing_keeps_account(agent);
    if (agent->phase == PHASE_READY) /* the queues change */
      sched_move(&service->sched, agent, PHASE_IDLE, CLOCK_NEVER);
    if (agent->account < (int)now->account_count) /* the others were just loaded */
      move_agent(service, now, joint, departures, agent, now_ms);
  }
}

/* ---- what came of it */

static void forget_ended(struct service *service, int64_t now)
{
  size_t kept = 0;
  for (size_t i = 0; i < service->accounts.left_count; i++)
    if (service->accounts.left[i].until_ms > now)
      service->accounts.left[kept++] = service->accounts.left[i];
    else
      free(service->accounts.left[i].account);
  service->accounts.left_count = kept;
}

/* Nobody can clear it, so it is said. */
static void tell_left(struct service *service, const char *account, size_t agents, int64_t until_ms)
{
  char at[CLOCK_TEXT_SIZE];
  log_warn(
      "%zu agents of account %s still show something; it ends by itself by %s", agents, account,
      clock_rfc3339(until_ms, at));
  service->accounts.left =
      must_realloc(service->accounts.left, (service->accounts.left_count + 1) * sizeof *service->accounts.left);
  service->accounts.left[service->accounts.left_count++] = (struct left_behind){must_strdup(account), agents, until_ms};
}

static void report(
    struct service *service, const struct config *now, const struct departure *departures, int64_t now_ms)
{
  forget_ended(service, now_ms);
  for (size_t i = 0; i < now->account_count; i++) {
    const struct departure *departure = &departures[i];
    const char *id = now->accounts[i].id;
    if (departure->moved > 0)
      log_info(
          "account %s: %zu agents have lost its app registration; %zu of them are served by no account now", id,
          departure->moved, departure->unserved);
    if (departure->left > 0)
      tell_left(service, id, departure->left, departure->left_until_ms);
  }
}

/* ---- what another run has left */

static void keep_registration(struct service *service, const struct config_account *account)
{
  char key[REGISTRATION_KEY_SIZE], known[REGISTRATION_KEY_SIZE];
  registration_key(account, key);
  if (!store_registration(service->setup.store, account->id, known, sizeof known) || strcmp(known, key) != 0)
    store_set_registration(service->setup.store, account->id, key);
}

/* The agents of the account (its index in the store) were just loaded. What was confirmed of them holds where they were
 * shown: with another registration than theirs that is out of reach. */
static void check_registration(struct service *service, const struct config_account *account, int index, int64_t now)
{
  char key[REGISTRATION_KEY_SIZE], known[REGISTRATION_KEY_SIZE];
  struct departure departure = {0};
  registration_key(account, key);
  if (!store_registration(service->setup.store, account->id, known, sizeof known) || strcmp(known, key) == 0)
    return;
  struct store_walk walk;
  store_walk_begin(service->setup.store, &walk);
  for (struct agent *agent; (agent = store_walk_next(&walk)) != NULL;) {
    if (agent->account != index)
      continue;
    note_departure(&departure, agent, index, now);
    forget_registration(service, agent);
    if (agent->names == NULL)
      remove_agent(service, agent);
  }
  if (departure.moved > 0)
    log_warn(
        "account %s has another app registration than when the state file was written; its %zu agents begin anew",
        account->id, departure.moved);
  if (departure.left > 0)
    tell_left(service, account->id, departure.left, departure.left_until_ms);
}

static void on_stranger(void *context, const char *account, size_t agents, int64_t until_ms)
{
  log_warn("config.xml has no account %s any more, and nothing has cleared what its agents show", account);
  tell_left(context, account, agents, until_ms);
}

void accounts_start(struct service *service, int64_t now)
{
  const struct config *config = service->setup.config;
  for (size_t i = 0; i < config->account_count; i++) {
    check_registration(service, &config->accounts[i], (int)i, now);
    keep_registration(service, &config->accounts[i]);
  }
  store_visit_strangers(service->setup.store, now, on_stranger, service);
}

/* ---- the change */

/* The accounts of two configurations together. Each account of the first keeps its index; `joint` has that of each
 * account of the next one. */
struct both {
  const char **ids, **next_ids;
  size_t count;
  int *joint;
};

static void join(struct both *both, const struct config *before, const struct config *next)
{
  both->ids = must_alloc((before->account_count + next->account_count) * sizeof *both->ids);
  both->next_ids = must_alloc(next->account_count * sizeof *both->next_ids);
  both->joint = must_alloc(next->account_count * sizeof *both->joint);
  for (both->count = 0; both->count < before->account_count; both->count++)
    both->ids[both->count] = before->accounts[both->count].id;
  for (size_t i = 0; i < next->account_count; i++) {
    both->next_ids[i] = next->accounts[i].id;
    both->joint[i] = destination_index(before, both->next_ids[i]);
    if (both->joint[i] != AGENT_NO_ACCOUNT)
      continue;
    both->joint[i] = (int)both->count;
    both->ids[both->count++] = both->next_ids[i];
  }
}

static void release_both(struct both *both)
{
  free(both->ids);
  free(both->next_ids);
  free(both->joint);
}

/* Agents that the file has of accounts which were not configured before. */
static void load_others(struct service *service, const struct both *both, int64_t now)
{
  struct store_walk walk;
  store_walk_begin_at_end(service->setup.store, &walk);
  store_set_accounts(service->setup.store, both->ids, both->count);
  for (struct agent *agent; (agent = store_walk_next(&walk)) != NULL;) {
    sched_add(&service->sched, agent);
    identity_resume(service, agent, now);
  }
}

void service_configure(
    struct service *service, const struct service_setup *setup, const struct config *before, uint32_t generation)
{
  struct store *store = service->setup.store;
  const struct config *next = setup->config;
  int64_t now = service_now(service);
  struct departure *departures = must_alloc(before->account_count * sizeof *departures);
  struct both both;
  service->accounts.next = next;
  join(&both, before, next);
  load_others(service, &both, now);
  for (size_t i = 0; i < next->account_count; i++)
    if (both.joint[i] >= (int)before->account_count)
      check_registration(service, &next->accounts[i], both.joint[i], now);
  move_agents(service, before, both.joint, departures, now);
  for (size_t i = 0; i < next->account_count; i++)
    keep_registration(service, &next->accounts[i]);
  service->accounts.next = NULL;
  engine_adopt(service, setup, before);
  store_set_accounts(store, both.next_ids, next->account_count);
  metrics_forget_unserved(&service->metrics);
  report(service, before, departures, now);
  service_rules_changed(service, generation);
  release_both(&both);
  free(departures);
}

/* ---- what is left behind */

void accounts_release(struct accounts_state *accounts)
{
  for (size_t i = 0; i < accounts->left_count; i++)
    free(accounts->left[i].account);
  free(accounts->left);
}

struct value *accounts_view_left(const struct accounts_state *accounts, int64_t now, struct values *values)
{
  struct value *list = value_list(values);
  for (size_t i = 0; i < accounts->left_count; i++) {
    const struct left_behind *left = &accounts->left[i];
    if (left->until_ms <= now)
      continue;
    struct value *view = value_map(values);
    value_put_text(values, view, "account", left->account);
    value_put_number(values, view, "agents", (double)left->agents);
    value_put_instant(values, view, "until", left->until_ms);
    value_add(values, list, view);
  }
  return list;
}
