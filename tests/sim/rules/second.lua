ruleset {
  name = "second",
  reasons = {
    LUNCH = teams.busy { expires = "1h" },
    NOTE = teams.be_right_back { expires = "1h", message = "another text" },
    SHORT = session.in_a_conference_call { expires = "10m" },
    COACH = teams.do_not_disturb { expires = "30m" },
    SLOW = teams.away { delay = "1m", expires = "30m" },
  },
  states = {
    Ready = teams.available, Talking = session.presenting, WrapUp = teams.busy { expires = "6m" },
    NotReady = session.available, Ringing = keep, LoggedOff = clear,
  },
}
