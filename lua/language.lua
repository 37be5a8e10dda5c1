-- The values of the rule language: presences, clear, keep, never, rules, codes, not_, text.glob. Each is an immutable
-- proxy that knows the author's line, and a presence can only be one that Graph takes: their names come from src/model.
local words = require("words")
local sandbox = require("sandbox")
local times = require("times")
local find, sub, match, gmatch = string.find, string.sub, string.match, string.gmatch
local fail, kinds = words.fail, sandbox.kinds

local language = {}

local EXPIRES_MAX_MS = 7 * 86400000
local TEMPLATE_MAX = 1000 -- characters of a message; Teams takes 280, the rest is cut and lint says so
local RULE_NAME_MAX = 100
local FILE_NAME_MAX = 255

-- What may stand beside `show` or in a presence.
language.option_names = { "expires", "message", "delay", "afterwards" }
language.option_keys = {}
for _, option in ipairs(language.option_names) do
  language.option_keys[option] = true
end
local clear_options = { delay = true }

local presences = {}      -- "teams.busy" -> { name, presence, plane, availability, hold_ms }
local spaces = { "teams", "session", "preferred" }
local presence_names = {} -- by space: "teams.busy", ...
local plain_names = {}    -- "teams.berightback" -> as in presences
local file                -- its name, for errors that have no line
local declared            -- what ruleset { } of this file was given, { map, place, line }
local wanted              -- the codes files that it asks for, as values
local zone_needed         -- the first place that shows times, and what it is; until `timezone` is known
local has_zone
local loading = false     -- false: a decision is being made, and lines are not looked up
local key_line = function() end

-- ---- Places ----

local function here()
  if not loading then
    return nil
  end
  return sandbox.author_place(3) -- a tail call: 2 is who asks here()
end

-- The place of a key in the table that stands behind `label` on `line`, else `place`.
local function place_of_key(label, key, line, place)
  local found = line and key_line(label, key, line)
  return found and match(place, "^(.*):%d+$") .. ":" .. found or place
end

-- ---- Options ----

local function unknown_key(key, allowed, place)
  local names = words.sorted_keys(allowed)
  if type(key) == "number" then
    fail(place, "a value without a name", "put a name in front: " .. names[1] .. " = ...")
  end
  fail(place, words.key(key) .. " is unknown here", words.suggest(key, names))
end

-- Of several the first in order is told; sorting waits until there is one.
function language.check_keys(map, allowed, place_for)
  for key in next, map do
    if not allowed[key] then
      for _, first in ipairs(words.sorted_keys(map)) do
        if not allowed[first] then
          unknown_key(first, allowed, place_for(first))
        end
      end
    end
  end
end

-- `place` may be a function that finds it: that is asked for an error only, for it takes time.
local function placed(place)
  return type(place) == "function" and place() or place
end

function language.duration(value, what, place)
  if type(value) ~= "string" then
    fail(placed(place), what .. " is " .. words.type_of(value), 'write a duration like "45m" or "1h30m"')
  end
  local ms = words.duration(value)
  if not ms then
    fail(placed(place), what .. " = " .. words.quote(value) .. " is no duration",
      'write it like "45m", "1h30m" or "PT45M"')
  end
  if ms <= 0 or ms > EXPIRES_MAX_MS then
    fail(placed(place), what .. " = " .. words.quote(value) .. " is out of range", "write more than 0 and at most 7d")
  end
  return ms
end

-- Something shows or compares times of the day: that takes a timezone, which the file may say further down.
function language.needs_zone(what, place)
  if loading then
    zone_needed = zone_needed or { what = what, place = placed(place) }
  elseif not has_zone then
    fail(placed(place), what .. " needs a timezone", 'write timezone = "Europe/Amsterdam" into the ruleset')
  end
end

language.placeholders = { expires = true, reason = true, state = true, ucc = true }

local function message(value, _, place)
  if type(value) ~= "string" then
    fail(place(), "message is " .. words.type_of(value), 'write a text: message = "In coaching"')
  end
  local length = utf8.len(value)
  if not length then
    fail(place(), "message is not UTF-8", "save the file as UTF-8")
  end
  if length == 0 or length > TEMPLATE_MAX then
    fail(place(), "message has " .. length .. " characters", "write 1 to 280")
  end
  if find(value, "%c") then
    fail(place(), "message has a control character", "write it in one line")
  end
  for name in gmatch(value, "{([%a_][%w_]*)}") do
    if not language.placeholders[name] then
      fail(place(), "{" .. name .. "} is unknown in a message", "write {expires}, {reason}, {state} or {ucc}")
    elseif name == "expires" then
      language.needs_zone("{expires}", place)
    end
  end
  return value
