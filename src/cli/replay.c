/* replay: what another ruleset would have said of a recorded day, or of what the daemon has decided and logged. Every
 * decision that differs, grouped by rule, with counts and an example. A recording needs no configuration; nothing is
 * sent. */
#include "adapters/json.h"
#include "base/clock.h"
#include "base/str.h"
#include "cli/cli.h"
#include "client/client.h"
#include "daemon/lines.h"
#include "host/site.h"
#include "intake/intake.h"
#include "model/agent.h"
#include "service/service.h"
#include "store/store.h"

#include <search.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { STATES_MAX = 64, GROUP_SIZE = 512, ANSWER_MAX = 64 * 1024 * 1024 };

struct group {
  char what[GROUP_SIZE]; /* "reasons.LUNCH -> rule "vip": preferred.be_right_back -> preferred.busy" */
  size_t count;
  char example[GROUP_SIZE]; /* of its first decision */
};

struct person {
  char *name;
  struct agent agent; /* only its contributions: who is in which state since when */
};

struct replay {
  struct cli *cli;
  struct json *json;
  struct loop *loop;
  struct ruleset *old, *new; /* old NULL: what was decided then is in the log */
  struct event *event;       /* of a row of the log */
  void *people;              /* tree of tsearch() */
  struct group *groups;
  size_t group_count;
  size_t events, stale, bad, differ, troubles;
  struct decision decisions[2];
  struct err err;
};

static int by_name(const void *a, const void *b)
{
  return strcmp(((const struct person *)a)->name, ((const struct person *)b)->name);
}

static struct person *person_of(struct replay *replay, const char *name)
{
  struct person key = {.name = (char *)name};
  struct person **found = tfind(&key, &replay->people, by_name);
  if (found != NULL)
    return *found;
  struct person *person = must_alloc(sizeof *person);
  person->name = must_strdup(name);
  must(tsearch(person, &replay->people, by_name) != NULL);
  return person;
}

static void person_free(void *record)
{
  struct person *person = record;
  while (person->agent.contributions != NULL) {
    struct contribution *first = person->agent.contributions;
    agent_take(&person->agent, first);
    contribution_free(first);
  }
  free(person->name);
  free(person);
}

static int more_first(const void *a, const void *b)
{
  const struct group *left = a, *right = b;
  return left->count != right->count ? (left->count < right->count ? 1 : -1) : strcmp(left->what, right->what);
}

static void count_difference(struct replay *replay, const struct event *event)
{
  const struct decision *old = &replay->decisions[0], *new = &replay->decisions[1];
  char what[GROUP_SIZE], at[CLOCK_TEXT_SIZE], before[DECISION_BRIEF_SIZE], after[DECISION_BRIEF_SIZE];
  snprintf(
      what, sizeof what, "%.150s -> %.150s: %s -> %s", old->rule, new->rule,
      decision_brief(old->kind, old->session, old->preferred, old->hold_ms, before),
      decision_brief(new->kind, new->session, new->preferred, new->hold_ms, after));
  replay->differ++;
  for (size_t i = 0; i < replay->group_count; i++)
    if (strcmp(replay->groups[i].what, what) == 0) {
      replay->groups[i].count++;
      return;
    }
  replay->groups = must_realloc(replay->groups, (replay->group_count + 1) * sizeof *replay->groups);
  struct group *group = &replay->groups[replay->group_count++];
  *group = (struct group){.count = 1};
  must(str_copy(group->what, sizeof group->what, what));
  snprintf(
      group->example, sizeof group->example, "%s %.100s %.80s%s%.80s (%.80s)", clock_rfc3339(event->at_ms, at),
      event->agent, event->state, *event->reason == '\0' ? "" : " ", event->reason, event->ucc);
}

static bool decide(
    struct replay *replay, struct ruleset *ruleset, const struct event *event, int64_t since_ms,
    const struct rules_agent *seen, struct decision *decision)
{
  struct err trouble = ERR_INIT;
  bool ok = ruleset_decide(ruleset, event, since_ms, event->at_ms, seen, decision, &trouble);
  if (trouble.kind != ERR_NONE && replay->troubles++ == 0)
    fprintf(stderr, "presenced: %s\n", trouble.text);
  return ok;
}

