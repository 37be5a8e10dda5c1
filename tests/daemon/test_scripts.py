"""`presenced script`: the primitives against the stand-in for Entra and Graph, what goes wrong while a script runs, and
the scripts in examples/."""

import json
import os
import re
import signal
import subprocess
import time

import pytest
from conftest import BIN, ROOT, Program, command, wait_until

EXAMPLES = ROOT / "examples" / "scripts"
FIRST = "agent001@contoso.com"


@pytest.fixture
def script(sim, tmp_path):
    """Runs a text as a script, by the name t.lua in tmp_path."""

    def run(text, *arguments, of=sim, **more):
        (tmp_path / "t.lua").write_text(text, "utf-8")
        return command("script", "t.lua", *arguments, "-c", of.config, cwd=tmp_path, **more)

    return run


def good(result):
    assert result.code == 0, result
    return result.out.splitlines()


def traceback_of(result):
    assert result.code == 1, result
    return result.err


# ---- primitives


def test_auth_tells_all_but_the_token(script):
    lines = good(script("""
        local a = assert(graph.auth("contoso.com"))
        for key, value in pairs(a) do
          print(key .. "=" .. (type(value) == "table" and table.concat(value, ",") or tostring(value)))
        end"""))
    said = dict(line.split("=") for line in lines)
    assert sorted(said) == ["account", "expires_in", "roles", "tenant"]
    assert said["account"] == "contoso.com" and said["roles"] == "Presence.ReadWrite.All,User.Read.All"
    assert 3500 < int(said["expires_in"]) <= 3599
    assert re.fullmatch(r"[0-9a-f-]{36}", said["tenant"])


def test_auth_without_roles(script, make_sim):
    bare = make_sim("--roles", "none", name="bare")
    assert good(script("print(#assert(graph.auth()).roles)", of=bare)) == ["0"]
    result = good(script(f"local _, err = graph.lookup('{FIRST}') print(err.code, err.status)", of=bare))
    assert result == ["forbidden\t403"]


def test_auth_of_an_unknown_account(script):
    assert good(script("local _, err = graph.auth('x') print(err.code, err)")) == [
        "no_account\tthere is no account x; see the config's Account Ids"]


def test_lookup(script, sim):
    sim.post("/sim/users", {"upn": "agent002@contoso.com", "enabled": False})
    lines = good(script("""
        for _, upn in ipairs { "AGENT001@contoso.com", "agent002@contoso.com", "ann_fabrikam.com#EXT#@contoso.com" } do
          local user = assert(graph.lookup(upn))
          print(user.id, user.upn, user.display_name, user.account_enabled, user.user_type)
        end
        local user, err = graph.lookup("nobody@contoso.com")
        print(user, err.code, err.status, err.retry_after, err.message:match("^nobody@contoso.com: lookup: 404") ~= nil)
    """))
    identity = sim.user(FIRST)["id"]
    assert lines[0] == f"{identity}\tagent001@contoso.com\tagent001\ttrue\tMember"
    assert lines[1].endswith("\tfalse\tMember") and lines[2].endswith("\ttrue\tGuest")
    assert lines[3] == "nil\tno_such_user\t404\tnil\ttrue"


def test_publish_presence_and_clear(script, sim):
    result = script(f"""
        assert(graph.publish("{FIRST}", teams.busy, {{ hold = "30m", why = "test" }}))
        local p = assert(graph.presence("{FIRST}"))
        print(p.availability, p.activity, p.message)
        assert(graph.publish("agent002@contoso.com", "Busy InACall", {{ hold = 5400 }}))
        assert(graph.publish("agent003@contoso.com", session.away))
        assert(graph.publish("agent004@contoso.com", preferred.offline))
        assert(graph.clear("agent003@contoso.com"))
        assert(graph.release("agent004@contoso.com"))
        assert(graph.release("agent004@contoso.com"))""")
    assert good(result) == ["Busy\tBusy\tnil"]
    assert len(re.findall("no daemon keeps it alive", result.err)) == 1
    assert sim.shown(FIRST) == ("Busy", "Busy")
    session = sim.user("agent002@contoso.com")["sessions"][0]
    assert session["expires_ms"] - session["set_ms"] == 90 * 60 * 1000
    assert sim.shown("agent003@contoso.com") == sim.shown("agent004@contoso.com") == ("Offline", "Offline")


