/* eval: what a ruleset makes of one event, and why; the requests that would go out, and what colleagues would see.
 * Needs no configuration and sends nothing. The requests come from the scheduler and the encoder of the daemon itself.
 */
#include "adapters/json.h"
#include "base/clock.h"
#include "base/str.h"
#include "cli/cli.h"
#include "graph/graph.h"
#include "host/site.h"
#include "intake/intake.h"
#include "model/agent.h"
#include "model/effective.h"
#include "rules/rules.h"
#include "sched/sched.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_LEASE_MS CLOCK_HOUR /* without a config.xml */

/* Stand for what only the directory and config.xml know. */
#define SOME_USER "00000000-0000-0000-0000-000000000000"
#define SOME_APP "{ClientId}"

enum { REQUESTS_MAX = 6, ANSWER_MAX = 1024 * 1024, STEPS_SHOWN = 16 };

struct eval {
  struct cli *cli;
  struct ruleset *ruleset;
  struct json *json;
  struct event event;
  struct decision decision;
  struct err trouble;
  bool anchored;        /* what it shows is held by an anchor */
  struct values values; /* of the answer */
  struct value *answer;
};

/* ---- Input ---- */

static bool read_event(struct eval *eval, const char *path, struct err *err)
{
  bool standard_input = strcmp(path, "-") == 0;
  FILE *file = standard_input ? stdin : fopen(path, "re");
  if (file == NULL)
    return err_set(err, ERR_INPUT, "%s: cannot be read: %s; check the path", path, strerror(errno));
  if (standard_input && isatty(STDIN_FILENO) == 1)
    fputs("presenced: eval: type one event as JSON, then Ctrl-D\n", stderr);
  char *bytes = must_alloc(EVENT_MAX_BYTES + 2); /* one more than allowed, for intake to refuse */
  size_t length = fread(bytes, 1, EVENT_MAX_BYTES + 1, file);
  bool ok = ferror(file) == 0;
  if (!ok)
    err_set(err, ERR_INPUT, "cannot be read: %s; name a file", strerror(errno));
  if (!standard_input)
    fclose(file);
  ok = ok && intake_parse(eval->json, bytes, length, clock_now_ms(), &eval->event, err);
  free(bytes);
  if (ok && eval->event.unknown_fields > 0)
    ok = err_set(
        err, ERR_INPUT, "/%s: no field of an event; put what rules should see into \"attributes\"",
        eval->event.unknown_field);
  return ok || err_add(err, "%s", standard_input ? "standard input" : path);
}

/* ---- The answer as a tree, for both ways of printing ---- */

static void put(struct eval *eval, struct value *map, const char *key, const char *text)
{
  value_set(&eval->values, map, key, value_string(&eval->values, text));
}

static void describe_event(struct eval *eval)
{
  char at[CLOCK_TEXT_SIZE];
  const struct event *event = &eval->event;
  struct value *map = value_map(&eval->values);
  put(eval, map, "agent", event->agent);
  put(eval, map, "state", event->state);
  if (*event->reason != '\0')
    put(eval, map, "reason", event->reason);
  put(eval, map, "ucc", event->ucc);
  put(eval, map, "at", clock_rfc3339(event->at_ms, at));
  value_set(&eval->values, eval->answer, "event", map);
}

static void describe_after(struct eval *eval, struct value *decision)
{
  const struct decision_after *after = &eval->decision.after;
  char text[CLOCK_TEXT_SIZE];
  struct value *map = value_map(&eval->values);
  if (after->session != PRESENCE_NONE)
    put(eval, map, "session", presence_str(after->session));
  if (after->preferred != PRESENCE_NONE)
    put(eval, map, "preferred", presence_str(after->preferred));
  put(eval, map, "hold", clock_iso_duration(after->hold_ms, text));
  value_set(&eval->values, decision, "afterwards", map);
}

