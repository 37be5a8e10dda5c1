/* What must never be seen, and what must be seen in the end. */
#include "adapters/json.h"
#include "base/str.h"
#include "sim.h"
#include "world/disk.h"

#include <string.h>
#include <time.h>

#define OWN_MS (5 * CLOCK_MINUTE) /* so long after it was set, a preferred presence may be cleared without a look */
#define LOOK_MS CLOCK_MINUTE      /* so long a look counts */
#define STABLE_MS (90 * CLOCK_SECOND)
#define FADE_MS (5 * CLOCK_MINUTE)

static struct watched *watch(struct sim_tenant *tenant, const char *id)
{
  for (size_t i = 0; i < tenant->watched_count; i++)
    if (strcmp(tenant->watched[i].id, id) == 0)
      return &tenant->watched[i];
  must(tenant->watched_count < COUNT_OF(tenant->watched));
  struct watched *watched = &tenant->watched[tenant->watched_count++];
  *watched = (struct watched){0};
  must(str_copy(watched->id, sizeof watched->id, id));
  return watched;
}

/* ---- what is sent */

static size_t name_of(const struct person *person)
{
  size_t name = 0;
  while (name < SIM_NAMES && strcmp(sim_name(name), person->upn) != 0)
    name++;
  return name;
}

static bool pair_is(enum presence presence, const struct value *body)
{
  return presence != PRESENCE_NONE &&
         strcmp(presence_availability_str(presence), value_get_text(body, "availability", "")) == 0 &&
         strcmp(presence_activity_str(presence), value_get_text(body, "activity", "")) == 0;
}

static const char *message_of(const struct value *body)
{
  return value_get_text(value_get(value_get(body, "statusMessage"), "message"), "content", "");
}

static bool says(const struct expectation *expected, const char *action, const struct value *body)
{
  if (expected->tie)
    return true;
  if (strcmp(action, "setPresence") == 0)
    return pair_is(expected->session, body);
  if (strcmp(action, "setUserPreferredPresence") == 0)
    return pair_is(expected->preferred, body);
  if (strcmp(action, "setStatusMessage") == 0)
    return strcmp(expected->message, message_of(body)) == 0;
  return true; /* of clears: check_order(), and in the end */
}

/* Whether it will be done is not known yet: from now on that presence may be ours. */
static void note_try(
    struct sim *sim, struct sim_tenant *tenant, const char *id, const char *action, const struct value *body)
{
  if (strcmp(action, "setUserPreferredPresence") != 0)
    return;
  struct watched *watched = watch(tenant, id);
  watched->sent_ms = sim_true_now(sim);
  watched->tried |= 1u << availability_parse(value_get_text(body, "availability", ""));
  watched->tried_saved |= watched->tried; /* it is committed before it goes out */
}

/* Nothing is published but what the present rules make of the present events. */
static void check_set(struct sim *sim, struct sim_tenant *tenant, const char *path, const struct value *body)
{
  static const char marker[] = "/presence/";
  const char *users = strstr(path, "/users/"), *action = strstr(path, marker);
  char id[PERSON_ID_SIZE];
  if (users == NULL || action == NULL)
    return;
  str_cut(id, sizeof id, users + strlen("/users/"));
  action += strlen(marker);
  note_try(sim, tenant, id, action, body);
  if (sim->identities_moved)
    return;
  struct person *person = directory_by_id(tenant->tenant.directory, id);
  size_t name = person == NULL ? SIM_NAMES : name_of(person);
  if (name == SIM_NAMES)
    return;
  pace_action_sent(sim, watch(tenant, id), action);
  check_order(sim, name, person, watch(tenant, id), action, message_of(body));
  int64_t wall_ms = sim_wall_now(sim);
  struct expectation now = oracle_expects(&sim->oracle, name, wall_ms);
  struct expectation before = oracle_expects(&sim->before_reload, name, wall_ms);
  if (says(&now, action, body) || (sim->turns_since_reload < 2 && says(&before, action, body)))
    return;
  sim_fail(
      sim, "%s: %s %s/%s \"%s\" is sent; the rules say session %s, preferred %s, \"%s\"", sim_name(name), action,
      value_get_text(body, "availability", ""), value_get_text(body, "activity", ""), message_of(body),
      presence_str(now.session), presence_str(now.preferred), now.message);
}

