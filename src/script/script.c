/* Coroutines and their turns: who can go on, who waits for what, and what becomes of a failure. */
#include "script/script.h"
#include "adapters/vm.h"
#include "base/clock.h"
#include "base/str.h"
#include "script/internal.h"

#include <math.h>
#include <string.h>

extern const unsigned char embedded_script_lua[];
extern const size_t embedded_script_lua_length;

/* The trusted module's name; tracebacks show its lines as "presenced.lua". */
static const char module[] = "presenced";

enum { TRACEBACK_MAX = 8 * 1024, CALLS_AT_ONCE = 64 };

/* One coroutine: the script itself, a call of a hook, or an element of a graph.each. */
struct task {
  struct list_node link;  /* in script->tasks */
  struct list_node ready; /* in script->ready, while it can go on */
  struct heap_node due;   /* in script->sleepers, while it sleeps */
  struct script *script;
  struct task *parent; /* whose graph.each it belongs to; NULL: the script itself, or a call of a hook */
  struct hook *hook;   /* whose call it is, or NULL */
  struct vm_thread *thread;
  struct values arena; /* of the answer */
  struct value *answer;
  void *request; /* under way at the port */
  bool over;
  struct {
    double id; /* Lua's number of the call */
    size_t count, next, running, concurrency;
    bool under_way;
  } each;
};

struct script {
  struct vm *vm;
  struct vm_budget budget;
  struct graph_port port;
  struct list_node tasks, ready;
  struct list_node turn_end;           /* in ready, during a turn: who stands before it goes on in this one */
  size_t task_count, tasks_max, calls; /* calls: tasks that are calls of hooks */
  struct heap sleepers;
  struct hooks hooks;
  struct script_file *files[SCRIPT_FILES_MAX];
  enum script_state state;
  struct err err;
  struct buf traceback;
  struct buf below;    /* the traceback of an element whose error went up into its graph.each ... */
  struct err below_of; /* ... and that error */
};

/* ---- tasks */

static struct task *task_new(
    struct script *script, struct task *parent, const char *function, const struct value *const *arguments,
    size_t count, struct err *err)
{
  struct vm_thread *thread = vm_thread_new(script->vm, module, function, arguments, count, err);
  if (thread == NULL)
    return NULL;
  struct task *task = must_alloc(sizeof *task);
  task->script = script;
  task->parent = parent;
  task->thread = thread;
  list_add_tail(&script->tasks, &task->link);
  list_add_tail(&script->ready, &task->ready);
  script->task_count++;
  return task;
}

static void task_free(struct task *task)
{
  struct script *script = task->script;
  if (task->request != NULL)
    script->port.cancel(script->port.context, task->request);
  heap_remove(&script->sleepers, &task->due);
  list_remove(&task->ready);
  list_remove(&task->link);
  values_release(&task->arena);
  vm_thread_free(task->thread);
  script->task_count--;
  free(task);
}

static bool descends_from(const struct task *task, const struct task *ancestor)
{
  for (const struct task *parent = task->parent; parent != NULL; parent = parent->parent)
    if (parent == ancestor)
      return true;
  return false;
}

/* All that its graph.each has started, but `spared`, which is running. */
static void free_descendants(struct task *task, const struct task *spared)
{
  struct list_node *tasks = &task->script->tasks;
  for (struct list_node *node = tasks->next, *next; node != tasks; node = next) {
    next = node->next;
    struct task *other = LIST_ENTRY(node, struct task, link);
    if (other != spared && descends_from(other, task))
      task_free(other);
  }
}

/* It goes on with that answer, made in its arena, in the next turn. */
static void answer(struct task *task, struct value *value)
{
  task->answer = value;
  list_add_tail(&task->script->ready, &task->ready);
}

/* The same, in this turn: it need not wait for anybody. */
static void answer_at_once(struct task *task)
{
  task->answer = value_map(&task->arena);
  list_add_tail(&task->script->turn_end, &task->ready);
}

static void answer_wrong(struct task *task, const char *text)
{
  answer(task, script_answer_wrong(&task->arena, text));
}

/* ---- failure */

