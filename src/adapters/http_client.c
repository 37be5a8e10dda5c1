/* libcurl's multi interface, driven by the loop: libcurl says which sockets and which moment it waits for (want_socket,
 * want_timer), the loop says when they come (act). Each exchange is an easy handle; the multi handle keeps the
 * connections and reuses them. What must hold: callers' callbacks run in collect() alone, outside of every libcurl
 * call, because they may send and cancel, which libcurl refuses from within its own callbacks. libcurl copies texts but
 * only borrows a body, a list of headers and a buffer for errors: the exchange owns them until it is freed, right after
 * its callback. */
#include "adapters/http_client.h"
#include "adapters/crypto.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/str.h"

#include <curl/curl.h>
#include <string.h>

struct http_client {
  struct loop *loop;
  struct http_client_options options; /* its texts are ours */
  CURLM *multi;
  struct loop_timer *timer;
  void *trust; /* NULL on a unix socket */
  struct list_node exchanges;
  bool in_curl; /* inside a libcurl call: nothing may be removed from the multi handle now */
};

struct http_exchange {
  struct http_client *client;
  struct list_node link;
  CURL *easy;
  struct curl_slist *headers;
  struct wiped authorization; /* the token; libcurl's copy of it is libcurl's to free */
  struct buf request_body, reply_body;
  struct http_reply reply;
  char failure[CURL_ERROR_SIZE];
  http_on_reply *on_reply; /* NULL once cancelled */
  void *context;
};

static void exchange_free(struct http_exchange *exchange)
{
  list_remove(&exchange->link);
  curl_multi_remove_handle(exchange->client->multi, exchange->easy);
  curl_easy_cleanup(exchange->easy);
  curl_slist_free_all(exchange->headers);
  wiped_release(&exchange->authorization);
  buf_release(&exchange->request_body);
  buf_release(&exchange->reply_body);
  free(exchange);
}

/* Bytes of the request that left this machine tell "certainly not sent" from "sent, no answer". */
static bool was_sent(CURL *easy)
{
  long request_size = 0;
  curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &request_size);
  return request_size > 0;
}

static void finish(struct http_exchange *exchange, CURLcode code)
{
  struct http_reply *reply = &exchange->reply;
  long status = 0;
  reply->sent = was_sent(exchange->easy);
  reply->failure = "";
  if (code == CURLE_OK) {
    curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
  } else if (exchange->reply_body.overflow) {
    reply->failure = "the answer is too long";
  } else {
    reply->failure = *exchange->failure != '\0' ? exchange->failure : curl_easy_strerror(code);
  }
  reply->status = (int)status;
  reply->body = buf_text(&exchange->reply_body);
  reply->body_length = exchange->reply_body.length;
  if (exchange->on_reply != NULL)
    exchange->on_reply(exchange->context, reply);
  exchange_free(exchange);
}

/* Collects what libcurl has finished. The callbacks run here, outside of every libcurl call, so they may send and
 * cancel. */
static void collect(struct http_client *client)
{
  CURLMsg *message;
  int left;
  while ((message = curl_multi_info_read(client->multi, &left)) != NULL)
    if (message->msg == CURLMSG_DONE) {
      /* Copied, because the message goes with the handle. */
      CURLcode code = message->data.result;
      struct http_exchange *exchange = NULL;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&exchange);
      finish(exchange, code);
    }
}

static void act(struct http_client *client, curl_socket_t fd, int what)
{
  int running;
  client->in_curl = true;
  CURLMcode code = curl_multi_socket_action(client->multi, fd, what, &running);
  client->in_curl = false;
  /* A failing transfer is a message; this code only says that we have used libcurl wrongly. */
  must(code == CURLM_OK);
  collect(client);
}

static void on_timer(void *context)
{
  act(context, CURL_SOCKET_TIMEOUT, 0);
}

static void on_socket(void *context, int fd, int ready)
{
  act(context, fd,
      ((ready & LOOP_READ) != 0 ? CURL_CSELECT_IN : 0) | ((ready & LOOP_WRITE) != 0 ? CURL_CSELECT_OUT : 0));
}

