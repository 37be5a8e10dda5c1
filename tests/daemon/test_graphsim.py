"""graphsim's own answers, over real TLS, by nothing but Python's standard library.

What the daemon's tests prove against graphsim is worth as much as graphsim's strictness: so each rule of Graph that it
plays is tried here, the legal way and the illegal way."""

import base64
import http.client
import json
import os
import re
import select
import signal
import socket
import ssl
import subprocess
import time
import urllib.parse
import uuid

import pytest
from conftest import BIN

DEADLINE_S = 30


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.json["error"]["code"]


class Sim:
    """A running graphsim and a client of it that knows no more than HTTP."""

    def __init__(self, folder, *options):
        self.folder = folder
        self.process = subprocess.Popen(
            [BIN / "graphsim", "--dir", folder, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        readable, _, _ = select.select([self.process.stdout], [], [], DEADLINE_S)
        line = self.process.stdout.readline() if readable else ""
        assert line.startswith("graphsim: ready"), line + self.process.stderr.read()
        self.facts = json.loads((folder / "sim.json").read_text())
        self.client = self.facts["client_id"]
        self.tls = ssl.create_default_context(cafile=folder / "ca.pem")
        self.bearer = None

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        _, errors = self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode, errors

    def raw(self, method, path, body=None, headers=None, timeout=DEADLINE_S):
        connection = http.client.HTTPSConnection("127.0.0.1", self.facts["port"], context=self.tls, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {})
            reply = connection.getresponse()
            return Answer(reply.status, reply.headers, reply.read())
        finally:
            connection.close()

    def token_form(self, **changes):
        form = {
            "grant_type": "client_credentials",
            "client_id": self.client,
            "scope": f"https://localhost:{self.facts['port']}/.default",
            "client_secret": self.facts["secret"],
        }
        form.update(changes)
        return {key: value for key, value in form.items() if value is not None}

    def token(self, tenant=None, **changes):
        body = urllib.parse.urlencode(self.token_form(**changes))
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.raw("POST", f"/{tenant or self.facts['tenant_id']}/oauth2/v2.0/token", body, headers)

    def graph(self, method, path, body=None, headers=None, **options):
        if self.bearer is None:
            self.bearer = self.token().json["access_token"]
        sent = {"Authorization": f"Bearer {self.bearer}"}
        if body is not None:
            sent["Content-Type"] = "application/json"
            body = body if isinstance(body, (str, bytes)) else json.dumps(body)
        sent.update(headers or {})
        sent = {name: value for name, value in sent.items() if value is not None}
        return self.raw(method, "/v1.0" + path, body, sent, **options)

    def id(self, upn):
        return self.state(upn)["id"]

    def act(self, upn, action, body=None, **options):
        return self.graph("POST", f"/users/{self.id(upn)}/presence/{action}", {} if body is None else body, **options)

    def set(self, upn, availability, activity, **more):
        body = {"sessionId": self.client, "availability": availability, "activity": activity, **more}
        return self.act(upn, "setPresence", body)

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.facts["sim_port"], timeout=DEADLINE_S)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            reply = connection.getresponse()
            return Answer(reply.status, reply.headers, reply.read())
        finally:
            connection.close()

    def state(self, upn=None):
        return self.ask("GET", "/sim/state" + (f"?user={urllib.parse.quote(upn)}" if upn else "")).json

    def shown(self, upn):
        shown = self.state(upn)["shown"]
        return f"{shown['availability']}/{shown['activity']}"

    def order(self, what, body):
        answer = self.ask("POST", f"/sim/{what}", body)
        assert answer.status == 204, answer.body

    def log(self, after=0):
        return self.ask("GET", f"/sim/log?after={after}").json


@pytest.fixture(scope="module")
def sim(tmp_path_factory):
    running = Sim(tmp_path_factory.mktemp("graphsim"), "--users", "40", "--requests-per-30s", "1000000")
    yield running
    code, errors = running.stop()
    assert (code, errors) == (0, "")


@pytest.fixture
def start(tmp_path):
    started = []

    def run(*options, folder=tmp_path):
        started.append(Sim(folder, *options))
        return started[-1]

    yield run
    for one in started:
        if one.process.poll() is None:
            one.stop()


@pytest.fixture
def faults(sim):
    yield lambda *kinds: sim.order("faults", list(kinds))
    sim.order("faults", [])


# ---- Entra ----


def test_token(sim):
    answer = sim.token()
    assert answer.status == 200
    body = answer.json
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 3599)
    claims = json.loads(base64.urlsafe_b64decode(body["access_token"].split(".")[1] + "=="))
    assert claims["roles"] == ["Presence.ReadWrite.All", "User.Read.All"]
    assert claims["tid"] == sim.facts["tenant_id"]


def test_token_by_domain(sim):
    assert sim.token(tenant="contoso.com").status == 200


