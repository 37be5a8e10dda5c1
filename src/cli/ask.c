#include "cli/ask.h"
#include "adapters/json.h"
#include "cli/control.h"
#include "cli/site.h"

bool ask_daemon(
    struct cli *cli, const char *method, const char *target, struct buf *body, struct values *values,
    struct value **ret_answer, struct err *err)
{
  struct site site;
  if (!site_open(cli, SITE_STATE, &site, err))
    return false;
  char *path = site_control_path(&site.config);
  int status = 0;
  bool ok = control_ask(path, method, target, NULL, &status, body, err) &&
            json_parse(site.json, buf_text(body), body->length, values, ret_answer, err);
  if (ok && status != 200)
    ok = err_set(err, ERR_INPUT, "%s", value_get_text(*ret_answer, "detail", "the daemon refuses"));
  free(path);
  site_close(&site);
  return ok;
}
