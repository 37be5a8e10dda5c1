"""A C file that is too long to be taken in at a glance opens with a comment: what it is for and how it works. The header
says what a room promises; to change the code one needs the data structure, the order of steps and what always holds."""

import re
from pathlib import Path

from house import files, finding, main

LINES = 60  # a file of so many may go without
SENTENCES = 2
WORDS = 20  # of one long sentence
COMMENT = re.compile(r"/\*(.*?)\*/", re.S)


def opening(text):
    """The words of the comment that the text begins with, or ""."""
    comment = COMMENT.match(text)
    return " ".join(comment[1].replace("\n *", "\n").split()) if comment else ""


def says_enough(words):
    sentences = re.findall(r"\w[.!?](?=\s|$)", words)
    return len(sentences) >= SENTENCES or len(words.split()) >= WORDS


def check(root):
    findings = []
    for path in files(root, ".c", under="src"):
        text = path.read_text("utf-8")
        if len(text.splitlines()) > LINES and not says_enough(opening(text)):
            findings.append(finding(root, path, 1, "opens without saying what it is for and how it works; begin with a "
                                    f"comment of {SENTENCES} sentences or {WORDS} words"))
    return findings


if __name__ == "__main__":
    main(check, "openings")