@pytest.mark.parametrize(
    "changes, status, error, code",
    [
        ({"tenant": str(uuid.uuid4())}, 400, "invalid_request", 90002),
        ({"tenant": "common"}, 400, "invalid_request", 9001023),
        ({"client_id": str(uuid.uuid4())}, 400, "unauthorized_client", 700016),
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_secret": None}, 401, "invalid_client", 7000218),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        ({"grant_type": None}, 400, "invalid_request", 900144),
        ({"scope": "https://graph.microsoft.com/.default"}, 400, "invalid_scope", 70011),
        ({"scope": None}, 400, "invalid_request", 900144),
    ],
)
def test_token_refused(sim, changes, status, error, code):
    answer = sim.token(**changes)
    body = answer.json
    assert (answer.status, body["error"], body["error_codes"]) == (status, error, [code])
    assert body["error_description"].startswith(f"AADSTS{code}: ")
    assert sim.facts["secret"] not in answer.body.decode()


def test_secret_needs_encoding(sim):
    secret = sim.facts["secret"]
    assert all(c in secret for c in "+/%&=é")
    form = sim.token_form()
    body = "&".join(f"{key}={value}" for key, value in form.items()).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = sim.raw("POST", f"/{sim.facts['tenant_id']}/oauth2/v2.0/token", body, headers)
    assert answer.status in (400, 401)


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "application/json"}])
def test_token_wants_a_form(sim, headers):
    body = urllib.parse.urlencode(sim.token_form())
    answer = sim.raw("POST", f"/{sim.facts['tenant_id']}/oauth2/v2.0/token", body.encode(), {"Content-Type": "", **headers})
    assert (answer.status, answer.json["error"]) == (400, "invalid_request")


def test_expired_token(start):
    sim = start("--token-life", "1", "--refresh-in", "77")
    answer = sim.token()
    assert (answer.json["expires_in"], answer.json["refresh_in"]) == (1, 77)
    sim.bearer = answer.json["access_token"]
    give_up = time.monotonic() + DEADLINE_S
    while (answer := sim.graph("GET", "/users/agent001@contoso.com")).status == 200 and time.monotonic() < give_up:
        pass
    assert (answer.status, answer.code) == (401, "InvalidAuthenticationToken")
    assert "expired" in answer.json["error"]["message"]
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer nonsense", "Basic YTpi"])
def test_no_good_token(sim, authorization):
    answer = sim.graph("GET", "/users/agent001@contoso.com", headers={"Authorization": authorization})
    assert (answer.status, answer.code) == (401, "InvalidAuthenticationToken")


def test_missing_roles(start):
    sim = start("--roles", "User.Read.All")
    assert sim.graph("GET", "/users/agent001@contoso.com").status == 200
    answer = sim.set("agent001@contoso.com", "Available", "Available")
    assert (answer.status, answer.code) == (403, "Authorization_RequestDenied")


# ---- users ----


@pytest.mark.parametrize(
    "path, upn",
    [
        ("/agent001@contoso.com", "agent001@contoso.com"),
        ("/AGENT001%40Contoso.COM", "agent001@contoso.com"),
        ("('agent001@contoso.com')", "agent001@contoso.com"),
        ("/o%27neil@contoso.com", "o'neil@contoso.com"),
        ("('o%27%27neil%40contoso.com')", "o'neil@contoso.com"),
        ("(%27o%27%27neil%40contoso.com%27)", "o'neil@contoso.com"),
        ("/ann_fabrikam.com%23EXT%23@contoso.com", "ann_fabrikam.com#EXT#@contoso.com"),
        ("('%24ervice@contoso.com')", "$ervice@contoso.com"),
        ("('$ervice@contoso.com')", "$ervice@contoso.com"),
        ("/a+b@contoso.com", "a+b@contoso.com"),
        ("/a%2Bb@contoso.com", "a+b@contoso.com"),
        ("/zo%C3%AB@contoso.com", "zoë@contoso.com"),
    ],
)
def test_lookup(sim, path, upn):
    answer = sim.graph("GET", f"/users{path}?$select=id,userPrincipalName")
    assert answer.status == 200, answer.body
    assert answer.json["userPrincipalName"] == upn
    assert answer.json["id"] == sim.id(upn)
    assert "displayName" not in answer.json


@pytest.mark.parametrize(
    "path, status",
    [
        ("/nobody@contoso.com", 404),
        ("/ann_fabrikam.com", 404),
        ("/o%27%27neil@contoso.com", 404),
        ("/$ervice@contoso.com", 400),
        ("/%24ervice@contoso.com", 400),
        ("('o%27neil@contoso.com')", 400),
        ("(agent001@contoso.com)", 400),
        ("/agent001%zz@contoso.com", 400),
        ("/agent001%00@contoso.com", 400),
        ("/zo%EB@contoso.com", 400),
        ("/agent001@contoso.com?$select=nonsense", 400),
        ("/agent001@contoso.com?select=id", 400),
        ("/" + "a" * 2000, 400),
    ],
)
def test_lookup_refused(sim, path, status):
    answer = sim.graph("GET", f"/users{path}")
    assert answer.status == status
    if status == 404:
        assert answer.code == "Request_ResourceNotFound"


