-- Scripts: what they may use, and how a primitive waits. A script runs in a coroutine; a primitive yields a request, a
-- plain table, and the host resumes it with the answer. These are limits, not walls: each name that is missing could
-- stop the host for good, or reach around its limits.
local yield, isyieldable = coroutine.yield, coroutine.isyieldable
local find, sub, rep, byte, gsub = string.find, string.sub, string.rep, string.byte, string.gsub
local match, gmatch = string.match, string.gmatch
local getinfo = debug.getinfo
local concat, unpack, pack, sort, move = table.concat, table.unpack, table.pack, table.sort, table.move

local script = {}

local REP_MAX = 1024 * 1024   -- bytes that string.rep makes
local MOVE_MAX = 1000000      -- elements that table.move moves
local STEPS_MAX = 2e8         -- that a pattern may take at worst: a second or so
local UNSAID_MAX = 1024 * 1024 -- bytes printed where nothing can wait

-- Names that scripts do not get, and what to do instead.
local daemon_only = { "the daemon calls hooks, and this is no daemon",
  'name the file in config.xml, <Script File="...">, and let `presenced run` call them' }
local withheld = {
  on = daemon_only, every = daemon_only, at = daemon_only,
  io = { "a script must not stop the host while a disk or a terminal is slow", "use rows(path), events(path), print" },
  require = { "a script is one file", "write the function here" },
  package = { "a script is one file", "write the function here" },
  load = { "a script is read once", "write a function" },
  dofile = { "a script is one file", "write the function here" },
  loadfile = { "a script is one file", "write the function here" },
  debug = { "it reaches around every limit", "do without" },
  coroutine = { "the time limit watches the coroutines that the host made", "use graph.each" },
  xpcall = { "a handler that does not end could not be stopped", "use pcall" },
  collectgarbage = { "a full collection cannot be stopped by the time limit", "do without" },
}

-- ---- Errors ----

-- The author's line that is being executed: their chunk is named "@FILE", ours "=FILE".
local function author_place()
  for level = 2, 200 do
    local info = getinfo(level, "Sl")
    if not info then
      return "script"
    end
    if sub(info.source, 1, 1) == "@" and info.currentline > 0 then
      return info.short_src .. ":" .. info.currentline
    end
  end
end

local function fail_here(text)
  error(author_place() .. ": " .. text, 0)
end

-- What a primitive returns behind nil: fields to branch on, and a text for people.
local failure = {
  __tostring = function(err)
    return err.message
  end,
  __concat = function(a, b)
    return tostring(a) .. tostring(b)
  end,
  __metatable = false,
}

local function expect(name, number, value, kind)
  if type(value) ~= kind then
    local is = value == nil and "missing" or "a " .. type(value)
    fail_here("argument " .. number .. " of " .. name .. " is " .. is .. "; give it a " .. kind)
  end
  return value
end

local function options_of(name, options, known)
  if options == nil then
    return {}
  end
  expect(name, "{...}", options, "table")
  for key in next, options do
    if not find(known, " " .. tostring(key) .. " ", 1, true) then
      fail_here(name .. " has no option " .. tostring(key) .. "; there are:" .. known)
    end
  end
  return options
end

-- ---- Talking to the host ----

local said, unsaid = {}, 0 -- what was printed and logged since the host looked last

function script.drain()
  local lines = said
  said, unsaid = {}, 0
  return lines
end

-- What was printed goes with the next request, whatever that is, so that lines keep their order among themselves and
-- before what the request does.
local function wait(request)
  if not isyieldable() then
    fail_here("it is not possible to wait here, inside table.sort or string.gsub; collect first, then call")
  end
  request.said = script.drain()
  return yield(request)
end

local function ask(request)
  local answer = wait(request)
  if answer.wrong then
    fail_here(answer.wrong)
  end
  if answer.err then
    return nil, setmetatable(answer.err, failure)
  end
  return answer.value
end

