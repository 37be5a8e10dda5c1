-- What a ruleset may use. These are limits, not walls around an enemy with unlimited time: every name that is here is
-- here for a reason, takes time and memory that its budget sees, and leaves the host as it was.
--
-- The clock's hook does not run inside a C function, so nothing may stay in one for long: no patterns (('a'):rep(400):
-- find('.-.-.-b') takes seconds), no table.move, nothing that walks a table of unbounded length.
local words = require("words")
local find, sub, lower, rep, match = string.find, string.sub, string.lower, string.rep, string.match
local getinfo = debug.getinfo

local sandbox = {}

local ELEMENTS_MAX = 10000   -- of a list that a C function walks in one go
local REP_MAX = 64 * 1024    -- bytes that string.rep makes
local TEXT_MAX = 64 * 1024   -- bytes that a text helper searches ...
local PART_MAX = 1024        -- ... and bytes of what it searches for

-- Names that rules do not get, and what to do instead.
sandbox.withheld = {
  print = { "a rule has no output", "run presenced eval to see what it decides" },
  require = { "a ruleset reads no code", "write the function here, or build on a ruleset with extends" },
  load = { "a rule is read when the file is loaded, not made while it runs", "write the function here" },
  loadstring = { "a rule is read when the file is loaded, not made while it runs", "write the function here" },
  dofile = { "a ruleset reads no code", "write the function here, or build on a ruleset with extends" },
  loadfile = { "a ruleset reads no code", "write the function here, or build on a ruleset with extends" },
  os = { "a rule has no clock and starts nothing; the same event must give the same decision", "use event.at" },
  io = { "a rule reads and writes no files", "put the values into the ruleset" },
  debug = { "it reaches around every limit", "do without" },
  coroutine = { "the time limit watches one thread only, and a rule cannot wait", "write a plain function" },
  xpcall = { "a handler that does not end could not be stopped", "use pcall" },
  setmetatable = { "metatables make read-only values writable", "use plain tables" },
  getmetatable = { "metatables make read-only values writable", "use plain tables" },
  rawget = { "it reads around the checks for misspelt fields", "use value.field" },
  rawset = { "it writes into read-only values", "use a plain table" },
  rawequal = { "rules have no metatables to go around", "use ==" },
  rawlen = { "rules have no metatables to go around", "use #" },
  collectgarbage = { "a full collection cannot be stopped by the time limit", "do without" },
  next = { "its order differs from run to run", "use pairs, which goes in the order of the keys" },
  package = { "a ruleset reads no code", "write the function here, or build on a ruleset with extends" },
  between = { "it is a condition", 'write when = { between = "08:00-18:00" }' },
  days = { "it is a condition", 'write when = { days = "Mon-Fri" }' },
  test = { "tests are a list in the ruleset", 'write tests = { { "lunch", { state = "Ready" }, teams.available } }' },
  _G = { "there is no table of all names", "use the name itself" },
}

local patterns = { "patterns can take time without end", "use text.contains, text.starts, text.matches or text.split" }
sandbox.withheld_members = {
  ["string.find"] = patterns, ["string.match"] = patterns, ["string.gmatch"] = patterns, ["string.gsub"] = patterns,
  ["string.format"] = { "it is not needed for a decision", "join texts with .." },
  ["string.pack"] = { "rules work on text", "do without" },
  ["string.unpack"] = { "rules work on text", "do without" },
  ["string.packsize"] = { "rules work on text", "do without" },
  ["string.dump"] = { "rules work on text", "do without" },
  ["math.random"] = { "the same event must give the same decision", "decide by a field of the event" },
  ["math.randomseed"] = { "the same event must give the same decision", "decide by a field of the event" },
  ["table.move"] = { "it can take time without end", "write a loop" },
}

-- By function: the customer's file, or false for one of ours. Asking Lua for it makes several texts.
local author_files = setmetatable({}, { __mode = "k" })

-- The customer's line that is being executed: "contoso.lua:12", or nil. first: the level at which to begin, where those
-- below are known to be ours, for each takes time.
function sandbox.author_place(first)
  for level = first or 2, 200 do
    local info = getinfo(level, "fl")
    if not info then
      return nil
    end
    local file = author_files[info.func]
    if file == nil then
      local about = getinfo(level, "S")
      file = sub(about.source, 1, 1) == "@" and about.short_src
      author_files[info.func] = file
    end
    if file and info.currentline > 0 then
      return file .. ":" .. info.currentline, info.currentline
    end
  end
end