def test_lookup_by_id(sim):
    user = sim.graph("GET", f"/users/{sim.id('agent001@contoso.com').upper()}").json
    assert user["userPrincipalName"] == "agent001@contoso.com"
    assert (user["displayName"], user["accountEnabled"]) == ("agent001", True)


def test_renamed_and_deleted(sim):
    old, new = sim.id("agent030@contoso.com"), str(uuid.uuid4())
    sim.order("users", {"upn": "agent030@contoso.com", "id": new})
    assert sim.graph("GET", "/users/agent030@contoso.com").json["id"] == new
    assert sim.graph("GET", f"/users/{old}").json["userPrincipalName"] != "agent030@contoso.com"
    sim.order("users", {"upn": "renamed@contoso.com", "id": new})
    assert sim.graph("GET", "/users/renamed@contoso.com").json["id"] == new
    assert sim.graph("GET", "/users/agent030@contoso.com").status == 404
    sim.order("users", {"upn": "renamed@contoso.com", "delete": True})
    assert sim.graph("GET", f"/users/{new}").status == 404
    body = {"sessionId": sim.client, "availability": "Away", "activity": "Away"}
    assert sim.graph("POST", f"/users/{new}/presence/setPresence", body).status == 404


# ---- presence ----

SESSION_PAIRS = ["Available/Available", "Busy/InACall", "Busy/InAConferenceCall", "Away/Away", "DoNotDisturb/Presenting"]
PREFERRED_PAIRS = [
    "Available/Available", "Busy/Busy", "DoNotDisturb/DoNotDisturb", "BeRightBack/BeRightBack", "Away/Away", "Offline/OffWork",
]  # fmt: skip


@pytest.mark.parametrize("pair", SESSION_PAIRS)
def test_set_presence(sim, pair):
    answer = sim.set("agent002@contoso.com", *pair.split("/"), expirationDuration="PT1H")
    assert (answer.status in (200, 204), answer.body) == (True, b"")
    assert sim.shown("agent002@contoso.com") == pair


def test_both_kinds_of_success(sim):
    seen = {sim.set(f"agent0{i}@contoso.com", "Away", "Away").status for i in range(10, 30)}
    assert seen == {200, 204}


@pytest.mark.parametrize(
    "changes",
    [
        {"availability": "Busy", "activity": "Busy"},
        {"availability": "BeRightBack", "activity": "BeRightBack"},
        {"availability": "Offline", "activity": "OffWork"},
        {"availability": "available", "activity": "available"},
        {"availability": "Available", "activity": "InACall"},
        {"availability": None},
        {"expirationDuration": "PT4M59S"},
        {"expirationDuration": "PT4H1S"},
        {"expirationDuration": "PT8H"},
        {"expirationDuration": "1h"},
        {"expirationDuration": 60},
        {"sessionId": str(uuid.uuid4())},
        {"sessionId": None},
        {"surprise": 1},
    ],
)
def test_set_presence_refused(sim, changes):
    body = {"sessionId": sim.client, "availability": "Available", "activity": "Available", **changes}
    answer = sim.act("agent003@contoso.com", "setPresence", body)
    assert (answer.status, answer.code) == (400, "BadRequest")
    assert answer.json["error"]["innerError"]["request-id"] == answer.headers["request-id"]
    assert sim.shown("agent003@contoso.com") == "Offline/Offline"


@pytest.mark.parametrize("duration", ["PT5M", "PT4H", "PT240M", "PT300S"])
def test_durations(sim, duration):
    assert sim.set("agent002@contoso.com", "Away", "Away", expirationDuration=duration).status in (200, 204)


def test_default_duration(sim):
    sim.set("agent002@contoso.com", "Away", "Away")
    session = sim.state("agent002@contoso.com")["sessions"][0]
    assert (session["id"], session["expires_ms"] - session["set_ms"]) == (sim.client, 300_000)


def test_clear_presence(sim):
    upn = "agent004@contoso.com"
    sim.set(upn, "Busy", "InACall")
    assert sim.act(upn, "clearPresence", {"sessionId": str(uuid.uuid4())}).status == 400
    assert sim.act(upn, "clearPresence", {"sessionId": sim.client}).status in (200, 204)
    assert sim.shown(upn) == "Offline/Offline"
    answer = sim.act(upn, "clearPresence", {"sessionId": sim.client})
    assert (answer.status, answer.code) == (404, "NotFound")


