"""Every header compiles alone, with warnings as errors: whoever includes it needs to know nothing else."""

import shutil
import subprocess
from pathlib import Path

from house import files, finding, main

FLAGS = ["-std=c17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-Wstrict-prototypes", "-fsyntax-only", "-x", "c"]


def compile_alone(src, header):
    """The compiler's first complaint, or None. Included twice, so that a missing guard shows."""
    name = header.relative_to(src).as_posix()
    source = f'#include "{name}"\n#include "{name}"\ntypedef int not_empty;\n'
    command = [shutil.which("gcc") or "cc", *FLAGS, "-iquote", str(src), "-"]
    done = subprocess.run(command, input=source, capture_output=True, text=True)
    if done.returncode == 0:
        return None
    errors = [line for line in done.stderr.splitlines() if "error:" in line]
    return errors[0] if errors else done.stderr.strip() or f"{command[0]} failed"


def check(root):
    root = Path(root)
    findings = []
    for header in files(root, ".h", under="src"):
        wrong = compile_alone(root / "src", header)
        if wrong:
            findings.append(finding(root, header, 1, f"does not compile alone: {wrong}"))
    return findings


if __name__ == "__main__":
    main(check, "headers")
