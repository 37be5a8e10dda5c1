/* Graph's paths, taken apart as OData does it (FACTS.md, "Finding the user"): percent-encoding decoded once, quoted
 * keys with doubled apostrophes. */
#ifndef STAND_IN_TENANT_PATHS_H
#define STAND_IN_TENANT_PATHS_H

#include <stdbool.h>

enum { PATHS_NAME_SIZE = 400 };

enum path_target {
  PATH_UNKNOWN,
  PATH_BAD, /* `problem` says why */
  PATH_USER,
  PATH_USER_PRESENCE, /* also /communications/presences/{id} */
  PATH_USER_ACTION,
  PATH_PRESENCES, /* /communications/getPresencesByUserId */
  PATH_BATCH,     /* /$batch */
};

struct path {
  enum path_target target;
  char user[PATHS_NAME_SIZE]; /* decoded */
  char action[64];            /* of PATH_USER_ACTION */
  const char *problem;
};

struct path path_parse(const char *text);

#endif
