#!/usr/bin/env python3
"""Every C file is what clang-format 14 makes of it."""

import os
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
    for name in names:
        if not house.is_c(name):
            continue
        text = house.read(root, name)
        style = os.path.join(root, ".clang-format")
        made = subprocess.run([program, f"--style=file:{style}", f"--assume-filename={name}"],
                              input=text, stdout=subprocess.PIPE, check=True, text=True).stdout
        if made != text:
            changed = sum(1 for a, b in zip(made.split("\n"), text.split("\n")) if a != b)
            findings.add("format", name, f"not formatted (from about {changed} lines on); "
                                         f"run: clang-format -i {name}")


if __name__ == "__main__":
    house.run("format", __doc__, check)
