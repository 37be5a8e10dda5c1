/* The way of an event: checked against what is known, recorded as what its contact centre says of the agent, decided,
 * and the agent settled. Nothing is sent here; the turn does that, behind its commit. */
#include "adapters/json.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/shared.h"
#include "intake/intake.h"
#include "service/decide.h"
#include "service/difference.h"
#include "service/engine.h"
#include "service/names.h"
#include "service/override.h"
#include "service/standing.h"

#include <string.h>

#define AHEAD_MS CLOCK_MINUTE /* an `at` further ahead of its arrival is a wrong clock */

void service_refused(struct service *service)
{
  metrics_count(&service->metrics, COUNT_REFUSED, 1);
}

/* ---- what is to be said of it */

/* A wrong clock must not make an event outrank all that come later: its arrival counts instead. */
static void check_time(struct service *service, struct event *event, int64_t now)
{
  if (event->at_ms <= now + AHEAD_MS)
    return;
  if (metrics_ahead_of_time(&service->metrics, event->ucc)) {
    char at[CLOCK_TEXT_SIZE];
    log_warn(
        "UCC %s: an event's time lies ahead (%s); its arrival counts instead; set that system's clock", event->ucc,
        clock_rfc3339(event->at_ms, at));
  }
  event->at_ms = now;
  event->at_given = false;
}

static void check_fields(struct service *service, const struct event *event)
{
  if (event->unknown_fields == 0)
    return;
  metrics_count(&service->metrics, COUNT_UNKNOWN_FIELDS, (uint64_t)event->unknown_fields);
  if (metrics_unknown_field(&service->metrics, event->unknown_field))
    log_warn("events have an unknown field \"%s\"; put data of your own under \"attributes\"", event->unknown_field);
}

static void warn_unserved(struct service *service, const struct event *event)
{
  const char *what = *event->account != '\0' ? event->account : names_suffix_of(event->agent);
  if (metrics_unserved(&service->metrics, what))
    log_warn("no account serves %s; add it to an Account's Domains", *what == '\0' ? event->agent : what);
}

/* Whatever it sends, be it known or stale already: the contact centre is there. */
static void hear(struct service *service, const struct event *event, int64_t now)
{
  metrics_heard(&service->metrics, event->ucc, now);
  if (!store_hear_ucc(service->setup.store, event->ucc))
    return;
  log_info("UCC %s sends events again: what it said before counts again", event->ucc);
  service_rules_changed(service, ruleset_generation(service->setup.rulesets[0])); /* looks at all agents again */
}

/* ---- taking it */

static void record(struct contribution *contribution, const struct agent_name *name, const struct event *event)
{
  contribution_record(contribution, event->state, event->reason, event->at_ms);
  contribution->name = name;
  struct values values = {0};
  struct value *attributes;
  struct buf text;
  buf_init(&text, 8 * EVENT_MAX_BYTES); /* \u00XX is six bytes for one */
  intake_write_attributes(event, &values, &attributes);
  json_write(&text, attributes);
  shared_replace(&contribution->attributes, text.length == 0 ? "{}" : buf_text(&text));
  buf_release(&text);
  values_release(&values);
}

static void decide_event(
    struct service *service, struct agent *agent, struct contribution *contribution, const struct event *event,
    int64_t now)
{
  struct decision decision;
  if (!decide(service, agent, event, contribution->since_ms, event->at_ms, &decision))
    return;
  if (decision.unmatched)
    metrics_event_unmatched(&service->metrics, service->setup.rulesets[agent->account]);
  decide_tell(service, contribution, event, &decision, false);
  contribution_apply(contribution, &decision, now);
}

/* True: this very event, or one that used its id, was taken before. */
static bool is_duplicate(struct service *service, const struct event *event, int64_t now)
{
  if (*event->id == '\0')
    return false;
  enum store_id seen = store_event_id(service->setup.store, event->ucc, event->id, event->fingerprint, now);
  metrics_count(&service->metrics, COUNT_REUSED_IDS, seen == STORE_ID_REUSED);
  return seen == STORE_ID_DUPLICATE;
}

static enum service_taken take(struct service *service, const struct event *event, int64_t now)
{
  struct store *store = service->setup.store;
  if (is_duplicate(service, event, now))
    return SERVICE_DUPLICATE;
  int account = names_account_of(service, event->agent, event->account);
  const struct agent_name *name = names_take(service, account, event->agent);
  struct agent *agent = name->agent;
  struct contribution *contribution = agent_contribution(agent, event->ucc);
  if (contribution != NULL && event->at_given && event->at_ms < contribution->at_ms)
    return SERVICE_STALE;
  if (contribution == NULL)
    contribution = store_contribution_new(store, agent, event->ucc);
  difference_notice_lapse(service, agent, now);
  (void)contribution_ripen(contribution, now);
  enum decision_kind before = contribution->stand.answer->kind;
  record(contribution, name, event);
  if (account == AGENT_NO_ACCOUNT)
    warn_unserved(service, event);
  else
    decide_event(service, agent, contribution, event, now);
  override_notice_log_on(service, agent, contribution, before);
  store_touch_contribution(store, agent, contribution);
  standing_spoken_for(agent);
  if (agent->park_cause != PARK_UNKNOWN_NAME) /* that one is asked for again by itself, not with every event */
    standing_free(service, agent);
  standing_settle(service, agent, now);
  return SERVICE_ACCEPTED;
}

enum service_taken service_event(struct service *service, const struct event *given, bool recording)
{
  static const enum service_count counts[] = {
      [SERVICE_ACCEPTED] = COUNT_ACCEPTED, [SERVICE_DUPLICATE] = COUNT_DUPLICATE, [SERVICE_STALE] = COUNT_STALE};
  clock_notice(service);
  int64_t now = service_now(service);
  struct event event;
  /* Without the room for attributes that it does not have, which is most of it. */
  memcpy(&event, given, offsetof(struct event, attributes) + given->attribute_count * sizeof *given->attributes);
  hear(service, &event, now);
  if (!recording)
    check_time(service, &event, now);
  check_fields(service, &event);
  enum service_taken taken = take(service, &event, now);
  metrics_count(&service->metrics, counts[taken], 1);
  return taken;
}
