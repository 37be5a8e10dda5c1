"""Rules that change while the daemon runs: a good edit is taken up at once, a bad one never replaces a good one."""

import http.client
import json
import os
import signal
import socket
import subprocess
import threading

import pytest
from conftest import BIN, command, wait_until

AGENT = "agent001@contoso.com"
READY = {"agent": AGENT, "state": "Ready"}
AVAILABLE, IN_A_CALL, BUSY = ("Available", "Available"), ("Busy", "InACall"), ("Busy", "Busy")
FIRST = "ruleset { states = { Ready = teams.available, LoggedOff = clear } }\n"
SECOND = "ruleset { states = { Ready = teams.busy, LoggedOff = clear } }\n"
BROKEN = "ruleset {\n  states = { Ready = session.busy },\n}\n"


class Rules:
    """The ruleset of a running daemon."""

    def __init__(self, sim, text=FIRST, attributes=""):
        self.sim, self.path = sim, sim.folder / "rules.lua"
        self.path.write_text(text)
        sim.change_config(lambda xml: xml.replace('State="', f'Rules="rules.lua" {attributes} State="'))

    def write(self, text):
        self.path.write_text(text)

    def save_as_editors_do(self, text):
        other = self.path.with_suffix(".tmp")
        other.write_text(text)
        os.rename(other, self.path)

    def ask(self, *arguments):
        return command(*arguments, "-c", self.sim.config)

    def view(self):
        return self.ask("status", "--json").json()["rules"]

    def generation(self, number):
        wait_until(lambda: self.view()["generation"] == number, f"generation {number} runs")


def shows(sim, presence, agent=AGENT):
    wait_until(lambda: sim.shown(agent) == presence, f"{presence} is shown")


@pytest.fixture
def start(make_presenced):
    def make(sim, *events):
        presenced = make_presenced(sim, events="-", stdin=subprocess.PIPE)
        presenced.send(*events)
        return presenced

    return make


@pytest.mark.parametrize("save", ["write", "save_as_editors_do"])
def test_a_changed_file(sim, start, save):
    rules = Rules(sim)
    presenced = start(sim, READY)
    shows(sim, AVAILABLE)
    getattr(rules, save)(SECOND)
    shows(sim, BUSY)
    presenced.wait_for("generation 2: 1 agents decided again, 1 presences differ")
    view = rules.ask("status", "--json").json()["agents"][0]
    assert view["uccs"][0]["generation"] == 2


def test_a_bad_edit_replaces_nothing(sim, start):
    rules = Rules(sim)
    presenced = start(sim, READY)
    shows(sim, AVAILABLE)
    rules.write(BROKEN)
    presenced.wait_for("rules.lua:2: ")
    presenced.wait_for("(generation 1 runs on)")
    view = rules.view()
    assert view["generation"] == 1 and view["failures"] >= 1 and "rules.lua:2: " in view["last_failure"]
    presenced.send({**READY, "agent": "agent002@contoso.com"})
    shows(sim, AVAILABLE, "agent002@contoso.com")
    rules.write(SECOND)  # mended
    shows(sim, BUSY)
    assert rules.view()["last_failure"] == ""


def test_what_mends_a_bad_edit_may_be_in_another_file(sim, start):
    """The edit names a file that is not there, then one that is wrong: each repair is noticed by itself."""
    rules = Rules(sim)
    presenced = start(sim, READY)
    shows(sim, AVAILABLE)
    (sim.folder / "lib").mkdir()
    rules.write('ruleset { extends = "lib/site.lua" }\n')
    presenced.wait_for("the rules are not reloaded")
    site = sim.folder / "lib" / "site.lua"
    site.write_text(BROKEN)
    presenced.wait_for("site.lua:2: ")
    site.write_text(SECOND)
    rules.generation(2)
    shows(sim, BUSY)


def test_a_link(sim, start, tmp_path):
    """The ruleset is a link: its target is edited where it is, then the link leads elsewhere."""
    rules = Rules(sim)
    for name, text in (("a.lua", FIRST), ("b.lua", FIRST)):
        (tmp_path / name).write_text(text)
    rules.path.unlink()
    rules.path.symlink_to(tmp_path / "a.lua")
    start(sim, READY)
    shows(sim, AVAILABLE)
    (tmp_path / "a.lua").write_text(SECOND)
    rules.generation(2)
    shows(sim, BUSY)
    other = rules.path.with_suffix(".new")
    other.symlink_to(tmp_path / "b.lua")
    os.rename(other, rules.path)
    rules.generation(3)
    shows(sim, AVAILABLE)


def test_sighup_and_reload(sim, start):
    rules = Rules(sim)
    presenced = start(sim, READY)
    shows(sim, AVAILABLE)
    presenced.process.send_signal(signal.SIGHUP)
    rules.generation(2)
    result = rules.ask("reload")
    assert result.code == 0 and "generation 3 runs: 0 agents differ" in result.out, result
    assert sim.counters()["actions"]["setPresence"] == 1  # only differences are sent


