-- One event through a compiled ruleset: rules, then reasons, then states, then unmatched. The path of an event that no
-- function looks at makes no table and no closure: it answers with the number of an outcome that the host knows.
--
-- The event and how far it has come stand in locals of this module, not in a table that is handed around. So it costs
-- nothing to give it to functions, and resume() finds it again after the host has thrown a call out over its budget.
-- The price: one event at a time, and whatever a decision needs must be set anew in take().
local words = require("words")
local sandbox = require("sandbox")
local language = require("language")
local times = require("times")
local fold, text_of = words.fold, words.text_of
local kinds = sandbox.kinds

local decide = {}

decide.event_fields = { "agent", "state", "reason", "ucc", "at", "since", "attributes" }
decide.agent_fields = { "upn", "states" }
local held, until_ms = times.held, times.until_ms

local set         -- the compiled ruleset
local now = {}    -- the event: state, reason, ucc, agent as given; at, since in ms; attributes, agent_states
local state, reason -- folded; reason nil when there is none
local position    -- the step being tried, for resume()
local trouble     -- what went wrong on the way, or nil
local recheck     -- when the first of the times that were asked for changes, or nil
local functions_allowed
local forbidden   -- why no function is asked any more, or nil

-- ---- The event and the agent as a rule function sees them ----

local function proxy(name, get, map)
  local value = setmetatable({}, {
    __index = function(_, key)
      return get(key)
    end,
    __newindex = function(_, key)
      sandbox.fail_here(words.member(name, key) .. " cannot be changed", "use a local variable")
    end,
    __metatable = false,
  })
  kinds[value] = { kind = name, shown = name, map = map }
  return value
end

local function attributes_map()
  return now.attributes or {}
end

local attributes = proxy("event.attributes", function(key)
  return attributes_map()[key]
end, attributes_map)

local event_fields = {
  agent = function() return now.agent end,
  state = function() return now.state end,
  reason = function() return now.reason end,
  ucc = function() return now.ucc end,
  at = function() return now.at // 1000 end, -- whole seconds, UTC
  since = function() return now.since // 1000 end,
  attributes = function() return attributes end,
}

local event = proxy("event", function(key)
  local field = event_fields[key]
  if not field then
    local hint = now.attributes and now.attributes[key] ~= nil and "write " ..
      words.member("event.attributes", key) or words.suggest(key, decide.event_fields)
    sandbox.fail_here("event has no field " .. words.quote(key), hint)
  end
  return field()
end, function()
  local map = {}
  for name, field in next, event_fields do
    map[name] = field()
  end
  return map
end)

local function states_map()
  return now.agent_states or {}
end

local agent_states = proxy("agent.states", function(ucc)
  local map = states_map()
  if map[ucc] or type(ucc) ~= "string" then
    return map[ucc]
  end
  for name, value in next, map do
    if fold(name) == fold(ucc) then
      return value
    end
  end
end, states_map)

local agent = proxy("agent", function(key)
  if key == "upn" then
    return now.agent
  elseif key == "states" then
    return agent_states
  end
  sandbox.fail_here("agent has no field " .. words.quote(key), words.suggest(key, decide.agent_fields))
end, function()
  return { upn = now.agent, states = agent_states }
end)

-- ---- Conditions ----

decide.SLOTS = 4 -- as many attributes as take() has arguments for, and src/rules/internal.h
local asked = {} -- those attributes of this event, folded by the host

-- Other folded attributes of this event, by name: `folded_in` says for which event they are.
local folded, folded_in, serial = {}, {}, 0

local function attribute(name)
  if folded_in[name] == serial then
    return folded[name]
  end
  local value = now.attributes and now.attributes[name]
  if value ~= nil then
    value = fold(text_of(value))
  end
  folded[name], folded_in[name] = value, serial
  return value
end

local function holds(condition)
  local field, value = condition.field
  if condition.slot then
    value = asked[condition.slot]
  elseif not field then
    value = attribute(condition.name)
  elseif field == "state" then
    value = state
  elseif field == "reason" then
    value = reason
  else
    value = fold(now[field])
  end
  local one = condition.one
  if one then
    return value == one
  elseif value == nil then
    return condition.negated
  end
  local found = condition.values[value] or false
  if not found and condition.globs then
    for _, pieces in ipairs(condition.globs) do
      found = found or sandbox.matches_glob(pieces, value)
    end
  end
  return found ~= condition.negated
end

-- A condition that asks for the time; what is asked for is noted, for the answer holds only until it changes.
local function holds_now(condition)
  local index = condition.time
  local changes = until_ms[index]
  if changes and (not recheck or changes < recheck) then
    recheck = changes
  end
  return held[index] ~= condition.negated
