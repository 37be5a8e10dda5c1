/* A test's own Graph in the world of the tests: a test gives events, sees what goes out, answers it by hand, lets time
 * pass. Here are the rules, the expectations and the steps of such tests; all else is in tests/world. Included once per
 * test program, which is why everything here is static. */
#ifndef TESTS_SERVICE_WORLD_H
#define TESTS_SERVICE_WORLD_H

#include "cases.h"

#include "adapters/json.h"
#include "base/log.h"
#include "base/str.h"
#include "intake/intake.h"
#include "world/world.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define START WORLD_NOON
#define ID_A "aaaaaaaa-0000-0000-0000-000000000000"
#define ID_B "bbbbbbbb-0000-0000-0000-000000000000"

static const char rules_text[] =
    "ruleset {\n"
    "  name = 'test',\n"
    "  reasons = { LUNCH = teams.be_right_back { expires = '45m' }, NOTE = teams.busy { expires = '1h', message = "
    "'back soon' },\n"
    "    SHORT = session.in_a_call { expires = '10m' }, LATER = session.in_a_call { expires = '1h', delay = '30s' } "
    "},\n"
    "  states = { Ready = teams.available, Talking = teams.in_a_call, Ringing = keep, LoggedOff = clear },\n"
    "}\n";

enum { EXCHANGES_MAX = 256 };

static struct world world;

/* What has gone out since a test last forgot it, in that order. The line of each is "POST
 * /users/ID/presence/setPresence Busy InACall PT1H", or "POST token". */
static struct graph {
  struct exchange *exchanges[EXCHANGES_MAX];
  size_t sent;
  int tokens;
} graph;

static UNUSED int64_t now(void)
{
  return world_clock_wall(&world.clock);
}

static void describe(struct exchange *exchange)
{
  struct values values = {0};
  struct value *body = NULL;
  struct err err = ERR_INIT;
  const char *path = strstr(exchange->url, "/v1.0");
  char extra[256] = "", line[512];
  if (path != NULL && exchange->body_length > 0 &&
      json_parse(world.json, exchange->body, exchange->body_length, &values, &body, &err)) {
    const struct value *message = value_get(value_get(body, "statusMessage"), "message");
    snprintf(
        extra, sizeof extra, " %s %s %s%s", value_get_text(body, "availability", ""),
        value_get_text(body, "activity", ""), value_get_text(body, "expirationDuration", ""),
        value_get_text(message, "content", ""));
  }
  snprintf(line, sizeof line, "%s %s%s", exchange->method, path == NULL ? "token" : path + 5, extra);
  char *query = strstr(line, "?$select");
  if (query != NULL)
    *query = '\0';
  exchange->line = must_strdup(str_trim(line));
  values_release(&values);
}

static void on_sent(void *context UNUSED, struct exchange *exchange)
{
  assert_true(graph.sent < EXCHANGES_MAX);
  describe(exchange);
  graph.exchanges[graph.sent++] = exchange;
}

/* ---- steps of a test */

static void turn(void)
{
  struct err err = ERR_INIT;
  if (!world_turn(&world, &err))
    fail_msg("%s", err.text);
}

/* Time passes, and nothing is done in it: what is on its way stays so. */
static UNUSED void later(int64_t ms)
{
  world.clock.steady_ms += ms;
}

/* The host's clock is set, and the daemon looks at it. */
static UNUSED void set_clock(int64_t by_ms)
{
  world_clock_set(&world.clock, by_ms);
  turn();
}

/* Lets time pass, waking whenever it was asked for. */
static UNUSED void pass(int64_t ms)
{
  int64_t until = world.clock.steady_ms + ms;
  turn();
  for (int turns = 0; world_clock_next(&world.clock) <= until; turns++) {
    assert_true(turns < 10000); /* it would spin */
    world_clock_wake(&world.clock);
    turn();
  }
  world.clock.steady_ms = until;
  turn();
}

static UNUSED struct exchange *expect(const char *line)
{
  for (size_t i = 0; i < graph.sent; i++)
    if (graph.exchanges[i]->open) {
      if (strcmp(graph.exchanges[i]->line, line) != 0)
        fail_msg("expected %s, got %s", line, graph.exchanges[i]->line);
      return graph.exchanges[i];
    }
  fail_msg("expected %s, got nothing", line);
  return NULL;
}

