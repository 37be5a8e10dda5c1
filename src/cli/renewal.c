#include "cli/renewal.h"
#include "adapters/files.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/policies.h"
#include "cli/transport.h"

#include <inttypes.h>
#include <string.h>

enum { WAITS_SIZE = 128, TEXT_SIZE = sizeof(((struct err *)NULL)->text) };

struct renewal {
  struct renewal_parts parts;
  struct reload *reload;
  struct files *files;
  struct loop_timer *timer;
  bool handing_over;
  struct site next; /* while handing over; afterwards empty */
  uint32_t generation;
  int64_t deadline_ms, deadline_steady_ms;
  bool stopped;
  uint64_t taken_up, failures;
  char last_failure[TEXT_SIZE];
  int64_t last_failure_ms;
  char waits[WAITS_SIZE]; /* "State, Proxy": changed, and still as they were at the start */
};

/* ---- what is another */

struct differences {
  struct values *values;
  struct value *live; /* a list of texts */
  char waits[WAITS_SIZE];
};

static void on_difference(void *context, enum config_effect effect, const char *text)
{
  struct differences *differences = context;
  char *waits = differences->waits;
  size_t length = strlen(waits);
  if (effect == CONFIG_LIVE)
    value_add(differences->values, differences->live, value_string(differences->values, text));
  else
    snprintf(waits + length, WAITS_SIZE - length, "%s%s", length == 0 ? "" : ", ", text);
}

/* One line each time that something else is to wait, not with every look. */
static void note_waits(struct renewal *renewal, const char *waits)
{
  if (strcmp(renewal->waits, waits) == 0)
    return;
  if (*waits != '\0')
    log_warn("%s: %s: takes effect at the next start", renewal->parts.site->config.path, waits);
  must(str_copy(renewal->waits, sizeof renewal->waits, waits));
}

/* ---- what is watched */

/* The rulesets of a file that was refused may be what somebody is about to save; those that run are watched anyway. */
static void watch(struct renewal *renewal)
{
  const struct config *config = &renewal->parts.site->config;
  struct config refused = {0};
  struct err err = ERR_INIT;
  if (*renewal->last_failure != '\0' && !config_load(config->path, CONFIG_FOR_USE, &refused, &err))
    refused = (struct config){0};
  const char **paths = must_alloc((2 + refused.account_count) * sizeof *paths);
  size_t count = 0;
  paths[count++] = config->path;
  if (config->key_file != NULL)
    paths[count++] = config->key_file;
  for (size_t i = 0; i < refused.account_count; i++)
    if (refused.accounts[i].rules != NULL)
      paths[count++] = refused.accounts[i].rules;
  err = (struct err)ERR_INIT;
  if (!files_watch(renewal->files, paths, count, &err))
    log_warn("%s", err.text);
  free(paths);
  config_release(&refused);
}

/* ---- taking up */

static void end_hand_over(struct renewal *renewal)
{
  renewal->handing_over = false;
  loop_timer_at(renewal->timer, CLOCK_NEVER);
  site_close(&renewal->next);
}

/* Everybody looks at the same struct site, so what it holds is exchanged; the old values go when nobody has them. */
static void finish(struct renewal *renewal)
{
  struct renewal_parts *parts = &renewal->parts;
  policies_stop(parts->policies);
  config_keep_until_start(&renewal->next.config, &parts->site->config);
  site_exchange(parts->site, &renewal->next);
  struct service_setup setup = parts->setup;
  setup.secrets = parts->site->secrets;
  setup.rulesets = parts->site->rulesets;
  setup.shadows = parts->site->config.shadow == NULL ? NULL : parts->site->shadows;
  service_configure(parts->service, &setup, &renewal->next.config, renewal->generation);
  transport_configure(parts->transport, &parts->site->config);
  policies_configure(parts->policies);
  reload_site_changed(renewal->reload, renewal->generation);
  end_hand_over(renewal);
  renewal->taken_up++;
  watch(renewal);
  log_info("%s is taken up (generation %" PRIu32 " runs)", parts->site->config.path, renewal->generation);
  loop_again(parts->loop);
}

static void count_difference(void *context, enum config_effect effect, const char *text UNUSED)
{
  size_t *count = context;
  *count += effect == CONFIG_LIVE;
}

/* Time goes on for a change that is only looked at again. */
static bool is_under_way(const struct renewal *renewal, const struct config *config)
{
  size_t count = 0;
  if (renewal->handing_over)
    config_compare(&renewal->next.config, config, count_difference, &count);
  return renewal->handing_over && count == 0;
}