static int want_timer(CURLM *multi UNUSED, long timeout_ms, void *context)
{
  struct http_client *client = context;
  if (timeout_ms < 0)
    loop_timer_at(client->timer, CLOCK_NEVER);
  else
    /* Also for 0, "at once": libcurl must not be entered from its own callback. */
    loop_timer_in(client->timer, timeout_ms);
  return 0;
}

/* `watch` is what was assigned to the descriptor last time. */
static int want_socket(CURL *easy UNUSED, curl_socket_t fd, int what, void *context, void *watch)
{
  struct http_client *client = context;
  loop_watch_free(watch);
  watch = NULL;
  if (what != CURL_POLL_REMOVE) {
    int interest = ((what & CURL_POLL_IN) != 0 ? LOOP_READ : 0) | ((what & CURL_POLL_OUT) != 0 ? LOOP_WRITE : 0);
    watch = loop_watch_descriptor(client->loop, fd, interest, on_socket, client);
  }
  curl_multi_assign(client->multi, fd, watch);
  return 0;
}

struct http_client *http_client_new(struct loop *loop, const struct http_client_options *options, struct err *err)
{
  static bool initialised;
  /* Never undone: it is once per process, however many clients there are. */
  if (!initialised && curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
    err_set(err, ERR_BUG, "libcurl does not start");
    return NULL;
  }
  initialised = true;
  void *trust = options->unix_socket == NULL ? crypto_trust_open(options->ca_file, err) : NULL;
  if (options->unix_socket == NULL && trust == NULL)
    return NULL;
  struct http_client *client = must_alloc(sizeof *client);
  client->loop = loop;
  client->trust = trust;
  client->options = *options;
  client->options.ca_file = NULL; /* it has been read */
  client->options.proxy = options->proxy == NULL ? NULL : must_strdup(options->proxy);
  client->options.unix_socket = options->unix_socket == NULL ? NULL : must_strdup(options->unix_socket);
  client->options.user_agent = must_strdup(options->user_agent);
  list_init(&client->exchanges);
  client->timer = loop_timer_new(loop, on_timer, client);
  client->multi = curl_multi_init();
  must(client->multi != NULL);
  curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
  curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
  curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, want_timer);
  curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
  http_client_set_limits(client, options->connections, options->connect_timeout_ms, options->timeout_ms);
  return client;
}

void http_client_set_limits(struct http_client *client, int connections, int64_t connect_timeout_ms, int64_t timeout_ms)
{
  client->options.connections = connections;
  client->options.connect_timeout_ms = connect_timeout_ms;
  client->options.timeout_ms = timeout_ms;
  /* The first bounds what is open, the second what is kept open: by default that grows with the transfers. */
  curl_multi_setopt(client->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)connections);
  curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)connections);
}

void http_client_free(struct http_client *client)
{
  if (client == NULL)
    return;
  /* Handles before the multi handle, which closes the connections and takes its watches back. */
  while (!list_empty(&client->exchanges))
    exchange_free(LIST_ENTRY(list_first(&client->exchanges), struct http_exchange, link));
  curl_multi_cleanup(client->multi);
  loop_timer_free(client->timer);
  crypto_trust_close(client->trust);
  free((char *)client->options.proxy);
  free((char *)client->options.unix_socket);
  free((char *)client->options.user_agent);
  free(client);
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
  struct http_exchange *exchange = context;
  /* Another number than it was given makes libcurl give the transfer up. */
  return buf_add(&exchange->reply_body, bytes, size * count) ? size * count : 0;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *context)
{
  struct http_exchange *exchange = context;
  struct http_reply *reply = &exchange->reply;
  struct {
    const char *name;
    char *to;
  } wanted[] = {
      {"retry-after", reply->retry_after},        {"date", reply->date},
      {"request-id", reply->request_id},          {"content-type", reply->content_type},
      {"x-ms-ags-diagnostic", reply->diagnostic},
  };
  size_t length = size * count;
  char line[HTTP_CLIENT_HEADER_SIZE + 32];
  /* Too long to be one of ours; the transfer goes on. */
  if (length >= sizeof line)
    return length;
  memcpy(line, bytes, length);
  line[length] = '\0';
  char *value = strchr(line, ':');
  if (value == NULL)
    return length;
  *value++ = '\0';
  str_trim(value);
  for (size_t i = 0; i < COUNT_OF(wanted); i++)
    if (str_equal_fold(line, wanted[i].name) && !str_copy(wanted[i].to, HTTP_CLIENT_HEADER_SIZE, value))
      wanted[i].to[0] = '\0';
  return length;
}

