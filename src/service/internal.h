/* What the files of this room share: service.c (the turn), pipeline.c (events and where an agent stands),
 * flight.c (its requests and their outcomes), identity.c (names and lookups), app.c (token, requests), learn.c (gate,
 * outages), accounts.c (a change of the accounts), status.c (views), tally.c (bounded counts by text), override.c and
 * change.c (overrides; a change of the rules), decisions.c (the decision log as values), legacy.c (what outlives a lost
 * state file), figures.c and lapse.c (what is measured). */
#ifndef SERVICE_INTERNAL_H
#define SERVICE_INTERNAL_H

#include "base/histogram.h"
#include "base/table.h"
#include "sched/sched.h"
#include "service/service.h"

/* ---- tally: how often a text was seen; only so many different ones, the rest under "others" */

enum { TALLY_MAX = 200 };
struct tally {
  size_t most; /* different ones; 0: TALLY_MAX */
  struct tally_entry {
    uint64_t count;
    char text[];
  } * *entries; /* in the order in which they came */
  size_t count;
  struct table by_text;
  uint64_t others;
};
bool tally_add(struct tally *tally, const char *text); /* true: the first time */
void tally_release(struct tally *tally);

/* ---- app: one app registration in one tenant; accounts that name the same pair share it */

/* What a Retry-After leaves open: its seconds count from a clock that is not ours. */
#define RETRY_AFTER_MARGIN_MS 250
#define AUTH_BASE_MS (30 * CLOCK_SECOND) /* after a second 401, and between token requests that are refused */
#define AUTH_CAP_MS (10 * CLOCK_MINUTE)

struct request {
  struct list_node link; /* in waiting or outgoing, or in a parcel */
  struct app *app;
  struct graph_operation operation; /* its texts are ours */
  char *message, *ids;
  service_on_done *on_done;
  void *context;
  bool owns_context;     /* free() it with the request */
  uint64_t token_serial; /* of the token it went out with */
  bool retried;          /* after a 401 */
  bool about_user;       /* a 401 will be about this user, not about the token */
  bool once;             /* no second try after a 401 here: the sender decides what is wanted by then */
  char client_request_id[40];
};

/* What goes over one connection at once: one request, or several as a $batch. */
struct parcel {
  struct list_node link; /* in flying */
  struct app *app;
  struct list_node requests; /* in the order of their numbers */
  size_t count;
  bool is_batch;
  void *exchange;
};

enum { APP_KEY_SIZE = 2400 }; /* two bounded texts and a GUID */

#define BUDGET_AHEAD_MS CLOCK_SECOND /* how long a row of the budget covers what goes out: see app.budget_ahead */

struct app {
  struct service *service;
  char key[APP_KEY_SIZE]; /* of the gate's row */
  const char *label;      /* the first account's id */
  struct graph_endpoint endpoint;
  const struct wiped *secret;
  int connections;
  bool batches; /* until Graph refuses one */
  /* token */
  struct graph_token token; /* empty bearer: none */
  uint64_t token_serial;
  void *token_exchange;
  int token_attempts;
  int64_t token_next_try_ms;
  struct err token_trouble; /* ERR_NONE while the last request went well */
  bool token_refused;
  /* 401: one new token is tried; a second 401 closes the account until auth_until_ms, and one request at a time probes
   */
  bool suspect;
  int auth_attempts;
  int64_t auth_until_ms;
  /* 429 and Retry-After: closed for every Graph request, not for the token endpoint */
  int64_t gate_until_ms;
  int throttle_attempts;
  bool fresh_connection; /* the next request takes a new one (facts 3.2) */
  struct sched_budget presence, lookups;
  /* What the state file says of the presence budget: not the present count when `budget_unwritten`; but it covers
   * `budget_ahead` more requests, where they go out within BUDGET_AHEAD_MS of `budget_written_ms`. */
  bool budget_unwritten;
  size_t budget_ahead;
  int64_t budget_written_ms;
  struct list_node waiting, waiting_lookups, outgoing; /* of requests */
  struct list_node asides;             /* likewise: what is asked past the agents, and waits behind them */
  struct list_node flying;             /* of parcels */
  size_t in_flight, lookups_in_flight; /* requests, outgoing and flying */
  size_t outgoing_count, parcels;      /* how long those lists are */
  /* After an outage the number of connections in use begins at one again, and grows by one with each exchange in which
   * anything succeeds. */
  size_t window;
  bool widened; /* by this exchange */
  int failures_in_row;
  int64_t outage_since_ms;
  int64_t probe_ms; /* during an outage: when one agent tries before its time, unless something is under way */
  int probes;
  uint64_t accepted; /* replies that prove the token: anything but 401 */
  /* figures */
  uint64_t requests[GRAPH_OPERATION_KINDS], answered[GRAPH_OPERATION_KINDS][OUTCOME_UNKNOWN + 1];
  int64_t throttled_ms;
  int64_t trouble_logged_ms;
  uint64_t trouble_count;
};