-- `return f(x)` leaves no line behind: then whoever catches the error puts the rule's place in front.
local function fail_here(what, remedy)
  local place = sandbox.author_place()
  if not place then
    error(what .. "; " .. remedy, 0)
  end
  words.fail(place, what, remedy)
end
sandbox.fail_here = fail_here

-- ---- Helpers that replace Lua's own ----

local function check_length(name, list)
  if type(list) ~= "table" then
    fail_here(name .. " was given a " .. type(list), "give it a table")
  end
  if #list > ELEMENTS_MAX then
    fail_here(name .. " was given more than " .. ELEMENTS_MAX .. " elements", "use smaller lists")
  end
  return list
end

-- Calls Lua's own function; what it complains about is the author's line, not ours.
local function call(name, fn, list, ...)
  local function take(ok, ...)
    if ok then
      return ...
    end
    local wrong = ...
    local ours = type(wrong) == "string" and (match(wrong, "^sandbox%.lua:%d+: (.*)$") or
      not find(wrong, ":%d+: ") and wrong)
    if ours then
      fail_here(name .. ": " .. ours, "correct what it is given")
    end
    error(wrong, 0)
  end
  return take(pcall(fn, check_length(name, list), ...))
end

-- In Lua, so that the time limit is seen between two comparisons: those of long texts take their time.
local function less(a, b)
  return a < b
end

local lists = {
  insert = function(list, ...)
    return call("table.insert", table.insert, list, ...)
  end,
  remove = function(list, ...)
    return call("table.remove", table.remove, list, ...)
  end,
  sort = function(list, before)
    return call("table.sort", table.sort, list, before or less)
  end,
  concat = function(list, separator)
    return call("table.concat", table.concat, list, separator)
  end,
  unpack = function(list)
    return table.unpack(check_length("table.unpack", list))
  end,
  pack = table.pack,
}

local function check_text(name, text, part)
  if type(text) ~= "string" or type(part) ~= "string" then
    local wrong = type(text) == "string" and part or text
    fail_here(name .. " was given " .. words.type_of(wrong), "give it texts")
  end
  if #text > TEXT_MAX or #part > PART_MAX then
    fail_here(name .. " was given a text that is too long", "use texts of at most " .. PART_MAX .. " bytes")
  end
end

