/* The routes and their answers. A route reads its parameters, asks the engine or who else knows, and writes a reply; it
 * never waits, and never keeps the request. What changes something is answered behind the commit, by whoever serves the
 * table: until then the reply says what will be so. */
#include "daemon/routes.h"
#include "adapters/json.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/str.h"
#include "daemon/config_reload.h"
#include "daemon/policies.h"

#include <string.h>

enum { METRICS_MAX = 16 * 1024 * 1024 }; /* bytes of one family */

static struct value *state_view(const struct state_health *state, struct values *values)
{
  struct value *view = value_map(values);
  char since[CLOCK_TEXT_SIZE];
  bool failed = state->failure.kind != ERR_NONE;
  value_set(values, view, "failed", value_bool(values, failed));
  value_set(values, view, "failures", value_number(values, (double)state->failures));
  if (failed) {
    value_set(values, view, "failure", value_string(values, state->failure.text));
    value_set(values, view, "since", value_string(values, clock_rfc3339(state->since_ms, since)));
  }
  return view;
}

static struct value *view_sources(const struct source *source, struct values *values)
{
  struct value *list = value_list(values);
  if (source == NULL)
    return list;
  struct source_liveness liveness = source->kind->liveness(source);
  struct value *view = value_map(values);
  value_put_text(values, view, "name", source->kind->name(source));
  value_put_instant(values, view, "heard", liveness.heard_ms);
  value_put_number(values, view, "taken", (double)liveness.taken);
  value_put_number(values, view, "refused", (double)liveness.refused);
  value_set(values, view, "ended", value_bool(values, liveness.ended));
  value_add(values, list, view);
  return list;
}

/* While the state file fails, that is all there is to say. */
static struct value *view(const struct routes *routes, bool with_agents, struct values *values)
{
  bool runs = routes->service != NULL;
  struct value *status = runs ? service_status(routes->service, with_agents, values) : value_map(values);
  value_set(values, status, "state", state_view(&routes->state, values));
  if (!runs)
    return status;
  value_set(values, status, "config", config_reload_view(routes->config_reload, values));
  value_set(values, status, "rules", config_reload_rules_view(routes->config_reload, values));
  value_set(values, status, "scripts", policies_view(routes->policies, values));
  value_set(values, status, "sources", view_sources(routes->source, values));
  return status;
}

static const struct metric state_failed = {
    "state_failed",
    METRIC_GAUGE,
    "1 while the state file cannot be written: no event is taken, nothing is sent; no other metrics are there.",
    {NULL}};
static const struct metric state_failures_total = {
    "state_failures_total", METRIC_COUNTER, "How often the state file has failed.", {NULL}};

/* While there is no engine, zeros would say that all counters begin anew: so its metrics are left out. */
static void answer_metrics(
    void *context, const struct api_request *request UNUSED, const char *parameter UNUSED, struct api_reply *reply)
{
  const struct routes *routes = context;
  struct metrics metrics;
  metrics_init(&metrics, METRICS_MAX);
  metrics_add(&metrics, &state_failed, routes->state.failure.kind != ERR_NONE, NULL);
  metrics_add(&metrics, &state_failures_total, (double)routes->state.failures, NULL);
  if (routes->service != NULL) {
    service_tell_metrics(routes->service, &metrics);
    config_reload_metrics(routes->config_reload, &metrics);
    policies_metrics(routes->policies, &metrics);
  }
  metrics_write(&metrics, &reply->body);
  reply->status = 200;
  reply->content_type = METRICS_CONTENT_TYPE;
  metrics_release(&metrics);
}

static void answer_status(
    void *context, const struct api_request *request, const char *parameter UNUSED, struct api_reply *reply)
{
  struct values values = {0};
  api_answer_json(reply, 200, view(context, api_query_flag(request, "agents"), &values));
  values_release(&values);
}

static void resync(const struct routes *routes, const char *name, struct api_reply *reply)
{
  size_t count = 0;
  if (!service_resync(routes->service, name, &count)) {
    api_answer_problem(reply, 404, "Not Found", "no such agent; no event has named it yet");
    return;
  }
  struct values values = {0};
  struct value *answer = value_map(&values);
  value_set(&values, answer, "agents", value_number(&values, (double)count));
  api_answer_json(reply, 200, answer);
  values_release(&values);
}

static void answer_resync(
    void *context, const struct api_request *request UNUSED, const char *parameter, struct api_reply *reply)
{
  resync(context, parameter, reply);
}

static void answer_resync_all(
    void *context, const struct api_request *request UNUSED, const char *parameter UNUSED, struct api_reply *reply)
{
  resync(context, NULL, reply);
}

static void answer_agent(
    void *context, const struct api_request *request UNUSED, const char *parameter, struct api_reply *reply)
{
  const struct routes *routes = context;
  struct values values = {0};
  struct value *agent = service_agent(routes->service, parameter, &values);
  if (agent == NULL)
    api_answer_problem(reply, 404, "Not Found", "no event has named this agent");
  else
    api_answer_json(reply, 200, agent);
  values_release(&values);
}

static const struct value *field(const struct value *body, const char *name, struct api_reply *reply)
{
  const struct value *value = value_get(body, name);
  if (!value_is(value, VALUE_STRING)) {
    char detail[128];
    snprintf(detail, sizeof detail, "/%s: missing or no string", name);
    api_answer_problem(reply, 422, "Unprocessable Content", detail);
    return NULL;
  }
  return value;
}

