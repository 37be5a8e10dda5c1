/* Errors as one line of text each. They quote names, files and what servers have said, so whatever would end the line
 * or steer a terminal becomes a blank here, where every text passes, and not where it is printed. */
#include "base/err.h"
#include "base/str.h"

#include <stdarg.h>
#include <string.h>

static void blank_controls(char *text)
{
  for (; *text != '\0'; text++)
    if ((unsigned char)*text < 0x20 || *text == 0x7F)
      *text = ' ';
}

bool err_set(struct err *err, enum err_kind kind, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  /* By way of a copy: an argument may be the old text. */
  char text[sizeof err->text];
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  err->kind = kind;
  blank_controls(text);
  memcpy(err->text, text, sizeof text);
  return false;
}

bool err_add(struct err *err, const char *format, ...)
{
  char context[sizeof err->text], text[2 * sizeof err->text + 2];
  va_list args;
  va_start(args, format);
  vsnprintf(context, sizeof context, format, args);
  va_end(args);
  /* Twice as long as an error, then cut at a character: what gives way is the end of the old text, not the place. */
  snprintf(text, sizeof text, "%s: %s", context, err->text);
  blank_controls(text);
  str_cut(err->text, sizeof err->text, text);
  return false;
}

const char *err_kind_str(enum err_kind kind)
{
  switch (kind) {
  case ERR_NONE:
    return "none";
  case ERR_CONFIG:
    return "config";
  case ERR_INPUT:
    return "input";
  case ERR_RULE:
    return "rule";
  case ERR_STORE:
    return "store";
  case ERR_NET:
    return "net";
  case ERR_AUTH:
    return "auth";
  case ERR_LIMIT:
    return "limit";
  case ERR_BUG:
    return "bug";
  }
  return "unknown";
}
