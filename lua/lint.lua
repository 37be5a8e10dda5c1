-- What is most probably a mistake in a ruleset, but no error: warnings, "FILE:LINE: WHAT; WHAT TO WRITE". `check` shows
-- them, and `check --strict` refuses them.
local words = require("words")
local conditions = require("conditions")

local lint = {}

local MESSAGE_MAX = 280     -- characters, as Teams takes them
local WARNINGS_MAX = 100
local COMPARED_MAX = 400000 -- pairs of conditions; many hundred rules are compared only in part

local function shadows(set, warn)
  local compared = 0
  for i, later in ipairs(set.rules) do
    for j = 1, i - 1 do
      local earlier = set.rules[j]
      compared = compared + 1 + #(later.conditions or {}) * #(earlier.conditions or {})
      if compared > COMPARED_MAX then
        return
      end
      if conditions.shadowed(later, earlier) then
        warn(later.entry.place, later.entry.label .. " is never asked: " .. earlier.entry.label .. " at " ..
          earlier.entry.place .. " answers all that it would", "put it in front, or remove it")
        break
      end
    end
  end
end

local function check_outcome(outcome, warn)
  if outcome.session == "session.away" and not outcome.preferred then
    warn(outcome.place, outcome.rule .. " shows session.away, which nobody sees while Teams is open",
      "write teams.away")
  end
  local message = outcome.message
  if message and utf8.len(message) > MESSAGE_MAX then
    warn(outcome.place, outcome.rule .. " has a message of " .. utf8.len(message) .. " characters",
      "write at most " .. MESSAGE_MAX .. "; Teams takes no more, the rest is cut")
  end
  if message and string.find(message, "{expires}", 1, true) and not outcome.expires_given then
    warn(outcome.place, outcome.rule .. " says {expires} but has no expires", 'write expires = "1h" beside it')
  end
end

local function each_entry(set, visit)
  for _, rule in ipairs(set.rules) do
    visit(rule.entry)
  end
  for _, entries in ipairs({ set.reasons, set.states }) do
    for _, key in ipairs(words.sorted_keys(entries)) do
      visit(entries[key])
    end
  end
  visit(set.unmatched)
  if set.on_error then
    visit(set.on_error)
  end
end

-- Somebody who logs off must be taken back by something.
local function check_clears(set, warn, place)
  local clears = next(set.states) == nil and set.unmatched.kind == "clear"
  for _, rule in ipairs(set.rules) do
    clears = clears or rule.entry.kind == "clear" or rule.entry.fn ~= nil
  end
  for _, entry in next, set.states do
    clears = clears or entry.kind == "clear" or entry.fn ~= nil
  end
  if not clears then
    warn(place, "no state ever clears: who logs off keeps the presence until its hold is over",
      "write LoggedOff = clear into states")
  end
end

-- Never the default: who writes it must have read what it costs.
local function check_anchor(set, warn)
  if set.anchors then
    warn(set.places.hold, 'hold = "anchor" makes Available a preferred presence: it hides a call, a meeting or a Do ' ..
      "not disturb that no contact centre has reported, and overwrites the person's own choice",
      "leave hold out unless `presenced capacity` says that the budget does not carry the refreshes")
  end
end

-- A list of texts. outcomes: what the host was told, by id; time_place: where time.* is used, or nil.
function lint.check(set, outcomes, place, time_place)
  local warnings = {}
  local function warn(where, what, remedy)
    if #warnings < WARNINGS_MAX then
      warnings[#warnings + 1] = where .. ": " .. what .. "; " .. remedy
    end
  end
  shadows(set, warn)
  each_entry(set, function(entry)
    if not entry.fn then
      check_outcome(outcomes[entry.id], warn)
    end
  end)
  check_clears(set, warn, place)
  check_anchor(set, warn)
  if time_place then
    warn(time_place, "a function that uses time.* is not asked again when that time has passed",
      "use between and days in `when` where you can")
  end
  return warnings
end

return lint
