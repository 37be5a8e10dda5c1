#include "service/destination.h"

#include <string.h>

int destination_index(const struct config *config, const char *id)
{
  for (size_t i = 0; i < config->account_count; i++)
    if (strcmp(config->accounts[i].id, id) == 0)
      return (int)i;
  return AGENT_NO_ACCOUNT;
}

int destination_of_name(const struct config *now, const struct config *next, int account, const char *name)
{
  const struct config_account *served = config_account_for(now, name), *found = NULL;
  if (account == AGENT_NO_ACCOUNT && served != NULL) /* its events name an account that does not exist */
    return AGENT_NO_ACCOUNT;
  if (account != AGENT_NO_ACCOUNT && served != &now->accounts[account]) /* its events name the account */
    found = config_account_by_id(next, now->accounts[account].id);
  if (found == NULL)
    found = config_account_for(next, name);
  return found == NULL ? AGENT_NO_ACCOUNT : (int)(found - next->accounts);
}

int destination_of_agent(const struct config *now, const struct config *next, const struct agent *agent)
{
  if (agent->names == NULL && agent->account != AGENT_NO_ACCOUNT) /* a predecessor: its names are another's now */
    return destination_index(next, now->accounts[agent->account].id);
  return destination_of_name(now, next, agent->account, agent_label(agent));
}

bool destination_keeps(const struct config *now, const struct config *next, int account, int to)
{
  return account != AGENT_NO_ACCOUNT && to != AGENT_NO_ACCOUNT &&
         config_same_registration(&now->accounts[account], &next->accounts[to]);
}

bool destination_loses(const struct config *now, const struct config *next, const struct agent *agent)
{
  return next != NULL && agent->account != AGENT_NO_ACCOUNT &&
         !destination_keeps(now, next, agent->account, destination_of_agent(now, next, agent));
}
