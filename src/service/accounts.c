/* A change of the accounts: whoever loses his app registration is cleared under the old one first, then moves. */
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "service/internal.h"

#include <string.h>

/* ---- registrations */

/* Between the moment that is written down with a request and the one at which it goes out lies the commit. */
#define COMMIT_MS CLOCK_SECOND

static int64_t earlier(int64_t a, int64_t b)
{
  return a < b ? a : b;
}

/* What an earlier run left: a gate, and requests that Graph may still count. Those that had their answer had arrived
 * before; the others may have arrived as late as they would have been given up, or now. */
static void remember(struct service *service, struct app *app, int64_t timeout_ms)
{
  int64_t now = service_now(service), at_ms = 0;
  size_t under_way = 0;
  app->gate_until_ms = store_gate(service->setup.store, app->key);
  size_t used = store_budget(service->setup.store, app->key, &under_way, &at_ms);
  sched_budget_assume(&app->presence, used - under_way, earlier(at_ms, now));
  sched_budget_assume(&app->presence, under_way, earlier(at_ms + BUDGET_AHEAD_MS + COMMIT_MS + timeout_ms, now));
}

/* Takes it out of `apps`, or NULL. */
static struct app *take_app(struct app **apps, size_t count, const struct config_account *account)
{
  char key[APP_KEY_SIZE];
  app_key(account, key);
  for (size_t i = 0; i < count; i++)
    if (apps[i] != NULL && strcmp(apps[i]->key, key) == 0) {
      struct app *found = apps[i];
      apps[i] = NULL;
      return found;
    }
  return NULL;
}

void accounts_set_apps(struct service *service, const struct service_setup *setup, const struct config *before)
{
  const struct config *config = setup->config;
  struct app **old = service->apps;
  size_t old_count = service->app_count;
  service->apps = must_alloc(config->account_count * sizeof(struct app *));
  service->app_count = 0;
  free(service->app_of_account);
  service->app_of_account = must_alloc(config->account_count * sizeof *service->app_of_account);
  for (size_t i = 0; i < config->account_count; i++) {
    const struct config_account *account = &config->accounts[i];
    size_t first = 0;
    while (!config_same_registration(&config->accounts[first], account))
      first++;
    if (first < i) {
      service->app_of_account[i] = service->app_of_account[first];
      continue;
    }
    struct app *app = take_app(old, old_count, account);
    if (app != NULL) {
      app_configure(app, before, config, account, &setup->secrets[i]);
    } else {
      app = must_alloc(sizeof *app);
      app_init(app, service, config, account, &setup->secrets[i]);
      if (setup->store != NULL)
        remember(service, app, config->request_timeout_ms);
    }
    service->app_of_account[i] = service->app_count;
    service->apps[service->app_count++] = app;
  }
  for (size_t i = 0; i < old_count; i++) {
    if (old[i] != NULL)
      app_retire(old[i]);
    free(old[i]);
  }
  free(old);
}

/* ---- who goes where */

/* By the very Id, as the state file knows it; AGENT_NO_ACCOUNT. */
static int index_of(const struct config *config, const char *id)
{
  for (size_t i = 0; i < config->account_count; i++)
    if (strcmp(config->accounts[i].id, id) == 0)
      return (int)i;
  return AGENT_NO_ACCOUNT;
}

/* The account of `next` that serves a name which `account` of `now` serves. */
static int destination(const struct config *now, const struct config *next, int account, const char *name)
{
  const struct config_account *served = config_account_for(now, name), *found = NULL;
  if (account == AGENT_NO_ACCOUNT && served != NULL) /* it was put to an account that there is not */
    return AGENT_NO_ACCOUNT;
  if (account != AGENT_NO_ACCOUNT && served != &now->accounts[account]) /* its events name the account */
    found = config_account_by_id(next, now->accounts[account].id);
  if (found == NULL)
    found = config_account_for(next, name);
  return found == NULL ? AGENT_NO_ACCOUNT : (int)(found - next->accounts);
}

static int destination_of(const struct config *now, const struct config *next, const struct agent *agent)
{
  if (agent->names == NULL && agent->account != AGENT_NO_ACCOUNT) /* somebody's predecessor */
    return index_of(next, now->accounts[agent->account].id);
  return destination(now, next, agent->account, agent_label(agent));
}

static bool keeps_registration(const struct config *now, const struct config *next, int account, int to)
{
  return account != AGENT_NO_ACCOUNT && to != AGENT_NO_ACCOUNT &&
         config_same_registration(&now->accounts[account], &next->accounts[to]);
}

bool accounts_loses(const struct service *service, const struct agent *agent)
{
  const struct config *now = service->setup.config, *next = service->next;
  return next != NULL && agent->account != AGENT_NO_ACCOUNT &&
         !keeps_registration(now, next, agent->account, destination_of(now, next, agent));
}

/* ---- clearing */

