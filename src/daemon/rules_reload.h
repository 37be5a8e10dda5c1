/* Changed rules while the daemon runs: on a change of a file, on SIGHUP, or when asked through the control socket (see
 * config_reload.h, which knows when and whether config.xml is another, too). New rulesets are compiled, checked and
 * tested in fresh VMs; only then do they replace the old ones, all at once. What fails leaves the running ones alone,
 * and is said in the log and in status. */
#ifndef DAEMON_RULES_RELOAD_H
#define DAEMON_RULES_RELOAD_H

#include "adapters/loop.h"
#include "host/site.h"
#include "service/service.h"

struct rules_reload;

/* All borrowed. */
struct rules_reload_parts {
  struct loop *loop;
  struct site *site;
  struct service *service;
  void (*on_change)(void *context); /* a file of the rulesets has changed */
  void *context;
};

/* Watches the files of the site's rulesets from now on. */
struct rules_reload *rules_reload_new(const struct rules_reload_parts *parts, struct err *err) MUST_CHECK;
void rules_reload_free(struct rules_reload *reload); /* NULL is fine */

enum reload_action {
  RELOAD_REPLACE,
  RELOAD_DRY_RUN,  /* says what would change, and changes nothing */
  RELOAD_ROLLBACK, /* the generation before runs again, until the next change */
};
/* *ret_answer: {generation=, agents_differ=, differences=[{what=, count=}]}. Errors are ERR_CONFIG; the old ones run
 * on. */
bool rules_reload_run(
    struct rules_reload *reload, enum reload_action action, struct values *values, struct value **ret_answer,
    struct err *err) MUST_CHECK;
/* The number that new rulesets get. */
uint32_t rules_reload_next_generation(const struct rules_reload *reload);
/* The site has other accounts and rulesets, of this generation; there is no generation before any more. */
void rules_reload_site_changed(struct rules_reload *reload, uint32_t generation);
/* Does ReloadMaxChanges allow it? */
bool rules_reload_allows(const struct config *config, const char *path, size_t differ, struct err *err) MUST_CHECK;
struct value *rules_reload_answer(
    uint32_t generation, size_t agents_differ, struct value *differences, struct values *values);
/* For status: {generation=, reloads=, failures=, last_failure=}. */
struct value *rules_reload_view(const struct rules_reload *reload, struct values *values);
void rules_reload_metrics(const struct rules_reload *reload, struct metrics *to);

#endif
