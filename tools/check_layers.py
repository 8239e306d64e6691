#!/usr/bin/env python3
"""Who may include whom: compares each folder's meson.build with every #include in it."""

import os
import re

import house

# What a room may use; `uses` in its meson.build may name fewer, never more.
MAY_USE = {
    "base": [],
    "crypto": ["base"],
    "consensus": ["base", "crypto"],
    "wire": ["base", "crypto", "consensus"],  # what signatures cover, see TYPES_ONLY
    "storage": ["base", "crypto"],
    "ctl": ["base"],
    "dataplane": ["base", "crypto", "wire", "ctl"],
    "replica": ["base", "crypto", "consensus", "wire", "storage", "dataplane"],
    "node": ["base", "crypto", "consensus", "wire", "storage", "ctl", "dataplane", "replica"],
    "client": ["base", "crypto", "wire"],
    "mgmt": ["base", "crypto", "wire", "ctl", "client"],  # wire: docs/decisions/0001
    "bench": ["base", "crypto", "wire", "client", "dataplane", "ctl"],
}

# Linked for the functions of its value types; only *_types.h may be included.
TYPES_ONLY = {("wire", "consensus")}

# (header, where it may be included, in words)
FOREIGN = [
    (r"sodium(\.h|/.*)", r"crypto/.*\.c", "crypto/"),
    (r"rte_.*\.h", r"(dataplane|tools/dpdk|bench|tests/unit/dataplane)/.*", "*_dpdk.c"),
    (r"liburing.*|linux/io_uring\.h", r".*_uring\.c", "*_uring.c"),
    (r"microhttpd\.h", r"mgmt/.*\.c", "one file of mgmt/"),
    (r"xxhash\.h", r"(base|crypto|wire|storage|ctl|dataplane)/.*", "base or a room that checksums"),
    (r"CUnit/.*", r"tests/.*", "tests/"),
]

# All that the pure files may ask of libc.
PURE_HEADERS = {"stdalign.h", "stdatomic.h", "stdbool.h", "stddef.h", "stdint.h", "string.h",
                "limits.h", "inttypes.h", "xxhash.h"}

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^">]+)[">]', re.MULTILINE)


def meson_list(text, name):
    match = re.search(rf"^{name}\s*\+?=\s*(.*?)(?=^\w+\s*\+?=|\Z)", text, re.MULTILINE | re.DOTALL)
    return re.findall(r"'([^']+)'", re.sub(r"#.*", "", match.group(1))) if match else []


class Room:
    def __init__(self, root, name):
        text = house.read(root, f"{name}/meson.build")
        self.name = name
        self.text = text
        self.uses = meson_list(text, "uses")
        self.is_pure = re.search(r"^pure\s*=\s*true", text, re.MULTILINE) is not None
        self.foreign = {f"{name}/{file}" for file in meson_list(text, "foreign_sources")}


    def take_foreign_headers(self, root, names):
        """A header that only foreign sources include is foreign as well."""
        texts = {name: house.read(root, name) for name in names
                 if name.startswith(f"{self.name}/") and house.is_c(name)}
        for header in [name for name in texts if name.endswith(".h")]:
            users = {name for name, text in texts.items() if f'#include "{header}"' in text}
            if users and users <= self.foreign:
                self.foreign.add(header)


def check_room(room, findings):
    build = f"{room.name}/meson.build"
    for used in room.uses:
        if used not in MAY_USE[room.name]:
            findings.add("uses", build, f"{room.name} may not use {used}")
    if len(re.match(r"(?:#.*\n)*", room.text).group(0).splitlines()) < 2:
        findings.add("charter", build, "no charter of two comment lines on top")


