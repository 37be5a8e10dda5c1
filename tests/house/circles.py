"""No large circle of files inside a room: files that use each other in a circle cannot be read, tested or moved one by
one. An edge goes from a file to the file of the same room that defines a function which it calls; .c and .h of one name
are one file. Headers do not count as edges: what they all include would hide who needs whom."""

import re
from collections import defaultdict
from pathlib import Path

from edges import Table, room_of
from house import bare_c, files, finding, main

MOST = 3  # files in one circle
DEFINITION = re.compile(r"^(?!static\b|typedef\b|return\b|else\b)[a-z_][\w \t*]*?\b(\w+)\s*\(", re.M)
STATIC = re.compile(r"^static\b[\w \t*]*?\b(\w+)\s*\(", re.M)


def functions_of(text):
    """Names of the functions with external linkage that a C text defines: a parameter list and then a brace."""
    found = set()
    for match in DEFINITION.finditer(text):
        depth, at = 0, match.end() - 1
        while at < len(text):
            depth += (text[at] == "(") - (text[at] == ")")
            at += 1
            if depth == 0:
                break
        if text[at:].lstrip()[:1] == "{":
            found.add(match[1])
    return found


def circles_of(edges):
    """Strongly connected components of more than one node (Tarjan's), each sorted."""
    index, low, stack, on_stack, found = {}, {}, [], set(), []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        on_stack.add(node)
        for other in sorted(edges[node]):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in on_stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            circle = []
            while not circle or circle[-1] != node:
                circle.append(stack.pop())
                on_stack.discard(circle[-1])
            if len(circle) > 1:
                found.append(sorted(circle))

    for node in sorted(edges):
        if node not in index:
            visit(node)
    return found


def check(root):
    root = Path(root)
    src = root / "src"
    table = Table(src / "rooms.txt")
    rooms = defaultdict(dict)  # room: {stem: text of its .c}
    for path in files(root, ".c", under="src"):
        room = room_of(path.relative_to(src))
        if room in table.rooms:
            text = bare_c(path.read_text("utf-8"))
            rooms[room][path.stem] = re.sub(r"\b(struct|enum)\s+\w+|(->|\.)\s*\w+", " ", text)
    findings = []
    for room, texts in rooms.items():
        owner = {name: stem for stem, text in texts.items() for name in functions_of(text)}
        edges = defaultdict(set)
        for stem, text in texts.items():
            own = set(STATIC.findall(text))
            used = {owner[word] for word in set(re.findall(r"\b\w+\b", text)) & set(owner) - own}
            edges[stem] |= used - {stem}
        for circle in circles_of(edges):
            if len(circle) > MOST:
                first = src / room / f"{circle[0]}.c"
                if not first.is_file():
                    first = src / f"{room}-{circle[0]}.c"
                findings.append(finding(root, first if first.is_file() else table.path, 1,
                                        f"room {room}: a circle of {len(circle)} files: {' '.join(circle)}; "
                                        f"{MOST} are the most: let what is below not call what is above"))
    return findings


if __name__ == "__main__":
    main(check, "circles")