void app_init(
    struct app *app, struct service *service, const struct config *config, const struct config_account *account,
    const struct wiped *secret);
void app_release(struct app *app);
/* "Graph TenantId ClientId": what tells app registrations apart. */
void app_key(const struct config_account *account, char to[APP_KEY_SIZE]);
/* The same registration under another configuration, which replaces `before`. Token, budget and gate stay as they are;
 * with another secret, or another place to get it, a new token is asked for at once. */
void app_configure(
    struct app *app, const struct config *before, const struct config *config, const struct config_account *account,
    const struct wiped *secret);
/* No account names it any more: what was asked past the agents is answered, the rest given up. */
void app_retire(struct app *app);
/* Every request that is not answered yet. */
void app_visit(struct app *app, void (*visit)(void *context, const struct request *request), void *context);
/* May one more request of that kind go now? */
bool app_open(const struct app *app, enum graph_operation_kind kind, int64_t now);
/* The result may be adjusted (once, owns_context) until the next turn. */
struct request *app_submit(
    struct app *app, const struct graph_operation *operation, service_on_done *on_done, void *context);
/* The same for what is asked past the agents: see service_request(). */
void app_submit_aside(
    struct app *app, const struct graph_operation *operation, service_on_done *on_done, void *context);
/* Gets or renews the token when it is time, and moves waiting requests to outgoing while the account is open. */
void app_prepare(struct app *app, int64_t now);
/* The same for asides, after the agents have had their turn. */
void app_prepare_asides(struct app *app, int64_t now);
/* Before the commit: what is outgoing will have been sent, and what was answered is under way no more. Not with every
 * turn, unless `exactly`: some more is written down ahead. */
void app_write_budget(struct app *app, bool exactly, int64_t now);
/* After the commit: sends what is outgoing. */
void app_send(struct app *app);
/* No token, and retrying does not get one. */
bool app_is_hopeless(const struct app *app, int64_t now);
/* The budget that requests of that kind use. */
struct sched_budget *app_budget(struct app *app, enum graph_operation_kind kind);
/* learn.c */
/* During an outage: lets the agent that has waited longest, or would be next, find out whether it is over. */
void app_probe(struct app *app, int64_t now);
/* Takes to heart what an outcome says about the app itself. */
void app_learn(struct app *app, const struct request *request, const struct outcome *outcome, int64_t now);
/* The wall clock was set: moments of our own move along. */
void app_clock_stepped(struct app *app, int64_t by_ms);
void app_shift_gate(struct app *app, int64_t by_ms); /* of it the gate alone */
/* The next moment at which app_prepare() has something to do; CLOCK_NEVER. ready: agents wait in its queue. */
int64_t app_next(const struct app *app, bool ready, int64_t now);

/* ---- figures: what the engine measures of itself. Nothing depends on them */

/* How many names of a kind are told apart; what comes under further ones is told as FIGURES_OTHERS. */
#define FIGURES_OTHERS "(others)"
enum { FIGURES_RULESETS_MAX = 32, FIGURES_RULES_MAX = 500, FIGURES_UCCS_MAX = 100 };

struct figures {
  struct histogram presence_age, commit; /* seconds */
  uint64_t lapses;
  struct ruleset_figures {
    char *name;
    struct tally decisions; /* by rule; FIGURES_RULES_MAX */
    uint64_t unmatched;     /* events */
  } rulesets[FIGURES_RULESETS_MAX + 1];
  size_t ruleset_count;
  struct ucc_figures {
    char *name;
    int64_t heard_ms; /* the arrival of its last event */
  } uccs[FIGURES_UCCS_MAX + 1];
  size_t ucc_count;
};

