/* codes: `codes init` makes a table of every reason code and state that a recording has, to be filled in and read by a
 * ruleset; what the built-in ruleset would show stands there already. */
#include "adapters/json.h"
#include "base/clock.h"
#include "base/str.h"
#include "cli/cli.h"
#include "host/code_list.h"
#include "host/site.h"
#include "intake/intake.h"

#include <stdio.h>
#include <string.h>

enum {
  BAD_LINES_SHOWN = 5,
  ANSWER_LIMIT = 64 * 1024 * 1024,
};

/* ---- The recording ---- */

struct recording {
  struct json *json;
  struct event event;
  struct code_list reasons, states;
  uint64_t events, bad;
};

static void take_line(struct recording *recording, const struct lines *lines)
{
  struct err err = ERR_INIT;
  if (lines->text[strspn(lines->text, " \t")] == '\0')
    return;
  if (!intake_parse(recording->json, lines->text, strlen(lines->text), 0, &recording->event, &err)) {
    if (recording->bad++ < BAD_LINES_SHOWN)
      fprintf(stderr, "presenced: %s:%d: %s\n", lines->path, lines->number, err.text);
    return;
  }
  recording->events++;
  code_list_add(&recording->states, recording->event.state);
  if (*recording->event.reason != '\0')
    code_list_add(&recording->reasons, recording->event.reason);
}

static bool read_recording(const char *path, struct recording *recording, struct err *err)
{
  struct lines *lines = lines_open(path, err);
  if (lines == NULL)
    return false;
  err->kind = ERR_NONE;
  while (lines_next(lines, err))
    take_line(recording, lines);
  lines_close(lines);
  if (err->kind != ERR_NONE)
    return false;
  if (recording->events == 0)
    return err_set(
        err, ERR_INPUT, "%s: no event in it; record the contact centre's events, one JSON object a line", path);
  return true;
}

/* ---- The table ---- */

/* What the built-in ruleset says of a code or state, as a table spells it; "" for what it does not know. */
struct suggestion {
  char show[64], expires[CLOCK_TEXT_SIZE];
};

static struct suggestion suggest(struct ruleset *ruleset, struct event *event, const char *state, const char *reason)
{
  struct suggestion suggestion = {.show = ""};
  struct decision *decision = must_alloc(sizeof *decision);
  const struct rules_agent agent = {.upn = event->agent};
  struct err trouble = ERR_INIT;
  str_cut(event->state, sizeof event->state, state);
  str_cut(event->reason, sizeof event->reason, reason);
  event->attribute_count = 0;
  bool known = ruleset_decide(ruleset, event, event->at_ms, event->at_ms, &agent, decision, &trouble) &&
               str_starts(decision->rule, *reason == '\0' ? "states" : "reasons");
  if (known && decision->kind != DECISION_SHOW)
    str_cut(suggestion.show, sizeof suggestion.show, decision_kind_str(decision->kind));
  enum presence presence = decision->preferred != PRESENCE_NONE ? decision->preferred : decision->session;
  if (known && decision->kind == DECISION_SHOW)
    snprintf(suggestion.show, sizeof suggestion.show, "teams%s", strchr(presence_str(presence), '.'));
  if (known && decision->kind == DECISION_SHOW && decision->expires_given)
    clock_rule_duration(decision->hold_ms, suggestion.expires);
  free(decision);
  return suggestion;
}

static void print_field(const char *text)
{
  if (strpbrk(text, ",;\"\t") == NULL && *text != '#') {
    fputs(text, stdout);
    return;
  }
  putchar('"');
  for (; *text != '\0'; text++)
    printf("%s%c", *text == '"' ? "\"" : "", *text);
  putchar('"');
}

