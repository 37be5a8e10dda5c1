#!/bin/bash
# evhttp of libevent 2.1.12 (Debian 12): without a timeout it waits for ever, with one it cuts the wrong things.
#
# As it comes, a connection that sends nothing, or half a request, is still open after 55 s (HTTP_READ_TIMEOUT, 50 s,
# is for clients). After evhttp_set_timeout(1):
#   * both are closed after 1 s, as one would hope;
#   * a chunked reply in progress is cut when the server writes nothing for 1 s, however well the client is;
#   * a request that has not been answered yet is never timed out;
#   * and when the client of such a request leaves, neither the callback of the connection's end
#     (evhttp_connection_set_closecb) nor anything else is called before the reply is written.
#
# For us: src/adapters/http_server.c sets a timeout. An event stream would need a heartbeat below it, a long poll a
# timer of its own.
set -euo pipefail
# shellcheck source=findings/trial.sh
. "$(dirname "$0")/trial.sh"

need_package libevent-dev 2.1.12
need_command python3 python3
compile server libevent_core libevent_extra <<'C'
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_close(struct evhttp_connection *connection, void *name)
{
  (void)connection;
  printf("closed %s\n", (const char *)name);
  fflush(stdout);
}

static void on_request(struct evhttp_request *request, void *context)
{
  (void)context;
  if (strcmp(evhttp_request_get_uri(request), "/stream") == 0) {
    struct evbuffer *chunk = evbuffer_new();
    evbuffer_add_printf(chunk, "first");
    evhttp_connection_set_closecb(evhttp_request_get_connection(request), on_close, (char *)"stream");
    evhttp_send_reply_start(request, 200, "OK");
    evhttp_send_reply_chunk(request, chunk);
    evbuffer_free(chunk);
  } else if (strcmp(evhttp_request_get_uri(request), "/pending") == 0) {
    evhttp_connection_set_closecb(evhttp_request_get_connection(request), on_close, (char *)"pending");
  } else {
    evhttp_send_reply(request, 200, "OK", NULL);
  }
}

int main(int count, char **arguments)
{
  signal(SIGPIPE, SIG_IGN);
  struct event_base *base = event_base_new();
  struct evhttp *server = evhttp_new(base);
  if (count > 1)
    evhttp_set_timeout(server, atoi(arguments[1]));
  evhttp_set_gencb(server, on_request, NULL);
  struct evhttp_bound_socket *bound = evhttp_bind_socket_with_handle(server, "127.0.0.1", 0);
  struct sockaddr_in address;
  socklen_t length = sizeof address;
  if (getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&address, &length) != 0)
    return 1;
  printf("port %d\n", ntohs(address.sin_port));
  fflush(stdout);
  return event_base_dispatch(base);
}
C

# Says for each kind of connection when the server ended it, or that it was open at the end.
cat >"$work/watch.py" <<'PYTHON'
import select, socket, sys, time

port, end = int(sys.argv[1]), float(sys.argv[2])
SENT = {
    "nothing sent": b"",
    "half a request": b"GET /half HTTP/1.1\r\nHost: x\r\n",
    "after a reply": b"GET /done HTTP/1.1\r\nHost: x\r\n\r\n",
    "a chunked reply in progress": b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n",
    "no reply yet": b"GET /pending HTTP/1.1\r\nHost: x\r\n\r\n",
}
names = {}
for name, request in SENT.items():
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(request)
    names[connection] = name
begin = time.monotonic()
while names and (left := begin + end - time.monotonic()) > 0:
    for connection in select.select(list(names), [], [], left)[0]:
        try:
            over = connection.recv(4096) == b""
        except ConnectionResetError:
            over = True
        if over:
            print(f"{names.pop(connection)}|ended after {time.monotonic() - begin:.0f} s")
for name in names.values():
    print(f"{name}|open after {end:.0f} s")
PYTHON
start "$work/endless.log" "$work/server"
start "$work/bounded.log" "$work/server" 1
until_line "$work/endless.log" port
until_line "$work/bounded.log" port
port() { sed -n 's/^port //p' "$work/$1.log"; }
start "$work/endless.seen" python3 "$work/watch.py" "$(port endless)" 55
watcher=$!
timeout 20 python3 "$work/watch.py" "$(port bounded)" 5 >"$work/bounded.seen"

while IFS='|' read -r name stated; do
  check "timeout of 1 s, $name" "$stated" "$(value "$name" "$work/bounded.seen")"
done <<'END'
nothing sent|ended after 1 s
half a request|ended after 1 s
after a reply|ended after 1 s
a chunked reply in progress|ended after 1 s
no reply yet|open after 5 s
END
sleep 2 # the client of the request without a reply left when watch.py ended
check "timeout of 1 s, callbacks of a connection's end" "closed stream" "$(grep closed "$work/bounded.log" | xargs)"

wait "$watcher" || missing "watch.py: $(tail -n 1 "$work/endless.seen")"
for name in "nothing sent" "half a request" "after a reply" "a chunked reply in progress" "no reply yet"; do
  check "no timeout, $name" "open after 55 s" "$(value "$name" "$work/endless.seen")"
done
conclude
