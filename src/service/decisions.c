/* The decision log as values, a page at a time: a long log is read without holding the loop, and without an engine, so
 * that a command can look into the file while no daemon runs. */
#include "adapters/json.h"
#include "service/service.h"

#include <string.h>

enum { PAGE_BYTES = 1024 * 1024 }; /* of attributes: an event may be large */

struct page {
  struct json *json;
  struct values *values;
  struct value *list;
  size_t bytes;
};

static struct value *view_event(struct page *page, const struct store_decision *row)
{
  struct values *values = page->values;
  struct value *event = value_map(values), *attributes = NULL;
  struct err err = ERR_INIT;
  value_set(values, event, "agent", value_string(values, row->agent));
  value_set(values, event, "ucc", value_string(values, row->ucc));
  value_set(values, event, "state", value_string(values, row->state));
  if (*row->reason != '\0')
    value_set(values, event, "reason", value_string(values, row->reason));
  value_put_instant(values, event, "at", row->at_ms);
  /* We have written it, so it is one; a file that somebody has edited is read without. */
  if (json_parse(page->json, row->attributes, strlen(row->attributes), values, &attributes, &err))
    value_set(values, event, "attributes", attributes);
  return event;
}

static bool on_decision(void *context, const struct store_decision *row)
{
  struct page *page = context;
  const struct decision *said = row->decision;
  struct values *values = page->values;
  struct value *view = value_map(values), *decision = value_map(values);
  const struct {
    const char *key, *text;
  } texts[] = {
      {"kind", decision_kind_str(said->kind)},
      {"session", presence_str(said->session)},
      {"preferred", presence_str(said->preferred)},
      {"after_session", presence_str(said->after.session)},
      {"after_preferred", presence_str(said->after.preferred)},
      {"message", said->message},
      {"rule", said->rule},
      {"place", said->place}};
  for (size_t i = 0; i < COUNT_OF(texts); i++)
    value_set(values, decision, texts[i].key, value_string(values, texts[i].text));
  value_set(values, decision, "hold_ms", value_number(values, (double)said->hold_ms));
  value_set(values, decision, "delay_ms", value_number(values, (double)said->delay_ms));
  value_set(values, decision, "after_hold_ms", value_number(values, (double)said->after.hold_ms));
  value_set(values, decision, "generation", value_number(values, said->generation));
  value_set(values, view, "key", value_number(values, (double)row->key));
  value_put_instant(values, view, "decided", row->decided_ms);
  value_set(values, view, "again", value_bool(values, row->again));
  value_put_instant(values, view, "since", row->since_ms);
  value_set(values, view, "event", view_event(page, row));
  value_set(values, view, "decision", decision);
  value_add(values, page->list, view);
  page->bytes += strlen(row->attributes);
  return value_count(page->list) < SERVICE_DECISIONS_PAGE && page->bytes < PAGE_BYTES;
}

bool service_read_decisions(
    struct store *store, struct json *json, int64_t after, struct values *values, struct value **ret_list,
    struct err *err)
{
  struct page page = {json, values, value_list(values), 0};
  if (!store_read_decisions(store, after, on_decision, &page, err))
    return false;
  *ret_list = page.list;
  return true;
}
