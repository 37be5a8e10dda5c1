/* What became of a request to Graph. An outcome is not an error: one table (service/flight) maps it to the agent's
 * next state, and nothing else switches on it. */
#ifndef MODEL_OUTCOME_H
#define MODEL_OUTCOME_H

#include <stdint.h>

enum outcome_kind {
  OUTCOME_APPLIED,
  OUTCOME_GONE,         /* nothing there to clear: as good as applied (facts 1.3) */
  OUTCOME_THROTTLED,    /* 429: the account's gate closes */
  OUTCOME_TRY_LATER,    /* 5xx, rubbish: the service could not */
  OUTCOME_TOKEN_STALE,  /* 401 */
  OUTCOME_NO_SUCH_USER, /* 404 of anything but a clear */
  OUTCOME_FORBIDDEN,    /* 403 */
  OUTCOME_REFUSED,      /* 400 and other 4xx: the same request will never do */
  OUTCOME_UNKNOWN,      /* sent, no answer; safe to send again */
};

struct outcome {
  enum outcome_kind kind;
  int status;             /* HTTP status, 0 when there was no answer */
  int64_t retry_after_ms; /* as asked for, rounded up to milliseconds; -1 when missing or unparsable */
  char code[96];          /* Graph's error code, the most specific one known, or "" */
  char detail[256];       /* Graph's message or the transport's, for people; never branched on */
  char request_id[64];    /* Graph's request-id, or "" */
  char client_request_id[40];
};

const char *outcome_kind_str(enum outcome_kind kind); /* "applied", "no_such_user", as metrics and logs say it */

#endif