end

local function holds_times(conditions)
  for i = 1, #conditions do
    if not holds_now(conditions[i]) then
      return false
    end
  end
  return true
end

-- An error of a rule as one text: Lua puts the author's place in front of it.
local function wrong_text(entry, raised)
  if type(raised) ~= "string" then
    raised = entry.place .. ": an error that is a " .. type(raised)
  elseif not string.find(raised, ":%d+: ") then
    raised = entry.place .. ": " .. raised
  end
  return utf8.len(raised) and raised or (string.gsub(raised, "[\128-\255]", "?"))
end

-- true, false, or nil and what went wrong.
local function matches(rule)
  if rule.fn then
    if not functions_allowed then
      return false
    end
    local ok, result = pcall(rule.fn, event, agent)
    if not ok then
      return nil, wrong_text(rule.entry, result)
    end
    return result and true or false
  end
  local conditions = rule.rest
  for i = 1, #conditions do
    if not holds(conditions[i]) then
      return false
    end
  end
  return not rule.times or holds_times(rule.times)
end

-- ---- Answers ----

local function answer(id)
  if trouble or recheck then
    return { outcome = id, trouble = trouble, recheck_ms = recheck }
  end
  return id
end

local function computed(entry, value)
  if value == nil then
    words.fail(entry.place, "the function returned nothing", "return a presence, clear or keep")
  end
  local outcome = language.outcome(value, entry.place, "the function's result", false)
  local result = set.describe(outcome, entry)
  result.outcome, result.trouble, result.recheck_ms = entry.id, trouble, recheck
  return result
end

-- The answer of an entry, or nil and what went wrong.
local function give(entry)
  if not entry.fn then
    return answer(entry.id)
  elseif not functions_allowed then
    return nil
  end
  local ok, value = pcall(entry.fn, event, agent)
  if not ok then
    return nil, wrong_text(entry, value)
  end
  local read, result = pcall(computed, entry, value)
  if not read then
    return nil, wrong_text(entry, result)
  end
  return result
end

-- Something raised: `on_error` answers, or (skip) nothing does.
local function give_up(wrong)
  trouble = trouble or wrong
  return set.on_error and answer(set.on_error.id) or nil
end

-- The answer of an entry, or of `on_error` for it, or nil to go on.
local function try(entry)
  local result, wrong = give(entry)
  if result == nil and functions_allowed then
    return give_up(wrong)
  end
  return result
end

-- From step `from` on: the rules that can match this state and reason, then a step each for reasons, states, unmatched.
local function walk(from)
  local by_reason = set.index.by_value[state] or set.index.elsewhere
  local rules = reason and by_reason.by_value[reason] or by_reason.elsewhere
  local count = #rules
  for i = from, count do
    position = i -- before it is tried: when it overruns, resume() goes on behind it
    local rule = rules[i]
    local slot = rule.slot
    if not slot or asked[slot] == rule.value then -- most rules of a long list fail here, without a call
      local yes, wrong = matches(rule)
      local result
      if yes then
        result = try(rule.entry)
      elseif yes == nil then
        result = give_up(wrong)
      end
      if result ~= nil then
        return result
      end
    end
  end
  local state_entry = set.states[state]
  local reason_entry = reason and set.reasons[reason]
  if reason_entry and from <= count + 1 and not (state_entry and state_entry.wins) and
    (not set.reason_states or set.reason_states[state]) then
    position = count + 1
    local result = try(reason_entry)
    if result ~= nil then
      return result
    end
  end
  if state_entry and from <= count + 2 then
    position = count + 2
    local result = try(state_entry)
    if result ~= nil then
      return result
    end
  end
  if from <= count + 3 then
    position = count + 3
    local result = try(set.unmatched)
    if result ~= nil then
      return result
    end
  end
  return answer(set.nothing.id)
end

local function take(state_text, reason_text, ucc, name, at, since, attribute_map, states_of_agent, a1, a2, a3, a4)
  asked[1], asked[2], asked[3], asked[4] = a1, a2, a3, a4
  now.state, now.reason, now.ucc, now.agent = state_text, reason_text, ucc, name
  now.at, now.since, now.attributes, now.agent_states = at, since, attribute_map, states_of_agent
  state, reason = fold(state_text), reason_text and fold(reason_text)
  trouble, recheck, functions_allowed, serial = forbidden, nil, not forbidden, serial + 1
end

-- ---- Entries for the host ----

function decide.use(compiled)
  set = compiled
end

function decide.compiled()
  return set
end

-- The number of an outcome, or a table with it in `outcome` besides `trouble` or what a function has said.
function decide.decide(...)
  take(...)
  return walk(1)
