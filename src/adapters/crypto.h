/* OpenSSL 3: random numbers, AES-256-GCM, digests, base64url, GUIDs, and TLS contexts handed out as opaque pointers.
 * Keys and plain texts travel in struct wiped only. */
#ifndef ADAPTERS_CRYPTO_H
#define ADAPTERS_CRYPTO_H

#include "base/buf.h"
#include "base/err.h"
#include "base/wiped.h"

#include <stdint.h>

enum { CRYPTO_KEY_SIZE = 32, CRYPTO_NONCE_SIZE = 12, CRYPTO_TAG_SIZE = 16, CRYPTO_GUID_SIZE = 37 };

/* Cryptographically strong; ends the process if the system has no randomness. */
void crypto_random(void *bytes, size_t length);
/* A random version 4 GUID as text (RFC 9562). */
void crypto_guid(char to[CRYPTO_GUID_SIZE]);
/* SHA-256. */
void crypto_sha256(const void *bytes, size_t length, unsigned char to[32]);

/* AES-256-GCM. The sealed form is nonce (12) + ciphertext + tag (16); `bound` is associated data that must be the same
 * at opening. key->length is CRYPTO_KEY_SIZE. Opening fails with ERR_AUTH when key, bound data or bytes are not those
 * of the sealing; the text then says nothing about the content. */
bool crypto_seal(
    const struct wiped *key, const void *bound, size_t bound_length, const struct wiped *plain, struct buf *ret_sealed,
    struct err *err) MUST_CHECK;
bool crypto_open(
    const struct wiped *key, const void *bound, size_t bound_length, const void *sealed, size_t length,
    struct wiped *ret_plain, struct err *err) MUST_CHECK;

/* base64url without padding (RFC 4648 5). Decoding refuses any other character, padding and stray bits. */
void crypto_base64url(const void *bytes, size_t length, struct buf *to);
bool crypto_base64url_decode(const char *text, struct wiped *ret_bytes) MUST_CHECK;

/* Compares in constant time. */
bool crypto_equal(const void *a, const void *b, size_t length);

/* A throw-away certificate authority and a server certificate for `localhost`, 127.0.0.1 and ::1 (EC P-256, valid
 * 30 days), for graphsim and tests. Writes the CA certificate as PEM to ca_path, keeps the CA key nowhere. The result
 * is an SSL_CTX * for http_server; crypto_tls_free() it. */
void *crypto_tls_local_server(const char *ca_path, struct err *err) MUST_CHECK;
void crypto_tls_free(void *tls);
/* A TLS session on the context (SSL *), owned by whom it is handed to. */
void *crypto_tls_session(void *tls);

/* The trust anchors of this system and, unless it is NULL, those of a PEM file: loaded once, shared by every connection
 * (a store of its own costs each TLS connection 44 ms and 0.8 MB). Errors are ERR_CONFIG. */
void *crypto_trust_open(const char *extra_pem, struct err *err) MUST_CHECK;
void crypto_trust_close(void *trust); /* NULL is fine */
/* Makes an SSL_CTX * verify peers by it. */
void crypto_trust_use(void *trust, void *tls);

const char *crypto_version(void); /* "OpenSSL 3.0.x" */

#endif
