/* The decision log: what was decided about whom, for as long as DecisionLog says. Rows go straight into the turn's
 * transaction; nothing of them is kept in memory. */
#include "base/clock.h"
#include "base/str.h"
#include "store/internal.h"

#define FORGET_EVERY_MS CLOCK_MINUTE

void store_keep_decisions(struct store *store, int64_t keep_ms)
{
  store->keep_decisions_ms = keep_ms;
}

void store_log_decision(struct store *store, const struct store_decision *row)
{
  /* Off by default, and then it costs nothing. */
  if (store->keep_decisions_ms == 0 || !store_begin(store))
    return;
  const struct decision *decision = row->decision;
  struct db_statement *put = store->statements[PUT_DECISION];
  db_bind_int(put, 1, row->decided_ms);
  db_bind_int(put, 2, row->again);
  db_bind_text(put, 3, row->agent);
  db_bind_text(put, 4, row->ucc);
  db_bind_text(put, 5, row->state);
  db_bind_text(put, 6, row->reason);
  db_bind_text(put, 7, row->attributes);
  db_bind_int(put, 8, row->at_ms);
  db_bind_int(put, 9, row->since_ms);
  db_bind_text(put, 10, decision_kind_str(decision->kind));
  db_bind_text(put, 11, presence_str(decision->session));
  db_bind_text(put, 12, presence_str(decision->preferred));
  db_bind_int(put, 13, decision->hold_ms);
  db_bind_int(put, 14, decision->delay_ms);
  db_bind_text(put, 15, presence_str(decision->after.session));
  db_bind_text(put, 16, presence_str(decision->after.preferred));
  db_bind_int(put, 17, decision->after.hold_ms);
  db_bind_text(put, 18, decision->message);
  db_bind_text(put, 19, decision->rule);
  db_bind_text(put, 20, decision->place);
  db_bind_int(put, 21, decision->generation);
  store_run(store, PUT_DECISION);
}

/* A slice of the oldest rows at a time, so that no commit waits for a week to be deleted. */
void store_forget_decisions(struct store *store, int64_t now)
{
  /* The second condition is for a clock that was set back: without it nothing would be deleted until it has caught
   * up. */
  if (now < store->forget_decisions_at_ms && store->forget_decisions_at_ms <= now + FORGET_EVERY_MS)
    return;
  struct db_statement *forget = store->statements[FORGET_DECISIONS];
  db_bind_int(forget, 1, now - store->keep_decisions_ms);
  db_bind_int(forget, 2, STORE_FORGET_AT_ONCE);
  store_run(store, FORGET_DECISIONS);
  /* A full slice means that there is more: go on with the next commit, not in a minute. */
  bool more = store->failure.kind == ERR_NONE && db_changes(store->db) == STORE_FORGET_AT_ONCE;
  store->forget_decisions_at_ms = more ? now : now + FORGET_EVERY_MS;
}

/* "none" is the only other text that is written. */
static enum presence presence_of(const char *text)
{
  enum presence presence;
  return presence_parse(text, &presence) ? presence : PRESENCE_NONE;
}

static enum decision_kind kind_of(const char *text)
{
  enum decision_kind kind;
  return decision_kind_parse(text, &kind) ? kind : DECISION_CLEAR;
}

/* What is kept of a decision. */
static void read_decision(struct db_statement *get, struct decision *ret_decision)
{
  *ret_decision = (struct decision){
      .kind = kind_of(db_text(get, 10)),
      .session = presence_of(db_text(get, 11)),
      .preferred = presence_of(db_text(get, 12)),
      .hold_ms = db_int(get, 13),
      .delay_ms = db_int(get, 14),
      .after = {presence_of(db_text(get, 15)), presence_of(db_text(get, 16)), db_int(get, 17)},
      .generation = (uint32_t)db_int(get, 21)};
  str_cut(ret_decision->message, sizeof ret_decision->message, db_text(get, 18));
  str_cut(ret_decision->rule, sizeof ret_decision->rule, db_text(get, 19));
  str_cut(ret_decision->place, sizeof ret_decision->place, db_text(get, 20));
}

bool store_read_decisions(
    struct store *store, int64_t after, bool (*on_decision)(void *context, const struct store_decision *row),
    void *context, struct err *err)
{
  struct db_statement *get = store->statements[GET_DECISIONS];
  enum db_row row;
  bool more = true;
  db_bind_int(get, 1, after);
  /* Texts are SQLite's own and go with the next step, so on_decision copies what it keeps. */
  while (more && (row = db_step(get, err)) == DB_ROW) {
    struct decision decision;
    read_decision(get, &decision);
    struct store_decision found = {
        .key = db_int(get, 0),
        .decided_ms = db_int(get, 1),
        .again = db_int(get, 2) != 0,
        .agent = db_text(get, 3),
        .ucc = db_text(get, 4),
        .state = db_text(get, 5),
        .reason = db_text(get, 6),
        .attributes = db_text(get, 7),
        .at_ms = db_int(get, 8),
        .since_ms = db_int(get, 9),
        .decision = &decision};
    more = on_decision(context, &found);
  }
  db_reset(get);
  /* Ended because the caller had enough, or because there is no more. */
  return !more || row == DB_DONE;
}
