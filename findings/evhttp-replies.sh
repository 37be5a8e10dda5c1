#!/bin/bash
# evhttp of libevent 2.1.12 (Debian 12): replies that are not what HTTP/1.1 would have.
#
#   * PATCH gets 501 until evhttp_set_allowed_methods() names it; a request with it does not reach the program.
#   * The reply to HEAD is sent with the body that it is given, and without a Content-Length; so is a 204. The client
#     of a kept connection takes such a body for the beginning of the next reply.
#   * A chunk with an extension ("5;a=b", RFC 9112, 7.1.1) is refused with 413, as if it were too long.
#   * A body that is longer than evhttp_set_max_body_size() gets 413 as soon as its length is known, and the
#     connection is closed without reading it: a client that is still writing its 20 MB sees "broken pipe" or a reset,
#     not the 413.
#
# For us: src/adapters/http_server.c allows all methods; who answers a HEAD or a 204 by it has to leave the body out.
# A client that sends much too much cannot count on seeing the 413.
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

static void on_request(struct evhttp_request *request, void *context)
{
  (void)context;
  struct evbuffer *body = evbuffer_new();
  evbuffer_add_printf(body, "hello");
  evhttp_send_reply(request, strcmp(evhttp_request_get_uri(request), "/204") == 0 ? 204 : 200, NULL, body);
  evbuffer_free(body);
}

int main(int count, char **arguments)
{
  (void)arguments;
  signal(SIGPIPE, SIG_IGN);
  struct event_base *base = event_base_new();
  struct evhttp *server = evhttp_new(base);
  evhttp_set_timeout(server, 30);
  evhttp_set_max_body_size(server, 65536);
  if (count > 1)
    evhttp_set_allowed_methods(server, EVHTTP_REQ_PATCH | EVHTTP_REQ_GET);
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

# Prints what comes within half a second for a request on standard input, escaped.
cat >"$work/ask.py" <<'PYTHON'
import socket, sys

connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
connection.sendall(sys.stdin.buffer.read())
connection.settimeout(0.5)
reply = b""
try:
    while piece := connection.recv(65536):
        reply += piece
except TimeoutError:
    pass
lines = [line for line in reply.decode().split("\r\n") if not line.startswith(("Date:", "Content-Type:"))]
print(" / ".join(lines))
PYTHON
cat >"$work/upload.py" <<'PYTHON'
import sys, urllib.error, urllib.request

try:
    urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/", data=bytes(int(sys.argv[2])), timeout=20)
except urllib.error.HTTPError as error:
    print(error.code)
except urllib.error.URLError as error:
    print(type(error.reason).__name__)
except OSError as error:
    print(type(error).__name__)
PYTHON
start "$work/plain.log" "$work/server"
start "$work/patch.log" "$work/server" patch
until_line "$work/plain.log" port
until_line "$work/patch.log" port
plain=$(sed -n 's/^port //p' "$work/plain.log") patch=$(sed -n 's/^port //p' "$work/patch.log")
# ask PORT REQUEST
ask() {
  # shellcheck disable=SC2059 # the request has escapes
  printf "$2" | timeout 20 python3 "$work/ask.py" "$1"
}

check "PATCH" "HTTP/1.1 501 Not Implemented" \
  "$(ask "$plain" 'PATCH / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}' | sed -n '1s, / .*,,p')"
check "PATCH, allowed" "HTTP/1.1 200 OK / Content-Length: 5 /  / hello" \
  "$(ask "$patch" 'PATCH / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}')"
check "GET" "HTTP/1.1 200 OK / Content-Length: 5 /  / hello" \
  "$(ask "$plain" 'GET / HTTP/1.1\r\nHost: x\r\n\r\n')"
check "HEAD" "HTTP/1.1 200 OK /  / hello" "$(ask "$plain" 'HEAD / HTTP/1.1\r\nHost: x\r\n\r\n')"
check "two GET that get 204" "HTTP/1.1 204 No Content /  / helloHTTP/1.1 204 No Content /  / hello" \
  "$(ask "$plain" 'GET /204 HTTP/1.1\r\nHost: x\r\n\r\nGET /204 HTTP/1.1\r\nHost: x\r\n\r\n')"
check "a chunk" "HTTP/1.1 200 OK / Content-Length: 5 /  / hello" \
  "$(ask "$plain" 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n')"
check "a chunk with an extension" "HTTP/1.1 413 Request Entity Too Large" \
  "$(ask "$plain" 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n' |
    sed -n '1s, / .*,,p')"
check "70 kB where 64 KiB are allowed, what urllib sees" 413 "$(timeout 30 python3 "$work/upload.py" "$plain" 70000)"
for _ in 1 2 3 4 5; do
  timeout 30 python3 "$work/upload.py" "$plain" 20000000
done >"$work/uploads"
check "20 MB, five times, how often urllib sees the 413" 0 "$(grep -c 413 "$work/uploads" || true)"
check "20 MB, five times, how often an error of the socket" 5 "$(grep -cE 'BrokenPipe|ConnectionReset' "$work/uploads")"
conclude
