/* What an engine leaves to the one that follows it in the same process. */
#include "base/str.h"
#include "service/internal.h"

struct legacy_app {
  char *key;
  int64_t gate_until_ms, at_ms;
  size_t used, under_way;
};

void service_legacy_release(struct service_legacy *legacy)
{
  for (size_t i = 0; i < legacy->count; i++)
    free(legacy->apps[i].key);
  free(legacy->apps);
  *legacy = (struct service_legacy){0};
}

void service_legacy_take(struct service_legacy *legacy, const struct service *service)
{
  int64_t now = service_now(service);
  service_legacy_release(legacy);
  legacy->apps = must_alloc(service->app_count * sizeof *legacy->apps);
  legacy->count = service->app_count;
  for (size_t i = 0; i < legacy->count; i++) {
    struct app *app = service->apps[i];
    legacy->apps[i] = (struct legacy_app){
        must_strdup(app->key), app->gate_until_ms, now, sched_budget_used(&app->presence, now),
        app->presence.under_way};
  }
}

void service_legacy_write(const struct service_legacy *legacy, struct store *store)
{
  for (size_t i = 0; i < legacy->count; i++) {
    const struct legacy_app *app = &legacy->apps[i];
    store_set_gate(store, app->key, app->gate_until_ms);
    store_set_budget(store, app->key, app->used, app->under_way, app->at_ms);
  }
}
