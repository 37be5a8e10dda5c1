/* Events from bytes: the JSON tree is read field by field into the fixed places of a struct event. What does not fit is
 * refused, never cut, because a name that was cut could be another person's. A top-level field that the contract does
 * not know is counted and told, not refused: a sender may be newer than we are.
 *
 * The order of intake_read() matters. The event proper comes first, the CloudEvents envelope fills only what that left
 * open, defaults fill the rest, and the fingerprint is made last, over the event as it will be acted on. */
#include "intake/intake.h"
#include "adapters/json.h"
#include "base/clock.h"
#include "base/str.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static const char *const fields[] = {"agent", "state", "reason", "ucc", "at", "id", "account", "attributes"};

/* JSON numbers are doubles; beyond 2^53 they are no longer the number that was sent. */
#define EXACT_MAX 9007199254740992.0

static bool number_text(double number, char *to, size_t room)
{
  if (!isfinite(number) || fabs(number) > EXACT_MAX)
    return false;
  if (number == floor(number))
    snprintf(to, room, "%" PRId64, (int64_t)number);
  else
    snprintf(to, room, "%.15g", number);
  return true;
}

enum need { REQUIRED, OPTIONAL };

/* A string field, trimmed. `integers`: a whole number stands for its decimal text, since one sender keeps reason codes
 * as numbers and the next one as texts, and rules are to see the same code. */
static bool read_text(
    const struct value *object, const char *name, enum need need, bool integers, char *to, size_t room, struct err *err)
{
  const struct value *value = value_get(object, name);
  if (value == NULL || value->type == VALUE_NIL) {
    if (need == REQUIRED)
      return err_set(err, ERR_INPUT, "/%s: missing; every event needs an agent and a state", name);
    return true;
  }
  if (integers && value->type == VALUE_NUMBER && value->u.number == floor(value->u.number) &&
      number_text(value->u.number, to, room))
    return true;
  if (value->type != VALUE_STRING)
    return err_set(
        err, ERR_INPUT, "/%s: a %s; write a string%s", name, value_type_str(value->type),
        integers ? " or an integer" : "");
  char *text = must_strdup(value->u.string.bytes);
  str_trim(text);
  bool fits = str_copy(to, room, text);
  bool empty = *text == '\0';
  free(text);
  if (!fits)
    return err_set(err, ERR_INPUT, "/%s: longer than %zu bytes; shorten it", name, room - 1);
  if (empty && need == REQUIRED)
    return err_set(err, ERR_INPUT, "/%s: empty; every event needs an agent and a state", name);
  return true;
}

/* Without a time of its own an event counts by its arrival; that it was not given is kept, because such an event is
 * never stale, however the host's clock is set meanwhile. */
static bool read_at(const struct value *object, int64_t arrival, struct event *event, struct err *err)
{
  const struct value *at = value_get(object, "at");
  event->at_ms = arrival;
  event->at_given = at != NULL && at->type != VALUE_NIL;
  if (!event->at_given)
    return true;
  if (at->type != VALUE_STRING || !clock_parse_rfc3339(at->u.string.bytes, &event->at_ms))
    return err_set(
        err, ERR_INPUT, "/at: %s%.40s%s is no RFC 3339 time; write it like 2026-01-05T12:00:00+01:00",
        at->type == VALUE_STRING ? "\"" : "a ", value_text(at, value_type_str(at->type)),
        at->type == VALUE_STRING ? "\"" : "");
  return true;
}

