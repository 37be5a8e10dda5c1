/* A ruleset from its files to a struct that decides: a VM of its own, our modules into it, the files (files.c), then
 * compile(), whose answer is checked and copied once so that a decision has nothing left to check. After that its rules
 * never change. A reload makes another one beside it and exchanges the two, so a bad edit cannot touch what runs, and
 * going back to the one before is another exchange.
 *
 * Presences are told to Lua from src/model's table. So the language has no list of its own that could name what Graph
 * does not take. */
#include "base/clock.h"
#include "base/str.h"
#include "rules/internal.h"

#include <stdio.h>
#include <string.h>

/* The trusted modules, in the order in which they require each other. */
#define MODULE(name)                                                                                                   \
  extern const unsigned char embedded_##name##_lua[];                                                                  \
  extern const size_t embedded_##name##_lua_length;
MODULE(words)
MODULE(source)
MODULE(sandbox)
MODULE(times)
MODULE(language)
MODULE(conditions)
MODULE(codes)
MODULE(lint)
MODULE(decide)
MODULE(ruleset)
MODULE(tests)
#undef MODULE

static bool read_outcomes(struct ruleset *ruleset, const struct value *list, struct err *err)
{
  size_t count = value_count(list);
  ruleset->outcomes = must_alloc((count + 1) * sizeof *ruleset->outcomes);
  ruleset->outcome_count = count;
  for (size_t i = 0; i < count; i++) {
    struct rules_outcome *outcome = &ruleset->outcomes[i];
    const struct value *from = value_at(list, i);
    outcome->rule = value_get_text(from, "rule", "");
    outcome->place = value_get_text(from, "place", "");
    outcome->terms.unmatched = value_get_bool(from, "unmatched", false);
    /* Of a function only that is known now; what it answers is read at each decision. */
    outcome->computed = strcmp(value_get_text(from, "kind", ""), "function") == 0;
    if (!outcome->computed && !rules_read_outcome(from, &outcome->terms, &outcome->message, err))
      return false;
  }
  return true;
}

/* How long a presence stays when the rule does not say: a bound for the day on which the next event gets lost. Four
 * hours are long for a call, twelve for a shift. */
static int64_t hold_of(enum presence presence)
{
  bool call =
      presence == SESSION_IN_A_CALL || presence == SESSION_IN_A_CONFERENCE_CALL || presence == SESSION_PRESENTING;
  return (call ? 4 : 12) * CLOCK_HOUR;
}

static void add_presence(struct values *values, struct value *catalog, const char *name, enum presence presence)
{
  struct value *entry = value_map(values);
  value_set(values, entry, "name", value_string(values, name));
  value_set(values, entry, "presence", value_string(values, presence_str(presence)));
  value_set(
      values, entry, "plane",
      value_string(values, presence_plane(presence) == PLANE_SESSION ? "session" : "preferred"));
  value_set(values, entry, "availability", value_string(values, presence_availability_str(presence)));
  value_set(values, entry, "hold_ms", value_number(values, (double)hold_of(presence)));
  value_add(values, catalog, entry);
}

struct value *rules_presence_catalog(struct values *values)
{
  struct value *catalog = value_list(values);
  for (int i = PRESENCE_NONE + 1; i < PRESENCE_COUNT; i++) {
    enum presence presence = (enum presence)i, same;
    const char *name = presence_str(presence);
    char teams[64];
    snprintf(teams, sizeof teams, "teams%s", strchr(name, '.'));
    add_presence(values, catalog, name, presence);
    if (presence_parse(teams, &same) && same == presence)
      /* The short name belongs to the plane that colleagues see; of two presences of one name only one has it. */
      add_presence(values, catalog, teams, presence);
  }
  return catalog;
}