def test_who_only_reads_is_not_warned(script):
    assert "keeps it alive" not in script(f"assert(graph.presence('{FIRST}'))").err


def test_object_ids_and_the_cache_of_names(script, sim):
    identity = sim.user(FIRST)["id"]
    good(script(f"""
        assert(graph.publish("{identity}", teams.busy))
        for _ = 1, 5 do assert(graph.clear("{FIRST}")) end"""))
    assert sim.counters()["lookups"] == 1


@pytest.mark.parametrize("call,says", [
    ("graph.publish('a@contoso.com')", "argument 2 of graph.publish is missing; give it a string"),
    ("graph.publish('a@contoso.com', 'Bussy')", '"Bussy" is no presence; write teams.busy'),
    ("graph.publish('a@contoso.com', teams.bussy)", "there is no teams.bussy; there are: available away be_right_back"),
    ("graph.publish('a@contoso.com', teams.busy, { holt = 1 })", "graph.publish has no option holt; there are: hold why"),
    ("graph.publish('a@contoso.com', teams.busy, { hold = 'ages' })", "a hold of ages is no duration"),
    ("graph.clear('  ')", "is no name of a user"),
    ("graph.lookup(('x'):rep(500))", "is no name of a user"),
    ("graph.each({}, 1)", "argument 2 of graph.each is a number; give it a function"),
    ("graph.each({ 1 }, print, { concurrency = 101 })", "a whole number from 1 to 100"),
    ("sleep(-1)", "sleep takes from 0 to 86400 seconds"),
    ("sleep(0/0)", "sleep takes from 0 to 86400 seconds"),
    ("log('loud', 'x')", "log has no level loud"),
])
def test_wrong_arguments_name_the_authors_line(script, call, says):
    err = traceback_of(script(f"local x\nx = {call}\nprint(x)"))
    assert err.startswith("presenced: t.lua:2: ") and says in err.splitlines()[0]
    assert "\tt.lua:2: in " in err


def test_out_of_range_is_a_value(script):
    lines = good(script(f"""
        print(select(2, graph.publish("{FIRST}", teams.in_a_call, {{ hold = "5h" }})).code)
        print(select(2, graph.publish("{FIRST}", teams.busy, {{ hold = "1m" }})).code)
        print(select(2, graph.publish("a@elsewhere.org", teams.busy)).code)"""))
    assert lines == ["out_of_range", "out_of_range", "no_account"]


def test_arguments_output_and_log(script):
    result = script("print(arg[0], arg[1], #arg, ...) log('warn', 'careful') log('debug', 'not shown')", "a", "b c")
    assert good(result) == ["t.lua\ta\t2\ta\tb c"]
    assert "warning: careful" in result.err and "not shown" not in result.err


def test_sleep_waits(script):
    begun = time.monotonic()
    assert good(script("print(1) sleep(1.2) print(2)")) == ["1", "2"]
    assert time.monotonic() - begun >= 1.2


def test_output_that_cannot_be_written(sim, tmp_path):
    (tmp_path / "t.lua").write_text("print('x')")
    with open("/dev/full", "wb") as full:
        done = subprocess.run([BIN / "presenced", "script", "t.lua", "-c", sim.config], cwd=tmp_path, stdout=full,
                              stderr=subprocess.PIPE, timeout=20)
    assert done.returncode == 1 and b"not all could be written" in done.stderr


