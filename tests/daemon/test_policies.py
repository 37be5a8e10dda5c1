"""Policy scripts: the daemon keeps them, tells them what is decided and what became of it, and lives on when they fail."""

import subprocess
import time

import pytest
from conftest import ROOT, command, wait_until

FIRST, SECOND, THIRD = (f"agent00{i}@contoso.com" for i in (1, 2, 3))
AVAILABLE, BUSY, IN_A_CALL = ("Available", "Available"), ("Busy", "Busy"), ("Busy", "InACall")
NOTHING = ("Offline", "Offline")
EXAMPLES = ROOT / "examples" / "policies"


def ready(agent=FIRST, state="Ready", **more):
    return {"agent": agent, "state": state, **more}


@pytest.fixture
def policy(sim, make_presenced):
    """Runs a daemon with that text as its policy script; attributes go to the publisher's element."""

    def run(text, *arguments, attributes="", **more):
        write(sim, text)
        sim.change_config(lambda xml: xml.replace("<Account", '<Script File="policies/p.lua"/><Account', 1).replace(
            "<MsGraphPresencePublisher", f"<MsGraphPresencePublisher {attributes}", 1))
        more = {"events": "-", "stdin": subprocess.PIPE} | more
        return make_presenced(sim, *arguments, **more).wait_for("runs")

    return run


def write(sim, text):
    (sim.folder / "policies").mkdir(exist_ok=True)
    temporary = sim.folder / "policies" / "p.tmp"
    temporary.write_text(text, "utf-8")
    temporary.rename(sim.folder / "policies" / "p.lua")


def status(sim):
    return command("status", "--json", "-c", sim.config).json()


def script_of(sim):
    return status(sim)["scripts"][0]


def agent_of(sim, name=FIRST):
    return next((agent for agent in status(sim)["agents"] if agent["agent"] == name), None)


def shows(sim, presence, agent=FIRST):
    wait_until(lambda: sim.shown(agent) == presence, f"{agent} shows {presence}")


# ---- hooks


def test_on_decision(sim, policy):
    presenced = policy("""
        on.decision(function(event, decision)
          print(event.agent, event.state, event.reason, event.ucc, event.attributes.team, event.at <= event.since)
          print(decision.kind, decision.presence, decision.hold, decision.rule, decision.unmatched)
          decision.kind, event.agent = "clear", "x" -- they are copies
        end)""")
    presenced.send(ready(reason="47", ucc="voice", attributes={"team": "B"}))
    presenced.wait_for("p.lua: agent001@contoso.com Ready 47 voice B true")
    presenced.wait_for("p.lua: show session.available 43200 states.Ready false")
    presenced.send(ready(state="LoggedOff", ucc="voice"))
    presenced.wait_for("p.lua: clear nil nil states.LoggedOff false")
    shows(sim, NOTHING)


def test_on_outcome(sim, policy):
    presenced = policy("""
        on.outcome(function(upn, o)
          print(upn, o.ok, o.code, o.operation, o.presence, o.status // 100, #o.request_id > 0)
        end)""")
    presenced.send(ready())
    presenced.wait_for("p.lua: agent001@contoso.com true applied setPresence session.available 2 true")
    sim.faults("403")
    presenced.send(ready(SECOND))
    presenced.wait_for("p.lua: agent002@contoso.com false forbidden setPresence session.available 4")


def test_every_and_at(sim, policy):
    presenced = policy("""
        every("1s", function() log("warn", "beat") end)
        at(os.date("!%H:%M", os.time() + 60) .. " Etc/UTC", function() print("noon") end)""")
    wait_until(lambda: presenced.err.count("p.lua: beat") >= 3, "three beats")
    assert script_of(sim)["hooks"] == 2
    presenced.wait_for("p.lua: noon", patience=90)