@pytest.mark.parametrize("pair", PREFERRED_PAIRS)
def test_preferred(sim, pair):
    upn, (availability, activity) = "agent005@contoso.com", pair.split("/")
    body = {"availability": availability, "activity": activity}
    assert sim.act(upn, "clearUserPreferredPresence").status in (200, 204)
    sim.set(upn, "Busy", "InACall")
    assert sim.act(upn, "setUserPreferredPresence", body).status in (200, 204)
    assert sim.shown(upn) == pair
    ends = sim.state(upn)["preferred"]["expires_ms"] - time.time() * 1000
    assert round(ends / 86_400_000) == (1 if availability in ("Busy", "DoNotDisturb") else 7)
    assert sim.act(upn, "clearUserPreferredPresence").status in (200, 204)
    assert sim.shown(upn) == "Busy/InACall"


def test_preferred_needs_a_session(sim):
    upn = "agent006@contoso.com"
    body = {"availability": "Busy", "activity": "Busy", "expirationDuration": "PT8H"}
    assert sim.act(upn, "setUserPreferredPresence", body).status in (200, 204)
    assert sim.shown(upn) == "Offline/Offline"
    sim.set(upn, "Away", "Away")
    assert sim.shown(upn) == "Busy/Busy"


@pytest.mark.parametrize(
    "body",
    [
        {"availability": "Busy", "activity": "InACall"},
        {"availability": "Offline", "activity": "Offline"},
        {"sessionId": "x", "availability": "Busy", "activity": "Busy"},
        {"availability": "Busy", "activity": "Busy", "expirationDuration": "PT0S"},
    ],
)
def test_preferred_refused(sim, body):
    assert sim.act("agent007@contoso.com", "setUserPreferredPresence", body).status == 400


def test_teams_client_masks_away(sim):
    upn = "agent008@contoso.com"
    sim.order("teams", {"upn": upn, "availability": "Available", "activity": "Available"})
    sim.set(upn, "Away", "Away")
    assert sim.shown(upn) == "Available/Available"
    sim.set(upn, "Busy", "InACall")
    assert sim.shown(upn) == "Busy/InACall"
    sim.order("preferred", {"upn": upn, "availability": "BeRightBack"})
    assert sim.shown(upn) == "BeRightBack/BeRightBack"
    sim.order("preferred", {"upn": upn, "availability": None})
    sim.order("teams", {"upn": upn, "availability": None})
    sim.set(upn, "Away", "Away")
    assert sim.shown(upn) == "Away/Away"


def message_body(text, until=None, **more):
    status = {"message": {"content": text, "contentType": "text"}, **more}
    if until is not None:
        status["expiryDateTime"] = {"dateTime": until, "timeZone": "UTC"}
    return {"statusMessage": status}


def test_status_message(sim):
    upn = "agent009@contoso.com"
    assert sim.act(upn, "setStatusMessage", message_body("À table", "2126-10-18T17:05:33.2079781")).status in (200, 204)
    assert sim.state(upn)["message"]["content"] == "À table"
    read = sim.graph("GET", f"/users/{sim.id(upn)}/presence").json["statusMessage"]
    assert (read["message"]["content"], "expiryDateTime" in read) == ("À table", False)
    assert sim.act(upn, "setStatusMessage", message_body("")).status in (200, 204)
    assert sim.state(upn)["message"] is None
    sim.act(upn, "setStatusMessage", message_body("gone", "2020-01-01T00:00:00"))
    assert sim.state(upn)["message"] is None


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"statusMessage": {"message": {"content": "x", "contentType": "html"}}},
        {"statusMessage": {"message": {"contentType": "text"}}},
        message_body("x", "2126-10-18T17:05:33Z"),
        message_body("x", "2126-10-18T17:05:33+02:00"),
        message_body("x", "tomorrow"),
        message_body("x", expiryDateTime={"dateTime": "2126-10-18T17:05:33", "timeZone": "Mars"}),
        message_body("é" * 281),
    ],
)
def test_status_message_refused(sim, body):
    assert sim.act("agent009@contoso.com", "setStatusMessage", body).status == 400


@pytest.mark.parametrize(
    "headers, body, status",
    [
        ({"Content-Type": None}, "{}", 400),
        ({"Content-Type": "text/plain"}, "{}", 415),
        ({"Content-Type": "application/json; charset=utf-8"}, "{}", 200),
        ({}, "", 400),
        ({}, "[]", 400),
        ({}, "{", 400),
        ({}, b'{"a":"\xff"}', 400),
        ({}, "[" * 5000, 400),
    ],
)
def test_bodies(sim, headers, body, status):
    answer = sim.act("agent001@contoso.com", "clearUserPreferredPresence", body, headers=headers)
    assert answer.status in ((200, 204) if status == 200 else (status,))


def test_presence_paths_take_no_upn(sim):
    assert sim.graph("GET", "/users/agent001@contoso.com/presence").status == 400
    body = {"sessionId": sim.client, "availability": "Away", "activity": "Away"}
    assert sim.graph("POST", "/users/agent001@contoso.com/presence/setPresence", body).status == 400
    assert sim.graph("GET", f"/users/{uuid.uuid4()}/presence").status == 404


