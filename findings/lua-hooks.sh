#!/bin/bash
# Lua 5.4.4 (Debian 12): a count hook does not run while a C function runs, however long.
#
# A hook after every 1,000 instructions is called 30,000 times in a loop of 0.3 s that is written in Lua, and not once
# in a call of table.sort, string.rep, table.concat or string.find of a similar length: their work is one instruction
# (OP_CALL). So a time limit by lua_sethook() is a limit for code in Lua alone.
#
# For us: lua/sandbox.lua leaves rules no function in C that could run long.
set -euo pipefail
# shellcheck source=findings/trial.sh
. "$(dirname "$0")/trial.sh"

need_package libreadline8 8.2
fetch lua5.4 5.4.4

cat >"$work/hooks.lua" <<'LUA'
local numbers, words = {}, {}
for i = 1, 800000 do
  numbers[i] = (i * 7919) % 800009
  words[i] = "w"
end
local text = string.rep("a", 8000)

local function measure(name, call)
  local fired = 0
  debug.sethook(function() fired = fired + 1 end, "", 1000)
  local before = os.clock()
  call()
  local took = os.clock() - before
  debug.sethook()
  print(string.format("%s|%d|%.0f", name, fired, took * 1000))
end

measure("loop", function() local n = 0; for i = 1, 10000000 do n = n + i % 7 end end)
measure("table.sort", function() table.sort(numbers) end)
measure("string.rep", function() return #string.rep("abc", 20000000) end)
measure("table.concat", function() return #table.concat(words, string.rep(",", 100)) end)
measure("string.find", function() return text:find(".-b") end)
LUA
timeout 60 "$work/root/usr/bin/lua5.4" "$work/hooks.lua" >"$work/seen"
while IFS='|' read -r name fired took; do
  if [[ $name == loop ]]; then
    check "$name, $took ms: the hook ran more than 10,000 times ($fired)" yes \
      "$( ((fired > 10000)) && echo yes || echo no)"
  else
    check "$name, $took ms: the hook ran" "0 times" "$fired times"
    check "$name took more than 20 ms" yes "$( ((took > 20)) && echo yes || echo no)"
  fi
done <"$work/seen"
check "functions looked at" 5 "$(wc -l <"$work/seen")"
conclude
