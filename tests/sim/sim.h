/* A deterministic simulation of presenced: the real service, rules and SQLite file against the tenant's code, with a
 * virtual clock, a network that loses, delays and reorders, a disk that fills up, and people who do as they please. One
 * seed is one run, byte for byte.
 *
 *   world    clock, network, disk and the daemon's site are those of every test: tests/world
 *   life     the daemon's life: start, crash, restart, reload; one whole run
 *   network  what becomes of a request on its way, and of its answer
 *   oracle   what every agent should show, worked out a second time from the acknowledged events
 *   weather  what goes wrong, and what contact centres and people do
 *   checks   what must never be seen, and what must be seen in the end
 *   order    of them: nothing is taken away before its replacement stands
 *   parts    of them: a $batch, taken apart
 *   pace     what fails is not hammered
 *   rush     under more changes than the budget carries nobody starves, and nobody fades */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include "base/clock.h"
#include "base/err.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/must.h"
#include "service/service.h"
#include "stand_in/tenant/tenant.h"
#include "world/world.h"

/* Monday, 2026-01-05T00:00Z */
#define SIM_START INT64_C(1767571200000)

enum { SIM_TENANTS = 2, SIM_ACCOUNTS = 3, SIM_UCCS = 2, SIM_NAMES = 42 };

/* What may go wrong in a run; drawn from the seed. */
enum trouble {
  TROUBLE_NETWORK = 1 << 0,   /* requests and replies lost, minutes late, in another order */
  TROUBLE_OUTAGE = 1 << 1,    /* nothing gets through for up to hours */
  TROUBLE_THROTTLE = 1 << 2,  /* 429 in all forms of Retry-After, for seconds up to an hour */
  TROUBLE_LONG = 1 << 3,      /* a Retry-After of 24 hours */
  TROUBLE_SERVER = 1 << 4,    /* 500, 502, 503, 504, rubbish */
  TROUBLE_TOKEN = 1 << 5,     /* 401, and the token endpoint in trouble */
  TROUBLE_BATCH = 1 << 6,     /* a whole $batch fails */
  TROUBLE_REFUSAL = 1 << 7,   /* 400, 403, 404 for no good reason */
  TROUBLE_CLOCK = 1 << 8,     /* steps of the wall clock */
  TROUBLE_CRASH = 1 << 9,     /* kill -9 between any two instructions that matter, also within a commit */
  TROUBLE_DISK = 1 << 10,     /* the disk is full */
  TROUBLE_IDENTITY = 1 << 11, /* users renamed, reassigned, deleted, unlicensed */
  TROUBLE_CHOICE = 1 << 12,   /* people choose a presence of their own */
  TROUBLE_CLIENT = 1 << 13,   /* Teams clients come and go */
  TROUBLE_RELOAD = 1 << 14,   /* the rules change */
  TROUBLE_OVERRIDE = 1 << 15, /* somebody at the keyboard */
  TROUBLE_RESUME = 1 << 16,   /* after a longer downtime, UCCs count again when they speak */
};
enum { TROUBLES = 17 };

struct sim;

struct stand_seen {
  enum decision_kind kind;
  enum presence session, preferred;
  int64_t from_ms, hold_ms;
  struct decision_after after;
  char message[64];
};

/* What one UCC has said of one name. */
struct voice {
  bool spoken, silent;
  char state[16], reason[16];
  int64_t at_ms, since_ms, pending_ms;
  struct stand_seen stand, pending;
};

struct expectation {
  enum presence session, preferred; /* PRESENCE_NONE: nothing of ours */
  char message[64];
  bool tie; /* two contributions of the same rank and moment: either will do */
};

struct oracle {
  struct voice voices[SIM_NAMES][SIM_UCCS];
  struct voice overrides[SIM_NAMES];
  int64_t passed_ms[SIM_NAMES]; /* steady; when a delay or an override was last over: before it, something else stood */
  bool anchors;                 /* the rules say hold = "anchor" */
};

/* What a check has to remember of a person of a tenant, by object id. */
struct watched {
  char id[PERSON_ID_SIZE];
  enum presence ours;         /* the preferred presence that we set last */
  int64_t sent_ms;            /* when it went out; true time, as all of these */
  int64_t set_ms, ends_ms;    /* when it was done; until when it was meant to last as it went out */
  int64_t said_ms;            /* when something new was said of them; true time */
  bool confirmed;             /* and the answer came back */
  bool confirmed_saved;       /* ... and was written down */
  bool chosen;                /* the person has chosen something since */
  bool taken_back;            /* ... or has taken ours away */
  int64_t chosen_ms, read_ms; /* true time */
  bool read_as_theirs;        /* the last read showed another presence than ours */
  int reads_missed;           /* sent since the last that was answered */
  int64_t asked_ms;           /* when the last one was */
  unsigned tried;             /* presences that may be ours, for all the daemon can know, as 1 << availability */
  unsigned tried_saved;       /* likewise, for a daemon that starts from what its last turn has saved */
  int64_t cleared_ms;
  int refused_after;                 /* 401, after so many accepts and one; 0: not; less: others were taken with it */
  int64_t retry_ms, retry_offset_ms; /* steady: no action before it, unless the clock is set otherwise */
};

