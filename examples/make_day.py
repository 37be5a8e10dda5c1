#!/usr/bin/env python3
"""Makes day.ndjson: the agent events of one working day, 2026-01-05, of a helpdesk of 200 people in three contact centres.

    examples/make_day.py > examples/day.ndjson

Generated, yet as untidy as the real thing: three systems that spell things their own way, people who work in two of
them, breaks that somebody forgot to end, events twice, events late, a name that nobody knows. The same seed gives the
same bytes. The day is cut off at a quarter to five, in the middle of the work.

    voice       plain events; local time; whole seconds, so that two changes may bear the same one
    chat        UTC with milliseconds; log-ons and log-offs as CloudEvents
    backoffice  runs in New York and says so in its offsets; names with capitals; repeats a state every half hour"""

import json
import random
import sys
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone

SEED = 20260105
AGENTS = 200
LOCAL = timezone(timedelta(hours=1))
NEW_YORK = timezone(timedelta(hours=-5))
BEGIN = datetime(2026, 1, 5, 6, 30, tzinfo=LOCAL)
END = datetime(2026, 1, 5, 16, 45, tzinfo=LOCAL)
MINUTE, HOUR = 60.0, 3600.0

# reason code: how often, minutes from, minutes to
REASONS = {
    "LUNCH": (0, 25, 50), "BREAK": (30, 5, 18), "COFFEE": (30, 3, 12), "MEETING": (14, 20, 75), "COACHING": (8, 15, 45),
    "TRAINING": (4, 45, 110), "BACKOFFICE": (12, 10, 60), "EMAIL": (14, 5, 30), "CHAT": (8, 5, 30),
    "Tech issue": (6, 3, 40), "PERSONAL": (10, 2, 10), "SUPERVISOR": (6, 5, 20), "PROJECT": (5, 30, 110),
    "1:1": (6, 20, 40), "TEAMMEETING": (6, 25, 60), "ADMIN": (10, 5, 30), "OUTBOUND": (10, 10, 60),
    "PAPERWORK": (10, 5, 30), "DOCTOR": (2, 40, 120), 47: (8, 3, 25),
}
TEAMS = ["A", "B", "C", "D", "E"]
QUEUES = {"voice": ["service", "sales", "VIP"], "chat": ["web", "app"], "backoffice": ["claims", "mail"]}
# A hold of a common length must not end just after the cut: what is shown then would depend on the reader's clock.
COMMON_HOLDS = [m * MINUTE for m in (5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 480, 720)]
QUIET = 15 * MINUTE


class Dice:
    """Only random() is promised to give the same numbers in every version of Python; the rest is made of it."""

    def __init__(self, seed):
        self.source = random.Random(seed)

    def between(self, low, high):
        return low + (high - low) * self.source.random()

    def chance(self, probability):
        return self.source.random() < probability

    def pick(self, items):
        return items[int(self.source.random() * len(items))]

    def weighted(self, weights):
        place = self.source.random() * sum(weights.values())
        for item, weight in weights.items():
            place -= weight
            if place < 0:
                return item
        return list(weights)[-1]


class Agent:
    def __init__(self, number, dice):
        self.upn = f"agent{number:03d}@contoso.com"
        self.team = TEAMS[number % len(TEAMS)]
        self.uccs = [ucc for ucc, member in (
            ("voice", number <= 130), ("chat", 111 <= number <= 175), ("backoffice", number > 165 or number % 20 == 0)
        ) if member]
        self.queue = {ucc: dice.pick(QUEUES[ucc]) for ucc in self.uccs}
        self.begin = dice.pick([0.5, 1.5, 1.5, 2.0, 2.5, 2.5, 3.0, 5.5, 6.5]) * HOUR + dice.between(-8, 12) * MINUTE
        self.end = self.begin + dice.pick([6, 8, 8, 8.5, 9, 9]) * HOUR + dice.between(-10, 20) * MINUTE


@dataclass(frozen=True)
class Change:
    second: float  # since the beginning of the recording
    agent: Agent
    ucc: str
    state: str
    reason: object = None
    delay: float = 0.0  # until it arrives
    reuse: bool = False  # bears the id of the event before it


