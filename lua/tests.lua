-- The tests that a ruleset carries: checked when the file is loaded, and brought into the plain form in which the host
-- runs them in virtual time (src/rules/test.c). Here is also what `presenced test --codes` asks of a compiled ruleset.
local words = require("words")
local sandbox = require("sandbox")
local language = require("language")
local decide = require("decide")
local ruleset = require("ruleset")
local fail, find, match = words.fail, string.find, string.match

local tests = {}

local START_MS = 1767614400000 -- 2026-01-05T12:00Z, a Monday
local AGENT = "test@example.com"
local UCC = "default"

-- As events have them (src/model/event.h).
local AGENT_MAX, NAME_MAX, TEXT_MAX, ATTRIBUTES_MAX = 320, 128, 512, 64
local STEPS_MAX = 100
local SPAN_MAX_MS = 31 * 86400000 -- between two steps: time conditions are tried each time they change
local TEST_NAME_MAX = 100 -- bytes

local fields = { "agent", "state", "reason", "ucc", "at", "attributes", "wait" }
local is_field = {}
for _, name in ipairs(fields) do
  is_field[name] = true
end

local meaningless = {
  since = "it comes from the steps: use wait",
  id = "a test has no duplicates",
  account = "rules do not see it",
}

-- ---- Times ----

-- Days since 1970-01-01 in the Gregorian calendar: years are counted from March, so that a leap day is the last.
local function days_since_1970(year, month, day)
  if month <= 2 then
    year, month = year - 1, month + 12
  end
  local leaps = year // 4 - year // 100 + year // 400
  return 365 * year + leaps + (153 * (month - 3) + 2) // 5 + day - 1 - 719468
end

local function numbers(...)
  local list = { ... }
  for i, text in ipairs(list) do
    list[i] = math.tointeger(tonumber(text))
  end
  return table.unpack(list)
end

local offsets -- of the ruleset's zone: a list of { from_ms, offset_ms }, or nil
local LAST_MS = 2524608000000 -- where the list ends: 2050

-- The instant at which the ruleset's clock first shows that time; one in a gap counts as reached at its end.
local function first_shown(local_ms)
  for i, span in ipairs(offsets) do
    local at = local_ms - span.offset_ms
    local behind = offsets[i + 1] and offsets[i + 1].from_ms or LAST_MS
    if at < span.from_ms then
      return i > 1 and span.from_ms or nil
    elseif at < behind then
      return at
    end
  end
end

-- "2026-01-05T12:00Z", with or without seconds; with Z, with an offset, or as the ruleset's clock shows it.
-- Milliseconds since 1970, or nil.
local function instant(text)
  local year, month, day, hour, minute, rest = match(text, "^(%d%d%d%d)%-(%d%d)%-(%d%d)[Tt ](%d%d):(%d%d)(.*)$")
  if not year then
    return nil
  end
  local second = "0"
  if find(rest, "^:%d%d") then
    second, rest = match(rest, "^:(%d%d)(.*)$")
  end
  local sign, hours, minutes = match(rest, "^([+-])(%d%d):(%d%d)$")
  local is_local = rest == "" and offsets ~= nil
  if not sign and rest ~= "Z" and rest ~= "z" and not is_local then
    return nil
  end
  year, month, day, hour, minute, second = numbers(year, month, day, hour, minute, second)
  hours, minutes = numbers(hours or "0", minutes or "0")
  if month < 1 or month > 12 or day < 1 or hour > 23 or minute > 59 or second > 59 or hours > 23 or minutes > 59 then
    return nil
  end
  local first, length = days_since_1970(year, month, 1), 31
  if month < 12 then
    length = days_since_1970(year, month + 1, 1) - first
  end
  if day > length then
    return nil
  end
  local offset = (hours * 60 + minutes) * (sign == "-" and -1 or 1)
  local at = ((first + day - 1) * 86400 + hour * 3600 + (minute - offset) * 60 + second) * 1000
  if is_local then
    return first_shown(at)
  end
  return at
end

-- ---- Events ----

