/* The two listeners, the way of a request through the rooms, and answers that come later or never. A request is served
 * at once, whatever its answer looks like; then settle() sends the answer, or holds it with a timer of its own. What a
 * client sees late has therefore been done on time, as with a slow network.
 *
 * Held answers are in a list, so that graphsim_close() finds them; they go before the servers whose calls they hold. */
#include "adapters/crypto.h"
#include "adapters/json.h"
#include "adapters/loop.h"
#include "base/clock.h"
#include "base/str.h"
#include "stand_in/graphsim/graphsim.h"
#include "stand_in/graphsim/scenario.h"
#include "stand_in/graphsim/setup.h"

#include <signal.h>
#include <string.h>

enum { MAX_HEADER = 32 * 1024, MAX_BODY = 1024 * 1024 };

#define TIMEOUT_MS (2 * CLOCK_MINUTE)
/* "Never" has an end, so that clients which gave up long ago do not use up the descriptors. */
#define HANG_MS (10 * CLOCK_MINUTE)

/* An answer that waits for its time. */
struct held {
  struct list_node node;
  struct graphsim *graphsim;
  struct http_call *call;
  struct loop_timer *timer;
  struct visit visit; /* its request is gone; only the answer counts */
};

static void answer(struct http_call *call, const struct visit *visit)
{
  const char *headers[2 * VISIT_HEADERS_MAX + 1] = {NULL};
  if (visit->fate != FATE_ANSWER) {
    http_call_abort(call);
    return;
  }
  for (size_t i = 0; i < visit->header_count; i++) {
    headers[2 * i] = visit->headers[i].name;
    headers[2 * i + 1] = visit->headers[i].value;
  }
  http_call_answer(call, visit->status, headers, buf_text(&visit->body), visit->body.length);
}

static void held_free(struct held *held)
{
  tenant_answered(&held->graphsim->tenant, &held->visit);
  list_remove(&held->node);
  loop_timer_free(held->timer);
  visit_release(&held->visit);
  free(held);
}

static void on_held_due(void *context)
{
  struct held *held = context;
  answer(held->call, &held->visit);
  held_free(held);
}

/* Takes the answer out of the visit. */
static void hold(struct graphsim *graphsim, struct http_call *call, struct visit *visit, int64_t delay_ms)
{
  struct held *held = must_alloc(sizeof *held);
  held->graphsim = graphsim;
  held->call = call;
  held->visit = *visit;
  /* The visit moves as it is, its body included; what stays behind is an empty one, which the caller releases. */
  held->visit.call = NULL;
  buf_init(&visit->body, VISIT_ANSWER_MAX);
  held->timer = loop_timer_new(graphsim->loop, on_held_due, held);
  loop_timer_at(held->timer, visit->now + delay_ms);
  list_add_tail(&graphsim->held, &held->node);
}

static void settle(struct graphsim *graphsim, struct http_call *call, struct visit *visit)
{
  if (visit->fate == FATE_HANG) {
    /* The client may give up and try again at any time: that is no second one in flight. */
    tenant_answered(&graphsim->tenant, visit);
    visit->fate = FATE_RESET;
    hold(graphsim, call, visit, HANG_MS);
  } else if (visit->delay_ms > 0) {
    hold(graphsim, call, visit, visit->delay_ms);
  } else {
    tenant_answered(&graphsim->tenant, visit);
    answer(call, visit);
  }
}

static void on_visit(void *context, const struct visit *visit)
{
  journal_add(context, visit);
}

static void on_graph_request(void *context, const struct http_server_request *request)
{
  struct graphsim *graphsim = context;
  struct tenant_call call = {
      .method = request->method,
      .path = request->path,
      .query = request->query,
      .body = request->body,
      .body_length = request->body_length,
      .authorization = http_call_header(request->call, "Authorization"),
      .content_type = http_call_header(request->call, "Content-Type"),
      .client_request_id = http_call_header(request->call, "client-request-id"),
      .user_agent = http_call_header(request->call, "User-Agent")};
  struct visit visit;
  tenant_serve(&graphsim->tenant, &call, clock_now_ms(), &visit);
  settle(graphsim, request->call, &visit);
  visit_release(&visit);
}

