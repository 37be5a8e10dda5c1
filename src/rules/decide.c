/* One decision: the event as arguments of decide() in lua/decide.lua, and its answer back as a struct decision. Every
 * event passes here, so the usual one costs little: the arguments lie on the stack and borrow the event's texts, tables
 * are made only for rulesets that look at them, and the answer is the number of an outcome that was checked when the
 * ruleset was loaded. What a function has computed comes as a table, and is checked like a reply from the network.
 *
 * A rule that overruns its budget is thrown out by the host, past every pcall. Lua's module still knows the event and
 * at which step it was, so resume() lets on_error answer or goes on behind it: one slow rule costs its own answer, not
 * the agent's. */
#include "base/clock.h"
#include "base/str.h"
#include "rules/internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
  ARGUMENTS = 8 + RULES_SLOTS,
  OVERRUNS_MAX = 3, /* of one decision; then its remaining functions count as not matching */
};

/* The event as arguments for Lua. All but the agent's states lies on the stack and borrows the event's texts; tables
 * are made only for rulesets that look at them. */
struct question {
  struct value nodes[ARGUMENTS];
  const struct value *arguments[ARGUMENTS];
  struct value attributes[EVENT_ATTRIBUTES_MAX], *members[EVENT_ATTRIBUTES_MAX];
  const char *names[EVENT_ATTRIBUTES_MAX];
  char slots[RULES_SLOTS][EVENT_ATTRIBUTE_SIZE];
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

static struct value attribute_node(const struct attribute *attribute)
{
  struct value node = {.type = VALUE_NIL};
  switch (attribute->type) {
  case ATTRIBUTE_STRING:
    return text_node(attribute->text);
  case ATTRIBUTE_NUMBER:
    node.type = VALUE_NUMBER;
    node.u.number = strtod(attribute->text, NULL);
    break;
  case ATTRIBUTE_BOOL:
    node.type = VALUE_BOOL;
    node.u.boolean = strcmp(attribute->text, "true") == 0;
    break;
  }
  return node;
}

/* A map over arrays of the question instead of one from an arena: nothing is copied, and nothing is to be freed. */
static void ask_attributes(const struct event *event, struct question *question)
{
  for (size_t i = 0; i < event->attribute_count; i++) {
    question->attributes[i] = attribute_node(&event->attributes[i]);
    question->members[i] = &question->attributes[i];
    question->names[i] = event->attributes[i].name;
  }
  struct value *map = &question->nodes[6];
  map->type = VALUE_MAP;
  map->u.table.items = question->members;
  map->u.table.keys = question->names;
  map->u.table.count = map->u.table.room = event->attribute_count;
}

/* As lua/words.lua compares: without case and the spaces around, a whole number without a fraction. %.14g is how Lua
 * itself writes a float, and beyond 2^63 a whole number is one; both sides must come to the same text. */
static struct value slot_node(const struct event *event, const char *name, char folded[EVENT_ATTRIBUTE_SIZE])
{
  for (size_t i = 0; i < event->attribute_count; i++) {
    const struct attribute *attribute = &event->attributes[i];
    if (strcmp(attribute->name, name) != 0)
      continue;
    double number = attribute->type == ATTRIBUTE_NUMBER ? strtod(attribute->text, NULL) : 0.5;
    if (attribute->type != ATTRIBUTE_NUMBER)
      str_cut(folded, EVENT_ATTRIBUTE_SIZE, attribute->text);
    else if (number == floor(number) && fabs(number) < 0x1p63)
      snprintf(folded, EVENT_ATTRIBUTE_SIZE, "%.0f", number);
    else
      snprintf(folded, EVENT_ATTRIBUTE_SIZE, "%.14g", number);
    return text_node(str_lower(str_trim(folded)));
  }
  return (struct value){.type = VALUE_NIL};
}

static struct value *states_map(const struct rules_agent *agent, struct values *values)
{
  struct value *map = value_map(values);
  for (size_t i = 0; i < agent->state_count; i++)
    value_set(values, map, agent->states[i].ucc, value_string(values, agent->states[i].state));
  return map;
}

/* The order of the nodes is that of take() in lua/decide.lua, and no compiler keeps the two together. `whole`:
 * attributes even where no rule needs the table, because an explanation shows their values. */
static void ask(
    const struct ruleset *ruleset, const struct event *event, int64_t since_ms, const struct rules_agent *agent,
    bool whole, struct values *values, struct question *question)
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
  for (size_t i = 0; i < RULES_SLOTS; i++)
    question->nodes[8 + i] = ruleset->slots[i] == NULL ? none : slot_node(event, ruleset->slots[i], question->slots[i]);
  for (size_t i = 0; i < ARGUMENTS; i++)
    question->arguments[i] = &question->nodes[i];
  if ((whole || ruleset->uses_attributes) && event->attribute_count > 0)
    ask_attributes(event, question);
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

char *ruleset_clock(const struct ruleset *ruleset, int64_t at_ms, int64_t today_ms, char to[RULES_CLOCK_SIZE])
{
  if (ruleset->zone == NULL) {
    *to = '\0';
    return to;
  }
  struct zone_local at = zone_local_at(ruleset->zone, at_ms), today = zone_local_at(ruleset->zone, today_ms);
  snprintf(
      to, RULES_CLOCK_SIZE, "%s%s%02d:%02d", at.day == today.day ? "" : zone_weekday_str(at.weekday),
      at.day == today.day ? "" : " ", at.hour, at.minute);
  return to;
}

/* Placeholders are looked for in the template only, never in what has replaced one: a reason code that reads "{state}"
 * stays as it is. The Teams client takes 280 characters, Graph's own limit is not documented; what is longer is cut
 * between two. */
static void fill_message(
    const char *template, const struct event *event, const char *expires, char to[DECISION_MESSAGE_SIZE])
{
  const struct {
    const char *name, *text;
  } fields[] = {{"{reason}", event->reason}, {"{state}", event->state}, {"{ucc}", event->ucc}, {"{expires}", expires}};
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

/* A hold counts from `since`, as everywhere, not from this decision. */
static void say_message(
    const struct ruleset *ruleset, const char *template, const struct event *event, int64_t since_ms, int64_t moment_ms,
    struct decision *decision)
{
  char expires[RULES_CLOCK_SIZE];
  ruleset_clock(ruleset, since_ms + decision->hold_ms, moment_ms, expires);
  fill_message(template, event, expires, decision->message);
}

/* When a time that was asked for changes: after the moment, or Lua is wrong. */
static bool read_recheck(const struct value *answer, int64_t moment_ms, int64_t *ret_recheck_ms, struct err *err)
{
  const struct value *recheck = value_get(answer, "recheck_ms");
  if (recheck == NULL)
    return true;
  if (!value_is(recheck, VALUE_NUMBER) || !(recheck->u.number > (double)moment_ms && recheck->u.number < 1e15))
    return rules_bad_answer(err, "a recheck that is not to come");
  *ret_recheck_ms = (int64_t)recheck->u.number;
  return true;
}

/* A number is an outcome known since the file was read; a table has it besides what a function said and what went
 * wrong. */
static bool read_answer(
    const struct ruleset *ruleset, const struct value *answer, const struct event *event, int64_t since_ms,
    int64_t moment_ms, struct decision *ret_decision, struct err *ret_trouble)
{
  double number = value_is(answer, VALUE_NUMBER) ? answer->u.number : value_get_number(answer, "outcome", 0);
  if (!(number >= 1 && number <= (double)ruleset->outcome_count))
    return rules_bad_answer(ret_trouble, "an unknown outcome");
  const struct rules_outcome *outcome = &ruleset->outcomes[(size_t)number - 1];
  const char *message = outcome->message;
  *ret_decision =
      (struct decision){.terms = outcome->terms, .recheck_ms = CLOCK_NEVER, .generation = ruleset->generation};
  if (outcome->computed && !rules_read_outcome(answer, &ret_decision->terms, &message, ret_trouble))
    return false;
  str_cut(ret_decision->rule, sizeof ret_decision->rule, outcome->rule);
  str_cut(ret_decision->place, sizeof ret_decision->place, outcome->place);
  if (*message != '\0')
    say_message(ruleset, message, event, since_ms, moment_ms, ret_decision);
  if (!read_recheck(answer, moment_ms, &ret_decision->recheck_ms, ret_trouble))
    return false;
  const char *trouble = value_get_text(answer, "trouble", NULL);
  if (trouble != NULL)
    err_set(ret_trouble, ERR_RULE, "%s%s", trouble, strstr(trouble, "; ") == NULL ? "; on_error has answered" : "");
  return true;
}

/* A decision's budget bounds what it takes while it runs; what rules keep from one decision to the next, in tables of
 * the file, is bounded here. Lua's heap grows to about twice what lives before it is collected, so nothing is looked at
 * before thrice. */
static bool check_memory(struct ruleset *ruleset, struct err *err)
{
  size_t allowed = ruleset->decision_budget.memory_bytes;
  if (ruleset->forbidden || allowed == 0 || vm_memory_bytes(ruleset->vm) <= 3 * (ruleset->loaded_bytes + allowed))
    return true;
  vm_collect(ruleset->vm);
  size_t kept = vm_memory_bytes(ruleset->vm) - ruleset->loaded_bytes;
  if (vm_memory_bytes(ruleset->vm) <= ruleset->loaded_bytes || kept <= allowed)
    return true;
  char what[200];
  snprintf(
      what, sizeof what,
      "%s: its functions keep %.3g MiB from one decision to the next, so none is asked any more; keep nothing outside "
      "a function",
      ruleset->chunk, (double)kept / (1024 * 1024));
  struct values values = {0};
  struct value text = text_node(what), *done;
  const struct value *arguments[] = {&text};
  ruleset->forbidden =
      vm_call(ruleset->vm, "ruleset", "forbid", arguments, 1, &ruleset->decision_budget, ERR_RULE, &values, &done, err);
  values_release(&values);
  return ruleset->forbidden;
}

bool ruleset_decide(
    struct ruleset *ruleset, const struct event *event, int64_t since_ms, int64_t moment_ms,
    const struct rules_agent *agent, struct decision *ret_decision, struct err *ret_trouble)
{
  struct values values = {0};
  struct question question;
  struct value *answer;
  ret_trouble->kind = ERR_NONE;
  *ret_trouble->text = '\0';
  ask(ruleset, event, since_ms, agent, false, &values, &question);
  bool ok = check_memory(ruleset, ret_trouble) && rules_tell_times(ruleset, moment_ms, ret_trouble) &&
            vm_call(
                ruleset->vm, "ruleset", "decide", question.arguments, ARGUMENTS, &ruleset->decision_budget, ERR_RULE,
                &values, &answer, ret_trouble);
  /* Each try has the whole budget, so they are few; the last one asks no function at all, and can hardly overrun. */
  for (int overruns = 1; !ok && ret_trouble->kind == ERR_LIMIT && overruns <= OVERRUNS_MAX; overruns++) {
    if (!rules_names_file(ruleset, ret_trouble->text))
      err_add(ret_trouble, "%s", ruleset->chunk);
    struct value what = text_node(ret_trouble->text), functions = {.type = VALUE_BOOL};
    functions.u.boolean = overruns < OVERRUNS_MAX;
    const struct value *arguments[] = {&what, &functions};
    ok = vm_call(
        ruleset->vm, "ruleset", "resume", arguments, 2, &ruleset->decision_budget, ERR_RULE, &values, &answer,
        ret_trouble);
  }
  ok = ok && read_answer(ruleset, answer, event, since_ms, moment_ms, ret_decision, ret_trouble);
  values_release(&values);
  return ok;
}

bool ruleset_explain(
    struct ruleset *ruleset, const struct event *event, int64_t since_ms, int64_t moment_ms,
    const struct rules_agent *agent, struct values *values, struct value **ret_steps, struct err *err)
{
  struct question question;
  const struct value *arguments[1 + ARGUMENTS];
  char clock[RULES_CLOCK_SIZE]; /* of another day than the moment's, so that the weekday is said */
  struct value clock_node = text_node(ruleset_clock(ruleset, moment_ms, moment_ms - 2 * CLOCK_DAY, clock));
  ask(ruleset, event, since_ms, agent, true, values, &question);
  arguments[0] = &clock_node;
  memcpy(arguments + 1, question.arguments, sizeof question.arguments);
  return rules_tell_times(ruleset, moment_ms, err) &&
         vm_call(
             ruleset->vm, "ruleset", "explain", arguments, COUNT_OF(arguments), &ruleset->decision_budget, ERR_RULE,
             values, ret_steps, err);
}

static struct value *candidate_map(const struct rules_candidate *candidate, struct values *values)
{
  struct value *map = value_map(values);
  value_set(values, map, "ucc", value_string(values, candidate->ucc));
  value_set(values, map, "state", value_string(values, candidate->state));
  if (*candidate->reason != '\0')
    value_set(values, map, "reason", value_string(values, candidate->reason));
  value_set(values, map, "since", value_number(values, (double)(candidate->since_ms / 1000)));
  value_set(values, map, "rank", value_number(values, candidate->rank));
  return map;
}

bool ruleset_merge(
    struct ruleset *ruleset, const struct rules_candidate *candidates, size_t count, const struct rules_agent *agent,
    size_t *ret_index, struct err *ret_trouble)
{
  struct values values = {0};
  struct value *list = value_list(&values), *answer;
  ret_trouble->kind = ERR_NONE;
  *ret_trouble->text = '\0';
  for (size_t i = 0; i < count; i++)
    value_add(&values, list, candidate_map(&candidates[i], &values));
  const struct value *arguments[] = {list, value_string(&values, agent->upn), states_map(agent, &values)};
  bool ok = vm_call(
      ruleset->vm, "ruleset", "merge", arguments, COUNT_OF(arguments), &ruleset->decision_budget, ERR_RULE, &values,
      &answer, ret_trouble);
  /* No second try: an overrun here costs nothing but the author's order, and the caller has one by rank. */
  double index = ok && value_is(answer, VALUE_NUMBER) ? answer->u.number : 0;
  if (ok && !(index >= 1 && index <= (double)count))
    ok = rules_bad_answer(ret_trouble, "a merge out of range");
  else if (!ok && !rules_names_file(ruleset, ret_trouble->text))
    err_add(ret_trouble, "%s", ruleset->chunk);
  if (ok)
    *ret_index = (size_t)index - 1;
  values_release(&values);
  return ok;
}
