-- Scenarios of graphsim: what goes wrong, and what people do, in the order of a script. It runs in a coroutine; each of
-- its orders is a request to the host, which goes on with it when the order is carried out or the wait is over. What is
-- wrong with an order the host says, with the place that comes with it, and ends the scenario.
local yield, isyieldable = coroutine.yield, coroutine.isyieldable
local getinfo, find, sub = debug.getinfo, string.find, string.sub

local scenario = {}

-- The author's line that is being executed: their chunk is named "@FILE", ours "=FILE".
local function author_place()
  for level = 2, 200 do
    local info = getinfo(level, "Sl")
    if not info then
      return "scenario"
    end
    if sub(info.source, 1, 1) == "@" and info.currentline > 0 then
      return info.short_src .. ":" .. info.currentline
    end
  end
end

local function fail_here(text)
  error(author_place() .. ": " .. text, 0)
end

-- The place goes along, because only now the author's line is on the stack: what is wrong with an order shows when the
-- host carries it out.
local function request(fields)
  if not isyieldable() then
    fail_here("an order cannot be given inside table.sort or string.gsub; collect first, then give it")
  end
  fields.place = author_place()
  yield(fields)
end

local function expect(name, what, value, kind, or_nil)
  if type(value) ~= kind and not (or_nil and value == nil) then
    fail_here(name .. ": " .. what .. " is " .. (value == nil and "missing" or "a " .. type(value)) .. "; give it a " ..
      (kind == "string" and "text" or kind))
  end
  return value
end

local function order(name, fields)
  request({ order = name, fields = fields })
end

-- "30s", or seconds.
local function duration(name, time)
  if math.type(time) == "integer" and time >= 0 then
    return time .. "s"
  elseif type(time) ~= "string" then
    fail_here(name .. ': write the time like "1m30s", or in whole seconds')
  end
  return time
end

-- ---- What a scenario may say ----

local orders = {}

function orders.wait(time)
  request({ wait = duration("wait", time) })
end

function orders.say(text)
  request({ say = tostring(text) })
end

function orders.faults(list)
  expect("faults", "its list", list, "table")
  for key, fault in next, list do
    if math.type(key) ~= "integer" or type(fault) ~= "string" then
      fail_here('faults takes a list of texts; write faults { "throttle:0.5", "reset" }, or faults {} to end all')
    end
  end
  order("faults", list)
end

function orders.retry_after(time)
  order("retry_after", { after = duration("retry_after", time) })
end

-- What a Teams client, or the person in it, shows; nil ends it.
local function shown(name)
  return function(upn, availability, activity)
    order(name, { upn = expect(name, "the UPN", upn, "string"),
      availability = expect(name, "the availability", availability, "string", true),
      activity = expect(name, "the activity", activity, "string", true) })
  end
end
orders.teams, orders.preferred = shown("teams"), shown("preferred")

local function user(name, field, value)
  return function(upn)
    order("users", { upn = expect("users." .. name, "the UPN", upn, "string"), [field] = value })
  end
end

local users = { delete = user("delete", "delete", true), enable = user("enable", "enabled", true),
  disable = user("disable", "enabled", false), license = user("license", "licensed", true),
  unlicense = user("unlicense", "licensed", false) }

function users.add(upn, id)
  order("users", { upn = expect("users.add", "the UPN", upn, "string"),
    id = expect("users.add", "the id", id, "string", true) })
end

function users.rename(upn, new)
  order("users", { upn = expect("users.rename", "the UPN", upn, "string"),
    rename = expect("users.rename", "the new UPN", new, "string") })
end

-- A misspelt name is told at once, and not as "attempt to call a nil value".
local function strict(names, prefix)
  return setmetatable(names, { __metatable = false, __index = function(_, name)
    fail_here("there is no " .. prefix .. tostring(name) .. "; graphsim --help lists what a scenario may say")
  end })
end

local function environment()
  local env = {}
  for name, give in next, orders do
    env[name] = give
  end
  -- No xpcall, no coroutine: what they run could not be stopped. No chance but graphsim's --seed.
  for _, name in ipairs({ "assert", "error", "ipairs", "next", "pairs", "pcall", "select", "tonumber", "tostring",
    "type", "string", "table", "utf8" }) do
    env[name] = _G[name]
  end
  env.math = {}
  for name, value in next, math do
    if not find(name, "^random") then
      env.math[name] = value
    end
  end
  env.users, env.print, env._G = strict(users, "users."), orders.say, env
  return strict(env, "")
end

-- ---- The doors of the host ----

local chunk

function scenario.open(source, path)
  local compiled, why = load(source, "@" .. path, "t", environment())
  if not compiled then
    error(why, 0)
  end
  chunk = compiled
end

function scenario.main()
  chunk()
end

return scenario