/* Flat values only: rules compare an attribute as one text, and a table would have none. */
static bool read_attribute(const char *name, const struct value *value, struct attribute *attribute, struct err *err)
{
  if (!str_copy(attribute->name, sizeof attribute->name, name))
    return err_set(err, ERR_INPUT, "/attributes: a name longer than %zu bytes; shorten it", sizeof attribute->name - 1);
  switch (value->type) {
  case VALUE_STRING:
    attribute->type = ATTRIBUTE_STRING;
    if (str_copy(attribute->text, sizeof attribute->text, value->u.string.bytes))
      return true;
    return err_set(
        err, ERR_INPUT, "/attributes/%s: longer than %zu bytes; shorten it", name, sizeof attribute->text - 1);
  case VALUE_NUMBER:
    attribute->type = ATTRIBUTE_NUMBER;
    if (number_text(value->u.number, attribute->text, sizeof attribute->text))
      return true;
    return err_set(err, ERR_INPUT, "/attributes/%s: too large to be exact; write it as a string", name);
  case VALUE_BOOL:
    attribute->type = ATTRIBUTE_BOOL;
    return str_copy(attribute->text, sizeof attribute->text, value->u.boolean ? "true" : "false");
  case VALUE_NIL:
  case VALUE_LIST:
  case VALUE_MAP:
    break;
  }
  return err_set(
      err, ERR_INPUT, "/attributes/%s: a %s; write a string, a number or a boolean", name, value_type_str(value->type));
}

static int by_name(const void *a, const void *b)
{
  return strcmp(((const struct attribute *)a)->name, ((const struct attribute *)b)->name);
}

bool intake_read_attributes(const struct value *object, struct event *event, struct err *err)
{
  event->attribute_count = 0;
  if (object == NULL || object->type == VALUE_NIL)
    return true;
  if (object->type != VALUE_MAP)
    return err_set(err, ERR_INPUT, "/attributes: a %s; write an object", value_type_str(object->type));
  size_t count = value_count(object);
  if (count > EVENT_ATTRIBUTES_MAX)
    return err_set(err, ERR_INPUT, "/attributes: %zu members; at most %d are taken", count, EVENT_ATTRIBUTES_MAX);
  for (size_t i = 0; i < count; i++)
    if (!read_attribute(object->u.table.keys[i], object->u.table.items[i], &event->attributes[i], err))
      return false;
  event->attribute_count = count;
  /* So the order in which a sender writes them changes neither the fingerprint nor what is stored. */
  qsort(event->attributes, count, sizeof event->attributes[0], by_name);
  return true;
}

void intake_write_attributes(const struct event *event, struct values *values, struct value **ret_object)
{
  struct value *object = value_map(values);
  for (size_t i = 0; i < event->attribute_count; i++) {
    const struct attribute *attribute = &event->attributes[i];
    struct value *value = NULL;
    switch (attribute->type) {
    case ATTRIBUTE_STRING:
      value = value_string(values, attribute->text);
      break;
    case ATTRIBUTE_NUMBER:
      value = value_number(values, strtod(attribute->text, NULL));
      break;
    case ATTRIBUTE_BOOL:
      value = value_bool(values, strcmp(attribute->text, "true") == 0);
      break;
    }
    value_set(values, object, attribute->name, value);
  }
  *ret_object = object;
}

/* Over what the sender meant, so that the same change sent twice has the same fingerprint; a time of arrival differs
 * each time and stays out. Each text takes its NUL along, or "ab" and "c" would be the same as "a" and "bc". */
static uint64_t fingerprint(const struct event *event)
{
  const char *texts[] = {event->agent, event->state, event->reason, event->ucc, event->account};
  uint64_t hash = 0;
  for (size_t i = 0; i < COUNT_OF(texts); i++)
    hash = str_hash(texts[i], strlen(texts[i]) + 1, hash);
  if (event->at_given)
    hash = str_hash(&event->at_ms, sizeof event->at_ms, hash);
  for (size_t i = 0; i < event->attribute_count; i++) {
    hash = str_hash(event->attributes[i].name, strlen(event->attributes[i].name) + 1, hash);
    hash = str_hash(event->attributes[i].text, strlen(event->attributes[i].text) + 1, hash);
  }
  return hash;
}

