/* Changed rules while the daemon runs: on a change of a file, on SIGHUP, or when asked through the control socket (see
 * renewal.h, which knows when and whether config.xml is another, too). New rulesets are compiled, checked and tested in
 * fresh VMs; only then do they replace the old ones, all at once. What fails leaves the running ones alone, and is said
 * in the log and in status. */
#ifndef CLI_RELOAD_H
#define CLI_RELOAD_H

#include "adapters/loop.h"
#include "cli/site.h"
#include "service/service.h"

struct reload;

/* All borrowed. */
struct reload_parts {
  struct loop *loop;
  struct site *site;
  struct service *service;
  void (*on_change)(void *context); /* a file of the rulesets has changed */
  void *context;
};

/* Watches the files of the site's rulesets from now on. */
struct reload *reload_new(const struct reload_parts *parts, struct err *err) MUST_CHECK;
void reload_free(struct reload *reload); /* NULL is fine */

enum reload_action {
  RELOAD_REPLACE,
  RELOAD_DRY_RUN,  /* says what would change, and changes nothing */
  RELOAD_ROLLBACK, /* the generation before runs again, until the next change */
};
/* *ret_answer: {generation=, agents_differ=, differences=[{what=, count=}]}. Errors are ERR_CONFIG; the old ones run
 * on. */
bool reload_run(
    struct reload *reload, enum reload_action action, struct values *values, struct value **ret_answer,
    struct err *err) MUST_CHECK;
/* The number that new rulesets get. */
uint32_t reload_next_generation(const struct reload *reload);
/* The site has other accounts and rulesets, of this generation; there is no generation before any more. */
void reload_site_changed(struct reload *reload, uint32_t generation);
struct value *reload_answer(
    uint32_t generation, size_t agents_differ, struct value *differences, struct values *values);
/* For status: {generation=, reloads=, failures=, last_failure=}. */
struct value *reload_view(const struct reload *reload, struct values *values);

#endif
