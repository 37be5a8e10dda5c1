/* Prints, as JSON, every name that a ruleset may write, as the binding itself has them: the presences from src/model,
 * all else from the Lua modules inside the program. lua/presence_d.py makes the editor help of it.
 *
 * Those of scripts are printed by a script, which the room runs: script_names.lua, beside binding_names.lua.
 *
 *     binding_names binding_names.lua script_names.lua */
#include "adapters/json.h"
#include "rules/internal.h"
#include "script/script.h"

#include <stdio.h>
#include <string.h>

enum { SOURCE_MAX = 64 * 1024, ANSWER_MAX = 1024 * 1024 };

static const struct rules_limits limits = {5, 1000, 4 * 1024 * 1024, 32 * 1024 * 1024};

static void put_presence(struct values *values, struct value *list, const char *name, enum presence presence)
{
  struct value *entry = value_map(values);
  value_set(values, entry, "name", value_string(values, name));
  value_set(values, entry, "means", value_string(values, presence_str(presence)));
  value_set(values, entry, "availability", value_string(values, presence_availability_str(presence)));
  value_set(values, entry, "activity", value_string(values, presence_activity_str(presence)));
  value_add(values, list, entry);
}

static void put_presences(struct values *values, struct value *answer)
{
  struct value *list = value_list(values);
  for (int i = PRESENCE_NONE + 1; i < PRESENCE_COUNT; i++) {
    enum presence presence = (enum presence)i, same;
    const char *name = presence_str(presence);
    char teams[64];
    snprintf(teams, sizeof teams, "teams%s", strchr(name, '.'));
    put_presence(values, list, name, presence);
    if (presence_parse(teams, &same) && same == presence)
      put_presence(values, list, teams, presence);
  }
  value_set(values, answer, "presences", list);
}

static bool read_chunk(const char *path, struct buf *chunk, struct err *err)
{
  FILE *file = fopen(path, "re");
  if (file == NULL)
    return err_set(err, ERR_CONFIG, "%s: cannot be read; name binding_names.lua", path);
  char block[4096];
  size_t got;
  while ((got = fread(block, 1, sizeof block, file)) > 0)
    buf_add(chunk, block, got);
  fclose(file);
  return !chunk->overflow || err_set(err, ERR_CONFIG, "%s: too large; name binding_names.lua", path);
}

/* ---- scripts */

struct listing {
  struct values *values;
  struct value *names;
};

static void add_name(void *context, const char *bytes, size_t length)
{
  struct listing *listing = context;
  value_add(listing->values, listing->names, value_bytes(listing->values, bytes, length - 1)); /* without line end */
}

static int64_t no_time(void *context UNUSED)
{
  return 0;
}

static void no_wake(void *context UNUSED, int64_t at_ms UNUSED)
{
}

static bool put_script_names(const char *path, struct values *values, struct value *answer, struct err *err)
{
  struct listing listing = {values, value_list(values)};
  struct graph_port port = {.context = &listing, .now = no_time, .wake_at = no_wake, .print = add_name};
  struct script_limits bounds = {.cpu_ms = 1000, .memory_bytes = 32 * 1024 * 1024, .tasks = 2, .queue = 1};
  struct script *script = script_open(path, NULL, 0, &bounds, &port, err);
  if (script == NULL)
    return false;
  while (script_state(script) == SCRIPT_RUNS)
    script_turn(script);
  bool ok = script_state(script) == SCRIPT_DONE;
  if (!ok)
    *err = *script_err(script);
  script_free(script);
  value_set(values, answer, "script", listing.names);
  return ok;
}

static bool print_names(
    const char *path, const char *script_path, struct ruleset *ruleset, struct values *values, struct err *err)
{
  struct buf chunk, text;
  struct value *answer;
  buf_init(&chunk, SOURCE_MAX);
  buf_init(&text, ANSWER_MAX);
  bool ok = read_chunk(path, &chunk, err) && vm_load(ruleset->vm, "names", buf_text(&chunk), chunk.length, err) &&
            vm_call(ruleset->vm, "names", "all", NULL, 0, NULL, ERR_BUG, values, &answer, err) &&
            put_script_names(script_path, values, answer, err);
  if (ok) {
    put_presences(values, answer);
    json_write_pretty(&text, answer);
    printf("%s\n", buf_text(&text));
  }
  buf_release(&chunk);
  buf_release(&text);
  return ok;
}

int main(int argc, char **argv)
{
  struct err err = ERR_INIT;
  struct values values = {0};
  struct ruleset *ruleset = ruleset_load(NULL, &limits, 1, &err);
  bool ok = argc == 3 && ruleset != NULL && print_names(argv[1], argv[2], ruleset, &values, &err);
  if (!ok)
    fprintf(stderr, "binding_names: %s\n", argc == 3 ? err.text : "name binding_names.lua and script_names.lua");
  values_release(&values);
  ruleset_free(ruleset);
  return ok ? 0 : 1;
}
