/* One agent of a test in virtual time. `now` jumps to the next moment at which time alone changes something, and never
 * past one, so a wait of a day costs as many steps as it has changes. What holds, waits, ends and wins is src/model,
 * the code that the daemon runs; only the loop around it is written anew.
 *
 * The trap: decide(), choose() and the order in pass_time() must stay as service/standing.c has them, or a test
 * promises what the daemon does not do. */
#include "rules/trial.h"
#include "base/clock.h"
#include "base/str.h"

#include <string.h>

/* Of one wait, which is 31 days at most: more than 256 time conditions can have. */
enum { CHANGES_MAX = 100000 };

/* ---- Events ---- */

static void fill_attributes(const struct value *list, struct event *event)
{
  for (size_t i = 0; i < value_count(list) && i < EVENT_ATTRIBUTES_MAX; i++) {
    const struct value *from = value_at(list, i);
    const char *type = value_get_text(from, "type", "");
    struct attribute *attribute = &event->attributes[event->attribute_count++];
    attribute->type = strcmp(type, "number") == 0    ? ATTRIBUTE_NUMBER
                      : strcmp(type, "boolean") == 0 ? ATTRIBUTE_BOOL
                                                     : ATTRIBUTE_STRING;
    str_cut(attribute->name, sizeof attribute->name, value_get_text(from, "name", ""));
    str_cut(attribute->text, sizeof attribute->text, value_get_text(from, "text", ""));
  }
}

static int64_t at_of(const struct value *step)
{
  return (int64_t)value_get_number(step, "at_ms", 0);
}

static void fill_event(const struct value *step, struct event *event)
{
  event->at_ms = at_of(step);
  event->at_given = true;
  event->attribute_count = 0;
  str_cut(event->agent, sizeof event->agent, value_get_text(step, "agent", ""));
  str_cut(event->state, sizeof event->state, value_get_text(step, "state", ""));
  str_cut(event->reason, sizeof event->reason, value_get_text(step, "reason", ""));
  str_cut(event->ucc, sizeof event->ucc, value_get_text(step, "ucc", ""));
  fill_attributes(value_get(step, "attributes"), event);
}

/* ---- The agent in virtual time ---- */

/* As the daemon's pipeline shows the agent to rules: every contact centre that has been heard of. */
static struct rules_agent seen_by_rules(const struct trial *trial, struct rules_agent_state states[TRIAL_SEATS_MAX])
{
  for (size_t i = 0; i < trial->seat_count; i++) {
    const struct contribution *contribution = trial->seats[i].contribution;
    states[i] = (struct rules_agent_state){contribution->ucc, contribution->state};
  }
  return (struct rules_agent){value_get_text(trial->seats[0].step, "agent", ""), states, trial->seat_count};
}

static void note_trouble(struct trial *trial, const struct err *trouble)
{
  if (trial->trouble.kind == ERR_NONE)
    trial->trouble = *trouble;
}

/* By the seat's last event, with the `since` of its unbroken run; time conditions look at moment_ms. When even on_error
 * fails, what was before stays, as in the daemon. */
static void decide(struct trial *trial, struct seat *seat, int64_t moment_ms)
{
  struct rules_agent_state states[TRIAL_SEATS_MAX];
  struct rules_agent seen = seen_by_rules(trial, states);
  struct contribution *contribution = seat->contribution;
  struct err trouble = ERR_INIT;
  fill_event(seat->step, &trial->event);
  bool ok = ruleset_decide(
      trial->ruleset, &trial->event, contribution->since_ms, moment_ms, &seen, &trial->decision, &trouble);
  if (trouble.kind != ERR_NONE)
    note_trouble(trial, &trouble);
  if (!ok)
    return;
  trial->on_decision(trial->context, &trial->decision);
  contribution_apply(contribution, &trial->decision, trial->now);
}

/* The next moment at which time alone changes something. */
static int64_t next_change(const struct trial *trial)
{
  int64_t next = CLOCK_NEVER;
  for (size_t i = 0; i < trial->seat_count; i++) {
    const struct contribution *contribution = trial->seats[i].contribution;
    next = contribution->pending_ms < next ? contribution->pending_ms : next;
    next = contribution->recheck_ms < next ? contribution->recheck_ms : next;
  }
  return next;
}

