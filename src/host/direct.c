/* Calls: one operation of a script or command each, as a few requests one after the other.
 *
 * A call first needs the user's object id: from the name itself, from what the engine knows, from an earlier lookup, or
 * by one more request. Each request is tried three times; one that was throttled waits behind the registration's gate,
 * others a little. Answers are delivered in direct_turn(), never from within a reply: a script goes on in its own turn,
 * and may free the call. */
#include "host/direct.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/str.h"

#include <stdarg.h>
#include <string.h>

enum { STEPS_MAX = 3, TRIES_MAX = 3, BUCKETS = 4096, KNOWN_MAX = 50000 };
#define TRY_AGAIN_MS (2 * CLOCK_SECOND)
#define PREFERRED_MAX_MS (7 * CLOCK_DAY)
/* For how long a call waits for a token that does not come for a passing cause. */
#define TOKEN_PATIENCE_MS (30 * CLOCK_SECOND)

/* One operation of the script: a few requests, one after the other. */
struct call {
  struct list_node link; /* in direct->calls */
  struct direct *direct;
  struct script_operation operation;
  size_t account;
  struct graph_operation steps[STEPS_MAX];
  size_t step_count, step;
  int tries;
  int64_t since_ms, again_ms; /* again_ms: of the next try; CLOCK_NEVER */
  bool is_sent;               /* the registration will call on_done */
  bool settled;               /* the answer is there */
  struct script_answer answer;
  struct values *values; /* the caller's; NULL after a cancel */
  script_on_answer *on_answer;
  void *context;
};

/* An id that a lookup has found. */
struct known {
  struct known *next;
  char id[GRAPH_ID_SIZE];
  char upn[]; /* ASCII letters in lower case */
};

struct direct {
  struct direct_access access;
  const struct config *config;
  struct json *json;
  struct loop *loop;
  struct loop_timer *again;
  struct list_node calls;
  struct known *known[BUCKETS];
  size_t known_count;
  int64_t patience_ms;
  bool published;
};

/* ---- ids by name */

static struct known **find_known(struct direct *direct, const char *name)
{
  char upn[SCRIPT_UPN_SIZE];
  must(str_copy(upn, sizeof upn, name));
  str_lower(upn);
  struct known **known = &direct->known[str_hash(upn, strlen(upn), 0) % BUCKETS];
  while (*known != NULL && strcmp((*known)->upn, upn) != 0)
    known = &(*known)->next;
  return known;
}

static void forget(struct direct *direct, const char *name)
{
  struct known **known = find_known(direct, name), *gone = *known;
  if (gone == NULL)
    return;
  *known = gone->next;
  free(gone);
  direct->known_count--;
}

static void forget_all(struct direct *direct)
{
  for (size_t i = 0; i < BUCKETS; i++)
    while (direct->known[i] != NULL)
      forget(direct, direct->known[i]->upn);
}

static void remember(struct direct *direct, const char *name, const char *id)
{
  size_t length = strlen(name) + 1;
  forget(direct, name);
  if (direct->known_count == KNOWN_MAX) /* whoever looks up that many names may do so again */
    forget_all(direct);
  struct known *known = must_alloc(sizeof *known + length), **place = find_known(direct, name);
  memcpy(known->upn, name, length);
  str_lower(known->upn);
  must(str_copy(known->id, sizeof known->id, id));
  *place = known;
  direct->known_count++;
}

/* ---- answers */

static void settle(struct call *call, struct value *value)
{
  call->settled = true;
  call->answer.value = value;
  loop_again(call->direct->loop);
}

static void PRINTF_LIKE(4, 5)
    settle_failure(struct call *call, const char *code, const struct outcome *outcome, const char *format, ...)
{
  struct script_answer *answer = &call->answer;
  char text[sizeof answer->message.text];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  str_cut(answer->code, sizeof answer->code, code);
  err_set(&answer->message, ERR_NET, "%s", text); /* it quotes names and Graph's words */
  answer->status = outcome == NULL ? 0 : outcome->status;
  answer->retry_after_ms = outcome == NULL ? -1 : outcome->retry_after_ms;
  settle(call, NULL);
}

static void settle_outcome(struct call *call, const struct outcome *outcome)
{
  const struct graph_operation *step = &call->steps[call->step];
  char text[GRAPH_TEXT_SIZE];
  if (outcome_reaction(outcome->kind) == REACT_LOOK_UP && step->kind != GRAPH_LOOKUP)
    forget(call->direct, call->operation.name); /* the id may be another user's by now */
  settle_failure(
      call, outcome_kind_str(outcome->kind), outcome, "%s: %s", call->operation.name,
      graph_outcome_text(step->kind, outcome, text));
}

