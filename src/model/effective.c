/* Teams' rule for what colleagues see, as a function of the moment: the best of the sessions that are alive, and over
 * it the preferred presence, which needs a session of any kind to live. Each session is first seen as it has faded by
 * then, and ranked by that: an Available that has faded to Away no longer beats another Away. */
#include "model/effective.h"
#include "base/str.h"

/* Among sessions Available beats Away (FACTS.md, "Sessions and what colleagues see"); the enum's order is that of UCCs.
 */
static int session_rank(enum availability availability)
{
  switch (availability) {
  case AVAILABILITY_DO_NOT_DISTURB:
    return 5;
  case AVAILABILITY_BUSY:
    return 4;
  case AVAILABILITY_AVAILABLE:
    return 3;
  case AVAILABILITY_BE_RIGHT_BACK:
    return 2;
  case AVAILABILITY_AWAY:
    return 1;
  case AVAILABILITY_OFFLINE:
  case AVAILABILITY_UNKNOWN:
  case AVAILABILITY_OTHER:
    return 0;
  }
  return 0;
}

static struct effective seen(enum availability availability, const char *activity)
{
  struct effective effective = {.availability = availability};
  str_cut(effective.activity, sizeof effective.activity, activity);
  return effective;
}

static struct effective session_at(const struct effective_session *session, int64_t now)
{
  if (session->availability == AVAILABILITY_AVAILABLE && !session->client) {
    if (now >= session->set_ms + 2 * PRESENCE_FADE_MS)
      return seen(AVAILABILITY_AWAY, "Away");
    if (now >= session->set_ms + PRESENCE_FADE_MS)
      return seen(AVAILABILITY_AVAILABLE, "AvailableInactive");
  }
  return seen(session->availability, session->activity);
}

struct effective effective_at(
    const struct effective_session *sessions, size_t count, const struct effective_preferred *preferred, int64_t now)
{
  struct effective best = seen(AVAILABILITY_OFFLINE, "Offline");
  bool alive = false;
  for (size_t i = 0; i < count; i++) {
    if (now >= sessions[i].expires_ms)
      continue;
    /* Whatever it shows: the carrier session Away keeps a preferred presence up. */
    alive = true;
    struct effective effective = session_at(&sessions[i], now);
    if (session_rank(effective.availability) > session_rank(best.availability))
      best = effective;
  }
  if (alive && preferred->presence != PRESENCE_NONE && now < preferred->expires_ms)
    return seen(presence_availability(preferred->presence), presence_activity_str(preferred->presence));
  return best;
}
