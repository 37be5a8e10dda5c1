/* Another config.xml while the daemon runs: on a change of the file, on SIGHUP, or when asked through the control
 * socket. It is read and checked whole, with secrets, rulesets and their tests; only then it replaces what runs. What
 * fails leaves everything alone, and is said in the log and in status.
 *
 * Agents whose account is gone, or is another app registration now, are cleared first, for at most ReleaseTimeout;
 * until then the old configuration runs, and takes events. What a running daemon cannot exchange keeps its old value.
 */
#ifndef CLI_RENEWAL_H
#define CLI_RENEWAL_H

#include "adapters/loop.h"
#include "cli/reload.h"
#include "cli/site.h"
#include "service/service.h"

struct policies;
struct renewal;
struct transport;

/* All borrowed; setup is what the service was made from. */
struct renewal_parts {
  const struct cli *cli;
  struct loop *loop;
  struct site *site;
  struct service *service;
  struct transport *transport;
  struct policies *policies;
  struct service_setup setup;
};

/* Watches config.xml, the key file and the rulesets from now on. */
struct renewal *renewal_new(const struct renewal_parts *parts, struct err *err) MUST_CHECK;
void renewal_free(struct renewal *renewal); /* NULL is fine */

/* config.xml, and where that is as it was, the rulesets; RELOAD_ROLLBACK: the rulesets alone. *ret_answer: that of
 * reload_run(), and with another configuration {config=["account x: Lease 1h -> 30m", ...], cleared_first=} (how many
 * agents), waits=} (until they are); {waits_for_start="State"}. Errors are ERR_CONFIG; what runs stays. */
bool renewal_run(
    struct renewal *renewal, enum reload_action action, struct values *values, struct value **ret_answer,
    struct err *err) MUST_CHECK;
/* Once a turn, behind service_turn(): goes on when all is cleared, or time is up. */
void renewal_turn(struct renewal *renewal);
/* Nothing is taken up any more: the daemon ends. */
void renewal_stop(struct renewal *renewal);
bool renewal_is_busy(const struct renewal *renewal);

/* For status: {taken_up=, failures=, last_failure=, last_failure_at=, waits_for_start=, cleared_first=, until=}; the
 * last two while agents are being cleared. */
struct value *renewal_view(const struct renewal *renewal, struct values *values);
/* For status: the rulesets', see reload_view(). */
struct value *renewal_rules_view(const struct renewal *renewal, struct values *values);

#endif