def test_reads(sim):
    upn = "agent010@contoso.com"
    sim.set(upn, "Busy", "InACall")
    user = sim.id(upn)
    for path in (f"/users/{user}/presence", f"/communications/presences/{user}"):
        body = sim.graph("GET", path).json
        assert (body["id"], body["availability"], body["activity"]) == (user, "Busy", "InACall")
    ids = {"ids": [user, str(uuid.uuid4())]}
    many = sim.graph("POST", "/communications/getPresencesByUserId", ids).json["value"]
    assert [one["id"] for one in many] == [user]
    too_many = {"ids": [user] * 651}
    assert sim.graph("POST", "/communications/getPresencesByUserId", too_many).status == 400
    too_many["ids"].pop()
    assert len(sim.graph("POST", "/communications/getPresencesByUserId", too_many).json["value"]) == 650


def set_part(id, user, client, availability="Busy", activity="InACall", **more):
    body = {"sessionId": client, "availability": availability, "activity": activity}
    return {"id": id, "method": "POST", "url": f"/users/{user}/presence/setPresence",
            "headers": {"Content-Type": "application/json"}, "body": body, **more}


def batch(sim, *parts):
    answer = sim.graph("POST", "/$batch", {"requests": list(parts)})
    return answer, {part["id"]: part for part in answer.json.get("responses", [])}


def test_batch(sim):
    """Every part is answered by itself; an error of one is not an error of the whole."""
    first, second = sim.id("agent001@contoso.com"), sim.id("agent002@contoso.com")
    answer, parts = batch(
        sim, set_part("a", first, sim.client), set_part("b", second, sim.client, activity="Lunch"),
        {"id": "c", "method": "GET", "url": "users/agent003%40contoso.com?$select=id"},
        {"id": "d", "method": "GET", "url": f"/users/{first}/presence"}, {"id": "e", "method": "POST", "url": "/$batch"},
        set_part("f", first, sim.client, headers={}), set_part("g", second, sim.client, body="Busy"))
    assert answer.status == 200
    statuses = {id: part["status"] for id, part in parts.items()}
    assert statuses.pop("a") in (200, 204)
    assert statuses == {"b": 400, "c": 200, "d": 200, "e": 400, "f": 400, "g": 400}
    assert parts["b"]["body"]["error"]["code"] == "BadRequest"
    assert parts["c"]["body"] == {**parts["c"]["body"], "id": sim.id("agent003@contoso.com")}
    assert parts["d"]["body"]["activity"] == "InACall"
    assert "body" not in parts["a"]
    assert sim.state("agent001@contoso.com")["shown"]["activity"] == "InACall"
    entries = sim.log()["entries"][-8:]
    assert [entry["operation"] for entry in entries] == [
        "setPresence", "setPresence", "lookup", "getPresence", "", "setPresence", "setPresence", "$batch"]
    bodies = [entry["body"] and json.loads(entry["body"]) for entry in entries]
    busy = {"sessionId": sim.client, "availability": "Busy", "activity": "InACall"}
    assert bodies == [busy, {**busy, "activity": "Lunch"}, "", "", "", busy, "Busy", ""]


def test_batch_in_another_order(sim):
    parts = [{"id": str(i), "method": "GET", "url": "/users/agent001@contoso.com"} for i in range(20)]
    orders = [[part["id"] for part in batch(sim, *parts)[0].json["responses"]] for _ in range(3)]
    assert all(sorted(order, key=int) == [str(i) for i in range(20)] for order in orders)
    assert any(order != [str(i) for i in range(20)] for order in orders)


@pytest.mark.parametrize("requests", [
    [], None, "x", [{"method": "GET", "url": "/x"}], [{"id": "1", "method": "GET"}],
    [{"id": "a", "method": "GET", "url": "/x"}, {"id": "A", "method": "GET", "url": "/y"}],
    [{"id": str(i), "method": "GET", "url": "/x"} for i in range(21)],
    [{"id": "1", "method": "GET", "url": "/" + "x" * 6000}], [{"id": "1" * 100, "method": "GET", "url": "/x"}],
    [{"id": "1", "method": "GET", "url": "/x", "dependsOn": ["2"]}],
])
def test_malformed_batch(sim, requests):
    answer = sim.graph("POST", "/$batch", {"requests": requests})
    assert (answer.status, answer.code) == (400, "BadRequest")


def test_batch_under_the_budget(start):
    """Each part counts as if it came alone, and the part's own headers say when to come again."""
    sim = start("--requests-per-30s", "5")
    ids = [sim.id(f"agent{number:03}@contoso.com") for number in range(1, 9)]
    answer, parts = batch(sim, *(set_part(str(i), user, sim.client) for i, user in enumerate(ids)))
    throttled = [part for part in parts.values() if part["status"] == 429]
    assert answer.status == 200 and len(throttled) == 3
    assert all(int(part["headers"]["Retry-After"]) >= 29 for part in throttled)


