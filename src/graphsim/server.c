/* The two listeners, the way of a request through the rooms, and answers that come later or never. */
#include "adapters/crypto.h"
#include "adapters/json.h"
#include "adapters/loop.h"
#include "base/clock.h"
#include "base/str.h"
#include "graphsim/graphsim.h"
#include "graphsim/paths.h"
#include "graphsim/setup.h"

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

/* By id, because the person may have been deleted, or made anew, since the request came. */
static void end_flight(struct graphsim *graphsim, const struct visit *visit)
{
  struct person *person = directory_by_id(graphsim->directory, visit->in_flight_id);
  if (person != NULL && person->in_flight > 0)
    person->in_flight--;
}

static void held_free(struct held *held)
{
  end_flight(held->graphsim, &held->visit);
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
static void hold(struct graphsim *graphsim, struct visit *visit, int64_t delay_ms)
{
  struct held *held = must_alloc(sizeof *held);
  held->graphsim = graphsim;
  held->call = visit->request->call;
  held->visit = *visit;
  held->visit.request = NULL;
  buf_init(&visit->body, VISIT_ANSWER_MAX);
  held->timer = loop_timer_new(graphsim->loop, on_held_due, held);
  loop_timer_at(held->timer, visit->now + delay_ms);
  list_add_tail(&graphsim->held, &held->node);
}

static void settle(struct graphsim *graphsim, struct visit *visit)
{
  if (visit->fate == FATE_HANG) {
    /* The client may give up and try again at any time: that is no second one in flight. */
    end_flight(graphsim, visit);
    *visit->in_flight_id = '\0';
    visit->fate = FATE_RESET;
    hold(graphsim, visit, HANG_MS);
  } else if (visit->delay_ms > 0) {
    hold(graphsim, visit, visit->delay_ms);
  } else {
    end_flight(graphsim, visit);
    answer(visit->request->call, visit);
  }
}

static void serve_path(
    struct graphsim *graphsim, struct visit *visit, const struct issued_token *token, const struct path *path)
{
  bool get = strcmp(visit->request->method, "GET") == 0, post = strcmp(visit->request->method, "POST") == 0;
  enum action_kind action;
  if (path->target == PATH_BAD)
    visit_graph_error(visit, 400, "BadRequest", "%s", path->problem);
  else if (path->target == PATH_USER && get)
    lookup_serve(graphsim, visit, token, path->user);
  else if (path->target == PATH_USER_PRESENCE && get)
    read_one(graphsim, visit, token, path->user);
  else if (path->target == PATH_USER_ACTION && post && action_parse(path->action, &action))
    action_serve(graphsim, visit, token, action, path->user);
  else if (path->target == PATH_PRESENCES && post)
    read_many(graphsim, visit, token);
  else
    visit_graph_error(visit, 400, "BadRequest", "There is no such resource here for %s.", visit->request->method);
}

static void serve_graph(struct graphsim *graphsim, struct visit *visit)
{
  visit_header(visit, "request-id", visit->request_id);
  if (*visit->client_request_id != '\0')
    visit_header(visit, "client-request-id", visit->client_request_id);
  visit_header(
      visit, "x-ms-ags-diagnostic",
      "{\"ServerInfo\":{\"DataCenter\":\"Local\",\"Slice\":\"E\",\"Ring\":\"0\",\"ScaleUnit\":\"000\",\"RoleInstance\":"
      "\"graphsim\"}}");
  struct path path = path_parse(visit->request->path);
  const struct issued_token *token = token_check(graphsim, visit);
  if (token != NULL)
    serve_path(graphsim, visit, token, &path);
  graphsim->counters.unauthorized += visit->fate == FATE_ANSWER && visit->status == 401 ? 1 : 0;
  graphsim->counters.throttled += visit->fate == FATE_ANSWER && visit->status == 429 ? 1 : 0;
  visit->delay_ms += graphsim->options.latency_ms;
}

static void on_graph_request(void *context, const struct http_server_request *request)
{
  struct graphsim *graphsim = context;
  struct visit visit;
  visit_init(&visit, request, clock_now_ms());
  if (token_is_path(request->path))
    token_serve(graphsim, &visit);
  else
    serve_graph(graphsim, &visit);
  journal_add(&graphsim->journal, &visit);
  settle(graphsim, &visit);
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

bool graphsim_open(struct graphsim *graphsim, const struct options *options, struct err *err)
{
  *graphsim = (struct graphsim){.options = *options, .faults = options->faults};
  list_init(&graphsim->held);
  graphsim->window.limit = (size_t)options->requests_per_30s;
  setup_registration(graphsim);
  graphsim->directory = directory_new();
  directory_populate(graphsim->directory, options->users, options->seed);
  graphsim->loop = loop_new(err);
  if (graphsim->loop == NULL)
    return false;
  graphsim->json = json_new(err);
  if (graphsim->json == NULL)
    return false;
  if (!setup_folder(graphsim, err) || !listen_on_both(graphsim, err))
    return false;
  snprintf(graphsim->address, sizeof graphsim->address, "https://localhost:%d", graphsim->port);
  return setup_files(graphsim, err);
}

static void on_signal(void *context)
{
  struct graphsim *graphsim = context;
  loop_stop(graphsim->loop);
}

void graphsim_run(struct graphsim *graphsim)
{
  struct loop_watch *interrupt = loop_watch_signal(graphsim->loop, SIGINT, on_signal, graphsim);
  struct loop_watch *terminate = loop_watch_signal(graphsim->loop, SIGTERM, on_signal, graphsim);
  printf(
      "graphsim: ready at %s for %zu people; state at http://127.0.0.1:%d/sim/state\n", graphsim->address,
      graphsim->directory->count, graphsim->sim_port);
  fflush(stdout);
  loop_run(graphsim->loop, NULL, NULL);
  loop_watch_free(interrupt);
  loop_watch_free(terminate);
}

void graphsim_close(struct graphsim *graphsim)
{
  for (struct list_node *node; (node = list_first(&graphsim->held)) != NULL;)
    held_free(LIST_ENTRY(node, struct held, node));
  http_server_free(graphsim->graph_server);
  http_server_free(graphsim->sim_server);
  crypto_tls_free(graphsim->tls);
  json_free(graphsim->json);
  loop_free(graphsim->loop);
  directory_free(graphsim->directory);
  journal_release(&graphsim->journal);
  window_release(&graphsim->window);
  explicit_bzero(graphsim->secret, sizeof graphsim->secret);
}
