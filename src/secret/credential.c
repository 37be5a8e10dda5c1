#include "secret/credential.h"
#include "base/must.h"

#include <string.h>

void credential_release(struct credential *credential)
{
  wiped_release(&credential->secret);
}

/* In this process alone, where nobody can time it. */
bool credential_equal(const struct credential *a, const struct credential *b)
{
  return a->kind == b->kind && a->secret.length == b->secret.length &&
         memcmp(wiped_text(&a->secret), wiped_text(&b->secret), a->secret.length) == 0;
}

bool credential_prove(const struct credential *credential, struct credential_proof *ret_proof, struct err *err)
{
  if (credential->secret.length == 0)
    return err_set(err, ERR_CONFIG, "the client secret is empty; seal one with `presenced secret encrypt`");
  *ret_proof = (struct credential_proof){.parameter = "client_secret"};
  wiped_set(&ret_proof->value, credential->secret.bytes, credential->secret.length);
  return true;
}

void credential_proof_release(struct credential_proof *proof)
{
  wiped_release(&proof->value);
}
