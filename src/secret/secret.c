/* Key files, and client secrets sealed under the key in them. The key stands in a file of its own, so that config.xml,
 * which is copied, mailed and kept under version control, gives nothing away alone. Tenant and client id are bound to
 * the sealed text as associated data of AES-256-GCM: moved to another account it does not open.
 *
 * Key and secret live in struct wiped and in buffers that wipe themselves. No message here shows any part of either,
 * not even of a text that was refused for not being a secret: it may be one with a slip in it. */
#include "secret/secret.h"
#include "adapters/crypto.h"
#include "base/must.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A key file is one line: this, then the key in base64url. The prefix tells a wrong file from a damaged key. */
#define KEY_PREFIX "presenced-key-1:"
#define KEY_REMEDY "make one with `presenced secret keygen FILE`"

enum { KEY_FILE_MAX = 256, BOUND_MAX = 1024 };

/* -- key files -------------------------------------------------------------------------------------------------- */

static bool write_all(int fd, const char *bytes, size_t length)
{
  while (length > 0) {
    ssize_t done = write(fd, bytes, length);
    if (done < 0 && errno == EINTR)
      continue;
    if (done <= 0)
      return false;
    bytes += done;
    length -= (size_t)done;
  }
  return true;
}

bool secret_keygen(const char *path, struct err *err)
{
  /* O_EXCL, not a look beforehand: between a look and the opening another run could have made its key. */
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0 && errno == EEXIST)
    return err_set(
        err, ERR_CONFIG,
        "%s: exists already; a key is never overwritten, since what it sealed would be lost: choose "
        "another name, or remove the file first",
        path);
  if (fd < 0)
    return err_set(err, ERR_CONFIG, "%s: cannot be made: %s; check folder and permissions", path, strerror(errno));
  struct wiped key = WIPED_INIT;
  struct buf line;
  wiped_reserve(&key, CRYPTO_KEY_SIZE);
  crypto_random(key.bytes, key.length);
  buf_init(&line, KEY_FILE_MAX);
  buf_add_str(&line, KEY_PREFIX);
  crypto_base64url(key.bytes, key.length, &line);
  buf_add_str(&line, "\n");
  must(!line.overflow);
  /* The umask may have taken even the owner's bits away. And the key is on the disk before it is used: whatever is
   * sealed with a key that a power cut takes is lost. */
  bool ok = fchmod(fd, 0600) == 0 && write_all(fd, line.bytes, line.length) && fsync(fd) == 0;
  int why = errno;
  if (close(fd) != 0 && ok) {
    ok = false;
    why = errno;
  }
  buf_release(&line);
  wiped_release(&key);
  if (ok)
    return true;
  /* A part of a key would stand in the way of the next try, which never overwrites. */
  unlink(path);
  return err_set(err, ERR_CONFIG, "%s: cannot be written: %s; check disk and permissions", path, strerror(why));
}

/* systemd shows the files it made under $CREDENTIALS_DIRECTORY as group-readable, by way of an ACL for the service. */
static bool is_credential(const char *path)
{
  const char *folder = getenv("CREDENTIALS_DIRECTORY");
  return folder != NULL && *folder != '\0' && str_starts(path, folder) && path[strlen(folder)] == '/' &&
         strstr(path, "/../") == NULL;
}

static bool check_key_file(int fd, const char *path, struct err *err)
{
  /* Of the opened file, not of the path: what is checked is what is read. */
  struct stat info;
  if (fstat(fd, &info) != 0)
    return err_set(err, ERR_CONFIG, "%s: cannot be read: %s; check the path", path, strerror(errno));
  if (!S_ISREG(info.st_mode) || info.st_size > KEY_FILE_MAX)
    return err_set(err, ERR_CONFIG, "%s: not a key of presenced; " KEY_REMEDY, path);
  bool credential = is_credential(path);
  mode_t forbidden = credential ? 0006 : 0066;
  if ((info.st_mode & forbidden) != 0)
    return err_set(
        err, ERR_CONFIG, "%s: key file with mode %04o, which %s can read or write; run `chmod 600 %s`", path,
        (unsigned)info.st_mode & 07777, credential ? "everybody" : "others than its owner", path);
  return true;
}

static bool parse_key(const char *path, char *line, struct wiped *ret_key, struct err *err)
{
  str_trim(line);
  if (!str_starts(line, KEY_PREFIX))
    return err_set(err, ERR_CONFIG, "%s: not a key of presenced; " KEY_REMEDY, path);
  struct wiped key = WIPED_INIT;
  if (crypto_base64url_decode(line + strlen(KEY_PREFIX), &key) && key.length == CRYPTO_KEY_SIZE) {
    wiped_release(ret_key);
    *ret_key = key;
    return true;
  }
  wiped_release(&key);
  return err_set(err, ERR_CONFIG, "%s: the key in it is damaged; restore the file from a copy", path);
}

static bool read_key(int fd, const char *path, struct wiped *ret_key, struct err *err)
{
  if (!check_key_file(fd, path, err))
    return false;
  struct wiped line = WIPED_INIT;
  wiped_reserve(&line, KEY_FILE_MAX);
  ssize_t got = read(fd, line.bytes, line.length);
  bool ok = got >= 0 ? parse_key(path, (char *)line.bytes, ret_key, err)
                     : err_set(err, ERR_CONFIG, "%s: cannot be read: %s; check file and disk", path, strerror(errno));
  wiped_release(&line);
  return ok;
}

struct key_place {
  const char *origin; /* who names it, for the error text */
  const char *path;   /* NULL: not named */
  bool optional;      /* counts only where it exists */
};