@pytest.mark.parametrize("fault, status", [
    ("batch-424", 424), ("batch-refused", 400), ("batch-429", 429), ("batch-503", 503), ("batch-lost", None), ("reset", None)])
def test_faults_of_a_batch(start, fault, status):
    sim = start("--fault", fault)
    user = sim.id("agent001@contoso.com")
    if status is None:
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            batch(sim, set_part("1", user, sim.client))
    else:
        answer, parts = batch(sim, set_part("1", user, sim.client))
        assert answer.status == status
        if status == 424:
            assert parts["1"]["status"] == 429 and parts["1"]["headers"]["Retry-After"] == "2"
    shown = sim.state("agent001@contoso.com")["shown"]["activity"]
    assert (shown == "InACall") == (fault == "batch-lost")
    sim.graph("GET", "/users/agent001@contoso.com")
    assert sim.state()["counters"]["max_in_flight_per_user"] <= 1


def test_request_ids(sim):
    mark = str(uuid.uuid4())
    answer = sim.graph("GET", "/users/nobody@contoso.com", headers={"client-request-id": mark, "User-Agent": "tester/1"})
    assert answer.headers["client-request-id"] == mark
    assert answer.json["error"]["innerError"]["client-request-id"] == mark
    assert re.fullmatch("[0-9a-f-]{36}", answer.headers["request-id"])
    entry = sim.log()["entries"][-1]
    assert (entry["client_request_id"], entry["user_agent"], entry["status"]) == (mark, "tester/1", 404)


# ---- throttling and faults ----


def test_budget(start):
    sim = start("--requests-per-30s", "20")
    user = sim.id("agent001@contoso.com")
    answers = [sim.graph("GET", f"/users/{user}/presence") for _ in range(23)]
    assert [answer.status for answer in answers] == [200] * 20 + [429] * 3
    assert answers[-1].code == "TooManyRequests"
    assert 20 <= int(answers[-1].headers["Retry-After"]) <= 30
    counters = sim.state()["counters"]
    assert (counters["max_in_30s"], counters["over_budget"], counters["throttled"]) == (23, 3, 3)
    assert sim.graph("GET", "/users/agent001@contoso.com").status == 200, "lookups have a quota of their own"


@pytest.mark.parametrize(
    "kind, status, retry_after",
    [
        ("throttle", 429, "2"),
        ("throttle-decimal", 429, "2.128"),
        ("throttle-bare", 429, None),
        ("throttle-rubbish", 429, "soon"),
        ("500", 500, None),
        ("502", 502, None),
        ("503", 503, "1"),
        ("504", 504, None),
        ("401", 401, None),
        ("403", 403, None),
        ("400", 400, None),
        ("404", 404, None),
    ],
)
def test_status_faults(sim, faults, kind, status, retry_after):
    faults(kind)
    answer = sim.set("agent011@contoso.com", "Busy", "InACall")
    assert (answer.status, answer.headers["Retry-After"]) == (status, retry_after)
    assert answer.code
    assert sim.log()["entries"][-1]["fault"] == kind


def test_throttle_date(sim, faults):
    faults("throttle-date")
    value = sim.set("agent011@contoso.com", "Busy", "InACall").headers["Retry-After"]
    wait = time.mktime(time.strptime(value, "%a, %d %b %Y %H:%M:%S GMT")) - time.mktime(time.gmtime())
    assert 1 <= wait <= 3


@pytest.mark.parametrize("kind, applied", [("reset", False), ("lost", True)])
def test_resets(sim, faults, kind, applied):
    upn = f"agent01{2 + applied}@contoso.com"
    sim.act(upn, "clearPresence", {"sessionId": sim.client})
    faults(f"{kind}:1:1")
    with pytest.raises((ConnectionResetError, ssl.SSLError)):
        sim.set(upn, "Busy", "InACall")
    assert sim.shown(upn) == ("Busy/InACall" if applied else "Offline/Offline")
    assert sim.log()["entries"][-1]["status"] == 0
    assert sim.set(upn, "Away", "Away").status in (200, 204), "once only"


@pytest.mark.parametrize("kind, path", [("hang", None), ("lookup-hang", "/users/agent001@contoso.com")])
def test_hangs(sim, faults, kind, path):
    user = sim.id("agent014@contoso.com")
    faults(kind)
    body = None if path else {"sessionId": sim.client, "availability": "Away", "activity": "Away"}
    with pytest.raises(TimeoutError):
        sim.graph("POST" if body else "GET", path or f"/users/{user}/presence/setPresence", body, timeout=1)