static void check_sets(struct sim *sim, struct sim_tenant *tenant, const char *path, const char *body)
{
  struct values values = {0};
  struct value *value = NULL;
  struct err err = ERR_INIT;
  if (json_parse(sim->tenant_json, body, strlen(body), &values, &value, &err)) {
    const struct value *parts = value_get(value, "requests");
    if (strstr(path, "$batch") == NULL)
      check_set(sim, tenant, path, value);
    for (size_t i = 0; i < value_count(parts); i++)
      check_set(sim, tenant, value_get_text(value_at(parts, i), "url", ""), value_get(value_at(parts, i), "body"));
  }
  values_release(&values);
}

/* Is that action of that person the request, or a part of it? */
static bool is_about(const struct watched *watched, const char *action, const char *path, const char *body)
{
  char url[96];
  snprintf(url, sizeof url, "/users/%s/presence/%s", watched->id, action);
  return strstr(path, url) != NULL || strstr(body, url) != NULL;
}

void check_sent(struct sim *sim, struct sim_tenant *tenant, bool is_token, const char *path, const char *body)
{
  pace_sent(sim, tenant);
  if (is_token) {
    pace_token_sent(sim, tenant);
    if (tenant->token_requests > 1)
      sim_fail(sim, "%s: %d token requests are under way", tenant->tenant.setup.address, tenant->token_requests);
    return;
  }
  if (!sim->in_turn)
    sim_fail(sim, "%s: a request goes out between two turns", tenant->tenant.setup.address);
  if (!sim->turn_sent)
    sim->turn_writes = disk_writes();
  sim->turn_sent = true;
  int64_t gate_ms = tenant->gate_ms > tenant->gate_unsaved_ms ? tenant->gate_ms : tenant->gate_unsaved_ms;
  if (sim_steady(sim) < gate_ms)
    sim_fail(
        sim, "%s: a request goes out %lld ms before the pause that Graph asked for is over",
        tenant->tenant.setup.address, (long long)(gate_ms - sim_steady(sim)));
  if (*body != '\0')
    check_sets(sim, tenant, path, body);
  for (size_t i = 0; i < tenant->watched_count; i++) {
    struct watched *watched = &tenant->watched[i];
    if (is_about(watched, "clearUserPreferredPresence", path, body)) /* whether it is done will not be known at once */
      watched->confirmed = false;
    if (strstr(body, "\"ids\"") != NULL && strstr(body, watched->id) != NULL) {
      watched->reads_missed++;
      watched->asked_ms = sim_true_now(sim);
    }
  }
}

/* ---- what arrives */

static void on_set_preferred(struct sim *sim, struct sim_tenant *tenant, const struct person *person)
{
  struct watched *watched = watch(tenant, person->id);
  /* However long they were on their way: what is compared is the end that was meant. */
  int64_t ends_ms = watched->sent_ms + person->preferred.expires_ms - sim_true_now(sim);
  int64_t moved_ms = ends_ms - watched->ends_ms;
  /* Durations are whole seconds. From two seconds on it is another decision's end, as when two delays are over. */
  bool again = watched->confirmed && watched->ours == person->preferred.presence && moved_ms > -1200 && moved_ms < 1200;
  again =
      again && !watched->read_as_theirs; /* it was given up, and is a new decision's: the clock was set to and fro */
  if (again && !sim->identities_moved)   /* else it may have been meant for somebody else */
    sim_fail(
        sim, "%s: a preferred presence that was confirmed is sent again%s", person->upn,
        watched->chosen ? ", over the person's own choice" : "");
  *watched = (struct watched){
      .sent_ms = watched->sent_ms,
      .said_ms = watched->said_ms,
      .tried = watched->tried,
      .refused_after = watched->refused_after,
      .tried_saved = watched->tried_saved,
      .ours = person->preferred.presence,
      .set_ms = sim_true_now(sim),
      .ends_ms = ends_ms};
  must(str_copy(watched->id, sizeof watched->id, person->id));
}

