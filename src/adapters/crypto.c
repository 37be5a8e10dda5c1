/* OpenSSL behind plain functions. Its objects are made, used and freed within one function wherever that can be, and
 * each chain of calls is one condition: the first that fails ends it, and the frees below take NULL. Errors lie in a
 * queue of the thread: whoever gets one takes it out, or a later TLS connection would read it as its own. Plain texts
 * are handed out only once their tag has been checked. The second half makes a certificate authority for tests and
 * graphsim, whose key is gone when the function returns, so that nothing else can ever be signed by it. */
#include "adapters/crypto.h"
#include "base/must.h"
#include "base/str.h"

#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>

enum { CERTIFICATE_DAYS = 30 };

/* Says what OpenSSL says, and leaves its error queue empty for the next caller. */
static bool openssl_error(struct err *err, const char *what)
{
  char text[256] = "no reason given";
  unsigned long code = ERR_peek_last_error();
  if (code != 0)
    ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return err_set(err, ERR_BUG, "OpenSSL: %s: %s", what, text);
}

void crypto_random(void *bytes, size_t length)
{
  must(length <= INT_MAX);
  /* No fallback: a nonce or a GUID that can be guessed is worse than a crash. */
  must(RAND_bytes(bytes, (int)length) == 1);
}

void crypto_guid(char to[CRYPTO_GUID_SIZE])
{
  unsigned char b[16];
  crypto_random(b, sizeof b);
  str_guid(b, to);
}

void crypto_sha256(const void *bytes, size_t length, unsigned char to[32])
{
  static EVP_MD *sha256; /* OpenSSL looks for it each time otherwise */
  unsigned int made = 0;
  if (sha256 == NULL)
    must((sha256 = EVP_MD_fetch(NULL, "SHA256", NULL)) != NULL);
  must(EVP_Digest(bytes, length, to, &made, sha256, NULL) == 1 && made == 32);
}

/* -- AES-256-GCM ------------------------------------------------------------------------------------------------ */

bool crypto_seal(
    const struct wiped *key, const void *bound, size_t bound_length, const struct wiped *plain, struct buf *ret_sealed,
    struct err *err)
{
  must(key->length == CRYPTO_KEY_SIZE && bound_length <= INT_MAX);
  must(plain->length <= INT_MAX - CRYPTO_NONCE_SIZE - CRYPTO_TAG_SIZE);
  size_t length = CRYPTO_NONCE_SIZE + plain->length + CRYPTO_TAG_SIZE;
  unsigned char *sealed = must_alloc(length);
  unsigned char *nonce = sealed, *cipher = nonce + CRYPTO_NONCE_SIZE, *tag = cipher + plain->length;
  EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
  /* An update without output takes the bound data; `made` is then that of the text, and a stream like GCM leaves
   * nothing for the end. */
  int made = 0, last = 0;
  /* A random nonce is safe here: a key seals a handful of secrets, not 2^32 messages. */
  crypto_random(nonce, CRYPTO_NONCE_SIZE);
  bool ok = ctx != NULL && EVP_EncryptInit_ex2(ctx, EVP_aes_256_gcm(), key->bytes, nonce, NULL) == 1 &&
            EVP_EncryptUpdate(ctx, NULL, &made, bound, (int)bound_length) == 1 &&
            EVP_EncryptUpdate(ctx, cipher, &made, (const unsigned char *)wiped_text(plain), (int)plain->length) == 1 &&
            EVP_EncryptFinal_ex(ctx, tag, &last) == 1 && (size_t)made == plain->length && last == 0 &&
            EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, CRYPTO_TAG_SIZE, tag) == 1;
  EVP_CIPHER_CTX_free(ctx);
  if (!ok)
    openssl_error(err, "cannot seal");
  else if (!buf_add(ret_sealed, sealed, length))
    ok = err_set(err, ERR_LIMIT, "the sealed form needs %zu bytes and has no room", length);
  free(sealed);
  return ok;
}

bool crypto_open(
    const struct wiped *key, const void *bound, size_t bound_length, const void *sealed, size_t length,
    struct wiped *ret_plain, struct err *err)
{
  must(key->length == CRYPTO_KEY_SIZE && bound_length <= INT_MAX && length <= INT_MAX);
  if (length < CRYPTO_NONCE_SIZE + CRYPTO_TAG_SIZE)
    return err_set(err, ERR_AUTH, "the sealed bytes are cut short");
  const unsigned char *nonce = sealed, *cipher = nonce + CRYPTO_NONCE_SIZE;
  size_t plain_length = length - CRYPTO_NONCE_SIZE - CRYPTO_TAG_SIZE;
  unsigned char tag[CRYPTO_TAG_SIZE];
  memcpy(tag, cipher + plain_length, sizeof tag); /* OpenSSL takes it as not const */
  /* Of our own until it is known to be genuine; *ret_plain keeps what it held on failure. */
  struct wiped plain = WIPED_INIT;
  wiped_reserve(&plain, plain_length);
  EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
  int made = 0, last = 0;
  bool ready = ctx != NULL && EVP_DecryptInit_ex2(ctx, EVP_aes_256_gcm(), key->bytes, nonce, NULL) == 1 &&
               EVP_DecryptUpdate(ctx, NULL, &made, bound, (int)bound_length) == 1 &&
               EVP_DecryptUpdate(ctx, plain.bytes, &made, cipher, (int)plain_length) == 1 &&
               EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, sizeof tag, tag) == 1;
  bool genuine = ready && EVP_DecryptFinal_ex(ctx, plain.bytes + plain_length, &last) == 1;
  EVP_CIPHER_CTX_free(ctx);
  if (!ready) {
    openssl_error(err, "cannot open");
    /* Which of the three is wrong cannot be told, and must not be. */
  } else if (!genuine) {
    ERR_clear_error();
    err_set(err, ERR_AUTH, "key, bound data and sealed bytes do not belong together");
  } else {
    wiped_release(ret_plain);
    *ret_plain = plain;
    plain = (struct wiped)WIPED_INIT;
  }
  wiped_release(&plain);
  return genuine;
}

