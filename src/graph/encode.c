/* From an operation to the bytes of its request. What each operation is stands in operations.c; here a user becomes a
 * path segment, and the pieces become a URL and a body within their limits.
 *
 * Everything outside RFC 3986's unreserved characters is percent-encoded, in paths and in form fields alike: then no
 * name, secret or id can change the shape of a request, whatever it holds. */
#include "base/str.h"
#include "graph/graph.h"

#include <string.h>

static bool is_unreserved(char c)
{
  return str_is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

/* Everything outside RFC 3986's unreserved characters as %XX: right for a path segment and for a form field. */
static void percent_encode(struct buf *to, const char *text)
{
  for (;;) {
    const char *plain = text;
    while (is_unreserved(*text))
      text++;
    buf_add(to, plain, (size_t)(text - plain));
    if (*text == '\0')
      return;
    buf_addf(to, "%%%02X", (unsigned)(unsigned char)*text++);
  }
}

/* A UPN that begins with "$" is not taken as a path segment; the quoted key form is, with apostrophes doubled
 * (FACTS.md, "Finding the user"). */
static void add_user_path(struct buf *url, const char *user)
{
  if (*user != '$') {
    buf_add_str(url, "/users/");
    percent_encode(url, user);
    return;
  }
  struct buf doubled;
  buf_init(&doubled, 2 * GRAPH_NAME_SIZE);
  for (const char *c = user; *c != '\0'; c++) {
    if (*c == '\'')
      buf_add(&doubled, "'", 1);
    buf_add(&doubled, c, 1);
  }
  buf_add_str(url, "/users('");
  percent_encode(url, buf_text(&doubled));
  buf_add_str(url, "')");
  buf_release(&doubled);
}

bool graph_encode(
    const struct graph_endpoint *endpoint, const struct graph_operation *operation, struct graph_request *ret_request,
    struct err *err)
{
  const struct graph_operation_row *row = graph_operation_row(operation->kind);
  bool about_user = str_starts(row->path, GRAPH_USER);
  struct buf url, body;
  buf_init(&url, GRAPH_URL_MAX);
  buf_init(&body, GRAPH_REQUEST_MAX);
  if (row->write_body != NULL && !row->write_body(endpoint, operation, &body, err))
    goto out;
  buf_add_str(&url, endpoint->graph);
  buf_add_str(&url, "/v1.0");
  if (about_user)
    add_user_path(&url, operation->user);
  buf_add_str(&url, about_user ? row->path + strlen(GRAPH_USER) : row->path);
  if (url.overflow || body.overflow) {
    err_set(err, ERR_LIMIT, "%s: the request for %.64s... is too long", row->name, operation->user);
    goto out;
  }
  *ret_request = (struct graph_request){row->method, url, body};
  return true;
out:
  buf_release(&url);
  buf_release(&body);
  return false;
}

void graph_encode_token(
    const struct graph_endpoint *endpoint, const char *parameter, const struct wiped *proof,
    struct graph_request *ret_request)
{
  ret_request->method = "POST";
  buf_init(&ret_request->url, GRAPH_URL_MAX);
  buf_addf(&ret_request->url, "%s/%s/oauth2/v2.0/token", endpoint->authority, endpoint->tenant_id);
  struct buf *body = &ret_request->body;
  buf_init(body, GRAPH_REQUEST_MAX);
  buf_add_str(body, "grant_type=client_credentials&client_id=");
  percent_encode(body, endpoint->client_id);
  buf_add_str(body, "&scope=");
  percent_encode(body, endpoint->graph);
  percent_encode(body, "/.default");
  buf_addf(body, "&%s=", parameter);
  percent_encode(body, wiped_text(proof));
}

void graph_request_release(struct graph_request *request)
{
  buf_release(&request->url);
  buf_release(&request->body);
}
