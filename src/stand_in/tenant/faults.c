/* Faults by name. The table has a row for each kind: whom it befalls and with which effect, which visit_suffer() and
 * the callers carry out. Those that were asked for stand in a list; for each request its members of the right target
 * are drawn in order, and the first that hits is the one, so of two with 0.5 the second befalls a quarter.
 *
 * The draws have a seed of their own. Ids and tokens, drawn from another one, can come and go without changing who is
 * befallen. */
#include "stand_in/tenant/faults.h"
#include "base/str.h"

#include <math.h>
#include <string.h>

static const struct fault_kind kinds[] = {
    {"throttle", FAULT_OF_PRESENCE, FAULT_THROTTLE, 0},
    {"throttle-date", FAULT_OF_PRESENCE, FAULT_THROTTLE_DATE, 0},
    {"throttle-decimal", FAULT_OF_PRESENCE, FAULT_THROTTLE_DECIMAL, 0},
    {"throttle-bare", FAULT_OF_PRESENCE, FAULT_THROTTLE_BARE, 0},
    {"throttle-rubbish", FAULT_OF_PRESENCE, FAULT_THROTTLE_RUBBISH, 0},
    {"500", FAULT_OF_PRESENCE, FAULT_STATUS, 500},
    {"502", FAULT_OF_PRESENCE, FAULT_STATUS, 502},
    {"503", FAULT_OF_PRESENCE, FAULT_STATUS, 503},
    {"504", FAULT_OF_PRESENCE, FAULT_STATUS, 504},
    {"401", FAULT_OF_PRESENCE, FAULT_STATUS, 401},
    {"403", FAULT_OF_PRESENCE, FAULT_STATUS, 403},
    {"400", FAULT_OF_PRESENCE, FAULT_STATUS, 400},
    {"404", FAULT_OF_PRESENCE, FAULT_STATUS, 404},
    {"reset", FAULT_OF_PRESENCE, FAULT_RESET, 0},
    {"lost", FAULT_OF_PRESENCE, FAULT_LOST, 0},
    {"hang", FAULT_OF_PRESENCE, FAULT_HANG, 0},
    {"slow", FAULT_OF_PRESENCE, FAULT_SLOW, 0},
    {"rubbish", FAULT_OF_PRESENCE, FAULT_RUBBISH, 0},
    {"token-500", FAULT_OF_TOKEN, FAULT_STATUS, 500},
    {"token-hang", FAULT_OF_TOKEN, FAULT_HANG, 0},
    {"token-reset", FAULT_OF_TOKEN, FAULT_RESET, 0},
    {"token-rubbish", FAULT_OF_TOKEN, FAULT_RUBBISH, 0},
    {"token-bad-secret", FAULT_OF_TOKEN, FAULT_BAD_SECRET, 0},
    {"token-no-role", FAULT_OF_TOKEN, FAULT_NO_ROLE, 0},
    {"lookup-500", FAULT_OF_LOOKUP, FAULT_STATUS, 500},
    {"lookup-404", FAULT_OF_LOOKUP, FAULT_STATUS, 404},
    {"lookup-hang", FAULT_OF_LOOKUP, FAULT_HANG, 0},
    {"lookup-throttle", FAULT_OF_LOOKUP, FAULT_THROTTLE, 0},
    {"batch-424", FAULT_OF_BATCH, FAULT_THROTTLE, 0},
    {"batch-refused", FAULT_OF_BATCH, FAULT_STATUS, 400},
    {"batch-429", FAULT_OF_BATCH, FAULT_THROTTLE_DATE, 0},
    {"batch-503", FAULT_OF_BATCH, FAULT_STATUS, 503},
    {"batch-lost", FAULT_OF_BATCH, FAULT_LOST, 0},
};

void faults_kinds(struct buf *to)
{
  for (size_t i = 0; i < COUNT_OF(kinds); i++)
    buf_addf(to, "%s%s", i == 0 ? "" : " ", kinds[i].name);
}

/* strtod() takes "nan" and "inf", too. */
static bool parse_probability(const char *text, double *ret_probability)
{
  char *end = NULL;
  double probability = strtod(text, &end);
  if (end == text || *end != '\0' || !isfinite(probability) || probability < 0 || probability > 1)
    return false;
  *ret_probability = probability;
  return true;
}

static bool unknown_kind(const char *name, struct err *err)
{
  struct buf all;
  buf_init(&all, sizeof err->text);
  faults_kinds(&all);
  err_set(err, ERR_CONFIG, "\"%s\" is no fault; there are: %s", name, buf_text(&all));
  buf_release(&all);
  return false;
}

bool faults_add(struct faults *faults, const char *text, struct err *err)
{
  char copy[128];
  if (!str_copy(copy, sizeof copy, text))
    return unknown_kind("(too long)", err);
  char *probability = strchr(copy, ':'), *times = NULL;
  if (probability != NULL) {
    *probability++ = '\0';
    times = strchr(probability, ':');
    if (times != NULL)
      *times++ = '\0';
  }
  /* What is left out: always, and without end. */
  struct fault fault = {.probability = 1, .left = -1};
  for (size_t i = 0; i < COUNT_OF(kinds); i++)
    if (strcmp(kinds[i].name, copy) == 0)
      fault.kind = &kinds[i];
  if (fault.kind == NULL)
    return unknown_kind(copy, err);
  if (probability != NULL && !parse_probability(probability, &fault.probability))
    return err_set(err, ERR_CONFIG, "\"%s\": \"%s\" is no probability; give one from 0 to 1", text, probability);
  if (times != NULL && !str_parse_int(times, 0, 1000000000, &fault.left))
    return err_set(err, ERR_CONFIG, "\"%s\": \"%s\" is no number of times; give a whole number", text, times);
  if (faults->count == FAULTS_MAX)
    return err_set(err, ERR_CONFIG, "more than %d faults; leave some out", FAULTS_MAX);
  faults->list[faults->count++] = fault;
  return true;
}

const struct fault_kind *faults_draw(struct faults *faults, enum fault_target target)
{
  for (size_t i = 0; i < faults->count; i++) {
    struct fault *fault = &faults->list[i];
    /* One that is used up or befalls others is not drawn: the sequence belongs to those that can hit. */
    if (fault->kind->target != target || fault->left == 0 || seed_unit(&faults->seed) >= fault->probability)
      continue;
    if (fault->left > 0)
      fault->left--;
    return fault->kind;
  }
  return NULL;
}
