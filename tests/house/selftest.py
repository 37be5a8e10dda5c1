"""Each check of the house must be able to fail: every case here plants one defect in a small tree that is otherwise
clean, and names the finding that must come of it. A check that finds nothing, or something else, fails this test."""

import shutil
import sys
import tempfile
from pathlib import Path

import edges
import format as formatting
import headers
import shell
import words
from house import ROOT

ROOMS = """\
room 0 base :
room 1 model : base
room 2 adapters/loop : base
room 2 adapters/http : base adapters/loop
room 3 store : base model
room 4 service : base model store
room 5 cli : base model service
library libevent : event2/ : adapters/loop
"""
CLEAN = {
    "src/rooms.txt": ROOMS,
    "src/base/err.h": "#ifndef BASE_ERR_H\n#define BASE_ERR_H\nint err_set(int kind);\n#endif\n",
    "src/base/log.h": "#ifndef BASE_LOG_H\n#define BASE_LOG_H\nvoid log_at(void);\n#endif\n",
    "src/base/err.c": '#include "base/err.h"\n\n#include <string.h>\n\nint err_set(int kind)\n{\n  return kind;\n}\n',
    "src/model/event.h": '#ifndef MODEL_EVENT_H\n#define MODEL_EVENT_H\n#include "base/err.h"\n#endif\n',
    "src/adapters/loop.c": '#include "base/err.h"\n\n#include <event2/event.h>\n',
    "src/main.c": '#include "cli/cli.h"\n',
    "src/cli/cli.h": "#ifndef CLI_CLI_H\n#define CLI_CLI_H\n#endif\n",
    "lua/rule.lua": "local a = 1\nreturn a\n",
    "run.sh": "#!/bin/bash\nset -euo pipefail\necho \"$0\"\n",
}
C = "src/store/store.c"
BACKWARDS = "void f(void)\n{\nagain:\n  g();\n  goto again;\n}\n"
TWICE = "void f(void)\n{\n  goto out;\nout:\n  return;\n}\n\nvoid g(void)\n{\n  goto out;\nout:\n  return;\n}\n"
NOTE = "/* TO" "DO: later */\n"

