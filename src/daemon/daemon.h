/* presenced as a daemon: an engine over its state file, fed by a source, asked over the control socket, until it is
 * told to end. */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include "daemon/lines.h"
#include "host/site.h"

struct daemon_options {
  struct site_place place;
  const struct lines_options *events; /* NULL: there is no source */
  bool until_idle;                    /* ends when all is read and Graph has confirmed all */
};

/* Returns the exit code when it has ended. */
int daemon_run(const struct daemon_options *options) MUST_CHECK;

#endif
