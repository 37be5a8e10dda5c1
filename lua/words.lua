-- Words and how to talk about them: folding, suggestions, durations, error texts. Trusted code never writes s:find():
-- the string metatable shows only what rules may use (sandbox.lua).
local find, sub, lower, match, gsub = string.find, string.sub, string.lower, string.match, string.gsub
local byte = string.byte
local min, mtype, tointeger = math.min, math.type, math.tointeger

local words = {}

words.KEY_MAX = 128 -- bytes of a state, reason, UCC or attribute value in a ruleset, as in an event

local TEXT_SHOWN = 60   -- bytes of a text in an error
local SUGGESTED = 12    -- names in an error
local REMEMBERED = 1000 -- folded texts, and durations

-- Every error of a ruleset: "FILE:LINE: WHAT; WHAT TO WRITE".
function words.fail(place, what, remedy)
  error(place .. ": " .. what .. "; " .. remedy, 0)
end

function words.trim(text)
  local first = find(text, "%S")
  if not first then
    return ""
  end
  local last = #text
  while find(text, "^%s", last) do
    last = last - 1
  end
  return sub(text, first, last)
end

local folded, folded_count = {}, 0

-- Without ASCII case and the spaces around; remembered, because the same few codes come again and again. When there are
-- too many, all are forgotten: those in use are back at once, and nothing has to be kept in order of its use.
function words.fold(text)
  local known = folded[text]
  if known then
    return known
  end
  known = lower(find(text, "%s") and words.trim(text) or text)
  if #text <= words.KEY_MAX then
    if folded_count >= REMEMBERED then
      folded, folded_count = {}, 0
    end
    folded[text], folded_count = known, folded_count + 1
  end
  return known
end

-- A value of an event or ruleset as the text that is compared: 47 and 47.0 are "47".
function words.text_of(value)
  if mtype(value) == "float" then
    value = tointeger(value) or value
  end
  return tostring(value)
end

function words.quote(value)
  if type(value) ~= "string" then
    return tostring(value)
  end
  if #value > TEXT_SHOWN then
    local last = TEXT_SHOWN
    while last > 0 and byte(value, last + 1) & 0xC0 == 0x80 do -- characters stay whole
      last = last - 1
    end
    value = sub(value, 1, last) .. "..."
  end
  return '"' .. (find(value, "%c") and gsub(value, "%c", "?") or value) .. '"'
end

local keywords = {}
words.keywords = keywords -- each maps to "keyword"
for word in string.gmatch("and break do else elseif end false for function goto if in local nil not or repeat " ..
  "return then true until while", "%a+") do
  keywords[word] = "keyword"
end

function words.is_name(text)
  return type(text) == "string" and not keywords[text] and find(text, "^[%a_][%w_]*$") ~= nil
end

-- A key as a table constructor spells it: LUNCH, [47], ["Tech issue"].
function words.key(key)
  if words.is_name(key) then
    return key
  end
  return type(key) == "string" and "[" .. words.quote(key) .. "]" or "[" .. tostring(key) .. "]"
end

-- reasons.LUNCH, reasons["Tech issue"]
function words.member(table_name, key)
  local shown = words.key(key)
  return table_name .. (shown == key and "." or "") .. shown
end

function words.type_of(value)
  local names = { string = "text", boolean = tostring(value), ["nil"] = "nothing" }
  local name = type(value)
  return names[name] or name
end

-- Insertions, deletions, substitutions and swaps of neighbours between two words, without ASCII case.
local function distance(a, b)
  a, b = lower(a), lower(b)
  local before, row = nil, {}
  for j = 0, #b do
    row[j] = j
  end
  for i = 1, #a do
    local next_row = { [0] = i }
    for j = 1, #b do
      local cost = byte(a, i) == byte(b, j) and 0 or 1
      local best = min(row[j] + 1, next_row[j - 1] + 1, row[j - 1] + cost)
      if before and j > 1 and byte(a, i) == byte(b, j - 1) and byte(a, i - 1) == byte(b, j) then
        best = min(best, before[j - 2] + 1)
      end
      next_row[j] = best
    end
    before, row = row, next_row
  end
  return row[#b]
end

-- The candidate (of a list) that `word` most probably meant, and how far it is; nil when none is near: a third of its
-- letters may be wrong, and one more. Long words are left out, since the work grows with the product of the lengths.
function words.nearest(word, candidates)
  if type(word) ~= "string" or #word > 48 then
    return nil
  end
  local nearest, best = nil, #word // 3 + 2
  for _, candidate in ipairs(candidates) do
    local d = distance(word, candidate)
    if d < best then
      nearest, best = candidate, d
    end
  end
  return nearest, best
end

-- "did you mean expires?", or what there is.
function words.suggest(word, candidates)
  local nearest = words.nearest(word, candidates)
  if nearest then
    return "did you mean " .. nearest .. "?"
  end
  local shown = math.min(#candidates, SUGGESTED)
  return "there is " .. table.concat(candidates, ", ", 1, shown) .. (shown < #candidates and ", ..." or "")
end

-- Numbers first, then texts. Each kind by itself, so that sorting thousands of codes needs no function of ours.
function words.sorted_keys(map)
  local first = next(map)
  if first == nil or next(map, first) == nil then
    return { first }
  end
  local keys, texts, others = {}, {}, {}
  for key in next, map do
    local t = type(key)
    local list = t == "number" and keys or t == "string" and texts or others
    list[#list + 1] = key
  end
  table.sort(keys)
  table.sort(texts)
  table.sort(others, function(a, b)
    return tostring(a) < tostring(b)
  end)
  table.move(texts, 1, #texts, #keys + 1, keys)
  return table.move(others, 1, #others, #keys + 1, keys)
end

local unit_ms = { d = 86400000, h = 3600000, m = 60000, s = 1000 }

local function read_duration(text)
  local rest = lower(text)
  local iso = match(rest, "^p(.*)$")
  if iso then
    local days, clock = match(iso, "^([^t]*)t(.+)$")
    if days then
      if find(days, "[hms]") or find(clock, "d") then
        return nil
      end
      rest = days .. clock
    elseif find(iso, "^%d+d$") then
      rest = iso
    else
      return nil
    end
  end
  local total, order = 0, "dhms"
  if rest == "" then
    return nil
  end
  while rest ~= "" do
    local count, unit, behind = match(rest, "^(%d+)([dhms])(.*)$")
    local at = unit and find(order, unit, 1, true)
    if not at or #count > 9 then
      return nil
    end
    total, order, rest = total + tointeger(count) * unit_ms[unit], sub(order, at + 1), behind
  end
  return total
end

local durations, duration_count = {}, 0 -- false: it is none

-- "45m", "1h30m", "PT45M", "P1D" in milliseconds; nil when it is no duration. Remembered, as folded texts are.
function words.duration(text)
  local known = durations[text]
  if known == nil then
    known = read_duration(text) or false
    if duration_count >= REMEMBERED then
      durations, duration_count = {}, 0
    end
    if #text <= words.KEY_MAX then
      durations[text], duration_count = known, duration_count + 1
    end
  end
  return known or nil
end

return words
