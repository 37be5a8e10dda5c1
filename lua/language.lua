-- The values of the rule language: presences, clear, keep, rules, not_ and text.glob. Each is an immutable proxy that
-- knows the author's line, and a presence can only be one that Graph takes: the list of names comes from src/model.
local words = require("words")
local sandbox = require("sandbox")
local find, sub, match, gmatch = string.find, string.sub, string.match, string.gmatch
local fail, kinds = words.fail, sandbox.kinds

local language = {}

local EXPIRES_MAX_MS = 7 * 86400000
local MESSAGE_MAX = 280 -- characters, as Teams takes them
local RULE_NAME_MAX = 100

local unsupported = { delay = true, afterwards = true, between = true, days = true, tests = true, extends = true,
  codes = true, merge = true, never = true }

local presences = {}      -- "teams.busy" -> { name, presence, plane, availability, hold_ms }
local spaces = { "teams", "session", "preferred" }
local presence_names = {} -- by space: "teams.busy", ...
local file                -- its name, for errors that have no line
local declared            -- what ruleset { } was given, { table, place, line }
local loading = false     -- false: a decision is being made, and lines are not looked up
local key_line = function() end

-- ---- Places ----

local function here()
  if not loading then
    return nil
  end
  return sandbox.author_place()
end

-- The place of a key in the table that stands behind `label` on `line`, else `place`.
local function place_of_key(label, key, line, place)
  local found = line and key_line(label, key, line)
  return found and match(place, "^(.*):%d+$") .. ":" .. found or place
end

-- ---- Options ----

function language.check_keys(map, allowed, place_for)
  for _, key in ipairs(words.sorted_keys(map)) do
    if unsupported[key] and not allowed[key] then
      fail(place_for(key), key .. " is not supported by this version", "remove it")
    elseif not allowed[key] then
      local names = words.sorted_keys(allowed)
      if type(key) == "number" then
        fail(place_for(key), "a value without a name", "put a name in front: " .. names[1] .. " = ...")
      end
      fail(place_for(key), words.key(key) .. " is unknown here", words.suggest(key, names))
    end
  end
end

function language.duration(value, what, place)
  if type(value) ~= "string" then
    fail(place, what .. " is " .. words.type_of(value), 'write a duration like "45m" or "1h30m"')
  end
  local ms = words.duration(value)
  if not ms then
    fail(place, what .. " = " .. words.quote(value) .. " is no duration", 'write it like "45m", "1h30m" or "PT45M"')
  end
  if ms <= 0 or ms > EXPIRES_MAX_MS then
    fail(place, what .. " = " .. words.quote(value) .. " is out of range", "write more than 0 and at most 7d")
  end
  return ms
end

local placeholders = { reason = true, state = true, ucc = true }

local function message(value, place)
  if type(value) ~= "string" then
    fail(place, "message is " .. words.type_of(value), 'write a text: message = "In coaching"')
  end
  local length = utf8.len(value)
  if not length then
    fail(place, "message is not UTF-8", "save the file as UTF-8")
  end
  if length == 0 or length > MESSAGE_MAX then
    fail(place, "message has " .. length .. " characters", "write 1 to " .. MESSAGE_MAX)
  end
  if find(value, "%c") then
    fail(place, "message has a control character", "write it in one line")
  end
  for name in gmatch(value, "{([%a_][%w_]*)}") do
    if name == "expires" then
      fail(place, "{expires} is not supported by this version", "leave it out of the message")
    elseif not placeholders[name] then
      fail(place, "{" .. name .. "} is unknown in a message", "write {reason}, {state} or {ucc}")
    end
  end
  return value
end

-- expires and message out of `map`, which may hold other keys too.
function language.options(map, place_for)
  return map.expires ~= nil and language.duration(map.expires, "expires", place_for("expires")) or nil,
    map.message ~= nil and message(map.message, place_for("message")) or nil
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

local function with_options(kind, map)
  if type(map) ~= "table" or kinds[map] then
    sandbox.fail_here(kind.shown .. " was called with " .. words.type_of(map),
      "write " .. kind.shown .. ' { expires = "1h" }')
  end
  local place, line = here()
  local function place_for(key)
    return place and place_of_key(kind.shown, key, line, place) or sandbox.author_place() or "rule"
  end
  language.check_keys(map, { expires = true, message = true }, place_for)
  local expires, text = language.options(map, place_for)
  if kind.expires and expires or kind.message and text then
    fail(place_for("expires"), kind.shown .. " has the same option twice", "give each option once")
  end
  return new_value({ kind = "presence", shown = kind.shown, legal = kind.legal, place = place, line = line,
    expires = expires or kind.expires, message = text or kind.message })
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
    if kind.kind == "presence" then
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

local fresh_names = { "clear", "keep" }

local function fresh(name)
  if name == "clear" or name == "keep" then
    local place, line = here()
    return new_value({ kind = name, shown = name, place = place, line = line })
  end
end

local names = { ruleset = ruleset, rule = rule, not_ = not_ }
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
  if kind.expires and outcome.expires or kind.message and outcome.message then
    fail(place, "the same option stands in both presences", "give it to one of them")
  end
  outcome[plane] = kind.legal
  outcome.expires = outcome.expires or kind.expires
  outcome.message = outcome.message or kind.message
end

local function no_outcome(value, place, what)
  if type(value) == "string" then
    local name = presences["teams." .. value] and value or words.nearest("teams." .. value, presence_names.teams)
    name = name and (find(name, "^teams%.") and name or "teams." .. name) or "teams.busy"
    fail(place, what .. " is a text", "write a presence without quotes: " .. name)
  end
  local kind = kinds[value]
  fail(place, what .. " is " .. (kind and kind.shown or words.type_of(value)),
    "write a presence (teams.busy), clear, keep, or a function")
end

-- What `value` says: { kind = "show", session =, preferred =, expires =, message = }, "clear", "keep" or { fn = }.
function language.outcome(value, place, what, allow_function)
  local kind = kinds[value]
  if kind and (kind.kind == "clear" or kind.kind == "keep") then
    return { kind = kind.kind }
  elseif kind and kind.kind == "presence" then
    local outcome = { kind = "show" }
    add_plane(outcome, kind, place)
    return outcome
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

-- ---- Loading ----

function language.start(name, catalog, find_key_line)
  file, declared, loading, key_line = name, nil, true, find_key_line
  for _, space in ipairs(spaces) do
    presence_names[space] = {}
  end
  for _, presence in ipairs(catalog) do
    presences[presence.name] = presence
    local space = sub(presence.name, 1, find(presence.name, ".", 1, true) - 1)
    local list = presence_names[space]
    list[#list + 1] = presence.name
  end
end

function language.declared()
  return declared
end

function language.finish()
  loading, key_line, declared = false, function() end, nil
end

return language
