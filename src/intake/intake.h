/* Events from bytes (README.md, "Events, field by field"): one JSON object, plain or as CloudEvents 1.0, checked and
 * bounded.
 *
 * Errors are ERR_INPUT and name the JSON pointer: "/state: missing; ...". An event is some 40 KiB, so it is filled in
 * place: after a failure *ret_event is scratch. */
#ifndef INTAKE_INTAKE_H
#define INTAKE_INTAKE_H

#include "base/err.h"
#include "base/value.h"
#include "model/event.h"

struct json;

/* `arrival` becomes at_ms where no time is given. */
bool intake_parse(
    struct json *json, const char *bytes, size_t length, int64_t arrival, struct event *ret_event,
    struct err *err) MUST_CHECK;
/* The same from a parsed object. */
bool intake_read(const struct value *object, int64_t arrival, struct event *ret_event, struct err *err) MUST_CHECK;

/* The event's attributes as a JSON object, and back, for the store. */
void intake_write_attributes(const struct event *event, struct values *values, struct value **ret_object);
bool intake_read_attributes(const struct value *object, struct event *event, struct err *err) MUST_CHECK;

#endif
