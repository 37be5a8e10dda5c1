-- Trusted Lua (lua/) is plain Lua 5.4. Rulesets (rules/, examples/) see the rule language instead of the standard library.
std = "lua54"
max_line_length = 120
files["rules/**/*.lua"] = { std = "lua54+presenced" }
files["tests/**/*.lua"] = { std = "lua54+presenced" }
files["examples/**/*.lua"] = { std = "lua54+presenced" }
stds.presenced = {
  read_globals = { "ruleset", "rule", "teams", "session", "preferred", "clear", "keep", "never", "codes", "text",
    "time", "not_" },
}
-- Scripts have their own primitives besides.
files["examples/scripts/*.lua"] = { std = "lua54+presenced+script" }
files["examples/policies/*.lua"] = { std = "lua54+presenced+script+policy" }
-- Scenarios are graphsim's; `teams` and `preferred` are functions there.
files["examples/scenarios/*.lua"] = { std = "lua54+scenario" }
stds.scenario = { read_globals = { "wait", "faults", "retry_after", "teams", "preferred", "users", "say" } }
stds.policy = { read_globals = { "on", "every", "at" } }
stds.script = { read_globals = { "graph", "events", "rows", "sleep", "log", "arg" } }
-- Declarations for editors: it defines everything and runs nowhere.
files["lua/presence.d.lua"] = { ignore = { "1..", "2..", "631" } }
