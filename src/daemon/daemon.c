/* The daemon's life: start, turn, stop, and a state file that fails.
 *
 * Everything happens in turns of the loop: callbacks take note of what has come (events, answers, requests, signals),
 * and on_turn() lets the engine act on all of it behind one commit. What was accepted is acknowledged when the commit
 * is done, which SQLite does at once; a store over a network would take its time, and then sources pause meanwhile.
 *
 * A commit that fails ends the engine, not the daemon. It is dropped as in a crash, the source takes back what it has
 * handed over, requests are refused; then the file is tried again and again, and when it can be written a new engine
 * starts from what it holds. So there is one way back, the one that every start takes. */
#include "daemon/daemon.h"
#include "base/log.h"
#include "daemon/acks.h"
#include "daemon/config_reload.h"
#include "daemon/control.h"
#include "daemon/policies.h"
#include "host/program.h"
#include "host/transport.h"
#include "service/service.h"
#include "store/store.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* Between attempts to use a state file that has failed; doubled each time, until it has been well for as long. */
#define RETRY_MIN_MS CLOCK_SECOND
#define RETRY_MAX_MS (30 * CLOCK_SECOND)

struct daemon {
  struct daemon_options options;
  struct site site;
  struct loop *loop;
  struct acks *acks;
  struct routes routes; /* with the engine's parts, which come and go as the state file does */
  struct transport *transport;
  struct control *control;
  struct source *source;
  struct loop_watch *signals[3];
  bool input_ended;
  bool stopping;
  struct loop_timer *deadline; /* of the stop */
  size_t bad_lines;
  int exit_code;
  /* of the turn's commit */
  bool saved, waits_for_commit;
  struct err commit_failure;
  /* of a state file that fails */
  struct registrations_carried carried; /* of the engine that was there before */
  struct loop_timer *retry;
  int64_t retry_ms, recovered_steady_ms;
};

static void stop(struct daemon *daemon, int exit_code)
{
  daemon->exit_code = exit_code;
  loop_stop(daemon->loop);
}

