"""Living with Graph's budget, from outside: $batch, reading before a preferred presence is cleared, what happens when
the daemon ends and when it comes back, and what `capacity` says."""

import contextlib
import datetime
import signal
import sqlite3
import subprocess
import time

import pytest

from conftest import command, wait_until


def event(number, state, reason=""):
    return {"agent": f"agent{number:03}@contoso.com", "state": state, "reason": reason}


def in_a_call(sim, number):
    return sim.shown(f"agent{number:03}@contoso.com")[1] == "InACall"


def publisher(attributes):
    return lambda text: text.replace("<MsGraphPresencePublisher", f"<MsGraphPresencePublisher {attributes}", 1)


def change_state(sim, sql):
    """While no daemon runs."""
    with contextlib.closing(sqlite3.connect(sim.folder / "state.db")) as file, file:
        file.execute(sql)


@pytest.mark.parametrize("batch", ["on", "off"])
def test_all_arrive(sim, make_presenced, write_events, batch):
    sim.change_config(publisher(f'Batch="{batch}"'))
    events = write_events(*(event(i, "Talking") for i in range(1, 201)))
    presenced = make_presenced(sim, events=events, until_idle=True)
    assert presenced.wait() == 0, presenced.err
    state = sim.state()
    shown = [user["shown"]["activity"] for user in state["users"]]
    assert shown.count("InACall") == 200
    assert state["counters"]["throttled"] == 0
    assert state["counters"]["max_in_flight_per_user"] == 1
    assert (state["counters"]["batches"] > 0) == (batch == "on")


@pytest.mark.parametrize("fault", [
    "batch-424:1:1", "batch-429:1:1", "batch-503:1:5", "batch-lost:1:5", "batch-refused", "503:0.3", "lost:0.05"])
def test_all_arrive_in_spite_of(sim, make_presenced, write_events, fault):
    """What befalls a batch, and what befalls the parts of it."""
    sim.faults(fault)
    presenced = make_presenced(sim, events=write_events(*(event(i, "Talking") for i in range(1, 61))), until_idle=True)
    assert presenced.wait() == 0, presenced.err
    state = sim.state()
    assert [user["shown"]["activity"] for user in state["users"]].count("InACall") == 60
    assert state["counters"]["batches"] > 0
    assert state["counters"]["max_in_flight_per_user"] == 1
    assert ("Graph refuses a $batch (400); requests go out one by one" in presenced.err) == (fault == "batch-refused")


def test_stop_clears(sim, make_presenced):
    sim.change_config(publisher('OnStop="clear"'))
    presenced = make_presenced(sim, events="-", stdin=subprocess.PIPE)
    presenced.send(event(1, "Talking"))
    wait_until(lambda: sim.shown("agent001@contoso.com")[1] == "InACall", "it shows")
    assert presenced.stop() == 0
    assert sim.user("agent001@contoso.com")["sessions"] == []
    assert "what is ours is cleared" in presenced.err
    # What was said is still known.
    make_presenced(sim, events="-", stdin=subprocess.PIPE)
    wait_until(lambda: sim.shown("agent001@contoso.com")[1] == "InACall", "it shows again")


def test_stop_flushes(make_sim, make_presenced):
    """What was taken is sent before the end, as far as StopTimeout goes."""
    sim = make_sim("--latency", 300)
    presenced = make_presenced(sim, events="-", stdin=subprocess.PIPE)
    presenced.send(event(1, "Talking"))
    wait_until(lambda: sim.counters()["lookups"] == 1, "it is taken")
    assert presenced.stop() == 0
    assert sim.shown("agent001@contoso.com") == ("Busy", "InACall")


def test_stop_has_an_end(sim, make_presenced):
    sim.change_config(publisher('OnStop="clear" StopTimeout="1s"'))
    presenced = make_presenced(sim, events="-", stdin=subprocess.PIPE)
    presenced.send(event(1, "Talking"))
    wait_until(lambda: sim.shown("agent001@contoso.com")[1] == "InACall", "it shows")
    sim.faults("hang")
    assert presenced.stop() == 0
    assert "1 agents do not show yet what they should; what was not cleared goes when it expires" in presenced.err
    # A second signal does not wait.
    sim.change_config(lambda text: text.replace('"1s"', '"5m"'))
    presenced = make_presenced(sim, events="-", stdin=subprocess.PIPE)
    presenced.send(event(2, "Talking"))
    presenced.wait_for(" runs: ")
    presenced.process.send_signal(signal.SIGTERM)
    presenced.wait_for("asked to stop")
    assert presenced.stop() == 0


def test_resume_within(sim, make_presenced):
    sim.change_config(publisher('ResumeWithin="1s"'))
    presenced = make_presenced(sim, events="-", stdin=subprocess.PIPE)
    presenced.send(event(1, "Talking"))
    wait_until(lambda: sim.shown("agent001@contoso.com")[1] == "InACall", "it shows")
    presenced.kill()
    # Somebody else would call it 15 minutes; the state file says when a daemon last ran.
    change_state(sim, "UPDATE alive SET at = at - 60000")
    presenced = make_presenced(sim, events="-", stdin=subprocess.PIPE)
    presenced.wait_for("longer than ResumeWithin")
    wait_until(lambda: sim.user("agent001@contoso.com")["sessions"] == [], "what was said before counts no more")
    presenced.send(event(2, "LoggedOff"))
    wait_until(lambda: sim.shown("agent001@contoso.com")[1] == "InACall", "the UCC speaks: it counts again")


