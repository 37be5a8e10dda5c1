"""Writes lua/presence.d.lua, the editor help for rulesets and scripts, from the names that the binding itself has.

    lua/presence_d.py BINDING_NAMES          writes the file (`ninja editor_help` does that)
    lua/presence_d.py BINDING_NAMES --print  prints it

BINDING_NAMES is the program of tests/rules/. What a name means stands here; a name without a meaning, and a meaning
without a name, are errors."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "lua" / "presence.d.lua"

HEAD = """---@meta
-- Editor help for rulesets and scripts, in the notation of LuaCATS: completion, hover texts and warnings in editors that run
-- lua-language-server. rules/.luarc.json switches it on. Made by lua/presence_d.py from the names of the program; not
-- read by presenced itself.
"""

# ---- Keys of tables: KEY -> (type, meaning) ----

RULESET = {
    "name": ("string", "What the ruleset is called in `status`, metrics and logs."),
    "timezone": ("string", 'The zone of `between`, `days` and `{expires}`: "Europe/Amsterdam".'),
    "extends": ("string|string[]", 'Rulesets, by their paths from this file, that this one adds to: "lib/voice.lua".'),
    "rules": ("presenced.rule[]", "Tried from the top; the first that matches wins, before all tables."),
    "reasons": ("table<string|integer, presenced.shown>|presenced.codes",
                "By reason code; not for states that map to `clear`."),
    "reason_states": ("(string|integer)[]", "The only states in which a reason code counts. Default: all."),
    "states": ("table<string|integer, presenced.shown>|presenced.codes", "By state, when no rule and no reason has answered."),
    "unmatched": ("presenced.shown", "For what nothing above knows. Default: `clear`."),
    "on_error": ('presenced.outcome|"skip"', 'What a raising rule gives. Default "skip": it counts as not matching.'),
    "max_hold": ("string|table<string, string>",
                 "The longest a presence without `expires` stands: one duration, or by presence."),
    "merge": ('"latest"|fun(list: presenced.contribution[], agent: presenced.agent): integer',
              "How several contact centres become one; default: by what colleagues would see, then the most recent."),
    "hold": ('"refresh"|"anchor"',
             "How Available is held. Default: refreshed every few minutes; see rules/README.md before you anchor it."),
    "tests": ("presenced.test[]", "Run by `presenced test`, by `check` and before every reload."),
}
OPTIONS = {
    "expires": ("string", 'Ends after this long, counted from the change: "45m", "1h30m", "PT45M".'),
    "message": ("string", "The status message in Teams, removed with its presence; may hold PLACEHOLDERS."),
    "delay": ("string", "Shown only if the agent is still in that state after this long."),
    "afterwards": ("presenced.outcome", "What follows when `expires` is over. Default: `clear`."),
}
RULE = {
    "why": ("string", "For those who ask `presenced eval` or `why`."),
    "when": ("presenced.when|fun(event: presenced.event, agent: presenced.agent): any",
             "The conditions, all of which must hold; `{}` for every event."),
    "show": ("presenced.shown", "What colleagues see."),
    **OPTIONS,
}
REQUIRED = {"when", "show"}
WHEN = {
    "agent": "The user principal name.",
    "state": "The state as the contact centre names it.",
    "reason": "The reason code.",
    "ucc": "The contact centre that the event is from.",
    "between": 'A time of day in the ruleset\'s zone, "22:00-06:00"; the end is exclusive.',
    "days": 'Days in the ruleset\'s zone: "Mon-Fri"; a span over midnight belongs to the day it began.',
}
CLOCK = ("between", "days")
EVENT = {
    "agent": ("string", "The user principal name, in lower case."),
    "state": ("string", "As given, without spaces around it."),
    "reason": ("string?", "The reason code as text; nil when there is none."),
    "ucc": ("string", "The contact centre it is from."),
    "at": ("integer", "Of the change: seconds since 1970, UTC."),
    "since": ("integer", "Since when this state and reason last without a break: seconds since 1970, UTC."),
    "attributes": ("table<string, string|number|boolean>", "Team, queue, skill ...: whatever the sender adds."),
}

TEST = {
    "steps": ("presenced.test_event[]", "Instead of one event: several, one after the other."),
    "shows": ('"Available"|"Away"|"BeRightBack"|"Busy"|"DoNotDisturb"|"Offline"',
              "What colleagues see in the end, while the person's own Teams is closed."),
}
TEST_EVENT = {
    "agent": ("string", "Default: test@example.com."),
    "state": ("string|integer", "As the contact centre names it."),
    "reason": ("string|integer", "The reason code."),
    "ucc": ("string", 'The contact centre; default "default".'),
    "at": ("string", '"2026-01-05 18:30" in the ruleset\'s zone, or with Z or an offset; default 2026-01-05T12:00Z.'),
    "attributes": ("table<string, string|number|boolean>", "Or each attribute by itself: `team = \"B\"`."),
    "wait": ("string", 'How long after the step before: "2m". Alone in a step: nothing but time passes.'),
}
AGENT = {
    "upn": ("string", "The user principal name."),
    "states": ("table<string, string>", "The present state, by contact centre."),
}

# ---- Functions: NAME -> (parameters, result, meaning) ----

GLOBALS = {
    "assert": ("value: any, message?: any", "any", "Raises unless the value is true; `on_error` answers."),
    "error": ("message: any", "", "Raises; `on_error` answers."),
    "ipairs": ("list: table", "fun(): integer, any", "Over a list, from 1 on."),
    "pairs": ("map: table", "fun(): any, any", "Over a table, in the order of its keys."),
    "pcall": ("f: function, ...: any", "boolean, any", "Calls f; false and the error if it raises."),
    "select": ('n: integer|"#", ...: any', "any", "The arguments from the n-th on, or their number."),
    "tonumber": ("value: any, base?: integer", "number?", "The number that a text says."),
    "tostring": ("value: any", "string", "As a text, without addresses."),
    "type": ("value: any", "string", "The type's name."),
    "not_": ("value: presenced.value", "presenced.value",
             "In `when`: anything else, also nothing. `team = not_ \"B\"`."),
    "rule": ("name: string", "fun(body: presenced.rule_body): presenced.rule",
             'A rule: `rule "name" { when = ..., show = ... }`.'),
    "ruleset": ("map: presenced.ruleset", "", "The ruleset of this file; once."),
    "codes": ("path: string", "presenced.codes",
              "Reason codes from a spreadsheet's export, with columns code, show, expires, message."),
}
OUTCOMES = {
    "clear": "This contact centre claims nothing: what we have set is removed, Teams decides by itself.",
    "keep": "Whatever was shown stays, with its old end.",
    "never": "This person is not published, whatever any contact centre says.",
}
LIBRARIES = {
    "text": ("Texts, compared without upper and lower case and without spaces around them, in linear time.", {
        "contains": ("text: string, part: string", "boolean", "Is the part somewhere in it?"),
        "starts": ("text: string, part: string", "boolean", "Does it begin so?"),
        "ends": ("text: string, part: string", "boolean", "Does it end so?"),
        "same": ("a: string, b: string", "boolean", "Are they the same?"),
        "matches": ("text: string, pattern: string", "boolean", 'Does it match "WC*", where * is any text?'),
        "glob": ("pattern: string", "presenced.value", 'In `when`: a pattern, `reason = text.glob "WC*"`.'),
        "trim": ("text: string", "string", "Without the spaces around it."),
        "split": ("text: string, separator: string", "string[]", "The parts between the separators."),
    }),
    "string": ("Lua's own, without patterns.", {
        "byte": ("s: string, i?: integer, j?: integer", "integer", "Bytes as numbers."),
        "char": ("...: integer", "string", "A text of these bytes."),
        "len": ("s: string", "integer", "Length in bytes."),
        "lower": ("s: string", "string", "In lower case (ASCII)."),
        "upper": ("s: string", "string", "In upper case (ASCII)."),
        "rep": ("s: string, n: integer, separator?: string", "string", "Repeated; at most 64 KiB."),
        "reverse": ("s: string", "string", "Backwards."),
        "sub": ("s: string, i: integer, j?: integer", "string", "From byte i to j."),
    }),
    "time": ("A moment (event.at, event.since) in the ruleset's zone.", {
        "hour": ("at: integer", "integer", "0 to 23."),
        "minute": ("at: integer", "integer", "0 to 59."),
        "minutes": ("at: integer", "integer", "Since midnight: 510 at 08:30."),
        "weekday": ("at: integer", "string", '"Mon" to "Sun".'),
        "day": ("at: integer", "integer", "Of the month, 1 to 31."),
        "month": ("at: integer", "integer", "1 to 12."),
        "year": ("at: integer", "integer", "2026."),
        "date": ("at: integer", "string", '"2026-01-05".'),
        "clock": ("at: integer", "string", '"08:30".'),
    }),
    "math": ("Lua's own, without chance.", {
        "abs": ("x: number", "number", "Without its sign."),
        "ceil": ("x: number", "integer", "Rounded up."),
        "floor": ("x: number", "integer", "Rounded down."),
        "fmod": ("x: number, y: number", "number", "The rest of a division."),
        "max": ("x: number, ...: number", "number", "The largest."),
        "min": ("x: number, ...: number", "number", "The smallest."),
        "modf": ("x: number", "number, number", "Whole part and fraction."),
        "sqrt": ("x: number", "number", "The square root."),
        "tointeger": ("x: any", "integer?", "As an integer, if it is one."),
        "type": ("x: any", "string?", '"integer", "float" or nil.'),
        "ult": ("m: integer, n: integer", "boolean", "Is m below n, both without sign?"),
        "huge": (None, "number", "Larger than any number."),
        "maxinteger": (None, "integer", "The largest integer."),
        "mininteger": (None, "integer", "The smallest integer."),
        "pi": (None, "number", "Half a turn."),
    }),
    "table": ("Lua's own, for lists of at most 10,000 elements.", {
        "concat": ("list: table, separator?: string", "string", "Joined."),
        "insert": ("list: table, ...: any", "", "Adds a value, at a position or at the end."),
        "pack": ("...: any", "table", "The arguments as a list."),
        "remove": ("list: table, position?: integer", "any", "Takes one out, by default the last."),
        "sort": ("list: table, before?: fun(a: any, b: any): boolean", "", "Sorts it in place."),
        "unpack": ("list: table", "any", "Its values."),
    }),
    "utf8": ("Lua's own, without patterns.", {
        "char": ("...: integer", "string", "A text of these characters."),
        "codepoint": ("s: string, i?: integer, j?: integer", "integer", "Characters as numbers."),
        "codes": ("s: string", "fun(): integer, integer", "Over the characters."),
        "len": ("s: string, i?: integer, j?: integer", "integer?", "Length in characters."),
        "offset": ("s: string, n: integer, i?: integer", "integer?", "Where the n-th character begins."),
    }),
}

# ---- What scripts have besides: NAME -> as above ----

PERSON = "upn: string"
HOLD = "{ hold?: string|number, why?: string }"
ERROR = "presenced.error?"
SCRIPT = {
    "graph.auth": ("account?: string", "presenced.token?, " + ERROR, "What the account's token is good for; never the token."),
    "graph.lookup": (PERSON, "presenced.user?, " + ERROR, "The directory's user of that name."),
    "graph.publish": (f"{PERSON}, presence: string, options?: {HOLD}", "true?, " + ERROR,
                      'Shows it for `hold` (default "1h"): `teams.busy`, or "Busy InACall".'),
    "graph.clear": (f"{PERSON}, options?: {HOLD}", "true?, " + ERROR, "Shows nothing of ours for `hold`."),
    "graph.release": (PERSON, "true?, " + ERROR, "Ends what publish or clear has set."),
    "graph.presence": (PERSON, "presenced.shown_presence?, " + ERROR, "What Teams shows."),
    "graph.each": ("list: any[], fn: (fun(element: any): any, any), options?: { concurrency?: integer }",
                   "any[], any[]", "Calls fn for each, some at a time: what it returned, and the errors, both by place."),
    "events": ("path: string", "(fun(): presenced.event, integer)?, " + ERROR, "The events of a recording, with their lines."),
    "rows": ("path: string", "(fun(): table<string, string>, integer)?, " + ERROR,
             "The rows of a CSV file by the names in its first line, with their lines."),
    "sleep": ("seconds: number", "", "Waits; nobody else does."),
    "log": ('level: "error"|"warn"|"info"|"debug", text: any', "", "Into the log."),
    "on.decision": ("fn: fun(event: presenced.event, decision: presenced.decision)", "",
                    "In the daemon: called after an event was decided, or is decided otherwise by now."),
    "on.outcome": ("fn: fun(upn: string, outcome: presenced.reply)", "",
                   "In the daemon: called with what Graph said to a change of what an agent shows."),
    "every": ("period: string|number, fn: function", "", 'In the daemon: called every "5m".'),
    "at": ("time: string, fn: function", "", 'In the daemon: called once a day, at "18:00 Europe/Amsterdam".'),
}
# Lua's own, which editors know, and the presences, which are above.
PLAIN = set("_G _VERSION arg assert error getmetatable ipairs math next os pairs pcall preferred print rawequal rawget rawlen "
            "rawset select session setmetatable string table teams tonumber tostring type utf8".split())

SCRIPT_CLASSES = """
---Why a primitive gave nil; what passes was tried three times by then.
---@class presenced.error
---@field code string "no_such_user", "throttled", "forbidden", "refused", "out_of_range" ...
---@field message string For people.
---@field status integer HTTP status; 0 without an answer.
---@field retry_after number? Seconds.

