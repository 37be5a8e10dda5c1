/* Hooks of policy scripts: what was registered, what has happened, and what is due by the clock. What happens waits in
 * a queue of bounded length and is told to every hook of its kind, one call per question of script.c; `told` says how
 * far it has come. When the queue is full the new is dropped and counted, because a script must not be able to hold up
 * the engine that tells it.
 *
 * Hooks stay where they are in their array: a call that is under way points to its hook, and clears `running` in it. */
#include "script/hooks.h"
#include "base/clock.h"
#include "base/zone.h"
#include "script/internal.h"

#include <string.h>

#define EVERY_MIN_MS CLOCK_SECOND
#define EVERY_MAX_MS (7 * CLOCK_DAY)

/* Something that has happened, for every hook of its kind. */
struct occurrence {
  struct list_node link; /* in hooks->queue */
  enum script_hook kind;
  struct values values;
  struct value *first, *second;
  size_t told; /* hooks before this place have been called */
};

void hooks_init(struct hooks *hooks, size_t queue_max)
{
  *hooks = (struct hooks){.queue_max = queue_max};
  list_init(&hooks->queue);
}

static void occurrence_free(struct occurrence *occurrence)
{
  if (occurrence == NULL)
    return;
  values_release(&occurrence->values);
  free(occurrence);
}

static struct occurrence *take_first(struct hooks *hooks)
{
  struct occurrence *occurrence = LIST_ENTRY(hooks->queue.next, struct occurrence, link);
  list_remove(&occurrence->link);
  hooks->queued--;
  return occurrence;
}

void hooks_release(struct hooks *hooks)
{
  while (!list_empty(&hooks->queue))
    occurrence_free(take_first(hooks));
  occurrence_free(hooks->last);
  for (size_t i = 0; i < hooks->count; i++)
    zone_free(hooks->list[i].zone);
}

/* ---- registration */

/* The first call is a period away: what should happen at once can be written down as such. */
static bool read_every(const struct value *request, struct hook *hook, int64_t now, struct err *why)
{
  if (!script_read_duration(value_get(request, "period"), "time", &hook->every_ms, why))
    return false;
  if (hook->every_ms < EVERY_MIN_MS || hook->every_ms > EVERY_MAX_MS)
    return err_set(why, ERR_INPUT, "every takes a duration from 1s to 7d");
  hook->next_ms = now + hook->every_ms;
  return true;
}

/* "18:00": the minute of the day; -1: it is no time of day. */
static int read_minute(const char *text)
{
  for (int i = 0; i < 5; i++)
    if (i == 2 ? text[i] != ':' : text[i] < '0' || text[i] > '9')
      return -1;
  int hour = (text[0] - '0') * 10 + text[1] - '0', minute = (text[3] - '0') * 10 + text[4] - '0';
  return hour < 24 && minute < 60 ? 60 * hour + minute : -1;
}

/* The zone is asked for, because a host's own is mostly UTC and nobody thinks of it. */
static bool read_at(const struct value *request, struct hook *hook, int64_t now, struct err *why)
{
  const char *time = value_get_text(request, "time", "");
  hook->minute = read_minute(time);
  if (hook->minute < 0 || time[5] != ' ')
    return err_set(
        why, ERR_INPUT, "\"%.40s\" is no time of day with its zone; write it like \"18:00 Europe/Amsterdam\"", time);
  hook->zone = zone_load(time + 6, why);
  if (hook->zone == NULL)
    return false;
  hook->next_ms = zone_next_time(hook->zone, now, hook->minute);
  return true;
}

