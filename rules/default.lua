-- The ruleset that presenced uses when none is configured, and a good one to copy and edit.
--
-- It says what Teams shows for each state and reason code of an agent. On the left stands what your contact centre
-- reports; upper and lower case and spaces around it do not matter. On the right stands what colleagues see:
--
--     teams.available  teams.in_a_call  teams.in_a_conference_call  teams.presenting  teams.busy
--     teams.do_not_disturb  teams.be_right_back  teams.away  teams.offline
--
-- `expires` ends it even when no further event comes: nobody is at lunch for ever. `clear` takes back what we have set
-- and leaves the presence to Teams; `keep` changes nothing.
--
-- A code that is no plain word stands in brackets and quotes: ["Tech issue"], ["1:1"]. A number needs brackets: [47].
-- Try a change with:  presenced eval my-rules.lua event.json
ruleset {
  name = "default",

  -- A reason code says why someone is not ready. In other states it is often left over, so it does not count there.
  reason_states = { "NotReady", "Not Ready", "Pause", "Paused", "Unavailable", "AUX" },

  reasons = {
    -- Away from the desk, and back soon.
    LUNCH = teams.be_right_back { expires = "1h" },
    BREAK = teams.be_right_back { expires = "30m" },
    COFFEE = teams.be_right_back { expires = "20m" },

    -- Away for longer, or for reasons that are nobody's business.
    PERSONAL = teams.away { expires = "2h" },
    DOCTOR = teams.away { expires = "4h" },
    [47] = teams.away { expires = "2h" }, -- many dialers number their codes; 47 is an example

    -- Talking with people.
    MEETING = teams.busy { expires = "2h" },
    TEAMMEETING = teams.busy { expires = "2h" },
    ["1:1"] = teams.busy { expires = "1h" },
    SUPERVISOR = teams.busy { expires = "1h" },

    -- Not to be interrupted at all.
    COACHING = teams.do_not_disturb { expires = "2h" },
    TRAINING = teams.do_not_disturb { expires = "4h" },

    -- At work, but not on the phone.
    BACKOFFICE = teams.busy { expires = "4h" },
    EMAIL = teams.busy { expires = "4h" },
    CHAT = teams.busy { expires = "4h" },
    ADMIN = teams.busy { expires = "4h" },
    PAPERWORK = teams.busy { expires = "4h" },
    OUTBOUND = teams.busy { expires = "4h" },
    PROJECT = teams.busy { expires = "8h" },
    ["Tech issue"] = teams.busy { expires = "2h" },
  },

  states = {
    -- Waiting for the next call.
    Ready = teams.available,
    Available = teams.available,
    Idle = teams.available,
    Waiting = teams.available,

    -- A ringing phone changes nothing until it is answered.
    Ringing = keep,
    Alerting = keep,
    Offering = keep,
    Reserved = keep,

    -- On the phone.
    Talking = teams.in_a_call,
    InCall = teams.in_a_call,
    OnCall = teams.in_a_call,
    Connected = teams.in_a_call,
    Dialing = teams.in_a_call,
    Hold = teams.in_a_call,
    OnHold = teams.in_a_call,
    Conference = teams.in_a_conference_call,

    -- Work after the call. It has an end: a forgotten wrap-up must not show a call all evening.
    WrapUp = teams.in_a_call { expires = "10m" },
    ["Wrap Up"] = teams.in_a_call { expires = "10m" },
    AfterCallWork = teams.in_a_call { expires = "10m" },
    ACW = teams.in_a_call { expires = "10m" },

    -- Not ready, and for a reason that does not stand above, or for none.
    NotReady = teams.away,
    ["Not Ready"] = teams.away,
    Pause = teams.away,
    Paused = teams.away,
    Unavailable = teams.away,
    AUX = teams.away,

    -- Logged in, but nothing chosen yet.
    LoggedOn = keep,
    LoggedIn = keep,

    -- Gone. This always wins, whatever reason comes with it.
    LoggedOff = clear,
    ["Logged Off"] = clear,
    LoggedOut = clear,
    LogOff = clear,
    Logout = clear,
    Offline = clear,
  },

  -- A state that is not in the list: we claim nothing that we do not know.
  unmatched = clear,

  -- What must stay true. Run with:  presenced test my-rules.lua
  -- A test is a name, an event, and what the rules must say; or several steps, and what colleagues see in the end.
  tests = {
    { "ready", { state = "Ready" }, teams.available },
    { "a call", { state = "Talking" }, teams.in_a_call },
    { "a conference", { state = "Conference" }, teams.in_a_conference_call },
    { "a ringing phone changes nothing", { state = "Ringing" }, keep },
    { "gone", { state = "LoggedOff" }, clear },
    { "gone, with the last reason still there", { state = "LoggedOff", reason = "LUNCH" }, clear },
    { "case and spaces do not matter", { state = "not ready", reason = " lunch " }, teams.be_right_back },

    { "lunch", { state = "NotReady", reason = "LUNCH" }, teams.be_right_back { expires = "1h" } },
    { "coaching", { state = "NotReady", reason = "COACHING" }, teams.do_not_disturb { expires = "2h" } },
    { "a one-to-one", { state = "NotReady", reason = "1:1" }, teams.busy { expires = "1h" } },
    { "a code that is a number", { state = "NotReady", reason = 47 }, teams.away },
    { "a code that nobody knows", { state = "NotReady", reason = "ZEBRA" }, teams.away },
    { "no reason at all", { state = "NotReady" }, teams.away },
    { "a left-over reason does not count in a call", { state = "Talking", reason = "LUNCH" }, teams.in_a_call },
    { "a state that nobody knows", { state = "Zebra" }, clear },

    { "a call in one contact centre beats a lunch in another",
      steps = { { ucc = "a", state = "NotReady", reason = "LUNCH" }, { ucc = "b", state = "Talking", wait = "2m" } },
      shows = "Busy" },
    { "a forgotten lunch ends", steps = { { state = "NotReady", reason = "LUNCH" }, { wait = "1h" } }, clear },
    { "a forgotten wrap-up ends", steps = { { state = "WrapUp" }, { wait = "10m" } }, shows = "Offline" },
    { "the phone rings during wrap-up", steps = { { state = "WrapUp" }, { state = "Ringing", wait = "1m" } },
      teams.in_a_call },
    { "the shift ends", steps = { { state = "Talking" }, { state = "LoggedOff", wait = "1h" } }, shows = "Offline" },
  },
}
