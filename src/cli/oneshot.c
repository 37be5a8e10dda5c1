/* lookup, presence, and publish and clear without a daemon: one person, a few requests, then the answer. They go
 * through the service's account: the same token, gate and encoding as the daemon. Nothing keeps alive what they set. */
#include "cli/oneshot.h"
#include "adapters/json.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/site.h"
#include "cli/transport.h"
#include "service/service.h"

#include <stdio.h>
#include <string.h>

enum { STEPS_MAX = 4, TRIES_MAX = 3 };
#define TRY_AGAIN_MS (2 * CLOCK_SECOND)
#define PATIENCE_MS (5 * CLOCK_SECOND) /* what a person waits for without a word */

struct oneshot {
  struct cli *cli;
  struct site site;
  struct loop *loop;
  struct transport *transport;
  struct service *service;
  struct loop_timer *again;
  size_t account;
  const char *upn;
  struct graph_operation steps[STEPS_MAX]; /* the first is the lookup; the others get its id */
  size_t step_count, step;
  int tries;
  struct graph_user user;
  struct graph_presence presence;
  bool done;
  struct err err;
};

static void fail(struct oneshot *oneshot)
{
  oneshot->done = true;
  loop_stop(oneshot->loop);
}

static void describe(struct oneshot *oneshot, const struct graph_operation *operation, const struct outcome *outcome)
{
  const char *remedy = "";
  switch (outcome->kind) {
  case OUTCOME_NO_SUCH_USER:
    remedy = operation->kind == GRAPH_LOOKUP ? "; the directory does not know this name"
                                             : "; is the user licensed for Teams?";
    break;
  case OUTCOME_FORBIDDEN:
    remedy = operation->kind == GRAPH_LOOKUP
                 ? "; grant the application permission User.Read.All, with admin consent"
                 : "; grant the application permission Presence.ReadWrite.All, with admin consent";
    break;
  case OUTCOME_THROTTLED:
    remedy = "; Graph throttles this application: try again later";
    break;
  case OUTCOME_TOKEN_STALE:
    remedy = "; Graph refuses the token: check permissions, admin consent, and that Graph and Cloud belong together";
    break;
  case OUTCOME_APPLIED:
  case OUTCOME_GONE:
  case OUTCOME_TRY_LATER:
  case OUTCOME_REFUSED:
  case OUTCOME_UNKNOWN:
    break;
  }
  char status[24] = "no answer";
  if (outcome->status != 0)
    snprintf(status, sizeof status, "%d", outcome->status);
  err_set(
      &oneshot->err, ERR_NET, "%s: %s: %s %s %s%s (request-id %s, client-request-id %s)", oneshot->upn,
      graph_operation_str(operation->kind), status, outcome->code, outcome->detail, remedy,
      *outcome->request_id == '\0' ? "none" : outcome->request_id, outcome->client_request_id);
}

static void submit(void *context);

static void next_step(struct oneshot *oneshot)
{
  oneshot->tries = 0;
  if (++oneshot->step == oneshot->step_count) {
    oneshot->done = true;
    loop_stop(oneshot->loop);
    return;
  }
  submit(oneshot);
}

static void on_done(void *context, const struct outcome *outcome, const struct graph_reply *reply)
{
  struct oneshot *oneshot = context;
  const struct graph_operation *operation = &oneshot->steps[oneshot->step];
  bool again = (outcome->kind == OUTCOME_TRY_LATER || outcome->kind == OUTCOME_UNKNOWN) && ++oneshot->tries < TRIES_MAX;
  if (again) {
    loop_timer_at(oneshot->again, clock_now_ms() + TRY_AGAIN_MS);
    return;
  }
  if (outcome->kind != OUTCOME_APPLIED && outcome->kind != OUTCOME_GONE) {
    describe(oneshot, operation, outcome);
    fail(oneshot);
    return;
  }
  bool ok = true;
  if (operation->kind == GRAPH_LOOKUP)
    ok = graph_parse_user(oneshot->site.json, reply, &oneshot->user, &oneshot->err);
  if (operation->kind == GRAPH_GET_PRESENCE)
    ok = graph_parse_presence(oneshot->site.json, reply, &oneshot->presence, &oneshot->err);
  if (!ok)
    fail(oneshot);
  else
    next_step(oneshot);
}

static void submit(void *context)
{
  struct oneshot *oneshot = context;
  struct graph_operation *operation = &oneshot->steps[oneshot->step];
  must(str_copy(operation->user, sizeof operation->user, oneshot->step == 0 ? oneshot->upn : oneshot->user.id));
  service_request(oneshot->service, oneshot->account, operation, on_done, oneshot);
  loop_again(oneshot->loop);
}

static void on_turn(void *context)
{
  struct oneshot *oneshot = context;
  if (oneshot->done)
    return;
  if (!service_turn(oneshot->service, &oneshot->err)) {
    fail(oneshot);
    return;
  }
  bool final;
  struct err trouble = service_token_trouble(oneshot->service, oneshot->account, &final);
  int64_t gate_ms = service_gate(oneshot->service, oneshot->account);
  if (trouble.kind == ERR_NONE && gate_ms > clock_now_ms() + PATIENCE_MS) {
    char at[CLOCK_TEXT_SIZE];
    err_set(
        &oneshot->err, ERR_NET, "%s: Graph asks for a pause until %s; try again then", oneshot->upn,
        clock_rfc3339(gate_ms, at));
    fail(oneshot);
    return;
  }
  if (trouble.kind == ERR_NONE)
    return;
  /* The first failure is told at once: a person waits for it. */
  oneshot->err = trouble;
  err_add(&oneshot->err, "account %s", oneshot->site.config.accounts[oneshot->account].id);
  fail(oneshot);
}