/* -- base64url -------------------------------------------------------------------------------------------------- */

/* By hand: OpenSSL's coder has another alphabet and pads, and its decoder takes what we must refuse. */
void crypto_base64url(const void *bytes, size_t length, struct buf *to)
{
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const unsigned char *in = bytes;
  for (size_t i = 0; i < length; i += 3) {
    size_t left = length - i;
    uint32_t group = (uint32_t)in[i] << 16;
    group |= left > 1 ? (uint32_t)in[i + 1] << 8 : 0;
    group |= left > 2 ? (uint32_t)in[i + 2] : 0;
    char text[4] = {digits[group >> 18], digits[group >> 12 & 63], digits[group >> 6 & 63], digits[group & 63]};
    buf_add(to, text, left > 2 ? 4 : left + 1);
  }
}

/* Six bits, or -1. No table lookup: what is decoded may be a key, and a cache line could tell of it. */
static int base64url_digit(char c)
{
  if (c >= 'A' && c <= 'Z')
    return c - 'A';
  if (c >= 'a' && c <= 'z')
    return c - 'a' + 26;
  if (c >= '0' && c <= '9')
    return c - '0' + 52;
  return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool crypto_base64url_decode(const char *text, struct wiped *ret_bytes)
{
  size_t length = strlen(text);
  /* Six bits are less than a byte. */
  if (length % 4 == 1)
    return false;
  struct wiped bytes = WIPED_INIT;
  wiped_reserve(&bytes, length / 4 * 3 + (length % 4 == 0 ? 0 : length % 4 - 1));
  uint32_t held = 0;
  unsigned bits = 0;
  size_t made = 0;
  bool ok = true;
  for (size_t i = 0; ok && i < length; i++) {
    int digit = base64url_digit(text[i]);
    ok = digit >= 0;
    /* Twelve bits are all that can be waiting. */
    held = (held << 6 | (uint32_t)(digit & 63)) & 0xFFF;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes.bytes[made++] = (unsigned char)(held >> bits);
    }
  }
  /* Stray bits would make two texts of one value. */
  if (!ok || (held & ((1U << bits) - 1)) != 0) {
    wiped_release(&bytes);
    return false;
  }
  wiped_release(ret_bytes);
  *ret_bytes = bytes;
  return true;
}

bool crypto_equal(const void *a, const void *b, size_t length)
{
  return CRYPTO_memcmp(a, b, length) == 0;
}

/* -- TLS -------------------------------------------------------------------------------------------------------- */

static bool add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
  X509V3_CTX ctx;
  X509V3_set_ctx_nodb(&ctx);
  X509V3_set_ctx(&ctx, issuer, certificate, NULL, NULL, 0);
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
  bool ok = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return ok;
}

/* Everything of a certificate but extensions and signature. RFC 5280: the serial number is positive, 20 bytes at most.
 */
static X509 *new_certificate(const char *common_name, EVP_PKEY *key)
{
  unsigned char serial_bytes[16];
  crypto_random(serial_bytes, sizeof serial_bytes);
  /* The highest bit would make it negative; the next one keeps it at its full length. */
  serial_bytes[0] = (unsigned char)((serial_bytes[0] & 0x7F) | 0x40);
  X509 *certificate = X509_new();
  BIGNUM *serial = BN_bin2bn(serial_bytes, sizeof serial_bytes, NULL);
  /* Valid from an hour ago, for machines whose clocks differ a little. */
  bool ok =
      certificate != NULL && serial != NULL && X509_set_version(certificate, X509_VERSION_3) == 1 &&
      BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(certificate)) != NULL &&
      X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) != NULL &&
      X509_time_adj_ex(X509_getm_notAfter(certificate), CERTIFICATE_DAYS, 0, NULL) != NULL &&
      X509_set_pubkey(certificate, key) == 1 &&
      X509_NAME_add_entry_by_txt(
          X509_get_subject_name(certificate), "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1, -1, 0) == 1;
  BN_free(serial);
  if (!ok) {
    X509_free(certificate);
    return NULL;
  }
  return certificate;
}