def test_the_other_primitives(sim, policy):
    presenced = policy(f"""
        print("auth", assert(graph.auth()).account)
        print("lookup", assert(graph.lookup("{FIRST}")).display_name)
        assert(graph.publish("{FIRST}", teams.busy))
        repeat sleep(0.05) until graph.presence("{FIRST}").availability == "Busy"
        print("each", #graph.each({{ 1, 2, 3 }}, function(i) return i end))
        local _, err = graph.presence("nobody@contoso.com")
        print("error", err.code, err.status)
        print("done", arg[0] ~= nil, #arg)""")
    for text in ("auth contoso.com", "lookup agent001", "each 3", "error no_such_user 404", "done true 0",
                 "ended; it has no hooks"):
        presenced.wait_for("p.lua: " + text)
    assert script_of(sim)["state"] == "ended"
    # The token is the daemon's own, and so is what it knows of names: one lookup by the script, one of nobody.
    assert sim.counters()["token_requests"] == 1


def test_a_name_that_the_engine_knows_is_not_looked_up(sim, policy):
    presenced = policy("""
        on.outcome(function(upn) print("shows", assert(graph.presence(upn)).availability) end)""")
    presenced.send(ready())
    presenced.wait_for("shows Available")
    assert sim.counters()["lookups"] == 1


# ---- overrides


def test_overrides_are_set_seen_and_released(sim, policy):
    presenced = policy(f"""
        on.decision(function(event)
          if event.state == "Talking" then
            assert(graph.publish(event.agent, "Busy", {{ hold = "2h", why = "busy season" }}))
            print("published")
          elseif event.state == "WrapUp" then
            print("released", graph.release(event.agent))
            local ok, err = graph.release(event.agent)
            print("again", ok, err.code, err)
          elseif event.state == "LoggedOff" then
            assert(graph.clear("{SECOND}", {{ hold = "8h" }}))
          end
        end)
        print(select(2, graph.publish("a@elsewhere.org", teams.busy)))
        print(select(2, graph.clear("{FIRST}", {{ hold = "8d" }})).code)""")
    presenced.wait_for("a@elsewhere.org: no account serves elsewhere.org")
    presenced.wait_for("p.lua: out_of_range")
    presenced.send(ready(SECOND), ready(state="Talking"))
    shows(sim, BUSY)
    shows(sim, AVAILABLE, SECOND)
    agent = agent_of(sim)
    assert agent["ucc"] == "(override)"
    assert agent["rule"].startswith("override by script ") and agent["rule"].endswith("policies/p.lua: busy season")
    assert "policies/p.lua: busy season" in command("status", "--agents", "-c", sim.config).out
    presenced.send(ready(state="WrapUp"))
    presenced.wait_for("p.lua: released true")
    presenced.wait_for(f"p.lua: again nil refused {FIRST}: there is no override on this agent")
    shows(sim, IN_A_CALL)
    presenced.send(ready(state="LoggedOff"))
    shows(sim, NOTHING, SECOND)


def test_overrides_survive_a_restart(sim, policy, make_presenced):
    presenced = policy(f'assert(graph.publish("{FIRST}", teams.busy, {{ hold = "2h" }})) print("done")')
    presenced.wait_for("p.lua: done")  # so it is durable
    presenced.kill()
    write(sim, "every('1h', print)")
    make_presenced(sim, events="-", stdin=subprocess.PIPE).wait_for("runs")
    shows(sim, BUSY)
    assert agent_of(sim)["rule"].endswith("policies/p.lua")


def test_until_idle_waits_for_what_scripts_were_told(sim, policy, write_events):
    events = [ready(f"agent{i:03}@contoso.com") for i in range(1, 51)]
    presenced = policy("""
        on.decision(function(event) assert(graph.publish(event.agent, teams.busy)) end)
        while true do sleep(3600) end""", events=write_events(*events), stdin=subprocess.DEVNULL, until_idle=True)
    assert presenced.wait() == 0
    assert {sim.shown(event["agent"]) for event in events} == {BUSY}


# ---- failures


def publishes_on(sim, presenced, times=5):
    """Publishing goes on, whatever a script does."""
    for i in range(times):
        presenced.send(ready(THIRD, "Talking" if i % 2 == 0 else "Ready"))
        shows(sim, IN_A_CALL if i % 2 == 0 else AVAILABLE, THIRD)


def starts(presenced):
    return presenced.err.count("p.lua: started")


