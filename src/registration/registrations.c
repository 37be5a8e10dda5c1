/* Which account uses which registration, and what becomes of the registrations when the configuration changes.
 *
 * A registration that the new configuration still names must be the same object afterwards: its token, its gate, its
 * budget and its requests under way go on as if nothing had happened. So the new list takes what it can out of the old
 * one, by key, and only what is left over is retired. */
#include "registration/registrations.h"
#include "base/clock.h"
#include "store/store.h"

#include <string.h>

/* Takes it out of `list`, or NULL. */
static struct registration *take(struct registration **list, size_t count, const struct config_account *account)
{
  char key[REGISTRATION_KEY_SIZE];
  registration_key(account, key);
  for (size_t i = 0; i < count; i++)
    if (list[i] != NULL && strcmp(registration_key_of(list[i]), key) == 0) {
      struct registration *found = list[i];
      list[i] = NULL;
      return found;
    }
  return NULL;
}

static size_t first_account_of(const struct config *config, size_t account)
{
  size_t first = 0;
  while (!config_same_registration(&config->accounts[first], &config->accounts[account]))
    first++;
  return first;
}

void registrations_set(
    struct registrations *registrations, const struct registration_parts *parts, const struct config *config,
    const struct credential *credentials, const struct config *before)
{
  struct registrations old = *registrations;
  registrations->list = must_alloc(config->account_count * sizeof(struct registration *));
  registrations->count = 0;
  registrations->of_account = must_alloc(config->account_count * sizeof *registrations->of_account);
  for (size_t i = 0; i < config->account_count; i++) {
    const struct config_account *account = &config->accounts[i];
    size_t first = first_account_of(config, i);
    if (first < i) {
      registrations->of_account[i] = registrations->of_account[first];
      continue;
    }
    struct registration *registration = take(old.list, old.count, account);
    if (registration != NULL)
      registration_configure(registration, before, config, account, &credentials[i]);
    else
      registration = registration_new(parts, config, account, &credentials[i]);
    registrations->of_account[i] = registrations->count;
    registrations->list[registrations->count++] = registration;
  }
  for (size_t i = 0; i < old.count; i++)
    if (old.list[i] != NULL) {
      registration_retire(old.list[i]);
      registration_free(old.list[i]);
    }
  free(old.list);
  free(old.of_account);
}

void registrations_release(struct registrations *registrations)
{
  for (size_t i = 0; i < registrations->count; i++)
    registration_free(registrations->list[i]);
  free(registrations->list);
  free(registrations->of_account);
  *registrations = (struct registrations){0};
}

struct registration *registrations_of(const struct registrations *registrations, size_t account)
{
  return registrations->list[registrations->of_account[account]];
}

/* ---- carried over */

struct carried {
  char *key;
  int64_t at_ms;
  struct registration_use use;
};

void registrations_carried_release(struct registrations_carried *carried)
{
  for (size_t i = 0; i < carried->count; i++)
    free(carried->list[i].key);
  free(carried->list);
  *carried = (struct registrations_carried){0};
}

void registrations_carry(struct registrations_carried *carried, const struct registrations *registrations, int64_t now)
{
  registrations_carried_release(carried);
  carried->list = must_alloc(registrations->count * sizeof *carried->list);
  carried->count = registrations->count;
  for (size_t i = 0; i < carried->count; i++) {
    struct registration *registration = registrations->list[i];
    carried->list[i] =
        (struct carried){must_strdup(registration_key_of(registration)), now, registration_use(registration, now)};
  }
}

void registrations_carry_into(const struct registrations_carried *carried, struct store *store)
{
  for (size_t i = 0; i < carried->count; i++) {
    const struct carried *from = &carried->list[i];
    store_set_gate(store, from->key, from->use.gate_until_ms);
    store_set_budget(store, from->key, from->use.used, from->use.under_way, from->at_ms);
  }
}
