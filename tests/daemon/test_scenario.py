"""graphsim --scenario: what a script of faults orders, when, and what becomes of a wrong one."""

import subprocess
from pathlib import Path

import pytest

from conftest import BIN, PATIENCE, wait_until

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "scenarios" / "bad_morning.lua"
ANN = "agent001@contoso.com"


@pytest.fixture
def play(make_sim, tmp_path):
    """Starts a graphsim with that scenario."""

    def play(text, *arguments):
        file = tmp_path / "s.lua"
        file.write_text(text)
        return make_sim("--scenario", file, *arguments)

    return play


def ended(sim):
    return sim.wait_for("graphsim: scenario: has ended", PATIENCE)


def test_all_that_a_scenario_may_say(play):
    sim = play(f"""
faults {{ "throttle:0.5", "reset:1:3" }}
teams("{ANN}", "Busy", "InAMeeting")
preferred("agent002@contoso.com", "DoNotDisturb")
wait(0)
users.add "new@contoso.com"
users.add("agent009@contoso.com", "aaaaaaaa-0000-4000-8000-000000000001")
users.rename("agent003@contoso.com", "married@contoso.com")
users.delete "agent004@contoso.com"
say("half of it: " .. #"four")
print(utf8.char(228), math.max(1, 2))
wait "0s"
teams("{ANN}", nil)
faults {{}}
""")
    ended(sim)
    state = sim.state()
    assert state["faults"] == []
    upns = {user["upn"] for user in state["users"]}
    assert {"new@contoso.com", "married@contoso.com"} <= upns
    assert not {"agent003@contoso.com", "agent004@contoso.com"} & upns
    assert sim.user("agent009@contoso.com")["id"] == "aaaaaaaa-0000-4000-8000-000000000001"
    assert sim.user(ANN)["sessions"] == []
    assert sim.user("agent002@contoso.com")["preferred"]["availability"] == "DoNotDisturb"
    assert "graphsim: scenario: half of it: 4\n" in sim.out


def test_what_comes_first_holds_from_the_beginning(play):
    """Also for whoever connects at once; what comes behind a wait does not hold yet."""
    sim = play(f'faults {{ "hang" }}\nteams("{ANN}", "Available")\nwait "1h"\nfaults {{}}\n')
    state = sim.state()
    assert [fault["kind"] for fault in state["faults"]] == ["hang"]
    assert sim.shown(ANN) == ("Available", "Available")
    assert "has ended" not in sim.out


def test_retry_after_is_what_a_throttled_client_is_told(play, make_presenced, write_events):
    sim = play('faults { "throttle:1:1" }\nretry_after "3s"\n')
    presenced = make_presenced(sim, events=write_events({"agent": ANN, "state": "Talking"}), until_idle=True)
    assert presenced.wait() == 0, presenced.err
    assert "Graph asks for a pause of 3s" in presenced.err
    # It outlasts a change of the faults, and can be ordered at the plain port too.
    sim.post("/sim/retry_after", {"after": "7s"})
    sim.faults("throttle:1:1")
    presenced = make_presenced(sim, events="-", stdin=subprocess.PIPE)
    presenced.send({"agent": ANN, "state": "LoggedOff"})
    presenced.wait_for("Graph asks for a pause of 7s")


def test_people_lose_and_get_back_what_teams_needs(play, make_presenced):
    sim = play("""
users.unlicense "agent001@contoso.com"
users.disable "agent002@contoso.com"
""")
    presenced = make_presenced(sim, events="-", stdin=subprocess.PIPE)
    presenced.send({"agent": ANN, "state": "Talking"})
    presenced.wait_for("agent001@contoso.com is parked: no Teams presence")


