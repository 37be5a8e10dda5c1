#include "cases.h"

#include "adapters/db.h"
#include "base/clock.h"
#include "base/must.h"
#include "store/internal.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW (INT64_C(1767614400000))
#define ID_A "aaaaaaaa-2222-3333-4444-555555555555"
#define ID_B "bbbbbbbb-2222-3333-4444-555555555555"

static const char *const accounts[] = {"contoso.com", "fabrikam.com"};
static char folder[64], path[96];

static void on_commit(void *context, const struct err *err)
{
  *(struct err *)context = err == NULL ? (struct err)ERR_INIT : *err;
}

/* SQLite is done before store_commit() returns. */
static bool commit(struct store *store, int64_t now, struct err *err)
{
  *err = (struct err){.kind = ERR_BUG};
  store_commit(store, now, on_commit, err);
  assert_int_not_equal(err->kind, ERR_BUG);
  return err->kind == ERR_NONE;
}

static struct store *reopen(struct store *store, const char *const *ids, size_t count)
{
  struct err err = ERR_INIT;
  if (store != NULL)
    assert_true(commit(store, NOW, &err));
  store_close(store);
  store = store_open(path, ids, count, &err);
  if (store == NULL)
    fail_msg("%s", err.text);
  return store;
}

static void test_everything_comes_back(void **state UNUSED)
{
  struct store *store = reopen(NULL, accounts, 2);
  struct agent *agent = store_agent_new(store, 1);
  struct agent_name *name = store_name_new(store, agent, "anna@fabrikam.com");
  name->verified_ms = NOW;
  name->misses = 2;
  store_agent_set_id(store, agent, ID_A);
  struct contribution *c = store_contribution_new(store, agent, "Voice");
  c->name = name;
  contribution_record(c, "Talking", "VIP", NOW);
  const struct decision stands = {
      .kind = DECISION_SHOW,
      .session = SESSION_IN_A_CALL,
      .preferred = PREFERRED_DO_NOT_DISTURB,
      .hold_ms = CLOCK_HOUR,
      .generation = 12,
      .after = {PRESENCE_NONE, PREFERRED_AWAY, CLOCK_HOUR},
      .message = "Caf\u00e9",
      .rule = "reasons.VIP"};
  const struct decision waits = {
      .kind = DECISION_NEVER, .message = "m", .rule = "r", .place = "p", .delay_ms = 7, .recheck_ms = NOW + 8};
  contribution_apply(c, &stands, NOW);
  contribution_apply(c, &waits, NOW);
  agent->confirmed.session =
      (struct slot){.presence = SESSION_AWAY, .unsure = true, .set_ms = NOW, .until_ms = NOW + 1};
  agent->confirmed.preferred = (struct slot){.presence = PREFERRED_BUSY, .set_ms = NOW + 2, .until_ms = NOW + 3};
  agent->confirmed.preferred_for_ms = NOW + 7;
  agent->confirmed.preferred_tried = 1u << PREFERRED_AWAY;
  agent->confirmed.message = (struct message_slot){99, true, NOW + 4};
  store_set_gate(store, "app", NOW + 5);

  store = reopen(store, accounts, 2);
  assert_int_equal(store_agent_count(store), 1);
  agent = store_agent_by_id(store, 1, ID_A);
  assert_non_null(agent);
  assert_null(store_agent_by_id(store, 0, ID_A));
  name = store_name_find(store, 1, "anna@fabrikam.com");
  assert_ptr_equal(name->agent, agent);
  assert_int_equal(name->misses, 2);
  c = agent_contribution(agent, "VOICE");
  assert_non_null(c);
  assert_ptr_equal(c->name, name);
  assert_string_equal(c->state, "Talking");
  assert_string_equal(c->reason, "VIP");
  assert_int_equal(c->at_ms, NOW);
  assert_int_equal(c->since_ms, NOW);
  const struct answer *answer = c->stand.answer;
  assert_int_equal(answer->kind, DECISION_SHOW);
  assert_int_equal(answer->session, SESSION_IN_A_CALL);
  assert_int_equal(answer->preferred, PREFERRED_DO_NOT_DISTURB);
  assert_int_equal(stand_until(&c->stand), NOW + CLOCK_HOUR);
  assert_int_equal(answer->after.preferred, PREFERRED_AWAY);
  assert_int_equal(answer->after.hold_ms, CLOCK_HOUR);
  assert_int_equal(answer->generation, 12);
  assert_string_equal(answer->message, "Caf\u00e9");
  assert_string_equal(answer_rule(answer), "reasons.VIP");
  assert_string_equal(answer_place(answer), "");
  assert_int_equal(c->pending.answer->kind, DECISION_NEVER);
  assert_string_equal(answer_place(c->pending.answer), "p");
  assert_int_equal(c->pending_ms, NOW + 7);
  assert_int_equal(c->recheck_ms, NOW + 8);
  assert_int_equal(agent->confirmed.session.presence, SESSION_AWAY);
  assert_true(agent->confirmed.session.unsure);
  assert_int_equal(agent->confirmed.preferred.until_ms, NOW + 3);
  assert_int_equal(agent->confirmed.preferred_for_ms, NOW + 7);
  assert_int_equal(agent->confirmed.preferred_tried, 1u << PREFERRED_AWAY);
  assert_int_equal(agent->confirmed.message.hash, 99);
  assert_int_equal(store_gate(store, "app"), NOW + 5);
  assert_int_equal(store_gate(store, "other"), 0);
  store_close(store);
}