end

-- From now on no function is asked: they keep more and more from one decision to the next.
function decide.forbid(what)
  forbidden = what
  return true
end

-- After the host has stopped the decision above over its budget: the same event, answered by on_error, or from the step
-- behind the one that ran too long; without any functions when it happens too often.
function decide.resume(what, allow_functions)
  trouble, functions_allowed = trouble or what, allow_functions
  if set.on_error then
    return answer(set.on_error.id)
  end
  return walk(position + 1)
end

-- ---- Several contact centres ----

local candidate_fields = { "ucc", "state", "reason", "since", "rank" }

local function candidate(members)
  return sandbox.read_only("list", members, function(key)
    if key ~= "reason" then
      sandbox.fail_here("a member of the list has no field " .. words.quote(key), words.suggest(key, candidate_fields))
    end
  end)
end

-- The place in `list` of what wins, by the ruleset's own function.
function decide.merge(list, name, states_of_agent)
  now.agent, now.agent_states = name, states_of_agent
  local count = #list
  for i = 1, count do
    list[i] = candidate(list[i])
  end
  local index = set.merge(list, agent)
  index = math.type(index) == "float" and math.tointeger(index) or index
  if math.type(index) ~= "integer" or index < 1 or index > count then
    error("merge returned " .. (type(index) == "number" and tostring(index) or words.type_of(index)) ..
      "; return the winner's place in the list, 1 to " .. count, 0)
  end
  return index
end

-- ---- Why ----

local clock -- what it is by the ruleset's clock, "Mon 18:30"

local function why_not(condition)
  if condition.time then
    return "it is " .. clock .. ", " .. (condition.negated and "which is excluded: " or "not ") .. condition.shown
  end
  local shown
  if condition.field then
    shown = condition.field == "reason" and now.reason or now[condition.field]
  else
    shown = now.attributes and now.attributes[condition.name]
  end
  local is = shown == nil and "is missing" or "is " .. words.quote(shown)
  return condition.name .. " " .. is .. ", " .. (condition.negated and "which is excluded: " or "not ") ..
    condition.shown
end

-- Does it match, why (not), and how many of its conditions hold.
local function explain_rule(rule)
  if rule.fn then
    local yes, wrong = matches(rule)
    if yes == nil then
      return false, "its function raised an error: " .. wrong, 0
    end
    return yes, yes and (rule.why or "") or "its function said no", 0
  end
  local failed, near = nil, 0
  for _, condition in ipairs(rule.conditions) do
    local yes
    if condition.time then
      yes = holds_now(condition)
    else
      yes = holds(condition)
    end
    near = near + (yes and 1 or 0)
    failed = failed or not yes and condition
  end
  return not failed, failed and why_not(failed) or rule.why, near
end

-- What reasons, states and unmatched say; the first that matches ends it.
local function explain_tables(step)
  local by_state = set.states[state]
  local by_reason = reason and set.reasons[reason]
  local reasons_place = set.places.reasons
  if not reason then
    step("reasons", reasons_place, false, "the event has no reason")
  elseif by_state and by_state.wins then
    step("reasons", reasons_place, false, "state " .. words.quote(now.state) .. " maps to " .. by_state.kind ..
      ", which always wins")
  elseif set.reason_states and not set.reason_states[state] then
    step("reasons", reasons_place, false, "state " .. words.quote(now.state) .. " is not in reason_states")
  elseif not by_reason then
    step("reasons", reasons_place, false, "reason " .. words.quote(now.reason) .. " is not in it")
  else
    step(by_reason.label, by_reason.place, true, "")
  end
  if by_state then
    step(by_state.label, by_state.place, true, "")
  else
    step("states", set.places.states, false, "state " .. words.quote(now.state) .. " is not in it")
  end
  step(set.unmatched.label, set.unmatched.place, true, "")
end

-- clock_text: what it is by the ruleset's clock. `near` of a step: how many of its conditions hold.
function decide.explain(clock_text, ...)
  take(...)
  clock = clock_text
  local steps, matched = {}, false
  local function step(label, place, yes, why, near)
    local verdict = matched and "not reached" or yes and "matched" or "did not match"
    steps[#steps + 1] = { rule = label, place = place, verdict = verdict, why = not matched and why or "",
      near = near or 0 }
    matched = matched or yes
  end
  for _, rule in ipairs(set.rules) do
    local yes, why, near = false, "", 0
    if not matched then
      yes, why, near = explain_rule(rule)
    end
    step(rule.entry.label, rule.entry.place, yes, why, near)
  end
  explain_tables(step)
  return steps
end

return decide
