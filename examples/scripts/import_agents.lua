-- Import: checks a list of agents against the directory before it goes into production. Exit code 1 when there is
-- something to mend.
--
--     presenced script import_agents.lua agents.csv
--
-- agents.csv has a column upn and, if you have it, a column id (the object id): with it a renamed person is found.
-- Reported are agents who are unresolved, disabled, guests, named twice, or renamed.
local path = arg[1] or error("usage: presenced script import_agents.lua AGENTS.csv", 0)

local agents = {}
for row, line in assert(rows(path)) do
  row.line = line
  if not row.upn then
    error(("%s:1: there is no column upn"):format(path), 0)
  end
  agents[#agents + 1] = row
end

-- The user, or nil and why; a 404 is an answer, anything else a failure.
local function find(agent)
  local user, err = graph.lookup(agent.upn)
  if not user and err.code == "no_such_user" and (agent.id or "") ~= "" then
    user, err = graph.lookup(agent.id)
  end
  return user, err
end

local found, failed = graph.each(agents, find)

local count, first_line = { good = 0 }, {}
local function report(agent, what, detail)
  count[what] = (count[what] or 0) + 1
  print(("%s:%d: %s: %s%s"):format(path, agent.line, agent.upn, what, detail and " (" .. detail .. ")" or ""))
end

for i, agent in ipairs(agents) do
  local user = found[i]
  if not user then
    local unknown = failed[i].code == "no_such_user"
    report(agent, unknown and "unresolved" or "not asked", not unknown and failed[i].message or nil)
  elseif first_line[user.id] then
    report(agent, "duplicate", "of line " .. first_line[user.id])
  else
    first_line[user.id] = agent.line
    if user.upn:lower() ~= agent.upn:lower() then
      report(agent, "renamed", "now " .. user.upn)
    elseif not user.account_enabled then
      report(agent, "disabled")
    elseif user.user_type == "Guest" then
      report(agent, "guest")
    else
      count.good = count.good + 1
    end
  end
end

print(("%d of %d agents are fine"):format(count.good, #agents))
return count.good == #agents
