/* The control socket: HTTP on a unix socket beside the state file, for the commands that ask the running daemon. Only
 * this uid and root may use it (mode 0600 and peer credentials). */
#ifndef CLI_CONTROL_H
#define CLI_CONTROL_H

#include "adapters/loop.h"
#include "base/buf.h"
#include "cli/site.h"
#include "service/service.h"

struct control;
struct renewal;
struct policies;

/* What it asks; all borrowed. */
struct control_parts {
  struct service *service;
  struct store *store;
  struct renewal *renewal;
  struct policies *policies;
  struct json *json;
};

struct control *control_open(struct loop *loop, const char *path, const struct control_parts *parts, struct err *err)
    MUST_CHECK;
void control_close(struct control *control); /* NULL is fine */

/* The client's side: one call, the whole answer. Waits, on a loop of its own: not for the daemon. ERR_NET when no
 * daemon answers. */
bool control_ask(
    const char *path, const char *method, const char *target, const char *body, int *ret_status, struct buf *ret_body,
    struct err *err) MUST_CHECK;

/* Does anybody listen there? One that listens and does not answer, or not to us, counts: nobody goes past it. */
enum control_daemon { CONTROL_NO_DAEMON, CONTROL_DAEMON };
enum control_daemon control_find(const char *path);
/* "/v1/agents/NAME", percent-encoded. */
void control_add_agent(struct buf *target, const char *name);

#endif
