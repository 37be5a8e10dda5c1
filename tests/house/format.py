"""One formatter for C (clang-format 14, .clang-format) and luacheck for Lua (.luacheckrc). Machines enforce taste."""

import re
import shutil
import subprocess
from pathlib import Path

from house import files, finding, main

FORMATTERS = ("clang-format-14", "clang-format")


def formatter():
    """clang-format 14 under either name; another version would format differently."""
    for name in FORMATTERS:
        if shutil.which(name):
            version = subprocess.run([name, "--version"], capture_output=True, text=True).stdout
            if re.search(r"version 14\.", version):
                return name
    return None


def check_c(root):
    name = formatter()
    if name is None:
        return ["clang-format 14 is not installed; apt-get install clang-format-14"]
    findings = []
    for path in files(root, ".c", ".h"):
        done = subprocess.run([name, "--dry-run", "-Werror", str(path)], cwd=root, capture_output=True, text=True)
        if done.returncode != 0:
            place = re.search(r":(\d+):\d+: error", done.stderr)
            line = int(place[1]) if place else 1
            findings.append(finding(root, path, line, f"not as {name} writes it; run {name} -i"))
    return findings


def check_lua(root):
    if not shutil.which("luacheck"):
        return ["luacheck is not installed; apt-get install lua-check"]
    # Each file alone and by its relative path: the per-folder settings of .luacheckrc go by path.
    paths = [str(path.relative_to(root)) for path in files(root, ".lua")]
    if not paths:
        return []
    done = subprocess.run(["luacheck", "--formatter", "plain", "--codes", *paths],
                          cwd=root, capture_output=True, text=True)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return lines if done.returncode != 0 else []


def check(root):
    root = Path(root)
    return check_c(root) + check_lua(root)


if __name__ == "__main__":
    main(check, "format")
