"""The state file in trouble: refused at the start; while the daemon runs, nothing is taken and nothing is sent until it can
be written again, everybody who asks is told, and nothing that was read gets lost."""

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import threading
import time

import day_expected
import kill_day
import pytest
from conftest import BIN, command, wait_until
from test_metrics import metrics

READY = {"agent": "agent001@contoso.com", "state": "Ready"}
TALKING = {"agent": "agent001@contoso.com", "state": "Talking"}
SHOWS = {"Ready": ("Available", "Available"), "Talking": ("Busy", "InACall")}
NOBODY = 65534
FULL = "state.db: the disk is full; make room: what was acknowledged is safe"


def status(sim):
    result = command("status", "--json", "-c", sim.config)
    return result.json() if result.code == 0 else None


def lines_with(text, part):
    return [line for line in text.splitlines() if part in line]


# ---- refused at the start


def test_second_daemon(sim, make_presenced):
    make_presenced(sim, events="-", stdin=subprocess.PIPE).wait_for("runs")
    result = command("run", "--until-idle", "-c", sim.config)
    assert result.code == 1 and "another presenced uses this state file" in result.err


def test_damaged_state_file(sim):
    (sim.folder / "state.db").write_bytes(b"no database at all, really" * 100)
    result = command("run", "--until-idle", "-c", sim.config)
    assert result.code == 1 and "state.db: this is no state file" in result.err


@pytest.mark.parametrize("change", ["DELETE FROM contributions", "UPDATE agents SET id = id || 'x'"])
def test_rows_changed_by_hand(sim, make_presenced, write_events, change):
    """SQLite finds nothing wrong with them, but they are not what a daemon leaves."""
    rules = "ruleset { states = { Talking = teams.in_a_call, Ready = teams.available { delay = '1h' } } }\n"
    (sim.folder / "rules.lua").write_text(rules)
    sim.change_config(lambda xml: xml.replace('State="', 'Rules="rules.lua" State="'))
    presenced = make_presenced(sim, events=write_events(TALKING, READY))
    wait_until(lambda: (s := status(sim)) and s["events"]["accepted"] == 2, "both are taken")
    wait_until(lambda: sim.counters()["lookups"] == 1, "it is looked up")
    assert presenced.stop() == 0
    with contextlib.closing(sqlite3.connect(sim.folder / "state.db")) as file, file:
        assert file.execute("SELECT count(*) FROM agents, delays WHERE id <> ''").fetchone() == (1,)
        file.execute(change)
    result = command("run", "--until-idle", "-c", sim.config)
    assert result.code == 1 and "state.db: the state file is damaged; move it away" in result.err, result


def unprivileged(sim):
    """Root ignores mode bits: the program runs as somebody else."""
    if os.geteuid() != 0:
        return []
    for path in [sim.folder.parent.parent.parent, sim.folder.parent.parent, sim.folder.parent, sim.folder]:
        os.chmod(path, os.stat(path).st_mode | 0o055)
    os.chown(sim.folder / "presenced.key", NOBODY, NOBODY)
    os.chown(sim.config, NOBODY, NOBODY)
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


def test_state_folder_is_read_only(sim):
    prefix = unprivileged(sim)
    os.chmod(sim.folder, 0o555)
    try:
        done = subprocess.run([*prefix, BIN / "presenced", "run", "--until-idle", "-c", sim.config], capture_output=True,
                              text=True, timeout=60)
    finally:
        os.chmod(sim.folder, 0o755)
    assert done.returncode == 1, done
    assert "state.db: Permission denied; make it and its folder writable for this user" in done.stderr


