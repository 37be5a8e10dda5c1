/* Events, decisions and outcomes as the tables that scripts see. Empty texts and what does not apply are left out, so
 * that a script can write `event.reason or "none"`. */
#include "host/tables.h"
#include "intake/intake.h"

static void put_text(struct values *values, struct value *table, const char *key, const char *text)
{
  if (*text != '\0')
    value_set(values, table, key, value_string(values, text));
}

static void put_ms(struct values *values, struct value *table, const char *key, int64_t ms)
{
  value_set(values, table, key, value_number(values, (double)ms / 1000));
}

struct value *table_of_event(struct values *values, const struct event *event)
{
  struct value *table = value_map(values), *attributes;
  put_text(values, table, "agent", event->agent);
  put_text(values, table, "state", event->state);
  put_text(values, table, "reason", event->reason);
  put_text(values, table, "ucc", event->ucc);
  put_text(values, table, "id", event->id);
  put_text(values, table, "account", event->account);
  put_ms(values, table, "at", event->at_ms);
  intake_write_attributes(event, values, &attributes);
  value_set(values, table, "attributes", attributes);
  return table;
}

static void put_presence(struct values *values, struct value *table, const char *key, enum presence presence)
{
  if (presence != PRESENCE_NONE)
    put_text(values, table, key, presence_str(presence));
}

struct value *table_of_decision(struct values *values, const struct decision *decision)
{
  struct value *table = value_map(values);
  put_text(values, table, "kind", decision_kind_str(decision->kind));
  put_presence(values, table, "session", decision->session);
  put_presence(values, table, "preferred", decision->preferred);
  put_presence(
      values, table, "presence", decision->preferred != PRESENCE_NONE ? decision->preferred : decision->session);
  if (decision->kind == DECISION_SHOW)
    put_ms(values, table, "hold", decision->hold_ms);
  put_ms(values, table, "delay", decision->delay_ms);
  put_text(values, table, "message", decision->message);
  put_text(values, table, "rule", decision->rule);
  put_text(values, table, "place", decision->place);
  value_set(values, table, "unmatched", value_bool(values, decision->unmatched));
  value_set(values, table, "generation", value_number(values, decision->generation));
  return table;
}

struct value *table_of_outcome(
    struct values *values, enum graph_operation_kind operation, enum presence presence, const struct outcome *outcome)
{
  struct value *table = value_map(values);
  bool ok = outcome->kind == OUTCOME_APPLIED || outcome->kind == OUTCOME_GONE;
  value_set(values, table, "ok", value_bool(values, ok));
  put_text(values, table, "code", outcome_kind_str(outcome->kind));
  put_text(values, table, "operation", graph_operation_str(operation));
  put_presence(values, table, "presence", presence);
  value_set(values, table, "status", value_number(values, outcome->status));
  put_text(values, table, "message", outcome->detail);
  if (outcome->retry_after_ms >= 0)
    put_ms(values, table, "retry_after", outcome->retry_after_ms);
  put_text(values, table, "request_id", outcome->request_id);
  return table;
}