/* Delays that are over, and time conditions that change, each at its own moment. At the same moment the delay comes
 * first: what is decided then is decided about what stands. */
static void pass_time(struct trial *trial, int64_t until)
{
  int64_t next = next_change(trial);
  for (int changes = 0; next <= until && changes < CHANGES_MAX; changes++, next = next_change(trial)) {
    trial->now = next;
    for (size_t i = 0; i < trial->seat_count; i++) {
      struct seat *seat = &trial->seats[i];
      contribution_ripen(seat->contribution, next);
      if (next >= seat->contribution->recheck_ms) {
        /* Before the decision: one that fails sets no new moment, and the loop would stay where it is. */
        seat->contribution->recheck_ms = CLOCK_NEVER;
        decide(trial, seat, next);
      }
    }
  }
  trial->now = until;
}

/* Of that contact centre; a new one when it was not heard of before. */
static struct seat *seat_of(struct trial *trial, const char *ucc)
{
  for (size_t i = 0; i < trial->seat_count; i++)
    if (str_equal_fold(trial->seats[i].contribution->ucc, ucc))
      return &trial->seats[i];
  must(trial->seat_count < TRIAL_SEATS_MAX);
  struct seat *seat = &trial->seats[trial->seat_count++];
  seat->contribution = contribution_new(ucc);
  agent_add(&trial->agent, seat->contribution);
  return seat;
}

void trial_step(struct trial *trial, const struct value *step)
{
  const char *state = value_get_text(step, "state", NULL);
  /* The moment of the event itself included: what falls due then was there before the event. */
  pass_time(trial, at_of(step));
  if (state == NULL) /* a wait alone */
    return;
  struct seat *seat = seat_of(trial, value_get_text(step, "ucc", ""));
  seat->step = step;
  contribution_record(seat->contribution, state, value_get_text(step, "reason", ""), at_of(step));
  decide(trial, seat, at_of(step));
}

void trial_begin(struct trial *trial)
{
  trial->agent = (struct agent){0};
  trial->seat_count = 0;
  trial->decision = (struct decision){.kind = DECISION_KEEP}; /* of a rule that fails altogether */
  trial->trouble.kind = ERR_NONE;
  *trial->trouble.text = '\0';
}

void trial_end(struct trial *trial)
{
  for (size_t i = 0; i < trial->seat_count; i++)
    contribution_free(trial->seats[i].contribution);
  trial->seat_count = 0;
}

/* The ruleset's own merge, as the daemon asks it. */
static void choose(struct trial *trial)
{
  struct rules_candidate candidates[TRIAL_SEATS_MAX];
  struct contribution *contributions[TRIAL_SEATS_MAX];
  struct rules_agent_state states[TRIAL_SEATS_MAX];
  size_t count = 0, index = 0;
  for (size_t i = 0; i < trial->seat_count; i++)
    trial->seats[i].contribution->chosen = false;
  trial->agent.anchors = ruleset_anchors(trial->ruleset);
  trial->agent.merge_latest = ruleset_merge_mode(trial->ruleset) == RULES_MERGE_LATEST;
  if (ruleset_merge_mode(trial->ruleset) != RULES_MERGE_FUNCTION)
    return;
  for (size_t i = 0; i < trial->seat_count; i++) {
    struct contribution *contribution = trial->seats[i].contribution;
    struct contribution_view view;
    if (!contribution_at(contribution, trial->now, &view))
      continue;
    contributions[count] = contribution;
    candidates[count++] = (struct rules_candidate){
        contribution->ucc, contribution->state, contribution->reason, contribution->since_ms,
        presence_availability(view.preferred != PRESENCE_NONE ? view.preferred : view.session)};
  }
  /* As in the daemon, a merge function is never asked about one alone. */
  if (count < 2)
    return;
  struct rules_agent seen = seen_by_rules(trial, states);
  struct err trouble = ERR_INIT;
  if (ruleset_merge(trial->ruleset, candidates, count, &seen, &index, &trouble))
    contributions[index]->chosen = true;
  if (trouble.kind != ERR_NONE)
    note_trouble(trial, &trouble);
}

struct desired trial_desired(struct trial *trial)
{
  choose(trial);
  return agent_desired(&trial->agent, trial->now);
}
