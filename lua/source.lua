-- What only the source of a ruleset tells: on which line a table's key stands, whether one stands twice, which global
-- names are used, and what was meant by a line that Lua does not understand.
local words = require("words")
local find, sub, match, gsub, byte, char =
  string.find, string.sub, string.match, string.gsub, string.byte, string.char

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

local declares = { ["local"] = true, ["for"] = true, ["function"] = true }
local quote_or_escape = { ['"'] = '[\\"]', ["'"] = "[\\']" }

local function quoted(text, at)
  local quote = sub(text, at, at)
  local here = at + 1
  while true do
    local stop = find(text, quote_or_escape[quote], here)
    if not stop then
      return #text + 1
    end
    if sub(text, stop, stop) == quote then
      return stop + 1
    end
    here = stop + 2
  end
end

local SPACE, NEWLINE, MINUS, QUOTE, APOSTROPHE = byte(" \n-\"'", 1, 5)

-- What begins at `at` with the byte c and is neither a word nor an operator of one byte: its kind (nil: a comment) and
-- where the next begins.
local function long_token(text, at, c)
  if c == QUOTE or c == APOSTROPHE then
    return "string", quoted(text, at)
  elseif c == MINUS and byte(text, at + 1) == MINUS then
    return nil, long_bracket(text, at + 2) or find(text, "\n", at, true) or #text + 1
  elseif find(text, "^%[=*%[", at) then
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

local function newlines(text, from, to)
  local count, at = 0, find(text, "\n", from, true)
  while at and at < to do
    count, at = count + 1, find(text, "\n", at + 1, true)
  end
  return count
end

-- By their bytes: operators that begin no longer token, those that may, and what makes them longer.
local plain, maybe_longer, longer, word, space = {}, {}, {}, {}, {}
for code = 0, 127 do
  local c = char(code)
  plain[code] = find("{}(),;", c, 1, true) and c or nil
  maybe_longer[code] = find("=.", c, 1, true) and c or nil
  longer[code] = find(c, "[=.%d]") ~= nil
  word[code] = find(c, "[%a_]") ~= nil
  space[code] = find(c, "%s") ~= nil
end

