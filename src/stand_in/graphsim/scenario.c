/* A scenario runs in one coroutine of a VM of its own. It yields a request for each order and each wait; orders are
 * carried out at once and it goes on, at a wait the loop's timer takes over. So between two waits nothing else happens
 * in graphsim, and what the script orders there holds together.
 *
 * That is also the danger: a loop without a wait would stop both listeners. Each run of Lua has a budget, but every
 * order begins a new one, so cpu_end_ms counts over all of them up to the next wait. */
#include "stand_in/graphsim/scenario.h"
#include "adapters/loop.h"
#include "adapters/vm.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "stand_in/graphsim/graphsim.h"
#include "stand_in/graphsim/orders.h"

#include <errno.h>
#include <string.h>

extern const unsigned char embedded_scenario_lua[];
extern const size_t embedded_scenario_lua_length;

static const char module[] = "scenario";

enum {
  MEMORY_MAX = 64 * 1024 * 1024,
  NAME_MAX_IN_PLACES = 59, /* Lua shortens the longer ones to "...", and who reads an error could not open them */
};
#define WAIT_MAX_MS (7 * CLOCK_DAY)

struct scenario {
  struct graphsim *graphsim;
  struct vm *vm;
  struct vm_thread *thread; /* NULL: it has ended */
  struct loop_timer *timer;
  char name[256];     /* in errors */
  int64_t cpu_end_ms; /* of thread CPU time: what it may take before its next wait */
  void (*on_failure)(struct graphsim *graphsim, const struct err *err);
  struct err err;
};

/* What it says, and that it has ended, for whoever reads along. */
static void say(const char *text)
{
  printf("graphsim: scenario: %s\n", text);
  fflush(stdout);
}

static bool wait_for(struct scenario *scenario, const char *text, struct err *err)
{
  int64_t ms;
  if (!clock_parse_duration(text, &ms) || ms > WAIT_MAX_MS)
    return err_set(err, ERR_CONFIG, "wait: \"%.40s\" is no duration of at most 7d; write one like 1m30s", text);
  loop_timer_in(scenario->timer, ms);
  return true;
}

/* One request of the script. *ret_waits: it goes on when the timer is due. */
static bool carry_out(struct scenario *scenario, const struct value *request, bool *ret_waits, struct err *err)
{
  const char *order = value_get_text(request, "order", NULL), *wait = value_get_text(request, "wait", NULL);
  *ret_waits = wait != NULL;
  bool ok = true;
  if (wait != NULL)
    ok = wait_for(scenario, wait, err);
  else if (order != NULL)
    ok = orders_give(scenario->graphsim, order, value_get(request, "fields"), err);
  else
    say(value_get_text(request, "say", ""));
  /* A loop of orders, each of which took too little time for its own budget. */
  if (ok && !*ret_waits && clock_cpu_ms() >= scenario->cpu_end_ms)
    ok = err_set(
        err, ERR_CONFIG, "still running after %d ms of CPU time; put a wait into the loop", (int)SCENARIO_CPU_MS);
  return ok || err_add(err, "%s", value_get_text(request, "place", ""));
}

/* Up to its next wait, or its end. */
static bool go_on(struct scenario *scenario, struct err *err)
{
  const struct vm_budget budget = {.cpu_ms = SCENARIO_CPU_MS, .memory_bytes = MEMORY_MAX, .memory_in_all = true};
  scenario->cpu_end_ms = clock_cpu_ms() + SCENARIO_CPU_MS;
  for (bool waits = false; !waits;) {
    struct values values = {0};
    struct value *request = NULL;
    enum vm_ran ran = vm_resume(scenario->thread, value_nil(&values), &budget, ERR_CONFIG, &values, &request, err);
    bool ok = ran != VM_FAILED && (ran == VM_RETURNED || carry_out(scenario, request, &waits, err));
    values_release(&values);
    if (!ok)
      return false;
    if (ran == VM_RETURNED) {
      vm_thread_free(scenario->thread);
      scenario->thread = NULL;
      say("has ended");
      return true;
    }
  }
  return true;
}

/* Whatever it is, the file must be changed. Lua's own errors know no remedy, an error that is no text no place. */
static void complete(const struct scenario *scenario, struct err *err)
{
  char text[sizeof err->text];
  str_cut(text, sizeof text, err->text);
  bool placed = strstr(text, scenario->name) != NULL, mended = strstr(text, "; ") != NULL;
  err_set(
      err, ERR_CONFIG, "%s%s%s%s", placed ? "" : scenario->name, placed ? "" : ": ", text,
      mended ? "" : "; correct this line");
}

/* Behind the first wait no caller waits for an error: it is kept here, and the owner stops the loop. */
static void on_due(void *context)
{
  struct scenario *scenario = context;
  if (go_on(scenario, &scenario->err))
    return;
  complete(scenario, &scenario->err);
  scenario->on_failure(scenario->graphsim, &scenario->err);
}

static bool read_file(const char *path, struct buf *source, struct err *err)
{
  FILE *file = fopen(path, "re");
  if (file == NULL)
    return err_set(err, ERR_CONFIG, "--scenario: %s cannot be read: %s; check the path", path, strerror(errno));
  char bytes[4096];
  size_t length;
  while ((length = fread(bytes, 1, sizeof bytes, file)) > 0)
    (void)buf_add(source, bytes, length); /* what does not fit is told below */
  bool read = ferror(file) == 0;
  fclose(file);
  if (!read)
    return err_set(err, ERR_CONFIG, "--scenario: %s cannot be read; name a file", path);
  return !source->overflow || err_set(err, ERR_CONFIG, "--scenario: %s is longer than a mebibyte", path);
}

static bool compile(struct scenario *scenario, const char *path, struct err *err)
{
  struct values values = {0};
  struct value *nothing;
  struct buf source;
  buf_init(&source, SCENARIO_SOURCE_MAX);
  const char *slash = strrchr(path, '/');
  str_cut(scenario->name, sizeof scenario->name, slash != NULL && strlen(path) > NAME_MAX_IN_PLACES ? slash + 1 : path);
  bool ok = read_file(path, &source, err);
  if (ok) {
    const struct value *given[] = {
        value_bytes(&values, buf_text(&source), source.length), value_string(&values, scenario->name)};
    ok = vm_load(scenario->vm, module, embedded_scenario_lua, embedded_scenario_lua_length, err) &&
         vm_call(scenario->vm, module, "open", given, COUNT_OF(given), NULL, ERR_CONFIG, &values, &nothing, err);
  }
  buf_release(&source);
  values_release(&values);
  if (ok)
    scenario->thread = vm_thread_new(scenario->vm, module, "main", NULL, 0, err);
  return ok && scenario->thread != NULL;
}

struct scenario *scenario_open(
    struct graphsim *graphsim, const char *path, void (*on_failure)(struct graphsim *graphsim, const struct err *err),
    struct err *err)
{
  struct scenario *scenario = must_alloc(sizeof *scenario);
  scenario->graphsim = graphsim;
  scenario->on_failure = on_failure;
  scenario->timer = loop_timer_new(graphsim->loop, on_due, scenario);
  scenario->vm = vm_new(err);
  if (scenario->vm != NULL && compile(scenario, path, err) && go_on(scenario, err))
    return scenario;
  complete(scenario, err);
  scenario_free(scenario);
  return NULL;
}

void scenario_free(struct scenario *scenario)
{
  if (scenario == NULL)
    return;
  loop_timer_free(scenario->timer);
  vm_thread_free(scenario->thread);
  vm_free(scenario->vm);
  free(scenario);
}