---@class presenced.token
---@field account string
---@field tenant string
---@field roles string[]
---@field expires_in number Seconds.

---@class presenced.user
---@field id string
---@field upn string
---@field display_name string
---@field account_enabled boolean
---@field user_type string

---@class presenced.shown_presence
---@field availability string
---@field activity string
---@field message string?

---@class presenced.decision
---@field kind "show"|"clear"|"keep"|"never"
---@field presence string? What colleagues would see of it.
---@field session string?
---@field preferred string?
---@field hold number? Seconds, from the event's `since`.
---@field delay number Seconds.
---@field message string?
---@field rule string
---@field place string?
---@field unmatched boolean
---@field generation integer

---@class presenced.reply
---@field ok boolean
---@field code string "applied", "gone", "throttled", "forbidden", "refused" ...
---@field operation string
---@field presence string?
---@field status integer
---@field message string?
---@field retry_after number? Seconds.
---@field request_id string?
"""

CLASSES = """
---A value that a condition compares with: one, a list, `not_ ...` or `text.glob ...`.
---@alias presenced.value string|integer|boolean|(string|integer|boolean)[]

---@alias presenced.outcome presenced.presence|presenced.presence[]

---@alias presenced.shown presenced.outcome|fun(event: presenced.event, agent: presenced.agent): presenced.outcome