static void on_clear_preferred(struct sim *sim, struct sim_tenant *tenant, const struct person *person)
{
  struct watched *watched = watch(tenant, person->id);
  int64_t now = sim_true_now(sim), late_ms = 2 * sim->world.config.request_timeout_ms;
  bool fresh = now < watched->set_ms + OWN_MS + late_ms;
  bool looked = watched->read_ms >= watched->chosen_ms || now < watched->chosen_ms + LOOK_MS + late_ms;
  /* Leave to clear without a look is not kept in reserve. */
  bool blind = watched->reads_missed >= 3 && now < watched->asked_ms + LOOK_MS + late_ms;
  if (watched->chosen && !fresh && !blind && (!looked || watched->read_as_theirs))
    sim_fail(
        sim, "%s: their own choice is cleared (chosen %lld s ago, %s)", person->upn,
        (long long)(now - watched->chosen_ms) / 1000, looked ? "and read" : "and nobody looked");
  watched->chosen = watched->taken_back = watched->confirmed = false;
  watched->ours = PRESENCE_NONE;
  watched->cleared_ms = now;
}

static void on_set_session(struct sim *sim, struct person *person)
{
  size_t name = name_of(person);
  if (sim->options.plant == PLANT_FADE)
    person->app.set_ms -= FADE_MS / 2;
  if (name == SIM_NAMES)
    return;
  int64_t lease_ms = sim->leases_ms[sim_account_of(name)], for_ms = person->app.expires_ms - sim_true_now(sim);
  if (for_ms > lease_ms)
    sim_fail(
        sim, "%s: a session is set for %lld s, longer than the lease of %lld s", person->upn, (long long)for_ms / 1000,
        (long long)lease_ms / 1000);
}

void check_visit(void *context, const struct visit *visit)
{
  struct sim_tenant *tenant = context;
  struct sim *sim = tenant->sim;
  const struct counters *counters = &tenant->tenant.counters;
  sim_say(
      sim, "  %s: %s %s: %d%s%s%s", tenant->tenant.setup.address, visit->operation, visit->user,
      visit->fate == FATE_ANSWER ? visit->status : 0, *visit->fault == '\0' ? "" : " (", visit->fault,
      *visit->fault == '\0' ? "" : ")");
  if (counters->over_budget > 0)
    sim_fail(
        sim, "%s: more than %d presence requests in 30 seconds", tenant->tenant.setup.address,
        tenant->tenant.setup.requests_per_30s);
  if (counters->max_in_flight > 1)
    sim_fail(sim, "%s: %d presence requests of one person at a time", visit->user, counters->max_in_flight);
  struct person *person = directory_by_upn(tenant->tenant.directory, visit->user);
  if (person == NULL || (visit->status != 200 && visit->status != 204) || strcmp(visit->fault, "rubbish") == 0)
    return;
  if (strcmp(visit->operation, "setUserPreferredPresence") == 0)
    on_set_preferred(sim, tenant, person);
  else if (strcmp(visit->operation, "clearUserPreferredPresence") == 0)
    on_clear_preferred(sim, tenant, person);
  else if (strcmp(visit->operation, "setPresence") == 0)
    on_set_session(sim, person);
}

void check_choice(struct sim *sim, struct sim_tenant *tenant, const struct person *person)
{
  struct watched *watched = watch(tenant, person->id);
  watched->chosen = person->preferred.presence != PRESENCE_NONE;
  watched->taken_back = !watched->chosen;
  watched->chosen_ms = sim_true_now(sim);
}

