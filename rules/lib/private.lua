-- A fragment: lib/voice.lua with the reasons that are nobody's business. All of them look the same from outside: away,
-- without a word, and back at the latest after the time given.
--
-- It also holds the rule that works councils ask for first: who is away on their business is not published at all, by
-- no contact centre, until the next state. It stands in `rules`, so it wins over every table.
ruleset {
  name = "private",
  extends = "voice.lua",

  rules = {
    rule "works council" {
      why = "agreed with the works council: their work is not to be seen from outside",
      when = { state = { "NotReady", "Not Ready", "Pause", "Paused" },
               reason = { "WORKS COUNCIL", "COUNCIL", "STAFF REP", "EQUALITY" } },
      show = never,
    },
  },

  reasons = {
    PERSONAL = teams.away { expires = "2h" },
    DOCTOR = teams.away { expires = "4h" },
    ["Doctor's appointment"] = teams.away { expires = "4h" },
    UNION = teams.away { expires = "4h" },
  },

  tests = {
    { "works council business is not published", { state = "NotReady", reason = "Works Council" }, never },
    { "a left-over reason does not hide a call", { state = "Talking", reason = "COUNCIL" }, teams.in_a_call },
    { "at the doctor's", { state = "NotReady", reason = "DOCTOR" }, teams.away { expires = "4h" } },
  },
}
