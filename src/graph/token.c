/* Entra's answers to a token request (FACTS.md, "Token lifetime", "Token errors").
 *
 * Two questions are kept apart: is this a fault that passes (retry with backoff) or one of the configuration (only a
 * slow probe helps), and what is the sentence for the administrator. The token itself is cut out of the bytes before
 * anything parses them, and the parsed text must still have a string of that length in its place. */
#include "adapters/json.h"
#include "base/clock.h"
#include "base/str.h"
#include "graph/graph.h"

#include <string.h>

/* AADSTS codes are for people and may change (FACTS.md, "Token errors"): they refine the sentence; the verdict comes
 * from `error` and the status, but for the few that are known to pass. */
static const struct {
  int code;
  bool passes;
  const char *sentence; /* what; remedy */
} aadsts[] = {
    {7000215, false,
     "the client secret is wrong; copy the secret's Value (not its ID) from \"Certificates & secrets\" and seal it "
     "with `presenced secret encrypt`"},
    {7000222, false,
     "the client secret has expired; make a new one under \"Certificates & secrets\" and seal it with `presenced "
     "secret encrypt`"},
    {7000218, false, "the request carried no client secret; seal one with `presenced secret encrypt`"},
    {7000112, false, "the application is disabled; enable it under \"Enterprise applications\""},
    {700016, false,
     "there is no such application in this tenant; compare ClientId with \"Application (client) ID\" and TenantId with "
     "\"Directory (tenant) ID\" of the app registration"},
    {90002, false,
     "there is no such tenant; compare TenantId with \"Directory (tenant) ID\" of the app registration, and Cloud"},
    {90038, false, "the tenant is in another national cloud; set Cloud"},
    {900382, false, "the tenant is in another national cloud; set Cloud"},
    {900432, false, "the tenant is in another national cloud; set Cloud"},
    {9001023, false, "TenantId must name one tenant, by GUID or domain"},
    {500011, false, "this tenant does not know the Graph address asked for; compare Graph and Cloud"},
    {50001, false, "this tenant does not know the Graph address asked for; compare Graph and Cloud"},
    {70011, false, "the Graph address asked for is no valid scope; compare Graph and Cloud"},
    {700022, false, "the Graph address asked for is no valid scope; compare Graph and Cloud"},
    {53003, false, "a Conditional Access policy blocks this application; ask the tenant's administrator to allow it"},
    {50033, true, "Entra has a passing fault; it is tried again"},
    {90006, true, "Entra has a passing fault; it is tried again"},
    {90012, true, "Entra did not answer in time; it is tried again"},
    {90024, true, "Entra is overloaded; it is tried again"},
    {90033, true, "Entra is unavailable for the moment; it is tried again"},
    {90055, true, "Entra throttles this tenant; it is tried again later"},
    {90090, true, "Entra did not answer in time; it is tried again"},
    {50196, true,
     "Entra sees too many token requests of this application; does another program use the same ClientId?"},
};

/* Microsoft's clients count a token as expired 5 minutes before it is (FACTS.md, "Token lifetime"). */
#define RENEW_BEFORE_MS (5 * CLOCK_MINUTE)

/* Numbers may come as strings (FACTS.md, "Token lifetime"). */
static int64_t seconds_of(const struct value *body, const char *key)
{
  const struct value *value = value_get(body, key);
  int64_t seconds = -1;
  if (value_is(value, VALUE_NUMBER) && value->u.number >= 0 && value->u.number < 1e9)
    return (int64_t)value->u.number;
  if (value_is(value, VALUE_STRING) && !str_parse_int(value->u.string.bytes, 0, 1000000000, &seconds))
    return -1;
  return seconds;
}

/* Takes the token out of the answer's text and leaves as many x in its place, because no token may become a Lua value
 * on its way through the JSON parser. Tokens have no characters that JSON escapes (RFC 6750 2.1). */
static void take_token(struct wiped *body, struct wiped *ret_token)
{
  static const char key[] = "\"access_token\"";
  char *at = strstr((char *)body->bytes, key);
  if (at == NULL)
    return;
  at += sizeof key - 1;
  at += strspn(at, " \t\r\n");
  if (*at++ != ':')
    return;
  at += strspn(at, " \t\r\n");
  if (*at++ != '"')
    return;
  size_t length = strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=");
  if (at[length] != '"')
    return;
  wiped_set(ret_token, at, length);
  memset(at, 'x', length);
}

