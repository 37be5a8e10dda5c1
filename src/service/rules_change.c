/* New rules, agent by agent.
 *
 * The walk over all agents goes on from turn to turn; events come meanwhile, and are decided by the new rules at once.
 * An agent that is decided twice loses nothing. What came out differently is marked, so that live changes go first: a
 * thousand presences that a new rule words differently are in no hurry, the call that begins now is. */
#include "service/rules_change.h"
#include "base/log.h"
#include "service/decide.h"
#include "service/engine.h"
#include "service/standing.h"

#include <inttypes.h>
#include <string.h>

enum { SLICE = 250 }; /* agents decided again in one turn: some milliseconds */

void service_rules_changed(struct service *service, uint32_t generation)
{
  struct rules_change *change = &service->rules_change;
  store_walk_end(&change->walk);
  store_walk_begin(service->setup.store, &change->walk);
  change->under_way = true;
  change->generation = generation;
  change->decided_again = change->came_out_different = 0;
}

void rules_change_release(struct rules_change *change)
{
  store_walk_end(&change->walk);
}

static bool same_picture(const struct desired *a, const struct desired *b)
{
  return a->session == b->session && a->preferred == b->preferred && a->until_ms == b->until_ms &&
         a->never == b->never && strcmp(a->message, b->message) == 0;
}

static void decide_one(struct service *service, struct agent *agent, int64_t now)
{
  struct rules_change *change = &service->rules_change;
  if (agent->account == AGENT_NO_ACCOUNT) {
    standing_settle(service, agent, now);
    return;
  }
  struct desired before = agent_desired(agent, now);
  char *message = must_strdup(before.message); /* it goes with the decision that made it */
  before.message = message;
  decide_all_again(service, agent, now);
  struct desired after = standing_desired(service, agent, now);
  change->decided_again++;
  if (!same_picture(&before, &after)) {
    change->came_out_different++;
    standing_changed_by_rules(agent);
  }
  free(message);
  standing_settle(service, agent, now);
}

bool rules_change_turn(struct service *service, int64_t now)
{
  struct rules_change *change = &service->rules_change;
  if (!change->under_way)
    return false;
  for (int i = 0; i < SLICE; i++) {
    struct agent *agent = store_walk_next(&change->walk);
    if (agent == NULL)
      break;
    decide_one(service, agent, now);
  }
  change->under_way = !store_walk_is_done(&change->walk);
  if (change->under_way)
    return true;
  store_walk_end(&change->walk);
  log_info(
      "generation %" PRIu32 ": %zu agents decided again, %zu presences differ", change->generation,
      change->decided_again, change->came_out_different);
  return false;
}
