/* The front door: a request goes to Entra's part (token.c) or, with its token checked, to the part that its path names.
 * Requests inside a $batch enter at tenant_serve_path(), behind the check of the token, and cannot hold a $batch again.
 *
 * A visit is counted and told to the log when its answer is made, before it is sent; only the people in flight wait for
 * tenant_answered(), since a client counts as waiting until it has the answer. */
#include "stand_in/tenant/tenant.h"
#include "base/str.h"
#include "stand_in/tenant/paths.h"

#include <string.h>

void tenant_init(struct tenant *tenant, const struct tenant_setup *setup, struct json *json, uint64_t noise)
{
  *tenant = (struct tenant){.setup = *setup, .json = json, .noise = {noise}};
  tenant->window.limit = (size_t)setup->requests_per_30s;
  tenant->directory = directory_new();
}

void tenant_release(struct tenant *tenant)
{
  directory_free(tenant->directory);
  window_release(&tenant->window);
  wiped_release(&tenant->shown);
  explicit_bzero(&tenant->setup, sizeof tenant->setup);
}

void tenant_serve_path(struct tenant *tenant, struct visit *visit, const struct issued_token *token)
{
  struct path path = path_parse(visit->call->path);
  bool get = strcmp(visit->call->method, "GET") == 0, post = strcmp(visit->call->method, "POST") == 0;
  enum graph_operation_kind action;
  if (path.target == PATH_BAD)
    visit_graph_error(visit, 400, "BadRequest", "%s", path.problem);
  else if (path.target == PATH_USER && get)
    lookup_serve(tenant, visit, token, path.user);
  else if (path.target == PATH_USER_PRESENCE && get)
    read_one(tenant, visit, token, path.user);
  else if (path.target == PATH_USER_ACTION && post && action_parse(path.action, &action))
    action_serve(tenant, visit, token, action, path.user);
  else if (path.target == PATH_PRESENCES && post)
    read_many(tenant, visit, token);
  else if (path.target == PATH_BATCH && post && !visit->in_batch)
    batch_serve(tenant, visit, token);
  else
    visit_graph_error(visit, 400, "BadRequest", "There is no such resource here for %s.", visit->call->method);
}

void tenant_served(struct tenant *tenant, struct visit *visit)
{
  tenant->counters.unauthorized += visit->fate == FATE_ANSWER && visit->status == 401 ? 1 : 0;
  tenant->counters.throttled += visit->fate == FATE_ANSWER && visit->status == 429 ? 1 : 0;
  if (tenant->setup.on_visit != NULL)
    tenant->setup.on_visit(tenant->setup.context, visit);
}

static void serve_graph(struct tenant *tenant, struct visit *visit)
{
  /* On every answer of Graph's, refusals included: it is what an administrator is asked for. */
  visit_header(visit, "request-id", visit->request_id);
  if (*visit->client_request_id != '\0')
    visit_header(visit, "client-request-id", visit->client_request_id);
  visit_header(
      visit, "x-ms-ags-diagnostic",
      "{\"ServerInfo\":{\"DataCenter\":\"Local\",\"Slice\":\"E\",\"Ring\":\"0\",\"ScaleUnit\":\"000\",\"RoleInstance\":"
      "\"graphsim\"}}");
  const struct issued_token *token = token_check(tenant, visit);
  if (token != NULL)
    tenant_serve_path(tenant, visit, token);
  /* Added, because a fault may have made it slow already. */
  visit->delay_ms += tenant->setup.latency_ms;
}

void tenant_serve(struct tenant *tenant, const struct tenant_call *call, int64_t now, struct visit *ret_visit)
{
  visit_init(ret_visit, call, now, &tenant->noise);
  if (token_is_path(call->path))
    token_serve(tenant, ret_visit);
  else
    serve_graph(tenant, ret_visit);
  tenant_served(tenant, ret_visit);
}

/* By id, because the person may have been deleted, or made anew, since the request came. */
void tenant_answered(struct tenant *tenant, struct visit *visit)
{
  for (size_t i = 0; i < visit->in_flight_count; i++) {
    struct person *person = directory_by_id(tenant->directory, visit->in_flight_ids[i]);
    if (person != NULL && person->in_flight > 0)
      person->in_flight--;
  }
  visit->in_flight_count = 0;
}
