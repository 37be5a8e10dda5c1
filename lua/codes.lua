-- Codes from a spreadsheet: codes "codes.csv" as reasons or states. The export may be separated by commas or
-- semicolons, with quotes where a spreadsheet writes them; the first row names the columns, in any order, and those
-- that we do not know are left alone. Errors name file and row.
local words = require("words")
local find, sub, gsub, lower = string.find, string.sub, string.gsub, string.lower
local fail = words.fail

local codes = {}

local known = { "code", "state", "show", "expires", "message" }

-- A cell that begins at `at`, and where it ends (at the separator, the line's end or behind the text).
local function quoted_cell(text, at, place)
  local parts, from = {}, at + 1
  while true do
    local quote = find(text, '"', from, true)
    if not quote then
      fail(place, "a quote is opened and not closed", 'close it with "')
    end
    parts[#parts + 1] = sub(text, from, quote - 1)
    if sub(text, quote + 1, quote + 1) ~= '"' then
      return table.concat(parts, '"'), quote + 1
    end
    from = quote + 2
  end
end

-- Calls row(cells, line) for every row that is not empty.
-- It is written by hand because a quoted cell may hold line breaks: rows cannot be split off first.
local function each_row(text, separator, name, row)
  local stop, at, line = "[" .. separator .. "\r\n]", 1, 1
  while at <= #text do
    local cells, first_line, something = {}, line, false
    repeat
      local cell
      if find(text, '^[ \t]*"', at) then
        local place = name .. ":" .. line
        local opened = find(text, '"', at, true)
        cell, at = quoted_cell(text, opened, place)
        local _, breaks = gsub(cell, "\n", "\n")
        line = line + breaks
        local _, behind = find(text, "^[ \t]*", at)
        at = behind + 1
        if at <= #text and not find(text, "^" .. stop, at) then
          fail(place, "text behind a closing quote", 'write a quote within quotes as ""')
        end
      else
        local last = (find(text, stop, at) or #text + 1) - 1
        cell, at = sub(text, at, last), last + 1
      end
      cells[#cells + 1] = words.trim(cell)
      something = something or cells[#cells] ~= ""
      local ends = sub(text, at, at) ~= separator
      at = ends and at or at + 1
    until ends
    at = sub(text, at, at + 1) == "\r\n" and at + 2 or at + 1
    line = line + 1
    if something then
      row(cells, first_line)
    end
  end
end

-- Column names to positions.
local function read_header(cells, place)
  local columns = {}
  for position, cell in ipairs(cells) do
    local name = lower(cell)
    local nearest, far = words.nearest(name, known)
    if columns[name] then
      fail(place, "the column " .. name .. " is there twice", "keep one of them")
    elseif nearest and (far == 0 or name == nearest) then
      columns[nearest] = position
    elseif nearest and far == 1 then
      fail(place, "there is no column " .. words.quote(cell), "did you mean " .. nearest .. "?")
    end
  end
  if not columns.show or not (columns.code or columns.state) then
    fail(place, "the first row has no column " .. (columns.show and "code" or "show"),
      "name the columns in it: code,show,expires,message")
  end
  return columns
end

-- A list of { code, state, show, expires, message, place }; a cell that is empty is nil.
function codes.parse(text, name)
  local first = sub(text, 1, (find(text, "[\r\n]") or #text + 1) - 1)
  local separator = find(first, ";", 1, true) and ";" or ","
  local columns
  local rows = { has_state = false }
  each_row(text, separator, name, function(cells, line)
    local place = name .. ":" .. line
    if not columns then
      columns = read_header(cells, place)
      rows.has_state, rows.has_code = columns.state ~= nil, columns.code ~= nil
      return
    end
    local row = { place = place }
    for column, position in next, columns do
      row[column] = cells[position] ~= "" and cells[position] or nil
    end
    rows[#rows + 1] = row
  end)
  if not columns then
    fail(name .. ":1", "the file is empty", "name the columns in its first row: code,show,expires,message")
  end
  return rows
end

return codes
