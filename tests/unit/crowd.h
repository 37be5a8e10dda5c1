/* Very many agents in the world of the tests, and a Graph that answers every request after a fifth of a second with
 * success. Here are their rules, their answers and how they come in; all else is in tests/world. For bench_index.c and
 * test_index_size.c; included once per program, which is why everything here is static. What cannot go wrong here ends
 * the program when it does. */
#ifndef TESTS_CROWD_H
#define TESTS_CROWD_H

#include "base/log.h"
#include "base/str.h"
#include "intake/intake.h"
#include "world/world.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

#define CROWD_LATENCY_MS 200

enum { CROWD_AT_ONCE = 1000 }; /* so many requests are under way at most, and share a commit */

static const char crowd_rules[] =
    "ruleset {\n"
    "  name = 'crowd',\n"
    "  states = { Ready = session.available { expires = '12h' }, Talking = session.in_a_call { expires = '12h' } },\n"
    "}\n";

static struct world crowd;

static void crowd_end(const char *what, const struct err *err)
{
  fprintf(stderr, "%s: %s\n", what, err == NULL ? "failed" : err->text);
  exit(1);
}

/* ---- Graph */

/* The number of the agent that is looked up; -1: no lookup. */
static int crowd_looked_up(const struct exchange *exchange)
{
  const char *user = strstr(exchange->url, "/users/agent.");
  int64_t number = -1;
  char digits[7];
  if (user == NULL)
    return -1;
  str_cut(digits, sizeof digits, user + strlen("/users/agent."));
  if (!str_parse_int(digits, 0, 999999, &number))
    crowd_end(exchange->url, NULL);
  return (int)number;
}

static void crowd_answer(void *context UNUSED, struct happening *happening)
{
  struct exchange *exchange = LIST_ENTRY(happening, struct exchange, next);
  char body[128] = "";
  int number = crowd_looked_up(exchange);
  if (exchange->is_token)
    snprintf(body, sizeof body, "{\"access_token\":\"token\",\"expires_in\":86400}");
  else if (number >= 0)
    snprintf(body, sizeof body, "{\"id\":\"%08x-1111-2222-3333-444444444444\"}", (unsigned)number * 2654435761u);
  struct graph_reply reply = graph_reply_of(200, body);
  network_answer(exchange, &reply);
}

static void crowd_on_sent(void *context UNUSED, struct exchange *exchange)
{
  exchange->next.happen = crowd_answer;
  world_clock_at(&crowd.clock, &exchange->next, crowd.clock.steady_ms + CROWD_LATENCY_MS);
}

/* ---- steps */

static void crowd_turn(void)
{
  struct err err = ERR_INIT;
  if (!world_turn(&crowd, &err))
    crowd_end("a turn", &err);
}

/* Lets time pass: answers what is answered, wakes whenever that was asked for. */
static UNUSED void crowd_pass(int64_t ms)
{
  int64_t until = crowd.clock.steady_ms + ms;
  while (world_clock_go(&crowd.clock, until)) {
    (void)world_clock_happen(&crowd.clock);
    crowd_turn();
  }
  crowd.clock.steady_ms = until;
  crowd_turn();
}

static UNUSED void crowd_event(int number, const char *state)
{
  static struct event event;
  struct err err = ERR_INIT;
  char json[256];
  snprintf(
      json, sizeof json, "{\"agent\":\"agent.%06d@contoso.com\",\"state\":\"%s\",\"ucc\":\"voice\"}", number, state);
  if (!intake_parse(crowd.json, json, strlen(json), world_clock_wall(&crowd.clock), &event, &err))
    crowd_end(json, &err);
  if (service_event(crowd.service, &event, false) != SERVICE_ACCEPTED)
    crowd_end(json, NULL);
}

/* One event of each from number `from` on; until everybody shows what they should. */
static UNUSED void crowd_say(int agents, int from, const char *state)
{
  for (int i = from; i < agents; i++) {
    crowd_event(i, state);
    if (i % CROWD_AT_ONCE == CROWD_AT_ONCE - 1)
      crowd_pass(CROWD_LATENCY_MS);
  }
  for (int i = 0; i < 100000 && service_rest(crowd.service).busy; i++)
    crowd_pass(CLOCK_MINUTE);
  struct service_rest rest = service_rest(crowd.service);
  if (rest.busy || rest.parked > 0)
    crowd_end("the crowd does not settle", NULL);
}

/* The first tenth is Available, the others talk. */
static UNUSED void crowd_come_in(int agents)
{
  crowd_say(agents / 10, 0, "Ready");
  crowd_say(agents, agents / 10, "Talking");
}

/* What the heap holds now, in bytes; 0 where that is not told, as under AddressSanitizer. */
static UNUSED size_t crowd_heap(void)
{
  struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

static UNUSED void crowd_start(void)
{
  struct err err = ERR_INIT;
  if (!world_start(&crowd, &err))
    crowd_end("a start", &err);
  crowd_turn();
}

static UNUSED void crowd_stop(void)
{
  world_stop(&crowd);
  network_cut(&crowd.network);
}

/* Before crowd_start(), budget and connections may be set to others. */
static UNUSED void crowd_init(void)
{
  struct err err = ERR_INIT;
  log_init(LOG_LEVEL_ERROR, 0);
  world_init(&crowd, "crowd", WORLD_NOON, 7);
  crowd.network.watcher.on_sent = crowd_on_sent;
  struct config_account *account = world_account(&crowd, "contoso.com");
  account->requests_per_30_seconds = account->lookups_per_10_seconds = 50000;
  account->lease_ms = 4 * CLOCK_HOUR;
  crowd.config.connections = CROWD_AT_ONCE;
  crowd.config.batch_off = true;
  if (!world_take_rules(&crowd, crowd_rules, 1, &err))
    crowd_end("the rules", &err);
}

static UNUSED void crowd_release(void)
{
  world_release(&crowd);
}

#endif