def test_the_end_is_written_down(sim, make_presenced):
    """So that a restart is not taken for longer than it was, however old the last mark would be."""
    presenced = make_presenced(sim, events="-", stdin=subprocess.PIPE)
    presenced.send(event(1, "Talking"))
    wait_until(lambda: sim.shown("agent001@contoso.com")[1] == "InACall", "it shows")
    before = time.time()
    assert presenced.stop() == 0
    with contextlib.closing(sqlite3.connect(sim.folder / "state.db")) as file:
        (alive,) = file.execute("SELECT at / 1000.0 FROM alive").fetchone()
    assert before - 0.1 <= alive <= time.time() + 0.1


def test_a_restart_when_the_window_is_free(sim, make_presenced):
    """All was answered 31 seconds before the start, so nothing counts any more."""
    sim.change_config(lambda xml: xml.replace("<Account ", '<Account RequestsPer30Seconds="15" ', 1))
    presenced = make_presenced(sim, events="-", stdin=subprocess.PIPE)
    presenced.send(*(event(number, "Talking") for number in range(1, 16)))
    wait_until(lambda: all(in_a_call(sim, number) for number in range(1, 16)), "all show it")
    assert presenced.stop() == 0
    with contextlib.closing(sqlite3.connect(sim.folder / "state.db")) as file:
        assert file.execute("SELECT used, under_way FROM budgets").fetchall() == [(15, 0)]
    change_state(sim, "UPDATE budgets SET at = at - 31000")
    presenced = make_presenced(sim, events="-", stdin=subprocess.PIPE)
    started = time.time()
    presenced.send(event(16, "Talking"))
    wait_until(lambda: in_a_call(sim, 16), "it shows")
    assert time.time() - started < 20


def test_their_own_choice_is_left(sim, make_presenced):
    """Lunch, and meanwhile the person chooses something else in Teams."""
    presenced = make_presenced(sim, events="-", stdin=subprocess.PIPE)
    long_ago = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=20)
    presenced.send({**event(1, "NotReady", "LUNCH"), "at": long_ago.isoformat()})
    wait_until(lambda: sim.user("agent001@contoso.com")["preferred"], "it is at lunch")
    presenced.stop()
    change_state(sim, "UPDATE agents SET preferred_set = preferred_set - 600000")  # as if set ten minutes ago
    sim.post("/sim/preferred", {"upn": "agent001@contoso.com", "availability": "DoNotDisturb"})
    presenced = make_presenced(sim, events="-", stdin=subprocess.PIPE)
    presenced.send(event(1, "Ready"))
    presenced.wait_for("agent001@contoso.com shows DoNotDisturb by their own choice; it is left alone")
    assert sim.shown("agent001@contoso.com")[0] == "DoNotDisturb"
    assert sim.counters()["actions"]["clearUserPreferredPresence"] == 0
    status = command("status", "-c", sim.config, "--agents")
    assert "by their own choice, which is left alone" in status.out


def test_capacity():
    fits = command("capacity", "--agents", 2000)
    assert fits.code == 0, fits
    assert "% of the budget" in fits.out
    many = command("capacity", "--agents", 100000)
    assert many.code == 1
    assert "MORE THAN THE BUDGET GIVES" in many.out
    figures = command("capacity", "--agents", 5000, "--available", 100, "--changes", 0, "--json").json()
    assert figures["agents_at_most"] == pytest.approx(1500 / 30.3 * 270, rel=0.001)
    # With room a round takes four minutes; what bench_sim holds without a fade is not more than the budget gives.
    assert figures["keep_alive_available_per_second"] == pytest.approx(5000 / 240)
    assert figures["keep_alive_least_per_second"] == pytest.approx(5000 / 270)
    assert figures["headroom"] == pytest.approx(1 - 5000 / 270 / (1500 / 30.3))
    steady = ["--available", 100, "--changes", 0, "--budget", 1500]
    assert command("capacity", "--agents", 12825, *steady).code == 0
    assert command("capacity", "--agents", 13500, *steady).code == 1
    assert figures["converge_seconds"] == pytest.approx(5000 * 1.3 / (1500 / 30.3), rel=0.01)


@pytest.mark.parametrize(
    "arguments, says",
    [
        ([], "--agents is missing"),
        (["--agents", "0"], "--agents: 0 is not a whole number from 1"),
        (["--agents", "5", "--lease", "3m"], "--lease: 3m is not a duration from 5m to 4h"),
        (["--agents", "5", "--available", "101"], "--available: 101 is not a whole number from 0 to 100"),
    ],
)
def test_capacity_is_asked_wrongly(arguments, says):
    refused = command("capacity", *arguments)
    assert refused.code == 2
    assert says in refused.err
