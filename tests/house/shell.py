"""Shell scripts: bash can read them, shellcheck has nothing to say, they may be executed and stop at the first failure."""

import os
import shutil
import subprocess
from pathlib import Path

from house import files, finding, main


def scripts(root):
    """Every file that begins with #! and a shell."""
    for path in files(root, ".sh", ""):
        with path.open("rb") as file:
            first = file.readline()
        if first.startswith(b"#!") and b"sh" in first:
            yield path


def check_script(root, path):
    if not os.access(path, os.X_OK):
        yield finding(root, path, 1, "not executable; chmod +x")
    if "set -euo pipefail" not in path.read_text("utf-8"):
        yield finding(root, path, 1, "no `set -euo pipefail`")
    syntax = subprocess.run(["bash", "-n", str(path)], capture_output=True, text=True)
    if syntax.returncode != 0:
        yield finding(root, path, 1, f"bash cannot read it: {syntax.stderr.strip().splitlines()[0]}")
        return
    taste = subprocess.run(["shellcheck", "--shell=bash", "--external-sources", "--format=gcc", str(path)],
                           cwd=root, capture_output=True, text=True)
    if taste.returncode != 0:
        yield from taste.stdout.splitlines() or [taste.stderr]


def check(root):
    root = Path(root)
    if not shutil.which("shellcheck"):
        return ["shellcheck is not installed; apt-get install shellcheck"]
    return [wrong for path in scripts(root) for wrong in check_script(root, path)]


if __name__ == "__main__":
    main(check, "shell")
