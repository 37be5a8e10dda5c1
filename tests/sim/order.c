/* Sets before clears, and the clears in the reverse order: nothing is taken away before its replacement stands. What
 * stands is asked of the tenant itself. */
#include "sim.h"

#include <string.h>

/* In their order. */
enum step { SET_SESSION, SET_PREFERRED, SET_MESSAGE, CLEAR_MESSAGE, CLEAR_PREFERRED, CLEAR_SESSION, STEPS };

static enum step step_of(const char *action, const char *message)
{
  static const char *const names[STEPS] = {"setPresence",      "setUserPreferredPresence",   "setStatusMessage",
                                           "setStatusMessage", "clearUserPreferredPresence", "clearPresence"};
  int step = SET_SESSION;
  while (step < STEPS && strcmp(names[step], action) != 0)
    step++;
  return step == SET_MESSAGE && *message == '\0' ? CLEAR_MESSAGE : (enum step)step;
}

/* What has just ended by itself may still stand, for all the daemon can know. */
static bool ended(const struct sim *sim, int64_t ends_ms)
{
  int64_t now = sim_true_now(sim);
  return ends_ms <= now && now < ends_ms + 2 * sim->world.config.request_timeout_ms;
}

static bool session_stands(const struct sim *sim, const struct person *person, enum presence presence)
{
  return (person->has_app || ended(sim, person->app.expires_ms)) &&
         person->app.availability == presence_availability(presence) &&
         strcmp(person->app.activity, presence_activity_str(presence)) == 0;
}

/* Has nobody but us touched the preferred presence since we set it? */
static bool is_ours(const struct watched *watched)
{
  return watched->ours != PRESENCE_NONE && !watched->chosen && !watched->taken_back && !watched->read_as_theirs;
}

/* Is that step not needed, or done? */
static bool is_done(
    struct sim *sim, const struct person *person, const struct watched *watched, enum step step,
    const struct expectation *expected)
{
  int64_t soon_ms = sim_true_now(sim) + sim->world.config.request_timeout_ms;
  int64_t wall_soon_ms = soon_ms + (sim->world.clock.offset_ms > 0 ? sim->world.clock.offset_ms : 0);
  const char *message = person->message == NULL ? "" : person->message;
  switch (step) {
  case SET_SESSION:
    return expected->session == PRESENCE_NONE || session_stands(sim, person, expected->session);
  case SET_PREFERRED:
    return expected->preferred == PRESENCE_NONE || expected->preferred == watched->ours || watched->chosen ||
           watched->taken_back;
  case SET_MESSAGE:
    /* A message ends at a date: one that a slow clock has given may be over when it arrives. */
    return *expected->message == '\0' || strcmp(message, expected->message) == 0 ||
           (sim->troubles & TROUBLE_CLOCK) != 0;
  case CLEAR_MESSAGE:
    return *expected->message != '\0' || *message == '\0' || person->message_ends_ms <= wall_soon_ms;
  case CLEAR_PREFERRED:
    return expected->preferred != PRESENCE_NONE || !is_ours(watched) || watched->ends_ms <= soon_ms;
  case CLEAR_SESSION:
  case STEPS:
    break;
  }
  return true;
}

void check_order(
    struct sim *sim, size_t name, const struct person *person, const struct watched *watched, const char *action,
    const char *message)
{
  static const char *const words[] = {
      "the session stands", "the preferred presence stands", "the message stands", "the message is taken away",
      "the preferred presence is taken away"};
  struct expectation expected = oracle_expects(&sim->oracle, name, sim_wall_now(sim));
  enum step step = step_of(action, message);
  if (expected.tie || sim->turns_since_reload < 2 || step == STEPS)
    return;
  for (int before = SET_SESSION; before < (int)step; before++)
    if (!is_done(sim, person, watched, (enum step)before, &expected))
      sim_fail(sim, "%s: %s \"%s\" is sent before %s", sim_name(name), action, message, words[before]);
}
