/* The one table of outcomes. A new kind is a row here and a line in graph/classify.c, which says when it is one; the
 * engine, the registrations, scripts, metrics and messages ask for columns and need no change.
 *
 * `untouched` is the column to be careful with: where it says yes, the engine goes back to what Graph had confirmed
 * before the request. A wrong yes leaves a presence standing that nobody clears; a wrong no costs one request. */
#include "model/outcome.h"

static const struct {
  const char *word;
  enum outcome_reaction reaction;
  bool untouched;
  bool lacks_permission;
} rows[OUTCOME_KINDS] = {
    [OUTCOME_APPLIED] = {"applied", REACT_DONE, false, false},
    [OUTCOME_GONE] = {"gone", REACT_DONE, false, false},
    [OUTCOME_THROTTLED] =
        {"throttled", REACT_AGAIN, false, false}, /* a 429 may have been applied (FACTS.md, "Throttling") */
    [OUTCOME_TRY_LATER] = {"try_later", REACT_BACK_OFF, false, false},
    [OUTCOME_TOKEN_STALE] = {"token_stale", REACT_NEW_TOKEN, true, false},
    [OUTCOME_NO_SUCH_USER] = {"no_such_user", REACT_LOOK_UP, true, false},
    [OUTCOME_FORBIDDEN] = {"forbidden", REACT_PARK, true, true},
    [OUTCOME_REFUSED] = {"refused", REACT_PARK, true, false},
    [OUTCOME_UNKNOWN] = {"unknown", REACT_BACK_OFF, false, false},
};

enum outcome_reaction outcome_reaction(enum outcome_kind kind)
{
  return rows[kind].reaction;
}

bool outcome_leaves_untouched(const struct outcome *outcome)
{
  /* Without a status, a request to be sent later never left: had it left, its outcome would be unknown. */
  bool later = outcome->kind == OUTCOME_TRY_LATER || outcome->kind == OUTCOME_THROTTLED;
  bool never_left = later && outcome->status == 0;
  return rows[outcome->kind].untouched || never_left;
}

bool outcome_lacks_permission(enum outcome_kind kind)
{
  return rows[kind].lacks_permission;
}

const char *outcome_kind_str(enum outcome_kind kind)
{
  return rows[kind].word;
}

const char *outcome_request_id(const struct outcome *outcome)
{
  return *outcome->request_id == '\0' ? "none" : outcome->request_id;
}