static enum graph_token_verdict accept(
    const struct value *body, struct wiped *token, int64_t now, struct graph_token *ret_token, struct err *err)
{
  const char *access = value_get_text(body, "access_token", "");
  int64_t life = seconds_of(body, "expires_in"), refresh = seconds_of(body, "refresh_in");
  /* The length is compared to make sure that what was cut out was the member itself, not a text that looks like it. */
  if (token->length == 0 || strlen(access) != token->length || life <= 0) {
    err_set(err, ERR_NET, "the answer holds no token; is there a proxy in between?");
    return GRAPH_TOKEN_RETRY;
  }
  ret_token->bearer = *token;
  *token = (struct wiped)WIPED_INIT;
  /* Entra counts from its answer, we from reading it; that is little against RENEW_BEFORE_MS. */
  ret_token->expires_ms = now + life * 1000;
  int64_t renew = life * 1000 - RENEW_BEFORE_MS;
  if (renew < life * 500) /* a token of less than 10 minutes would be renewed without end */
    renew = life * 500;
  /* Entra's own wish, where it has one; it may only bring the renewal forward. */
  if (refresh > 0 && refresh * 1000 < renew)
    renew = refresh * 1000;
  ret_token->refresh_ms = now + renew;
  return GRAPH_TOKEN_OK;
}

/* By status where that says it; else the two words that Entra has for passing faults. */
static bool may_pass(int status, const char *error)
{
  return status == 429 || status == 408 || status >= 500 || strcmp(error, "temporarily_unavailable") == 0 ||
         strcmp(error, "server_error") == 0;
}

static enum graph_token_verdict refuse(const struct graph_reply *reply, const struct value *body, struct err *err)
{
  const char *error = value_get_text(body, "error", "");
  int code = 0;
  const struct value *first = value_at(value_get(body, "error_codes"), 0);
  if (value_is(first, VALUE_NUMBER) && first->u.number > 0 && first->u.number < 1e9)
    code = (int)first->u.number;
  for (size_t i = 0; i < COUNT_OF(aadsts); i++)
    if (aadsts[i].code == code) {
      err_set(err, aadsts[i].passes ? ERR_NET : ERR_AUTH, "%s (AADSTS%d)", aadsts[i].sentence, code);
      return aadsts[i].passes ? GRAPH_TOKEN_RETRY : GRAPH_TOKEN_REFUSED;
    }
  /* What is not Entra's JSON is a proxy's or a gateway's; it says nothing about the account, so it is tried again. */
  if (body == NULL || *error == '\0' || may_pass(reply->status, error)) {
    err_set(
        err, ERR_NET, "the token endpoint answered %d%s%s; it is tried again", reply->status, *error == '\0' ? "" : " ",
        error);
    return GRAPH_TOKEN_RETRY;
  }
  /* Entra's own text names ids, never the secret. Its first line is the sentence; trace ids follow. */
  char detail[200];
  str_cut(detail, sizeof detail, value_get_text(body, "error_description", ""));
  detail[strcspn(detail, "\r\n")] = '\0';
  err_set(
      err, ERR_AUTH, "Entra refuses to give a token: %s: %s; compare the account with the app registration", error,
      detail);
  return GRAPH_TOKEN_REFUSED;
}

enum graph_token_verdict graph_parse_token(
    struct json *json, const struct graph_reply *reply, int64_t now, struct graph_token *ret_token,
    int64_t *ret_retry_after_ms, struct err *err)
{
  *ret_retry_after_ms = graph_retry_after(reply->retry_after, reply->date, now);
  if (reply->status == 0) {
    err_set(err, ERR_NET, "the token endpoint cannot be reached: %s", reply->failure);
    return GRAPH_TOKEN_RETRY;
  }
  struct values values = {0};
  struct value *body = NULL;
  struct err why = ERR_INIT;
  struct wiped text = WIPED_INIT, token = WIPED_INIT;
  wiped_set(&text, reply->body, reply->body_length);
  take_token(&text, &token);
  if (!json_parse(json, wiped_text(&text), text.length, &values, &body, &why) || !value_is(body, VALUE_MAP))
    body = NULL;
  enum graph_token_verdict verdict;
  if (reply->status >= 200 && reply->status <= 299)
    verdict = accept(body, &token, now, ret_token, err);
  else
    verdict = refuse(reply, body, err);
  wiped_release(&text);
  wiped_release(&token);
  values_release(&values);
  return verdict;
}
