/* The daemon: gives the service its ports, feeds it events, ends in good order. */
#include "base/log.h"
#include "cli/control.h"
#include "cli/policies.h"
#include "cli/renewal.h"
#include "cli/site.h"
#include "cli/source.h"
#include "cli/transport.h"
#include "service/service.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* Between attempts to use a state file that has failed; doubled each time, until it has been well for as long. */
#define RETRY_MIN_MS CLOCK_SECOND
#define RETRY_MAX_MS (30 * CLOCK_SECOND)

struct daemon {
  const struct cli *cli;
  struct site site;
  struct loop *loop;
  struct store *store;
  /* The engine, which comes and goes as the state file does; all NULL while that fails. */
  struct transport *transport;
  struct service *service;
  struct renewal *renewal;
  struct policies *policies;
  struct state_health state;
  struct service_legacy legacy; /* of the engine that was there before the file failed */
  struct loop_timer *retry;
  int64_t retry_ms, recovered_steady_ms;
  struct control *control;
  struct source *source;
  struct loop_watch *signals[3];
  bool until_idle;
  bool input_ended;
  bool stopping;
  struct loop_timer *deadline; /* of the stop */
  size_t bad_lines;
  int exit_code;
};

static void stop(struct daemon *daemon, int exit_code)
{
  daemon->exit_code = exit_code;
  loop_stop(daemon->loop);
}

static void end_stop(struct daemon *daemon)
{
  size_t left = service_rest(daemon->service).differ;
  if (left > 0)
    log_warn(
        "%zu agents do not show yet what they should; %s", left,
        daemon->site.config.on_stop_clear ? "what was not cleared goes when it expires" : "the next start sends it");
  stop(daemon, daemon->until_idle ? EXIT_FAILED : EXIT_DONE); /* not all is confirmed */
}

static void on_deadline(void *context)
{
  end_stop(context);
}

/* Takes no more events, and sends what is left for as long as StopTimeout says; a second signal ends at once. */
static void on_stop_signal(void *context)
{
  struct daemon *daemon = context;
  const struct config *config = &daemon->site.config;
  if (daemon->service == NULL) {
    log_error("asked to stop, while the state file fails; what it holds is shown again at the next start");
    stop(daemon, EXIT_FAILED);
    return;
  }
  if (daemon->stopping || config->stop_timeout_ms == 0) {
    end_stop(daemon);
    return;
  }
  log_info(
      config->on_stop_clear ? "asked to stop; what is ours is cleared"
                            : "asked to stop; presences stay as they are until they expire");
  daemon->stopping = true;
  source_close(daemon->source);
  daemon->source = NULL;
  renewal_stop(daemon->renewal);
  policies_stop(daemon->policies);
  service_stop(daemon->service, config->on_stop_clear);
  daemon->deadline = loop_timer_new(daemon->loop, on_deadline, daemon);
  loop_timer_in(daemon->deadline, config->stop_timeout_ms);
}

static void look_again(struct daemon *daemon)
{
  struct values values = {0};
  struct value *answer = NULL;
  struct err err = ERR_INIT;
  (void)!renewal_run(daemon->renewal, RELOAD_REPLACE, &values, &answer, &err); /* it has logged what there is to say */
  values_release(&values);
  policies_look(daemon->policies);
}

static void on_hangup(void *context)
{
  struct daemon *daemon = context;
  if (daemon->service == NULL) {
    log_info("SIGHUP: config.xml and the rules are looked at when the state file can be written again");
    return;
  }
  log_info("SIGHUP: config.xml and the rules are looked at again");
  look_again(daemon);
}

static void on_event(void *context, const struct event *event, bool recording)
{
  struct daemon *daemon = context;
  service_event(daemon->service, event, recording);
}

static void on_bad_line(void *context, const struct err *err)
{
  struct daemon *daemon = context;
  daemon->bad_lines++;
  service_refused(daemon->service);
  log_warn("%s; the line is skipped", err->text);
}

static void on_input_end(void *context, const struct err *err)
{
  struct daemon *daemon = context;
  daemon->input_ended = true;
  if (!daemon->until_idle)
    log_warn("the events have come to their end; what is shown is kept up, but nothing new will come");
  if (err->kind != ERR_NONE) {
    log_error("%s", err->text);
    daemon->bad_lines++;
  }
}

static void end_if_idle(struct daemon *daemon)
{
  if (daemon->stopping && !service_rest(daemon->service).busy)
    end_stop(daemon);
  if (daemon->stopping || !daemon->until_idle || !daemon->input_ended)
    return;
  struct service_rest rest = service_rest(daemon->service);
  if (rest.busy || policies_are_busy(daemon->policies) || renewal_is_busy(daemon->renewal))
    return;
  if (rest.refused) {
    fprintf(stderr, "presenced: %s\n", rest.refused_why.text);
    stop(daemon, EXIT_FAILED);
    return;
  }
  log_info(
      "idle: %zu agents, %zu parked, %zu lines were no events", store_agent_count(daemon->store), rest.parked,
      daemon->bad_lines);
  stop(daemon, rest.parked > 0 || daemon->bad_lines > 0 ? EXIT_PARKED : EXIT_DONE);
}

