/* Another config.xml while the daemon runs: on a change of the file, on SIGHUP, or when asked through the control
 * socket. It is read and checked whole, with secrets, rulesets and their tests; only then it replaces what runs. What
 * fails leaves everything alone, and is said in the log and in status.
 *
 * Agents whose account is gone, or is another app registration now, are cleared first, for at most ReleaseTimeout;
 * until then the old configuration runs, and takes events. What a running daemon cannot exchange keeps its old value.
 */
#ifndef DAEMON_CONFIG_RELOAD_H
#define DAEMON_CONFIG_RELOAD_H

#include "adapters/loop.h"
#include "daemon/rules_reload.h"
#include "service/service.h"

struct policies;
struct config_reload;
struct transport;

/* All borrowed; setup is what the service was made from. */
struct config_reload_parts {
  const struct site_place *place;
  struct loop *loop;
  struct site *site;
  struct service *service;
  struct transport *transport;
  struct policies *policies;
  struct service_setup setup;
};

/* Watches config.xml, the key file and the rulesets from now on. */
struct config_reload *config_reload_new(const struct config_reload_parts *parts, struct err *err) MUST_CHECK;
void config_reload_free(struct config_reload *reload); /* NULL is fine */

/* config.xml, and where that is as it was, the rulesets; RELOAD_ROLLBACK: the rulesets alone. *ret_answer: that of
 * rules_reload_run(), and with another configuration {config=["account x: Lease 1h -> 30m", ...], cleared_first=} (how
 * many agents), waits=} (until they are); {waits_for_start="State"}. Errors are ERR_CONFIG; what runs stays. */
bool config_reload_run(
    struct config_reload *reload, enum reload_action action, struct values *values, struct value **ret_answer,
    struct err *err) MUST_CHECK;
/* Once a turn, behind service_turn(): goes on when all is cleared, or time is up. */
void config_reload_turn(struct config_reload *reload);
/* Nothing is taken up any more: the daemon ends. */
void config_reload_stop(struct config_reload *reload);
bool config_reload_is_busy(const struct config_reload *reload);

/* For status: {taken_up=, failures=, last_failure=, last_failure_at=, waits_for_start=, cleared_first=, until=}; the
 * last two while agents are being cleared. */
struct value *config_reload_view(const struct config_reload *reload, struct values *values);
/* For status: the rulesets', see rules_reload_view(). */
struct value *config_reload_rules_view(const struct config_reload *reload, struct values *values);
/* Those of the rulesets. */
void config_reload_metrics(const struct config_reload *reload, struct metrics *to);

#endif