static void test_nothing_without_commit(void **state UNUSED)
{
  struct store *store = reopen(NULL, accounts, 2);
  store_name_new(store, store_agent_new(store, 0), "ben@contoso.com");
  assert_int_equal(store_event_id(store, "u", "1", 7, NOW), STORE_ID_NEW);
  store_close(store); /* as a crash would */
  store = reopen(NULL, accounts, 2);
  assert_int_equal(store_agent_count(store), 0);
  assert_int_equal(store_event_id(store, "u", "1", 7, NOW), STORE_ID_NEW);
  store_close(store);
}

static void test_event_ids(void **state UNUSED)
{
  struct store *store = reopen(NULL, accounts, 2);
  assert_int_equal(store_event_id(store, "Voice", "1", 7, NOW), STORE_ID_NEW);
  assert_int_equal(store_event_id(store, "voice", "1", 7, NOW), STORE_ID_DUPLICATE); /* in the same turn */
  assert_int_equal(store_event_id(store, "chat", "1", 7, NOW), STORE_ID_NEW);
  store = reopen(store, accounts, 2);
  assert_int_equal(store_event_id(store, "voice", "1", 7, NOW + CLOCK_DAY - 1), STORE_ID_DUPLICATE);
  assert_int_equal(store_event_id(store, "voice", "1", 8, NOW), STORE_ID_REUSED);
  assert_int_equal(store_event_id(store, "chat", "1", 7, NOW + CLOCK_DAY), STORE_ID_NEW);
  store_close(store);
}

static void test_other_accounts_stay(void **state UNUSED)
{
  struct store *store = reopen(NULL, accounts, 2);
  store_name_new(store, store_agent_new(store, 0), "a@contoso.com");
  store_name_new(store, store_agent_new(store, 1), "b@fabrikam.com");
  struct agent *nobody = store_agent_new(store, AGENT_NO_ACCOUNT);
  store_name_new(store, nobody, "c@nowhere.example");
  store = reopen(store, &accounts[1], 1); /* contoso.com is no longer configured */
  assert_int_equal(store_agent_count(store), 2);
  assert_non_null(store_name_find(store, 0, "b@fabrikam.com"));
  /* A new agent does not take a row that is not loaded. */
  store_name_new(store, store_agent_new(store, 0), "d@fabrikam.com");
  nobody = store_name_find(store, AGENT_NO_ACCOUNT, "c@nowhere.example")->agent;
  store_agent_set_account(store, nobody, 0);
  store_touch(store, nobody);
  store = reopen(store, accounts, 2);
  assert_int_equal(store_agent_count(store), 4);
  assert_non_null(store_name_find(store, 0, "a@contoso.com"));
  assert_non_null(store_name_find(store, 1, "c@nowhere.example"));
  assert_null(store_name_find(store, AGENT_NO_ACCOUNT, "c@nowhere.example"));
  store_close(store);
}

