-- Conditions of a rule, `when = { ... }`: from what the author wrote to what decide.lua compares, and which rule's
-- conditions another one's imply.
local words = require("words")
local sandbox = require("sandbox")
local language = require("language")
local times = require("times")
local fail, fold = words.fail, words.fold

local conditions = {}

local fields = { state = "state", reason = "reason", ucc = "ucc", agent = "agent" }
conditions.field_names = { "state", "reason", "ucc", "agent" }
conditions.names = { "state", "reason", "ucc", "agent", "between", "days" } -- beside attributes

local SHOWN = 5 -- values in an explanation

-- ---- Values ----

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
    condition.one = #condition.list == 0 and fold(text) or nil
    condition.list[#condition.list + 1] = words.quote(value)
  else
    fail(place, condition.name .. " = " .. (kind and kind.shown or words.type_of(value)),
      'write a value, a list { "A", "B" }, not_ "B" or text.glob "WC*"')
  end
end

local function strip_not(value)
  local kind = language.kind_of(value)
  if kind and kind.kind == "not" then
    return kind.value, true
  end
  return value, false
end

local function compare(name, given, place)
  local value, negated = strip_not(given)
  local condition = { name = name, field = fields[name], values = {}, list = {}, negated = negated }
  if type(value) == "table" and not language.kind_of(value) then
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
  local count = #condition.list
  condition.shown = table.concat(condition.list, ", ", 1, math.min(count, SHOWN)) .. (count > SHOWN and ", ..." or "")
  condition.text, condition.list = table.concat(condition.list, "\n"), nil
  if negated or condition.globs or count ~= 1 then
    condition.one = nil -- what most conditions are: one value, compared at once
  end
  return condition
end

-- ---- Times ----

local function shown_times(value)
  return type(value) == "table" and table.concat(value, ", ") or value
end

-- `between` and `days` of one rule are one condition, because a span over midnight belongs to the day it began; unless
-- one of them is negated.
local function time_conditions(between, days, place_of)
  local list = {}
  local between_value, not_between = strip_not(between)
  local days_value, not_days = strip_not(days)
  local function add(name, mask, spans, negated, shown)
    list[#list + 1] = { name = name, time = times.register(mask, spans, place_of(name)), negated = negated,
      shown = shown }
  end
  local spans = between ~= nil and times.between(between_value, place_of("between")) or nil
  local mask = days ~= nil and times.days(days_value, place_of("days")) or times.ALL_DAYS
  local together = spans and days ~= nil and not not_between and not not_days
  if together then
    add("between", mask, spans, false, shown_times(days_value) .. " " .. shown_times(between_value))
    return list
  end
  if days ~= nil then
    add("days", mask, nil, not_days, shown_times(days_value))
  end
  if spans then
    add("between", times.ALL_DAYS, spans, not_between, shown_times(between_value))
  end
  return list
end

-- ---- A rule's conditions ----

local not_compared = {
  at = "use between and days, or a rule function: event.at, in seconds since 1970 in UTC",
  since = "use a rule function: event.since, in seconds since 1970 in UTC",
  attributes = 'write the attribute itself: team = "B"',
  upn = 'write agent = "name@domain"',
}

local function check_name(name, place)
  if type(name) ~= "string" then
    fail(place, "when has a value without a name", 'write state = "Ready"')
  elseif not_compared[name] then
    fail(place, name .. " cannot be compared here", not_compared[name])
  end
  local nearest, far = words.nearest(name, conditions.names)
  if nearest and far > 0 and far <= 1 then
    fail(place, name .. " is an attribute's name too near to " .. (fields[nearest] and "the field " or "") .. nearest,
      "did you mean " .. nearest .. "? If not, use a rule function: event.attributes." .. name)
  end
end

-- Fills rule.fn, or rule.conditions in the order of their names with times last, for only a time that is asked for
-- makes a decision be made again. place_of(key) finds a key of `when`.
function conditions.compile(when, rule, place, place_of)
  if type(when) == "function" then
    rule.fn = when
    return
  end
  local kind = language.kind_of(when)
  if type(when) ~= "table" or kind then
    fail(place, "when is " .. (kind and kind.shown or words.type_of(when)),
      'write when = { state = "NotReady" }, when = {} for every event, or a function')
  end
  rule.conditions = {}
  for _, name in ipairs(words.sorted_keys(when)) do
    local where = place_of(name)
    check_name(name, where)
    if name == "between" or name == "days" then
      language.needs_zone(name, where)
    else
      rule.conditions[#rule.conditions + 1] = compare(name, when[name], where)
    end
  end
  if when.between ~= nil or when.days ~= nil then
    for _, condition in ipairs(time_conditions(when.between, when.days, place_of)) do
      rule.conditions[#rule.conditions + 1] = condition
    end
  end
end

-- ---- Which conditions imply which ----

local function accepts(condition, value)
  if condition.values[value] then
    return true
  end
  for _, pieces in ipairs(condition.globs or {}) do
    if sandbox.matches_glob(pieces, value) then
      return true
    end
  end
  return false
end

-- Whenever `narrow` holds, `wide` does. False also when we cannot tell.
local function implies(narrow, wide)
  if wide.time or narrow.time then
    return wide.time == narrow.time and wide.negated == narrow.negated
  elseif wide.text == narrow.text and wide.negated == narrow.negated then
    return true
  elseif narrow.globs or narrow.negated then
    return false
  end
  for value in next, narrow.values do
    if accepts(wide, value) == wide.negated then
      return false
    end
  end
  return true
end

-- Whenever rule `later` matches, `earlier` has matched.
function conditions.shadowed(later, earlier)
  if not later.conditions or not earlier.conditions then
    return false
  end
  for _, wide in ipairs(earlier.conditions) do
    local implied = false
    for _, narrow in ipairs(later.conditions) do
      implied = implied or narrow.name == wide.name and implies(narrow, wide)
    end
    if not implied then
      return false
    end
  end
  return true
end

return conditions