def test_events_of_a_recording(script, write_events):
    events = [{"agent": f"Agent{i:03}@contoso.com", "state": "Ready", "at": "2026-01-05T12:00:00Z",
               "attributes": {"team": "B"}} for i in range(1, 601)]
    path = write_events(*events[:300], "{no json", {"agent": "x"}, "x" * 70000, *events[300:])
    result = script("""
        local count, last = 0
        for event, line in assert(events(arg[1])) do
          count, last = count + 1, line
          if count == 1 then print(event.agent, event.state, event.ucc, event.at, event.attributes.team, event.reason) end
        end
        print(count, last)""", path)
    assert good(result) == ["agent001@contoso.com\tReady\tdefault\t1767614400\tB\tnil", "600\t603"]
    assert result.err.count("no event, skipped") == 3 and f"{path}:301: no event" in result.err


def test_rows_of_a_spreadsheet(script, tmp_path):
    (tmp_path / "a.csv").write_bytes('\ufeffupn;"full; name"\r\n zoë@contoso.com ;"say ""hi""\n there"\r\n\r\nb@c\r\n'.encode())
    assert good(script("for row, line in assert(rows('a.csv')) do print(line, row.upn, row['full; name']) end")) == [
        '2\tzoë@contoso.com\tsay "hi"', " there", "5\tb@c\t"]


@pytest.mark.parametrize("data,says", [
    (b"a,b\n1,2,3\n", "a.csv:2: 3 fields, but the head line has 2"), (b"a,b\n\xff,2\n", 'a.csv:2: this is no UTF-8'),
    (b"", "a.csv: empty"), (b'a,b\n"' + b"x" * 70000, "a.csv:2: a row larger than 64 KiB"),
])
def test_broken_spreadsheets(script, tmp_path, data, says):
    (tmp_path / "a.csv").write_bytes(data)
    assert says in traceback_of(script("for _ in assert(rows('a.csv')) do end"))


