/* One struct policy for each <Script>; its script comes and goes. Everything that a script asks for arrives at the port
 * below: overrides are made at once, in the engine, and answered when they are durable; the rest is sent by
 * host/direct.
 *
 * A script that fails is started again after a pause that doubles, so that a script which fails at once does not become
 * the daemon's main work; one that ran well for long enough begins with the shortest pause again. */
#include "daemon/policies.h"
#include "adapters/files.h"
#include "adapters/json.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "host/direct.h"
#include "host/tables.h"
#include "intake/intake.h"
#include "sched/sched.h"
#include "script/script.h"

#include <string.h>
#include <sys/stat.h>

#define PAUSE_MIN_MS CLOCK_SECOND
#define PAUSE_MAX_MS (5 * CLOCK_MINUTE)
/* Whoever ran for longer than the longest pause does not fail at once: his pauses begin anew. */
#define WELL_MS PAUSE_MAX_MS

enum { LINES_PER_SECOND = 100, BY_SIZE = 400 };

/* WAITS: for its next start after a failure. ENDED: it has returned and has no hooks; only a change of its file starts
 * it again. STOPPED: not yet started, or not any more. */
enum policy_state { POLICY_RUNS, POLICY_WAITS, POLICY_ENDED, POLICY_STOPPED };

struct policy {
  struct policies *all;
  const char *file;
  enum policy_state state;
  struct script *script;          /* NULL unless it runs */
  struct loop_timer *wake, *next; /* of its turns; of its next start */
  int64_t started_steady_ms, next_start_ms;
  uint64_t stamp; /* of the file when it was read */
  int failures_in_row;
  uint64_t starts, failures, dropped; /* dropped: by the runs before this one */
  int64_t failed_ms;
  struct err failure;
  char *traceback; /* of the last failure, or NULL */
  int64_t second;  /* of the lines that were logged last */
  int lines, lines_left_out;
};

struct policies {
  struct loop *loop;
  const struct config *config;
  struct json *json;
  struct service *service;
  struct direct *direct;
  struct files *files;
  struct acks *acks;
  struct list_node answers; /* of struct policy_answer */
  struct event *event;      /* of read_event */
  struct policy *list;
  size_t count;
};

/* What an override came to. */
struct policy_answer {
  struct list_node link;
  void *ack; /* the answer is given once it is durable */
  struct script_answer answer;
  script_on_answer *on_answer;
  void *context;
};

/* ---- the port */

/* So that a script which says too much can neither fill the journal nor wait for it. */
static bool may_say(struct policy *policy)
{
  int64_t second = clock_steady_ms() / CLOCK_SECOND;
  if (second != policy->second) {
    if (policy->lines_left_out > 0)
      log_warn("%s: %d lines were left out; it says too much", policy->file, policy->lines_left_out);
    policy->second = second;
    policy->lines = policy->lines_left_out = 0;
  }
  bool may = policy->lines < LINES_PER_SECOND;
  policy->lines += may;
  policy->lines_left_out += !may;
  return may;
}

static void port_log(void *context, enum script_log level, const char *text)
{
  static const enum log_level levels[] = {LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG};
  struct policy *policy = context;
  if (may_say(policy))
    log_at(levels[level], "%s: %s", policy->file, text);
}

static void port_print(void *context, const char *bytes, size_t length)
{
  struct policy *policy = context;
  if (length > 0 && bytes[length - 1] == '\n')
    length--;
  if (may_say(policy))
    log_info("%s: %.*s", policy->file, (int)length, bytes);
}

static void port_wake_at(void *context, int64_t at_ms)
{
  struct policy *policy = context;
  loop_timer_at(policy->wake, at_ms);
}

static int64_t port_now(void *context UNUSED)
{
  return clock_now_ms();
}

static bool port_read_event(
    void *context, const char *bytes, size_t length, struct values *values, struct value **ret_event, struct err *err)
{
  struct policies *all = ((struct policy *)context)->all;
  if (!intake_parse(all->json, bytes, length, clock_now_ms(), all->event, err))
    return false;
  *ret_event = table_of_event(values, all->event);
  return true;
}

