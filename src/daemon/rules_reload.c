/* The rulesets of all accounts as one set: loaded together, replaced together, rolled back together. Between loading
 * and taking over stands the preview: it says what would change for whom, and ReloadMaxChanges may refuse. What is
 * written into site->rulesets is what the engine decides by from the next event on; it is told, so that it decides
 * again what was decided before. */
#include "daemon/rules_reload.h"
#include "adapters/files.h"
#include "base/clock.h"
#include "base/log.h"
#include "luafile/generations.h"
#include "rules/test.h"

#include <inttypes.h>
#include <string.h>

enum { FILES_MAX = 1024 };

struct rules_reload {
  struct site *site;
  struct service *service;
  struct files *files;
  struct generations *generations;
};

/* ---- rulesets as items */

static void *load(
    void *context, size_t index, uint32_t generation, luafile_on_file *on_file, void *file_context, struct err *err)
{
  const struct rules_reload *reload = context;
  const struct config *config = &reload->site->config;
  struct rules_limits limits = site_rules_limits(config);
  struct ruleset *ruleset =
      ruleset_load_noting(config->accounts[index].rules, &limits, generation, on_file, file_context, err);
  if (ruleset != NULL && ruletests_pass(ruleset, RULETESTS_CPU_MS, err))
    return ruleset;
  ruleset_free(ruleset);
  return NULL;
}

static void release(void *item)
{
  ruleset_free(item);
}

static const char *file_at(const void *item, size_t index)
{
  return ruleset_file_at(item, index);
}

static const struct generations_kind rulesets = {load, release, file_at};

/* The site's rulesets as items; free() it. */
static void **running_of(const struct rules_reload *reload)
{
  size_t count = generations_count(reload->generations);
  void **running = must_alloc(count * sizeof *running);
  for (size_t i = 0; i < count; i++)
    running[i] = reload->site->rulesets[i];
  return running;
}

static uint32_t generation_of(const struct rules_reload *reload)
{
  return ruleset_generation(reload->site->rulesets[0]);
}

static void watch(struct rules_reload *reload)
{
  const char *paths[FILES_MAX];
  void **running = running_of(reload);
  size_t count = generations_files(reload->generations, running, paths, FILES_MAX);
  for (size_t i = 0; i < generations_count(reload->generations) && reload->site->config.shadow != NULL; i++) {
    const char *path;
    for (size_t f = 0; count < FILES_MAX && (path = ruleset_file_at(reload->site->shadows[i], f)) != NULL; f++)
      paths[count++] = path;
  }
  struct err err = ERR_INIT;
  if (!files_watch(reload->files, paths, count, &err))
    log_warn("%s", err.text);
  free(running);
}

/* ---- replacing */

struct value *rules_reload_answer(uint32_t generation, size_t differ, struct value *differences, struct values *values)
{
  struct value *answer = value_map(values);
  value_put_number(values, answer, "generation", generation);
  value_put_number(values, answer, "agents_differ", (double)differ);
  value_set(values, answer, "differences", differences);
  return answer;
}

bool rules_reload_allows(const struct config *config, const char *path, size_t differ, struct err *err)
{
  int max = config->reload_max_changes;
  return max == 0 || differ <= (size_t)max ||
         err_set(
             err, ERR_CONFIG,
             "%s: would change %zu agents, more than ReloadMaxChanges (%d); look at `presenced reload --dry-run`, or "
             "raise it",
             path, differ, max);
}

static struct value *preview(
    const struct rules_reload *reload, void *const *items, struct values *values, size_t *ret_differ)
{
  size_t count = generations_count(reload->generations);
  struct ruleset **others = must_alloc(count * sizeof(struct ruleset *));
  for (size_t i = 0; i < count; i++)
    others[i] = items[i];
  struct value *differences = service_preview(reload->service, others, values, ret_differ);
  free(others);
  return differences;
}

/* The shadow is reported and never published: one that is wrong is said, and the one before runs on beside. */
static void reload_shadows(struct rules_reload *reload, uint32_t generation)
{
  const char *path = reload->site->config.shadow;
  struct rules_limits limits = site_rules_limits(&reload->site->config);
  for (size_t i = 0; path != NULL && i < generations_count(reload->generations); i++) {
    struct err err = ERR_INIT;
    struct ruleset *fresh = ruleset_load(path, &limits, generation, &err);
    if (fresh == NULL) {
      log_warn("the shadow is not reloaded: %s", err.text);
      return;
    }
    ruleset_free(reload->site->shadows[i]);
    reload->site->shadows[i] = fresh;
  }
  if (path != NULL)
    service_shadow_changed(reload->service);
}

