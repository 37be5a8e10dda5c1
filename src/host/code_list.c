/* Lists of a site's reason codes and states, as people have them: a spreadsheet with a head line, or one name a line.
 * Which of the two a file is shows in its first line. Names are kept sorted, because every lookup is by name and lists
 * are short. */
#include "host/code_list.h"
#include "base/str.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

enum { COLUMNS_MAX = 64 };

/* ---- Lists ---- */

void code_list_add(struct code_list *list, const char *name)
{
  size_t low = 0, high = list->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int order = strcasecmp(name, list->codes[middle].name);
    if (order == 0) {
      list->codes[middle].seen++;
      return;
    }
    if (order < 0)
      high = middle;
    else
      low = middle + 1;
  }
  if (list->count == list->room) {
    list->room = list->room == 0 ? 64 : 2 * list->room;
    list->codes = must_realloc(list->codes, list->room * sizeof *list->codes);
  }
  memmove(&list->codes[low + 1], &list->codes[low], (list->count - low) * sizeof *list->codes);
  list->codes[low] = (struct code){must_strdup(name), 1};
  list->count++;
}

void code_list_release(struct code_list *list)
{
  for (size_t i = 0; i < list->count; i++)
    free(list->codes[i].name);
  free(list->codes);
  *list = (struct code_list){0};
}

void code_lists_release(struct code_lists *lists)
{
  code_list_release(&lists->reasons);
  code_list_release(&lists->states);
  code_list_release(&lists->either);
}

/* ---- Lines ---- */

struct lines *lines_open(const char *path, struct err *err)
{
  FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
  if (file == NULL) {
    err_set(err, ERR_CONFIG, "%s: cannot be read: %s; check the path", path, strerror(errno));
    return NULL;
  }
  struct lines *lines = must_alloc(sizeof *lines);
  lines->file = file;
  lines->path = path;
  return lines;
}

void lines_close(struct lines *lines)
{
  if (lines->file != stdin)
    fclose(lines->file);
  free(lines);
}

bool lines_next(struct lines *lines, struct err *err)
{
  if (fgets(lines->text, sizeof lines->text, lines->file) == NULL) {
    if (ferror(lines->file) != 0)
      err_set(err, ERR_CONFIG, "%s: cannot be read: %s; name a file", lines->path, strerror(errno));
    return false;
  }
  size_t length = strcspn(lines->text, "\r\n");
  lines->too_long = lines->text[length] == '\0' && feof(lines->file) == 0;
  for (int c = 0; lines->too_long && c != '\n' && c != EOF;)
    c = getc(lines->file);
  lines->text[length] = '\0';
  if (lines->number++ == 0 && str_starts(lines->text, "\xEF\xBB\xBF")) /* a byte order mark */
    memmove(lines->text, lines->text + 3, strlen(lines->text + 3) + 1);
  return true;
}

/* ---- A site's list ---- */

/* Divides a line in place; "a ""b""" is a "b". False: a quote that does not end. */
static bool divide(char *line, char separator, char *columns[COLUMNS_MAX], size_t *ret_count)
{
  size_t count = 0;
  char *at = line;
  while (count < COLUMNS_MAX) {
    char *to = columns[count++] = at;
    bool quoted = *at == '"';
    if (quoted)
      for (at++; *at != '"' || at[1] == '"'; at++) {
        if (*at == '\0')
          return false;
        at += *at == '"';
        *to++ = *at;
      }
    at += quoted;
    while (*at != separator && *at != '\0')
      *to++ = *at++;
    bool last = *at == '\0';
    *to = '\0';
    if (last)
      break;
    at++;
  }
  for (size_t i = 0; i < count; i++)
    columns[i] = str_trim(columns[i]);
  *ret_count = count;
  return true;
}

struct table {
  char separator;
  bool header; /* there is one: the two columns are known */
  size_t code, state;
};

/* Looks for a header in the first line that says something. */
static void read_header(const char *line, struct table *table)
{
  char copy[LINES_MAX_BYTES + 1], *columns[COLUMNS_MAX];
  size_t count;
  static const char separators[] = ";\t,"; /* a comma may stand within a name; the first one found divides */
  table->separator = ',';
  for (size_t i = sizeof separators - 1; i-- > 0;)
    if (strchr(line, separators[i]) != NULL)
      table->separator = separators[i];
  table->code = table->state = COLUMNS_MAX;
  if (!str_copy(copy, sizeof copy, line) || !divide(copy, table->separator, columns, &count))
    return;
  for (size_t i = 0; i < count; i++) {
    if (str_equal_fold(columns[i], "code") || str_equal_fold(columns[i], "reason"))
      table->code = i;
    if (str_equal_fold(columns[i], "state"))
      table->state = i;
  }
  table->header = table->code < COLUMNS_MAX || table->state < COLUMNS_MAX;
}

static bool read_row(struct lines *lines, const struct table *table, struct code_lists *to, struct err *err)
{
  char *columns[COLUMNS_MAX];
  size_t count;
  if (lines->too_long)
    return err_set(err, ERR_CONFIG, "%s:%d: the line is too long; is this a list?", lines->path, lines->number);
  if (!str_is_utf8(lines->text, strlen(lines->text)))
    return err_set(err, ERR_CONFIG, "%s:%d: not UTF-8 text; save the file as UTF-8", lines->path, lines->number);
  if (!divide(lines->text, table->separator, columns, &count))
    return err_set(err, ERR_CONFIG, "%s:%d: a quote is not closed; close it", lines->path, lines->number);
  if (!table->header && *columns[0] != '\0')
    code_list_add(&to->either, columns[0]);
  if (table->code < count && *columns[table->code] != '\0')
    code_list_add(&to->reasons, columns[table->code]);
  if (table->state < count && *columns[table->state] != '\0')
    code_list_add(&to->states, columns[table->state]);
  return true;
}

bool code_lists_read(const char *path, struct code_lists *ret_lists, struct err *err)
{
  struct code_lists lists = {0};
  struct table table = {0};
  struct lines *lines = lines_open(path, err);
  if (lines == NULL)
    return false;
  bool ok = true, first = true;
  err->kind = ERR_NONE;
  while (ok && lines_next(lines, err)) {
    if (lines->text[strspn(lines->text, " \t")] == '\0' || *lines->text == '#')
      continue;
    if (first)
      read_header(lines->text, &table);
    if (!first || !table.header)
      ok = read_row(lines, &table, &lists, err);
    first = false;
  }
  ok = ok && err->kind == ERR_NONE;
  lines_close(lines);
  if (ok && lists.reasons.count + lists.states.count + lists.either.count == 0)
    ok = err_set(err, ERR_CONFIG, "%s: no code and no state in it; write one a line", path);
  if (ok)
    *ret_lists = lists;
  else
    code_lists_release(&lists);
  return ok;
}
