#!/bin/bash
# systemd 252 (Debian 12): "systemd-analyze verify" exits 0 after its complaints about a wrong or misspelt directive.
#
# A unit with a misspelt directive (ProtectSytem=), a value that is none (NoNewPrivileges=maybe) and a directive of a
# later version (RestartSteps=) gets a line on each, and exit code 0: the unit would start, without that hardening.
# With --recursive-errors=, be it "no" or "yes", the same lines come with exit code 1; so a check in a build passes
# unless it gives that option. A program that is missing is an error (1) without it, too.
#
# For us: there is no unit file yet; its check has to give --recursive-errors=no.
set -euo pipefail
# shellcheck source=findings/trial.sh
. "$(dirname "$0")/trial.sh"

fetch systemd 252.39
fetch libsystemd-shared 252.39
cd "$work"
cat >right.service <<'END'
[Service]
ExecStart=/bin/true
ProtectSystem=strict
END
cat >wrong.service <<'END'
[Service]
ExecStart=/bin/true
ProtectSytem=strict
NoNewPrivileges=maybe
RestartSteps=3
END
cat >nothing.service <<'END'
[Service]
ExecStart=/usr/bin/no-such-program
END
# verdict UNIT OPTION...: exit code and number of lines about the unit
verdict() {
  local unit=$1 code=0
  shift
  LD_LIBRARY_PATH=$work/root/usr/lib/$(uname -m)-linux-gnu/systemd \
    timeout 30 "$work/root/usr/bin/systemd-analyze" "$@" verify "./$unit" >said 2>&1 || code=$?
  echo "exit $code, $(grep -c "$unit" said || true) lines"
}
check "a right unit" "exit 0, 0 lines" "$(verdict right.service)"
check "three wrong lines" "exit 0, 3 lines" "$(verdict wrong.service)"
check "three wrong lines, --recursive-errors=no" "exit 1, 3 lines" "$(verdict wrong.service --recursive-errors=no)"
check "three wrong lines, --recursive-errors=yes" "exit 1, 3 lines" "$(verdict wrong.service --recursive-errors=yes)"
check "a program that is missing" "exit 1, 1 lines" "$(verdict nothing.service)"
conclude