bool secret_load_key(const char *command_line, const char *configured, struct wiped *ret_key, struct err *err)
{
  char credential[4096] = "";
  const char *folder = getenv("CREDENTIALS_DIRECTORY");
  if (folder != NULL && *folder != '\0')
    snprintf(credential, sizeof credential, "%s/presenced.key", folder);
  const struct key_place places[] = {
      {"--key-file", command_line, false},
      {"KeyFile", configured, false},
      {"$PRESENCED_KEY_FILE", getenv("PRESENCED_KEY_FILE"), false},
      {"$CREDENTIALS_DIRECTORY", credential, true},
      {"the default place", "/etc/presenced/presenced.key", true},
  };
  /* The first that is named decides, readable or not. To go on to the next would try another key than the one that was
   * meant, and end in "does not open", far from the cause. */
  for (size_t i = 0; i < COUNT_OF(places); i++) {
    const char *path = places[i].path;
    if (path == NULL || *path == '\0')
      continue;
    /* O_NONBLOCK: opening a pipe would wait for its other end, before check_key_file() can refuse it. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0) {
      bool ok = read_key(fd, path, ret_key, err);
      close(fd);
      return ok;
    }
    if (!places[i].optional || (errno != ENOENT && errno != ENOTDIR))
      return err_set(
          err, ERR_CONFIG, "%s: key file named by %s cannot be opened: %s; check path and permissions, or " KEY_REMEDY,
          path, places[i].origin, strerror(errno));
  }
  return err_set(
      err, ERR_CONFIG,
      "no key file: none is named and /etc/presenced/presenced.key does not exist; " KEY_REMEDY
      " and name it with KeyFile in config.xml, --key-file or $PRESENCED_KEY_FILE");
}

/* -- sealing ---------------------------------------------------------------------------------------------------- */

/* What a sealed secret is tied to: a value pasted into another account does not open. The format's own name is part of
 * it, so that a later format cannot be taken for this one. */
static void bind_to(const char *tenant_id, const char *client_id, struct buf *ret_bound)
{
  buf_init(ret_bound, BOUND_MAX);
  buf_addf(ret_bound, SECRET_PREFIX "\n%s\n%s", tenant_id, client_id);
  must(!ret_bound->overflow);
  str_lower(ret_bound->bytes);
}

/* Refused rather than mended: a wrong secret is sealed without a murmur, and only Entra's refusal, much later, would
 * tell. The GUID is the likeliest slip, since the portal shows the secret's ID beside its Value. */
static bool check_secret(const struct wiped *secret, struct err *err)
{
  const char *text = wiped_text(secret);
  size_t length = secret->length;
  if (length == 0)
    return err_set(err, ERR_CONFIG, "the client secret is empty; paste its Value");
  if (length > SECRET_MAX)
    return err_set(err, ERR_CONFIG, "the client secret is longer than %d bytes; paste its Value only", SECRET_MAX);
  if (!str_is_utf8(text, length))
    return err_set(err, ERR_CONFIG, "the client secret is not UTF-8 text; paste its Value");
  for (size_t i = 0; i < length; i++)
    if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
      return err_set(
          err, ERR_CONFIG, "the client secret holds a line break or control character; paste its Value only");
  if (text[0] == ' ' || text[length - 1] == ' ')
    return err_set(err, ERR_CONFIG, "the client secret begins or ends with a space; paste its Value only");
  if (str_is_guid(text))
    return err_set(err, ERR_CONFIG, "a GUID is no client secret: this is the secret's ID; copy its Value");
  if (str_starts(text, SECRET_PREFIX))
    return err_set(err, ERR_CONFIG, "this is sealed already; paste the client secret's Value");
  return true;
}

bool secret_seal(
    const struct wiped *key, const char *tenant_id, const char *client_id, const struct wiped *secret,
    struct buf *ret_text, struct err *err)
{
  if (!check_secret(secret, err))
    return false;
  struct buf bound, sealed;
  bind_to(tenant_id, client_id, &bound);
  buf_init(&sealed, SECRET_SEALED_MAX);
  bool ok = crypto_seal(key, bound.bytes, bound.length, secret, &sealed, err);
  if (ok) {
    buf_add_str(ret_text, SECRET_PREFIX);
    crypto_base64url(sealed.bytes, sealed.length, ret_text);
    must(!ret_text->overflow);
  }
  buf_release(&sealed);
  buf_release(&bound);
  return ok;
}

bool secret_open(
    const struct wiped *key, const char *tenant_id, const char *client_id, const char *text, struct wiped *ret_secret,
    struct err *err)
{
  if (!str_starts(text, SECRET_PREFIX))
    return err_set(err, ERR_CONFIG, "made by another password tool; run `presenced secret encrypt`");
  struct wiped sealed = WIPED_INIT;
  if (strlen(text) > SECRET_SEALED_MAX || !crypto_base64url_decode(text + strlen(SECRET_PREFIX), &sealed))
    return err_set(
        err, ERR_CONFIG, "damaged: not what `presenced secret encrypt` printed; copy its whole line, or run it again");
  struct buf bound;
  bind_to(tenant_id, client_id, &bound);
  bool ok = crypto_open(key, bound.bytes, bound.length, sealed.bytes, sealed.length, ret_secret, err);
  /* GCM says that the tag does not fit, never why; so all three causes are named. */
  if (!ok && err->kind == ERR_AUTH)
    err_set(
        err, ERR_CONFIG,
        "does not open: sealed with another key or for another TenantId and ClientId, or changed since; run `presenced "
        "secret encrypt` for this account with the key in use");
  buf_release(&bound);
  wiped_release(&sealed);
  return ok;
}
