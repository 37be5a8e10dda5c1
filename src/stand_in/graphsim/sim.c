/* The plain port: what happened, and what shall go wrong next. For tests and for the curious, on the loopback alone.
 *
 * State is what the tenant holds at this moment, person by person, with what colleagues would see; the log is what was
 * asked of it, in order. ?user= asks for one person, since the state of thousands is large. Paths are few, so they are
 * compared one after the other; a POST goes to the table of orders. */
#include "adapters/json.h"
#include "base/clock.h"
#include "base/str.h"
#include "stand_in/graphsim/graphsim.h"
#include "stand_in/graphsim/orders.h"

#include <string.h>

/* Room for a full journal, and for the state of as many people as graphsim takes. */
enum { SIM_ANSWER_MAX = 256 * 1024 * 1024 };

static void answer_buf(struct http_call *call, int status, const struct buf *body)
{
  static const char *const headers[] = {"Content-Type", "application/json", NULL};
  http_call_answer(call, status, headers, buf_text(body), body->length);
}

static void answer_error(struct http_call *call, int status, const char *what)
{
  struct buf body;
  buf_init(&body, 4096);
  buf_add_str(&body, "{\"error\":");
  json_write_string(&body, what, strlen(what));
  buf_add_str(&body, "}\n");
  answer_buf(call, status, &body);
  buf_release(&body);
}

static void answer_value(struct http_call *call, const struct value *value)
{
  struct buf body;
  buf_init(&body, SIM_ANSWER_MAX);
  json_write_pretty(&body, value);
  buf_add_str(&body, "\n");
  must(!body.overflow);
  answer_buf(call, 200, &body);
  buf_release(&body);
}

/* The decoded value of one query parameter. False: missing or malformed. */
static bool query_text(const char *query, const char *name, char *to, size_t room)
{
  size_t length = strlen(name);
  for (const char *pair = query; *pair != '\0'; pair += *pair == '&') {
    size_t end = strcspn(pair, "&");
    if (end > length && strncmp(pair, name, length) == 0 && pair[length] == '=') {
      size_t size = end - length - 1;
      if (size >= room)
        return false;
      memcpy(to, pair + length + 1, size);
      to[size] = '\0';
      return str_percent_decode(to);
    }
    pair += end;
  }
  return false;
}

/* ---- state ---- */

static void set_text(struct values *values, struct value *map, const char *key, const char *text)
{
  value_set(values, map, key, value_string(values, text));
}

static void set_number(struct values *values, struct value *map, const char *key, int64_t number)
{
  value_set(values, map, key, value_number(values, (double)number));
}

/* CLOCK_NEVER is not a moment that a reader could know; what has no end is null. */
static void set_end(struct values *values, struct value *map, int64_t ends_ms)
{
  value_set(
      values, map, "expires_ms", ends_ms == CLOCK_NEVER ? value_nil(values) : value_number(values, (double)ends_ms));
}

static struct value *session_value(struct values *values, const struct effective_session *session, const char *id)
{
  struct value *map = value_map(values);
  set_text(values, map, "id", id);
  set_text(values, map, "availability", availability_str(session->availability));
  set_text(values, map, "activity", session->activity);
  set_number(values, map, "set_ms", session->set_ms);
  set_end(values, map, session->expires_ms);
  return map;
}

static struct value *person_value(struct graphsim *graphsim, struct values *values, struct person *person, int64_t now)
{
  /* Nothing in the tenant happens by itself: what is over by now has to be dropped first. */
  person_expire(person, now);
  struct value *map = value_map(values), *sessions = value_list(values), *shown = value_map(values);
  struct value *preferred = value_nil(values), *message = value_nil(values);
  if (person->has_app)
    value_add(values, sessions, session_value(values, &person->app, graphsim->tenant.setup.client_id));
  if (person->has_client)
    value_add(values, sessions, session_value(values, &person->client, "teams"));
  if (person->preferred.presence != PRESENCE_NONE) {
    preferred = value_map(values);
    set_text(values, preferred, "availability", presence_availability_str(person->preferred.presence));
    set_text(values, preferred, "activity", presence_activity_str(person->preferred.presence));
    set_end(values, preferred, person->preferred.expires_ms);
  }
  if (person->message != NULL) {
    message = value_map(values);
    set_text(values, message, "content", person->message);
    set_end(values, message, person->message_ends_ms);
  }
  struct effective effective = person_shown(person, now);
  set_text(values, shown, "availability", availability_str(effective.availability));
  set_text(values, shown, "activity", effective.activity);
  set_text(values, map, "upn", person->upn);
  set_text(values, map, "id", person->id);
  value_set(values, map, "sessions", sessions);
  value_set(values, map, "preferred", preferred);
  value_set(values, map, "message", message);
  value_set(values, map, "shown", shown);
  return map;
}

