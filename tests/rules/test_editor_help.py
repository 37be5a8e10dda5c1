"""lua/presence.d.lua is what lua/presence_d.py makes of the binding's names, and a name that is missing on either side is
an error."""

import copy
import importlib.util
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("PRESENCED_BIN_DIR", ROOT / "build" / "release" / "bin")).resolve()
BINDING_NAMES = BIN / "binding_names"

spec = importlib.util.spec_from_file_location("presence_d", ROOT / "lua" / "presence_d.py")
presence_d = importlib.util.module_from_spec(spec)
spec.loader.exec_module(presence_d)


@pytest.fixture(scope="module")
def names():
    return presence_d.read_names(BINDING_NAMES)


def test_the_file_is_what_the_binding_says(names):
    assert presence_d.OUT.read_text("utf-8") == presence_d.generate(names), "run `ninja editor_help` in the build folder"


def test_every_presence_that_is_legal_is_in_it(names):
    text = presence_d.OUT.read_text("utf-8")
    assert len(names["presences"]) >= 20
    for presence in names["presences"]:
        space, name = presence["name"].split(".")
        assert f"---@field {name} presenced.presence" in text.split(f"---@class presenced.{space}\n")[1].split("{}")[0]


KEYED = ["globals", "ruleset", "rule", "options", "when", "event", "agent", "test", "test_event", "script"]


@pytest.mark.parametrize("what", KEYED)
def test_a_new_name_of_the_binding_is_missed(names, what):
    more = copy.deepcopy(names)
    more[what].append("brand_new")
    with pytest.raises(presence_d.Gap, match="the binding has brand_new"):
        presence_d.generate(more)


@pytest.mark.parametrize("what", KEYED)
def test_a_name_that_the_binding_has_no_more_is_missed(names, what):
    less = copy.deepcopy(names)
    gone = next(name for name in less[what] if what != "script" or name in presence_d.SCRIPT)
    less[what].remove(gone)
    with pytest.raises(presence_d.Gap, match=f"describes {gone}"):
        presence_d.generate(less)


def test_a_new_function_of_a_library_is_missed(names):
    more = copy.deepcopy(names)
    more["libraries"]["text"].append("brand_new")
    with pytest.raises(presence_d.Gap, match="text: the binding has brand_new"):
        presence_d.generate(more)


def test_the_file_is_lua(tmp_path):
    """As Lua it is harmless, though nothing ever runs it."""
    done = subprocess.run(["luacheck", "--no-global", "--no-max-line-length", "-q", str(presence_d.OUT)],
                          capture_output=True, text=True)
    assert "syntax error" not in done.stdout and "expected" not in done.stdout, done.stdout
