-- A municipality's contact centre: opening hours, one late evening, and messages that say when someone is back.
--
-- Outside of the opening hours a phone that is still logged in says nothing: the presence is left to Teams. The clock
-- alone does that; no event has to come at closing time.
ruleset {
  name = "municipality",
  extends = "lib/voice.lua",
  timezone = "Europe/Amsterdam", -- summer time included

  -- Town halls close. The end of a span is exclusive: at 17:00 sharp it is over.
  rules = { -- the first that matches wins
    rule "closing late on Thursday" {
      when = { state = "Ready", days = "Thu", between = "09:00-20:00" },
      show = teams.available,
    },
    rule "closed, night" {
      when = { state = { "Ready", "NotReady" }, between = "17:00-09:00" },
      show = clear,
    },
    rule "closed, weekend" {
      when = { state = { "Ready", "NotReady" }, days = "Sat-Sun" },
      show = clear,
    },

    rule "at the counter" {
      why = "people stand in front of them; a chat has to wait",
      when = { state = "NotReady", reason = { "COUNTER", text.glob "COUNTER *" } },
      show = teams.do_not_disturb,
      expires = "2h",
      message = "At the counter until {expires} at the latest",
    },
  },

  reasons = {
    -- Lunch has a message with its own end, and whoever forgets to come back is away, not at lunch for ever.
    LUNCH = teams.be_right_back { expires = "30m", afterwards = teams.away { expires = "2h" },
                                  message = "At lunch, back at {expires}" },
    BREAK = teams.be_right_back { expires = "15m" },
    MEETING = teams.busy { expires = "1h", message = "In a meeting until {expires}" },
    ["Council meeting"] = teams.do_not_disturb { expires = "4h", message = "In the council until {expires}" },
    ["Field visit"] = teams.busy { expires = "3h", message = "Out on a visit, back at {expires}" },
    EMAIL = teams.busy { expires = "2h" },
    [90] = teams.away { expires = "1h" }, -- the switchboard's number for "other"
  },

  tests = {
    { "open", { state = "Ready", at = "2026-01-05 09:00" }, teams.available },
    { "open, in summer time", { state = "Ready", at = "2026-07-06 09:00" }, teams.available },
    { "not yet open, in summer time", { state = "Ready", at = "2026-07-06 08:59" }, clear },
    { "closed at five sharp", { state = "Ready", at = "2026-01-05 17:00" }, clear },
    { "open late on Thursday", { state = "Ready", at = "2026-01-08 19:59" }, teams.available },
    { "closed on Thursday at eight", { state = "Ready", at = "2026-01-08 20:00" }, clear },
    { "closed on Saturday", { state = "Ready", at = "2026-01-10 12:00" }, clear },
    { "a call that lasts past five", { state = "Talking", at = "2026-01-05 17:10" }, teams.in_a_call },
    { "lunch", { state = "NotReady", reason = "LUNCH", at = "2026-01-05 12:00" },
      teams.be_right_back { expires = "30m", message = "At lunch, back at 12:30" } },
    { "lunch, and not come back", steps = {
      { state = "NotReady", reason = "LUNCH", at = "2026-01-05 12:00" },
      { wait = "40m" },
    }, shows = "Away" },
    { "closing time comes without an event", steps = {
      { state = "Ready", at = "2026-01-05 16:30" },
      { wait = "45m" },
    }, clear },
    { "counter 3", { state = "NotReady", reason = "Counter 3" }, teams.do_not_disturb { expires = "2h" } },
  },
}
