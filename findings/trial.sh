# shellcheck shell=bash
# Sourced by the scripts beside it: a folder for what is downloaded and made, checks, and an end that leaves nothing.

work=$(mktemp -d)
started=() # process ids of ours
differences=()

clean_up() {
  local pid
  for pid in "${started[@]}"; do
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$work"
}
trap clean_up EXIT

missing() {
  echo "cannot be run here: $*" >&2
  exit 2
}

# need_command NAME PACKAGE
need_command() {
  command -v "$1" >/dev/null || missing "no $1; apt-get install $2"
}

# need_package PACKAGE VERSION: installed, and of this upstream version, whatever Debian's revision
need_package() {
  local version
  version=$(dpkg-query -W -f '${Version}' "$1" 2>/dev/null) || missing "no $1; apt-get install $1"
  [[ $version == "$2"[-+]* ]] || missing "$1 is $version; what is stated is about $2"
}

# fetch PACKAGE VERSION: unpacked below $work/root, not installed
fetch() {
  mkdir -p "$work/debs"
  (cd "$work/debs" && timeout 120 apt-get download "$1") >"$work/apt.log" 2>&1 ||
    missing "apt-get download $1: $(tail -n 1 "$work/apt.log")"
  local deb=("$work/debs/$1"_*.deb) version
  version=$(dpkg-deb -f "${deb[0]}" Version)
  [[ $version == "$2"[-+]* ]] || missing "$1 is $version; what is stated is about $2"
  dpkg -x "${deb[0]}" "$work/root"
}

# fetch_npm PACKAGE@VERSION...: below $work/node_modules
fetch_npm() {
  need_command npm npm
  (cd "$work" && timeout 180 npm install --cache "$work/npm" --no-save --no-audit --no-fund --ignore-scripts "$@") \
    >"$work/npm.log" 2>&1 ||
    missing "npm install $*: $(tail -n 1 "$work/npm.log")"
}

# compile NAME PKG-CONFIG-MODULE...: $work/NAME from standard input, C
compile() {
  local name=$1 flags
  shift
  need_command cc gcc
  need_command pkg-config pkg-config
  cat >"$work/$name.c"
  flags=$(pkg-config --cflags --libs "$@") || missing "no headers of $*"
  # shellcheck disable=SC2086 # flags are words
  cc -std=c17 -D_GNU_SOURCE -Wall -Wextra -O1 -o "$work/$name" "$work/$name.c" $flags
}

# start LOG COMMAND...: in the background until the end, and no longer than two minutes; $! is its id
start() {
  local log=$1
  shift
  timeout 120 "$@" >"$log" 2>&1 &
  started+=($!)
}

# until_line LOG TEXT: waits at most 10 s
until_line() {
  local try
  for ((try = 0; try < 100; try++)); do
    grep -q -- "$2" "$1" 2>/dev/null && return
    sleep 0.1
  done
  missing "no \"$2\" within 10 s; $(tail -n 1 "$1")"
}

# value NAME FILE: what stands behind NAME| in a file of such lines
value() {
  awk -v name="$1|" 'index($0, name) == 1 { print substr($0, length(name) + 1) }' "$2"
}

# check WHAT STATED SEEN
check() {
  echo "seen: $1: $3"
  [[ $3 == "$2" ]] || differences+=("$1: stated \"$2\", seen \"$3\"")
}

# The last line of each script.
conclude() {
  if ((${#differences[@]} > 0)); then
    printf 'changed: %s\n' "${differences[@]}"
    exit 1
  fi
  echo "as stated"
}