static bool listen_on_both(struct graphsim *graphsim, struct err *err)
{
  struct http_server_options options = {
      .tls = graphsim->tls, .max_header = MAX_HEADER, .max_body = MAX_BODY, .timeout_ms = TIMEOUT_MS};
  graphsim->graph_server = http_server_new(graphsim->loop, &options, on_graph_request, graphsim);
  options.tls = NULL;
  graphsim->sim_server = http_server_new(graphsim->loop, &options, sim_serve, graphsim);
  static const char host[] = "127.0.0.1";
  return http_server_listen_tcp(graphsim->graph_server, host, graphsim->options.port, &graphsim->port, err) &&
         http_server_listen_tcp(graphsim->sim_server, host, graphsim->options.sim_port, &graphsim->sim_port, err);
}

static void on_failure(struct graphsim *graphsim, const struct err *err)
{
  graphsim->failure = *err;
  loop_stop(graphsim->loop);
}

bool graphsim_open(struct graphsim *graphsim, const struct options *options, struct err *err)
{
  *graphsim = (struct graphsim){.options = *options};
  list_init(&graphsim->held);
  struct tenant_setup setup = options->tenant;
  setup_registration(options->seed, &setup);
  setup.on_visit = on_visit;
  setup.context = &graphsim->journal;
  uint64_t noise; /* not the seed: a token of an earlier run must not be good in this one */
  crypto_random(&noise, sizeof noise);
  graphsim->json = json_new(err);
  tenant_init(&graphsim->tenant, &setup, graphsim->json, noise);
  explicit_bzero(&setup, sizeof setup);
  graphsim->tenant.faults = options->faults;
  directory_populate(graphsim->tenant.directory, options->users, options->seed);
  if (graphsim->json == NULL)
    return false;
  graphsim->loop = loop_new(err);
  if (graphsim->loop == NULL)
    return false;
  if (!setup_folder(graphsim, err) || !listen_on_both(graphsim, err))
    return false;
  /* Only now, for a free port has its number when something listens there. */
  snprintf(
      graphsim->tenant.setup.address, sizeof graphsim->tenant.setup.address, "https://localhost:%d", graphsim->port);
  /* Before anybody knows where to connect: what it orders at first holds from the beginning. */
  if (options->scenario != NULL &&
      (graphsim->scenario = scenario_open(graphsim, options->scenario, on_failure, err)) == NULL)
    return false;
  return setup_files(graphsim, err);
}

static void on_signal(void *context)
{
  struct graphsim *graphsim = context;
  loop_stop(graphsim->loop);
}

bool graphsim_run(struct graphsim *graphsim, struct err *err)
{
  struct loop_watch *interrupt = loop_watch_signal(graphsim->loop, SIGINT, on_signal, graphsim);
  struct loop_watch *terminate = loop_watch_signal(graphsim->loop, SIGTERM, on_signal, graphsim);
  printf(
      "graphsim: ready at %s for %zu people; state at http://127.0.0.1:%d/sim/state\n", graphsim->tenant.setup.address,
      graphsim->tenant.directory->count, graphsim->sim_port);
  /* Into a pipe it would stay in the buffer, and whoever started us may wait for it. */
  fflush(stdout);
  loop_run(graphsim->loop, NULL, NULL);
  loop_watch_free(interrupt);
  loop_watch_free(terminate);
  if (graphsim->failure.kind == ERR_NONE)
    return true;
  *err = graphsim->failure;
  return false;
}

void graphsim_close(struct graphsim *graphsim)
{
  for (struct list_node *node; (node = list_first(&graphsim->held)) != NULL;)
    held_free(LIST_ENTRY(node, struct held, node));
  /* Timers and listeners before the loop that they are registered with. */
  scenario_free(graphsim->scenario);
  http_server_free(graphsim->graph_server);
  http_server_free(graphsim->sim_server);
  crypto_tls_free(graphsim->tls);
  loop_free(graphsim->loop);
  journal_release(&graphsim->journal);
  tenant_release(&graphsim->tenant);
  json_free(graphsim->json);
}
