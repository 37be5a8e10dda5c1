/* The command line of graphsim. */
#ifndef GRAPHSIM_OPTIONS_H
#define GRAPHSIM_OPTIONS_H

#include "base/err.h"
#include "graphsim/faults.h"

struct options {
  const char *dir;    /* borrowed from argv */
  int port, sim_port; /* 0: a free one */
  int users;
  uint64_t seed;
  int64_t token_life_s, refresh_in_s; /* refresh_in_s 0: not in the answer */
  int requests_per_30s;
  int64_t latency_ms; /* before every answer of Graph */
  bool presence_role, user_role;
  struct faults faults;
};

/* ERR_CONFIG for a wrong command line. */
bool options_parse(int argc, char **argv, struct options *ret_options, bool *ret_help, struct err *err) MUST_CHECK;
void options_help(void); /* to standard output */

#endif