class Day:
    """Collects changes, in no order."""

    def __init__(self, dice):
        self.dice, self.changes = dice, []
        self.length = (END - BEGIN).total_seconds()

    def change(self, second, agent, ucc, state, reason=None, **more):
        if second < self.length:
            self.changes.append(Change(second, agent, ucc, state, reason, **more))

    def drop_since(self, second, agent, ucc=None):
        self.changes = [c for c in self.changes
                        if c.agent is not agent or ucc not in (None, c.ucc) or c.second < second]

    def everywhere(self, second, agent, state, reason=None):
        for ucc in agent.uccs:
            self.change(second, agent, ucc, state, reason)
            second += self.dice.between(1, 20)

    def contact(self, t, agent):
        """One call, chat or case; what follows it begins at the second returned."""
        dice, ucc = self.dice, self.dice.pick(agent.uccs)
        if ucc == "voice" and dice.chance(0.8):
            self.change(t, agent, ucc, "Ringing")
            t += dice.between(3, 18)
            if dice.chance(0.06):  # not answered
                self.change(t, agent, ucc, "Ready")
                return t
        # The backoffice's system leaves the last reason standing; it means nothing outside NotReady.
        self.change(t, agent, ucc, "Talking", "EMAIL" if ucc == "backoffice" and dice.chance(0.3) else None)
        t += dice.between(3, 14 if ucc == "voice" else 25) * MINUTE
        if dice.chance(0.75):
            self.change(t, agent, ucc, "WrapUp")
            t += dice.between(1, 6 if dice.chance(0.9) else 20) * MINUTE
        self.change(t, agent, ucc, "Ready")
        return t

    def rest(self, t, agent, reason):
        dice = self.dice
        _, low, high = REASONS[reason]
        if dice.chance(0.85):
            self.everywhere(t, agent, "NotReady", reason)
        else:  # forgets the other systems
            self.change(t, agent, agent.uccs[0], "NotReady", reason)
        t += dice.between(low, high) * MINUTE
        self.everywhere(t, agent, "Ready")
        return t + 40

    def work(self, agent):
        dice, t, lunch = self.dice, agent.begin, False
        weights = {reason: weight for reason, (weight, _, _) in REASONS.items()}
        self.everywhere(t, agent, "Ready")
        t += 60
        while t < agent.end:
            t += dice.between(1, 16) * MINUTE
            if not lunch and t > agent.begin + 3.5 * HOUR:
                lunch = True
                t = self.rest(t, agent, "LUNCH")
            elif dice.chance(0.14):
                t = self.rest(t, agent, dice.weighted(weights))
            else:
                t = self.contact(t, agent)
        self.everywhere(t, agent, "LoggedOff", "SHIFT END" if dice.chance(0.2) else None)

    def forget(self, forgetful):
        """What is still open at the cut because nobody ended it."""
        dice = self.dice
        for agent in forgetful:
            t = self.length - dice.pick([100, 160, 200]) * MINUTE - dice.between(0, 3) * MINUTE
            state, reason = dice.pick([("NotReady", "LUNCH"), ("NotReady", "MEETING"), ("NotReady", "DOCTOR"),
                                       ("NotReady", "TRAINING"), ("WrapUp", None), ("Standby", None), ("NotReady", "PARKING")])
            self.drop_since(t, agent)
            self.everywhere(t, agent, state, reason)

    def quieten(self):
        """Moves what each agent did last in each centre to an age that is not in doubt when the day is looked at."""
        last = {}
        for change in sorted(self.changes, key=lambda c: c.second):
            last[change.agent, change.ucc] = change
        for (agent, ucc), change in last.items():
            second = self.length - quiet_age(self.length - change.second)
            self.drop_since(min(second, change.second), agent, ucc)
            self.changes.append(replace(change, second=second))

    def finale(self, agents):
        """The last two minutes of some: each of the small rules of the trade decides what a few people show now."""
        now = float(int(self.length))
        single = iter([agent for agent in agents if agent.uccs == ["voice"]])
        double = iter([agent for agent in agents if len(agent.uccs) == 2])
        scenes = [
            # a call is ringing: nothing changes until it is answered
            (single, 6, [(0, -90, "Ready", None, {}), (0, -9, "Ringing", None, {})]),
            # a lunch that is over arrives late, when the call is known already
            (single, 6, [(0, -110, "Talking", None, {}), (0, -300, "NotReady", "LUNCH", {"delay": 280.0})]),
            # two changes within one second: the later one to arrive is the truth
            (single, 5, [(0, -40, "NotReady", "COFFEE", {}), (0, -39.6, "Talking", None, {})]),
            # the id of the event before it, yet another content: it counts
            (single, 4, [(0, -60, "NotReady", "MEETING", {}), (0, -30, "Ready", None, {"reuse": True})]),
            # a reason that was left over from the break means nothing during a call
            (single, 4, [(0, -50, "NotReady", "TRAINING", {}), (0, -20, "Talking", "TRAINING", {})]),
            # said again and again: its end does not move
            (single, 4, [(0, -1900, "WrapUp", None, {}), (0, -800, "WrapUp", None, {}), (0, -70, "WrapUp", None, {})]),
            # a call in one centre beats being ready in the other, though that is newer
            (double, 5, [(0, -100, "Talking", None, {}), (1, -15, "Ready", None, {})]),
            # a call and paperwork look equally busy: the more recent one is shown
            (double, 4, [(0, -80, "Talking", None, {}), (1, -25, "NotReady", "PAPERWORK", {})]),
            (double, 4, [(0, -25, "Talking", None, {}), (1, -80, "NotReady", "PAPERWORK", {})]),
        ]
        for candidates, count, scene in scenes:
            for _ in range(count):
                agent = next(candidates)
                self.drop_since(now + min(step[1] for step in scene), agent)
                for ucc, second, state, reason, more in scene:
                    self.change(now + second, agent, agent.uccs[ucc], state, reason, **more)