/* The fresh site is ours from here on. */
static void adopt(struct renewal *renewal, struct site *fresh, uint32_t generation, const struct value *differences)
{
  struct service *service = renewal->parts.service;
  bool again = is_under_way(renewal, &fresh->config);
  for (size_t i = 0; !again && i < value_count(differences); i++)
    log_info("%s: %s", fresh->config.path, value_text(value_at(differences, i), ""));
  struct site before = renewal->next; /* an unfinished change: the newer one counts */
  renewal->next = *fresh;
  renewal->generation = generation;
  renewal->handing_over = true;
  service_hand_over(service, &renewal->next.config);
  site_close(&before);
  int64_t timeout_ms = renewal->next.config.release_timeout_ms;
  size_t count = service_handing_over(service);
  if (count == 0 || timeout_ms == 0) {
    finish(renewal);
    return;
  }
  if (again)
    return;
  char text[CLOCK_TEXT_SIZE];
  log_info(
      "%s: %zu agents lose their app registration; what is ours is cleared first, for at most %s",
      renewal->next.config.path, count, clock_short_duration(timeout_ms, text));
  renewal->deadline_ms = clock_now_ms() + timeout_ms;
  renewal->deadline_steady_ms = clock_steady_ms() + timeout_ms;
  loop_timer_in(renewal->timer, timeout_ms);
  loop_again(renewal->parts.loop);
}

/* For each account that runs, its ruleset-to-be: NULL where it has none. */
static struct value *preview(struct renewal *renewal, const struct site *fresh, struct values *values, size_t *differ)
{
  const struct site *site = renewal->parts.site;
  struct ruleset **rulesets = must_alloc(site->config.account_count * sizeof(struct ruleset *));
  for (size_t i = 0; i < site->config.account_count; i++)
    for (size_t j = 0; j < fresh->config.account_count; j++)
      if (strcmp(site->config.accounts[i].id, fresh->config.accounts[j].id) == 0)
        rulesets[i] = fresh->rulesets[j];
  struct value *differences = service_preview(renewal->parts.service, rulesets, values, differ);
  free(rulesets);
  return differences;
}

/* Another configuration: checked to the end, and with all that it would change put into words. */
static bool weigh(
    struct renewal *renewal, struct site *fresh, uint32_t generation, bool dry_run, struct values *values,
    struct value **ret_answer, struct err *err)
{
  size_t differ = 0;
  if (!site_load_rulesets(fresh, generation, err))
    return false;
  struct value *differences = preview(renewal, fresh, values, &differ);
  int max = fresh->config.reload_max_changes;
  if (!dry_run && max > 0 && differ > (size_t)max)
    return err_set(
        err, ERR_CONFIG,
        "%s: would change %zu agents, more than ReloadMaxChanges (%d); look at `presenced reload --dry-run`, or raise "
        "it",
        fresh->config.path, differ, max);
  *ret_answer = reload_answer(generation, differ, differences, values);
  value_set(
      values, *ret_answer, "cleared_first",
      value_number(values, (double)service_would_clear(renewal->parts.service, &fresh->config)));
  return true;
}

/* *ret_same: config.xml is as it runs, but for what waits for the next start; then there is no answer yet. */
static bool take(
    struct renewal *renewal, bool dry_run, struct values *values, struct value **ret_answer, bool *ret_same,
    struct err *err)
{
  struct site fresh;
  struct differences differences = {values, value_list(values), ""};
  uint32_t generation = reload_next_generation(renewal->reload);
  if (!site_open(renewal->parts.cli, SITE_WITH_SECRETS, &fresh, err))
    return false;
  config_compare(&renewal->parts.site->config, &fresh.config, on_difference, &differences);
  *ret_same = value_count(differences.live) == 0;
  bool ok = *ret_same || weigh(renewal, &fresh, generation, dry_run, values, ret_answer, err);
  if (ok)
    note_waits(renewal, differences.waits);
  if (!ok || dry_run || *ret_same)
    site_close(&fresh);
  else
    adopt(renewal, &fresh, generation, differences.live);
  if (ok && *ret_same && !dry_run && renewal->handing_over) { /* the change was taken back */
    log_info("%s is as it was", renewal->parts.site->config.path);
    service_hand_over(renewal->parts.service, NULL);
    end_hand_over(renewal);
  }
  if (ok && !*ret_same) {
    value_set(values, *ret_answer, "config", differences.live);
    value_set(values, *ret_answer, "waits_for_start", value_string(values, differences.waits));
    value_set(values, *ret_answer, "waits", value_bool(values, renewal->handing_over));
  }
  return ok;
}

/* Takes it up, or says in log and status why not; dry runs are between us and who asks. */
static bool try_to_take(
    struct renewal *renewal, bool dry_run, struct values *values, struct value **ret_answer, bool *ret_same,
    struct err *err)
{
  bool failed_before = *renewal->last_failure != '\0';
  bool ok = take(renewal, dry_run, values, ret_answer, ret_same, err);
  if (dry_run)
    return ok;
  *renewal->last_failure = '\0';
  if (!ok) {
    renewal->failures++;
    renewal->last_failure_ms = clock_now_ms();
    must(str_copy(renewal->last_failure, sizeof renewal->last_failure, err->text));
    log_error("config.xml is not taken up: %s (the running configuration stays)", err->text);
  }
  if (!ok || failed_before)
    watch(renewal);
  return ok;
}