/* Accounts change places, come and go; what belongs to one that comes is loaded, and once only. */
static void test_accounts_change(void **state UNUSED)
{
  struct store *store = reopen(NULL, accounts, 2);
  struct agent *a = store_agent_new(store, 0), *b = store_agent_new(store, 1);
  store_name_new(store, a, "a@contoso.com");
  store_name_new(store, a, "a2@contoso.com");
  store_agent_set_id(store, a, ID_A);
  store_name_new(store, b, "b@fabrikam.com");
  store = reopen(store, &accounts[1], 1); /* contoso.com's are in the file alone */
  b = store_name_find(store, 0, "b@fabrikam.com")->agent;
  store_set_accounts(store, accounts, 2);
  assert_int_equal(b->account, 1);
  a = store_name_find(store, 0, "a@contoso.com")->agent;
  assert_ptr_equal(store_agent_by_id(store, 0, ID_A), a);
  assert_int_equal(store_agent_count(store), 2);
  /* Not written yet: in the file it still stands under the account that goes, and comes back at once. */
  store_agent_set_account(store, a, 1);
  store_set_accounts(store, &accounts[1], 1);
  store_set_accounts(store, accounts, 2);
  assert_int_equal(store_agent_count(store), 2);
  assert_ptr_equal(store_name_find(store, 1, "a2@contoso.com")->agent, a);
  /* One of its names goes to the other account, and one goes. */
  struct agent *other = store_agent_new(store, 0);
  store_name_move(store, store_name_find(store, 1, "a@contoso.com"), other);
  store_name_new(store, a, "a3@contoso.com");
  store_name_remove(store, store_name_find(store, 1, "a2@contoso.com"));
  store = reopen(store, accounts, 2);
  assert_int_equal(store_agent_count(store), 3);
  assert_ptr_equal(store_name_find(store, 1, "a3@contoso.com")->agent, store_agent_by_id(store, 1, ID_A));
  assert_null(store_name_find(store, 1, "a2@contoso.com"));
  assert_null(store_name_find(store, 1, "a@contoso.com"));
  assert_non_null(store_name_find(store, 0, "a@contoso.com"));
  store_close(store);
}

static void test_moves(void **state UNUSED)
{
  struct store *store = reopen(NULL, accounts, 2);
  struct agent *from = store_agent_new(store, 0), *to = store_agent_new(store, 0);
  store_agent_set_id(store, to, ID_B);
  struct agent_name *name = store_name_new(store, from, "x@contoso.com");
  struct contribution *c = store_contribution_new(store, from, "voice");
  store = reopen(store, accounts, 2);
  to = store_agent_by_id(store, 0, ID_B);
  name = store_name_find(store, 0, "x@contoso.com");
  from = name->agent;
  c = agent_contribution(from, "voice");
  store_contribution_move(store, c, from, to);
  store_name_move(store, name, to);
  store_agent_remove(store, from);
  store = reopen(store, accounts, 2);
  assert_int_equal(store_agent_count(store), 1);
  to = store_agent_by_id(store, 0, ID_B);
  assert_ptr_equal(store_name_find(store, 0, "x@contoso.com")->agent, to);
  assert_non_null(agent_contribution(to, "voice"));
  store_close(store);
}

/* Whoever goes before the commit is not written with it, and the others are. */
/* As a UCC is spelt makes no difference, in the file neither. */
static void test_silent_in_any_case(void **state UNUSED)
{
  static const char *const spelt[] = {"Voice", "voice"}, *const names[] = {"a@contoso.com", "b@contoso.com"};
  struct store *store = reopen(NULL, accounts, 2);
  for (int i = 0; i < 2; i++) {
    struct agent *agent = store_agent_new(store, 0);
    (void)store_name_new(store, agent, names[i]);
    contribution_record(store_contribution_new(store, agent, spelt[i]), "Ready", "", NOW);
  }
  store_silence_uccs(store);
  for (int times = 0; times < 2; times++) {
    store = reopen(store, accounts, 2);
    for (int i = 0; i < 2; i++)
      assert_int_equal(store_name_find(store, 0, names[i])->agent->contributions->silent, times == 0);
    assert_int_equal(store_hear_ucc(store, "VOICE"), times == 0);
  }
  store_close(store);
}

