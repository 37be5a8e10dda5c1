/* script: runs a customer's script over the loop. While a daemon runs, what it publishes goes through that one's
 * engine; else, and all that only asks, directly. */
#include "script/script.h"
#include "adapters/json.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/cli.h"
#include "client/client.h"
#include "host/direct.h"
#include "host/site.h"
#include "host/solo.h"
#include "host/tables.h"
#include "host/transport.h"
#include "intake/intake.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct runner {
  struct cli *cli;
  const char *path;
  struct site site;
  struct loop *loop;
  struct transport *transport;
  struct solo *solo;
  struct direct *direct;
  struct client *client;   /* NULL: no daemon runs */
  struct list_node orders; /* of struct order: under way there */
  char *socket_path, *by;  /* the daemon's; who publishes, for its status */
  struct script *script;
  struct loop_timer *wake;
  struct loop_watch *interrupt, *terminate;
  struct event *event; /* of read_event */
  int signal;          /* that ended it, or 0 */
  bool told;           /* that nothing is kept alive */
};

/* ---- the port */

static void port_wake_at(void *context, int64_t at_ms)
{
  struct runner *runner = context;
  loop_timer_at(runner->wake, at_ms);
}

static int64_t port_now(void *context UNUSED)
{
  return clock_now_ms();
}

static void port_log(void *context UNUSED, enum script_log level, const char *text)
{
  static const enum log_level levels[] = {LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG};
  log_at(levels[level], "%s", text);
}

static void port_print(void *context UNUSED, const char *bytes, size_t length)
{
  fwrite(bytes, 1, length, stdout);
  fflush(stdout); /* who waits for a line should have it; that it failed is seen at the end */
}

/* ---- what is published while a daemon runs: an override in its engine */

struct order {
  struct list_node link;
  void *call; /* the client's */
  struct values *values;
  script_on_answer *on_answer;
  void *context;
};

static void order_free(struct order *order)
{
  list_remove(&order->link);
  free(order);
}

static void on_ordered(
    void *context, enum client_result result, int status, const struct value *body UNUSED, const struct err *err)
{
  struct order order = *(struct order *)context;
  struct script_answer answer = {.status = status, .retry_after_ms = -1, .message = ERR_INIT};
  if (result == CLIENT_DONE) {
    answer.value = value_bool(order.values, true);
  } else {
    str_cut(answer.code, sizeof answer.code, result == CLIENT_REFUSED ? "refused" : "unknown");
    answer.message = *err;
    err_add(&answer.message, "the daemon");
  }
  order_free(context);
  order.on_answer(order.context, &answer);
}

static void *submit_order(
    struct runner *runner, const struct script_operation *operation, struct values *values, script_on_answer *on_answer,
    void *answer_context)
{
  struct buf target, body;
  bool ends = operation->kind == SCRIPT_RELEASE;
  buf_init(&target, 4096);
  buf_init(&body, 4096);
  client_add_agent(&target, operation->name, "/override");
  if (!ends)
    client_write_override(
        &body, operation->kind == SCRIPT_CLEAR ? "clear" : presence_str(operation->presence),
        operation->hold_ms < 0 ? DIRECT_DEFAULT_HOLD_MS : operation->hold_ms, runner->by, operation->why);
  struct order *order = must_alloc(sizeof *order);
  *order = (struct order){.values = values, .on_answer = on_answer, .context = answer_context};
  list_add_tail(&runner->orders, &order->link);
  struct client_request request = {ends ? "DELETE" : "PUT", buf_text(&target), ends ? NULL : buf_text(&body)};
  order->call = client_send(runner->client, &request, on_ordered, order);
  buf_release(&target);
  buf_release(&body);
  return order;
}

static bool cancel_order(struct runner *runner, void *request)
{
  for (struct list_node *node = runner->orders.next; node != &runner->orders; node = node->next) {
    struct order *order = LIST_ENTRY(node, struct order, link);
    if (order != request)
      continue;
    must(client_cancel(runner->client, order->call));
    order_free(order);
    return true;
  }
  return false;
}

static void *port_submit(
    void *context, const struct script_operation *operation, struct values *values, script_on_answer *on_answer,
    void *answer_context)
{
  struct runner *runner = context;
  if (runner->client != NULL && script_overrides(operation->kind))
    return submit_order(runner, operation, values, on_answer, answer_context);
  return direct_submit(runner->direct, operation, values, on_answer, answer_context);
}

static void port_cancel(void *context, void *request)
{
  struct runner *runner = context;
  if (!cancel_order(runner, request))
    direct_cancel(runner->direct, request);
}

static bool port_read_event(
    void *context, const char *bytes, size_t length, struct values *values, struct value **ret_event, struct err *err)
{
  struct runner *runner = context;
  if (!intake_parse(runner->site.json, bytes, length, clock_now_ms(), runner->event, err))
    return false;
  *ret_event = table_of_event(values, runner->event);
  return true;
}

/* ---- turns */

