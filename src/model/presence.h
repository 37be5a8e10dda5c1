/* Presences: every legal pair of availability and activity on its plane, as one closed enum, so that an illegal one
 * cannot be written down (FACTS.md, "setPresence", "Preferred presence").
 *
 * The *session* plane is what this application says about a person (setPresence); Teams shows the highest of all
 * sessions (FACTS.md, "Sessions and what colleagues see"). The *preferred* plane is the choice made in the Teams menu
 * (setUserPreferredPresence): it beats every session, needs one to live, and has no owner. The `teams.` names choose
 * the plane so that colleagues see the presence. */
#ifndef MODEL_PRESENCE_H
#define MODEL_PRESENCE_H

#include "base/must.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum plane { PLANE_SESSION, PLANE_PREFERRED };

/* In the order of what wins when several are shown, lowest first: rules/README.md, "Several contact centres". */
enum PACKED availability {
  AVAILABILITY_UNKNOWN,
  AVAILABILITY_OFFLINE,
  AVAILABILITY_AVAILABLE,
  AVAILABILITY_AWAY,
  AVAILABILITY_BE_RIGHT_BACK,
  AVAILABILITY_BUSY,
  AVAILABILITY_DO_NOT_DISTURB,
  /* a word that is none of these: InAMeeting, Focusing and what may come (FACTS.md, "Reading presences") */
  AVAILABILITY_OTHER,
};

enum PACKED presence {
  PRESENCE_NONE,
  SESSION_AVAILABLE,
  SESSION_IN_A_CALL,
  SESSION_IN_A_CONFERENCE_CALL,
  SESSION_AWAY,
  SESSION_PRESENTING,
  PREFERRED_AVAILABLE,
  PREFERRED_BUSY,
  PREFERRED_DO_NOT_DISTURB,
  PREFERRED_BE_RIGHT_BACK,
  PREFERRED_AWAY,
  PREFERRED_OFFLINE,
  PRESENCE_COUNT,
};

/* Graph's limits for a session's expirationDuration (FACTS.md, "setPresence"), and after how long an Available session
 * fades (FACTS.md, "Timeout and expiration"). */
#define PRESENCE_SESSION_MIN_MS (5 * INT64_C(60000))
#define PRESENCE_SESSION_MAX_MS (240 * INT64_C(60000))
#define PRESENCE_FADE_MS (5 * INT64_C(60000))

enum plane presence_plane(enum presence presence);
enum availability presence_availability(enum presence presence);
/* Graph's spelling: "Busy", "InACall". It is sent exactly so (FACTS.md, "setPresence"). */
const char *presence_availability_str(enum presence presence);
const char *presence_activity_str(enum presence presence);
/* Our spelling: "session.in_a_call", "preferred.busy"; "none". */
const char *presence_str(enum presence presence);

/* "teams.busy", "session.in_a_call", "preferred.away", as rules write them. False: no such presence. */
bool presence_parse(const char *text, enum presence *ret_presence);
/* Graph's pair on a plane; the case does not matter. False: not legal there. */
bool presence_parse_pair(enum plane plane, const char *availability, const char *activity, enum presence *ret_presence);
/* What a person types: "teams.busy", "busy", "Busy" (as teams.), "Busy InACall", "Offline OffWork". */
bool presence_parse_words(const char *text, enum presence *ret_presence);

const char *availability_str(enum availability availability); /* "BeRightBack"; "PresenceUnknown"; "something else" */
/* Case does not matter (FACTS.md, "Reading presences"); "AvailableIdle" is Available, "BusyIdle" Busy, "" unknown, any
 * other word AVAILABILITY_OTHER. */
enum availability availability_parse(const char *text);

#endif
