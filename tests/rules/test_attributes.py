"""Attributes are compared alike whether they come to a rule as arguments (the first few that conditions name), or in a
table (further ones, and functions)."""

import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("PRESENCED_BIN_DIR", ROOT / "build" / "release" / "bin")).resolve()

# An attribute as JSON has it, a condition, and whether it holds.
CASES = [
    ('"B"', '"b"', True), ('" b "', '"B"', True), ('"B"', '"C"', False), ('"Über"', '"Über"', True),
    ("47", '"47"', True), ("47", "47", True), ("47.0", "47", True), ("4.7e1", "47", True), ("47.5", "47.5", True),
    ("-0.1", "-0.1", True), ("1e15", '"1000000000000000"', True), ("123456789012", "123456789012", True), ("47", "48", False),
    ("true", "true", True), ("true", '"TRUE"', True), ("false", "true", False), ('"true"', "true", True),
    ('"VIP desk"', 'text.glob "VIP*"', True), ('"desk"', 'text.glob "VIP*"', False), ('"B"', 'not_ "B"', False),
    ('"C"', 'not_ "B"', True), ('"B"', '{ "A", "B" }', True), ('"D"', '{ "A", "B" }', False),
    (None, '"B"', False), (None, 'not_ "B"', True), ('""', '"B"', False),
]
# Other rules that name attributes stand in front, so that the one in question is the first, or beyond the first few.
FRONTS = {"as an argument": 0, "as the last argument": 3, "in the table": 6}


@pytest.mark.parametrize("front", FRONTS, ids=str)
@pytest.mark.parametrize("given, wanted, holds", CASES, ids=lambda value: str(value))
def test_an_attribute_is_compared(tmp_path, front, given, wanted, holds):
    others = "".join(f'    rule "{i}" {{ when = {{ other{i} = "x" }}, show = teams.offline }},\n' for i in range(FRONTS[front]))
    ruleset = tmp_path / "a.lua"
    ruleset.write_text(f"""ruleset {{
  rules = {{
{others}    rule "asked" {{ when = {{ team = {wanted} }}, show = teams.busy }},
  }},
  states = {{ Ready = teams.available, LoggedOff = clear }},
}}
""", "utf-8")
    attributes = "{}" if given is None else f'{{"team": {given}}}'
    event = f'{{"agent": "a@example.com", "state": "Ready", "attributes": {attributes}}}'
    done = subprocess.run([BIN / "presenced", "eval", str(ruleset), "-", "--json"], input=event, capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["decision"]["rule"] == ('rule "asked"' if holds else "states.Ready")
