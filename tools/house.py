"""What the house checks share: the rooms, the list of files, exceptions, and how findings end."""

import argparse
import os
import re
import subprocess
import sys

ROOMS = ["base", "crypto", "consensus", "wire", "storage", "ctl", "dataplane", "replica", "node",
         "client", "mgmt", "bench"]
EXCEPTIONS = "tools/style_exceptions.txt"


def tracked_files(root):
    """The files of the repository, or of the folder when it is no repository (a tarball)."""
    if os.path.exists(os.path.join(root, ".git")):
        done = subprocess.run(["git", "-c", "safe.directory=*", "-C", root, "ls-files", "-z"],
                              stdout=subprocess.PIPE, check=False)
        names = [name for name in done.stdout.decode().split("\0") if name]
        if done.returncode == 0 and names:
            return sorted(name for name in names if os.path.isfile(os.path.join(root, name)))
    names = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith((".", "build", "__"))]
        names += [os.path.relpath(os.path.join(folder, name), root) for name in files]
    return sorted(names)


def read(root, name):
    with open(os.path.join(root, name), encoding="utf-8") as file:
        return file.read()


def is_c(name):
    return name.endswith((".c", ".h"))


class Findings:
    """Collects violations; those named in tools/style_exceptions.txt pass, but must still occur."""

    def __init__(self, root, check):
        self.check = check
        self.found = []
        self.used = set()
        self.allowed = {}
        path = os.path.join(root, EXCEPTIONS)
        if os.path.exists(path):
            for line in read(root, EXCEPTIONS).splitlines():
                words, _, reason = line.partition("#")
                words = words.split()
                if len(words) == 2 and words[0].startswith(check + "."):
                    self.allowed[tuple(words)] = reason.strip()

    def add(self, rule, place, text):
        """`place` is path, path:line or path:name; an exception names it without the line."""
        key = (f"{self.check}.{rule}", re.sub(r":\d+$", "", place))
        if key in self.allowed:
            self.used.add(key)
        else:
            self.found.append(f"{place}: {text} [{key[0]}]")

    def finish(self):
        for key, reason in self.allowed.items():
            if key not in self.used:
                self.found.append(f"{EXCEPTIONS}: '{' '.join(key)}' is no longer needed, remove it")
            elif not reason:
                self.found.append(f"{EXCEPTIONS}: '{' '.join(key)}' gives no reason")
        for line in self.found:
            print(line)
        print(f"{self.check}: {len(self.found)} violations, {len(self.used)} exceptions")
        return 1 if self.found else 0


def arguments(text):
    parser = argparse.ArgumentParser(description=text)
    parser.add_argument("--root", default=os.path.join(os.path.dirname(__file__), ".."),
                        help="the tree to check (default: this one)")
    return parser.parse_args()


def run(check, text, body):
    root = os.path.abspath(arguments(text).root)
    findings = Findings(root, check)
    body(root, tracked_files(root), findings)
    sys.exit(findings.finish())