@pytest.mark.parametrize("text, says", [
    ("x =", "s.lua:1: unexpected symbol near <eof>; correct this line"),
    ("\nlocal a = nil + 1", "s.lua:2: attempt to perform arithmetic on a nil value; correct this line"),
    ("fauls {}", "s.lua:1: there is no fauls; graphsim --help"),
    ("users.nme 'x'", "s.lua:1: there is no users.nme; graphsim --help"),
    ("require 'os'", "s.lua:1: there is no require"),
    ("local f = math.random", ""),
    ("faults 'reset'", "s.lua:1: faults: its list is a string; give it a table"),
    ("faults { reset = 1 }", "s.lua:1: faults takes a list of texts"),
    ("\nfaults { 'thrttle' }", 's.lua:2: "thrttle" is no fault; there are: throttle'),
    ("wait 'soon'", 's.lua:1: wait: "soon" is no duration'),
    ("wait()", "s.lua:1: wait: write the time like"),
    ("retry_after '100h'", 's.lua:1: "100h" is no pause of 1s to 48h'),
    ("teams(nil, 'Busy')", "s.lua:1: teams: the UPN is missing; give it a text"),
    ("teams('agent001@contoso.com', 'Bussy')", "s.lua:1: availability: not one that Teams knows"),
    ("preferred('agent001@contoso.com', 'Presenting')", "s.lua:1: not a presence that a person can choose"),
    ("users.disable 'nobody@contoso.com'", "s.lua:1: upn is missing or nobody's: \"nobody@contoso.com\""),
    ("users.rename('agent001@contoso.com', '')", "s.lua:1: upn is missing or too long"),
    ("error 'own words'", "s.lua:1: own words; correct this line"),
    ("error {}", "s.lua: an error that is a table, not a text"),
    ("while true do end", "s.lua:1: still running after 1000 ms of CPU time; look for a loop"),
    ("pcall(function() while true do end end)", "s.lua:1: still running after 1000 ms of CPU time"),
    ("while true do faults {} end", "s.lua:1: still running after 1000 ms of CPU time; put a wait into the loop"),
    # In large pieces: it is to meet the limit of memory before that of time, also where a sanitizer makes it slow.
    ("local t, s = {}, ('x'):rep(60000) s = s .. s .. s .. s s = s .. s .. s .. s\nfor i = 1, 1e9 do t[i] = s .. i end",
     "s.lua:2: needs more than 64 MiB of memory"),
    ("table.sort({ 1, 2 }, function() wait(1) end)", "s.lua:1: an order cannot be given inside table.sort"),
])
@pytest.mark.parametrize("before", ["", "wait '0s'; "])
def test_a_wrong_one_ends_graphsim(tmp_path, before, text, says):
    """With exit code 2, file and line; before it is ready, or while it runs."""
    if not says:
        text, says = text + "\nf()", "s.lua:2: attempt to call a nil value"
    (tmp_path / "s.lua").write_text(before + text)
    done = subprocess.run([BIN / "graphsim", "--dir", tmp_path, "--scenario", "s.lua"], cwd=tmp_path,
                          capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 2, done
    assert done.stderr.startswith("graphsim: " + says) and done.stderr.count("\n") == 1, done.stderr
    ran = before and "unexpected symbol" not in says
    assert ("graphsim: ready" in done.stdout) == bool(ran)


@pytest.mark.parametrize("path, says", [
    ("missing.lua", "--scenario: missing.lua cannot be read: No such file or directory"),
    (".", "--scenario: . cannot be read; name a file"),
])
def test_a_file_that_cannot_be_read(tmp_path, path, says):
    done = subprocess.run([BIN / "graphsim", "--dir", tmp_path, "--scenario", path], cwd=tmp_path,
                          capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 2
    assert says in done.stderr


def test_the_example(make_sim, make_presenced):
    """A daemon that works through it ends with everybody right."""
    sim = make_sim("--scenario", EXAMPLE)
    agents = [f"agent{number:03}@contoso.com" for number in range(6, 66)]
    presenced = make_presenced(sim, events="-", stdin=subprocess.PIPE)
    presenced.send(*({"agent": agent, "state": "Talking"} for agent in agents))
    sim.wait_for("scenario: an outage")
    presenced.send(*({"agent": agent, "state": "NotReady", "reason": "LUNCH"} for agent in agents[:30]))
    ended(sim)

    def shown():
        users = {user["upn"]: user["shown"]["activity"] for user in sim.state()["users"]}
        return [users[agent] for agent in agents]

    wait_until(lambda: shown() == ["BeRightBack"] * 30 + ["InACall"] * 30, "everybody is right")
    counters = sim.counters()
    assert counters["throttled"] > 0
    assert counters["max_in_flight_per_user"] == 1
    assert sim.state()["faults"] == []
    assert sim.user("anna.married@contoso.com")["id"] != sim.user("agent004@contoso.com")["id"]
