/* A turn without an engine: no agents, no store, no commit. What was asked goes out as soon as the registration is
 * open, under the same token, gate and budget as in the daemon. */
#include "host/solo.h"
#include "base/clock.h"
#include "registration/registrations.h"

struct solo {
  struct ports ports;
  struct ports_clock clock;
  struct registrations registrations;
};

static int64_t part_now(void *context)
{
  const struct solo *solo = context;
  return ports_now(&solo->ports);
}

static uint32_t part_random(void *context)
{
  const struct solo *solo = context;
  return ports_random(&solo->ports);
}

static void part_notice_clock(void *context)
{
  struct solo *solo = context;
  int64_t by_ms = ports_clock_step(&solo->ports, &solo->clock);
  for (size_t i = 0; by_ms != 0 && i < solo->registrations.count; i++)
    registration_clock_stepped(solo->registrations.list[i], by_ms);
}

/* A call of host/direct waits for a pause of its own, which is short. */
static void part_retry_all(void *context UNUSED, struct registration *registration UNUSED, int64_t now UNUSED)
{
}

struct solo *solo_new(
    struct transport *transport, const struct config *config, const struct credential *credentials, struct json *json)
{
  struct solo *solo = must_alloc(sizeof *solo);
  solo->ports = transport_ports(transport);
  struct registration_parts parts = {
      .ports = &solo->ports,
      .json = json,
      .context = solo,
      .now = part_now,
      .notice_clock = part_notice_clock,
      .random = part_random,
      .retry_all = part_retry_all};
  registrations_set(&solo->registrations, &parts, config, credentials, NULL);
  return solo;
}

void solo_free(struct solo *solo)
{
  if (solo == NULL)
    return;
  registrations_release(&solo->registrations);
  free(solo);
}

void solo_turn(struct solo *solo)
{
  part_notice_clock(solo);
  int64_t now = part_now(solo), next = CLOCK_NEVER;
  for (size_t i = 0; i < solo->registrations.count; i++) {
    struct registration *registration = solo->registrations.list[i];
    registration_prepare(registration, now);
    registration_prepare_asides(registration, now);
    registration_send(registration);
    next = clock_earlier(next, registration_next(registration, false, now));
  }
  solo->ports.wake_at(solo->ports.context, next);
}

static struct registration *registration_of(void *context, size_t account)
{
  const struct solo *solo = context;
  return registrations_of(&solo->registrations, account);
}

struct direct_access solo_access(struct solo *solo)
{
  return (struct direct_access){.context = solo, .registration = registration_of};
}
