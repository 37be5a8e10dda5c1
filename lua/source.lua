-- What only the source of a ruleset tells: on which line a table's key stands, whether one stands twice, which global
-- names are used, and what was meant by a line that Lua does not understand.
local words = require("words")
local find, sub, match, gsub = string.find, string.sub, string.match, string.gsub

local source = {}

local LINE_SHOWN = 200 -- longer lines are not repeated in an error

-- ---- Tokens ----

-- Behind a long bracket that opens at `at`: "[==[", or nil.
local function long_bracket(text, at)
  local level = match(text, "^%[(=*)%[", at)
  if not level then
    return nil
  end
  local _, last = find(text, "]" .. level .. "]", at + #level + 2, true)
  return (last or #text) + 1
end

local function quoted(text, at)
  local quote = sub(text, at, at)
  local here = at + 1
  while true do
    local stop = find(text, "[\\" .. quote .. "]", here)
    if not stop then
      return #text + 1
    end
    if sub(text, stop, stop) == quote then
      return stop + 1
    end
    here = stop + 2
  end
end

local function token_at(text, at)
  local c = sub(text, at, at)
  if find(c, "[%a_]") then
    local _, last = find(text, "^[%w_]+", at)
    local word = sub(text, at, last)
    return words.is_keyword(word) and "keyword" or "name", last + 1
  elseif c == '"' or c == "'" then
    return "string", quoted(text, at)
  elseif c == "[" and long_bracket(text, at) then
    return "string", long_bracket(text, at)
  elseif find(text, "^%.?%d", at) then
    local last = at
    while find(text, "^[%w.]", last + 1) or (find(text, "^[eEpP][+-]", last) and not find(text, "^0[xX].*[eE]", at)) do
      last = last + 1
    end
    return "number", last + 1
  elseif find(text, "^::", at) or find(text, "^[=~<>]=", at) or find(text, "^%.%.", at) then
    return "operator", at + 2
  end
  return "operator", at + 1
end

-- A list of { kind, text, line }. The text has passed Lua's own parser, so this one may be simple.
function source.tokens(text)
  local tokens, at, line = {}, 1, 1
  local function skip(stop)
    local _, breaks = gsub(sub(text, at, stop - 1), "\n", "\n")
    line, at = line + breaks, stop
  end
  while at <= #text do
    local _, space = find(text, "^%s+", at)
    if space then
      skip(space + 1)
    elseif sub(text, at, at + 1) == "--" then
      skip(long_bracket(text, at + 2) or (find(text, "\n", at, true) or #text + 1))
    else
      local kind, stop = token_at(text, at)
      tokens[#tokens + 1] = { kind = kind, text = sub(text, at, stop - 1), line = line }
      skip(stop)
    end
  end
  return tokens
end

-- ---- The outline: table constructors with the lines of their keys ----

local function literal(token)
  if token.kind == "name" then
    return token.text
  end
  return load("return " .. token.text, "=literal", "t", {})() -- a string or number that Lua has already accepted
end

-- The key that begins at token i of a table constructor, and the index of its "=".
local function key_at(tokens, i)
  local first, second = tokens[i], tokens[i + 1]
  if first.kind == "name" and second and second.text == "=" then
    return first.text, i + 1
  end
  local third, fourth = tokens[i + 2], tokens[i + 3]
  if first.text == "[" and second and (second.kind == "string" or second.kind == "number") and third and
    third.text == "]" and fourth and fourth.text == "=" then
    return literal(second), i + 3
  end
end

-- The name in front of a constructor, as in reasons = {, rule "x" { or teams.busy {, and the line where it begins.
local function label_before(tokens, i)
  local token = tokens[i - 1]
  if token and (token.text == "=" or token.text == "(") then
    i = i - 1
    token = tokens[i - 1]
  end
  if token and token.kind == "string" then
    i = i - 1
    token = tokens[i - 1]
  end
  if token and token.kind == "name" then
    local before, owner = tokens[i - 2], tokens[i - 3]
    if before and before.text == "." and owner and owner.kind == "name" then
      return owner.text .. "." .. token.text, owner.line
    end
    return token.text, token.line
  end
  return "", tokens[i] and tokens[i].line or 0
end

local openers = { ["{"] = "}", ["("] = ")", ["["] = "]", ["function"] = "end", ["do"] = "end", ["if"] = "end",
  ["repeat"] = "until" }

-- Fills node.keys: key -> line. A key that stands twice is an error, because Lua silently keeps the second.
local function note_key(name, node, key, line)
  if node.keys[key] then
    words.fail(name .. ":" .. line, words.key(key) .. " stands twice (first in line " .. node.keys[key] .. ")",
      "keep one of the two")
  end
  node.keys[key] = line
end

function source.outline(name, tokens)
  local nodes, stack = {}, {}
  for i, token in ipairs(tokens) do
    local top = stack[#stack]
    local previous = tokens[i - 1]
    if top and top.node and (previous.text == "{" or previous.text == "," or previous.text == ";") and
      token.text ~= "}" then
      local key = key_at(tokens, i)
      if key ~= nil then
        note_key(name, top.node, key, token.line)
      end
    end
    if token.kind == "keyword" or token.kind == "operator" then
      if openers[token.text] then
        local opened = { close = openers[token.text] }
        if token.text == "{" then
          local label, line = label_before(tokens, i)
          opened.node = { label = label, line = line, keys = {} }
          nodes[#nodes + 1] = opened.node
        end
        stack[#stack + 1] = opened
      elseif top and token.text == top.close then
        stack[#stack] = nil
      end
    end
  end
  return nodes
end

-- The line of a key in the first constructor of that label that begins on line `from` or later.
function source.key_line(nodes, label, key, from)
  for _, node in ipairs(nodes) do
    if node.label == label and node.keys[key] and (not from or node.line >= from) then
      return node.keys[key]
    end
  end
end

-- ---- Global names ----

local function declare(tokens, i, declared)
  -- local a <const>, b · for a, b · function f(a, b) · function(a, b): names up to what ends the list
  local stop = { ["="] = true, ["in"] = true, [")"] = true }
  for n = i + 1, #tokens do
    local token = tokens[n]
    if stop[token.text] or (token.kind == "keyword" and token.text ~= "function") or token.kind == "string" then
      return
    end
    if token.kind == "name" then
      declared[token.text] = true
      local following = tokens[n + 1]
      if tokens[i].text == "local" and following and following.text ~= "," and following.text ~= "<" and
        following.text ~= ">" then
        return
      end
    end
  end
end

-- Calls use(name, line) for every name that is declared nowhere in the file. A name declared anywhere counts as
-- declared everywhere: this finds misspelt words, it does not resolve scopes.
function source.each_global(tokens, use)
  local declared = {}
  for i, token in ipairs(tokens) do
    if token.text == "local" or token.text == "for" or token.text == "function" then
      declare(tokens, i, declared)
    end
  end
  for i, token in ipairs(tokens) do
    local before = tokens[i - 1] and tokens[i - 1].text
    local behind = tokens[i + 1] and tokens[i + 1].text
    local key = behind == "=" and (before == "{" or before == "," or before == ";")
    if token.kind == "name" and not declared[token.text] and not key and before ~= "." and before ~= ":" and
      before ~= "::" and before ~= "goto" then
      use(token.text, token.line)
    end
  end
end

-- ---- Syntax errors ----

local function line_of(text, number)
  local at = 1
  for _ = 2, number do
    local stop = find(text, "\n", at, true)
    if not stop then
      return ""
    end
    at = stop + 1
  end
  local stop = find(text, "\n", at, true) or #text + 1
  local line = words.trim(sub(text, at, stop - 1))
  return #line <= LINE_SHOWN and line or ""
end

-- 1:1 = ... and Tech issue = ... lack brackets.
local function forgotten_brackets(line)
  for entry in string.gmatch(line, "[^{},]+") do
    local key, value = match(entry, "^([^=%[%]\"'()]+)=%s*([^=].*)$")
    key = key and words.trim(key)
    if key and key ~= "" and not words.is_name(key) and not match(key, "^local%s") then
      local quote = find(key, "^%d+$") and "" or '"'
      return "write [" .. quote .. key .. quote .. "] = " .. words.trim(value)
    end
  end
end

local function remedy_for(text, what, line)
  local here = line_of(text, line)
  local brackets = forgotten_brackets(here)
  if brackets then
    return brackets
  end
  local near = match(what, "near '(.-)'$") or match(what, "near (<eof>)$")
  if find(what, "'}' expected", 1, true) and near then
    local before = line - 1
    while before > 1 and (line_of(text, before) == "" or find(line_of(text, before), "^%-%-")) do
      before = before - 1
    end
    local previous = gsub(line_of(text, before), "%s*%-%-.*$", "")
    if sub(here, 1, #near) == near and previous ~= "" and not find(previous, "[,;{(=]$") then
      return "a comma is missing in line " .. before .. ": write " .. previous .. ","
    end
    if near == "<eof>" then
      return "close the table with }"
    end
    return "put a comma in front of " .. near .. ", or quotes around a text"
  end
  if find(what, "unfinished string", 1, true) then
    return "close the text with a quote on the same line"
  end
  if near == "<eof>" then
    return "something opened before is not closed"
  end
  return near and "look at what stands in front of " .. near or "correct this line"
end

-- Lua's own message, "NAME:LINE: WHAT near X", in our form.
function source.syntax_error(name, text, message)
  local line, what = match(message, "^.-:(%d+): (.*)$")
  if not line then
    words.fail(name, message, "correct the file")
  end
  words.fail(name .. ":" .. line, what, remedy_for(text, what, math.tointeger(line)))
end

return source
