/* A service with a clock and a Graph of the test's own. A test gives events, sees what goes out, answers, lets time
 * pass. Included once per test program, which is why everything here is static. */
#ifndef TESTS_SERVICE_WORLD_H
#define TESTS_SERVICE_WORLD_H

/* The service with a clock and a Graph of the test's own: what goes out, in which order, and what comes of the answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "adapters/json.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/must.h"
#include "base/str.h"
#include "intake/intake.h"
#include "service/service.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define START (INT64_C(1767614400000)) /* 2026-01-05T12:00Z */
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

static struct world {
  char folder[64], state[96], rules[96];
  struct config_account account;
  struct config config;
  struct wiped secret;
  struct json *json;
  struct ruleset *ruleset;
  struct store *store;
  struct service *service;
  int64_t now, wake_at;
  uint32_t seed;
  struct exchange {
    char line[512]; /* "POST /users/ID/presence/setPresence Busy InACall PT1H" */
    char url[200];  /* as far as fits */
    char bearer[32];
    service_on_reply *on_reply;
    void *context;
    bool open;
  } exchanges[EXCHANGES_MAX];
  size_t sent;
  int tokens;
  int64_t (*steady)(void *context);    /* NULL until a test has a clock that nobody sets */
  int64_t (*stopwatch)(void *context); /* NULL until a test measures */
} world;

/* ---- ports */

static void describe(struct exchange *exchange, const struct graph_request *request)
{
  struct values values = {0};
  struct value *body = NULL;
  struct err err = ERR_INIT;
  const char *path = strstr(buf_text(&request->url), "/v1.0");
  char extra[256] = "";
  if (path != NULL && request->body.length > 0 &&
      json_parse(world.json, buf_text(&request->body), request->body.length, &values, &body, &err)) {
    const struct value *message = value_get(value_get(body, "statusMessage"), "message");
    snprintf(
        extra, sizeof extra, " %s %s %s%s", value_get_text(body, "availability", ""),
        value_get_text(body, "activity", ""), value_get_text(body, "expirationDuration", ""),
        value_get_text(message, "content", ""));
  }
  snprintf(exchange->line, sizeof exchange->line, "%s %s%s", request->method, path == NULL ? "token" : path + 5, extra);
  char *query = strstr(exchange->line, "?$select");
  if (query != NULL)
    *query = '\0';
  str_trim(exchange->line);
  values_release(&values);
}

static void *port_send(
    void *context UNUSED, const struct graph_request *request, const struct wiped *bearer,
    const char *client_request_id, bool fresh UNUSED, service_on_reply *on_reply, void *reply_context)
{
  assert_true(str_is_guid(client_request_id));
  assert_true(world.sent < EXCHANGES_MAX);
  struct exchange *exchange = &world.exchanges[world.sent++];
  *exchange = (struct exchange){.on_reply = on_reply, .context = reply_context, .open = true};
  snprintf(exchange->bearer, sizeof exchange->bearer, "%s", bearer == NULL ? "" : wiped_text(bearer));
  str_cut(exchange->url, sizeof exchange->url, buf_text(&request->url));
  describe(exchange, request);
  return exchange;
}

static void port_cancel(void *context UNUSED, void *exchange)
{
  ((struct exchange *)exchange)->open = false;
}

static void port_wake_at(void *context UNUSED, int64_t at_ms)
{
  world.wake_at = at_ms;
}

static int64_t port_now(void *context UNUSED)
{
  return world.now;
}

static void port_random(void *context UNUSED, void *bytes, size_t length)
{
  for (size_t i = 0; i < length; i++)
    ((unsigned char *)bytes)[i] = (unsigned char)((world.seed = world.seed * 1664525u + 1013904223u) >> 24);
}

/* ---- steps of a test */

static void turn(void)
{
  struct err err = ERR_INIT;
  if (!service_turn(world.service, &err))
    fail_msg("%s", err.text);
}

/* Lets time pass, waking whenever it was asked for. */
static UNUSED void pass(int64_t ms)
{
  int64_t until = world.now + ms;
  turn();
  for (int turns = 0; world.wake_at <= until; turns++) {
    assert_true(turns < 10000); /* it would spin */
    world.now = world.wake_at > world.now ? world.wake_at : world.now + 1;
    turn();
  }
  world.now = until;
  turn();
}

static UNUSED struct exchange *expect(const char *line)
{
  for (size_t i = 0; i < world.sent; i++)
    if (world.exchanges[i].open) {
      if (strcmp(world.exchanges[i].line, line) != 0)
        fail_msg("expected %s, got %s", line, world.exchanges[i].line);
      return &world.exchanges[i];
    }
  fail_msg("expected %s, got nothing", line);
  return NULL;
}