/* Into the engine, which sends it as it sends everything. The name says which script it was, and why. */
static bool override(const struct policy *policy, const struct script_operation *operation, struct err *err)
{
  char by[BY_SIZE], whole[2 * BY_SIZE];
  if (operation->kind == SCRIPT_RELEASE)
    return service_release(policy->all->service, operation->name) ||
           err_set(err, ERR_INPUT, "%s: there is no override on this agent", operation->name);
  snprintf(whole, sizeof whole, "script %.300s%s%s", policy->file, *operation->why == '\0' ? "" : ": ", operation->why);
  str_cut(by, sizeof by, whole);
  struct service_override given = {
      .presence = operation->kind == SCRIPT_CLEAR ? PRESENCE_NONE : operation->presence,
      .hold_ms = operation->hold_ms < 0 ? DIRECT_DEFAULT_HOLD_MS : operation->hold_ms,
      .by = by};
  return service_override(policy->all->service, operation->name, &given, err);
}

static void answer_free(struct policy_answer *answer)
{
  list_remove(&answer->link);
  free(answer);
}

/* Where the commit has failed, the engine ends, and its scripts are cancelled before anything is settled. */
static void on_settled(void *context, bool durable)
{
  struct policy_answer answer = *(struct policy_answer *)context;
  must(durable);
  answer_free(context);
  answer.on_answer(answer.context, &answer.answer);
}

static void *port_submit(
    void *context, const struct script_operation *operation, struct values *values, script_on_answer *on_answer,
    void *answer_context)
{
  struct policy *policy = context;
  struct policies *all = policy->all;
  if (!script_overrides(operation->kind))
    return direct_submit(all->direct, operation, values, on_answer, answer_context);
  struct policy_answer *answer = must_alloc(sizeof *answer);
  *answer = (struct policy_answer){.on_answer = on_answer, .context = answer_context, .answer = {.retry_after_ms = -1}};
  if (override(policy, operation, &answer->answer.message))
    answer->answer.value = value_bool(values, true);
  else
    str_cut(
        answer->answer.code, sizeof answer->answer.code,
        answer->answer.message.kind == ERR_LIMIT ? "out_of_range" : "refused");
  list_add_tail(&all->answers, &answer->link);
  answer->ack = acks_add(all->acks, on_settled, answer);
  loop_again(all->loop); /* for the commit, and the answer behind it */
  return answer;
}

static void port_cancel(void *context, void *request)
{
  struct policies *all = ((struct policy *)context)->all;
  for (struct list_node *node = all->answers.next; node != &all->answers; node = node->next)
    if (LIST_ENTRY(node, struct policy_answer, link) == request) {
      must(acks_cancel(all->acks, ((struct policy_answer *)request)->ack));
      answer_free(request);
      return;
    }
  direct_cancel(all->direct, request);
}

static struct graph_port port_of(struct policy *policy)
{
  return (struct graph_port){
      .context = policy,
      .submit = port_submit,
      .cancel = port_cancel,
      .wake_at = port_wake_at,
      .now = port_now,
      .log = port_log,
      .print = port_print,
      .read_event = port_read_event};
}

/* ---- start, failure, end */

static struct script *open_script(
    const struct config *config, const char *file, const struct graph_port *port, struct err *err)
{
  struct script_limits limits = {
      .cpu_ms = config->policy_cpu_ms,
      .memory_bytes = config->script_memory_bytes,
      .tasks = (size_t)config->script_tasks,
      .queue = (size_t)config->policy_queue};
  return script_open(file, NULL, 0, &limits, port, err);
}

/* Another text has another one; 0: there is no file. The text itself is not read for it, since the watch speaks of a
 * folder, in which other files change too. */
static uint64_t stamp_of(const char *file)
{
  struct stat about;
  if (stat(file, &about) != 0)
    return 0;
  int64_t parts[] = {about.st_mtim.tv_sec, about.st_mtim.tv_nsec, about.st_size, (int64_t)about.st_ino};
  return str_hash(parts, sizeof parts, 1);
}

/* What it had under way is cancelled; what it has published stays. */
static void close_script(struct policy *policy)
{
  if (policy->script == NULL)
    return;
  policy->dropped += script_figures(policy->script).dropped;
  script_free(policy->script);
  policy->script = NULL;
  loop_timer_at(policy->wake, CLOCK_NEVER);
}

