/* The engine: event -> decision -> store -> schedule -> request, and the outcome back. It meets the outside through
 * struct ports only, so that the daemon, a simulation and the tests run this very code. It never waits.
 *
 * The owner calls service_turn() once per turn of its loop, and whenever wake_at() said so. A turn prepares what is
 * due, commits, and goes on when the commit has come about: only then requests go out, and events may be acknowledged.
 */
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

#include "base/clock.h"
#include "base/err.h"
#include "base/value.h"
#include "config/config.h"
#include "model/event.h"
#include "registration/registrations.h"
#include "rules/rules.h"
#include "store/store.h"

struct json;
struct service;

/* Who wants to know what is decided and what became of it. Called amid the work: it takes note, and calls nothing of
 * the service. Zeroed: nobody. */
struct service_watcher {
  void *context;
  /* An event was decided, or, because of time or new rules, is decided otherwise now. */
  void (*on_decision)(void *context, const struct event *event, int64_t since_ms, const struct decision *decision);
  /* What Graph said to a change of what an agent shows; presence: of the operations that set one. */
  void (*on_outcome)(
      void *context, const char *agent, enum graph_operation_kind operation, enum presence presence,
      const struct outcome *outcome);
};

/* Who owns the engine: what becomes of a turn. */
struct service_owner {
  void *context;
  /* What was given to the engine before the turn began is durable; the turn's requests are out. */
  void (*on_saved)(void *context);
  /* The store has failed (ERR_STORE); nothing was sent. The engine's memory is ahead of the file: free it, but not from
   * within this call. */
  void (*on_failed)(void *context, const struct err *err);
};

/* As store_commit(), which it calls now or later: for whoever wants to see a commit that takes its time. */
typedef void service_commit(
    void *context, struct store *store, int64_t now, store_on_commit *on_done, void *done_context);

/* All borrowed, and must outlive the service. One credential and one ruleset per account of the config. */
struct service_setup {
  const struct config *config;
  const struct credential *credentials;
  struct ruleset *const *rulesets;
  struct ruleset *const *shadows; /* run beside and reported, never published; NULL, or one (or NULL) per account */
  struct store *store;
  struct json *json;
  struct ports ports;
  struct service_owner owner;
  struct service_watcher watcher;
  service_commit *commit; /* NULL: store_commit() */
  void *commit_context;
};

struct service *service_new(const struct service_setup *setup);
/* Cancels what is under way; presences stay as they are. NULL is fine. A commit cannot be cancelled: its completion
 * must have been told, or never come. */
void service_free(struct service *service);

/* What Graph will go on counting when this engine is gone; for registrations_carry_into(). */
void service_carry(struct registrations_carried *carried, const struct service *service);

/* Decides what was stored again by the present rules, with its old `since`, and sees what differs. Call once, first. */
void service_start(struct service *service);

/* The entries of setup.rulesets have been replaced: what every agent's UCCs said is decided again, in slices, with the
 * old `since`; only differences are sent, after live changes. */
void service_rules_changed(struct service *service, uint32_t generation);
/* Another configuration, in two steps, so that nobody goes on showing what nobody can take back.
 *
 * The first: agents whose account is gone from `next`, or is another app registration there, show nothing from now on,
 * and what Graph has of them is cleared under the old registration; events are taken as ever. `next` is borrowed until
 * the second step or another call, which begins anew; NULL: all stays as it is. */
void service_hand_over(struct service *service, const struct config *next);
/* How many agents are still to be cleared, as far as that can succeed. */
size_t service_handing_over(struct service *service);
/* How many would have to be. */
size_t service_would_clear(struct service *service, const struct config *next);
/* The second, with or without the first: setup.config, secrets, rulesets and shadows replace those that run; the rest
 * of setup stays the same. Agents move to the account that serves them now, or to none, with what their UCCs said. What
 * still shows then is logged, and in status until it ends by itself. App registrations that stay keep token, budget and
 * gate. before: the old configuration, wherever it stands now; it and its secrets may go when this returns.
 *
 * It does not look whether the clock was set: agents know their account by its index, and what setup.config points to
 * has been exchanged. service_notice_clock() comes before the exchange. */
void service_configure(
    struct service *service, const struct service_setup *setup, const struct config *before, uint32_t generation);
