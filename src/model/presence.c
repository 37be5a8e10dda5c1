/* One row per presence, in the order of the enum: plane, Graph's two words, our name. All questions are answered from
 * it, so a new presence is one line here and one in the enum. For each name exactly one row bears `teams`, the plane on
 * which colleagues get to see it: a session Away, for one, would lose against any Teams client that is in use. Our
 * names stand in rules and in the state file, so they must not change. struct confirmed keeps presences as bits: there
 * is room for sixteen. */
#include "model/presence.h"
#include "base/must.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

static const struct {
  enum plane plane;
  enum availability availability;
  const char *activity;
  const char *name;
  bool teams; /* the plane that `teams.` chooses for this name */
} presences[PRESENCE_COUNT] = {
    /* `none` is written to the state file; presence_parse() does not take it, since it cannot be asked for. */
    [PRESENCE_NONE] = {PLANE_SESSION, AVAILABILITY_UNKNOWN, "PresenceUnknown", "none", false},
    [SESSION_AVAILABLE] = {PLANE_SESSION, AVAILABILITY_AVAILABLE, "Available", "session.available", true},
    [SESSION_IN_A_CALL] = {PLANE_SESSION, AVAILABILITY_BUSY, "InACall", "session.in_a_call", true},
    [SESSION_IN_A_CONFERENCE_CALL] =
        {PLANE_SESSION, AVAILABILITY_BUSY, "InAConferenceCall", "session.in_a_conference_call", true},
    [SESSION_AWAY] = {PLANE_SESSION, AVAILABILITY_AWAY, "Away", "session.away", false},
    [SESSION_PRESENTING] = {PLANE_SESSION, AVAILABILITY_DO_NOT_DISTURB, "Presenting", "session.presenting", true},
    [PREFERRED_AVAILABLE] = {PLANE_PREFERRED, AVAILABILITY_AVAILABLE, "Available", "preferred.available", false},
    [PREFERRED_BUSY] = {PLANE_PREFERRED, AVAILABILITY_BUSY, "Busy", "preferred.busy", true},
    [PREFERRED_DO_NOT_DISTURB] =
        {PLANE_PREFERRED, AVAILABILITY_DO_NOT_DISTURB, "DoNotDisturb", "preferred.do_not_disturb", true},
    [PREFERRED_BE_RIGHT_BACK] =
        {PLANE_PREFERRED, AVAILABILITY_BE_RIGHT_BACK, "BeRightBack", "preferred.be_right_back", true},
    [PREFERRED_AWAY] = {PLANE_PREFERRED, AVAILABILITY_AWAY, "Away", "preferred.away", true},
    [PREFERRED_OFFLINE] = {PLANE_PREFERRED, AVAILABILITY_OFFLINE, "OffWork", "preferred.offline", true},
};

static const char *const availabilities[] = {
    [AVAILABILITY_UNKNOWN] = "PresenceUnknown",     [AVAILABILITY_OFFLINE] = "Offline",
    [AVAILABILITY_AVAILABLE] = "Available",         [AVAILABILITY_AWAY] = "Away",
    [AVAILABILITY_BE_RIGHT_BACK] = "BeRightBack",   [AVAILABILITY_BUSY] = "Busy",
    [AVAILABILITY_DO_NOT_DISTURB] = "DoNotDisturb", [AVAILABILITY_OTHER] = "something else",
};

enum plane presence_plane(enum presence presence)
{
  return presences[presence].plane;
}

enum availability presence_availability(enum presence presence)
{
  return presences[presence].availability;
}

const char *presence_availability_str(enum presence presence)
{
  return availability_str(presences[presence].availability);
}

const char *presence_activity_str(enum presence presence)
{
  return presences[presence].activity;
}

const char *presence_str(enum presence presence)
{
  return presences[presence].name;
}

bool presence_parse(const char *text, enum presence *ret_presence)
{
  bool teams = str_starts(text, "teams.");
  for (int i = PRESENCE_NONE + 1; i < PRESENCE_COUNT; i++) {
    const char *name = presences[i].name;
    /* After "teams" both texts go on with the point. */
    if (teams ? presences[i].teams && strcmp(strchr(name, '.'), text + 5) == 0 : strcmp(name, text) == 0) {
      *ret_presence = (enum presence)i;
      return true;
    }
  }
  return false;
}

bool presence_parse_pair(enum plane plane, const char *availability, const char *activity, enum presence *ret_presence)
{
  for (int i = PRESENCE_NONE + 1; i < PRESENCE_COUNT; i++)
    if (presences[i].plane == plane && str_equal_fold(availability_str(presences[i].availability), availability) &&
        str_equal_fold(presences[i].activity, activity)) {
      *ret_presence = (enum presence)i;
      return true;
    }
  return false;
}

/* From the exact to the loose, so that a looser reading never takes a word from an exact one. */
bool presence_parse_words(const char *text, enum presence *ret_presence)
{
  char words[96];
  if (!str_copy(words, sizeof words, text))
    return false;
  str_trim(words);
  if (presence_parse(words, ret_presence))
    return true;
  char teams[sizeof words + 6];
  snprintf(teams, sizeof teams, "teams.%s", words);
  if (presence_parse(str_lower(teams), ret_presence))
    return true;
  char *activity = strpbrk(words, " /");
  if (activity != NULL) {
    *activity++ = '\0';
    str_trim(activity);
    /* Where both planes have the pair, the preferred one is what colleagues see, but for Available (rules/README.md,
     * "The two planes"). */
    enum plane first = str_equal_fold(words, "Available") ? PLANE_SESSION : PLANE_PREFERRED;
    enum plane second = first == PLANE_SESSION ? PLANE_PREFERRED : PLANE_SESSION;
    return presence_parse_pair(first, words, activity, ret_presence) ||
           presence_parse_pair(second, words, activity, ret_presence);
  }
  /* One word: an activity ("InACall"), or the availability of a choice in the menu, where the activity may be called
   * otherwise: "Offline" is OffWork. */
  for (int i = PRESENCE_NONE + 1; i < PRESENCE_COUNT; i++)
    if (presences[i].teams && (str_equal_fold(presences[i].activity, words) ||
                               (presences[i].plane == PLANE_PREFERRED &&
                                str_equal_fold(availability_str(presences[i].availability), words)))) {
      *ret_presence = (enum presence)i;
      return true;
    }
  return false;
}

const char *availability_str(enum availability availability)
{
  return availabilities[availability];
}

enum availability availability_parse(const char *text)
{
  if (*text == '\0')
    return AVAILABILITY_UNKNOWN;
  /* The person's machine has been idle for a while; what they show is the same. */
  if (str_equal_fold(text, "AvailableIdle"))
    return AVAILABILITY_AVAILABLE;
  if (str_equal_fold(text, "BusyIdle"))
    return AVAILABILITY_BUSY;
  for (int i = AVAILABILITY_UNKNOWN; i < AVAILABILITY_OTHER; i++)
    if (str_equal_fold(text, availabilities[i]))
      return (enum availability)i;
  /* Not unknown: it is something that the person shows, by a word that Microsoft has added, and so not ours to
   * clear. */
  return AVAILABILITY_OTHER;
}