static void describe_decision(struct eval *eval)
{
  const struct decision *decision = &eval->decision;
  char text[CLOCK_TEXT_SIZE];
  struct value *map = value_map(&eval->values);
  put(eval, map, "kind", decision_kind_str(decision->kind));
  if (decision->session != PRESENCE_NONE)
    put(eval, map, "session", presence_str(decision->session));
  if (decision->preferred != PRESENCE_NONE)
    put(eval, map, "preferred", presence_str(decision->preferred));
  if (decision->kind == DECISION_SHOW) {
    put(eval, map, "hold", clock_iso_duration(decision->hold_ms, text));
    put(eval, map, "until", clock_rfc3339(eval->event.at_ms + decision->hold_ms, text));
    value_set(&eval->values, map, "expires_given", value_bool(&eval->values, decision->expires_given));
  }
  if (decision->delay_ms > 0)
    put(eval, map, "delay", clock_iso_duration(decision->delay_ms, text));
  if (decision->after.hold_ms > 0)
    describe_after(eval, map);
  if (decision->recheck_ms != CLOCK_NEVER)
    put(eval, map, "decided_again", clock_rfc3339(decision->recheck_ms, text));
  if (*decision->message != '\0')
    put(eval, map, "message", decision->message);
  put(eval, map, "rule", decision->rule);
  put(eval, map, "place", decision->place);
  value_set(&eval->values, map, "unmatched", value_bool(&eval->values, decision->unmatched));
  value_set(&eval->values, eval->answer, "decision", map);
  if (eval->trouble.kind != ERR_NONE)
    put(eval, eval->answer, "trouble", eval->trouble.text);
}

static struct graph_operation operation_of(const struct sched_plan *plan)
{
  static const enum graph_operation_kind kinds[] = {
      [STEP_NONE] = GRAPH_TOKEN, /* never encoded */
      [STEP_SET_SESSION] = GRAPH_SET_PRESENCE,
      [STEP_SET_PREFERRED] = GRAPH_SET_PREFERRED,
      [STEP_SET_MESSAGE] = GRAPH_SET_MESSAGE,
      [STEP_CLEAR_MESSAGE] = GRAPH_CLEAR_MESSAGE,
      [STEP_READ_PREFERRED] = GRAPH_GET_PRESENCES, /* never planned: nothing is there yet */
      [STEP_CLEAR_PREFERRED] = GRAPH_CLEAR_PREFERRED,
      [STEP_CLEAR_SESSION] = GRAPH_CLEAR_PRESENCE,
  };
  return (struct graph_operation){
      .kind = kinds[plan->step],
      .user = SOME_USER,
      .presence = plan->presence,
      .duration_ms = plan->duration_ms,
      .message = plan->message,
      .message_until_ms = plan->until_ms,
  };
}

static bool add_request(struct eval *eval, struct value *list, const struct sched_plan *plan, struct err *err)
{
  const struct graph_endpoint endpoint = {
      .authority = "https://login", .graph = "https://graph", .tenant_id = "{TenantId}", .client_id = SOME_APP};
  struct graph_operation operation = operation_of(plan);
  struct graph_request request;
  if (!graph_encode(&endpoint, &operation, &request, err))
    return false;
  char path[256];
  const char *url = buf_text(&request.url), *user = strstr(url, SOME_USER);
  must(user != NULL);
  size_t base = strlen(endpoint.graph);
  snprintf(path, sizeof path, "%.*s{id}%s", (int)(user - url - (ptrdiff_t)base), url + base, user + strlen(SOME_USER));
  struct value *map = value_map(&eval->values), *body = NULL;
  put(eval, map, "method", request.method);
  put(eval, map, "path", path);
  bool ok = json_parse(eval->json, request.body.bytes, request.body.length, &eval->values, &body, err);
  if (ok) {
    value_set(&eval->values, map, "body", body);
    value_add(&eval->values, list, map);
  }
  graph_request_release(&request);
  return ok;
}

/* An agent of whom this event is all that is known. With `clear`, one of whom everything that can be set is set. Free
 * the contribution. */
static struct contribution *make_agent(const struct eval *eval, struct agent *agent, int64_t now)
{
  const struct event *event = &eval->event;
  struct contribution *contribution = contribution_new(event->ucc);
  contribution_record(contribution, event->state, event->reason, event->at_ms);
  contribution_apply(contribution, &eval->decision, now);
  agent_add(agent, contribution);
  if (eval->decision.kind == DECISION_CLEAR || eval->decision.kind == DECISION_NEVER) {
    int64_t until = now + CLOCK_HOUR;
    agent->confirmed.session = (struct slot){.presence = SESSION_AWAY, .set_ms = now, .until_ms = until};
    agent->confirmed.preferred = (struct slot){.presence = PREFERRED_AWAY, .set_ms = now, .until_ms = until};
    agent->confirmed.message = (struct message_slot){.hash = 1, .until_ms = until};
  }
  return contribution;
}

