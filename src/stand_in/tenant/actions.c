/* The presence actions, as strict as is documented (FACTS.md, "Presence actions"). Each one takes a checked JSON object
 * and a person; it either changes the person and returns true, or makes an error answer and returns false.
 *
 * What is not documented is refused here: an unknown member, another case of a word, a duration without the P of ISO
 * 8601. Graph may take some of it, but a client that gets by here does not depend on that.
 *
 * action_serve() keeps an order: role and budget are looked at before the body, a request counts as in flight before a
 * fault can befall it, since its client waits for either answer, and a person is changed last, when all else was
 * right. */
#include "base/clock.h"
#include "base/str.h"
#include "stand_in/tenant/tenant.h"

#include <string.h>

enum { MESSAGE_CHARACTERS_MAX = 280 }; /* what the Teams client takes; Graph's own limit is not documented */

#define PREFERRED_MAX_MS (30 * CLOCK_DAY) /* not documented either */

static bool refuse(struct visit *visit, const char *what, const char *got)
{
  visit_graph_error(visit, 400, "BadRequest", "%s: '%s'", what, got);
  return false;
}

/* Only these members may be there. */
static bool check_members(struct visit *visit, const struct value *body, const char *const *names, size_t count)
{
  for (size_t i = 0; i < value_count(body); i++) {
    size_t known = 0;
    while (known < count && strcmp(names[known], body->u.table.keys[i]) != 0)
      known++;
    if (known == count)
      return refuse(visit, "Not a parameter of this operation", body->u.table.keys[i]);
  }
  return true;
}

static bool check_session_id(const struct tenant *tenant, struct visit *visit, const struct value *body)
{
  const char *session_id = value_get_text(body, "sessionId", "");
  return str_equal_fold(session_id, tenant->setup.client_id) ||
         refuse(visit, "sessionId must be the id of the calling application", session_id);
}

static bool read_pair(struct visit *visit, const struct value *body, enum plane plane, enum presence *ret_presence)
{
  const char *availability = value_get_text(body, "availability", ""), *activity = value_get_text(body, "activity", "");
  enum presence presence;
  if (!presence_parse_pair(plane, availability, activity, &presence) ||
      strcmp(availability, presence_availability_str(presence)) != 0 ||
      strcmp(activity, presence_activity_str(presence)) != 0) { /* whether another case is taken is not known */
    char pair[160];
    snprintf(pair, sizeof pair, "%.70s/%.70s", availability, activity);
    return refuse(visit, "Not a supported combination of availability and activity", pair);
  }
  *ret_presence = presence;
  return true;
}

/* *ret_ms keeps its default when there is no expirationDuration. */
static bool read_duration(
    struct visit *visit, const struct value *body, int64_t min_ms, int64_t max_ms, int64_t *ret_ms)
{
  const struct value *value = value_get(body, "expirationDuration");
  if (value == NULL)
    return true;
  int64_t duration_ms;
  const char *text = value_text(value, "");
  /* clock_parse_duration() takes "1h30m" as well, as people write it; Graph does not. */
  if (*text != 'P' || !clock_parse_duration(text, &duration_ms))
    return refuse(visit, "expirationDuration is no ISO 8601 duration", text);
  if (duration_ms < min_ms || duration_ms > max_ms)
    return refuse(visit, "expirationDuration is out of range", text);
  *ret_ms = duration_ms;
  return true;
}

static bool set_presence(struct tenant *tenant, struct visit *visit, struct person *person, const struct value *body)
{
  static const char *const members[] = {"sessionId", "availability", "activity", "expirationDuration"};
  /* Graph's default when no duration is given. */
  int64_t duration_ms = 5 * CLOCK_MINUTE;
  enum presence presence;
  if (!check_members(visit, body, members, COUNT_OF(members)) || !check_session_id(tenant, visit, body) ||
      !read_pair(visit, body, PLANE_SESSION, &presence) ||
      !read_duration(visit, body, PRESENCE_SESSION_MIN_MS, PRESENCE_SESSION_MAX_MS, &duration_ms))
    return false;
  person_set_app(person, presence, visit->now, duration_ms);
  return true;
}

static bool clear_presence(struct tenant *tenant, struct visit *visit, struct person *person, const struct value *body)
{
  static const char *const members[] = {"sessionId"};
  if (!check_members(visit, body, members, COUNT_OF(members)) || !check_session_id(tenant, visit, body))
    return false;
  /* Documented so: a client has to take this one for a success. */
  if (!person->has_app) {
    visit_graph_error(visit, 404, "NotFound", "Presence session not found.");
    return false;
  }
  person->has_app = false;
  return true;
}

static bool set_preferred(struct tenant *tenant, struct visit *visit, struct person *person, const struct value *body)
{
  static const char *const members[] = {"availability", "activity", "expirationDuration"};
  /* Left to person_set_preferred(), which knows Graph's default for each presence. */
  int64_t duration_ms = -1;
  enum presence presence;
  (void)tenant;
  if (!check_members(visit, body, members, COUNT_OF(members)) || !read_pair(visit, body, PLANE_PREFERRED, &presence) ||
      !read_duration(visit, body, CLOCK_SECOND, PREFERRED_MAX_MS, &duration_ms))
    return false;
  person_set_preferred(person, presence, visit->now, duration_ms);
  return true;
}

