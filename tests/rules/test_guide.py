"""The author's guide, rules/README.md, does what it says: every example is loaded, every command is run as it stands, and
what it prints is compared with what the page shows. "..." in an answer stands for anything.

A block is told by the line in front of it: `<!-- file: NAME -->` is a whole file, `<!-- in: rules -->` (reasons, states,
tests) are entries that the reader puts into contoso.lua, an entry of the same name replacing the old one. Behind
`<!-- a daemon runs -->` one does, on contoso.lua, against a graphsim; a change is live before the page goes on."""

import importlib.util
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("PRESENCED_BIN_DIR", ROOT / "build" / "release" / "bin")).resolve()
GUIDE = ROOT / "rules" / "README.md"
DAEMON = "<!-- a daemon runs -->"
BLOCK = re.compile(r"(?:<!-- (file|in): (\S+) -->\n)?^```(\w*)( wrong)?\n(.*?)^```$", re.M | re.S)


class Block:
    def __init__(self, match, page):
        self.place, self.name, self.language, self.wrong, self.text = match.groups()
        self.line = page.count("\n", 0, match.start(5)) + 1
        self.live = DAEMON in page[:match.start()]

    def __repr__(self):
        return f"rules/README.md:{self.line} ({self.language})"


def blocks():
    page = GUIDE.read_text("utf-8")
    found = [Block(match, page) for match in BLOCK.finditer(page)]
    assert page.count("\n```") == 2 * len(found), "a block is not closed, or the pattern misses one"
    return found


def run(folder, line):
    path = f"{BIN}:{os.environ['PATH']}"
    return subprocess.run(["bash", "-c", line], cwd=folder, env={**os.environ, "PATH": path, "NO_COLOR": "1"},
                          capture_output=True, text=True, timeout=60)


def key_of(line):
    """What an entry of a table is called: LUNCH, ["Tech issue"], [47]; None for what has no name."""
    match = re.match(r"\s*(\w+|\[[^\]]+\])\s*=\s", line)
    return match and match[1]


def put_into(ruleset, section, entries):
    """contoso.lua with the entries at the top of that section; one-line entries of the same name go."""
    lines = ruleset.splitlines(keepends=True)
    begin = next(i for i, line in enumerate(lines) if line.startswith(f"  {section} = {{"))
    end = next(i for i in range(begin, len(lines)) if lines[i].rstrip() == "  },")
    new = {key_of(line) for line in entries.splitlines() if line.startswith("    ") and line[4] != " "} - {None}
    kept = [line for line in lines[begin + 1:end] if key_of(line) not in new]
    return "".join(lines[:begin + 1]) + entries + "".join(kept + lines[end:])


def pattern(answer):
    """What the page shows, as a pattern: a line "..." stands for any lines, and "..." within a line for the rest of a word."""
    parts = []
    for line in answer.splitlines():
        parts.append(r"(?:.*\n)*?" if line.strip() == "..." else re.escape(line).replace(r"\.\.\.", r"[^\s)]*") + "\n")
    return "".join(parts)


spec = importlib.util.spec_from_file_location("programs", ROOT / "tests" / "daemon" / "conftest.py")
programs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(programs)


class Site:
    """The folder of the reader's, in time with a daemon that runs on it."""

    def __init__(self, folder):
        self.folder, self.running = folder, []

    def start(self):
        sim = programs.Graphsim(self.folder)
        self.running.append(sim)
        sim.change_config(lambda xml: xml.replace("<MsGraphPresencePublisher ",
                                                  '<MsGraphPresencePublisher Rules="contoso.lua" '))
        daemon = programs.Presenced(self.folder, sim.config, events="-", stdin=subprocess.PIPE)
        self.running.append(daemon)
        programs.wait_until(lambda: self.generation() == 1, "the daemon runs")

    def generation(self):
        said = re.search(r"^rules +generation (\d+)", run(self.folder, "presenced status -c config.xml").stdout, re.M)
        return said and int(said[1])

    def stop(self):
        for program in reversed(self.running):
            program.stop()


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path)
    yield site
    site.stop()


def load(folder, name, place):
    event = '{"agent":"ann@contoso.com","state":"Ready"}'
    done = run(folder, f"presenced eval {name} - <<<'{event}'")
    assert done.returncode == 0, f"{place}: {done.stderr}"
    done = run(folder, f"presenced test {name}")
    assert done.returncode == 0, f"{place}: {done.stdout}{done.stderr}"


def test_every_example_does_what_the_page_says(site):
    answer, folder = None, site.folder
    for block in blocks():
        if block.live and not site.running:
            site.start()
        if block.place == "file":
            (folder / block.name).write_text(block.text, "utf-8")
            if block.language == "lua" and not block.wrong:
                load(folder, block.name, block)
        elif block.place == "in":
            contoso, before = folder / "contoso.lua", block.live and site.generation()
            contoso.write_text(put_into(contoso.read_text("utf-8"), block.name, block.text), "utf-8")
            load(folder, "contoso.lua", block)
            if block.live:
                programs.wait_until(lambda: site.generation() != before, f"{block} is live")
        elif block.language == "sh":
            done = run(folder, block.text)
            answer = done.stdout + done.stderr
        elif block.language == "text":
            assert answer is not None, f"{block}: an answer without a command"
            assert re.fullmatch(pattern(block.text), answer), f"{block}: the program says\n{answer}"
            answer = None
        else:
            pytest.fail(f"{block}: neither told where it belongs nor a command")


def test_the_page_has_examples_for_every_task():
    kinds = [(block.place, block.name) for block in blocks()]
    assert sum(place == "in" for place, _ in kinds) >= 10
    assert {"contoso.lua", "codes.csv"} <= {name for place, name in kinds if place == "file"}


def test_a_wrong_answer_would_be_seen():
    assert re.fullmatch(pattern("a\n...\nplace (x:...)\n"), "a\nb\nc\nplace (x:12)\n")
    assert not re.fullmatch(pattern("a\n"), "a\nb\n")
    assert not re.fullmatch(pattern("a\n...\nc\n"), "a\nb\nd\n")


def test_entries_are_put_where_a_reader_would():
    ruleset = "ruleset {\n  reasons = {\n    LUNCH = teams.away,\n    A = keep,\n  },\n}\n"
    changed = put_into(ruleset, "reasons", "    LUNCH = teams.busy,\n    B = clear,\n")
    assert changed == ("ruleset {\n  reasons = {\n    LUNCH = teams.busy,\n    B = clear,\n    A = keep,\n  },\n}\n")
