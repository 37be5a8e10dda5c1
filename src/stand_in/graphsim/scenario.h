/* --scenario FILE.lua: a script that says what goes wrong, when, and what people do meanwhile. lua/scenario.lua is its
 * language, orders.h what its orders do; between two waits it may compute for a second.
 *
 * Errors are ERR_CONFIG, "FILE:LINE: WHAT; REMEDY", and end the scenario. */
#ifndef STAND_IN_GRAPHSIM_SCENARIO_H
#define STAND_IN_GRAPHSIM_SCENARIO_H

#include "base/err.h"

struct graphsim;
struct scenario;

enum {
  SCENARIO_SOURCE_MAX = 1024 * 1024, /* bytes of a file */
  SCENARIO_CPU_MS = 1000,            /* between two waits */
};

/* Compiles it, and carries out what stands before its first wait. The rest runs on the graphsim's loop. on_failure is
 * called at most once, with an error that lives as long as the scenario. NULL: it cannot be read, or failed already. */
struct scenario *scenario_open(
    struct graphsim *graphsim, const char *path, void (*on_failure)(struct graphsim *graphsim, const struct err *err),
    struct err *err) MUST_CHECK;
void scenario_free(struct scenario *scenario); /* NULL is fine */

#endif