# check, file, contents (None: the file goes away), what the finding must say ("" = the tree stays clean)
CASES = [
    (edges, C, '#include "service/service.h"\n', "no such file"),
    (edges, C, '#include "cli/cli.h"\n', "store.c:1: store -> cli: not in src/rooms.txt"),
    (edges, "src/base/err.c", '\n#include "model/event.h"\n', "err.c:2: base -> model"),
    (edges, C, '#include "../base/err.h"\n', 'as "room/name.h"'),
    (edges, C, '#include "err.h"\n', 'as "room/name.h"'),
    (edges, C, "#include <event2/event.h>\n", "only adapters/loop may touch that library"),
    (edges, C, "#include <zlib.h>\n", "no system header"),
    (edges, C, '#include "base/log.h"\n', "floors 0 to 3 return errors"),
    (edges, C, '/* #include "cli/cli.h" */\n', ""),
    (edges, C, "long f(void)\n{\n  return clock_now_ms();\n}\n", "store.c:3: looks at a clock"),
    (edges, C, "/* not clock_now_ms() */\n", ""),
    (edges, "src/main.c", '#include "model/event.h"\n', "main.c -> model"),
    (edges, "src/attic/a.c", "\n", "room attic is not in"),
    (edges, "src/rooms.txt", ROOMS.replace("model : base", "model : base store"), "model -> store: does not point down"),
    (edges, "src/rooms.txt", ROOMS.replace("loop : base", "loop : base adapters/http"), "does not point down"),
    (edges, "src/rooms.txt", ROOMS.replace("store : base model", "store : base model service"), "does not point down"),
    (edges, "src/rooms.txt", ROOMS.replace("room 3 store : base", "room 3 store : bass"), "no such room"),
    (edges, "src/rooms.txt", ROOMS.replace("base model store", "base model store adapters/loop"), "through its ports"),
    (edges, "src/rooms.txt", ROOMS + "library z : z.h : store\n", "only adapters touch libraries"),
    (edges, "src/rooms.txt", ROOMS + "rooms\n", "neither a room nor a library"),
    (edges, "src/rooms.txt", ROOMS + "room 3 intake : base\n", "not the map"),
    (edges, "src/README.md", "no map here\n", "no map"),
    (headers, "src/model/event.h", "struct list *f(size_t n);\n", "event.h:1: does not compile alone"),
    (headers, "src/model/event.h", "struct event {\n  int a;\n};\n", "redefinition"),
    (words, C, "void f(char *a)\n{\n  strcpy(a, a);\n}\n", "store.c:3: strcpy(): no bound"),
    (words, C, 'const char *f = "strcpy(a, b)"; /* nor atoi() */\n', ""),
    (words, C, "int g = my_atoi(1);\n", ""),
    (words, C, BACKWARDS, "store.c:5: goto again goes back to line 3"),
    (words, C, TWICE, ""),
    (words, C, NOTE, "unfinished work"),
    (words, C, "typedef struct x {\n  int a;\n} x;\n", "typedef of a struct"),
    (words, C, "int a;\n" * 601, "longer than 600 lines"),
    (words, "tests/unit/test_x.c", "int a;\n" * 601, ""),
    (words, "tests/unit/test_x.c", "int a;\n" * 901, "longer than 900 lines"),
    (words, "tests/unit/test_x.c", "void f(void)\n{\n  free(malloc(1));\n}\n", ""),
    (words, C, "void f(void)\n{\n  free(malloc(1));\n}\n", "may fail unseen"),
    (words, C, "int a; \n", "white space"),
    (words, C, "int a;", "one newline"),
    (words, "src/base/str_utils.c", "int a;\n", "says nothing"),
    (words, "rules/x.lua", "return '\xff'\n", "not UTF-8"),
    (formatting, C, "int  a ;\n", "store.c:1: not as clang-format"),
    (formatting, "lua/rule.lua", "a = 1\n", "setting non-standard global"),
    (shell, "run.sh", "#!/bin/bash\nset -euo pipefail\nif true; then\n", "bash cannot read it"),
    (shell, "run.sh", "#!/bin/bash\nset -euo pipefail\necho $1\n", "Double quote"),
    (shell, "run.sh", "#!/bin/bash\necho hello\n", "set -euo pipefail"),
    (shell, "run.sh", "exec", "no longer executable"),
]


def plant(tree, name, contents):
    path = tree / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(contents.encode("latin-1" if "\xff" in contents else "utf-8"))
    if name == "run.sh":
        path.chmod(0o755)


def clean_tree(tree):
    for name, contents in CLEAN.items():
        plant(tree, name, contents)
    drawn = edges.draw(edges.Table(tree / "src" / "rooms.txt"))
    plant(tree, "src/README.md", f"{edges.MAP_BEGIN}\n{drawn}\n{edges.MAP_END}\n")
    for name in (".clang-format", ".luacheckrc"):
        shutil.copy(ROOT / name, tree / name)


def run_case(check, name, contents, wanted):
    """None, or how the case failed."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        clean_tree(tree)
        if check is not formatting:  # the small headers above are not formatted as ours are
            before = check.check(tree)
            if before:
                return f"the clean tree has findings: {before}"
        if contents == "exec":
            (tree / name).chmod(0o644)
            wanted = "not executable"
        else:
            plant(tree, name, contents)
        found = [line for line in check.check(tree) if Path(name).name in line or "README.md" in line]
    if wanted == "":
        return f"found in what is right: {found}" if found and check is not formatting else None
    return None if any(wanted in line for line in found) else f"wanted \"{wanted}\", found {found}"


def main():
    failures = 0
    for number, (check, name, contents, wanted) in enumerate(CASES, 1):
        wrong = run_case(check, name, contents, wanted)
        if wrong:
            failures += 1
            print(f"case {number}, {check.__name__}, {name}: {wrong}")
    print(f"selftest: {len(CASES)} cases, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
