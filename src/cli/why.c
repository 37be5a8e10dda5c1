/* why: all that is known of one agent, for whoever asks why Teams shows what it shows. The daemon's answer holds it
 * all; here it becomes lines in the order of the question: what it should show, why, what keeps it, what Graph has, who
 * said what. */
#include "cli/cli.h"
#include "client/client.h"

#include <stdio.h>
#include <string.h>

static const char *text_of(const struct value *map, const char *key)
{
  return value_get_text(map, key, "");
}

/* "session.away + preferred.busy", "nothing" */
static void print_planes(const struct value *map)
{
  const char *session = value_get_text(map, "session", "none"), *preferred = value_get_text(map, "preferred", "none");
  bool has_session = strcmp(session, "none") != 0, has_preferred = strcmp(preferred, "none") != 0;
  if (!has_session && !has_preferred)
    printf("nothing");
  printf(
      "%s%s%s", has_session ? session : "", has_session && has_preferred ? " + " : "", has_preferred ? preferred : "");
}

static void print_wanted(const struct value *agent)
{
  printf("should show  ");
  print_planes(agent);
  if (value_get_bool(agent, "anchored", false))
    printf(" (an anchor holds it)");
  else if (value_get_bool(agent, "carrier", false))
    printf(" (the session only carries the preferred presence)");
  if (*text_of(agent, "message") != '\0')
    printf(", \"%s\"", text_of(agent, "message"));
  if (*text_of(agent, "until") != '\0')
    printf(", until %s", text_of(agent, "until"));
  printf("\n");
  if (*text_of(agent, "rule") != '\0')
    printf(
        "because      %s %s%s\n", text_of(agent, "rule"), text_of(agent, "place"),
        value_get_bool(agent, "over", false) ? "; its time is over" : "");
}

static void print_state(const struct value *agent)
{
  const char *parked = value_get_text(agent, "parked_because", NULL), *choice = text_of(agent, "left_to_their_choice");
  if (parked != NULL)
    printf("parked       %s; then `presenced resync`, or its next event, tries again\n", parked);
  else
    printf("state        %s\n", value_get_bool(agent, "confirmed", false) ? "confirmed" : text_of(agent, "phase"));
  if (*choice != '\0')
    printf("             shows %s by their own choice, which is left alone\n", choice);
  if (*text_of(agent, "retry_at") != '\0')
    printf("             tried again at %s\n", text_of(agent, "retry_at"));
}

static void print_confirmed(const struct value *agent)
{
  static const char *const slots[] = {"session", "preferred", "message"};
  const struct value *graph = value_get(agent, "graph");
  bool any = false;
  for (size_t i = 0; i < COUNT_OF(slots); i++) {
    const struct value *slot = value_get(graph, slots[i]);
    if (!value_is(slot, VALUE_MAP))
      continue;
    printf(
        "%-12s %s%s%s%s%s%s\n", any ? "" : "Graph has", i == 2 ? "a status message" : text_of(slot, "presence"),
        *text_of(slot, "since") == '\0' ? "" : ", sent ", text_of(slot, "since"),
        *text_of(slot, "until") == '\0' ? "" : ", until ", text_of(slot, "until"),
        value_get_bool(slot, "unsure", false) ? "; whether the last request arrived is not known" : "");
    any = true;
  }
  if (!any)
    printf("Graph has    nothing of ours\n");
}

static void print_uccs(const struct value *agent)
{
  const struct value *uccs = value_get(agent, "uccs");
  for (size_t i = 0; i < value_count(uccs); i++) {
    const struct value *ucc = value_at(uccs, i);
    printf(
        "%-12s %s: %s%s%s since %s%s\n", i == 0 ? "said" : "", text_of(ucc, "ucc"), text_of(ucc, "state"),
        *text_of(ucc, "reason") == '\0' ? "" : " ", text_of(ucc, "reason"), text_of(ucc, "since"),
        value_get_bool(ucc, "silent", false) ? "; from before a long downtime, it does not count" : "");
    printf("             -> %s ", text_of(ucc, "decision"));
    print_planes(ucc);
    if (*text_of(ucc, "until") != '\0')
      printf(" until %s", text_of(ucc, "until"));
    if (*text_of(ucc, "waits_until") != '\0')
      printf(", another answer waits until %s", text_of(ucc, "waits_until"));
    printf(
        " by %s %s, generation %.0f\n", text_of(ucc, "rule"), text_of(ucc, "place"),
        value_get_number(ucc, "generation", 0));
  }
}

static void print_agent(const struct value *agent)
{
  const struct value *names = value_get(agent, "names");
  printf("agent        %s", text_of(agent, "agent"));
  for (size_t i = 1; i < value_count(names); i++)
    printf(", %s", value_text(value_at(names, i), ""));
  printf(
      "\n             object id %s, account %s\n",
      *text_of(agent, "id") == '\0' ? "not known yet" : text_of(agent, "id"),
      *text_of(agent, "account") == '\0' ? "none" : text_of(agent, "account"));
  print_wanted(agent);
  print_state(agent);
  print_confirmed(agent);
  print_uccs(agent);
}

int cli_why(struct cli *cli)
{
  if (!cli_no_more(cli, 1, 1))
    return EXIT_USAGE;
  struct client_answer agent;
  struct buf target;
  struct err err = ERR_INIT;
  int exit_code = EXIT_DONE;
  buf_init(&target, 4096);
  client_add_agent(&target, cli->argv[0], "");
  struct client_request request = {"GET", buf_text(&target), NULL};
  if (client_ask(cli->place.config_path, &request, &agent, &err) != CLIENT_DONE) {
    err_add(&err, "%s", cli->argv[0]);
    exit_code = program_fail(&err);
  } else if (cli->json) {
    printf("%s\n", buf_text(&agent.bytes));
  } else {
    print_agent(agent.body);
  }
  client_answer_release(&agent);
  buf_release(&target);
  return exit_code;
}
