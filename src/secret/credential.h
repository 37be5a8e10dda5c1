/* What an app registration proves itself with at Entra's token endpoint. Today that is a client secret; certificates,
 * federated tokens and managed identities are further kinds. Whoever needs a token asks through credential_prove()
 * and does not look at the kind. */
#ifndef SECRET_CREDENTIAL_H
#define SECRET_CREDENTIAL_H

#include "base/err.h"
#include "base/wiped.h"

#include <stdbool.h>

enum credential_kind { CREDENTIAL_SECRET };

struct credential {
  enum credential_kind kind;
  struct wiped secret; /* of CREDENTIAL_SECRET */
};

/* A parameter of the token request's form (RFC 6749 2.3.1): "client_secret" and its value. */
struct credential_proof {
  const char *parameter;
  struct wiped value;
};

void credential_release(struct credential *credential);
bool credential_equal(const struct credential *a, const struct credential *b);
/* A proof for one token request; release it with credential_proof_release(). ERR_CONFIG: there is nothing to prove
 * oneself with. */
bool credential_prove(const struct credential *credential, struct credential_proof *ret_proof, struct err *err)
    MUST_CHECK;
void credential_proof_release(struct credential_proof *proof);

#endif
