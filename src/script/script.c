/* A script's turns: what tasks ask for, and which of them go on. A task is ready,
 * asleep, or waits for its request or for the elements of its graph.each. The author's code runs in step() alone; a
 * callback of the port only makes a task ready. A turn serves those that stand before `turn_end`, so that it ends
 * whatever they start. */
#include "script/script.h"
#include "adapters/vm.h"
#include "base/clock.h"
#include "base/str.h"
#include "luafile/luafile.h"
#include "script/tasks.h"

#include <math.h>
#include <string.h>

extern const unsigned char embedded_script_lua[];
extern const size_t embedded_script_lua_length;

enum { CALLS_AT_ONCE = 64 };

/* ---- requests */

static void on_answer(void *context, const struct script_answer *given)
{
  struct task *task = context;
  task->request = NULL;
  task_answer(
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
    task_answer_wrong(task, why.text);
}

static void begin_sleep(struct task *task, const struct value *request)
{
  struct script *script = task->script;
  double seconds = value_get_number(request, "seconds", -1);
  if (seconds < 0 || seconds > SCRIPT_SLEEP_MAX_S) {
    char text[96];
    snprintf(text, sizeof text, "sleep takes from 0 to %d seconds", SCRIPT_SLEEP_MAX_S);
    task_answer_wrong(task, text);
    return;
  }
  heap_put(&script->sleepers, &task->due, script->port.now(script->port.context) + (int64_t)ceil(seconds * 1000));
}

static void answer_error(struct task *task, const char *code, const struct err *err)
{
  struct script_answer failed = {.message = *err, .retry_after_ms = -1};
  str_cut(failed.code, sizeof failed.code, code);
  task_answer(task, script_answer_failure(&task->arena, &failed));
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
    task_answer(task, script_answer_value(&task->arena, value_number(&task->arena, (double)place + 1)));
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
    task_answer(task, script_answer_value(&task->arena, value_list(&task->arena)));
    return;
  }
  struct script_file **file = &script->files[(size_t)number - 1];
  bool ok = script_file_next(*file, &script->port, &task->arena, &records, &err);
  if (!ok || value_count(records) == 0) {
    script_file_close(*file);
    *file = NULL;
  }
  if (ok)
    task_answer(task, script_answer_value(&task->arena, records));
  else
    answer_error(task, "bad_file", &err);
}

static void add_hook(struct task *task, const struct value *request)
{
  struct script *script = task->script;
  struct err why = ERR_INIT;
  if (hooks_add(&script->hooks, request, script->port.now(script->port.context), &why))
    task_answer_at_once(task);
  else
    task_answer_wrong(task, why.text);
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
      {"sleep", begin_sleep}, {"each", task_begin_each}, {"open", open_file}, {"next", read_file}, {"hook", add_hook}};
  const char *op = value_get_text(request, "op", "");
  tell(task->script, value_get(request, "said"));
  if (strcmp(op, "say") == 0) {
    task_answer_at_once(task);
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
    task_go_on_with_each(task->parent);
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
  values_release(&task->arena); /* Lua has the answer; the next is made here */
  task->answer = NULL;
  switch (ran) {
  case VM_YIELDED:
    on_request(task, request);
    break;
  case VM_RETURNED:
    on_end(task, request);
    break;
  case VM_FAILED:
    task_failed(task, &err);
    break;
  }
  values_release(&values);
  if (task->over)
    task_free(task);
}

/* What was printed before the failure, and had no request to go with: there it helps most. */
static void tell_rest(struct script *script)
{
  struct values values = {0};
  struct value *said = NULL;
  struct err err = ERR_INIT;
  if (vm_call(script->vm, script_module, "drain", NULL, 0, NULL, ERR_BUG, &values, &said, &err))
    tell(script, said);
  values_release(&values);
}

static bool may_call(const struct script *script)
{
  return script->calls < (script->tasks_max + 1) / 2; /* the other half is for their graph.each */
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
  int64_t due = may_call(script) ? hooks_due(&script->hooks) : CLOCK_NEVER; /* a call ends in a turn, which asks anew */
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
    task_answer(task, value_map(&task->arena));
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
  if (!luafile_read(path, &source, "this is no script", err))
    goto out;
  for (size_t i = 0; i < count; i++)
    value_add(&values, list, value_string(&values, arguments[i]));
  const struct value *given[] = {
      value_bytes(&values, buf_text(&source), source.length), value_string(&values, path), list,
      script_presence_names(&values), value_bool(&values, script->hooks.queue_max > 0)};
  ok = vm_call(
           script->vm, script_module, "open", given, COUNT_OF(given), &script->budget, ERR_RULE, &values, &nothing,
           err) &&
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
  const struct luafile_module trusted = {script_module, embedded_script_lua, embedded_script_lua_length};
  script->vm = luafile_vm(&trusted, 1, err);
  if (script->vm != NULL)
    vm_set_pause(script->vm, VM_PAUSE_DEFAULT);
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
