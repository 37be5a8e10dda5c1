"""Words and shapes that the house does without: banned functions (banned.txt), notes of unfinished work, goto that goes
back, names that say nothing, typedefs that hide a struct, files too long to read, untidy white space."""

import re
from pathlib import Path

from house import bare_c, files, finding, main

MAX_LINES = {"tests": 900}  # tables of cases read well at greater length
MAX_LINES_ELSEWHERE = 600
MARKERS = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")  # in two pieces: this file is checked too
EMPTY_NAMES = re.compile(r"(^|_)(utils?|common|managers?|helpers?|misc)($|_)")
TEXTS = (".c", ".h", ".py", ".lua", ".sh", ".cmake", ".txt", ".md", "")
BANNED_LIST = Path(__file__).resolve().parent / "banned.txt"
# The few places that may call one of them, because they are what everybody else is to use.
EXCEPTIONS = {
    ("src/base/must.c", "calloc"),
    ("src/base/must.c", "realloc"),
    ("src/base/must.c", "strdup"),
    ("src/adapters/vm.c", "realloc"),  # Lua's allocator: a failure there is Lua's to report
    ("tests/unit/test_crypto.c", "sscanf"),  # two hexadecimal digits of a published test vector
}


def banned():
    lines = [line for line in BANNED_LIST.read_text("utf-8").splitlines() if line and line[0] != "#"]
    return dict(line.split(" : ", 1) for line in lines)


def check_functions(root, path, text, names):
    calls = re.compile(r"(?<![\w.>])(" + "|".join(names) + r")\s*\(")
    for number, line in enumerate(text.splitlines(), 1):
        for match in calls.finditer(line):
            name = path.relative_to(root).as_posix()
            out_of_memory_is_fine = name.startswith("tests/") and "may fail unseen" in names[match[1]]
            if (name, match[1]) not in EXCEPTIONS and not out_of_memory_is_fine:
                yield finding(root, path, number, f"{match[1]}(): {names[match[1]]}")


def check_goto(root, path, text):
    """Forward only: within a function (up to a closing brace in the first column) no goto stands below its label."""
    labels = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("}"):
            labels = {}
        label = re.match(r"\s*([a-z_]\w*):(?!:)\s*($|\S)", line)
        if label and label[1] != "default" and "?" not in line:
            labels[label[1]] = number
        jump = re.search(r"\bgoto\s+(\w+)\s*;", line)
        if jump and jump[1] in labels:
            yield finding(root, path, number, f"goto {jump[1]} goes back to line {labels[jump[1]]}; use a loop")


def check_c(root, path, names):
    text = bare_c(path.read_text("utf-8"))
    findings = list(check_functions(root, path, text, names)) + list(check_goto(root, path, text))
    for number, line in enumerate(text.splitlines(), 1):
        if re.search(r"\btypedef\s+struct\b", line):
            findings.append(finding(root, path, number, "typedef of a struct; the reader must see `struct`"))
    return findings


def check_text(root, path):
    data = path.read_bytes()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return [finding(root, path, 1, "not UTF-8")]
    findings = []
    lines = text.splitlines()
    most = MAX_LINES.get(path.relative_to(root).parts[0], MAX_LINES_ELSEWHERE)
    if len(lines) > most:
        findings.append(finding(root, path, len(lines), f"longer than {most} lines; divide it"))
    if EMPTY_NAMES.search(path.stem):
        findings.append(finding(root, path, 1, f"a file called {path.stem} says nothing; name the concern"))
    if text and (not text.endswith("\n") or text.endswith("\n\n")):
        findings.append(finding(root, path, len(lines), "must end with exactly one newline"))
    for number, line in enumerate(lines, 1):
        if MARKERS.search(line):
            findings.append(finding(root, path, number, "a note of unfinished work; do it or file an issue"))
        if line != line.rstrip() or "\t" in line or "\r" in line:
            findings.append(finding(root, path, number, "white space at the end, tab or carriage return"))
    return findings


def check(root):
    root = Path(root)
    names = banned()
    findings = []
    for path in files(root, ".c", ".h"):
        findings += check_c(root, path, names)
    for path in files(root, *TEXTS):
        findings += check_text(root, path)
    return findings


if __name__ == "__main__":
    main(check, "words")