static void add_trace(struct script *script, struct buf *to)
{
  if (*vm_traceback(script->vm) != '\0')
    buf_addf(to, "%s\n", vm_traceback(script->vm));
}

static void fail(struct task *task, const struct err *err)
{
  struct script *script = task->script;
  script->state = SCRIPT_FAILED;
  script->err = *err;
  if (strcmp(err->text, script->below_of.text) == 0)
    buf_add(&script->traceback, buf_text(&script->below), script->below.length);
  add_trace(script, &script->traceback);
  for (struct task *parent = task->parent; parent != NULL; parent = parent->parent) {
    vm_thread_trace(parent->thread);
    add_trace(script, &script->traceback);
  }
}

static void raise_in(struct task *task, const struct err *err)
{
  task->each.under_way = false;
  struct value *raised = value_map(&task->arena);
  value_set(&task->arena, raised, "raised", value_string(&task->arena, err->text));
  answer(task, raised);
}

/* An error in an element is an error of its graph.each, which ends the other elements. A limit is not to be caught. */
static void on_failure(struct task *task, const struct err *err)
{
  struct script *script = task->script;
  task->over = true;
  if (task->parent == NULL || err->kind == ERR_LIMIT || err->kind == ERR_BUG) {
    fail(task, err);
    return;
  }
  if (strcmp(err->text, script->below_of.text) != 0)
    buf_clear(&script->below);
  add_trace(script, &script->below);
  script->below_of = *err;
  free_descendants(task->parent, task);
  raise_in(task->parent, err);
}

/* ---- graph.each */

static bool start_elements(struct task *task, struct err *err)
{
  struct script *script = task->script;
  while (task->each.next < task->each.count && task->each.running < task->each.concurrency &&
         script->task_count < script->tasks_max) {
    struct values values = {0};
    const struct value *arguments[] = {
        value_number(&values, task->each.id), value_number(&values, (double)task->each.next + 1)};
    struct task *element = task_new(script, task, "item", arguments, COUNT_OF(arguments), err);
    values_release(&values);
    if (element == NULL)
      return false;
    task->each.next++;
    task->each.running++;
  }
  if (task->each.running > 0)
    return true;
  if (task->each.next < task->each.count)
    return err_set(err, ERR_LIMIT, "more than %zu coroutines at once; use less concurrency", script->tasks_max);
  task->each.under_way = false;
  answer(task, value_map(&task->arena));
  return true;
}

static void go_on_with_each(struct task *task)
{
  struct err err = ERR_INIT;
  if (start_elements(task, &err))
    return;
  vm_thread_trace(task->thread);
  fail(task, &err);
}

static void begin_each(struct task *task, const struct value *request)
{
  double concurrency = SCRIPT_CONCURRENCY;
  const struct value *said = value_get(request, "concurrency");
  if (said != NULL && !value_is(said, VALUE_NIL))
    concurrency = value_is(said, VALUE_NUMBER) ? said->u.number : 0;
  if (concurrency != floor(concurrency) || concurrency < 1 || concurrency > SCRIPT_CONCURRENCY_MAX) {
    char text[96];
    snprintf(text, sizeof text, "the concurrency of graph.each is a whole number from 1 to %d", SCRIPT_CONCURRENCY_MAX);
    answer_wrong(task, text);
    return;
  }
  task->each.id = value_get_number(request, "id", 0);
  double count = value_get_number(request, "count", 0); /* a __len of the author's may say anything */
  task->each.count = count > 0 ? (size_t)count : 0;
  task->each.concurrency = (size_t)concurrency;
  task->each.next = task->each.running = 0;
  task->each.under_way = true;
  go_on_with_each(task);
}

/* ---- requests */

static void on_answer(void *context, const struct script_answer *given)
{
  struct task *task = context;
  task->request = NULL;
  answer(
      task, given->value != NULL ? script_answer_value(&task->arena, given->value)
                                 : script_answer_failure(&task->arena, given));
}