static bool describe_requests(struct eval *eval, struct err *err)
{
  struct value *list = value_list(&eval->values);
  value_set(&eval->values, eval->answer, "requests", list);
  if (eval->decision.kind == DECISION_KEEP)
    return true;
  /* With a delay, what is sent when it is over. */
  int64_t now = eval->event.at_ms + eval->decision.delay_ms;
  struct agent agent = {.anchors = ruleset_anchors(eval->ruleset)};
  struct contribution *contribution = make_agent(eval, &agent, now);
  struct desired desired = agent_desired(&agent, now);
  eval->anchored = desired.anchored;
  const struct sched_policy policy = {.lease_ms = DEFAULT_LEASE_MS};
  bool ok = true, ends = false;
  for (int i = 0; ok && !ends && i < REQUESTS_MAX + 1; i++) {
    struct sched_plan plan = sched_plan(&agent, &desired, now, &policy);
    ends = plan.step == STEP_NONE;
    ok = ends || add_request(eval, list, &plan, err);
    sched_sent(&agent, &plan, now);
    sched_applied(&agent, &plan, now);
  }
  contribution_free(contribution);
  if (ok && !ends)
    err_set(err, ERR_BUG, "eval: the plan does not end after %d requests; please report this", REQUESTS_MAX);
  return ok && ends;
}

static void set_session(struct effective_session *session, enum availability availability, const char *activity)
{
  session->availability = availability;
  str_cut(session->activity, sizeof session->activity, activity);
}

/* "Available", "Busy InAMeeting": what a Teams client shows by itself. NULL text: no client is signed in. */
static bool parse_client(const char *text, struct effective_session *session, struct err *err)
{
  char words[64];
  if (!str_copy(words, sizeof words, text))
    words[0] = '\0';
  str_trim(words);
  char *activity = strpbrk(words, " /");
  if (activity != NULL)
    *activity++ = '\0';
  enum availability availability = availability_parse(words);
  if (availability == AVAILABILITY_UNKNOWN || availability == AVAILABILITY_OTHER)
    return err_set(
        err, ERR_CONFIG, "eval: --teams %.60s is no presence; write one like Available, Busy or \"Busy InAMeeting\"",
        text);
  set_session(session, availability, activity == NULL ? availability_str(availability) : str_trim(activity));
  session->expires_ms = CLOCK_NEVER;
  session->client = true;
  return true;
}

/* An anchor is what colleagues see as any preferred presence. */
static void add_view(struct eval *eval, struct value *list, const char *client, const struct effective_session *teams)
{
  const struct decision *decision = &eval->decision;
  int64_t now = eval->event.at_ms;
  struct effective_session sessions[2];
  struct effective_preferred preferred = {
      eval->anchored ? PREFERRED_AVAILABLE : decision->preferred, now + decision->hold_ms};
  size_t count = 0;
  if (teams != NULL)
    sessions[count++] = *teams;
  if (decision->kind == DECISION_SHOW) {
    bool carrier = eval->anchored || decision->session == PRESENCE_NONE;
    enum presence session = carrier ? SESSION_AWAY : decision->session;
    sessions[count] = (struct effective_session){.set_ms = now, .expires_ms = now + decision->hold_ms};
    set_session(&sessions[count], presence_availability(session), presence_activity_str(session));
    count++;
  }
  struct effective seen = effective_at(sessions, count, &preferred, now);
  struct value *map = value_map(&eval->values);
  put(eval, map, "teams", client);
  put(eval, map, "availability", availability_str(seen.availability));
  put(eval, map, "activity", seen.activity);
  value_add(&eval->values, list, map);
}

static bool describe_view(struct eval *eval, const char *client, struct err *err)
{
  struct value *list = value_list(&eval->values);
  value_set(&eval->values, eval->answer, "colleagues", list);
  struct effective_session teams = {0};
  if (!parse_client(client == NULL ? "Available" : client, &teams, err))
    return false;
  if (eval->decision.kind == DECISION_KEEP)
    return true;
  if (client == NULL)
    add_view(eval, list, "closed", NULL);
  add_view(eval, list, client == NULL ? "Available" : client, &teams);
  return true;
}

/* ---- Printing ---- */

static void print_presences(enum presence session, enum presence preferred)
{
  bool both = session != PRESENCE_NONE && preferred != PRESENCE_NONE;
  printf(
      "%s%s%s", session == PRESENCE_NONE ? "" : presence_str(session), both ? " and " : "",
      preferred == PRESENCE_NONE ? "" : presence_str(preferred));
}