void check_said(struct sim *sim, size_t name)
{
  struct sim_tenant *tenant = sim_tenant_of(sim, name);
  const struct person *person = directory_by_upn(tenant->tenant.directory, sim_name(name));
  if (person == NULL)
    return;
  struct watched *watched = watch(tenant, person->id);
  watched->confirmed = false;
  watched->said_ms = sim_true_now(sim); /* the answer to what was sent before may still come */
}

/* ---- what comes back */

/* What the answer to a read says of that person; AVAILABILITY_UNKNOWN: nothing, or it is none. */
static enum availability read_of(const struct part *part, const char *id)
{
  const struct value *people = value_get(part->answer, "value");
  if (value_get(part->body, "ids") == NULL || part->status != 200)
    return AVAILABILITY_UNKNOWN;
  for (size_t i = 0; i < value_count(people); i++)
    if (strcmp(value_get_text(value_at(people, i), "id", ""), id) == 0)
      return availability_parse(value_get_text(value_at(people, i), "availability", ""));
  return AVAILABILITY_UNKNOWN;
}

/* A date in whole seconds (RFC 9110 5.6.7); read here a second time, so that the daemon's own reading is checked. */
static bool is_date(const char *text, int64_t *ret_ms)
{
  struct tm parts = {0};
  const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (end == NULL || *end != '\0')
    return false;
  *ret_ms = (int64_t)timegm(&parts) * 1000;
  return true;
}

static void note_gate(struct sim *sim, struct sim_tenant *tenant, const char *text)
{
  char *end = NULL;
  double seconds = strtod(text, &end);
  int64_t until_ms;
  if (is_date(text, &until_ms))
    seconds = (double)(until_ms - sim_true_now(sim)) / 1000;
  else if (end == text || *end != '\0')
    return; /* rubbish */
  int64_t gate_ms = sim_steady(sim) + (int64_t)(seconds * 1000);
  if (gate_ms > tenant->gate_unsaved_ms)
    tenant->gate_unsaved_ms = gate_ms;
}

static void note_gates(struct sim *sim, struct sim_tenant *tenant, const struct visit *visit)
{
  for (size_t i = 0; i < visit->header_count; i++)
    if (strcmp(visit->headers[i].name, "Retry-After") == 0)
      note_gate(sim, tenant, visit->headers[i].value);
  static const char key[] = "\"Retry-After\":\"";
  for (const char *at = buf_text(&visit->body); (at = strstr(at, key)) != NULL;) {
    char text[64];
    at += strlen(key);
    str_cut(text, sizeof text, at);
    text[strcspn(text, "\"")] = '\0';
    note_gate(sim, tenant, text);
  }
}

static void note_read(struct sim *sim, struct watched *watched, enum availability shown)
{
  watched->reads_missed = 0;
  watched->read_ms = sim_true_now(sim);
  watched->read_as_theirs = shown != AVAILABILITY_OFFLINE && (watched->tried & 1u << shown) == 0;
  if (watched->read_as_theirs)
    watched->tried = 0; /* the daemon forgets what it has set */
}

/* The daemon knows again what is ours and what is not. */
static void note_outcome(
    struct sim *sim, struct watched *watched, const struct visit *visit, bool is_set, bool is_clear)
{
  if (is_set)
    watched->confirmed = watched->set_ms == visit->now &&
                         sim_true_now(sim) > watched->said_ms + 2 * sim->world.config.request_timeout_ms;
  if (sim->identities_moved)
    return;
  if (is_set && watched->set_ms == visit->now)
    watched->tried = 1u << presence_availability(watched->ours);
  if (is_clear && watched->cleared_ms == visit->now)
    watched->tried = 0;
}

