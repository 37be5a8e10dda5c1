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

/* How the state file fares. */
struct state_health {
  struct err failure; /* ERR_NONE: it is well */
  int64_t since_ms;   /* of the failure */
  uint64_t failures;  /* since the start */
};

/* What it asks; all borrowed. */
struct control_parts {
  const struct state_health *state;
  struct service *service; /* NULL, like the rest: the state file has failed, and there is nothing to ask */
  struct store *store;
  struct renewal *renewal;
  struct policies *policies;
  struct json *json;
};

struct control *control_open(struct loop *loop, const char *path, const struct control_parts *parts, struct err *err)
    MUST_CHECK;
void control_close(struct control *control); /* NULL is fine */
/* Others from now on. */
void control_set_parts(struct control *control, const struct control_parts *parts);
/* Once a turn: what was asked for is durable, and is answered; or the state file has failed, and that is the answer. */
void control_turn(struct control *control);

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
