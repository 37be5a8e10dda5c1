/* Prints, as JSON, every name that a ruleset may write, as the binding itself has them: the presences from src/model,
 * all else from the Lua modules inside the program. lua/presence_d.py makes the editor help of it.
 *
 *     binding_names binding_names.lua */
#include "adapters/json.h"
#include "rules/internal.h"

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

static bool print_names(const char *path, struct ruleset *ruleset, struct values *values, struct err *err)
{
  struct buf chunk, text;
  struct value *answer;
  buf_init(&chunk, SOURCE_MAX);
  buf_init(&text, ANSWER_MAX);
  bool ok = read_chunk(path, &chunk, err) && vm_load(ruleset->vm, "names", buf_text(&chunk), chunk.length, err) &&
            vm_call(ruleset->vm, "names", "all", NULL, 0, NULL, ERR_BUG, values, &answer, err);
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
  bool ok = argc == 2 && ruleset != NULL && print_names(argv[1], ruleset, &values, &err);
  if (!ok)
    fprintf(stderr, "binding_names: %s\n", argc == 2 ? err.text : "name binding_names.lua");
  values_release(&values);
  ruleset_free(ruleset);
  return ok ? 0 : 1;
}
