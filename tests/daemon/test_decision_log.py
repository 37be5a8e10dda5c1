"""DecisionLog: what was decided stays in the state file for a while, and `presenced replay` reads it, from the running
daemon or from the file."""

import contextlib
import sqlite3
import subprocess

import pytest
from conftest import command, wait_until

RULES = """ruleset {
  name = "t", timezone = "UTC",
  rules = { rule "desk B" { when = { state = "Ready", team = "B" }, show = %s } },
  states = { Ready = teams.available { expires = "1h", afterwards = teams.away { expires = "2h" } },
    Talking = teams.in_a_call { delay = "1s", message = "until {expires}" }, LoggedOff = clear, Ringing = keep },
}
"""
BUSY, AWAY = "teams.busy", "teams.away"


def event(number, state, **more):
    return {"agent": f"agent{number:03}@contoso.com", "state": state, **more}


@pytest.fixture
def logging(sim, make_presenced):
    """Starts a daemon that keeps decisions for so long."""
    original = sim.config.read_text("utf-8")

    def start(keep="7d"):
        (sim.folder / "rules.lua").write_text(RULES % BUSY)
        (sim.folder / "new.lua").write_text(RULES % AWAY)
        sim.change_config(lambda xml: original.replace("State=", f'Rules="rules.lua" DecisionLog="{keep}" State=', 1))
        return make_presenced(sim, events="-", stdin=subprocess.PIPE).wait_for("runs")

    return start


def replay(sim, *arguments, rules="new.lua"):
    return command("replay", "--rules", sim.folder / rules, "--json", "-c", sim.config, *arguments)


def decisions(sim):
    return command("status", "--json", "-c", sim.config).json()["events"]["decisions"]


def send(sim, presenced, *events):
    before = decisions(sim)
    presenced.send(*events)
    wait_until(lambda: decisions(sim) == before + len(events), "all are decided")


def rows(sim, what="*"):
    with contextlib.closing(sqlite3.connect(sim.folder / "state.db")) as db:
        return db.execute(f"SELECT {what} FROM decisions ORDER BY key").fetchall()


DAY = [event(1, "Ready", attributes={"team": "B"}, ucc="voice"), event(2, "Ready"), event(1, "Talking", ucc="voice"),
       event(1, "Ringing", ucc="chat"), event(1, "Ready", attributes={"team": "b"}, ucc="voice"), event(2, "LoggedOff")]


def test_replay_of_what_was_decided(sim, logging):
    presenced = logging()
    send(sim, presenced, *DAY)
    running = replay(sim)
    assert running.code == 0, running
    answer = running.json()
    assert (answer["events"], answer["stale"], answer["bad_lines"], answer["differ"]) == (6, 0, 0, 2)
    assert answer["differences"][0]["what"] == 'rule "desk B" -> rule "desk B": preferred.busy 12h -> preferred.away 12h'
    assert "agent001@contoso.com Ready (voice)" in answer["differences"][0]["example"]
    assert replay(sim, rules="rules.lua").json()["differ"] == 0  # the same rules say the same
    assert presenced.stop() == 0
    assert replay(sim).json() == answer  # from the file
    # Two rulesets with each other: the log is only the day.
    other = replay(sim, "--against", sim.folder / "new.lua").json()
    assert (other["events"], other["differ"]) == (6, 0)
    assert "2 decisions differ" in command("replay", "--rules", sim.folder / "new.lua", "-c", sim.config).out


def test_a_power_cut_loses_nothing_that_was_shown(sim, logging):
    presenced = logging()
    presenced.send(event(1, "Talking"))
    wait_until(lambda: sim.shown("agent001@contoso.com") == ("Busy", "InACall"), "it is shown")
    presenced.kill()
    assert replay(sim).json()["events"] == 1
    assert rows(sim, "agent, ucc, state, kind, session, preferred, rule, again") == [
        ("agent001@contoso.com", "default", "Talking", "show", "session.in_a_call", "none", "states.Talking", 0)]


def test_a_reload_logs_what_it_changes_and_replay_leaves_it_out(sim, logging):
    presenced = logging()
    send(sim, presenced, *DAY[:2])
    (sim.folder / "rules.lua").write_text(RULES % AWAY)
    presenced.wait_for("2 agents decided again, 1 presences differ")
    assert replay(sim).json()["events"] == 2
    assert presenced.stop() == 0
    assert rows(sim, "agent, preferred, again, generation") == [
        ("agent001@contoso.com", "preferred.busy", 0, 1), ("agent002@contoso.com", "none", 0, 1),
        ("agent001@contoso.com", "preferred.away", 1, 2)]


def test_more_than_a_page(sim, logging):
    presenced = logging()
    send(sim, presenced, *[event(i % 50, "Ready" if i % 2 else "Talking") for i in range(1200)])
    assert replay(sim).json()["events"] == 1200


def test_it_is_off_by_default_and_switched_off_nothing_stays(sim, logging):
    presenced = logging()
    send(sim, presenced, *DAY)
    assert presenced.stop() == 0 and len(rows(sim)) == 6
    presenced = logging("0s")
    send(sim, presenced, event(3, "Ready"))
    result = replay(sim)
    assert result.code == 2 and 'the decision log is empty; set DecisionLog="7d"' in result.err
    assert presenced.stop() == 0 and rows(sim) == []


def test_without_a_state_file(sim):
    (sim.folder / "new.lua").write_text(RULES % AWAY)
    result = replay(sim)
    assert result.code == 2 and "state.db: there is no state file yet" in result.err
    assert not (sim.folder / "state.db").exists()