/* ---- the engine, over a state file that can be written */

static bool start_engine(struct daemon *daemon, struct err *err)
{
  const struct config *config = &daemon->site.config;
  daemon->transport = transport_new(daemon->loop, config, err);
  daemon->policies = daemon->transport == NULL ? NULL : policies_new(daemon->loop, config, daemon->site.json, err);
  if (daemon->policies == NULL)
    return false;
  struct service_setup setup = {
      .config = config,
      .secrets = daemon->site.secrets,
      .rulesets = daemon->site.rulesets,
      .shadows = config->shadow == NULL ? NULL : daemon->site.shadows,
      .store = daemon->store,
      .json = daemon->site.json,
      .ports = transport_ports(daemon->transport),
      .watcher = policies_watcher(daemon->policies)};
  daemon->service = service_new(&setup);
  struct renewal_parts changing = {daemon->cli,       daemon->loop,     &daemon->site, daemon->service,
                                   daemon->transport, daemon->policies, setup};
  daemon->renewal = renewal_new(&changing, err);
  return daemon->renewal != NULL;
}

static void end_engine(struct daemon *daemon)
{
  renewal_free(daemon->renewal);
  policies_stop(daemon->policies);
  service_free(daemon->service);
  policies_free(daemon->policies);
  transport_free(daemon->transport);
  daemon->renewal = NULL;
  daemon->policies = NULL;
  daemon->service = NULL;
  daemon->transport = NULL;
}

static struct control_parts parts_of(const struct daemon *daemon)
{
  return (struct control_parts){&daemon->state,  daemon->service,  daemon->store,
                                daemon->renewal, daemon->policies, daemon->site.json};
}

/* As after a start: what the file holds is the truth. */
static void run_engine(struct daemon *daemon)
{
  service_start(daemon->service);
  policies_start(daemon->policies, daemon->service);
}

/* ---- a state file that has failed */

/* Nothing can be promised any more: no event is taken, nothing is sent. What the last turn had begun is forgotten, as
 * in a crash; its events come again. */
static void on_state_failure(struct daemon *daemon, const struct err *err)
{
  if (daemon->until_idle || daemon->stopping) {
    cli_fail(err);
    daemon->state.failure = *err;
    stop(daemon, EXIT_FAILED);
    return;
  }
  if (strcmp(daemon->state.failure.text, err->text) != 0)
    log_error(
        "%s (no event is taken and nothing is sent until it can be written; it is tried again and again)", err->text);
  if (daemon->state.failure.kind == ERR_NONE) {
    daemon->state.since_ms = clock_now_ms();
    daemon->state.failures++;
    if (clock_steady_ms() - daemon->recovered_steady_ms > RETRY_MAX_MS)
      daemon->retry_ms = RETRY_MIN_MS;
  }
  daemon->state.failure = *err;
  if (daemon->service != NULL)
    service_legacy_take(&daemon->legacy, daemon->service);
  end_engine(daemon);
  source_take_back(daemon->source);
  struct control_parts parts = parts_of(daemon);
  control_set_parts(daemon->control, &parts);
  control_turn(daemon->control);
  loop_timer_in(daemon->retry, daemon->retry_ms);
  daemon->retry_ms = 2 * daemon->retry_ms < RETRY_MAX_MS ? 2 * daemon->retry_ms : RETRY_MAX_MS;
}

/* The old one is kept open until then, because it holds the lock. */
static bool reopen(struct daemon *daemon, struct err *err)
{
  const struct config *config = &daemon->site.config;
  store_close(daemon->store);
  daemon->store = store_open(config->state, daemon->site.account_ids, config->account_count, err);
  return daemon->store != NULL && store_try_write(daemon->store, err);
}

static void on_retry(void *context)
{
  struct daemon *daemon = context;
  struct err err = ERR_INIT;
  if (!reopen(daemon, &err)) {
    on_state_failure(daemon, &err);
    return;
  }
  service_legacy_write(&daemon->legacy, daemon->store);
  if (!start_engine(daemon, &err)) {
    cli_fail(&err);
    stop(daemon, EXIT_FAILED);
    return;
  }
  struct control_parts parts = parts_of(daemon);
  control_set_parts(daemon->control, &parts);
  run_engine(daemon);
  look_again(daemon);
  source_resume(daemon->source);
  loop_again(daemon->loop);
}

