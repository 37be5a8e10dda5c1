ruleset {
  name = "first",
  reasons = {
    LUNCH = teams.be_right_back { expires = "45m" },
    NOTE = teams.busy { expires = "1h", message = "back soon" },
    SHORT = session.in_a_call { expires = "10m" },
    COACH = teams.do_not_disturb { expires = "30m", message = "coaching" },
    SLOW = teams.away { delay = "2m", expires = "20m" },
  },
  states = {
    Ready = teams.available, Talking = teams.in_a_call, WrapUp = teams.in_a_call { expires = "5m" },
    NotReady = teams.away, Ringing = keep, LoggedOff = clear,
  },
}
