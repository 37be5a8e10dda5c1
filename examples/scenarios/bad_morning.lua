-- A bad morning at Microsoft, in a quarter of a minute:
--   graphsim --dir DIR --scenario examples/scenarios/bad_morning.lua
-- What stands before the first wait holds from the beginning.

-- Two people have Teams open already; one of them has chosen not to be disturbed.
teams("agent001@contoso.com", "Available")
teams("agent002@contoso.com", "Busy", "InAMeeting")
preferred("agent003@contoso.com", "DoNotDisturb")

-- The budget is counted per application and tenant: somebody else with our application uses it up.
say "a noisy neighbour: every other request is throttled"
retry_after "1s"
faults { "throttle:0.5", "lookup-throttle:0.2" }
wait "4s"

-- Nothing works for a while, tokens neither. Some of what seems to fail is done all the same.
say "an outage"
faults { "503:0.7", "lost", "token-500", "lookup-500" }
wait "4s"

-- It comes back slowly, and meanwhile the directory has changed.
say "the services come back"
faults { "502:0.2", "slow:0.1:10" }
users.rename("agent004@contoso.com", "anna.married@contoso.com")
users.add "agent004@contoso.com"   -- the name goes to somebody new
users.unlicense "agent005@contoso.com"
wait "4s"

users.license "agent005@contoso.com"
faults {}
for number = 6, 10 do
  teams(("agent%03d@contoso.com"):format(number), "Available")
end
say "all is well"