/* since_ms 0: it follows from the events. */
static void take(struct replay *replay, const struct event *event, int64_t since_ms)
{
  struct agent *agent = &person_of(replay, event->agent)->agent;
  struct contribution *contribution = agent_contribution(agent, event->ucc);
  replay->events++;
  if (contribution != NULL && event->at_ms < contribution->at_ms) {
    replay->stale++;
    return;
  }
  if (contribution == NULL) {
    contribution = contribution_new(event->ucc);
    agent_add(agent, contribution);
  }
  contribution_record(contribution, event->state, event->reason, event->at_ms);
  if (since_ms != 0)
    contribution->since_ms = since_ms;
  struct rules_agent_state states[STATES_MAX];
  struct rules_agent seen = {.upn = event->agent, .states = states};
  for (const struct contribution *c = agent->contributions; c != NULL && seen.state_count < STATES_MAX; c = c->next)
    states[seen.state_count++] = (struct rules_agent_state){c->ucc, c->state};
  if ((replay->old == NULL ||
       decide(replay, replay->old, event, contribution->since_ms, &seen, &replay->decisions[0])) &&
      decide(replay, replay->new, event, contribution->since_ms, &seen, &replay->decisions[1]) &&
      !decision_equal(&replay->decisions[0], &replay->decisions[1]))
    count_difference(replay, event);
}

static void on_event(void *context, const struct event *event, bool recording UNUSED)
{
  take(context, event, 0);
}

static void on_bad_line(void *context, const struct err *err)
{
  struct replay *replay = context;
  replay->bad++;
  fprintf(stderr, "presenced: %s; the line is skipped\n", err->text);
}

static void on_end(void *context, const struct err *err)
{
  struct replay *replay = context;
  replay->err = *err;
  loop_stop(replay->loop);
}

static void print_json(const struct replay *replay)
{
  struct values values = {0};
  struct value *answer = value_map(&values), *list = value_list(&values);
  value_set(&values, answer, "events", value_number(&values, (double)replay->events));
  value_set(&values, answer, "stale", value_number(&values, (double)replay->stale));
  value_set(&values, answer, "bad_lines", value_number(&values, (double)replay->bad));
  value_set(&values, answer, "rule_errors", value_number(&values, (double)replay->troubles));
  value_set(&values, answer, "differ", value_number(&values, (double)replay->differ));
  for (size_t i = 0; i < replay->group_count; i++) {
    struct value *group = value_map(&values);
    value_set(&values, group, "what", value_string(&values, replay->groups[i].what));
    value_set(&values, group, "count", value_number(&values, (double)replay->groups[i].count));
    value_set(&values, group, "example", value_string(&values, replay->groups[i].example));
    value_add(&values, list, group);
  }
  value_set(&values, answer, "differences", list);
  struct buf text;
  buf_init(&text, ANSWER_MAX);
  json_write_pretty(&text, answer);
  printf("%s\n", buf_text(&text));
  buf_release(&text);
  values_release(&values);
}

static void print(const struct replay *replay)
{
  printf(
      "%zu events, %zu decisions differ (%zu late events, %zu lines that are no events, %zu rule errors)\n",
      replay->events, replay->differ, replay->stale, replay->bad, replay->troubles);
  for (size_t i = 0; i < replay->group_count; i++)
    printf("%7zu  %s\n         e.g. %s\n", replay->groups[i].count, replay->groups[i].what, replay->groups[i].example);
}

static bool load(struct replay *replay, bool with_old, const char *old, const char *new, struct err *err)
{
  struct rules_limits limits = site_default_rules_limits();
  replay->event = must_alloc(sizeof *replay->event);
  if (with_old && (replay->old = ruleset_load(old, &limits, 1, err)) == NULL)
    return false;
  replay->new = ruleset_load(new, &limits, 2, err);
  replay->json = replay->new == NULL ? NULL : json_new(err);
  replay->loop = replay->json == NULL ? NULL : loop_new(err);
  return replay->loop != NULL;
}

static void on_turn(void *context)
{
  source_saved(context); /* nothing of it ever comes again */
}

static bool play(struct replay *replay, const char *events, struct err *err)
{
  struct lines_options options = {.path = events};
  struct source_sink sink = {replay, on_event, on_bad_line, on_end};
  struct source *source = lines_source_open(replay->loop, replay->json, &options, &sink, err);
  if (source == NULL)
    return false;
  loop_run(replay->loop, on_turn, source);
  source_close(source);
  *err = replay->err;
  return err->kind == ERR_NONE;
}

/* ---- the daemon's log */

static enum presence read_presence(const struct value *view, const char *key)
{
  enum presence presence;
  return presence_parse(value_get_text(view, key, ""), &presence) ? presence : PRESENCE_NONE; /* else it is "none" */
}

static struct decision read_decision(const struct value *view)
{
  struct decision decision = {
      .session = read_presence(view, "session"),
      .preferred = read_presence(view, "preferred"),
      .hold_ms = (int64_t)value_get_number(view, "hold_ms", 0),
      .delay_ms = (int64_t)value_get_number(view, "delay_ms", 0),
      .after =
          {read_presence(view, "after_session"), read_presence(view, "after_preferred"),
           (int64_t)value_get_number(view, "after_hold_ms", 0)},
      .recheck_ms = CLOCK_NEVER};
  if (!decision_kind_parse(value_get_text(view, "kind", ""), &decision.kind))
    decision.kind = DECISION_CLEAR; /* we have written it, so this is of a file that somebody has edited */
  str_cut(decision.message, sizeof decision.message, value_get_text(view, "message", ""));
  str_cut(decision.rule, sizeof decision.rule, value_get_text(view, "rule", ""));
  return decision;
}

