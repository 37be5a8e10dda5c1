/* status: what the running daemon does, for the operator at night. What is not as it should be stands out or is said in
 * a line of its own; what is well takes no room. */
#include "cli/cli.h"
#include "client/client.h"

#include <stdio.h>
#include <string.h>

static void print_tally(const char *title, const struct value *list)
{
  for (size_t i = 0; i < value_count(list); i++)
    printf(
        "%-12s %s (%.0f times)\n", i == 0 ? title : "", value_get_text(value_at(list, i), "what", ""),
        value_get_number(value_at(list, i), "count", 0));
}

/* What an operator should know of an account's budget; nothing while all is well. */
static void print_budget(const struct value *account)
{
  double limit = value_get_number(account, "requests_per_30_seconds", 0);
  double allowed = value_get_number(account, "requests_allowed_now", limit);
  double needs = value_get_number(account, "keep_alives_least_per_second", 0);
  double carries = value_get_number(account, "budget_per_second", 0);
  const char *outage = value_get_text(account, "outage_since", NULL);
  if (outage != NULL)
    printf("             Graph has not answered since %s; it is tried carefully\n", outage);
  if (allowed < limit)
    printf("             Graph throttles: %.0f of %.0f requests per 30 s are used for now\n", allowed, limit);
  if (needs > carries)
    printf(
        "             MORE THAN THE BUDGET GIVES: keeping up what is shown takes at least %.1f requests/s of %.1f; "
        "Available presences fade; raise RequestsPer30Seconds, see `presenced capacity`\n",
        needs, carries);
}

static void print_account(const struct value *account)
{
  const struct value *requests = value_get(account, "requests");
  printf(
      "%saccount%s      %s: token %s", program_colour("\033[1m"), program_colour("\033[0m"),
      value_get_text(account, "account", ""), value_get_text(account, "token", ""));
  const char *closed = value_get_text(account, "closed_until", ""),
             *refused = value_get_text(account, "refused_until", "");
  if (*closed != '\0')
    printf(", throttled until %s", closed);
  if (*refused != '\0')
    printf(", refused until %s", refused);
  printf(
      "\n             rules %s generation %.0f\n", value_get_text(account, "rules_file", ""),
      value_get_number(account, "generation", 0));
  const char *trouble = value_get_text(account, "token_trouble", "");
  if (*trouble != '\0')
    printf("             %s\n", trouble);
  print_budget(account);
  printf("             requests:");
  for (size_t i = 0; i < value_count(requests); i++)
    if (requests->u.table.items[i]->u.number > 0)
      printf(" %s %.0f", requests->u.table.keys[i], requests->u.table.items[i]->u.number);
  printf("\n");
}

static void print_counts(const char *title, const struct value *counts)
{
  printf("%-12s", title);
  for (size_t i = 0; i < value_count(counts); i++)
    if (counts->u.table.items[i]->u.number > 0)
      printf(" %s %.0f", counts->u.table.keys[i], counts->u.table.items[i]->u.number);
  printf("\n");
}

/* "teams.busy"-like names are for rules; here the one plane that colleagues see. */
static const char *shown(const struct value *agent)
{
  const char *preferred = value_get_text(agent, "preferred", "none");
  if (value_get_bool(agent, "anchored", false))
    return "preferred.available (anchor)";
  return strcmp(preferred, "none") != 0 ? preferred : value_get_text(agent, "session", "none");
}

static void print_agent(const struct value *agent)
{
  const char *parked = value_get_text(agent, "parked_because", NULL), *note = "";
  char rule[256];
  snprintf(
      rule, sizeof rule, "%s%s", value_get_text(agent, "rule", ""),
      value_get_bool(agent, "over", false) ? " (over)" : "");
  if (parked == NULL && !value_get_bool(agent, "confirmed", false))
    note = value_get_text(agent, "phase", "");
  char left[128];
  const char *choice = value_get_text(agent, "left_to_their_choice", NULL);
  if (parked == NULL && *note == '\0' && choice != NULL) {
    snprintf(left, sizeof left, "shows %s by their own choice, which is left alone", choice);
    note = left;
  }
  printf(
      "%-34s %-28s %-26s %s%s%s%s\n", value_get_text(agent, "agent", ""), shown(agent), rule,
      value_get_text(agent, "ucc", ""),
      parked != NULL  ? "  parked: "
      : *note != '\0' ? "  "
                      : "",
      parked != NULL ? parked : "", note);
}

static void print_rules(const struct value *rules, const struct value *shadow)
{
  const char *failure = value_get_text(rules, "last_failure", "");
  printf(
      "rules        generation %.0f, %.0f reloads, %.0f refused\n", value_get_number(rules, "generation", 0),
      value_get_number(rules, "reloads", 0), value_get_number(rules, "failures", 0));
  if (*failure != '\0')
    printf("             the last reload failed: %s\n", failure);
  if (shadow == NULL)
    return;
  printf(
      "shadow       same %.0f different %.0f errors %.0f\n", value_get_number(shadow, "same", 0),
      value_get_number(shadow, "different", 0), value_get_number(shadow, "errors", 0));
  print_tally("", value_get(shadow, "differences"));
}

