/* What every presence request has to pass: the role, then the budget, then a JSON body, then a person. Each guard
 * either lets it pass or has made the answer, so a caller only stops; the order is that of the calls. Who lacks the
 * role is told so without a look at the budget, and a request that is refused for the budget has counted all the same,
 * as Graph counts what it throttles: a client that tries again at once only makes it worse. */
#include "adapters/json.h"
#include "base/clock.h"
#include "base/str.h"
#include "stand_in/tenant/tenant.h"

#include <string.h>

bool guard_presence(struct tenant *tenant, struct visit *visit, const struct issued_token *token)
{
  if (!token->presence_role) {
    visit_graph_error(visit, 403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.");
    return false;
  }
  int64_t wait_ms = window_count(&tenant->window, visit->now);
  if (wait_ms == 0)
    return true;
  char seconds[32];
  /* Rounded up: who waits as long as was asked must find room. */
  snprintf(seconds, sizeof seconds, "%lld", (long long)((wait_ms + CLOCK_SECOND - 1) / CLOCK_SECOND));
  visit_header(visit, "Retry-After", seconds);
  visit_graph_error(
      visit, 429, "TooManyRequests", "More than %d presence requests in 30 seconds.", tenant->setup.requests_per_30s);
  tenant->counters.over_budget++;
  return false;
}

bool guard_json_body(struct tenant *tenant, struct visit *visit, struct values *values, const struct value **ret_body)
{
  const char *type = visit->call->content_type;
  if (type == NULL) {
    visit_graph_error(visit, 400, "BadRequest", "The Content-Type header is missing; it must be application/json.");
    return false;
  }
  char media_type[64];
  str_cut(media_type, sizeof media_type, type);
  media_type[strcspn(media_type, ";")] = '\0';
  if (!str_equal_fold(str_trim(media_type), "application/json")) {
    visit_graph_error(visit, 415, "UnsupportedMediaType", "The content type is not supported; use application/json.");
    return false;
  }
  /* A part of a $batch: the whole has been parsed already. */
  if (visit->call->parsed != NULL) {
    *ret_body = visit->call->parsed;
    return true;
  }
  struct err err = ERR_INIT;
  struct value *body;
  const char *text = visit->call->body;
  bool is_object = text[strspn(text, " \t\r\n")] == '{'; /* of an empty one the value does not tell (adapters/json.h) */
  if (!is_object || !json_parse(tenant->json, text, visit->call->body_length, values, &body, &err)) {
    visit_graph_error(
        visit, 400, "BadRequest", "Unable to read JSON request payload. %s", is_object ? err.text : "It is no object.");
    return false;
  }
  *ret_body = body;
  return true;
}

bool guard_person(struct visit *visit, const char *user, struct person *person)
{
  /* Graph documents for reads that a UPN will not do, and is reported to refuse it; so nothing here takes one. */
  if (!str_is_guid(user)) {
    visit_graph_error(visit, 400, "BadRequest", "Invalid user id '%s': a presence is addressed by object id.", user);
    return false;
  }
  /* What Graph answers about people without Teams is not documented. The same 404 as for an unknown person is what a
   * client must be able to live with. */
  if (person == NULL || person->unlicensed) {
    visit_graph_error(visit, 404, "NotFound", "Resource '%s' does not exist.", user);
    return false;
  }
  person_expire(person, visit->now);
  return true;
}
