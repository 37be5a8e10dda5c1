#!/bin/bash
# luacheck 1.1.0 (Debian 12) passes an assignment to a <const>, which Lua 5.4.4 refuses to load.
#
# luacheck reads the attributes of Lua 5.4 (--std lua54) and takes no notice of them: no warning and no error for a
# file that luac stops at, "attempt to assign to const variable". Nor does it object to two <close> variables in one
# "local", to an attribute that there is not, or to a goto into the scope of a local. So a clean luacheck does not
# mean that a file loads.
#
# For us: tests/house/format.py runs luacheck for taste; that a file loads is shown by the build and the tests, which
# load it.
set -euo pipefail
# shellcheck source=findings/trial.sh
. "$(dirname "$0")/trial.sh"

need_package lua-check 1.1.0
need_package libreadline8 8.2
fetch lua5.4 5.4.4
cd "$work"
shopt -s extglob

# verdicts: luacheck's exit code and luac's words on the Lua that comes in
verdicts() {
  local code=0 said
  cat >file.lua
  timeout 20 luacheck --no-config --std lua54 --quiet file.lua >/dev/null 2>&1 || code=$?
  said=$(timeout 20 "$work/root/usr/bin/luac5.4" -p file.lua 2>&1) || true
  echo "luacheck $code; luac: ${said##*file.lua:+([0-9]): }"
}
check "right" "luacheck 0; luac: " "$(verdicts <<'END'
local limit <const> = 5
print(limit)
END
)"
check "assignment to a <const>" \
  "luacheck 0; luac: attempt to assign to const variable 'limit'" "$(verdicts <<'END'
local limit <const> = 5
print(limit)
limit = 6
print(limit)
END
)"
check "assignment to a <const> in a function" \
  "luacheck 0; luac: attempt to assign to const variable 'limit'" "$(verdicts <<'END'
local limit <const> = 5
local function raise() limit = limit + 1 end
raise()
print(limit)
END
)"
check "two <close>" \
  "luacheck 0; luac: multiple to-be-closed variables in local list" "$(verdicts <<'END'
local first <close>, second <close> = nil, nil
print(first, second)
END
)"
check "an attribute that there is not" "luacheck 0; luac: unknown attribute 'constant'" "$(verdicts <<'END'
local first <constant> = 5
print(first)
END
)"
check "a goto into scope" \
  "luacheck 0; luac: <goto done> at line 2 jumps into the scope of local 'x'" "$(verdicts <<'END'
do
  if print then goto done end
  local x = 1
  print(x)
  ::done::
  print(x)
end
END
)"
conclude
