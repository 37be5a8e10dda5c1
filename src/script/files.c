/* Recordings and spreadsheets for scripts, read a few hundred records at a time, so that a file of any size takes no
 * more of a script's memory than one lot. Reading blocks, so it is bounded twice: only regular files are opened, since
 * a pipe would wait for its writer, and a lot ends after so many records or bytes.
 *
 * A line of a recording that is not an event is skipped and told. A wrong row ends the reading: after one quotation
 * mark too many, all that follows would be read wrongly. */
#include "base/str.h"
#include "luafile/luafile.h"
#include "script/internal.h"

#include <errno.h>
#include <string.h>

enum {
  RECORDS_AT_ONCE = 256,
  BYTES_AT_ONCE = 256 * 1024,
  FIELDS_MAX = 200, /* of a row */
};

struct script_file {
  FILE *file;
  char *path;
  bool rows;
  int line;          /* the last one that was begun */
  char divider[2];   /* rows: of fields, with a NUL */
  char **heads;      /* rows: the names of the fields */
  size_t head_count; /* 0: the head line is not read yet */
  struct buf text;   /* of one record; of a row its fields, each with its NUL */
  size_t fields[FIELDS_MAX], field_count;
};

struct script_file *script_file_open(const char *path, const char *kind, struct err *err)
{
  FILE *stream = luafile_open_regular(path, err);
  if (stream == NULL)
    return NULL;
  struct script_file *file = must_alloc(sizeof *file);
  file->file = stream;
  file->path = must_strdup(path);
  file->rows = strcmp(kind, "rows") == 0;
  buf_init(&file->text, SCRIPT_RECORD_MAX);
  return file;
}

void script_file_close(struct script_file *file)
{
  if (file == NULL)
    return;
  fclose(file->file);
  for (size_t i = 0; i < file->head_count; i++)
    free(file->heads[i]);
  free(file->heads);
  free(file->path);
  buf_release(&file->text);
  free(file);
}

/* ---- Recordings */

/* What is too long is dropped, but read to its end: the next line is to begin where it does. */
static bool next_line(struct script_file *file)
{
  int c = getc(file->file);
  buf_clear(&file->text);
  file->line++;
  for (; c != EOF && c != '\n'; c = getc(file->file)) {
    char byte = (char)c;
    buf_add(&file->text, &byte, 1);
  }
  return c != EOF || file->text.length > 0 || file->text.overflow;
}

/* False: it is no event, and that was told. */
static bool read_event(
    struct script_file *file, const struct graph_port *port, struct values *values, struct value **ret_event)
{
  struct err why = ERR_INIT;
  if (file->text.overflow)
    err_set(&why, ERR_LIMIT, "larger than %d KiB", SCRIPT_RECORD_MAX / 1024);
  else if (port->read_event(port->context, buf_text(&file->text), file->text.length, values, ret_event, &why))
    return true;
  err_add(&why, "%s:%d: no event, skipped", file->path, file->line);
  port->log(port->context, SCRIPT_LOG_WARN, why.text);
  return false;
}

/* ---- Spreadsheets: RFC 4180, and what Excel makes of it */

/* What divides the fields shows in the head line: the spreadsheet's language decides. Where a comma is the decimal
 * point, Excel writes semicolons into what it calls "comma separated". At a tie it is the semicolon, for a name may
 * well hold a comma. */
static char divider_of(FILE *file)
{
  long commas = 0, semicolons = 0, tabs = 0;
  bool quoted = false;
  int c;
  long start = ftell(file);
  while ((c = getc(file)) != EOF && (quoted || c != '\n')) {
    quoted = quoted != (c == '"');
    if (quoted)
      continue;
    commas += c == ',';
    semicolons += c == ';';
    tabs += c == '\t';
  }
  if (fseek(file, start, SEEK_SET) != 0)
    return ',';
  return tabs > commas && tabs > semicolons ? '\t' : semicolons > 0 && semicolons >= commas ? ';' : ',';
}

/* Excel begins its "CSV UTF-8" with a byte order mark, which would become a part of the first name. */
static void skip_mark(FILE *file)
{
  char mark[3];
  if (fread(mark, 1, sizeof mark, file) != sizeof mark || memcmp(mark, "\xEF\xBB\xBF", sizeof mark) != 0)
    rewind(file);
}

static void end_field(struct script_file *file, size_t *start)
{
  buf_add(&file->text, "", 1);
  if (file->field_count < FIELDS_MAX)
    file->fields[file->field_count] = *start;
  /* Counted beyond what has room, so that check_row() can refuse the row. */
  file->field_count++;
  *start = file->text.length;
}

/* The fields of the next row; false at the end of the file. A quoted field may go over several lines, and holds a
 * quotation mark as two. Carriage returns count only inside quotes: the others are half of a line's end. */