def test_slow_counts_flights(sim, faults):
    upn = "agent015@contoso.com"
    user = sim.id(upn)
    faults("slow")
    connections = []
    for _ in range(2):
        connection = http.client.HTTPSConnection("127.0.0.1", sim.facts["port"], context=sim.tls, timeout=DEADLINE_S)
        headers = {"Authorization": f"Bearer {sim.bearer}", "Content-Type": "application/json"}
        body = json.dumps({"sessionId": sim.client, "availability": "Away", "activity": "Away"})
        connection.request("POST", f"/v1.0/users/{user}/presence/setPresence", body, headers)
        connections.append(connection)
    started = time.monotonic()
    assert all(connection.getresponse().status in (200, 204) for connection in connections)
    assert time.monotonic() - started > 1
    assert sim.state()["counters"]["max_in_flight_per_user"] == 2
    for connection in connections:
        connection.close()


def test_peer_gone_before_the_answer(sim, faults):
    faults("slow:1:4")
    user = sim.id("agent016@contoso.com")
    for _ in range(3):
        with pytest.raises(TimeoutError):
            body = {"sessionId": sim.client, "availability": "Away", "activity": "Away"}
            sim.graph("POST", f"/users/{user}/presence/setPresence", body, timeout=0.2)
    # The fourth waits for its answer, which comes after those to nobody.
    assert sim.set("agent016@contoso.com", "Busy", "InACall").status in (200, 204)
    assert sim.graph("GET", f"/users/{user}/presence").status == 200


def test_rubbish(sim, faults):
    faults("rubbish")
    answer = sim.set("agent017@contoso.com", "Busy", "InACall")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html")
    assert b"<html>" in answer.body


def test_token_faults(sim, faults):
    faults("token-500:1:1", "token-bad-secret:1:1", "token-rubbish:1:1", "token-no-role:1:1")
    assert (lambda a: (a.status, a.json["error"]))(sim.token()) == (500, "server_error")
    assert sim.token().json["error_codes"] == [7000215]
    assert b"<html>" in sim.token().body
    roleless, good, sim.bearer = sim.token().json["access_token"], sim.bearer, None
    try:
        sim.bearer = roleless
        assert sim.set("agent018@contoso.com", "Away", "Away").code == "Authorization_RequestDenied"
    finally:
        sim.bearer = good
    faults("token-reset")
    with pytest.raises((ConnectionResetError, ssl.SSLError)):
        sim.token()


def test_lookup_faults(sim, faults):
    faults("lookup-500:1:1", "lookup-404:1:1", "lookup-throttle:1:1")
    answers = [sim.graph("GET", "/users/agent001@contoso.com") for _ in range(4)]
    assert [answer.status for answer in answers] == [500, 404, 429, 200]
    assert answers[2].headers["Retry-After"] == "2"


def test_faults_follow_the_seed(start, tmp_path):
    runs = []
    for name in ("a", "b"):
        sim = start("--seed", "7", "--fault", "500:0.5", folder=tmp_path / name)
        runs.append([sim.set("agent001@contoso.com", "Away", "Away").status for _ in range(24)])
    assert runs[0] == runs[1]
    assert 500 in runs[0] and len(set(runs[0])) == 2


@pytest.mark.parametrize(
    "path, body",
    [
        ("faults", ["nope"]),
        ("faults", ["500:2"]),
        ("faults", {"500": 1}),
        ("users", {"upn": "agent001@contoso.com", "id": "x"}),
        ("users", {"upn": "ghost@contoso.com", "delete": True}),
        ("teams", {"upn": "agent001@contoso.com", "availability": "Bored"}),
        ("teams", {"upn": "ghost@contoso.com", "availability": "Busy"}),
        ("preferred", {"upn": "agent001@contoso.com", "availability": "Busy", "activity": "InACall"}),
    ],
)
def test_wrong_orders(sim, path, body):
    answer = sim.ask("POST", f"/sim/{path}", body)
    assert answer.status == 400
    assert answer.json["error"]


def test_sim_port_knows_its_paths(sim):
    assert sim.ask("GET", "/nothing").status == 404
    assert sim.ask("POST", "/nothing", {}).status == 404
    assert sim.ask("GET", "/sim/log?after=x").status == 400
    assert sim.ask("GET", "/sim/state?user=ghost").status == 404


# ---- the program ----


def test_log_has_no_secrets(sim):
    sim.token()
    sim.token(client_secret="another-secret-value")
    sim.set("agent019@contoso.com", "Away", "Away")
    text = sim.ask("GET", "/sim/log").body.decode() + sim.ask("GET", "/sim/state").body.decode()
    for secret in (sim.facts["secret"], "another-secret-value", sim.bearer, sim.bearer.split(".")[2]):
        assert secret not in text
        assert urllib.parse.quote(secret) not in text


def test_log_is_in_order(sim):
    before = sim.log()["last"]
    sim.set("agent020@contoso.com", "Away", "Away")
    sim.act("agent020@contoso.com", "clearPresence", {"sessionId": sim.client})
    entries = sim.log(before)["entries"]
    assert [(entry["n"], entry["operation"]) for entry in entries] == [
        (before + 1, "setPresence"),
        (before + 2, "clearPresence"),
    ]
    assert entries[0]["user"] == "agent020@contoso.com"
    assert json.loads(entries[0]["body"])["activity"] == "Away"


