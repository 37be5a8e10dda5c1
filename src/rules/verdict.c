/* What a test has brought about against what it expected, and both in words. The decision of a test with one event and
 * the end of one with steps become the same struct verdict, so that they are compared and worded by the same code.
 *
 * Options that a test does not name are not compared, but planes always are: a test that expects teams.busy fails when
 * something is set on the other plane besides, which colleagues would see. */
#include "base/clock.h"
#include "base/str.h"
#include "rules/trial.h"

#include <string.h>

/* ---- Expected and got ---- */

struct verdict verdict_of_decision(const struct decision *decision)
{
  return (struct verdict){
      .kind = decision->kind,
      .session = decision->session,
      .preferred = decision->preferred,
      .hold_ms = decision->hold_ms,
      .delay_ms = decision->delay_ms,
      .after = decision->after,
      .message = decision->message,
      .rule = decision->rule,
      .place = decision->place,
  };
}

/* The stand that says `never`, for its rule. */
static const struct stand *never_of(const struct trial *trial)
{
  for (size_t i = 0; i < trial->seat_count; i++)
    if (trial->seats[i].contribution->stand.answer->kind == DECISION_NEVER)
      return &trial->seats[i].contribution->stand;
  return NULL;
}

struct verdict verdict_of_steps(const struct trial *trial, const struct desired *desired)
{
  struct verdict verdict = {.kind = DECISION_CLEAR, .message = "", .rule = "", .place = ""};
  const struct stand *stand = desired->never ? never_of(trial) : NULL;
  if (desired->winner != NULL) {
    stand = &desired->winner->stand;
    verdict.kind = DECISION_SHOW;
    /* As the author's rule said it: the carrier session and the anchor are how the daemon holds a presence. */
    verdict.session = desired->anchored ? SESSION_AVAILABLE : desired->carrier ? PRESENCE_NONE : desired->session;
    verdict.preferred = desired->anchored ? PRESENCE_NONE : desired->preferred;
    verdict.message = desired->message;
    /* Behind its hold it is `afterwards` that stands, with a hold of its own. */
    verdict.hold_ms = trial->now < stand_until(stand) ? stand->answer->hold_ms : stand->answer->after.hold_ms;
  } else if (desired->never) {
    verdict.kind = DECISION_NEVER;
  }
  if (stand != NULL) {
    verdict.rule = answer_rule(stand->answer);
    verdict.place = answer_place(stand->answer);
  }
  return verdict;
}

static enum decision_kind read_kind(const char *text)
{
  static const enum decision_kind kinds[] = {DECISION_SHOW, DECISION_CLEAR, DECISION_KEEP, DECISION_NEVER};
  for (size_t i = 0; i < COUNT_OF(kinds); i++)
    if (strcmp(decision_kind_str(kinds[i]), text) == 0)
      return kinds[i];
  must(!"lua/tests.lua knows only these kinds");
  return DECISION_CLEAR;
}

static enum presence read_presence(const struct value *from, const char *key)
{
  enum presence presence = PRESENCE_NONE;
  const char *text = value_get_text(from, key, NULL);
  if (text != NULL)
    must(presence_parse(text, &presence));
  return presence;
}

/* What stands between the {placeholders} must follow each other; a message without any must be the same. The first
 * place that fits is always good enough, since the last piece alone is tied to the end. */
static bool message_matches(const char *expected, const char *got)
{
  bool first = true;
  while (*expected != '\0') {
    size_t plain = strcspn(expected, "{");
    const char *close = strchr(expected + plain, '}');
    if (expected[plain] == '\0' || close == NULL) { /* the rest: at the end, or all of it */
      size_t length = strlen(expected), has = strlen(got);
      return has >= length && (!first || has == length) && strcmp(got + has - length, expected) == 0;
    }
    const char *found = NULL;
    for (const char *at = got; found == NULL && strlen(at) >= plain; at++) {
      if (strncmp(at, expected, plain) == 0)
        found = at;
      else if (first)
        return false;
    }
    if (found == NULL)
      return false;
    got = found + plain;
    expected = close + 1;
    first = false;
  }
  return !first || *got == '\0';
}