/* After a turn that has been written. */
static void note_recovery(struct daemon *daemon)
{
  char text[CLOCK_TEXT_SIZE];
  log_info(
      "%s can be written again, after %s; events are taken", daemon->site.config.state,
      clock_short_duration(clock_now_ms() - daemon->state.since_ms, text));
  daemon->state.failure = (struct err)ERR_INIT;
  daemon->recovered_steady_ms = clock_steady_ms();
}

static void on_turn(void *context)
{
  struct daemon *daemon = context;
  struct err err = ERR_INIT;
  if (daemon->service == NULL)
    return;
  if (!service_turn(daemon->service, &err)) {
    on_state_failure(daemon, &err);
    return;
  }
  if (daemon->state.failure.kind != ERR_NONE)
    note_recovery(daemon);
  source_saved(daemon->source);
  control_turn(daemon->control);
  policies_turn(daemon->policies);
  renewal_turn(daemon->renewal);
  end_if_idle(daemon);
}

/* ---- life */

static bool start(struct daemon *daemon, const struct source_options *events, struct err *err)
{
  const struct config *config = &daemon->site.config;
  daemon->loop = loop_new(err);
  if (daemon->loop == NULL)
    return false;
  daemon->store = store_open(config->state, daemon->site.account_ids, config->account_count, err);
  if (daemon->store == NULL || !start_engine(daemon, err))
    return false;
  daemon->retry = loop_timer_new(daemon->loop, on_retry, daemon);
  daemon->retry_ms = RETRY_MIN_MS;
  char *path = site_control_path(config);
  struct control_parts parts = parts_of(daemon);
  daemon->control = control_open(daemon->loop, path, &parts, err);
  free(path);
  if (daemon->control == NULL)
    return false;
  daemon->signals[0] = loop_watch_signal(daemon->loop, SIGTERM, on_stop_signal, daemon);
  daemon->signals[1] = loop_watch_signal(daemon->loop, SIGINT, on_stop_signal, daemon);
  daemon->signals[2] = loop_watch_signal(daemon->loop, SIGHUP, on_hangup, daemon);
  run_engine(daemon);
  struct source_callbacks callbacks = {daemon, on_event, on_bad_line, on_input_end};
  if (events == NULL) {
    daemon->input_ended = true;
    log_warn("no source of events; give --events FILE or --events -");
    return true;
  }
  daemon->source = source_open(daemon->loop, daemon->site.json, events, &callbacks, err);
  return daemon->source != NULL;
}

/* What the next start is to know of this one. */
static void end_in_order(struct daemon *daemon)
{
  struct err err = ERR_INIT;
  if (daemon->service != NULL && daemon->state.failure.kind == ERR_NONE && !service_end(daemon->service, &err))
    daemon->exit_code = cli_fail(&err);
}

static void release(struct daemon *daemon)
{
  source_close(daemon->source);
  control_close(daemon->control);
  end_engine(daemon);
  service_legacy_release(&daemon->legacy);
  store_close(daemon->store);
  loop_timer_free(daemon->retry);
  loop_timer_free(daemon->deadline);
  for (size_t i = 0; i < COUNT_OF(daemon->signals); i++)
    loop_watch_free(daemon->signals[i]);
  loop_free(daemon->loop);
  site_close(&daemon->site);
}

static bool read_options(struct cli *cli, struct source_options *ret_events, bool *ret_until_idle)
{
  const char *speed = cli_option(cli, "--speed");
  ret_events->path = cli_option(cli, "--events");
  ret_events->shift = !cli_flag(cli, "--no-shift");
  *ret_until_idle = cli_flag(cli, "--until-idle");
  if (!cli_no_more(cli, 0, 0))
    return false;
  if (speed == NULL)
    return true;
  char *end;
  ret_events->speed = strtod(speed, &end);
  if (*end == '\0' && end != speed && ret_events->speed > 0 && ret_events->speed <= 1e6)
    return true;
  fprintf(stderr, "presenced: --speed: %s is not a number above 0; write e.g. --speed 60\n", speed);
  return false;
}

int cli_run(struct cli *cli)
{
  struct source_options events = {0};
  struct daemon daemon = {.cli = cli, .state = {.failure = ERR_INIT}};
  struct err err = ERR_INIT;
  if (!read_options(cli, &events, &daemon.until_idle))
    return EXIT_USAGE;
  if (!site_open(cli, SITE_WITH_RULES, &daemon.site, &err))
    return cli_fail(&err);
  if (start(&daemon, events.path == NULL ? NULL : &events, &err)) {
    log_info(
        "presenced " PRESENCED_VERSION " runs: %zu accounts, state in %s", daemon.site.config.account_count,
        daemon.site.config.state);
    loop_again(daemon.loop);
    loop_run(daemon.loop, on_turn, &daemon);
    end_in_order(&daemon);
  } else {
    daemon.exit_code = cli_fail(&err);
  }
  release(&daemon);
  return daemon.exit_code;
}
