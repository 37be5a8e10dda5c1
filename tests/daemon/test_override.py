"""publish, clear and release while a daemon runs: its engine keeps them up, above every contact centre."""

import socket
import subprocess

from conftest import BIN, command, wait_until

AGENT = "agent001@contoso.com"
READY = {"agent": AGENT, "state": "Ready"}
AVAILABLE, IN_A_CALL, BUSY = ("Available", "Available"), ("Busy", "InACall"), ("Busy", "Busy")
NOTHING = ("Offline", "Offline")


def shows(sim, presence):
    wait_until(lambda: sim.shown(AGENT) == presence, f"{presence} is shown")


def ask(sim, *arguments):
    return command(*arguments, "-c", sim.config)


def agent_view(sim):
    return next(agent for agent in ask(sim, "status", "--json").json()["agents"] if agent["agent"] == AGENT)


def test_publish_outranks_every_ucc(sim, make_presenced):
    presenced = make_presenced(sim, events="-", stdin=subprocess.PIPE)
    presenced.send(READY)
    shows(sim, AVAILABLE)
    result = ask(sim, "publish", AGENT, "busy", "--for", "2h")
    assert result.code == 0 and "kept up by the daemon" in result.out, result
    shows(sim, BUSY)
    view = agent_view(sim)
    assert view["rule"] == "override by the command line" and view["ucc"] == "(override)"
    presenced.send({"agent": AGENT, "state": "NotReady", "reason": "COACHING"})  # Do not disturb, by the rules
    wait_until(lambda: len(agent_view(sim)["uccs"]) == 2 and agent_view(sim)["uccs"][0]["reason"] == "COACHING", "it is taken")
    assert sim.shown(AGENT) == BUSY
    assert ask(sim, "release", AGENT).code == 0
    shows(sim, ("DoNotDisturb", "DoNotDisturb"))
    refused = ask(sim, "release", AGENT)
    assert refused.code == 1 and "there is no override on this agent" in refused.err


def test_it_survives_a_crash(sim, make_presenced):
    presenced = make_presenced(sim, events="-", stdin=subprocess.PIPE)
    presenced.send(READY)
    shows(sim, AVAILABLE)
    assert ask(sim, "publish", AGENT, "busy", "--for", "2h").code == 0
    shows(sim, BUSY)
    presenced.kill()
    make_presenced(sim, events="-", stdin=subprocess.PIPE).wait_for("runs")
    assert agent_view(sim)["rule"] == "override by the command line"
    assert sim.shown(AGENT) == BUSY


def test_clear_ends_at_the_next_log_on(sim, make_presenced):
    presenced = make_presenced(sim, events="-", stdin=subprocess.PIPE)
    presenced.send(READY)
    shows(sim, AVAILABLE)
    assert ask(sim, "clear", AGENT, "--for", "8h").code == 0
    shows(sim, NOTHING)
    presenced.send({"agent": AGENT, "state": "Talking"})
    wait_until(lambda: agent_view(sim)["uccs"][0]["state"] == "Talking", "it is taken")
    assert sim.shown(AGENT) == NOTHING
    presenced.send({"agent": AGENT, "state": "LoggedOff"}, READY)
    shows(sim, AVAILABLE)


def test_somebody_whom_no_event_named(sim, make_presenced):
    make_presenced(sim, events="-", stdin=subprocess.PIPE).wait_for("runs")
    assert ask(sim, "publish", AGENT, "in_a_call").code == 0
    shows(sim, IN_A_CALL)
    refused = ask(sim, "publish", "x@elsewhere.example", "busy")
    assert refused.code == 1 and "no account serves elsewhere.example" in refused.err


def test_without_a_daemon(sim):
    result = ask(sim, "publish", AGENT, "busy")
    assert result.code == 0 and "nothing keeps this up" in result.err
    assert ask(sim, "release", AGENT).code == 1
    cleared = ask(sim, "clear", AGENT, "--for", "8h")
    assert cleared.code == 0 and "--for: no daemon runs" in cleared.err
    assert ask(sim, "clear", AGENT).err == ""


def test_no_ucc_may_pose_as_one(sim, make_presenced, write_events):
    presenced = make_presenced(sim, events=write_events({**READY, "ucc": "(override)"}), until_idle=True)
    assert presenced.wait() == 3
    assert "/ucc: names in parentheses are our own" in presenced.err


def test_log_on_with_a_delay(sim, make_presenced):
    """The delay's end is the log-on."""
    (sim.folder / "rules.lua").write_text(
        'ruleset { states = { Ready = teams.available { delay = "1s" }, LoggedOff = clear } }\n')
    sim.change_config(lambda xml: xml.replace('State="', 'Rules="rules.lua" State="'))
    presenced = make_presenced(sim, events="-", stdin=subprocess.PIPE)
    presenced.wait_for("runs")
    assert ask(sim, "clear", AGENT, "--for", "8h").code == 0
    presenced.send(READY)
    shows(sim, AVAILABLE)


def test_an_engine_that_does_not_answer_is_not_passed_by(sim):
    """Somebody listens at the control socket, and hangs up: nothing is sent behind his back."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(sim.folder / "control.sock"))
        listener.listen()
        with subprocess.Popen([BIN / "presenced", "publish", AGENT, "busy", "-c", sim.config], stderr=subprocess.PIPE) as process:
            for _ in range(2):  # one to see who is there, one to ask
                listener.accept()[0].close()
            assert process.wait(30) == 1
            assert b"no daemon answers" in process.stderr.read()
    assert sim.counters()["actions"]["setPresence"] == 0