/* There is one choice, without an owner: an application that clears it takes away what the person has chosen by hand,
 * too. A second clear succeeds like the first. */
static bool clear_preferred(struct tenant *tenant, struct visit *visit, struct person *person, const struct value *body)
{
  (void)tenant;
  if (!check_members(visit, body, NULL, 0))
    return false;
  person_set_preferred(person, PRESENCE_NONE, visit->now, 0);
  return true;
}

/* *ret_ms keeps its default, no end, when there is no expiryDateTime. */
static bool read_expiry(struct visit *visit, const struct value *message, int64_t *ret_ms)
{
  const struct value *expiry = value_get(message, "expiryDateTime");
  if (expiry == NULL)
    return true;
  const char *zone = value_get_text(expiry, "timeZone", ""), *time = value_get_text(expiry, "dateTime", "");
  char text[64];
  if (strcmp(zone, "UTC") != 0)
    return refuse(visit, "expiryDateTime: the time zone is not known here", zone);
  /* Without zone or offset: with a Z behind it, it has to be an RFC 3339 time. */
  snprintf(text, sizeof text, "%.40sZ", time);
  return clock_parse_rfc3339(text, ret_ms) || refuse(visit, "expiryDateTime: not a dateTime", time);
}

static bool set_message(struct tenant *tenant, struct visit *visit, struct person *person, const struct value *body)
{
  static const char *const members[] = {"statusMessage"};
  const struct value *status = value_get(body, "statusMessage"), *message = value_get(status, "message");
  const char *content = value_get_text(message, "content", NULL);
  int64_t ends_ms = CLOCK_NEVER;
  (void)tenant;
  if (!check_members(visit, body, members, COUNT_OF(members)))
    return false;
  if (content == NULL)
    return refuse(visit, "statusMessage.message.content is missing", "");
  if (strcmp(value_get_text(message, "contentType", ""), "text") != 0)
    return refuse(visit, "contentType must be text", value_get_text(message, "contentType", ""));
  size_t characters = 0;
  for (const char *c = content; *c != '\0'; c++)
    characters += ((unsigned char)*c & 0xc0) != 0x80 ? 1 : 0;
  if (characters > MESSAGE_CHARACTERS_MAX)
    return refuse(visit, "the status message is too long", content);
  if (!read_expiry(visit, status, &ends_ms))
    return false;
  person_set_message(person, content, ends_ms);
  return true;
}

/* By what they are to clients, whose table has their names and paths; NULL: no action. Emptying a message is setting
 * one. */
typedef bool apply_action(struct tenant *tenant, struct visit *visit, struct person *person, const struct value *body);
static apply_action *const actions[GRAPH_OPERATION_KINDS] = {
    [GRAPH_SET_PRESENCE] = set_presence,   [GRAPH_CLEAR_PRESENCE] = clear_presence,
    [GRAPH_SET_PREFERRED] = set_preferred, [GRAPH_CLEAR_PREFERRED] = clear_preferred,
    [GRAPH_SET_MESSAGE] = set_message,
};

bool action_is(enum graph_operation_kind kind)
{
  return actions[kind] != NULL;
}

bool action_parse(const char *name, enum graph_operation_kind *ret_kind)
{
  for (size_t i = 0; i < GRAPH_OPERATION_KINDS; i++) {
    enum graph_operation_kind kind = (enum graph_operation_kind)i;
    if (action_is(kind) && strcmp(strrchr(graph_operation_row(kind)->path, '/') + 1, name) == 0) {
      *ret_kind = kind;
      return true;
    }
  }
  return false;
}

/* The page says 200, the OpenAPI description 204 (FACTS.md, "Success of a presence action"): a client must take both,
 * so some people get this, some that. */
static int success_status(const struct person *person)
{
  return strchr("02468ace", person->id[PERSON_ID_SIZE - 2]) != NULL ? 200 : 204;
}

static void count_in_flight(struct tenant *tenant, struct visit *visit, struct person *person)
{
  visit_in_flight(visit, person->id);
  if (++person->in_flight > tenant->counters.max_in_flight)
    tenant->counters.max_in_flight = person->in_flight;
}

void action_serve(
    struct tenant *tenant, struct visit *visit, const struct issued_token *token, enum graph_operation_kind kind,
    const char *user)
{
  visit->operation = graph_operation_str(kind);
  visit->shows_body = true;
  /* Received, whatever comes of it; `applied` counts below. Tests compare the two. */
  tenant->counters.received[kind]++;
  struct person *known = directory_by_id(tenant->directory, user);
  visit_printable(visit->user, sizeof visit->user, known == NULL ? user : known->upn);
  if (!guard_presence(tenant, visit, token))
    return;
  if (known != NULL)
    count_in_flight(tenant, visit, known);
  const struct fault_kind *fault = faults_draw(&tenant->faults, FAULT_OF_PRESENCE);
  if (fault != NULL && visit_suffer(visit, &tenant->faults, fault))
    return;
  struct values values = {0};
  const struct value *body;
  if (guard_json_body(tenant, visit, &values, &body) && guard_person(visit, user, known) &&
      actions[kind](tenant, visit, known, body)) {
    tenant->counters.applied[kind]++;
    visit_empty(visit, success_status(known));
  }
  values_release(&values);
}
