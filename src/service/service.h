/* The engine: event -> decision -> store -> schedule -> request, and the outcome back. It meets the outside through
 * struct ports only, so that the daemon, the one-shot commands and a simulation run this very code. It never waits.
 *
 * The owner calls service_turn() once per turn of its loop, and whenever wake_at() said so. */
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

#include "base/clock.h"
#include "base/err.h"
#include "base/value.h"
#include "config/config.h"
#include "graph/graph.h"
#include "model/event.h"
#include "rules/rules.h"
#include "store/store.h"

struct json;
struct service;

typedef void service_on_reply(void *context, const struct graph_reply *reply);

struct ports {
  void *context;
  /* Starts an exchange. on_reply is called once, never before this returns, unless it is cancelled. bearer NULL: none.
   */
  void *(*send)(
      void *context, const struct graph_request *request, const struct wiped *bearer, const char *client_request_id,
      bool fresh_connection, service_on_reply *on_reply, void *reply_context);
  void (*cancel)(void *context, void *exchange);
  void (*wake_at)(void *context, int64_t at_ms); /* replaces the earlier one; CLOCK_NEVER: not at all */
  int64_t (*now)(void *context);                 /* a fresh clock */
  void (*random)(void *context, void *bytes, size_t length);
  /* Milliseconds of a clock that nobody sets; NULL: only a step back of `now` is noticed. */
  int64_t (*steady)(void *context);
  /* Microseconds of such a clock, to measure what we do ourselves; decides nothing. NULL: it is not measured. */
  int64_t (*stopwatch)(void *context);
};

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

/* All borrowed, and must outlive the service. One secret and one ruleset per account of the config; rulesets may be
 * NULL when no events are given (one-shot commands). */
struct service_setup {
  const struct config *config;
  const struct wiped *secrets;
  struct ruleset *const *rulesets;
  struct ruleset *const *shadows; /* run beside and reported, never published; NULL, or one (or NULL) per account */
  struct store *store;            /* NULL for one-shot commands: nothing is remembered */
  struct json *json;
  struct ports ports;
  struct service_watcher watcher;
};

struct service *service_new(const struct service_setup *setup);
/* Cancels what is under way; presences stay as they are. NULL is fine. */
void service_free(struct service *service);

/* The pauses that Graph has asked for, and what it still counts of each app registration: the state file may be gone,
 * and with it what it said of them, but Graph has not forgotten. Zeroed memory is none. */
struct service_legacy {
  size_t count;
  struct legacy_app *apps;
};
void service_legacy_take(struct service_legacy *legacy, const struct service *service); /* in place of what there was */
/* Before service_new(); durable with its first turn. */
void service_legacy_write(const struct service_legacy *legacy, struct store *store);
void service_legacy_release(struct service_legacy *legacy);

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
 * gate. before: the old configuration, wherever it stands now; it and its secrets may go when this returns. */
void service_configure(
    struct service *service, const struct service_setup *setup, const struct config *before, uint32_t generation);
/* Likewise of setup.shadows: what differs is counted from now on. */
void service_shadow_changed(struct service *service);
/* What such a change would do, by rule: a list of {what=, count=}, most frequent first; *ret_differ: how many agents.
 * Takes as long as all agents take; changes nothing. An account whose ruleset is NULL is left out. */
struct value *service_preview(
    struct service *service, struct ruleset *const *rulesets, struct values *values, size_t *ret_differ);

enum service_taken { SERVICE_ACCEPTED, SERVICE_DUPLICATE, SERVICE_STALE };
/* Takes an event; it is durable, and may be acknowledged, once service_turn() has returned true. `recording`: times may
 * lie ahead. */
enum service_taken service_event(struct service *service, const struct event *event, bool recording);
/* Counts what was no event. */
void service_refused(struct service *service);

/* Commits, then sends what is due. False: the store failed (ERR_STORE); nothing was sent, and this service is to be
 * freed: its memory is ahead of the file. */
bool service_turn(struct service *service, struct err *err) MUST_CHECK;

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
/* The last that is asked of it, at an end in good order: commits, with until when it ran. Without it, as after a kill,
 * the next start takes it for up to half a minute more. */
bool service_end(struct service *service, struct err *err) MUST_CHECK;

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

/* One request past the engine, under the account's token, gate and budget: for one-shot commands and scripts. on_done
 * is called once; a 401 was then retried once already. Where there are agents, theirs go first, and half of the budget
 * is left to them. */
typedef void service_on_done(void *context, const struct outcome *outcome, const struct graph_reply *reply);
void service_request(
    struct service *service, size_t account, const struct graph_operation *operation, service_on_done *on_done,
    void *context);
/* Why the account has no token, or ERR_NONE while it has one or it is not known yet. `final`: retrying does not mend
 * it. */
struct err service_token_trouble(const struct service *service, size_t account, bool *ret_final);
/* When the account's gate opens; 0 when it is open. */
int64_t service_gate(const struct service *service, size_t account);

#endif