/* The list of the top again, now as rows: Lua's require() finds only what has been loaded before. */
static struct vm *open_vm(struct err *err)
{
#define MODULE(name)                                                                                                   \
  {                                                                                                                    \
#name, embedded_##name##_lua, embedded_##name##_lua_length                                                         \
  }
  const struct luafile_module modules[] = {MODULE(words),    MODULE(source),     MODULE(sandbox), MODULE(times),
                                           MODULE(language), MODULE(conditions), MODULE(codes),   MODULE(lint),
                                           MODULE(decide),   MODULE(ruleset),    MODULE(tests)};
#undef MODULE
  return luafile_vm(modules, COUNT_OF(modules), err);
}

static bool names_place(const void *context, const char *text)
{
  return rules_names_file(context, text);
}

bool rules_load_call(
    struct ruleset *ruleset, const char *function, const struct value *const *arguments, size_t count, const char *file,
    struct values *values, struct value **ret_result, struct err *err)
{
  const char *module = strcmp(function, "check") == 0 ? "tests" : "ruleset";
  /* A limit or a defect on the way is the author's to mend, too: by a smaller file, if by nothing else. */
  return luafile_load_call(
      ruleset->vm, module, function, arguments, count, &ruleset->load_budget, file, names_place, ruleset, values,
      ret_result, err);
}

static bool read_merge(struct ruleset *ruleset, const struct value *compiled)
{
  static const char *const modes[] = {
      [RULES_MERGE_RANK] = "rank", [RULES_MERGE_LATEST] = "latest", [RULES_MERGE_FUNCTION] = "function"};
  const char *mode = value_get_text(compiled, "merge", "");
  for (size_t i = 0; i < COUNT_OF(modes); i++)
    if (strcmp(mode, modes[i]) == 0) {
      ruleset->merge = (enum rules_merge)i;
      return true;
    }
  return false;
}

/* Tests lie between these: the years 2000 to 2049. */
#define ZONE_FROM_MS INT64_C(946684800000)
#define ZONE_UNTIL_MS INT64_C(2524608000000)

/* The zone as lua/tests.lua needs it, for times without an offset: a list of { from_ms, offset_ms }, or nil. */
static struct value *zone_offsets(struct ruleset *ruleset)
{
  struct values *values = &ruleset->values;
  if (ruleset->zone == NULL)
    return value_nil(values);
  struct value *list = value_list(values);
  for (int64_t at_ms = ZONE_FROM_MS; at_ms < ZONE_UNTIL_MS; at_ms = zone_next_change(ruleset->zone, at_ms)) {
    struct value *entry = value_map(values);
    value_set(values, entry, "from_ms", value_number(values, (double)at_ms));
    value_set(values, entry, "offset_ms", value_number(values, zone_offset_s(ruleset->zone, at_ms) * 1000.0));
    value_add(values, list, entry);
  }
  return list;
}

/* All files are read: what they say together. */
static bool compile(struct ruleset *ruleset, struct err *err)
{
  struct value *compiled, *tests;
  if (!rules_load_call(ruleset, "compile", NULL, 0, ruleset->chunk, &ruleset->values, &compiled, err))
    return false;
  const char *name = value_get_text(compiled, "name", NULL);
  if (name != NULL) {
    free(ruleset->name);
    ruleset->name = must_strdup(name);
  }
  /* Unsaid counts as yes: a table too many costs time, one too few a wrong answer. */
  ruleset->uses_attributes = value_get_bool(compiled, "uses_attributes", true);
  ruleset->uses_agent = value_get_bool(compiled, "uses_agent", true);
  for (size_t i = 0; i < RULES_SLOTS; i++)
    ruleset->slots[i] = value_text(value_at(value_get(compiled, "attributes"), i), NULL);
  ruleset->warnings = value_get(compiled, "warnings");
  ruleset->anchors = value_get_bool(compiled, "anchors", false);
  if (!read_merge(ruleset, compiled))
    return rules_bad_answer(err, "an unknown merge");
  if (!rules_read_times(ruleset, compiled, err) || !read_outcomes(ruleset, value_get(compiled, "outcomes"), err))
    return false;
  /* The tests that stand in the file: an illegal one is an error of the file. They run later, if at all. */
  const struct value *offsets = zone_offsets(ruleset);
  if (!rules_load_call(ruleset, "check", &offsets, 1, ruleset->chunk, &ruleset->values, &tests, err))
    return false;
  ruleset->tests = tests;
  return true;
}