bool renewal_run(
    struct renewal *renewal, enum reload_action action, struct values *values, struct value **ret_answer,
    struct err *err)
{
  bool same = true, dry_run = action == RELOAD_DRY_RUN;
  if (renewal->stopped)
    return err_set(err, ERR_CONFIG, "the daemon is about to end; start it again, and it reads everything anew");
  if (action != RELOAD_ROLLBACK && !try_to_take(renewal, dry_run, values, ret_answer, &same, err))
    return false;
  if (!same)
    return true;
  if (!reload_run(renewal->reload, action, values, ret_answer, err))
    return false;
  value_set(values, *ret_answer, "waits_for_start", value_string(values, renewal->waits));
  return true;
}

/* ---- occasions */

/* Nobody waits for an answer. Where nothing has changed, as after a save of some other part of the file, nothing is
 * done: no generation, no deciding again. */
static void on_config_change(void *context)
{
  struct renewal *renewal = context;
  struct values values = {0};
  struct value *answer = NULL;
  struct err err = ERR_INIT;
  bool same;
  if (!renewal->stopped)
    (void)!try_to_take(renewal, false, &values, &answer, &same, &err); /* it has logged what there is to say */
  values_release(&values);
}

/* While agents are handed over, the rulesets that wait are as old as those that run. */
static void on_rules_change(void *context)
{
  struct renewal *renewal = context;
  struct values values = {0};
  struct value *answer = NULL;
  struct err err = ERR_INIT;
  if (renewal->handing_over)
    on_config_change(renewal);
  else if (!renewal->stopped)
    (void)!reload_run(renewal->reload, RELOAD_REPLACE, &values, &answer, &err); /* likewise */
  values_release(&values);
}

static void on_time(void *context UNUSED) /* waking is all: a turn follows */
{
}

/* By the steady clock, so that setting the clock neither ends nor prolongs it. */
void renewal_turn(struct renewal *renewal)
{
  if (renewal->handing_over && !renewal->stopped &&
      (clock_steady_ms() >= renewal->deadline_steady_ms || service_handing_over(renewal->parts.service) == 0))
    finish(renewal);
}

/* ---- life */

struct renewal *renewal_new(const struct renewal_parts *parts, struct err *err)
{
  struct renewal *renewal = must_alloc(sizeof *renewal);
  renewal->parts = *parts;
  renewal->timer = loop_timer_new(parts->loop, on_time, renewal);
  renewal->files = files_new(parts->loop, on_config_change, renewal, err);
  struct reload_parts rules = {parts->loop, parts->site, parts->service, on_rules_change, renewal};
  renewal->reload = renewal->files == NULL ? NULL : reload_new(&rules, err);
  if (renewal->reload == NULL) {
    renewal_free(renewal);
    return NULL;
  }
  watch(renewal);
  return renewal;
}

void renewal_stop(struct renewal *renewal)
{
  renewal->stopped = true;
  loop_timer_at(renewal->timer, CLOCK_NEVER);
}

void renewal_free(struct renewal *renewal)
{
  if (renewal == NULL)
    return;
  reload_free(renewal->reload);
  files_free(renewal->files);
  loop_timer_free(renewal->timer);
  site_close(&renewal->next);
  free(renewal);
}

bool renewal_is_busy(const struct renewal *renewal)
{
  return renewal->handing_over;
}

/* ---- views */

static struct value *instant(struct values *values, int64_t ms)
{
  char text[CLOCK_TEXT_SIZE];
  return value_string(values, clock_rfc3339(ms, text));
}

struct value *renewal_view(const struct renewal *renewal, struct values *values)
{
  struct value *view = value_map(values);
  value_set(values, view, "taken_up", value_number(values, (double)renewal->taken_up));
  value_set(values, view, "failures", value_number(values, (double)renewal->failures));
  value_set(values, view, "last_failure", value_string(values, renewal->last_failure));
  if (*renewal->last_failure != '\0')
    value_set(values, view, "last_failure_at", instant(values, renewal->last_failure_ms));
  value_set(values, view, "waits_for_start", value_string(values, renewal->waits));
  if (renewal->handing_over) {
    size_t count = service_handing_over(renewal->parts.service);
    value_set(values, view, "cleared_first", value_number(values, (double)count));
    value_set(values, view, "until", instant(values, renewal->deadline_ms));
  }
  return view;
}

struct value *renewal_rules_view(const struct renewal *renewal, struct values *values)
{
  return reload_view(renewal->reload, values);
}
