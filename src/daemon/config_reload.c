/* A changed config.xml, from the file to the engine.
 *
 * The fresh site is complete before anything changes: configuration, secrets, rulesets, tests, preview. Then either it
 * replaces the running one at once, or, where agents lose their app registration, the engine first clears them under
 * the old one (handing_over) and `next` waits. All that look at the site look at the same struct, so taking over is an
 * exchange of what it holds. */
#include "daemon/config_reload.h"
#include "adapters/files.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "daemon/policies.h"
#include "host/transport.h"

#include <inttypes.h>
#include <string.h>

enum { WAITS_SIZE = 128, TEXT_SIZE = sizeof(((struct err *)NULL)->text) };

struct config_reload {
  struct config_reload_parts parts;
  struct rules_reload *rules;
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
static void note_waits(struct config_reload *reload, const char *waits)
{
  if (strcmp(reload->waits, waits) == 0)
    return;
  if (*waits != '\0')
    log_warn("%s: %s: takes effect at the next start", reload->parts.site->config.path, waits);
  must(str_copy(reload->waits, sizeof reload->waits, waits));
}

/* ---- what is watched */

/* The rulesets of a file that was refused may be what somebody is about to save; those that run are watched anyway. */
static void watch(struct config_reload *reload)
{
  const struct config *config = &reload->parts.site->config;
  struct config refused = {0};
  struct err err = ERR_INIT;
  if (*reload->last_failure != '\0' && !config_load(config->path, CONFIG_FOR_USE, &refused, &err))
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
  if (!files_watch(reload->files, paths, count, &err))
    log_warn("%s", err.text);
  free(paths);
  config_release(&refused);
}

/* ---- taking up */

static void end_hand_over(struct config_reload *reload)
{
  reload->handing_over = false;
  loop_timer_at(reload->timer, CLOCK_NEVER);
  site_close(&reload->next);
}

/* Everybody looks at the same struct site, so what it holds is exchanged; the old values go when nobody has them. */
static void finish(struct config_reload *reload)
{
  struct config_reload_parts *parts = &reload->parts;
  policies_stop(parts->policies);
  config_keep_until_start(&reload->next.config, &parts->site->config);
  service_notice_clock(parts->service);
  site_exchange(parts->site, &reload->next);
  struct service_setup setup = parts->setup;
  setup.credentials = parts->site->credentials;
  setup.rulesets = parts->site->rulesets;
  setup.shadows = parts->site->config.shadow == NULL ? NULL : parts->site->shadows;
  service_configure(parts->service, &setup, &reload->next.config, reload->generation);
  transport_configure(parts->transport, &parts->site->config);
  policies_configure(parts->policies);
  rules_reload_site_changed(reload->rules, reload->generation);
  end_hand_over(reload);
  reload->taken_up++;
  watch(reload);
  log_info("%s is taken up (generation %" PRIu32 " runs)", parts->site->config.path, reload->generation);
  loop_again(parts->loop);
}

static void count_difference(void *context, enum config_effect effect, const char *text UNUSED)
{
  size_t *count = context;
  *count += effect == CONFIG_LIVE;
}

/* Time goes on for a change that is only looked at again. */
static bool is_under_way(const struct config_reload *reload, const struct config *config)
{
  size_t count = 0;
  if (reload->handing_over)
    config_compare(&reload->next.config, config, count_difference, &count);
  return reload->handing_over && count == 0;
}

/* The fresh site is ours from here on. */
static void adopt(
    struct config_reload *reload, struct site *fresh, uint32_t generation, const struct value *differences)
{
  struct service *service = reload->parts.service;
  bool again = is_under_way(reload, &fresh->config);
  for (size_t i = 0; !again && i < value_count(differences); i++)
    log_info("%s: %s", fresh->config.path, value_text(value_at(differences, i), ""));
  struct site before = reload->next; /* an unfinished change: the newer one counts */
  reload->next = *fresh;
  reload->generation = generation;
  reload->handing_over = true;
  service_hand_over(service, &reload->next.config);
  site_close(&before);
  int64_t timeout_ms = reload->next.config.release_timeout_ms;
  size_t count = service_handing_over(service);
  if (count == 0 || timeout_ms == 0) {
    finish(reload);
    return;
  }
  if (again)
    return;
  char text[CLOCK_TEXT_SIZE];
  log_info(
      "%s: %zu agents lose their app registration; what is ours is cleared first, for at most %s",
      reload->next.config.path, count, clock_short_duration(timeout_ms, text));
  reload->deadline_ms = clock_now_ms() + timeout_ms;
  reload->deadline_steady_ms = clock_steady_ms() + timeout_ms;
  loop_timer_in(reload->timer, timeout_ms);
  loop_again(reload->parts.loop);
}

/* For each account that runs, its ruleset-to-be: NULL where it has none. */
static struct value *preview(
    struct config_reload *reload, const struct site *fresh, struct values *values, size_t *differ)
{
  const struct site *site = reload->parts.site;
  struct ruleset **rulesets = must_alloc(site->config.account_count * sizeof(struct ruleset *));
  for (size_t i = 0; i < site->config.account_count; i++)
    for (size_t j = 0; j < fresh->config.account_count; j++)
      if (strcmp(site->config.accounts[i].id, fresh->config.accounts[j].id) == 0)
        rulesets[i] = fresh->rulesets[j];
  struct value *differences = service_preview(reload->parts.service, rulesets, values, differ);
  free(rulesets);
  return differences;
}

/* Another configuration: checked to the end, and with all that it would change put into words. */
static bool weigh(
    struct config_reload *reload, struct site *fresh, uint32_t generation, bool dry_run, struct values *values,
    struct value **ret_answer, struct err *err)
{
  size_t differ = 0;
  if (!site_load_rulesets(fresh, generation, err))
    return false;
  struct value *differences = preview(reload, fresh, values, &differ);
  if (!dry_run && !rules_reload_allows(&fresh->config, fresh->config.path, differ, err))
    return false;
  *ret_answer = rules_reload_answer(generation, differ, differences, values);
  value_set(
      values, *ret_answer, "cleared_first",
      value_number(values, (double)service_would_clear(reload->parts.service, &fresh->config)));
  return true;
}

/* *ret_same: config.xml is as it runs, but for what waits for the next start; then there is no answer yet. */
static bool take(
    struct config_reload *reload, bool dry_run, struct values *values, struct value **ret_answer, bool *ret_same,
    struct err *err)
{
  struct site fresh;
  struct differences differences = {values, value_list(values), ""};
  uint32_t generation = rules_reload_next_generation(reload->rules);
  if (!site_open(reload->parts.place, SITE_WITH_SECRETS, &fresh, err))
    return false;
  config_compare(&reload->parts.site->config, &fresh.config, on_difference, &differences);
  *ret_same = value_count(differences.live) == 0;
  bool ok = *ret_same || weigh(reload, &fresh, generation, dry_run, values, ret_answer, err);
  if (ok)
    note_waits(reload, differences.waits);
  if (!ok || dry_run || *ret_same)
    site_close(&fresh);
  else
    adopt(reload, &fresh, generation, differences.live);
  if (ok && *ret_same && !dry_run && reload->handing_over) { /* the change was taken back */
    log_info("%s is as it was", reload->parts.site->config.path);
    service_hand_over(reload->parts.service, NULL);
    end_hand_over(reload);
  }
  if (ok && !*ret_same) {
    value_set(values, *ret_answer, "config", differences.live);
    value_set(values, *ret_answer, "waits_for_start", value_string(values, differences.waits));
    value_set(values, *ret_answer, "waits", value_bool(values, reload->handing_over));
  }
  return ok;
}

/* Takes it up, or says in log and status why not; dry runs are between us and who asks. */
static bool try_to_take(
    struct config_reload *reload, bool dry_run, struct values *values, struct value **ret_answer, bool *ret_same,
    struct err *err)
{
  bool failed_before = *reload->last_failure != '\0';
  bool ok = take(reload, dry_run, values, ret_answer, ret_same, err);
  if (dry_run)
    return ok;
  *reload->last_failure = '\0';
  if (!ok) {
    reload->failures++;
    reload->last_failure_ms = clock_now_ms();
    must(str_copy(reload->last_failure, sizeof reload->last_failure, err->text));
    log_error("config.xml is not taken up: %s (the running configuration stays)", err->text);
  }
  if (!ok || failed_before)
    watch(reload);
  return ok;
}

bool config_reload_run(
    struct config_reload *reload, enum reload_action action, struct values *values, struct value **ret_answer,
    struct err *err)
{
  bool same = true, dry_run = action == RELOAD_DRY_RUN;
  if (reload->stopped)
    return err_set(err, ERR_CONFIG, "the daemon is about to end; start it again, and it reads everything anew");
  if (action != RELOAD_ROLLBACK && !try_to_take(reload, dry_run, values, ret_answer, &same, err))
    return false;
  if (!same)
    return true;
  if (!rules_reload_run(reload->rules, action, values, ret_answer, err))
    return false;
  value_set(values, *ret_answer, "waits_for_start", value_string(values, reload->waits));
  return true;
}

/* ---- occasions */

/* Nobody waits for an answer. Where nothing has changed, as after a save of some other part of the file, nothing is
 * done: no generation, no deciding again. */
static void on_config_change(void *context)
{
  struct config_reload *reload = context;
  struct values values = {0};
  struct value *answer = NULL;
  struct err err = ERR_INIT;
  bool same;
  if (!reload->stopped)
    (void)!try_to_take(reload, false, &values, &answer, &same, &err); /* it has logged what there is to say */
  values_release(&values);
}

/* While agents are handed over, the rulesets that wait are as old as those that run. */
static void on_rules_change(void *context)
{
  struct config_reload *reload = context;
  struct values values = {0};
  struct value *answer = NULL;
  struct err err = ERR_INIT;
  if (reload->handing_over)
    on_config_change(reload);
  else if (!reload->stopped)
    (void)!rules_reload_run(reload->rules, RELOAD_REPLACE, &values, &answer, &err); /* likewise */
  values_release(&values);
}

static void on_time(void *context UNUSED) /* waking is all: a turn follows */
{
}

/* By the steady clock, so that setting the clock neither ends nor prolongs it. */
void config_reload_turn(struct config_reload *reload)
{
  if (reload->handing_over && !reload->stopped &&
      (clock_steady_ms() >= reload->deadline_steady_ms || service_handing_over(reload->parts.service) == 0))
    finish(reload);
}

/* ---- life */

struct config_reload *config_reload_new(const struct config_reload_parts *parts, struct err *err)
{
  struct config_reload *reload = must_alloc(sizeof *reload);
  reload->parts = *parts;
  reload->timer = loop_timer_new(parts->loop, on_time, reload);
  reload->files = files_new(parts->loop, on_config_change, reload, err);
  struct rules_reload_parts rules = {parts->loop, parts->site, parts->service, on_rules_change, reload};
  reload->rules = reload->files == NULL ? NULL : rules_reload_new(&rules, err);
  if (reload->rules == NULL) {
    config_reload_free(reload);
    return NULL;
  }
  watch(reload);
  return reload;
}

void config_reload_stop(struct config_reload *reload)
{
  reload->stopped = true;
  loop_timer_at(reload->timer, CLOCK_NEVER);
}

void config_reload_free(struct config_reload *reload)
{
  if (reload == NULL)
    return;
  rules_reload_free(reload->rules);
  files_free(reload->files);
  loop_timer_free(reload->timer);
  site_close(&reload->next);
  free(reload);
}

bool config_reload_is_busy(const struct config_reload *reload)
{
  return reload->handing_over;
}

/* ---- views */

struct value *config_reload_view(const struct config_reload *reload, struct values *values)
{
  struct value *view = value_map(values);
  value_set(values, view, "taken_up", value_number(values, (double)reload->taken_up));
  value_set(values, view, "failures", value_number(values, (double)reload->failures));
  value_set(values, view, "last_failure", value_string(values, reload->last_failure));
  if (*reload->last_failure != '\0')
    value_put_instant(values, view, "last_failure_at", reload->last_failure_ms);
  value_set(values, view, "waits_for_start", value_string(values, reload->waits));
  if (reload->handing_over) {
    size_t count = service_handing_over(reload->parts.service);
    value_set(values, view, "cleared_first", value_number(values, (double)count));
    value_put_instant(values, view, "until", reload->deadline_ms);
  }
  return view;
}

struct value *config_reload_rules_view(const struct config_reload *reload, struct values *values)
{
  return rules_reload_view(reload->rules, values);
}

void config_reload_metrics(const struct config_reload *reload, struct metrics *to)
{
  rules_reload_metrics(reload->rules, to);
}