/* The open exchange of that line, or NULL. */
static UNUSED struct exchange *find(const char *line)
{
  for (size_t i = 0; i < graph.sent; i++)
    if (graph.exchanges[i]->open && strcmp(graph.exchanges[i]->line, line) == 0)
      return graph.exchanges[i];
  return NULL;
}

/* Forgets the exchanges that were answered, if all were. */
static UNUSED void compact(void)
{
  for (size_t i = 0; i < graph.sent; i++)
    if (graph.exchanges[i]->open)
      return;
  graph.sent = 0;
}

static UNUSED void expect_nothing(void)
{
  for (size_t i = 0; i < graph.sent; i++)
    if (graph.exchanges[i]->open)
      fail_msg("expected nothing, got %s", graph.exchanges[i]->line);
  graph.sent = 0;
}

static UNUSED void reply_with(struct exchange *exchange, int status, const char *retry_after, const char *body)
{
  struct graph_reply reply = graph_reply_of(status, body);
  reply.retry_after = retry_after;
  network_answer(exchange, &reply);
  turn();
}

static UNUSED void answer(const char *line, int status)
{
  reply_with(expect(line), status, "", "");
}

static UNUSED void answer_token(void)
{
  char body[128];
  snprintf(body, sizeof body, "{\"access_token\":\"token-%d\",\"expires_in\":3600}", ++graph.tokens);
  reply_with(expect("POST token"), 200, "", body);
}

static UNUSED void answer_user(const char *line, const char *id)
{
  char body[128];
  snprintf(body, sizeof body, "{\"id\":\"%s\"}", id);
  reply_with(expect(line), 200, "", body);
}

static UNUSED enum service_taken give(const char *json)
{
  static struct event event;
  struct err err = ERR_INIT;
  if (!intake_parse(world.json, json, strlen(json), now(), &event, &err))
    fail_msg("%s", err.text);
  enum service_taken taken = service_event(world.service, &event, false);
  turn();
  return taken;
}

static UNUSED enum service_taken state(const char *agent, const char *name, const char *reason)
{
  char json[512];
  snprintf(json, sizeof json, "{\"agent\":\"%s\",\"state\":\"%s\",\"reason\":\"%s\"}", agent, name, reason);
  return give(json);
}

/* The first presence of a@c.com, whose id is ID_A. */
static UNUSED void first_ready(void)
{
  state("a@c.com", "Ready", "");
  answer_token();
  answer_user("GET /users/a%40c.com", ID_A);
  answer("POST /users/" ID_A "/presence/setPresence Available Available PT1H", 200);
  expect_nothing();
}

/* With a new file in place of what was lost, if it was. */
static UNUSED void restart_with(const struct registrations_carried *carried, bool lost)
{
  struct err err = ERR_INIT;
  world_stop(&world);
  graph.sent = 0;
  if (lost)
    assert_int_equal(unlink(world.state), 0);
  if (!world_open_store(&world, &err))
    fail_msg("%s", err.text);
  if (carried != NULL)
    registrations_carry_into(carried, world.store);
  world_start_service(&world);
  turn();
}

static UNUSED void restart(void)
{
  restart_with(NULL, false);
}

static UNUSED bool is_parked(void)
{
  return service_rest(world.service).parked == 1;
}

/* In place of the rules that there are; a daemon that runs is to be told. */
static UNUSED void take_rules(const char *text, uint32_t generation)
{
  struct err err = ERR_INIT;
  if (!world_take_rules(&world, text, generation, &err))
    fail_msg("%s", err.text);
}

static UNUSED int set_up(void **s UNUSED)
{
  graph = (struct graph){0};
  log_init(LOG_LEVEL_ERROR, 0);
  world_init(&world, "test", START, 7);
  world.network.keeps = true;
  world.network.watcher.on_sent = on_sent;
  world_account(&world, "c.com");
  world.config.connections = 8;
  world.config.batch_off = true;
  take_rules(rules_text, 1);
  restart();
  return 0;
}

static UNUSED int tear_down(void **s UNUSED)
{
  world_release(&world);
  return 0;
}

#endif
