/* secret: makes the key, seals client secrets, checks those of config.xml. A secret is read from a terminal without
 * echo, or from standard input, never from the command line, where every user of the host could read it; what is
 * printed is only its sealed form. */
#include "secret/secret.h"
#include "base/str.h"
#include "cli/cli.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* -- reading a secret ------------------------------------------------------------------------------------------- */

static const int signals[] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGTSTP};
static volatile sig_atomic_t caught;

static void on_signal(int number)
{
  caught = number;
}

/* Reads what is there, up to a line's end on a terminal and to the end otherwise. False when a signal came first: they
 * are let in only while waiting, so that none slips between looking and waiting. */
static bool read_input(struct wiped *input, size_t *length, bool terminal, const sigset_t *waiting, int *ret_errno)
{
  *ret_errno = 0;
  while (*length < input->length) {
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    if (waiting != NULL && ppoll(&in, 1, NULL, waiting) < 0) {
      *ret_errno = errno == EINTR ? 0 : errno;
      return errno != EINTR;
    }
    ssize_t got = read(STDIN_FILENO, input->bytes + *length, input->length - *length);
    if (got < 0 && errno == EINTR)
      continue;
    *ret_errno = got < 0 ? errno : 0;
    if (got <= 0)
      return true;
    *length += (size_t)got;
    if (terminal && input->bytes[*length - 1] == '\n')
      return true;
  }
  return true;
}

/* One turn with the echo off. Whatever signal ends it, the terminal is as it was before the signal takes effect. */
static bool read_hidden(
    struct wiped *input, size_t *length, const char *account, const struct termios *normal, int *ret_errno)
{
  struct sigaction action = {.sa_handler = on_signal}, before[COUNT_OF(signals)];
  struct termios hidden = *normal;
  sigset_t ours, waiting;
  sigemptyset(&ours);
  for (size_t i = 0; i < COUNT_OF(signals); i++)
    sigaddset(&ours, signals[i]);
  sigprocmask(SIG_BLOCK, &ours, &waiting);
  for (size_t i = 0; i < COUNT_OF(signals); i++)
    sigaction(signals[i], &action, &before[i]);
  caught = 0;
  hidden.c_lflag &= ~(tcflag_t)ECHO;
  hidden.c_lflag |= ECHONL;
  bool done = true;
  if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) != 0) {
    *ret_errno = errno; /* better nothing than a secret on the screen */
  } else {
    fprintf(stderr, "Value of the client secret for account %s (not shown): ", account);
    done = read_input(input, length, true, &waiting, ret_errno);
  }
  tcsetattr(STDIN_FILENO, TCSAFLUSH, normal);
  for (size_t i = 0; i < COUNT_OF(signals); i++)
    sigaction(signals[i], &before[i], NULL);
  if (caught != 0)
    raise(caught); /* takes effect when it is let in again, below */
  sigprocmask(SIG_SETMASK, &waiting, NULL);
  return done;
}

/* From the terminal without echo, else from standard input; one trailing newline is dropped. */
static bool read_secret(const char *account, struct wiped *ret_secret, struct err *err)
{
  struct wiped input = WIPED_INIT;
  size_t length = 0;
  struct termios normal;
  bool terminal = tcgetattr(STDIN_FILENO, &normal) == 0;
  int error = 0;
  /* Room for a line's end, and for one byte more by which too long a secret is known. */
  wiped_reserve(&input, SECRET_MAX + 3);
  if (!terminal)
    (void)read_input(&input, &length, false, NULL, &error);
  else
    while (!read_hidden(&input, &length, account, &normal, &error)) /* asked again when it was stopped and goes on */
      length = 0;
  if (error != 0) {
    wiped_release(&input);
    return err_set(err, ERR_INPUT, "standard input cannot be read: %s; give the secret there", strerror(error));
  }
  if (length > 0 && input.bytes[length - 1] == '\n')
    length--;
  if (length > 0 && input.bytes[length - 1] == '\r')
    length--;
  wiped_set(ret_secret, input.bytes, length);
  wiped_release(&input);
  return true;
}

/* -- the subcommands -------------------------------------------------------------------------------------------- */

static int usage(const char *what)
{
  fprintf(stderr, "presenced: secret: %s; see presenced secret --help\n", what);
  return EXIT_USAGE;
}

/* What was asked for cannot be done, though usage and configuration are right. */
static int failed(const struct err *err)
{
  (void)program_fail(err);
  return EXIT_FAILED;
}

static int keygen(struct cli *cli)
{
  struct err err = ERR_INIT;
  if (!cli_no_more(cli, 2, 2))
    return EXIT_USAGE;
  if (!secret_keygen(cli->argv[1], &err))
    return failed(&err);
  fprintf(
      stderr, "presenced: %s: key made; keep a copy in a safe place, since what it seals cannot be opened without it\n",
      cli->argv[1]);
  return EXIT_DONE;
}

