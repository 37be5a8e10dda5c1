/* Events as lines: live ones on a descriptor, or a recording played from a file. Reads in small pieces, so that the
 * loop never waits on a large file, and hands over what intake made of each line. */
#ifndef DAEMON_LINES_H
#define DAEMON_LINES_H

#include "adapters/loop.h"
#include "daemon/source.h"

struct json;

struct lines_options {
  const char *path; /* "-": standard input, live */
  double speed;     /* of a recording; 0: as fast as it is taken */
  bool shift;       /* of a recording: all times by one amount, so that the latest is now */
};

/* A recording is read through once before it is played, to find its latest time. Errors are ERR_CONFIG. */
struct source *lines_source_open(
    struct loop *loop, struct json *json, const struct lines_options *options, const struct source_sink *sink,
    struct err *err) MUST_CHECK;

#endif
