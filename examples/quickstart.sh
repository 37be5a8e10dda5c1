#!/bin/bash
# A contact centre's day on this machine: installs what is missing, builds, starts graphsim (a local stand-in for Entra and
# Microsoft Graph), plays examples/day.ndjson through presenced and shows what Teams now shows of everybody, and why.
# Needs no account and asks nothing; safe to run again.
set -euo pipefail

# shellcheck source=.ci/steps.sh
source "$(dirname "${BASH_SOURCE[0]}")/../.ci/steps.sh"

bin=$ROOT/build/release/bin
place=$ROOT/build/quickstart
day=$ROOT/examples/day.ndjson
children=()

tidy_up() {
  local child
  for child in "${children[@]}"; do
    kill "$child" 2>/dev/null || true
    wait "$child" 2>/dev/null || true
  done
}
trap tidy_up EXIT
trap 'exit 130' INT TERM

# until_ready WHAT PID COMMAND...: repeats the command until it succeeds, as long as the process lives.
until_ready() {
  local what=$1 pid=$2 tries
  shift 2
  for ((tries = 0; tries < 300; tries++)); do
    if "$@" >/dev/null 2>&1; then
      return
    fi
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  cat "$place"/*.log >&2
  die "$what did not start; its last words are above"
}

# The plain port of graphsim, without any tool: bash can speak that much HTTP.
sim_state() {
  local port
  port=$(sed -n 's/.*"sim_port": *\([0-9]*\).*/\1/p' "$place/sim.json")
  exec 3<>"/dev/tcp/127.0.0.1/$port"
  printf 'GET /sim/state HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3
  cat <&3
  exec 3>&-
}

# Joins graphsim's picture (first file) with the daemon's reasons (second): AGENT, TEAMS SHOWS, RULE, UCC.
print_table() {
  awk '
    function value(line) { sub(/^[^:]*: *"/, "", line); sub(/",?$/, "", line); return line }
    NR == FNR && /"upn":/ { upn = value($0) }
    NR == FNR && /"shown":/ { in_shown = 1 }
    NR == FNR && in_shown && /"availability":/ { availability = value($0) }
    NR == FNR && in_shown && /"activity":/ { shown[upn] = availability (value($0) == availability ? "" : ", " value($0)); in_shown = 0 }
    NR == FNR { next }
    /^AGENT/ { table = 1; printf "%-26s %-28s %s\n", "AGENT", "TEAMS SHOWS", "RULE, CONTACT CENTRE"; next }
    table {
      agent = $1
      rest = substr($0, 65)
      gsub(/  +/, "  ", rest)
      if (rest ~ /^ *$/ && agent in shown) rest = "nothing is claimed: logged off, or its hold is over"
      count[agent in shown ? shown[agent] : "unknown"]++
      printf "%-26s %-28s %s\n", agent, agent in shown ? shown[agent] : "(nobody of that name)", rest
    }
    END {
      printf "\n"
      for (state in count) printf "%5d  %s\n", count[state], state | "sort -rn"
    }' "$place/sim-state.txt" "$place/status.txt"
}

install_packages build
say "building: release"
if [[ ! -f $ROOT/build/release/build.ninja ]] ||
  ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$ROOT" "$ROOT/build/release/CMakeCache.txt"; then
  configure release -DPRESENCED_TESTS=OFF
fi
build_preset release presenced graphsim

say "starting graphsim"
rm -rf "$place"
mkdir -p "$place"
cd "$place"
"$bin/graphsim" --dir "$place" --users 200 >graphsim.log 2>&1 &
children+=($!)
until_ready graphsim "$!" grep -q '^graphsim: ready' graphsim.log
cat graphsim.log

say "playing $(wc -l <"$day") events of one day"
"$bin/presenced" run -c config.xml --events "$day" --until-idle && code=0 || code=$?
case $code in
0) ;;
3) printf '\nExit code 3: all is done but what is named above; nobody@contoso.com is in the day on purpose.\n' ;;
*) die "presenced ended with exit code $code; see above" ;;
esac

# The state file knows what was shown and why. A daemon that starts on it goes on where the last one ended.
"$bin/presenced" run -c config.xml >presenced.log 2>&1 &
children+=($!)
until_ready presenced "$!" "$bin/presenced" status -c config.xml
"$bin/presenced" status --agents -c config.xml >status.txt
sim_state >sim-state.txt

say "what Teams shows now, and which rule said so"
print_table

cat <<TEXT

== how it goes on

The configuration that was used:   $place/config.xml
The rules:                         $ROOT/rules/default.lua
One agent, as Graph tells it:      $bin/presenced presence agent001@contoso.com -c $place/config.xml
                                   (while $bin/graphsim --dir $place runs)

With a real tenant, in short (README.md has every step):
  1. Register an application in Entra; give it the application permissions Presence.ReadWrite.All and User.Read.All,
     with admin consent; make a client secret and copy its Value.
  2. Put <MsGraphPresencePublisher> with an <Account Id="your.domain" ClientId="..." TenantId="..."/> into config.xml.
  3. presenced secret keygen presenced.key
     presenced secret encrypt --account your.domain --key-file presenced.key -c config.xml
     and paste what it prints as Encryptedsecret="...".
  4. presenced check -c config.xml; presenced publish you@your.domain busy --for 10m -c config.xml
TEXT
