/* What the outcome of a request says about its registration: a pause, a token that does not hold, an outage, or that
 * all is well. The request's sender is told afterwards, and so finds gate, token and budget as they are by then. */
#include "base/clock.h"
#include "registration/internal.h"

void registration_take_outcome(
    struct registration *registration, const struct request *request, const struct outcome *outcome, int64_t now)
{
  enum graph_operation_kind kind = request_kind(request);
  enum outcome_reaction reaction = outcome_reaction(outcome->kind);
  bool passing = reaction == REACT_BACK_OFF, throttled = reaction == REACT_AGAIN;
  traffic_count(registration, kind, outcome);
  if (throttled || (passing && outcome->retry_after_ms >= 0)) /* a 503 may ask for a pause, too */
    gate_close(registration, kind, outcome, now);
  if (passing)
    gate_tell_trouble(registration, kind, outcome, now);
  if (!throttled) /* who throttles is there: a 429 is neither a failure nor a success */
    outage_note(registration, passing, now);
  if (reaction == REACT_NEW_TOKEN) {
    if (!request_is_about_user(
            request)) /* others got through with that token (FACTS.md, "A 401 that is not about the token") */
      token_doubt(registration, request_token_serial(request), outcome, now);
    return;
  }
  if (outcome->status != 0 && !passing)
    token_proved(registration, request_token_serial(request));
  if (reaction == REACT_DONE) {
    gate_success(registration);
    budgets_widen(registration, kind, now);
  }
}