def test_files_that_are_none(script, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    lines = good(script("for _, path in ipairs(arg) do print(select(2, rows(path)).code) end", "none", "pipe", "/dev/zero"))
    assert lines == ["no_such_file"] * 3


# ---- graph.each


def test_each_for_500_people(make_sim, script):
    sim = make_sim("--users", "500", name="large")
    lines = good(script("""
        local people = {}
        for i = 1, 500 do people[i] = i end
        local running, most = 0, 0
        local results, errors = graph.each(people, function(i)
          running = running + 1
          most = math.max(most, running)
          local ok, err = graph.publish(("agent%03d@contoso.com"):format(i), teams.in_a_call)
          running = running - 1
          return ok and i, err
        end, { concurrency = 20 })
        local sum = 0
        for _, i in ipairs(results) do sum = sum + i end
        print(#results, sum, next(errors), most)""", of=sim))
    assert lines == ["500\t125250\tnil\t20"]
    users = sim.state()["users"]
    assert sum(user["shown"]["activity"] == "InACall" for user in users) == 500
    counters = sim.counters()
    assert counters["lookups"] == 500 and counters["token_requests"] == 1


def test_each_gathers_errors_by_place(script):
    assert good(script("""
        local results, errors = graph.each({ "agent001@contoso.com", "nobody@contoso.com", "agent002@contoso.com" }, graph.presence)
        print(results[1].availability, results[2], results[3].availability, errors[1], errors[2].status)
        print(#graph.each({}, print))""")) == ["Offline\tnil\tOffline\tnil\t404", "0"]


def test_each_within_each(script):
    assert good(script("""
        local sum = 0
        graph.each({ 1, 2, 3 }, function(i)
          graph.each({ 10, 20 }, function(j) sleep(0.01) sum = sum + i * j end, { concurrency = 1 })
        end)
        print(sum)""")) == ["180"]


def test_error_in_a_callback_crosses_the_yields(script):
    err = traceback_of(script("""
        local function one(i)
          sleep(0.01)
          if i == 2 then
            local nothing
            return nothing.field
          end
          sleep(60)
        end
        local function all()
          graph.each({ 1, 2, 3 }, one)
          print("not reached")
        end
        all()"""))
    assert err.splitlines()[0] == "presenced: t.lua:6: attempt to index a nil value (local 'nothing')"
    assert err.index("\tt.lua:6: in") < err.index("\tt.lua:11: in") < err.index("\tt.lua:14: in")


def test_error_in_a_callback_can_be_caught(script):
    begun = time.monotonic()
    lines = good(script("""
        print(pcall(graph.each, { 1, 2, 3 }, function(i) if i == 2 then error("two") end sleep(60) end))
        print(pcall(graph.each, { 1 }, function() error("one", 0) end))"""))
    assert lines == ["false\tt.lua:2: two", "false\tone"] and time.monotonic() - begun < 30


# ---- limits


def limits(attributes):
    """So narrow that one of them is met long before the others."""
    return lambda text: text.replace("<MsGraphPresencePublisher", f"<MsGraphPresencePublisher {attributes}", 1)


@pytest.mark.parametrize("text", [
    "while true do end",
    "while true do pcall(function() while true do end end) end",
    "graph.each({ 1 }, function() sleep(0) while true do end end)",
    "pcall(graph.each, { 1 }, function() while true do end end) print('not reached')",
    "setmetatable({}, { __index = function() while true do end end }).x = nil; local t = setmetatable({}, "
    "{ __close = function() while true do end end }) do local c <close> = t end",
])
def test_endless_loops(sim, script, text):
    sim.change_config(limits('ScriptTime="200ms"'))
    result = script("print('begun') " + text)
    assert "t.lua:1: still running after 200 ms" in traceback_of(result)
    assert "not reached" not in result.out
    assert "\tt.lua:1: in" in result.err


@pytest.mark.parametrize("text,says", [
    ("local s, t = ('x'):rep(1e5), {} while true do t[#t + 1] = s .. #t end", "needs more than 100 MiB"),
    ("local t = 'x' while true do t = t .. t end", "needs more than 100 MiB"),
    ("local s, t = ('x'):rep(1e5), {} while true do pcall(function() t[#t + 1] = s .. #t end) end", "needs more than 100 MiB"),
    ("local function f() return 1 + f() end f()", "stack overflow"),
    ("local function f(n) return graph.each({ 1, 2, 3, 4 }, function() return f(n + 1) end) end f(1)",
     "more than 100 coroutines at once"),
    ("print((('a'):rep(400)):find('.-.-.-b'))", "could take very long with this pattern"),
    ("print(('x'):rep(1e9))", "string.rep makes at most"), ("local r = ('').rep('', '4000000000')", "string.rep makes at most"),
    ("table.move({}, 1, 1e9, 2)", "table.move moves at most"),
    ("setmetatable({}, { __gc = print })", "__gc is not available"), ("xpcall(print, print)", "xpcall is not available"),
    ("coroutine.wrap(print)()", "coroutine is not available"), ("require('x')", "require is not available"),
    ("load('x')()", "load is not available"), ("io.open('x')", "io is not available"), ("debug.sethook()", "debug is not"),
    ("os.execute('true')", "attempt to call a nil value (field 'execute')"), ("os.getenv('HOME')", "field 'getenv'"),
    ("getmetatable('').__index = nil", "attempt to index a boolean value"), ("teams.x = 1", "teams cannot be changed"),
    ("table.sort({ 3, 2, 1 }, function(a, b) sleep(1) return a < b end)", "it is not possible to wait here"),
    ("error({})", "an error that is a table, not a text"), ("error()", "an error that is a nil, not a text"),
    ("local x = = 1", "t.lua:1: unexpected symbol near '='"), ("\x1bLua", "t.lua: this is compiled Lua"),
])
def test_limits(sim, script, text, says):
    sim.change_config(limits('ScriptTime="60s" ScriptMemory="100MiB" ScriptTasks="100"'))
    result = script("print('begun') " + text if not text.startswith("\x1b") else text)
    assert says in traceback_of(result)
    assert "not reached" not in result.out
    assert "\tt.lua:1: in" in result.err or "unexpected" in result.err or text.startswith("\x1b")


def test_what_is_no_limit(script):
    assert good(script("""
        print(("a, b"):match("^(%w+),%s*(%w+)$"), ("x"):rep(60000):gsub("x+", "y"), os.date("!%Y", 0), #("é"), utf8.len("é"))
        local lines = {}
        for word in ("one two"):gmatch("%a+") do lines[#lines + 1] = word end
        print(table.concat(lines, "-"), pcall(error, "x"), next({}), _G.print == print)
        x = 1
        print(x, undeclared)""")) == ["a\ty\t1970\t2\t1", "one-two\tfalse\tnil\ttrue", "1\tnil"]


@pytest.mark.parametrize("text,code,says", [("return false", 1, ""), ("return nil", 0, ""), ("#!/bin/x\nreturn 1", 0, "")])
def test_exit_code(script, text, code, says):
    result = script(text)
    assert (result.code, result.err) == (code, says)


def test_usage(sim, tmp_path):
    for arguments, says in ((["none.lua"], "none.lua: cannot be read"), ([], "an argument is missing"),
                            (["--what", "x.lua"], "--what is no option")):
        result = command("script", *arguments, "-c", sim.config, cwd=tmp_path)
        assert result.code == 2 and says in result.err, result


# ---- trouble at Graph


PUBLISH_30 = """
    local people = {}
    for i = 1, 30 do people[i] = ("agent%03d@contoso.com"):format(i) end
    local _, errors = graph.each(people, function(upn) return graph.publish(upn, teams.in_a_call) end)
    for i, err in pairs(errors) do print(i, err.code, err.status) end
    print("done")"""


@pytest.mark.parametrize("fault", ["throttle:1:2", "500:1:2", "401:1:1", "reset:1:2", "lookup-500:1:2", "token-500:1:1",
                                   "lost:1:2", "rubbish:1:2"])
def test_passing_faults_are_not_seen(sim, script, fault):
    sim.faults(fault)
    assert good(script(PUBLISH_30)) == ["done"]
    assert sum(user["shown"]["activity"] == "InACall" for user in sim.state()["users"]) == 30


def test_lasting_faults_are_values(sim, script):
    for fault, says in (("500", "try_later\t500"), ("403", "forbidden\t403"), ("400", "refused\t400"),
                        ("404", "no_such_user\t404"), ("throttle", "throttled\t429")):
        sim.faults(fault)
        assert good(script(f"""
            local ok, err = graph.publish("{FIRST}", teams.in_a_call)
            print(err.code, err.status)
            assert(not ok and (err.code ~= "throttled" or err.retry_after > 0))
            print("goes on")""")) == [says, "goes on"]
    sim.faults("token-bad-secret")
    lines = good(script(f"local _, err = graph.lookup('{FIRST}') print(err.code, err.message)"))
    assert lines[0].startswith("no_token\taccount contoso.com: the client secret is wrong")


def test_the_second_401_is_a_value(sim, script):
    sim.faults("401")
    assert good(script(f"print(select(2, graph.clear('{FIRST}')).code)")) == ["token_stale"]


# ---- cancellation


@pytest.mark.parametrize("signum,code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("text,under_way", [
    ("print('ready') sleep(600)", 0), (f"print('ready') graph.clear('{FIRST}')", 1),
    ("print('ready') graph.each({ 1, 2, 3 }, function() graph.clear('agent002@contoso.com') end)", 3),
])
def test_cancelled_by_a_signal(sim, tmp_path, running, signum, code, text, under_way):
    sim.faults("hang")
    (tmp_path / "t.lua").write_text(text)
    program = Program(tmp_path, "presenced", "script", "t.lua", "-c", sim.config)
    running.append(program)
    program.wait_for("ready")
    if under_way:
        wait_until(lambda: sim.counters()["lookups"] >= 1, "the first request")
    assert program.stop(signum) == code
    assert f"{under_way} operations under way were given up" in program.err


