#!/usr/bin/env python3
"""Every C file is what clang-format 14 makes of it."""

import re
import shutil
import subprocess
import sys

import house


def check(root, names, findings):
    program = shutil.which("clang-format-14") or shutil.which("clang-format")
    version = subprocess.run([program, "--version"], stdout=subprocess.PIPE, check=True,
                             text=True).stdout if program else ""
    if not re.search(r"version 14\.", version):
        print("clang-format 14 is not installed")
        sys.exit(77)
    sources = [name for name in names if house.is_c(name)]
    done = subprocess.run([program, "--dry-run", "-Werror", "--ferror-limit=1"] + sources, cwd=root,
                          stderr=subprocess.PIPE, check=False, text=True)
    for name in sorted(set(re.findall(r"^(\S+?):\d+:\d+: error:", done.stderr, re.MULTILINE))):
        findings.add("format", name, f"not formatted; run: clang-format -i {name}")
    if done.returncode != 0 and not findings.found and not findings.used:
        findings.add("format", ".", done.stderr)


if __name__ == "__main__":
    house.run("format", __doc__, check)
