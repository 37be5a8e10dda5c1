-- Trusted Lua (lua/) is plain Lua 5.4. Rulesets (rules/, examples/) see the rule language instead of the standard library.
std = "lua54"
max_line_length = 120
files["rules/**/*.lua"] = { std = "lua54+presenced" }
files["examples/**/*.lua"] = { std = "lua54+presenced" }
stds.presenced = {
  read_globals = { "ruleset", "rule", "teams", "session", "preferred", "clear", "keep", "text", "time", "not_" },
}