---Reason codes from a file.
---@class presenced.codes

---Made by `rule "name" { ... }`.
---@class presenced.rule

---What one contact centre contributes, as `merge` sees it.
---@class presenced.contribution
---@field ucc string
---@field state string
---@field reason string?
---@field since integer
---@field rank integer

---What colleagues see; takes options: `teams.busy { expires = "1h" }`.
---@class presenced.presence
---@operator call(presenced.options): presenced.presence
"""


class Gap(Exception):
    pass


def same_names(what, binding, described):
    """Both ways: the editor must know every name, and no name that is not there."""
    missing, surplus = sorted(set(binding) - set(described)), sorted(set(described) - set(binding))
    if missing:
        raise Gap(f"{what}: the binding has {', '.join(missing)}, which lua/presence_d.py does not describe")
    if surplus:
        raise Gap(f"{what}: lua/presence_d.py describes {', '.join(surplus)}, which the binding does not have")


def fields(name, described, required=(), order=None):
    lines = [f"---@class {name}"]
    for key in order or described:
        kind, meaning = described[key]
        lines.append(f"---@field {key}{'' if key in required else '?'} {kind} {meaning}".rstrip())
    return "\n".join(lines) + "\n"


def function(name, parameters, result, meaning):
    """A function with its parameters annotated; parameters are "name: type, name?: type"."""
    lines, names = [f"---{meaning}"], []
    for parameter in split(parameters):
        parameter_name, kind = parameter.split(": ", 1)
        lines.append(f"---@param {parameter_name} {kind}")
        names.append(parameter_name.rstrip("?"))
    if result:
        lines.append(f"---@return {result}")
    return "\n".join(lines) + f"\nfunction {name}({', '.join(names)}) end\n"


def split(parameters):
    """At the commas outside of parentheses and braces."""
    parts, depth, part = [], 0, ""
    for letter in parameters:
        depth += (letter in "({") - (letter in ")}")
        if letter == "," and depth == 0:
            parts.append(part.strip())
            part = ""
        else:
            part += letter
    return parts + ([part.strip()] if part.strip() else [])


def presences(names):
    out = []
    for space in ("teams", "session", "preferred"):
        about = {
            "teams": "What colleagues are to see; the plane is chosen so that they see it.",
            "session": "Beside what Teams itself says; what a person chose in Teams is respected.",
            "preferred": "Instead of what Teams itself says; what a person chose in Teams is overridden.",
        }[space]
        out.append(f"---{about}\n---@class presenced.{space}")
        for presence in names:
            if presence["name"].startswith(space + "."):
                shown, activity = presence["availability"], presence["activity"]
                same = "" if activity == shown else f" {activity}"
                means = f" ({presence['means']})" if presence["means"] != presence["name"] else ""
                out.append(f"---@field {presence['name'].split('.')[1]} presenced.presence {shown}{same}{means}")
        out.append(f"{space} = {{}}\n")
    return "\n".join(out)


def conditions(names):
    lines = ["---Conditions; every other name is an attribute of the event.", "---@class presenced.when"]
    for name in names:
        lines.append(f"---@field {name}? {'string|string[]' if name in CLOCK else 'presenced.value'} {WHEN[name]}")
    return "\n".join(lines + ["---@field [string] presenced.value"]) + "\n"


def libraries(names):
    out = []
    for library, members in names["libraries"].items():
        about, described = LIBRARIES[library]
        same_names(library, members, described)
        out.append(f"---{about}\n---@class presenced.{library}")
        for member in members:
            parameters, result, meaning = described[member]
            kind = result if parameters is None else f"fun({parameters})" + (f": {result}" if result else "")
            out.append(f"---@field {member} {kind} {meaning}")
        out.append(f"{library} = {{}}\n")
    return "\n".join(out)


def scripts(names):
    """All that a script sees is described, Lua's own, or a member of Lua's own."""
    libraries = {name.split(".")[0] for name in SCRIPT if "." in name}
    seen = [name for name in names["script"] if name.split(".")[0] not in PLAIN and name not in libraries]
    same_names("scripts", seen, SCRIPT)
    out = [SCRIPT_CLASSES.strip("\n") + "\n"]
    out += [f"{library} = {{}}\n" for library in sorted(libraries)]
    return "\n".join(out + [function(name, *SCRIPT[name]) for name in sorted(SCRIPT)])


def withheld(names):
    """Known to the editor as deprecated, so that it says the reason instead of nothing."""
    out = ["-- ---- What rules do not get, and why ----\n"]
    for name, (why, instead) in sorted({**names["withheld"], **names["withheld_members"]}.items()):
        out.append(f"---Not available: {why}; {instead}.\n---@deprecated\n{name} = nil\n")
    return "\n".join(out)


def generate(names):
    planes = ["teams", "session", "preferred"]
    same_names("names", names["globals"], [*GLOBALS, *OUTCOMES, *LIBRARIES, *planes])
    same_names("libraries", names["libraries"], LIBRARIES)
    same_names("ruleset { }", names["ruleset"], RULESET)
    same_names("rule { }", names["rule"], RULE)
    same_names("a presence { }", names["options"], OPTIONS)
    same_names("when { }", names["when"], WHEN)
    same_names("event", names["event"], EVENT)
    same_names("agent", names["agent"], AGENT)
    same_names("a test { }", names["test"], TEST)
    same_names("a test's event { }", names["test_event"], TEST_EVENT)
    holders = ", ".join(f"`{{{name}}}`" for name in names["placeholders"])
    options = {key: (kind, meaning.replace("PLACEHOLDERS", holders)) for key, (kind, meaning) in OPTIONS.items()}
    rule = {key: options.get(key, value) for key, value in RULE.items()}
    parts = [
        HEAD, CLASSES.strip("\n") + "\n", fields("presenced.options", options), conditions(list(WHEN)),
        "---An event, as rule functions see it; read-only.\n" +
        fields("presenced.event", {k: (t.rstrip("?"), m) for k, (t, m) in EVENT.items()},
               required={k for k, (t, _) in EVENT.items() if not t.endswith("?")}),
        "---An agent, as rule functions see them; read-only.\n" + fields("presenced.agent", AGENT, AGENT),
        fields("presenced.rule_body", rule, REQUIRED), fields("presenced.ruleset", RULESET),
        "---Every other name is an attribute.\n" +
        fields("presenced.test_event", {**TEST_EVENT, "[string]": ("string|number|boolean", "")}, {"[string]"}),
        '---A test: { "name", event, expected }, or { "name", steps = { ... }, shows = "Busy" }.\n' +
        fields("presenced.test", {"[1]": ("string", "Its name."), **TEST,
                                  "[integer]": ("presenced.test_event|presenced.outcome", "")}, {"[1]", "[integer]"}),
        "-- ---- The language ----\n", presences(names["presences"]),
        *[f"---{meaning}\n---@type presenced.presence\n{name} = nil\n" for name, meaning in OUTCOMES.items()],
        *[function(name, *GLOBALS[name]) for name in sorted(GLOBALS)],
        "-- ---- Libraries ----\n", libraries(names), withheld(names),
        "-- ---- Scripts: what they have besides; in rulesets there is none of this ----\n", scripts(names),
    ]
    return "\n".join(parts).rstrip("\n") + "\n"


def read_names(program):
    chunks = [ROOT / "tests" / "rules" / name for name in ("binding_names.lua", "script_names.lua")]
    done = subprocess.run([program, *map(str, chunks)], capture_output=True, text=True)
    if done.returncode != 0:
        raise Gap(done.stderr.strip())
    return json.loads(done.stdout)


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[2:] not in ([], ["--print"]):
        sys.exit("presence_d.py: name the program binding_names")
    try:
        text = generate(read_names(sys.argv[1]))
    except Gap as gap:
        sys.exit(f"presence_d.py: {gap}")
    if sys.argv[2:]:
        print(text, end="")
    else:
        OUT.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