static void end_stop(struct daemon *daemon)
{
  size_t left = service_rest(daemon->routes.service).differ;
  if (left > 0)
    log_warn(
        "%zu agents do not show yet what they should; %s", left,
        daemon->site.config.on_stop_clear ? "what was not cleared goes when it expires" : "the next start sends it");
  stop(daemon, daemon->options.until_idle ? EXIT_FAILED : EXIT_DONE); /* not all is confirmed */
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
  if (daemon->routes.service == NULL) {
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
  daemon->source = daemon->routes.source = NULL;
  config_reload_stop(daemon->routes.config_reload);
  policies_stop(daemon->routes.policies);
  service_stop(daemon->routes.service, config->on_stop_clear);
  daemon->deadline = loop_timer_new(daemon->loop, on_deadline, daemon);
  loop_timer_in(daemon->deadline, config->stop_timeout_ms);
}

static void look_again(struct daemon *daemon)
{
  struct values values = {0};
  struct value *answer = NULL;
  struct err err = ERR_INIT;
  /* It has logged what there is to say. */
  (void)!config_reload_run(daemon->routes.config_reload, RELOAD_REPLACE, &values, &answer, &err);
  values_release(&values);
  policies_look(daemon->routes.policies);
}

static void on_hangup(void *context)
{
  struct daemon *daemon = context;
  if (daemon->routes.service == NULL) {
    log_info("SIGHUP: config.xml and the rules are looked at when the state file can be written again");
    return;
  }
  log_info("SIGHUP: config.xml and the rules are looked at again");
  look_again(daemon);
}

static void on_event(void *context, const struct event *event, bool recording)
{
  struct daemon *daemon = context;
  service_event(daemon->routes.service, event, recording);
}

static void on_bad_line(void *context, const struct err *err)
{
  struct daemon *daemon = context;
  daemon->bad_lines++;
  service_refused(daemon->routes.service);
  log_warn("%s; the line is skipped", err->text);
}

static void on_input_end(void *context, const struct err *err)
{
  struct daemon *daemon = context;
  daemon->input_ended = true;
  if (!daemon->options.until_idle)
    log_warn("the events have come to their end; what is shown is kept up, but nothing new will come");
  if (err->kind != ERR_NONE) {
    log_error("%s", err->text);
    daemon->bad_lines++;
  }
}

static void end_if_idle(struct daemon *daemon)
{
  if (daemon->stopping && !service_rest(daemon->routes.service).busy)
    end_stop(daemon);
  if (daemon->stopping || !daemon->options.until_idle || !daemon->input_ended)
    return;
  struct service_rest rest = service_rest(daemon->routes.service);
  if (rest.busy || policies_are_busy(daemon->routes.policies) || config_reload_is_busy(daemon->routes.config_reload))
    return;
  if (rest.refused) {
    fprintf(stderr, "presenced: %s\n", rest.refused_why.text);
    stop(daemon, EXIT_FAILED);
    return;
  }
  log_info(
      "idle: %zu agents, %zu parked, %zu lines were no events", store_agent_count(daemon->routes.store), rest.parked,
      daemon->bad_lines);
  stop(daemon, rest.parked > 0 || daemon->bad_lines > 0 ? EXIT_PARKED : EXIT_DONE);
}

/* ---- the engine, over a state file that can be written */

static void on_saved(void *context)
{
  struct daemon *daemon = context;
  daemon->saved = true;
  if (daemon->waits_for_commit) /* it came late: the rest is done in a turn */
    loop_again(daemon->loop);
}

static void on_failed(void *context, const struct err *err)
{
  struct daemon *daemon = context;
  daemon->commit_failure = *err;
  if (daemon->waits_for_commit)
    loop_again(daemon->loop);
}

static bool start_engine(struct daemon *daemon, struct err *err)
{
  const struct config *config = &daemon->site.config;
  struct routes *engine = &daemon->routes;
  daemon->transport = transport_new(daemon->loop, config, err);
  engine->policies =
      daemon->transport == NULL ? NULL : policies_new(daemon->loop, config, daemon->site.json, daemon->acks, err);
  if (engine->policies == NULL)
    return false;
  struct service_setup setup = {
      .config = config,
      .credentials = daemon->site.credentials,
      .rulesets = daemon->site.rulesets,
      .shadows = config->shadow == NULL ? NULL : daemon->site.shadows,
      .store = engine->store,
      .json = daemon->site.json,
      .ports = transport_ports(daemon->transport),
      .owner = {daemon, on_saved, on_failed},
      .watcher = policies_watcher(engine->policies)};
  engine->service = service_new(&setup);
  struct config_reload_parts changing = {
      .place = &daemon->options.place,
      .loop = daemon->loop,
      .site = &daemon->site,
      .service = engine->service,
      .transport = daemon->transport,
      .policies = engine->policies,
      .setup = setup};
  engine->config_reload = config_reload_new(&changing, err);
  return engine->config_reload != NULL;
}

static void end_engine(struct daemon *daemon)
{
  struct routes *engine = &daemon->routes;
  config_reload_free(engine->config_reload);
  policies_stop(engine->policies);
  service_free(engine->service);
  policies_free(engine->policies);
  transport_free(daemon->transport);
  engine->config_reload = NULL;
  engine->policies = NULL;
  engine->service = NULL;
  daemon->transport = NULL;
  daemon->saved = daemon->waits_for_commit = false;
}

/* As after a start: what the file holds is the truth. */
static void run_engine(struct daemon *daemon)
{
  service_start(daemon->routes.service);
  policies_start(daemon->routes.policies, daemon->routes.service);
}

/* ---- a state file that has failed */

/* Nothing can be promised any more: no event is taken, nothing is sent. What the last turn had begun is forgotten, as
 * in a crash; its events come again. */
static void on_state_failure(struct daemon *daemon, const struct err *err)
{
  if (daemon->options.until_idle || daemon->stopping) {
    program_fail(err);
    daemon->routes.state.failure = *err;
    stop(daemon, EXIT_FAILED);
    return;
  }
  if (strcmp(daemon->routes.state.failure.text, err->text) != 0)
    log_error(
        "%s (no event is taken and nothing is sent until it can be written; it is tried again and again)", err->text);
  if (daemon->routes.state.failure.kind == ERR_NONE) {
    daemon->routes.state.since_ms = clock_now_ms();
    daemon->routes.state.failures++;
    if (clock_steady_ms() - daemon->recovered_steady_ms > RETRY_MAX_MS)
      daemon->retry_ms = RETRY_MIN_MS;
  }
  daemon->routes.state.failure = *err;
  if (daemon->routes.service != NULL)
    service_carry(&daemon->carried, daemon->routes.service);
  end_engine(daemon);
  acks_failed(daemon->acks);
  source_take_back(daemon->source);
  source_pause(daemon->source);
  loop_timer_in(daemon->retry, daemon->retry_ms);
  daemon->retry_ms = 2 * daemon->retry_ms < RETRY_MAX_MS ? 2 * daemon->retry_ms : RETRY_MAX_MS;
}

/* The old one is kept open until then, because it holds the lock. */
static bool reopen(struct daemon *daemon, struct err *err)
{
  const struct config *config = &daemon->site.config;
  store_close(daemon->routes.store);
  daemon->routes.store = store_open(config->state, daemon->site.account_ids, config->account_count, err);
  return daemon->routes.store != NULL && store_try_write(daemon->routes.store, err);
}

static void on_retry(void *context)
{
  struct daemon *daemon = context;
  struct err err = ERR_INIT;
  if (!reopen(daemon, &err)) {
    on_state_failure(daemon, &err);
    return;
  }
  registrations_carry_into(&daemon->carried, daemon->routes.store);
  if (!start_engine(daemon, &err)) {
    program_fail(&err);
    stop(daemon, EXIT_FAILED);
    return;
  }
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
      clock_short_duration(clock_now_ms() - daemon->routes.state.since_ms, text));
  daemon->routes.state.failure = (struct err)ERR_INIT;
  daemon->recovered_steady_ms = clock_steady_ms();
}