-- A text of an event: without the spaces around it, as intake takes it.
local function text_field(value, what, longest, place)
  if math.type(value) == "integer" then
    value = words.text_of(value)
  end
  if type(value) ~= "string" then
    fail(place, what .. " is " .. words.type_of(value), "write a text or a whole number")
  end
  local text = words.trim(value)
  if text == "" or #text > longest or not utf8.len(text) or find(text, "%c") then
    fail(place, what .. " = " .. words.quote(value) .. " cannot be", "write a text of 1 to " .. longest .. " bytes")
  end
  return text
end

local attribute_types = { string = true, number = true, boolean = true }

local function add_attribute(list, name, value, what, place)
  if type(name) ~= "string" or name == "" or #name > NAME_MAX or not utf8.len(name) or find(name, "%c") then
    fail(place, what .. " has an attribute called " .. words.quote(name), 'write a name: team = "B"')
  end
  local t = type(value)
  local finite = t ~= "number" or value == value and value ~= math.huge and value ~= -math.huge
  local text = attribute_types[t] and words.text_of(value)
  if not text or not finite or #text > TEXT_MAX or not utf8.len(text) or find(text, "%c") then
    fail(place, what .. "." .. name .. " is " .. (text and "no attribute" or words.type_of(value)),
      "write a text of at most " .. TEXT_MAX .. " bytes, a number, true or false")
  end
  list[#list + 1] = { name = name, type = t, text = text }
end

-- As in `when`, what is no field of an event is an attribute, unless it looks like a field misspelt.
local function loose_attribute(list, name, value, what, place)
  if type(name) ~= "string" then
    fail(place, what .. " has a value without a name", 'write state = "Ready"')
  elseif meaningless[name] then
    fail(place, what .. " has " .. name .. ", which means nothing in a test: " .. meaningless[name], "remove it")
  end
  local nearest, far = words.nearest(name, fields)
  if nearest and far <= 1 then
    fail(place, what .. " has no field " .. name, "did you mean " .. nearest .. "? If not, write attributes = { " ..
      name .. " = ... }")
  end
  add_attribute(list, name, value, what, place)
end

local function compile_attributes(map, what, place)
  local list = {}
  for _, name in ipairs(words.sorted_keys(map)) do
    if not is_field[name] then
      loose_attribute(list, name, map[name], what, place)
    end
  end
  local inner = map.attributes
  if inner ~= nil and (type(inner) ~= "table" or language.kind_of(inner)) then
    fail(place, what .. ".attributes is " .. words.type_of(inner), 'write attributes = { team = "B" }')
  end
  for _, name in ipairs(words.sorted_keys(inner or {})) do
    if map[name] ~= nil and not is_field[name] then
      fail(place, what .. " has the attribute " .. name .. " twice", "keep one of them")
    end
    add_attribute(list, name, inner[name], what .. ".attributes", place)
  end
  if #list > ATTRIBUTES_MAX then
    fail(place, what .. " has more than " .. ATTRIBUTES_MAX .. " attributes", "remove some")
  end
  table.sort(list, function(a, b)
    return a.name < b.name
  end)
  return list
end

local function moment(map, what, place, now)
  if map.wait ~= nil and map.at ~= nil then
    fail(place, what .. " has wait and at", "keep one of them")
  elseif map.wait ~= nil then
    if not now then
      fail(place, what .. " begins with wait, but there is nothing before it", 'write { wait = "2m" } as a later step')
    end
    return now + language.duration(map.wait, what .. ".wait", place)
  elseif map.at == nil then
    return now or START_MS
  end
  local at = type(map.at) == "string" and instant(map.at)
  if not at then
    fail(place, what .. ".at is no time", 'write at = "2026-01-05T12:00Z", or +01:00 instead of Z' ..
      (offsets and ", or no Z for the ruleset's own timezone" or ""))
  elseif now and at < now then
    fail(place, what .. ".at lies before the step in front of it", "put the steps in the order of their times")
  elseif now and at > now + SPAN_MAX_MS then
    fail(place, what .. ".at lies more than 31 days behind the step in front of it", "write a test of its own")
  end
  return at
end

-- now: when the step before happened; nil in the first event. A later step may be { wait = "2m" } alone.
local function compile_event(map, what, place, now)
  if type(map) ~= "table" or language.kind_of(map) then
    local kind = language.kind_of(map)
    fail(place, what .. " is " .. (kind and kind.shown or words.type_of(map)), 'write { state = "NotReady" }')
  end
  local event = { at_ms = moment(map, what, place, now), attributes = compile_attributes(map, what, place) }
  if map.state == nil then
    if now and map.wait ~= nil and map.reason == nil and #event.attributes == 0 then
      return event
    end
    fail(place, what .. " has no state", 'write state = "NotReady"')
  end
  event.state = text_field(map.state, what .. ".state", NAME_MAX, place)
  if map.reason ~= nil and map.reason ~= "" then
    event.reason = text_field(map.reason, what .. ".reason", NAME_MAX, place)
  end
  event.ucc = map.ucc == nil and UCC or text_field(map.ucc, what .. ".ucc", NAME_MAX, place)
  event.agent = map.agent ~= nil and string.lower(text_field(map.agent, what .. ".agent", AGENT_MAX, place)) or nil
  return event
end

local function compile_steps(list, place)
  if type(list) ~= "table" or language.kind_of(list) or #list == 0 or #list > STEPS_MAX then
    fail(place, "steps is no list of 1 to " .. STEPS_MAX .. " events", 'write steps = { { state = "Ready" }, ... }')
  end
  for _, key in ipairs(words.sorted_keys(list)) do
    if math.type(key) ~= "integer" then
      fail(place, "steps has the name " .. words.key(key), 'put each event into braces: { state = "Ready" }')
    end
  end
  local steps, now, agent = {}, nil, nil
  for i = 1, #list do
    local what = "step " .. i
    local event = compile_event(list[i], what, place, now)
    if agent and event.agent and event.agent ~= agent then
      fail(place, what .. " is of another agent than the steps before", "write a test for each agent")
    end
    agent = agent or event.agent
    steps[i], now = event, event.at_ms
  end
  for _, event in ipairs(steps) do
    event.agent = agent or AGENT
  end
  return steps
end

-- ---- What is expected ----

local visible = { "Available", "Away", "BeRightBack", "Busy", "DoNotDisturb", "Offline" }

local function compile_shows(value, place)
  local kind = language.kind_of(value)
  if type(value) ~= "string" then
    fail(place, "shows is " .. (kind and kind.shown or words.type_of(value)),
      'write what colleagues see, as a text: shows = "Busy"')
  end
  for _, name in ipairs(visible) do
    if words.fold(name) == words.fold(value) then
      return name
    end
  end
  fail(place, "shows = " .. words.quote(value) .. " is nothing that colleagues can see", words.suggest(value, visible))
end

local function presences_of(outcome)
  return { session = outcome.session and outcome.session.presence,
    preferred = outcome.preferred and outcome.preferred.presence }
end

local function compile_expected(value, place, after_steps)
  local kind = language.kind_of(value)
  if type(value) == "function" or kind and kind.kind == "rule" then
    fail(place, "the expected presence is " .. (kind and kind.shown or "a function"), "write teams.busy, clear or keep")
  end
  local outcome = language.outcome(value, place, "the expected presence", false)
  if after_steps and outcome.kind == "keep" then
    fail(place, "keep cannot be expected after steps", "write the presence that is there then, or clear")
  elseif after_steps and (outcome.delay or outcome.afterwards) then
    fail(place, "delay and afterwards cannot be expected after steps",
      "write a step { wait = ... } and what is there then")
  end
  local expected = presences_of(outcome)
  expected.kind, expected.message = outcome.kind, outcome.message
  expected.expires_ms, expected.delay_ms = outcome.expires, outcome.delay
  if outcome.afterwards then
    expected.afterwards = presences_of(outcome.afterwards)
  end
  return expected
end

-- ---- Tests ----

local test_keys = { steps = true, shows = true }
tests.keys, tests.event_fields = test_keys, fields -- for the editor's help

local function check_test_keys(entry, last, place)
  for _, key in ipairs(words.sorted_keys(entry)) do
    if math.type(key) == "integer" then
      if key < 1 or key > last then
        fail(place, "a test has too many values", 'write { "name", { state = "Ready" }, teams.available }')
      end
    elseif not test_keys[key] then
      fail(place, words.key(key) .. " is unknown in a test", words.suggest(key, { "steps", "shows" }))
    end
  end
end

local function compile_name(name, place)
  if type(name) ~= "string" or words.trim(name) == "" or #name > TEST_NAME_MAX or not utf8.len(name) or
    find(name, "%c") then
    fail(place, "a test begins with no name of at most " .. TEST_NAME_MAX .. " bytes",
      'write { "lunch", { state = "NotReady", reason = "LUNCH" }, teams.be_right_back }')
  end
  return name
end

local function compile_test(entry, place)
  if type(entry) ~= "table" or language.kind_of(entry) then
    fail(place, "a test is " .. words.type_of(entry),
      'write { "lunch", { state = "NotReady", reason = "LUNCH" }, teams.be_right_back }')
  end
  local test = { name = compile_name(entry[1], place), place = place }
  local expected = entry[2]
  if entry.steps ~= nil then
    check_test_keys(entry, 2, place)
    test.steps = compile_steps(entry.steps, place)
  else
    check_test_keys(entry, 3, place)
    if entry[2] == nil then
      fail(place, "the test " .. words.quote(test.name) .. " has no event", 'write { state = "Ready" } behind the name')
    end
    local event = compile_event(entry[2], "the event", place)
    event.agent = event.agent or AGENT
    test.steps, test.single, expected = { event }, true, entry[3]
  end
  if expected ~= nil then
    test.expected = compile_expected(expected, place, not test.single)
  end
  test.shows = entry.shows ~= nil and compile_shows(entry.shows, place) or nil
  if not test.expected and not test.shows then
    fail(place, "the test " .. words.quote(test.name) .. " expects nothing",
      test.single and "write a presence, clear or keep behind the event" or 'write shows = "Busy" behind the steps')
  end
  return test
end

-- The tests of the ruleset just loaded as plain values; an illegal one is an error of the file. zone: its offsets, or
-- nil when it has no timezone.
function tests.check(zone)
  offsets = zone
  local taken = ruleset.tests()
  local compiled = {}
  if not taken then
    return compiled
  end
  local list = taken.list
  if type(list) ~= "table" or language.kind_of(list) then
    fail(taken.place, "tests is " .. words.type_of(list), 'write tests = { { "lunch", { state = ... }, teams.away } }')
  end
  for i, key in ipairs(words.sorted_keys(list)) do
    if key ~= i then
      fail(taken.place, words.member("tests", key) .. " stands outside the list", 'write { "name", ... } for each test')
    end
    compiled[i] = compile_test(list[i], taken.places[i] or taken.place)
  end
  return compiled
end

-- ---- What there is to cover ----

-- Every rule, reason and state of the compiled ruleset, as decisions name them; not those that a layer has replaced.
function tests.entries()
  local set, entries = decide.compiled(), {}
  local function add(kind, entry)
    entries[#entries + 1] = { kind = kind, label = entry.label, place = entry.place }
  end
  for _, rule in ipairs(set.rules) do
    add("rule", rule.entry)
  end
  for _, code in ipairs(words.sorted_keys(set.reasons)) do
    add("reason", set.reasons[code])
  end
  for _, state in ipairs(words.sorted_keys(set.states)) do
    add("state", set.states[state])
  end
  return entries
end

-- ---- Codes and states that nothing answers ----

-- Does a condition on that field ask for this value? Conditions that exclude values answer none in particular.
local function asks_for(conditions, field, value)
  for _, condition in ipairs(conditions or {}) do
    if condition.field == field and not condition.negated then
      local found = condition.values[value]
      for _, pieces in ipairs(condition.globs or {}) do
        found = found or sandbox.matches_glob(pieces, value)
      end
      return found
    end
  end
end

-- Of a list of values of `field` ("reason" or "state"), those that no entry and no condition names, as `places` in the
-- list. `functions`: some rule is a function, which only an event can ask; `states`: those in which to ask it.
function tests.unnamed(field, values)
  local set = decide.compiled()
  local entries = field == "reason" and set.reasons or set.states
  local places, functions = {}, false
  for _, rule in ipairs(set.rules) do
    functions = functions or rule.fn ~= nil
  end
  for i, given in ipairs(values) do
    local value, named = words.fold(given), false
    for _, rule in ipairs(set.rules) do
      named = named or asks_for(rule.conditions, field, value) or false
    end
    if not named and not entries[value] then
      places[#places + 1] = i
    end
  end
  return { places = places, functions = functions, states = words.sorted_keys(set.reason_states or set.states) }
end

return tests