end

-- What follows a hold: an outcome of kind show, whose only option is expires, or of kind clear.
local function afterwards(value, _, place)
  local outcome = language.outcome(value, placed(place), "afterwards", false)
  local option = outcome.message and "message" or outcome.delay and "delay" or outcome.afterwards and "afterwards"
  if outcome.kind ~= "show" and outcome.kind ~= "clear" then
    fail(placed(place), "afterwards = " .. outcome.kind, "write a presence or clear")
  elseif option then
    fail(placed(place), "afterwards has the option " .. option, "give it expires alone")
  end
  return outcome
end

local function read_option(map, key, reader, place_for)
  local value = map[key]
  if value ~= nil then
    return reader(value, key, function()
      return place_for(key)
    end)
  end
end

-- The options out of `map`, which may hold other keys too, as { expires = ms, message =, delay = ms, afterwards = }.
function language.options(map, place_for)
  return {
    expires = read_option(map, "expires", language.duration, place_for),
    delay = read_option(map, "delay", language.duration, place_for),
    message = read_option(map, "message", message, place_for),
    afterwards = read_option(map, "afterwards", afterwards, place_for),
  }
end

-- ---- Presences ----

local value_meta

local function new_value(kind)
  local value = setmetatable({}, value_meta)
  kinds[value] = kind
  return value
end

