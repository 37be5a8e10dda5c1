/* The command line of graphsim. */
#ifndef STAND_IN_GRAPHSIM_OPTIONS_H
#define STAND_IN_GRAPHSIM_OPTIONS_H

#include "base/err.h"
#include "stand_in/tenant/tenant.h"

struct options {
  const char *dir, *scenario; /* borrowed from argv; scenario NULL: none */
  int port, sim_port;         /* 0: a free one */
  int users;
  uint64_t seed;
  struct tenant_setup tenant; /* the parts that the command line tells */
  struct faults faults;
};

/* ERR_CONFIG for a wrong command line. */
bool options_parse(int argc, char **argv, struct options *ret_options, bool *ret_help, struct err *err) MUST_CHECK;
void options_help(void); /* to standard output */

#endif
