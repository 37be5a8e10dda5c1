"""The law of the house: every #include in src/ against the table src/rooms.txt, and the table against the floors. The
stand-ins (Graph and Entra for tests and dry runs) stand on no floor: they may include rooms, no room includes them.

    edges.py          checks; also that the map in src/README.md is the one the table draws
    edges.py --map    prints that map"""

import re
import sys
from pathlib import Path

from house import ROOT, bare_c, files, finding, tell

MAP_BEGIN = "<!-- map: drawn by tests/house/edges.py --map -->"
MAP_END = "<!-- end of map -->"
INCLUDE = re.compile(r"^\s*#\s*include\s+(.*?)\s*$", re.M)

# What the C library and the kernel offer; any other <header> needs a `library` line in the table.
SYSTEM = set(
    """ctype.h errno.h fcntl.h float.h getopt.h grp.h inttypes.h limits.h locale.h math.h netdb.h poll.h pthread.h pwd.h
    search.h setjmp.h signal.h stdarg.h stddef.h stdbool.h stdint.h stdio.h stdlib.h string.h strings.h termios.h time.h unistd.h
    dirent.h libgen.h arpa/inet.h netinet/in.h netinet/tcp.h sys/file.h sys/inotify.h sys/ioctl.h sys/mman.h
    sys/prctl.h sys/random.h sys/resource.h sys/signalfd.h sys/socket.h sys/stat.h sys/syscall.h sys/time.h
    sys/types.h sys/uio.h sys/un.h sys/wait.h""".split()
)


LOGS_FROM = 5  # floors below return errors, this one and those above log them
LOOKS_AT_CLOCKS = (0, 2, 7, 8, 9)  # the others are given `now`
STAND_IN = None  # the floor of a stand-in


class Table:
    """src/rooms.txt: rooms and stand-ins by name in the order of the file, libraries as (name, prefixes, rooms)."""

    def __init__(self, path):
        self.path, self.rooms, self.libraries, self.errors = path, {}, [], []
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            room = re.fullmatch(r"room (\d) (\S+) :(.*)", line)
            stand_in = re.fullmatch(r"stand_in (\S+) :(.*)", line)
            library = re.fullmatch(r"library (\S+) : (.+) : (.+)", line)
            if stand_in:
                self.rooms[stand_in[1]] = {"floor": STAND_IN, "deps": stand_in[2].split(), "line": number}
            elif room:
                self.rooms[room[2]] = {"floor": int(room[1]), "deps": room[3].split(), "line": number}
            elif library:
                self.libraries.append((library[1], library[2].split(), library[3].split()))
            else:
                self.errors.append((number, "neither a room nor a library"))

    def floor(self, room):
        return self.rooms[room]["floor"]

    def upper_half(self, room):
        """A room of floor 2 that stands on others of its floor; the lower half has no such edge."""
        return any(dep in self.rooms and self.floor(dep) == 2 for dep in self.rooms[room]["deps"])

    def bad_edges(self):
        yield from self.errors
        for name, room in self.rooms.items():
            for dep in room["deps"]:
                edge = f"{name} -> {dep}"
                if dep not in self.rooms:
                    yield room["line"], f"{edge}: no such room"
                    continue
                if self.floor(dep) is STAND_IN and room["floor"] is not STAND_IN:
                    yield room["line"], f"{edge}: a room does not include a stand-in"
                    continue
                if room["floor"] is STAND_IN:
                    continue
                down = self.floor(dep) < room["floor"]
                within_adapters = room["floor"] == 2 == self.floor(dep) and not self.upper_half(dep)
                if not down and not within_adapters:
                    yield room["line"], f"{edge}: does not point down (floor {room['floor']} to {self.floor(dep)})"
                if name == "service" and dep.startswith("adapters/") and dep != "adapters/json":  # json reads and writes text only
                    yield room["line"], f"{edge}: service meets the outside through its ports only"
        for library, _, rooms in self.libraries:
            for name in rooms:
                if name not in self.rooms or not name.startswith("adapters/"):
                    yield 0, f"library {library} -> {name}: only adapters touch libraries"


def room_of(path):
    """The room of a path relative to src/; None for the few files that stand outside of every room."""
    parts = Path(path).parts
    if len(parts) < 2:
        return None
    if parts[0] == "adapters":
        return f"adapters/{Path(parts[1]).stem.split('-')[0]}"
    return "/".join(parts[:2]) if parts[0] == "stand_in" and len(parts) > 2 else parts[0]


def prefix_fits(prefix, header):
    return header.startswith(prefix) if prefix.endswith("/") else header == prefix


