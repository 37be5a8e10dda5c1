/* One request to the TLS port on its way through: what came, what is to be logged of it, and the answer under
 * construction. Lives on the stack of the request's callback. */
#ifndef GRAPHSIM_VISIT_H
#define GRAPHSIM_VISIT_H

#include "adapters/http_server.h"
#include "base/buf.h"
#include "base/value.h"
#include "graphsim/faults.h"

enum { VISIT_HEADERS_MAX = 8, VISIT_HEADER_SIZE = 256, VISIT_ANSWER_MAX = 8 * 1024 * 1024, VISIT_NOTE_SIZE = 512 };

enum fate {
  FATE_ANSWER,
  FATE_RESET, /* the connection is reset without an answer */
  FATE_HANG,  /* no answer ever comes */
};

struct visit {
  const struct http_server_request *request;
  int64_t now;
  char request_id[40], client_request_id[132];
  /* For the log. */
  const char *operation;      /* "token", "lookup", "setPresence", ... or "" */
  const char *fault;          /* the fault that befell it, or "" */
  char user[324];             /* the person's UPN, or what stood in the path */
  char note[VISIT_NOTE_SIZE]; /* the body, shortened, without secrets */
  /* The answer. */
  enum fate fate;
  int64_t delay_ms;
  int status;
  size_t header_count;
  struct {
    const char *name;
    char value[VISIT_HEADER_SIZE];
  } headers[VISIT_HEADERS_MAX];
  struct buf body;
  char in_flight_id[40]; /* the person whose presence request this is, or "" */
};

void visit_init(struct visit *visit, const struct http_server_request *request, int64_t now);
void visit_release(struct visit *visit);
void visit_header(struct visit *visit, const char *name, const char *value);
/* Drops the answer made so far, for the next one. */
void visit_reset(struct visit *visit);
void visit_empty(struct visit *visit, int status);
void visit_json(struct visit *visit, int status, const struct value *value);
/* A Graph error body with innerError (facts 6). */
void visit_graph_error(struct visit *visit, int status, const char *code, const char *format, ...) PRINTF_LIKE(4, 5);
/* An Entra error body (facts 5.5); the text becomes "AADSTS<code>: text ...". */
void visit_entra_error(struct visit *visit, int status, const char *error, int code, const char *format, ...)
    PRINTF_LIKE(5, 6);
/* Makes the fault's answer. True: that is all; false (lost, slow): the request is still to be carried out. */
bool visit_suffer(struct visit *visit, const struct fault_kind *fault);

/* Shortens to fit and replaces what would not be valid UTF-8 in a log. */
void visit_printable(char *to, size_t room, const char *from);

#endif