/* The turn is durable: what was accepted is acknowledged, and what waited for it goes on. */
static void after_commit(struct daemon *daemon)
{
  if (daemon->routes.state.failure.kind != ERR_NONE)
    note_recovery(daemon);
  source_saved(daemon->source);
  if (daemon->waits_for_commit)
    source_resume(daemon->source);
  daemon->waits_for_commit = false;
  acks_saved(daemon->acks);
  policies_turn(daemon->routes.policies);
  config_reload_turn(daemon->routes.config_reload);
  end_if_idle(daemon);
}

static void look_at_commit(struct daemon *daemon)
{
  struct err failure = daemon->commit_failure;
  bool saved = daemon->saved;
  daemon->commit_failure = (struct err)ERR_INIT;
  daemon->saved = false;
  if (failure.kind != ERR_NONE)
    on_state_failure(daemon, &failure);
  else if (saved)
    after_commit(daemon);
}

/* What comes while a commit is under way is not part of it, and must not be acknowledged with it: so sources pause, and
 * acks are sealed before it begins. */
static void on_turn(void *context)
{
  struct daemon *daemon = context;
  look_at_commit(daemon); /* one that came late */
  if (daemon->routes.service == NULL)
    return;
  if (!service_is_saving(daemon->routes.service))
    acks_seal(daemon->acks);
  service_turn(daemon->routes.service);
  look_at_commit(daemon);
  if (daemon->routes.service == NULL || !service_is_saving(daemon->routes.service) || daemon->waits_for_commit)
    return;
  daemon->waits_for_commit = true;
  source_pause(daemon->source);
}