static struct value *user_value(struct values *values, const struct graph_user *user)
{
  struct value *value = value_map(values);
  value_set(values, value, "id", value_string(values, user->id));
  value_set(values, value, "upn", value_string(values, user->upn));
  value_set(values, value, "display_name", value_string(values, user->display_name));
  value_set(values, value, "account_enabled", value_bool(values, user->account_enabled));
  value_set(values, value, "user_type", value_string(values, user->user_type));
  return value;
}

static struct value *presence_value(struct values *values, const struct graph_presence *presence)
{
  struct value *value = value_map(values);
  value_set(values, value, "availability", value_string(values, presence->availability));
  value_set(values, value, "activity", value_string(values, presence->activity));
  if (*presence->message != '\0')
    value_set(values, value, "message", value_string(values, presence->message));
  return value;
}

static struct value *auth_value(
    struct values *values, const struct config_account *account, const struct registration_auth *auth)
{
  struct value *value = value_map(values), *roles = value_list(values);
  for (size_t i = 0; i < auth->roles.count; i++)
    value_add(values, roles, value_string(values, auth->roles.names[i]));
  value_set(values, value, "account", value_string(values, account->id));
  value_set(values, value, "tenant", value_string(values, auth->tenant));
  value_set(values, value, "roles", roles);
  int64_t left = auth->expires_ms - clock_now_ms();
  value_set(values, value, "expires_in", value_number(values, (double)(left > 0 ? left / 1000 : 0)));
  return value;
}

/* ---- requests */

static void on_done(void *context, const struct outcome *outcome, const struct graph_reply *reply);

static struct registration *registration_of(const struct call *call)
{
  const struct direct_access *access = &call->direct->access;
  return access->registration(access->context, call->account);
}

static void send_step(struct call *call)
{
  call->again_ms = CLOCK_NEVER;
  call->is_sent = true;
  struct submission submission = {
      .operation = &call->steps[call->step], .on_done = on_done, .context = call, .aside = true};
  registration_submit(registration_of(call), &submission);
  loop_again(call->direct->loop);
}

static void set_user(struct call *call, const char *id)
{
  for (size_t i = 0; i < call->step_count; i++)
    if (call->steps[i].kind != GRAPH_LOOKUP)
      must(str_copy(call->steps[i].user, sizeof call->steps[i].user, id));
}

/* What the step brought; false: the answer is settled. */
static bool take_reply(struct call *call, const struct graph_reply *reply)
{
  struct direct *direct = call->direct;
  enum graph_operation_kind kind = call->steps[call->step].kind;
  struct err err = ERR_INIT;
  struct graph_user user;
  struct graph_presence presence;
  if (kind == GRAPH_LOOKUP) {
    if (!graph_parse_user(direct->json, reply, &user, &err)) {
      settle_failure(call, "try_later", NULL, "%s: lookup: %s", call->operation.name, err.text);
      return false;
    }
    remember(direct, call->operation.name, user.id);
    set_user(call, user.id);
    if (call->operation.kind == SCRIPT_LOOKUP)
      settle(call, user_value(call->values, &user));
    return call->operation.kind != SCRIPT_LOOKUP;
  }
  if (kind != GRAPH_GET_PRESENCE)
    return true;
  if (graph_parse_presence(direct->json, reply, &presence, &err))
    settle(call, presence_value(call->values, &presence));
  else
    settle_failure(call, "try_later", NULL, "%s: presence: %s", call->operation.name, err.text);
  return false;
}

static void free_call(struct call *call)
{
  list_remove(&call->link);
  free(call);
}

static void on_done(void *context, const struct outcome *outcome, const struct graph_reply *reply)
{
  struct call *call = context;
  call->is_sent = false;
  if (call->settled || call->values == NULL) { /* nobody waits any more */
    if (call->values == NULL)
      free_call(call);
    return;
  }
  enum outcome_reaction reaction = outcome_reaction(outcome->kind);
  bool passing = reaction == REACT_AGAIN || reaction == REACT_BACK_OFF;
  if (passing && ++call->tries < TRIES_MAX) {
    /* A throttled one waits behind the registration's gate anyway. */
    call->again_ms = clock_now_ms() + (reaction == REACT_AGAIN ? 0 : TRY_AGAIN_MS);
    loop_again(call->direct->loop);
    return;
  }
  if (reaction != REACT_DONE) {
    settle_outcome(call, outcome);
    return;
  }
  if (!take_reply(call, reply))
    return;
  call->tries = 0;
  if (++call->step < call->step_count)
    send_step(call);
  else
    settle(call, value_bool(call->values, true));
}