/* Into the place where the engine looks. */
static void publish(struct rules_reload *reload, void *const *running)
{
  for (size_t i = 0; i < generations_count(reload->generations); i++)
    reload->site->rulesets[i] = running[i];
  service_rules_changed(reload->service, generation_of(reload));
  watch(reload);
}

static bool replace(
    struct rules_reload *reload, bool dry_run, struct values *values, struct value **ret_answer, struct err *err)
{
  struct generations *generations = reload->generations;
  uint32_t number = generations_next(generations);
  void **fresh = must_alloc(generations_count(generations) * sizeof *fresh), **running = running_of(reload);
  size_t differ = 0;
  bool ok = generations_load(generations, fresh, err);
  if (!ok)
    watch(reload); /* what mends it may be in a file that does not run yet */
  if (ok) {
    struct value *differences = preview(reload, fresh, values, &differ);
    *ret_answer = rules_reload_answer(number, differ, differences, values);
    ok = dry_run || rules_reload_allows(&reload->site->config, ruleset_path(fresh[0]), differ, err);
  }
  if (ok && !dry_run) {
    generations_take(generations, running, fresh);
    reload_shadows(reload, number);
    publish(reload, running);
  }
  generations_drop(generations, fresh);
  free(fresh);
  free(running);
  return ok;
}

static bool roll_back(struct rules_reload *reload, struct values *values, struct value **ret_answer, struct err *err)
{
  void *const *before = generations_before(reload->generations);
  size_t differ = 0;
  if (before == NULL)
    return err_set(err, ERR_CONFIG, "there is no generation before the one that runs; nothing was rolled back");
  struct value *differences = preview(reload, before, values, &differ);
  *ret_answer = rules_reload_answer(ruleset_generation(before[0]), differ, differences, values);
  void **running = running_of(reload);
  generations_swap(reload->generations, running);
  publish(reload, running);
  free(running);
  return true;
}

bool rules_reload_run(
    struct rules_reload *reload, enum reload_action action, struct values *values, struct value **ret_answer,
    struct err *err)
{
  bool ok = action == RELOAD_ROLLBACK ? roll_back(reload, values, ret_answer, err)
                                      : replace(reload, action == RELOAD_DRY_RUN, values, ret_answer, err);
  if (action == RELOAD_DRY_RUN)
    return ok;
  generations_note(reload->generations, ok ? NULL : err, clock_now_ms());
  if (ok)
    log_info(
        "generation %" PRIu32 " runs: %.0f agents differ", generation_of(reload),
        value_get_number(*ret_answer, "agents_differ", 0));
  else
    log_error("the rules are not reloaded: %s (generation %" PRIu32 " runs on)", err->text, generation_of(reload));
  return ok;
}

/* ---- life */

uint32_t rules_reload_next_generation(const struct rules_reload *reload)
{
  return generations_next(reload->generations);
}

void rules_reload_site_changed(struct rules_reload *reload, uint32_t generation)
{
  generations_reset(reload->generations, reload->site->config.account_count, generation);
  watch(reload);
}

struct rules_reload *rules_reload_new(const struct rules_reload_parts *parts, struct err *err)
{
  struct files *files = files_new(parts->loop, parts->on_change, parts->context, err);
  if (files == NULL)
    return NULL;
  struct rules_reload *reload = must_alloc(sizeof *reload);
  reload->site = parts->site;
  reload->service = parts->service;
  reload->files = files;
  reload->generations = generations_new(&rulesets, reload);
  rules_reload_site_changed(reload, generation_of(reload));
  return reload;
}

void rules_reload_free(struct rules_reload *reload)
{
  if (reload == NULL)
    return;
  generations_free(reload->generations);
  files_free(reload->files);
  free(reload);
}

/* ---- views */

struct value *rules_reload_view(const struct rules_reload *reload, struct values *values)
{
  struct value *view = generations_view(reload->generations, values);
  value_put_number(values, view, "generation", generation_of(reload));
  return view;
}

static const struct metric rules_generation = {
    "rules_generation", METRIC_GAUGE, "Number of the rules that run.", {NULL}};
static const struct metric rules_reloads_total = {
    "rules_reloads_total", METRIC_COUNTER, "Reloads of the rules.", {"result"}};

void rules_reload_metrics(const struct rules_reload *reload, struct metrics *to)
{
  metrics_add(to, &rules_generation, generation_of(reload), NULL);
  METRICS_ADD(to, &rules_reloads_total, (double)generations_reloads(reload->generations), "ok");
  METRICS_ADD(to, &rules_reloads_total, (double)generations_failures(reload->generations), "refused");
}