/* ---- life */

static bool start(struct daemon *daemon, struct err *err)
{
  const struct config *config = &daemon->site.config;
  daemon->acks = acks_new();
  daemon->routes.json = daemon->site.json;
  daemon->loop = loop_new(err);
  if (daemon->loop == NULL)
    return false;
  daemon->routes.store = store_open(config->state, daemon->site.account_ids, config->account_count, err);
  if (daemon->routes.store == NULL || !start_engine(daemon, err))
    return false;
  daemon->retry = loop_timer_new(daemon->loop, on_retry, daemon);
  daemon->retry_ms = RETRY_MIN_MS;
  char *path = config_control_path(config);
  daemon->control = control_open(daemon->loop, path, &daemon->routes, daemon->acks, err);
  free(path);
  if (daemon->control == NULL)
    return false;
  daemon->signals[0] = loop_watch_signal(daemon->loop, SIGTERM, on_stop_signal, daemon);
  daemon->signals[1] = loop_watch_signal(daemon->loop, SIGINT, on_stop_signal, daemon);
  daemon->signals[2] = loop_watch_signal(daemon->loop, SIGHUP, on_hangup, daemon);
  run_engine(daemon);
  struct source_sink sink = {daemon, on_event, on_bad_line, on_input_end};
  if (daemon->options.events == NULL) {
    daemon->input_ended = true;
    log_warn("no source of events; give --events FILE or --events -");
    return true;
  }
  daemon->source = lines_source_open(daemon->loop, daemon->site.json, daemon->options.events, &sink, err);
  daemon->routes.source = daemon->source;
  return daemon->source != NULL;
}

/* For the last commit, where it takes its time. */
static void on_end_turn(void *context)
{
  struct daemon *daemon = context;
  if (!service_is_saving(daemon->routes.service))
    loop_stop(daemon->loop);
}

/* What the next start is to know of this one. */
static void end_in_order(struct daemon *daemon)
{
  if (daemon->routes.service == NULL || daemon->routes.state.failure.kind != ERR_NONE)
    return;
  service_end(daemon->routes.service);
  while (
      service_is_saving(daemon->routes.service)) /* a second signal stops the loop, and must not free the engine yet */
    loop_run(daemon->loop, on_end_turn, daemon);
  if (daemon->commit_failure.kind != ERR_NONE)
    daemon->exit_code = program_fail(&daemon->commit_failure);
}

static void release(struct daemon *daemon)
{
  source_close(daemon->source);
  control_close(daemon->control);
  end_engine(daemon);
  registrations_carried_release(&daemon->carried);
  store_close(daemon->routes.store);
  loop_timer_free(daemon->retry);
  loop_timer_free(daemon->deadline);
  for (size_t i = 0; i < COUNT_OF(daemon->signals); i++)
    loop_watch_free(daemon->signals[i]);
  acks_free(daemon->acks);
  loop_free(daemon->loop);
  site_close(&daemon->site);
}

int daemon_run(const struct daemon_options *options)
{
  struct daemon daemon = {.options = *options, .routes = {.state = {.failure = ERR_INIT}}, .commit_failure = ERR_INIT};
  struct err err = ERR_INIT;
  if (!site_open(&options->place, SITE_WITH_RULES, &daemon.site, &err))
    return program_fail(&err);
  if (start(&daemon, &err)) {
    log_info(
        "presenced " PRESENCED_VERSION " runs: %zu accounts, state in %s", daemon.site.config.account_count,
        daemon.site.config.state);
    loop_again(daemon.loop);
    loop_run(daemon.loop, on_turn, &daemon);
    end_in_order(&daemon);
  } else {
    daemon.exit_code = program_fail(&err);
  }
  release(&daemon);
  return daemon.exit_code;
}
