#!/bin/bash
# @azure/identity 4.13.1 (npm): a federated token file that has been rotated is not read again for five minutes.
#
# WorkloadIdentityCredential keeps the text of AZURE_FEDERATED_TOKEN_FILE in memory. After the file has been replaced,
# the next token request (here for another scope) still carries the old assertion, which the issuer may have let
# expire. Only a new credential reads the new text.
#
# For us: the engine signs in with a secret alone (src/graph/token.c); whoever adds federated tokens reads the file
# for each request.
set -euo pipefail
# shellcheck source=findings/trial.sh
. "$(dirname "$0")/trial.sh"

need_command node nodejs
need_command openssl openssl
fetch_npm @azure/identity@4.13.1
cd "$work"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -days 2 \
  -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 2>/dev/null
cat >rotate.js <<'JS'
const https = require("node:https"), fs = require("node:fs"), path = require("node:path");
const { WorkloadIdentityCredential } = require("@azure/identity");

const clock = Date.now;
let ahead = 0; // ms; the library's clock is set instead of waiting
Date.now = () => clock() + ahead;

const assertions = [], tls = { key: fs.readFileSync("key.pem"), cert: fs.readFileSync("cert.pem") };
const server = https.createServer(tls, (request, reply) => {
  if (request.url.includes("openid-configuration")) {
    const base = `https://127.0.0.1:${server.address().port}/tenant`;
    reply.setHeader("content-type", "application/json");
    reply.end(JSON.stringify({ issuer: base, token_endpoint: base + "/oauth2/v2.0/token", jwks_uri: base,
      authorization_endpoint: base, end_session_endpoint: base }));
    return;
  }
  let form = "";
  request.on("data", (more) => (form += more));
  request.on("end", () => {
    assertions.push(new URLSearchParams(form).get("client_assertion"));
    reply.setHeader("content-type", "application/json");
    reply.end(JSON.stringify({ token_type: "Bearer", expires_in: 3600, access_token: "token" }));
  });
});
const credential = () => new WorkloadIdentityCredential({
  tenantId: "66666666-7777-8888-9999-000000000000", clientId: "11111111-2222-3333-4444-555555555555",
  tokenFilePath: path.resolve("assertion"), authorityHost: `https://127.0.0.1:${server.address().port}`,
  disableInstanceDiscovery: true,
});

server.listen(0, "127.0.0.1", async () => {
  fs.writeFileSync("assertion", "first");
  const one = credential();
  await one.getToken("https://graph.microsoft.com/.default");
  fs.writeFileSync("new", "second");
  fs.renameSync("new", "assertion");
  await one.getToken("https://storage.azure.com/.default");
  ahead = 280 * 1000;
  await one.getToken("https://vault.azure.net/.default");
  ahead = 310 * 1000;
  await one.getToken("https://management.azure.com/.default");
  ahead = 0;
  await credential().getToken("https://graph.microsoft.com/.default");
  console.log(assertions.join(", "));
  server.close();
  server.closeAllConnections();
});
JS
check "assertions sent: at first; after the rotation, at once, 280 s and 310 s later; by a new credential" \
  "first, first, first, second, second" \
  "$(NODE_EXTRA_CA_CERTS=cert.pem timeout 60 node rotate.js)"
conclude
