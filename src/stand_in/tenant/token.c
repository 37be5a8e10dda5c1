/* Entra: POST /{tenant}/oauth2/v2.0/token with client credentials and a secret (FACTS.md, "Token requests"), and the
 * check of what it issued.
 *
 * Tokens are kept as SHA-256 digests with their end and their roles, in a ring of TOKENS_MAX places; the oldest goes
 * when a new one is issued. A client shows the same token again and again, so the one that was shown last is kept
 * besides, in wiped memory, and compared first; only for another one are digests made and compared.
 *
 * A form is checked in the order of check_form(): the secret comes last, so a wrong secret means that all else is
 * right. */
#include "adapters/crypto.h"
#include "adapters/json.h"
#include "base/clock.h"
#include "base/str.h"
#include "stand_in/tenant/tenant.h"

#include <string.h>

static const char token_path_end[] = "/oauth2/v2.0/token";

bool token_is_path(const char *path)
{
  return str_ends_fold(path, token_path_end);
}

enum { FIELD_GRANT_TYPE, FIELD_CLIENT_ID, FIELD_SCOPE, FIELD_CLIENT_SECRET, FIELD_COUNT };

static const char *const field_names[FIELD_COUNT] = {"grant_type", "client_id", "scope", "client_secret"};

/* The fields point into `copy`, which holds the secret and is wiped at the end. */
struct form {
  struct buf copy;
  const char *fields[FIELD_COUNT]; /* decoded; NULL when missing */
};

static bool form_decode(char *text)
{
  for (char *c = text; *c != '\0'; c++)
    if (*c == '+')
      *c = ' ';
  return str_percent_decode(text) && str_is_utf8(text, strlen(text));
}

/* False: not a form, or a field twice. Which of two would count is not for a client to guess. */
static bool form_parse(struct form *form, const char *body, size_t length)
{
  buf_init(&form->copy, 16 * 1024);
  if (memchr(body, '\0', length) != NULL || !buf_add(&form->copy, body, length) || length == 0)
    return false;
  char *rest = NULL;
  for (char *pair = strtok_r(form->copy.bytes, "&", &rest); pair != NULL; pair = strtok_r(NULL, "&", &rest)) {
    char *value = strchr(pair, '=');
    if (value == NULL)
      return false;
    *value++ = '\0';
    if (!form_decode(pair) || !form_decode(value))
      return false;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
      if (strcmp(pair, field_names[i]) != 0)
        continue;
      if (form->fields[i] != NULL)
        return false;
      form->fields[i] = value;
    }
  }
  return true;
}

/* For the log: which fields there were, and the values of all but the secret. */
static void form_note(const struct form *form, struct visit *visit)
{
  struct buf note;
  buf_init(&note, 32 * 1024);
  for (size_t i = 0; i < FIELD_COUNT; i++)
    if (form->fields[i] != NULL)
      buf_addf(
          &note, "%s%s=%s", note.length == 0 ? "" : "&", field_names[i],
          i == FIELD_CLIENT_SECRET ? "***" : form->fields[i]);
  visit_printable(visit->form, sizeof visit->form, buf_text(&note));
  buf_release(&note);
}

/* {tenant} of /{tenant}/oauth2/v2.0/token is the tenant's GUID or its domain. */
static bool check_tenant(const struct tenant *tenant, struct visit *visit)
{
  char name[128] = "";
  const char *path = visit->call->path;
  size_t length = strlen(path) - strlen(token_path_end);
  if (length >= 1 && length < sizeof name)
    memcpy(name, path + 1, length - 1);
  if (!str_percent_decode(name))
    *name = '\0';
  /* By either of its names; contoso.com is the suffix of all people here. */
  if (str_equal_fold(name, tenant->setup.tenant_id) || str_equal_fold(name, "contoso.com"))
    return true;
  if (str_equal_fold(name, "common") || str_equal_fold(name, "consumers")) {
    visit_entra_error(
        visit, 400, "invalid_request", 9001023,
        "The grant type is not supported over the /common or /consumers endpoints. Please use the /organizations or "
        "tenant-specific endpoint.");
    return false;
  }
  visit_entra_error(
      visit, 400, "invalid_request", 90002,
      "Tenant '%s' not found. Check to make sure you have the correct tenant ID and are signing into the correct "
      "cloud.",
      name);
  return false;
}

