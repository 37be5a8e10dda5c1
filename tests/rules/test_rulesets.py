"""The rulesets that are shipped are right as they stand: each loads without a warning, passes its own tests, and leaves
nothing untested that its tests could reach."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("PRESENCED_BIN_DIR", ROOT / "build" / "release" / "bin")).resolve()
RULESETS = sorted(path.relative_to(ROOT) for path in (ROOT / "rules").rglob("*.lua"))


def presenced(*arguments, stdin=""):
    return subprocess.run([BIN / "presenced", *map(str, arguments)], cwd=ROOT, input=stdin, capture_output=True,
                          text=True, timeout=60, env={**os.environ, "NO_COLOR": "1"})


@pytest.mark.parametrize("ruleset", RULESETS, ids=str)
def test_it_passes_its_own_tests(ruleset):
    done = presenced("test", ruleset)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r": [1-9]\d* passed, 0 failed", done.stdout), f"{ruleset} has no tests: {done.stdout}"
    assert "not covered rules" not in done.stdout


@pytest.mark.parametrize("ruleset", RULESETS, ids=str)
def test_lint_has_nothing_to_say(ruleset):
    done = presenced("eval", ruleset, "-", stdin='{"agent":"ann@contoso.com","state":"LoggedOff","reason":"LUNCH"}')
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.startswith("decision   clear"), done.stdout


def test_a_ruleset_that_is_wrong_would_be_seen(tmp_path):
    """Each of them with one expectation turned round fails."""
    for ruleset in RULESETS:
        text = (ROOT / ruleset).read_text("utf-8")
        before, tests = text.split("  tests = {", 1)
        turned, count = re.subn(r"\}, teams\.\w+", "}, teams.offline", tests, count=1)
        assert count == 1, ruleset
        wrong = before + "  tests = {" + turned
        copy = tmp_path / ruleset
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(wrong, "utf-8")
    (tmp_path / "rules" / "codes.csv").write_bytes((ROOT / "rules" / "codes.csv").read_bytes())
    for ruleset in RULESETS:
        done = presenced("test", tmp_path / ruleset)
        assert done.returncode == 1, f"{ruleset}: {done.stdout}{done.stderr}"
        assert "expected" in done.stdout + done.stderr
