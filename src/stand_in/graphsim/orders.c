/* What can be ordered while graphsim runs, each order with its function in one table; the plain port and scenarios give
 * the same ones, so a test can try by hand what a scenario will do.
 *
 * People are known by two keys, of which the directory must never hold one twice. A name that is ordered for somebody
 * is taken from whoever has it; an id that is there already means that person, who is renamed. So nothing here has to
 * fail because two tests have chosen the same name. */
#include "stand_in/graphsim/orders.h"
#include "base/clock.h"
#include "base/str.h"
#include "stand_in/graphsim/graphsim.h"

#include <string.h>

#define RETRY_AFTER_MAX_MS (48 * CLOCK_HOUR)

static bool give_faults(struct graphsim *graphsim, const struct value *order, struct err *err)
{
  struct faults *now = &graphsim->tenant.faults;
  /* Made beside and then exchanged. The seed goes on where it was, so that an order does not repeat the draws before
   * it. */
  struct faults faults = {.seed = now->seed, .retry_after_s = now->retry_after_s};
  if (order->type != VALUE_LIST && value_count(order) > 0)
    return err_set(err, ERR_INPUT, "give a list of faults, as [\"throttle:0.5\"]; [] ends all");
  for (size_t i = 0; i < value_count(order); i++)
    if (!faults_add(&faults, value_text(value_at(order, i), ""), err))
      return false;
  *now = faults;
  return true;
}

static bool give_retry_after(struct graphsim *graphsim, const struct value *order, struct err *err)
{
  int64_t ms;
  const char *text = value_get_text(order, "after", "");
  if (!clock_parse_duration(text, &ms) || ms < CLOCK_SECOND || ms > RETRY_AFTER_MAX_MS)
    return err_set(err, ERR_INPUT, "\"%.40s\" is no pause of 1s to 48h; write one like 120s", text);
  graphsim->tenant.faults.retry_after_s = ms / CLOCK_SECOND;
  return true;
}

/* ---- people */

/* Whoever had the name keeps the id and gets a name that nobody asks for: so does a person whose UPN was given away. A
 * client that still knows the id goes on to reach that person, and only that one. */
static void take_name_from(struct graphsim *graphsim, struct person *person)
{
  char name[PERSON_UPN_SIZE];
  snprintf(name, sizeof name, "former-%s@contoso.com", person->id);
  directory_rename(graphsim->tenant.directory, person, name);
}

static bool fits(const char *upn, struct err *err)
{
  return (*upn != '\0' && strlen(upn) < PERSON_UPN_SIZE) || err_set(err, ERR_INPUT, "upn is missing or too long");
}

static struct person *find_person(struct graphsim *graphsim, const struct value *order, struct err *err)
{
  const char *upn = value_get_text(order, "upn", "");
  struct person *person = directory_by_upn(graphsim->tenant.directory, upn);
  if (person == NULL)
    err_set(err, ERR_INPUT, "upn is missing or nobody's: \"%.100s\"; add them first", upn);
  return person;
}

static bool rename_person(struct graphsim *graphsim, struct person *person, const char *upn, struct err *err)
{
  if (!fits(upn, err))
    return false;
  struct person *named = directory_by_upn(graphsim->tenant.directory, upn);
  if (named == person)
    return true;
  if (named != NULL)
    take_name_from(graphsim, named);
  directory_rename(graphsim->tenant.directory, person, upn);
  return true;
}

/* Somebody who is there already. */
static bool change_person(struct graphsim *graphsim, const struct value *order, struct err *err)
{
  struct person *person = find_person(graphsim, order, err);
  const char *new_name = value_get_text(order, "rename", NULL);
  if (person == NULL)
    return false;
  if (value_get_bool(order, "delete", false)) {
    directory_remove(graphsim->tenant.directory, person);
    return true;
  }
  /* What the order does not mention stays as it is. */
  person->disabled = !value_get_bool(order, "enabled", !person->disabled);
  person->unlicensed = !value_get_bool(order, "licensed", !person->unlicensed);
  return new_name == NULL || rename_person(graphsim, person, new_name, err);
}