/* What a check has to remember of failures; steady time. */
struct pace {
  int64_t token_ms;  /* no token is asked for before it */
  int tokens;        /* that the daemon got */
  bool asking;       /* for another one */
  int refused_token; /* the last of them that Graph did not take */
  int refusals;      /* tokens in a row */
  int accepts;       /* answers to tokens that it did take */
  int64_t closed_ms; /* nothing is sent before it */
};

struct sim_tenant {
  struct sim *sim;
  struct tenant tenant;
  int token_requests;      /* under way */
  int64_t gate_ms;         /* steady: nothing may be sent before it */
  int64_t gate_unsaved_ms; /* likewise, but the turn that would write it down is not over */
  struct pace pace;
  struct watched watched[128];
  size_t watched_count;
  /* network weather */
  bool down;                         /* nothing gets through */
  double loses_request, loses_reply; /* probability */
  int64_t latency_ms;                /* at most, each way */
};

/* A defect that a check must find: a check that cannot fail is none. */
enum plant {
  PLANT_NOTHING,
  PLANT_LOST_EVENT,  /* the daemon never hears of an event that was acknowledged */
  PLANT_RETRY_AFTER, /* ... nor of a Retry-After */
  PLANT_BUDGET,      /* Graph grants less than what is configured */
  PLANT_CHOICE,      /* preferred presences are cleared without a look */
  PLANT_OLD_RULES,   /* the daemon does not hear of new rules */
  PLANT_FADE,        /* Graph keeps sessions only half as long as it says */
  PLANT_LATE,        /* a turn's requests go out before its commit */
  PLANT_STARVED,     /* in the rush hour nothing of the first person arrives */
  PLANT_LEASE,       /* sessions are set for longer than the lease */
};
enum { PLANTS = PLANT_LEASE + 1 };

struct sim_options {
  bool trace;
  bool quiet;
  enum plant plant;
};

struct sim {
  uint64_t number;    /* the seed's */
  struct world world; /* with the daemon, which is down while there is no service */
  struct sim_options options;
  unsigned troubles;
  /* outcome */
  uint64_t hash; /* of everything that was said */
  bool failed;
  char why[1024];
  size_t requests, events, crashes, restarts, reloads;
  /* the daemon */
  int64_t leases_ms[SIM_ACCOUNTS]; /* that are meant */
  uint32_t generation;
  struct json *tenant_json;
  struct happening restart;
  int64_t ran_ms; /* wall: the last turn that was saved */
  bool ended;     /* and it was the last in good order */
  int turns_since_reload;
  bool in_turn, turn_sent; /* ... and it has sent a request to Graph */
  uint64_t turn_writes;    /* those of the disk, when that request went out */
  /* those around it */
  struct sim_tenant tenants[SIM_TENANTS];
  bool calm;   /* nothing goes wrong any more */
  bool rushes; /* and everybody looks: see rush.c */
  struct oracle oracle, before_reload;
  struct undo {
    struct voice *voice, was;
  } * undo; /* of what is not acknowledged yet */
  size_t undo_count, undo_room;
  bool identities_moved; /* names are not who they were: the oracle is of no use before the last round */
};

/* ---- life */

int64_t sim_steady(const struct sim *sim);
int64_t sim_true_now(const struct sim *sim); /* as Graph's clock says */
int64_t sim_wall_now(const struct sim *sim); /* as the host's clock says */
uint32_t sim_roll(struct sim *sim, uint32_t below);
bool sim_chance(struct sim *sim, double probability);
struct sim_tenant *sim_tenant_of(struct sim *sim, size_t name);
/* Adds a line to the trace, and to the hash. */
void sim_say(struct sim *sim, const char *format, ...) PRINTF_LIKE(2, 3);
/* The first violation counts; the run ends. */
void sim_fail(struct sim *sim, const char *format, ...) PRINTF_LIKE(2, 3);
void sim_at(struct sim *sim, struct happening *happening, int64_t steady_ms);