def check_ours(room, name, line, target, files, findings):
    folder = target.split("/")[0]
    place = f"{name}:{line}"
    if target not in files:
        findings.add("missing", place, f"no such file: {target}")
    if name.endswith("_types.h") and not (folder in ("base", "crypto") or
                                          target.endswith("_types.h")):
        findings.add("leaf", place, f"a *_types.h is a leaf and may not include {target}")
    if folder == "tests":
        findings.add("tests", place, "a product file may not include a test file")
    elif folder == room.name or target.endswith("_types.h"):
        return
    elif (room.name, folder) in TYPES_ONLY:
        findings.add("include", place, f"{room.name} may include only types of {folder}: {target}")
    elif folder not in room.uses:
        findings.add("include", place, f"{room.name} does not list {folder} in its uses: {target}")


def check_system(room, name, line, target, findings):
    if room and room.is_pure and name not in room.foreign and target not in PURE_HEADERS:
        findings.add("pure", f"{name}:{line}", f"a pure file may not include <{target}>")


def check_foreign(name, line, target, findings):
    for header, place, words in FOREIGN:
        if not re.fullmatch(header, target):
            continue
        is_right = re.fullmatch(place, name) is not None
        if header.startswith("rte_"):
            is_right = is_right and (name.endswith("_dpdk.c") or name.startswith("tools/dpdk/"))
        if not is_right:
            findings.add("foreign", f"{name}:{line}", f"<{target}> belongs to {words}")


def check_file(root, rooms, name, files, findings):
    text = house.read(root, name)
    room = rooms.get(name.split("/")[0])
    for match in INCLUDE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        if match.group(1) == "<":
            check_foreign(name, line, match.group(2), findings)
            check_system(room, name, line, match.group(2), findings)
        elif room:
            check_ours(room, name, line, match.group(2), files, findings)


def check_microhttpd(root, files, findings):
    users = [name for name in files if name.startswith("mgmt/") and house.is_c(name) and
             "microhttpd.h" in house.read(root, name)]
    for name in users[1:]:
        findings.add("foreign", name, f"microhttpd.h is already in {users[0]}; one file only")


def check_tests(root, rooms, files, findings):
    table_name = "tests/unit/meson.build"
    table = house.read(root, table_name) if table_name in files else ""
    rows = set(re.findall(r"^\s*(?:\w+ = \[)?\[\s*'(\w+)',\s*'(\w+)'", re.sub(r"#.*", "", table),
                          re.MULTILINE))
    for room, test in sorted(rows):
        if f"tests/unit/{room}/{test}.c" not in files:
            findings.add("table", table_name, f"row ['{room}', '{test}'] has no file")
    for name in files:
        parts = name.split("/")
        if name.startswith("tests/unit/") and name.endswith(".c") and len(parts) == 4 and \
                parts[3].startswith("test_") and (parts[2], parts[3][:-2]) not in rows:
            findings.add("table", name, f"has no row in {table_name}")
        if parts[0] not in rooms or len(parts) != 2 or not name.endswith(".c"):
            continue
        if parts[1] not in rooms[parts[0]].text and parts[1] not in house.read(root, "meson.build"):
            findings.add("unbuilt", name, "no meson.build lists it")
        if parts[1].endswith(("_main.c", "_dpdk.c", "_uring.c")) or parts[0] == "bench":
            continue
        # A test of several files names the others in its text.
        tests = [test for test in files if test.startswith(f"tests/unit/{parts[0]}/")]
        if f"tests/unit/{parts[0]}/test_{parts[1]}" not in tests and \
                not any(re.search(rf"\b{re.escape(parts[1])}\b", house.read(root, test))
                        for test in tests if test.endswith(".c")):
            findings.add("untested", name, f"no tests/unit/{parts[0]}/test_{parts[1]}")


def check(root, names, findings):
    files = set(names)
    rooms = {name: Room(root, name) for name in house.ROOMS
             if os.path.exists(os.path.join(root, name, "meson.build"))}
    for room in rooms.values():
        room.take_foreign_headers(root, names)
        check_room(room, findings)
    for name in names:
        if house.is_c(name) or name.endswith(".def"):
            check_file(root, rooms, name, files, findings)
    check_microhttpd(root, names, findings)
    check_tests(root, rooms, files, findings)


if __name__ == "__main__":
    house.run("layers", __doc__, check)
