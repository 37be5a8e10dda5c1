/* What `status` tells, as metrics in Prometheus' text format (version 0.0.4): names begin with "presenced_", base
 * units, counters end in "_total". Counters begin at 0 with the process. */
#ifndef CLI_METRICS_H
#define CLI_METRICS_H

#include "base/buf.h"
#include "base/value.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* status: as service_status() makes it, with "rules" and "scripts" added. */
void metrics_write(const struct value *status, struct buf *to);

#endif
