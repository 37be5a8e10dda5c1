/* What colleagues see: Teams' aggregation of sessions and the preferred presence (FACTS.md, "Sessions and what
 * colleagues see"). graphsim answers with it, `eval` predicts with it.
 *
 * A preferred presence beats every session, while there is one. Among sessions DoNotDisturb > Busy > Available > Away.
 * An Available session that an application set fades: after 5 minutes Available/AvailableInactive, after 5 more
 * Away/Away, whatever its expirationDuration; a Teams client's session does not (the client keeps it up). A session
 * past its expiration is Offline. With no session at all the person is Offline/Offline. */
#ifndef MODEL_EFFECTIVE_H
#define MODEL_EFFECTIVE_H

#include "model/presence.h"

struct effective_session {
  enum availability availability;
  char activity[32];
  int64_t set_ms;
  int64_t expires_ms; /* CLOCK_NEVER for a Teams client */
  bool client;        /* a Teams client's own session: no fade */
};

struct effective_preferred {
  enum presence presence; /* PRESENCE_NONE when nothing is chosen */
  int64_t expires_ms;
};

struct effective {
  enum availability availability;
  char activity[32]; /* "InACall", "AvailableInactive", "OffWork" */
};

struct effective effective_at(
    const struct effective_session *sessions, size_t count, const struct effective_preferred *preferred, int64_t now);

#endif