def test_an_endless_loop_in_a_hook(sim, policy):
    presenced = policy("""
        print("begun")
        on.decision(function(event)
          if event.agent == "agent001@contoso.com" then while true do end end
          print("told", event.agent)
        end)""")
    for times, pause in ((1, "1s"), (2, "2s"), (3, "4s")):
        presenced.send(ready())
        presenced.wait_for(f"p.lua:4: still running after 50 ms of CPU time; look for a loop that does not end; the script "
                           f"is started again in {pause}")
        publishes_on(sim, presenced, 2)
        script = script_of(sim)
        assert script["failures"] >= times and "p.lua:4: in" in script["traceback"]
        wait_until(lambda least=times + 1: starts(presenced) >= least, "it is started again")
    shows(sim, AVAILABLE)
    presenced.send(ready(SECOND))
    presenced.wait_for(f"told {SECOND}")


def test_a_hook_that_raises_is_told_with_its_lines(sim, policy):
    presenced = policy("""
        local function inner(event)
          return event.nothing.field
        end
        on.decision(function(event)
          inner(event)
          print("not reached")
        end)""")
    presenced.send(ready())
    presenced.wait_for("p.lua:3: attempt to index a nil value (field 'nothing'); the script is started again in 1s")
    script = script_of(sim)
    assert script["state"] in ("waits", "runs") and script["failures"] == 1
    assert script["last_failure"].endswith("p.lua:3: attempt to index a nil value (field 'nothing')")
    assert "p.lua:3: in upvalue 'inner'" in script["traceback"] and "p.lua:6: in" in script["traceback"]
    assert "p.lua:6: in" in presenced.err and "not reached" not in presenced.err
    out = command("status", "-c", sim.config).out
    assert "policies/p.lua: " in out and "1 failures" in out and "p.lua:3: attempt to index" in out
    publishes_on(sim, presenced)


def test_a_memory_bomb(sim, policy):
    presenced = policy("""
        on.outcome(function() local t = {} while true do t[#t + 1] = ("x"):rep(10000) .. #t end end)""",
                       attributes='ScriptMemory="4MiB" PolicyTime="1s"')
    presenced.send(ready())
    presenced.wait_for("p.lua:2: needs more than 4 MiB of memory")
    publishes_on(sim, presenced)


def test_a_syntax_error_does_not_keep_the_daemon_from_publishing(sim, policy):
    presenced = policy("every('5m', function()\n local x = = 1 end)")
    presenced.wait_for("p.lua:2: unexpected symbol near '='; the script is started again in 1s")
    publishes_on(sim, presenced)
    script = script_of(sim)
    assert script["state"] == "waits" and script["starts"] == 0 and script["next_start"] > script["last_failure_at"]


def test_what_does_not_fit_the_queue_is_counted(sim, policy):
    presenced = policy("on.decision(function() sleep(3600) end)", attributes='PolicyQueue="5" ScriptTasks="4"')
    for i in range(1, 21):
        presenced.send(ready(f"agent{i:03}@contoso.com"))
        if i == 2:  # the two that may be under way are: five of the next wait
            wait_until(lambda: script_of(sim)["calls"] == 2, "two calls are under way")
    shows(sim, AVAILABLE, "agent020@contoso.com")
    script = wait_until(lambda: script_of(sim)["dropped"] == 13 and script_of(sim), "thirteen are dropped")
    assert script["calls"] == 2 and script["queued"] == 5
    assert "13 decisions and outcomes found its queue full" in command("status", "-c", sim.config).out


def test_a_script_that_says_too_much(sim, policy):
    presenced = policy("every('1s', function() for i = 1, 1000 do print(i) end end)")
    presenced.wait_for("lines were left out; it says too much")
    assert "p.lua: 999" not in presenced.err
    publishes_on(sim, presenced, 2)


def test_asking_without_end_leaves_half_of_the_budget(sim, policy):
    """Sixty requests in thirty seconds: a script that reads as fast as it can gets thirty of them."""
    sim.change_config(lambda xml: xml.replace("<Account", '<Account RequestsPer30Seconds="60"', 1))
    presenced = policy(f"""
        while true do
          graph.each({{ "{FIRST}", "{SECOND}" }}, graph.presence)
        end""")

    def asked():
        return sum(entry["path"].endswith("/presence") for entry in sim.log()["entries"])

    wait_until(lambda: asked() >= 29, "it has asked what it may")
    begun = time.monotonic()
    for i in range(4, 14):
        presenced.send(ready(f"agent{i:03}@contoso.com"))
    shows(sim, AVAILABLE, "agent013@contoso.com")
    assert time.monotonic() - begun < 20 and asked() <= 40  # they did not wait for the window to end


