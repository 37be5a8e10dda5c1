/* JSON batching (FACTS.md, "JSON batching"): every part is a request of its own, with its own count against the budget,
 * its own answer and its own faults; answers come in any order. What befalls the connection befalls the whole.
 *
 * Parts go through tenant_serve_path() like requests that come alone, so that they cannot behave in another way. Two
 * things differ: the token is checked once, for the whole, and a batch inside a batch is refused. */
#include "adapters/json.h"
#include "base/str.h"
#include "stand_in/tenant/tenant.h"

#include <string.h>

enum { PART_ID_SIZE = 64, PART_URL_MAX = 5 * 1024 };

struct part {
  char id[PART_ID_SIZE];
  struct buf path;   /* with "/v1.0" before it; a NUL in place of the "?" */
  const char *query; /* within path's bytes, or "" */
  struct buf body;   /* of one that is no object */
  struct tenant_call call;
};

static bool refuse(struct visit *visit, const char *what, const char *got)
{
  visit_graph_error(visit, 400, "BadRequest", "%s: '%s'", what, got);
  return false;
}

static const char *content_type_of(const struct value *headers)
{
  for (size_t i = 0; value_is(headers, VALUE_MAP) && i < value_count(headers); i++)
    if (str_equal_fold(headers->u.table.keys[i], "Content-Type"))
      return value_text(headers->u.table.items[i], NULL);
  return NULL;
}

/* False: the whole batch is malformed, and its answer made. */
static bool read_part(struct visit *visit, const struct value *from, struct part *part)
{
  const char *id = value_get_text(from, "id", ""), *url = value_get_text(from, "url", "");
  const struct value *body = value_get(from, "body");
  bool is_object = value_is(body, VALUE_MAP);
  buf_init(&part->path, PART_URL_MAX);
  buf_init(&part->body, VISIT_ANSWER_MAX);
  /* Microsoft's own examples show a URL with the slash and without. */
  buf_add_str(&part->path, *url == '/' ? "/v1.0" : "/v1.0/");
  buf_add_str(&part->path, url);
  if (*id == '\0' || !str_copy(part->id, sizeof part->id, id))
    return refuse(visit, "a request's id is missing or too long", id);
  if (*url == '\0' || part->path.overflow)
    return refuse(visit, "a request's url is missing or too long", id);
  /* No client of ours has use for it, and half of it would be worse than none. */
  if (value_count(value_get(from, "dependsOn")) > 0)
    return refuse(visit, "dependsOn is not known here", id);
  /* Only what is odd is written as text again, to be refused as the same bytes would be. */
  if (body != NULL && !is_object && !value_is(body, VALUE_NIL))
    json_write(&part->body, body);
  /* After the last byte was added: the buffer may have moved with each. */
  char *query = strchr(part->path.bytes, '?');
  part->query = "";
  if (query != NULL) {
    *query = '\0';
    part->query = query + 1;
  }
  part->call = (struct tenant_call){
      .method = value_get_text(from, "method", ""),
      .path = buf_text(&part->path),
      .query = part->query,
      .body = buf_text(&part->body),
      .body_length = part->body.length,
      .parsed = is_object ? body : NULL,
      .content_type = content_type_of(value_get(from, "headers")),
      .user_agent = visit->call->user_agent};
  return true;
}

static bool read_parts(
    struct visit *visit, const struct value *body, struct part parts[VISIT_PARTS_MAX], size_t *ret_count)
{
  const struct value *requests = value_get(body, "requests");
  size_t count = value_count(requests);
  if (!value_is(requests, VALUE_LIST) || count == 0 || count > VISIT_PARTS_MAX) {
    visit_graph_error(visit, 400, "BadRequest", "requests must be a list of 1 to %d requests.", VISIT_PARTS_MAX);
    return false;
  }
  for (size_t i = 0; i < count; i++) {
    if (!read_part(visit, value_at(requests, i), &parts[i]))
      return false;
    /* Graph compares ids without case. */
    for (size_t j = 0; j < i; j++)
      if (str_equal_fold(parts[i].id, parts[j].id))
        return refuse(visit, "two requests have the same id", parts[i].id);
  }
  *ret_count = count;
  return true;
}

static void add_text(struct buf *to, const char *name, const char *text)
{
  buf_add_str(to, to->bytes[to->length - 1] == '{' ? "\"" : ",\"");
  buf_add_str(to, name);
  buf_add_str(to, "\":");
  json_write_string(to, text, strlen(text));
}

