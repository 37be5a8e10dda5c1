-- A ruleset from its source to lookup tables, and the functions that the host calls: read, read_codes, compile, then
-- decide, resume, explain, merge. What can be known before an event is there is found out here; every error is
-- "FILE:LINE: WHAT; WHAT TO WRITE".
--
-- A ruleset may consist of several files. The host reads them: read() says which further ones a file wants, compile()
-- follows when all are there. Each is a layer; nearer to the outermost wins.
--
-- The trap: `layer` is the one whose places line_place() looks up, so it must be set before anything of a layer is
-- compiled; nearest() sets it as well. compile() drops it with all else that only a load needs.
local words = require("words")
local source = require("source")
local times = require("times")
local language = require("language")
local conditions = require("conditions")
local codes = require("codes")
local lint = require("lint")
local decide = require("decide")
local fail, fold = words.fail, words.fold

local ruleset_keys = { name = true, timezone = true, extends = true, rules = true, reasons = true, reason_states = true,
  states = true, unmatched = true, on_error = true, max_hold = true, hold = true, merge = true, tests = true }
local rule_keys = { why = true, when = true, show = true }
for option in next, language.option_keys do
  rule_keys[option] = true
end

local EXTENDS_MAX = 16 -- files in one list

local layers, layer -- { file, nodes, map, place, codes }, outermost first, and the one that is being compiled
local outcomes, catalog
local uses_attributes, uses_agent
local slots -- names of attributes, and by name their place
local time_place    -- where time.* is used first
local tests         -- of the outermost file, for module "tests": { list, place, places }, or nil

local function line_place(label, key, otherwise, from)
  local line = source.key_line(layer.nodes, label, key, from)
  return line and layer.file .. ":" .. line or otherwise
end

-- ---- Outcomes ----

local max_hold -- by presence name as the catalog has it, in ms
local no_options = {}

-- The longest hold of an outcome that has no `expires`.
local function longest_hold(outcome)
  local hold
  for _, plane in ipairs({ "session", "preferred" }) do
    local presence = outcome[plane]
    if presence then
      local longest = max_hold[presence.presence] or presence.hold_ms
      hold = hold and math.min(hold, longest) or longest
    end
  end
  return hold
end

-- An option may stand in the rule or in the presence.
local function options_of(outcome, entry)
  if entry.options == no_options then
    return outcome
  end
  local options = {}
  for _, option in ipairs(language.option_names) do
    if entry.options[option] and outcome[option] then
      fail(entry.place, option .. " stands in the rule and in the presence", "keep one of them")
    end
    options[option] = outcome[option] or entry.options[option]
  end
  return options
end

-- What the host is told of an outcome. Made at once with all its members: thousands of tables are quicker so than if
-- each grows.
local function describe(outcome, entry)
  local options = options_of(outcome, entry)
  local show = outcome.kind == "show"
  local result = { kind = outcome.kind, rule = entry.label, place = entry.place, unmatched = entry.unmatched,
    session = show and outcome.session and outcome.session.presence or nil,
    preferred = show and outcome.preferred and outcome.preferred.presence or nil,
    message = show and options.message or nil, expires_given = show and options.expires ~= nil or nil,
    hold_ms = show and (options.expires or longest_hold(outcome)) or nil }
  if show then
    local after = options.afterwards
    if after and after.kind == "show" then
      result.after_session = after.session and after.session.presence
      result.after_preferred = after.preferred and after.preferred.presence
      result.after_hold_ms = after.expires or longest_hold(after)
    end
  end
  if options.delay and (outcome.kind == "show" or outcome.kind == "clear") then
    result.delay_ms = options.delay
    if result.hold_ms and options.delay >= result.hold_ms then
      fail(entry.place, "delay is not shorter than " .. (options.expires and "expires" or "max_hold") ..
        ", so it would never be seen", "shorten the delay; both count from the change of state")
    end
  end
  return result
end

-- options: what stands beside `show`; unmatched: nothing else has answered.
local function add_outcome(outcome, label, place, options, unmatched)
  local entry = { id = #outcomes + 1, kind = outcome.kind, fn = outcome.fn, label = label, place = place,
    options = options, unmatched = unmatched or false }
  if options ~= no_options and outcome.kind ~= "show" and not outcome.fn then
    for _, option in ipairs(language.option_names) do
      if options[option] and not (outcome.kind == "clear" and option == "delay") then
        fail(place, outcome.kind .. " takes no " .. option, "remove it")
      end
    end
  end
  outcomes[entry.id] = outcome.fn and
    { kind = "function", rule = label, place = place, unmatched = entry.unmatched } or describe(outcome, entry)
  uses_attributes, uses_agent = uses_attributes or outcome.fn ~= nil, uses_agent or outcome.fn ~= nil
  return entry