-- A glob is cut at its asterisks; the pieces must follow each other, which takes one pass over the text.
function sandbox.compile_glob(glob)
  local pieces, at = {}, 1
  while true do
    local star = find(glob, "*", at, true)
    pieces[#pieces + 1] = sub(glob, at, (star or 0) - 1)
    if not star then
      return pieces
    end
    at = star + 1
  end
end

function sandbox.matches_glob(pieces, value)
  local first, count = pieces[1], #pieces
  if count == 1 then
    return value == first
  end
  if sub(value, 1, #first) ~= first then
    return false
  end
  local at = #first + 1
  for i = 2, count - 1 do
    local _, stop = find(value, pieces[i], at, true)
    if not stop then
      return false
    end
    at = stop + 1
  end
  local last = pieces[count]
  return #value - #last + 1 >= at and (last == "" or sub(value, -#last) == last)
end

local texts = {
  contains = function(text, part)
    check_text("text.contains", text, part)
    return find(words.fold(text), lower(part), 1, true) ~= nil
  end,
  starts = function(text, part)
    check_text("text.starts", text, part)
    return sub(words.fold(text), 1, #part) == lower(part)
  end,
  ends = function(text, part)
    check_text("text.ends", text, part)
    return part == "" or sub(words.fold(text), -#part) == lower(part)
  end,
  same = function(a, b)
    check_text("text.same", a, b)
    return words.fold(a) == words.fold(b)
  end,
  matches = function(text, glob)
    check_text("text.matches", text, glob)
    return sandbox.matches_glob(sandbox.compile_glob(words.fold(glob)), words.fold(text))
  end,
  trim = function(text)
    check_text("text.trim", text, "")
    return words.trim(text)
  end,
  split = function(text, separator)
    check_text("text.split", text, separator)
    if separator == "" then
      fail_here("text.split was given an empty separator", 'write text.split(value, ",")')
    end
    local parts, at = {}, 1
    while true do
      local start, stop = find(text, separator, at, true)
      parts[#parts + 1] = sub(text, at, (start or 0) - 1)
      if not start then
        return parts
      end
      at = stop + 1
    end
  end,
}

-- Values of ours are empty proxies; what they are stands in `kinds` (weak, so that they can be collected).
local kinds = setmetatable({}, { __mode = "k" })
sandbox.kinds = kinds

local function sorted_pairs(value)
  if type(value) ~= "table" then
    fail_here("pairs was given " .. words.type_of(value), "give it a table")
  end
  local kind = kinds[value]
  local map = kind and (kind.map and kind.map() or {}) or value
  local keys, i = words.sorted_keys(map), 0
  return function()
    i = i + 1
    local key = keys[i]
    if key ~= nil then
      return key, map[key]
    end
  end
end

local function plain_tostring(value)
  local kind = kinds[value]
  if kind then
    return kind.shown or kind.kind
  end
  local name = type(value)
  return (name == "table" or name == "function") and name or tostring(value) -- an address differs from run to run
end

-- ---- Read-only tables ----

-- An empty proxy: reading goes to `members`, then to missing(key); writing is refused.
function sandbox.read_only(name, members, missing)
  local behind = setmetatable(members, {
    __index = function(_, key)
      return missing(key)
    end,
  })
  return setmetatable({}, {
    __index = behind,
    __newindex = function(_, key)
      fail_here(words.member(name, key) .. " cannot be changed", "use a local variable")
    end,
    __metatable = false,
  })
end

function sandbox.library(name, members)
  local names = words.sorted_keys(members)
  return sandbox.read_only(name, members, function(key)
    local full = words.member(name, key)
    local why = sandbox.withheld_members[full]
    if why then
      fail_here(full .. " is not available: " .. why[1], why[2])
    end
    fail_here(full .. " does not exist", words.suggest(key, names))
  end)
end

local library = sandbox.library

local function pick(from, names)
  local picked = {}
  for _, name in ipairs(names) do
    picked[name] = from[name]
  end
  return picked
end

local function capped_rep(text, count, separator)
  if type(text) ~= "string" or type(count) ~= "number" or (#text + #(separator or "")) * count > REP_MAX or
    count > REP_MAX then
    fail_here("string.rep makes at most " .. REP_MAX .. " bytes", "make a shorter text")
  end
  return rep(text, count, separator)
end

local function standard(glob)
  local strings = pick(string, { "byte", "char", "len", "lower", "upper", "reverse", "sub" }) -- linear in the text
  strings.rep = capped_rep
  local maths = pick(math, { "abs", "ceil", "floor", "fmod", "huge", "max", "maxinteger", "min", "mininteger", "modf",
    "pi", "sqrt", "tointeger", "type", "ult" }) -- pure, constant time
  local unicode = pick(utf8, { "char", "codepoint", "codes", "len", "offset" }) -- linear in the text
  texts.glob = glob
  return {
    assert = assert, error = error, -- raising is answered by on_error
    pcall = pcall,                  -- the budget's error is raised again behind it
    ipairs = ipairs, select = select, tonumber = tonumber, type = type, -- harmless
    pairs = sorted_pairs,           -- in the order of the keys, the same in each run
    tostring = plain_tostring,      -- without addresses
    string = library("string", strings), math = library("math", maths), utf8 = library("utf8", unicode),
    table = library("table", lists), text = library("text", texts),
  }
end

-- The environment of a ruleset: the standard names above, those of `language`, and `fresh_names`, for which fresh(name)
-- makes a new value each time they are read. Returns it with check(name, place), which fails for a name that is not
-- there.
function sandbox.environment(language, glob, fresh, fresh_names)
  local visible = standard(glob)
  for name, value in next, language do
    visible[name] = value
  end
  local names = words.sorted_keys(visible)
  for _, name in ipairs(fresh_names) do
    names[#names + 1] = name
  end
  local function check(name, place)
    if rawget(visible, name) ~= nil or fresh(name) ~= nil then
      return
    end
    local why = sandbox.withheld[name]
    if why then
      words.fail(place, name .. " is not available: " .. why[1], why[2])
    end
    local nearest = words.nearest(name, names)
    words.fail(place, "there is no " .. name, nearest and "did you mean " .. nearest .. "?" or
      "put quotes around a text, or declare it with local")
  end
  setmetatable(visible, {
    __index = function(_, name)
      local value = fresh(name)
      if value == nil then
        check(name, sandbox.author_place() or "ruleset")
      end
      return value
    end,
  })
  local environment = setmetatable({}, {
    __index = visible,
    __newindex = function(_, name)
      fail_here("a rule keeps nothing: " .. name .. " is not local", "write local " .. name .. " = ...")
    end,
    __metatable = false,
  })
  -- ("x"):find is reached through the metatable of all texts: it must show the same restricted library.
  local methods = getmetatable("")
  methods.__index = visible.string
  return environment, check
end

return sandbox
