/* model/: the legal presences of each plane, what colleagues see of them, and which UCC's decision wins. */
#include "cases.h"

#include "base/clock.h"
#include "base/str.h"
#include "model/agent.h"
#include "model/effective.h"
#include "model/outcome.h"

#include <stdio.h>
#include <string.h>

/* Graph's two tables, written down once more (FACTS.md, "setPresence", "Preferred presence"). */
static const struct {
  enum presence presence;
  enum plane plane;
  const char *availability, *activity, *name;
} legal[] = {
    {SESSION_AVAILABLE, PLANE_SESSION, "Available", "Available", "session.available"},
    {SESSION_IN_A_CALL, PLANE_SESSION, "Busy", "InACall", "session.in_a_call"},
    {SESSION_IN_A_CONFERENCE_CALL, PLANE_SESSION, "Busy", "InAConferenceCall", "session.in_a_conference_call"},
    {SESSION_AWAY, PLANE_SESSION, "Away", "Away", "session.away"},
    {SESSION_PRESENTING, PLANE_SESSION, "DoNotDisturb", "Presenting", "session.presenting"},
    {PREFERRED_AVAILABLE, PLANE_PREFERRED, "Available", "Available", "preferred.available"},
    {PREFERRED_BUSY, PLANE_PREFERRED, "Busy", "Busy", "preferred.busy"},
    {PREFERRED_DO_NOT_DISTURB, PLANE_PREFERRED, "DoNotDisturb", "DoNotDisturb", "preferred.do_not_disturb"},
    {PREFERRED_BE_RIGHT_BACK, PLANE_PREFERRED, "BeRightBack", "BeRightBack", "preferred.be_right_back"},
    {PREFERRED_AWAY, PLANE_PREFERRED, "Away", "Away", "preferred.away"},
    {PREFERRED_OFFLINE, PLANE_PREFERRED, "Offline", "OffWork", "preferred.offline"},
};

static void every_legal_presence_is_spelt_as_graph_wants_it(void **state)
{
  (void)state;
  assert_int_equal(COUNT_OF(legal), PRESENCE_COUNT - 1);
  for (size_t i = 0; i < COUNT_OF(legal); i++) {
    enum presence presence = legal[i].presence, parsed = PRESENCE_NONE;
    assert_int_equal(presence_plane(presence), legal[i].plane);
    assert_string_equal(presence_availability_str(presence), legal[i].availability);
    assert_string_equal(presence_activity_str(presence), legal[i].activity);
    assert_string_equal(presence_str(presence), legal[i].name);
    assert_true(presence_parse(legal[i].name, &parsed));
    assert_int_equal(parsed, presence);
    assert_int_equal(availability_parse(legal[i].availability), presence_availability(presence));
  }
  assert_string_equal(presence_str(PRESENCE_NONE), "none");
}

static bool is_legal(enum plane plane, const char *availability, const char *activity, enum presence *ret_presence)
{
  for (size_t i = 0; i < COUNT_OF(legal); i++)
    if (legal[i].plane == plane && str_equal_fold(legal[i].availability, availability) &&
        str_equal_fold(legal[i].activity, activity)) {
      *ret_presence = legal[i].presence;
      return true;
    }
  return false;
}

static void no_other_pair_is_legal(void **state)
{
  (void)state;
  /* All words of Graph's that exist, and some that do not, each with each, on both planes, in two spellings. */
  static const char *const availabilities[] = {
      "Available",       "AvailableIdle", "Away", "BeRightBack", "Busy",      "BusyIdle", "DoNotDisturb", "Offline",
      "PresenceUnknown", "OffWork",       "",     "busy ",       "available",
  };
  static const char *const activities[] = {
      "Available",
      "Away",
      "BeRightBack",
      "Busy",
      "DoNotDisturb",
      "InACall",
      "InAConferenceCall",
      "Inactive",
      "InAMeeting",
      "Offline",
      "OffWork",
      "OutOfOffice",
      "PresenceUnknown",
      "Presenting",
      "UrgentInterruptionsOnly",
      "",
      "inacall",
  };
  int found = 0;
  for (size_t i = 0; i < COUNT_OF(availabilities); i++)
    for (size_t j = 0; j < COUNT_OF(activities); j++)
      for (int plane = PLANE_SESSION; plane <= PLANE_PREFERRED; plane++) {
        enum presence wanted = PRESENCE_NONE, parsed = PRESENCE_NONE;
        bool ok = is_legal((enum plane)plane, availabilities[i], activities[j], &wanted);
        if (presence_parse_pair((enum plane)plane, availabilities[i], activities[j], &parsed) != ok || parsed != wanted)
          fail_msg("%s/%s on plane %d", availabilities[i], activities[j], plane);
        found += ok;
      }
  assert_int_equal(found, 11 + 2 + 1); /* besides: "available" on both planes, Busy/inacall */
}

