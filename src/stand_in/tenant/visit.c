/* The answer of a request while it is made: headers and body are added piece by piece, and the last status counts.
 * Errors have the two shapes that Graph and Entra document, ids and times included, since clients read these.
 *
 * visit_suffer() is where a fault becomes an answer. It tells whether the request is still to be carried out, which is
 * the difference between "reset" and "lost": both look the same to a client, but one of them has been done. */
#include "stand_in/tenant/visit.h"
#include "adapters/json.h"
#include "base/clock.h"
#include "base/str.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>

enum { SLOW_MS = 2000 };

void visit_printable(char *to, size_t room, const char *from)
{
  size_t plain = 0; /* nearly always all of it */
  /* Found and copied in one step, since a simulation makes a log text of every request. */
  while (plain < room - 1 && from[plain] >= 0x20 && from[plain] < 0x7f) {
    to[plain] = from[plain];
    plain++;
  }
  if (from[plain] == '\0') {
    to[plain] = '\0';
    return;
  }
  str_cut(to, room, from);
  bool utf8 = str_is_utf8(from, strlen(from));
  for (char *c = to; *c != '\0'; c++)
    if ((unsigned char)*c < 0x20 || *c == 0x7f || (!utf8 && (unsigned char)*c >= 0x80))
      *c = '?';
}

void visit_init(struct visit *visit, const struct tenant_call *call, int64_t now, struct seed *noise)
{
  *visit = (struct visit){.call = call, .now = now, .operation = "", .fault = ""};
  buf_init(&visit->body, VISIT_ANSWER_MAX);
  seed_next_guid(noise, visit->request_id);
  const char *client_id = call->client_request_id;
  visit_printable(visit->client_request_id, sizeof visit->client_request_id, client_id == NULL ? "" : client_id);
}

/* Of a part of a $batch the body is a tree that was parsed with the whole. It is written as text again here, for a log
 * that asks, and not for every request. */
void visit_note(const struct visit *visit, char to[VISIT_NOTE_SIZE])
{
  const struct tenant_call *call = visit->call;
  struct buf written;
  buf_init(&written, VISIT_ANSWER_MAX);
  if (visit->shows_body && call->parsed != NULL)
    json_write(&written, call->parsed);
  const char *body = call->parsed != NULL ? buf_text(&written) : call->body;
  visit_printable(to, VISIT_NOTE_SIZE, visit->shows_body ? body : visit->form);
  buf_release(&written);
}

void visit_release(struct visit *visit)
{
  buf_release(&visit->body);
}

void visit_in_flight(struct visit *visit, const char *id)
{
  must(visit->in_flight_count < VISIT_PARTS_MAX);
  must(str_copy(visit->in_flight_ids[visit->in_flight_count++], VISIT_ID_SIZE, id));
}

void visit_header(struct visit *visit, const char *name, const char *value)
{
  /* Names and numbers of headers are ours, so too many of them is a defect. */
  must(visit->header_count < VISIT_HEADERS_MAX);
  visit->headers[visit->header_count].name = name;
  must(str_copy(visit->headers[visit->header_count].value, VISIT_HEADER_SIZE, value));
  visit->header_count++;
}

void visit_reset(struct visit *visit)
{
  visit->header_count = 0;
  visit->status = 0;
  buf_clear(&visit->body);
}

void visit_empty(struct visit *visit, int status)
{
  visit->status = status;
}

void visit_json(struct visit *visit, int status, const struct value *value)
{
  visit->status = status;
  visit_header(visit, "Content-Type", "application/json; charset=utf-8");
  json_write(&visit->body, value);
  must(!visit->body.overflow);
}

void visit_graph_error(struct visit *visit, int status, const char *code, const char *format, ...)
{
  char raw[512], message[512], date[CLOCK_TEXT_SIZE];
  va_list args;
  va_start(args, format);
  vsnprintf(raw, sizeof raw, format, args);
  va_end(args);
  /* The text may hold what the client sent; JSON and the log need it in valid UTF-8. */
  visit_printable(message, sizeof message, raw);
  struct values values = {0};
  struct value *inner = value_map(&values), *error = value_map(&values), *body = value_map(&values);
  value_set(&values, inner, "date", value_string(&values, clock_graph_datetime(visit->now, date)));
  value_set(&values, inner, "request-id", value_string(&values, visit->request_id));
  value_set(
      &values, inner, "client-request-id",
      value_string(&values, *visit->client_request_id == '\0' ? visit->request_id : visit->client_request_id));
  value_set(&values, error, "code", value_string(&values, code));
  value_set(&values, error, "message", value_string(&values, message));
  value_set(&values, error, "innerError", inner);
  value_set(&values, body, "error", error);
  visit_json(visit, status, body);
  values_release(&values);
}