/* The log has one line an entry. */
static void log_traceback(const char *traceback)
{
  while (*traceback != '\0') {
    int length = (int)strcspn(traceback, "\n");
    log_error("  %.*s", length, traceback);
    traceback += length + (traceback[length] == '\n');
  }
}

static void note_failure(struct policy *policy, const struct err *err, const char *traceback)
{
  policy->failures++;
  policy->failed_ms = clock_now_ms();
  policy->failure = *err;
  free(policy->traceback);
  policy->traceback = must_strdup(traceback);
}

/* The pause before the next start doubles with each failure in a row. */
static void wait_for_next_start(struct policy *policy)
{
  char text[CLOCK_TEXT_SIZE];
  int64_t pause = sched_doubled(++policy->failures_in_row, PAUSE_MIN_MS, PAUSE_MAX_MS);
  policy->state = POLICY_WAITS;
  policy->next_start_ms = clock_now_ms() + pause;
  loop_timer_in(policy->next, pause);
  log_error("%s; the script is started again in %s", policy->failure.text, clock_short_duration(pause, text));
  log_traceback(policy->traceback);
}

/* In a turn: its own functions are not on the stack any more, so it may go. */
static void on_failure(struct policy *policy)
{
  if (clock_steady_ms() - policy->started_steady_ms >= WELL_MS)
    policy->failures_in_row = 0;
  note_failure(policy, script_err(policy->script), script_traceback(policy->script));
  close_script(policy);
  wait_for_next_start(policy);
}

/* The new one is compiled before the old one goes, so that a slip of the pen does not end what runs. */
static void start(void *context)
{
  struct policy *policy = context;
  struct err err = ERR_INIT;
  struct graph_port port = port_of(policy);
  policy->stamp = stamp_of(policy->file);
  struct script *fresh = open_script(policy->all->config, policy->file, &port, &err);
  if (fresh == NULL) {
    note_failure(policy, &err, "");
    if (policy->state != POLICY_RUNS)
      wait_for_next_start(policy);
    else
      log_error("%s; the script as it was before runs on", err.text);
    return;
  }
  close_script(policy);
  loop_timer_at(policy->next, CLOCK_NEVER);
  policy->script = fresh;
  policy->state = POLICY_RUNS;
  policy->starts++;
  policy->started_steady_ms = clock_steady_ms();
  log_info("%s: started", policy->file);
  script_turn(fresh); /* so that its hooks are known before the next event */
}

void policies_look(struct policies *policies)
{
  for (size_t i = 0; i < policies->count; i++) {
    struct policy *policy = &policies->list[i];
    if (policy->state == POLICY_STOPPED || stamp_of(policy->file) == policy->stamp)
      continue;
    policy->failures_in_row = 0; /* another text, another chance */
    start(policy);
  }
}

/* ---- hooks */

/* From *place on. Most sites have no such hook, and then nothing is made of what happens. */
static bool anybody_wants(const struct policies *policies, enum script_hook kind, size_t *place)
{
  for (; *place < policies->count; ++*place) {
    const struct policy *policy = &policies->list[*place];
    if (policy->state == POLICY_RUNS && script_has_hook(policy->script, kind))
      return true;
  }
  return false;
}

static void on_decision(void *context, const struct event *event, int64_t since_ms, const struct decision *decision)
{
  struct policies *policies = context;
  for (size_t i = 0; anybody_wants(policies, SCRIPT_ON_DECISION, &i); i++) {
    struct values values = {0};
    struct value *first = table_of_event(&values, event), *second = table_of_decision(&values, decision);
    value_set(&values, first, "since", value_number(&values, (double)since_ms / 1000));
    script_notify(policies->list[i].script, SCRIPT_ON_DECISION, &values, first, second);
  }
}

static void on_outcome(
    void *context, const char *agent, enum graph_operation_kind operation, enum presence presence,
    const struct outcome *outcome)
{
  struct policies *policies = context;
  for (size_t i = 0; anybody_wants(policies, SCRIPT_ON_OUTCOME, &i); i++) {
    struct values values = {0};
    struct value *first = value_string(&values, agent);
    struct value *second = table_of_outcome(&values, operation, presence, outcome);
    script_notify(policies->list[i].script, SCRIPT_ON_OUTCOME, &values, first, second);
  }
}