/* The open exchange of that line, or NULL. */
static UNUSED struct exchange *find(const char *line)
{
  for (size_t i = 0; i < world.sent; i++)
    if (world.exchanges[i].open && strcmp(world.exchanges[i].line, line) == 0)
      return &world.exchanges[i];
  return NULL;
}

/* Forgets the exchanges that were answered, if all were. */
static UNUSED void compact(void)
{
  for (size_t i = 0; i < world.sent; i++)
    if (world.exchanges[i].open)
      return;
  world.sent = 0;
}

static UNUSED void expect_nothing(void)
{
  for (size_t i = 0; i < world.sent; i++)
    if (world.exchanges[i].open)
      fail_msg("expected nothing, got %s", world.exchanges[i].line);
  world.sent = 0;
}

static UNUSED void reply_with(struct exchange *exchange, int status, const char *retry_after, const char *body)
{
  struct graph_reply reply = {
      .status = status,
      .sent = true,
      .failure = status == 0 ? "timeout" : "",
      .body = body,
      .body_length = strlen(body),
      .retry_after = retry_after,
      .date = "",
      .request_id = "r",
      .content_type = "",
      .diagnostic = ""};
  exchange->open = false;
  exchange->on_reply(exchange->context, &reply);
  turn();
}

static UNUSED void answer(const char *line, int status)
{
  reply_with(expect(line), status, "", "");
}

static UNUSED void answer_token(void)
{
  char body[128];
  snprintf(body, sizeof body, "{\"access_token\":\"token-%d\",\"expires_in\":3600}", ++world.tokens);
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
  if (!intake_parse(world.json, json, strlen(json), world.now, &event, &err))
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
static UNUSED void restart_with(const struct service_legacy *legacy, bool lost)
{
  struct err err = ERR_INIT;
  static const char *ids[1];
  ids[0] = world.account.id;
  service_free(world.service);
  store_close(world.store);
  world.sent = 0;
  if (lost)
    assert_int_equal(unlink(world.state), 0);
  world.store = store_open(world.state, ids, 1, &err);
  if (world.store == NULL)
    fail_msg("%s", err.text);
  if (legacy != NULL)
    service_legacy_write(legacy, world.store);
  struct service_setup setup = {
      .config = &world.config,
      .secrets = &world.secret,
      .rulesets = &world.ruleset,
      .store = world.store,
      .json = world.json,
      .ports = {NULL, port_send, port_cancel, port_wake_at, port_now, port_random, world.steady, world.stopwatch}};
  world.service = service_new(&setup);
  service_start(world.service);
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

static UNUSED int set_up(void **s UNUSED)
{
  struct err err = ERR_INIT;
  static char *domains[] = {(char *)"c.com", (char *)"*"};
  memset(&world, 0, sizeof world);
  world.now = START;
  world.seed = 7;
  log_init(LOG_LEVEL_ERROR, 0);
  snprintf(world.folder, sizeof world.folder, "/tmp/test_service.XXXXXX");
  if (mkdtemp(world.folder) == NULL)
    return 1;
  snprintf(world.state, sizeof world.state, "%s/state.db", world.folder);
  snprintf(world.rules, sizeof world.rules, "%s/rules.lua", world.folder);
  FILE *file = fopen(world.rules, "w");
  if (file == NULL || fputs(rules_text, file) < 0 || fclose(file) != 0)
    return 1;
  world.account = (struct config_account){
      .id = (char *)"c.com",
      .client_id = (char *)"bbbbbbbb-0000-0000-0000-000000000002",
      .tenant_id = (char *)"aaaaaaaa-0000-0000-0000-000000000001",
      .domains = domains,
      .domain_count = 1,
      .authority = (char *)"https://login.example",
      .graph = (char *)"https://graph.example",
      .requests_per_30_seconds = 1500,
      .lookups_per_10_seconds = 500,
      .lease_ms = CLOCK_HOUR};
  world.config = (struct config){.accounts = &world.account, .account_count = 1, .connections = 8, .batch_off = true};
  struct rules_limits limits = {1000, 5000, 64 << 20, 64 << 20};
  wiped_set(&world.secret, "secret", 6);
  if ((world.json = json_new(&err)) == NULL || (world.ruleset = ruleset_load(world.rules, &limits, 1, &err)) == NULL) {
    print_error("%s\n", err.text);
    return 1;
  }
  restart();
  return 0;
}

static UNUSED int tear_down(void **s UNUSED)
{
  static const char *const suffixes[] = {"", "-wal", "-shm"};
  service_free(world.service);
  store_close(world.store);
  ruleset_free(world.ruleset);
  json_free(world.json);
  wiped_release(&world.secret);
  for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
    char file[128];
    snprintf(file, sizeof file, "%s%s", world.state, suffixes[i]);
    (void)unlink(file);
  }
  (void)unlink(world.rules);
  return rmdir(world.folder);
}

#endif
