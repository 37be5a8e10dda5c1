/* What the files of this room share. */
#ifndef RULES_INTERNAL_H
#define RULES_INTERNAL_H

#include "adapters/vm.h"
#include "luafile/luafile.h"
#include "rules/rules.h"
#include "rules/times.h"

enum {
  RULES_CHUNK_NAME_MAX = 55, /* longer names Lua cuts in its messages */
  RULES_MESSAGE_MAX = 280,   /* characters that Teams takes */
  RULES_SLOTS = 4,           /* attributes given as arguments; lua/decide.lua */
  RULES_TEMPLATE_MAX = 1000, /* characters of a message before that */
};

/* An outcome that is known when the file has been read. Texts live in the ruleset's values. */
struct rules_outcome {
  bool computed; /* by a function: only rule, place and `unmatched` are known before */
  struct decision_terms terms;
  const char *message; /* with its placeholders */
  const char *rule, *place;
};

/* A file that the ruleset was read from. */
struct rules_file {
  char *path;
  char chunk[RULES_CHUNK_NAME_MAX + 1]; /* what it is called in errors and places */
};

struct ruleset {
  struct vm *vm;
  char *path, *name;
  char chunk[RULES_CHUNK_NAME_MAX + 1]; /* what the outermost file is called in errors and places */
  uint32_t generation;
  struct vm_budget decision_budget, load_budget;
  bool uses_attributes, uses_agent;
  const char *slots[RULES_SLOTS]; /* attributes that conditions name, given as arguments; NULL: no more */
  struct values values;
  struct rules_outcome *outcomes;
  size_t outcome_count;
  size_t loaded_bytes;       /* of Lua's memory */
  bool forbidden;            /* no function is asked any more */
  const struct value *tests; /* as lua/tests.lua has checked them */
  const struct value *warnings;
  enum rules_merge merge;
  bool anchors;
  struct rules_file *files;
  size_t file_count;
  struct zone *zone; /* NULL: the ruleset has none, and uses no times */
  struct rules_time *times;
  size_t time_count;
  int64_t times_from_ms, times_until_ms; /* what Lua knows of them is so from ... until; an empty span: nothing */
};

/* Reads the outermost file (path NULL: the built-in ruleset) and those that it asks for, and hands them to Lua. */
bool rules_read_files(struct ruleset *ruleset, const char *path, struct err *err) MUST_CHECK;
/* A call of module "ruleset" within the budget of loading; an error without a place gets the file's. */
bool rules_load_call(
    struct ruleset *ruleset, const char *function, const struct value *const *arguments, size_t count, const char *file,
    struct values *values, struct value **ret_result, struct err *err) MUST_CHECK;
/* Does the text begin with the name of one of its files? Else an error has no place. */
bool rules_names_file(const struct ruleset *ruleset, const char *text);
/* Every presence by the names that rules know it by. */
struct value *rules_presence_catalog(struct values *values);

/* Checks and takes what Lua says of one outcome, as if it came from the network; the message stays where it is. Leaves
 * `unmatched` alone. */
bool rules_read_outcome(
    const struct value *from, struct decision_terms *terms, const char **ret_message, struct err *err) MUST_CHECK;
bool rules_bad_answer(struct err *err, const char *what);

#endif
