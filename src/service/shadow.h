/* A second ruleset that runs beside the first (Shadow): where it differs is counted, and never published. */
#ifndef SERVICE_SHADOW_H
#define SERVICE_SHADOW_H

#include "service/frequency.h"

struct agent;
struct decision;
struct event;
struct rules_agent;
struct service;

struct shadow {
  struct frequency differences;
  uint64_t same, different, errors;
};

/* What it makes of an event that the rules have just decided. */
void shadow_ask(
    struct service *service, const struct agent *agent, const struct event *event, int64_t since_ms, int64_t moment_ms,
    const struct rules_agent *seen, const struct decision *ours);
void shadow_release(struct shadow *shadow);
/* {same=, different=, errors=, differences=} */
struct value *shadow_view(const struct shadow *shadow, struct values *values);

/* "reasons.LUNCH -> rule "vip": preferred.be_right_back 45m -> preferred.busy 1h": a difference in words. */
enum { SHADOW_TEXT_SIZE = 512 };
char *shadow_describe(
    const char *old_rule, const char *old_brief, const struct decision *decision, char to[SHADOW_TEXT_SIZE]);

#endif
