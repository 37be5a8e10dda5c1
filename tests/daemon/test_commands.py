"""The commands as a person types them, against the stand-in for Entra and Graph."""

import contextlib
import os
import re
import socket
import stat
import subprocess

import pytest
from conftest import command, on_terminal, wait_until

SPECIAL = ["o'neil@contoso.com", "ann_fabrikam.com#EXT#@contoso.com", "$ervice@contoso.com", "a+b@contoso.com",
           "zoë@contoso.com"]


def ask(sim, *arguments, **more):
    return command(*arguments, "-c", sim.config, **more)


# ---- publish, presence, clear, lookup


@pytest.mark.parametrize("presence,shown", [
    ("teams.available", ("Available", "Available")), ("teams.in_a_call", ("Busy", "InACall")),
    ("teams.in_a_conference_call", ("Busy", "InAConferenceCall")), ("teams.presenting", ("DoNotDisturb", "Presenting")),
    ("teams.busy", ("Busy", "Busy")), ("teams.do_not_disturb", ("DoNotDisturb", "DoNotDisturb")),
    ("teams.be_right_back", ("BeRightBack", "BeRightBack")), ("teams.away", ("Away", "Away")),
    ("teams.offline", ("Offline", "OffWork")), ("session.away", ("Away", "Away")), ("busy", ("Busy", "Busy")),
    ("Busy InACall", ("Busy", "InACall")), ("Offline OffWork", ("Offline", "OffWork")),
])
def test_publish_and_clear(sim, presence, shown):
    result = ask(sim, "publish", "agent001@contoso.com", presence, "--for", "30m")
    assert result.code == 0 and result.out.startswith("agent001@contoso.com: published"), result
    assert sim.shown("agent001@contoso.com") == shown
    result = ask(sim, "presence", "agent001@contoso.com")
    assert result.out == f"agent001@contoso.com: {shown[0]} / {shown[1]}\n"
    assert ask(sim, "presence", "agent001@contoso.com", "--json").json()["availability"] == shown[0]
    assert ask(sim, "clear", "agent001@contoso.com").code == 0
    assert ask(sim, "clear", "agent001@contoso.com").code == 0  # nothing there is as good
    assert sim.shown("agent001@contoso.com") == ("Offline", "Offline")


def test_published_for_as_long_as_said(sim):
    assert ask(sim, "publish", "agent001@contoso.com", "in_a_call", "--for", "1h30m").code == 0
    session = sim.user("agent001@contoso.com")["sessions"][0]
    assert session["expires_ms"] - session["set_ms"] == 90 * 60 * 1000


@pytest.mark.parametrize("upn", SPECIAL)
def test_names_that_need_escaping(sim, upn):
    result = ask(sim, "lookup", upn, "--json")
    assert result.code == 0, result
    assert result.json()["upn"] == upn and result.json()["id"] == sim.user(upn)["id"]


def test_lookup_of_nobody(sim):
    result = ask(sim, "lookup", "nobody@contoso.com")
    assert result.code == 1
    assert re.fullmatch(r"presenced: nobody@contoso\.com: lookup: 404 .*the directory does not know this name \(request-id "
                        r"[0-9a-f-]{36}, client-request-id [0-9a-f-]{36}\)\n", result.err), result


def test_commands_retry_as_scripts_do(sim):
    """One throttled or failing request is no reason to give up: it is tried again, as graph.presence() does."""
    for fault in ("lookup-throttle:1:1", "throttle:1:1", "500:1:2", "lookup-500:1:2", "token-500:1:1", "reset:1:1"):
        sim.faults(fault)
        result = ask(sim, "presence", "agent001@contoso.com")
        assert result.code == 0, (fault, result)


def test_throttled_command_gives_up_in_the_end(sim):
    sim.faults("throttle")
    result = ask(sim, "publish", "agent001@contoso.com", "busy")
    assert result.code == 1 and "Graph throttles this application: try again later" in result.err


