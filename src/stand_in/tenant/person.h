/* One person in the directory, with the sessions, the preferred presence and the status message that Teams knows of
 * them (FACTS.md, "Presence actions"). What colleagues see is computed by model/effective. */
#ifndef STAND_IN_TENANT_PERSON_H
#define STAND_IN_TENANT_PERSON_H

#include "base/list.h"
#include "model/effective.h"

enum { PERSON_UPN_SIZE = 321, PERSON_ID_SIZE = 37 };

struct person {
  struct list_node node;                   /* of directory->people */
  struct person *next_by_upn, *next_by_id; /* of the directory's indexes */
  char *upn;                               /* shorter than PERSON_UPN_SIZE */
  char id[PERSON_ID_SIZE];                 /* lower case */
  bool disabled;                           /* may not sign in any more */
  bool unlicensed;                         /* the directory knows them, Teams does not */
  bool has_app, has_client;
  struct effective_session app;    /* the session of the one application we know */
  struct effective_session client; /* a simulated Teams client */
  struct effective_preferred preferred;
  char *message;           /* NULL for none */
  int64_t message_ends_ms; /* CLOCK_NEVER: without end */
  int in_flight;           /* presence requests received, not yet answered */
};

/* Drops what is past its end; to be called before looking. */
void person_expire(struct person *person, int64_t now);
struct effective person_shown(const struct person *person, int64_t now);

void person_set_app(struct person *person, enum presence presence, int64_t now, int64_t duration_ms);
/* A client's session may hold any availability and activity that Teams knows, not only those an application may set. */
void person_set_client(struct person *person, enum availability availability, const char *activity, int64_t now);
/* duration_ms -1: Graph's default for the presence (FACTS.md, "Preferred presence"). PRESENCE_NONE clears. */
void person_set_preferred(struct person *person, enum presence presence, int64_t now, int64_t duration_ms);
void person_set_message(struct person *person, const char *text, int64_t ends_ms); /* "" clears */

#endif