static struct ruleset *ruleset_new(const char *path, const struct rules_limits *limits, uint32_t generation)
{
  struct ruleset *ruleset = must_alloc(sizeof *ruleset);
  ruleset->path = must_strdup(path);
  ruleset->name = must_strdup(luafile_name(path));
  char *dot = strrchr(ruleset->name, '.');
  if (dot != NULL && dot != ruleset->name)
    *dot = '\0';
  str_cut(ruleset->chunk, sizeof ruleset->chunk, strlen(path) <= RULES_CHUNK_NAME_MAX ? path : luafile_name(path));
  ruleset->generation = generation;
  ruleset->decision_budget =
      (struct vm_budget){.cpu_ms = limits->decision_cpu_ms, .memory_bytes = limits->decision_memory_bytes};
  ruleset->load_budget = (struct vm_budget){.cpu_ms = limits->load_cpu_ms, .memory_bytes = limits->load_memory_bytes};
  return ruleset;
}

struct ruleset *ruleset_load(const char *path, const struct rules_limits *limits, uint32_t generation, struct err *err)
{
  return ruleset_load_noting(path, limits, generation, NULL, NULL, err);
}

struct ruleset *ruleset_load_noting(
    const char *path, const struct rules_limits *limits, uint32_t generation, luafile_on_file *on_file, void *context,
    struct err *err)
{
  struct ruleset *ruleset = ruleset_new(path == NULL ? "default.lua" : path, limits, generation);
  ruleset->vm = open_vm(err);
  bool ok = ruleset->vm != NULL && rules_read_files(ruleset, path, err) && compile(ruleset, err);
  /* After a failure too: the file that mends it may be one that only the bad edit names. */
  for (size_t i = 0; on_file != NULL && i < ruleset->file_count; i++)
    on_file(context, ruleset->files[i].path);
  if (!ok) {
    ruleset_free(ruleset);
    return NULL;
  }
  vm_set_pause(ruleset->vm, VM_PAUSE_DEFAULT);
  /* What is left is the ruleset itself; decide.c measures by it what functions hoard from one decision to the next. */
  vm_collect(ruleset->vm);
  ruleset->loaded_bytes = vm_memory_bytes(ruleset->vm);
  return ruleset;
}

void ruleset_free(struct ruleset *ruleset)
{
  if (ruleset == NULL)
    return;
  vm_free(ruleset->vm);
  values_release(&ruleset->values);
  zone_free(ruleset->zone);
  for (size_t i = 0; i < ruleset->file_count; i++)
    free(ruleset->files[i].path);
  free(ruleset->files);
  free(ruleset->times);
  free(ruleset->outcomes);
  free(ruleset->path);
  free(ruleset->name);
  free(ruleset);
}

const char *ruleset_name(const struct ruleset *ruleset)
{
  return ruleset->name;
}

const char *ruleset_path(const struct ruleset *ruleset)
{
  return ruleset->path;
}

uint32_t ruleset_generation(const struct ruleset *ruleset)
{
  return ruleset->generation;
}

size_t ruleset_memory_bytes(const struct ruleset *ruleset)
{
  return vm_memory_bytes(ruleset->vm);
}

enum rules_merge ruleset_merge_mode(const struct ruleset *ruleset)
{
  return ruleset->merge;
}

bool ruleset_anchors(const struct ruleset *ruleset)
{
  return ruleset->anchors;
}

const char *ruleset_file_at(const struct ruleset *ruleset, size_t index)
{
  return index < ruleset->file_count ? ruleset->files[index].path : NULL;
}

const char *ruleset_warning_at(const struct ruleset *ruleset, size_t index)
{
  return value_text(value_at(ruleset->warnings, index), NULL);
}
