/* A question or two to Graph about one person, for the commands that ask and end: lookup, presence, and publish and
 * clear where no daemon runs. They retry as scripts do, by the same code. */
#ifndef HOST_ONCE_H
#define HOST_ONCE_H

#include "host/site.h"
#include "script/script.h"

/* Looks the person up, does the operation, prints the answer: the exit code. operation NULL: the lookup is all; its
 * name is filled in here. verb: what was done, for the answer ("published"). */
int once_run(
    const struct site_place *place, bool as_json, const char *upn, const struct script_operation *operation,
    const char *verb) MUST_CHECK;

#endif
