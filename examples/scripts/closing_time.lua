-- Closing time: removes what we show for everyone who is named in a file, so that nobody stays "in a call" over night.
--
--     presenced script closing_time.lua agents.csv
--
-- agents.csv has a column upn. What people chose in Teams themselves is cleared as well where it is on the preferred
-- plane: it has no owner (see rules/README.md).
local path = arg[1] or error("usage: presenced script closing_time.lua AGENTS.csv", 0)

local people = {}
for row in assert(rows(path)) do
  people[#people + 1] = row.upn or error("the list has no column upn; write upn in its first line", 0)
end

local _, failed = graph.each(people, function(upn)
  return graph.clear(upn, { why = "closing time" })
end)

local cleared = #people
for i, upn in ipairs(people) do
  local err = failed[i]
  if err then
    cleared = cleared - 1
    print(upn .. ": not cleared: " .. err.message)
  end
end
print(("%d of %d cleared"):format(cleared, #people))
return cleared == #people -- false: exit code 1