static void test_gone_before_the_commit(void **state UNUSED)
{
  struct store *store = reopen(NULL, accounts, 2);
  struct agent *first = store_agent_new(store, 0), *gone = store_agent_new(store, 0), *last = store_agent_new(store, 0);
  store_name_new(store, first, "a@contoso.com");
  store_name_new(store, last, "b@contoso.com");
  store_agent_set_id(store, gone, ID_A);
  store_agent_remove(store, gone);
  assert_null(store_agent_by_id(store, 0, ID_A));
  store_agent_set_id(store, last, ID_A);
  store = reopen(store, accounts, 2);
  assert_int_equal(store_agent_count(store), 2);
  assert_non_null(store_name_find(store, 0, "a@contoso.com"));
  last = store_agent_by_id(store, 0, ID_A);
  assert_ptr_equal(store_name_find(store, 0, "b@contoso.com")->agent, last);
  store_agent_set_id(store, last, ID_B); /* found by the new one alone */
  assert_null(store_agent_by_id(store, 0, ID_A));
  assert_ptr_equal(store_agent_by_id(store, 0, ID_B), last);
  store_close(store);
}

static void test_second_instance(void **state UNUSED)
{
  struct err err = ERR_INIT;
  struct store *store = reopen(NULL, accounts, 2);
  assert_null(store_open(path, accounts, 2, &err));
  assert_int_equal(err.kind, ERR_STORE);
  assert_non_null(strstr(err.text, "another presenced uses this state file"));
  store_close(store);
}

static void write_file(const char *text)
{
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  for (int i = 0; i < 200; i++)
    fputs(text, file);
  assert_int_equal(fclose(file), 0);
}

static void test_bad_files(void **state UNUSED)
{
  struct err err = ERR_INIT;
  write_file("this is no database at all, but it is long enough to be looked at\n");
  assert_null(store_open(path, accounts, 2, &err));
  assert_non_null(strstr(err.text, "no state file"));
  assert_int_equal(unlink(path), 0);
  assert_null(store_open("/nonexistent/folder/state.db", accounts, 2, &err));
  assert_non_null(strstr(err.text, "/nonexistent/folder/state.db: No such file or directory; make its folder"));

  struct db *db = db_open(path, &err);
  assert_non_null(db);
  assert_true(db_exec(db, "PRAGMA user_version=1000", &err));
  db_close(db);
  assert_null(store_open(path, accounts, 2, &err));
  assert_non_null(strstr(err.text, "newer presenced"));
}

static void test_private(void **state UNUSED)
{
  struct stat stat_of;
  store_close(reopen(NULL, accounts, 2));
  assert_int_equal(stat(path, &stat_of), 0);
  assert_int_equal(stat_of.st_mode & 0777, 0600);
}

/* ---- the decision log */

static void log_decision(struct store *store, const char *agent, int64_t decided_ms)
{
  static const struct decision decision = {
      .kind = DECISION_KEEP,
      .session = SESSION_AWAY,
      .preferred = PREFERRED_BUSY,
      .hold_ms = 5,
      .delay_ms = 6,
      .after = {SESSION_AVAILABLE, PREFERRED_AWAY, 8},
      .message = "m",
      .rule = "r",
      .place = "p:1",
      .generation = 7};
  struct store_decision row = {
      .decided_ms = decided_ms,
      .again = true,
      .agent = agent,
      .ucc = "Voice",
      .state = "NotReady",
      .reason = "LUNCH",
      .attributes = "{\"team\":\"B\"}",
      .at_ms = NOW - 2,
      .since_ms = NOW - 3,
      .decision = &decision};
  store_log_decision(store, &row);
}

static struct found {
  size_t count, most;
  int64_t last;
} found;