/* ---- from operation to requests */

static bool choose_account(struct call *call)
{
  const struct config *config = call->direct->config;
  const char *name = call->operation.name, *suffix = strrchr(name, '@');
  const struct config_account *account = NULL;
  if (call->operation.kind == SCRIPT_AUTH) {
    for (size_t i = 0; i < config->account_count && account == NULL; i++)
      if (*name == '\0' || str_equal_fold(config->accounts[i].id, name))
        account = &config->accounts[i];
  } else {
    account = config_account_for(config, name);
    if (account == NULL && suffix == NULL && config->account_count == 1)
      account = &config->accounts[0]; /* an object id */
  }
  if (account != NULL) {
    call->account = (size_t)(account - config->accounts);
    return true;
  }
  if (call->operation.kind == SCRIPT_AUTH)
    settle_failure(call, "no_account", NULL, "there is no account %s; see the config's Account Ids", name);
  else if (suffix == NULL)
    settle_failure(
        call, "no_account", NULL,
        "%s: with several accounts, an object id does not say whose it is; give the user's name", name);
  else
    settle_failure(
        call, "no_account", NULL, "%s: no account serves %s; add it to an Account's Domains", name, suffix + 1);
  return false;
}

static void add_step(struct call *call, enum graph_operation_kind kind, enum presence presence, int64_t duration_ms)
{
  must(call->step_count < STEPS_MAX);
  call->steps[call->step_count++] =
      (struct graph_operation){.kind = kind, .presence = presence, .duration_ms = duration_ms};
}

static bool add_publish(struct call *call)
{
  const struct script_operation *operation = &call->operation;
  int64_t hold = operation->hold_ms < 0 ? DIRECT_DEFAULT_HOLD_MS : operation->hold_ms;
  bool session = presence_plane(operation->presence) == PLANE_SESSION;
  if (hold < PRESENCE_SESSION_MIN_MS || hold > (session ? PRESENCE_SESSION_MAX_MS : PREFERRED_MAX_MS)) {
    char text[CLOCK_TEXT_SIZE];
    settle_failure(
        call, "out_of_range", NULL, "%s: a hold of %s is out of range; Graph takes 5m to %s for %s, sent once",
        operation->name, clock_short_duration(hold, text), session ? "4h" : "7d", presence_str(operation->presence));
    return false;
  }
  call->direct->published = true;
  if (session) {
    add_step(call, GRAPH_SET_PRESENCE, operation->presence, hold);
    return true;
  }
  /* A preferred presence needs a session to live (FACTS.md, "The carrier"). */
  add_step(call, GRAPH_SET_PRESENCE, SESSION_AWAY, hold < PRESENCE_SESSION_MAX_MS ? hold : PRESENCE_SESSION_MAX_MS);
  add_step(call, GRAPH_SET_PREFERRED, operation->presence, hold);
  return true;
}

/* False: settled. Without an engine nothing stands behind what was published: a release leaves nothing, as a clear. */
static bool add_steps(struct call *call)
{
  switch (call->operation.kind) {
  case SCRIPT_AUTH:
  case SCRIPT_LOOKUP:
    return true;
  case SCRIPT_PUBLISH:
    return add_publish(call);
  case SCRIPT_CLEAR:
  case SCRIPT_RELEASE:
    add_step(call, GRAPH_CLEAR_PREFERRED, PRESENCE_NONE, 0);
    add_step(call, GRAPH_CLEAR_PRESENCE, PRESENCE_NONE, 0);
    return true;
  case SCRIPT_PRESENCE:
    add_step(call, GRAPH_GET_PRESENCE, PRESENCE_NONE, 0);
    return true;
  }
  return true;
}

static void begin(struct call *call)
{
  const char *name = call->operation.name;
  if (!choose_account(call) || call->operation.kind == SCRIPT_AUTH)
    return;
  const struct known *known = *find_known(call->direct, name);
  const struct direct_access *access = &call->direct->access;
  const char *id = str_is_guid(name) ? name : known != NULL ? known->id : NULL;
  if (id == NULL && access->known_id != NULL)
    id = access->known_id(access->context, call->account, name);
  if (id == NULL || call->operation.kind == SCRIPT_LOOKUP) {
    add_step(call, GRAPH_LOOKUP, PRESENCE_NONE, 0);
    must(str_copy(call->steps[0].user, sizeof call->steps[0].user, name));
  }
  if (!add_steps(call))
    return;
  if (id != NULL)
    set_user(call, id);
  send_step(call);
}

