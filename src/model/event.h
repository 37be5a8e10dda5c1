/* An agent state change, as the contact centre reports it (README.md, "Events, field by field"). A value: bounded,
 * owned by whoever holds it. */
#ifndef MODEL_EVENT_H
#define MODEL_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of UTF-8, with the NUL. Longer input is refused, never cut. */
enum {
  EVENT_MAX_BYTES = 64 * 1024, /* of one JSON object */
  EVENT_AGENT_SIZE = 321,      /* a UPN has at most 113 characters, a mail address at most 320 */
  EVENT_NAME_SIZE = 129,       /* state, reason, ucc, id, account, attribute names */
  EVENT_ATTRIBUTE_SIZE = 513,  /* an attribute's value as text */
  EVENT_ATTRIBUTES_MAX = 64,
};

enum attribute_type { ATTRIBUTE_STRING, ATTRIBUTE_NUMBER, ATTRIBUTE_BOOL };

struct attribute {
  enum attribute_type type;
  char name[EVENT_NAME_SIZE];
  char text[EVENT_ATTRIBUTE_SIZE]; /* numbers and booleans as JSON writes them: "47", "true" */
};

struct event {
  char agent[EVENT_AGENT_SIZE];  /* UPN or object id, trimmed, ASCII letters in lower case */
  char state[EVENT_NAME_SIZE];   /* trimmed, as given */
  char reason[EVENT_NAME_SIZE];  /* "" when there is none; an integer as its decimal text */
  char ucc[EVENT_NAME_SIZE];     /* "default" when none was given */
  char id[EVENT_NAME_SIZE];      /* idempotency key, or "" */
  char account[EVENT_NAME_SIZE]; /* or "" */
  int64_t at_ms;
  bool at_given;                       /* false: at_ms is the time of arrival */
  uint64_t fingerprint;                /* of the content, to tell a duplicate id from a reused one */
  int unknown_fields;                  /* top-level fields that the contract does not know */
  char unknown_field[EVENT_NAME_SIZE]; /* the first of them */
  size_t attribute_count;
  struct attribute attributes[EVENT_ATTRIBUTES_MAX]; /* sorted by name */
};

#endif