bool hooks_add(struct hooks *hooks, const struct value *request, int64_t now, struct err *why)
{
  static const char *const kinds[] = {"decision", "outcome", "every", "at"};
  const char *kind = value_get_text(request, "kind", "");
  if (hooks->queue_max == 0)
    return err_set(why, ERR_BUG, "this is no policy script");
  if (hooks->count == SCRIPT_HOOKS_MAX)
    return err_set(why, ERR_LIMIT, "more than %d hooks; let one function do several things", SCRIPT_HOOKS_MAX);
  struct hook hook = {.number = value_get_number(request, "number", 0), .next_ms = CLOCK_NEVER};
  for (size_t i = 0; i < COUNT_OF(kinds); i++)
    if (strcmp(kinds[i], kind) == 0)
      hook.kind = (enum script_hook)i;
  if ((hook.kind == SCRIPT_EVERY && !read_every(request, &hook, now, why)) ||
      (hook.kind == SCRIPT_AT && !read_at(request, &hook, now, why)))
    return false;
  hooks->list[hooks->count++] = hook;
  return true;
}

/* ---- what is due */

void hooks_put(
    struct hooks *hooks, enum script_hook kind, struct values *values, struct value *first, struct value *second)
{
  if (hooks->queued >= hooks->queue_max) {
    hooks->dropped++;
    values_release(values);
    return;
  }
  struct occurrence *occurrence = must_alloc(sizeof *occurrence);
  *occurrence = (struct occurrence){.kind = kind, .values = *values, .first = first, .second = second};
  *values = (struct values){0};
  list_add_tail(&hooks->queue, &occurrence->link);
  hooks->queued++;
}

/* Moves a hook of time on to its next moment. However long nobody looked, it is called once. */
static void move_on(struct hook *hook, int64_t now)
{
  if (hook->kind == SCRIPT_AT) {
    hook->next_ms = zone_next_time(hook->zone, now, hook->minute);
    return;
  }
  hook->next_ms += hook->every_ms;
  if (hook->next_ms <= now)
    hook->next_ms = now + hook->every_ms;
}

/* A hook that still runs loses its call: piling them up would make a slow one slower. These come before the queue,
 * which may never be empty; each has a second at least between two calls, so the queue has its turns too. */
static bool next_by_the_clock(struct hooks *hooks, int64_t now, struct hook_call *ret_call)
{
  for (size_t i = 0; i < hooks->count; i++) {
    struct hook *hook = &hooks->list[i];
    if (hook->kind == SCRIPT_EVERY && hook->next_ms > now + hook->every_ms)
      hook->next_ms = now + hook->every_ms; /* the clock was set back */
    if (now < hook->next_ms)
      continue;
    move_on(hook, now);
    if (hook->running)
      continue;
    hook->running = true;
    *ret_call = (struct hook_call){.hook = hook};
    return true;
  }
  return false;
}

/* The next hook that it is for, from `told` on; NULL: there is none left. */
static struct hook *hook_for(struct hooks *hooks, struct occurrence *occurrence)
{
  while (occurrence->told < hooks->count && hooks->list[occurrence->told].kind != occurrence->kind)
    occurrence->told++;
  return occurrence->told == hooks->count ? NULL : &hooks->list[occurrence->told];
}

bool hooks_next(struct hooks *hooks, int64_t now, struct hook_call *ret_call)
{
  occurrence_free(hooks->last);
  hooks->last = NULL;
  if (next_by_the_clock(hooks, now, ret_call))
    return true;
  while (!list_empty(&hooks->queue)) {
    struct occurrence *occurrence = LIST_ENTRY(hooks->queue.next, struct occurrence, link);
    struct hook *hook = hook_for(hooks, occurrence);
    if (hook != NULL) {
      *ret_call = (struct hook_call){hook, occurrence->first, occurrence->second};
      occurrence->told++;
    }
    /* Told to all, or for none at all: it leaves the queue. */
    if (hook_for(hooks, occurrence) == NULL) {
      occurrence_free(hooks->last);
      hooks->last = take_first(hooks); /* its values are borrowed until the next question */
    }
    if (hook != NULL)
      return true;
  }
  return false;
}

int64_t hooks_due(const struct hooks *hooks)
{
  int64_t due = list_empty(&hooks->queue) ? CLOCK_NEVER : 0;
  for (size_t i = 0; i < hooks->count; i++)
    if (hooks->list[i].next_ms < due)
      due = hooks->list[i].next_ms;
  return due;
}