/* A body that is not JSON, such as a proxy's page, stands there as a text. */
static void add_answer(struct buf *to, const char *id, const struct visit *part)
{
  bool is_json = false;
  buf_add_str(to, "{");
  add_text(to, "id", id);
  buf_addf(to, ",\"status\":%d,\"headers\":{", part->status);
  for (size_t i = 0; i < part->header_count; i++) {
    add_text(to, part->headers[i].name, part->headers[i].value);
    is_json = is_json || str_starts(part->headers[i].value, "application/json");
  }
  buf_add_str(to, "}");
  if (part->body.length > 0 && is_json) {
    buf_add_str(to, ",\"body\":");
    buf_add(to, part->body.bytes, part->body.length);
  } else if (part->body.length > 0) {
    add_text(to, "body", buf_text(&part->body));
  }
  buf_add_str(to, "}");
}

/* What one part does to the whole: a lost connection is lost for all, the slowest is waited for, and who is in flight
 * stays so until the whole is answered. */
static void join(struct visit *visit, const struct visit *part)
{
  if (part->fate != FATE_ANSWER)
    visit->fate = part->fate;
  if (part->delay_ms > visit->delay_ms)
    visit->delay_ms = part->delay_ms;
  for (size_t i = 0; i < part->in_flight_count; i++)
    visit_in_flight(visit, part->in_flight_ids[i]);
}

/* Serves all in the order they were sent and writes the answers in another. A fault befalls each
 * of them. */
static void serve_parts(
    struct tenant *tenant, struct visit *visit, const struct issued_token *token, struct part *parts, size_t count,
    const struct fault_kind *fault)
{
  struct buf answers[VISIT_PARTS_MAX];
  for (size_t i = 0; i < count; i++) {
    struct visit part;
    visit_init(&part, &parts[i].call, visit->now, &tenant->noise);
    part.in_batch = true;
    buf_init(&answers[i], VISIT_ANSWER_MAX);
    if (fault == NULL || !visit_suffer(&part, &tenant->faults, fault))
      tenant_serve_path(tenant, &part, token);
    tenant_served(tenant, &part);
    join(visit, &part);
    add_answer(&answers[i], parts[i].id, &part);
    visit_release(&part);
  }
  /* Backwards, from a place that chance has chosen: a client that goes by place instead of id is found out. */
  size_t first = seed_next(&tenant->noise) % count;
  buf_add_str(&visit->body, "{\"responses\":[");
  for (size_t i = 0; i < count; i++) {
    const struct buf *answer = &answers[(first + count - i) % count];
    buf_add_str(&visit->body, i == 0 ? "" : ",");
    buf_add(&visit->body, answer->bytes, answer->length);
  }
  buf_add_str(&visit->body, "]}");
  for (size_t i = 0; i < count; i++)
    buf_release(&answers[i]);
  must(!visit->body.overflow);
  visit->status = 200;
  visit_header(visit, "Content-Type", "application/json");
}

void batch_serve(struct tenant *tenant, struct visit *visit, const struct issued_token *token)
{
  visit->operation = "$batch";
  tenant->counters.batches++;
  const struct fault_kind *fault = faults_draw(&tenant->faults, FAULT_OF_BATCH);
  bool throttled = fault != NULL && fault->effect == FAULT_THROTTLE;
  if (fault != NULL && !throttled && visit_suffer(visit, &tenant->faults, fault))
    return;
  struct values values = {0};
  const struct value *body;
  /* Zeroed, so that those which were never read can be released like the others. */
  struct part *parts = must_alloc(VISIT_PARTS_MAX * sizeof *parts);
  size_t count;
  if (guard_json_body(tenant, visit, &values, &body) && read_parts(visit, body, parts, &count)) {
    serve_parts(tenant, visit, token, parts, count, throttled ? fault : NULL);
    if (throttled) { /* every part is throttled, and the whole says so too (FACTS.md, "JSON batching") */
      visit->fault = fault->name;
      visit->status = 424;
    }
  }
  for (size_t i = 0; i < VISIT_PARTS_MAX; i++) {
    buf_release(&parts[i].path);
    buf_release(&parts[i].body);
  }
  free(parts);
  values_release(&values);
}
