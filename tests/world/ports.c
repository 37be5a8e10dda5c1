/* The engine's ports, and what it is set up with: the only place in the tests that fills either struct. A new member is
 * filled here, from the world. */
#include "world/world.h"

static void *port_send(
    void *context, const struct graph_request *request, const struct wiped *bearer, const char *client_request_id,
    bool fresh_connection UNUSED, ports_on_reply *on_reply, void *reply_context)
{
  struct world *world = context;
  return network_send(&world->network, request, bearer, client_request_id, on_reply, reply_context);
}

static void port_cancel(void *context UNUSED, void *exchange)
{
  network_cancel(exchange);
}

static void port_wake_at(void *context, int64_t at_ms)
{
  ((struct world *)context)->clock.wake_at_ms = at_ms;
}

static int64_t port_now(void *context)
{
  return world_clock_wall(&((struct world *)context)->clock);
}

static void port_random(void *context, void *bytes, size_t length)
{
  struct world *world = context;
  for (size_t i = 0; i < length; i++)
    ((unsigned char *)bytes)[i] = (unsigned char)seed_next(&world->seed);
}

/* Never 0, as on a machine that runs. */
static int64_t port_steady(void *context)
{
  return ((struct world *)context)->clock.steady_ms + 1;
}

static int64_t port_stopwatch(void *context)
{
  struct world_clock *clock = &((struct world *)context)->clock;
  return clock->stopwatch_us += clock->stopwatch_step_us;
}

static void on_saved(void *context)
{
  ((struct world *)context)->saved = true;
}

static void on_failed(void *context, const struct err *err)
{
  ((struct world *)context)->failure = *err;
}

static void on_held(void *context, const struct err *err)
{
  must(err == NULL);
  (void)context;
}

static void commit(void *context, struct store *store, int64_t now, store_on_commit *on_done, void *done_context)
{
  struct world *world = context;
  if (!world->holds_commits) {
    store_commit(store, now, on_done, done_context);
    return;
  }
  store_commit(store, now, on_held, world);
  world->held_done = on_done;
  world->held_context = done_context;
}

struct service_setup world_setup(struct world *world)
{
  return (struct service_setup){
      .config = world->configured,
      .credentials = world->credentials,
      .rulesets = world->rulesets,
      .store = world->store,
      .json = world->json,
      .owner = {world, on_saved, on_failed},
      .commit = commit,
      .commit_context = world,
      .ports = {
          .context = world,
          .send = port_send,
          .cancel = port_cancel,
          .wake_at = port_wake_at,
          .now = port_now,
          .random = port_random,
          .steady = world->clock.shows_steady ? port_steady : NULL,
          .stopwatch = world->clock.stopwatch_step_us > 0 ? port_stopwatch : NULL}};
}
