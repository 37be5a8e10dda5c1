/* What fails is not hammered: a pause after each failure that names none, and no token after the other while none is
 * taken. Of each pause a little less than the least that the daemon's own may come to, because
 * small steps of the clock are not noticed. */
#include "base/str.h"
#include "sim.h"

#include <string.h>

#define TOKEN_PAUSE_MS (CLOCK_SECOND / 4)
#define THROTTLE_PAUSE_MS (9 * CLOCK_SECOND / 2)
#define RETRY_PAUSE_MS (3 * CLOCK_SECOND / 4)
#define REFUSED_PAUSE_MS (29 * CLOCK_SECOND) /* after the second token in a row that Graph does not take */

void pace_sent(struct sim *sim, const struct sim_tenant *tenant)
{
  if (sim_steady(sim) < tenant->pace.closed_ms)
    sim_fail(
        sim, "%s: a request goes out %lld ms too early after two tokens that Graph does not take",
        tenant->tenant.setup.address, (long long)(tenant->pace.closed_ms - sim_steady(sim)));
}

void pace_token_sent(struct sim *sim, struct sim_tenant *tenant)
{
  if (sim_steady(sim) < tenant->pace.token_ms)
    sim_fail(
        sim, "%s: a token is asked for again %lld ms too early", tenant->tenant.setup.address,
        (long long)(tenant->pace.token_ms - sim_steady(sim)));
  tenant->pace.asking = true;
}

void pace_action_sent(struct sim *sim, const struct watched *watched, const char *action)
{
  /* After a step of the clock everybody tries again. */
  if (sim_steady(sim) < watched->retry_ms && sim->world.clock.offset_ms == watched->retry_offset_ms)
    sim_fail(
        sim, "%s: %s is sent %lld ms too early after a failure", watched->id, action,
        (long long)(watched->retry_ms - sim_steady(sim)));
}

static void on_token_reply(struct sim *sim, struct pace *pace, const struct visit *visit)
{
  bool good = visit->status == 200 && *visit->fault == '\0';
  pace->tokens += good;
  pace->asking = pace->asking && !good;
  pace->token_ms = good ? 0 : sim_steady(sim) + TOKEN_PAUSE_MS;
}

/* ---- 401 */

/* Who was refused when others were taken, and so is known not to be the token's fault. */
#define OTHERS_TAKEN (-1)

static bool is_of(const struct part *part, const struct watched *watched)
{
  const struct value *ids = value_get(part->body, "ids");
  bool found = strstr(part->url, watched->id) != NULL;
  for (size_t i = 0; i < value_count(ids); i++)
    found = found || strcmp(value_text(value_at(ids, i), ""), watched->id) == 0;
  return found;
}

/* Was somebody of that part refused before, and others were not? Then it is not the token. */
static bool is_about_user(const struct sim_tenant *tenant, const struct part *part)
{
  bool about = false;
  for (size_t i = 0; i < tenant->watched_count; i++) {
    int refused_after = tenant->watched[i].refused_after;
    about =
        about || (refused_after != 0 && refused_after != tenant->pace.accepts + 1 && is_of(part, &tenant->watched[i]));
  }
  return about;
}

static void doubt(struct sim *sim, struct pace *pace, int token)
{
  /* One whose successor is asked for, or there, is as good as thrown away, and says nothing about that one. */
  if (pace->asking || token < pace->tokens || token == pace->refused_token)
    return;
  pace->refused_token = token;
  if (++pace->refusals >= 2)
    pace->closed_ms = sim_steady(sim) + REFUSED_PAUSE_MS;
}

static bool is_accepted(const struct part *part)
{
  return part->status > 0 && part->status < 500 && part->status != 401;
}

static void note_token(struct sim *sim, struct sim_tenant *tenant, const struct part *parts, size_t count, int token)
{
  bool accepted = false, doubted = false;
  for (size_t i = 0; i < count; i++) {
    accepted = accepted || is_accepted(&parts[i]);
    doubted = doubted || (parts[i].status == 401 && !is_about_user(tenant, &parts[i]));
  }
  if (accepted)
    tenant->pace.refusals = 0;
  else if (doubted)
    doubt(sim, &tenant->pace, token);
  for (size_t i = 0; i < count; i++)
    for (size_t j = 0; parts[i].status == 401 && j < tenant->watched_count; j++)
      if (is_of(&parts[i], &tenant->watched[j]))
        tenant->watched[j].refused_after = accepted ? OTHERS_TAKEN : tenant->pace.accepts + 1;
  tenant->pace.accepts += accepted;
  for (size_t i = 0; accepted && i < tenant->watched_count; i++)
    tenant->watched[i].retry_ms = 0; /* it may have been the end of an outage: then nobody sits out his pause */
}

static bool names_pause(const struct visit *visit)
{
  for (size_t i = 0; i < visit->header_count; i++) {
    const char *value = visit->headers[i].value;
    if (strcmp(visit->headers[i].name, "Retry-After") == 0)
      return (*value >= '0' && *value <= '9') || strstr(value, "GMT") != NULL;
  }
  return false;
}

static void note_failure(struct sim *sim, struct sim_tenant *tenant, const char *path)
{
  for (size_t i = 0; i < tenant->watched_count; i++)
    if (strstr(path, tenant->watched[i].id) != NULL && strstr(path, "/presence/") != NULL) {
      tenant->watched[i].retry_ms = sim_steady(sim) + RETRY_PAUSE_MS;
      tenant->watched[i].retry_offset_ms = sim->world.clock.offset_ms;
    }
}

void pace_reply(
    struct sim *sim, struct sim_tenant *tenant, const struct visit *visit, bool is_token, int token, const char *path,
    const struct part *parts, size_t count)
{
  if (is_token) {
    on_token_reply(sim, &tenant->pace, visit);
    return;
  }
  note_token(sim, tenant, parts, count, token);
  if (visit->status == 429 && !names_pause(visit) && tenant->gate_unsaved_ms < sim_steady(sim) + THROTTLE_PAUSE_MS)
    tenant->gate_unsaved_ms = sim_steady(sim) + THROTTLE_PAUSE_MS;
  if (visit->status >= 500)
    note_failure(sim, tenant, path);
}

void pace_forget(struct sim_tenant *tenant)
{
  tenant->pace = (struct pace){0};
  for (size_t i = 0; i < tenant->watched_count; i++)
    tenant->watched[i].retry_ms = tenant->watched[i].refused_after = 0;
}