def check_include(table, src, path, target):
    """What is wrong with one include, or None."""
    room = room_of(path.relative_to(src))
    quoted = re.fullmatch(r'"([^"]+)"', target)
    angled = re.fullmatch(r"<([^>]+)>", target)
    if angled:
        owners = {r for _, prefixes, rooms in table.libraries for r in rooms
                  if any(prefix_fits(p, angled[1]) for p in prefixes)}
        if owners and room not in owners:
            return f"{room or path.name} -> <{angled[1]}>: only {', '.join(sorted(owners))} may touch that library"
        if not owners and angled[1] not in SYSTEM:
            return f"<{angled[1]}> is no system header that tests/house/edges.py knows, and no library has it"
        return None
    if not quoted or ".." in quoted[1] or "/" not in quoted[1]:
        return f'{target}: own headers are included as "room/name.h"'
    if not (src / quoted[1]).is_file():
        return f'"{quoted[1]}": no such file below src/'
    other = room_of(quoted[1])
    allowed = table.rooms[room]["deps"] + [room] if room in table.rooms else ["base", "cli"]  # src/main.c
    if other not in allowed:
        return f"{room or path.name} -> {other}: not in src/rooms.txt"
    logs = room not in table.rooms or room == "base" or table.floor(room) is STAND_IN or table.floor(room) >= LOGS_FROM
    if quoted[1] == "base/log.h" and not logs:
        return f"{room} -> base/log.h: floors below {LOGS_FROM} return errors, those from there on log them"
    return None


def check_clock(table, src, path, text):
    """`now` is a parameter: only floor 0, the adapters, the floors above the engine and graphsim look at a clock."""
    room = room_of(path.relative_to(src))
    if room not in table.rooms or room == "stand_in/graphsim" or table.floor(room) in LOOKS_AT_CLOCKS:
        return []
    return [text.count("\n", 0, m.start()) + 1 for m in re.finditer(r"\b(clock_now_ms|clock_gettime|time)\s*\(", text)]


def draw(table):
    lines = ["```text"]
    floors = {room["floor"] for room in table.rooms.values()}
    for floor in ([STAND_IN] if STAND_IN in floors else []) + sorted(floors - {STAND_IN}, reverse=True):
        lines.append("stand-ins, on no floor" if floor is STAND_IN else f"floor {floor}")
        for name, room in table.rooms.items():
            if room["floor"] != floor:
                continue
            libraries = [library for library, _, rooms in table.libraries if name in rooms]
            # base and model lie under nearly everything: naming them on every line would hide the edges that differ.
            deps = [dep for dep in room["deps"] if dep not in ("base", "model")]
            shown = ("  -> " + " ".join(deps) if deps else "") + ("  [" + " ".join(libraries) + "]" if libraries else "")
            lines.append(f"  {name:<22}{shown}".rstrip())
    return "\n".join(lines + ["```"])


def check_map(root, table):
    readme = root / "src" / "README.md"
    text = readme.read_text("utf-8") if readme.is_file() else ""
    if MAP_BEGIN not in text or MAP_END not in text:
        return [finding(root, readme, 1, f"no map; put `edges.py --map` between {MAP_BEGIN} and {MAP_END}")]
    drawn = text.split(MAP_BEGIN)[1].split(MAP_END)[0].strip()
    line = text[: text.index(MAP_BEGIN)].count("\n") + 1
    return [] if drawn == draw(table) else [finding(root, readme, line, "not the map that src/rooms.txt draws; "
                                                                        "paste `tests/house/edges.py --map`")]


def check_commands(root, src):
    """cli is one file per command: cli.c has their table, arguments.c what they share, and any other file is a command."""
    table = src / "cli" / "cli.c"
    if not table.is_file():
        return []
    commands = set(re.findall(r'^\s+\{"(\w+)", "', table.read_text("utf-8"), re.M))
    return [finding(root, path, 1, f"{path.stem} is not a command; cli holds one file per command, and nothing else")
            for path in files(root, ".c", under="src/cli") if path.stem not in commands | {"cli", "arguments"}]


def check(root):
    root = Path(root)
    src = root / "src"
    table = Table(src / "rooms.txt")
    findings = [finding(root, table.path, line, what) for line, what in table.bad_edges()]
    for path in files(root, ".c", ".h", under="src"):
        text = bare_c(path.read_text("utf-8"), keep_strings=True)
        room = room_of(path.relative_to(src))
        if room is not None and room not in table.rooms:
            findings.append(finding(root, path, 1, f"room {room} is not in src/rooms.txt"))
            continue
        for match in INCLUDE.finditer(text):
            wrong = check_include(table, src, path, match[1])
            if wrong:
                findings.append(finding(root, path, text.count("\n", 0, match.start(1)) + 1, wrong))
        for line in check_clock(table, src, path, bare_c(text)):
            findings.append(finding(root, path, line, "looks at a clock; `now` is a parameter here"))
    return findings + check_commands(root, src) + check_map(root, table)


if __name__ == "__main__":
    if sys.argv[1:] == ["--map"]:
        print(draw(Table(ROOT / "src" / "rooms.txt")))
    else:
        sys.exit(tell(check(ROOT), "edges"))
