/* A registration without an engine, as commands and scripts have it: nobody probes during an outage, and nothing is
 * due in the past. */
#include "service_world.h"

static struct ports ports;

static int64_t part_now(void *context UNUSED)
{
  return ports_now(&ports);
}

static uint32_t part_random(void *context UNUSED)
{
  return ports_random(&ports);
}

static void part_notice_clock(void *context UNUSED)
{
}

static void part_retry_all(void *context UNUSED, struct registration *registration UNUSED, int64_t at_ms UNUSED)
{
}

static struct registration *begin(void)
{
  ports = world_setup(&world).ports;
  graph.sent = 0;
  struct registration_parts parts = {
      .ports = &ports,
      .json = world.json,
      .now = part_now,
      .notice_clock = part_notice_clock,
      .random = part_random,
      .retry_all = part_retry_all};
  return registration_new(&parts, &world.config, &world.accounts[0], &world.credentials[0]);
}

static void turn_of(struct registration *registration)
{
  registration_prepare(registration, now());
  registration_prepare_asides(registration, now());
  registration_send(registration);
}

static void on_done(void *context, const struct outcome *outcome UNUSED, const struct graph_reply *reply UNUSED)
{
  ++*(int *)context;
}

static void reply_to_last(int status, const char *body)
{
  struct graph_reply reply = graph_reply_of(status, body);
  assert_true(graph.sent > 0);
  network_answer(graph.exchanges[graph.sent - 1], &reply);
}

static void test_an_outage_wakes_nobody(void **s UNUSED)
{
  struct registration *registration = begin();
  struct graph_operation operation = {.kind = GRAPH_LOOKUP};
  int done = 0;
  must(str_copy(operation.user, sizeof operation.user, "a@c.com"));
  turn_of(registration);
  reply_to_last(200, "{\"access_token\":\"t\",\"expires_in\":3600}");
  for (int i = 0; i < 6; i++) {
    struct submission submission = {.operation = &operation, .on_done = on_done, .context = &done, .aside = true};
    registration_submit(registration, &submission);
    turn_of(registration);
    reply_to_last(503, "");
    later(2 * CLOCK_SECOND);
  }
  assert_int_equal(done, 6);
  assert_true(registration_next_probe(registration) != CLOCK_NEVER); /* it is an outage */
  for (int i = 0; i < 3; i++) {
    turn_of(registration);
    assert_true(registration_next(registration, false, now()) > now());
    later(5 * CLOCK_SECOND);
  }
  registration_free(registration);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_an_outage_wakes_nobody, set_up, tear_down),
  };
  return cases_run(argc, argv, tests, NULL, NULL);
}
