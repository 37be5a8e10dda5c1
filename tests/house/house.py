"""What the checks of the house share: which files there are, how C looks without comments, and how findings are told.

A check is a module with `check(root)`, which returns a list of findings "FILE:LINE: what; remedy". Run alone, it prints
them and ends with 1 if there are any. That each check can fail is proved by selftest.py."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SKIPPED = {"build", ".git", "__pycache__", ".pytest_cache"}


def files(root, *suffixes, under="."):
    """All files below root/under with one of the suffixes ("" = no suffix), in a fixed order, as paths."""
    found = []
    for path in sorted((Path(root) / under).rglob("*")):
        if path.is_file() and path.suffix in suffixes and not SKIPPED & set(path.relative_to(root).parts[:-1]):
            found.append(path)
    return found


def finding(root, path, line, text):
    return f"{Path(path).relative_to(root)}:{line}: {text}"


def bare_c(text, keep_strings=False):
    """C source with comments, and unless wanted the contents of literals, blanked; lines stay where they were."""
    token = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)

    def blank(match):
        word = match.group()
        if word[0] in "\"'":
            return word if keep_strings else word[0] * 2
        return " " + "\n" * word.count("\n")

    return token.sub(blank, text)


def tell(findings, what):
    for line in findings:
        print(line)
    print(f"{what}: {len(findings)} findings" if findings else f"{what}: ok")
    return 1 if findings else 0


def main(check, what):
    sys.exit(tell(check(ROOT), what))
