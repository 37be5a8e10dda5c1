/* One request on its way through: what came, what is to be logged of it, and the answer under construction. */
#ifndef STAND_IN_TENANT_VISIT_H
#define STAND_IN_TENANT_VISIT_H

#include "base/buf.h"
#include "base/value.h"
#include "stand_in/tenant/faults.h"

enum { VISIT_HEADERS_MAX = 8, VISIT_HEADER_SIZE = 256, VISIT_ANSWER_MAX = 8 * 1024 * 1024, VISIT_NOTE_SIZE = 512 };
enum { VISIT_PARTS_MAX = 20, VISIT_ID_SIZE = 40 }; /* of a $batch: FACTS.md, "JSON batching" */

/* What came, all borrowed. Header values are NULL when missing. */
struct tenant_call {
  const char *method; /* "GET" ... */
  const char *path;   /* percent-encoded as sent, without the query */
  const char *query;  /* "" when there is none */
  const char *body;   /* NUL-terminated; never NULL; "" where `parsed` has it */
  size_t body_length;
  const struct value *parsed; /* of a part of a $batch: its body, an object; NULL: `body` is still to be read */
  const char *authorization, *content_type, *client_request_id, *user_agent;
};

enum fate {
  FATE_ANSWER,
  FATE_RESET, /* the connection is reset without an answer */
  FATE_HANG,  /* no answer ever comes */
};

struct visit {
  const struct tenant_call *call;
  int64_t now;
  char request_id[40], client_request_id[132];
  /* For the log. */
  const char *operation;      /* "token", "lookup", "setPresence", ... or "" */
  const char *fault;          /* the fault that befell it, or "" */
  char user[324];             /* the person's UPN, or what stood in the path */
  bool shows_body;            /* it holds no secret, and is short: visit_note() */
  char form[VISIT_NOTE_SIZE]; /* of a token request, without the secret */
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
  bool in_batch; /* it is a part of a $batch */
  /* The people whose presence requests are under way in it, by id. */
  size_t in_flight_count;
  char in_flight_ids[VISIT_PARTS_MAX][VISIT_ID_SIZE];
};

/* The call is borrowed until the visit is served. */
void visit_init(struct visit *visit, const struct tenant_call *call, int64_t now, struct seed *noise);
void visit_release(struct visit *visit);
void visit_header(struct visit *visit, const char *name, const char *value);
/* Drops the answer made so far, for the next one. */
void visit_reset(struct visit *visit);
void visit_empty(struct visit *visit, int status);
void visit_json(struct visit *visit, int status, const struct value *value);
/* A Graph error body with innerError (FACTS.md, "Error bodies"). */
void visit_graph_error(struct visit *visit, int status, const char *code, const char *format, ...) PRINTF_LIKE(4, 5);
/* An Entra error body (FACTS.md, "Token errors"); the text becomes "AADSTS<code>: text ...". */
void visit_entra_error(struct visit *visit, int status, const char *error, int code, const char *format, ...)
    PRINTF_LIKE(5, 6);
/* One more is in flight. */
void visit_in_flight(struct visit *visit, const char *id);
/* Makes the fault's answer. True: that is all; false (lost, slow): the request is still to be carried out. */
bool visit_suffer(struct visit *visit, const struct faults *faults, const struct fault_kind *fault);

/* What a log shows of the body: shortened, without secrets, "" of most. While the call is still there. */
void visit_note(const struct visit *visit, char to[VISIT_NOTE_SIZE]);

/* Shortens to fit and replaces what would not be valid UTF-8 in a log. */
void visit_printable(char *to, size_t room, const char *from);

#endif
