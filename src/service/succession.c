#include "service/succession.h"
#include "service/engine.h"

/* Does `agent` wait for `first`, directly or in turn? */
static bool comes_after(const struct agent *agent, const struct agent *first)
{
  for (const struct agent *next = first->successor; next != NULL; next = next->successor)
    if (next == agent)
      return true;
  return false;
}

void succession_begin(struct agent *from, struct agent *to)
{
  if (from->successor != NULL || to->has_predecessor || comes_after(from, to))
    return;
  from->successor = to;
  to->has_predecessor = true;
}

struct agent *succession_end(struct agent *agent)
{
  struct agent *successor = agent->successor;
  agent->successor = NULL;
  if (successor != NULL)
    successor->has_predecessor = false;
  return successor;
}

void succession_unlink(struct service *service, struct agent *agent)
{
  struct store_walk walk;
  (void)succession_end(agent);
  store_walk_begin(service->setup.store, &walk);
  for (struct agent *other; agent->has_predecessor && (other = store_walk_next(&walk)) != NULL;)
    if (other->successor == agent)
      (void)succession_end(other);
  store_walk_end(&walk);
  agent->has_predecessor = false;
}
