/* Tasks: the coroutines of a script, how they are answered, and what becomes of a failure.
 *
 * A task is ready (it can go on in a turn), or waits for an answer, or sleeps. graph.each makes tasks of its own for
 * its elements; an error in one is raised in the task that called graph.each, unless it is a limit, which ends the
 * script: a limit that could be caught would be none. */
#include "script/tasks.h"
#include "base/str.h"

#include <math.h>
#include <string.h>

const char script_module[] = "presenced";

/* ---- tasks */

struct task *task_new(
    struct script *script, struct task *parent, const char *function, const struct value *const *arguments,
    size_t count, struct err *err)
{
  struct vm_thread *thread = vm_thread_new(script->vm, script_module, function, arguments, count, err);
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

void task_free(struct task *task)
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

/* All that its graph.each has started, but `spared`: it is running, and step() frees it. */
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
void task_answer(struct task *task, struct value *value)
{
  task->answer = value;
  list_add_tail(&task->script->ready, &task->ready);
}

/* The same, in this turn: it need not wait, and a script that prints would have one line a turn. */
void task_answer_at_once(struct task *task)
{
  task->answer = value_map(&task->arena);
  list_add_tail(&task->script->turn_end, &task->ready);
}

void task_answer_wrong(struct task *task, const char *text)
{
  task_answer(task, script_answer_wrong(&task->arena, text));
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
  task_answer(task, raised);
}

/* An error in an element is an error of its graph.each, which ends the other elements. A limit is not to be caught. */
void task_failed(struct task *task, const struct err *err)
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
  task_answer(task, value_map(&task->arena));
  return true;
}

void task_go_on_with_each(struct task *task)
{
  struct err err = ERR_INIT;
  if (start_elements(task, &err))
    return;
  vm_thread_trace(task->thread);
  fail(task, &err);
}

void task_begin_each(struct task *task, const struct value *request)
{
  double concurrency = SCRIPT_CONCURRENCY;
  const struct value *said = value_get(request, "concurrency");
  if (said != NULL && !value_is(said, VALUE_NIL))
    concurrency = value_is(said, VALUE_NUMBER) ? said->u.number : 0;
  if (concurrency != floor(concurrency) || concurrency < 1 || concurrency > SCRIPT_CONCURRENCY_MAX) {
    char text[96];
    snprintf(text, sizeof text, "the concurrency of graph.each is a whole number from 1 to %d", SCRIPT_CONCURRENCY_MAX);
    task_answer_wrong(task, text);
    return;
  }
  task->each.id = value_get_number(request, "id", 0);
  double count = value_get_number(request, "count", 0); /* a __len of the author's may say anything */
  task->each.count = count > 0 ? (size_t)count : 0;
  task->each.concurrency = (size_t)concurrency;
  task->each.next = task->each.running = 0;
  task->each.under_way = true;
  task_go_on_with_each(task);
}
