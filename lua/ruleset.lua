-- A ruleset from its source to lookup tables, and the functions that the host calls: load, decide, resume, explain.
-- What can be known before an event is there is found out here; every error is "FILE:LINE: WHAT; WHAT TO WRITE".
local words = require("words")
local source = require("source")
local language = require("language")
local decide = require("decide")
local fail, fold = words.fail, words.fold

local ruleset_keys = { name = true, timezone = true, rules = true, reasons = true, reason_states = true, states = true,
  unmatched = true, on_error = true, max_hold = true }
local rule_keys = { why = true, when = true, show = true, expires = true, message = true }
local fields = { state = "state", reason = "reason", ucc = "ucc", agent = "agent" }

local file, nodes, outcomes, catalog
local uses_attributes, uses_agent

local function line_place(label, key, otherwise, from)
  local line = source.key_line(nodes, label, key, from)
  return line and file .. ":" .. line or otherwise
end

-- ---- Outcomes ----

local max_hold -- by presence name as the catalog has it, in ms

-- What the host is told of an outcome.
local function describe(outcome, entry)
  local result = { kind = outcome.kind, message = outcome.message }
  if outcome.kind ~= "show" then
    return result
  end
  local hold
  for _, plane in ipairs({ "session", "preferred" }) do
    local presence = outcome[plane]
    if presence then
      result[plane] = presence.presence
      local longest = max_hold[presence.presence] or presence.hold_ms
      hold = hold and math.min(hold, longest) or longest
    end
  end
  local expires, message = entry.expires, entry.message
  if expires and outcome.expires or message and outcome.message then
    fail(entry.place, (expires and outcome.expires and "expires" or "message") ..
      " stands in the rule and in the presence", "keep one of them")
  end
  result.message = outcome.message or message
  result.expires_given = (outcome.expires or expires) ~= nil
  result.hold_ms = outcome.expires or expires or hold
  return result
end

-- options: expires and message that stand beside `show`.
local function add_entry(value, label, place, what, options)
  local outcome = language.outcome(value, place, what, options.allow_function)
  local entry = { id = #outcomes + 1, kind = outcome.kind, fn = outcome.fn, label = label, place = place,
    expires = options.expires, message = options.message }
  if (outcome.kind == "clear" or outcome.kind == "keep") and (options.expires or options.message) then
    fail(place, outcome.kind .. " takes no expires or message", "remove it")
  end
  local described = outcome.fn and { kind = "function" } or describe(outcome, entry)
  described.rule, described.place, described.unmatched = label, place, options.unmatched or false
  outcomes[entry.id] = described
  uses_attributes, uses_agent = uses_attributes or outcome.fn ~= nil, uses_agent or outcome.fn ~= nil
  return entry
end

-- ---- Conditions ----

