/* The lookup comes first, by itself, because a person at the terminal wants to see whom they meant; the operation then
 * finds the object id where the lookup has left it. */
#include "host/once.h"
#include "adapters/json.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "host/program.h"
#include "host/solo.h"

#include <stdio.h>
#include <string.h>

#define PATIENCE_MS (5 * CLOCK_SECOND) /* what a person waits for without a word */

struct once {
  struct site site;
  struct loop *loop;
  struct transport *transport;
  struct solo *solo;
  struct direct *direct;
  const char *upn;
  const struct script_operation *operation; /* behind the lookup, or NULL */
  struct values values;
  const struct value *user, *answer;
  bool done;
  struct err err;
};

static void stop(struct once *once)
{
  once->done = true;
  loop_stop(once->loop);
}

static void on_answer(void *context, const struct script_answer *answer);

static void submit(struct once *once, const struct script_operation *operation)
{
  struct script_operation copy = *operation;
  must(str_copy(copy.name, sizeof copy.name, once->upn));
  (void)direct_submit(once->direct, &copy, &once->values, on_answer, once);
}

static void on_answer(void *context, const struct script_answer *answer)
{
  struct once *once = context;
  if (answer->value == NULL) {
    once->err = answer->message;
    stop(once);
    return;
  }
  bool was_lookup = once->user == NULL;
  if (was_lookup)
    once->user = answer->value;
  else
    once->answer = answer->value;
  if (was_lookup && once->operation != NULL)
    submit(once, once->operation);
  else
    stop(once);
}

static void on_turn(void *context)
{
  struct once *once = context;
  if (once->done)
    return;
  solo_turn(once->solo);
  direct_turn(once->direct);
}

static bool run(struct once *once, const struct site_place *place, struct err *err)
{
  static const struct script_operation lookup = {.kind = SCRIPT_LOOKUP, .why = ""};
  log_init(LOG_LEVEL_ERROR, 0); /* one line tells what went wrong: ours */
  if (!site_open(place, SITE_WITH_SECRETS, &once->site, err))
    return false;
  const struct config *config = &once->site.config;
  if ((once->loop = loop_new(err)) == NULL || (once->transport = transport_new(once->loop, config, err)) == NULL)
    return false;
  once->solo = solo_new(once->transport, config, once->site.credentials, once->site.json);
  struct direct_access access = solo_access(once->solo);
  once->direct = direct_new(&access, config, once->site.json, once->loop, PATIENCE_MS);
  submit(once, &lookup);
  loop_again(once->loop);
  loop_run(once->loop, on_turn, once);
  *err = once->err;
  return once->err.kind == ERR_NONE;
}

static void release(struct once *once)
{
  solo_free(once->solo); /* its requests know the calls of `direct` */
  direct_free(once->direct);
  transport_free(once->transport);
  loop_free(once->loop);
  values_release(&once->values);
  if (once->site.config.account_count > 0)
    site_close(&once->site);
}

static void print_json(struct once *once)
{
  static const char *const of_user[] = {"id", "upn", "display_name"};
  static const char *const of_presence[] = {"availability", "activity", "message"};
  struct value *answer = value_map(&once->values);
  struct buf text;
  for (size_t i = 0; i < COUNT_OF(of_user); i++)
    value_put_text(&once->values, answer, of_user[i], value_get_text(once->user, of_user[i], ""));
  for (size_t i = 0; value_is(once->answer, VALUE_MAP) && i < COUNT_OF(of_presence); i++)
    value_put_text(&once->values, answer, of_presence[i], value_get_text(once->answer, of_presence[i], ""));
  buf_init(&text, 64 * 1024);
  json_write_pretty(&text, answer);
  printf("%s\n", buf_text(&text));
  buf_release(&text);
}

static void print_text(const struct once *once, const char *verb)
{
  const char *upn = value_get_text(once->user, "upn", once->upn);
  if (!value_is(once->answer, VALUE_MAP)) {
    printf(
        "%s: %s (%s, %s)\n", upn, verb, value_get_text(once->user, "display_name", ""),
        value_get_text(once->user, "id", ""));
    return;
  }
  const char *message = value_get_text(once->answer, "message", "");
  printf(
      "%s: %s / %s%s%s\n", upn, value_get_text(once->answer, "availability", ""),
      value_get_text(once->answer, "activity", ""), *message == '\0' ? "" : ", ", message);
}

int once_run(
    const struct site_place *place, bool as_json, const char *upn, const struct script_operation *operation,
    const char *verb)
{
  struct once once = {.upn = upn, .operation = operation, .err = ERR_INIT};
  struct err err = ERR_INIT;
  int exit_code = EXIT_DONE;
  if (strlen(upn) >= SCRIPT_UPN_SIZE) {
    err_set(&err, ERR_INPUT, "%.40s...: too long for a user name", upn);
    return program_fail(&err);
  }
  if (!run(&once, place, &err))
    exit_code = program_fail(&err);
  else if (as_json)
    print_json(&once);
  else
    print_text(&once, verb);
  release(&once);
  return exit_code;
}