static bool count_row(void *context UNUSED, const struct store_decision *row)
{
  assert_true(row->key > found.last);
  found.last = row->key;
  return ++found.count < found.most;
}

static size_t count_rows(struct store *store, int64_t after, size_t most)
{
  struct err err = ERR_INIT;
  found = (struct found){.most = most, .last = after};
  if (!store_read_decisions(store, after, count_row, NULL, &err))
    fail_msg("%s", err.text);
  return found.count;
}

static bool expect_row(void *context, const struct store_decision *row)
{
  assert_string_equal(row->agent, context);
  assert_string_equal(row->ucc, "Voice");
  assert_string_equal(row->state, "NotReady");
  assert_string_equal(row->reason, "LUNCH");
  assert_string_equal(row->attributes, "{\"team\":\"B\"}");
  assert_string_equal(row->decision->message, "m");
  assert_string_equal(row->decision->rule, "r");
  assert_string_equal(row->decision->place, "p:1");
  assert_int_equal(row->decided_ms, NOW);
  assert_int_equal(row->at_ms, NOW - 2);
  assert_int_equal(row->since_ms, NOW - 3);
  assert_int_equal(row->decision->kind, DECISION_KEEP);
  assert_int_equal(row->decision->session, SESSION_AWAY);
  assert_int_equal(row->decision->preferred, PREFERRED_BUSY);
  assert_int_equal(row->decision->hold_ms, 5);
  assert_int_equal(row->decision->delay_ms, 6);
  assert_int_equal(row->decision->after.session, SESSION_AVAILABLE);
  assert_int_equal(row->decision->after.preferred, PREFERRED_AWAY);
  assert_int_equal(row->decision->after.hold_ms, 8);
  assert_int_equal(row->decision->generation, 7);
  assert_true(row->again);
  return true;
}

static void test_decisions_are_logged(void **state UNUSED)
{
  static char name[] = "anna@contoso.com";
  struct err err = ERR_INIT;
  struct store *store = reopen(NULL, accounts, 2);
  log_decision(store, name, NOW);
  assert_int_equal(count_rows(store, 0, 10), 0); /* it is off */
  store_keep_decisions(store, CLOCK_DAY);
  log_decision(store, name, NOW);
  store = reopen(store, accounts, 2);
  assert_true(store_read_decisions(store, 0, expect_row, name, &err));
  assert_int_equal(count_rows(store, 0, 10), 1);
  store_keep_decisions(store, CLOCK_DAY);
  for (int i = 0; i < 9; i++)
    log_decision(store, name, NOW);
  assert_int_equal(count_rows(store, 0, 4), 4);
  assert_int_equal(count_rows(store, found.last, 10), 6);
  assert_int_equal(count_rows(store, found.last, 10), 0);
  store_close(store); /* what was not committed is not there */
  store = reopen(NULL, accounts, 2);
  assert_int_equal(count_rows(store, 0, 10), 1);
  store_close(store);
}

static void commit_at(struct store *store, int64_t now)
{
  struct err err = ERR_INIT;
  store_set_alive(store, now);
  assert_true(commit(store, now, &err));
}

/* The oldest go with the commits, a slice each; nothing is done in between. */
static void test_old_decisions_go(void **state UNUSED)
{
  struct store *store = reopen(NULL, accounts, 2);
  store_keep_decisions(store, CLOCK_DAY);
  for (int i = 0; i < 2 * STORE_FORGET_AT_ONCE + 200; i++)
    log_decision(store, "old", NOW);
  log_decision(store, "new", NOW + CLOCK_HOUR);
  commit_at(store, NOW + CLOCK_HOUR);
  assert_int_equal(count_rows(store, 0, 10000), 2 * STORE_FORGET_AT_ONCE + 201);
  int64_t later = NOW + CLOCK_DAY + CLOCK_MINUTE;
  static const size_t left[] = {STORE_FORGET_AT_ONCE + 201, 201, 1, 1};
  for (size_t i = 0; i < COUNT_OF(left); i++) {
    commit_at(store, later);
    assert_int_equal(count_rows(store, 0, 10000), left[i]);
  }
  store_keep_decisions(store, 0); /* switched off: nothing stays */
  commit_at(store, later + CLOCK_MINUTE);
  assert_int_equal(count_rows(store, 0, 10000), 0);
  store_close(store);
}

