/* People in a list and in two hash tables that are chained through the persons themselves, by UPN and by id. The tables
 * do not grow: 100,000 people, the most that graphsim takes, make chains of six on average.
 *
 * A person's keys may change only through here: directory_rename() takes the person out of the index before the UPN
 * changes and puts it back afterwards. The list keeps the order in which people came, so that every run of a seed walks
 * them alike. */
#include "stand_in/tenant/directory.h"
#include "base/clock.h"
#include "base/str.h"
#include "stand_in/tenant/seed.h"

#include <stdio.h>
#include <string.h>

static size_t bucket_of(const char *key)
{
  return str_hash(key, strlen(key), 0) % DIRECTORY_BUCKETS;
}

/* Of a UPN in any case: to Entra they are the same name. */
static size_t upn_bucket(const char *upn)
{
  char key[PERSON_UPN_SIZE];
  must(str_copy(key, sizeof key, upn));
  return bucket_of(str_lower(key));
}

static void index_upn(struct directory *directory, struct person *person)
{
  struct person **bucket = &directory->by_upn[upn_bucket(person->upn)];
  person->next_by_upn = *bucket;
  *bucket = person;
}

static void unindex_upn(struct directory *directory, struct person *person)
{
  struct person **link = &directory->by_upn[upn_bucket(person->upn)];
  while (*link != person)
    link = &(*link)->next_by_upn;
  *link = person->next_by_upn;
}

static void unindex_id(struct directory *directory, struct person *person)
{
  struct person **link = &directory->by_id[bucket_of(person->id)];
  while (*link != person)
    link = &(*link)->next_by_id;
  *link = person->next_by_id;
}

struct directory *directory_new(void)
{
  struct directory *directory = must_alloc(sizeof *directory);
  list_init(&directory->people);
  return directory;
}

void directory_free(struct directory *directory)
{
  if (directory == NULL)
    return;
  for (struct list_node *node; (node = list_first(&directory->people)) != NULL;)
    directory_remove(directory, LIST_ENTRY(node, struct person, node));
  free(directory);
}

struct person *directory_add(struct directory *directory, const char *upn, const char *id)
{
  /* Two of a name would both be in the index, and which one is found would depend on who came last. */
  must(directory_by_upn(directory, upn) == NULL && directory_by_id(directory, id) == NULL);
  struct person *person = must_alloc(sizeof *person);
  person->upn = must_strdup(upn);
  must(str_copy(person->id, sizeof person->id, id));
  str_lower(person->id);
  person->message_ends_ms = CLOCK_NEVER;
  list_add_tail(&directory->people, &person->node);
  directory->count++;
  index_upn(directory, person);
  struct person **bucket = &directory->by_id[bucket_of(person->id)];
  person->next_by_id = *bucket;
  *bucket = person;
  return person;
}

void directory_remove(struct directory *directory, struct person *person)
{
  unindex_upn(directory, person);
  unindex_id(directory, person);
  list_remove(&person->node);
  directory->count--;
  free(person->message);
  free(person->upn);
  free(person);
}

void directory_rename(struct directory *directory, struct person *person, const char *upn)
{
  unindex_upn(directory, person);
  char *renamed = must_strdup(upn); /* it may be a part of the old one */
  free(person->upn);
  person->upn = renamed;
  index_upn(directory, person);
}

struct person *directory_by_upn(struct directory *directory, const char *upn)
{
  if (strlen(upn) >= PERSON_UPN_SIZE)
    return NULL;
  for (struct person *person = directory->by_upn[upn_bucket(upn)]; person != NULL; person = person->next_by_upn)
    if (str_equal_fold(person->upn, upn))
      return person;
  return NULL;
}

struct person *directory_by_id(struct directory *directory, const char *id)
{
  char key[PERSON_ID_SIZE];
  if (!str_copy(key, sizeof key, id))
    return NULL;
  str_lower(key);
  for (struct person *person = directory->by_id[bucket_of(key)]; person != NULL; person = person->next_by_id)
    if (strcmp(person->id, key) == 0)
      return person;
  return NULL;
}

void directory_populate(struct directory *directory, int agents, uint64_t seed)
{
  /* Each needs other care in a URL: a quoted key doubles the apostrophe, the # of a guest would begin a fragment, a $
   * in front is taken for an OData word, a plus must not become a space, and the last is two bytes of UTF-8. */
  static const char *const hard_names[] = {
      "o'neil@contoso.com", "ann_fabrikam.com#EXT#@contoso.com", "$ervice@contoso.com", "a+b@contoso.com",
      "zo\xc3\xab@contoso.com"};
  char id[SEED_GUID_SIZE];
  for (int i = 1; i <= agents; i++) {
    char upn[64];
    snprintf(upn, sizeof upn, "agent%03d@contoso.com", i);
    /* By name rather than in sequence: the id stays the same with more people or fewer. */
    seed_guid(seed, upn, id);
    directory_add(directory, upn, id);
  }
  for (size_t i = 0; i < COUNT_OF(hard_names); i++) {
    seed_guid(seed, hard_names[i], id);
    directory_add(directory, hard_names[i], id);
  }
}
