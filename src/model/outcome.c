#include "model/outcome.h"

const char *outcome_kind_str(enum outcome_kind kind)
{
  switch (kind) {
  case OUTCOME_APPLIED:
    return "applied";
  case OUTCOME_GONE:
    return "gone";
  case OUTCOME_THROTTLED:
    return "throttled";
  case OUTCOME_TRY_LATER:
    return "try_later";
  case OUTCOME_TOKEN_STALE:
    return "token_stale";
  case OUTCOME_NO_SUCH_USER:
    return "no_such_user";
  case OUTCOME_FORBIDDEN:
    return "forbidden";
  case OUTCOME_REFUSED:
    return "refused";
  case OUTCOME_UNKNOWN:
    return "unknown";
  }
  return "invalid";
}
