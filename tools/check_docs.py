#!/usr/bin/env python3
"""Documents name files and folders of this tree: each of them must exist."""

import os
import re

import house

FOLDERS = set(house.ROOMS) | {"docs", "tests", "tools", "man", "deploy", ".ci"}
QUOTED = re.compile(r"`([^`\s]+)`")
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")


def is_path(word):
    """A path of ours; words with a wildcard or a placeholder describe many and are left alone."""
    return (word.split("/")[0] in FOLDERS and "/" in word and
            not re.search(r"[<>*{}|$…]|\.\.\.", word))


def check_file(root, name, findings):
    for number, line in enumerate(house.read(root, name).split("\n"), 1):
        for word in QUOTED.findall(line):
            path = re.sub(r"(:\d+|\(\)|[.,;:])$", "", word)
            if is_path(path) and not os.path.exists(os.path.join(root, path)):
                findings.add("path", f"{name}:{number}", f"no such file: {path}")
        for target in LINK.findall(line):
            if re.match(r"[a-z]+:", target):
                continue
            if not os.path.exists(os.path.join(root, os.path.dirname(name), target)):
                findings.add("link", f"{name}:{number}", f"no such file: {target}")


def check(root, names, findings):
    for name in names:
        if name.endswith(".md"):
            check_file(root, name, findings)


if __name__ == "__main__":
    house.run("docs", __doc__, check)