void service_hand_over(struct service *service, const struct config *next)
{
  service_notice_clock(service);
  int64_t now = service_now(service);
  service->next = next;
  struct list_node *agents = store_agents(service->setup.store);
  for (struct list_node *node = agents->next, *after; node != agents; node = after) {
    after = node->next;
    struct agent *agent = LIST_ENTRY(node, struct agent, all_link);
    if (accounts_loses(service, agent) && agent_shows_anything(agent, now) && agent->phase != PHASE_IN_FLIGHT) {
      pipeline_free_parked(service, agent); /* once more: it is the last chance */
      agent_retry_at_once(agent);
    }
    pipeline_settle(service, agent, now);
    pipeline_drop_if_empty(service, agent, now);
  }
}

size_t service_handing_over(struct service *service)
{
  int64_t now = service_now(service);
  size_t count = 0;
  struct list_node *agents = store_agents(service->setup.store);
  for (struct list_node *node = agents->next; service->next != NULL && node != agents; node = node->next) {
    const struct agent *agent = LIST_ENTRY(node, struct agent, all_link);
    bool waits = agent->loses_account && agent->phase != PHASE_PARKED &&
                 (agent->phase == PHASE_IN_FLIGHT || agent_shows_anything(agent, now));
    count += waits && !app_is_hopeless(service_app(service, agent), now);
  }
  return count;
}

size_t service_would_clear(struct service *service, const struct config *next)
{
  int64_t now = service_now(service);
  const struct config *under_way = service->next;
  size_t count = 0;
  service->next = next;
  struct list_node *agents = store_agents(service->setup.store);
  for (struct list_node *node = agents->next; node != agents; node = node->next) {
    const struct agent *agent = LIST_ENTRY(node, struct agent, all_link);
    count += accounts_loses(service, agent) && (agent->phase == PHASE_IN_FLIGHT || agent_shows_anything(agent, now));
  }
  service->next = under_way;
  return count;
}

/* ---- moving */

/* What a change makes of the agents of one account. */
struct departure {
  size_t moved, unserved, left;
  int64_t left_until_ms;
};

static void unlink_successor(struct service *service, struct agent *agent)
{
  if (agent->successor != NULL)
    agent->successor->has_predecessor = false;
  agent->successor = NULL;
  struct list_node *agents = store_agents(service->setup.store);
  for (struct list_node *node = agents->next; agent->has_predecessor && node != agents; node = node->next) {
    struct agent *other = LIST_ENTRY(node, struct agent, all_link);
    if (other->successor == agent)
      other->successor = NULL;
  }
  agent->has_predecessor = false;
}

/* The user is another one there, or none, and what is shown here nobody can change any more. */
static void forget_registration(struct service *service, struct agent *agent)
{
  flight_disown(service, agent);
  for (struct agent_name *name = agent->names; name != NULL; name = name->next)
    identity_forget(service, name);
  unlink_successor(service, agent);
  store_agent_set_id(service->setup.store, agent, "");
  agent->confirmed = (struct confirmed){0};
  agent->differs_since_ms = agent->read_ms = 0;
  agent->left_choice = AVAILABILITY_UNKNOWN;
  agent->reads_failed = 0;
  agent->resync = false;
}

static void remove_agent(struct service *service, struct agent *agent)
{
  flight_disown(service, agent);
  unlink_successor(service, agent);
  change_forget(service, agent);
  sched_remove(&service->sched, agent);
  store_agent_remove(service->setup.store, agent);
}

