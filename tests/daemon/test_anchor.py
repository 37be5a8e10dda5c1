"""hold = "anchor", from outside: Available that needs no refresh, dropped the moment another state comes; and what the
commands say about it."""

import contextlib
import json
import sqlite3
import subprocess

from conftest import command, wait_until

ANN = "agent001@contoso.com"
RULES = """ruleset {
  name = "contoso",
  hold = "%s",
  states = { Ready = teams.available, Talking = teams.in_a_call, Ringing = keep, LoggedOff = clear },
}
"""


def event(state, ucc="phone"):
    return {"agent": ANN, "state": state, "ucc": ucc}


def use_rules(sim, hold):
    """Saves them; a daemon that runs takes them up."""
    rules = sim.folder / "r.lua"
    if not rules.exists():
        sim.change_config(lambda xml: xml.replace("<MsGraphPresencePublisher", '<MsGraphPresencePublisher Rules="r.lua"', 1))
    rules.write_text(RULES % hold)


def live(make_presenced, sim):
    return make_presenced(sim, events="-", stdin=subprocess.PIPE)


def held_by(sim):
    """(the app's session, the preferred presence), each by its availability, or None."""
    user = sim.user(ANN)
    sessions = [session["availability"] for session in user["sessions"] if session["id"] != "teams"]
    preferred = user["preferred"]
    return sessions[0] if sessions else None, preferred["availability"] if preferred else None


def presence_actions(sim):
    return sum(sim.counters()["actions"].values())


def long_ago(sim, minutes):
    """While no daemon runs: as if all that was confirmed had been set so long ago."""
    with contextlib.closing(sqlite3.connect(sim.folder / "state.db")) as file, file:
        file.execute("UPDATE agents SET session_set = session_set - ?1, preferred_set = preferred_set - ?1", [minutes * 60000])


def test_available_needs_no_refresh(make_sim, make_presenced):
    """Ten minutes after it was set, a daemon that comes back has nothing to send; one that refreshes is late already."""
    requests = {}
    for hold, shows in (("anchor", ("Away", "Available")), ("refresh", ("Available", None))):
        sim = make_sim(name=hold)
        use_rules(sim, hold)
        presenced = live(make_presenced, sim)
        presenced.send(event("Ready"))
        wait_until(lambda: held_by(sim) == shows, f"{hold}: it is Available")
        assert sim.shown(ANN) == ("Available", "Available")
        presenced.stop()
        long_ago(sim, 10)
        before = presence_actions(sim)
        presenced = live(make_presenced, sim)
        if hold == "refresh":
            wait_until(lambda: presence_actions(sim) == before + 1, "it is refreshed")
        presenced.send({"agent": "agent002@contoso.com", "state": "Talking", "ucc": "phone"})
        wait_until(lambda: sim.shown("agent002@contoso.com")[1] == "InACall", "the other one talks")
        presenced.end_of_events()
        assert presenced.stop() == 0
        requests[hold] = presence_actions(sim) - before - 1
    assert requests == {"anchor": 0, "refresh": 1}


def test_dropped_at_once(sim, make_presenced):
    use_rules(sim, "anchor")
    presenced = live(make_presenced, sim)
    for state, ucc, held in (
        ("Ready", "phone", ("Away", "Available")),
        ("Ringing", "phone", ("Available", None)),
        ("Talking", "phone", ("Busy", None)),
        ("Ready", "phone", ("Away", "Available")),
        ("Talking", "chat", ("Busy", None)),
        ("LoggedOff", "chat", ("Available", None)),
        ("LoggedOff", "phone", (None, None)),
        ("Ready", "phone", ("Away", "Available")),
    ):
        presenced.send(event(state, ucc))
        wait_until(lambda: held_by(sim) == held, f"{state} at {ucc}: held by {held}")
    # What is Available stays so all the way: what replaces the preferred presence stands before that is cleared.
    done = [entry["operation"] for entry in sim.log()["entries"] if entry["user"] == ANN]
    first_clear = done.index("clearUserPreferredPresence")
    assert done[first_clear - 1] == "setPresence"


def test_a_meeting_is_hidden_until_somebody_reports(sim, make_presenced):
    """The price, which `check` warns of."""
    use_rules(sim, "anchor")
    presenced = live(make_presenced, sim)
    sim.post("/sim/teams", {"upn": ANN, "availability": "Busy", "activity": "InAMeeting"})
    presenced.send(event("Ready"))
    wait_until(lambda: held_by(sim) == ("Away", "Available"), "it is anchored")
    assert sim.shown(ANN) == ("Available", "Available")
    presenced.send(event("Ringing"))
    wait_until(lambda: sim.shown(ANN) == ("Busy", "InAMeeting"), "the meeting is seen")


