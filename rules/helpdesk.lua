-- A helpdesk for the staff of one company: first and second line, a service counter, a VIP line.
--
-- What each reason code shows stands in codes.csv, which opens in any spreadsheet: one line a code. Save it and the
-- change is live a moment later; a line that cannot be right is refused, with its number, and the old table stays.
-- The states of the telephone system come from lib/voice.lua. Here stands only what is special.
ruleset {
  name = "helpdesk",
  extends = "lib/voice.lua",
  timezone = "Europe/London", -- for {expires} in messages

  rules = { -- the first that matches wins
    rule "major incident" {
      why = "whoever works on an outage is not to be asked how long it will take",
      when = { state = "NotReady", reason = { "INCIDENT", "BRIDGE", "P1" } },
      show = teams.do_not_disturb,
      expires = "4h",
      message = "Working on an outage; see the status page",
    },

    -- The second line takes no calls from the queue: Ready means that they are at their tickets.
    rule "second line at work" {
      when = { state = "Ready", team = { "L2", "Second line" } },
      show = teams.busy { expires = "4h" },
    },

    rule "VIP line" {
      why = "they are to be free when the phone rings, so nobody should start a chat with them",
      when = { state = "Ready", queue = text.glob "VIP*" },
      show = teams.busy,
      message = "On the VIP line",
    },

    -- Many calls are done within half a minute. Only longer work after a call is worth showing.
    rule "short wrap-up" {
      when = { state = "WrapUp", team = not_ { "L2", "Second line" } },
      show = teams.in_a_call,
      expires = "10m",
      delay = "30s",
    },
  },

  reasons = codes "codes.csv",

  tests = {
    { "lunch", { state = "NotReady", reason = "lunch" }, teams.be_right_back { expires = "45m" } },
    { "an appraisal", { state = "NotReady", reason = "1:1" }, teams.busy { expires = "1h" } },
    { "the dialler's number 47", { state = "NotReady", reason = 47 }, teams.away { expires = "2h" } },
    { "an outage", { state = "NotReady", reason = "P1" }, teams.do_not_disturb { expires = "4h" } },
    { "first line, waiting", { state = "Ready", team = "L1" }, teams.available },
    { "second line, at their tickets", { state = "Ready", team = "L2" }, teams.busy },
    { "VIP line", { state = "Ready", queue = "VIP-EN" }, teams.busy { message = "On the VIP line" } },
    { "a short wrap-up changes nothing", steps = {
      { state = "Ready" },
      { state = "WrapUp", wait = "5m" },
      { wait = "20s" },
    }, teams.available },
    { "a long one shows", steps = {
      { state = "Ready" },
      { state = "WrapUp", wait = "5m" },
      { wait = "40s" },
    }, shows = "Busy" },
    { "gone home, with a code left over", { state = "LoggedOff", reason = "P1" }, clear },
    { "a call during lunch elsewhere", steps = {
      { ucc = "phone", state = "NotReady", reason = "LUNCH" },
      { ucc = "chat", state = "Talking", wait = "2m" },
    }, shows = "Busy" },
  },
}
