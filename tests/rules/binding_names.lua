-- Every name that a ruleset may write, read out of the binding's own tables. A trusted chunk, loaded behind the modules
-- of a ruleset by binding_names.c.
local language = require("language")
local ruleset = require("ruleset")
local decide = require("decide")
local sandbox = require("sandbox")
local tests = require("tests")

local function sorted(map)
  local list = {}
  for key, value in next, map do
    list[#list + 1] = type(key) == "number" and value or key
  end
  table.sort(list)
  return list
end

-- The names of the environment, which the check for misspelt names holds; it shall open no door for us alone.
local function global_names()
  for i = 1, 255 do
    local name, held = debug.getupvalue(language.check_global, i)
    if name == "names" then
      return sorted(held)
    end
  end
  error("language.check_global holds no list called names")
end

-- What a library shows: its proxy reads from a table behind it. nil: no library.
local function members(value)
  local meta = type(value) == "table" and debug.getmetatable(value)
  return meta and type(meta.__index) == "table" and sorted(meta.__index) or nil
end

local function all()
  local visible = debug.getmetatable(language.environment).__index
  local globals, libraries = global_names(), {}
  for _, name in ipairs(globals) do
    libraries[name] = members(rawget(visible, name))
  end
  return {
    globals = globals,
    libraries = libraries,
    withheld = sandbox.withheld,
    withheld_members = sandbox.withheld_members,
    placeholders = sorted(language.placeholders),
    options = sorted(language.option_keys),
    ruleset = sorted(ruleset.keys.ruleset),
    rule = sorted(ruleset.keys.rule),
    when = sorted(ruleset.keys.when),
    event = sorted(decide.event_fields),
    agent = sorted(decide.agent_fields),
    test = sorted(tests.keys),
    test_event = sorted(tests.event_fields),
  }
end

return { all = all }