static bool choose_account(struct oneshot *oneshot, struct err *err)
{
  const struct config *config = &oneshot->site.config;
  const struct config_account *account = config_account_for(config, oneshot->upn);
  const char *suffix = strrchr(oneshot->upn, '@');
  if (account == NULL && suffix == NULL && config->account_count == 1)
    account = &config->accounts[0]; /* an object id */
  if (account == NULL)
    return err_set(
        err, ERR_INPUT, "%s: no account serves %s; add it to an Account's Domains", oneshot->upn,
        suffix == NULL ? "an object id among several accounts" : suffix + 1);
  oneshot->account = (size_t)(account - config->accounts);
  return true;
}

static bool run(struct oneshot *oneshot, struct err *err)
{
  log_init(LOG_LEVEL_ERROR, 0); /* one line tells what went wrong: ours */
  if (!site_open(oneshot->cli, SITE_WITH_SECRETS, &oneshot->site, err))
    return false;
  if (!choose_account(oneshot, err) || (oneshot->loop = loop_new(err)) == NULL ||
      (oneshot->transport = transport_new(oneshot->loop, &oneshot->site.config, err)) == NULL)
    return false;
  struct service_setup setup = {
      .config = &oneshot->site.config,
      .secrets = oneshot->site.secrets,
      .rulesets = oneshot->site.rulesets,
      .json = oneshot->site.json,
      .ports = transport_ports(oneshot->transport)};
  oneshot->service = service_new(&setup);
  oneshot->again = loop_timer_new(oneshot->loop, submit, oneshot);
  submit(oneshot);
  loop_run(oneshot->loop, on_turn, oneshot);
  *err = oneshot->err;
  return oneshot->err.kind == ERR_NONE;
}

static void release(struct oneshot *oneshot)
{
  service_free(oneshot->service);
  loop_timer_free(oneshot->again);
  transport_free(oneshot->transport);
  loop_free(oneshot->loop);
  if (oneshot->site.config.account_count > 0)
    site_close(&oneshot->site);
}

static void print_answer(const struct oneshot *oneshot, const char *verb)
{
  struct values values = {0};
  struct value *answer = value_map(&values);
  struct buf text;
  buf_init(&text, 64 * 1024);
  value_set(&values, answer, "id", value_string(&values, oneshot->user.id));
  value_set(&values, answer, "upn", value_string(&values, oneshot->user.upn));
  value_set(&values, answer, "display_name", value_string(&values, oneshot->user.display_name));
  if (*oneshot->presence.availability != '\0') {
    value_set(&values, answer, "availability", value_string(&values, oneshot->presence.availability));
    value_set(&values, answer, "activity", value_string(&values, oneshot->presence.activity));
    value_set(&values, answer, "message", value_string(&values, oneshot->presence.message));
  }
  json_write_pretty(&text, answer);
  if (oneshot->cli->json)
    printf("%s\n", buf_text(&text));
  else if (*oneshot->presence.availability != '\0')
    printf(
        "%s: %s / %s%s%s\n", oneshot->user.upn, oneshot->presence.availability, oneshot->presence.activity,
        *oneshot->presence.message == '\0' ? "" : ", ", oneshot->presence.message);
  else
    printf("%s: %s (%s, %s)\n", oneshot->user.upn, verb, oneshot->user.display_name, oneshot->user.id);
  buf_release(&text);
  values_release(&values);
}

int oneshot_run(struct cli *cli, const char *upn, const struct graph_operation *steps, size_t count, const char *verb)
{
  struct oneshot oneshot = {.cli = cli, .upn = upn, .step_count = count + 1, .err = ERR_INIT};
  struct err err = ERR_INIT;
  int exit_code = EXIT_DONE;
  oneshot.steps[0].kind = GRAPH_LOOKUP;
  for (size_t i = 0; i < count; i++)
    oneshot.steps[i + 1] = steps[i];
  if (strlen(upn) >= GRAPH_NAME_SIZE) {
    err_set(&err, ERR_INPUT, "%.40s...: too long for a user name", upn);
    exit_code = cli_fail(&err);
  } else if (run(&oneshot, &err)) {
    print_answer(&oneshot, verb);
  } else {
    exit_code = cli_fail(&err);
  }
  release(&oneshot);
  return exit_code;
}

int cli_lookup(struct cli *cli)
{
  return cli_no_more(cli, 1, 1) ? oneshot_run(cli, cli->argv[0], NULL, 0, "found") : EXIT_USAGE;
}

int cli_presence(struct cli *cli)
{
  struct graph_operation get = {.kind = GRAPH_GET_PRESENCE};
  return cli_no_more(cli, 1, 1) ? oneshot_run(cli, cli->argv[0], &get, 1, "") : EXIT_USAGE;
}
