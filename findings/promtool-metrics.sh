#!/bin/bash
# promtool 2.42.0 (Debian 12): "check metrics" looks at names and help texts, not at the samples.
#
# It passes, with exit code 0 and no word: a histogram without its +Inf bucket, whose buckets fall and whose count is
# another; a sample that comes twice, with two values; a family in two pieces. It objects to a missing help text (exit
# code 3). "check rules" says FAILED on two rules of the same name and exits 0 unless --lint-fatal is given.
#
# For us: tests/daemon/test_metrics.py reads what we write by a parser of its own.
set -euo pipefail
# shellcheck source=findings/trial.sh
. "$(dirname "$0")/trial.sh"

fetch prometheus 2.42.0
promtool=$work/root/usr/bin/promtool

# verdict: exit code and number of lines that promtool writes about the metrics on standard input
verdict() {
  local code=0
  timeout 20 "$promtool" check metrics >"$work/said" 2>&1 || code=$?
  echo "exit $code, $(wc -l <"$work/said") lines"
}

check "a histogram without +Inf, buckets that fall" "exit 0, 0 lines" "$(verdict <<'END'
# HELP wait_seconds Wait.
# TYPE wait_seconds histogram
wait_seconds_bucket{le="0.1"} 5
wait_seconds_bucket{le="1"} 3
wait_seconds_sum 2
wait_seconds_count 9
END
)"
check "a sample twice, with two values" "exit 0, 0 lines" "$(verdict <<'END'
# HELP events_total Events.
# TYPE events_total counter
events_total 1
events_total 2
END
)"
check "a family in two pieces" "exit 0, 0 lines" "$(verdict <<'END'
# HELP events_total Events.
# TYPE events_total counter
events_total{kind="a"} 1
# HELP errors_total Errors.
# TYPE errors_total counter
errors_total 1
events_total{kind="b"} 1
END
)"
check "no help text" "exit 3, 1 lines" "$(verdict <<'END'
# TYPE events_total counter
events_total 1
END
)"

cat >"$work/rules.yml" <<'END'
groups:
- name: twice
  rules:
  - {record: "events:rate", expr: "rate(events_total[5m])"}
  - {record: "events:rate", expr: "rate(events_total[5m])"}
END
# rules OPTION...: exit code, and whether it said FAILED
rules() {
  local code=0
  timeout 20 "$promtool" check rules "$@" "$work/rules.yml" >"$work/said" 2>&1 || code=$?
  echo "exit $code, $(grep -o FAILED "$work/said")"
}
check "two rules of the same name" "exit 0, FAILED" "$(rules)"
check "two rules of the same name, --lint-fatal" "exit 3, FAILED" "$(rules --lint-fatal)"
conclude
