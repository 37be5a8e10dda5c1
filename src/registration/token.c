/* Entra's token: fetched before it is needed, renewed before it ends, doubted when Graph refuses it.
 *
 * One token request is under way at a time. A token that still holds is used while its renewal fails (FACTS.md, "Token
 * lifetime"): Entra being away for an hour costs nothing then. A token that Graph answers with 401 is thrown away and
 * another one is asked for, once. If Graph does not take that one either, the token is not what is wrong: the
 * registration closes for a while, and then one request at a time finds out whether it is over. Without that pause two
 * refused tokens would become an endless exchange of token requests. */
#include "base/clock.h"
#include "base/log.h"
#include "registration/internal.h"
#include "sched/sched.h"

#include <string.h>

#define TOKEN_BASE_MS (1 * CLOCK_SECOND) /* between token requests that fail for a passing cause */
#define TOKEN_CAP_MS (30 * CLOCK_SECOND) /* it is one request for all agents */

bool token_holds(const struct registration *registration, int64_t now)
{
  const struct graph_token *token = &registration->token.token;
  return token->bearer.length > 0 && now < token->expires_ms;
}

static void take(struct registration *registration, const struct graph_token *token)
{
  struct token_state *state = &registration->token;
  wiped_release(&state->token.bearer);
  state->token = *token;
  state->serial++;
  if (state->trouble.kind != ERR_NONE)
    log_info("account %s: a token again", registration->label);
  state->trouble = (struct err)ERR_INIT;
  state->refused = false;
  state->attempts = 0;
}

/* The same sentence is logged once: a secret that has expired would fill the log else. */
static void note_failure(struct registration *registration, bool refused, int64_t retry_after, const struct err *err)
{
  struct token_state *state = &registration->token;
  int64_t base_ms = refused ? 2 * AUTH_BASE_MS : TOKEN_BASE_MS, cap_ms = refused ? AUTH_CAP_MS : TOKEN_CAP_MS;
  state->attempts++;
  state->refused = refused;
  int64_t wait_ms = sched_backoff(state->attempts, base_ms, cap_ms, registration_random(registration));
  if (retry_after >= 0)
    wait_ms = clock_later(wait_ms, retry_after + RETRY_AFTER_MARGIN_MS);
  state->next_try_ms = registration_now(registration) + wait_ms;
  if (strcmp(state->trouble.text, err->text) != 0)
    log_at(refused ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, "account %s: no new token: %s", registration->label, err->text);
  state->trouble = *err;
}

static void on_token(void *context, const struct graph_reply *reply)
{
  struct registration *registration = context;
  registration->parts.notice_clock(registration->parts.context);
  int64_t retry_after;
  struct graph_token token = {0};
  struct err err = ERR_INIT;
  registration->token.exchange = NULL;
  enum graph_token_verdict verdict =
      graph_parse_token(registration->parts.json, reply, registration_now(registration), &token, &retry_after, &err);
  if (verdict == GRAPH_TOKEN_OK)
    take(registration, &token);
  else
    note_failure(registration, verdict == GRAPH_TOKEN_REFUSED, retry_after, &err);
}

void token_renew(struct registration *registration, int64_t now)
{
  struct token_state *state = &registration->token;
  if (state->exchange != NULL || now < state->next_try_ms || now < state->closed_until_ms)
    return;
  if (token_holds(registration, now) && now < state->token.refresh_ms)
    return;
  struct graph_request request;
  struct credential_proof proof;
  char guid[STR_GUID_SIZE];
  struct err err = ERR_INIT;
  if (!credential_prove(registration->credential, &proof, &err)) {
    note_failure(registration, true, -1, &err);
    return;
  }
  const struct ports *ports = registration->parts.ports;
  ports_guid(ports, guid);
  graph_encode_token(&registration->endpoint, proof.parameter, &proof.value, &request);
  credential_proof_release(&proof);
  state->requests++;
  state->exchange = ports->send(ports->context, &request, NULL, guid, false, on_token, registration);
  graph_request_release(&request);
}

static void cancel(struct registration *registration)
{
  const struct ports *ports = registration->parts.ports;
  if (registration->token.exchange != NULL)
    ports->cancel(ports->context, registration->token.exchange);
  registration->token.exchange = NULL;
}

void token_renew_at_once(struct registration *registration)
{
  struct token_state *state = &registration->token;
  cancel(registration);
  state->token.refresh_ms = state->next_try_ms = state->closed_until_ms = 0;
  state->attempts = state->closed_attempts = 0;
  state->trouble = (struct err)ERR_INIT;
  state->refused = state->suspect = false;
}

void token_doubt(struct registration *registration, uint64_t serial, const struct outcome *outcome, int64_t now)
{
  struct token_state *state = &registration->token;
  if (serial != state->serial || state->token.bearer.length == 0)
    return; /* it went out with a token that is thrown away already */
  wiped_release(&state->token.bearer);
  if (!state->suspect) {
    state->suspect = true;
    return;
  }
  state->closed_until_ms = now + sched_doubled(++state->closed_attempts, AUTH_BASE_MS, AUTH_CAP_MS);
  char text[CLOCK_TEXT_SIZE];
  log_error(
      "account %s: Graph refuses a fresh token (401 %s %s); nothing is sent for %s; check the app registration's "
      "permissions and admin consent, and whether Graph and Cloud belong together (request-id %s)",
      registration->label, outcome->code, outcome->detail, clock_short_duration(state->closed_until_ms - now, text),
      outcome_request_id(outcome));
}

void token_proved(struct registration *registration, uint64_t serial)
{
  struct token_state *state = &registration->token;
  if (serial != state->serial)
    return;
  state->suspect = false;
  state->accepted++;
  state->closed_attempts = 0;
}

int64_t token_next(const struct registration *registration, int64_t now)
{
  const struct token_state *state = &registration->token;
  int64_t renewal = token_holds(registration, now) ? state->token.refresh_ms : 0;
  if (state->exchange != NULL)
    return CLOCK_NEVER;
  return clock_later(renewal, clock_later(state->next_try_ms, state->closed_until_ms));
}

void token_clock_stepped(struct registration *registration, int64_t by_ms)
{
  struct token_state *state = &registration->token;
  int64_t *const moments[] = {
      &state->closed_until_ms, &state->next_try_ms, &state->token.expires_ms, &state->token.refresh_ms};
  for (size_t i = 0; i < COUNT_OF(moments); i++)
    *moments[i] += *moments[i] == 0 ? 0 : by_ms;
}

void token_release(struct registration *registration)
{
  cancel(registration);
  wiped_release(&registration->token.token.bearer);
}
