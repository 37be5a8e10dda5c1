/* The control socket: the routes as HTTP on a unix socket beside the state file, for the commands that ask the running
 * daemon. Only this uid and root may use it (mode 0600 and peer credentials), and they may do everything. */
#ifndef DAEMON_CONTROL_H
#define DAEMON_CONTROL_H

#include "adapters/loop.h"
#include "daemon/acks.h"
#include "daemon/routes.h"

struct control;

/* All borrowed. */
struct control *control_open(
    struct loop *loop, const char *path, struct routes *routes, struct acks *acks, struct err *err) MUST_CHECK;
void control_close(struct control *control); /* before `acks` goes; NULL is fine */

#endif
