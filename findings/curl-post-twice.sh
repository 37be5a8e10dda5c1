#!/bin/bash
# libcurl 7.88.1 (Debian 12) sends a POST a second time by itself, although the server has read the first one.
#
# When a connection that was used before ends without a whole line of reply, libcurl takes it for one that had been
# idle too long, and sends the request again on a new connection, whatever its method. A server that fails after it
# has done what was asked does it twice. The program sees one success: the only traces are CURLINFO_REQUEST_SIZE,
# which is the sum of both, and CURLINFO_NUM_CONNECTS of 1. It is so when the server closes, resets, or has sent
# "HTTP/1.1 2". On a new connection (CURLOPT_FRESH_CONNECT too) there is no second attempt: error 52
# (CURLE_GOT_NOTHING).
#
# For us: src/adapters/http_client.c reuses connections, so one request of src/sched's budget may be two for Graph;
# each write says what should be shown (never "one more"), so that twice is as good as once.
set -euo pipefail
# shellcheck source=findings/trial.sh
. "$(dirname "$0")/trial.sh"

need_package libcurl4-openssl-dev 7.88.1
need_command python3 python3
cd "$work"
cat >server.py <<'PYTHON'
import socket, struct, threading

listener = socket.create_server(("127.0.0.1", 0))
print("port", listener.getsockname()[1], flush=True)

def read_request(stream):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline()
        if not line:
            return None
        head += line
    length = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
    return head.split(b" ")[1].decode(), stream.read(length[0] if length else 0).decode()

def end(path, connection):
    """As the path says: /close..., /partial..., /reset..."""
    if path.startswith("/partial"):
        connection.sendall(b"HTTP/1.1 2")
    if path.startswith("/reset"):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    else:
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()

def serve(number, connection):
    stream = connection.makefile("rb", buffering=0)
    while (request := read_request(stream)) is not None:
        path, body = request
        print(f"{path} {body} on {number}", flush=True)
        if path != "/answer" and (number == 1 or path.endswith("-always")):
            stream.close()
            return end(path, connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

number = 0
while True:
    connection, _ = listener.accept()
    connection.settimeout(20)
    number += 1
    threading.Thread(target=serve, args=(number, connection), daemon=True).start()
PYTHON
compile client libcurl <<'C'
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

/* Each argument is a URL, to which a POST is sent on one handle; a leading "-" asks for a fresh connection. */
int main(int count, char **arguments)
{
  curl_global_init(CURL_GLOBAL_DEFAULT);
  CURL *easy = curl_easy_init();
  for (int i = 1; i < count; i++) {
    long status = 0, size = 0, connects = 0;
    char body[24];
    int fresh = arguments[i][0] == '-';
    snprintf(body, sizeof body, "event-%d", i);
    curl_easy_setopt(easy, CURLOPT_URL, arguments[i] + fresh);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, (long)fresh);
    curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, body);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 10000L);
    CURLcode code = curl_easy_perform(easy);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &size);
    curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connects);
    printf("%d|result %d, status %ld, %ld bytes, %ld connects\n", i, (int)code, status, size, connects);
  }
  curl_easy_cleanup(easy);
  return 0;
}
C
# post NAME PATH...: a server of its own for each series; what both sides saw is in NAME.client and NAME.server
post() {
  local name=$1 url path urls=()
  shift
  start "$name.server" python3 server.py
  until_line "$name.server" port
  url=http://127.0.0.1:$(sed -n 's/^port //p' "$name.server")
  for path in "$@"; do
    [[ $path == -* ]] && urls+=("-$url${path#-}") || urls+=("$url$path")
  done
  timeout 30 ./client "${urls[@]}" >"$name.client"
}
# requests NAME: what the server has read, in one line
requests() {
  sed 1d "$1.server" | paste -sd ';' | sed 's/;/; /g'
}

for kind in close partial reset; do
  post "$kind" /answer "/$kind"
  check "second POST on a connection, $kind: the server read" \
    "/answer event-1 on 1; /$kind event-2 on 1; /$kind event-2 on 2" "$(requests "$kind")"
  check "second POST on a connection, $kind: the program sees" "result 0, status 200, 1 connects" \
    "$(value 2 "$kind.client" | sed 's/[0-9]* bytes, //')"
done
# bytes NUMBER: CURLINFO_REQUEST_SIZE of this request of "close"
bytes() {
  value "$1" close.client | grep -o '[0-9]* bytes' | cut -d ' ' -f 1
}
check "the second request is one byte shorter than the first ($(bytes 1)) and counted twice ($(bytes 2))" yes \
  "$( (($(bytes 2) == 2 * ($(bytes 1) - 1))) && echo yes || echo no)"
post always /answer /close-always
check "and when the second attempt fails: the server read" \
  "/answer event-1 on 1; /close-always event-2 on 1; /close-always event-2 on 2" "$(requests always)"
check "and when the second attempt fails: the program sees" "result 52, status 0, 1 connects" \
  "$(value 2 always.client | sed 's/[0-9]* bytes, //')"
post first /close
check "first POST on a connection: the server read" "/close event-1 on 1" "$(requests first)"
check "first POST on a connection: the program sees" "result 52, status 0, 1 connects" \
  "$(value 1 first.client | sed 's/[0-9]* bytes, //')"
post fresh /answer -/close-always
check "FRESH_CONNECT: the server read" "/answer event-1 on 1; /close-always event-2 on 2" "$(requests fresh)"
conclude
