"""`presenced why`: what an agent shows, who said so, and what Graph has confirmed, in words and as JSON."""

import subprocess

from conftest import command, wait_until

AGENT = "agent001@contoso.com"


def why(sim, *arguments):
    return command("why", *arguments, "-c", sim.config)


def shows(sim, presence):
    wait_until(lambda: sim.shown(AGENT) == presence, f"{presence} is shown")


def test_lunch(sim, make_presenced):
    presenced = make_presenced(sim, events="-", stdin=subprocess.PIPE)
    presenced.send({"agent": AGENT, "state": "NotReady", "reason": "LUNCH", "ucc": "voice"})
    shows(sim, ("BeRightBack", "BeRightBack"))
    wait_until(lambda: "confirmed" in why(sim, AGENT).out, "it is confirmed")
    result = why(sim, AGENT.upper())
    lines = result.out.splitlines()
    assert result.code == 0
    assert lines[0] == f"agent        {AGENT}"
    assert sim.user(AGENT)["id"] in lines[1] and "account contoso.com" in lines[1]
    assert lines[2].startswith("should show  session.away + preferred.be_right_back (the session only carries")
    assert lines[3].startswith("because      reasons.LUNCH default.lua:")
    assert lines[4] == "state        confirmed"
    assert lines[5].startswith("Graph has    session.away, sent 20") and ", until 20" in lines[5]
    assert lines[6].startswith("             preferred.be_right_back, sent 20")
    assert lines[7].startswith("said         voice: NotReady LUNCH since 20")
    assert lines[8].startswith("             -> show preferred.be_right_back until 20")
    json = why(sim, sim.user(AGENT)["id"], "--json").json
    assert json()["graph"]["preferred"]["presence"] == "preferred.be_right_back"


def test_who_overrides(sim, make_presenced):
    presenced = make_presenced(sim, events="-", stdin=subprocess.PIPE)
    presenced.send({"agent": AGENT, "state": "Ready"})
    shows(sim, ("Available", "Available"))
    assert command("publish", AGENT, "busy", "--for", "1h", "-c", sim.config).code == 0
    shows(sim, ("Busy", "Busy"))
    out = why(sim, AGENT).out
    assert "because      override by " in out and "said         default: Ready since" in out


def test_parked_and_unknown(sim, make_presenced):
    sim.faults("403")
    presenced = make_presenced(sim, events="-", stdin=subprocess.PIPE)
    presenced.send({"agent": AGENT, "state": "Ready"})
    wait_until(lambda: "parked       setPresence: 403" in why(sim, AGENT).out, "it is parked, and says why")
    assert "Graph has    nothing of ours" in why(sim, AGENT).out
    nobody = why(sim, "nobody@contoso.com")
    assert nobody.code != 0 and "nobody@contoso.com: no event has named this agent" in nobody.err
    assert why(sim).code == 2
