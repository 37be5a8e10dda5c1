/* GET /users/{id or UPN}: the one way from a name to an object id, and the one request here for which the directory's
 * budget, not that of presence, would count. $select is understood, since the daemon asks with it; every other option
 * is refused, so that a client which sends one is seen.
 *
 * The order: role, fault, query, person. People who may not sign in, or have no Teams, are found all the same, as the
 * directory knows them; only their presence is another matter. */
#include "adapters/json.h"
#include "base/str.h"
#include "stand_in/tenant/tenant.h"

#include <string.h>

enum { PROPERTY_ID, PROPERTY_UPN, PROPERTY_NAME, PROPERTY_ENABLED, PROPERTY_TYPE, PROPERTY_COUNT };

static const char *const property_names[PROPERTY_COUNT] = {
    "id", "userPrincipalName", "displayName", "accountEnabled", "userType"};

/* The list of $select, in place. False: the answer is made. */
static bool parse_select(struct visit *visit, char *list, bool wanted[PROPERTY_COUNT])
{
  char *rest = NULL;
  for (char *name = strtok_r(list, ",", &rest); name != NULL; name = strtok_r(NULL, ",", &rest)) {
    size_t i = 0;
    while (i < PROPERTY_COUNT && strcmp(str_trim(name), property_names[i]) != 0)
      i++;
    if (i == PROPERTY_COUNT) {
      visit_graph_error(
          visit, 400, "BadRequest", "Could not find a property named '%s' on type 'microsoft.graph.user'.", name);
      return false;
    }
    wanted[i] = true;
  }
  return true;
}

static bool parse_query(struct visit *visit, bool wanted[PROPERTY_COUNT])
{
  char query[1024], *rest = NULL;
  bool selected = false;
  if (!str_copy(query, sizeof query, visit->call->query)) {
    visit_graph_error(visit, 400, "BadRequest", "The query is too long.");
    return false;
  }
  for (char *pair = strtok_r(query, "&", &rest); pair != NULL; pair = strtok_r(NULL, "&", &rest)) {
    char *value = strchr(pair, '=');
    if (value != NULL)
      *value++ = '\0';
    /* Decoded before it is compared: %24select is $select. */
    if (value == NULL || !str_percent_decode(pair) || !str_percent_decode(value) || strcmp(pair, "$select") != 0) {
      visit_graph_error(visit, 400, "BadRequest", "Invalid query: only $select is understood here.");
      return false;
    }
    selected = true;
    if (!parse_select(visit, value, wanted))
      return false;
  }
  /* Without $select all that this directory has. */
  for (size_t i = 0; !selected && i < PROPERTY_COUNT; i++)
    wanted[i] = true;
  return true;
}

static void answer_person(
    const struct tenant *tenant, struct visit *visit, const struct person *person, const bool wanted[PROPERTY_COUNT])
{
  struct values values = {0};
  struct value *body = value_map(&values);
  char context[160], name[PERSON_UPN_SIZE];
  snprintf(context, sizeof context, "%s/v1.0/$metadata#users/$entity", tenant->setup.address);
  value_set(&values, body, "@odata.context", value_string(&values, context));
  /* People have no names of their own here; the part before the @ will do for display. */
  str_cut(name, sizeof name, person->upn);
  name[strcspn(name, "@")] = '\0';
  struct value *const properties[PROPERTY_COUNT] = {
      value_string(&values, person->id), value_string(&values, person->upn), value_string(&values, name),
      value_bool(&values, !person->disabled),
      value_string(&values, strstr(person->upn, "#EXT#") != NULL ? "Guest" : "Member")};
  for (size_t i = 0; i < PROPERTY_COUNT; i++)
    if (wanted[i])
      value_set(&values, body, property_names[i], properties[i]);
  visit_json(visit, 200, body);
  values_release(&values);
}

void lookup_serve(struct tenant *tenant, struct visit *visit, const struct issued_token *token, const char *user)
{
  visit->operation = graph_operation_str(GRAPH_LOOKUP);
  visit_printable(visit->user, sizeof visit->user, user);
  tenant->counters.lookups++;
  if (!token->user_role) {
    visit_graph_error(visit, 403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.");
    return;
  }
  const struct fault_kind *fault = faults_draw(&tenant->faults, FAULT_OF_LOOKUP);
  if (fault != NULL && visit_suffer(visit, &tenant->faults, fault))
    return;
  bool wanted[PROPERTY_COUNT] = {false};
  if (!parse_query(visit, wanted))
    return;
  struct person *person =
      str_is_guid(user) ? directory_by_id(tenant->directory, user) : directory_by_upn(tenant->directory, user);
  if (person == NULL) {
    visit_graph_error(
        visit, 404, "Request_ResourceNotFound",
        "Resource '%s' does not exist or one of its queried reference-property objects are not present.", user);
    return;
  }
  answer_person(tenant, visit, person, wanted);
}
