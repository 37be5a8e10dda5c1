#!/bin/bash
# @azure/msal-node 7.2.3: after one failure it answers from memory, and a request that would succeed is not sent.
#
# After a reply of 429 or 5xx, an identical token request (same client, authority, scopes) is not sent for 60 s; after
# any failure with a Retry-After, 400 too, for as long as that says. Meanwhile acquireTokenByClientCredential() throws
# the old error again, with another errorCode (the number of the server's error instead of its name). No option turns
# it off, and a new ConfidentialClientApplication starts afresh. A 400 without Retry-After is not remembered.
#
# For us: src/registration/token.c asks for tokens by itself and waits by its own schedule; whoever tries a client of
# Microsoft's against graphsim counts requests, not calls.
set -euo pipefail
# shellcheck source=findings/trial.sh
. "$(dirname "$0")/trial.sh"

need_command node nodejs
fetch_npm @azure/msal-node@7.2.3
cd "$work"
cat >throttle.js <<'JS'
const { ConfidentialClientApplication } = require("@azure/msal-node");
const host = "login.microsoftonline.com", tenant = `https://${host}/66666666-7777-8888-9999-000000000000`;
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// A network that fails once in the given way, and then would give a token. Nothing leaves the process.
function failsOnce(status, headers) {
  const network = { requests: 0 };
  network.sendPostRequestAsync = async () => {
    const failure = { error: "temporarily_unavailable", error_description: "AADSTS90033: later", error_codes: [90033] };
    return ++network.requests === 1
      ? { status, headers, body: failure }
      : { status: 200, headers: {}, body: { token_type: "Bearer", expires_in: 3599, access_token: "token" } };
  };
  network.sendGetRequestAsync = async (url) => { throw new Error("unexpected GET " + url); };
  return network;
}

function application(networkClient) {
  return new ConfidentialClientApplication({
    auth: {
      clientId: "11111111-2222-3333-4444-555555555555", clientSecret: "secret", authority: tenant,
      cloudDiscoveryMetadata: JSON.stringify({ tenant_discovery_endpoint: tenant, metadata: [
        { preferred_network: host, preferred_cache: host, aliases: [host] }] }),
      authorityMetadata: JSON.stringify({ issuer: tenant, token_endpoint: tenant + "/oauth2/v2.0/token",
        authorization_endpoint: tenant + "/authorize", end_session_endpoint: tenant, jwks_uri: tenant }),
    },
    system: { networkClient },
  });
}

async function ask(app) {
  try {
    await app.acquireTokenByClientCredential({ scopes: ["https://graph.microsoft.com/.default"] });
    return "token";
  } catch (error) {
    return error.errorCode;
  }
}

async function trial(name, status, headers, pauses) {
  const network = failsOnce(status, headers), app = application(network), seen = [];
  seen.push(await ask(app));
  for (const pause of pauses) {
    await sleep(pause);
    seen.push(await ask(app));
  }
  console.log(`${name}|${seen.join(", ")}; ${network.requests} requests`);
}

async function anew() {
  const network = failsOnce(503, {});
  console.log(`503, new application|${await ask(application(network))}, ${await ask(application(network))}; ` +
    `${network.requests} requests`);
}

Promise.all([
  trial("503", 503, {}, [0, 57000, 5000]),
  trial("429", 429, {}, [0, 57000, 5000]),
  trial("429, Retry-After 2", 429, { "retry-after": "2" }, [1000, 2000]),
  trial("400, Retry-After 2", 400, { "retry-after": "2" }, [1000, 2000]),
  trial("400", 400, {}, [0]),
  anew(),
]);
JS
timeout 90 node throttle.js >seen
while IFS='|' read -r name stated; do
  check "$name" "$stated" "$(value "$name" seen)"
done <<'END'
503|temporarily_unavailable, 90033, 90033, token; 2 requests
429|temporarily_unavailable, 90033, 90033, token; 2 requests
429, Retry-After 2|temporarily_unavailable, 90033, token; 2 requests
400, Retry-After 2|temporarily_unavailable, 90033, token; 2 requests
400|temporarily_unavailable, token; 2 requests
503, new application|temporarily_unavailable, token; 2 requests
END
conclude