def test_dry_run_and_rollback(sim, start):
    rules = Rules(sim)
    start(sim, READY, {**READY, "agent": "agent002@contoso.com"})
    shows(sim, AVAILABLE)
    shows(sim, AVAILABLE, "agent002@contoso.com")
    refused = rules.ask("reload", "--rollback")
    assert refused.code == 2 and "no generation before" in refused.err
    rules.save_as_editors_do(SECOND)
    rules.generation(2)
    shows(sim, BUSY)
    before = sim.counters()["actions"]
    result = rules.ask("reload", "--dry-run")
    assert result.code == 0 and "would differ" in result.out
    assert sim.counters()["actions"] == before
    result = rules.ask("reload", "--rollback", "--json")
    assert result.json()["generation"] == 1 and result.json()["agents_differ"] == 2
    assert result.json()["differences"] == [
        {"what": "states.Ready -> states.Ready: preferred.busy 12h -> session.available 12h", "count": 2}]
    shows(sim, AVAILABLE)


def test_too_many_changes(sim, start):
    rules = Rules(sim, attributes='ReloadMaxChanges="1"')
    presenced = start(sim, READY, {**READY, "agent": "agent002@contoso.com"})
    shows(sim, AVAILABLE, "agent002@contoso.com")
    shows(sim, AVAILABLE)
    rules.write(SECOND)
    presenced.wait_for("would change 2 agents, more than ReloadMaxChanges (1)")
    assert rules.view()["generation"] == 1
    assert sim.shown(AGENT) == AVAILABLE


def test_shadow(sim, start):
    (sim.folder / "shadow.lua").write_text(SECOND)
    rules = Rules(sim, attributes='Shadow="shadow.lua"')
    presenced = start(sim, READY, {**READY, "state": "LoggedOff"})
    presenced.wait_for("runs")
    wait_until(lambda: rules.ask("status", "--json").json()["shadow"]["same"] == 1, "both are compared")
    shadow = rules.ask("status", "--json").json()["shadow"]
    assert shadow["different"] == 1
    assert shadow["differences"] == [
        {"what": "states.Ready -> states.Ready: session.available 12h -> preferred.busy 12h", "count": 1}]
    assert sim.counters()["actions"]["setUserPreferredPresence"] == 0
    # It is reloaded like the rules, and counts anew; one that is wrong leaves it as it was.
    (sim.folder / "shadow.lua").write_text(FIRST)
    rules.generation(2)
    wait_until(lambda: rules.ask("status", "--json").json()["shadow"]["same"] == 1, "what was said is compared again")
    assert rules.ask("status", "--json").json()["shadow"]["differences"] == []
    (sim.folder / "shadow.lua").write_text(BROKEN)
    presenced.wait_for("the shadow is not reloaded: shadow.lua:2")
    rules.generation(3)


class Control(http.client.HTTPConnection):
    """The daemon's control socket, without a process for each call."""

    def __init__(self, path):
        super().__init__("localhost")
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.path)

    def ask(self, method, target):
        self.request(method, target)
        answer = self.getresponse()
        text = answer.read()
        assert answer.status == 200, text
        return json.loads(text)


def resident(pid):
    with open(f"/proc/{pid}/status") as status:
        return int(next(line for line in status if line.startswith("VmRSS:")).split()[1])


def test_a_thousand_reloads_under_load(make_sim, start):
    """No event lost, no memory growth, no decision of a generation that did not make it."""
    sim = make_sim("--requests-per-30s", 100000)
    sim.change_config(lambda xml: xml.replace("<Account ", '<Account RequestsPer30Seconds="10000" '))
    Rules(sim)
    presenced = start(sim)
    control = Control(sim.folder / "control.sock")
    wait_until(lambda: (sim.folder / "control.sock").exists(), "the control socket is there")
    agents, sent = [f"agent{n:03}@contoso.com" for n in range(1, 101)], 0
    done = threading.Event()

    def load():
        nonlocal sent
        while not done.is_set():
            for state in ("Ready", "LoggedOff"):
                presenced.send(*({"agent": agent, "state": state} for agent in agents))
                sent += len(agents)

    sender = threading.Thread(target=load)
    sender.start()
    sizes = []
    for n in range(1000):
        assert control.ask("POST", "/v1/rules/reload")["generation"] == n + 2
        if n in (199, 999):
            sizes.append(resident(presenced.pid))
    done.set()
    sender.join()
    view = wait_until(
        lambda: (v := control.ask("GET", "/v1/status?agents")) and v["events"]["accepted"] == sent and v, "all is taken", 120)
    assert view["rules"]["generation"] == 1001 and view["rules"]["failures"] == 0
    for agent in view["agents"]:
        assert 1 <= agent["uccs"][0]["generation"] <= 1001 and agent["uccs"][0]["state"] == "LoggedOff"
    if b"__asan_init" not in (BIN / "presenced").read_bytes():  # it keeps what was freed for a while
        assert sizes[1] < sizes[0] * 1.25 + 4096, sizes
    presenced.send(*({"agent": agent, "state": "Ready"} for agent in agents))
    for agent in agents[:5]:
        shows(sim, AVAILABLE, agent)