/* Decisions that time or a reload has changed are left out: there is one about each event. */
static void take_row(struct replay *replay, const struct value *row)
{
  struct err err = ERR_INIT;
  int64_t since_ms = 0;
  if (value_get_bool(row, "again", false))
    return;
  if (!intake_read(value_get(row, "event"), 0, replay->event, &err) ||
      !clock_parse_rfc3339(value_get_text(row, "since", ""), &since_ms)) {
    err_add(&err, "decision %.0f", value_get_number(row, "key", 0));
    on_bad_line(replay, &err);
    return;
  }
  if (replay->old == NULL)
    replay->decisions[0] = read_decision(value_get(row, "decision"));
  take(replay, replay->event, since_ms);
}

/* From the running daemon, which holds the state file (store NULL), or from the file. *ret_list is in `page`. */
static bool read_page(
    struct replay *replay, struct store *store, int64_t after, struct client_answer *page, struct value **ret_list,
    struct err *err)
{
  if (store != NULL)
    return service_read_decisions(store, replay->json, after, &page->values, ret_list, err);
  char target[64];
  snprintf(target, sizeof target, "/v1/decisions?after=%lld", (long long)after);
  struct client_request request = {"GET", target, NULL};
  bool ok = client_ask(replay->cli->place.config_path, &request, page, err) == CLIENT_DONE;
  *ret_list = ok ? (struct value *)value_get(page->body, "decisions") : NULL;
  return ok;
}

static bool play_rows(struct replay *replay, struct store *store, struct err *err)
{
  int64_t after = 0;
  for (;;) {
    struct client_answer page = {.body = NULL};
    struct value *list = NULL;
    bool ok = read_page(replay, store, after, &page, &list, err);
    size_t count = value_count(list);
    for (size_t i = 0; ok && i < count; i++)
      take_row(replay, value_at(list, i));
    if (count > 0)
      after = (int64_t)value_get_number(value_at(list, count - 1), "key", 0);
    client_answer_release(&page);
    if (!ok)
      return false;
    if (count == 0)
      break;
  }
  return after > 0 || err_set(
                          err, ERR_CONFIG,
                          "the decision log is empty; set DecisionLog=\"7d\" in config.xml and let the "
                          "daemon run, or give --events FILE");
}

static bool play_log(struct replay *replay, struct err *err)
{
  struct site site;
  if (!site_open(&replay->cli->place, SITE_CONFIG, &site, err))
    return false;
  char *socket_path = config_control_path(&site.config);
  struct store *store = NULL;
  bool ok = true;
  if (!client_finds_daemon(socket_path)) {
    if (access(site.config.state, F_OK) != 0) /* opening it would make it */
      ok = err_set(
          err, ERR_CONFIG, "%s: there is no state file yet; let the daemon run, or give --events FILE",
          site.config.state);
    else
      ok = (store = store_open(site.config.state, site.account_ids, site.config.account_count, err)) != NULL;
  }
  ok = ok && play_rows(replay, store, err);
  store_close(store);
  free(socket_path);
  site_close(&site);
  return ok;
}

int cli_replay(struct cli *cli)
{
  const char *events = cli_option(cli, "--events"), *new = cli_option(cli, "--rules");
  const char *old = cli_option(cli, "--against");
  struct replay *replay;
  struct err err = ERR_INIT;
  if (!cli_no_more(cli, 0, 0))
    return EXIT_USAGE;
  if (new == NULL) {
    fprintf(stderr, "presenced: replay: --rules NEW.lua is missing; usage: presenced replay %s\n", cli->usage);
    return EXIT_USAGE;
  }
  replay = must_alloc(sizeof *replay);
  replay->cli = cli;
  int exit_code = EXIT_DONE;
  bool ok = load(replay, events != NULL || old != NULL, old, new, &err) &&
            (events != NULL ? play(replay, events, &err) : play_log(replay, &err));
  if (replay->group_count > 1)
    qsort(replay->groups, replay->group_count, sizeof *replay->groups, more_first);
  if (!ok)
    exit_code = program_fail(&err);
  else if (cli->json)
    print_json(replay);
  else
    print(replay);
  tdestroy(replay->people, person_free);
  ruleset_free(replay->old);
  ruleset_free(replay->new);
  json_free(replay->json);
  loop_free(replay->loop);
  free(replay->groups);
  free(replay->event);
  free(replay);
  return exit_code;
}
