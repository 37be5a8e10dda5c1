#include "service/auth.h"
#include "service/internal.h"

bool service_auth(const struct service *service, size_t account, struct service_auth *ret_auth)
{
  const struct app *app = service->apps[service->app_of_account[account]];
  if (app->token.bearer.length == 0 || app->token.expires_ms <= service_now(service))
    return false;
  ret_auth->tenant = app->endpoint.tenant_id;
  ret_auth->expires_ms = app->token.expires_ms;
  graph_token_roles(&app->token.bearer, &ret_auth->roles);
  return true;
}
