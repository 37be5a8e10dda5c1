#include "cli/reload.h"
#include "adapters/files.h"
#include "base/clock.h"
#include "base/log.h"
#include "rules/test.h"

#include <inttypes.h>
#include <string.h>

enum { FILES_MAX = 1024 };

struct reload {
  struct site *site;
  struct service *service;
  struct files *files;
  struct ruleset **previous; /* of the generation before; NULL entries at first */
  size_t previous_count;
  bool has_previous;
  char **wanted; /* the files of the last load, where it failed: what mends it may be in any of them */
  size_t wanted_count;
  uint32_t newest; /* generation number that was given last */
  uint64_t reloads, failures;
  char last_failure[sizeof(((struct err *)NULL)->text)];
  int64_t last_failure_ms;
};

static size_t account_count(const struct reload *reload)
{
  return reload->site->config.account_count;
}

static void free_all(struct ruleset **rulesets, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    ruleset_free(rulesets[i]);
    rulesets[i] = NULL;
  }
}

static void forget_wanted(struct reload *reload)
{
  for (size_t i = 0; i < reload->wanted_count; i++)
    free(reload->wanted[i]);
  free(reload->wanted);
  reload->wanted = NULL;
  reload->wanted_count = 0;
}

static void on_file(void *context, const char *path)
{
  struct reload *reload = context;
  reload->wanted = must_realloc(reload->wanted, (reload->wanted_count + 1) * sizeof *reload->wanted);
  reload->wanted[reload->wanted_count++] = must_strdup(path);
}

static void watch(struct reload *reload)
{
  const char *paths[FILES_MAX];
  size_t count = 0;
  for (size_t i = 0; i < account_count(reload); i++) {
    const char *path;
    for (size_t f = 0; count < FILES_MAX && (path = ruleset_file_at(reload->site->rulesets[i], f)) != NULL; f++)
      paths[count++] = path;
  }
  for (size_t i = 0; i < account_count(reload) && reload->site->config.shadow != NULL; i++) {
    const char *path;
    for (size_t f = 0; count < FILES_MAX && (path = ruleset_file_at(reload->site->shadows[i], f)) != NULL; f++)
      paths[count++] = path;
  }
  for (size_t i = 0; count < FILES_MAX && i < reload->wanted_count; i++)
    paths[count++] = reload->wanted[i];
  struct err err = ERR_INIT;
  if (!files_watch(reload->files, paths, count, &err))
    log_warn("%s", err.text);
}

static bool load_all(struct reload *reload, uint32_t generation, struct ruleset **fresh, struct err *err)
{
  struct rules_limits limits = site_rules_limits(&reload->site->config);
  forget_wanted(reload);
  for (size_t i = 0; i < account_count(reload); i++) {
    fresh[i] = ruleset_load_noting(reload->site->config.accounts[i].rules, &limits, generation, on_file, reload, err);
    if (fresh[i] == NULL || !ruletests_pass(fresh[i], RULETESTS_CPU_MS, err))
      return false;
  }
  return true;
}

struct value *reload_answer(uint32_t generation, size_t differ, struct value *differences, struct values *values)
{
  struct value *answer = value_map(values);
  value_set(values, answer, "generation", value_number(values, generation));
  value_set(values, answer, "agents_differ", value_number(values, (double)differ));
  value_set(values, answer, "differences", differences);
  return answer;
}

