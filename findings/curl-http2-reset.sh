#!/bin/bash
# libcurl 7.88.1 (Debian 12) sends a RST_STREAM after every HTTP/2 reply that has come to its end.
#
# The code is STREAM_CLOSED, the reply may have a body or none, end with its headers or with a DATA frame, and no
# request fails: neither the program nor CURLOPT_VERBOSE learns of it. A server that counts resets does
# (CVE-2023-44487, "rapid reset"): libnghttp2 1.52 as Debian 12 has it, and Node.js 20, allow 1,000 at once and 33 per
# second. nghttpd answers request 1,001 of a quick series with GOAWAY INTERNAL_ERROR, and curl reports error 16
# (CURLE_HTTP2) for one of them.
#
# For us: src/adapters/http_client.c asks for HTTP/1.1.
set -euo pipefail
# shellcheck source=findings/trial.sh
. "$(dirname "$0")/trial.sh"

need_package libcurl4 7.88.1
need_package curl 7.88.1
need_package libnghttp2-14 1.52.0
need_command openssl openssl
need_command python3 python3
fetch nghttp2-server 1.52.0
fetch libev4 1:4.33
fetch libjemalloc2 5.3.0
cd "$work"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -days 2 \
  -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 2>/dev/null

# A server of frames: it answers whatever is asked and prints each reset. The path says what the reply looks like.
cat >frames.py <<'PYTHON'
import socket, ssl, struct

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("cert.pem", "key.pem")
context.set_alpn_protocols(["h2"])
listener = socket.create_server(("127.0.0.1", 0))
print("port", listener.getsockname()[1], flush=True)

def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload

OK, NO_CONTENT, LENGTH_0 = b"\x88", b"\x89", b"\x0f\x0d\x010"  # HPACK: indexed statuses, a literal content-length
SHAPES = [
    ("200, length 0, ends with its headers", lambda s: frame(1, 5, s, OK + LENGTH_0)),
    ("200, length 0, ends with an empty DATA", lambda s: frame(1, 4, s, OK + LENGTH_0) + frame(0, 1, s)),
    ("200, no length, ends with its headers", lambda s: frame(1, 5, s, OK)),
    ("204", lambda s: frame(1, 5, s, NO_CONTENT)),
    ("200 with a body", lambda s: frame(1, 4, s, OK) + frame(0, 1, s, b"hi")),
]
for name, reply in SHAPES:  # one connection for each
    plain, _ = listener.accept()
    plain.settimeout(20)
    connection = context.wrap_socket(plain, server_side=True)
    stream = connection.makefile("rb")
    stream.read(24)
    connection.sendall(frame(4, 0, 0))
    resets = []
    while len(head := stream.read(9)) == 9:
        kind, flags, number = head[3], head[4], int.from_bytes(head[5:], "big")
        payload = stream.read(int.from_bytes(head[:3], "big"))
        if kind == 4 and not flags & 1:
            connection.sendall(frame(4, 1, 0))
        if kind in (0, 1) and flags & 1:
            connection.sendall(reply(number))
        if kind == 3:
            resets.append(f"{number}:{int.from_bytes(payload, 'big')}")
    print(f"{name}|{' '.join(resets[:4])}", flush=True)
PYTHON
start frames.log python3 frames.py
until_line frames.log port
port=$(sed -n 's/^port //p' frames.log)
for _ in 1 2 3 4 5; do
  timeout 20 curl --silent --http2 --cacert cert.pem --data '{}' --output /dev/null --write-out '%{exitcode}\n' \
    "https://127.0.0.1:$port/[1-5]" >>codes
done
check "curl's result, 25 requests" "25 0" "$(sort codes | uniq -c | xargs)"
until_line frames.log "with a body|"
while IFS='|' read -r shape resets; do
  check "streams reset and error code, of five requests the first four; $shape" "1:5 3:5 5:5 7:5" "$resets"
done < <(grep '|' frames.log)

# What a server with a limit makes of it.
touch empty
printf '%s\n' 'import socket' 's = socket.create_server(("127.0.0.1", 0))' 'print(s.getsockname()[1])' >free.py
port=$(python3 free.py)
LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu start nghttpd.log \
  stdbuf -oL "$work/root/usr/sbin/nghttpd" -v -a 127.0.0.1 -d "$work" "$port" key.pem cert.pem
until_line nghttpd.log listen
timeout 60 curl --silent --http2 --cacert cert.pem --output /dev/null --write-out '%{exitcode} %{http_code}\n' \
  "https://127.0.0.1:$port/empty?[1-1500]" >codes || true
check "1,500 requests one after the other: how many got 200" "1499 0 200" "$(sort codes | uniq -c | grep 200 | xargs)"
check "and the other one: curl's error" "16" "$(awk '$1 != 0 { print $1 }' codes)"
goaway=$(sed 's/\x1b\[[0-9;]*m//g' nghttpd.log | grep -A 1 'send GOAWAY' | tail -n 1)
error='' last=0
if [[ $goaway =~ last_stream_id=([0-9]+),\ error_code=([A-Z_]+) ]]; then
  last=${BASH_REMATCH[1]} error=${BASH_REMATCH[2]}
fi
check "what the server said" INTERNAL_ERROR "$error"
check "it served from 1,001 to 1,200 requests before (it was $(((last + 1) / 2)))" yes \
  "$( ((last > 2000 && last < 2400)) && echo yes || echo no)"
conclude