bool verdict_matches(const struct verdict *got, const struct value *expected)
{
  const char *message = value_get_text(expected, "message", NULL);
  const struct value *afterwards = value_get(expected, "afterwards");
  return read_kind(value_get_text(expected, "kind", "")) == got->kind &&
         read_presence(expected, "session") == got->session && read_presence(expected, "preferred") == got->preferred &&
         (int64_t)value_get_number(expected, "expires_ms", (double)got->hold_ms) == got->hold_ms &&
         (int64_t)value_get_number(expected, "delay_ms", (double)got->delay_ms) == got->delay_ms &&
         (message == NULL || message_matches(message, got->message)) &&
         (afterwards == NULL || (read_presence(afterwards, "session") == got->after.session &&
                                 read_presence(afterwards, "preferred") == got->after.preferred));
}

/* ---- In words ---- */

/* As rules write it: teams.busy where there is such a name. */
static void say_presence(struct buf *text, enum presence presence)
{
  const char *name = presence_str(presence);
  char teams[64];
  enum presence same;
  snprintf(teams, sizeof teams, "teams%s", strchr(name, '.'));
  buf_add_str(text, presence_parse(teams, &same) && same == presence ? teams : name);
}

static void say_option(struct buf *text, bool *first, const char *name, const char *value)
{
  buf_addf(text, "%s%s = \"%s\"", *first ? " { " : ", ", name, value);
  *first = false;
}

static void say_duration(struct buf *text, bool *first, const char *name, int64_t ms)
{
  char duration[CLOCK_TEXT_SIZE];
  say_option(text, first, name, clock_rule_duration(ms, duration));
}

static void say_planes(struct buf *text, enum presence session, enum presence preferred)
{
  if (session != PRESENCE_NONE && preferred != PRESENCE_NONE)
    buf_addf(text, "{ %s, %s }", presence_str(session), presence_str(preferred));
  else if (session != PRESENCE_NONE || preferred != PRESENCE_NONE)
    say_presence(text, session != PRESENCE_NONE ? session : preferred);
  else
    buf_add_str(text, "clear");
}

/* Only the options that `expected` names, so that both sides read alike. */
void verdict_say(const struct verdict *verdict, const struct value *expected, struct buf *text)
{
  bool first = true;
  if (verdict->kind == DECISION_SHOW)
    say_planes(text, verdict->session, verdict->preferred);
  else
    buf_add_str(text, decision_kind_str(verdict->kind));
  if (verdict->hold_ms > 0 && value_get(expected, "expires_ms") != NULL)
    say_duration(text, &first, "expires", verdict->hold_ms);
  if (value_get(expected, "delay_ms") != NULL)
    say_duration(text, &first, "delay", verdict->delay_ms);
  if (verdict->kind == DECISION_SHOW && value_get(expected, "message") != NULL)
    say_option(text, &first, "message", verdict->message);
  if (verdict->kind == DECISION_SHOW && value_get(expected, "afterwards") != NULL) {
    buf_addf(text, "%safterwards = ", first ? " { " : ", ");
    say_planes(text, verdict->after.session, verdict->after.preferred);
    first = false;
  }
  if (!first)
    buf_add_str(text, " }");
}

void verdict_say_expected(const struct value *expected, struct buf *text)
{
  const struct value *afterwards = value_get(expected, "afterwards");
  struct verdict verdict = {
      .kind = read_kind(value_get_text(expected, "kind", "")),
      .session = read_presence(expected, "session"),
      .preferred = read_presence(expected, "preferred"),
      .hold_ms = (int64_t)value_get_number(expected, "expires_ms", 0),
      .delay_ms = (int64_t)value_get_number(expected, "delay_ms", 0),
      .after = {.session = read_presence(afterwards, "session"), .preferred = read_presence(afterwards, "preferred")},
      .message = value_get_text(expected, "message", ""),
  };
  verdict_say(&verdict, expected, text);
}
