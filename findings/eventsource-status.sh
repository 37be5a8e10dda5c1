#!/bin/bash
# eventsource 5.1.5 (npm), as every browser: any status but 200 ends an EventSource for good.
#
# A connection that ends, or is reset before its first byte, is made again after the pause ("retry:", else 3 s). A
# reply of 503, 429 or 204 is not: one request, one error event, readyState 2 (CLOSED), whatever Retry-After or
# "retry:" say. The standard wants it so ("fail the connection"), and what is behind a proxy meets it at each restart
# of its server.
#
# For us: no door of ours streams events; one that does refuses a watcher by 200, "retry:" and the end of the stream.
set -euo pipefail
# shellcheck source=findings/trial.sh
. "$(dirname "$0")/trial.sh"

need_command node nodejs
fetch_npm eventsource@5.1.5
cd "$work"
cat >watch.mjs <<'JS'
import http from "node:http";
import { EventSource } from "eventsource";

const REPLIES = {
  "ends": (request, reply) => reply.writeHead(200, { "content-type": "text/event-stream" }).end("retry: 500\n\n"),
  "reset": (request) => request.socket.destroy(),
};
for (const status of [503, 429, 204])
  REPLIES[status] = (request, reply) =>
    reply.writeHead(status, { "content-type": "text/event-stream", "retry-after": "1" }).end("retry: 500\n\n");

await Promise.all(Object.entries(REPLIES).map(async ([name, reply]) => {
  let requests = 0, errors = 0;
  const server = http.createServer((request, response) => {
    requests++;
    reply(request, response);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const source = new EventSource(`http://127.0.0.1:${server.address().port}/`);
  source.onerror = () => errors++;
  await new Promise((done) => setTimeout(done, 8000));
  const often = requests > 1 ? "several requests" : "1 request";
  console.log(`${name}|${often}, ${source.readyState === EventSource.CLOSED ? `closed, ${errors} error` : "goes on"}`);
  source.close();
  server.closeAllConnections();
  server.close();
}));
JS
timeout 30 node watch.mjs >seen
while IFS='|' read -r name stated; do
  check "8 s, the reply: $name" "$stated" "$(value "$name" seen)"
done <<'END'
ends|several requests, goes on
reset|several requests, goes on
503|1 request, closed, 1 error
429|1 request, closed, 1 error
204|1 request, closed, 1 error
END
conclude
