ruleset {
  name = "third",
  hold = "anchor",
  reasons = {
    LUNCH = teams.be_right_back { expires = "40m", afterwards = teams.available { expires = "30m" } },
    NOTE = teams.available { expires = "1h", message = "ask me" },
    SHORT = session.in_a_call { expires = "10m" },
    COACH = teams.offline { expires = "30m" },
    SLOW = teams.available { delay = "2m", expires = "20m" },
  },
  states = {
    Ready = teams.available, Talking = teams.in_a_call, WrapUp = teams.available { expires = "5m" },
    NotReady = teams.away, Ringing = keep, LoggedOff = clear,
  },
}
