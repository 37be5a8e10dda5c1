"""eval says what a ruleset makes of one event, when it is decided again, and what came near, on one screen."""

import json

from conftest import command

RULES = """ruleset {
  timezone = "Europe/Amsterdam",
  rules = {
    rule "coaching" {
      when = { state = "NotReady", reason = "COACH", team = "B", between = "08:00-18:00", days = "Mon-Fri" },
      show = teams.do_not_disturb, expires = "1h", delay = "30s", message = "In coaching until {expires}",
      afterwards = teams.away { expires = "10m" },
    },
    rule "Germany" { when = { country = "DE" }, show = never },
  },
  states = { LoggedOff = clear, NotReady = teams.away },
}
"""

SCREEN = 24  # lines


def evaluate(folder, rules, *options, hour=12, **attributes):
    (folder / "r.lua").write_text(rules)
    event = {"agent": "anna@contoso.com", "state": "NotReady", "reason": "COACH", "at": f"2026-01-05T{hour:02}:00:00Z"}
    event["attributes"] = attributes
    done = command("eval", *options, "r.lua", "-", stdin=json.dumps(event), cwd=folder)
    assert done.code == 0, done
    return done


def test_everything_a_decision_says_about_time(tmp_path):
    said = evaluate(tmp_path, RULES, team="b").out
    for line in (
        'preferred.do_not_disturb by rule "coaching" (r.lua:4)',
        "at most 1h (2026-01-05T13:00:00.000Z), expires",
        "afterwards preferred.away, at most 10m",
        "after a delay of 30s (2026-01-05T12:00:30.000Z)",
        "is decided again at 18:00 (2026-01-05T17:00:00.000Z)",
        "message: In coaching until 14:00",
    ):
        assert line in said
    decision = evaluate(tmp_path, RULES, "--json", team="b").json()["decision"]
    assert decision["delay"] == "PT30S"
    assert decision["afterwards"] == {"preferred": "preferred.away", "hold": "PT10M"}
    assert decision["decided_again"] == "2026-01-05T17:00:00.000Z"


def test_a_time_that_is_over_says_what_it_is_and_when_it_comes_back(tmp_path):
    said = evaluate(tmp_path, RULES, hour=20, team="B").out
    assert 'did not match: it is Mon 21:00, not Mon-Fri 08:00-18:00' in said
    assert "is decided again at Tue 08:00" in said


def test_never_is_explained(tmp_path):
    said = evaluate(tmp_path, RULES, country="de").out
    assert 'never by rule "Germany"' in said
    assert "this person is not published, whatever any contact centre says" in said
    assert "only for what we have set" in said


def test_only_rules_that_came_near_are_shown(tmp_path):
    rules = [f"rule 'far {i}' {{ when = {{ state = 'S{i}', team = 'T' }}, show = keep }}," for i in range(200)]
    rules.insert(150, "rule 'near' { when = { state = 'NotReady', team = 'T' }, show = keep },")
    text = "ruleset { rules = {\n" + "\n".join(rules) + "}, states = { NotReady = teams.away, LoggedOff = clear } }"
    said = evaluate(tmp_path, text, team="B").out
    assert 'rule "near" (r.lua:152): did not match: team is "B", not "T"' in said
    assert "far" not in said.replace("came less near", "")
    assert "200 rules that came less near are left out" in said
    assert len(said.splitlines()) <= SCREEN
    assert len(evaluate(tmp_path, text, "--json", team="B").json()["steps"]) == 204