static CURLcode on_tls(CURL *easy UNUSED, void *tls, void *trust)
{
  crypto_trust_use(trust, tls);
  return CURLE_OK;
}

static void add_headers(struct http_exchange *exchange, const struct http_request *request)
{
  for (const char *const *header = request->headers; header != NULL && *header != NULL; header++)
    exchange->headers = curl_slist_append(exchange->headers, *header);
  /* Without this libcurl waits a second for a "100 Continue" before a body of more than 1 MiB, and says so in a header.
   */
  exchange->headers = curl_slist_append(exchange->headers, "Expect:");
  must(exchange->headers != NULL);
  if (request->bearer != NULL) {
    wiped_set(&exchange->authorization, request->bearer->bytes, request->bearer->length);
    curl_easy_setopt(exchange->easy, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
    curl_easy_setopt(exchange->easy, CURLOPT_XOAUTH2_BEARER, wiped_text(&exchange->authorization));
  }
}

static void set_options(struct http_exchange *exchange, const struct http_request *request)
{
  const struct http_client_options *options = &exchange->client->options;
  CURL *easy = exchange->easy;
  curl_easy_setopt(easy, CURLOPT_PRIVATE, exchange);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange->failure);
  curl_easy_setopt(easy, CURLOPT_URL, request->url);
  /* A configured address that is not https: is refused by libcurl, too. */
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, options->unix_socket == NULL ? "https" : "http");
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L); /* the rule guard owns the timers' signals */
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)options->connect_timeout_ms);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)options->timeout_ms);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, options->user_agent);
  /* Empty, not NULL, which would let libcurl ask the environment. */
  curl_easy_setopt(easy, CURLOPT_PROXY, options->proxy == NULL ? "" : options->proxy);
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange);
  curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, request->fresh_connection ? 1L : 0L);
  if (options->unix_socket != NULL)
    curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, options->unix_socket);
  /* Not libcurl's own store: that is the system's or CaFile, not both, and is read anew for many connections. */
  curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
  curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
  curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_tls);
  curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, exchange->client->trust);
  if (request->body != NULL) {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, buf_text(&exchange->request_body));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)exchange->request_body.length);
  }
  /* Last: a body makes it a POST, and this keeps that but for the word. */
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

struct http_exchange *http_client_send(
    struct http_client *client, const struct http_request *request, http_on_reply *on_reply, void *context)
{
  struct http_exchange *exchange = must_alloc(sizeof *exchange);
  exchange->client = client;
  exchange->on_reply = on_reply;
  exchange->context = context;
  exchange->easy = curl_easy_init();
  must(exchange->easy != NULL);
  buf_init(&exchange->reply_body, client->options.reply_max);
  buf_init(&exchange->request_body, request->body_length);
  if (request->body != NULL)
    must(buf_add(&exchange->request_body, request->body, request->body_length));
  add_headers(exchange, request);
  set_options(exchange, request);
  curl_easy_setopt(exchange->easy, CURLOPT_HTTPHEADER, exchange->headers);
  list_add_tail(&client->exchanges, &exchange->link);
  must(curl_multi_add_handle(client->multi, exchange->easy) == CURLM_OK); /* only arms the timer */
  return exchange;
}

void http_client_cancel(struct http_exchange *exchange)
{
  /* Callbacks run outside of libcurl (collect), so an exchange can always be taken out at once. */
  must(!exchange->client->in_curl);
  exchange_free(exchange);
}

const char *http_client_version(void)
{
  return curl_version();
}