# ---- examples


def example(sim, name, *arguments, **more):
    return command("script", EXAMPLES / name, *arguments, "-c", sim.config, **more)


def agents(tmp_path, *rows, head="upn"):
    path = tmp_path / "agents.csv"
    path.write_text("\n".join([head, *rows]) + "\n", "utf-8")
    return path


def test_example_closing_time(sim, tmp_path):
    for upn in (FIRST, "agent002@contoso.com"):
        assert command("publish", upn, "in_a_call", "-c", sim.config).code == 0
    path = agents(tmp_path, FIRST, "agent002@contoso.com", "agent003@contoso.com")
    assert good(example(sim, "closing_time.lua", path)) == ["3 of 3 cleared"]
    assert sim.shown(FIRST) == sim.shown("agent002@contoso.com") == ("Offline", "Offline")
    result = example(sim, "closing_time.lua", agents(tmp_path, FIRST, "nobody@contoso.com"))
    assert result.code == 1 and "nobody@contoso.com: not cleared" in result.out and "1 of 2 cleared" in result.out


def test_example_audit(sim, tmp_path):
    assert command("publish", FIRST, "in_a_call", "-c", sim.config).code == 0
    path = agents(tmp_path, f"{FIRST},Busy InACall", "agent002@contoso.com,Offline", head="upn,presence")
    assert good(example(sim, "audit.lua", path)) == ["2 as expected, 0 differ, 0 could not be asked"]
    path = agents(tmp_path, f"{FIRST},Away", "nobody@contoso.com,Busy", head="upn,presence")
    result = example(sim, "audit.lua", path)
    assert result.code == 1
    assert f"{FIRST}: expected Away, shows Busy InACall" in result.out
    assert "0 as expected, 1 differ, 1 could not be asked" in result.out