static void teams_names_choose_the_plane_that_shows(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    enum presence presence;
  } rows[] = {
      {"teams.available", SESSION_AVAILABLE},
      {"teams.in_a_call", SESSION_IN_A_CALL},
      {"teams.in_a_conference_call", SESSION_IN_A_CONFERENCE_CALL},
      {"teams.presenting", SESSION_PRESENTING},
      {"teams.busy", PREFERRED_BUSY},
      {"teams.do_not_disturb", PREFERRED_DO_NOT_DISTURB},
      {"teams.be_right_back", PREFERRED_BE_RIGHT_BACK},
      {"teams.away", PREFERRED_AWAY},
      {"teams.offline", PREFERRED_OFFLINE},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    enum presence presence = PRESENCE_NONE;
    assert_true(presence_parse(rows[i].text, &presence));
    assert_int_equal(presence, rows[i].presence);
  }
  static const char *const wrong[] = {
      "",
      "none",
      "teams.",
      "teams",
      "teams.none",
      "teams.off_work",
      "session.busy",
      "session.do_not_disturb",
      "session.be_right_back",
      "session.offline",
      "preferred.in_a_call",
      "preferred.presenting",
      "Teams.busy",
      "busy",
      "teams.busy ",
      "teams.session.busy",
  };
  for (size_t i = 0; i < COUNT_OF(wrong); i++) {
    enum presence presence = SESSION_AWAY;
    if (presence_parse(wrong[i], &presence) || presence != SESSION_AWAY)
      fail_msg("\"%s\"", wrong[i]);
  }
}

static void people_may_type_it_in_several_ways(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    enum presence presence; /* PRESENCE_NONE: refused */
  } rows[] = {
      {"teams.busy", PREFERRED_BUSY},
      {"session.away", SESSION_AWAY},
      {"busy", PREFERRED_BUSY},
      {"Busy", PREFERRED_BUSY},
      {"in_a_call", SESSION_IN_A_CALL},
      {"InACall", SESSION_IN_A_CALL},
      {"Busy InACall", SESSION_IN_A_CALL},
      {"busy  inacall", SESSION_IN_A_CALL},
      {"Busy/InACall", SESSION_IN_A_CALL},
      {"Busy Busy", PREFERRED_BUSY},
      {"Available", SESSION_AVAILABLE},
      {"Available Available", SESSION_AVAILABLE},
      {"Away", PREFERRED_AWAY},
      {"Away Away", PREFERRED_AWAY},
      {"DoNotDisturb", PREFERRED_DO_NOT_DISTURB},
      {"Presenting", SESSION_PRESENTING},
      {"DoNotDisturb Presenting", SESSION_PRESENTING},
      {"BeRightBack", PREFERRED_BE_RIGHT_BACK},
      {" be_right_back ", PREFERRED_BE_RIGHT_BACK},
      {"Offline", PREFERRED_OFFLINE},
      {"OffWork", PREFERRED_OFFLINE},
      {"Offline OffWork", PREFERRED_OFFLINE},
      {"Offline Offline", PRESENCE_NONE},
      {"Available Busy", PRESENCE_NONE},
      {"", PRESENCE_NONE},
      {" ", PRESENCE_NONE},
      {"Lunch", PRESENCE_NONE},
      {"Busy InACall now", PRESENCE_NONE},
      {"session.busy", PRESENCE_NONE},
      {"InAMeeting", PRESENCE_NONE},
      {"none", PRESENCE_NONE},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    enum presence presence = PRESENCE_NONE;
    bool ok = presence_parse_words(rows[i].text, &presence);
    if (ok != (rows[i].presence != PRESENCE_NONE) || presence != rows[i].presence)
      fail_msg("\"%s\": %s", rows[i].text, ok ? presence_str(presence) : "refused");
  }
  char endless[2000];
  memset(endless, 'b', sizeof endless - 1);
  endless[sizeof endless - 1] = '\0';
  enum presence presence;
  assert_false(presence_parse_words(endless, &presence));
}

