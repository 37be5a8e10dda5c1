/* The life of a registration, and what it tells of itself. The work is done in the files below it; here they are put
 * together, so that a new part has one place to be made, moved by a step of the clock, and released. */
#include "registration/registration.h"
#include "base/clock.h"
#include "registration/internal.h"
#include "store/store.h"

#include <string.h>

void registration_key(const struct config_account *account, char to[REGISTRATION_KEY_SIZE])
{
  snprintf(to, REGISTRATION_KEY_SIZE, "%s %s %s", account->graph, account->tenant_id, account->client_id);
}

static struct graph_endpoint endpoint_of(const struct config_account *account)
{
  return (struct graph_endpoint){account->authority, account->graph, account->tenant_id, account->client_id};
}

struct registration *registration_new(
    const struct registration_parts *parts, const struct config *config, const struct config_account *account,
    const struct credential *credential)
{
  struct registration *registration = must_alloc(sizeof *registration);
  registration->parts = *parts;
  registration->label = account->id;
  registration->endpoint = endpoint_of(account);
  registration->credential = credential;
  registration->connections = (size_t)config->connections;
  registration_key(account, registration->key);
  outage_set_connections(registration, 0);
  budgets_init(registration, account);
  traffic_init(registration, !config->batch_off);
  if (parts->store != NULL) {
    gate_remember(registration, store_gate(parts->store, registration->key));
    budgets_remember(registration, config->request_timeout_ms, registration_now(registration));
  }
  return registration;
}

static void release(struct registration *registration)
{
  token_release(registration);
  traffic_release(registration);
  budgets_release(registration);
}

void registration_free(struct registration *registration)
{
  if (registration == NULL)
    return;
  release(registration);
  free(registration);
}

void registration_retire(struct registration *registration)
{
  traffic_answer_asides(registration);
}

/* A token in hand stays good whatever the configuration says, so it is used until the new credential has brought
 * another. */
void registration_configure(
    struct registration *registration, const struct config *before, const struct config *config,
    const struct config_account *account, const struct credential *credential)
{
  bool renew = !credential_equal(registration->credential, credential) ||
               strcmp(registration->endpoint.authority, account->authority) != 0;
  size_t connections = registration->connections;
  registration->label = account->id;
  registration->credential = credential;
  registration->endpoint = endpoint_of(account);
  registration->connections = (size_t)config->connections;
  if (before->batch_off != config->batch_off)
    traffic_set_batches(registration, !config->batch_off);
  outage_set_connections(registration, connections);
  budgets_configure(registration, account);
  if (renew)
    token_renew_at_once(registration);
}

void registration_clock_stepped(struct registration *registration, int64_t by_ms)
{
  budgets_clock_stepped(registration, by_ms);
  token_clock_stepped(registration, by_ms);
  outage_clock_stepped(registration, by_ms);
  gate_clock_stepped(registration, by_ms);
}

int64_t registration_next(const struct registration *registration, bool ready, int64_t now)
{
  return clock_earlier(token_next(registration, now), traffic_next(registration, ready, now));
}

/* ---- what others may know */

const char *registration_label(const struct registration *registration)
{
  return registration->label;
}

const char *registration_key_of(const struct registration *registration)
{
  return registration->key;
}

uint64_t registration_accepted(const struct registration *registration)
{
  return registration->token.accepted;
}

int64_t registration_refused_until(const struct registration *registration)
{
  return registration->token.closed_until_ms;
}

int64_t registration_gate(const struct registration *registration, int64_t now)
{
  return registration->gate.until_ms > now ? registration->gate.until_ms : 0;
}

bool registration_is_hopeless(const struct registration *registration, int64_t now)
{
  return registration->token.refused && !token_holds(registration, now);
}

struct err registration_token_trouble(const struct registration *registration, bool *ret_final)
{
  *ret_final = registration->token.refused;
  return registration->token.trouble;
}

bool registration_is_busy(const struct registration *registration, bool in_flight_only)
{
  const struct traffic *traffic = &registration->traffic;
  return traffic->in_flight > 0 ||
         (!in_flight_only &&
          (!list_empty(&traffic->waiting) || !list_empty(&traffic->waiting_lookups) || !list_empty(&traffic->asides)));
}

bool registration_auth(const struct registration *registration, int64_t now, struct registration_auth *ret_auth)
{
  if (!token_holds(registration, now))
    return false;
  ret_auth->tenant = registration->endpoint.tenant_id;
  ret_auth->expires_ms = registration->token.token.expires_ms;
  graph_token_roles(&registration->token.token.bearer, &ret_auth->roles);
  return true;
}

struct registration_use registration_use(struct registration *registration, int64_t now)
{
  struct sched_budget *presence = &registration->budgets.presence;
  return (struct registration_use){registration->gate.until_ms, sched_budget_used(presence, now), presence->under_way};
}

size_t registration_budget(const struct registration *registration)
{
  return registration->budgets.presence.limit;
}
