---@meta
-- Editor help for rulesets and scripts, in the notation of LuaCATS: completion, hover texts and warnings in editors that run
-- lua-language-server. rules/.luarc.json switches it on. Made by lua/presence_d.py from the names of the program; not
-- read by presenced itself.

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

---@class presenced.options
---@field expires? string Ends after this long, counted from the change: "45m", "1h30m", "PT45M".
---@field message? string The status message in Teams, removed with its presence; may hold `{expires}`, `{reason}`, `{state}`, `{ucc}`.
---@field delay? string Shown only if the agent is still in that state after this long.
---@field afterwards? presenced.outcome What follows when `expires` is over. Default: `clear`.

---Conditions; every other name is an attribute of the event.
---@class presenced.when
---@field agent? presenced.value The user principal name.
---@field state? presenced.value The state as the contact centre names it.
---@field reason? presenced.value The reason code.
---@field ucc? presenced.value The contact centre that the event is from.
---@field between? string|string[] A time of day in the ruleset's zone, "22:00-06:00"; the end is exclusive.
---@field days? string|string[] Days in the ruleset's zone: "Mon-Fri"; a span over midnight belongs to the day it began.
---@field [string] presenced.value

---An event, as rule functions see it; read-only.
---@class presenced.event
---@field agent string The user principal name, in lower case.
---@field state string As given, without spaces around it.
---@field reason? string The reason code as text; nil when there is none.
---@field ucc string The contact centre it is from.
---@field at integer Of the change: seconds since 1970, UTC.
---@field since integer Since when this state and reason last without a break: seconds since 1970, UTC.
---@field attributes table<string, string|number|boolean> Team, queue, skill ...: whatever the sender adds.

---An agent, as rule functions see them; read-only.
---@class presenced.agent
---@field upn string The user principal name.
---@field states table<string, string> The present state, by contact centre.

---@class presenced.rule_body
---@field why? string For those who ask `presenced eval` or `why`.
---@field when presenced.when|fun(event: presenced.event, agent: presenced.agent): any The conditions, all of which must hold; `{}` for every event.
---@field show presenced.shown What colleagues see.
---@field expires? string Ends after this long, counted from the change: "45m", "1h30m", "PT45M".
---@field message? string The status message in Teams, removed with its presence; may hold `{expires}`, `{reason}`, `{state}`, `{ucc}`.
---@field delay? string Shown only if the agent is still in that state after this long.
---@field afterwards? presenced.outcome What follows when `expires` is over. Default: `clear`.

---@class presenced.ruleset
---@field name? string What the ruleset is called in `status`, metrics and logs.
---@field timezone? string The zone of `between`, `days` and `{expires}`: "Europe/Amsterdam".
---@field extends? string|string[] Rulesets, by their paths from this file, that this one adds to: "lib/voice.lua".
---@field rules? presenced.rule[] Tried from the top; the first that matches wins, before all tables.
---@field reasons? table<string|integer, presenced.shown>|presenced.codes By reason code; not for states that map to `clear`.
---@field reason_states? (string|integer)[] The only states in which a reason code counts. Default: all.
---@field states? table<string|integer, presenced.shown>|presenced.codes By state, when no rule and no reason has answered.
---@field unmatched? presenced.shown For what nothing above knows. Default: `clear`.
---@field on_error? presenced.outcome|"skip" What a raising rule gives. Default "skip": it counts as not matching.
---@field max_hold? string|table<string, string> The longest a presence without `expires` stands: one duration, or by presence.
---@field merge? "latest"|fun(list: presenced.contribution[], agent: presenced.agent): integer How several contact centres become one; default: by what colleagues would see, then the most recent.
---@field hold? "refresh"|"anchor" How Available is held. Default: refreshed every few minutes; see rules/README.md before you anchor it.
---@field tests? presenced.test[] Run by `presenced test`, by `check` and before every reload.

---Every other name is an attribute.
---@class presenced.test_event
---@field agent? string Default: test@example.com.
---@field state? string|integer As the contact centre names it.
---@field reason? string|integer The reason code.
---@field ucc? string The contact centre; default "default".
---@field at? string "2026-01-05 18:30" in the ruleset's zone, or with Z or an offset; default 2026-01-05T12:00Z.
---@field attributes? table<string, string|number|boolean> Or each attribute by itself: `team = "B"`.
---@field wait? string How long after the step before: "2m". Alone in a step: nothing but time passes.
---@field [string] string|number|boolean