static void on_turn(void *context)
{
  struct runner *runner = context;
  if (runner->signal != 0)
    return;
  solo_turn(runner->solo);
  direct_turn(runner->direct);
  script_turn(runner->script);
  if (direct_published(runner->direct) && !runner->told) {
    runner->told = true;
    log_warn(
        "%s publishes directly: no daemon keeps it alive, and each presence ends with its hold (default 1h)",
        runner->path);
  }
  if (script_state(runner->script) != SCRIPT_RUNS)
    loop_stop(runner->loop);
}

static void on_wake(void *context UNUSED) /* waking is all: a turn follows */
{
}

static void on_signal(struct runner *runner, int number)
{
  runner->signal = number;
  loop_stop(runner->loop);
}

static void on_interrupt(void *context)
{
  on_signal(context, SIGINT);
}

static void on_terminate(void *context)
{
  on_signal(context, SIGTERM);
}

/* ---- life */

static bool start(struct runner *runner, const char *const *arguments, size_t count, struct err *err)
{
  if (!site_open(&runner->cli->place, SITE_WITH_SECRETS, &runner->site, err))
    return false;
  if ((runner->loop = loop_new(err)) == NULL ||
      (runner->transport = transport_new(runner->loop, &runner->site.config, err)) == NULL)
    return false;
  const struct config *config = &runner->site.config;
  runner->solo = solo_new(runner->transport, config, runner->site.credentials, runner->site.json);
  struct direct_access access = solo_access(runner->solo);
  runner->direct = direct_new(&access, config, runner->site.json, runner->loop, CLOCK_NEVER);
  runner->socket_path = config_control_path(config);
  runner->by = must_alloc(strlen(runner->path) + sizeof "script ");
  snprintf(runner->by, strlen(runner->path) + sizeof "script ", "script %s", runner->path);
  if (client_finds_daemon(runner->socket_path) &&
      (runner->client = client_new(runner->loop, runner->socket_path, runner->site.json, err)) == NULL)
    return false;
  runner->wake = loop_timer_new(runner->loop, on_wake, runner);
  runner->interrupt = loop_watch_signal(runner->loop, SIGINT, on_interrupt, runner);
  runner->terminate = loop_watch_signal(runner->loop, SIGTERM, on_terminate, runner);
  runner->event = must_alloc(sizeof *runner->event);
  struct graph_port port = {
      .context = runner,
      .submit = port_submit,
      .cancel = port_cancel,
      .wake_at = port_wake_at,
      .now = port_now,
      .log = port_log,
      .print = port_print,
      .read_event = port_read_event};
  struct script_limits limits = {
      .cpu_ms = config->script_cpu_ms,
      .memory_bytes = config->script_memory_bytes,
      .tasks = (size_t)config->script_tasks};
  runner->script = script_open(runner->path, arguments, count, &limits, &port, err);
  return runner->script != NULL;
}

/* The exit code. */
static int finish(struct runner *runner)
{
  if (runner->signal != 0) {
    fprintf(
        stderr, "presenced: %s: ended by a signal; %zu operations under way were given up\n", runner->path,
        script_under_way(runner->script));
    return 128 + runner->signal;
  }
  if (script_state(runner->script) == SCRIPT_FAILED) {
    fprintf(stderr, "presenced: %s\n%s", script_err(runner->script)->text, script_traceback(runner->script));
    return EXIT_FAILED;
  }
  if (ferror(stdout) != 0) {
    fprintf(stderr, "presenced: %s: standard output: not all could be written\n", runner->path);
    return EXIT_FAILED;
  }
  return script_state(runner->script) == SCRIPT_SAID_NO ? EXIT_FAILED : EXIT_DONE;
}

static void release(struct runner *runner)
{
  script_free(runner->script);
  client_free(runner->client);
  solo_free(runner->solo); /* its requests know the calls of `direct` */
  direct_free(runner->direct);
  loop_watch_free(runner->interrupt);
  loop_watch_free(runner->terminate);
  loop_timer_free(runner->wake);
  transport_free(runner->transport);
  loop_free(runner->loop);
  free(runner->event);
  free(runner->socket_path);
  free(runner->by);
  if (runner->site.config.account_count > 0)
    site_close(&runner->site);
}

int cli_script(struct cli *cli)
{
  struct err err = ERR_INIT;
  if (cli->argc < 1 || cli->argv[0][0] == '-') {
    must(!cli_no_more(cli, 1, 0)); /* says which of the two is wrong */
    return EXIT_USAGE;
  }
  struct runner runner = {.cli = cli, .path = cli->argv[0]};
  list_init(&runner.orders);
  int exit_code;
  if (start(&runner, (const char *const *)cli->argv + 1, (size_t)cli->argc - 1, &err)) {
    loop_again(runner.loop); /* the first turn */
    loop_run(runner.loop, on_turn, &runner);
    exit_code = finish(&runner);
  } else {
    exit_code = program_fail(&err);
  }
  release(&runner);
  return exit_code;
}