static void submit(struct task *task, const struct value *request)
{
  struct script_operation operation;
  struct err why = ERR_INIT;
  const struct graph_port *port = &task->script->port;
  if (script_read_operation(request, &operation, &why))
    task->request = port->submit(port->context, &operation, &task->arena, on_answer, task);
  else
    answer_wrong(task, why.text);
}

static void begin_sleep(struct task *task, const struct value *request)
{
  struct script *script = task->script;
  double seconds = value_get_number(request, "seconds", -1);
  if (seconds < 0 || seconds > SCRIPT_SLEEP_MAX_S) {
    char text[96];
    snprintf(text, sizeof text, "sleep takes from 0 to %d seconds", SCRIPT_SLEEP_MAX_S);
    answer_wrong(task, text);
    return;
  }
  heap_put(&script->sleepers, &task->due, script->port.now(script->port.context) + (int64_t)ceil(seconds * 1000));
}

static void answer_error(struct task *task, const char *code, const struct err *err)
{
  struct script_answer failed = {.message = *err, .retry_after_ms = -1};
  str_cut(failed.code, sizeof failed.code, code);
  answer(task, script_answer_failure(&task->arena, &failed));
}

static void open_file(struct task *task, const struct value *request)
{
  struct script *script = task->script;
  struct err err = ERR_INIT;
  size_t place = 0;
  while (place < SCRIPT_FILES_MAX && script->files[place] != NULL)
    place++;
  if (place == SCRIPT_FILES_MAX) {
    err_set(&err, ERR_LIMIT, "%d files are open; read one to its end first", SCRIPT_FILES_MAX);
    answer_error(task, "too_many_files", &err);
    return;
  }
  script->files[place] =
      script_file_open(value_get_text(request, "path", ""), value_get_text(request, "kind", ""), &err);
  if (script->files[place] == NULL)
    answer_error(task, "no_such_file", &err);
  else
    answer(task, script_answer_value(&task->arena, value_number(&task->arena, (double)place + 1)));
}

static void read_file(struct task *task, const struct value *request)
{
  struct script *script = task->script;
  double number = value_get_number(request, "file", 0);
  struct err err = ERR_INIT;
  struct value *records = NULL;
  must(number >= 1 && number <= SCRIPT_FILES_MAX); /* only iterators of ours ask */
  if (script->files[(size_t)number - 1] == NULL) {
    /* Two coroutines may share an iterator: the other one has met the end. */
    answer(task, script_answer_value(&task->arena, value_list(&task->arena)));
    return;
  }
  struct script_file **file = &script->files[(size_t)number - 1];
  bool ok = script_file_next(*file, &script->port, &task->arena, &records, &err);
  if (!ok || value_count(records) == 0) {
    script_file_close(*file);
    *file = NULL;
  }
  if (ok)
    answer(task, script_answer_value(&task->arena, records));
  else
    answer_error(task, "bad_file", &err);
}

static void add_hook(struct task *task, const struct value *request)
{
  struct script *script = task->script;
  struct err why = ERR_INIT;
  if (hooks_add(&script->hooks, request, script->port.now(script->port.context), &why))
    answer_at_once(task);
  else
    answer_wrong(task, why.text);
}

static void tell(struct script *script, const struct value *said)
{
  const struct graph_port *port = &script->port;
  static const char *const levels[] = {"error", "warn", "info", "debug"};
  for (size_t i = 0; i < value_count(said); i++) {
    const struct value *line = value_at(said, i), *text = value_get(line, "text");
    const char *level = value_get_text(line, "level", NULL);
    if (level == NULL && value_is(text, VALUE_STRING))
      port->print(port->context, text->u.string.bytes, text->u.string.length);
    for (size_t l = 0; level != NULL && l < COUNT_OF(levels); l++)
      if (strcmp(levels[l], level) == 0)
        port->log(port->context, (enum script_log)l, value_text(text, ""));
  }
}

static void on_request(struct task *task, const struct value *request)
{
  static const struct {
    const char *op;
    void (*begin)(struct task *task, const struct value *request);
  } own[] = {
      {"sleep", begin_sleep}, {"each", begin_each}, {"open", open_file}, {"next", read_file}, {"hook", add_hook}};
  const char *op = value_get_text(request, "op", "");
  tell(task->script, value_get(request, "said"));
  if (strcmp(op, "say") == 0) {
    answer_at_once(task);
    return;
  }
  for (size_t i = 0; i < COUNT_OF(own); i++)
    if (strcmp(own[i].op, op) == 0) {
      own[i].begin(task, request);
      return;
    }
  submit(task, request);
}