/* One whole run. True: no violation. */
bool sim_run(struct sim *sim, uint64_t number, const struct sim_options *options);
void life_start(struct sim *sim);
/* kill -9; what its last turn has not committed is gone. It starts again after a while. */
void life_crash(struct sim *sim, const char *how);
void life_end(struct sim *sim); /* in good order, and then as after a crash */
void life_reload(struct sim *sim);
/* Runs until that moment; every turn of the daemon in between. */
void life_pass(struct sim *sim, int64_t ms);
/* Runs until everybody shows what they should, for all the daemon knows; false: not within that time. */
bool life_rest(struct sim *sim, int64_t within_ms);

/* ---- network */

/* Decides from now on what becomes of every exchange. */
void sim_network_begin(struct sim *sim);
/* The client is gone. What was sent may still arrive, before it is started again. */
void sim_network_cut(struct sim *sim);

/* ---- oracle */

const char *sim_name(size_t index); /* "u07@b.example" */
int sim_account_of(size_t index);
extern const char *const sim_uccs[SIM_UCCS];
/* An event that the daemon took; undone if its turn does not come about. */
void oracle_event(struct sim *sim, size_t name, size_t ucc, const struct event *event);
void oracle_hear(struct sim *sim, size_t ucc); /* it has sent something, if only what was known */
void oracle_override(struct sim *sim, size_t name, enum presence session, int64_t hold_ms);
void oracle_release(struct sim *sim, size_t name);
/* The daemon starts, and last said that it runs at alive_ms (wall; 0: never). */
void oracle_resume(struct sim *sim, int64_t alive_ms);
/* Delays and overrides that are over by now: a clock that is set back does not undo that. */
void oracle_pass(struct sim *sim);
void oracle_saved(struct sim *sim);
void oracle_undo(struct sim *sim);
void oracle_decide_again(struct sim *sim);
struct expectation oracle_expects(const struct oracle *oracle, size_t name, int64_t wall_ms);

/* ---- weather */

void weather_begin(struct sim *sim);
void weather_end(struct sim *sim);
/* One event of a UCC. */
void weather_event(struct sim *sim, size_t name, size_t ucc, const char *state, const char *reason);
void weather_any_event(struct sim *sim, size_t name, size_t ucc);

/* ---- parts */

/* A request, or a part of a $batch, with what was answered; the texts live in the struct values that they came from. */
struct part {
  const char *url;
  const struct value *body;
  int status; /* 0: left out */
  const struct value *answer;
};
enum { PARTS_MAX = 20 };

/* How many. A $batch that fails as a whole fails for each. */
size_t parts_of(
    struct sim *sim, const char *path, const char *body, const struct visit *visit, struct values *values,
    struct part parts[PARTS_MAX]);

/* ---- checks */

void check_sent(struct sim *sim, struct sim_tenant *tenant, bool is_token, const char *path, const char *body);
void check_visit(void *context, const struct visit *visit); /* context: struct sim_tenant */
/* The answer to that request is with the daemon. */
void check_reply(
    struct sim *sim, struct sim_tenant *tenant, const struct visit *visit, bool is_token, const char *path,
    const char *body, const struct part *parts, size_t count);
/* The daemon's turn is over, well or not. */
void check_turn(struct sim *sim);
/* What the daemon has learned is saved; or it is not, and the daemon has died. */
void check_saved(struct sim *sim);
void check_crash(struct sim *sim);
/* What was confirmed may be sent again: new rules, a resync. Not after a crash: that is what the state file is for. */
void check_unconfirm(struct sim *sim);
/* Something new is said of that name: what was confirmed may be sent again. */
void check_said(struct sim *sim, size_t name);
void check_choice(struct sim *sim, struct sim_tenant *tenant, const struct person *person);
void check_end(struct sim *sim);
/* Is that their session of ours? None: what ends by then counts as none. */
bool check_session(const struct person *person, enum presence presence, int64_t soon_ms);

/* ---- order */

/* One action of that person is sent; message: of setStatusMessage. */
void check_order(
    struct sim *sim, size_t name, const struct person *person, const struct watched *watched, const char *action,
    const char *message);

/* ---- rush */

/* Once all is calm and done. */
void rush_hour(struct sim *sim);

/* ---- pace */

void pace_sent(struct sim *sim, const struct sim_tenant *tenant);
void pace_token_sent(struct sim *sim, struct sim_tenant *tenant);
void pace_action_sent(struct sim *sim, const struct watched *watched, const char *action);
/* token: how many the daemon had got when that request went out. */
void pace_reply(
    struct sim *sim, struct sim_tenant *tenant, const struct visit *visit, bool is_token, int token, const char *path,
    const struct part *parts, size_t count);
/* The daemon starts anew. */
void pace_forget(struct sim_tenant *tenant);

#endif