void check_reply(
    struct sim *sim, struct sim_tenant *tenant, const struct visit *visit, bool is_token, const char *path,
    const char *body, const struct part *parts, size_t count)
{
  if (is_token)
    return;
  note_gates(sim, tenant, visit);
  for (size_t i = 0; i < tenant->watched_count; i++) {
    struct watched *watched = &tenant->watched[i];
    note_outcome(
        sim, watched, visit, is_about(watched, "setUserPreferredPresence", path, body),
        is_about(watched, "clearUserPreferredPresence", path, body));
    for (size_t j = 0; j < count; j++) {
      enum availability shown = read_of(&parts[j], watched->id);
      if (shown != AVAILABILITY_UNKNOWN)
        note_read(sim, watched, shown);
    }
  }
}

/* What a request follows from is on the disk before it goes out. */
void check_turn(struct sim *sim)
{
  if (sim->turn_sent && disk_writes() != sim->turn_writes)
    sim_fail(sim, "a request goes out before its turn is written down");
  sim->in_turn = sim->turn_sent = false;
}

static void save_watched(struct watched *watched)
{
  watched->tried_saved = watched->tried;
  watched->confirmed_saved = watched->confirmed;
}

static void save_tenant(struct sim_tenant *tenant)
{
  if (tenant->gate_unsaved_ms > tenant->gate_ms)
    tenant->gate_ms = tenant->gate_unsaved_ms;
  tenant->gate_unsaved_ms = 0;
  for (size_t i = 0; i < tenant->watched_count; i++)
    save_watched(&tenant->watched[i]);
}

void check_saved(struct sim *sim)
{
  for (size_t i = 0; i < SIM_TENANTS; i++)
    save_tenant(&sim->tenants[i]);
}

void check_crash(struct sim *sim)
{
  for (size_t i = 0; i < SIM_TENANTS; i++) {
    struct sim_tenant *tenant = &sim->tenants[i];
    tenant->gate_unsaved_ms = 0;
    pace_forget(tenant);
    for (size_t j = 0; j < tenant->watched_count; j++) {
      struct watched *watched = &tenant->watched[j];
      watched->tried = watched->tried_saved;
      watched->confirmed = watched->confirmed && watched->confirmed_saved;
    }
  }
}

void check_unconfirm(struct sim *sim)
{
  for (size_t i = 0; i < SIM_TENANTS; i++)
    for (size_t j = 0; j < sim->tenants[i].watched_count; j++) {
      sim->tenants[i].watched[j].confirmed = false;
      sim->tenants[i].watched[j].retry_ms = 0;
      sim->tenants[i].watched[j].said_ms = sim_true_now(sim);
    }
}

/* ---- in the end */

bool check_session(const struct person *person, enum presence presence, int64_t soon_ms)
{
  if (presence == PRESENCE_NONE)
    return !person->has_app || person->app.expires_ms <= soon_ms;
  return person->has_app && person->app.availability == presence_availability(presence) &&
         strcmp(person->app.activity, presence_activity_str(presence)) == 0;
}

static bool same(const struct expectation *a, const struct expectation *b)
{
  return !a->tie && !b->tie && a->session == b->session && a->preferred == b->preferred &&
         strcmp(a->message, b->message) == 0;
}