void service_notice_clock(struct service *service);
/* Likewise of setup.shadows: what differs is counted from now on. */
void service_shadow_changed(struct service *service);
/* What such a change would do, by rule: a list of {what=, count=}, most frequent first; *ret_differ: how many agents.
 * Takes as long as all agents take; changes nothing. An account whose ruleset is NULL is left out. */
struct value *service_preview(
    struct service *service, struct ruleset *const *rulesets, struct values *values, size_t *ret_differ);

enum service_taken { SERVICE_ACCEPTED, SERVICE_DUPLICATE, SERVICE_STALE };
/* Takes an event; it is durable, and may be acknowledged, with on_saved of the next turn. `recording`: times may lie
 * ahead. */
enum service_taken service_event(struct service *service, const struct event *event, bool recording);
/* Counts what was no event. */
void service_refused(struct service *service);

/* Prepares what is due and commits; then owner.on_saved or owner.on_failed is called, before this returns where the
 * store is quick. While a commit is under way it does nothing but remember that it was asked. */
void service_turn(struct service *service);
/* Is a commit under way? What is given to the engine now is not part of it: better wait. */
bool service_is_saving(const struct service *service);

/* Frees parked agents and sends again what they should show. name NULL: all. *ret_count: how many agents. False: no
 * such agent. */
bool service_resync(struct service *service, const char *name, size_t *ret_count);

/* What somebody at the keyboard, or a script, says of an agent: it outranks every UCC until `hold_ms` is over or it is
 * released; durable. PRESENCE_NONE is a clear: nothing is shown, and it ends early at the agent's next log-on. `by`
 * names who said it, for `status`. False: no account serves the name, or the hold is none (ERR_LIMIT). */
#define SERVICE_OVERRIDE_MIN_MS CLOCK_MINUTE
#define SERVICE_OVERRIDE_MAX_MS (7 * CLOCK_DAY)
struct service_override {
  enum presence presence;
  int64_t hold_ms;
  const char *by;
};
bool service_override(
    struct service *service, const char *name, const struct service_override *override, struct err *err) MUST_CHECK;
/* False: there is no override on that agent. */
bool service_release(struct service *service, const char *name) MUST_CHECK;

/* The owner will end soon: pending delays no longer count as busy; clear: from now on nobody should show anything of
 * ours. What UCCs have said stays known. */
void service_stop(struct service *service, bool clear);
/* The last that is asked of it, at an end in good order: commits, with until when it ran, and tells the owner. Without
 * it, as after a kill, the next start takes it for up to half a minute more. While a commit is under way, it waits for
 * that one, and nothing that was prepared is sent any more. */
void service_end(struct service *service);

/* Anything left to do that is neither the end of a hold nor a keep-alive? refused: an account cannot get a token for a
 * cause that retrying does not mend; its agents then do not count as busy. */
struct service_rest {
  bool busy;
  size_t differ; /* agents that do not show yet what they should */
  size_t parked;
  bool refused;
  struct err refused_why;
};
struct service_rest service_rest(struct service *service);

/* For `status` and metrics: {accounts=[...], phases={...}, events={...}, unmatched=[...], figures={...}}; with_agents
 * adds one entry per agent. */
struct value *service_status(struct service *service, bool with_agents, struct values *values);

/* The agent's object id, as far as it is known; NULL: not yet. */
const char *service_known_id(struct service *service, size_t account, const char *name);

/* A page of the decision log, behind the key `after`: a list of {key=, decided=, again=, since=, event={...},
 * decision={kind=, session=, preferred=, hold_ms=, delay_ms=, after_session=, after_preferred=, after_hold_ms=,
 * message=, rule=, place=, generation=}}; empty at its end. The event
 * is one that intake_read() takes. Instants are RFC 3339 texts. Needs no service, so that a command can look into the
 * file while no daemon runs. */
enum { SERVICE_DECISIONS_PAGE = 500 };
bool service_read_decisions(
    struct store *store, struct json *json, int64_t after, struct values *values, struct value **ret_list,
    struct err *err) MUST_CHECK;

/* Likewise of one agent, by a name or its object id; NULL: there is no such agent. */
struct value *service_agent(struct service *service, const char *name, struct values *values);

/* The registration of an account: for what is asked of Graph past the engine (asides). */
struct registration *service_registration(const struct service *service, size_t account);
/* The engine's metrics, with those of its registrations. */
void service_tell_metrics(struct service *service, struct metrics *to);

#endif