void *direct_submit(
    void *context, const struct script_operation *operation, struct values *values, script_on_answer *on_answer,
    void *answer_context)
{
  struct direct *direct = context;
  struct call *call = must_alloc(sizeof *call);
  *call = (struct call){
      .direct = direct,
      .operation = *operation,
      .since_ms = clock_now_ms(),
      .again_ms = CLOCK_NEVER,
      .answer = {.retry_after_ms = -1},
      .values = values,
      .on_answer = on_answer,
      .context = answer_context};
  list_add_tail(&direct->calls, &call->link);
  begin(call);
  loop_again(direct->loop);
  return call;
}

void direct_cancel(void *context UNUSED, void *request)
{
  struct call *call = request;
  call->values = NULL;
  if (!call->is_sent)
    free_call(call);
}

/* ---- turns */

/* A token that does not come, or the answer to a script's graph.auth(). Returns when to look again: nothing else wakes
 * the loop when patience is over. */
static int64_t look_at_token(struct call *call, int64_t now)
{
  struct direct *direct = call->direct;
  const struct registration *registration = registration_of(call);
  bool final;
  struct err trouble = registration_token_trouble(registration, &final);
  if (trouble.kind == ERR_NONE && call->operation.kind != SCRIPT_AUTH)
    return CLOCK_NEVER;
  struct registration_auth auth;
  int64_t given_up_ms = call->since_ms + clock_earlier(TOKEN_PATIENCE_MS, direct->patience_ms);
  const struct config_account *account = &direct->config->accounts[call->account];
  if (registration_auth(registration, now, &auth)) {
    if (call->operation.kind == SCRIPT_AUTH)
      settle(call, auth_value(call->values, account, &auth));
  } else if (trouble.kind != ERR_NONE && (final || now >= given_up_ms)) {
    settle_failure(call, "no_token", NULL, "account %s: %s", account->id, trouble.text);
  }
  return given_up_ms;
}

/* A person at the terminal does not wait for a pause of minutes without a word; a script may. */
static void look_at_gate(struct call *call, int64_t now)
{
  int64_t gate_ms = registration_gate(registration_of(call), now), patience_ms = call->direct->patience_ms;
  if (gate_ms == 0 || patience_ms == CLOCK_NEVER || gate_ms <= now + patience_ms)
    return;
  struct outcome throttled = {.kind = OUTCOME_THROTTLED, .retry_after_ms = gate_ms - now};
  char at[CLOCK_TEXT_SIZE];
  settle_failure(
      call, outcome_kind_str(throttled.kind), &throttled,
      "%s: Graph throttles this application: try again later (it asks for a pause until %s)", call->operation.name,
      clock_rfc3339(gate_ms, at));
}

static void deliver(struct call *call)
{
  script_on_answer *on_answer = call->on_answer;
  struct script_answer answer = call->answer;
  void *context = call->context;
  direct_cancel(call->direct, call);
  on_answer(context, &answer);
}

void direct_turn(struct direct *direct)
{
  int64_t now = clock_now_ms(), next = CLOCK_NEVER;
  for (struct list_node *node = direct->calls.next, *after; node != &direct->calls; node = after) {
    after = node->next;
    struct call *call = LIST_ENTRY(node, struct call, link);
    if (call->values == NULL)
      continue;
    if (!call->settled)
      next = clock_earlier(next, look_at_token(call, now));
    if (!call->settled)
      look_at_gate(call, now);
    if (!call->settled && call->again_ms <= now)
      send_step(call);
    next = clock_earlier(next, call->again_ms);
    if (call->settled)
      deliver(call);
  }
  loop_timer_at(direct->again, next);
}

void direct_accounts_changed(struct direct *direct)
{
  forget_all(direct);
}

bool direct_published(const struct direct *direct)
{
  return direct->published;
}

/* ---- life */

static void on_again(void *context UNUSED) /* waking is all: a turn follows */
{
}

struct direct *direct_new(
    const struct direct_access *access, const struct config *config, struct json *json, struct loop *loop,
    int64_t patience_ms)
{
  struct direct *direct = must_alloc(sizeof *direct);
  direct->access = *access;
  direct->config = config;
  direct->json = json;
  direct->loop = loop;
  direct->patience_ms = patience_ms;
  direct->again = loop_timer_new(loop, on_again, direct);
  list_init(&direct->calls);
  return direct;
}

void direct_free(struct direct *direct)
{
  if (direct == NULL)
    return;
  while (!list_empty(&direct->calls))
    free_call(LIST_ENTRY(list_first(&direct->calls), struct call, link));
  forget_all(direct);
  loop_timer_free(direct->again);
  free(direct);
}