/* ---- service */

struct service {
  struct service_setup setup;
  struct app **apps;
  size_t app_count;
  size_t *app_of_account;
  struct sched sched;
  struct heap lookups; /* of agent_name.due */
  struct event *scratch;
  bool clock_known;
  int64_t clock_ms;     /* how far the clock was ahead of the steady one; without that, when it was last looked at */
  int64_t stepped_ms;   /* how far the clock was set, in all */
  int64_t clock_set_ms; /* when that was, last */
  struct decision decision, shadow_decision;
  uint64_t accepted, duplicates, stale, refused, reused_ids, future, unknown_fields, decisions, rule_errors, no_account;
  /* Agents that are still to be decided again after a change of the rules: from here to the end of the store's list. */
  struct list_node *to_decide;
  uint32_t generation;
  int64_t alive_written_ms;
  bool stopping, clears_all; /* see service_stop() */
  const struct config *next; /* see service_hand_over(); NULL: none is under way */
  struct left {
    char *account; /* its Id, which is gone or means another registration now */
    size_t agents;
    int64_t until_ms;
  } * left; /* what could not be cleared in time */
  size_t left_count;
  size_t decided_again, came_out_different;
  struct tally shadow_differences;
  uint64_t shadow_same, shadow_different, shadow_errors;
  struct tally unmatched, future_uccs, unserved, unknown_field_names;
  char rule_trouble[sizeof(((struct err *)NULL)->text)];
  int64_t rule_trouble_ms;
  uint64_t rule_trouble_more;
  struct figures figures;
};

int64_t service_now(const struct service *service);
/* At every entry from outside: if the wall clock was set, what was measured by it moves along. */
void service_notice_clock(struct service *service);
uint32_t service_random(const struct service *service);
struct app *service_app(const struct service *service, const struct agent *agent); /* NULL without an account */

/* pipeline.c */
/* Puts the agent where it belongs now: idle, waiting, ready or parked. Not while it is in flight. */
void pipeline_settle(struct service *service, struct agent *agent, int64_t now);
/* What the agent should show, by the present rules; agent_desired() alone goes by those of when it was settled last. */
struct desired pipeline_desired(struct service *service, struct agent *agent, int64_t now);
/* What is next for the agent, and what it should show. */
struct sched_plan pipeline_plan(struct service *service, struct agent *agent, int64_t now, struct desired *ret_desired);
void pipeline_park(struct service *service, struct agent *agent, enum park_cause cause, const char *detail);
/* Out of PHASE_PARKED, with a clean slate; then settle it. */
void pipeline_free_parked(struct service *service, struct agent *agent);
/* Decides what every UCC said again, by the present rules, with the old `since`; time conditions look at `now`. */
void pipeline_decide_all_again(struct service *service, struct agent *agent, int64_t now);
/* A new agent of that account, known to the schedule. */
struct agent *pipeline_new_agent(struct service *service, int account);
/* The agent shows nothing, has no names and no contributions: it goes. True: it is gone. */
bool pipeline_drop_if_empty(struct service *service, struct agent *agent, int64_t now);

/* The event that a contribution was made from, as far as rules look at it. */
void pipeline_event_of(struct service *service, const struct contribution *contribution, struct event *event);
enum { RULES_STATES_MAX = 64 }; /* UCCs of one agent that a rule function sees */
struct rules_agent pipeline_agent_for_rules(
    const struct agent *agent, struct rules_agent_state states[RULES_STATES_MAX]);

/* The index of the account that serves the agent, or AGENT_NO_ACCOUNT; account "" is found by the domain. */
int pipeline_account_of(const struct service *service, const char *agent, const char *account);
const char *pipeline_suffix_of(const char *agent); /* behind the last "@"; "" without one */

/* accounts.c */
/* Does the hand-over that is under way take the agent's account away? Then nothing is shown any more. */
bool accounts_loses(const struct service *service, const struct agent *agent);
/* What an earlier run showed under registrations that are not those of the config, or for accounts that it does not
 * have, is out of reach: such agents begin anew, and it is said. */
void accounts_start(struct service *service, int64_t now);
/* The registrations of setup.config: those of the old list that it names go on, with what they know. */
void accounts_set_apps(struct service *service, const struct service_setup *setup, const struct config *before);