---A test: { "name", event, expected }, or { "name", steps = { ... }, shows = "Busy" }.
---@class presenced.test
---@field [1] string Its name.
---@field steps? presenced.test_event[] Instead of one event: several, one after the other.
---@field shows? "Available"|"Away"|"BeRightBack"|"Busy"|"DoNotDisturb"|"Offline" What colleagues see in the end, while the person's own Teams is closed.
---@field [integer] presenced.test_event|presenced.outcome

-- ---- The language ----

---What colleagues are to see; the plane is chosen so that they see it.
---@class presenced.teams
---@field available presenced.presence Available (session.available)
---@field in_a_call presenced.presence Busy InACall (session.in_a_call)
---@field in_a_conference_call presenced.presence Busy InAConferenceCall (session.in_a_conference_call)
---@field presenting presenced.presence DoNotDisturb Presenting (session.presenting)
---@field busy presenced.presence Busy (preferred.busy)
---@field do_not_disturb presenced.presence DoNotDisturb (preferred.do_not_disturb)
---@field be_right_back presenced.presence BeRightBack (preferred.be_right_back)
---@field away presenced.presence Away (preferred.away)
---@field offline presenced.presence Offline OffWork (preferred.offline)
teams = {}

---Beside what Teams itself says; what a person chose in Teams is respected.
---@class presenced.session
---@field available presenced.presence Available
---@field in_a_call presenced.presence Busy InACall
---@field in_a_conference_call presenced.presence Busy InAConferenceCall
---@field away presenced.presence Away
---@field presenting presenced.presence DoNotDisturb Presenting
session = {}

---Instead of what Teams itself says; what a person chose in Teams is overridden.
---@class presenced.preferred
---@field available presenced.presence Available
---@field busy presenced.presence Busy
---@field do_not_disturb presenced.presence DoNotDisturb
---@field be_right_back presenced.presence BeRightBack
---@field away presenced.presence Away
---@field offline presenced.presence Offline OffWork
preferred = {}

---This contact centre claims nothing: what we have set is removed, Teams decides by itself.
---@type presenced.presence
clear = nil

---Whatever was shown stays, with its old end.
---@type presenced.presence
keep = nil

---This person is not published, whatever any contact centre says.
---@type presenced.presence
never = nil

---Raises unless the value is true; `on_error` answers.
---@param value any
---@param message? any
---@return any
function assert(value, message) end

---Reason codes from a spreadsheet's export, with columns code, show, expires, message.
---@param path string
---@return presenced.codes
function codes(path) end

---Raises; `on_error` answers.
---@param message any
function error(message) end

---Over a list, from 1 on.
---@param list table
---@return fun(): integer, any
function ipairs(list) end

---In `when`: anything else, also nothing. `team = not_ "B"`.
---@param value presenced.value
---@return presenced.value
function not_(value) end

---Over a table, in the order of its keys.
---@param map table
---@return fun(): any, any
function pairs(map) end

---Calls f; false and the error if it raises.
---@param f function
---@param ... any
---@return boolean, any
function pcall(f, ...) end

---A rule: `rule "name" { when = ..., show = ... }`.
---@param name string
---@return fun(body: presenced.rule_body): presenced.rule
function rule(name) end

---The ruleset of this file; once.
---@param map presenced.ruleset
function ruleset(map) end

---The arguments from the n-th on, or their number.
---@param n integer|"#"
---@param ... any
---@return any
function select(n, ...) end

---The number that a text says.
---@param value any
---@param base? integer
---@return number?
function tonumber(value, base) end

---As a text, without addresses.
---@param value any
---@return string
function tostring(value) end

---The type's name.
---@param value any
---@return string
function type(value) end

-- ---- Libraries ----

---Lua's own, without chance.
---@class presenced.math
---@field abs fun(x: number): number Without its sign.
---@field ceil fun(x: number): integer Rounded up.
---@field floor fun(x: number): integer Rounded down.
---@field fmod fun(x: number, y: number): number The rest of a division.
---@field huge number Larger than any number.
---@field max fun(x: number, ...: number): number The largest.
---@field maxinteger integer The largest integer.
---@field min fun(x: number, ...: number): number The smallest.
---@field mininteger integer The smallest integer.
---@field modf fun(x: number): number, number Whole part and fraction.
---@field pi number Half a turn.
---@field sqrt fun(x: number): number The square root.
---@field tointeger fun(x: any): integer? As an integer, if it is one.
---@field type fun(x: any): string? "integer", "float" or nil.
---@field ult fun(m: integer, n: integer): boolean Is m below n, both without sign?
math = {}

