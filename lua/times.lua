-- Times of the day and days of the week: how conditions are written (between, days), which of them a ruleset has, and
-- the time.* helpers of rule functions. Which conditions hold at a moment, and until when, the host works out
-- (src/rules/times.c): it has the zone, and tells us whenever that changes.
local words = require("words")
local sandbox = require("sandbox")
local match, lower, sub, format = string.match, string.lower, string.sub, string.format
local fail = words.fail

local times = {
  held = {},      -- by number of a condition: does it hold, ...
  until_ms = {},  -- ... and until when that stays so
}

local SPANS_MAX = 8       -- of one condition
local CONDITIONS_MAX = 256
local DAY_MINUTES = 1440
local DAY_S = 86400

local day_names = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun" }
local full_names = { "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday" }

local registered, by_text = {}, {}

-- ---- between and days ----

-- The texts of a value: one, or a list of them.
local function texts_of(value, name, example, place)
  if type(value) == "string" then
    return { value }
  end
  local list = {}
  if type(value) == "table" and not sandbox.kinds[value] then
    for _, key in ipairs(words.sorted_keys(value)) do
      if type(key) ~= "number" or type(value[key]) ~= "string" then
        list = {}
        break
      end
      list[#list + 1] = value[key]
    end
  end
  if #list == 0 then
    local kind = sandbox.kinds[value]
    fail(place, name .. " is " .. (kind and kind.shown or words.type_of(value)), "write " .. name .. " = " .. example)
  end
  return list
end

local function minute_of(hour, minute, last)
  hour, minute = math.tointeger(tonumber(hour)), math.tointeger(tonumber(minute))
  local total = hour * 60 + minute
  return minute < 60 and total <= last and total or nil
end

-- { { from, to }, ... } in minutes since midnight; `to` is exclusive, and before `from` when it is on the next day.
function times.between(value, place)
  local spans = {}
  for _, text in ipairs(texts_of(value, "between", '"08:00-18:00"', place)) do
    local h1, m1, h2, m2 = match(text, "^%s*(%d%d?):(%d%d)%s*%-%s*(%d%d?):(%d%d)%s*$")
    local from = h1 and minute_of(h1, m1, DAY_MINUTES - 1)
    local to = h1 and minute_of(h2, m2, DAY_MINUTES)
    if not from or not to then
      fail(place, "between = " .. words.quote(text) .. " is no span of time", 'write it like "08:00-18:00"')
    elseif from == to then
      fail(place, "between = " .. words.quote(text) .. " is empty", 'write "00:00-24:00" for the whole day')
    end
    spans[#spans + 1] = { from = from, to = to }
  end
  if #spans > SPANS_MAX then
    fail(place, "between has more than " .. SPANS_MAX .. " spans", "split the rule")
  end
  return spans
end

local function day_number(text, whole, place)
  local name = lower(text)
  for number = 1, 7 do
    if name == lower(day_names[number]) or name == full_names[number] then
      return number
    end
  end
  fail(place, "days = " .. words.quote(whole) .. ": there is no day " .. words.quote(text),
    words.suggest(sub(text, 1, 3), day_names))
end

-- Bits, Monday is 1, of "Mon-Fri", "Sat,Sun", "Fri-Mon", { "Mon", "Wed-Thu" }.
function times.days(value, place)
  local mask = 0
  for _, text in ipairs(texts_of(value, "days", '"Mon-Fri"', place)) do
    local found = false
    for part in string.gmatch(text, "[^,;]+") do
      local from, to = match(part, "^%s*(%a+)%s*%-%s*(%a+)%s*$")
      from = from or match(part, "^%s*(%a+)%s*$")
      if not from then
        fail(place, "days = " .. words.quote(text) .. " names no days", 'write "Mon-Fri" or "Sat,Sun"')
      end
      local first = day_number(from, text, place)
      local last = to and day_number(to, text, place) or first
      for step = 0, (last - first) % 7 do
        mask = mask | 1 << (first - 1 + step) % 7
      end
      found = true
    end
    if not found then
      fail(place, "days = " .. words.quote(text) .. " names no days", 'write "Mon-Fri" or "Sat,Sun"')
    end
  end
  return mask
end

times.ALL_DAYS = 127

-- The number of a condition; the same one has the same number.
function times.register(days, spans, place)
  local flat = {}
  for _, span in ipairs(spans or {}) do
    flat[#flat + 1], flat[#flat + 2] = span.from, span.to
  end
  local text = days .. ":" .. table.concat(flat, ",")
  if not by_text[text] then
    if #registered >= CONDITIONS_MAX then
      fail(place, "more than " .. CONDITIONS_MAX .. " different times", "use fewer")
    end
    registered[#registered + 1] = { days = days, spans = flat }
    by_text[text] = #registered
  end
  return by_text[text]
end

-- Begins a ruleset.
function times.start()
  registered, by_text = {}, {}
end

function times.registered()
  return registered
end

-- From the host: what holds now. `list` is { held, until_ms, held, until_ms, ... }.
function times.set(list)
  for i = 1, #registered do
    times.held[i], times.until_ms[i] = list[2 * i - 1], list[2 * i]
  end
end

-- ---- time.* ----

-- Where the zone's offset changes, from 1970 to 2100: from starts[i] on (in seconds) it is offsets[i].
local starts, offsets
local LAST = 4102444800 -- 2100-01-01

-- From the host: { start, offset, start, offset, ... }.
function times.set_zone(list)
  starts, offsets = {}, {}
  for i = 1, #list, 2 do
    starts[#starts + 1], offsets[#offsets + 1] = list[i], list[i + 1]
  end
end

-- `at` as seconds of the local clock since 1970.
local function local_seconds(name, at)
  at = math.type(at) == "float" and math.tointeger(at // 1) or at
  if math.type(at) ~= "integer" or at < 0 or at >= LAST then
    sandbox.fail_here("time." .. name .. " was given " .. (type(at) == "number" and "a time outside 1970 to 2100" or
      words.type_of(at)), "write time." .. name .. "(event.at)")
  elseif not starts then
    sandbox.fail_here("time." .. name .. " cannot be asked while the file is read", "use it in a rule function")
  end
  local low, high = 1, #starts
  while low < high do
    local middle = (low + high + 1) // 2
    if starts[middle] <= at then
      low = middle
    else
      high = middle - 1
    end
  end
  return at + offsets[low]
end

-- Year, month, day of a count of days since 1970.
local function civil(days)
  days = days + 719468
  local era = days // 146097
  local of_era = days - era * 146097
  local year_of_era = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
  local of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
  local shifted = (5 * of_year + 2) // 153
  local month = shifted < 10 and shifted + 3 or shifted - 9
  return year_of_era + era * 400 + (month <= 2 and 1 or 0), month, of_year - (153 * shifted + 2) // 5 + 1
end

-- Each takes event.at or event.since, seconds since 1970 in UTC, and answers in the ruleset's timezone, in constant
-- time. They say when the event was, and so never change: a decision by them is not made again when time goes by, as
-- one by `between` and `days` is. Lint says so.
times.helpers = {
  hour = function(at) -- 0 to 23
    return local_seconds("hour", at) % DAY_S // 3600
  end,
  minute = function(at) -- 0 to 59
    return local_seconds("minute", at) % 3600 // 60
  end,
  minutes = function(at) -- since midnight: 510 at 08:30
    return local_seconds("minutes", at) % DAY_S // 60
  end,
  weekday = function(at) -- "Mon" to "Sun"
    return day_names[(local_seconds("weekday", at) // DAY_S + 3) % 7 + 1]
  end,
  day = function(at) -- of the month, 1 to 31
    local _, _, day = civil(local_seconds("day", at) // DAY_S)
    return day
  end,
  month = function(at) -- 1 to 12
    local _, month = civil(local_seconds("month", at) // DAY_S)
    return month
  end,
  year = function(at)
    return (civil(local_seconds("year", at) // DAY_S))
  end,
  date = function(at) -- "2026-01-05"
    return format("%04d-%02d-%02d", civil(local_seconds("date", at) // DAY_S))
  end,
  clock = function(at) -- "08:30"
    local seconds = local_seconds("clock", at) % DAY_S
    return format("%02d:%02d", seconds // 3600, seconds % 3600 // 60)
  end,
}

return times