def test_state_file_is_read_only(sim, make_presenced, write_events):
    assert make_presenced(sim, events=write_events(READY), until_idle=True).wait() == 0
    prefix = unprivileged(sim)
    os.chmod(sim.folder / "state.db", 0o444)
    done = subprocess.run([*prefix, BIN / "presenced", "run", "--until-idle", "-c", sim.config], capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 1, done
    assert "state.db: Permission denied; make it and its folder writable for this user" in done.stderr


# ---- while the daemon runs


@pytest.fixture
def full(tmp_path):
    """While this file exists, the disk is full for the state file of what runs in disk(full)."""
    return tmp_path / "full"


def disk(full):
    return {"LD_PRELOAD": str(BIN / "full_disk.so"), "FULL_DISK": str(full),
            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}


def failed(sim):
    return (s := status(sim)) and s["state"]["failed"] and s


def well(sim):
    return (s := status(sim)) and not s["state"]["failed"] and s


def shows(sim, upn, state):
    return wait_until(lambda: sim.shown(upn) == SHOWS[state], f"{upn} shows {state}")


@pytest.fixture
def shown(sim, full, make_presenced):
    """A daemon on that disk that has made agent001 Available."""
    presenced = make_presenced(sim, events="-", stdin=subprocess.PIPE, env=disk(full))
    presenced.send(READY)
    shows(sim, READY["agent"], "Ready")
    wait_until(lambda: (s := well(sim)) and s["agents"][0]["confirmed"], "it is confirmed")
    return presenced


def test_full_disk(sim, full, shown):
    requests = len(sim.log()["entries"])
    full.touch()
    shown.send(TALKING, {**READY, "agent": "agent002@contoso.com"})
    view = wait_until(lambda: failed(sim), "status says so")
    assert FULL in view["state"]["failure"] and view["state"]["failures"] == 1
    text = command("status", "-c", sim.config)
    assert text.code == 0 and "state        FAILED since " in text.out and FULL in text.out
    numbers = metrics(sim)
    assert numbers["presenced_state_failed"] == 1 and numbers["presenced_state_failures_total"] == 1
    assert len(sim.log()["entries"]) == requests  # not durable, so not acted on
    full.unlink()
    shows(sim, "agent001@contoso.com", "Talking")  # what was read then has come again, each once
    shows(sim, "agent002@contoso.com", "Ready")
    view = wait_until(lambda: well(sim), "status says that it is well")
    assert view["events"]["accepted"] == 2 and view["state"]["failures"] == 1
    assert view["sources"][0]["taken"] == 3  # with the first; what was read twice is counted once
    assert metrics(sim)["presenced_state_failed"] == 0
    assert len(lines_with(shown.err, FULL)) == 1
    assert len(lines_with(shown.err, "state.db can be written again, after ")) == 1
    assert shown.stop() == 0


def test_lines_come_again_as_they_were(sim, full, shown):
    """Also those that are no events, and one so long that it is forgotten while it is read."""
    lines = [TALKING, "{", {**READY, "agent": "agent002@contoso.com"}, "x" * 200_000,
             {**TALKING, "agent": "agent003@contoso.com"}, {**TALKING, "agent": "agent004@contoso.com"}, "[]"]
    full.touch()
    sender = threading.Thread(target=shown.send, args=lines, daemon=True)  # the pipe is full while nobody reads
    sender.start()
    wait_until(lambda: failed(sim), "it has failed")
    full.unlink()
    for number, state in ((1, "Talking"), (2, "Ready"), (3, "Talking"), (4, "Talking")):
        shows(sim, f"agent{number:03}@contoso.com", state)
    view = wait_until(lambda: (s := well(sim)) and s["events"]["refused"] >= 3 and s, "all lines are read")
    assert view["events"]["accepted"] == 4 and view["events"]["refused"] == 3
    assert view["sources"][0]["taken"] == 5 and view["sources"][0]["refused"] == 3
    assert lines_with(shown.err, "standard input:3: ") and lines_with(shown.err, "standard input:5: longer than")
    assert lines_with(shown.err, "standard input:8: ")
    sender.join()


def test_nothing_is_promised(sim, full, shown):
    """An override whose commit fails is refused, though the engine had taken it already; so is all that comes later."""
    full.touch()
    for _ in range(2):
        result = command("publish", READY["agent"], "teams.busy", "--for", "1h", "-c", sim.config)
        assert result.code == 1 and FULL in result.err, result
    for arguments in (["resync", "--all"], ["reload"], ["why", READY["agent"]], ["release", READY["agent"]]):
        result = command(*arguments, "-c", sim.config)
        assert result.code != 0 and FULL in result.err, result
    full.unlink()
    view = wait_until(lambda: (s := well(sim)) and s["agents"] and s, "it is well")
    assert [agent["rule"] for agent in view["agents"]] == ["states.Ready"]
    assert sim.shown(READY["agent"]) == SHOWS["Ready"]
    assert command("publish", READY["agent"], "teams.in_a_call", "--for", "1h", "-c", sim.config).code == 0
    shows(sim, READY["agent"], "Talking")


def test_rules_changed_meanwhile(sim, full, shown):
    """Files are looked at again, whatever had happened to them."""
    full.touch()
    shown.send(READY)
    wait_until(lambda: failed(sim), "it has failed")
    (sim.folder / "rules.lua").write_text("ruleset { states = { Ready = teams.in_a_call } }\n")
    sim.change_config(lambda xml: xml.replace('State="', 'Rules="rules.lua" State="'))
    shown.process.send_signal(signal.SIGHUP)
    shown.wait_for("are looked at when the state file can be written again")
    full.unlink()
    shows(sim, READY["agent"], "Talking")


def test_stopped_while_it_fails(sim, full, shown, make_presenced):
    full.touch()
    shown.send(TALKING)
    wait_until(lambda: failed(sim), "it has failed")
    assert shown.stop() == 1
    assert lines_with(shown.err, "asked to stop, while the state file fails")
    again = make_presenced(sim, events="-", stdin=subprocess.PIPE)
    agents = wait_until(lambda: status(sim), "status answers")["agents"]
    assert agents[0]["session"] == "session.available"
    again.send(TALKING)
    shows(sim, READY["agent"], "Talking")


def test_until_idle_ends(sim, full, make_presenced, write_events):
    """Nobody watches it, so it says so with its exit code."""
    full.touch()
    presenced = make_presenced(sim, events=write_events(READY), until_idle=True, env=disk(full))
    assert presenced.wait() == 1 and FULL in presenced.err


def test_moved_away(sim, shown):
    """What is written to a file without a name would be gone at the next start."""
    for path in sim.folder.glob("state.db*"):
        path.unlink()
    shown.send(TALKING)
    shown.wait_for("state.db: moved or deleted while it was in use")
    shows(sim, READY["agent"], "Talking")
    view = wait_until(lambda: (s := well(sim)) and s["events"]["accepted"] and s, "it is well")
    assert view["events"]["accepted"] == 1 and (sim.folder / "state.db").exists()


def test_moved_away_in_a_pause(sim, shown):
    """Graph has not forgotten the pause that it asked for."""
    sim.post("/sim/retry_after", {"after": "600s"})
    sim.faults("throttle")
    shown.send(TALKING)
    shown.wait_for("Graph asks for a pause of 10m")
    sim.faults()
    until = status(sim)["accounts"][0]["closed_until"]
    entries = len(sim.log()["entries"])
    for path in sim.folder.glob("state.db*"):
        path.unlink()
    shown.send({**TALKING, "agent": "agent002@contoso.com"})
    view = wait_until(lambda: (s := well(sim)) and s["events"]["accepted"] and s, "it is well")
    assert view["accounts"][0]["closed_until"] == until
    assert all(entry["operation"] == "token" for entry in sim.log()["entries"][entries:])


def test_a_second_daemon_is_refused_meanwhile(sim, full, shown):
    full.touch()
    shown.send(TALKING)
    wait_until(lambda: failed(sim), "it has failed")
    result = command("run", "--until-idle", "-c", sim.config)
    assert result.code == 1 and "another presenced uses this state file" in result.err
    full.unlink()
    shows(sim, READY["agent"], "Talking")


def test_a_day_on_a_disk_that_fills_up(tmp_path, full, make_presenced):
    """Nothing of the recorded day gets lost, nothing counts twice, and in the end everybody shows what it says."""
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")  # shown when it fails
    dice = random.Random(seed)
    (tmp_path / "sim").mkdir()
    sim = kill_day.open_sim(tmp_path / "sim")
    try:
        lines = kill_day.shifted(kill_day.DAY.read_text("utf-8").splitlines(), time.time())
        presenced = make_presenced(sim, events="-", stdin=subprocess.PIPE, env=disk(full)).wait_for(" runs: ")
        sent = 0
        for _ in range(4):
            upto = min(len(lines) - 1, sent + dice.randint(1, 3000))
            sender = threading.Thread(target=presenced.send, args=lines[sent:upto], daemon=True)
            sender.start()
            time.sleep(dice.random() / 5)
            full.touch()
            wait_until(lambda: failed(sim) or not sender.is_alive(), "it fails, or has taken all before")
            if not failed(sim):
                presenced.send(lines[upto])
                upto += 1
            wait_until(lambda: failed(sim), "it has failed")
            full.unlink()
            sender.join(60)
            wait_until(lambda: well(sim), "it goes on")
            sent = upto
        presenced.send(*lines[sent:])
        assert status(sim)["state"]["failures"] == 4
        stands, _, _ = day_expected.play(lines)
        with contextlib.suppress(AssertionError):  # what is wrong is told below
            wait_until(lambda: not kill_day.wrong_of(sim, stands), "everybody shows what the day says")
        wrong = kill_day.wrong_of(sim, stands)
        assert presenced.stop() == 0, presenced.err
    finally:
        sim.stop()
    is_, should = kill_day.decided(sim.folder), kill_day.applied(lines)
    assert not should - is_ and not is_ - should, (sorted(should - is_)[:10], sorted(is_ - should)[:10])
    assert not wrong, dict(list(wrong.items())[:10])
