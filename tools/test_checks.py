#!/usr/bin/env python3
"""Proves that each house check can fail: plants one violation in a small clean tree and looks.

`test_checks.py CHECK` runs the cases of one check (layers, style, docs, draws, format, headers,
pure). A case that expects nothing looks like a violation and is none.
"""

import os
import subprocess
import sys
import tempfile

TOOLS = os.path.dirname(os.path.abspath(__file__))

HEADER = """/*
 * {name}: adds one to a number.
 */
#ifndef QUORATE_{guard}_H
#define QUORATE_{guard}_H

/* Returns value + 1. */
int {name}_next(int value);

#endif
"""

SOURCE = """#include "{room}/{name}.h"

int {name}_next(int value)
{{
\treturn value + 1;
}}
"""

CHARTER = "# {room}: one idea.\n# Must never know more.\n"

CLEAN = {
    "meson.build": "project('small', 'c')\n",
    "base/meson.build": CHARTER.format(room="base") + "sources = files('one.c')\n",
    "base/one.h": HEADER.format(name="one", guard="BASE_ONE"),
    "base/one.c": SOURCE.format(room="base", name="one"),
    "storage/meson.build": CHARTER.format(room="storage") +
                           "sources = files('log.c')\nuses = ['base']\npure = true\n",
    "storage/log.h": HEADER.format(name="log", guard="STORAGE_LOG"),
    "storage/log.c": '#include "storage/log.h"\n\n#include "base/one.h"\n\n'
                     "int log_next(int value)\n{\n\treturn one_next(value);\n}\n",
    "tests/unit/meson.build": "unit_tests = [\n  ['base', 'test_one'],\n"
                              "  ['storage', 'test_log'],\n]\n",
    "tests/unit/base/test_one.c": '#include "base/one.h"\n',
    "tests/unit/storage/test_log.c": '#include "storage/log.h"\n',
    "README.md": "See `base/one.c`, [the log](storage/log.c), `tests/unit/<room>/x_<file>.c`.\n",
}

DRAWING = """
static int one_draw(struct prng *prng)
{{
\treturn (int)prng_below(prng, 9);
}}

int one_drawn(struct prng *prng, int *at)
{{
\t{}
}}
"""

TWO_DRAWS = "two draws in one expression"

LONG_FUNCTION = "\nint one_long(int value)\n{\n" + "\tvalue++;\n" * 70 + "\treturn value;\n}\n"

# check -> [(file, text added to it or a function of its text, what must be reported)]
CASES = {
    "layers": [
        ("base/one.c", '#include "storage/log.h"\n', "base does not list storage"),
        ("base/one.c", '#include "base/two.h"\n', "no such file: base/two.h"),
        ("base/one.c", "#include <sodium.h>\n", "<sodium.h> belongs to crypto/"),
        ("storage/log.c", "#include <rte_mbuf.h>\n", "<rte_mbuf.h> belongs to"),
        ("storage/log.c", "#include <liburing.h>\n", "<liburing.h> belongs to"),
        ("storage/log.c", "#include <microhttpd.h>\n", "<microhttpd.h> belongs to"),
        ("storage/log.c", "#include <time.h>\n", "pure file may not include <time.h>"),
        ("storage/log.c", '#include "tests/unit/base/test_one.c"\n', "not include a test file"),
        ("storage/meson.build", lambda text: text.replace("['base']", "['base', 'wire']"),
         "storage may not use wire"),
        ("storage/meson.build", lambda text: text.replace("# Must never know more.\n", ""),
         "no charter"),
        ("storage/log.h", "#include <time.h>\n", "pure file may not include <time.h>"),
        ("base/one_types.h", '#include "storage/log.h"\n', "is a leaf"),
        ("base/two.c", "\n", "no meson.build lists it"),
        ("base/two.c", "\n", "no tests/unit/base/test_two.c"),
        ("tests/unit/base/test_two.c", "\n", "has no row"),
        ("tests/unit/meson.build", "# rows\nmore = [['base', 'test_three']]\n", "has no file"),
        ("tools/style_exceptions.txt", "layers.foreign base/one.c # once\n", "no longer needed"),
    ],
    "style": [
        ("base/one.c", LONG_FUNCTION, "one.c:one_long: 74 lines"),
        ("base/one.c", "\n" * 500, "more than 500"),
        ("tests/unit/base/test_one.c", "\n" * 800, "more than 800"),
        ("base/one.c", "/* " + "x" * 98 + " */\n", "more than 100 columns"),
        ("base/one.c", "int a; \n", "blank at the end"),
        ("base/one.c", "int a;", "no newline"),
        ("base/one.c", "/* TODO: more */\n", "without an issue number"),
        ("base/one.c", "int b(char *t)\n{\n\treturn atoi(t);\n}\n", "atoi() is banned"),
        ("base/one.c", "void c(char *t)\n{\n\tstrcpy(t, t);\n}\n", "strcpy() is banned"),
        ("base/one.c", "typedef struct one one_t;\n", "typedef"),
        ("base/one.c", "// words\n", "// comment"),
        ("base/one.c", "/* one_next(3); */\n", "looks like code"),
        ("base/one.h", lambda text: text.replace("BASE_ONE_H", "ONCE_H"), "include guard"),
        ("base/one.h", lambda text: text.replace(" * one:", " * two:"), "does not begin"),
        ("base/one.h", lambda text: text.replace("/* Returns", "int x;\n" * 60 + "/* Returns"),
         "comment share"),
    ],
    "draws": [("base/one.c", DRAWING.format(statement), TWO_DRAWS) for statement in [
        "return add(one_draw(prng), 3 + one_draw(prng));",
        "at[one_draw(prng)] ^= 1 << prng_below(prng, 8);",
        "return one_draw(prng) + (prng_chance(prng, 5) ? 2 : 3);",
        "*at = prng_u64(prng) >> prng_below(prng, 64);",
        "struct pair pair = { .a = one_draw(prng), .b = one_draw(prng) };",
        "*pair = (struct pair){ 1, at[one_draw(prng)], one_draw(prng) };",
        "if (one_draw(prng) == one_draw(prng))\n\t\treturn 1;",
        "for (int i = f(one_draw(prng), one_draw(prng)); i > 0; i--)\n\t\tat[i] = 0;",
        "switch (at[0]) {\n\tcase 1:\n\t\treturn one_draw(prng) * one_draw(prng);\n\t}",
    ]] + [("base/one.c", DRAWING.format(statement), "") for statement in [
        "return one_draw(prng) > 3 && one_draw(prng) > 4;",
        "return at[0] ? one_draw(prng) : 1 + one_draw(prng);",
        "return prng_below(prng, 1 + prng_below(prng, 8));",
        "int a = one_draw(prng), b = one_draw(prng);",
        "for (int i = one_draw(prng); i < one_draw(prng); i += one_draw(prng))\n\t\tat[i] = 0;",
        "if (one_draw(prng))\n\t\treturn one_draw(prng);\n\telse\n\t\treturn 1 + one_draw(prng);",
    ]],
    "docs": [
        ("README.md", "and `base/three.c`\n", "no such file: base/three.c"),
        ("README.md", "[gone](docs/gone.md)\n", "no such file: docs/gone.md"),
    ],
    "format": [("base/one.c", "int  a;\n", "not formatted")],
    "headers": [("base/one.h", lambda text: text.replace("int value", "uint8_t value"),
                 "does not compile alone"),
                ("base/one.h", lambda text: "struct twice {\n\tint a;\n};\n" + text,
                 "does not compile alone")],
    "pure": [("storage/log.c", "#include <stdlib.h>\nint log_draw(void);\n"
                               "int log_draw(void)\n{\n\treturn rand();\n}\n", "may not use rand"),
             ("storage/log.c", "#include <time.h>\nlong log_now(void);\n"
                               "long log_now(void)\n{\n\treturn time(NULL);\n}\n",
              "may not use time"),
             ("storage/log.c", lambda text: "", "defines nothing"),
             ("storage/log.c", "void crypto_random(void *ret, unsigned long count);\n"
                               "void log_fill(void *p);\nvoid log_fill(void *p)\n{\n"
                               "\tcrypto_random(p, 1);\n}\n", "may not use crypto_random")],
}


