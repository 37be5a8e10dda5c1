/* Small uses of struct ports, and the watch over the wall clock.
 *
 * A step of the wall clock shows as a change of the distance between it and the steady clock. The distance is compared
 * with the one at which a step was last noticed, not with the last reading, so that a clock which is slewed little by
 * little is noticed too, once it has gone far enough to matter. */
#include "registration/ports.h"

/* A step of the clock; less than the margins that are added to every Retry-After and to the window of a budget. */
#define STEP_MS 80

int64_t ports_now(const struct ports *ports)
{
  return ports->now(ports->context);
}

uint32_t ports_random(const struct ports *ports)
{
  uint32_t random;
  ports->random(ports->context, &random, sizeof random);
  return random;
}

void ports_guid(const struct ports *ports, char to[STR_GUID_SIZE])
{
  unsigned char bytes[16];
  ports->random(ports->context, bytes, sizeof bytes);
  str_guid(bytes, to);
}

/* How far the wall clock is ahead of the steady one. The two cannot be read at one moment: a reading between which the
 * process was suspended for long is repeated, or it would look like a step. */
static int64_t ahead_of_steady(const struct ports *ports)
{
  int64_t now = 0, before = 0, after = STEP_MS;
  for (int i = 0; i < 5 && after - before > STEP_MS / 4; i++) {
    before = ports->steady(ports->context);
    now = ports_now(ports);
    after = ports->steady(ports->context);
  }
  return now - after;
}

int64_t ports_clock_step(const struct ports *ports, struct ports_clock *clock)
{
  int64_t by_ms;
  if (ports->steady == NULL) {
    int64_t now = ports_now(ports);
    by_ms = now < clock->ahead_ms ? now - clock->ahead_ms : 0;
    clock->ahead_ms = now;
  } else {
    int64_t ahead_ms = ahead_of_steady(ports);
    by_ms = clock->known ? ahead_ms - clock->ahead_ms : 0;
    if (!clock->known || by_ms <= -STEP_MS || by_ms >= STEP_MS)
      clock->ahead_ms = ahead_ms;
    clock->known = true;
  }
  return by_ms <= -STEP_MS || by_ms >= STEP_MS ? by_ms : 0;
}
