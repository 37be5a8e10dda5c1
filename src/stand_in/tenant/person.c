/* What Teams knows of a person, as it changes. Nothing happens by itself: person_expire() drops what is over before a
 * look, and effective_at() reckons what colleagues see from the rest. */
#include "stand_in/tenant/person.h"
#include "base/clock.h"
#include "base/str.h"

#include <stdlib.h>

void person_expire(struct person *person, int64_t now)
{
  if (person->has_app && now >= person->app.expires_ms)
    person->has_app = false;
  if (person->preferred.presence != PRESENCE_NONE && now >= person->preferred.expires_ms)
    person->preferred.presence = PRESENCE_NONE;
  if (person->message != NULL && now >= person->message_ends_ms)
    person_set_message(person, "", CLOCK_NEVER);
}

struct effective person_shown(const struct person *person, int64_t now)
{
  /* One of the application, one of a Teams client: of an application Teams keeps one session per person. */
  struct effective_session sessions[2];
  size_t count = 0;
  if (person->has_app)
    sessions[count++] = person->app;
  if (person->has_client)
    sessions[count++] = person->client;
  return effective_at(sessions, count, &person->preferred, now);
}

void person_set_app(struct person *person, enum presence presence, int64_t now, int64_t duration_ms)
{
  person->has_app = true;
  person->app = (struct effective_session){
      .availability = presence_availability(presence), .set_ms = now, .expires_ms = now + duration_ms};
  str_cut(person->app.activity, sizeof person->app.activity, presence_activity_str(presence));
}

void person_set_client(struct person *person, enum availability availability, const char *activity, int64_t now)
{
  person->has_client = true;
  person->client = (struct effective_session){
      .availability = availability, .set_ms = now, .expires_ms = CLOCK_NEVER, .client = true};
  str_cut(person->client.activity, sizeof person->client.activity, activity);
}

void person_set_preferred(struct person *person, enum presence presence, int64_t now, int64_t duration_ms)
{
  if (duration_ms < 0) {
    bool short_lived = presence == PREFERRED_DO_NOT_DISTURB || presence == PREFERRED_BUSY;
    duration_ms = short_lived ? CLOCK_DAY : 7 * CLOCK_DAY;
  }
  person->preferred = (struct effective_preferred){presence, now + duration_ms};
}

void person_set_message(struct person *person, const char *text, int64_t ends_ms)
{
  char *message = *text == '\0' ? NULL : must_strdup(text);
  free(person->message);
  person->message = message;
  person->message_ends_ms = ends_ms;
}