def test_example_import(sim, tmp_path):
    moved = sim.user("agent005@contoso.com")["id"]
    sim.post("/sim/users", {"upn": "married@contoso.com", "id": moved})
    sim.post("/sim/users", {"upn": "agent002@contoso.com", "enabled": False})
    path = agents(tmp_path, f"{FIRST},", "agent002@contoso.com,", "nobody@contoso.com,", "ann_fabrikam.com#EXT#@contoso.com,",
                  "AGENT001@contoso.com,", f"agent005@contoso.com,{moved}", head="upn,id")
    result = example(sim, "import_agents.lua", path)
    assert result.code == 1
    said = [line.removeprefix(f"{path}:") for line in result.out.splitlines()]
    assert said == ["3: agent002@contoso.com: disabled", "4: nobody@contoso.com: unresolved",
                    "5: ann_fabrikam.com#EXT#@contoso.com: guest", "6: AGENT001@contoso.com: duplicate (of line 2)",
                    "7: agent005@contoso.com: renamed (now married@contoso.com)", "1 of 6 agents are fine"]
    assert good(example(sim, "import_agents.lua", agents(tmp_path, FIRST))) == ["1 of 1 agents are fine"]


def test_example_drill(sim, tmp_path, running):
    path = agents(tmp_path, FIRST, "agent002@contoso.com")
    program = Program(tmp_path, "presenced", "script", EXAMPLES / "drill.lua", path, "teams.presenting", "2", "-c",
                      sim.config)
    running.append(program)
    program.wait_for("drill begun: 2 of 2")
    assert sim.shown(FIRST) == sim.shown("agent002@contoso.com") == ("DoNotDisturb", "Presenting")
    assert program.wait() == 0
    assert "drill ended: 2 of 2" in program.out
    assert sim.shown(FIRST) == ("Offline", "Offline")


def test_examples_say_how_to_use_them(sim):
    for path in sorted(EXAMPLES.glob("*.lua")):
        result = example(sim, path.name)
        assert result.code == 1 and f"usage: presenced script {path.name}" in result.err, result


