/* Sealing and opening client secrets (README.md, "3. Seal the secret"): "pp1:" + base64url of AES-256-GCM, bound to
 * tenant id and client id.
 *
 * Errors are ERR_CONFIG and never show any part of a secret or key. */
#ifndef SECRET_SECRET_H
#define SECRET_SECRET_H

#include "base/buf.h"
#include "base/err.h"
#include "base/wiped.h"

#include <stdbool.h>

#define SECRET_PREFIX "pp1:"

enum {
  SECRET_MAX = 1024,        /* bytes of a client secret */
  SECRET_SEALED_MAX = 2048, /* bytes of its sealed form */
};

/* Makes a random key file, mode 0600; refuses to overwrite. */
bool secret_keygen(const char *path, struct err *err) MUST_CHECK;
/* Reads the key from the first of: command_line (--key-file), configured (KeyFile), $PRESENCED_KEY_FILE,
 * $CREDENTIALS_DIRECTORY/presenced.key, /etc/presenced/presenced.key. The first that is named must be readable; the
 * last two only count where they exist. NULL: not given. Refuses a file that group or others can read (in
 * $CREDENTIALS_DIRECTORY: that others can read) and one that is no key. */
bool secret_load_key(const char *command_line, const char *configured, struct wiped *ret_key, struct err *err)
    MUST_CHECK;
/* Adds the sealed form to ret_text, which the caller has given room for SECRET_SEALED_MAX bytes. Refuses an empty
 * secret, one that is too long, sealed already, not plain text, and a GUID ("this is the secret's ID; copy its Value").
 */
bool secret_seal(
    const struct wiped *key, const char *tenant_id, const char *client_id, const struct wiped *secret,
    struct buf *ret_text, struct err *err) MUST_CHECK;
/* Tenant and client ids count without case. */
bool secret_open(
    const struct wiped *key, const char *tenant_id, const char *client_id, const char *text, struct wiped *ret_secret,
    struct err *err) MUST_CHECK;

#endif