---Lua's own, without patterns.
---@class presenced.string
---@field byte fun(s: string, i?: integer, j?: integer): integer Bytes as numbers.
---@field char fun(...: integer): string A text of these bytes.
---@field len fun(s: string): integer Length in bytes.
---@field lower fun(s: string): string In lower case (ASCII).
---@field rep fun(s: string, n: integer, separator?: string): string Repeated; at most 64 KiB.
---@field reverse fun(s: string): string Backwards.
---@field sub fun(s: string, i: integer, j?: integer): string From byte i to j.
---@field upper fun(s: string): string In upper case (ASCII).
string = {}

---Lua's own, for lists of at most 10,000 elements.
---@class presenced.table
---@field concat fun(list: table, separator?: string): string Joined.
---@field insert fun(list: table, ...: any) Adds a value, at a position or at the end.
---@field pack fun(...: any): table The arguments as a list.
---@field remove fun(list: table, position?: integer): any Takes one out, by default the last.
---@field sort fun(list: table, before?: fun(a: any, b: any): boolean) Sorts it in place.
---@field unpack fun(list: table): any Its values.
table = {}

---Texts, compared without upper and lower case and without spaces around them, in linear time.
---@class presenced.text
---@field contains fun(text: string, part: string): boolean Is the part somewhere in it?
---@field ends fun(text: string, part: string): boolean Does it end so?
---@field glob fun(pattern: string): presenced.value In `when`: a pattern, `reason = text.glob "WC*"`.
---@field matches fun(text: string, pattern: string): boolean Does it match "WC*", where * is any text?
---@field same fun(a: string, b: string): boolean Are they the same?
---@field split fun(text: string, separator: string): string[] The parts between the separators.
---@field starts fun(text: string, part: string): boolean Does it begin so?
---@field trim fun(text: string): string Without the spaces around it.
text = {}

---A moment (event.at, event.since) in the ruleset's zone.
---@class presenced.time
---@field clock fun(at: integer): string "08:30".
---@field date fun(at: integer): string "2026-01-05".
---@field day fun(at: integer): integer Of the month, 1 to 31.
---@field hour fun(at: integer): integer 0 to 23.
---@field minute fun(at: integer): integer 0 to 59.
---@field minutes fun(at: integer): integer Since midnight: 510 at 08:30.
---@field month fun(at: integer): integer 1 to 12.
---@field weekday fun(at: integer): string "Mon" to "Sun".
---@field year fun(at: integer): integer 2026.
time = {}

---Lua's own, without patterns.
---@class presenced.utf8
---@field char fun(...: integer): string A text of these characters.
---@field codepoint fun(s: string, i?: integer, j?: integer): integer Characters as numbers.
---@field codes fun(s: string): fun(): integer, integer Over the characters.
---@field len fun(s: string, i?: integer, j?: integer): integer? Length in characters.
---@field offset fun(s: string, n: integer, i?: integer): integer? Where the n-th character begins.
utf8 = {}

-- ---- What rules do not get, and why ----

---Not available: there is no table of all names; use the name itself.
---@deprecated
_G = nil

---Not available: it is a condition; write when = { between = "08:00-18:00" }.
---@deprecated
between = nil

---Not available: a full collection cannot be stopped by the time limit; do without.
---@deprecated
collectgarbage = nil

---Not available: the time limit watches one thread only, and a rule cannot wait; write a plain function.
---@deprecated
coroutine = nil

---Not available: it is a condition; write when = { days = "Mon-Fri" }.
---@deprecated
days = nil

---Not available: it reaches around every limit; do without.
---@deprecated
debug = nil

---Not available: a ruleset reads no code; write the function here, or build on a ruleset with extends.
---@deprecated
dofile = nil

---Not available: metatables make read-only values writable; use plain tables.
---@deprecated
getmetatable = nil

---Not available: a rule reads and writes no files; put the values into the ruleset.
---@deprecated
io = nil

---Not available: a rule is read when the file is loaded, not made while it runs; write the function here.
---@deprecated
load = nil

---Not available: a ruleset reads no code; write the function here, or build on a ruleset with extends.
---@deprecated
loadfile = nil

---Not available: a rule is read when the file is loaded, not made while it runs; write the function here.
---@deprecated
loadstring = nil

---Not available: the same event must give the same decision; decide by a field of the event.
---@deprecated
math.random = nil

---Not available: the same event must give the same decision; decide by a field of the event.
---@deprecated
math.randomseed = nil