static struct value *counters_value(const struct graphsim *graphsim, struct values *values)
{
  const struct counters *counters = &graphsim->tenant.counters;
  struct value *map = value_map(values), *received = value_map(values), *applied = value_map(values);
  for (size_t i = 0; i < GRAPH_OPERATION_KINDS; i++) {
    enum graph_operation_kind kind = (enum graph_operation_kind)i;
    if (!action_is(kind))
      continue;
    set_number(values, received, graph_operation_str(kind), counters->received[i]);
    set_number(values, applied, graph_operation_str(kind), counters->applied[i]);
  }
  set_number(values, map, "token_requests", counters->token_requests);
  set_number(values, map, "tokens_issued", counters->tokens_issued);
  set_number(values, map, "lookups", counters->lookups);
  set_number(values, map, "reads", counters->reads);
  set_number(values, map, "batches", counters->batches);
  value_set(values, map, "actions", received);
  value_set(values, map, "applied", applied);
  set_number(values, map, "unauthorized", counters->unauthorized);
  set_number(values, map, "throttled", counters->throttled);
  set_number(values, map, "over_budget", counters->over_budget);
  set_number(values, map, "max_in_30s", (int64_t)graphsim->tenant.window.max_seen);
  set_number(values, map, "max_in_flight_per_user", counters->max_in_flight);
  return map;
}

static struct value *faults_value(const struct graphsim *graphsim, struct values *values)
{
  struct value *list = value_list(values);
  for (size_t i = 0; i < graphsim->tenant.faults.count; i++) {
    const struct fault *fault = &graphsim->tenant.faults.list[i];
    struct value *map = value_map(values);
    set_text(values, map, "kind", fault->kind->name);
    value_set(values, map, "probability", value_number(values, fault->probability));
    value_set(values, map, "left", fault->left < 0 ? value_nil(values) : value_number(values, (double)fault->left));
    value_add(values, list, map);
  }
  return list;
}

static void serve_state(struct graphsim *graphsim, const struct http_server_request *request)
{
  struct values values = {0};
  int64_t now = clock_now_ms();
  char upn[PERSON_UPN_SIZE];
  /* Any query asks for one person; without a user in it that person is not found, instead of an answer that lists
   * all. */
  if (*request->query != '\0') {
    struct person *person =
        query_text(request->query, "user", upn, sizeof upn) ? directory_by_upn(graphsim->tenant.directory, upn) : NULL;
    if (person == NULL)
      answer_error(request->call, 404, "no such user; give ?user=UPN");
    else
      answer_value(request->call, person_value(graphsim, &values, person, now));
  } else {
    struct value *map = value_map(&values), *users = value_list(&values);
    const struct list_node *people = &graphsim->tenant.directory->people;
    for (struct list_node *node = people->next; node != people; node = node->next)
      value_add(&values, users, person_value(graphsim, &values, LIST_ENTRY(node, struct person, node), now));
    set_number(&values, map, "now_ms", now);
    value_set(&values, map, "counters", counters_value(graphsim, &values));
    value_set(&values, map, "faults", faults_value(graphsim, &values));
    value_set(&values, map, "users", users);
    answer_value(request->call, map);
  }
  values_release(&values);
}

/* A reader gives the number of the last entry it has seen, so that a test pays for its own requests only. */
static void serve_log(struct graphsim *graphsim, const struct http_server_request *request)
{
  int64_t after = 0;
  char text[32];
  if (*request->query != '\0' &&
      (!query_text(request->query, "after", text, sizeof text) || !str_parse_int(text, 0, INT64_MAX, &after))) {
    answer_error(request->call, 400, "give ?after=N, the number of an entry");
    return;
  }
  struct buf body;
  buf_init(&body, SIM_ANSWER_MAX);
  journal_write(&graphsim->journal, after, &body);
  answer_buf(request->call, 200, &body);
  buf_release(&body);
}

static void serve_order(struct graphsim *graphsim, const struct http_server_request *request)
{
  static const char prefix[] = "/sim/";
  const char *name = str_starts(request->path, prefix) ? request->path + strlen(prefix) : "";
  struct values values = {0};
  struct value *body;
  struct err err = ERR_INIT;
  /* Three answers: 404 for an order that does not exist, 400 with the reason for one that cannot be carried out, else
   * 204. */
  if (!orders_know(name))
    answer_error(
        request->call, 404, "POST goes to /sim/faults, /sim/retry_after, /sim/users, /sim/teams or /sim/preferred");
  else if (
      json_parse(graphsim->json, request->body, request->body_length, &values, &body, &err) &&
      orders_give(graphsim, name, body, &err))
    http_call_answer(request->call, 204, NULL, NULL, 0);
  else
    answer_error(request->call, 400, err.text);
  values_release(&values);
}

void sim_serve(void *context, const struct http_server_request *request)
{
  struct graphsim *graphsim = context;
  bool get = strcmp(request->method, "GET") == 0;
  if (get && strcmp(request->path, "/sim/state") == 0)
    serve_state(graphsim, request);
  else if (get && strcmp(request->path, "/sim/log") == 0)
    serve_log(graphsim, request);
  else if (strcmp(request->method, "POST") == 0)
    serve_order(graphsim, request);
  else
    answer_error(request->call, 404, "GET /sim/state, /sim/state?user=UPN or /sim/log?after=N");
}
