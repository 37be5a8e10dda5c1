"""kill -9, again and again: plays the recorded day into a real daemon over standard input, kills it at random moments,
starts it again, and sends on from what was acknowledged. In the end everybody shows what the day says, and every event that
counts was applied: nothing acknowledged is lost, and what is sent twice does not count twice.

    kill_day.py [--kills 200] [--seed N]

How a sender knows what is acknowledged: an event counts once it is committed, at the end of the turn of the loop that took
it. A `status` tells how many lines this daemon has taken, of this turn too; so once a later status has come, a turn has
ended between both, and all that the earlier one counted is durable. What lies behind that is sent again: the events have
ids, and one that was durable after all is a duplicate."""

import argparse
import contextlib
import datetime
import http.client
import json
import random
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import day_expected
from conftest import ROOT, Graphsim, Presenced, wait_until

DAY = ROOT / "examples" / "day.ndjson"
STRANGER = "nobody@contoso.com"
TAKEN = ("accepted", "duplicate", "stale", "refused")


def shifted(lines, to):
    """The day, moved by whole seconds so that its latest moment is `to`."""
    by = datetime.timedelta(seconds=int(to - max(day_expected.read(line)[5] for line in lines)))
    moved = []
    for line in lines:
        event = json.loads(line)
        for part, field in ((event, "at"), (event, "time"), (event.get("data"), "at")):
            if part and field in part:
                part[field] = (datetime.datetime.fromisoformat(part[field]) + by).isoformat(timespec="milliseconds")
        moved.append(json.dumps(event))
    return moved


def applied(lines):
    """What must be in the decision log: (agent, ucc, state, reason, at in ms) of every event that counts."""
    found, ids, newest = set(), {}, {}
    for line in lines:
        key, agent, ucc, state, reason, at, content = day_expected.read(line)
        if ids.get((ucc, key)) == content or at < newest.get((agent, ucc), 0):
            continue
        ids[ucc, key], newest[agent, ucc] = content, at
        found.add((agent, ucc, state, reason, round(at * 1000)))
    return found