static bool check_form(const struct tenant *tenant, struct visit *visit, const struct form *form)
{
  for (size_t i = 0; i < FIELD_CLIENT_SECRET; i++)
    if (form->fields[i] == NULL) {
      visit_entra_error(
          visit, 400, "invalid_request", 900144, "The request body must contain the following parameter: '%s'.",
          field_names[i]);
      return false;
    }
  if (strcmp(form->fields[FIELD_GRANT_TYPE], "client_credentials") != 0) {
    visit_entra_error(visit, 400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type.");
    return false;
  }
  if (!str_equal_fold(form->fields[FIELD_CLIENT_ID], tenant->setup.client_id)) {
    visit_entra_error(
        visit, 400, "unauthorized_client", 700016,
        "Application with identifier '%s' was not found in the directory 'Contoso'.", form->fields[FIELD_CLIENT_ID]);
    return false;
  }
  /* For one resource, this Graph, and all that the application was granted there. */
  char scope[96];
  snprintf(scope, sizeof scope, "%s/.default", tenant->setup.address);
  if (strcmp(form->fields[FIELD_SCOPE], scope) != 0) {
    visit_entra_error(
        visit, 400, "invalid_scope", 70011,
        "The provided request must include a 'scope' input parameter. The provided value for the input parameter "
        "'scope' is not valid. The scope %s is not valid.",
        form->fields[FIELD_SCOPE]);
    return false;
  }
  const char *secret = form->fields[FIELD_CLIENT_SECRET];
  if (secret == NULL) {
    visit_entra_error(
        visit, 401, "invalid_client", 7000218,
        "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.");
    return false;
  }
  if (strlen(secret) != strlen(tenant->setup.secret) || !crypto_equal(secret, tenant->setup.secret, strlen(secret))) {
    visit_entra_error(
        visit, 401, "invalid_client", 7000215,
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not "
        "the client secret ID, for a secret added to app '%s'.",
        tenant->setup.client_id);
    return false;
  }
  return true;
}

static void add_part(struct buf *token, const char *text)
{
  if (token->length > 0)
    buf_add_str(token, ".");
  crypto_base64url(text, strlen(text), token);
}

/* A JWT in form; its signature is random, since clients are to treat tokens as opaque. */
static void make_token(struct tenant *tenant, const struct issued_token *issued, int64_t now, struct buf *token)
{
  char claims[1024];
  const char *presence = issued->presence_role ? "\"Presence.ReadWrite.All\"" : "";
  const char *user = issued->user_role ? "\"User.Read.All\"" : "";
  const char *comma = issued->presence_role && issued->user_role ? "," : "";
  /* Without any role the claim is missing altogether, as Entra leaves it out: such a token is issued, and Graph answers
   * it with 403. */
  bool any = issued->presence_role || issued->user_role;
  snprintf(
      claims, sizeof claims,
      "{\"aud\":\"%s\",\"iss\":\"https://sts.windows.net/%s/\",\"iat\":%lld,\"nbf\":%lld,\"exp\":%lld,\"appid\":\"%s\","
      "\"tid\":\"%s\"%s%s%s%s%s}",
      tenant->setup.address, tenant->setup.tenant_id, (long long)(now / 1000), (long long)(now / 1000),
      (long long)(issued->expires_ms / 1000), tenant->setup.client_id, tenant->setup.tenant_id,
      any ? ",\"roles\":[" : "", presence, comma, user, any ? "]" : "");
  add_part(token, "{\"typ\":\"JWT\",\"alg\":\"none\"}");
  add_part(token, claims);
  uint64_t signature[4];
  for (size_t i = 0; i < COUNT_OF(signature); i++)
    signature[i] = seed_next(&tenant->noise);
  buf_add_str(token, ".");
  crypto_base64url(signature, sizeof signature, token);
}

static void issue(struct tenant *tenant, struct visit *visit, bool with_roles)
{
  struct issued_token *issued = &tenant->tokens[tenant->token_next];
  tenant->token_next = (tenant->token_next + 1) % TOKENS_MAX;
  if (tenant->shown_issued == issued) /* its place goes to another token */
    tenant->shown_issued = NULL;
  *issued = (struct issued_token){
      .expires_ms = visit->now + tenant->setup.token_life_s * 1000,
      .presence_role = with_roles && tenant->setup.presence_role,
      .user_role = with_roles && tenant->setup.user_role,
  };
  struct buf token;
  buf_init(&token, 4096);
  make_token(tenant, issued, visit->now, &token);
  crypto_sha256(token.bytes, token.length, issued->digest);
  long long life = (long long)tenant->setup.token_life_s;
  buf_addf(&visit->body, "{\"token_type\":\"Bearer\",\"expires_in\":%lld,\"ext_expires_in\":%lld,", life, life);
  if (tenant->setup.refresh_in_s > 0)
    buf_addf(&visit->body, "\"refresh_in\":%lld,", (long long)tenant->setup.refresh_in_s);
  buf_addf(&visit->body, "\"access_token\":\"%s\"}", buf_text(&token));
  buf_release(&token);
  visit->status = 200;
  visit_header(visit, "Content-Type", "application/json; charset=utf-8");
  visit_header(visit, "Cache-Control", "no-store, no-cache");
  tenant->counters.tokens_issued++;
}

void token_serve(struct tenant *tenant, struct visit *visit)
{
  visit->operation = graph_operation_str(GRAPH_TOKEN);
  tenant->counters.token_requests++;
  struct form form = {0};
  const char *type = visit->call->content_type;
  bool is_form = type != NULL && str_starts(type, "application/x-www-form-urlencoded") &&
                 form_parse(&form, visit->call->body, visit->call->body_length);
  if (is_form)
    form_note(&form, visit);
  /* Behind the note, so that the log shows what was sent also where a fault has befallen it. */
  const struct fault_kind *fault = faults_draw(&tenant->faults, FAULT_OF_TOKEN);
  if (fault != NULL && visit_suffer(visit, &tenant->faults, fault))
    goto out;
  if (strcmp(visit->call->method, "POST") != 0) {
    visit_entra_error(visit, 400, "invalid_request", 900561, "The endpoint only accepts POST requests.");
    goto out;
  }
  if (!check_tenant(tenant, visit))
    goto out;
  if (!is_form) {
    visit_entra_error(visit, 400, "invalid_request", 900142, "The request body must be a form, each parameter once.");
    goto out;
  }
  if (check_form(tenant, visit, &form))
    issue(tenant, visit, fault == NULL || fault->effect != FAULT_NO_ROLE);
out:
  buf_release(&form.copy);
}

/* Here nobody is to be kept from guessing a token by the time that it takes. */
static bool was_shown_last(const struct tenant *tenant, const char *bearer, size_t length)
{
  return tenant->shown_issued != NULL && tenant->shown.length == length &&
         memcmp(wiped_text(&tenant->shown), bearer, length) == 0;
}

static const struct issued_token *find_token(struct tenant *tenant, const char *bearer)
{
  size_t length = strlen(bearer);
  if (was_shown_last(tenant, bearer, length)) /* nearly always */
    return tenant->shown_issued;
  unsigned char digest[32];
  crypto_sha256(bearer, length, digest);
  for (size_t i = 0; i < TOKENS_MAX; i++) {
    const struct issued_token *issued = &tenant->tokens[i];
    if (issued->expires_ms == 0 || !crypto_equal(issued->digest, digest, sizeof digest))
      continue;
    wiped_set(&tenant->shown, bearer, length);
    tenant->shown_issued = issued;
    return issued;
  }
  return NULL;
}

const struct issued_token *token_check(struct tenant *tenant, struct visit *visit)
{
  const char *authorization = visit->call->authorization;
  const char *problem = "Access token is empty.";
  if (authorization != NULL && strncasecmp(authorization, "Bearer ", 7) == 0 && authorization[7] != '\0') {
    const struct issued_token *token = find_token(tenant, authorization + 7);
    if (token != NULL && visit->now < token->expires_ms)
      return token;
    problem = token == NULL ? "Signature verification failed." : "Lifetime validation failed, the token is expired.";
  }
  char challenge[VISIT_HEADER_SIZE];
  snprintf(
      challenge, sizeof challenge,
      "Bearer realm=\"\", authorization_uri=\"%s/common/oauth2/authorize\", error=\"invalid_token\"",
      tenant->setup.address);
  visit_header(visit, "WWW-Authenticate", challenge);
  visit_graph_error(visit, 401, "InvalidAuthenticationToken", "%s", problem);
  return NULL;
}