static void print_config(const struct value *config, const struct value *left)
{
  const char *failure = value_get_text(config, "last_failure", ""),
             *waits = value_get_text(config, "waits_for_start", "");
  const char *until = value_get_text(config, "until", "");
  double taken_up = value_get_number(config, "taken_up", 0), failures = value_get_number(config, "failures", 0);
  if (taken_up > 0 || failures > 0)
    printf("config       taken up %.0f times since the start, %.0f times refused\n", taken_up, failures);
  if (*failure != '\0')
    printf("             config.xml IS NOT WHAT RUNS: %s\n", failure);
  if (*until != '\0')
    printf(
        "             being taken up: %.0f agents lose their app registration and are cleared first, until %s at "
        "most\n",
        value_get_number(config, "cleared_first", 0), until);
  if (*waits != '\0')
    printf("             %s: takes effect at the next start\n", waits);
  for (size_t i = 0; i < value_count(left); i++)
    printf(
        "             %.0f agents of account %s still show something; it ends by itself by %s\n",
        value_get_number(value_at(left, i), "agents", 0), value_get_text(value_at(left, i), "account", ""),
        value_get_text(value_at(left, i), "until", ""));
}

static void print_script(const struct value *script)
{
  const char *failure = value_get_text(script, "last_failure", ""), *again = value_get_text(script, "next_start", "");
  double dropped = value_get_number(script, "dropped", 0);
  printf(
      "script       %s: %s, %.0f hooks, %.0f calls under way, %.0f waiting, %.0f starts, %.0f failures\n",
      value_get_text(script, "file", ""), value_get_text(script, "state", ""), value_get_number(script, "hooks", 0),
      value_get_number(script, "calls", 0), value_get_number(script, "queued", 0),
      value_get_number(script, "starts", 0), value_get_number(script, "failures", 0));
  if (*failure != '\0')
    printf("             failed at %s: %s\n", value_get_text(script, "last_failure_at", ""), failure);
  if (*again != '\0')
    printf("             is started again at %s\n", again);
  if (dropped > 0)
    printf(
        "             %.0f decisions and outcomes found its queue full and were not told; make its hooks quicker, or "
        "raise PolicyQueue\n",
        dropped);
}

static void print_state(const struct value *state)
{
  double failures = value_get_number(state, "failures", 0);
  if (value_get_bool(state, "failed", false))
    printf(
        "state        FAILED since %s: no event is taken and nothing is sent until it can be written\n"
        "             %s\n",
        value_get_text(state, "since", ""), value_get_text(state, "failure", ""));
  else if (failures > 0)
    printf("state        well; %.0f failures since the start\n", failures);
}

static void print_status(const struct value *status, bool with_agents)
{
  print_state(value_get(status, "state"));
  if (value_get(status, "accounts") == NULL) /* nothing else is known while it fails */
    return;
  const struct value *accounts = value_get(status, "accounts"), *agents = value_get(status, "agents");
  const struct value *scripts = value_get(status, "scripts");
  for (size_t i = 0; i < value_count(accounts); i++)
    print_account(value_at(accounts, i));
  print_config(value_get(status, "config"), value_get(status, "left_behind"));
  print_rules(value_get(status, "rules"), value_get(status, "shadow"));
  for (size_t i = 0; i < value_count(scripts); i++)
    print_script(value_at(scripts, i));
  print_counts("agents", value_get(status, "phases"));
  print_counts("events", value_get(status, "events"));
  print_tally("unmatched", value_get(status, "unmatched"));
  print_tally("unserved", value_get(status, "unserved"));
  if (!with_agents)
    return;
  printf(
      "\n%s%-34s %-28s %-26s %s%s\n", program_colour("\033[1m"), "AGENT", "SHOWS", "RULE", "UCC",
      program_colour("\033[0m"));
  for (size_t i = 0; i < value_count(agents); i++)
    print_agent(value_at(agents, i));
}

int cli_status(struct cli *cli)
{
  bool with_agents = cli_flag(cli, "--agents");
  if (!cli_no_more(cli, 0, 0))
    return EXIT_USAGE;
  struct client_answer status;
  struct err err = ERR_INIT;
  int exit_code = EXIT_DONE;
  /* A program gets everything. */
  struct client_request request = {"GET", with_agents || cli->json ? "/v1/status?agents" : "/v1/status", NULL};
  if (client_ask(cli->place.config_path, &request, &status, &err) != CLIENT_DONE)
    exit_code = program_fail(&err);
  else if (cli->json)
    printf("%s\n", buf_text(&status.bytes));
  else
    print_status(status.body, with_agents);
  client_answer_release(&status);
  return exit_code;
}
