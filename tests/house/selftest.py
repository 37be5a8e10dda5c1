"""Each check of the house must be able to fail: every case here plants one defect in a small tree that is otherwise
clean, and names the finding that must come of it. A check that finds nothing, or something else, fails this test."""

import shutil
import sys
import tempfile
from pathlib import Path

import circles
import citations
import edges
import format as formatting
import headers
import openings
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
stand_in stand_in/sim : base model
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
    "src/graph/FACTS.md": "# Facts\n\n## After `Retry`\n\n```sh\n# Not a heading\n```\n",
    "run.sh": "#!/bin/bash\nset -euo pipefail\necho \"$0\"\n",
}
C = "src/store/store.c"
BACKWARDS = "void f(void)\n{\nagain:\n  g();\n  goto again;\n}\n"
TWICE = "void f(void)\n{\n  goto out;\nout:\n  return;\n}\n\nvoid g(void)\n{\n  goto out;\nout:\n  return;\n}\n"
NOTE = "/* TO" "DO: later */\n"
LONG = "int a;\n" * 61
SIM_H = "#ifndef SIM_H\n#define SIM_H\n#endif\n"
USES_SIM = {"src/stand_in/sim/sim.h": SIM_H, "src/store/store.c": '#include "stand_in/sim/sim.h"\n'}
SIM_USES = {"src/store/store.h": SIM_H, "src/stand_in/sim/sim.c": '#include "store/store.h"\n'}
OLD, PAGE = "facts", "interface"  # pages of the first design: their section numbers are no citations
WORDS_19 = " ".join(["word"] * 19)


def calls(*pairs):
    """Files of the store as (stem, stem that it calls): each defines one function of its own name."""
    return {f"src/store/{stem}.c": f"int {stem}(void)\n{{\n  return {other}();\n}}\n" for stem, other in pairs}


CIRCLE_OF_3 = calls(("a", "b"), ("b", "c"), ("c", "a"))
CIRCLE_OF_4 = calls(("a", "b"), ("b", "c"), ("c", "d"), ("d", "a"))
COMMANDS = 'static const struct command COMMANDS[] = {\n  {"run", "runs"},\n};\n'