/* {"presence":"teams.busy"|"clear","hold":"1h","by":"somebody"} */
static void read_override(
    const struct routes *routes, const struct value *body, const char *name, struct api_reply *reply)
{
  const struct value *presence = field(body, "presence", reply);
  const struct value *hold = presence == NULL ? NULL : field(body, "hold", reply);
  const struct value *by = hold == NULL ? NULL : field(body, "by", reply);
  if (by == NULL)
    return;
  struct service_override override = {.by = by->u.string.bytes};
  struct err err = ERR_INIT;
  enum presence shown = PRESENCE_NONE;
  const char *text = presence->u.string.bytes;
  if (strcmp(text, "clear") != 0 && !presence_parse(text, &shown)) {
    api_answer_problem(reply, 422, "Unprocessable Content", "/presence: no such presence");
    return;
  }
  if (!clock_parse_duration(hold->u.string.bytes, &override.hold_ms)) {
    api_answer_problem(reply, 422, "Unprocessable Content", "/hold: write a duration of 1m to 7d");
    return;
  }
  override.presence = shown;
  if (!service_override(routes->service, name, &override, &err) && err.kind == ERR_LIMIT) {
    api_answer_problem(reply, 422, "Unprocessable Content", err.text);
    return;
  }
  if (err.kind != ERR_NONE) {
    api_answer_problem(reply, 404, "Not Found", err.text);
    return;
  }
  struct values values = {0};
  api_answer_json(reply, 200, value_map(&values));
  values_release(&values);
}

static void answer_override(
    void *context, const struct api_request *request, const char *parameter, struct api_reply *reply)
{
  const struct routes *routes = context;
  struct values values = {0};
  struct value *body = NULL;
  struct err err = ERR_INIT;
  if (json_parse(routes->json, request->body, request->body_length, &values, &body, &err))
    read_override(routes, body, parameter, reply);
  else
    api_answer_problem(reply, 400, "Bad Request", err.text);
  values_release(&values);
}

static void answer_release(
    void *context, const struct api_request *request UNUSED, const char *parameter, struct api_reply *reply)
{
  const struct routes *routes = context;
  if (!service_release(routes->service, parameter)) {
    api_answer_problem(reply, 404, "Not Found", "there is no override on this agent");
    return;
  }
  struct values values = {0};
  api_answer_json(reply, 200, value_map(&values));
  values_release(&values);
}

static void answer_reload(
    void *context, const struct api_request *request, const char *parameter UNUSED, struct api_reply *reply)
{
  const struct routes *routes = context;
  struct values values = {0};
  struct value *answer = NULL;
  struct err err = ERR_INIT;
  enum reload_action action = api_query_flag(request, "dry_run")    ? RELOAD_DRY_RUN
                              : api_query_flag(request, "rollback") ? RELOAD_ROLLBACK
                                                                    : RELOAD_REPLACE;
  if (config_reload_run(routes->config_reload, action, &values, &answer, &err))
    api_answer_json(reply, 200, answer);
  else
    api_answer_problem(reply, 422, "Unprocessable Content", err.text);
  values_release(&values);
}

/* A page; "after" is the key of the last row of the one before. */
static void answer_decisions(
    void *context, const struct api_request *request, const char *parameter UNUSED, struct api_reply *reply)
{
  const struct routes *routes = context;
  struct values values = {0};
  struct value *list, *answer = value_map(&values);
  struct err err = ERR_INIT;
  if (service_read_decisions(routes->store, routes->json, api_query_number(request, "after"), &values, &list, &err)) {
    value_set(&values, answer, "decisions", list);
    api_answer_json(reply, 200, answer);
  } else {
    api_answer_problem(reply, 503, "Service Unavailable", err.text);
  }
  values_release(&values);
}

/* method, pattern, right, without an engine, answer */
static const struct api_route table[] = {
    {"GET", "/metrics", API_READ, true, answer_metrics},
    {"GET", "/v1/decisions", API_READ, false, answer_decisions},
    {"GET", "/v1/status", API_READ, true, answer_status},
    {"GET", "/v1/agents/{name}", API_READ, false, answer_agent},
    {"POST", "/v1/agents/{name}/resync", API_ADMIN, false, answer_resync},
    {"POST", "/v1/resync", API_ADMIN, false, answer_resync_all},
    {"POST", "/v1/rules/reload", API_ADMIN, false, answer_reload},
    {"PUT", "/v1/agents/{name}/override", API_ADMIN, false, answer_override},
    {"DELETE", "/v1/agents/{name}/override", API_ADMIN, false, answer_release},
};

bool routes_answer(
    struct routes *routes, unsigned rights, const struct api_request *request, struct api_reply *ret_reply)
{
  struct api_caller caller = {rights, routes->service == NULL ? routes->state.failure.text : NULL};
  bool called = api_dispatch(table, COUNT_OF(table), routes, &caller, request, ret_reply);
  return called && strcmp(request->method, "GET") != 0;
}

void routes_refuse(const struct routes *routes, struct api_reply *reply)
{
  buf_release(&reply->body);
  buf_init(&reply->body, API_REPLY_MAX);
  api_answer_problem(reply, 503, "Service Unavailable", routes->state.failure.text);
}