def test_files(sim):
    assert (sim.folder / "presenced.key").stat().st_mode & 0o777 == 0o600
    config = (sim.folder / "config.xml").read_text()
    assert f'ClientId="{sim.client}"' in config and 'Encryptedsecret="pp1:' in config
    assert sim.facts["secret"] not in config and "Rules=" not in config
    assert sim.facts["pid"] == sim.process.pid


def test_restart_fits_the_same_config(start, tmp_path):
    first = start("--seed", "5")
    key, facts, user = (tmp_path / "presenced.key").read_bytes(), first.facts, first.id("agent001@contoso.com")
    assert first.stop(signal.SIGINT) == (0, "")
    second = start("--seed", "5", "--port", str(facts["port"]))
    assert (tmp_path / "presenced.key").read_bytes() == key
    for name in ("client_id", "tenant_id", "secret", "port"):
        assert second.facts[name] == facts[name]
    assert second.id("agent001@contoso.com") == user
    assert second.stop() == (0, "")
    third = start("--seed", "6")
    assert third.facts["secret"] != facts["secret"]
    assert third.id("agent001@contoso.com") != user


def test_spoilt_key_is_replaced(start, tmp_path):
    (tmp_path / "presenced.key").write_text("rubbish")
    assert start().token().status == 200


def test_stops_with_requests_open(start):
    sim = start("--fault", "hang", "--latency", "100")
    user = sim.id("agent001@contoso.com")
    with pytest.raises(TimeoutError):
        sim.graph("POST", f"/users/{user}/presence/clearUserPreferredPresence", {}, timeout=0.5)
    connection = http.client.HTTPSConnection("127.0.0.1", sim.facts["port"], context=sim.tls, timeout=DEADLINE_S)
    connection.request("POST", f"/v1.0/users/{user}/presence/clearPresence", "{}", {"Authorization": f"Bearer {sim.bearer}"})
    while sim.state()["counters"]["actions"]["clearPresence"] == 0:
        pass
    assert sim.stop() == (0, "")
    connection.close()


def test_hostile_bytes(sim):
    """Nothing of this may stop it, and it must say so under the sanitizers too."""
    pieces = [
        b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n", os.urandom(2000), b"\x00" * 4096,
    ]  # fmt: skip
    for piece in pieces:
        with socket.create_connection(("127.0.0.1", sim.facts["port"]), timeout=DEADLINE_S) as plain:
            plain.sendall(piece)
    requests = [
        b"BREW /pot HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
        b"GET /v1.0/users/zo\xc3\xab@contoso.com HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET " + b"/a" * 40000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /v1.0/users HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /v1.0/users HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\nab",
        b"POST /v1.0/users HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /v1.0/x/oauth2/v2.0/token HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n\x00\xff=",
        b"/oauth2/v2.0/token\r\n\r\n",
        b"POST /oauth2/v2.0/token HTTP/1.0\r\n\r\n",
    ]
    for request in requests:
        with socket.create_connection(("127.0.0.1", sim.facts["port"]), timeout=DEADLINE_S) as plain:
            with sim.tls.wrap_socket(plain, server_hostname="localhost") as tls:
                tls.sendall(request)
                tls.settimeout(1)
                try:
                    first = tls.recv(64)
                except TimeoutError:
                    first = b""  # it waits for the rest
                assert first == b"" or re.match(rb"HTTP/1\.[01] [45]\d\d ", first), (request[:60], first)
    assert sim.graph("GET", "/users/agent001@contoso.com").status == 200


@pytest.mark.parametrize(
    "arguments, words",
    [
        ([], "--dir"),
        (["--dir"], "--dir"),
        (["--dir", "{dir}", "--port", "x"], "--port"),
        (["--dir", "{dir}", "--port", "70000"], "--port"),
        (["--dir", "{dir}", "--users", "-1"], "--users"),
        (["--dir", "{dir}", "--fault", "nope"], "token-bad-secret"),
        (["--dir", "{dir}", "--fault", "500:1:x"], "number of times"),
        (["--dir", "{dir}", "--roles", "God"], "--roles"),
        (["--dir", "{dir}", "--nope"], "--nope"),
        (["--dir", "{dir}", "stray"], "stray"),
        (["--dir", "{dir}/no/such"], "cannot be made"),
        (["--dir", "{dir}", "--port", "{busy}"], "cannot listen"),
    ],
)
def test_usage_errors(arguments, words, tmp_path):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        filled = [a.replace("{dir}", str(tmp_path)).replace("{busy}", str(busy.getsockname()[1])) for a in arguments]
        done = subprocess.run([BIN / "graphsim", *filled], capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert done.stderr.startswith("graphsim: ") and done.stderr.count("\n") == 1


def test_help():
    done = subprocess.run([BIN / "graphsim", "--help"], capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--fault KIND" in done.stdout and "lookup-throttle" in done.stdout