/* From seed and name, as those that are there from the beginning; another one if somebody has taken it along. */
static void free_id(struct graphsim *graphsim, const char *upn, char to[SEED_GUID_SIZE])
{
  char name[PERSON_UPN_SIZE + 16];
  seed_guid(graphsim->options.seed, upn, to);
  for (int again = 2; directory_by_id(graphsim->tenant.directory, to) != NULL; again++) {
    snprintf(name, sizeof name, "%s (%d)", upn, again);
    seed_guid(graphsim->options.seed, name, to);
  }
}

/* A new one; or the one who has that id gets the name. */
static bool add_person(struct graphsim *graphsim, const struct value *order, struct err *err)
{
  struct directory *directory = graphsim->tenant.directory;
  const char *upn = value_get_text(order, "upn", ""), *id = value_get_text(order, "id", NULL);
  char derived[SEED_GUID_SIZE];
  if (!fits(upn, err))
    return false;
  struct person *named = directory_by_upn(directory, upn);
  if (id == NULL && named != NULL)
    return true; /* there already */
  if (id == NULL) {
    free_id(graphsim, upn, derived);
    id = derived;
  }
  if (!str_is_guid(id))
    return err_set(err, ERR_INPUT, "id must be a GUID");
  struct person *identified = directory_by_id(directory, id);
  if (identified != NULL)
    return rename_person(graphsim, identified, upn, err);
  if (named != NULL)
    take_name_from(graphsim, named);
  directory_add(directory, upn, id);
  return true;
}

static bool give_users(struct graphsim *graphsim, const struct value *order, struct err *err)
{
  static const char *const changes[] = {"delete", "enabled", "licensed", "rename"};
  for (size_t i = 0; i < COUNT_OF(changes); i++)
    if (value_get(order, changes[i]) != NULL)
      return change_person(graphsim, order, err);
  return add_person(graphsim, order, err);
}

/* ---- what they do in Teams */

static bool give_teams(struct graphsim *graphsim, const struct value *order, struct err *err)
{
  struct person *person = find_person(graphsim, order, err);
  const char *text = value_get_text(order, "availability", NULL);
  if (person == NULL)
    return false;
  if (text == NULL) {
    person->has_client = false;
    return true;
  }
  /* A client's session may show more than an application may set, but the word must be one whose rank is known. */
  enum availability availability = availability_parse(text);
  if (availability == AVAILABILITY_UNKNOWN || availability == AVAILABILITY_OTHER)
    return err_set(err, ERR_INPUT, "availability: not one that Teams knows; null ends the client's session");
  person_set_client(person, availability, value_get_text(order, "activity", text), clock_now_ms());
  return true;
}

static bool give_preferred(struct graphsim *graphsim, const struct value *order, struct err *err)
{
  struct person *person = find_person(graphsim, order, err);
  const char *text = value_get_text(order, "availability", NULL);
  enum presence presence = PRESENCE_NONE;
  if (person == NULL)
    return false;
  if (text != NULL && !presence_parse_pair(PLANE_PREFERRED, text, value_get_text(order, "activity", text), &presence))
    return err_set(err, ERR_INPUT, "not a presence that a person can choose; null takes the choice back");
  person_set_preferred(person, presence, clock_now_ms(), -1);
  return true;
}

/* ---- all of them */

static const struct order {
  const char *name;
  bool (*give)(struct graphsim *graphsim, const struct value *order, struct err *err);
} orders[] = {
    {"faults", give_faults}, {"retry_after", give_retry_after}, {"users", give_users},
    {"teams", give_teams},   {"preferred", give_preferred},
};

static const struct order *find(const char *name)
{
  for (size_t i = 0; i < COUNT_OF(orders); i++)
    if (strcmp(orders[i].name, name) == 0)
      return &orders[i];
  return NULL;
}

bool orders_know(const char *name)
{
  return find(name) != NULL;
}

bool orders_give(struct graphsim *graphsim, const char *name, const struct value *order, struct err *err)
{
  const struct order *known = find(name);
  must(known != NULL);
  return known->give(graphsim, order, err);
}
