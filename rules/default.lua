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
}