static void check_person(struct sim *sim, size_t name)
{
  struct sim_tenant *tenant = sim_tenant_of(sim, name);
  struct person *person = directory_by_upn(tenant->tenant.directory, sim_name(name));
  int64_t wall_ms = sim_wall_now(sim), now = sim_true_now(sim);
  struct expectation expected = oracle_expects(&sim->oracle, name, wall_ms);
  struct expectation earlier = oracle_expects(&sim->oracle, name, wall_ms - STABLE_MS);
  struct expectation soon =
      oracle_expects(&sim->oracle, name, wall_ms + CLOCK_SECOND); /* Graph's times are in seconds */
  bool stood = sim->oracle.passed_ms[name] == 0 || sim_steady(sim) >= sim->oracle.passed_ms[name] + STABLE_MS;
  if (!stood || !same(&expected, &earlier) || !same(&expected, &soon))
    return; /* it is just changing: the next look will see it */
  must(person != NULL);
  person_expire(person, now);
  /* What ends by itself within the time that its request may have been on its way is over, for all we can know. */
  int64_t soon_ms = now + sim->world.config.request_timeout_ms;
  const struct watched *watched = watch(tenant, person->id);
  bool theirs = watched->chosen || (watched->taken_back && person->preferred.presence == PRESENCE_NONE);
  bool preferred = theirs || person->preferred.presence == expected.preferred ||
                   (expected.preferred == PRESENCE_NONE && person->preferred.expires_ms <= soon_ms);
  bool message = strcmp(person->message == NULL ? "" : person->message, expected.message) == 0;
  if (!check_session(person, expected.session, soon_ms) || !preferred || !message)
    sim_fail(
        sim, "%s shows session %s/%s, preferred %s, \"%s\"; the rules say session %s, preferred %s, \"%s\"",
        sim_name(name), person->has_app ? availability_str(person->app.availability) : "none",
        person->has_app ? person->app.activity : "", presence_str(person->preferred.presence),
        person->message == NULL ? "" : person->message, presence_str(expected.session),
        presence_str(expected.preferred), expected.message);
  if (expected.session == SESSION_AVAILABLE && now - person->app.set_ms > FADE_MS)
    sim_fail(
        sim, "%s: an Available session has faded; it was set %lld s ago", sim_name(name),
        (long long)(now - person->app.set_ms) / 1000);
}

static void check_people(struct sim *sim)
{
  for (size_t name = 0; name < SIM_NAMES && !sim->failed; name++)
    check_person(sim, name);
}

/* Names that have changed hands are looked up again within a day. What UCCs say then is said anew. */
static void settle_identities(struct sim *sim)
{
  life_pass(sim, 26 * CLOCK_HOUR);
  for (size_t name = 0; name < SIM_NAMES; name++)
    for (size_t ucc = 0; ucc < SIM_UCCS; ucc++)
      if (sim->oracle.voices[name][ucc].spoken)
        weather_event(sim, name, ucc, "LoggedOff", "");
  life_pass(sim, CLOCK_MINUTE);
  sim->identities_moved = false;
}

void check_end(struct sim *sim)
{
  int64_t gate_ms = sim_steady(sim);
  life_pass(sim, 0);
  for (size_t i = 0; i < SIM_TENANTS; i++)
    if (sim->tenants[i].gate_ms > gate_ms)
      gate_ms = sim->tenants[i].gate_ms;
  life_pass(sim, gate_ms - sim_steady(sim));
  if (sim->identities_moved)
    settle_identities(sim);
  for (size_t name = 0; name < SIM_NAMES && !sim->failed; name++)
    if (sim_chance(sim, 0.5))
      weather_any_event(sim, name, sim_roll(sim, SIM_UCCS));
  /* Every slot of everybody, at the smaller budget; token and lookup troubles that are still being waited for. */
  int64_t within_ms = 30 * CLOCK_MINUTE;
  for (size_t i = 0; i < SIM_TENANTS; i++)
    within_ms += SIM_NAMES * 4 * INT64_C(30000) * 115 / 100 / sim->world.accounts[i].requests_per_30_seconds;
  if (!life_rest(sim, within_ms) && !sim->failed)
    sim_fail(sim, "not everything is done %lld minutes after the last event", (long long)(within_ms / CLOCK_MINUTE));
  for (int i = 0; i < 12 && !sim->failed; i++) {
    check_people(sim);
    life_pass(sim, 3 * CLOCK_MINUTE + sim_roll(sim, 240000));
  }
  if (!sim->failed && (sim->options.plant == PLANT_STARVED || sim_chance(sim, 0.5)))
    rush_hour(sim);
}