static void note_unknown(const struct value *object, struct event *event)
{
  for (size_t i = 0; i < value_count(object); i++) {
    bool known = false;
    for (size_t f = 0; f < COUNT_OF(fields); f++)
      known = known || strcmp(fields[f], object->u.table.keys[i]) == 0;
    if (!known && event->unknown_fields++ == 0)
      str_cut(event->unknown_field, sizeof event->unknown_field, object->u.table.keys[i]);
  }
}

/* The event proper, out of a CloudEvents envelope: id, time and source fill what `data` leaves open (README.md,
 * "Events, field by field"). */
static bool fill_from_envelope(const struct value *envelope, struct event *event, struct err *err)
{
  if (*event->id == '\0' && !read_text(envelope, "id", OPTIONAL, false, event->id, sizeof event->id, err))
    return false;
  if (*event->ucc == '\0' && !read_text(envelope, "source", OPTIONAL, false, event->ucc, sizeof event->ucc, err))
    return false;
  const char *time = value_get_text(envelope, "time", NULL);
  if (!event->at_given && time != NULL) {
    if (!clock_parse_rfc3339(time, &event->at_ms))
      return err_set(err, ERR_INPUT, "/time: \"%.40s\" is no RFC 3339 time; write it like 2026-01-05T12:00:00Z", time);
    event->at_given = true;
  }
  return true;
}

bool intake_read(const struct value *object, int64_t arrival, struct event *ret_event, struct err *err)
{
  if (!value_is(object, VALUE_MAP))
    return err_set(err, ERR_INPUT, "an event is a JSON object, not a %s", value_type_str(object->type));
  /* CloudEvents demands this attribute of every event, and a plain event has no such field. */
  const struct value *envelope = value_get(object, "specversion") != NULL ? object : NULL;
  const struct value *data = envelope == NULL ? object : value_get(object, "data");
  if (!value_is(data, VALUE_MAP))
    return err_set(err, ERR_INPUT, "/data: missing or no object; a CloudEvent carries the agent's state in \"data\"");
  struct event *event = ret_event;
  *event = (struct event){0};
  if (!read_text(data, "agent", REQUIRED, false, event->agent, sizeof event->agent, err) ||
      !read_text(data, "state", REQUIRED, false, event->state, sizeof event->state, err) ||
      !read_text(data, "reason", OPTIONAL, true, event->reason, sizeof event->reason, err) ||
      !read_text(data, "ucc", OPTIONAL, false, event->ucc, sizeof event->ucc, err) ||
      !read_text(data, "id", OPTIONAL, true, event->id, sizeof event->id, err) ||
      !read_text(data, "account", OPTIONAL, false, event->account, sizeof event->account, err) ||
      !read_at(data, arrival, event, err) || !intake_read_attributes(value_get(data, "attributes"), event, err))
    return false;
  if (envelope != NULL && !fill_from_envelope(envelope, event, err))
    return false;
  str_lower(event->agent);
  if (strchr(event->agent, '@') == NULL && !str_is_guid(event->agent))
    return err_set(
        err, ERR_INPUT, "/agent: \"%.80s\" is neither a UPN nor an object id; write name@domain", event->agent);
  /* Overrides are kept under such a name; a sender could pose as one. */
  if (*event->ucc == '(')
    return err_set(err, ERR_INPUT, "/ucc: names in parentheses are our own; choose another");
  if (*event->ucc == '\0')
    must(str_copy(event->ucc, sizeof event->ucc, "default"));
  note_unknown(data, event);
  event->fingerprint = fingerprint(event);
  return true;
}

bool intake_parse(
    struct json *json, const char *bytes, size_t length, int64_t arrival, struct event *ret_event, struct err *err)
{
  /* Before anything is parsed: this bounds the work of the parser as well. */
  if (length > EVENT_MAX_BYTES)
    return err_set(err, ERR_INPUT, "longer than %d bytes; an event is one small object", EVENT_MAX_BYTES);
  struct values values = {0};
  struct value *object = NULL;
  bool ok = json_parse(json, bytes, length, &values, &object, err) && intake_read(object, arrival, ret_event, err);
  values_release(&values);
  return ok;
}
