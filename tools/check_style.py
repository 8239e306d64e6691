#!/usr/bin/env python3
"""Sizes, bans and the shape of comments, kept by a machine."""

import re

import house

COLUMNS_MAX = 100
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 500
TEST_LINES_MAX = 800
HEADER_COMMENT_PERCENT_MIN = 8

BANNED_CALLS = ["alloca", "atof", "atoi", "atol", "atoll", "gets", "rand", "srand", "sprintf",
                "strcat", "strcpy", "strtok", "vsprintf"]
BANNED = re.compile(r"(?<![\w.>])(" + "|".join(BANNED_CALLS) + r")\s*\(")
CODE_IN_COMMENT = re.compile(r"^\s*(/?\*)?\s*(return\b.*;|[\w>.\[\]-]+\s*(=[^=].*|\(.*\));)"
                             r"\s*(\*/)?$")
TYPEDEF_STRUCT = re.compile(r"^\s*typedef\s+(struct|union|enum)\b")


def without_strings_and_comments(text):
    """The same lines, with strings, character constants and comments blanked."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text,
                  flags=re.DOTALL)


def comment_lines(text):
    """(line number, text) of every line that belongs to a comment and holds no code."""
    result = []
    for match in re.finditer(r"^[ \t]*/\*.*?\*/[ \t]*$", text, re.MULTILINE | re.DOTALL):
        first = text.count("\n", 0, match.start()) + 1
        result += [(first + i, line) for i, line in enumerate(match.group(0).split("\n"))]
    return result


def functions(code):
    """(name, first line, line count) of each function of a clang-formatted file."""
    lines = code.split("\n")
    start = None
    for i, line in enumerate(lines):
        if line == "{":
            start = i
            while start > 0 and lines[start - 1].strip() and \
                    not lines[start - 1].startswith(("}", "#")) and \
                    not lines[start - 1].rstrip().endswith(";"):
                start -= 1
        elif line == "}" and start is not None:
            head = " ".join(lines[start:i])
            name = re.search(r"(\w+)\s*\(", head)
            yield (name.group(1) if name else "?"), start + 1, i - start + 1
            start = None


def check_lines(name, text, findings):
    for number, line in enumerate(text.split("\n"), 1):
        place = f"{name}:{number}"
        if len(line.expandtabs(8)) > COLUMNS_MAX and not name.endswith(".md"):
            findings.add("columns", place, f"more than {COLUMNS_MAX} columns")
        if re.search(r"[ \t]$", line) and not name.endswith(".md"):
            findings.add("blank", place, "blank at the end of the line")
        if re.search(r"\b(TODO|FIXME|XXX|HACK)\b(?!.*#\d+)", line) and \
                not name.startswith("tools/") and name != "CONTRIBUTING.md":
            findings.add("todo", place, "without an issue number (#123)")
    if text and not text.endswith("\n"):
        findings.add("blank", name, "no newline at its end")


def check_size(name, text, findings):
    limit = TEST_LINES_MAX if name.startswith("tests/") else FILE_LINES_MAX
    count = text.count("\n")
    if count > limit:
        findings.add("file", name, f"{count} lines, more than {limit}")


def check_code(name, text, findings):
    code = without_strings_and_comments(text)
    for number, line in enumerate(code.split("\n"), 1):
        place = f"{name}:{number}"
        banned = BANNED.search(line)
        if banned:
            findings.add("banned", place, f"{banned.group(1)}() is banned")
        if TYPEDEF_STRUCT.search(line):
            findings.add("typedef", place, "typedef of a struct, union or enum")
    for match in re.finditer(r"(?<!:)//", re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"', lambda m: re.sub(
            r"[^\n]", " ", m.group(0)), text, flags=re.DOTALL)):
        findings.add("comment", f"{name}:{text.count(chr(10), 0, match.start()) + 1}",
                     "// comment; use /* */")
    for number, line in comment_lines(text):
        if name.endswith(".c") and CODE_IN_COMMENT.match(line):
            findings.add("comment", f"{name}:{number}", "looks like code in a comment")
    for function, line, count in functions(code):
        if count > FUNCTION_LINES_MAX:
            findings.add("function", f"{name}:{function}",
                         f"{count} lines (from line {line}), more than {FUNCTION_LINES_MAX}")


def check_header(name, text, findings):
    # QUORATE_<ROOM>_<FILE>_H, where a folder that the next word repeats may be left out.
    guards = ["QUORATE_" + re.sub(r"[/.]", "_", words).upper()
              for words in (name, re.sub(r"(\w+)/(?=\1_)", "", name))]
    if not any(f"#ifndef {guard}\n#define {guard}\n" in text for guard in guards):
        findings.add("guard", name, f"the include guard is not {guards[0]}")
    subject = name.split("/")[-1][:-2]
    if not text.startswith("/*\n * ") or not re.match(rf"/\*\n \* {subject}\b", text):
        findings.add("contract", name, f"does not begin with a comment '{subject}: ...'")
    # A comment behind a field or a constant is half a line of contract.
    share = len(comment_lines(text)) + len(re.findall(r"\S[^\n]*/\*.*?\*/[ \t]*$", text,
                                                      re.MULTILINE)) // 2
    lines = len([line for line in text.split("\n") if line.strip()])
    if share * 100 < HEADER_COMMENT_PERCENT_MIN * lines:
        findings.add("contract", name, f"comment share {share * 100 // lines} %, less than "
                                       f"{HEADER_COMMENT_PERCENT_MIN} %")


def check(root, names, findings):
    for name in names:
        if not name.endswith((".c", ".h", ".def", ".py", ".sh", "meson.build", ".md")):
            continue
        text = house.read(root, name)
        check_lines(name, text, findings)
        if house.is_c(name) or name.endswith((".py", ".sh")):
            check_size(name, text, findings)
        if house.is_c(name):
            check_code(name, text, findings)
        if name.endswith(".h"):
            check_header(name, text, findings)


if __name__ == "__main__":
    house.run("style", __doc__, check)
