-- A drill: a team shows another presence for a while, and then what it showed before is left to the rules again.
--
--     presenced script drill.lua agents.csv teams.do_not_disturb 300
--
-- agents.csv has a column upn; the last argument is how long it takes, in seconds (default: five minutes).
local path, presence, seconds = arg[1], arg[2] or "teams.do_not_disturb", tonumber(arg[3] or 300)
if not path or not seconds then
  error("usage: presenced script drill.lua AGENTS.csv [PRESENCE [SECONDS]]", 0)
end

local team = {}
for row in assert(rows(path)) do
  team[#team + 1] = row.upn or error("the list has no column upn; write upn in its first line", 0)
end

local function all(what, action)
  local _, failed = graph.each(team, action)
  local count = #team
  for i, upn in ipairs(team) do
    if failed[i] then
      count = count - 1
      log("error", upn .. ": " .. failed[i].message)
    end
  end
  print(("%s: %d of %d"):format(what, count, #team))
  return count == #team
end

-- The hold ends by itself soon after the drill, also when this script is interrupted. Graph takes 5 minutes at least.
local hold = math.max(seconds, 240) + 60
local begun = all("drill begun", function(upn)
  return graph.publish(upn, presence, { hold = hold, why = "drill" })
end)
sleep(seconds)
local ended = all("drill ended", graph.release)
return begun and ended
