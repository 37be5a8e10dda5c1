/* publish, clear, release. While a daemon runs they set an override on the agent, which its engine keeps up: nobody
 * goes past the engine. Without one, publish and clear send directly. */
#include "adapters/json.h"
#include "base/clock.h"
#include "cli/control.h"
#include "cli/engine.h"
#include "cli/oneshot.h"
#include "cli/site.h"

#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_FOR_MS CLOCK_HOUR

enum asked { ASKED_DONE, ASKED_FAILED, ASKED_NO_DAEMON };

static bool ask(
    const char *path, const char *method, const char *upn, const char *body, struct buf *answer, int *ret_status,
    struct err *err)
{
  struct buf target;
  buf_init(&target, 4096);
  control_add_agent(&target, upn);
  buf_add_str(&target, "/override");
  bool ok = control_ask(path, method, buf_text(&target), body, ret_status, answer, err);
  buf_release(&target);
  return ok;
}

/* body NULL: release. */
static enum asked ask_daemon(struct cli *cli, const char *upn, const char *body, struct err *err)
{
  struct site site;
  struct buf answer;
  struct values values = {0};
  struct value *problem = NULL;
  int status = 0;
  if (!site_open(cli, SITE_STATE, &site, err))
    return ASKED_FAILED;
  buf_init(&answer, 64 * 1024);
  char *path = site_control_path(&site.config);
  enum asked asked = ASKED_DONE;
  if (control_find(path) == CONTROL_NO_DAEMON) {
    asked = ASKED_NO_DAEMON;
    err_set(err, ERR_NET, "%s: no daemon answers; is presenced running with this config.xml?", path);
  } else if (!ask(path, body == NULL ? "DELETE" : "PUT", upn, body, &answer, &status, err)) {
    asked = ASKED_FAILED;
  } else if (status != 200) {
    asked = ASKED_FAILED;
    if (json_parse(site.json, buf_text(&answer), answer.length, &values, &problem, err))
      err_set(err, ERR_INPUT, "%s: %s", upn, value_get_text(problem, "detail", "the daemon refuses"));
  }
  free(path);
  values_release(&values);
  buf_release(&answer);
  site_close(&site);
  return asked;
}

/* True: the daemon has it, or it has failed; *ret_exit_code tells. False: no daemon runs. */
static bool override(struct cli *cli, const char *upn, const char *presence, int64_t hold_ms, int *ret_exit_code)
{
  struct buf body;
  struct err err = ERR_INIT;
  char hold[CLOCK_TEXT_SIZE];
  buf_init(&body, 4096);
  engine_write_override(&body, presence, hold_ms, "the command line");
  enum asked asked = ask_daemon(cli, upn, buf_text(&body), &err);
  if (asked == ASKED_DONE)
    printf(
        "%s: %s for %s, kept up by the daemon; `presenced release %s` ends it\n", upn, presence,
        clock_short_duration(hold_ms, hold), upn);
  *ret_exit_code = asked == ASKED_FAILED ? cli_fail(&err) : EXIT_DONE;
  buf_release(&body);
  return asked != ASKED_NO_DAEMON;
}

static void say_nothing_keeps_it(const char *upn)
{
  fprintf(stderr, "presenced: %s: no daemon runs with this config.xml, so nothing keeps this up\n", upn);
}

/* --for, within Graph's and our bounds. */
static bool read_duration(const char *text, int64_t *ret_ms)
{
  *ret_ms = DEFAULT_FOR_MS;
  if (text != NULL && !clock_parse_duration(text, ret_ms)) {
    fprintf(stderr, "presenced: --for: %s is no duration; write e.g. 45m, 1h30m or PT45M\n", text);
    return false;
  }
  if (*ret_ms >= PRESENCE_SESSION_MIN_MS && *ret_ms <= 7 * CLOCK_DAY)
    return true;
  fprintf(stderr, "presenced: --for: %s is out of range; write a duration of 5m to 7d\n", text);
  return false;
}

int cli_release(struct cli *cli)
{
  struct err err = ERR_INIT;
  if (!cli_no_more(cli, 1, 1))
    return EXIT_USAGE;
  if (ask_daemon(cli, cli->argv[0], NULL, &err) != ASKED_DONE)
    return cli_fail(&err);
  printf("%s: released; the contact centre's states count again\n", cli->argv[0]);
  return EXIT_DONE;
}

int cli_clear(struct cli *cli)
{
  const char *duration = cli_option(cli, "--for");
  int64_t ms;
  int exit_code;
  if (!cli_no_more(cli, 1, 1) || !read_duration(duration, &ms))
    return EXIT_USAGE;
  if (override(cli, cli->argv[0], "clear", ms, &exit_code))
    return exit_code;
  if (duration != NULL)
    fprintf(stderr, "presenced: --for: no daemon runs with this config.xml, so it is cleared once, for no time\n");
  struct graph_operation steps[] = {{.kind = GRAPH_CLEAR_PREFERRED}, {.kind = GRAPH_CLEAR_PRESENCE}};
  return oneshot_run(cli, cli->argv[0], steps, COUNT_OF(steps), "cleared");
}

static bool read_presence(const char *text, enum presence *ret_presence)
{
  if (presence_parse_words(text, ret_presence))
    return true;
  fprintf(
      stderr,
      "presenced: %s is no presence; write teams.available, in_a_call, in_a_conference_call, presenting, busy, "
      "do_not_disturb, be_right_back, away or offline, or a pair like \"Busy InACall\"\n",
      text);
  return false;
}

int cli_publish(struct cli *cli)
{
  const char *duration = cli_option(cli, "--for");
  enum presence presence;
  int64_t ms;
  int exit_code;
  if (!cli_no_more(cli, 2, 2) || !read_presence(cli->argv[1], &presence) || !read_duration(duration, &ms))
    return EXIT_USAGE;
  const char *upn = cli->argv[0];
  if (override(cli, upn, presence_str(presence), ms, &exit_code))
    return exit_code;
  bool session = presence_plane(presence) == PLANE_SESSION;
  if (session && ms > PRESENCE_SESSION_MAX_MS) {
    fprintf(
        stderr, "presenced: --for: %s is out of range without a daemon; Graph takes 5m to 4h for %s\n", duration,
        presence_str(presence));
    return EXIT_USAGE;
  }
  /* A preferred presence needs a session to live (facts 1.4): the carrier. */
  struct graph_operation steps[] = {
      {.kind = GRAPH_SET_PRESENCE,
       .presence = session ? presence : SESSION_AWAY,
       .duration_ms = ms < PRESENCE_SESSION_MAX_MS ? ms : PRESENCE_SESSION_MAX_MS},
      {.kind = GRAPH_SET_PREFERRED, .presence = presence, .duration_ms = ms},
  };
  exit_code = oneshot_run(cli, upn, steps, session ? 1 : 2, "published");
  if (exit_code == EXIT_DONE)
    say_nothing_keeps_it(upn);
  return exit_code;
}
