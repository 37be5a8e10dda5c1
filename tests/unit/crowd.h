/* A service with very many agents, a clock of its own, and a Graph that answers every request after a fifth of a
 * second with success. For bench_index.c and test_index_size.c; included once per program, which is why everything here
 * is static. What cannot go wrong here ends the program when it does. */
#ifndef TESTS_CROWD_H
#define TESTS_CROWD_H

#include "adapters/json.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/must.h"
#include "base/str.h"
#include "intake/intake.h"
#include "service/service.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CROWD_START (INT64_C(1767614400000)) /* 2026-01-05T12:00Z */
#define CROWD_LATENCY_MS 200

enum { CROWD_AT_ONCE = 1000 }; /* so many requests are under way at most, and share a commit */

static const char crowd_rules[] =
    "ruleset {\n"
    "  name = 'crowd',\n"
    "  states = { Ready = session.available { expires = '12h' }, Talking = session.in_a_call { expires = '12h' } },\n"
    "}\n";

/* An answer that is under way; they come in the order of the requests. */
struct crowd_answer {
  int64_t at_ms;
  service_on_reply *on_reply;
  void *context;
  int user; /* number of the agent that is looked up; -1: the token; -2: anything else */
};

static struct crowd {
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
  struct crowd_answer *answers;
  size_t first, count, room;
  size_t requests;
} crowd;

static void crowd_end(const char *what, const struct err *err)
{
  fprintf(stderr, "%s: %s\n", what, err == NULL ? "failed" : err->text);
  exit(1);
}

/* ---- ports */

static void *crowd_send(
    void *context UNUSED, const struct graph_request *request, const struct wiped *bearer,
    const char *client_request_id UNUSED, bool fresh UNUSED, service_on_reply *on_reply, void *reply_context)
{
  const char *user = strstr(buf_text(&request->url), "/users/agent.");
  int64_t number = -2;
  if (user != NULL) {
    char digits[7];
    str_cut(digits, sizeof digits, user + strlen("/users/agent."));
    if (!str_parse_int(digits, 0, 999999, &number))
      crowd_end(buf_text(&request->url), NULL);
  }
  if (crowd.count == crowd.room && crowd.first > crowd.room / 2) { /* those before it have come */
    crowd.count -= crowd.first;
    memmove(crowd.answers, crowd.answers + crowd.first, crowd.count * sizeof *crowd.answers);
    crowd.first = 0;
  } else if (crowd.count == crowd.room) {
    crowd.room = crowd.room == 0 ? 64 : crowd.room * 2;
    crowd.answers = must_realloc(crowd.answers, crowd.room * sizeof *crowd.answers);
  }
  crowd.requests++;
  crowd.answers[crowd.count++] =
      (struct crowd_answer){crowd.now + CROWD_LATENCY_MS, on_reply, reply_context, bearer == NULL ? -1 : (int)number};
  return &crowd;
}

static void crowd_cancel(void *context UNUSED, void *exchange UNUSED)
{
}

static void crowd_wake_at(void *context UNUSED, int64_t at_ms)
{
  crowd.wake_at = at_ms;
}

static int64_t crowd_clock(void *context UNUSED)
{
  return crowd.now;
}

static void crowd_random(void *context UNUSED, void *bytes, size_t length)
{
  for (size_t i = 0; i < length; i++)
    ((unsigned char *)bytes)[i] = (unsigned char)((crowd.seed = crowd.seed * 1664525u + 1013904223u) >> 24);
}

static void crowd_turn(void)
{
  struct err err = ERR_INIT;
  if (!service_turn(crowd.service, &err))
    crowd_end("service_turn", &err);
}

static void crowd_answer(const struct crowd_answer *answer)
{
  char body[128] = "";
  if (answer->user == -1)
    snprintf(body, sizeof body, "{\"access_token\":\"token\",\"expires_in\":86400}");
  else if (answer->user >= 0)
    snprintf(body, sizeof body, "{\"id\":\"%08x-1111-2222-3333-444444444444\"}", (unsigned)answer->user * 2654435761u);
  struct graph_reply reply = {
      .status = 200,
      .sent = true,
      .failure = "",
      .body = body,
      .body_length = strlen(body),
      .retry_after = "",
      .date = "",
      .request_id = "r",
      .content_type = "",
      .diagnostic = ""};
  answer->on_reply(answer->context, &reply);
}

/* ---- steps */