struct service_watcher policies_watcher(struct policies *policies)
{
  return (struct service_watcher){policies, on_decision, on_outcome};
}

/* ---- turns */

void policies_turn(struct policies *policies)
{
  direct_turn(policies->direct);
  for (size_t i = 0; i < policies->count; i++) {
    struct policy *policy = &policies->list[i];
    if (policy->state != POLICY_RUNS)
      continue;
    script_turn(policy->script);
    enum script_state state = script_state(policy->script);
    if (state == SCRIPT_FAILED) {
      on_failure(policy);
    } else if (state != SCRIPT_RUNS) {
      log_info("%s: ended; it has no hooks that could be called", policy->file);
      close_script(policy);
      policy->state = POLICY_ENDED;
    }
  }
}

bool policies_are_busy(const struct policies *policies)
{
  bool busy = false;
  for (size_t i = 0; i < policies->count; i++)
    busy = busy || (policies->list[i].state == POLICY_RUNS && script_is_busy(policies->list[i].script));
  return busy;
}

/* ---- life */

static void on_wake(void *context UNUSED) /* waking is all: a turn follows */
{
}

static void on_change(void *context)
{
  policies_look(context);
}

static void make_list(struct policies *policies)
{
  policies->count = policies->config->script_count;
  policies->list = must_alloc(policies->count * sizeof *policies->list);
  for (size_t i = 0; i < policies->count; i++)
    policies->list[i] = (struct policy){
        .all = policies,
        .file = policies->config->scripts[i].file,
        .state = POLICY_STOPPED,
        .wake = loop_timer_new(policies->loop, on_wake, NULL),
        .next = loop_timer_new(policies->loop, start, &policies->list[i]),
        .failure = ERR_INIT};
}

static void free_list(struct policies *policies)
{
  for (size_t i = 0; i < policies->count; i++) {
    loop_timer_free(policies->list[i].wake);
    loop_timer_free(policies->list[i].next);
    free(policies->list[i].traceback);
  }
  free(policies->list);
}

struct policies *policies_new(
    struct loop *loop, const struct config *config, struct json *json, struct acks *acks, struct err *err)
{
  struct policies *policies = must_alloc(sizeof *policies);
  policies->loop = loop;
  policies->config = config;
  policies->json = json;
  policies->acks = acks;
  policies->event = must_alloc(sizeof *policies->event);
  list_init(&policies->answers);
  make_list(policies);
  if (policies->count == 0 || (policies->files = files_new(loop, on_change, policies, err)) != NULL)
    return policies;
  policies_free(policies);
  return NULL;
}

static void start_all(struct policies *policies)
{
  struct err err = ERR_INIT;
  if (policies->count > 0 && policies->files == NULL)
    policies->files = files_new(policies->loop, on_change, policies, &err);
  const char **paths = must_alloc(policies->count * sizeof *paths);
  for (size_t i = 0; i < policies->count; i++)
    paths[i] = policies->list[i].file;
  if (policies->files != NULL)
    (void)!files_watch(policies->files, paths, policies->count, &err); /* said below */
  free(paths);
  if (err.kind != ERR_NONE)
    log_warn("%s", err.text);
  for (size_t i = 0; i < policies->count; i++)
    start(&policies->list[i]);
}

static struct registration *registration_of(void *context, size_t account)
{
  return service_registration(context, account);
}

static const char *known_id_of(void *context, size_t account, const char *name)
{
  return service_known_id(context, account, name);
}

void policies_start(struct policies *policies, struct service *service)
{
  struct direct_access access = {service, registration_of, known_id_of};
  policies->service = service;
  policies->direct = direct_new(&access, policies->config, policies->json, policies->loop, CLOCK_NEVER);
  start_all(policies);
}

void policies_configure(struct policies *policies)
{
  policies_stop(policies);
  direct_accounts_changed(policies->direct);
  free_list(policies);
  make_list(policies);
  start_all(policies);
}

