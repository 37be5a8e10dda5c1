/* One question to the daemon that runs with this config.xml, over its control socket. */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include "base/buf.h"
#include "base/value.h"
#include "cli/cli.h"

enum { ASK_ANSWER_MAX = 256 * 1024 * 1024 };

/* False: there is no daemon (ERR_NET), or it refuses (ERR_INPUT, in its words). *ret_answer is in `values`; body keeps
 * the bytes it came as. */
bool ask_daemon(
    struct cli *cli, const char *method, const char *target, struct buf *body, struct values *values,
    struct value **ret_answer, struct err *err) MUST_CHECK;

#endif