end

local function add_entry(value, label, place, what, allow_function, options)
  return add_outcome(language.outcome(value, place, what, allow_function), label, place, options or no_options)
end

-- ---- Rules ----

local function compile_rule(kind)
  local body = kind.body
  local function place_for(key)
    local line = source.key_line(layer.nodes, "rule", key, kind.line)
    return line and layer.file .. ":" .. line or kind.place
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
  local when_place = place_for("when")
  conditions.compile(body.when, rule, when_place, function(name)
    return line_place("when", name, when_place, kind.line)
  end)
  uses_attributes, uses_agent = uses_attributes or rule.fn ~= nil, uses_agent or rule.fn ~= nil
  rule.entry = add_entry(body.show, kind.shown, kind.place, "show", true, language.options(body, place_for))
  return rule
end

-- Appends the rules of this layer to `rules`; one whose name a nearer layer has is replaced by that.
local function compile_rules(list, place, rules, known)
  local seen = {}
  if list == nil then
    return
  elseif type(list) ~= "table" or language.kind_of(list) then
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
    local rule = compile_rule(kind)
    if not known[kind.name] then
      rules[#rules + 1] = rule
    end
  end
  for name in next, seen do
    known[name] = true
  end
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

-- The first few attributes that conditions name come as arguments of each decision, already folded; for more of them,
-- and for functions, all the event's attributes come as a table.
local function give_slots(rules)
  slots = {}
  for _, rule in ipairs(rules) do
    for _, condition in ipairs(rule.conditions or {}) do
      if not condition.field and not condition.time then
        local name = condition.name
        if not slots[name] and #slots < decide.SLOTS then
          slots[#slots + 1] = name
          slots[name] = #slots
        end
        condition.slot = slots[name]
        uses_attributes = uses_attributes or not condition.slot
      end
    end
  end
end

-- First by state, then by reason. What the index has answered is not asked again. Of the others, one that asks for one
-- value of an attribute is tried first, as rule.slot and rule.value; `rest` are those behind it, and `times` those that
-- ask for the time.
local function index_rules(rules)
  give_slots(rules)
  for _, rule in ipairs(rules) do
    rule.rest = {}
    for _, condition in ipairs(rule.conditions or {}) do
      local indexed = condition.field == "state" or condition.field == "reason"
      local answered = indexed and not condition.negated and not condition.globs
      if condition.time then
        rule.times = rule.times or {}
        table.insert(rule.times, condition)
      elseif condition.slot and condition.one and not rule.slot then
        rule.slot, rule.value = condition.slot, condition.one
      elseif not answered then
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
  if type(key) == "string" and fold(key) ~= "" and #key <= words.KEY_MAX or math.type(key) == "integer" then
    return
  end
  fail(place, words.member(table_name, key) .. " is no code",
    "write a text of at most " .. words.KEY_MAX .. " bytes or a whole number")
end

-- Adds the rows of a codes file; `field` is the column that has the codes of this table.
local function compile_rows(rows, table_name, add)
  local field = table_name == "states" and rows.has_state and "state" or "code"
  for _, row in ipairs(rows) do
    local key = row[field]
    if not key and not (row.code or row.state) then
      fail(row.place, "a row without a code", "write one, or delete the row")
    elseif key then
      local label = words.member(table_name, key)
      if not row.show then
        fail(row.place, key .. " has no show", "write a presence (be_right_back), clear or keep, or delete the row")
      end
      local outcome = language.outcome_of_text(row.show, row.place, label)
      local options = language.options({ expires = row.expires, message = row.message }, function()
        return row.place
      end)
      add(key, label, row.place, add_outcome, outcome, label, row.place, options)
    end
  end
end

-- Appends the codes of this layer to `entries`; a nearer layer has said it already for those that are there.
local function compile_codes(map, table_name, place, entries)
  local seen, nearer = {}, {}
  for text in next, entries do
    nearer[text] = true
  end
  -- make(...) makes the entry, once the key is known to be one.
  local function add(key, label, where, make, ...)
    check_code(key, table_name, where)
    local text = fold(words.text_of(key))
    if seen[text] then
      fail(where, label .. " and " .. seen[text] .. " are the same code", "keep one: case and spaces do not count")
    end
    seen[text] = label
    local entry = make(...)
    entries[text] = nearer[text] and entries[text] or entry
  end
  local kind = language.kind_of(map)
  if map == nil then
    return
  elseif kind and kind.kind == "codes" then
    map = { map }
  elseif type(map) ~= "table" or kind then
    fail(place, table_name .. " is " .. words.type_of(map), "write " .. table_name .. " = { CODE = teams.busy }")
  end
  for _, key in ipairs(words.sorted_keys(map)) do
    local value = map[key]
    kind = language.kind_of(value)
    if type(key) == "number" and kind and kind.kind == "codes" then
      compile_rows(kind.rows, table_name, add)
    else
      local where = line_place(table_name, key, language.place_of(value) or place)
      local label = words.member(table_name, key)
      add(key, label, where, add_entry, value, label, where, label, true)
    end
  end
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

-- Adds what this layer says; what a nearer one has said stays.
local function compile_max_hold(value, place)
  if value == nil then
    return
  elseif type(value) ~= "table" then
    local ms = language.duration(value, "max_hold", place)
    for _, presence in ipairs(catalog) do
      max_hold[presence.presence] = max_hold[presence.presence] or ms
    end
    return
  end
  local given = {}
  for _, key in ipairs(words.sorted_keys(value)) do
    local where = line_place("max_hold", key, place)
    local presence = type(key) == "string" and (language.presence(key) or language.presence("teams." .. key))
    if not presence then
      fail(where, words.member("max_hold", key) .. " is no presence", words.suggest("teams." .. tostring(key),
        language.presence_names()))
    end
    given[presence.presence] = language.duration(value[key], words.member("max_hold", key), where)
  end
  for presence, ms in next, given do
    max_hold[presence] = max_hold[presence] or ms
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
    return add_outcome({ kind = value }, "on_error", place, no_options)
  end
  local entry = add_entry(value, "on_error", place, "on_error", false)
  if entry.kind == "never" then
    fail(place, "on_error = never would take somebody back for a mistake in a rule", "write keep or clear")
  end
  return entry
end

local function compile_unmatched(value, place)
  local outcome = value == nil and { kind = "clear" } or language.outcome(value, place, "unmatched", true)
  return add_outcome(outcome, "unmatched", place, no_options, true)
end

-- ---- Layers ----

-- The nearest layer's value of `key`, with its place; then `layer` is that layer.
local function nearest(key)
  for _, candidate in ipairs(layers) do
    if candidate.map[key] ~= nil then
      layer = candidate
      return candidate.map[key], line_place("ruleset", key, candidate.place)
    end
  end
  layer = layers[1]
  return nil, line_place("ruleset", key, layer.place)
end

local function compile_layers(set)
  local known = {}
  max_hold = {}
  for _, each in ipairs(layers) do
    layer = each
    compile_max_hold(layer.map.max_hold, line_place("ruleset", "max_hold", layer.place))
  end
  for _, each in ipairs(layers) do
    layer = each
    local map, place = layer.map, layer.place
    compile_rules(map.rules, line_place("ruleset", "rules", place), set.rules, known)
    compile_codes(map.reasons, "reasons", line_place("ruleset", "reasons", place), set.reasons)
    compile_codes(map.states, "states", line_place("ruleset", "states", place), set.states)
  end
end

local function compile_set()
  local set = { rules = {}, reasons = {}, states = {}, describe = describe, places = {} }
  compile_layers(set)
  set.index = index_rules(set.rules)
  set.reason_states = compile_reason_states(nearest("reason_states"))
  set.on_error = compile_on_error(nearest("on_error"))
  set.unmatched = compile_unmatched(nearest("unmatched"))
  set.merge = language.merge(nearest("merge"))
  uses_agent = uses_agent or type(set.merge) == "function"
  set.anchors = language.anchors(nearest("hold"))
  for _, entry in next, set.states do
    entry.wins = entry.kind == "clear" or entry.kind == "never" -- over the reason that comes with it
  end
  for _, key in ipairs({ "reasons", "states", "hold" }) do
    local _, place = nearest(key)
    set.places[key] = place
  end
  -- When even the function of `unmatched` fails: we claim nothing we do not know.
  set.nothing = set.unmatched.fn and compile_unmatched(nil, set.unmatched.place) or set.unmatched
  return set
end

-- ---- Tests ----

-- The tests as the author wrote them, each with its place; module "tests" checks and runs them. Those of a file that
-- this one extends are about that file.
local function take_tests()
  layer = layers[1]
  tests = nil
  local list = layer.map.tests
  if list == nil then
    return
  end
  local places = {}
  for i, line in ipairs(source.item_lines(layer.nodes, "tests")) do
    places[i] = layer.file .. ":" .. line
  end
  tests = { list = list, place = line_place("ruleset", "tests", layer.place), places = places }
end

-- ---- Reading ----

-- What running the chunk has raised, in our form: ours is already, Lua's own lacks the remedy.
local function run_error(file, raised)
  if type(raised) ~= "string" then
    fail(file, "the file raised an error that is a " .. type(raised), "raise texts")
  end
  local place = string.find(raised, "^.-:%d+: ") and "" or file .. ": "
  local remedy = string.find(raised, "; ", 1, true) and "" or "; correct this line"
  error(place .. raised .. remedy, 0)
end

local function extended_files(value, place)
  if value == nil then
    return {}
  end
  local list = type(value) == "table" and not language.kind_of(value) and value or { value }
  if #list == 0 or #list > EXTENDS_MAX then
    fail(place, "extends names no file, or more than " .. EXTENDS_MAX, 'write extends = "default.lua"')
  end
  for _, key in ipairs(words.sorted_keys(list)) do
    if math.type(key) ~= "integer" or not language.is_file_name(list[key]) then
      fail(place, "extends is no name of a file", 'write extends = "default.lua"')
    end
  end
  return list
end

local function check_texts(map)
  for _, key in ipairs({ "name", "timezone" }) do
    local value = map[key]
    if value ~= nil and (type(value) ~= "string" or words.trim(value) == "" or #value > words.KEY_MAX or
      not utf8.len(value) or string.find(value, "%c")) then
      fail(line_place("ruleset", key, layer.place), key .. " is no text of 1 to " .. words.KEY_MAX .. " bytes",
        key == "name" and 'write name = "contoso"' or 'write timezone = "Europe/Amsterdam"')
    end
  end
end

local function check_globals(tokens, name)
  source.each_global(tokens, function(global, line)
    language.check_global(global, name .. ":" .. line)
    if global == "time" then
      time_place = time_place or name .. ":" .. line
      language.needs_zone("time", name .. ":" .. line)
    end
  end)
end

-- Reads one file; `presences` is given with the outermost one. Answers the files that it wants, each { kind = "ruleset"
-- or "codes", name =, place = }.
local function read(text, name, presences)
  if presences then
    layers, catalog, outcomes = {}, presences, {}
    uses_attributes, uses_agent, time_place = false, false, nil
    times.start()
    language.start(catalog)
  end
  layer = { file = name, nodes = {} }
  local this = layer
  language.start_file(name, function(label, key, line)
    return source.key_line(this.nodes, label, key, line)
  end)
  local chunk, message = load(text, "@" .. name, "t", language.environment)
  if not chunk then
    source.syntax_error(name, text, message)
  end
  local tokens = source.tokens(text)
  layer.nodes = source.outline(name, tokens)
  check_globals(tokens, name)
  local ok, raised = pcall(chunk)
  if not ok then
    run_error(name, raised)
  end
  local declared, codes_files = language.declared()
  if not declared then
    fail(name, "there is no ruleset in the file", "write ruleset { ... }")
  end
  layer.map, layer.place, layer.codes = declared.map, declared.place, codes_files
  layers[#layers + 1] = layer
  language.check_keys(layer.map, ruleset_keys, function(key)
    return line_place("ruleset", key, this.place)
  end)
  check_texts(layer.map)
  local wants = {}
  local extends_place = line_place("ruleset", "extends", layer.place)
  for _, file in ipairs(extended_files(layer.map.extends, extends_place)) do
    wants[#wants + 1] = { kind = "ruleset", name = file, place = extends_place }
  end
  for number, value in ipairs(codes_files) do
    wants[#wants + 1] = { kind = "codes", name = value.name, place = value.place, layer = #layers, number = number }
  end
  return wants
end

-- The rows of a codes file that a layer wants, by the numbers that read() has given.
local function read_codes(text, name, layer_number, number)
  layers[layer_number].codes[number].rows = codes.parse(text, name)
  return true
end

-- All files are read.
local function compile()
  local set = compile_set()
  local timezone, zone_place = nearest("timezone")
  take_tests()
  language.finish(timezone ~= nil)
  decide.use(set)
  local warnings = lint.check(set, outcomes, layers[1].place, time_place)
  local merge = type(set.merge) == "function" and "function" or set.merge or "rank"
  local result = { name = layers[1].map.name, outcomes = outcomes, uses_attributes = uses_attributes,
    uses_agent = uses_agent, uses_time = time_place ~= nil, times = times.registered(), timezone = timezone,
    timezone_place = zone_place, merge = merge, anchors = set.anchors, warnings = warnings,
    attributes = table.move(slots, 1, #slots, 1, {}) }
  layers, layer, outcomes, catalog, slots = nil, nil, nil, nil, nil
  return result
end

return {
  read = read, read_codes = read_codes, compile = compile,
  set_times = function(list) times.set(list) return true end,
  set_zone = function(list) times.set_zone(list) return true end,
  decide = decide.decide, resume = decide.resume, explain = decide.explain, merge = decide.merge,
  forbid = decide.forbid,
  keys = { ruleset = ruleset_keys, rule = rule_keys, when = conditions.names },
  -- Once: then the memory is the host's.
  tests = function()
    local taken = tests
    tests = nil
    return taken
  end,
}
