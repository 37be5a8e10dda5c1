/* The tenant's people, found by UPN (without ASCII case) and by object id. */
#ifndef STAND_IN_TENANT_DIRECTORY_H
#define STAND_IN_TENANT_DIRECTORY_H

#include "stand_in/tenant/person.h"

enum { DIRECTORY_BUCKETS = 16384 };

struct directory {
  struct list_node people; /* struct person, in the order they came */
  size_t count;
  struct person *by_upn[DIRECTORY_BUCKETS], *by_id[DIRECTORY_BUCKETS];
};

struct directory *directory_new(void);
void directory_free(struct directory *directory); /* NULL is fine */

/* agent001@contoso.com ... and those whose names are hard to write in a URL. Ids follow from seed and name. */
void directory_populate(struct directory *directory, int agents, uint64_t seed);

/* Neither UPN nor id may be taken. Both fit their sizes. */
struct person *directory_add(struct directory *directory, const char *upn, const char *id);
void directory_remove(struct directory *directory, struct person *person);                  /* frees */
void directory_rename(struct directory *directory, struct person *person, const char *upn); /* to a free name */

struct person *directory_by_upn(struct directory *directory, const char *upn); /* NULL: nobody */
struct person *directory_by_id(struct directory *directory, const char *id);   /* likewise */

#endif