def quiet_age(age):
    """The young become younger, the old older, until no common hold of that age ends in the next quarter of an hour."""
    if age <= QUIET:
        return age * 0.12
    while any(hold - QUIET < age <= hold + MINUTE for hold in COMMON_HOLDS):
        age += MINUTE
    return age


def stamp(ucc, second):
    moment = BEGIN + timedelta(seconds=second)
    if ucc == "voice":
        return moment.replace(microsecond=0).isoformat()
    if ucc == "chat":
        return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return moment.astimezone(NEW_YORK).isoformat(timespec="milliseconds")


def event(number, change):
    """As the contact centre in question would write it."""
    agent, ucc, state, reason = change.agent, change.ucc, change.state, change.reason
    at = stamp(ucc, change.second)
    name = agent.upn.replace("agent", "Agent").replace("contoso", "Contoso") if ucc == "backoffice" else agent.upn
    data = {"agent": name, "state": state}
    if reason is not None:
        data["reason"] = reason
    data["attributes"] = {"team": agent.team, "queue": agent.queue[ucc]}
    if ucc == "chat" and state in ("LoggedOff", "Ready") and reason is None and number % 3 == 0:
        return {"specversion": "1.0", "type": "com.contoso.chat.agent", "source": "chat", "id": str(number), "time": at,
                "data": data}
    # Chat and backoffice both count from one: an id is unique within its contact centre only.
    key = f"v-{number:06d}" if ucc == "voice" else str(number)
    return {**data, "ucc": ucc, "at": at, "id": key}


def disorder(dice, entries):
    """Duplicates, late arrivals, ids used twice. entries: (second of arrival, event), in order."""
    out = []
    for second, item in entries:
        arrival = second
        if dice.chance(0.006):  # a queue somewhere was stuck
            arrival += dice.between(2, 25) * MINUTE
        out.append((arrival, item))
        if dice.chance(0.012):  # sent again, byte by byte
            out.append((arrival + dice.between(0, 10) * MINUTE, item))
        if dice.chance(0.002) and "specversion" not in item:  # an id that is used a second time, for something else
            out.append((arrival + 1, {**item, "state": "Ready", "reason": None}))
    return [(arrival, {k: v for k, v in item.items() if v is not None}) for arrival, item in out]


def heartbeats(changes, length):
    """The backoffice repeats the state that stands, every half hour: it prolongs nothing."""
    by_agent, out = {}, []
    for change in sorted((c for c in changes if c.ucc == "backoffice"), key=lambda c: c.second):
        by_agent.setdefault(change.agent, []).append(change)
    for own in by_agent.values():
        for change, following in zip(own, own[1:] + [None]):
            end = length if following is None else following.second
            for beat in range(1, int((end - change.second - 1) // (30 * MINUTE)) + 1):
                if change.state != "LoggedOff":
                    out.append(replace(change, second=change.second + beat * 30 * MINUTE))
    return out


def make():
    dice = Dice(SEED)
    agents = [Agent(number, dice) for number in range(1, AGENTS + 1)]
    day = Day(dice)
    for agent in agents:
        day.work(agent)
    at_work = [agent for agent in agents if agent.begin + 2 * HOUR < day.length < agent.end]
    forgetful = at_work[::9]
    day.forget(forgetful)
    stranger = Agent(AGENTS + 1, dice)
    stranger.upn, stranger.uccs, stranger.queue = "nobody@contoso.com", ["voice"], {"voice": "service"}
    day.change(2 * HOUR, stranger, "voice", "Ready")
    day.change(2.2 * HOUR, stranger, "voice", "Talking")
    day.quieten()
    day.finale([agent for agent in at_work if agent not in forgetful])
    changes = sorted(day.changes + heartbeats(day.changes, day.length), key=lambda c: c.second)
    numbers = {"voice": 0, "chat": 0, "backoffice": 0}
    last_of, entries = {}, []
    for change in changes:
        key = change.agent, change.ucc
        numbers[change.ucc] += 1
        last_of[key] = last_of[key] if change.reuse else numbers[change.ucc]
        entries.append((change.second + change.delay, event(last_of[key], change)))
    entries = [entry for entry in disorder(dice, entries) if entry[0] < day.length]
    entries.sort(key=lambda entry: entry[0])  # a stable sort: equal moments stay in their order
    return [json.dumps(item, ensure_ascii=False, separators=(",", ":")) for _, item in entries]


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    print("\n".join(make()))
