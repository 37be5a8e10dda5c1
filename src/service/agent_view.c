/* An agent as `status --agents` and `why` show it: who said what, what it should show, what Graph has, and what stands
 * in between. Instants are RFC 3339 texts. */
#include "service/agent_view.h"
#include "base/clock.h"
#include "base/str.h"
#include "service/engine.h"
#include "service/names.h"

#include <string.h>

static struct value *view_contribution(
    const struct service *service, const struct contribution *c, struct values *values)
{
  struct value *view = value_map(values);
  const struct answer *answer = c->stand.answer;
  struct contribution_view shown;
  value_put_text(values, view, "ucc", c->ucc);
  value_put_text(values, view, "state", c->state);
  value_put_text(values, view, "reason", c->reason);
  value_put_instant(values, view, "at", c->at_ms);
  value_put_instant(values, view, "since", c->since_ms);
  value_put_text(values, view, "decision", decision_kind_str(answer->kind));
  value_put_text(values, view, "session", presence_str(answer->session));
  value_put_text(values, view, "preferred", presence_str(answer->preferred));
  bool holds = contribution_at(c, service_now(service), &shown);
  value_put_instant(values, view, "until", holds ? shown.until_ms : 0);
  value_put_text(values, view, "message", answer->message);
  value_put_text(values, view, "rule", answer_rule(answer));
  value_put_text(values, view, "place", answer_place(answer));
  value_put_number(values, view, "generation", answer->generation);
  value_put_instant(values, view, "waits_until", c->pending_ms);
  value_set(values, view, "silent", value_bool(values, c->silent));
  return view;
}

/* Who spoke last, for an agent of whom nothing is claimed. */
static const struct contribution *latest(const struct agent *agent)
{
  const struct contribution *latest = NULL;
  for (const struct contribution *contribution = agent->contributions; contribution != NULL;
       contribution = contribution->next) {
    if (latest == NULL || contribution->at_ms > latest->at_ms)
      latest = contribution;
  }
  return latest;
}

static struct value *view_slot(const struct slot *slot, int64_t now, struct values *values)
{
  if ((slot->presence == PRESENCE_NONE && !slot->unsure) || now >= slot->until_ms)
    return value_nil(values);
  struct value *view = value_map(values);
  value_put_text(values, view, "presence", presence_str(slot->presence));
  value_put_instant(values, view, "since", slot->set_ms);
  value_put_instant(values, view, "until", slot->until_ms);
  value_set(values, view, "unsure", value_bool(values, slot->unsure));
  return view;
}

/* What Graph has, for all we know. */
static struct value *view_confirmed(const struct confirmed *confirmed, int64_t now, struct values *values)
{
  const struct message_slot *message = &confirmed->message;
  struct value *view = value_map(values), *text = value_nil(values);
  if ((message->hash != 0 || message->unsure) && now < message->until_ms) {
    text = value_map(values);
    value_put_instant(values, text, "until", message->until_ms);
    value_set(values, text, "unsure", value_bool(values, message->unsure));
  }
  value_set(values, view, "session", view_slot(&confirmed->session, now, values));
  value_set(values, view, "preferred", view_slot(&confirmed->preferred, now, values));
  value_set(values, view, "message", text);
  return view;
}

static struct value *view_agent(const struct service *service, const struct agent *agent, struct values *values)
{
  int64_t now = service_now(service);
  struct desired desired = agent_desired(agent, now);
  struct value *view = value_map(values), *uccs = value_list(values), *names = value_list(values);
  value_put_text(values, view, "agent", agent_label(agent));
  value_put_text(values, view, "id", agent->id);
  for (const struct agent_name *name = agent->names; name != NULL; name = name->next)
    value_add(values, names, value_string(values, name->text));
  value_set(values, view, "names", names);
  value_put_text(
      values, view, "account",
      agent->account == AGENT_NO_ACCOUNT ? "" : service->setup.config->accounts[agent->account].id);
  value_put_text(values, view, "phase", phase_str(agent->phase));
  /* A keep-alive that is due or under way takes nothing from it, unless it comes too late. */
  bool confirmed = agent->differs_since_ms == 0 && agent->phase != PHASE_PARKED;
  value_set(values, view, "confirmed", value_bool(values, confirmed));
  const char *detail = agent->trouble == NULL ? NULL : agent->trouble->park_detail;
  if (agent->phase == PHASE_PARKED) {
    value_put_text(values, view, "parked", park_cause_str(agent->park_cause));
    value_put_text(values, view, "parked_because", detail == NULL ? "" : detail);
  }
  value_put_text(values, view, "session", presence_str(desired.session));
  value_put_text(values, view, "preferred", presence_str(desired.preferred));
  value_set(values, view, "carrier", value_bool(values, desired.carrier));
  value_set(values, view, "anchored", value_bool(values, desired.anchored));
  if (agent->left_choice != AVAILABILITY_UNKNOWN)
    value_put_text(values, view, "left_to_their_choice", availability_str(agent->left_choice));
  if (agent->trouble != NULL && agent->trouble->retry_ms > now)
    value_put_instant(values, view, "retry_at", agent->trouble->retry_ms);
  value_set(values, view, "graph", view_confirmed(&agent->confirmed, now, values));
  value_put_text(values, view, "message", desired.message);
  value_put_instant(values, view, "until", desired.winner == NULL ? 0 : desired.until_ms);
  const struct contribution *said = desired.winner != NULL ? desired.winner : latest(agent);
  value_put_text(values, view, "rule", said == NULL ? "" : answer_rule(said->stand.answer));
  value_put_text(values, view, "place", said == NULL ? "" : answer_place(said->stand.answer));
  value_put_text(values, view, "ucc", said == NULL ? "" : said->ucc);
  value_set(
      values, view, "over",
      value_bool(values, desired.winner == NULL && said != NULL && said->stand.answer->kind == DECISION_SHOW));
  for (const struct contribution *c = agent->contributions; c != NULL; c = c->next)
    value_add(values, uccs, view_contribution(service, c, values));
  value_set(values, view, "uccs", uccs);
  return view;
}

static int by_label(const void *a, const void *b)
{
  return strcmp(agent_label(*(const struct agent *const *)a), agent_label(*(const struct agent *const *)b));
}

struct value *agent_view_all(const struct service *service, struct values *values)
{
  const struct agent **sorted = must_alloc(store_agent_count(service->setup.store) * sizeof *sorted);
  size_t count = 0;
  struct store_walk walk;
  store_walk_begin(service->setup.store, &walk);
  for (const struct agent *agent; (agent = store_walk_next(&walk)) != NULL;)
    sorted[count++] = agent;
  if (count > 1)
    qsort(sorted, count, sizeof *sorted, by_label);
  struct value *list = value_list(values);
  for (size_t i = 0; i < count; i++)
    value_add(values, list, view_agent(service, sorted[i], values));
  free(sorted);
  return list;
}

struct value *service_agent(struct service *service, const char *name, struct values *values)
{
  char folded[EVENT_AGENT_SIZE];
  if (!names_fold(name, folded, sizeof folded))
    return NULL;
  for (int account = AGENT_NO_ACCOUNT; account < (int)service->setup.config->account_count; account++) {
    const struct agent_name *found = store_name_find(service->setup.store, account, folded);
    const struct agent *agent = found != NULL         ? found->agent
                                : str_is_guid(folded) ? store_agent_by_id(service->setup.store, account, folded)
                                                      : NULL;
    if (agent != NULL)
      return view_agent(service, agent, values);
  }
  return NULL;
}