def test_one_sentence_where_no_daemon_answers(sim):
    """Whatever is asked, a dead socket is told alike, with the socket's path."""
    said = set()
    for arguments in (["status"], ["reload"], ["resync", "--all"], ["why", "a@contoso.com"], ["release", "a@contoso.com"]):
        result = ask(sim, *arguments)
        assert result.code == 1, result
        said.add(result.err.replace("a@contoso.com: ", ""))
    assert len(said) == 1, said
    assert re.fullmatch(r"presenced: \S+/control\.sock: no daemon answers; is presenced running with this config\.xml, "
                        r"and are you its user\?\n", said.pop())


def test_a_daemon_that_hangs_holds_nobody(sim):
    """Its queue is full: a command says so at once and does not wait in it."""
    path = sim.folder / "control.sock"
    with contextlib.ExitStack() as stack:
        hung = stack.enter_context(socket.socket(socket.AF_UNIX))
        hung.bind(str(path))
        hung.listen(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                waiting = stack.enter_context(socket.socket(socket.AF_UNIX))
                waiting.setblocking(False)
                waiting.connect(str(path))
        for arguments in (["status"], ["reload"], ["resync", "--all"], ["publish", "agent001@contoso.com", "busy"]):
            result = ask(sim, *arguments, patience=20)
            assert result.code == 1 and "control.sock" in result.err, result
    path.unlink()


def test_errors_forge_no_line(sim):
    """A name, and Graph's own words, may hold anything; what is printed is one line of plain text."""
    for arguments in (["lookup"], ["presence"], ["clear"], ["release"], ["why"]):
        result = ask(sim, *arguments, "a\x1b]0;b\x07\npresenced: forged@contoso.com")
        assert result.code == 1 and "\x1b" not in result.err and "\x07" not in result.err, result
        assert len(result.err.splitlines()) == 1, result


def test_stale_token_is_replaced_once(sim):
    sim.faults("401:1:1")
    assert ask(sim, "publish", "agent001@contoso.com", "busy").code == 0
    sim.faults("401")
    result = ask(sim, "publish", "agent001@contoso.com", "busy")
    assert result.code == 1 and "Graph refuses the token" in result.err


# ---- secrets


def test_key_and_secret(tmp_path, sim):
    key = tmp_path / "my.key"
    assert command("secret", "keygen", key).code == 0
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    refused = command("secret", "keygen", key)
    assert refused.code == 1 and "my.key" in refused.err
    sealed = ask(sim, "secret", "encrypt", "--account", "contoso.com", "--key-file", key, stdin=sim.about["secret"] + "\n")
    assert sealed.code == 0 and re.fullmatch(r"pp1:[A-Za-z0-9_-]+\n", sealed.out), sealed
    sim.change_config(lambda text: re.sub(r'Encryptedsecret="[^"]*"', f'Encryptedsecret="{sealed.out.strip()}"', text))
    assert ask(sim, "secret", "check", "--key-file", key).code == 0
    assert ask(sim, "secret", "check").code == 1  # the config's own key is another one
    assert ask(sim, "lookup", "agent001@contoso.com", "--key-file", key).code == 0
    os.chmod(key, 0o640)
    result = ask(sim, "lookup", "agent001@contoso.com", "--key-file", key)
    assert result.code == 2 and "my.key" in result.err


def test_secret_is_typed_without_echo(sim):
    code, shown = on_terminal("secret", "encrypt", "--account", "contoso.com", "-c", sim.config, typed="s3cret+/%&=é\n")
    assert code == 0 and "pp1:" in shown
    assert "s3cret" not in shown


def test_secret_id_is_refused(sim):
    result = ask(sim, "secret", "encrypt", "--account", "contoso.com", stdin="11111111-2222-3333-4444-555555555555\n")
    assert result.code == 1 and "copy its Value" in result.err


def test_sealing_needs_no_secret_in_the_file(sim):
    sim.change_config(lambda text: re.sub(r'Encryptedsecret="[^"]*"', 'Encryptedsecret="paste it here"', text))
    assert ask(sim, "secret", "encrypt", "--account", "contoso.com", stdin="x" * 40).code == 0


# ---- the vendor's snippet, within a larger file


def test_vendors_snippet(sim):
    """As the contact centre's documentation prints it, a stray space included, with real ids and a sealed secret."""
    text = sim.config.read_text("utf-8")
    account = re.search(r"<Account[^>]*/>", text).group(0)
    sim.config.write_text(f"""<?xml version="1.0" encoding="utf-8"?>
<uccConfig><Telephony lines="30"><Provider kind="sip"/></Telephony>
<PresenceProvider maxPresenceSubscriptionsPerSecond="15">
  <PresenceSubscriber/>
  <PresencePublisher >
    <MsGraphPresencePublisher KeyFile="presenced.key" CaFile="ca.pem" >
      {account}
    </MsGraphPresencePublisher>
  </PresencePublisher>
</PresenceProvider><More/></uccConfig>
""", "utf-8")
    assert ask(sim, "check").code == 0
    assert ask(sim, "publish", "agent001@contoso.com", "busy").code == 0
    assert sim.shown("agent001@contoso.com") == ("Busy", "Busy")


def test_several_accounts(make_sim, make_presenced, write_events):
    """Routed by domain, each to its own tenant."""
    first, second = make_sim(name="one"), make_sim("--seed", 2, name="two")
    other = re.search(r"<Account[^>]*/>", second.config.read_text("utf-8")).group(0)
    key = second.folder / "presenced.key"
    # One file, one key: the second secret is sealed again with the first one's.
    other = other.replace('Id="contoso.com"', 'Id="fabrikam" Domains="fabrikam.com FABRIKAM.org"')
    assert key.exists()
    first.change_config(lambda text: text.replace("<Account", other + "\n<Account", 1))
    (first.folder / "ca.pem").write_text((first.folder / "ca.pem").read_text() + (second.folder / "ca.pem").read_text())
    sealed = ask(first, "secret", "encrypt", "--account", "fabrikam", stdin=second.about["secret"])
    old = re.search(r'Encryptedsecret="([^"]*)"', other).group(1)
    first.change_config(lambda text: text.replace(old, sealed.out.strip()))
    second.post("/sim/users", {"upn": "anna@fabrikam.org", "id": "aaaaaaaa-0000-4000-8000-000000000001"})
    presenced = make_presenced(first, events=write_events({"agent": "Anna@Fabrikam.ORG", "state": "Talking"},
                                                          {"agent": "agent001@contoso.com", "state": "Ready"}), until_idle=True)
    assert presenced.wait() == 0, presenced.err
    assert second.shown("anna@fabrikam.org") == ("Busy", "InACall")
    assert first.shown("agent001@contoso.com") == ("Available", "Available")


# ---- status and version


def test_status(sim, make_presenced):
    presenced = make_presenced(sim, events="-", stdin=subprocess.PIPE)
    presenced.send({"agent": "agent001@contoso.com", "state": "NotReady", "reason": "LUNCH", "ucc": "voice"},
                   {"agent": "agent002@contoso.com", "state": "Unheard-of"})
    wait_until(lambda: sim.shown("agent001@contoso.com") == ("BeRightBack", "BeRightBack"), "it is shown")
    result = wait_until(lambda: "unmatched" in (r := ask(sim, "status", "--agents")).out and r, "status answers")
    assert "contoso.com: token valid" in result.out
    assert re.search(r"^agent001@contoso\.com +preferred\.be_right_back +reasons\.LUNCH +voice", result.out, re.M), result
    assert "state Unheard-of (1 times)" in result.out
    view = ask(sim, "status", "--json").json()
    agent = next(agent for agent in view["agents"] if agent["agent"] == "agent001@contoso.com")
    assert agent["carrier"] is True and agent["session"] == "session.away" and agent["uccs"][0]["reason"] == "LUNCH"
    assert view["events"]["accepted"] == 2


def test_version():
    result = command("version")
    for part in ("presenced 0.", "Lua 5.4", "libcurl/", "OpenSSL 3", "SQLite 3", "libevent 2", "RequestsPer30Seconds"):
        assert part in result.out
    assert {"element": "Account", "attribute": "Lease", "default": "1h", "min": "5m", "max": "4h"}.items() <= next(
        limit for limit in command("version", "--json").json()["limits"] if limit["attribute"] == "Lease").items()


def test_help():
    for name in ("run", "check", "eval", "publish", "clear", "lookup", "presence", "status", "resync", "secret", "version"):
        assert name in command("--help").out
        result = command(name, "--help")
        assert result.code == 0 and result.out.startswith(f"presenced {name}")


# ---- who is who


def test_name_that_becomes_another_user(sim, make_presenced):
    """The presence service does not know the old id any more: looked up once more, and it is another person."""
    presenced = make_presenced(sim, events="-", stdin=subprocess.PIPE)
    presenced.send({"agent": "agent001@contoso.com", "state": "Ready"})
    wait_until(lambda: sim.shown("agent001@contoso.com") == ("Available", "Available"), "it is shown")
    sim.post("/sim/users", {"upn": "agent001@contoso.com", "delete": True})
    sim.post("/sim/users", {"upn": "agent001@contoso.com", "id": "aaaaaaaa-0000-4000-8000-000000000001"})
    presenced.send({"agent": "agent001@contoso.com", "state": "Talking"})
    wait_until(lambda: sim.shown("agent001@contoso.com") == ("Busy", "InACall"), "the new one is in a call")


def test_two_names_of_one_user(sim, make_presenced):
    """Renamed in the directory; one contact centre knows the old name, one the new one, one the id."""
    object_id = sim.user("agent001@contoso.com")["id"]
    presenced = make_presenced(sim, events="-", stdin=subprocess.PIPE)
    presenced.send({"agent": "agent001@contoso.com", "state": "Ready", "ucc": "chat"})
    wait_until(lambda: sim.shown("agent001@contoso.com") == ("Available", "Available"), "it is shown")
    sim.post("/sim/users", {"upn": "anna@contoso.com", "id": object_id})
    presenced.send({"agent": "anna@contoso.com", "state": "Talking", "ucc": "voice"},
                   {"agent": object_id, "account": "contoso.com", "state": "NotReady", "reason": "LUNCH", "ucc": "mail"})
    wait_until(lambda: sim.shown("anna@contoso.com") == ("Busy", "InACall"), "the call outranks the lunch")
    agents = ask(sim, "status", "--json").json()["agents"]
    assert len(agents) == 1 and sorted(agents[0]["names"]) == sorted(
        ["agent001@contoso.com", "anna@contoso.com", object_id])
    presenced.send({"agent": "anna@contoso.com", "state": "LoggedOff", "ucc": "voice"})
    wait_until(lambda: sim.shown("anna@contoso.com") == ("BeRightBack", "BeRightBack"), "then the lunch the readiness")


def test_recording_by_the_clock(sim, make_presenced, write_events):
    """--speed plays a recording as many times as fast as it was made; --no-shift leaves its times alone."""
    events = write_events({"agent": "agent001@contoso.com", "state": "Ready", "at": "2026-01-05T12:00:00Z"},
                          {"agent": "agent001@contoso.com", "state": "Talking", "at": "2026-01-05T12:02:00Z"})
    presenced = make_presenced(sim, "--speed", 60, events=events, until_idle=True)
    wait_until(lambda: sim.shown("agent001@contoso.com") == ("Available", "Available"), "the first state is shown")
    assert presenced.wait() == 0, presenced.err
    assert sim.shown("agent001@contoso.com") == ("Busy", "InACall")
    # Of a day long ago nothing is left to show.
    (sim.folder / "state.db").unlink()
    assert make_presenced(sim, "--no-shift", events=events, until_idle=True).wait() == 0
    assert sim.counters()["actions"]["setPresence"] == 2
