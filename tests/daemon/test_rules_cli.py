"""Rulesets from the command line: their tests and coverage, a site's list of codes, a table of codes from a recording, and
what check makes of them."""

import re

import pytest
from conftest import ROOT, command

GOOD = """ruleset {
  reason_states = { "NotReady" },
  rules = {
    rule "vip desk" { when = { queue = "VIP" }, show = teams.in_a_call },
    rule "coaching, team B" { when = { reason = "COACH", team = "B" }, show = teams.do_not_disturb },
  },
  reasons = { LUNCH = teams.be_right_back { expires = "45m" }, ["Tech issue"] = teams.busy, [47] = teams.away },
  states = { Ready = teams.available, Talking = teams.in_a_call, NotReady = teams.away, LoggedOff = clear },
  tests = {
    { "lunch", { state = "NotReady", reason = "LUNCH" }, teams.be_right_back { expires = "45m" } },
    { "lunch, then a call elsewhere",
      steps = { { ucc = "a", state = "NotReady", reason = "LUNCH" }, { ucc = "b", state = "Talking", wait = "2m" } },
      shows = "Busy" },
    { "vip", { state = "Zebra", queue = "VIP" }, teams.in_a_call },
  },
}
"""
BAD = GOOD.replace('expires = "45m" } },\n    { "lunch, then', 'expires = "50m" } },\n    { "lunch, then')
FAILURE = ('{path}:10: "lunch": expected teams.be_right_back {{ expires = "50m" }}, got teams.be_right_back '
           '{{ expires = "45m" }} by reasons.LUNCH ({path}:7)')


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return path

    return write


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Short names in errors."""
    monkeypatch.chdir(tmp_path)


# ---- test


def test_all_pass(write):
    write("good.lua", GOOD)
    result = command("test", "good.lua")
    assert result.code == 0, result
    assert result.out.splitlines() == [
        "good.lua: 3 passed, 0 failed",
        "  covered: rules 1 of 2, reasons 1 of 3, states 1 of 4",
        '  not covered rules: "coaching, team B"',
        '  not covered reasons: [47], ["Tech issue"]',
        "  not covered states: LoggedOff, NotReady, Ready"]


def test_one_fails(write):
    write("good.lua", GOOD)
    write("bad.lua", BAD)
    result = command("test", "good.lua", "bad.lua")
    assert result.code == 1, result
    assert FAILURE.format(path="bad.lua") in result.out.splitlines()
    assert "good.lua: 3 passed, 0 failed\n" in result.out and "bad.lua: 2 passed, 1 failed\n" in result.out


def test_a_file_that_does_not_load(write):
    write("bad.lua", BAD)
    write("broken.lua", 'ruleset {\n  tests = { { "x", { stat = "Ready" }, clear } } }')
    result = command("test", "broken.lua", "bad.lua", "missing.lua")
    assert result.code == 2, result  # and the others are run all the same
    assert "presenced: broken.lua:2: the event has no field stat; did you mean state?" in result.err
    assert "presenced: missing.lua: cannot be read" in result.err
    assert "bad.lua: 2 passed, 1 failed" in result.out


def test_answer_for_programs(write):
    write("good.lua", GOOD)
    write("bad.lua", BAD)
    result = command("test", "good.lua", "bad.lua", "missing.lua", "--json")
    assert result.code == 2
    answer = result.json()
    assert answer["failed"] == 1
    good, bad, missing = answer["files"]
    assert (good["tests"], good["passed"], good["failed"], good["failures"]) == (3, 3, 0, [])
    assert good["coverage"]["rules"] == {
        "count": 2, "covered": [{"name": 'rule "vip desk"', "place": "good.lua:4"}],
        "uncovered": [{"name": 'rule "coaching, team B"', "place": "good.lua:5"}]}
    assert [item["name"] for item in good["coverage"]["reasons"]["uncovered"]] == ["reasons[47]", 'reasons["Tech issue"]']
    assert bad["failures"] == [{"name": "lunch", "place": "bad.lua:10", "text": FAILURE.format(path="bad.lua")}]
    assert missing["error"].startswith("missing.lua: cannot be read")


def test_usage(write):
    assert command("test").code == 2
    write("good.lua", GOOD)
    assert command("test", "good.lua", "--cods", "x").code == 2
    result = command("test", "good.lua", "--codes", "missing.csv")
    assert result.code == 2 and "missing.csv: cannot be read" in result.err


def test_shipped_rulesets_pass():
    """The default, and whatever else lies there: whole files, not fragments."""
    rulesets = sorted((ROOT / "rules").glob("*.lua"))
    assert rulesets
    result = command("test", *rulesets, "--json")
    assert result.code == 0, result
    assert all(file["tests"] > 0 for file in result.json()["files"])


# ---- test --codes


@pytest.mark.parametrize("text", [
    "code,state,show\nLUNCH,,x\nDINNER,,\n coach ,,\n,Ready,\n,Zebra,\n\"Tech issue\",,\n47,NotReady,\n",
    "\ufeffName;State;Code\r\n\"Lunch; long\";;LUNCH\r\nx;;DINNER\r\n\r\nx;READY;\r\nx;\"Zebra\";47\r\n",
])
def test_codes_that_no_rule_answers(write, text):
    write("good.lua", GOOD)
    write("site.csv", text)
    result = command("test", "good.lua", "--codes", "site.csv")
    assert result.code == 0, result
    assert result.out.splitlines()[-2:] == ["  no rule answers the codes: DINNER", "  no rule answers the states: Zebra"]
    answer = command("test", "good.lua", "--codes", "site.csv", "--json").json()
    assert answer["files"][0]["unanswered"] == {"codes": ["DINNER"], "states": ["Zebra"]}


def test_codes_one_a_line(write):
    write("good.lua", GOOD)
    write("site.txt", "# from the dialer\nLUNCH\nready\n\nTech issue\nDINNER\n")
    result = command("test", "good.lua", "--codes", "site.txt")
    assert result.out.splitlines()[-1] == "  no rule answers the codes: DINNER", result
    write("site.txt", "LUNCH\nready\n")
    result = command("test", "good.lua", "--codes", "site.txt")
    assert result.out.splitlines()[-1] == "  every code and state of the list is answered", result


@pytest.mark.parametrize("text,error", [
    ("", "site.csv: no code and no state in it; write one a line"),
    ("code,show\n", "site.csv: no code and no state in it"),
    ('code\n"LUNCH\n', "site.csv:2: a quote is not closed"),
    ("code\n\udcff\n", "site.csv:2: not UTF-8 text"),
    ("x" * 70000, "site.csv:1: the line is too long"),
])
def test_lists_that_are_none(write, tmp_path, text, error):
    write("good.lua", GOOD)
    (tmp_path / "site.csv").write_bytes(text.encode("utf-8", "surrogateescape"))
    result = command("test", "good.lua", "--codes", "site.csv")
    assert result.code == 2 and error in result.err, result


# ---- codes init

DAY = [
    {"agent": "a@contoso.com", "state": "Ready"},
    {"agent": "a@contoso.com", "state": "NotReady", "reason": "LUNCH"},
    {"agent": "b@contoso.com", "state": "notready", "reason": 47},
    {"agent": "b@contoso.com", "state": "NotReady", "reason": "Zebra, wild"},
    {"agent": "b@contoso.com", "state": "Ringing"},
    {"agent": "b@contoso.com", "state": "LoggedOff"},
    {"specversion": "1.0", "type": "x", "id": "1", "source": "a", "data": {"agent": "b@contoso.com", "state": "Yak"}},
]
TABLE = """code,state,show,expires,message,seen
47,,teams.away,2h,,1
LUNCH,,teams.be_right_back,1h,,1
"Zebra, wild",,,,,1
,LoggedOff,clear,,,1
,NotReady,teams.away,,,3
,Ready,teams.available,,,1
,Ringing,keep,,,1
,Yak,,,,1
"""


def test_codes_init(write_events):
    day = write_events(*DAY)
    result = command("codes", "init", "--from", day)
    assert result.code == 0 and result.out == TABLE, result
    assert "3 codes and 5 states in 7 events" in result.err and "2 rows without `show`" in result.err
    answer = command("codes", "init", "--from", "-", "--json", stdin=day.read_text("utf-8")).json()
    assert answer["codes"][1] == {"code": "LUNCH", "seen": 1, "show": "teams.be_right_back", "expires": "1h"}
    assert [row["state"] for row in answer["states"]] == ["LoggedOff", "NotReady", "Ready", "Ringing", "Yak"]
    assert (answer["events"], answer["bad_lines"]) == (7, 0)


def test_codes_init_says_which_lines_are_no_events(write_events):
    day = write_events(DAY[0], "", "no JSON", {"agent": "a@contoso.com"}, "{" + " " * 70000 + "}", DAY[1])
    result = command("codes", "init", "--from", day)
    assert result.code == 0 and result.out.count("\n") == 4, result
    assert f"{day}:3: " in result.err and f"{day}:4: /state: missing" in result.err and f"{day}:5: " in result.err


def test_codes_init_of_nothing(write_events):
    result = command("codes", "init", "--from", write_events())
    assert result.code == 1 and "no event in it" in result.err
    assert command("codes", "init", "--from", "missing.ndjson").code == 2
    assert command("codes", "init").code == 2
    assert command("codes", "begin", "--from", "x").code == 2


def test_a_table_that_was_made_is_read_by_a_ruleset(write, write_events):
    """The rows that have no `show` yet are an error that says what to do; then one file answers codes and states."""
    table = command("codes", "init", "--from", write_events(*DAY)).out
    write("codes.csv", table)
    write("mine.lua", 'ruleset { reasons = codes "codes.csv", states = codes "codes.csv" }')
    result = command("test", "mine.lua")
    assert result.code == 2 and "codes.csv:4: " in result.err, result
    write("codes.csv", table.replace('"Zebra, wild",,,', '"Zebra, wild",,busy,').replace(",Yak,,", ",Yak,keep,"))
    result = command("test", "mine.lua", "--codes", "codes.csv")
    assert result.code == 0, result
    assert result.out.splitlines()[-1] == "  every code and state of the list is answered"


# ---- check


def use_rules(sim, path):
    sim.change_config(lambda text: text.replace("<MsGraphPresencePublisher", f'<MsGraphPresencePublisher Rules="{path}"', 1))


def test_check_runs_the_tests(sim, write):
    use_rules(sim, write("mine.lua", GOOD))
    result = command("check", "-c", sim.config)
    assert result.code == 0 and "3 tests pass" in result.out, result
    write("mine.lua", BAD)
    result = command("check", "-c", sim.config)
    assert result.code == 2 and "1 of 3 tests fail\n" in result.out, result
    assert re.search(r"FAIL  \S*mine\.lua:10: \"lunch\": expected teams\.be_right_back { expires = \"50m\" }, got ", result.out)


def test_check_shows_warnings_and_strict_refuses_them(sim, write):
    use_rules(sim, write("mine.lua", "ruleset {\n  states = { Away = session.away, LoggedOff = clear } }"))
    result = command("check", "-c", sim.config)
    assert result.code == 0 and re.search(r"\nwarn  \S*mine\.lua:2: .*session\.away", result.out), result
    result = command("check", "--strict", "-c", sim.config)
    assert result.code == 2 and re.search(r"\nFAIL  \S*mine\.lua:2: .*session\.away", result.out), result


def test_check_answer_of_a_broken_file_stays(sim, write):
    use_rules(sim, write("mine.lua", "ruleset { states = 1 }"))
    result = command("check", "-c", sim.config)
    assert result.code == 2 and re.search(r"\nFAIL  \S*mine\.lua:1: states is number; write", result.out), result


# ---- replay


def test_replay_names_every_decision_that_differs(tmp_path):
    """What another ruleset would have said of a recorded day, by rule, with an example."""
    (tmp_path / "old.lua").write_text("ruleset { states = { Ready = teams.available, LoggedOff = clear } }\n")
    (tmp_path / "new.lua").write_text(
        "ruleset {\n  rules = { rule 'desk B' { when = { state = 'Ready', team = 'B' }, show = teams.busy } },\n"
        "  states = { Ready = teams.available, LoggedOff = clear },\n}\n")
    ready = '{"agent":"%s@contoso.com","state":"Ready","at":"2026-01-05T0%d:00:00Z","attributes":{"team":"%s"}}\n'
    (tmp_path / "day.ndjson").write_text(ready % ("a", 8, "A") + ready % ("b", 8, "B") + "no event\n" + ready % ("b", 7, "B") +
                                         ready % ("b", 9, "B"))
    arguments = ["replay", "--events", "day.ndjson", "--rules", "new.lua", "--against", "old.lua"]
    result = command(*arguments, "--json", cwd=tmp_path)
    assert result.code == 0 and "day.ndjson:3: " in result.err, result
    answer = result.json()
    assert (answer["events"], answer["stale"], answer["bad_lines"], answer["differ"]) == (4, 1, 1, 2)
    assert answer["differences"][0]["what"] == (
        'states.Ready -> rule "desk B": session.available 12h -> preferred.busy 12h')
    assert answer["differences"][0]["count"] == 2
    assert answer["differences"][0]["example"] == "2026-01-05T08:00:00.000Z b@contoso.com Ready (default)"
    assert "2 decisions differ" in command(*arguments, cwd=tmp_path).out
    assert command("replay", "--events", "day.ndjson", cwd=tmp_path).code == 2
    assert command("replay", "--events", "none", "--rules", "new.lua", cwd=tmp_path).code == 2