static void availabilities_are_ordered_as_they_win(void **state)
{
  (void)state;
  static const char *const order[] = {"Offline", "Available", "Away", "BeRightBack", "Busy", "DoNotDisturb"};
  for (size_t i = 1; i < COUNT_OF(order); i++)
    assert_true(availability_parse(order[i]) > availability_parse(order[i - 1]));
  assert_int_equal(availability_parse("doNotDisturb"), AVAILABILITY_DO_NOT_DISTURB);
  assert_int_equal(availability_parse("BusyIdle"), AVAILABILITY_BUSY);
  assert_int_equal(availability_parse("InAMeeting"), AVAILABILITY_OTHER);
  assert_int_equal(availability_parse("focusing"), AVAILABILITY_OTHER);
  assert_int_equal(availability_parse("presenceUnknown"), AVAILABILITY_UNKNOWN);
  assert_int_equal(availability_parse(""), AVAILABILITY_UNKNOWN);
  assert_string_equal(availability_str(AVAILABILITY_UNKNOWN), "PresenceUnknown");
}

/* ---- What colleagues see ---- */

enum { MINUTE = 60000 };
#define CLIENT(availability, activity)                                                                                 \
  {                                                                                                                    \
    availability, activity, 0, CLOCK_NEVER, true                                                                       \
  }
#define APP(availability, activity, until)                                                                             \
  {                                                                                                                    \
    availability, activity, 0, until, false                                                                            \
  }
#define AVAILABLE_APP APP(AVAILABILITY_AVAILABLE, "Available", 60 * MINUTE)
#define CALL_APP APP(AVAILABILITY_BUSY, "InACall", 60 * MINUTE)
#define AWAY_APP APP(AVAILABILITY_AWAY, "Away", 60 * MINUTE)

