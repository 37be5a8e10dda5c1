"""A short kill_day.py: kill -9 ten times while the recorded day is played."""

import random
import subprocess
import sys
from pathlib import Path

import kill_day


def test_killed_ten_times(tmp_path):
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")  # shown when it fails
    sim = kill_day.open_sim(tmp_path)
    try:
        kill_day.kill_day(sim, 10, seed, say=print)
    finally:
        sim.stop()


def test_what_is_lost_would_be_seen():
    """The list of what must have been applied knows duplicates and stale events, and misses none of the others."""
    lines = kill_day.DAY.read_text("utf-8").splitlines()
    all_of_them = kill_day.applied(lines)
    assert len(all_of_them) == len(lines) - 124 - 43
    assert all(kill_day.applied(lines[:at] + lines[at + 1:]) != all_of_them for at in range(0, len(lines), 1999))
    assert len(kill_day.applied(kill_day.shifted(lines, 1.8e9))) == len(all_of_them)


def test_it_runs_by_hand():
    done = subprocess.run([sys.executable, Path(kill_day.__file__), "--kills", "2", "--seed", "1"],
                          capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done
    assert "all is right: 2 kills" in done.stdout
