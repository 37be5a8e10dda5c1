#include "base/clock.h"
#include "base/str.h"
#include "rules/internal.h"

#include <string.h>

enum {
  ARGUMENTS = 8,
  OVERRUNS_MAX = 3, /* of one decision; then its remaining functions count as not matching */
};

/* The event as arguments for Lua. What most events need lies on the stack; tables are made only for rulesets that look
 * at them. */
struct question {
  struct value nodes[ARGUMENTS];
  const struct value *arguments[ARGUMENTS];
};

static struct value text_node(const char *text)
{
  struct value node = {.type = VALUE_STRING};
  node.u.string.bytes = text;
  node.u.string.length = strlen(text);
  return node;
}

static struct value number_node(int64_t number)
{
  struct value node = {.type = VALUE_NUMBER};
  node.u.number = (double)number;
  return node;
}

static struct value *attributes_map(const struct event *event, struct values *values)
{
  struct value *map = value_map(values);
  for (size_t i = 0; i < event->attribute_count; i++) {
    const struct attribute *attribute = &event->attributes[i];
    struct value *value = NULL;
    switch (attribute->type) {
    case ATTRIBUTE_STRING:
      value = value_string(values, attribute->text);
      break;
    case ATTRIBUTE_NUMBER:
      value = value_number(values, strtod(attribute->text, NULL));
      break;
    case ATTRIBUTE_BOOL:
      value = value_bool(values, strcmp(attribute->text, "true") == 0);
      break;
    }
    value_set(values, map, attribute->name, value);
  }
  return map;
}

static struct value *states_map(const struct rules_agent *agent, struct values *values)
{
  struct value *map = value_map(values);
  for (size_t i = 0; i < agent->state_count; i++)
    value_set(values, map, agent->states[i].ucc, value_string(values, agent->states[i].state));
  return map;
}

static void ask(
    const struct ruleset *ruleset, const struct event *event, int64_t since_ms, const struct rules_agent *agent,
    struct values *values, struct question *question)
{
  struct value none = {.type = VALUE_NIL};
  bool has_reason = *event->reason != '\0';
  question->nodes[0] = text_node(event->state);
  question->nodes[1] = has_reason ? text_node(event->reason) : none;
  question->nodes[2] = text_node(event->ucc);
  question->nodes[3] = text_node(agent->upn);
  question->nodes[4] = number_node(event->at_ms);
  question->nodes[5] = number_node(since_ms);
  question->nodes[6] = question->nodes[7] = none;
  for (size_t i = 0; i < ARGUMENTS; i++)
    question->arguments[i] = &question->nodes[i];
  if (ruleset->uses_attributes && event->attribute_count > 0)
    question->arguments[6] = attributes_map(event, values);
  if (ruleset->uses_agent && agent->state_count > 0)
    question->arguments[7] = states_map(agent, values);
}

/* Appends at most `room` - 1 bytes in all, characters whole, control characters as spaces. */
static void append(char *to, size_t room, const char *text, size_t length)
{
  size_t used = strlen(to);
  while (length > 0 && used + length >= room)
    length--;
  while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80)
    length--;
  for (size_t i = 0; i < length; i++)
    to[used + i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7F ? ' ' : text[i];
  to[used + length] = '\0';
}

static void fill_message(const char *template, const struct event *event, char to[DECISION_MESSAGE_SIZE])
{
  const struct {
    const char *name, *text;
  } fields[] = {{"{reason}", event->reason}, {"{state}", event->state}, {"{ucc}", event->ucc}};
  *to = '\0';
  while (*template != '\0') {
    size_t length = 1 + strcspn(template + 1, "{");
    const char *text = template;
    size_t text_length = length;
    for (size_t i = 0; i < COUNT_OF(fields); i++)
      if (str_starts(template, fields[i].name)) {
        text = fields[i].text;
        text_length = strlen(text);
        length = strlen(fields[i].name);
      }
    append(to, DECISION_MESSAGE_SIZE, text, text_length);
    template += length;
  }
  size_t count = 0;
  for (char *c = to; *c != '\0'; c++)
    if (((unsigned char)*c & 0xC0) != 0x80 && ++count > RULES_MESSAGE_MAX) {
      *c = '\0';
      break;
    }
}

