/* JSON text to values by lua-cjson, in a VM of its own, and values to text by hand. A parse has three steps: the bytes
 * must be UTF-8; lua-cjson decodes them; leniency() looks for what lua-cjson has let pass. The last one comes after,
 * because it relies on a text that is well-formed: it tells strings from the rest by counting quotes. Nearly all texts
 * skip the first and the last step, since is_plain() sees, eight bytes at a time, that neither could object. Writing is
 * not lua-cjson's, because the order of members must not depend on a hash. */
#include "adapters/json.h"
#include "adapters/vm.h"
#include "base/str.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

extern const unsigned char embedded_json_lua[];
extern const size_t embedded_json_lua_length;

struct json {
  struct vm *vm;
  struct vm_budget budget;
};

struct json *json_new(struct err *err)
{
  struct json *json = must_alloc(sizeof *json);
  json->vm = vm_new(err);
  if (json->vm == NULL || !vm_open_cjson(json->vm, err) ||
      !vm_load(json->vm, "json", embedded_json_lua, embedded_json_lua_length, err)) {
    json_free(json);
    return NULL;
  }
  /* Nothing of a parse stays, so the collector's rounds are all about the libraries: seldom is enough. */
  vm_set_pause(json->vm, VM_PAUSE_MAX);
  return json;
}

void json_take_large(struct json *json)
{
  json->budget.large_result = true;
}

void json_free(struct json *json)
{
  if (json == NULL)
    return;
  vm_free(json->vm);
  free(json);
}

/* Of eight bytes at once, because nearly all are: ASCII from the space on, and neither a nor b. As long as no byte has
 * its highest bit, taking away more than it is sets it. */
static bool eight_are_plain(const char *bytes, char a, char b)
{
  const uint64_t ones = 0x0101010101010101u;
  uint64_t word;
  memcpy(&word, bytes, sizeof word);
  uint64_t odd =
      word | (word - ' ' * ones) | ((word ^ (uint64_t)a * ones) - ones) | ((word ^ (uint64_t)b * ones) - ones);
  return (odd & 0x80 * ones) == 0;
}

/* ---- Reading ---- */

static size_t first_bad_byte(const char *bytes, size_t length)
{
  size_t at = 0;
  while (at < length) {
    unsigned char lead = (unsigned char)bytes[at];
    size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0x80 ? 2 : 1;
    if (size > length - at || !str_is_utf8(bytes + at, size))
      break;
    at += size;
  }
  return at;
}

static bool is_digit(char c)
{
  return c >= '0' && c <= '9';
}

/* Neither of the checks beside lua-cjson can object: printable ASCII without point and backslash, as nearly all that
 * machines send. */
static bool is_plain(const char *bytes, size_t length)
{
  size_t i = 0;
  /* Without a point no number can end in one, without a backslash no NUL can be written. */
  for (; i + 8 <= length; i += 8)
    if (!eight_are_plain(bytes + i, '.', '\\'))
      return false;
  for (; i < length; i++) {
    unsigned char c = (unsigned char)bytes[i];
    if (c < 0x20 || c >= 0x80 || c == '.' || c == '\\')
      return false;
  }
  return true;
}

/* What lua-cjson lets pass: NUL as an escape, control characters in strings, "1." for a number. `bytes` ends in a NUL.
 */
static const char *leniency(const char *bytes, size_t length, size_t *ret_at)
{
  bool in_string = false;
  for (size_t i = 0; i < length; i++) {
    *ret_at = i;
    if (bytes[i] == '"') {
      in_string = !in_string;
    } else if (!in_string) {
      if (bytes[i] == '.' && (i + 1 == length || !is_digit(bytes[i + 1])))
        return "a number with nothing behind its point";
    } else if ((unsigned char)bytes[i] < 0x20) {
      return "a control character in a string";
    } else if (bytes[i] == '\\') {
      if (strncmp(bytes + i, "\\u0000", 6) == 0)
        return "a NUL in a string";
      /* What stands behind a backslash cannot end the string. */
      i++;
    }
  }
  return NULL;
}

/* Says in our words why lua-cjson refused it. */
static bool refuse(struct json *json, struct err *err)
{
  /* lua-cjson's own words name Lua's types and tokens; explain() in lua/json.lua has ours. */
  struct values values = {0};
  struct value *text = value_string(&values, err->text), *explained;
  const struct value *arguments[] = {text};
  struct err why = ERR_INIT;
  if (vm_call(json->vm, "json", "explain", arguments, 1, NULL, ERR_BUG, &values, &explained, &why))
    err_set(err, ERR_INPUT, "no JSON: %s", value_text(explained, ""));
  values_release(&values);
  return false;
}

