#include "base/log.h"
#include "base/clock.h"

#include <stdarg.h>
#include <string.h>

/* A process has one standard error; this is the only static state of floor 0. */
static enum log_level log_up_to = LOG_LEVEL_INFO;
static int log_time;

void log_init(enum log_level level, int with_time)
{
  log_up_to = level;
  log_time = with_time;
}

void log_at(enum log_level level, const char *format, ...)
{
  static const char *const names[] = {"error", "warning", "info", "debug"};
  if (level > log_up_to)
    return;
  char text[2048], time[CLOCK_TEXT_SIZE] = "";
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  /* One entry is one line, whatever a peer has put into a text. */
  for (char *c = text; *c != '\0'; c++)
    if ((unsigned char)*c < 0x20)
      *c = ' ';
  if (log_time != 0)
    clock_rfc3339(clock_now_ms(), time);
  fprintf(stderr, "presenced: %s%s%s: %s\n", time, log_time != 0 ? " " : "", names[level], text);
}