/* What the decision says about time, beside the hold. */
static void print_times(const struct eval *eval)
{
  const struct decision *decision = &eval->decision;
  char text[CLOCK_TEXT_SIZE], at[CLOCK_TEXT_SIZE], clock[RULES_CLOCK_SIZE];
  int64_t now = eval->event.at_ms;
  if (decision->after.hold_ms > 0) {
    printf("           afterwards ");
    print_presences(decision->after.session, decision->after.preferred);
    printf(", at most %s\n", clock_short_duration(decision->after.hold_ms, text));
  }
  if (decision->delay_ms > 0)
    printf(
        "           after a delay of %s (%s), if the agent is still in that state\n",
        clock_short_duration(decision->delay_ms, text), clock_rfc3339(now + decision->delay_ms, at));
  if (decision->recheck_ms != CLOCK_NEVER)
    printf(
        "           is decided again at %s (%s), when a time condition changes\n",
        ruleset_clock(eval->ruleset, decision->recheck_ms, now, clock), clock_rfc3339(decision->recheck_ms, text));
}

static void print_decision(const struct eval *eval)
{
  const struct decision *decision = &eval->decision;
  const char *bold = program_colour("\033[1m"), *plain = program_colour("\033[0m");
  printf("decision   %s", bold);
  if (decision->kind == DECISION_SHOW)
    print_presences(decision->session, decision->preferred);
  else
    printf("%s", decision_kind_str(decision->kind));
  printf("%s by %s (%s)%s\n", plain, decision->rule, decision->place, decision->unmatched ? ", unmatched" : "");
  char hold[CLOCK_TEXT_SIZE], until[CLOCK_TEXT_SIZE];
  if (decision->kind == DECISION_SHOW)
    printf(
        "           until the next event, at most %s (%s), %s\n", clock_short_duration(decision->hold_ms, hold),
        clock_rfc3339(eval->event.at_ms + decision->hold_ms, until), decision->expires_given ? "expires" : "max_hold");
  print_times(eval);
  if (eval->anchored)
    printf("           anchored: held by preferred.available over a session Away, until any contact centre reports "
           "another state\n");
  if (decision->kind == DECISION_NEVER)
    printf("           this person is not published, whatever any contact centre says\n");
  if (*decision->message != '\0')
    printf("           message: %s\n", decision->message);
  if (eval->trouble.kind != ERR_NONE)
    printf("%strouble%s    %s\n", program_colour("\033[31m"), plain, eval->trouble.text);
}

/* Of more steps than fit on a screen, those are shown that matched or came near: the most of their conditions held. */
static double near_enough(const struct value *steps)
{
  for (double least = 0;; least++) {
    size_t shown = 0, nearest = 0;
    for (size_t i = 0; i < value_count(steps); i++) {
      double near = value_get_number(value_at(steps, i), "near", 0);
      shown += near >= least;
      nearest += near > least;
    }
    if (shown <= STEPS_SHOWN || nearest == 0)
      return least;
  }
}

static void print_step(const struct value *step, const char *heading)
{
  const char *why = value_get_text(step, "why", "");
  printf(
      "%s%s (%s): %s%s%s\n", heading, value_get_text(step, "rule", ""), value_get_text(step, "place", ""),
      value_get_text(step, "verdict", ""), *why == '\0' ? "" : ": ", why);
}

static void print_steps(const struct value *steps)
{
  static const char indent[] = "           ";
  const char *dim = program_colour("\033[2m"), *plain = program_colour("\033[0m");
  size_t count = value_count(steps), far = 0, shown = 0, behind = 0;
  double least = count > STEPS_SHOWN ? near_enough(steps) : 0;
  for (size_t i = 0; i < count; i++) {
    const struct value *step = value_at(steps, i);
    const char *verdict = value_get_text(step, "verdict", "");
    bool matched = strcmp(verdict, "matched") == 0, reached = strcmp(verdict, "not reached") != 0;
    bool tail = i + 3 >= count; /* reasons, states, unmatched */
    if (!reached) {
      behind++;
    } else if (matched || tail || (value_get_number(step, "near", 0) >= least && shown < STEPS_SHOWN)) {
      print_step(step, shown == 0 ? "why        " : indent);
      shown++;
    } else {
      far++;
    }
  }
  if (far > 0)
    printf("%s%s%zu rules that came less near are left out; --json has them%s\n", indent, dim, far, plain);
  if (behind > 0)
    printf("%s%s%zu behind it not reached%s\n", indent, dim, behind, plain);
}