bool json_parse(
    struct json *json, const char *bytes, size_t length, struct values *values, struct value **ret_value,
    struct err *err)
{
  bool plain = is_plain(bytes, length);
  if (!plain && !str_is_utf8(bytes, length)) {
    size_t at = first_bad_byte(bytes, length);
    return err_set(
        err, ERR_INPUT, "no JSON: %s at byte %zu; send UTF-8", bytes[at] == '\0' ? "a NUL" : "no UTF-8", at + 1);
  }
  struct value text = {.type = VALUE_STRING};
  text.u.string.bytes = bytes;
  text.u.string.length = length;
  const struct value *arguments[] = {&text};
  struct value *value;
  if (!vm_call(json->vm, "json", "decode", arguments, 1, &json->budget, ERR_INPUT, values, &value, err))
    return refuse(json, err);
  size_t at = 0;
  /* Values of a text that is refused stay in the arena, which is the caller's to release. */
  const char *what = plain ? NULL : leniency(bytes, length, &at);
  if (what != NULL)
    return err_set(err, ERR_INPUT, "no JSON: %s at byte %zu", what, at + 1);
  *ret_value = value;
  return true;
}

/* ---- Writing ---- */

/* From `from` on: where the first byte stands that is to be escaped, or the end. */
static size_t plain_until(const char *bytes, size_t from, size_t length)
{
  size_t i = from;
  while (i + 8 <= length && eight_are_plain(bytes + i, '"', '\\'))
    i += 8;
  while (i < length && (unsigned char)bytes[i] >= 0x20 && bytes[i] != '"' && bytes[i] != '\\')
    i++;
  return i;
}

/* Nearly all need no escape: quotes and bytes in one step. */
static void write_plain(struct buf *to, const char *bytes, size_t length)
{
  char *added = buf_extend(to, length + 2);
  if (added == NULL)
    return;
  added[0] = added[length + 1] = '"';
  if (length > 0)
    memcpy(added + 1, bytes, length);
}

void json_write_string(struct buf *to, const char *bytes, size_t length)
{
  if (plain_until(bytes, 0, length) == length) {
    write_plain(to, bytes, length);
    return;
  }
  buf_add_str(to, "\"");
  size_t done = 0;
  for (size_t i = plain_until(bytes, 0, length); i < length; i = plain_until(bytes, done, length)) {
    unsigned char c = (unsigned char)bytes[i];
    buf_add(to, bytes + done, i - done);
    done = i + 1;
    if (c == '"' || c == '\\')
      buf_addf(to, "\\%c", c);
    else if (c == '\n')
      buf_add_str(to, "\\n");
    else if (c == '\r')
      buf_add_str(to, "\\r");
    else if (c == '\t')
      buf_add_str(to, "\\t");
    else
      buf_addf(to, "\\u%04x", c);
  }
  buf_add(to, bytes + done, length - done);
  buf_add_str(to, "\"");
}

static void write_number(struct buf *to, double number)
{
  /* JSON has no word for the others; vm_read() refuses them, so only a mistake of ours could bring one here. */
  must(isfinite(number));
  /* 2^53: up to there every whole number is exact. */
  if (number == floor(number) && fabs(number) < 9007199254740992.0) {
    buf_addf(to, "%" PRId64, (int64_t)number);
    return;
  }
  /* As JavaScript writes them: digits in full up to 1e21. */
  if (number == floor(number) && fabs(number) < 1e21) {
    buf_addf(to, "%.0f", number);
    return;
  }
  /* The shortest text that reads back as the same number. */
  char text[40];
  for (int digits = 15; digits <= 17; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, number);
    if (strtod(text, NULL) == number)
      break;
  }
  buf_add_str(to, text);
}

/* A level of indentation below zero: all in one line. */
static void line(struct buf *to, int level)
{
  if (level >= 0)
    buf_addf(to, "\n%*s", 2 * level, "");
}

static void write_value(struct buf *to, const struct value *value, int level)
{
  switch (value->type) {
  case VALUE_NIL:
    buf_add_str(to, "null");
    return;
  case VALUE_BOOL:
    buf_add_str(to, value->u.boolean ? "true" : "false");
    return;
  case VALUE_NUMBER:
    write_number(to, value->u.number);
    return;
  case VALUE_STRING:
    json_write_string(to, value->u.string.bytes, value->u.string.length);
    return;
  case VALUE_LIST:
  case VALUE_MAP:
    break;
  }
  /* The depth is bounded where trees are made. What does not fit marks the buffer, which the caller asks once. */
  bool map = value->type == VALUE_MAP;
  int inner = level < 0 ? level : level + 1;
  buf_add_str(to, map ? "{" : "[");
  for (size_t i = 0; i < value->u.table.count; i++) {
    if (i > 0)
      buf_add_str(to, ",");
    line(to, inner);
    if (map) {
      json_write_string(to, value->u.table.keys[i], strlen(value->u.table.keys[i]));
      buf_add_str(to, level < 0 ? ":" : ": ");
    }
    write_value(to, value->u.table.items[i], inner);
  }
  if (value->u.table.count > 0)
    line(to, level);
  buf_add_str(to, map ? "}" : "]");
}

void json_write(struct buf *to, const struct value *value)
{
  write_value(to, value, -1);
}

void json_write_pretty(struct buf *to, const struct value *value)
{
  write_value(to, value, 0);
}