/* Lets time pass: answers what is answered, wakes whenever that was asked for. */
static UNUSED void crowd_pass(int64_t ms)
{
  int64_t until = crowd.now + ms;
  for (;;) {
    int64_t answered = crowd.first < crowd.count ? crowd.answers[crowd.first].at_ms : CLOCK_NEVER;
    int64_t next = crowd.wake_at < answered ? crowd.wake_at : answered;
    if (next > until)
      break;
    crowd.now = next > crowd.now ? next : crowd.now;
    while (crowd.first < crowd.count && crowd.answers[crowd.first].at_ms <= crowd.now) {
      struct crowd_answer answer = crowd.answers[crowd.first++];
      crowd_answer(&answer);
    }
    crowd_turn();
  }
  crowd.now = until;
  crowd_turn();
}

static UNUSED void crowd_event(int number, const char *state)
{
  static struct event event;
  struct err err = ERR_INIT;
  char json[256];
  snprintf(
      json, sizeof json, "{\"agent\":\"agent.%06d@contoso.com\",\"state\":\"%s\",\"ucc\":\"voice\"}", number, state);
  if (!intake_parse(crowd.json, json, strlen(json), crowd.now, &event, &err))
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
  static const char *ids[1];
  ids[0] = crowd.account.id;
  if ((crowd.store = store_open(crowd.state, ids, 1, &err)) == NULL)
    crowd_end("store_open", &err);
  struct service_setup setup = {
      .config = &crowd.config,
      .secrets = &crowd.secret,
      .rulesets = &crowd.ruleset,
      .store = crowd.store,
      .json = crowd.json,
      .ports = {NULL, crowd_send, crowd_cancel, crowd_wake_at, crowd_clock, crowd_random, NULL}};
  crowd.service = service_new(&setup);
  service_start(crowd.service);
  crowd_turn();
}

static UNUSED void crowd_stop(void)
{
  service_free(crowd.service);
  store_close(crowd.store);
  free(crowd.answers);
  crowd.answers = NULL;
  crowd.first = crowd.count = crowd.room = 0;
}

/* Before crowd_start(), budget and connections may be set to others. */
static UNUSED void crowd_init(void)
{
  struct err err = ERR_INIT;
  static char *domains[] = {(char *)"contoso.com"};
  memset(&crowd, 0, sizeof crowd);
  crowd.now = CROWD_START;
  crowd.seed = 7;
  log_init(LOG_LEVEL_ERROR, 0);
  snprintf(crowd.folder, sizeof crowd.folder, "/tmp/crowd.XXXXXX");
  if (mkdtemp(crowd.folder) == NULL)
    crowd_end("mkdtemp", NULL);
  snprintf(crowd.state, sizeof crowd.state, "%s/state.db", crowd.folder);
  snprintf(crowd.rules, sizeof crowd.rules, "%s/rules.lua", crowd.folder);
  FILE *file = fopen(crowd.rules, "w");
  if (file == NULL || fputs(crowd_rules, file) < 0 || fclose(file) != 0)
    crowd_end(crowd.rules, NULL);
  crowd.account = (struct config_account){
      .id = (char *)"contoso.com",
      .client_id = (char *)"bbbbbbbb-0000-0000-0000-000000000002",
      .tenant_id = (char *)"aaaaaaaa-0000-0000-0000-000000000001",
      .domains = domains,
      .domain_count = 1,
      .authority = (char *)"https://login.example",
      .graph = (char *)"https://graph.example",
      .requests_per_30_seconds = 50000,
      .lookups_per_10_seconds = 50000,
      .lease_ms = 4 * CLOCK_HOUR};
  crowd.config =
      (struct config){.accounts = &crowd.account, .account_count = 1, .connections = CROWD_AT_ONCE, .batch_off = true};
  struct rules_limits limits = {1000, 5000, 64 << 20, 64 << 20};
  wiped_set(&crowd.secret, "secret", 6);
  if ((crowd.json = json_new(&err)) == NULL || (crowd.ruleset = ruleset_load(crowd.rules, &limits, 1, &err)) == NULL)
    crowd_end("init", &err);
}

static UNUSED void crowd_release(void)
{
  static const char *const suffixes[] = {"", "-wal", "-shm"};
  ruleset_free(crowd.ruleset);
  json_free(crowd.json);
  wiped_release(&crowd.secret);
  for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
    char file[128];
    snprintf(file, sizeof file, "%s%s", crowd.state, suffixes[i]);
    (void)unlink(file);
  }
  (void)unlink(crowd.rules);
  (void)rmdir(crowd.folder);
}

#endif
