/* What every agent should show, from the acknowledged events: the meaning of a ruleset's answers (rules/README.md) and
 * of several contact centres written down a second time, without a store, a schedule or a network. What a rule answers
 * to one event is taken from the rules themselves. */
#include "base/str.h"
#include "sim.h"

#include <string.h>

const char *const sim_uccs[SIM_UCCS] = {"voice", "chat"};

const char *sim_name(size_t index)
{
  static char names[SIM_NAMES][32];
  static const char domains[] = "abc";
  if (*names[index] == '\0')
    snprintf(names[index], sizeof names[index], "u%02zu@%c.example", index, domains[sim_account_of(index)]);
  return names[index];
}

int sim_account_of(size_t index)
{
  return index < SIM_NAMES / 2 ? 0 : index < SIM_NAMES * 5 / 6 ? 1 : 2;
}

/* ---- undoing */

static void remember(struct sim *sim, struct voice *voice)
{
  if (sim->undo_count == sim->undo_room) {
    sim->undo_room = sim->undo_room == 0 ? 64 : 2 * sim->undo_room;
    sim->undo = must_realloc(sim->undo, sim->undo_room * sizeof *sim->undo);
  }
  sim->undo[sim->undo_count++] = (struct undo){voice, *voice};
}

void oracle_saved(struct sim *sim)
{
  sim->undo_count = 0;
}

void oracle_undo(struct sim *sim)
{
  while (sim->undo_count > 0) {
    sim->undo_count--;
    *sim->undo[sim->undo_count].voice = sim->undo[sim->undo_count].was;
  }
}

/* ---- events */

static struct stand_seen stand_of(const struct decision *decision, int64_t since_ms)
{
  struct stand_seen stand = {
      .kind = decision->kind,
      .session = decision->session,
      .preferred = decision->preferred,
      .from_ms = since_ms,
      .hold_ms = decision->hold_ms,
      .after = decision->after};
  str_cut(stand.message, sizeof stand.message, decision->message);
  return stand;
}

static bool ripen(struct voice *voice, int64_t wall_ms)
{
  if (voice->pending_ms == 0 || wall_ms < voice->pending_ms)
    return false;
  voice->stand = voice->pending;
  voice->pending_ms = 0;
  return true;
}

static bool same_seen(const struct stand_seen *a, const struct stand_seen *b)
{
  return a->kind == b->kind && a->session == b->session && a->preferred == b->preferred && a->from_ms == b->from_ms &&
         a->hold_ms == b->hold_ms && a->after.session == b->after.session && a->after.preferred == b->after.preferred &&
         a->after.hold_ms == b->after.hold_ms && strcmp(a->message, b->message) == 0;
}

void oracle_pass(struct sim *sim)
{
  for (size_t name = 0; name < SIM_NAMES; name++) {
    struct voice *override = &sim->oracle.overrides[name];
    bool passed = override->spoken && sim_wall_now(sim) >= override->stand.from_ms + override->stand.hold_ms;
    if (passed)
      *override = (struct voice){0};
    for (size_t ucc = 0; ucc < SIM_UCCS; ucc++)
      passed = ripen(&sim->oracle.voices[name][ucc], sim_wall_now(sim)) || passed;
    if (passed)
      sim->oracle.passed_ms[name] = sim_steady(sim);
  }
}

static void decide(struct sim *sim, size_t name, size_t ucc, int64_t moment_ms)
{
  static struct event event;
  static struct decision decision;
  struct voice *voice = &sim->oracle.voices[name][ucc];
  struct err trouble = ERR_INIT;
  struct rules_agent agent = {.upn = sim_name(name)};
  event = (struct event){.at_ms = voice->at_ms};
  must(str_copy(event.agent, sizeof event.agent, sim_name(name)));
  must(str_copy(event.state, sizeof event.state, voice->state));
  must(str_copy(event.reason, sizeof event.reason, voice->reason));
  must(str_copy(event.ucc, sizeof event.ucc, sim_uccs[ucc]));
  must(ruleset_decide(
      sim->world.rulesets[sim_account_of(name)], &event, voice->since_ms, moment_ms, &agent, &decision, &trouble));
  (void)ripen(voice, sim_wall_now(sim));
  voice->pending_ms = 0;
  if (decision.kind == DECISION_KEEP)
    return;
  struct stand_seen stand = stand_of(&decision, voice->since_ms);
  /* A delay that is over does not begin again because the clock was set back. */
  if (decision.delay_ms > 0 && voice->since_ms + decision.delay_ms > sim_wall_now(sim) &&
      !same_seen(&voice->stand, &stand)) {
    voice->pending = stand;
    voice->pending_ms = voice->since_ms + decision.delay_ms;
  } else {
    voice->stand = stand;
  }
}

void oracle_resume(struct sim *sim, int64_t alive_ms)
{
  int64_t within_ms = sim->world.config.resume_within_ms;
  if (within_ms == 0 || alive_ms == 0 || sim_wall_now(sim) - alive_ms <= within_ms)
    return;
  sim_say(sim, "longer away than ResumeWithin");
  check_unconfirm(sim);
  for (size_t name = 0; name < SIM_NAMES; name++)
    for (size_t ucc = 0; ucc < SIM_UCCS; ucc++)
      sim->oracle.voices[name][ucc].silent = sim->oracle.voices[name][ucc].spoken;
}

