#!/bin/bash
# lua-cjson 2.1.0 (Debian 12) takes what no JSON is, even when it is told to refuse invalid numbers.
#
# decode_invalid_numbers(false) refuses 01, 0x10, NaN and -inf, which otherwise become 1, 16, NaN and -inf (and +1
# becomes 1). With it, these still pass: "1." as 1, "-.5" as -0.5, 1e400 as infinity, a raw tab or line break in a
# string, bytes that are not UTF-8, and a key that comes twice (the last one counts). encode() writes the keys of one
# and the same table in another order in each process, since Lua 5.4 hashes with a seed that has addresses in it.
#
# For us: src/adapters/json.c looks at the text beside lua-cjson, and writes JSON by itself.
set -euo pipefail
# shellcheck source=findings/trial.sh
. "$(dirname "$0")/trial.sh"

need_package libreadline8 8.2
fetch lua5.4 5.4.4
fetch lua-cjson 2.1.0
folder=("$work"/root/usr/lib/*/lua/5.4)
export LUA_CPATH="${folder[0]}/?.so"
lua=$work/root/usr/bin/lua5.4

cat >"$work/decode.lua" <<'LUA'
local cjson = require("cjson").new()
if arg[1] == "strict" then cjson.decode_invalid_numbers(false) end
local ok, value = pcall(cjson.decode, io.read("a"))
io.write(not ok and "refused" or type(value) == "table" and tostring(value.a) or string.format("%q", value))
LUA
decode() {
  # shellcheck disable=SC2059 # the text has escapes on purpose
  printf "$2" | timeout 10 "$lua" "$work/decode.lua" "$1"
}

while read -r stated text; do
  check "as it comes, $text" "$stated" "$(decode lenient "$text")"
  check "no invalid numbers, $text" refused "$(decode strict "$text")"
done <<'END'
1.0 {"a":01}
16.0 {"a":0x10}
1.0 {"a":+1}
nan {"a":NaN}
-inf {"a":-inf}
END
while read -r stated text; do
  check "no invalid numbers, $text" "$stated" "$(decode strict "$text")"
done <<'END'
1.0 {"a":1.}
-0.5 {"a":-.5}
inf {"a":1e400}
2.0 {"a":1,"a":2}
refused {"a":1,}
refused {"a":1}{}
END
check "a raw tab in a string" '"\9"' "$(decode strict '"\t"')"
check "a byte that is not UTF-8, in hexadecimal" "22 ff 22" "$(decode strict '"\xff"' | od -An -tx1 | xargs)"

for _ in {1..20}; do
  timeout 10 "$lua" -e 'print(require("cjson").encode({agent=1, state=2, reason=3, ucc=4, at=5, id=6}))'
done >"$work/orders"
orders=$(sort -u "$work/orders" | wc -l)
check "20 processes encode one table, more than one order ($orders)" yes "$( ((orders > 1)) && echo yes || echo no)"
conclude