/* flight.c */
/* The agent is idle, and what comes of its request is of no interest any more. */
void flight_disown(struct service *service, struct agent *agent);
/* Sends the agent's next request; it is ready and its account open. */
void flight_launch(struct service *service, struct agent *agent, int64_t now);

/* lapse.c: a session of ours fades or expires before it could be refreshed, while it should be shown */
/* Counts it, once, when it has happened by now; from then on there is a difference. To be called before what should be
 * shown changes, before a request goes out, and before anybody looks at the count. */
void lapse_notice(struct service *service, struct agent *agent, int64_t now);
/* A refresh has failed and nobody knows what Graph has; `before` is what it had. */
void lapse_expect(struct agent *agent, const struct confirmed *before);

/* override.c */
struct contribution *override_of(const struct agent *agent); /* or NULL */
void override_end(struct service *service, struct agent *agent);
/* A clear-override ends when the agent logs on: when a UCC that said nothing begins to say something. */
void override_notice_log_on(
    struct service *service, struct agent *agent, const struct contribution *contribution, enum decision_kind before);

/* change.c */
/* Is the decision another one than what stands, or waits for its delay? */
bool change_differs(const struct contribution *contribution, const struct decision *decision);
/* Decides the next slice again. True: there is more. */
bool change_turn(struct service *service, int64_t now);
/* The agent is about to be removed. */
void change_forget(struct service *service, struct agent *agent);
/* Asks the shadow about what the rules have just decided. */
void change_ask_shadow(
    struct service *service, const struct agent *agent, const struct event *event, int64_t since_ms, int64_t moment_ms,
    const struct rules_agent *seen);

/* figures.c */
void figures_init(struct figures *figures);
void figures_release(struct figures *figures);
/* What is known from before the start. */
void figures_start(struct service *service, int64_t now);
void figures_clock_stepped(struct figures *figures, int64_t by_ms);
/* An event of that UCC has arrived. */
void figures_heard(struct figures *figures, const char *ucc, int64_t now);
/* service->decision was made for an agent of that account; and that for an event which no rule answers. */
void figures_decided(struct service *service, int account);
void figures_unmatched(struct service *service, int account);
/* store_commit(), measured. */
bool figures_commit(struct service *service, int64_t now, struct err *err) MUST_CHECK;
/* Graph has just confirmed the last of what the agent should show; since_ms: since when it did not show all of it. */
void figures_confirmed(struct service *service, int64_t since_ms, int64_t now);
/* For service_status(). */
struct value *figures_view(struct service *service, struct values *values);

/* identity.c */
struct agent_name *identity_name(struct service *service, int account, const char *name);
/* Asks for the id of an agent that has none, unless that is under way; at_once: without waiting for the next try after
 * a failure. */
void identity_want(struct service *service, struct agent *agent, bool at_once, int64_t now);
/* Whether Graph takes the token at all: a lookup of the same user tells, when a presence request of his got 401. */
/* The names whose lookup has failed: when the first of them is tried again, or CLOCK_NEVER; all of them at once. */
int64_t identity_retry_ms(const struct agent *agent);
void identity_retry(struct service *service, struct agent *agent, int64_t now);
/* The wall clock was set: when names were looked up, and are to be looked up, moves along. */
void identity_clock_stepped(struct service *service, int64_t by_ms);
void identity_prove_token(struct service *service, struct agent *agent, int64_t now);
/* Is a lookup due that a 404 asked for? */
bool identity_checking(const struct agent *agent);
/* The presence service does not know the id: looks its names up once more. */
void identity_check(struct service *service, struct agent *agent, int64_t now);
/* Starts the lookups that are due. */
void identity_turn(struct service *service, int64_t now);
/* After loading: verifications and retries go on where they were, and who was unknown is parked again. */
void identity_resume(struct service *service, struct agent *agent, int64_t now);
/* What is known of the name, and what is being asked, is another's. */
void identity_forget(struct service *service, struct agent_name *name);
/* The contributions that came in under this name (NULL: any), from one agent to another; per UCC the newer one stays.
 */
void identity_move_contributions(
    struct service *service, const struct agent_name *name, struct agent *from, struct agent *to);

#endif
