"""What comments point to must be there: pages and their headings, functions, files.

    FACTS.md, "Retry-After"         a page, by its path from the project's root, and a heading in it; FACTS.md is
                                    short for the one in src/graph
    see err_set()                   a function that is defined below src/, lua/ or tests/
    base/err.h, tests/run.sh        a file, by its path from the root, from src/ or from the folder of the comment

Comments are read, and Python's docstrings; they may be broken over lines anywhere. A path in double quotes is the text
of a user, and one that begins with / or $ is another world's; neither is looked at as a file."""

import ast
import io
import re
import tokenize
from functools import lru_cache
from pathlib import Path

from edges import SYSTEM, Table, prefix_fits
from house import bare_c, files, finding, main

FOLDERS = ("src", "lua", "tests")
SHORT = {"FACTS.md": "src/graph/FACTS.md"}
CITATION = re.compile(r'([\w./-]+\.md)((?:(?:,| and|, and| or) "[^"]+")+)')
NUMBERED = re.compile(r"\b(?:facts|interface) (?:trap )?\d[\d.]*", re.I)
SEE = re.compile(r"\b[Ss]ee ((?:[\w.:]+\(\)(?:, and |, | and | or )?)+)")
NAMED_FILE = re.compile(r"(?<![\w./$~<>{}*\\-])((?:[\w-]+/)+[\w.-]+\.(?:c|h|lua|py|txt|md|sh))(?![\w/*-])")
C_TOKEN = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)
LUA_TOKEN = re.compile(
    r"--\[(=*)\[.*?\]\1\]|--[^\n]*|\[(=*)\[.*?\]\2\]|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)
C_HEAD = re.compile(r"^[A-Za-z_][^;{}#]*\)[^;{}()#]*\n?\{", re.M)
DEFINED = {
    ".lua": re.compile(r"\bfunction\s+(?:[\w.]+[.:])?(\w+)\s*\(|\b(\w+)\s*=\s*function\b"),
    ".py": re.compile(r"^\s*def (\w+)", re.M),
}


def c_comments(text):
    for match in C_TOKEN.finditer(text):
        if match[0][0] == "/":
            yield text.count("\n", 0, match.start()) + 1, match[0].strip("/")


def lua_comments(text):
    for match in LUA_TOKEN.finditer(text):
        if match[0].startswith("--"):
            yield text.count("\n", 0, match.start()) + 1, match[0]


def python_comments(text):
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            docstring = ast.get_docstring(node, clean=False)
            if docstring is not None:
                yield node.body[0].lineno, docstring


COMMENTS = {".c": c_comments, ".h": c_comments, ".lua": lua_comments, ".py": python_comments}


def unwrapped(comments):
    """Each comment as one line of text, and the line of the file that a place in it is from. Comments of one line each
    that follow each other are one."""
    text, starts, last = "", [], None
    for line, comment in comments:
        if last is not None and line != last + 1:
            yield text, starts
            text, starts = "", []
        for offset, row in enumerate(comment.split("\n")):
            starts.append((len(text), line + offset))
            text += re.sub(r"^\s*(?:\*+|-{2,}(?:\[=*\[)?|#+)?\s*", "", row).rstrip() + " "
            last = line + offset
    if text:
        yield text, starts


def line_of(starts, place):
    return max(line for start, line in starts if start <= place)


@lru_cache(maxsize=None)
def headings(page):
    found, fenced = set(), False
    for line in page.read_text("utf-8").splitlines():
        fenced ^= line.startswith("```")
        if not fenced and re.match(r"#+ ", line):
            found.add(line.lstrip("#").strip().replace("`", ""))
    return found


def defined(root):
    """The names of all functions, and of macros that look like one."""
    names = set()
    for folder in FOLDERS:
        for path in files(root, *COMMENTS, under=folder):
            text = path.read_text("utf-8")
            if path.suffix in DEFINED:
                names |= {match[match.lastindex] for match in DEFINED[path.suffix].finditer(text)}
                continue
            bare = bare_c(text)
            names |= set(re.findall(r"^\s*#\s*define\s+(\w+)\(", bare, re.M))
            for head in C_HEAD.findall(bare):
                names |= set(re.findall(r"(\w+)\s*\(", head))
    return names


class Tree:
    def __init__(self, root):
        self.root, self.functions = root, defined(root)
        libraries = Table(root / "src" / "rooms.txt").libraries
        self.foreign = [prefix for _, prefixes, _ in libraries for prefix in prefixes]

    def wrong_citation(self, page, heading):
        path = self.root / SHORT.get(page, page)
        if not path.is_file():
            return f"{page}: no such page; write its path from the project's root"
        if heading.replace("`", "") not in headings(path):
            return f'{page} has no heading "{heading}"'
        return None

    def is_there(self, name, folder):
        outside = name in SYSTEM or any(prefix_fits(prefix, name) for prefix in self.foreign)
        return outside or any((place / name).exists() for place in (self.root, self.root / "src", folder))

    def check(self, text, folder):
        """What is wrong in one comment, with its place."""
        for match in CITATION.finditer(text):
            for heading in re.findall(r'"([^"]+)"', match[2]):
                wrong = self.wrong_citation(match[1], heading)
                if wrong:
                    yield match.start(), wrong
        for match in NUMBERED.finditer(text):
            yield match.start(), f'"{match[0]}": that page is not in the tree; cite one that is, by its heading'
        for match in SEE.finditer(text):
            for name in re.findall(r"([\w.:]+)\(\)", match[1]):
                if re.split(r"[.:]", name)[-1] not in self.functions:
                    yield match.start(), f"see {name}(): no function has that name"
        quoted = re.sub(r'"[^"]*"', lambda text: '"' * len(text[0]), text)
        for match in NAMED_FILE.finditer(quoted):
            if not self.is_there(match[1], folder):
                yield match.start(), f"{match[1]}: no such file"


def check(root):
    root = Path(root)
    tree, findings = Tree(root), []
    headings.cache_clear()
    for folder in FOLDERS:
        for path in files(root, *COMMENTS, under=folder):
            for text, starts in unwrapped(COMMENTS[path.suffix](path.read_text("utf-8"))):
                for place, what in tree.check(text, path.parent):
                    findings.append(finding(root, path, line_of(starts, place), what))
    return findings


if __name__ == "__main__":
    main(check, "citations")
