/* The one world of the tests: a daemon's engine with its state file, rules and configuration, and around it a clock, a
 * network and randomness that belong to the test. Unit tests, the simulation and the benchmarks all stand in it.
 *
 *   clock    time that a test moves, and the queue of what happens next
 *   network  what the daemon has sent, and how it is answered: by a test, or by a tenant after a while
 *   graph    replies of Graph and Entra
 *   ports    struct ports and struct service_setup, filled here and nowhere else
 *   site     what a host has: folder, configuration, rules, state file, engine; start, turn, stop
 *   disk     SQLite's way to a disk in memory, whose writes can be made to fail
 *
 * A test calls world_init(), world_account() and world_take_rules(), changes what it cares for, and world_start(). Then
 * it gives events to world->service, moves the clock, answers what was sent, and takes turns. */
#ifndef TESTS_WORLD_WORLD_H
#define TESTS_WORLD_WORLD_H

#include "base/must.h"
#include "config/config.h"
#include "rules/rules.h"
#include "service/service.h"
#include "stand_in/tenant/tenant.h"
#include "store/store.h"
#include "world/clock.h"
#include "world/graph.h"
#include "world/network.h"

/* Monday, 2026-01-05T12:00Z */
#define WORLD_NOON (INT64_C(1767614400000))

enum { WORLD_ACCOUNTS = 3, WORLD_FOLDER_SIZE = 64, WORLD_PATH_SIZE = 96 };

struct world {
  struct world_clock clock;
  struct network network;
  struct seed seed; /* of all that is random */
  struct json *json;
  /* What the host has. */
  char folder[WORLD_FOLDER_SIZE], state[WORLD_PATH_SIZE], rules[WORLD_PATH_SIZE];
  struct config config;            /* with `accounts`; what nothing is said of is zero */
  const struct config *configured; /* &config, unless a test has put another one in its place */
  struct config_account accounts[WORLD_ACCOUNTS];
  char *domains[WORLD_ACCOUNTS][2]; /* of the accounts; the second is a test's */
  struct credential credentials[WORLD_ACCOUNTS];
  struct ruleset *rulesets[WORLD_ACCOUNTS]; /* several may be the same */
  /* The daemon; NULL while it is down. */
  struct store *store;
  struct service *service;
  /* What came of the last turn's commit: neither while it is under way. */
  bool saved;
  struct err failure;
  /* A commit that takes its time: it is done at once, but told only by world_tell_saved(). */
  bool holds_commits;
  store_on_commit *held_done; /* NULL: none is under way */
  void *held_context;
};

/* ---- site */

/* An empty folder, named after `name`; no account, no rules; it is start_ms, and the first seed is `seed`. */
void world_init(struct world *world, const char *name, int64_t start_ms, uint64_t seed);
void world_release(struct world *world); /* stops, and leaves nothing behind */

/* One account more, with the usual ids, limits and secret, serving the domain that is its id; to be changed at will. */
struct config_account *world_account(struct world *world, const char *id);
/* ... which the tenant has registered, and will answer for. Both are borrowed. */
struct config_account *world_account_of(struct world *world, const char *id, struct tenant *tenant);
/* That tenant: its address, client, secret and ids follow from the number. What is in the setup stays. */
void world_tenant_setup(struct tenant_setup *setup, uint64_t number, const char *address);

/* Loads a ruleset for each account of `config`, and drops what there was. A running daemon is to be told. */
bool world_load_rules(struct world *world, const char *path, uint32_t generation, struct err *err) MUST_CHECK;
/* Likewise, from a text that is written into the host's file. */
bool world_take_rules(struct world *world, const char *text, uint32_t generation, struct err *err) MUST_CHECK;

/* The daemon's start, in one, or in two steps with a look at the state file between. False: it cannot be opened. */
bool world_start(struct world *world, struct err *err) MUST_CHECK;
bool world_open_store(struct world *world, struct err *err) MUST_CHECK;
void world_start_service(struct world *world);
/* Its end, as by a kill. What it has sent is still on its way. */
void world_stop(struct world *world);
/* One turn of the daemon's loop: what there is of new is saved, and what is due is sent. False: the state file has
 * failed. True as well while a commit is held. */
bool world_turn(struct world *world, struct err *err) MUST_CHECK;
/* Tells the daemon that its commit is done, where world->holds_commits. */
void world_tell_saved(struct world *world);
/* What is left to save at an end in good order; world_stop() follows. */
bool world_end(struct world *world, struct err *err) MUST_CHECK;
/* The running daemon takes world->configured in place of `before`. */
void world_configure(struct world *world, const struct config *before, uint32_t generation);

/* ---- ports */

/* What a daemon of this world is made of. */
struct service_setup world_setup(struct world *world);

#endif
