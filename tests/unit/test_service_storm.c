/* A storm: events, faults, renamed users, restarts and clock steps at random, thousands of steps. Then the weather
 * calms down, and everything must come to rest. Same seed, same run: test_service_storm SEED runs one. */
#include "service_world.h"

enum { SEEDS = 8, STEPS = 3000, NAMES = 6, IDS = 4 };

static const char *const ids[IDS] = {
    "11111111-0000-0000-0000-000000000000", "22222222-0000-0000-0000-000000000000",
    "33333333-0000-0000-0000-000000000000", "44444444-0000-0000-0000-000000000000"};

static uint32_t chance_state;
static int id_of_name[NAMES];
static bool calm;
static int only_seed = -1;

static uint32_t chance(uint32_t below)
{
  chance_state ^= chance_state << 13;
  chance_state ^= chance_state >> 17;
  chance_state ^= chance_state << 5;
  return chance_state % below;
}

static void answer_for_token(struct exchange *exchange)
{
  char body[128];
  uint32_t luck = calm ? 99 : chance(100);
  if (luck < 10) {
    reply_with(exchange, 503, "", "");
  } else if (luck < 13) {
    reply_with(exchange, 401, "", "{\"error\":\"invalid_client\"}");
  } else {
    snprintf(
        body, sizeof body, "{\"access_token\":\"t%d\",\"expires_in\":%d}", ++graph.tokens,
        calm ? 3600 : (int)(60 + chance(3600)));
    reply_with(exchange, 200, "", body);
  }
}

static void answer_for_user(struct exchange *exchange)
{
  const char *id = exchange->line + strlen("GET /users/");
  char line[64], body[128];
  for (int i = 0; i < NAMES; i++) {
    snprintf(line, sizeof line, "GET /users/u%d%%40c.com", i);
    if (strcmp(line, exchange->line) == 0)
      id = ids[id_of_name[i]];
  }
  snprintf(body, sizeof body, "{\"id\":\"%.36s\"}", id);
  reply_with(exchange, 200, "", body);
}

static void respond(struct exchange *exchange)
{
  static const struct {
    uint32_t below;
    int status;
    const char *retry_after;
  } faults[] = {{2, 429, "3"}, {4, 429, ""},  {8, 0, ""},    {11, 503, ""},
                {13, 401, ""}, {15, 403, ""}, {17, 400, ""}, {22, 404, ""}};
  if (strcmp(exchange->line, "POST token") == 0) {
    answer_for_token(exchange);
    return;
  }
  uint32_t luck = calm ? 99 : chance(100);
  for (size_t i = 0; i < COUNT_OF(faults); i++)
    if (luck < faults[i].below) {
      reply_with(exchange, faults[i].status, faults[i].retry_after, "");
      return;
    }
  if (str_starts(exchange->line, "GET"))
    answer_for_user(exchange);
  else
    reply_with(exchange, 200, "", "");
}

static bool respond_to_one(bool any)
{
  for (size_t i = 0; i < graph.sent; i++)
    if (graph.exchanges[i]->open && (any || chance(2) == 0)) {
      respond(graph.exchanges[i]);
      return true;
    }
  return false;
}

static void some_event(void)
{
  static const char *const states[] = {"Ready", "Talking", "LoggedOff", "Ringing", "NotReady", "NotReady", "NotReady"};
  static const char *const reasons[] = {"", "", "", "", "LUNCH", "NOTE", "SHORT"};
  char json[300];
  uint32_t kind = chance(COUNT_OF(states)), who = chance(NAMES + 2);
  if (who < NAMES)
    snprintf(
        json, sizeof json, "{\"agent\":\"u%u@c.com\",\"state\":\"%s\",\"reason\":\"%s\",\"ucc\":\"%u\"}", who,
        states[kind], reasons[kind], chance(2));
  else
    snprintf(
        json, sizeof json, "{\"agent\":\"%s\",\"state\":\"%s\",\"reason\":\"%s\",\"account\":\"c.com\"}",
        ids[chance(IDS)], states[kind], reasons[kind]);
  give(json);
}

static void step(void)
{
  size_t count;
  char name[32];
  uint32_t what = chance(100);
  if (what < 35) {
    some_event();
  } else if (what < 75) {
    (void)respond_to_one(false);
  } else if (what < 92) {
    if (world.clock.wake_at_ms != CLOCK_NEVER && world.clock.wake_at_ms > now() && chance(10) > 0)
      world_clock_wake(&world.clock);
    else
      later(chance(600000));
  } else if (what < 95) {
    id_of_name[chance(NAMES)] = (int)chance(IDS);
  } else if (what < 97) {
    snprintf(name, sizeof name, "u%u@c.com", chance(NAMES));
    (void)service_resync(world.service, chance(3) > 0 ? name : NULL, &count);
  } else if (what < 98) {
    restart();
  } else if (what < 99) {
    later(chance(20) * CLOCK_HOUR);
  } else {
    world_clock_set(&world.clock, -(int64_t)chance(3) * CLOCK_HOUR);
  }
  turn();
  assert_true(world.clock.wake_at_ms > now()); /* it would spin */
}

static void storm(int seed)
{
  chance_state = 2463534242u + (uint32_t)seed * 7919u;
  calm = false;
  for (int i = 0; i < NAMES; i++)
    id_of_name[i] = i % IDS;
  for (int i = 0; i < STEPS; i++) {
    while (graph.sent > EXCHANGES_MAX - 64 && respond_to_one(true))
      compact();
    compact();
    step();
  }
  calm = true;
  size_t count;
  (void)service_resync(world.service, NULL, &count);
  turn();
  int64_t until = now() + 12 * CLOCK_HOUR; /* an account that was refused is asked for again within 10 minutes */
  while (service_rest(world.service).busy && now() < until) {
    while (respond_to_one(true))
      compact();
    if (world.clock.wake_at_ms == CLOCK_NEVER)
      break;
    world_clock_wake(&world.clock);
    turn();
  }
  if (service_rest(world.service).busy)
    fail_msg("does not come to rest: run test_service_storm %d", seed);
}

static void test_storm(void **s)
{
  int first = only_seed >= 0 ? only_seed : 0, end = only_seed >= 0 ? only_seed + 1 : SEEDS;
  for (int seed = first; seed < end; seed++) {
    assert_int_equal(set_up(s), 0);
    storm(seed);
    assert_int_equal(tear_down(s), 0);
  }
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_storm)};
  if (argc > 1 && *argv[1] >= '0' && *argv[1] <= '9') {
    only_seed = (int)strtol(argv[1], NULL, 10);
    argc--;
    argv++;
  }
  return cases_run(argc, argv, tests, NULL, NULL);
}
