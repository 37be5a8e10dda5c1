-- Audit: who shows something else than expected? Exit code 1 when somebody does.
--
--     presenced script audit.lua expected.csv
--
-- expected.csv has the columns upn and presence, as Graph names it: "Busy" or "Busy InACall".
local path = arg[1] or error("usage: presenced script audit.lua EXPECTED.csv", 0)

local expected = {}
for row, line in assert(rows(path)) do
  if (row.upn or "") == "" or (row.presence or "") == "" then
    error(("%s:%d: the columns upn and presence must be filled in"):format(path, line), 0)
  end
  expected[#expected + 1] = row
end

local differing, unknown = 0, 0
local shown, failed = graph.each(expected, function(row)
  return graph.presence(row.upn)
end)

for i, row in ipairs(expected) do
  local availability, activity = row.presence:match("^(%S+)[ /]*(%S*)$")
  local presence = shown[i]
  if not presence then
    unknown = unknown + 1
    print(row.upn .. ": " .. failed[i].message)
  elseif presence.availability:lower() ~= tostring(availability):lower() or
    (activity ~= "" and presence.activity:lower() ~= tostring(activity):lower()) then
    differing = differing + 1
    print(("%s: expected %s, shows %s %s"):format(row.upn, row.presence, presence.availability, presence.activity))
  end
end
print(("%d as expected, %d differ, %d could not be asked"):format(#expected - differing - unknown, differing, unknown))
return differing + unknown == 0