void policies_stop(struct policies *policies)
{
  if (policies == NULL)
    return;
  for (size_t i = 0; i < policies->count; i++) {
    struct policy *policy = &policies->list[i];
    if (policy->script != NULL)
      log_info("%s: cancelled; %zu operations under way were given up", policy->file, script_under_way(policy->script));
    close_script(policy);
    loop_timer_at(policy->next, CLOCK_NEVER);
    policy->state = POLICY_STOPPED;
  }
}

void policies_free(struct policies *policies)
{
  if (policies == NULL)
    return;
  policies_stop(policies);
  free_list(policies);
  direct_free(policies->direct);
  files_free(policies->files);
  free(policies->event);
  free(policies);
}

/* ---- views */

static struct value *view_policy(const struct policy *policy, struct values *values)
{
  static const char *const states[] = {"runs", "waits", "ended", "stopped"};
  struct value *view = value_map(values);
  struct script_figures figures = {0};
  if (policy->script != NULL)
    figures = script_figures(policy->script);
  const struct {
    const char *key;
    double number;
  } numbers[] = {
      {"hooks", (double)figures.hooks},   {"calls", (double)figures.calls},
      {"queued", (double)figures.queued}, {"dropped", (double)(policy->dropped + figures.dropped)},
      {"starts", (double)policy->starts}, {"failures", (double)policy->failures},
  };
  char at[CLOCK_TEXT_SIZE];
  value_set(values, view, "file", value_string(values, policy->file));
  value_set(values, view, "state", value_string(values, states[policy->state]));
  for (size_t i = 0; i < COUNT_OF(numbers); i++)
    value_set(values, view, numbers[i].key, value_number(values, numbers[i].number));
  value_set(values, view, "last_failure", value_string(values, policy->failure.text));
  value_set(values, view, "traceback", value_string(values, policy->traceback == NULL ? "" : policy->traceback));
  if (policy->failures > 0)
    value_set(values, view, "last_failure_at", value_string(values, clock_rfc3339(policy->failed_ms, at)));
  if (policy->state == POLICY_WAITS)
    value_set(values, view, "next_start", value_string(values, clock_rfc3339(policy->next_start_ms, at)));
  return view;
}

struct value *policies_view(const struct policies *policies, struct values *values)
{
  struct value *list = value_list(values);
  for (size_t i = 0; i < policies->count; i++)
    value_add(values, list, view_policy(&policies->list[i], values));
  return list;
}

static const struct metric script_running = {
    "script_running",
    METRIC_GAUGE,
    "1 while a policy script runs, 0 while it waits to be started again or has ended.",
    {"script"}};
static const struct metric script_failures_total = {
    "script_failures_total", METRIC_COUNTER, "How often a policy script was stopped because it failed.", {"script"}};
static const struct metric script_starts_total = {
    "script_starts_total", METRIC_COUNTER, "How often a policy script was started.", {"script"}};
static const struct metric script_dropped_total = {
    "script_dropped_total",
    METRIC_COUNTER,
    "Decisions and outcomes that a policy script was too slow for.",
    {"script"}};

void policies_metrics(const struct policies *policies, struct metrics *to)
{
  static const struct metric *const all[] = {
      &script_running, &script_failures_total, &script_starts_total, &script_dropped_total};
  for (size_t i = 0; i < COUNT_OF(all); i++)
    metrics_declare(to, all[i]);
  for (size_t i = 0; i < policies->count; i++) {
    const struct policy *policy = &policies->list[i];
    uint64_t dropped = policy->dropped + (policy->script == NULL ? 0 : script_figures(policy->script).dropped);
    METRICS_ADD(to, &script_running, policy->state == POLICY_RUNS, policy->file);
    METRICS_ADD(to, &script_failures_total, (double)policy->failures, policy->file);
    METRICS_ADD(to, &script_starts_total, (double)policy->starts, policy->file);
    METRICS_ADD(to, &script_dropped_total, (double)dropped, policy->file);
  }
}

bool policies_compile(const struct config *config, const char *file, struct err *err)
{
  static const struct graph_port nobody; /* nothing runs, so nothing is asked */
  struct script *script = open_script(config, file, &nobody, err);
  script_free(script);
  return script != NULL;
}
