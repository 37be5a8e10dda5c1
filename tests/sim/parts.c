/* What a $batch carries, taken apart: requests with their answers, as the daemon has to see them. */
#include "adapters/json.h"
#include "sim.h"

#include <string.h>

static const struct value *answer_of(const struct value *responses, const char *id)
{
  for (size_t i = 0; i < value_count(responses); i++)
    if (strcmp(value_get_text(value_at(responses, i), "id", ""), id) == 0)
      return value_at(responses, i);
  return NULL;
}

static const struct value *parsed(struct sim *sim, const char *text, struct values *values)
{
  struct value *value = NULL;
  struct err err = ERR_INIT;
  return json_parse(sim->tenant_json, text, strlen(text), values, &value, &err) ? value : NULL;
}

size_t parts_of(
    struct sim *sim, const char *path, const char *body, const struct visit *visit, struct values *values,
    struct part parts[PARTS_MAX])
{
  const struct value *request = parsed(sim, body, values), *answer = parsed(sim, buf_text(&visit->body), values);
  if (strstr(path, "$batch") == NULL) {
    parts[0] = (struct part){path, request, visit->status, answer};
    return 1;
  }
  const struct value *requests = value_get(request, "requests"), *responses = value_get(answer, "responses");
  bool apart = visit->status == 424 || (visit->status >= 200 && visit->status <= 299);
  size_t count = value_count(requests);
  must(count <= PARTS_MAX);
  for (size_t i = 0; i < count; i++) {
    const struct value *part = value_at(requests, i);
    const struct value *own = answer_of(responses, value_get_text(part, "id", ""));
    int status = apart ? (int)value_get_number(own, "status", 0) : visit->status;
    parts[i] = (struct part){value_get_text(part, "url", ""), value_get(part, "body"), status, value_get(own, "body")};
  }
  return count;
}