/* A file as an older version left it, with those rows. */
static void make_old(int version, const char *rows)
{
  struct err err = ERR_INIT;
  char set[64];
  struct db *db = db_open(path, &err);
  assert_non_null(db);
  for (int i = 0; i < version; i++)
    assert_true(db_exec(db, store_schema[i], &err));
  snprintf(set, sizeof set, "PRAGMA user_version=%d", version);
  assert_true(db_exec(db, set, &err) && db_exec(db, rows, &err));
  db_close(db);
}

static void note_stranger(void *context, const char *account, size_t agents, int64_t until_ms)
{
  char *text = context;
  size_t length = strlen(text);
  snprintf(text + length, 200 - length, "%s %zu until %lld;", account, agents, (long long)(until_ms - NOW));
}

/* Whose app registration it was, and what shows something for accounts that are not there any more. */
static void test_registrations(void **state UNUSED)
{
  char app[8] = "", seen[200] = "";
  struct store *store = reopen(NULL, accounts, 2);
  assert_false(store_registration(store, "contoso.com", app, sizeof app));
  store_set_registration(store, "contoso.com", "one");
  store_set_registration(store, "contoso.com", "two");
  struct agent *shows = store_agent_new(store, 1), *ended = store_agent_new(store, 1),
               *unsure = store_agent_new(store, 1);
  shows->confirmed.preferred = (struct slot){PREFERRED_BUSY, false, NOW, NOW + 3};
  ended->confirmed.session = (struct slot){SESSION_AWAY, false, NOW - 9, NOW};
  unsure->confirmed.message = (struct message_slot){0, true, NOW + 7};
  ended->left_choice = AVAILABILITY_DO_NOT_DISTURB;
  store = reopen(store, accounts, 2);
  assert_true(store_registration(store, "contoso.com", app, sizeof app));
  assert_string_equal(app, "two");
  store_visit_strangers(store, NOW, note_stranger, seen);
  assert_string_equal(seen, "");
  int choices = 0;
  struct store_walk walk;
  store_walk_begin(store, &walk);
  for (const struct agent *agent; (agent = store_walk_next(&walk)) != NULL;)
    choices += agent->left_choice == AVAILABILITY_DO_NOT_DISTURB;
  assert_int_equal(choices, 1);
  store = reopen(store, accounts, 1);
  store_visit_strangers(store, NOW, note_stranger, seen);
  assert_string_equal(seen, "fabrikam.com 2 until 7;");
  seen[0] = '\0';
  store_visit_strangers(store, NOW + 7, note_stranger, seen);
  assert_string_equal(seen, "");
  store_close(store);
}

/* Of what an older version had sent, nobody knows whether it was answered. */
static void test_a_file_without_under_way(void **state UNUSED)
{
  make_old(6, "INSERT INTO budgets VALUES('app', 5, 1767614400000)");
  size_t under_way = 99;
  int64_t at_ms = 0;
  struct store *store = reopen(NULL, accounts, 2);
  assert_int_equal(store_budget(store, "app", &under_way, &at_ms), 5);
  assert_int_equal(under_way, 5);
  assert_int_equal(at_ms, NOW);
  store_set_budget(store, "app", 7, 2, NOW + 1);
  store = reopen(store, accounts, 2);
  assert_int_equal(store_budget(store, "other", &under_way, &at_ms), 0);
  assert_int_equal(store_budget(store, "app", &under_way, &at_ms), 7);
  assert_int_equal(under_way, 2);
  assert_int_equal(at_ms, NOW + 1);
  store_close(store);
}

static void test_a_file_without_the_log(void **state UNUSED)
{
  make_old(4, "INSERT INTO gates VALUES('app', 1767614400005)");
  struct store *store = reopen(NULL, accounts, 2);
  assert_int_equal(store_gate(store, "app"), NOW + 5);
  store_keep_decisions(store, CLOCK_DAY);
  log_decision(store, "a", NOW);
  assert_int_equal(count_rows(store, 0, 10), 1);
  store_close(store);
}