void oracle_hear(struct sim *sim, size_t ucc)
{
  for (size_t name = 0; name < SIM_NAMES; name++)
    if (sim->oracle.voices[name][ucc].silent) {
      remember(sim, &sim->oracle.voices[name][ucc]);
      sim->oracle.voices[name][ucc].silent = false;
      check_said(sim, name);
    }
}

void oracle_event(struct sim *sim, size_t name, size_t ucc, const struct event *event)
{
  struct voice *voice = &sim->oracle.voices[name][ucc];
  oracle_hear(sim, ucc);
  remember(sim, voice);
  (void)ripen(voice, sim_wall_now(sim));
  if (!voice->spoken) {
    voice->spoken = true;
    voice->stand.kind = DECISION_CLEAR;
  }
  if (strcmp(voice->state, event->state) != 0 || strcmp(voice->reason, event->reason) != 0)
    voice->since_ms = event->at_ms;
  voice->at_ms = event->at_ms;
  must(str_copy(voice->state, sizeof voice->state, event->state));
  must(str_copy(voice->reason, sizeof voice->reason, event->reason));
  decide(sim, name, ucc, event->at_ms);
}

void oracle_override(struct sim *sim, size_t name, enum presence session, int64_t hold_ms)
{
  struct voice *voice = &sim->oracle.overrides[name];
  remember(sim, voice);
  *voice = (struct voice){.spoken = true};
  voice->stand =
      (struct stand_seen){.kind = DECISION_SHOW, .session = session, .from_ms = sim_wall_now(sim), .hold_ms = hold_ms};
}

void oracle_release(struct sim *sim, size_t name)
{
  remember(sim, &sim->oracle.overrides[name]);
  sim->oracle.overrides[name] = (struct voice){0};
}

void oracle_decide_again(struct sim *sim)
{
  for (size_t name = 0; name < SIM_NAMES; name++)
    for (size_t ucc = 0; ucc < SIM_UCCS; ucc++)
      if (sim->oracle.voices[name][ucc].spoken) {
        remember(sim, &sim->oracle.voices[name][ucc]);
        decide(sim, name, ucc, sim_wall_now(sim));
      }
}

/* ---- what follows */

static bool shows(const struct voice *voice, int64_t wall_ms, struct expectation *ret_view, int64_t *ret_from_ms)
{
  const struct stand_seen *stand =
      voice->pending_ms != 0 && wall_ms >= voice->pending_ms ? &voice->pending : &voice->stand;
  if (!voice->spoken || voice->silent || stand->kind != DECISION_SHOW)
    return false;
  *ret_view = (struct expectation){.session = stand->session, .preferred = stand->preferred};
  str_cut(ret_view->message, sizeof ret_view->message, stand->message);
  *ret_from_ms = stand->from_ms;
  int64_t until_ms = stand->from_ms + stand->hold_ms;
  if (wall_ms >= until_ms) {
    *ret_view = (struct expectation){.session = stand->after.session, .preferred = stand->after.preferred};
    until_ms += stand->after.hold_ms;
  }
  return wall_ms < until_ms && (ret_view->session != PRESENCE_NONE || ret_view->preferred != PRESENCE_NONE);
}

static enum availability seen_of(const struct expectation *view)
{
  return presence_availability(view->preferred != PRESENCE_NONE ? view->preferred : view->session);
}

static struct expectation completed(struct expectation view)
{
  if (view.session == PRESENCE_NONE && view.preferred != PRESENCE_NONE)
    view.session = SESSION_AWAY;
  return view;
}

/* Would this voice have an Available of that moment anchored? Not when it says anything else, or said so since. */
static bool agrees(const struct voice *voice, int64_t from_ms, int64_t wall_ms)
{
  struct expectation view;
  int64_t view_from_ms;
  if (!voice->spoken || voice->silent)
    return true;
  if (voice->pending_ms != 0 && wall_ms < voice->pending_ms)
    return false;
  if (!shows(voice, wall_ms, &view, &view_from_ms))
    return voice->since_ms < from_ms;
  return view.session == SESSION_AVAILABLE && view.preferred == PRESENCE_NONE && view_from_ms == voice->since_ms;
}

static struct expectation anchored(
    const struct oracle *oracle, size_t name, struct expectation best, int64_t from_ms, int64_t wall_ms)
{
  bool all = oracle->anchors && best.session == SESSION_AVAILABLE && best.preferred == PRESENCE_NONE;
  for (size_t ucc = 0; ucc < SIM_UCCS; ucc++)
    all = all && agrees(&oracle->voices[name][ucc], from_ms, wall_ms);
  if (all) {
    best.session = SESSION_AWAY;
    best.preferred = PREFERRED_AVAILABLE;
  }
  return best;
}

struct expectation oracle_expects(const struct oracle *oracle, size_t name, int64_t wall_ms)
{
  struct expectation best = {0}, view;
  int64_t best_from_ms = 0, from_ms;
  bool any = false;
  if (shows(&oracle->overrides[name], wall_ms, &view, &from_ms))
    return completed(view);
  for (size_t ucc = 0; ucc < SIM_UCCS; ucc++) {
    if (!shows(&oracle->voices[name][ucc], wall_ms, &view, &from_ms))
      continue;
    bool tie = any && seen_of(&view) == seen_of(&best) && from_ms == best_from_ms;
    if (!any || seen_of(&view) > seen_of(&best) || (seen_of(&view) == seen_of(&best) && from_ms > best_from_ms)) {
      best = view;
      best_from_ms = from_ms;
    }
    best.tie = tie;
    any = true;
  }
  return completed(anchored(oracle, name, best, best_from_ms, wall_ms));
}
