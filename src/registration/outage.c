/* What tells a few failures from an outage, and how to come back from one.
 *
 * Every agent backs off by itself, up to minutes. When Graph returns, no agent may sit out a pause that was meant for
 * the outage; and they must not all come at once, or the first second of Graph's recovery is its last. So during an
 * outage one request at a time probes; the first success makes all retry (retry_all), through a window of connections
 * that starts at one and grows with each exchange in which anything succeeds. */
#include "base/clock.h"
#include "base/log.h"
#include "registration/internal.h"
#include "sched/sched.h"

/* So many failures in a row, with no success between them, are an outage. */
#define OUTAGE_FAILURES 5
#define PROBE_BASE_MS (2 * CLOCK_SECOND)
#define PROBE_CAP_MS (5 * CLOCK_SECOND)

static void note_success(struct registration *registration, int64_t now)
{
  struct outage *outage = &registration->outage;
  bool over = outage->since_ms != 0;
  char text[CLOCK_TEXT_SIZE];
  if (over)
    log_info(
        "account %s: Graph answers again after %s", registration->label,
        clock_short_duration(now - outage->since_ms, text));
  outage->failures_in_row = 0;
  outage->since_ms = 0;
  outage->probes = 0;
  if (over)
    registration->parts.retry_all(registration->parts.context, registration, now);
  outage->window += !outage->widened && outage->window < registration->connections;
  outage->widened = true;
}

void outage_note(struct registration *registration, bool failed, int64_t now)
{
  struct outage *outage = &registration->outage;
  if (!failed) {
    note_success(registration, now);
    return;
  }
  if (++outage->failures_in_row < OUTAGE_FAILURES)
    return;
  if (outage->since_ms == 0)
    outage->since_ms = now;
  if (outage->probe_ms < now + PROBE_BASE_MS / 2) /* not at once after a failure */
    outage->probe_ms = now + PROBE_BASE_MS / 2;
  outage->window = 1;
}

void outage_next_exchange(struct registration *registration)
{
  registration->outage.widened = false;
}

/* A window that was whole stays whole; one that an outage has narrowed goes on growing from where it is. */
void outage_set_connections(struct registration *registration, size_t before)
{
  struct outage *outage = &registration->outage;
  if (outage->window == before || outage->window > registration->connections)
    outage->window = registration->connections;
}

bool registration_wants_probe(const struct registration *registration, int64_t now)
{
  const struct outage *outage = &registration->outage;
  return outage->since_ms != 0 && now >= outage->probe_ms && registration->traffic.in_flight == 0;
}

void registration_probes(struct registration *registration, int64_t now)
{
  struct outage *outage = &registration->outage;
  outage->probe_ms =
      now + sched_backoff(++outage->probes, 2 * PROBE_BASE_MS, PROBE_CAP_MS, registration_random(registration));
}

int64_t registration_next_probe(const struct registration *registration)
{
  const struct outage *outage = &registration->outage;
  return outage->since_ms != 0 && registration->traffic.in_flight == 0 ? outage->probe_ms : CLOCK_NEVER;
}

void outage_clock_stepped(struct registration *registration, int64_t by_ms)
{
  struct outage *outage = &registration->outage;
  outage->probe_ms += outage->probe_ms == 0 ? 0 : by_ms;
  outage->since_ms += outage->since_ms == 0 ? 0 : by_ms;
}