/* The shadow is reported and never published: one that is wrong is said, and the one before runs on beside. */
static void reload_shadows(struct reload *reload, uint32_t generation)
{
  const char *path = reload->site->config.shadow;
  struct rules_limits limits = site_rules_limits(&reload->site->config);
  for (size_t i = 0; path != NULL && i < account_count(reload); i++) {
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

static void exchange(struct reload *reload, struct ruleset **with)
{
  for (size_t i = 0; i < account_count(reload); i++) {
    struct ruleset *running = reload->site->rulesets[i];
    reload->site->rulesets[i] = with[i];
    with[i] = running;
  }
  uint32_t generation = ruleset_generation(reload->site->rulesets[0]);
  service_rules_changed(reload->service, generation);
  watch(reload);
}

static bool replace(
    struct reload *reload, bool dry_run, struct values *values, struct value **ret_answer, struct err *err)
{
  size_t count = account_count(reload), differ = 0;
  struct ruleset **fresh = must_alloc(count * sizeof *fresh);
  uint32_t generation = reload->newest + 1;
  int max = reload->site->config.reload_max_changes;
  bool ok = load_all(reload, generation, fresh, err);
  if (ok)
    forget_wanted(reload);
  else
    watch(reload);
  if (ok) {
    struct value *differences = service_preview(reload->service, fresh, values, &differ);
    *ret_answer = reload_answer(generation, differ, differences, values);
    if (!dry_run && max > 0 && differ > (size_t)max)
      ok = err_set(
          err, ERR_CONFIG,
          "%s: would change %zu agents, more than ReloadMaxChanges (%d); look at `presenced reload "
          "--dry-run`, or raise it",
          ruleset_path(fresh[0]), differ, max);
  }
  if (ok && !dry_run) {
    free_all(reload->previous, count);
    memcpy(reload->previous, fresh, count * sizeof *fresh);
    memset(fresh, 0, count * sizeof *fresh);
    reload_shadows(reload, generation);
    exchange(reload, reload->previous);
    reload->has_previous = true;
    reload->newest = generation;
  }
  free_all(fresh, count);
  free(fresh);
  return ok;
}

static bool roll_back(struct reload *reload, struct values *values, struct value **ret_answer, struct err *err)
{
  size_t differ = 0;
  if (!reload->has_previous)
    return err_set(err, ERR_CONFIG, "there is no generation before the one that runs; nothing was rolled back");
  struct value *differences = service_preview(reload->service, reload->previous, values, &differ);
  *ret_answer = reload_answer(ruleset_generation(reload->previous[0]), differ, differences, values);
  exchange(reload, reload->previous);
  return true;
}

bool reload_run(
    struct reload *reload, enum reload_action action, struct values *values, struct value **ret_answer, struct err *err)
{
  bool ok = action == RELOAD_ROLLBACK ? roll_back(reload, values, ret_answer, err)
                                      : replace(reload, action == RELOAD_DRY_RUN, values, ret_answer, err);
  if (action == RELOAD_DRY_RUN)
    return ok;
  if (ok) {
    reload->reloads++;
    *reload->last_failure = '\0';
    log_info(
        "generation %" PRIu32 " runs: %.0f agents differ", ruleset_generation(reload->site->rulesets[0]),
        value_get_number(*ret_answer, "agents_differ", 0));
  } else {
    reload->failures++;
    reload->last_failure_ms = clock_now_ms();
    snprintf(reload->last_failure, sizeof reload->last_failure, "%s", err->text);
    log_error(
        "the rules are not reloaded: %s (generation %" PRIu32 " runs on)", err->text,
        ruleset_generation(reload->site->rulesets[0]));
  }
  return ok;
}

uint32_t reload_next_generation(const struct reload *reload)
{
  return reload->newest + 1;
}

static void forget_previous(struct reload *reload)
{
  free_all(reload->previous, reload->previous_count);
  free(reload->previous);
}

void reload_site_changed(struct reload *reload, uint32_t generation)
{
  forget_previous(reload);
  reload->previous_count = account_count(reload);
  reload->previous = must_alloc(reload->previous_count * sizeof(struct ruleset *));
  reload->has_previous = false;
  reload->newest = generation;
  *reload->last_failure = '\0';
  watch(reload);
}

struct reload *reload_new(const struct reload_parts *parts, struct err *err)
{
  struct reload *reload = must_alloc(sizeof *reload);
  reload->site = parts->site;
  reload->service = parts->service;
  reload->files = files_new(parts->loop, parts->on_change, parts->context, err);
  if (reload->files == NULL) {
    free(reload);
    return NULL;
  }
  reload_site_changed(reload, ruleset_generation(reload->site->rulesets[0]));
  return reload;
}

void reload_free(struct reload *reload)
{
  if (reload == NULL)
    return;
  forget_wanted(reload);
  forget_previous(reload);
  files_free(reload->files);
  free(reload);
}

struct value *reload_view(const struct reload *reload, struct values *values)
{
  struct value *view = value_map(values);
  char at[CLOCK_TEXT_SIZE];
  value_set(values, view, "generation", value_number(values, ruleset_generation(reload->site->rulesets[0])));
  value_set(values, view, "reloads", value_number(values, (double)reload->reloads));
  value_set(values, view, "failures", value_number(values, (double)reload->failures));
  value_set(values, view, "last_failure", value_string(values, reload->last_failure));
  value_set(
      values, view, "last_failure_at",
      *reload->last_failure == '\0' ? value_nil(values)
                                    : value_string(values, clock_rfc3339(reload->last_failure_ms, at)));
  return view;
}
