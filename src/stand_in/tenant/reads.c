/* Presences as Graph shows them to an application: one person's, or those of up to 650 at once. Both count against the
 * presence budget like any action, one request each, however many people it asks about.
 *
 * Words are spelt as Graph sends them, in PascalCase, though its documentation lists them otherwise. */
#include "adapters/json.h"
#include "base/clock.h"
#include "base/str.h"
#include "stand_in/tenant/tenant.h"

enum { READ_MANY_MAX = 650 };

static struct value *presence_of(struct values *values, const struct person *person, int64_t now)
{
  struct value *presence = value_map(values), *office = value_map(values), *status = value_nil(values);
  struct effective shown = person_shown(person, now);
  value_set(values, office, "message", value_nil(values));
  value_set(values, office, "isOutOfOffice", value_bool(values, false));
  if (person->message != NULL) { /* its end is not shown to others (FACTS.md, "Status message") */
    struct value *message = value_map(values);
    value_set(values, message, "content", value_string(values, person->message));
    value_set(values, message, "contentType", value_string(values, "text"));
    status = value_map(values);
    value_set(values, status, "message", message);
  }
  value_set(values, presence, "id", value_string(values, person->id));
  value_set(values, presence, "availability", value_string(values, availability_str(shown.availability)));
  value_set(values, presence, "activity", value_string(values, shown.activity));
  value_set(values, presence, "outOfOfficeSettings", office);
  value_set(values, presence, "statusMessage", status);
  return presence;
}

void read_one(struct tenant *tenant, struct visit *visit, const struct issued_token *token, const char *user)
{
  visit->operation = graph_operation_str(GRAPH_GET_PRESENCE);
  struct person *person = directory_by_id(tenant->directory, user);
  visit_printable(visit->user, sizeof visit->user, person == NULL ? user : person->upn);
  tenant->counters.reads++;
  if (!guard_presence(tenant, visit, token) || !guard_person(visit, user, person))
    return;
  struct values values = {0};
  visit_json(visit, 200, presence_of(&values, person, visit->now));
  values_release(&values);
}

/* Adds the presences of the ids; unknown ones are left out. Whether Graph leaves them out or calls them PresenceUnknown
 * is not documented, so a client must get along with a shorter list. False: the answer is made. */
static bool add_presences(
    struct tenant *tenant, struct visit *visit, const struct value *ids, struct values *values, struct value *list)
{
  if (!value_is(ids, VALUE_LIST) || value_count(ids) > READ_MANY_MAX) {
    visit_graph_error(visit, 400, "BadRequest", "ids must be a list of 1 to %d ids.", READ_MANY_MAX);
    return false;
  }
  for (size_t i = 0; i < value_count(ids); i++) {
    const char *id = value_text(value_at(ids, i), "");
    if (!str_is_guid(id)) {
      visit_graph_error(visit, 400, "BadRequest", "Invalid user id '%s'.", id);
      return false;
    }
    struct person *person = directory_by_id(tenant->directory, id);
    if (person == NULL)
      continue;
    person_expire(person, visit->now);
    value_add(values, list, presence_of(values, person, visit->now));
  }
  return true;
}

void read_many(struct tenant *tenant, struct visit *visit, const struct issued_token *token)
{
  visit->operation = graph_operation_str(GRAPH_GET_PRESENCES);
  tenant->counters.reads++;
  if (!guard_presence(tenant, visit, token))
    return;
  struct values values = {0};
  const struct value *body;
  if (guard_json_body(tenant, visit, &values, &body)) {
    struct value *answer = value_map(&values), *list = value_list(&values);
    if (add_presences(tenant, visit, value_get(body, "ids"), &values, list)) {
      value_set(&values, answer, "value", list);
      visit_json(visit, 200, answer);
    }
  }
  values_release(&values);
}
