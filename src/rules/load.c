#include "base/clock.h"
#include "base/str.h"
#include "rules/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

extern const unsigned char embedded_default_lua[];
extern const size_t embedded_default_lua_length;

/* The trusted modules, in the order in which they require each other. */
#define MODULE(name)                                                                                                   \
  extern const unsigned char embedded_##name##_lua[];                                                                  \
  extern const size_t embedded_##name##_lua_length;
MODULE(words)
MODULE(source)
MODULE(sandbox)
MODULE(language)
MODULE(decide)
MODULE(ruleset)
#undef MODULE

enum { SOURCE_MAX = 256 * 1024 }; /* bytes of a ruleset file */

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
    outcome->unmatched = value_get_bool(from, "unmatched", false);
    outcome->computed = strcmp(value_get_text(from, "kind", ""), "function") == 0;
    if (!outcome->computed && !rules_read_outcome(from, outcome, err))
      return false;
  }
  return true;
}

static bool read_file(const char *path, struct buf *source, struct err *err)
{
  FILE *file = fopen(path, "re");
  if (file == NULL)
    return err_set(
        err, ERR_CONFIG, "%s: cannot be read: %s; check the path and its permissions", path, strerror(errno));
  char block[4096];
  size_t got;
  while ((got = fread(block, 1, sizeof block, file)) > 0)
    if (!buf_add(source, block, got))
      break;
  bool failed = ferror(file) != 0;
  int cause = errno;
  fclose(file);
  if (failed)
    return err_set(err, ERR_CONFIG, "%s: cannot be read: %s; name a file", path, strerror(cause));
  if (source->overflow)
    return err_set(err, ERR_CONFIG, "%s: larger than %d KiB; split what is not needed off", path, SOURCE_MAX / 1024);
  return true;
}

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

/* Every presence by the names that rules know it by. */
static struct value *presence_catalog(struct values *values)
{
  struct value *catalog = value_list(values);
  for (int i = PRESENCE_NONE + 1; i < PRESENCE_COUNT; i++) {
    enum presence presence = (enum presence)i, same;
    const char *name = presence_str(presence);
    char teams[64];
    snprintf(teams, sizeof teams, "teams%s", strchr(name, '.'));
    add_presence(values, catalog, name, presence);
    if (presence_parse(teams, &same) && same == presence)
      add_presence(values, catalog, teams, presence);
  }
  return catalog;
}

static bool load_modules(struct vm *vm, struct err *err)
{
#define MODULE(name)                                                                                                   \
  {                                                                                                                    \
#name, embedded_##name##_lua, embedded_##name##_lua_length                                                         \
  }
  const struct {
    const char *name;
    const unsigned char *source;
    size_t length;
  } modules[] = {MODULE(words), MODULE(source), MODULE(sandbox), MODULE(language), MODULE(decide), MODULE(ruleset)};
#undef MODULE
  for (size_t i = 0; i < COUNT_OF(modules); i++)
    if (!vm_load(vm, modules[i].name, modules[i].source, modules[i].length, err))
      return false;
  return true;
}

static bool compile(
    struct ruleset *ruleset, const char *source, size_t length, const struct rules_limits *limits, struct err *err)
{
  if (length >= 3 && memcmp(source, "\xEF\xBB\xBF", 3) == 0) { /* a byte order mark, as some editors write it */
    source += 3;
    length -= 3;
  }
  if (!str_is_utf8(source, length))
    return err_set(err, ERR_CONFIG, "%s: not UTF-8 text; save the file as UTF-8", ruleset->path);
  struct values *values = &ruleset->values;
  const struct value *arguments[] = {
      value_bytes(values, source, length), value_string(values, ruleset->chunk), presence_catalog(values)};
  struct vm_budget budget = {.cpu_ms = limits->load_cpu_ms, .memory_bytes = limits->load_memory_bytes};
  struct value *result;
  if (!vm_call(
          ruleset->vm, "ruleset", "load", arguments, COUNT_OF(arguments), &budget, ERR_CONFIG, values, &result, err)) {
    if (err->kind != ERR_CONFIG && !str_starts(err->text, ruleset->chunk))
      err_add(err, "%s", ruleset->path); /* one allocation beyond the cap has no place of its own */
    err->kind = ERR_CONFIG;
    return false;
  }
  const char *name = value_get_text(result, "name", NULL);
  if (name != NULL) {
    free(ruleset->name);
    ruleset->name = must_strdup(name);
  }
  ruleset->uses_attributes = value_get_bool(result, "uses_attributes", true);
  ruleset->uses_agent = value_get_bool(result, "uses_agent", true);
  return read_outcomes(ruleset, value_get(result, "outcomes"), err);
}

static const char *file_name(const char *path)
{
  const char *slash = strrchr(path, '/');
  return slash == NULL ? path : slash + 1;
}

static struct ruleset *ruleset_new(const char *path, const struct rules_limits *limits, uint32_t generation)
{
  struct ruleset *ruleset = must_alloc(sizeof *ruleset);
  ruleset->path = must_strdup(path);
  ruleset->name = must_strdup(file_name(path));
  char *dot = strrchr(ruleset->name, '.');
  if (dot != NULL && dot != ruleset->name)
    *dot = '\0';
  str_cut(ruleset->chunk, sizeof ruleset->chunk, strlen(path) <= RULES_CHUNK_NAME_MAX ? path : file_name(path));
  ruleset->generation = generation;
  ruleset->decision_budget =
      (struct vm_budget){.cpu_ms = limits->decision_cpu_ms, .memory_bytes = limits->decision_memory_bytes};
  return ruleset;
}

struct ruleset *ruleset_load(const char *path, const struct rules_limits *limits, uint32_t generation, struct err *err)
{
  struct ruleset *ruleset = ruleset_new(path == NULL ? "default.lua" : path, limits, generation);
  struct buf source;
  buf_init(&source, SOURCE_MAX);
  ruleset->vm = vm_new(err);
  bool ok = ruleset->vm != NULL && load_modules(ruleset->vm, err);
  if (ok && path == NULL)
    ok = compile(ruleset, (const char *)embedded_default_lua, embedded_default_lua_length, limits, err);
  else if (ok)
    ok = read_file(path, &source, err) && compile(ruleset, buf_text(&source), source.length, limits, err);
  buf_release(&source);
  if (!ok) {
    ruleset_free(ruleset);
    return NULL;
  }
  vm_collect(ruleset->vm);
  return ruleset;
}

void ruleset_free(struct ruleset *ruleset)
{
  if (ruleset == NULL)
    return;
  vm_free(ruleset->vm);
  values_release(&ruleset->values);
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

enum rules_merge ruleset_merge_mode(const struct ruleset *ruleset UNUSED)
{
  return RULES_MERGE_RANK;
}

const char *ruleset_file_at(const struct ruleset *ruleset, size_t index)
{
  return index == 0 ? ruleset->path : NULL;
}
