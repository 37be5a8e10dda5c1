/* Coroutines of a script; for the files of this room. */
#ifndef SCRIPT_TASKS_H
#define SCRIPT_TASKS_H

#include "adapters/vm.h"
#include "script/hooks.h"
#include "script/internal.h"

enum { TRACEBACK_MAX = 8 * 1024 };

/* The trusted module's name; tracebacks show its lines as "presenced.lua". */
extern const char script_module[];

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

/* A coroutine that will call that function of the trusted module, ready; NULL: *err says why. */
struct task *task_new(
    struct script *script, struct task *parent, const char *function, const struct value *const *arguments,
    size_t count, struct err *err) MUST_CHECK;
void task_free(struct task *task); /* cancels what it waits for */
/* It goes on with that answer, made in its arena, in the next turn. */
void task_answer(struct task *task, struct value *value);
/* It goes on in this turn: it need not wait for anything. */
void task_answer_at_once(struct task *task);
/* What it asked for is wrong; the text is for the author. */
void task_answer_wrong(struct task *task, const char *text);
/* It has raised an error. */
void task_failed(struct task *task, const struct err *err);
/* graph.each: begins it, and goes on when an element is over. */
void task_begin_each(struct task *task, const struct value *request);
void task_go_on_with_each(struct task *task);

#endif