---Not available: its order differs from run to run; use pairs, which goes in the order of the keys.
---@deprecated
next = nil

---Not available: a rule has no clock and starts nothing; the same event must give the same decision; use event.at.
---@deprecated
os = nil

---Not available: a ruleset reads no code; write the function here, or build on a ruleset with extends.
---@deprecated
package = nil

---Not available: a rule has no output; run presenced eval to see what it decides.
---@deprecated
print = nil

---Not available: rules have no metatables to go around; use ==.
---@deprecated
rawequal = nil

---Not available: it reads around the checks for misspelt fields; use value.field.
---@deprecated
rawget = nil

---Not available: rules have no metatables to go around; use #.
---@deprecated
rawlen = nil

---Not available: it writes into read-only values; use a plain table.
---@deprecated
rawset = nil

---Not available: a ruleset reads no code; write the function here, or build on a ruleset with extends.
---@deprecated
require = nil

---Not available: metatables make read-only values writable; use plain tables.
---@deprecated
setmetatable = nil

---Not available: rules work on text; do without.
---@deprecated
string.dump = nil

---Not available: patterns can take time without end; use text.contains, text.starts, text.matches or text.split.
---@deprecated
string.find = nil

---Not available: it is not needed for a decision; join texts with ...
---@deprecated
string.format = nil

---Not available: patterns can take time without end; use text.contains, text.starts, text.matches or text.split.
---@deprecated
string.gmatch = nil

---Not available: patterns can take time without end; use text.contains, text.starts, text.matches or text.split.
---@deprecated
string.gsub = nil

---Not available: patterns can take time without end; use text.contains, text.starts, text.matches or text.split.
---@deprecated
string.match = nil

---Not available: rules work on text; do without.
---@deprecated
string.pack = nil

---Not available: rules work on text; do without.
---@deprecated
string.packsize = nil

---Not available: rules work on text; do without.
---@deprecated
string.unpack = nil

---Not available: it can take time without end; write a loop.
---@deprecated
table.move = nil

---Not available: tests are a list in the ruleset; write tests = { { "lunch", { state = "Ready" }, teams.available } }.
---@deprecated
test = nil

---Not available: a handler that does not end could not be stopped; use pcall.
---@deprecated
xpcall = nil

-- ---- Scripts: what they have besides; in rulesets there is none of this ----

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

graph = {}

on = {}

---In the daemon: called once a day, at "18:00 Europe/Amsterdam".
---@param time string
---@param fn function
function at(time, fn) end

---The events of a recording, with their lines.
---@param path string
---@return (fun(): presenced.event, integer)?, presenced.error?
function events(path) end

---In the daemon: called every "5m".
---@param period string|number
---@param fn function
function every(period, fn) end

---What the account's token is good for; never the token.
---@param account? string
---@return presenced.token?, presenced.error?
function graph.auth(account) end

---Shows nothing of ours for `hold`.
---@param upn string
---@param options? { hold?: string|number, why?: string }
---@return true?, presenced.error?
function graph.clear(upn, options) end

---Calls fn for each, some at a time: what it returned, and the errors, both by place.
---@param list any[]
---@param fn (fun(element: any): any, any)
---@param options? { concurrency?: integer }
---@return any[], any[]
function graph.each(list, fn, options) end

---The directory's user of that name.
---@param upn string
---@return presenced.user?, presenced.error?
function graph.lookup(upn) end

---What Teams shows.
---@param upn string
---@return presenced.shown_presence?, presenced.error?
function graph.presence(upn) end

---Shows it for `hold` (default "1h"): `teams.busy`, or "Busy InACall".
---@param upn string
---@param presence string
---@param options? { hold?: string|number, why?: string }
---@return true?, presenced.error?
function graph.publish(upn, presence, options) end

---Ends what publish or clear has set.
---@param upn string
---@return true?, presenced.error?
function graph.release(upn) end

---Into the log.
---@param level "error"|"warn"|"info"|"debug"
---@param text any
function log(level, text) end

---In the daemon: called after an event was decided, or is decided otherwise by now.
---@param fn fun(event: presenced.event, decision: presenced.decision)
function on.decision(fn) end

---In the daemon: called with what Graph said to a change of what an agent shows.
---@param fn fun(upn: string, outcome: presenced.reply)
function on.outcome(fn) end

---The rows of a CSV file by the names in its first line, with their lines.
---@param path string
---@return (fun(): table<string, string>, integer)?, presenced.error?
function rows(path) end

---Waits; nobody else does.
---@param seconds number
function sleep(seconds) end