-- Lists of the same length: kind, text and line of each token; besides, the places of names, and of keywords that
-- declare some. Not a table for each, for a large file has many. The text has passed Lua's own parser, so this one may
-- be simple. It does without a call of Lua's own functions where a byte tells enough: a reload waits for this.
function source.tokens(text)
  local kinds, texts, lines, names, declaring = {}, {}, {}, {}, {}
  local count, name_count, line, at, c = 0, 0, 1, 1, byte(text, 1)
  while c do
    local kind, token, stop, next_line = "operator", plain[c], at + 1, line
    if word[c] then
      token, stop = match(text, "^([%w_]+)()", at)
      kind = words.keywords[token] or "name"
    elseif space[c] then
      next_line = c == NEWLINE and line + 1 or line
      stop = byte(text, stop) == SPACE and find(text, "[^ ]", stop) or stop
    elseif maybe_longer[c] and not longer[byte(text, stop)] then
      token = maybe_longer[c]
    elseif not token then
      kind, stop = long_token(text, at, c)
      token = kind and sub(text, at, stop - 1)
      next_line = kind == "operator" and line or line + newlines(text, at, stop)
    end
    if token then
      count = count + 1
      kinds[count], texts[count], lines[count] = kind, token, line
      if kind == "name" then
        name_count = name_count + 1
        names[name_count] = count
      elseif declares[token] then
        declaring[#declaring + 1] = count
      end
    end
    line, at, c = next_line, stop, byte(text, stop)
    if c == SPACE then -- one is all there mostly is
      at = at + 1
      c = byte(text, at)
    end
  end
  return { kinds = kinds, texts = texts, lines = lines, names = names, declaring = declaring }
end

-- ---- The outline: table constructors with the lines of their keys ----

-- The value of a string or number.
local function literal(text)
  return match(text, "^[\"']([^\\\n]*)[\"']$") or load("return " .. text, "=literal", "t", {})()
end

-- The key that begins at token i of a table constructor.
local function key_at(kinds, texts, i)
  if kinds[i] == "name" then
    return texts[i + 1] == "=" and texts[i] or nil
  end
  local within = kinds[i + 1]
  if texts[i] == "[" and (within == "string" or within == "number") and texts[i + 2] == "]" and texts[i + 3] == "=" then
    return literal(texts[i + 1])
  end
end

-- The name in front of a constructor, as in reasons = {, rule "x" { or teams.busy {, and the line where it begins.
local function label_before(tokens, i)
  local kinds, texts, lines = tokens.kinds, tokens.texts, tokens.lines
  local at = i - 1
  if texts[at] == "=" or texts[at] == "(" then
    at = at - 1
  end
  if kinds[at] == "string" then
    at = at - 1
  end
  if kinds[at] ~= "name" then
    return "", lines[at + 1]
  elseif texts[at - 1] == "." and kinds[at - 2] == "name" then
    return texts[at - 2] .. "." .. texts[at], lines[at - 2]
  end
  return texts[at], lines[at]
end

local openers = { ["{"] = "}", ["("] = ")", ["["] = "]", ["function"] = "end", ["do"] = "end", ["if"] = "end",
  ["repeat"] = "until" }
local separators = { ["{"] = true, [","] = true, [";"] = true }

local function twice(name, key, line, first)
  words.fail(name .. ":" .. line, words.key(key) .. " stands twice (first in line " .. first .. ")",
    "keep one of the two")
end

local function note_item(node, line)
  node.items = node.items or {}
  node.items[#node.items + 1] = line
end

local function add_node(nodes, label, node)
  local list = nodes[label]
  if list then
    list[#list + 1] = node
  else
    nodes[label] = { node }
  end
end

-- Constructors by their labels, each list in the order of the file; node.keys: key -> line. A key that stands twice is
-- an error, because Lua silently keeps the second.
function source.outline(name, tokens)
  local kinds, texts, lines = tokens.kinds, tokens.texts, tokens.lines
  local nodes, stack, top = {}, {}, nil
  local begins = false -- does an entry of `top` begin here, if it is a constructor?
  for i = 1, #texts do
    local text, kind = texts[i], kinds[i]
    if begins and text ~= "}" and top and top.keys then
      local key = key_at(kinds, texts, i)
      if key == nil then
        note_item(top, lines[i])
      elseif top.keys[key] then
        twice(name, key, lines[i], top.keys[key])
      else
        top.keys[key] = lines[i]
      end
    end
    begins = separators[text]
    if kind == "operator" or kind == "keyword" then
      local close = openers[text]
      if close then
        top = { close = close }
        if text == "{" then
          local label
          label, top.line = label_before(tokens, i)
          top.keys = {}
          add_node(nodes, label, top)
        end
        stack[#stack + 1] = top
      elseif top and text == top.close then
        stack[#stack] = nil
        top = stack[#stack]
      end
    end
  end
  return nodes
end

-- The line of a key in the first constructor of that label that begins on line `from` or later.
function source.key_line(nodes, label, key, from)
  for _, node in ipairs(nodes[label] or {}) do
    if node.keys[key] and (not from or node.line >= from) then
      return node.keys[key]
    end
  end
end

-- The lines of the entries without a key in the first constructor of that label.
function source.item_lines(nodes, label)
  local first = (nodes[label] or {})[1]
  return first and first.items or {}
end

-- ---- Global names ----

local ends_names = { ["="] = true, ["in"] = true, [")"] = true }

local function declare(tokens, i, declared)
  -- local a <const>, b · for a, b · function f(a, b) · function(a, b): names up to what ends the list
  local kinds, texts = tokens.kinds, tokens.texts
  for n = i + 1, #texts do
    local text, kind = texts[n], kinds[n]
    if ends_names[text] or (kind == "keyword" and text ~= "function") or kind == "string" then
      return
    end
    if kind == "name" then
      declared[text] = true
      local following = texts[n + 1]
      if texts[i] == "local" and following and following ~= "," and following ~= "<" and following ~= ">" then
        return
      end
    end
  end
end

-- Calls use(name, line) for every name that is declared nowhere in the file. A name declared anywhere counts as
-- declared everywhere: this finds misspelt words, it does not resolve scopes.
function source.each_global(tokens, use)
  local texts, lines = tokens.texts, tokens.lines
  local declared = {}
  for _, i in ipairs(tokens.declaring) do
    declare(tokens, i, declared)
  end
  for _, i in ipairs(tokens.names) do
    local text = texts[i]
    if not declared[text] then
      local before = texts[i - 1]
      local key = texts[i + 1] == "=" and separators[before]
      if not key and before ~= "." and before ~= ":" and before ~= "::" and before ~= "goto" then
        use(text, lines[i])
      end
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