static bool next_row(struct script_file *file, int *ret_line)
{
  size_t start = 0;
  bool quoted = false, any = false;
  int c;
  buf_clear(&file->text);
  file->field_count = 0;
  *ret_line = ++file->line;
  while ((c = getc(file->file)) != EOF && (quoted || c != '\n')) {
    any = true;
    file->line += c == '\n';
    char byte = (char)c;
    if (c == '"') {
      int next = quoted ? getc(file->file) : '\0';
      if (quoted && next == '"') {
        buf_add(&file->text, &byte, 1);
      } else {
        quoted = !quoted;
        if (!quoted && next != EOF)
          ungetc(next, file->file);
      }
    } else if (c == *file->divider && !quoted) {
      end_field(file, &start);
    } else if (c != '\r' || quoted) {
      buf_add(&file->text, &byte, 1);
    }
  }
  end_field(file, &start);
  return any || c != EOF;
}

static bool check_row(const struct script_file *file, int line, struct err *err)
{
  if (file->text.overflow)
    return err_set(
        err, ERR_INPUT, "%s:%d: a row larger than %d KiB; is a quotation mark left open?", file->path, line,
        SCRIPT_RECORD_MAX / 1024);
  if (file->field_count > FIELDS_MAX)
    return err_set(err, ERR_INPUT, "%s:%d: more than %d fields", file->path, line, FIELDS_MAX);
  for (size_t i = 0; i < file->field_count; i++) {
    const char *field = buf_text(&file->text) + file->fields[i];
    size_t end = i + 1 < file->field_count ? file->fields[i + 1] : file->text.length;
    if (!str_is_utf8(field, end - file->fields[i] - 1))
      return err_set(err, ERR_INPUT, "%s:%d: this is no UTF-8; save it as \"CSV UTF-8\"", file->path, line);
  }
  if (file->head_count > 0 && file->field_count > file->head_count)
    return err_set(
        err, ERR_INPUT, "%s:%d: %zu fields, but the head line has %zu; put texts that hold a %s into quotation marks",
        file->path, line, file->field_count, file->head_count, *file->divider == '\t' ? "tab" : file->divider);
  return true;
}

static bool read_heads(struct script_file *file, struct err *err)
{
  int line;
  skip_mark(file->file);
  *file->divider = divider_of(file->file);
  if (!next_row(file, &line))
    return err_set(err, ERR_INPUT, "%s: empty; the first line names the fields", file->path);
  if (!check_row(file, line, err))
    return false;
  file->heads = must_alloc(file->field_count * sizeof *file->heads);
  for (size_t i = 0; i < file->field_count; i++)
    file->heads[file->head_count++] = str_trim(must_strdup(buf_text(&file->text) + file->fields[i]));
  return true;
}

static bool is_blank(const struct script_file *file)
{
  const char *text = buf_text(&file->text);
  for (size_t i = 0; i < file->text.length; i++)
    if (text[i] != '\0' && text[i] != ' ')
      return false;
  return true;
}

static struct value *row_value(struct script_file *file, struct values *values)
{
  struct value *row = value_map(values);
  for (size_t i = 0; i < file->head_count; i++) {
    char *field = i < file->field_count ? file->text.bytes + file->fields[i] : NULL;
    value_set(values, row, file->heads[i], value_string(values, field == NULL ? "" : str_trim(field)));
  }
  return row;
}

/* ---- Both */

static void add_record(struct values *values, struct value *records, struct value *value, int line)
{
  struct value *record = value_map(values);
  value_set(values, record, "value", value);
  value_set(values, record, "line", value_number(values, line));
  value_add(values, records, record);
}

bool script_file_next(
    struct script_file *file, const struct graph_port *port, struct values *values, struct value **ret_records,
    struct err *err)
{
  struct value *records = value_list(values);
  if (file->rows && file->head_count == 0 && !read_heads(file, err))
    return false;
  size_t bytes = 0;
  int line = 0;
  while (value_count(records) < RECORDS_AT_ONCE && bytes < BYTES_AT_ONCE) {
    if (!(file->rows ? next_row(file, &line) : next_line(file)))
      break;
    bytes += file->text.length;
    struct value *value = NULL;
    if (file->rows && !check_row(file, line, err))
      return false;
    /* Spreadsheets end in rows of dividers alone. A text that was too long may look as empty, and is told below. */
    if (is_blank(file) && !file->text.overflow)
      continue;
    if (file->rows)
      add_record(values, records, row_value(file, values), line);
    else if (read_event(file, port, values, &value))
      add_record(values, records, value, file->line);
  }
  if (ferror(file->file) != 0)
    return err_set(err, ERR_INPUT, "%s: cannot be read on: %s; check the disk", file->path, strerror(errno));
  *ret_records = records;
  return true;
}
