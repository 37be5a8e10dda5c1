#include "service/engine.h"

void engine_adopt(struct service *service, const struct service_setup *setup, const struct config *before)
{
  service->setup = *setup;
  registrations_set(&service->registrations, &service->parts, setup->config, setup->credentials, before);
  sched_set_queues(&service->sched, service->registrations.count);
  store_keep_decisions(setup->store, setup->config->decision_log_ms);
}