def test_secrets_do_not_reach_a_script(sim, script, tmp_path):
    """All that a script can see of its world, written out."""
    lines = good(script("""
        assert(graph.auth()) assert(graph.lookup("agent001@contoso.com"))
        local seen = {}
        local function show(value)
          if type(value) == "table" and not seen[value] then
            seen[value] = true
            for k, v in next, value do show(k) show(v) end
            show(getmetatable(value))
          elseif type(value) == "string" and utf8.len(value) then
            print(value)
          end
        end
        show(_G)"""))
    text = "\n".join(lines)
    about = json.loads((sim.folder / "sim.json").read_text())
    for secret in (value for key, value in about.items() if "secret" in key and isinstance(value, str)):
        assert secret not in text
    assert "eyJ" not in text and "Bearer" not in text


# ---- while a daemon runs


def test_a_script_publishes_through_the_engine(sim, make_presenced, tmp_path):
    """What it publishes is an override that the daemon keeps up, and that the contact centre does not push aside."""
    presenced = make_presenced(sim, events="-", stdin=subprocess.PIPE)
    presenced.send({"agent": "agent001@contoso.com", "state": "Ready"})
    wait_until(lambda: sim.shown("agent001@contoso.com") == ("Available", "Available"), "it is shown")
    script = tmp_path / "drill.lua"
    script.write_text('''
local upn, what = arg[1], arg[2]
if what == "publish" then
  assert(graph.publish(upn, "teams.busy", { hold = "2h", why = "fire drill" }))
elseif what == "clear" then
  assert(graph.clear(upn, { hold = "2h" }))
else
  local ok, err = graph.release(upn)
  print(ok, err and err.message)
end
''')

    def run(*arguments):
        result = command("script", script, *arguments, "-c", sim.config)
        assert result.code == 0, result
        return result

    run("agent001@contoso.com", "publish")
    wait_until(lambda: sim.shown("agent001@contoso.com") == ("Busy", "Busy"), "busy is shown")
    agent = command("status", "--json", "-c", sim.config).json()["agents"][0]
    assert agent["rule"].startswith("override by script ") and agent["rule"].endswith("drill.lua: fire drill")
    assert "directly" not in run("agent001@contoso.com", "clear").err
    wait_until(lambda: sim.shown("agent001@contoso.com") == ("Offline", "Offline"), "nothing is shown")
    assert run("agent001@contoso.com", "release").out.startswith("true")
    wait_until(lambda: sim.shown("agent001@contoso.com") == ("Available", "Available"), "the contact centre counts again")
    assert "there is no override on this agent" in run("agent001@contoso.com", "release").out


@pytest.mark.parametrize("line", [
    'table.concat(setmetatable({}, { __index = table.concat }), "", 1, 1 << 53)',
    'table.insert(setmetatable({}, { __len = function() return 1 << 60 end }), 1, "x")',
    'table.remove(setmetatable({}, { __len = function() return 1 << 60 end }), 1)',
    'table.unpack(setmetatable({}, { __len = function() return 1 << 60 end }))',
])
def test_no_table_looks_longer_than_it_is(sim, tmp_path, line):
    """Inside Lua's own C functions no limit is seen."""
    script = tmp_path / "t.lua"
    script.write_text(line + "\n")
    result = command("script", script, "-c", sim.config)
    assert result.code == 1 and "t.lua:1: table." in result.err and "without a metatable" in result.err, result


def test_coroutines_that_share_an_iterator(sim, tmp_path):
    (tmp_path / "empty.ndjson").write_text("")
    script = tmp_path / "t.lua"
    script.write_text('local it = events("empty.ndjson")\ngraph.each({ 1, 2 }, function() return it() end)\nprint("done")\n')
    result = command("script", script, "-c", sim.config, cwd=tmp_path)
    assert result.code == 0 and result.out == "done\n", result