/* A file that somebody's hand has changed is refused; what can be read is not half believed. */
static void expect_damaged(const char *change)
{
  static const char rows[] =
      "INSERT INTO agents(key, account, id, session, session_unsure, session_set, session_until, preferred,"
      " preferred_unsure, preferred_set, preferred_until, message_hash, message_unsure, message_until)"
      " VALUES(7,'contoso.com','" ID_A "','none',0,0,0,'none',0,0,0,0,0,0);"
      "INSERT INTO names VALUES('contoso.com','anna@contoso.com',7,'',0,0,0);"
      "INSERT INTO contributions(agent, ucc, name, state, reason, attributes, at, since, recheck)"
      " VALUES(7,'a','anna@contoso.com','Ready','','{}',1,1,1);"
      "INSERT INTO delays VALUES(7,'a',9,'clear','none','none',0,0,'none','none',0,'','','',0);";
  struct err err = ERR_INIT;
  make_old(6, rows);
  store_close(reopen(NULL, accounts, 2)); /* as it is, it is fine */
  struct db *db = db_open(path, &err);
  assert_non_null(db);
  assert_true(db_exec(db, "PRAGMA foreign_keys=OFF", &err) && db_exec(db, change, &err));
  db_close(db);
  assert_null(store_open(path, accounts, 2, &err));
  assert_int_equal(err.kind, ERR_STORE);
  assert_non_null(strstr(err.text, "state.db: the state file is damaged; move it away"));
  assert_int_equal(unlink(path), 0);
}

static void test_damaged_rows(void **state UNUSED)
{
  static const char *const changes[] = {
      "DELETE FROM contributions", "DELETE FROM agents", "UPDATE names SET agent = 8",
      "UPDATE agents SET id = id || 'x'",
      "UPDATE agents SET account = 'elsewhere', id = id || 'x'", /* not loaded now, but later */
      "UPDATE names SET name = printf('%.*c', 321, 'x')", "UPDATE contributions SET key = -1",
      "UPDATE contributions SET key = 4294967295",
      /* a table that has lost its foreign key */
      "CREATE TABLE other AS SELECT * FROM delays; DROP TABLE delays; ALTER TABLE other RENAME TO delays;"
      "CREATE UNIQUE INDEX delays_key ON delays(agent, ucc); UPDATE delays SET ucc = 'b'"};
  for (size_t i = 0; i < COUNT_OF(changes); i++)
    expect_damaged(changes[i]);
}

/* What stands, and what waits for its delay, was in a table of its own. */
static void test_a_file_with_stands(void **state UNUSED)
{
  make_old(
      5,
      "INSERT INTO agents VALUES(7,'contoso.com','" ID_A "','session.in_a_call',0,11,12,'none',0,0,0,0,0,0,0,0);"
      "INSERT INTO names VALUES('contoso.com','anna@contoso.com',7,'" ID_A "',5,0,0);"
      "INSERT INTO contributions VALUES(7,'a','anna@contoso.com','Talking','VIP','{\"team\":\"B\"}',21,22,23);"
      "INSERT INTO contributions VALUES(7,'b','anna@contoso.com','Ready','','{}',31,32,33);"
      "INSERT INTO stands VALUES(7,'a',0,0,'show','session.in_a_call','preferred.busy',41,42,'none','preferred.away',"
      "43,'hello','states.Talking','r.lua:3',9);"
      "INSERT INTO stands VALUES(7,'a',1,51,'never','none','none',52,53,'none','none',54,'m','r','p',10);"
      "INSERT INTO stands VALUES(7,'b',0,0,'show','session.available','none',61,62,'none','none',63,'','q','',9)");
  struct store *store = reopen(NULL, accounts, 2);
  struct agent *agent = store_agent_by_id(store, 0, ID_A);
  store_touch(store, agent);
  store_touch_contribution(store, agent, agent_contribution(agent, "a"));
  store = reopen(store, accounts, 2); /* as it was read, and as it was written */
  agent = store_agent_by_id(store, 0, ID_A);
  assert_non_null(agent);
  assert_int_equal(agent->confirmed.session.until_ms, 12);
  const struct contribution *a = agent_contribution(agent, "a"), *b = agent_contribution(agent, "b");
  assert_non_null(a);
  assert_non_null(b);
  assert_string_equal(a->attributes, "{\"team\":\"B\"}");
  assert_int_equal(a->stand.answer->preferred, PREFERRED_BUSY);
  assert_int_equal(a->stand.from_ms, 41);
  assert_int_equal(a->stand.answer->after.hold_ms, 43);
  assert_string_equal(answer_place(a->stand.answer), "r.lua:3");
  assert_int_equal(a->pending_ms, 51);
  assert_int_equal(a->pending.answer->kind, DECISION_NEVER);
  assert_int_equal(a->pending.answer->generation, 10);
  assert_string_equal(answer_rule(b->stand.answer), "q");
  assert_int_equal(b->stand.answer->hold_ms, 62);
  assert_int_equal(b->pending_ms, CLOCK_NEVER);
  store_close(store);
}