/* NULL, and an error, when there is none of that Id. */
static const struct config_account *find_account(const struct config *config, const char *id, struct err *err)
{
  const struct config_account *account = config_account_by_id(config, id);
  if (account != NULL)
    return account;
  const char *names[256];
  size_t count = config->account_count < COUNT_OF(names) ? config->account_count : COUNT_OF(names);
  for (size_t i = 0; i < count; i++)
    names[i] = config->accounts[i].id;
  const char *nearest = str_nearest(id, names, count);
  err_set(
      err, ERR_CONFIG, "%s: has no Account with Id=\"%s\"; %s%s%s", config->path, id,
      nearest == NULL ? "add it with Id, ClientId and TenantId" : "did you mean ", nearest == NULL ? "" : nearest,
      nearest == NULL ? "" : "?");
  return NULL;
}

static int seal_and_print(const struct config_account *account, const struct wiped *key)
{
  struct err err = ERR_INIT;
  struct wiped secret = WIPED_INIT;
  struct buf text;
  buf_init(&text, SECRET_SEALED_MAX);
  bool ok = read_secret(account->id, &secret, &err) &&
            secret_seal(key, account->tenant_id, account->client_id, &secret, &text, &err);
  wiped_release(&secret);
  if (ok && (puts(buf_text(&text)) == EOF || fflush(stdout) != 0))
    ok = err_set(&err, ERR_INPUT, "standard output cannot be written: %s; try again", strerror(errno));
  buf_release(&text);
  return ok ? EXIT_DONE : failed(&err);
}

static int encrypt(struct cli *cli)
{
  struct err err = ERR_INIT;
  const char *id = cli_option(cli, "--account");
  if (!cli_no_more(cli, 1, 1))
    return EXIT_USAGE;
  if (id == NULL)
    return usage("encrypt needs --account ID, the Id of an Account in config.xml");
  struct config config;
  if (!config_load(cli->place.config_path, CONFIG_FOR_SEALING, &config, &err))
    return program_fail(&err);
  struct wiped key = WIPED_INIT;
  const struct config_account *account = find_account(&config, id, &err);
  int code;
  if (account == NULL || !secret_load_key(cli->place.key_file, config.key_file, &key, &err))
    code = program_fail(&err);
  else
    code = seal_and_print(account, &key);
  wiped_release(&key);
  config_release(&config);
  return code;
}

static bool check_account(const struct config *config, const struct config_account *account, const struct wiped *key)
{
  struct err err = ERR_INIT;
  struct wiped secret = WIPED_INIT;
  bool ok =
      account->encrypted_secret != NULL && *account->encrypted_secret != '\0'
          ? secret_open(key, account->tenant_id, account->client_id, account->encrypted_secret, &secret, &err)
          : err_set(&err, ERR_CONFIG, "missing; make it with `presenced secret encrypt --account %s`", account->id);
  wiped_release(&secret);
  printf("%s: %s\n", account->id, ok ? "the client secret opens" : "FAILED");
  if (!ok)
    fprintf(
        stderr, "presenced: %s:%d: Account \"%s\" Encryptedsecret: %s\n", config->path, account->line, account->id,
        err.text);
  return ok;
}

static int check(struct cli *cli)
{
  struct err err = ERR_INIT;
  struct config config;
  if (!cli_no_more(cli, 1, 1))
    return EXIT_USAGE;
  /* Loaded as for sealing, so that one account's missing secret does not hide the verdict on the others. */
  if (!config_load(cli->place.config_path, CONFIG_FOR_SEALING, &config, &err))
    return program_fail(&err);
  struct wiped key = WIPED_INIT;
  int code = EXIT_DONE;
  if (!secret_load_key(cli->place.key_file, config.key_file, &key, &err))
    code = program_fail(&err);
  for (size_t i = 0; key.bytes != NULL && i < config.account_count; i++)
    if (!check_account(&config, &config.accounts[i], &key))
      code = EXIT_FAILED;
  wiped_release(&key);
  config_release(&config);
  return code;
}

int cli_secret(struct cli *cli)
{
  static const struct {
    const char *name;
    int (*run)(struct cli *cli);
  } subcommands[] = {{"keygen", keygen}, {"encrypt", encrypt}, {"check", check}};
  for (size_t i = 0; cli->argc > 0 && i < COUNT_OF(subcommands); i++)
    if (strcmp(cli->argv[0], subcommands[i].name) == 0)
      return subcommands[i].run(cli);
  return usage("one of keygen, encrypt and check must follow");
}