local function say(line)
  said[#said + 1] = line
  unsaid = unsaid + #line.text
  if isyieldable() then
    wait({ op = "say" })
  elseif unsaid > UNSAID_MAX then
    fail_here("too much is printed inside table.sort or string.gsub; collect first, then print")
  end
end

local function plain_print(...)
  local parts = pack(...)
  for i = 1, parts.n do
    parts[i] = tostring(parts[i])
  end
  say({ text = concat(parts, "\t", 1, parts.n) .. "\n" })
end

local function log(level, text)
  expect("log", 1, level, "string")
  if not find(" error warn info debug ", " " .. level .. " ", 1, true) then
    fail_here("log has no level " .. level .. "; there are: error warn info debug")
  end
  say({ level = level, text = tostring(text) })
end

local function is_finite(number)
  return type(number) == "number" and number == number and number ~= math.huge and number ~= -math.huge
end

local function sleep(seconds)
  expect("sleep", 1, seconds, "number")
  ask({ op = "sleep", seconds = is_finite(seconds) and seconds or -1 })
end

-- ---- graph ----

-- "1h" as it is, a number as seconds.
local function duration(what, time)
  if time ~= nil and type(time) ~= "string" and not is_finite(time) then
    fail_here("the " .. what .. " is " .. tostring(time) .. '; write it like "1h30m", or in seconds')
  end
  return time
end

local calls, last_call = {}, 0 -- graph.each under way, whose functions cannot leave Lua

local function each(list, fn, options)
  expect("graph.each", 1, list, "table")
  expect("graph.each", 2, fn, "function")
  options = options_of("graph.each", options, " concurrency ")
  last_call = last_call + 1
  local id, call = last_call, { list = list, fn = fn, results = {}, errors = {} }
  calls[id] = call
  local count, concurrency = #list, options.concurrency
  local answer = wait({
    op = "each", id = id, count = math.type(count) == "integer" and count or 0,
    concurrency = concurrency ~= nil and (is_finite(concurrency) and concurrency or 0) or nil,
  })
  calls[id] = nil
  if answer.wrong then
    fail_here(answer.wrong)
  elseif answer.raised then
    error(answer.raised, 0)
  end
  return call.results, call.errors
end

-- One element, in a coroutine of its own.
function script.item(id, index)
  local call = calls[id]
  local value, err = call.fn(call.list[index])
  call.results[index], call.errors[index] = value, err
  return { said = script.drain() }
end

local graph = {
  auth = function(account)
    return ask({ op = "auth", name = account and expect("graph.auth", 1, account, "string") or "" })
  end,
  lookup = function(upn)
    return ask({ op = "lookup", name = expect("graph.lookup", 1, upn, "string") })
  end,
  publish = function(upn, presence, options)
    options = options_of("graph.publish", options, " hold why ")
    return ask({
      op = "publish", name = expect("graph.publish", 1, upn, "string"),
      presence = expect("graph.publish", 2, presence, "string"),
      hold = duration("hold of graph.publish", options.hold),
      why = options.why and tostring(options.why),
    })
  end,
  clear = function(upn, options)
    options = options_of("graph.clear", options, " hold why ")
    return ask({
      op = "clear", name = expect("graph.clear", 1, upn, "string"),
      hold = duration("hold of graph.clear", options.hold),
      why = options.why and tostring(options.why),
    })
  end,
  release = function(upn)
    return ask({ op = "release", name = expect("graph.release", 1, upn, "string") })
  end,
  presence = function(upn)
    return ask({ op = "presence", name = expect("graph.presence", 1, upn, "string") })
  end,
  each = each,
}

-- ---- Hooks: functions that the daemon calls, each call in a coroutine of its own ----

local hooks = {} -- by number

local function register(request, fn)
  hooks[#hooks + 1] = fn
  request.op, request.number = "hook", #hooks
  ask(request)
end

function script.call(number, first, second)
  hooks[number](first, second)
  return { said = script.drain() }
end

local function hook_on(kind)
  return function(fn)
    register({ kind = kind }, expect("on." .. kind, 1, fn, "function"))
  end
end

local hook_makers = {
  on = { decision = hook_on("decision"), outcome = hook_on("outcome") },
  every = function(period, fn)
    if period == nil then
      expect("every", 1, period, "string")
    end
    register({ kind = "every", period = duration("time of every", period) }, expect("every", 2, fn, "function"))
  end,
  at = function(time, fn)
    register({ kind = "at", time = expect("at", 1, time, "string") }, expect("at", 2, fn, "function"))
  end,
}

-- ---- Files: read by the host, a few hundred records at a time ----

local function records(name, path)
  local id, err = ask({ op = "open", kind = name, path = expect(name, 1, path, "string") })
  if not id then
    return nil, err
  end
  local batch, at = {}, 0
  return function()
    at = at + 1
    if id and at > #batch then
      local trouble
      batch, trouble = ask({ op = "next", file = id })
      at = 1
      if not batch then
        error(trouble, 0)
      end
      if #batch == 0 then
        id = nil
      end
    end
    local record = batch[at]
    if record then
      return record.value, record.line
    end
  end
end

-- ---- The libraries ----

-- Lua's patterns try again from each place where a repetition could have ended otherwise, so each repetition that
-- something follows, and the free choice of where to begin, multiplies the steps by the length of the text.
local function choices_of(pattern)
  local anchored = sub(pattern, 1, 1) == "^"
  local count, at = anchored and 0 or 1, anchored and 2 or 1
  while at <= #pattern do
    local item = match(pattern, "^%%b..()", at)
    local repeated = item ~= nil
    item = item or match(pattern, "^%%f%[%^?%]?[^%]]*%]()", at) or match(pattern, "^%[%^?%]?[^%]]*%]()", at) or
      match(pattern, "^%%.()", at) or at + 1
    if find(pattern, "^[*+-]", item) then
      repeated, item = true, item + 1
    end
    if repeated and find(pattern, "[^()]", item) then
      count = count + 1
    end
    at = item
  end
  return count
end

local function check_pattern(name, text, pattern)
  if type(text) == "number" then
    return
  end
  expect(name, 1, text, "string")
  expect(name, 2, pattern, "string")
  local steps = 1
  for i = 1, choices_of(pattern) do
    steps = steps * #text / i
  end
  if steps > STEPS_MAX then
    fail_here(name .. " could take very long with this pattern on a text of " .. #text ..
      " bytes; cut the text, begin the pattern with ^, or use fewer repetitions")
  end
end

local function pick(from, names)
  local picked = {}
  for name in gmatch(names, "%S+") do
    picked[name] = from[name]
  end
  return picked
end

-- Lua's table functions run in C for as long as a metatable makes a table look long: scripts' own tables have none.
local function plain_table(name, fn)
  return function(list, ...)
    if debug.getmetatable(list) then
      error("table." .. name .. " takes a table without a metatable", 2)
    end
    return fn(list, ...)
  end
end

local function library_of_strings()
  local strings = pick(string, "byte char format len lower upper reverse sub pack unpack packsize")
  strings.find = function(text, pattern, start, plain)
    if not plain then
      check_pattern("string.find", text, pattern)
    end
    return find(text, pattern, start, plain)
  end
  strings.match = function(text, pattern, start)
    check_pattern("string.match", text, pattern)
    return match(text, pattern, start)
  end
  strings.gmatch = function(text, pattern, start)
    check_pattern("string.gmatch", text, pattern)
    return gmatch(text, pattern, start)
  end
  strings.gsub = function(text, pattern, by, most)
    check_pattern("string.gsub", text, pattern)
    return gsub(text, pattern, by, most)
  end
  strings.rep = function(text, count, separator)
    count = tonumber(count) -- Lua takes "4e9" as well
    if count and (count > REP_MAX or
      (#tostring(text) + #tostring(separator or "")) * count > REP_MAX) then
      fail_here("string.rep makes at most " .. REP_MAX .. " bytes; make a shorter text")
    end
    return rep(text, count, separator)
  end
  return strings
end

local function careful_move(from, first, last, at, to)
  first, last = tonumber(first), tonumber(last) -- Lua takes "1e9" as well
  if first and last and last - first > MOVE_MAX then
    fail_here("table.move moves at most " .. MOVE_MAX .. " elements; move fewer")
  end
  return move(from, first, last, at, to or from)
end

local function careful_setmetatable(value, meta)
  if type(meta) == "table" and rawget(meta, "__gc") ~= nil then
    fail_here("__gc is not available: a finalizer that does not end could not be stopped; do without")
  end
  return setmetatable(value, meta)
end

-- teams.busy and the like are texts; the table knows which there are.
local function presences(plane, names)
  local known = {}
  for _, name in ipairs(names) do
    if sub(name, 1, #plane + 1) == plane .. "." then
      known[sub(name, #plane + 2)] = name
    end
  end
  return setmetatable({}, {
    __index = function(_, key)
      local name = known[key]
      if not name then
        local all = {}
        for short in next, known do
          all[#all + 1] = short
        end
        sort(all)
        fail_here("there is no " .. plane .. "." .. tostring(key) .. "; there are: " .. concat(all, " "))
      end
      return name
    end,
    __newindex = function()
      fail_here(plane .. " cannot be changed; use a local variable")
    end,
    __metatable = false,
  })
end

local function environment(arguments, names, with_hooks)
  local strings = library_of_strings()
  local tables = { pack = table.pack }
  for _, name in ipairs({ "concat", "insert", "remove", "sort", "unpack" }) do
    tables[name] = plain_table(name, table[name])
  end
  tables.move = careful_move
  local env = {
    assert = assert, error = error, getmetatable = getmetatable, ipairs = ipairs, next = next, pairs = pairs,
    pcall = pcall, rawequal = rawequal, rawget = rawget, rawlen = rawlen, rawset = rawset, select = select,
    setmetatable = careful_setmetatable, tonumber = tonumber, tostring = tostring, type = type, _VERSION = _VERSION,
    print = plain_print, string = strings, table = tables, math = math, utf8 = utf8,
    os = pick(os, "clock date difftime time"), -- not getenv: the environment may hold what is not the script's
    graph = graph, sleep = sleep, log = log, arg = arguments,
    teams = presences("teams", names), session = presences("session", names),
    preferred = presences("preferred", names),
    events = function(path)
      return records("events", path)
    end,
    rows = function(path)
      return records("rows", path)
    end,
  }
  if with_hooks then
    for name, maker in next, hook_makers do
      env[name] = maker
    end
  end
  env._G = env
  -- ("x"):rep is reached through the metatable of all texts.
  local methods = getmetatable("")
  methods.__index, methods.__metatable = strings, false
  return setmetatable(env, {
    __index = function(_, name)
      local why = withheld[name]
      if why then
        fail_here(name .. " is not available: " .. why[1] .. "; " .. why[2])
      end
    end,
    __metatable = false,
  })
end

-- ---- The doors of the host ----

local chunk, chunk_arguments

function script.open(source, path, arguments, names, with_hooks)
  if byte(source) == 35 then -- a first line of "#!" is the shell's
    source = "--" .. source
  end
  if byte(source) == 27 then
    error(path .. ": this is compiled Lua; give its source", 0)
  end
  local env = environment(arguments, names, with_hooks)
  local compiled, why = load(source, "@" .. path, "t", env)
  if not compiled then
    error(why, 0)
  end
  arguments[0] = path
  chunk, chunk_arguments = compiled, pack(unpack(arguments))
end

function script.main()
  local result = chunk(unpack(chunk_arguments, 1, chunk_arguments.n))
  return { no = result == false, said = script.drain() }
end

return script
