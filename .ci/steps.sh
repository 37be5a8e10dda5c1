#!/bin/bash
# The steps that examples/quickstart.sh and tests/run.sh share; to be sourced. Nothing here asks a question.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export LC_ALL=C.UTF-8

say() {
  printf '\n== %s\n' "$*"
}

die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# missing_packages KIND...: those of .ci/packages.txt that are not installed.
missing_packages() {
  local kind package reason
  while read -r kind package reason; do
    if [[ " $* " == *" $kind "* && -n $reason ]] &&
      [[ $(dpkg-query -W -f='${Status}' "$package" 2>/dev/null) != "install ok installed" ]]; then
      printf '%s\n' "$package"
    fi
  done <"$ROOT/.ci/packages.txt"
}

# install_packages KIND...: as root, or through a sudo that asks nothing; else says what to install, and ends.
install_packages() {
  local missing=() as_root=()
  command -v dpkg-query >/dev/null || die "this is not Debian; install what .ci/packages.txt lists by your system's means"
  read -r -d '' -a missing <<<"$(missing_packages "$@")" || true # no <(...): a bare chroot has no /dev/fd
  if ((${#missing[@]} == 0)); then
    return
  fi
  if ((EUID != 0)); then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
      as_root=(sudo -n)
    else
      die "packages are missing and only root may install them; run this as root, then start again:
    apt-get update && apt-get install --yes --no-install-recommends ${missing[*]}"
    fi
  fi
  say "installing ${#missing[@]} Debian packages: ${missing[*]}"
  # Old lists lead to packages that are no longer there; so look first, and let the installation decide if that fails.
  "${as_root[@]}" apt-get -q update || printf 'apt-get update failed; trying with the lists that are there\n'
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q install --yes --no-install-recommends \
    -o Dpkg::Use-Pty=0 "${missing[@]}" || die "apt-get could not install the packages; see above"
}

# configure PRESET [cmake options]: a build folder that was made for another place is made anew.
configure() {
  local folder=$ROOT/build/$1
  mkdir -p "$folder" 2>/dev/null || die "$ROOT/build cannot be written; copy the tree to a place of your own"
  [[ -w $folder ]] || die "$folder belongs to somebody else; remove it, or copy the tree to a place of your own"
  if [[ -f $folder/CMakeCache.txt ]] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$ROOT" "$folder/CMakeCache.txt"; then
    rm -rf "$folder"
  fi
  (cd "$ROOT" && cmake --preset "$@" --log-level=WARNING)
}

# build_preset PRESET [targets]
build_preset() {
  local preset=$1
  shift
  (cd "$ROOT" && cmake --build --preset "$preset" ${1:+--target "$@"})
}
