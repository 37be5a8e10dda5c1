-- A hospital's switchboard, ward desks and doctors on call.
--
-- Three things are special here. Who is on call shows so outside of the working day, with the pager as the way to
-- reach them. What is private looks like any other absence, and works council business is not published at all: both
-- come from lib/private.lua. And the two minutes of hand disinfection between patients are not worth a change.
ruleset {
  name = "hospital",
  extends = "lib/private.lua",
  timezone = "Europe/Berlin",

  rules = { -- the first that matches wins; those of lib/private.lua come behind these
    -- Not to be disturbed whatever the clock says, so it stands in front of the duty roster.
    rule "in theatre" {
      when = { state = "NotReady", reason = { "THEATRE", "OP", text.glob "OP *" } },
      show = teams.do_not_disturb,
      expires = "6h",
      message = "In theatre; the ward desk takes messages",
    },

    -- `duty` is an attribute that the roster puts into each event. A span over midnight belongs to the evening on which
    -- it began: Friday's ends on Saturday at 7.
    rule "on call, at night" {
      when = { state = { "Ready", "NotReady" }, duty = "on-call", days = "Mon-Fri", between = "17:00-07:00" },
      show = teams.busy,
      message = "On call: for emergencies, pager 4711",
    },
    rule "on call, at the weekend" {
      when = { state = { "Ready", "NotReady" }, duty = "on-call", days = "Sat-Sun" },
      show = teams.busy,
      message = "On call: for emergencies, pager 4711",
    },

    -- Shown only if it takes longer than usual.
    rule "hand disinfection" {
      when = { state = "NotReady", reason = { "HYGIENE", "DISINFECT" } },
      show = teams.be_right_back,
      expires = "15m",
      delay = "2m",
    },
  },

  reasons = {
    BREAK = teams.be_right_back { expires = "30m" },
    ["Ward round"] = teams.busy { expires = "3h", message = "On the ward round until {expires}" },
    Handover = teams.do_not_disturb { expires = "30m" },
    DOCUMENTATION = teams.busy { expires = "2h" },
    -- A night's rest after duty: nobody is to be called back by a presence that ran out.
    REST = teams.offline { expires = "12h" },
    -- Training ends at a fixed time, but people come back late: an hour more, then nothing is claimed.
    TRAINING = teams.do_not_disturb { expires = "4h", afterwards = teams.away { expires = "1h" } },
  },

  tests = {
    { "switchboard, waiting", { state = "Ready" }, teams.available },
    { "in theatre 3", { state = "NotReady", reason = "OP 3" }, teams.do_not_disturb { expires = "6h" } },
    { "on call, in the evening", { state = "Ready", duty = "on-call", at = "2026-01-05 19:30" },
      teams.busy { message = "On call: for emergencies, pager 4711" } },
    { "on call, Friday's night ends on Saturday", { state = "Ready", duty = "on-call", at = "2026-01-10 06:59" },
      teams.busy },
    { "on call, Sunday noon", { state = "Ready", duty = "on-call", at = "2026-01-11 12:00" }, teams.busy },
    { "the roster says on call, but it is noon", { state = "Ready", duty = "on-call", at = "2026-01-06 12:00" },
      teams.available },
    { "on call, and on the phone", { state = "Talking", duty = "on-call", at = "2026-01-05 23:00" },
      teams.in_a_call },
    { "the night ends by the clock alone", steps = {
      { state = "Ready", duty = "on-call", at = "2026-01-06 06:30" },
      { wait = "1h" },
    }, teams.available },
    { "works council", { state = "NotReady", reason = "COUNCIL" }, never },
    { "disinfecting hands changes nothing at first", steps = {
      { state = "Ready" },
      { state = "NotReady", reason = "HYGIENE", wait = "10m" },
      { wait = "1m" },
    }, shows = "Available" },
    { "and is shown when it takes long", steps = {
      { state = "Ready" },
      { state = "NotReady", reason = "HYGIENE", wait = "10m" },
      { wait = "3m" },
    }, shows = "BeRightBack" },
    { "late back from training", steps = {
      { state = "NotReady", reason = "TRAINING" },
      { wait = "4h30m" },
    }, shows = "Away" },
  },
}
