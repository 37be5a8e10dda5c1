-- A fragment: the states of a telephone system, for rulesets that only want to say what is special at their site.
--
--     ruleset { extends = "lib/voice.lua", reasons = { ... } }
--
-- Whatever the outer file says again replaces what stands here, key by key: states = { WrapUp = teams.busy } changes
-- that one state and leaves the others.
ruleset {
  name = "voice",

  -- A reason code says why someone is not ready. In other states it is often left over, so it does not count there.
  reason_states = { "NotReady", "Not Ready", "Pause", "Paused" },

  states = {
    Ready = teams.available,

    -- A ringing phone changes nothing until it is answered.
    Ringing = keep,
    Alerting = keep,

    Talking = teams.in_a_call,
    Hold = teams.in_a_call,
    Conference = teams.in_a_conference_call,

    -- Work after the call. It has an end: a forgotten wrap-up must not show a call all evening.
    WrapUp = teams.in_a_call { expires = "10m" },

    -- Not ready, for a reason that the ruleset does not name, or for none.
    NotReady = teams.away,
    ["Not Ready"] = teams.away,
    Pause = teams.away,
    Paused = teams.away,

    -- Logged in, but nothing chosen yet; and gone, which wins over every reason.
    LoggedOn = keep,
    LoggedOff = clear,
  },

  tests = {
    { "waiting for a call", { state = "Ready" }, teams.available },
    { "on the phone", { state = "Talking" }, teams.in_a_call },
    { "after the call", { state = "WrapUp" }, teams.in_a_call { expires = "10m" } },
    { "not ready, and nobody says why", { state = "NotReady" }, teams.away },
    { "going home wins over the reason that is left over", { state = "LoggedOff", reason = "LUNCH" }, clear },
    { "a state that nobody has told us about", { state = "Hovering" }, clear },
  },
}
