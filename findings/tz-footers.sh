#!/bin/bash
# tzdata (seen: 2025b, Debian 12): what a zone does from now on is not in its footer alone, and "summer time" may be
# less.
#
# A TZif file ends in a rule for the time after its table. Four that an obvious reader gets wrong:
#   * Europe/Dublin: "IST-1GMT0,M10.5.0,M3.5.0/1". Standard time is summer's; in January tm_isdst is 1 and the clock
#     is an hour *behind* standard time. Offset plus an hour where isdst is set would be wrong by one or two.
#   * America/Nuuk: "M3.5.0/-1" is one hour before the midnight that begins the last Sunday in March, so the change is
#     on a Saturday at 23:00 (POSIX has no sign there; RFC 8536, 3.3.1, has).
#   * Asia/Gaza: "M3.4.4/50" is 50 hours after the fourth Thursday: a Saturday, which may be the fourth or the fifth.
#   * Africa/Casablanca: "<+01>-1", no changes at all; its table has 128 of them from 2026 to 2087, for each Ramadan.
#
# For us: src/base/zone.c reads the table first, then rules with hours from -167 to 167 and any two offsets.
set -euo pipefail
# shellcheck source=findings/trial.sh
. "$(dirname "$0")/trial.sh"

need_command python3 python3
[[ -f /usr/share/zoneinfo/America/Nuuk ]] || missing "no tzdata; apt-get install tzdata"
echo "tzdata $(dpkg-query -W -f '${Version}' tzdata 2>/dev/null || echo of unknown version)"
cat >"$work/zones.py" <<'PYTHON'
import calendar, os, time

def zone(name):
    os.environ["TZ"] = name  # libc's reader
    time.tzset()
    with open("/usr/share/zoneinfo/" + name, "rb") as file:
        print(f"{name}, footer|{file.read().splitlines()[-1].decode()}")

def moment(*date):
    return calendar.timegm((*date, 0, 0, 0))

def changes(first, last, step=900):
    before = time.localtime(first).tm_gmtoff
    for at in range(first, last, step):
        now = time.localtime(at).tm_gmtoff
        if now != before:
            yield at
        before = now

zone("Europe/Dublin")
for month in (1, 7):
    at = time.localtime(moment(2026, month, 15))
    print(f"Europe/Dublin, month {month}|offset {at.tm_gmtoff}, isdst {at.tm_isdst}")
zone("America/Nuuk")
first = next(changes(moment(2026, 3, 1), moment(2026, 5, 1)))
print("America/Nuuk, last quarter before|" + time.strftime("%a %d %b %H:%M", time.localtime(first - 900)))
zone("Asia/Gaza")
for year in (2091, 2092):  # after the table, by the rule
    first = next(changes(moment(year, 3, 20), moment(year, 5, 1)))
    print(f"Asia/Gaza, {year}|" + time.strftime("%a %d %b %H:%M", time.localtime(first - 900)))
zone("Africa/Casablanca")
print(f"Africa/Casablanca, changes|{sum(1 for _ in changes(moment(2026, 1, 1), moment(2090, 1, 1)))}")
PYTHON
timeout 60 python3 "$work/zones.py" >"$work/seen"
while IFS='|' read -r what stated; do
  check "$what" "$stated" "$(value "$what" "$work/seen")"
done <<'END'
Europe/Dublin, footer|IST-1GMT0,M10.5.0,M3.5.0/1
Europe/Dublin, month 1|offset 0, isdst 1
Europe/Dublin, month 7|offset 3600, isdst 0
America/Nuuk, footer|<-02>2<-01>,M3.5.0/-1,M10.5.0/0
America/Nuuk, last quarter before|Sat 28 Mar 22:45
Asia/Gaza, footer|EET-2EEST,M3.4.4/50,M10.4.4/50
Asia/Gaza, 2091|Sat 24 Mar 01:45
Asia/Gaza, 2092|Sat 29 Mar 01:45
Africa/Casablanca, footer|<+01>-1
Africa/Casablanca, changes|128
END
conclude