class Control(http.client.HTTPConnection):
    """The daemon's control socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def taken(folder):
    """How many lines the daemon has taken since it was started; None: it does not answer (yet)."""
    control = Control(folder / "control.sock")
    with contextlib.closing(control):
        try:
            control.request("GET", "/v1/status")
            answer = control.getresponse()
            events = json.loads(answer.read())["events"]
        except (OSError, http.client.HTTPException, ValueError):
            return None
    return sum(events[outcome] for outcome in TAKEN)


class Sender:
    """Sends the day to one daemon after the other."""

    def __init__(self, sim, lines):
        self.sim, self.lines, self.durable, self.sent_twice = sim, lines, 0, 0
        self.daemon = None

    def start(self):
        self.first = self.sent = self.durable
        self.counted = 0
        self.daemon = Presenced(self.sim.folder, self.sim.config, events="-", stdin=subprocess.PIPE)

    def send(self, count, limit):
        """So many more lines, but none behind that one."""
        upto = max(self.sent, min(self.sent + count, limit))
        self.daemon.send(*self.lines[self.sent:upto])
        self.sent = upto

    def look(self):
        """Asks how far the daemon is; what it counted the last time is durable by now."""
        count = taken(self.sim.folder)
        if count is None:
            return
        self.durable = max(self.durable, self.first + self.counted)
        self.counted = count

    def kill(self):
        assert self.daemon.process.poll() is None, f"it ended by itself: {self.daemon.err}"
        self.daemon.kill()
        for sign in ("Sanitizer", "runtime error:", "broken promise"):
            assert sign not in self.daemon.err, self.daemon.err
        self.sent_twice += self.sent - self.durable


def wrong_of(sim, stands):
    """Who shows something else than the day says at this moment: {upn: (is, should be)}."""
    expected = day_expected.picture(stands, time.time())
    del expected[STRANGER]
    users = {user["upn"]: user for user in sim.state()["users"]}

    def pair(value):
        return f"{value['availability']}/{value['activity']}" if value else None

    def shows(upn):
        own = [session for session in users[upn]["sessions"] if session["id"] == sim.about["client_id"]]
        return pair(own[0] if own else None), pair(users[upn]["preferred"]), pair(users[upn]["shown"])

    return {upn: (shows(upn), wanted) for upn, wanted in expected.items() if shows(upn) != wanted}


def decided(folder):
    """What the state file says was applied. While no daemon runs."""
    with contextlib.closing(sqlite3.connect(folder / "state.db")) as file:
        rows = file.execute("SELECT agent, ucc, state, reason, at FROM decisions WHERE again = 0").fetchall()
    fold = day_expected.fold
    return {(fold(agent), fold(ucc), fold(state), fold(reason), at) for agent, ucc, state, reason, at in rows}


def kill_day(sim, kills, seed, say=lambda text: None):
    """One whole run against that graphsim. AssertionError: something acknowledged is lost, or somebody shows the wrong."""
    dice = random.Random(seed)
    lines = shifted(DAY.read_text("utf-8").splitlines(), time.time())
    stands, _, skipped = day_expected.play(lines)
    sender, done = Sender(sim, lines), 0
    while done < kills:
        sender.start()
        # At any moment: before it is ready, while it takes events or commits them, while requests are under way, or when
        # all is done. Every kill has its share of the day.
        limit = len(lines) * (done + 1) // (kills + 1)
        for _ in range(dice.choice((1, 2, 5))):
            sender.send(dice.randint(0, len(lines) // kills), limit)
            time.sleep(dice.choice((0, 0.01, 0.05, 0.2)) * dice.random())
            sender.look()
        if dice.random() < 0.3:
            wait_until(lambda: sender.look() or sender.durable == sender.sent, "all is acknowledged")
        sender.kill()
        done += 1
        if done % 10 == 0:
            say(f"{done} kills: {sender.durable} of {len(lines)} lines acknowledged, {sender.sent_twice} sent again")
    sender.start()
    sender.daemon.wait_for(" runs: ")
    sender.send(len(lines), len(lines))
    wait_until(lambda: sender.look() or sender.durable == len(lines), "all is acknowledged", 120)
    with contextlib.suppress(AssertionError):  # what is wrong is told below
        wait_until(lambda: not wrong_of(sim, stands), "everybody shows what the day says", 120)
    wrong = wrong_of(sim, stands)
    assert sender.daemon.stop() == 0, sender.daemon.err
    is_, should = decided(sim.folder), applied(lines)
    assert not should - is_, f"{len(should - is_)} events are lost: {sorted(should - is_)[:10]}"
    assert not is_ - should, f"{len(is_ - should)} events count that should not: {sorted(is_ - should)[:10]}"
    assert not wrong, f"{len(wrong)} agents, (is, should be): {dict(list(wrong.items())[:10])}"
    assert sim.counters()["max_in_flight_per_user"] <= 2  # one of the daemon that was killed, one of its successor
    say(f"all is right: {kills} kills, {len(lines)} lines, of which {len(should)} counted, {skipped['duplicate']} were "
        f"duplicates and {skipped['stale']} stale; {sender.sent_twice} were sent again")


def open_sim(folder):
    """With a budget that does not make 200 restarts wait, and a log of every decision."""
    sim = Graphsim(folder, "--users", 200, "--requests-per-30s", 10000)
    sim.change_config(lambda xml: xml.replace("<Account ", '<Account RequestsPer30Seconds="10000" ', 1).replace(
        "<MsGraphPresencePublisher ", '<MsGraphPresencePublisher DecisionLog="7d" ', 1))
    return sim


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kill_day.") as folder:
        sim = open_sim(Path(folder))
        try:
            kill_day(sim, options.kills, options.seed, say=lambda text: print(text, flush=True))
        finally:
            sim.stop()
    print(f"{time.monotonic() - begun:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