# ---- changes and ends


def test_a_changed_file_is_started_anew(sim, policy):
    presenced = policy("print('one') every('1h', print)")
    presenced.wait_for("p.lua: one")
    write(sim, "print('two') every('1h', print)")
    presenced.wait_for("p.lua: two")
    write(sim, "print('three'")
    presenced.wait_for("the script as it was before runs on")
    script = script_of(sim)
    assert script["state"] == "runs" and script["starts"] == 2 and "p.lua:1: ')' expected" in script["last_failure"]
    write(sim, "print('four') every('1h', print)")
    presenced.wait_for("p.lua: four")
    assert presenced.err.count("p.lua: started") == 3


def test_the_file_may_come_later(sim, policy):
    presenced = policy("")
    presenced.wait_for("ended; it has no hooks")
    (sim.folder / "policies" / "p.lua").unlink()
    presenced.wait_for("p.lua: cannot be read: No such file or directory")
    write(sim, "print('here')")
    presenced.wait_for("p.lua: here")


def test_sigterm_with_a_sleeping_script(sim, policy):
    sim.faults("lookup-hang")
    presenced = policy(f"""
        every("1h", print)
        graph.each({{ "{FIRST}", 2 }}, function(what)
          print("in")
          if what == 2 then sleep(3600) else graph.lookup(what) end
        end)""")
    wait_until(lambda: presenced.err.count("p.lua: in") == 2 and sim.counters()["lookups"] == 1, "both wait")
    assert presenced.stop() == 0
    assert "p.lua: cancelled; 1 operations under way were given up" in presenced.err


def test_only_the_daemon_has_hooks(sim, tmp_path):
    (tmp_path / "t.lua").write_text("local x = 1\nat('18:00 UTC', print)\n")
    result = command("script", tmp_path / "t.lua", "-c", sim.config)
    assert result.code == 1
    assert result.err.splitlines()[0].endswith(
        't.lua:2: at is not available: the daemon calls hooks, and this is no daemon; name the file in config.xml, '
        '<Script File="...">, and let `presenced run` call them')


# ---- the example


def test_example_evening(sim, policy):
    """With its evening two seconds away, and its hour too."""
    text = (EXAMPLES / "evening.lua").read_text("utf-8")
    at, hour = 'at("20:00 Europe/Amsterdam"', 'every("1h"'
    assert text.count(at) == text.count(hour) == 1
    presenced = policy(text.replace(at, 'every("2s"').replace(hour, 'every("2s"'))
    presenced.send(ready(), ready(SECOND), ready(THIRD), ready(THIRD, "LoggedOff"))
    presenced.wait_for("p.lua: 2 of 2 agents cleared for the night")
    shows(sim, NOTHING)
    assert agent_of(sim)["uccs"][-1]["rule"].endswith("p.lua: evening")
    presenced.send(ready(state="LoggedOff"), ready())
    shows(sim, AVAILABLE)
    sim.faults("403")
    presenced.send(ready(THIRD))
    presenced.wait_for("p.lua: 1 requests were refused in the last hour")


# ---- check


def test_check_compiles_scripts(sim):
    write(sim, "every('5m', function() end)\n")
    sim.change_config(lambda xml: xml.replace(
        "<Account", '<Script File="policies/p.lua"/>\n<Script File="none.lua"/><Account', 1))
    result = command("check", "-c", sim.config)
    assert result.code == 2
    assert "policies/p.lua compiles" in result.out
    assert "none.lua: cannot be read: No such file or directory; check the path" in result.out
    line = next(line for line in result.out.splitlines() if "none.lua" in line)
    assert "FAIL" in line and "config.xml:" in line
    write(sim, "every('5m', function()\n  local x = = 1\nend)\n")
    (sim.folder / "none.lua").write_text("")
    result = command("check", "-c", sim.config)
    assert result.code == 2 and "policies/p.lua:2: unexpected symbol near '='" in result.out
