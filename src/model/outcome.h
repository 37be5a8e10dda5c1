/* What became of a request to Graph. An outcome is not an error. What each kind means, for the agent, for the app
 * registration, for a script and for people, stands in one table (outcome.c); all others ask for a column of it, and
 * none switches on the kind. */
#ifndef MODEL_OUTCOME_H
#define MODEL_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

enum outcome_kind {
  OUTCOME_APPLIED,
  OUTCOME_GONE,         /* nothing there to clear: as good as applied (FACTS.md, "clearPresence") */
  OUTCOME_THROTTLED,    /* 429: the registration's gate closes */
  OUTCOME_TRY_LATER,    /* 5xx, rubbish: the service could not */
  OUTCOME_TOKEN_STALE,  /* 401 */
  OUTCOME_NO_SUCH_USER, /* 404 of anything but a clear */
  OUTCOME_FORBIDDEN,    /* 403 */
  OUTCOME_REFUSED,      /* 400 and other 4xx: the same request will never do */
  OUTCOME_UNKNOWN,      /* sent, no answer; safe to send again */
};
enum { OUTCOME_KINDS = OUTCOME_UNKNOWN + 1 };

struct outcome {
  enum outcome_kind kind;
  int status;             /* HTTP status, 0 when there was no answer */
  int64_t retry_after_ms; /* as asked for, rounded up to milliseconds; -1 when missing or unparsable */
  char code[96];          /* Graph's error code, the most specific one known, or "" */
  char detail[256];       /* Graph's message or the transport's, for people; never branched on */
  char request_id[64];    /* Graph's request-id, or "" */
  char client_request_id[40];
};

/* What to do about it. */
enum outcome_reaction {
  REACT_DONE,     /* Graph has what was asked for */
  REACT_AGAIN,    /* the same once more, as soon as the gate is open */
  REACT_BACK_OFF, /* the same once more, after a pause of its own */
  REACT_NEW_TOKEN,
  REACT_LOOK_UP, /* is this still the user? */
  REACT_PARK,    /* the same request will never do: a person has to mend something */
};

enum outcome_reaction outcome_reaction(enum outcome_kind kind);
/* Does Graph certainly have what it had before the request? */
bool outcome_leaves_untouched(const struct outcome *outcome);
/* Is the permission missing that the operation needs? */
bool outcome_lacks_permission(enum outcome_kind kind);

const char *outcome_kind_str(enum outcome_kind kind); /* "applied", "no_such_user", as metrics and logs say it */
/* Graph's request-id as messages say it: "none" where there is none. */
const char *outcome_request_id(const struct outcome *outcome);

#endif