def write_tree(folder):
    for name, text in CLEAN.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    with open(os.path.join(TOOLS, "..", ".clang-format"), encoding="utf-8") as file:
        style = file.read()
    with open(os.path.join(folder, ".clang-format"), "w", encoding="utf-8") as file:
        file.write(style)


def change(folder, name, edit):
    path = os.path.join(folder, name)
    text = ""
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            text = file.read()
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(edit(text) if callable(edit) else text + edit)


def archive(folder, name, sources):
    objects = []
    for source in sources:
        made = os.path.join(folder, os.path.basename(source) + ".o")
        subprocess.run(["cc", "-O1", "-I", folder, "-c", source, "-o", made], cwd=folder,
                       check=True)
        objects.append(made)
    subprocess.run(["ar", "rcs", name] + objects, cwd=folder, check=True)


def run_check(folder, check):
    if check == "pure":
        change(folder, "base/random.c", "void crypto_random(void *p, unsigned long n);\n"
                                        "void crypto_random(void *p, unsigned long n)\n{\n"
                                        "\t(void)p;\n\t(void)n;\n}\n")
        archive(folder, "base.a", ["base/one.c", "base/random.c"])
        archive(folder, "storage.a", ["storage/log.c"])
        command = [os.path.join(TOOLS, "check_pure.sh"), "storage.a", "base.a"]
    elif check == "headers":
        command = [os.path.join(TOOLS, "check_headers.sh"), folder]
    else:
        command = [sys.executable, os.path.join(TOOLS, f"check_{check}.py"), "--root", folder]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    return done.returncode, done.stdout


def main():
    check = sys.argv[1] if len(sys.argv) == 2 else ""
    if check not in CASES:
        print(f"usage: {sys.argv[0]} {'|'.join(CASES)}", file=sys.stderr)
        return 2
    failed = 0
    for name, edit, expected in [("", "", "")] + CASES[check]:
        with tempfile.TemporaryDirectory() as folder:
            write_tree(folder)
            if name:
                change(folder, name, edit)
            code, output = run_check(folder, check)
        if code == 77:
            print(output, end="")
            return 77
        if expected and (code == 0 or expected not in output):
            print(f"{check}: did not report '{expected}' planted in {name}:\n{output}")
            failed += 1
        elif not expected and code != 0:
            print(f"{check}: reports a clean tree:\n{output}")
            failed += 1
    print(f"{check}: {len(CASES[check])} cases, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
