"""The recorded day, played through the real programs: every agent must end as an independent reading of it says."""

import subprocess
import sys
from collections import Counter

import day_expected
from conftest import ROOT, command, wait_until

DAY = ROOT / "examples" / "day.ndjson"
QUIET = 480  # seconds after its last event in which the picture of the day does not change by itself
STRANGER = "nobody@contoso.com"


def lines():
    return DAY.read_text("utf-8").splitlines()


def slots(user, client_id):
    """What graphsim has of ours: (session, preferred, shown)."""

    def pair(value):
        return f"{value['availability']}/{value['activity']}" if value else None

    own = [session for session in user["sessions"] if session["id"] == client_id]
    return pair(own[0] if own else None), pair(user["preferred"]), pair(user["shown"])


def test_the_generator_makes_these_bytes():
    made = subprocess.run([sys.executable, ROOT / "examples" / "make_day.py"], capture_output=True, check=True).stdout
    assert made == DAY.read_bytes()


def test_the_day_is_worth_playing():
    """A day without disorder, or one whose end is the same for everybody, would prove nothing."""
    stands, last, skipped = day_expected.play(lines())
    now = day_expected.picture(stands, last)
    assert len(now) == 201
    assert skipped["duplicate"] >= 50 and skipped["stale"] >= 20
    shown = Counter(state for _, _, state in now.values())
    for state in ("Available/Available", "Busy/InACall", "Offline/Offline"):
        assert shown[state] >= 10, shown
    assert len(shown) >= 6, shown
    # Whenever within eight minutes somebody looks, the answer is the same, so a slow machine fails no test.
    assert day_expected.picture(stands, last + QUIET) == now


def test_every_agent_ends_as_the_day_says(make_sim, make_presenced):
    sim = make_sim("--users", 200)
    presenced = make_presenced(sim, events=DAY, until_idle=True)
    assert presenced.wait(240) == 3, presenced.err  # finished, but the stranger is parked
    assert STRANGER in presenced.err and "unknown" in presenced.err

    stands, last, _ = day_expected.play(lines())
    expected = day_expected.picture(stands, last)
    del expected[STRANGER]
    state = sim.state()
    users = {user["upn"]: slots(user, sim.about["client_id"]) for user in state["users"]}
    wrong = {upn: (users.get(upn), wanted) for upn, wanted in expected.items() if users.get(upn) != wanted}
    assert not wrong, f"{len(wrong)} of {len(expected)}, (is, should be): {dict(list(wrong.items())[:10])}"
    idle = {upn: is_ for upn, is_ in users.items() if upn not in expected and is_ != (None, None, "Offline/Offline")}
    assert not idle, f"people whom no event named: {idle}"
    assert state["counters"]["max_in_flight_per_user"] == 1


def test_playing_it_again_changes_nothing(make_sim, make_presenced):
    """All ids are known, so no event counts a second time, and what Graph confirmed is not sent again."""
    sim = make_sim("--users", 200)
    assert make_presenced(sim, events=DAY, until_idle=True).wait(240) == 3
    before, log_length = sim.state(), len(sim.log())
    again = make_presenced(sim, events=DAY, until_idle=True)
    assert again.wait(240) == 3, again.err
    after = sim.state()
    # An Available session may have needed its keep-alive meanwhile; nothing else may have been said.
    unchanged = [kind for kind in before["counters"]["actions"] if kind != "setPresence"]
    assert len(unchanged) == 4 and log_length > 0
    for kind in unchanged:
        assert after["counters"]["actions"][kind] == before["counters"]["actions"][kind]
    assert [user["shown"] for user in after["users"]] == [user["shown"] for user in before["users"]]


def test_the_state_file_answers_after_the_end(make_sim, make_presenced):
    sim = make_sim("--users", 200)
    assert make_presenced(sim, events=DAY, until_idle=True).wait(240) == 3
    daemon = make_presenced(sim)

    def answered():
        result = command("status", "--json", "-c", sim.config, cwd=sim.folder)
        return result.json() if result.code == 0 else None

    agents = wait_until(answered, "status answers")["agents"]
    assert len(agents) == 201
    assert all(agent["rule"] for agent in agents if agent.get("session", "none") != "none")
    assert daemon.stop() == 0
