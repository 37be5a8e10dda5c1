/* What a presenced needs to start: certificate authority, key, config.xml with the sealed secret, and last sim.json,
 * which says by its being there that all the rest is. config.xml and sim.json are written beside and renamed, so that a
 * reader finds a whole file or none.
 *
 * Ids and secret follow from the seed, and a good key is kept: a config.xml of an earlier start still opens and still
 * fits the tenant. Only ports may be others, which is why config.xml is written anew each time. */
#include "stand_in/graphsim/setup.h"
#include "adapters/crypto.h"
#include "adapters/json.h"
#include "base/str.h"
#include "secret/secret.h"
#include "stand_in/graphsim/graphsim.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 4096, SECRET_NOISE = 24 };

void setup_registration(uint64_t seed, struct tenant_setup *setup)
{
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  seed_guid(seed, "client id", setup->client_id);
  seed_guid(seed, "tenant id", setup->tenant_id);
  /* Real secrets hold characters that a form must encode; so does this one, whatever the seed. */
  char noise[SECRET_NOISE + 1] = "";
  /* Another sequence than that of faults and people ("secret" in ASCII). */
  struct seed own = {seed ^ UINT64_C(0x736563726574)};
  for (size_t i = 0; i < SECRET_NOISE; i++)
    noise[i] = letters[seed_next(&own) % (sizeof letters - 1)];
  snprintf(setup->secret, sizeof setup->secret, "sim~%s+/%%&=\xc3\xa9", noise);
}

static bool file_path(char path[PATH_SIZE], const struct graphsim *graphsim, const char *name, struct err *err)
{
  int length = snprintf(path, PATH_SIZE, "%s/%s", graphsim->options.dir, name);
  return (length > 0 && length < PATH_SIZE) ||
         err_set(err, ERR_CONFIG, "--dir: the path is too long; choose a shorter one");
}

bool setup_folder(struct graphsim *graphsim, struct err *err)
{
  char path[PATH_SIZE];
  const char *dir = graphsim->options.dir;
  if (mkdir(dir, 0755) != 0 && errno != EEXIST)
    return err_set(err, ERR_CONFIG, "%s: cannot be made: %s; choose a writable place", dir, strerror(errno));
  if (!file_path(path, graphsim, "sim.json", err))
    return false;
  (void)unlink(path); /* an earlier run's tells of ports that are closed now */
  if (!file_path(path, graphsim, "ca.pem", err))
    return false;
  graphsim->tls = crypto_tls_local_server(path, err);
  return graphsim->tls != NULL;
}

/* Whole or not at all: readers never see half of it. */
static bool write_file(const struct graphsim *graphsim, const char *name, const struct buf *text, struct err *err)
{
  char path[PATH_SIZE], fresh_name[64], fresh[PATH_SIZE];
  snprintf(fresh_name, sizeof fresh_name, "%s.new", name);
  if (!file_path(path, graphsim, name, err) || !file_path(fresh, graphsim, fresh_name, err))
    return false;
  /* Left behind by a start that was interrupted; O_EXCL would meet it, and never follows a link that lies there. */
  (void)unlink(fresh);
  int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  bool done = fd >= 0 && write(fd, text->bytes, text->length) == (ssize_t)text->length;
  int reason = errno;
  if (fd >= 0 && close(fd) != 0)
    done = false;
  if (done && rename(fresh, path) != 0) {
    done = false;
    reason = errno;
  }
  return done || err_set(err, ERR_CONFIG, "%s: cannot be written: %s; choose a writable place", path, strerror(reason));
}

static bool load_or_make_key(const struct graphsim *graphsim, struct wiped *ret_key, struct err *err)
{
  char path[PATH_SIZE];
  struct err ignored = ERR_INIT; /* whatever is wrong with the old key, a new one is the remedy */
  if (!file_path(path, graphsim, "presenced.key", err))
    return false;
  if (secret_load_key(path, NULL, ret_key, &ignored))
    return true;
  (void)unlink(path);
  return secret_keygen(path, err) && secret_load_key(path, NULL, ret_key, err);
}

static bool seal(const struct graphsim *graphsim, struct buf *ret_sealed, struct err *err)
{
  struct wiped key = WIPED_INIT, secret = WIPED_INIT;
  wiped_set(&secret, graphsim->tenant.setup.secret, strlen(graphsim->tenant.setup.secret));
  bool done =
      load_or_make_key(graphsim, &key, err) &&
      secret_seal(&key, graphsim->tenant.setup.tenant_id, graphsim->tenant.setup.client_id, &secret, ret_sealed, err);
  wiped_release(&key);
  wiped_release(&secret);
  return done;
}

static bool write_config(const struct graphsim *graphsim, struct err *err)
{
  struct buf sealed, text;
  buf_init(&sealed, 8192);
  buf_init(&text, 32 * 1024);
  bool done = seal(graphsim, &sealed, err);
  if (done) {
    buf_addf(
        &text,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<!-- Written by graphsim for the tenant it plays; rewritten at each of its starts. -->\n"
        "<config version=\"1.5\">\n"
        "  <PresenceProvider maxPresenceSubscriptionsPerSecond=\"15\">\n"
        "    <PresencePublisher>\n"
        "      <MsGraphPresencePublisher State=\"state.db\" CaFile=\"ca.pem\" KeyFile=\"presenced.key\">\n"
        "        <Account Id=\"contoso.com\" ClientId=\"%s\" TenantId=\"%s\"\n"
        "                 Encryptedsecret=\"%s\"\n"
        "                 Authority=\"%s\" Graph=\"%s\"/>\n"
        "      </MsGraphPresencePublisher>\n"
        "    </PresencePublisher>\n"
        "  </PresenceProvider>\n"
        "</config>\n",
        graphsim->tenant.setup.client_id, graphsim->tenant.setup.tenant_id, buf_text(&sealed),
        graphsim->tenant.setup.address, graphsim->tenant.setup.address);
    done = write_file(graphsim, "config.xml", &text, err);
  }
  buf_release(&sealed);
  buf_release(&text);
  return done;
}

static bool write_sim(const struct graphsim *graphsim, struct err *err)
{
  struct buf text;
  buf_init(&text, 4096);
  buf_addf(
      &text, "{\"port\":%d,\"sim_port\":%d,\"client_id\":\"%s\",\"tenant_id\":\"%s\",\"secret\":", graphsim->port,
      graphsim->sim_port, graphsim->tenant.setup.client_id, graphsim->tenant.setup.tenant_id);
  json_write_string(&text, graphsim->tenant.setup.secret, strlen(graphsim->tenant.setup.secret));
  buf_addf(&text, ",\"pid\":%ld}\n", (long)getpid());
  bool done = write_file(graphsim, "sim.json", &text, err);
  buf_release(&text);
  return done;
}

bool setup_files(struct graphsim *graphsim, struct err *err)
{
  return write_config(graphsim, err) && write_sim(graphsim, err);
}
