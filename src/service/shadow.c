#include "service/shadow.h"
#include "service/engine.h"

void service_shadow_changed(struct service *service)
{
  shadow_release(&service->shadow);
}

void shadow_release(struct shadow *shadow)
{
  frequency_release(&shadow->differences);
  *shadow = (struct shadow){0};
}

char *shadow_describe(
    const char *old_rule, const char *old_brief, const struct decision *decision, char to[SHADOW_TEXT_SIZE])
{
  char brief[DECISION_BRIEF_SIZE];
  snprintf(
      to, SHADOW_TEXT_SIZE, "%s -> %s: %s -> %s", old_rule, decision->rule, old_brief,
      decision_brief(decision->kind, decision->session, decision->preferred, decision->hold_ms, brief));
  return to;
}

void shadow_ask(
    struct service *service, const struct agent *agent, const struct event *event, int64_t since_ms, int64_t moment_ms,
    const struct rules_agent *seen, const struct decision *ours)
{
  struct ruleset *const *shadows = service->setup.shadows;
  struct shadow *shadow = &service->shadow;
  if (shadows == NULL || shadows[agent->account] == NULL)
    return;
  struct decision theirs;
  struct err trouble = ERR_INIT;
  bool ok = ruleset_decide(shadows[agent->account], event, since_ms, moment_ms, seen, &theirs, &trouble);
  if (!ok || trouble.kind != ERR_NONE) {
    shadow->errors++;
    frequency_add(&shadow->differences, trouble.text);
  }
  if (!ok || decision_equal(ours, &theirs)) {
    shadow->same += ok;
    return;
  }
  char text[SHADOW_TEXT_SIZE], brief[DECISION_BRIEF_SIZE];
  decision_brief(ours->kind, ours->session, ours->preferred, ours->hold_ms, brief);
  shadow->different++;
  frequency_add(&shadow->differences, shadow_describe(ours->rule, brief, &theirs, text));
}

struct value *shadow_view(const struct shadow *shadow, struct values *values)
{
  struct value *view = value_map(values);
  value_put_number(values, view, "same", (double)shadow->same);
  value_put_number(values, view, "different", (double)shadow->different);
  value_put_number(values, view, "errors", (double)shadow->errors);
  value_set(values, view, "differences", frequency_view(&shadow->differences, values));
  return view;
}
