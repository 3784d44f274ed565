#!/usr/bin/env python3
"""Applies a mutant to a source tree.

  apply.py --check MUTANT...    each text that a mutant looks for stands exactly once in the tree
  apply.py MUTANT               makes the mutant, and prints the file that it changed

A mutant names no file and no line: what it looks for is found wherever it stands, whatever the white space around it.
So it survives that code moves; only a change of the very expression asks for a new one. The tree is the working folder.

  What: what is broken
  Test: PROGRAM FILTER          the tests that must notice
  Find:
  text
  Replace:
  text
"""
import pathlib
import re
import sys

FOLDERS = ("lib", "daemon", "contracts")
SUFFIXES = (".h", ".cpp", ".json")


def sections(path):
    match = re.fullmatch(r"What: .+\nTest: .+\nFind:\n(.+?)\nReplace:\n(.*)", path.read_text(), re.DOTALL)
    if not match:
        sys.exit(f"{path}: not a mutant; apply.py says what one looks like")
    return match.group(1), match.group(2).rstrip("\n")


def pattern(text):
    """The tokens of the text, with any white space between them."""
    tokens = re.findall(r"\w+|\S", text)
    return re.compile(r"\s*".join(re.escape(token) for token in tokens))


def places(text):
    wanted = pattern(text)
    for folder in FOLDERS:
        for path in sorted(pathlib.Path(folder).rglob("*")):
            if path.suffix in SUFFIXES and path.is_file():
                for match in wanted.finditer(path.read_text()):
                    yield path, match


def problem(mutant):
    found = list(places(sections(mutant)[0]))
    if len(found) == 1:
        return ""
    where = ", ".join(str(path) for path, _ in found[:5])
    return f"{mutant}: what it looks for stands {len(found)} times in the source, not once ({where or 'nowhere'})"


def main(arguments):
    if arguments[:1] == ["--check"]:
        problems = [text for text in (problem(pathlib.Path(name)) for name in arguments[1:]) if text]
        print(*problems, sep="\n", end="\n" if problems else "")
        return 1 if problems else 0
    mutant = pathlib.Path(arguments[0])
    if text := problem(mutant):
        sys.exit(text)
    find, replace = sections(mutant)
    path, match = next(places(find))
    source = path.read_text()
    path.write_text(source[: match.start()] + replace + source[match.end():])
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