def test_it_comes_and_goes_with_the_rules(sim, make_presenced):
    use_rules(sim, "refresh")
    presenced = live(make_presenced, sim)
    presenced.send(event("Ready"))
    wait_until(lambda: held_by(sim) == ("Available", None), "it is refreshed")
    use_rules(sim, "anchor")
    wait_until(lambda: held_by(sim) == ("Away", "Available"), "it is anchored")
    status = command("status", "-c", sim.config, "--agents")
    assert "preferred.available (anchor)" in status.out
    use_rules(sim, "refresh")
    wait_until(lambda: held_by(sim) == ("Available", None), "it is refreshed again")


def test_a_dry_run_tells_who_would_be_held_otherwise(sim, make_presenced):
    use_rules(sim, "refresh")
    sim.change_config(lambda xml: xml.replace("<MsGraphPresencePublisher", '<MsGraphPresencePublisher ReloadMaxChanges="1"', 1))
    presenced = live(make_presenced, sim)
    presenced.send(event("Ready"), {"agent": "agent002@contoso.com", "state": "Ready"})
    wait_until(lambda: sim.shown("agent002@contoso.com")[0] == "Available", "both are ready")
    use_rules(sim, "anchor")
    wait_until(lambda: "ReloadMaxChanges" in presenced.err, "so many changes are refused")
    said = command("reload", "--dry-run", "-c", sim.config)
    assert "2 agents would differ" in said.out
    assert "states.Ready: Available is held by an anchor" in said.out
    assert held_by(sim) == ("Available", None)


def test_check_and_test_warn(sim):
    use_rules(sim, "anchor")
    for said in (command("check", "-c", sim.config), command("test", sim.folder / "r.lua")):
        assert said.code == 0, said
        for word in ('r.lua:3: hold = "anchor"', "hides a call, a meeting or a Do not disturb", "the person's own choice"):
            assert word in said.out
    assert command("check", "--strict", "-c", sim.config).code == 2
    warnings = command("test", "--json", sim.folder / "r.lua").json()["files"][0]["warnings"]
    assert len(warnings) == 1 and 'hold = "anchor"' in warnings[0]
    use_rules(sim, "ancor")
    refused = command("check", "-c", sim.config)
    assert refused.code == 2
    assert 'r.lua:3: hold is "ancor"; write hold = "anchor", or leave it out' in refused.out


def test_eval_shows_what_it_leads_to(tmp_path):
    (tmp_path / "r.lua").write_text(RULES % "anchor")

    def evaluate(state, *options):
        done = command("eval", *options, "r.lua", "-", stdin=json.dumps(event(state)), cwd=tmp_path)
        assert done.code == 0, done
        return done

    answer = evaluate("Ready", "--json", "--teams", "Busy InAMeeting").json()
    assert answer["anchored"] is True
    assert answer["decision"]["session"] == "session.available"
    assert [(request["path"].rsplit("/", 1)[1], request["body"]["availability"]) for request in answer["requests"]] == [
        ("setPresence", "Away"), ("setUserPreferredPresence", "Available")]
    assert answer["colleagues"] == [
        {"teams": "Busy InAMeeting", "availability": "Available", "activity": "Available"}]
    assert "anchored: held by preferred.available over a session Away" in evaluate("Ready").out
    assert evaluate("Talking", "--json").json()["anchored"] is False
    (tmp_path / "r.lua").write_text(RULES % "refresh")
    answer = evaluate("Ready", "--json", "--teams", "Busy InAMeeting").json()
    assert "anchored" not in answer
    assert answer["colleagues"][0]["activity"] == "InAMeeting"


def test_capacity_compares():
    few_changes = ["capacity", "--agents", 22000, "--changes", 1]
    both = command(*few_changes)
    assert both.code == 1
    assert "refresh    anchor" in both.out and "MORE THAN THE BUDGET GIVES" in both.out
    anchored = command(*few_changes, "--anchor")
    assert anchored.code == 0, anchored
    figures = command(*few_changes, "--anchor", "--json").json()
    assert figures["hold"] == "anchor"
    assert figures["agents_at_most"] == figures["strategies"]["anchor"]["agents_at_most"]
    assert figures["agents_at_most"] > 1.5 * figures["strategies"]["refresh"]["agents_at_most"]
    # A carrier lasts its lease of an hour, less two minutes and the half minute of the spread.
    assert figures["keep_alive_available_per_second"] * 3450 == 11000
