/* HTTP routes as a table: method and path to a callback that floor 4 or 5 fills in. Knows no server: it is given a
 * request and writes a reply, so that the same routes can stand on a control socket and, later, on a listener. */
#ifndef API_API_H
#define API_API_H

#include "base/buf.h"
#include "base/value.h"

enum { API_REPLY_MAX = 256 * 1024 * 1024, API_PARAMETER_SIZE = 400 };

struct api_request {
  const char *method, *path, *query; /* the path percent-encoded, as sent */
  const char *body;
  size_t body_length;
};

struct api_reply {
  int status;
  const char *content_type;
  struct buf body;
};

/* What a caller may do; a route names the one that it needs. */
enum api_right {
  API_READ = 1 << 0,  /* reads only */
  API_ADMIN = 1 << 1, /* may change presences, rules and configuration */
};
enum { API_ALL_RIGHTS = API_READ | API_ADMIN };

struct api_caller {
  unsigned rights;
  /* NULL: there is an engine. Else why there is none, for whoever asks what needs one (503). */
  const char *unavailable;
};

struct api_route {
  const char *method;
  const char *pattern; /* "/v1/agents/{name}/resync": one `{...}` at most, one path segment */
  enum api_right right;
  bool without_engine; /* it is answered without one, too */
  /* parameter: the decoded segment, or "". */
  void (*answer)(void *context, const struct api_request *request, const char *parameter, struct api_reply *reply);
};

/* Always fills *ret_reply (release its body): what fits no route is a problem of 404 or 405, what the caller has no
 * right to is one of 403. True: the route was called. */
bool api_dispatch(
    const struct api_route *routes, size_t count, void *context, const struct api_caller *caller,
    const struct api_request *request, struct api_reply *ret_reply);
void api_answer_json(struct api_reply *reply, int status, const struct value *value);
/* application/problem+json (RFC 9457). */
void api_answer_problem(struct api_reply *reply, int status, const char *title, const char *detail);
/* Is `name` or `name=1` among the query's parameters? */
bool api_query_flag(const struct api_request *request, const char *name);
/* The whole number of `name=N`; 0 where there is none. */
int64_t api_query_number(const struct api_request *request, const char *name);

#endif
