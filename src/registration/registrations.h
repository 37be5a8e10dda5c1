/* The registrations of a configuration: one for each pair of tenant and client that its accounts name. */
#ifndef REGISTRATION_REGISTRATIONS_H
#define REGISTRATION_REGISTRATIONS_H

#include "registration/registration.h"

/* Zeroed memory is none. */
struct registrations {
  struct registration **list;
  size_t count;
  size_t *of_account; /* index in `list`, by the account's index in the configuration */
};

/* Those of the configuration; credentials: one per account. Those of the old list that it names go on, with what they
 * know; the others are retired. before: the configuration that ran, NULL at first. */
void registrations_set(
    struct registrations *registrations, const struct registration_parts *parts, const struct config *config,
    const struct credential *credentials, const struct config *before);
void registrations_release(struct registrations *registrations);
struct registration *registrations_of(const struct registrations *registrations, size_t account);

/* The pauses that Graph has asked for, and what it still counts of each registration. They are carried over from one
 * engine to the next in the same process, for the state file may be gone, and with it what it said of them, but Graph
 * has not forgotten. Zeroed memory is none. */
struct registrations_carried {
  size_t count;
  struct carried *list;
};
/* In place of what there was. */
void registrations_carry(struct registrations_carried *carried, const struct registrations *registrations, int64_t now);
/* Before the next registrations are made; durable with their first commit. */
void registrations_carry_into(const struct registrations_carried *carried, struct store *store);
void registrations_carried_release(struct registrations_carried *carried);

#endif
