/* What another configuration changes. Every attribute is compared at its offset by the table of options, so that one
 * that is added there is compared without a line here; the few that the table does not describe, the accounts
 * themselves and the list of Scripts, are compared by hand.
 *
 * Accounts are matched by their Id, never by their place: a file in which they only stand in another order changes
 * nothing. Scripts are compared in order, because they are started in it. */
#include "base/clock.h"
#include "base/str.h"
#include "config/config.h"
#include "config/options.h"

#include <stdarg.h>
#include <string.h>

struct comparison {
  config_on_difference *on_difference;
  void *context;
};

static void PRINTF_LIKE(3, 4)
    tell(const struct comparison *comparison, enum config_effect effect, const char *format, ...)
{
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  comparison->on_difference(comparison->context, effect, text);
}

/* Two that are not given are the same. */
static bool same_text(const char *a, const char *b)
{
  return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_domains(const struct config_account *a, const struct config_account *b)
{
  bool same = a->domain_count == b->domain_count;
  for (size_t i = 0; same && i < a->domain_count; i++)
    same = strcmp(a->domains[i], b->domains[i]) == 0;
  return same;
}

enum { VALUE_SIZE = 64 };

/* What is shown of a value: numbers and words. Of texts nothing, for it may be a secret or very long. There is no
 * `default` here and below, so that the compiler asks about a type that is added. */
static const char *shown(const struct option *option, const void *field, char to[VALUE_SIZE])
{
  char duration[CLOCK_TEXT_SIZE];
  switch (option->type) {
  case OPTION_INT:
    snprintf(to, VALUE_SIZE, "%d", *(const int *)field);
    return to;
  case OPTION_DURATION:
    if (*(const int64_t *)field % CLOCK_SECOND != 0)
      snprintf(to, VALUE_SIZE, "%lldms", (long long)*(const int64_t *)field);
    else
      snprintf(to, VALUE_SIZE, "%s", clock_short_duration(*(const int64_t *)field, duration));
    return to;
  case OPTION_BYTES:
    snprintf(to, VALUE_SIZE, "%zu bytes", *(const size_t *)field);
    return to;
  case OPTION_CHOICE:
    return option->words[*(const bool *)field];
  case OPTION_ID:
  case OPTION_GUID:
  case OPTION_TENANT:
  case OPTION_SEALED:
  case OPTION_PATH:
  case OPTION_URL:
  case OPTION_PROXY:
  case OPTION_DOMAINS:
  case OPTION_CLOUD:
  case OPTION_LATER:
    return NULL;
  }
  return NULL;
}

/* left, right: the elements; of all fields, Domains alone are more than one. */
static bool same_value(const struct option *option, const void *a, const void *b, const void *left, const void *right)
{
  switch (option->type) {
  case OPTION_INT:
    return *(const int *)a == *(const int *)b;
  case OPTION_DURATION:
    return *(const int64_t *)a == *(const int64_t *)b;
  case OPTION_BYTES:
    return *(const size_t *)a == *(const size_t *)b;
  case OPTION_CHOICE:
    return *(const bool *)a == *(const bool *)b;
  case OPTION_CLOUD:
    return *(const enum cloud *)a == *(const enum cloud *)b;
  case OPTION_DOMAINS:
    return same_domains(left, right);
  case OPTION_LATER:
    return true;
  case OPTION_ID:
  case OPTION_GUID:
  case OPTION_TENANT:
  case OPTION_SEALED:
  case OPTION_PATH:
  case OPTION_URL:
  case OPTION_PROXY:
    return same_text(*(char *const *)a, *(char *const *)b);
  }
  return true;
}

/* Attributes of two elements of the same kind. `where`: "account x: ", or "". */
static void compare_element(
    const struct comparison *comparison, const char *element, const char *where, const void *now, const void *next)
{
  const struct option *option;
  for (size_t i = 0; (option = option_at(i)) != NULL; i++) {
    const char *a = (const char *)now + option->offset, *b = (const char *)next + option->offset;
    char old_value[VALUE_SIZE], new_value[VALUE_SIZE];
    if (strcmp(option->text.element, element) != 0 || same_value(option, a, b, now, next))
      continue;
    enum config_effect effect = option->at_start ? CONFIG_AT_START : CONFIG_LIVE;
    const char *before = shown(option, a, old_value);
    if (before != NULL)
      tell(comparison, effect, "%s%s %s -> %s", where, option->text.attribute, before, shown(option, b, new_value));
    else
      tell(comparison, effect, "%s%s%s", where, option->text.attribute, option->at_start ? "" : " changed");
  }
}

/* By the very Id, as the state file knows it. config_account_by_id() takes any case, because a person types what it
 * looks for; here an "A" that became "a" is another account. */
static const struct config_account *find_account(const struct config *config, const char *id)
{
  for (size_t i = 0; i < config->account_count; i++)
    if (strcmp(config->accounts[i].id, id) == 0)
      return &config->accounts[i];
  return NULL;
}

/* In their order, which is that of their start. */
static bool same_scripts(const struct config *now, const struct config *next)
{
  bool same = now->script_count == next->script_count;
  for (size_t i = 0; same && i < now->script_count; i++)
    same = strcmp(now->scripts[i].file, next->scripts[i].file) == 0;
  return same;
}

void config_compare(
    const struct config *now, const struct config *next, config_on_difference *on_difference, void *context)
{
  const struct comparison comparison = {on_difference, context};
  char where[CONFIG_ID_MAX + 32];
  for (size_t i = 0; i < now->account_count; i++) {
    const struct config_account *account = &now->accounts[i], *other = find_account(next, account->id);
    snprintf(where, sizeof where, "account %s: ", account->id);
    if (other == NULL)
      tell(&comparison, CONFIG_LIVE, "account %s is removed", account->id);
    else
      compare_element(&comparison, ELEMENT_ACCOUNT, where, account, other);
  }
  for (size_t i = 0; i < next->account_count; i++)
    if (find_account(now, next->accounts[i].id) == NULL)
      tell(&comparison, CONFIG_LIVE, "account %s is added", next->accounts[i].id);
  compare_element(&comparison, ELEMENT_PUBLISHER, "", now, next);
  if (!same_scripts(now, next))
    tell(&comparison, CONFIG_LIVE, "the list of Scripts changed");
}

void config_keep_until_start(struct config *next, struct config *now)
{
  const struct option *option;
  for (size_t i = 0; (option = option_at(i)) != NULL; i++) {
    if (!option->at_start)
      continue;
    /* Swapped rather than copied: each configuration still owns exactly one text, which its release frees. The casts
     * are right because only texts can be marked at_start (START in options.c). */
    char **a = (char **)(void *)((char *)next + option->offset);
    char **b = (char **)(void *)((char *)now + option->offset);
    char *kept = *b;
    *b = *a;
    *a = kept;
  }
}

/* The authority is left out: it hands out tokens but keeps no presence. What has been set lives at that Graph, under
 * that application in that tenant, and only the same three can clear it. */
bool config_same_registration(const struct config_account *a, const struct config_account *b)
{
  return strcmp(a->tenant_id, b->tenant_id) == 0 && strcmp(a->client_id, b->client_id) == 0 &&
         strcmp(a->graph, b->graph) == 0;
}
