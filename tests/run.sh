#!/bin/bash
# Installs what is missing, builds, runs every test. The last lines are ctest's own summary; the exit code is ctest's.
#
#     tests/run.sh [options for ctest, such as -R daemon]
#
# The same tests run twice, in the release build and under AddressSanitizer and UndefinedBehaviorSanitizer (asan/...);
# both together are one ctest run, so that one summary tells all.
set -euo pipefail

# shellcheck source=.ci/steps.sh
source "$(dirname "${BASH_SOURCE[0]}")/../.ci/steps.sh"

install_packages build test

presets=(release)
# The sanitizers read their own memory map; a bare chroot does not show it.
if [[ -r /proc/self/maps ]]; then
  presets+=(asan)
else
  say "no /proc here: without it the sanitizers cannot start; testing the release build only (mount -t proc proc /proc)"
fi
for preset in "${presets[@]}"; do
  say "building: $preset"
  configure "$preset" -DPRESENCED_TESTS=ON
  build_preset "$preset"
done

printf 'subdirs(%s)\n' "${presets[*]}" >"$ROOT/build/CTestTestfile.cmake"
say "testing: ${presets[*]}"
exec ctest --test-dir "$ROOT/build" --output-on-failure --no-tests=error --parallel "$(nproc)" "$@"