local function no_such_presence(space, name)
  local full = words.member(space, name)
  local place = sandbox.author_place() or file
  local alternatives = {}
  if type(name) == "string" then
    for _, other in ipairs(spaces) do
      local there = presences[other .. "." .. name]
      if there and other ~= space then
        alternatives[#alternatives + 1] = there.name
        -- The presence of this plane that colleagues see alike.
        for _, candidate in ipairs(presence_names[space]) do
          local same = space ~= "teams" and presences[candidate]
          if same and same.availability == there.availability then
            alternatives[#alternatives + 1] = candidate
            break
          end
        end
        break
      end
    end
  end
  if #alternatives > 0 then
    fail(place, full .. " is not possible in Graph", "write " .. table.concat(alternatives, " or "))
  end
  fail(place, "there is no " .. full, words.suggest(full, presence_names[space]))
end

local function namespace(space)
  return setmetatable({}, {
    __index = function(_, name)
      local legal = type(name) == "string" and presences[space .. "." .. name] or no_such_presence(space, name)
      local place, line = here()
      return new_value({ kind = "presence", shown = legal.name, legal = legal, place = place, line = line })
    end,
    __newindex = function()
      sandbox.fail_here(space .. " cannot be changed", "use a local variable")
    end,
    __metatable = false,
  })
end

local no_names = {}

local function with_options(kind, map)
  if type(map) ~= "table" or kinds[map] then
    sandbox.fail_here(kind.shown .. " was called with " .. words.type_of(map),
      "write " .. kind.shown .. (kind.kind == "clear" and ' { delay = "30s" }' or ' { expires = "1h" }'))
  end
  local place, line = here()
  local function place_for(key)
    return place and place_of_key(kind.shown, key, line, place) or sandbox.author_place() or "rule"
  end
  language.check_keys(map, kind.kind == "clear" and clear_options or language.option_keys, place_for)
  local options = language.options(map, place_for)
  for _, option in ipairs(kind.has_options and language.option_names or no_names) do
    if kind[option] and options[option] then
      fail(place_for(option), kind.shown .. " has the same option twice", "give each option once")
    end
  end
  return new_value({ kind = kind.kind, shown = kind.shown, legal = kind.legal, place = place, line = line,
    has_options = true,
    expires = options.expires or kind.expires, delay = options.delay or kind.delay,
    message = options.message or kind.message, afterwards = options.afterwards or kind.afterwards })
end

-- ---- Rules and conditions ----

local function rule(name)
  if not loading then
    sandbox.fail_here("a rule cannot be made while a rule runs", "write it into rules")
  end
  local place, line = sandbox.author_place()
  place = place or file
  if type(name) ~= "string" or words.trim(name) == "" or #name > RULE_NAME_MAX or not utf8.len(name) or
    find(name, "%c") then
    fail(place, "a rule needs a name of at most " .. RULE_NAME_MAX .. " bytes", 'write rule "name" { ... }')
  end
  return new_value({ kind = "rule name", shown = "rule " .. words.quote(name), name = name, place = place,
    line = line })
end

local function rule_body(kind, body)
  if type(body) ~= "table" or kinds[body] then
    fail(kind.place, kind.shown .. " has no body", "write " .. kind.shown .. " { when = { ... }, show = ... }")
  end
  return new_value({ kind = "rule", shown = kind.shown, name = kind.name, place = kind.place, line = kind.line,
    body = body })
end

local function glob(pattern)
  if type(pattern) ~= "string" or pattern == "" or #pattern > words.KEY_MAX then
    sandbox.fail_here("text.glob needs a pattern of at most " .. words.KEY_MAX .. " bytes", 'write text.glob "WC*"')
  end
  return new_value({ kind = "glob", shown = "text.glob " .. words.quote(pattern),
    pieces = sandbox.compile_glob(words.fold(pattern)) })
end

local function not_(value)
  local kind = kinds[value]
  if value == nil or type(value) == "function" or kind and kind.kind ~= "glob" then
    sandbox.fail_here("not_ was given " .. (kind and kind.shown or words.type_of(value)),
      'write not_ "B" or not_ { "B", "C" }')
  end
  return new_value({ kind = "not", shown = "not_", value = value })
end

-- codes "codes.csv": the host reads the file when this one has been read.
local function codes(name)
  if not loading then
    sandbox.fail_here("codes cannot be read while a rule runs", 'write reasons = codes "codes.csv"')
  end
  local place, line = sandbox.author_place()
  place = place or file
  if not language.is_file_name(name) then
    fail(place, "codes was given " .. words.type_of(name), 'write reasons = codes "codes.csv"')
  end
  local value = { kind = "codes", shown = "codes " .. words.quote(name), name = name, place = place, line = line }
  wanted[#wanted + 1] = value
  return new_value(value)
end

function language.is_file_name(name)
  return type(name) == "string" and words.trim(name) ~= "" and #name <= FILE_NAME_MAX and not find(name, "%c")
end

local function ruleset(map)
  if not loading then
    sandbox.fail_here("a ruleset cannot be made while a rule runs", "write one ruleset { ... } in the file")
  end
  local place, line = sandbox.author_place()
  place = place or file
  if declared then
    fail(place, "a second ruleset (the first is at " .. declared.place .. ")", "put everything into one")
  end
  if type(map) ~= "table" or kinds[map] then
    fail(place, "ruleset was given " .. words.type_of(map), "write ruleset { ... }")
  end
  declared = { map = map, place = place, line = line }
end

value_meta = {
  __call = function(self, argument)
    local kind = kinds[self]
    if kind.kind == "presence" or kind.kind == "clear" then
      return with_options(kind, argument)
    elseif kind.kind == "rule name" then
      return rule_body(kind, argument)
    end
    sandbox.fail_here(kind.shown .. " takes no options", "write " .. kind.shown .. " alone")
  end,
  __index = function(self, key)
    sandbox.fail_here(kinds[self].shown .. " has no field " .. tostring(key), "use it as it is")
  end,
  __newindex = function(self)
    sandbox.fail_here(kinds[self].shown .. " cannot be changed", "use a local variable")
  end,
  __metatable = false,
}

local fresh_names = { "clear", "keep", "never" }

local function fresh(name)
  if name == "clear" or name == "keep" or name == "never" then
    local place, line = here()
    return new_value({ kind = name, shown = name, place = place, line = line })
  end
end

local names = { ruleset = ruleset, rule = rule, not_ = not_, codes = codes,
  time = sandbox.library("time", times.helpers) }
for _, space in ipairs(spaces) do
  names[space] = namespace(space)
end

language.environment, language.check_global = sandbox.environment(names, glob, fresh, fresh_names)

-- ---- Outcomes ----

local function add_plane(outcome, kind, place)
  local plane = kind.legal.plane
  if outcome[plane] then
    fail(place, "two presences on the " .. plane .. " plane", "name one presence per plane")
  end
  for _, option in ipairs(language.option_names) do
    if kind[option] and outcome[option] then
      fail(place, "the same option stands in both presences", "give it to one of them")
    end
    outcome[option] = outcome[option] or kind[option]
  end
  outcome[plane] = kind.legal
end

local function no_outcome(value, place, what)
  if type(value) == "string" then
    local name = presences["teams." .. value] and value or words.nearest("teams." .. value, presence_names.teams)
    name = name and (find(name, "^teams%.") and name or "teams." .. name) or "teams.busy"
    fail(place, what .. " is a text", "write a presence without quotes: " .. name)
  end
  local kind = kinds[value]
  fail(place, what .. " is " .. (kind and kind.shown or words.type_of(value)),
    "write a presence (teams.busy), clear, keep, never, or a function")
end

-- What `value` says: { kind = "show", session =, preferred = } with options, { kind = "clear", delay = }, kind "keep",
-- "never", or "function" with fn.
function language.outcome(value, place, what, allow_function)
  local kind = kinds[value]
  if kind and (kind.kind == "clear" or kind.kind == "keep" or kind.kind == "never") then
    return { kind = kind.kind, delay = kind.delay }
  elseif kind and kind.kind == "presence" then
    return { kind = "show", [kind.legal.plane] = kind.legal, expires = kind.expires, delay = kind.delay,
      message = kind.message, afterwards = kind.afterwards }
  elseif type(value) == "function" and allow_function then
    return { kind = "function", fn = value }
  elseif type(value) == "table" and not kind then
    local outcome, count = { kind = "show" }, 0
    for key in next, value do
      count = count + 1
      local member = kinds[value[key]]
      if type(key) ~= "number" or count > 2 or not member or member.kind ~= "presence" then
        fail(place, what .. " is a table of something else than presences",
          "write { session.in_a_call, preferred.do_not_disturb }")
      end
    end
    for i = 1, count do
      add_plane(outcome, kinds[value[i]] or no_outcome(nil, place, what), place)
    end
    if count > 0 then
      return outcome
    end
  end
  no_outcome(value, place, what)
end

local plain_outcomes = { clear = true, keep = true, never = true }

-- What a spreadsheet says: "teams.busy", "busy", "Be right back", "clear".
function language.outcome_of_text(text, place, what)
  local plain = string.gsub(string.lower(text), "[%s_-]", "")
  if plain_outcomes[plain] then
    return { kind = plain }
  end
  local legal = plain_names[plain] or plain_names["teams." .. plain]
  if legal then
    local outcome = { kind = "show" }
    add_plane(outcome, { legal = legal }, place)
    return outcome
  end
  local known = language.presence_names()
  table.move({ "clear", "keep", "never" }, 1, 3, #known + 1, known)
  fail(place, what .. " shows " .. words.quote(text) .. ", which is no presence",
    words.suggest(find(text, ".", 1, true) and text or "teams." .. text, known))
end

-- The place of a value of ours, or nil.
function language.place_of(value)
  local kind = kinds[value]
  return kind and kind.place
end

function language.kind_of(value)
  return kinds[value]
end

-- The names that max_hold takes: "teams.busy", and "busy" for every plane.
function language.presence(name)
  return presences[name]
end

function language.presence_names()
  local all = {}
  for _, space in ipairs(spaces) do
    table.move(presence_names[space], 1, #presence_names[space], #all + 1, all)
  end
  return all
end

-- ---- Options of the ruleset that take few words ----

local function shown(value)
  return type(value) == "string" and words.quote(value) or words.type_of(value)
end

function language.merge(value, place)
  if value ~= nil and value ~= "latest" and type(value) ~= "function" then
    fail(place, "merge is " .. shown(value),
      'write merge = "latest", a function(list, agent), or leave it out: then what colleagues would see decides')
  end
  return value
end

-- True: Available is held by an anchor.
function language.anchors(value, place)
  if value ~= nil and value ~= "refresh" and value ~= "anchor" then
    fail(place, "hold is " .. shown(value), 'write hold = "anchor", or leave it out: then Available is refreshed')
  end
  return value == "anchor"
end

-- ---- Loading ----

-- Begins a ruleset.
function language.start(catalog)
  zone_needed, has_zone, presences, plain_names = nil, false, {}, {}
  for _, space in ipairs(spaces) do
    presence_names[space] = {}
  end
  for _, presence in ipairs(catalog) do
    presences[presence.name] = presence
    plain_names[string.gsub(presence.name, "_", "")] = presence
    local space = sub(presence.name, 1, find(presence.name, ".", 1, true) - 1)
    local list = presence_names[space]
    list[#list + 1] = presence.name
  end
end

-- Begins one of its files.
function language.start_file(name, find_key_line)
  file, declared, wanted, loading, key_line = name, nil, {}, true, find_key_line
end

-- What ruleset { } was given, or nil, and the codes files that the file wants.
function language.declared()
  return declared, wanted
end

-- All is read and compiled.
function language.finish(zone)
  has_zone = zone
  if not zone and zone_needed then
    fail(zone_needed.place, zone_needed.what .. " needs a timezone",
      'write timezone = "Europe/Amsterdam" into the ruleset')
  end
  loading, key_line, declared, wanted = false, function() end, nil, nil
end

return language