local function add_value(condition, value, place)
  local kind = language.kind_of(value)
  local t = type(value)
  if kind and kind.kind == "glob" then
    condition.globs = condition.globs or {}
    condition.globs[#condition.globs + 1] = kind.pieces
    condition.list[#condition.list + 1] = kind.shown
  elseif t == "string" or t == "number" or t == "boolean" then
    local text = words.text_of(value)
    if #text > words.KEY_MAX then
      fail(place, condition.name .. " has a value of more than " .. words.KEY_MAX .. " bytes", "shorten it")
    end
    condition.values[fold(text)] = true
    condition.list[#condition.list + 1] = words.quote(value)
  else
    fail(place, condition.name .. " = " .. (kind and kind.shown or words.type_of(value)),
      'write a value, a list { "A", "B" }, not_ "B" or text.glob "WC*"')
  end
end

local function compile_condition(name, value, place)
  local condition = { name = name, field = fields[name], values = {}, list = {}, negated = false }
  local kind = language.kind_of(value)
  if kind and kind.kind == "not" then
    condition.negated, value = true, kind.value
    kind = language.kind_of(value)
  end
  if type(value) == "table" and not kind then
    if next(value) == nil then
      fail(place, name .. " = an empty list, which matches nothing", "name at least one value")
    end
    for _, key in ipairs(words.sorted_keys(value)) do
      if type(key) ~= "number" then
        fail(place, name .. " has a list with the name " .. words.key(key), 'write { "A", "B" }')
      end
      add_value(condition, value[key], place)
    end
  else
    add_value(condition, value, place)
  end
  condition.shown = table.concat(condition.list, ", ", 1, math.min(#condition.list, 5)) ..
    (#condition.list > 5 and ", ..." or "")
  condition.list = nil
  uses_attributes = uses_attributes or not condition.field
  return condition
end

local field_names = { "state", "reason", "ucc", "agent" }
local not_compared = {
  at = "use a rule function: event.at, in seconds since 1970 in UTC",
  since = "use a rule function: event.since, in seconds since 1970 in UTC",
  attributes = 'write the attribute itself: team = "B"',
  upn = 'write agent = "name@domain"',
}

local function check_condition_name(name, place)
  if type(name) ~= "string" then
    fail(place, "when has a value without a name", 'write state = "Ready"')
  end
  if name == "between" or name == "days" then
    fail(place, name .. " is not supported by this version", "remove it")
  end
  if not_compared[name] then
    fail(place, name .. " cannot be compared here", not_compared[name])
  end
  local nearest, far = words.nearest(name, field_names)
  if not fields[name] and nearest and far <= 1 then
    fail(place, name .. " is an attribute's name too near to the field " .. nearest,
      "did you mean " .. nearest .. "? If not, use a rule function: event.attributes." .. name)
  end
end

local function compile_when(when, rule, place, line)
  if type(when) == "function" then
    rule.fn, uses_attributes, uses_agent = when, true, true
    return
  end
  local kind = language.kind_of(when)
  if type(when) ~= "table" or kind then
    fail(place, "when is " .. (kind and kind.shown or words.type_of(when)),
      'write when = { state = "NotReady" }, when = {} for every event, or a function')
  end
  rule.conditions = {}
  for _, name in ipairs(words.sorted_keys(when)) do
    local where = line_place("when", name, place, line)
    check_condition_name(name, where)
    rule.conditions[#rule.conditions + 1] = compile_condition(name, when[name], where)
  end
end

-- ---- Rules ----

local function compile_rule(kind)
  local body = kind.body
  local function place_for(key)
    local line = source.key_line(nodes, "rule", key, kind.line)
    return line and file .. ":" .. line or kind.place
  end
  language.check_keys(body, rule_keys, place_for)
  for _, key in ipairs({ "when", "show" }) do
    if body[key] == nil then
      fail(kind.place, kind.shown .. " has no " .. key,
        key == "when" and 'write when = { state = "..." }, or when = {} for every event' or "write show = teams.busy")
    end
  end
  if body.why ~= nil and type(body.why) ~= "string" then
    fail(place_for("why"), "why is " .. words.type_of(body.why), "write a text")
  end
  local rule = { name = kind.name, why = body.why }
  compile_when(body.when, rule, place_for("when"), kind.line)
  local expires, message = language.options(body, place_for)
  rule.entry = add_entry(body.show, kind.shown, kind.place, "show",
    { expires = expires, message = message, allow_function = true })
  return rule
end

local function compile_rules(list, place)
  local rules, seen = {}, {}
  if type(list) ~= "table" or language.kind_of(list) then
    fail(place, "rules is " .. words.type_of(list), 'write rules = { rule "name" { ... } }')
  end
  for _, key in ipairs(words.sorted_keys(list)) do
    local kind = language.kind_of(list[key])
    if kind and kind.kind == "rule name" then
      fail(kind.place, kind.shown .. " has no body", "write " .. kind.shown .. " { when = { ... }, show = ... }")
    elseif type(key) ~= "number" or not kind or kind.kind ~= "rule" then
      fail(line_place("rules", key, place), words.member("rules", key) .. " is no rule", 'write rule "name" { ... }')
    end
    if seen[kind.name] then
      fail(kind.place, kind.shown .. " is there twice (first at " .. seen[kind.name] .. ")", "give each its own name")
    end
    seen[kind.name] = kind.place
    rules[#rules + 1] = compile_rule(kind)
  end
  return rules
end

-- The values that `field` must have for the rule to match at all; nil: any.
local function required(rule, field)
  for _, condition in ipairs(rule.conditions or {}) do
    if condition.field == field and not condition.negated and not condition.globs then
      return condition.values
    end
  end
end

-- Rules by the value of a field: those that can match it, in order, and under `elsewhere` those that match a value
-- which no rule names. So a rule for another state or reason costs nothing.
local function index_by(rules, field)
  local by_value, elsewhere = {}, {}
  for _, rule in ipairs(rules) do
    for value in next, required(rule, field) or {} do
      by_value[value] = by_value[value] or {}
    end
  end
  for _, rule in ipairs(rules) do
    local values = required(rule, field)
    for value, list in next, by_value do
      if not values or values[value] then
        list[#list + 1] = rule
      end
    end
    if not values then
      elsewhere[#elsewhere + 1] = rule
    end
  end
  return { by_value = by_value, elsewhere = elsewhere }
end

-- First by state, then by reason. What the index has answered is not asked again: `rest` are the other conditions.
local function index_rules(rules)
  for _, rule in ipairs(rules) do
    rule.rest = {}
    for _, condition in ipairs(rule.conditions or {}) do
      local indexed = condition.field == "state" or condition.field == "reason"
      local answered = indexed and not condition.negated and not condition.globs
      if not answered then
        rule.rest[#rule.rest + 1] = condition
      end
    end
  end
  local index = index_by(rules, "state")
  for state, list in next, index.by_value do
    index.by_value[state] = index_by(list, "reason")
  end
  index.elsewhere = index_by(index.elsewhere, "reason")
  return index
end

-- ---- Tables of codes ----

local function check_code(key, table_name, place)
  if type(key) == "string" and words.trim(key) ~= "" and #key <= words.KEY_MAX or math.type(key) == "integer" then
    return
  end
  fail(place, words.member(table_name, key) .. " is no code",
    "write a text of at most " .. words.KEY_MAX .. " bytes or a whole number")
end

local function compile_codes(map, table_name, place)
  local entries, seen = {}, {}
  if map == nil then
    return entries
  elseif type(map) ~= "table" or language.kind_of(map) then
    fail(place, table_name .. " is " .. words.type_of(map), "write " .. table_name .. " = { CODE = teams.busy }")
  end
  for _, key in ipairs(words.sorted_keys(map)) do
    local value = map[key]
    local where = line_place(table_name, key, language.place_of(value) or place)
    check_code(key, table_name, where)
    local text = fold(words.text_of(key))
    local label = words.member(table_name, key)
    if seen[text] then
      fail(where, label .. " and " .. seen[text] .. " are the same code", "keep one: case and spaces do not count")
    end
    seen[text] = label
    entries[text] = add_entry(value, label, where, label, { allow_function = true })
  end
  return entries
end

local function compile_reason_states(list, place)
  if list == nil then
    return nil
  end
  local states = {}
  if type(list) ~= "table" or language.kind_of(list) or #list == 0 then
    fail(place, "reason_states is no list of states", 'write reason_states = { "NotReady", "WrapUp" }')
  end
  for _, key in ipairs(words.sorted_keys(list)) do
    local value = list[key]
    if type(key) ~= "number" or type(value) ~= "string" and math.type(value) ~= "integer" then
      fail(place, "reason_states is no list of states", 'write reason_states = { "NotReady", "WrapUp" }')
    end
    states[fold(words.text_of(value))] = true
  end
  return states
end

-- ---- Options of the ruleset ----

local function compile_max_hold(value, place)
  max_hold = {}
  if value == nil then
    return
  elseif type(value) ~= "table" then
    local ms = language.duration(value, "max_hold", place)
    for _, presence in ipairs(catalog) do
      max_hold[presence.presence] = ms
    end
    return
  end
  for _, key in ipairs(words.sorted_keys(value)) do
    local where = line_place("max_hold", key, place)
    local presence = type(key) == "string" and (language.presence(key) or language.presence("teams." .. key))
    if not presence then
      fail(where, words.member("max_hold", key) .. " is no presence", words.suggest("teams." .. tostring(key),
        language.presence_names()))
    end
    max_hold[presence.presence] = language.duration(value[key], words.member("max_hold", key), where)
  end
end

local function check_texts(map, place_for)
  for _, key in ipairs({ "name", "timezone" }) do
    local value = map[key]
    if value ~= nil and (type(value) ~= "string" or words.trim(value) == "" or #value > words.KEY_MAX or
      not utf8.len(value) or string.find(value, "%c")) then
      fail(place_for(key), key .. " is no text of 1 to " .. words.KEY_MAX .. " bytes",
        key == "name" and 'write name = "contoso"' or 'write timezone = "Europe/Amsterdam"')
    end
  end
end

local function compile_on_error(value, place)
  if value == nil or value == "skip" then
    return nil
  end
  if type(value) == "string" and value ~= "keep" and value ~= "clear" then
    fail(place, "on_error = " .. words.quote(value) .. " is unknown", 'write "skip", keep, clear or a presence')
  end
  if type(value) == "string" then
    outcomes[#outcomes + 1] = { kind = value, rule = "on_error", place = place, unmatched = false }
    return { id = #outcomes, kind = value, label = "on_error", place = place }
  end
  return add_entry(value, "on_error", place, "on_error", {})
end

local function compile_unmatched(value, place)
  if value == nil then
    outcomes[#outcomes + 1] = { kind = "clear", rule = "unmatched", place = place, unmatched = true }
    return { id = #outcomes, kind = "clear", label = "unmatched", place = place }
  end
  return add_entry(value, "unmatched", place, "unmatched", { allow_function = true, unmatched = true })
end

local function compile(declared)
  local map = declared.map
  local function place_for(key)
    return line_place("ruleset", key, declared.place)
  end
  language.check_keys(map, ruleset_keys, place_for)
  check_texts(map, place_for)
  compile_max_hold(map.max_hold, place_for("max_hold"))
  local rules = compile_rules(map.rules == nil and {} or map.rules, place_for("rules"))
  local set = { rules = rules, describe = describe, places = { reasons = place_for("reasons"),
    states = place_for("states") } }
  set.index = index_rules(rules)
  set.reasons = compile_codes(map.reasons, "reasons", set.places.reasons)
  set.reason_states = compile_reason_states(map.reason_states, place_for("reason_states"))
  set.states = compile_codes(map.states, "states", set.places.states)
  set.on_error = compile_on_error(map.on_error, place_for("on_error"))
  set.unmatched = compile_unmatched(map.unmatched, place_for("unmatched"))
  -- When even the function of `unmatched` fails: we claim nothing we do not know.
  set.nothing = set.unmatched.fn and compile_unmatched(nil, place_for("unmatched")) or set.unmatched
  return set
end

-- ---- Loading ----

-- What running the chunk has raised, in our form: ours is already, Lua's own lacks the remedy.
local function run_error(raised)
  if type(raised) ~= "string" then
    fail(file, "the file raised an error that is a " .. type(raised), "raise texts")
  end
  local place = string.find(raised, "^.-:%d+: ") and "" or file .. ": "
  local remedy = string.find(raised, "; ", 1, true) and "" or "; correct this line"
  error(place .. raised .. remedy, 0)
end

local function load_ruleset(text, name, presences)
  file, catalog, outcomes, nodes = name, presences, {}, {}
  uses_attributes, uses_agent = false, false
  language.start(file, catalog, function(label, key, line)
    return source.key_line(nodes, label, key, line)
  end)
  local chunk, message = load(text, "@" .. name, "t", language.environment)
  if not chunk then
    source.syntax_error(name, text, message)
  end
  local tokens = source.tokens(text)
  nodes = source.outline(name, tokens)
  source.each_global(tokens, function(global, line)
    language.check_global(global, name .. ":" .. line)
  end)
  local ok, raised = pcall(chunk)
  if not ok then
    run_error(raised)
  end
  local declared = language.declared()
  if not declared then
    fail(name, "there is no ruleset in the file", "write ruleset { ... }")
  end
  local set = compile(declared)
  language.finish()
  decide.use(set)
  local result = { name = declared.map.name, outcomes = outcomes, uses_attributes = uses_attributes,
    uses_agent = uses_agent }
  nodes, outcomes, catalog = {}, nil, nil
  return result
end

return { load = load_ruleset, decide = decide.decide, resume = decide.resume, explain = decide.explain }