/* ---- turns */

static void on_end(struct task *task, const struct value *result)
{
  struct script *script = task->script;
  task->over = true;
  tell(script, value_get(result, "said"));
  if (task->parent != NULL) {
    task->parent->each.running--;
    go_on_with_each(task->parent);
    return;
  }
  if (task->hook != NULL) {
    task->hook->running = false;
    script->calls--;
    return;
  }
  if (script->hooks.count > 0)
    return; /* it lives on in its hooks */
  script->state = value_get_bool(result, "no", false) ? SCRIPT_SAID_NO : SCRIPT_DONE;
}

static void step(struct task *task)
{
  struct script *script = task->script;
  struct values values = {0};
  struct value *request = NULL;
  struct err err = ERR_INIT;
  enum vm_ran ran = vm_resume(task->thread, task->answer, &script->budget, ERR_RULE, &values, &request, &err);
  values_release(&task->arena);
  task->answer = NULL;
  switch (ran) {
  case VM_YIELDED:
    on_request(task, request);
    break;
  case VM_RETURNED:
    on_end(task, request);
    break;
  case VM_FAILED:
    on_failure(task, &err);
    break;
  }
  values_release(&values);
  if (task->over)
    task_free(task);
}

/* What was printed before the failure. */
static void tell_rest(struct script *script)
{
  struct values values = {0};
  struct value *said = NULL;
  struct err err = ERR_INIT;
  if (vm_call(script->vm, module, "drain", NULL, 0, NULL, ERR_BUG, &values, &said, &err))
    tell(script, said);
  values_release(&values);
}

static bool may_call(const struct script *script)
{
  return script->calls < (script->tasks_max + 1) / 2;
}

/* A coroutine for each hook that is due. */
static void start_calls(struct script *script, int64_t now)
{
  struct hook_call call;
  for (int i = 0; i < CALLS_AT_ONCE && may_call(script) && hooks_next(&script->hooks, now, &call); i++) {
    struct values values = {0};
    struct err err = ERR_INIT;
    const struct value *arguments[] = {value_number(&values, call.hook->number), call.first, call.second};
    struct task *task = task_new(script, NULL, "call", arguments, call.first == NULL ? 1 : COUNT_OF(arguments), &err);
    values_release(&values);
    if (task == NULL) {
      script->state = SCRIPT_FAILED;
      script->err = err;
      return;
    }
    task->hook = call.hook;
    script->calls++;
  }
}

static void wake_again(struct script *script, int64_t now)
{
  const struct heap_node *first = heap_first(&script->sleepers);
  int64_t next = first == NULL ? CLOCK_NEVER : first->at_ms;
  int64_t due = may_call(script) ? hooks_due(&script->hooks) : CLOCK_NEVER;
  if (due < next)
    next = due;
  if (!list_empty(&script->ready) || next < now)
    next = now;
  script->port.wake_at(script->port.context, script->state != SCRIPT_RUNS ? CLOCK_NEVER : next);
}

void script_turn(struct script *script)
{
  const struct graph_port *port = &script->port;
  int64_t now = port->now(port->context), end = clock_cpu_ms() + SCRIPT_TURN_MS;
  struct heap_node *first;
  if (script->state != SCRIPT_RUNS)
    return;
  while ((first = heap_first(&script->sleepers)) != NULL && first->at_ms <= now) {
    struct task *task = LIST_ENTRY(first, struct task, due);
    heap_remove(&script->sleepers, first);
    answer(task, value_map(&task->arena));
  }
  start_calls(script, now);
  /* Those that become ready meanwhile wait for the next turn: the loop has others to serve. */
  list_add_tail(&script->ready, &script->turn_end);
  struct list_node *next = script->ready.next;
  while (script->state == SCRIPT_RUNS && next != &script->turn_end) {
    struct task *task = LIST_ENTRY(next, struct task, ready);
    list_remove(&task->ready);
    step(task);
    next = clock_cpu_ms() < end ? script->ready.next : &script->turn_end;
  }
  list_remove(&script->turn_end);
  if (script->state == SCRIPT_FAILED)
    tell_rest(script);
  wake_again(script, now);
}