static void fill_decision(
    const struct ruleset *ruleset, const struct rules_outcome *outcome, const struct event *event,
    struct decision *decision)
{
  *decision = (struct decision){
      .kind = outcome->kind,
      .session = outcome->session,
      .preferred = outcome->preferred,
      .hold_ms = outcome->hold_ms,
      .expires_given = outcome->expires_given,
      .unmatched = outcome->unmatched,
      .generation = ruleset->generation,
      .recheck_ms = CLOCK_NEVER,
  };
  if (*outcome->message != '\0')
    fill_message(outcome->message, event, decision->message);
  str_cut(decision->rule, sizeof decision->rule, outcome->rule);
  str_cut(decision->place, sizeof decision->place, outcome->place);
}

/* A number is an outcome known since the file was read; a table has it besides what a function said and what went
 * wrong. */
static bool read_answer(
    const struct ruleset *ruleset, const struct value *answer, const struct event *event, struct decision *ret_decision,
    struct err *ret_trouble)
{
  double number = value_is(answer, VALUE_NUMBER) ? answer->u.number : value_get_number(answer, "outcome", 0);
  if (!(number >= 1 && number <= (double)ruleset->outcome_count))
    return rules_bad_answer(ret_trouble, "an unknown outcome");
  struct rules_outcome outcome = ruleset->outcomes[(size_t)number - 1];
  if (outcome.computed && !rules_read_outcome(answer, &outcome, ret_trouble))
    return false;
  fill_decision(ruleset, &outcome, event, ret_decision);
  const char *trouble = value_get_text(answer, "trouble", NULL);
  if (trouble != NULL)
    err_set(ret_trouble, ERR_RULE, "%s%s", trouble, strstr(trouble, "; ") == NULL ? "; on_error has answered" : "");
  return true;
}

bool ruleset_decide(
    struct ruleset *ruleset, const struct event *event, int64_t since_ms, int64_t moment_ms UNUSED,
    const struct rules_agent *agent, struct decision *ret_decision, struct err *ret_trouble)
{
  struct values values = {0};
  struct question question;
  struct value *answer;
  ret_trouble->kind = ERR_NONE;
  *ret_trouble->text = '\0';
  ask(ruleset, event, since_ms, agent, &values, &question);
  bool ok = vm_call(
      ruleset->vm, "ruleset", "decide", question.arguments, ARGUMENTS, &ruleset->decision_budget, ERR_RULE, &values,
      &answer, ret_trouble);
  for (int overruns = 1; !ok && ret_trouble->kind == ERR_LIMIT && overruns <= OVERRUNS_MAX; overruns++) {
    if (!str_starts(ret_trouble->text, ruleset->chunk))
      err_add(ret_trouble, "%s", ruleset->chunk);
    struct value what = text_node(ret_trouble->text), functions = {.type = VALUE_BOOL};
    functions.u.boolean = overruns < OVERRUNS_MAX;
    const struct value *arguments[] = {&what, &functions};
    ok = vm_call(
        ruleset->vm, "ruleset", "resume", arguments, 2, &ruleset->decision_budget, ERR_RULE, &values, &answer,
        ret_trouble);
  }
  ok = ok && read_answer(ruleset, answer, event, ret_decision, ret_trouble);
  values_release(&values);
  return ok;
}

bool ruleset_explain(
    struct ruleset *ruleset, const struct event *event, int64_t since_ms, int64_t moment_ms UNUSED,
    const struct rules_agent *agent, struct values *values, struct value **ret_steps, struct err *err)
{
  struct question question;
  ask(ruleset, event, since_ms, agent, values, &question);
  return vm_call(
      ruleset->vm, "ruleset", "explain", question.arguments, ARGUMENTS, &ruleset->decision_budget, ERR_RULE, values,
      ret_steps, err);
}

bool ruleset_merge(
    struct ruleset *ruleset UNUSED, const struct rules_candidate *candidates UNUSED, size_t count UNUSED,
    const struct rules_agent *agent UNUSED, size_t *ret_index, struct err *ret_trouble UNUSED)
{
  *ret_index = 0;
  return true;
}