void visit_entra_error(struct visit *visit, int status, const char *error, int code, const char *format, ...)
{
  char raw[512], text[512], description[1024], date[CLOCK_TEXT_SIZE];
  va_list args;
  va_start(args, format);
  vsnprintf(raw, sizeof raw, format, args);
  va_end(args);
  visit_printable(text, sizeof text, raw);
  clock_rfc3339(visit->now, date);
  snprintf(
      description, sizeof description, "AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s", code, text,
      visit->request_id, visit->request_id, date);
  struct values values = {0};
  /* As with Entra, the code is said twice: in the text for people, and as a number that a program can read. */
  struct value *codes = value_list(&values), *body = value_map(&values);
  value_add(&values, codes, value_number(&values, code));
  value_set(&values, body, "error", value_string(&values, error));
  value_set(&values, body, "error_description", value_string(&values, description));
  value_set(&values, body, "error_codes", codes);
  value_set(&values, body, "timestamp", value_string(&values, date));
  value_set(&values, body, "trace_id", value_string(&values, visit->request_id));
  value_set(&values, body, "correlation_id", value_string(&values, visit->request_id));
  visit_json(visit, status, body);
  values_release(&values);
}

/* An IMF-fixdate (RFC 9110 5.6.7). Its names are English because LC_TIME is never set. */
static void http_date(int64_t ms, char *to, size_t room)
{
  time_t seconds = (time_t)(ms / 1000);
  struct tm parts;
  must(gmtime_r(&seconds, &parts) != NULL);
  must(strftime(to, room, "%a, %d %b %Y %H:%M:%S GMT", &parts) > 0);
}

static void throttle(struct visit *visit, const char *retry_after)
{
  if (retry_after != NULL)
    visit_header(visit, "Retry-After", retry_after);
  visit_graph_error(visit, 429, "TooManyRequests", "Too many requests: a fault was asked for");
}

static void fail(struct visit *visit, const struct fault_kind *fault)
{
  static const struct {
    int status;
    const char *code, *message;
  } failures[] = {
      {400, "BadRequest", "Bad request"},
      {401, "InvalidAuthenticationToken", "Access token has expired"},
      {403, "Forbidden", "The policy of this tenant forbids it"},
      {404, "NotFound", "Resource not found"},
      {500, "InternalServerError", "Internal server error"},
      {502, "BadGateway", "Bad gateway"},
      {503, "ServiceUnavailable", "Service unavailable"},
      {504, "GatewayTimeout", "Gateway timeout"}};
  /* Entra's errors have another shape than Graph's. */
  if (fault->target == FAULT_OF_TOKEN) {
    visit_entra_error(visit, fault->status, "server_error", 50000, "There was an error issuing a token.");
    return;
  }
  if (fault->target == FAULT_OF_LOOKUP && fault->status == 404) {
    visit_graph_error(visit, 404, "Request_ResourceNotFound", "Resource does not exist: a fault was asked for");
    return;
  }
  /* As Graph may: a client must take the wait from a 503 as from a 429. */
  if (fault->status == 503)
    visit_header(visit, "Retry-After", "1");
  for (size_t i = 0; i < COUNT_OF(failures); i++)
    if (failures[i].status == fault->status)
      visit_graph_error(visit, fault->status, failures[i].code, "%s: a fault was asked for", failures[i].message);
}

bool visit_suffer(struct visit *visit, const struct faults *faults, const struct fault_kind *fault)
{
  int64_t retry_after_s = faults->retry_after_s > 0 ? faults->retry_after_s : FAULTS_RETRY_AFTER_S;
  static const char page[] = "<!DOCTYPE html><html><body><h1>Welcome to the hotel's network</h1></body></html>\n";
  char text[64];
  visit->fault = fault->name;
  switch (fault->effect) {
  case FAULT_THROTTLE:
    snprintf(text, sizeof text, "%lld", (long long)retry_after_s);
    throttle(visit, text);
    return true;
  case FAULT_THROTTLE_DATE:
    /* A date has whole seconds: one more, so that what is left of this one does not count. */
    http_date(visit->now + (retry_after_s + 1) * CLOCK_SECOND, text, sizeof text);
    throttle(visit, text);
    return true;
  case FAULT_THROTTLE_DECIMAL:
    /* A sample of Microsoft's own shows a fraction. */
    snprintf(text, sizeof text, "%lld.128", (long long)retry_after_s);
    throttle(visit, text);
    return true;
  case FAULT_THROTTLE_BARE:
    throttle(visit, NULL);
    return true;
  case FAULT_THROTTLE_RUBBISH:
    throttle(visit, "soon");
    return true;
  case FAULT_STATUS:
    fail(visit, fault);
    return true;
  case FAULT_RESET:
    visit->fate = FATE_RESET;
    return true;
  case FAULT_LOST:
    visit->fate = FATE_RESET;
    return false;
  case FAULT_HANG:
    visit->fate = FATE_HANG;
    return true;
  case FAULT_SLOW:
    visit->delay_ms = SLOW_MS;
    return false;
  case FAULT_RUBBISH:
    visit_header(visit, "Content-Type", "text/html");
    visit->status = 200;
    buf_add_str(&visit->body, page);
    return true;
  case FAULT_BAD_SECRET:
    visit_entra_error(visit, 401, "invalid_client", 7000215, "Invalid client secret provided: a fault was asked for.");
    return true;
  case FAULT_NO_ROLE:
    return false; /* the token is issued, without roles */
  }
  return false;
}
