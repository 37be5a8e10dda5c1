-- Evening: whoever still shows something at eight was forgotten by their contact centre. It is removed until they log
-- on again. And what Graph refuses is summed up once an hour.
--
--     <Script File="policies/evening.lua"/>     in config.xml, beside the accounts
local shown = {} -- agents, by contact centre and name, of whom something is shown
local refused = 0

on.decision(function(event, decision)
  local key = event.ucc .. " " .. event.agent
  if decision.kind == "show" then
    shown[key] = event.agent
  elseif decision.kind ~= "keep" then
    shown[key] = nil
  end
end)

on.outcome(function(_, outcome)
  if outcome.code == "refused" or outcome.code == "forbidden" then
    refused = refused + 1
  end
end)

at("20:00 Europe/Amsterdam", function()
  local people = {}
  for _, agent in pairs(shown) do
    people[#people + 1] = agent
  end
  shown = {}
  local cleared = graph.each(people, function(agent)
    return graph.clear(agent, { hold = "12h", why = "evening" })
  end)
  log("info", ("%d of %d agents cleared for the night"):format(#cleared, #people))
end)

every("1h", function()
  if refused > 0 then
    log("warn", refused .. " requests were refused in the last hour; see `presenced status --agents`")
    refused = 0
  end
end)