static void colleagues_see_the_highest(void **state)
{
  (void)state;
  static const struct {
    const char *what;
    struct effective_session sessions[3];
    size_t count;
    struct effective_preferred preferred;
    int64_t now;
    const char *availability, *activity;
  } rows[] = {
      {"nobody is there", {{0}}, 0, {0}, 0, "Offline", "Offline"},
      {"one session", {CALL_APP}, 1, {0}, 0, "Busy", "InACall"},
      {"Busy over Available", {CLIENT(AVAILABILITY_AVAILABLE, "Available"), CALL_APP}, 2, {0}, 0, "Busy", "InACall"},
      {"order of sessions is no matter",
       {CALL_APP, CLIENT(AVAILABILITY_AVAILABLE, "Available")},
       2,
       {0},
       0,
       "Busy",
       "InACall"},
      {"DoNotDisturb over Busy",
       {CALL_APP, APP(AVAILABILITY_DO_NOT_DISTURB, "Presenting", MINUTE)},
       2,
       {0},
       0,
       "DoNotDisturb",
       "Presenting"},
      {"Available over Away",
       {AWAY_APP, CLIENT(AVAILABILITY_AVAILABLE, "Available")},
       2,
       {0},
       0,
       "Available",
       "Available"},
      {"a client's Offline hides nothing",
       {CLIENT(AVAILABILITY_OFFLINE, "Offline"), AWAY_APP},
       2,
       {0},
       0,
       "Away",
       "Away"},
      {"a moment before the fade", {AVAILABLE_APP}, 1, {0}, 5 * MINUTE - 1, "Available", "Available"},
      {"faded", {AVAILABLE_APP}, 1, {0}, 5 * MINUTE, "Available", "AvailableInactive"},
      {"a moment before it is away", {AVAILABLE_APP}, 1, {0}, 10 * MINUTE - 1, "Available", "AvailableInactive"},
      {"away", {AVAILABLE_APP}, 1, {0}, 10 * MINUTE, "Away", "Away"},
      {"faded to away it still expires", {AVAILABLE_APP}, 1, {0}, 60 * MINUTE, "Offline", "Offline"},
      {"a client does not fade",
       {CLIENT(AVAILABILITY_AVAILABLE, "Available")},
       1,
       {0},
       600 * MINUTE,
       "Available",
       "Available"},
      {"a call does not fade", {CALL_APP}, 1, {0}, 59 * MINUTE, "Busy", "InACall"},
      {"a moment before it expires", {CALL_APP}, 1, {0}, 60 * MINUTE - 1, "Busy", "InACall"},
      {"expired", {CALL_APP}, 1, {0}, 60 * MINUTE, "Offline", "Offline"},
      {"expired beside another", {CALL_APP, CLIENT(AVAILABILITY_AWAY, "Away")}, 2, {0}, 60 * MINUTE, "Away", "Away"},
      {"preferred beats a call", {CALL_APP}, 1, {PREFERRED_BE_RIGHT_BACK, 9 * MINUTE}, 0, "BeRightBack", "BeRightBack"},
      {"preferred Offline beats all", {CALL_APP}, 1, {PREFERRED_OFFLINE, 9 * MINUTE}, 0, "Offline", "OffWork"},
      {"preferred Available lifts out of a call",
       {CALL_APP},
       1,
       {PREFERRED_AVAILABLE, 9 * MINUTE},
       0,
       "Available",
       "Available"},
      {"preferred over the carrier", {AWAY_APP}, 1, {PREFERRED_BUSY, 9 * MINUTE}, 0, "Busy", "Busy"},
      {"a client carries it as well",
       {CLIENT(AVAILABILITY_AVAILABLE, "Available")},
       1,
       {PREFERRED_DO_NOT_DISTURB, CLOCK_NEVER},
       0,
       "DoNotDisturb",
       "DoNotDisturb"},
      {"preferred needs a session", {{0}}, 0, {PREFERRED_BUSY, 9 * MINUTE}, 0, "Offline", "Offline"},
      {"an expired session carries nothing",
       {CALL_APP},
       1,
       {PREFERRED_BUSY, CLOCK_NEVER},
       60 * MINUTE,
       "Offline",
       "Offline"},
      {"preferred has expired", {CALL_APP}, 1, {PREFERRED_BUSY, 9 * MINUTE}, 9 * MINUTE, "Busy", "InACall"},
      {"a moment before", {CALL_APP}, 1, {PREFERRED_AWAY, 9 * MINUTE}, 9 * MINUTE - 1, "Away", "Away"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct effective seen = effective_at(rows[i].sessions, rows[i].count, &rows[i].preferred, rows[i].now);
    if (strcmp(availability_str(seen.availability), rows[i].availability) != 0 ||
        strcmp(seen.activity, rows[i].activity) != 0)
      fail_msg("%s: %s/%s", rows[i].what, availability_str(seen.availability), seen.activity);
  }
}

/* ---- Which UCC wins ---- */

/* Texts and answers are released by without(). */
static struct contribution *shows(
    const char *ucc, enum presence session, enum presence preferred, int64_t since, int64_t hold)
{
  struct contribution *contribution = contribution_new(ucc);
  struct decision decision = {
      .kind = DECISION_SHOW, .session = session, .preferred = preferred, .hold_ms = hold, .recheck_ms = CLOCK_NEVER};
  str_cut(decision.message, sizeof decision.message, ucc);
  contribution->since_ms = since;
  contribution_apply(contribution, &decision, since);
  return contribution;
}

static void with(struct agent *agent, struct contribution *const contributions[], size_t count)
{
  *agent = (struct agent){0};
  for (size_t i = 0; i < count; i++)
    agent_add(agent, contributions[i]);
}

static void without(struct agent *agent)
{
  while (agent->contributions != NULL) {
    struct contribution *first = agent->contributions;
    agent_take(agent, first);
    contribution_free(first);
  }
}

static void the_winner_takes_all(void **state)
{
  (void)state;
  struct contribution *list[] = {
      shows("Voice", PRESENCE_NONE, PREFERRED_BE_RIGHT_BACK, 10, 1000), /* lunch */
      shows("chat", SESSION_AVAILABLE, PRESENCE_NONE, 20, 1000),
      shows("desk", SESSION_IN_A_CALL, PRESENCE_NONE, 5, 100),
  };
  struct agent agent;
  with(&agent, list, COUNT_OF(list));
  assert_ptr_equal(agent_contribution(&agent, "VOICE"), list[0]);
  assert_null(agent_contribution(&agent, "fax"));

  struct desired desired = agent_desired(&agent, 50); /* a call beats a lunch, a lunch being ready elsewhere */
  assert_ptr_equal(desired.winner, list[2]);
  assert_int_equal(desired.session, SESSION_IN_A_CALL);
  assert_int_equal(desired.preferred, PRESENCE_NONE);
  assert_false(desired.carrier);
  assert_string_equal(desired.message, "desk");
  assert_int_equal(desired.until_ms, 105);
  assert_int_equal(desired.changes_ms, 105);

  desired = agent_desired(&agent, 105); /* its hold is over: the next takes over at that moment, with a carrier */
  assert_ptr_equal(desired.winner, list[0]);
  assert_int_equal(desired.session, SESSION_AWAY);
  assert_int_equal(desired.preferred, PREFERRED_BE_RIGHT_BACK);
  assert_true(desired.carrier);
  assert_int_equal(desired.changes_ms, 1010);

  desired = agent_desired(&agent, 1010);
  assert_ptr_equal(desired.winner, list[1]);
  desired = agent_desired(&agent, 1020);
  assert_null(desired.winner);
  assert_int_equal(desired.session, PRESENCE_NONE);
  assert_string_equal(desired.message, "");
  assert_true(desired.changes_ms == CLOCK_NEVER);
  without(&agent);
}

static void between_equals_the_most_recent_wins(void **state)
{
  (void)state;
  struct contribution *list[] = {
      shows("a", SESSION_IN_A_CALL, PRESENCE_NONE, 20, 1000),
      shows("b", PRESENCE_NONE, PREFERRED_BUSY, 10, 1000), /* both look Busy */
  };
  struct agent agent;
  with(&agent, list, COUNT_OF(list));
  assert_ptr_equal(agent_desired(&agent, 50).winner, list[0]);
  list[1]->stand.from_ms = 30;
  assert_ptr_equal(agent_desired(&agent, 50).winner, list[1]);
  contribution_apply(list[1], &(struct decision){.kind = DECISION_CLEAR, .recheck_ms = CLOCK_NEVER}, 50);
  assert_ptr_equal(agent_desired(&agent, 50).winner, list[0]);
  /* Both planes named: ranked by what is seen, the preferred one. */
  agent_take(&agent, list[1]);
  contribution_free(list[1]);
  list[1] = shows("b", SESSION_IN_A_CALL, PREFERRED_DO_NOT_DISTURB, 1, 1000);
  agent_add(&agent, list[1]);
  struct desired desired = agent_desired(&agent, 50);
  assert_ptr_equal(desired.winner, list[1]);
  assert_int_equal(desired.session, SESSION_IN_A_CALL);
  assert_false(desired.carrier);
  without(&agent);
}

/* What is told is what must be written, and no more. */
static void a_contribution_tells_whether_it_changed(void **state)
{
  (void)state;
  struct contribution *contribution = contribution_new("voice"), *other = contribution_new("voice");
  struct decision decision = {
      .kind = DECISION_SHOW, .session = SESSION_AWAY, .hold_ms = 100, .recheck_ms = CLOCK_NEVER, .generation = 1};
  contribution_record(contribution, "Ready", "", 10);
  contribution_record(other, "Ready", "", 11);
  assert_true(contribution_apply(contribution, &decision, 10));
  assert_false(contribution_apply(contribution, &decision, 11));
  assert_true(contribution_apply(other, &decision, 11));
  assert_ptr_equal(contribution->stand.answer, other->stand.answer); /* who gets the same answer shares it */
  decision.generation = 2;
  assert_true(contribution_apply(contribution, &decision, 12));
  decision.recheck_ms = 50;
  assert_true(contribution_apply(contribution, &decision, 12));
  assert_false(contribution_apply(contribution, &decision, 12));
  decision.delay_ms = 20;
  decision.hold_ms = 200;
  str_cut(decision.rule, sizeof decision.rule, "states.Ready");
  assert_true(contribution_apply(contribution, &decision, 13));
  assert_false(contribution_apply(contribution, &decision, 14)); /* it waits as it did */
  assert_string_equal(answer_rule(contribution->stand.answer), "");
  assert_true(contribution_apply(contribution, &decision, 30)); /* its delay is over */
  assert_string_equal(answer_rule(contribution->stand.answer), "states.Ready");
  assert_true(contribution->pending_ms == CLOCK_NEVER);
  assert_false(contribution_apply(contribution, &decision, 20)); /* the clock was set back: it is over all the same */
  decision.generation = 3;
  assert_true(contribution_apply(contribution, &decision, 20));
  assert_int_equal(contribution->stand.answer->generation, 3);
  assert_true(contribution->pending_ms == CLOCK_NEVER);
  decision.kind = DECISION_KEEP;
  assert_false(contribution_apply(contribution, &decision, 31));
  contribution_free(contribution);
  contribution_free(other);
}

static void what_graph_has_of_ours_is_known(void **state)
{
  (void)state;
  struct agent agent;
  with(&agent, NULL, 0);
  assert_false(agent_shows_anything(&agent, 0));
  agent.confirmed.session = (struct slot){.presence = SESSION_AWAY, .until_ms = 100};
  assert_true(agent_shows_anything(&agent, 99));
  assert_false(agent_shows_anything(&agent, 100));
  agent.confirmed.preferred = (struct slot){.unsure = true, .until_ms = 200};
  assert_true(agent_shows_anything(&agent, 199));
  assert_false(agent_shows_anything(&agent, 200));
  agent.confirmed.message = (struct message_slot){.hash = agent_message_hash("x"), .until_ms = 300};
  assert_true(agent_shows_anything(&agent, 299));
  assert_false(agent_shows_anything(&agent, 300));
  assert_true(agent_message_hash("") == 0);
  assert_true(agent_message_hash("x") != 0 && agent_message_hash("x") != agent_message_hash("y"));
  assert_true(agent_message_hash("x") <= INT64_MAX);
}

static void decisions_are_compared_by_what_graph_is_told(void **state)
{
  (void)state;
  struct decision a = {
      .kind = DECISION_SHOW, .session = SESSION_IN_A_CALL, .hold_ms = 5, .message = "m", .rule = "one"};
  struct decision b = a;
  str_cut(b.rule, sizeof b.rule, "another");
  b.generation = 7;
  assert_true(decision_equal(&a, &b));
  b.hold_ms = 6;
  assert_false(decision_equal(&a, &b));
  b = a;
  b.preferred = PREFERRED_AWAY;
  assert_false(decision_equal(&a, &b));
  assert_int_equal(decision_availability(&a), AVAILABILITY_BUSY);
  assert_int_equal(decision_availability(&b), AVAILABILITY_AWAY);
  b = a;
  str_cut(b.message, sizeof b.message, "n");
  assert_false(decision_equal(&a, &b));
}

static void enums_have_words(void **state)
{
  (void)state;
  assert_string_equal(outcome_kind_str(OUTCOME_NO_SUCH_USER), "no_such_user");
  assert_string_equal(decision_kind_str(DECISION_KEEP), "keep");
  enum decision_kind kind = DECISION_SHOW;
  assert_true(decision_kind_parse("never", &kind));
  assert_int_equal(kind, DECISION_NEVER);
  assert_false(decision_kind_parse("sometimes", &kind));
  assert_int_equal(kind, DECISION_NEVER);
  assert_string_equal(phase_str(PHASE_IN_FLIGHT), "in_flight");
  assert_string_equal(park_cause_str(PARK_UNKNOWN_NAME), "unknown user");
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_legal_presence_is_spelt_as_graph_wants_it),
      cmocka_unit_test(no_other_pair_is_legal),
      cmocka_unit_test(teams_names_choose_the_plane_that_shows),
      cmocka_unit_test(people_may_type_it_in_several_ways),
      cmocka_unit_test(availabilities_are_ordered_as_they_win),
      cmocka_unit_test(colleagues_see_the_highest),
      cmocka_unit_test(the_winner_takes_all),
      cmocka_unit_test(between_equals_the_most_recent_wins),
      cmocka_unit_test(a_contribution_tells_whether_it_changed),
      cmocka_unit_test(what_graph_has_of_ours_is_known),
      cmocka_unit_test(decisions_are_compared_by_what_graph_is_told),
      cmocka_unit_test(enums_have_words),
  };
  return cases_run(argc, argv, tests, NULL, NULL);
}