/* Rows of one list; how many of them have nothing to show. */
static size_t print_rows(struct ruleset *ruleset, struct recording *recording, bool reasons)
{
  const struct code_list *list = reasons ? &recording->reasons : &recording->states;
  size_t empty = 0;
  for (size_t i = 0; i < list->count; i++) {
    const struct code *code = &list->codes[i];
    struct suggestion suggestion =
        suggest(ruleset, &recording->event, reasons ? "NotReady" : code->name, reasons ? code->name : "");
    if (!reasons)
      putchar(',');
    print_field(code->name);
    printf("%s,%s,%s,,%llu\n", reasons ? "," : "", suggestion.show, suggestion.expires, (unsigned long long)code->seen);
    empty += *suggestion.show == '\0';
  }
  return empty;
}

static void print_table(struct ruleset *ruleset, struct recording *recording)
{
  puts("code,state,show,expires,message,seen");
  size_t empty = print_rows(ruleset, recording, true) + print_rows(ruleset, recording, false);
  fprintf(
      stderr, "presenced: codes init: %zu codes and %zu states in %llu events\n", recording->reasons.count,
      recording->states.count, (unsigned long long)recording->events);
  if (empty > 0)
    fprintf(
        stderr, "presenced: codes init: %zu row%s without `show`: write a presence, clear or keep, or delete it\n",
        empty, empty == 1 ? "" : "s");
}

static struct value *rows_value(
    struct values *values, struct ruleset *ruleset, struct recording *recording, bool reasons)
{
  const struct code_list *list = reasons ? &recording->reasons : &recording->states;
  struct value *rows = value_list(values);
  for (size_t i = 0; i < list->count; i++) {
    const struct code *code = &list->codes[i];
    struct suggestion suggestion =
        suggest(ruleset, &recording->event, reasons ? "NotReady" : code->name, reasons ? code->name : "");
    struct value *row = value_map(values);
    value_set(values, row, reasons ? "code" : "state", value_string(values, code->name));
    value_set(values, row, "seen", value_number(values, (double)code->seen));
    value_set(values, row, "show", value_string(values, suggestion.show));
    value_set(values, row, "expires", value_string(values, suggestion.expires));
    value_add(values, rows, row);
  }
  return rows;
}

static void print_json(struct ruleset *ruleset, struct recording *recording)
{
  struct values values = {0};
  struct value *answer = value_map(&values);
  value_set(&values, answer, "events", value_number(&values, (double)recording->events));
  value_set(&values, answer, "bad_lines", value_number(&values, (double)recording->bad));
  value_set(&values, answer, "codes", rows_value(&values, ruleset, recording, true));
  value_set(&values, answer, "states", rows_value(&values, ruleset, recording, false));
  struct buf text;
  buf_init(&text, ANSWER_LIMIT);
  json_write_pretty(&text, answer);
  printf("%s\n", buf_text(&text));
  buf_release(&text);
  values_release(&values);
}

/* ---- The command ---- */

int cli_codes(struct cli *cli)
{
  const char *from = cli_option(cli, "--from");
  if (!cli_no_more(cli, 1, 1))
    return EXIT_USAGE;
  if (strcmp(cli->argv[0], "init") != 0 || from == NULL) {
    fprintf(stderr, "presenced: codes: what to do is missing; usage: presenced codes %s\n", cli->usage);
    return EXIT_USAGE;
  }
  struct err err = ERR_INIT;
  struct rules_limits limits = site_default_rules_limits();
  struct recording *recording = must_alloc(sizeof *recording); /* an event is too large for the stack */
  struct ruleset *ruleset = ruleset_load(NULL, &limits, 1, &err);
  recording->json = ruleset == NULL ? NULL : json_new(&err);
  bool ok = recording->json != NULL && read_recording(from, recording, &err);
  if (ok && cli->json)
    print_json(ruleset, recording);
  else if (ok)
    print_table(ruleset, recording);
  if (recording->bad > BAD_LINES_SHOWN)
    fprintf(
        stderr, "presenced: %s: %llu lines in all are no events; they are left out\n", from,
        (unsigned long long)recording->bad);
  ruleset_free(ruleset);
  json_free(recording->json);
  code_list_release(&recording->reasons);
  code_list_release(&recording->states);
  free(recording);
  return ok ? EXIT_DONE : program_fail(&err);
}