/* What is tried must leave everything as it is, and first of all what a start has not looked at yet. */
static void test_trying_changes_nothing(void **state UNUSED)
{
  struct err err = ERR_INIT;
  struct store *store = reopen(NULL, accounts, 2);
  store_keep_decisions(store, CLOCK_DAY);
  log_decision(store, "a", NOW);
  store_set_alive(store, NOW);
  store = reopen(store, accounts, 2);
  assert_true(store_try_write(store, &err));
  assert_int_equal(store_alive(store), NOW);
  assert_int_equal(count_rows(store, 0, 10), 1);
  store_close(store);
}

/* A commit into a file without a name would be a promise that nobody keeps. */
static void test_moved_away(void **state UNUSED)
{
  struct store *store = reopen(NULL, accounts, 2);
  struct err err = ERR_INIT, again = ERR_INIT;
  store_agent_new(store, 0);
  assert_true(commit(store, NOW, &err));
  assert_int_equal(unlink(path), 0);
  store_agent_new(store, 0);
  assert_false(commit(store, NOW, &err));
  assert_int_equal(err.kind, ERR_STORE);
  assert_non_null(strstr(err.text, "state.db: moved or deleted while it was in use; a new state file is begun"));
  assert_false(store_try_write(store, &again));
  assert_string_equal(again.text, err.text);
  store_close(store);
  store = reopen(NULL, accounts, 2);
  assert_int_equal(store_agent_count(store), 0);
  assert_true(store_try_write(store, &err));
  store_close(store);
}

static int set_up(void **state UNUSED)
{
  snprintf(folder, sizeof folder, "/tmp/test_store.XXXXXX");
  if (mkdtemp(folder) == NULL)
    return 1;
  snprintf(path, sizeof path, "%s/state.db", folder);
  return 0;
}

static int tear_down(void **state UNUSED)
{
  static const char *const suffixes[] = {"", "-wal", "-shm"};
  for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
    char file[128];
    snprintf(file, sizeof file, "%s%s", path, suffixes[i]);
    (void)unlink(file);
  }
  return rmdir(folder);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      TEST(test_everything_comes_back),
      TEST(test_nothing_without_commit),
      TEST(test_event_ids),
      TEST(test_other_accounts_stay),
      TEST(test_accounts_change),
      TEST(test_moves),
      TEST(test_silent_in_any_case),
      TEST(test_gone_before_the_commit),
      TEST(test_second_instance),
      TEST(test_bad_files),
      TEST(test_private),
      TEST(test_decisions_are_logged),
      TEST(test_old_decisions_go),
      TEST(test_a_file_without_the_log),
      TEST(test_registrations),
      TEST(test_a_file_without_under_way),
      TEST(test_a_file_with_stands),
      TEST(test_damaged_rows),
      TEST(test_trying_changes_nothing),
      TEST(test_moved_away)};
  return cases_run(argc, argv, tests, NULL, NULL);
}