static void print_requests(const struct eval *eval)
{
  const struct value *requests = value_get(eval->answer, "requests");
  if (eval->decision.kind == DECISION_KEEP)
    printf("requests   none: what this contact centre has set stays as it is\n");
  if (eval->decision.kind == DECISION_CLEAR || eval->decision.kind == DECISION_NEVER)
    printf("requests   only for what we have set, if anything:\n");
  for (size_t i = 0; i < value_count(requests); i++) {
    const struct value *request = value_at(requests, i);
    bool first = i == 0 && eval->decision.kind == DECISION_SHOW;
    struct buf body;
    buf_init(&body, ANSWER_MAX);
    json_write(&body, value_get(request, "body"));
    printf(
        "%s%s %s\n           %s\n", first ? "requests   " : "           ", value_get_text(request, "method", ""),
        value_get_text(request, "path", ""), buf_text(&body));
    buf_release(&body);
  }
}

static void print_view(const struct value *views)
{
  for (size_t i = 0; i < value_count(views); i++) {
    const struct value *view = value_at(views, i);
    const char *teams = value_get_text(view, "teams", "");
    const char *availability = value_get_text(view, "availability", "");
    const char *activity = value_get_text(view, "activity", "");
    bool closed = strcmp(teams, "closed") == 0, same = strcmp(availability, activity) == 0;
    printf(
        "%s%s%s%s when Teams %s%s\n", i == 0 ? "colleagues see " : "               ", availability, same ? "" : " ",
        same ? "" : activity, closed ? "is " : "itself says ", teams);
  }
}

static void print_answer(const struct eval *eval)
{
  if (eval->cli->json) {
    struct buf text;
    buf_init(&text, ANSWER_MAX);
    json_write_pretty(&text, eval->answer);
    printf("%s\n", buf_text(&text));
    buf_release(&text);
    return;
  }
  print_decision(eval);
  print_steps(value_get(eval->answer, "steps"));
  print_requests(eval);
  print_view(value_get(eval->answer, "colleagues"));
}

/* ---- The command ---- */

static bool decide(struct eval *eval, struct err *err)
{
  const struct rules_agent_state state = {eval->event.ucc, eval->event.state};
  const struct rules_agent agent = {eval->event.agent, &state, 1};
  int64_t since = eval->event.at_ms;
  if (!ruleset_decide(eval->ruleset, &eval->event, since, eval->event.at_ms, &agent, &eval->decision, &eval->trouble))
    return err_set(err, ERR_RULE, "%s", eval->trouble.text);
  struct value *steps;
  if (ruleset_explain(eval->ruleset, &eval->event, since, eval->event.at_ms, &agent, &eval->values, &steps, err))
    value_set(&eval->values, eval->answer, "steps", steps);
  else if (err->kind != ERR_LIMIT) /* a rule that overruns is in `trouble` already */
    return false;
  return true;
}

static bool run(struct eval *eval, const char *rules, const char *event, const char *client, struct err *err)
{
  struct rules_limits limits = site_default_rules_limits();
  eval->ruleset = ruleset_load(rules, &limits, 1, err);
  eval->json = eval->ruleset == NULL ? NULL : json_new(err);
  if (eval->json == NULL || !read_event(eval, event, err))
    return false;
  eval->answer = value_map(&eval->values);
  put(eval, eval->answer, "ruleset", ruleset_name(eval->ruleset));
  describe_event(eval);
  if (!decide(eval, err))
    return false;
  describe_decision(eval);
  if (!describe_requests(eval, err))
    return false;
  if (ruleset_anchors(eval->ruleset))
    value_set(&eval->values, eval->answer, "anchored", value_bool(&eval->values, eval->anchored));
  return describe_view(eval, client, err);
}

int cli_eval(struct cli *cli)
{
  const char *client = cli_option(cli, "--teams");
  if (!cli_no_more(cli, 1, 2))
    return EXIT_USAGE;
  struct eval *eval = must_alloc(sizeof *eval); /* an event is too large for the stack */
  eval->cli = cli;
  struct err err = ERR_INIT;
  bool ok = run(eval, cli->argv[0], cli->argc > 1 ? cli->argv[1] : "-", client, &err);
  if (ok)
    print_answer(eval);
  ruleset_free(eval->ruleset);
  json_free(eval->json);
  values_release(&eval->values);
  free(eval);
  return ok ? EXIT_DONE : program_fail(&err);
}
