"""An independent, plain reading of a recorded day: what Teams must show in the end, agent by agent.

Written from the contract (events, rulesets, presence semantics) and not from the daemon's code. What the default ruleset
says is written down here once more, by hand; when rules/default.lua changes, this table must be changed too.

    day_expected.py examples/day.ndjson    prints the picture of the last moment"""

import json
import sys
from datetime import datetime

HOUR = 3600

# (session, preferred) by the names that rules use; holds in seconds
AVAILABLE = ("Available/Available", None)
IN_A_CALL = ("Busy/InACall", None)
BUSY = (None, "Busy/Busy")
DO_NOT_DISTURB = (None, "DoNotDisturb/DoNotDisturb")
BE_RIGHT_BACK = (None, "BeRightBack/BeRightBack")
AWAY = (None, "Away/Away")
KEEP, CLEAR = "keep", "clear"
RANK = ["Offline", "Available", "Away", "BeRightBack", "Busy", "DoNotDisturb"]
CARRIER = "Away/Away"
REASON_STATES = {"notready"}

LONGEST, LONGEST_CALL = 12 * HOUR, 4 * HOUR  # how long an outcome without `expires` is held
STATES = {
    "ready": (AVAILABLE, LONGEST),
    "talking": (IN_A_CALL, LONGEST_CALL),
    "wrapup": (IN_A_CALL, HOUR // 6),
    "notready": (AWAY, LONGEST),
    "ringing": KEEP,
    "loggedoff": CLEAR,
}
REASONS = {
    "lunch": (BE_RIGHT_BACK, HOUR),
    "break": (BE_RIGHT_BACK, HOUR // 2),
    "coffee": (BE_RIGHT_BACK, HOUR // 3),
    "personal": (AWAY, 2 * HOUR),
    "doctor": (AWAY, 4 * HOUR),
    "47": (AWAY, 2 * HOUR),
    "meeting": (BUSY, 2 * HOUR),
    "teammeeting": (BUSY, 2 * HOUR),
    "1:1": (BUSY, HOUR),
    "supervisor": (BUSY, HOUR),
    "coaching": (DO_NOT_DISTURB, 2 * HOUR),
    "training": (DO_NOT_DISTURB, 4 * HOUR),
    "backoffice": (BUSY, 4 * HOUR),
    "email": (BUSY, 4 * HOUR),
    "chat": (BUSY, 4 * HOUR),
    "admin": (BUSY, 4 * HOUR),
    "paperwork": (BUSY, 4 * HOUR),
    "outbound": (BUSY, 4 * HOUR),
    "project": (BUSY, 8 * HOUR),
    "tech issue": (BUSY, 2 * HOUR),
}


def fold(text):
    return str(text).strip().lower()


def read(line):
    """One line as (id, agent, ucc, state, reason, at, content)."""
    item = json.loads(line)
    data = item
    if "specversion" in item:
        data = dict(item["data"])
        for field, filler in (("id", "id"), ("at", "time"), ("ucc", "source")):
            data.setdefault(field, item[filler])
    at = datetime.fromisoformat(data["at"]).timestamp()
    content = (fold(data["agent"]), data["state"], str(data.get("reason", "")), data["ucc"], at,
               json.dumps(data.get("attributes"), sort_keys=True))
    return data.get("id"), fold(data["agent"]), fold(data["ucc"]), fold(data["state"]), fold(data.get("reason", "")), at, content


def decide(state, reason):
    """KEEP, CLEAR or (presence, hold)."""
    answer = STATES.get(state)
    if answer != CLEAR and state in REASON_STATES and reason in REASONS:
        return REASONS[reason]
    return CLEAR if answer is None else answer


class Stand:
    """Of one agent in one contact centre."""

    def __init__(self):
        self.newest = self.run = self.since = None
        self.shows = None  # (presence, from, until)


def play(lines):
    """The stand of every (agent, ucc) at the end, the time of the last change, and how many events did not count."""
    stands, ids, skipped = {}, {}, {"duplicate": 0, "stale": 0}
    last = 0.0
    for line in lines:
        key, agent, ucc, state, reason, at, content = read(line)
        last = max(last, at)
        if ids.setdefault((ucc, key), content) == content and (ucc, key, "seen") in ids:
            skipped["duplicate"] += 1
            continue
        ids[ucc, key, "seen"] = True
        stand = stands.setdefault((agent, ucc), Stand())
        if stand.newest is not None and at < stand.newest:
            skipped["stale"] += 1
            continue
        stand.newest = at
        if stand.run != (state, reason):
            stand.run, stand.since = (state, reason), at
        decision = decide(state, reason)
        if decision == CLEAR:
            stand.shows = None
        elif decision != KEEP:
            presence, hold = decision
            stand.shows = (presence, stand.since, stand.since + hold)
    return stands, last, skipped


def seen(presence):
    session, preferred = presence
    return preferred or session


def picture(stands, now):
    """What each agent's slots hold and what colleagues see: {agent: (session, preferred, shown)}."""
    best = {}
    for (agent, _), stand in stands.items():
        best.setdefault(agent, None)
        if stand.shows is None or now >= stand.shows[2]:
            continue
        presence, since, _ = stand.shows
        rank = (RANK.index(seen(presence).split("/")[0]), since)
        if best[agent] is None or rank > best[agent][0]:
            best[agent] = (rank, presence)
    result = {}
    for agent, winner in best.items():
        if winner is None:
            result[agent] = (None, None, "Offline/Offline")
        else:
            session, preferred = winner[1]
            result[agent] = (session or CARRIER, preferred, seen(winner[1]))
    return result


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        stands, last, skipped = play(file)
    for agent, (_, _, shown) in sorted(picture(stands, last).items()):
        print(f"{agent:<26}{shown}")
    print(skipped, file=sys.stderr)


if __name__ == "__main__":
    main()