/* Names that mean different accounts from now on part; each new agent stands at the end of the list. */
static void part_names(struct service *service, const struct config *now, struct agent *agent)
{
  int to = destination_of(now, service->next, agent);
  for (struct agent_name *name = agent->names, *after; name != NULL; name = after) {
    after = name->next;
    if (destination(now, service->next, agent->account, name->text) == to)
      continue;
    struct agent *other = pipeline_new_agent(service, agent->account);
    identity_forget(service, name); /* the new agent has no id yet */
    identity_move_contributions(service, name, agent, other);
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
  identity_move_contributions(service, name, from, known == NULL ? into : known->agent);
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
  identity_move_contributions(service, NULL, agent, into);
  struct confirmed confirmed = agent->confirmed;
  bool resync = agent->resync;
  char id[AGENT_ID_SIZE];
  must(str_copy(id, sizeof id, agent->id));
  remove_agent(service, agent);
  if (*id == '\0' || *into->id != '\0')
    return;
  store_agent_set_id(store, into, id);
  into->confirmed = confirmed;
  if (resync)
    agent_doubt(into);
}

/* `to`: an index of both configurations' accounts together. */
static void move(struct service *service, struct agent *agent, int to)
{
  if (agent->phase == PHASE_PARKED) {
    agent->park_cause = PARK_NONE;
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

/* joint: the index, in both configurations' accounts together, of each account of the next one. */
static void move_agents(
    struct service *service, const struct config *now, const int *joint, struct departure *departures, int64_t now_ms)
{
  struct list_node *agents = store_agents(service->setup.store);
  for (struct list_node *node = agents->next, *after; node != agents; node = after) {
    struct agent *agent = LIST_ENTRY(node, struct agent, all_link);
    agent->loses_account = false;
    if (agent->phase == PHASE_READY) /* the queues change */
      sched_move(&service->sched, agent, PHASE_IDLE, CLOCK_NEVER);
    if (agent->account >= (int)now->account_count) { /* just loaded */
      after = node->next;
      continue;
    }
    part_names(service, now, agent);
    after = node->next; /* maybe one of those that parted */
    int to = destination_of(now, service->next, agent), account = agent->account;
    bool keeps = keeps_registration(now, service->next, account, to);
    if (account != AGENT_NO_ACCOUNT && !keeps) {
      note_departure(&departures[account], agent, to, now_ms);
      forget_registration(service, agent);
      if (agent->names == NULL) {
        remove_agent(service, agent);
        continue;
      }
    }
    int target = to == AGENT_NO_ACCOUNT ? to : joint[to];
    if (target != account || (account != AGENT_NO_ACCOUNT && !keeps))
      move(service, agent, target);
  }
}

/* ---- what came of it */

static void forget_ended(struct service *service, int64_t now)
{
  size_t kept = 0;
  for (size_t i = 0; i < service->left_count; i++)
    if (service->left[i].until_ms > now)
      service->left[kept++] = service->left[i];
    else
      free(service->left[i].account);
  service->left_count = kept;
}

/* Nobody can clear it, so it is said. */
static void tell_left(struct service *service, const char *account, size_t agents, int64_t until_ms)
{
  char at[CLOCK_TEXT_SIZE];
  log_warn(
      "%zu agents of account %s still show something; it ends by itself by %s", agents, account,
      clock_rfc3339(until_ms, at));
  service->left = must_realloc(service->left, (service->left_count + 1) * sizeof *service->left);
  service->left[service->left_count++] = (struct left){must_strdup(account), agents, until_ms};
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
  char key[APP_KEY_SIZE], known[APP_KEY_SIZE];
  app_key(account, key);
  if (!store_registration(service->setup.store, account->id, known, sizeof known) || strcmp(known, key) != 0)
    store_set_registration(service->setup.store, account->id, key);
}

/* The agents of the account (its index in the store) were just loaded. What was confirmed of them holds where they were
 * shown: with another registration than theirs that is out of reach. */
static void check_registration(struct service *service, const struct config_account *account, int index, int64_t now)
{
  char key[APP_KEY_SIZE], known[APP_KEY_SIZE];
  struct departure departure = {0};
  app_key(account, key);
  if (!store_registration(service->setup.store, account->id, known, sizeof known) || strcmp(known, key) == 0)
    return;
  struct list_node *agents = store_agents(service->setup.store);
  for (struct list_node *node = agents->next, *after; node != agents; node = after) {
    struct agent *agent = LIST_ENTRY(node, struct agent, all_link);
    after = node->next;
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

void service_configure(
    struct service *service, const struct service_setup *setup, const struct config *before, uint32_t generation)
{
  service_notice_clock(service);
  struct store *store = service->setup.store;
  const struct config *next = setup->config;
  int64_t now = service_now(service);
  struct list_node *agents = store_agents(store), *last = agents->prev;
  const char **ids = must_alloc((before->account_count + next->account_count) * sizeof *ids);
  const char **next_ids = must_alloc(next->account_count * sizeof *next_ids);
  int *joint = must_alloc(next->account_count * sizeof *joint);
  struct departure *departures = must_alloc(before->account_count * sizeof *departures);
  size_t count = 0;
  service->next = next;
  /* While agents move, the store knows the accounts of both. */
  for (; count < before->account_count; count++)
    ids[count] = before->accounts[count].id;
  for (size_t i = 0; i < next->account_count; i++) {
    next_ids[i] = next->accounts[i].id;
    joint[i] = index_of(before, next_ids[i]);
    if (joint[i] != AGENT_NO_ACCOUNT)
      continue;
    joint[i] = (int)count;
    ids[count++] = next_ids[i];
  }
  store_set_accounts(store, ids, count);
  for (struct list_node *node = last->next; node != agents; node = node->next) {
    struct agent *agent = LIST_ENTRY(node, struct agent, all_link);
    sched_add(&service->sched, agent);
    identity_resume(service, agent, now);
  }
  for (size_t i = 0; i < next->account_count; i++)
    if (joint[i] >= (int)before->account_count)
      check_registration(service, &next->accounts[i], joint[i], now);
  move_agents(service, before, joint, departures, now);
  for (size_t i = 0; i < next->account_count; i++)
    keep_registration(service, &next->accounts[i]);
  accounts_set_apps(service, setup, before);
  sched_set_queues(&service->sched, service->app_count);
  store_set_accounts(store, next_ids, next->account_count);
  service->setup = *setup;
  service->next = NULL;
  store_keep_decisions(store, next->decision_log_ms);
  tally_release(&service->unserved); /* whoever is still unserved is worth a line */
  report(service, before, departures, now);
  service_rules_changed(service, generation);
  free(ids);
  free(next_ids);
  free(joint);
  free(departures);
}