static X509 *make_authority(EVP_PKEY *key)
{
  X509 *ca = new_certificate("presenced throw-away test authority", key);
  if (ca == NULL)
    return NULL;
  /* pathlen:0: it signs servers, not further authorities. */
  bool ok = X509_set_issuer_name(ca, X509_get_subject_name(ca)) == 1 &&
            add_extension(ca, ca, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
            add_extension(ca, ca, NID_key_usage, "critical,keyCertSign,cRLSign") &&
            add_extension(ca, ca, NID_subject_key_identifier, "hash") && X509_sign(ca, key, EVP_sha256()) > 0;
  if (!ok) {
    X509_free(ca);
    return NULL;
  }
  return ca;
}

static X509 *make_server(EVP_PKEY *key, X509 *ca, EVP_PKEY *ca_key)
{
  /* Clients look at the alternative names alone; the common name is for people. */
  X509 *server = new_certificate("localhost", key);
  if (server == NULL)
    return NULL;
  bool ok = X509_set_issuer_name(server, X509_get_subject_name(ca)) == 1 &&
            add_extension(server, ca, NID_basic_constraints, "critical,CA:FALSE") &&
            add_extension(server, ca, NID_key_usage, "critical,digitalSignature") &&
            add_extension(server, ca, NID_ext_key_usage, "serverAuth") &&
            add_extension(server, ca, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1") &&
            add_extension(server, ca, NID_subject_key_identifier, "hash") &&
            add_extension(server, ca, NID_authority_key_identifier, "keyid") &&
            X509_sign(server, ca_key, EVP_sha256()) > 0;
  if (!ok) {
    X509_free(server);
    return NULL;
  }
  return server;
}

static SSL_CTX *new_server_context(X509 *certificate, EVP_PKEY *key)
{
  SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
  if (tls == NULL)
    return NULL;
  /* Clients that drop a connection without close_notify are everyday business for an HTTP server. */
  SSL_CTX_set_options(tls, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION);
  bool ok = SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) == 1 && SSL_CTX_use_certificate(tls, certificate) == 1 &&
            SSL_CTX_use_PrivateKey(tls, key) == 1 && SSL_CTX_check_private_key(tls) == 1;
  if (!ok) {
    SSL_CTX_free(tls);
    return NULL;
  }
  return tls;
}

static bool write_pem(const char *path, X509 *certificate, struct err *err)
{
  FILE *file = fopen(path, "we");
  if (file == NULL)
    return err_set(err, ERR_CONFIG, "%s: cannot be written: %s; choose another folder", path, strerror(errno));
  bool ok = PEM_write_X509(file, certificate) == 1;
  /* A full disk often shows only here, when the last bytes are written. */
  if (fclose(file) != 0 || !ok) {
    ERR_clear_error();
    return err_set(err, ERR_CONFIG, "%s: cannot be written: %s; is the disk full?", path, strerror(errno));
  }
  return true;
}

void *crypto_tls_local_server(const char *ca_path, struct err *err)
{
  X509 *ca = NULL, *server = NULL;
  SSL_CTX *tls = NULL;
  EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *server_key = EVP_EC_gen("P-256");
  if (ca_key != NULL && server_key != NULL)
    ca = make_authority(ca_key);
  if (ca != NULL)
    server = make_server(server_key, ca, ca_key);
  if (server != NULL)
    tls = new_server_context(server, server_key);
  if (tls == NULL) {
    openssl_error(err, "cannot make a server certificate");
  } else if (!write_pem(ca_path, ca, err)) {
    SSL_CTX_free(tls);
    tls = NULL;
  }
  X509_free(server);
  X509_free(ca);
  EVP_PKEY_free(server_key);
  EVP_PKEY_free(ca_key);
  return tls;
}

void crypto_tls_free(void *tls)
{
  SSL_CTX_free(tls);
}

void *crypto_tls_session(void *tls)
{
  SSL *session = SSL_new(tls);
  must(session != NULL);
  return session;
}

void *crypto_trust_open(const char *extra_pem, struct err *err)
{
  X509_STORE *store = X509_STORE_new();
  if (store == NULL) {
    err_set(err, ERR_BUG, "OpenSSL gives no trust store");
    return NULL;
  }
  /* Where the system has no anchors (no ca-certificates), this adds none, and peers are told to be untrusted. */
  (void)X509_STORE_set_default_paths(store);
  if (extra_pem == NULL || X509_STORE_load_file(store, extra_pem) == 1)
    return store;
  ERR_clear_error();
  err_set(err, ERR_CONFIG, "%s: no readable PEM file of certificates; correct CaFile", extra_pem);
  X509_STORE_free(store);
  return NULL;
}

void crypto_trust_close(void *trust)
{
  X509_STORE_free(trust);
}

void crypto_trust_use(void *trust, void *tls)
{
  /* set1: it counts a reference, so a connection may outlive crypto_trust_close(). */
  SSL_CTX_set1_cert_store(tls, trust);
}

const char *crypto_version(void)
{
  static char text[32];
  /* The library that runs, which may be newer than the headers it was built with. */
  snprintf(text, sizeof text, "OpenSSL %s", OpenSSL_version(OPENSSL_VERSION_STRING));
  return text;
}