# check, file of the finding, contents (a dictionary: several files), what the finding must say ("" = no finding)
CASES = [
    (edges, C, '#include "service/service.h"\n', "no such file"),
    (edges, C, '#include "cli/cli.h"\n', "store.c:1: store -> cli: not in src/rooms.txt"),
    (edges, "src/base/err.c", '\n#include "model/event.h"\n', "err.c:2: base -> model"),
    (edges, C, '#include "../base/err.h"\n', 'as "room/name.h"'),
    (edges, C, '#include "err.h"\n', 'as "room/name.h"'),
    (edges, C, "#include <event2/event.h>\n", "only adapters/loop may touch that library"),
    (edges, C, "#include <zlib.h>\n", "no system header"),
    (edges, C, '#include "base/log.h"\n', "floors below 5 return errors"),
    (edges, C, '/* #include "cli/cli.h" */\n', ""),
    (edges, C, "long f(void)\n{\n  return clock_now_ms();\n}\n", "store.c:3: looks at a clock"),
    (edges, "src/service/turn.c", "long f(void)\n{\n  return clock_now_ms();\n}\n", "turn.c:3: looks at a clock"),
    (edges, "src/adapters/loop.c", "long f(void)\n{\n  return clock_now_ms();\n}\n", ""),
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
    (edges, C, USES_SIM, "store -> stand_in/sim: not in src/rooms.txt"),
    (edges, "src/stand_in/sim/sim.c", '#include "base/log.h"\n#include "model/event.h"\n', ""),
    (edges, "src/stand_in/sim/sim.c", SIM_USES, "stand_in/sim -> store: not in src/rooms.txt"),
    (edges, "src/rooms.txt", ROOMS.replace("room 3 store : base", "room 3 store : stand_in/sim base"), "does not include a stand-in"),
    (edges, "src/cli/run.c", {"src/cli/cli.c": COMMANDS, "src/cli/run.c": "int a;\n", "src/cli/arguments.c": "int b;\n"}, ""),
    (edges, "src/cli/help_text.c", {"src/cli/cli.c": COMMANDS, "src/cli/help_text.c": "int a;\n"}, "not a command"),
    (circles, "src/store/a.c", CIRCLE_OF_3, ""),
    (circles, "src/store/a.c", CIRCLE_OF_4, "room store: a circle of 4 files: a b c d"),
    (circles, "src/store/a.c", calls(("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")), ""),
    (circles, "src/store/d.c", {**CIRCLE_OF_4, "src/store/d.c": "static int a(void);\nint d(void)\n{\n  return a();\n}\n"}, ""),
    (circles, "src/store/d.c", {**CIRCLE_OF_4, "src/store/d.c": "int d(struct x *x)\n{\n  return x->a(); /* a() */\n}\n"}, ""),
    (citations, C, '/* FACTS.md, "After Retry", "Facts" */\n', ""),
    (citations, C, '/* broken (FACTS.md, "After\n * Retry"; see\n * err_set()): base/err.h,\n * run.sh */\n', ""),
    (citations, C, '/* one\n * two (FACTS.md, "After\n * it") */\n', 'store.c:2: FACTS.md has no heading "After it"'),
    (citations, C, 'int a; /* FACTS.md, "Facts" and "Later" */\n', 'no heading "Later"'),
    (citations, C, '/* FACTS.md, "Not a heading" */\n', "no heading"),
    (citations, C, '// OTHER.md, "Facts"\n', "OTHER.md: no such page"),
    (citations, C, f"const char *f = \"/* {OLD} 2, see err_get() */\";\n", ""),
    (citations, C, "int a;\n/* old (facts\n * 3.2) */\n", f'store.c:2: "{OLD} 3.2"'),
    (citations, C, f'/* old: {PAGE} 4, "Several UCCs" */\n', f'"{PAGE} 4"'),
    (citations, C, f"/* old: {OLD} trap 19 */\n", f'"{OLD} trap 19"'),
    (citations, C, "/* the interface, and the facts of 3 people */\n", ""),
    (citations, C, "/* see err_get() */\n", "see err_get(): no function"),
    (citations, C, "/* see err_set() and err_get() */\n", "see err_get()"),
    (citations, C, "/* see log_at(), which is declared and defined nowhere */\n", "see log_at()"),
    (citations, C, "/* see BIG() */\n#define BIG(a) (a)\n", ""),
    (citations, C, "/* as base/errors.h says */\n", "base/errors.h: no such file"),
    (citations, C, '/* event2/event.h, sys/stat.h "lib/x.lua", /usr/b.txt, $HOME/b.txt, https://a.org/b.md */\n', ""),
    (citations, "lua/rule.lua", "-- see\n-- none()\nreturn 1\n", "rule.lua:1: see none()"),
    (citations, "lua/rule.lua", f"--[[ see f() ]]\nlocal function f() end\nreturn f, '-- {OLD} 2'\n", ""),
    (citations, "lua/rule.lua", f"--[==[\n {OLD} 2 ]==]\nreturn 1\n", f'rule.lua:2: "{OLD} 2"'),
    (citations, "tests/x.py", '"""As FACTS.md, "Nothing", says."""\n', 'x.py:1: FACTS.md has no heading "Nothing"'),
    (citations, "tests/x.py", "a = 1\n# see nothing()\n", "x.py:2: see nothing()"),
    (citations, "tests/x.py", f"a = '# {OLD} 2'\n", ""),
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
    (openings, C, LONG, "store.c:1: opens without saying"),
    (openings, C, "int a;\n" * 60, ""),
    (openings, "src/store/store.h", LONG, ""),
    (openings, "tests/unit/test_x.c", LONG, ""),
    (openings, C, "/* The store. */\n" + LONG, "store.c:1: opens without saying"),
    (openings, C, f"/* {WORDS_19} (as in x.y) */\n" + LONG, ""),
    (openings, C, f"/* {WORDS_19} */\n" + LONG, "store.c:1: opens without saying"),
    (openings, C, f"/* {WORDS_19} */\n/* more words */\n" + LONG, "store.c:1: opens without saying"),
    (openings, C, "int b; /* Rows by key. A commit writes them. */\n" + LONG, "store.c:1: opens without saying"),
    (openings, C, "/* Rows by key. A commit\n * writes them. */\n" + LONG, ""),
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
            for path, text in (contents if isinstance(contents, dict) else {name: contents}).items():
                plant(tree, path, text)
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