enum script_state script_state(const struct script *script)
{
  return script->state;
}

const struct err *script_err(const struct script *script)
{
  return &script->err;
}

const char *script_traceback(const struct script *script)
{
  return buf_text(&script->traceback);
}

size_t script_under_way(const struct script *script)
{
  size_t count = 0;
  for (struct list_node *node = script->tasks.next; node != &script->tasks; node = node->next)
    count += LIST_ENTRY(node, struct task, link)->request != NULL;
  return count;
}

/* ---- hooks, from outside */

bool script_has_hook(const struct script *script, enum script_hook kind)
{
  for (size_t i = 0; i < script->hooks.count; i++)
    if (script->hooks.list[i].kind == kind)
      return true;
  return false;
}

void script_notify(
    struct script *script, enum script_hook kind, struct values *values, struct value *first, struct value *second)
{
  hooks_put(&script->hooks, kind, values, first, second);
}

bool script_is_busy(const struct script *script)
{
  return script->state == SCRIPT_RUNS &&
         (!list_empty(&script->ready) || script->hooks.queued > 0 || script_under_way(script) > 0);
}

struct script_figures script_figures(const struct script *script)
{
  return (struct script_figures){script->hooks.count, script->hooks.queued, script->calls, script->hooks.dropped};
}

/* ---- life */

static bool compile(
    struct script *script, const char *path, const char *const *arguments, size_t count, struct err *err)
{
  struct values values = {0};
  struct buf source;
  struct value *list = value_list(&values), *nothing;
  bool ok = false;
  buf_init(&source, SCRIPT_SOURCE_MAX);
  if (!script_read_source(path, &source, err))
    goto out;
  for (size_t i = 0; i < count; i++)
    value_add(&values, list, value_string(&values, arguments[i]));
  const struct value *given[] = {
      value_bytes(&values, buf_text(&source), source.length), value_string(&values, path), list,
      script_presence_names(&values), value_bool(&values, script->hooks.queue_max > 0)};
  ok = vm_load(script->vm, module, embedded_script_lua, embedded_script_lua_length, err) &&
       vm_call(script->vm, module, "open", given, COUNT_OF(given), &script->budget, ERR_RULE, &values, &nothing, err) &&
       task_new(script, NULL, "main", NULL, 0, err) != NULL;
out:
  buf_release(&source);
  values_release(&values);
  return ok;
}

struct script *script_open(
    const char *path, const char *const *arguments, size_t count, const struct script_limits *limits,
    const struct graph_port *port, struct err *err)
{
  struct script *script = must_alloc(sizeof *script);
  script->port = *port;
  script->tasks_max = limits->tasks;
  script->budget =
      (struct vm_budget){.cpu_ms = limits->cpu_ms, .memory_bytes = limits->memory_bytes, .memory_in_all = true};
  list_init(&script->tasks);
  list_init(&script->ready);
  hooks_init(&script->hooks, limits->queue);
  buf_init(&script->traceback, TRACEBACK_MAX);
  buf_init(&script->below, TRACEBACK_MAX / 2);
  script->vm = vm_new(err);
  if (script->vm != NULL && compile(script, path, arguments, count, err))
    return script;
  script_free(script);
  return NULL;
}

void script_free(struct script *script)
{
  if (script == NULL)
    return;
  while (!list_empty(&script->tasks))
    task_free(LIST_ENTRY(list_first(&script->tasks), struct task, link));
  for (size_t i = 0; i < SCRIPT_FILES_MAX; i++)
    script_file_close(script->files[i]);
  heap_release(&script->sleepers);
  hooks_release(&script->hooks);
  buf_release(&script->traceback);
  buf_release(&script->below);
  vm_free(script->vm);
  free(script);
}
