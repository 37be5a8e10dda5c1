#!/bin/bash
# cloudevents 10.0.0 (npm) over Node.js: the bytes of a header depend on how the body is handed over.
#
# HTTP.binary() puts attributes into headers as they are, although the standard wants everything but printable ASCII
# percent-encoded. Node's http.request() then writes "Jörg" as UTF-8 (c3 b6) when end() is given a string, and as
# Latin-1 (f6) when it is given a Buffer, nothing, or after write(); fetch() writes Latin-1. Both refuse a character
# above U+00FF ("Łukasz") before anything is sent. So one and the same sender sends two encodings, and fails for some
# names. Besides, data that is a string goes out without quotes under "application/json": busy, which is no JSON.
#
# For us: src/intake takes CloudEvents as whole JSON (structured), which has neither trouble; a door for the binary
# mode would have to take percent signs, UTF-8 and Latin-1.
set -euo pipefail
# shellcheck source=findings/trial.sh
. "$(dirname "$0")/trial.sh"

need_command node nodejs
fetch_npm cloudevents@10.0.0
cd "$work"
cat >send.js <<'JS'
const http = require("node:http"), net = require("node:net");
const { CloudEvent, HTTP } = require("cloudevents");

const event = (subject) => HTTP.binary(new CloudEvent({
  id: "1", source: "/desk", type: "agent", subject, datacontenttype: "application/json", data: "busy" }));
const message = event("J\u00f6rg");

// The bytes of a request, as they come.
function capture(send) {
  return new Promise((done, failed) => {
    const server = net.createServer((socket) => {
      let bytes = Buffer.alloc(0);
      socket.on("data", (more) => {
        bytes = Buffer.concat([bytes, more]);
        if (!bytes.includes("busy"))
          return;
        socket.end("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        server.close();
        done(bytes);
      });
    });
    server.listen(0, "127.0.0.1", () => send(server.address().port, (error) => (server.close(), failed(error))));
  });
}

function viaHttp(write) {
  return capture((port, failed) => {
    const request = http.request({ port, method: "POST", agent: false, headers: event("J\u00f6rg").headers });
    request.on("error", failed).on("response", (reply) => reply.resume());
    write(request);
  });
}

const subject = (bytes) => {
  const at = bytes.indexOf("ce-subject: ") + "ce-subject: ".length;
  return bytes.subarray(at, bytes.indexOf("\r\n", at)).toString("hex");
};

async function main() {
  const whole = await viaHttp((request) => request.end(message.body));
  console.log(`end(string)|${subject(whole)}`);
  console.log(`end(Buffer)|${subject(await viaHttp((request) => request.end(Buffer.from(message.body))))}`);
  const twice = await viaHttp((request) => (request.write(message.body), request.end()));
  console.log(`write(string), end()|${subject(twice)}`);
  console.log(`fetch()|${subject(await capture((port, failed) => {
    fetch(`http://127.0.0.1:${port}/`, { method: "POST", headers: message.headers, body: message.body }).catch(failed);
  }))}`);
  console.log(`content type|${message.headers["content-type"]}`);
  console.log(`body|${message.body}`);
  try {
    http.request({ port: 1, method: "POST", headers: event("\u0141ukasz").headers });
  } catch (error) {
    console.log(`a name above U+00FF|${error.code}`);
  }
}
main();
JS
timeout 30 node send.js >seen
while IFS='|' read -r name stated; do
  check "$name" "$stated" "$(value "$name" seen)"
done <<'END'
end(string)|4ac3b67267
end(Buffer)|4af67267
write(string), end()|4af67267
fetch()|4af67267
content type|application/json
body|busy
a name above U+00FF|ERR_INVALID_CHAR
END
conclude
