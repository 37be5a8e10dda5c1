/* Graph's pauses, and the log's share of an outage.
 *
 * A 429 comes for the app registration, not for the user it names, and goes on counting what is sent meanwhile. So one
 * closes the gate for all. Replies of the same burst say the same pause again: they neither narrow the budget once more
 * nor add a line to the log. */
#include "base/clock.h"
#include "base/log.h"
#include "registration/internal.h"
#include "sched/sched.h"
#include "store/store.h"

#include <inttypes.h>

#define THROTTLE_BASE_MS (5 * CLOCK_SECOND) /* where Retry-After is missing */
#define THROTTLE_CAP_MS (10 * CLOCK_MINUTE)
#define TROUBLE_EVERY_MS CLOCK_MINUTE

/* A restart must keep to the pause as well, or it would be a way around it that makes the pause longer. */
static void write_down(const struct registration *registration)
{
  if (registration->parts.store != NULL)
    store_set_gate(registration->parts.store, registration->key, registration->gate.until_ms);
}

void gate_close(
    struct registration *registration, enum graph_operation_kind kind, const struct outcome *outcome, int64_t now)
{
  struct gate *gate = &registration->gate;
  bool first = now >= gate->until_ms, throttled = outcome_reaction(outcome->kind) == REACT_AGAIN;
  int64_t wait_ms = outcome->retry_after_ms + RETRY_AFTER_MARGIN_MS;
  if (first && throttled && graph_operation_row(kind)->budget == GRAPH_BUDGET_PRESENCE)
    budgets_narrow(registration, now);
  if (outcome->retry_after_ms < 0) {
    gate->attempts += first;
    wait_ms = sched_backoff(gate->attempts, 2 * THROTTLE_BASE_MS, THROTTLE_CAP_MS, registration_random(registration));
  }
  int64_t until_ms = now + wait_ms;
  if (until_ms <= gate->until_ms)
    return;
  char text[CLOCK_TEXT_SIZE], at[CLOCK_TEXT_SIZE];
  if (first)
    log_warn(
        "account %s: Graph asks for a pause of %s%s; nothing is sent until %s (request-id %s)", registration->label,
        clock_short_duration(wait_ms, text), outcome->retry_after_ms < 0 ? " (our guess: Retry-After is missing)" : "",
        clock_rfc3339(until_ms, at), outcome_request_id(outcome));
  gate->throttled_ms += until_ms - clock_later(now, gate->until_ms);
  gate->until_ms = until_ms;
  write_down(registration);
}

void gate_success(struct registration *registration)
{
  registration->gate.attempts = 0;
}

void gate_remember(struct registration *registration, int64_t until_ms)
{
  registration->gate.until_ms = until_ms;
}

void gate_tell_trouble(
    struct registration *registration, enum graph_operation_kind kind, const struct outcome *outcome, int64_t now)
{
  struct gate *gate = &registration->gate;
  gate->trouble_count++;
  if (now < gate->trouble_logged_ms + TROUBLE_EVERY_MS)
    return;
  char text[GRAPH_TEXT_SIZE];
  log_warn(
      "account %s: %s; it is tried again (%" PRIu64 " such failure%s)", registration->label,
      graph_outcome_text(kind, outcome, text), gate->trouble_count, gate->trouble_count == 1 ? "" : "s");
  gate->trouble_logged_ms = now;
  gate->trouble_count = 0;
}

void gate_clock_stepped(struct registration *registration, int64_t by_ms)
{
  struct gate *gate = &registration->gate;
  gate->trouble_logged_ms += gate->trouble_logged_ms == 0 ? 0 : by_ms;
  registration_shift_gate(registration, by_ms);
}

void registration_shift_gate(struct registration *registration, int64_t by_ms)
{
  if (registration->gate.until_ms == 0)
    return;
  registration->gate.until_ms += by_ms;
  write_down(registration);
}
