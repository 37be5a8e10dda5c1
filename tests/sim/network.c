/* What becomes of a request on its way, and of its answer: each arrives after a while, or never, as a roll of the dice
 * and the weather have it. A client that has given up has closed its connection: what had not arrived by then never
 * does. Everything is told, and shown to the checks. */
#include "sim.h"

#include <string.h>

static struct sim_tenant *tenant_of(const struct exchange *exchange)
{
  return LIST_ENTRY(exchange->tenant, struct sim_tenant, tenant);
}

static bool is_of_the_first(struct sim *sim, const struct exchange *exchange)
{
  const struct person *person = directory_by_upn(sim->tenants[0].tenant.directory, sim_name(1));
  return person != NULL && (strstr(exchange->path, person->id) != NULL || strstr(exchange->body, person->id) != NULL);
}

static void decide_fate(struct sim *sim, struct exchange *exchange)
{
  const struct sim_tenant *tenant = tenant_of(exchange);
  struct exchange_fate *fate = &exchange->fate;
  int64_t now = sim_steady(sim);
  fate->times_out_ms = now + sim->world.config.request_timeout_ms;
  fate->arrives_ms = now + 1 + sim_roll(sim, (uint32_t)tenant->latency_ms);
  fate->back_ms = fate->arrives_ms + 1 + sim_roll(sim, (uint32_t)tenant->latency_ms);
  if (tenant->down || (sim->options.plant == PLANT_STARVED && sim->rushes && is_of_the_first(sim, exchange))) {
    fate->unsent = !sim_chance(sim, 0.3);
    fate->arrives_ms = CLOCK_NEVER;
    fate->back_ms = fate->unsent ? now + 1 + sim_roll(sim, 3000) : fate->times_out_ms;
  } else if (sim_chance(sim, tenant->loses_request)) {
    fate->arrives_ms = CLOCK_NEVER;
    fate->back_ms = sim_chance(sim, 0.5) ? fate->times_out_ms : fate->back_ms;
  } else {
    fate->lost_reply = sim_chance(sim, tenant->loses_reply);
  }
}

static void on_sent(void *context, struct exchange *exchange)
{
  struct sim *sim = context;
  struct sim_tenant *tenant = tenant_of(exchange);
  exchange->note = tenant->pace.tokens;
  tenant->token_requests += exchange->is_token;
  sim->requests++;
  sim_say(
      sim, "  %s %s%s %s", exchange->method, exchange->tenant->setup.address, exchange->path,
      exchange->is_token ? "" : exchange->body);
  check_sent(sim, tenant, exchange->is_token, exchange->path, exchange->body);
  decide_fate(sim, exchange);
}

static void on_answer(void *context, struct exchange *exchange, const struct visit *visit, struct graph_reply *reply)
{
  struct sim *sim = context;
  struct sim_tenant *tenant = tenant_of(exchange);
  if (visit != NULL) {
    struct values values = {0};
    struct part parts[PARTS_MAX];
    size_t count = parts_of(sim, exchange->path, exchange->body, visit, &values, parts);
    pace_reply(sim, tenant, visit, exchange->is_token, exchange->note, exchange->path, parts, count);
    check_reply(sim, tenant, visit, exchange->is_token, exchange->path, exchange->body, parts, count);
    values_release(&values);
  }
  if (sim->options.plant == PLANT_RETRY_AFTER)
    reply->retry_after = "";
  sim_say(sim, "  answer %s: %d", exchange->client_request_id, reply->status);
}

static void on_over(void *context UNUSED, struct exchange *exchange)
{
  tenant_of(exchange)->token_requests -= exchange->is_token;
}

void sim_network_begin(struct sim *sim)
{
  sim->world.network.watcher =
      (struct network_watcher){.context = sim, .on_sent = on_sent, .on_answer = on_answer, .on_over = on_over};
}

/* Half of what is on its way is in the network already, and arrives now; the rest never does. */
void sim_network_cut(struct sim *sim)
{
  struct list_node *exchanges = &sim->world.network.exchanges;
  while (!list_empty(exchanges)) {
    struct exchange *exchange = LIST_ENTRY(list_first(exchanges), struct exchange, link);
    if (exchange->served == NULL && exchange->fate.arrives_ms != CLOCK_NEVER && sim_chance(sim, 0.5))
      network_deliver(exchange);
    network_drop(exchange);
  }
}
