#!/usr/bin/env python3
"""One draw in one expression: C leaves the order of two to the compiler, and a seed must not.

A function draws when it calls prng_u64(), prng_below(), prng_chance() or prng_fill(), or a
function that draws. Two such calls in one expression, argument list or initialiser are
refused, unless one is an argument of the other or &&, ||, ?: or a comma operator parts them.
"""

import re

import house
from check_style import without_strings_and_comments

ROOTS = {"prng_u64", "prng_below", "prng_chance", "prng_fill"}
TOKEN = re.compile(r"[A-Za-z_]\w*|[0-9][\w.]*|<<=|>>=|&&|\|\||->|\+\+|--|[-+*/%&|^=!<>]=|<<|>>|\S")
ASSIGNMENTS = {"=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="}
CONTROLS = {"if", "while", "for", "switch"}
CLOSING = {"(": ")", "[": "]", "{": "}"}


class Group:
    """What stands between two brackets: a list of words and of groups."""

    def __init__(self, kind):
        self.kind = kind
        self.parts = []


def tokens(code):
    for number, line in enumerate(code.split("\n"), 1):
        for match in TOKEN.finditer("" if line.lstrip().startswith("#") else line):
            yield match.group(0), number


def tree(code):
    """The file as nested groups; a word is (text, line)."""
    stack = [Group("")]
    for text, line in tokens(code):
        if text in CLOSING:
            group = Group(text)
            stack[-1].parts.append(group)
            stack.append(group)
        elif text in (")", "]", "}"):
            if len(stack) > 1:
                stack.pop()
        else:
            stack[-1].parts.append((text, line))
    return stack[0]


def is_word(part, text):
    return not isinstance(part, Group) and part[0] == text


def is_group(part, kind):
    return isinstance(part, Group) and part.kind == kind


def functions(file):
    """(name, is static, body) of every function."""
    start = 0
    for i, part in enumerate(file.parts):
        if is_word(part, ";"):
            start = i + 1
        if not is_group(part, "{"):
            continue
        head = file.parts[start:i]
        if len(head) > 1 and is_group(head[-1], "(") and not isinstance(head[-2], Group):
            yield head[-2][0], any(is_word(word, "static") for word in head), part
            start = i + 1


def calls(group):
    for i, part in enumerate(group.parts):
        if isinstance(part, Group):
            yield from calls(part)
        elif i + 1 < len(group.parts) and is_group(group.parts[i + 1], "("):
            yield part[0]


def split(parts, separators):
    pieces = [[]]
    for part in parts:
        if not isinstance(part, Group) and part[0] in separators:
            pieces.append([])
        else:
            pieces[-1].append(part)
    return pieces


class File:
    def __init__(self, name, text):
        self.name = name
        self.functions = list(functions(tree(without_strings_and_comments(text))))
        self.calls = [(function, is_static, set(calls(body)))
                      for function, is_static, body in self.functions]
        self.drawing = set()
        self.found = set()

    def learn(self, everywhere):
        """Marks the functions that draw; True when one is new."""
        before = len(self.drawing) + len(everywhere)
        for name, is_static, called in self.calls:
            if called & (self.drawing | everywhere):
                (self.drawing if is_static else everywhere).add(name)
        return len(self.drawing) + len(everywhere) > before

    def draws(self, parts, names):
        """The lines of those draws in `parts` whose order C leaves open."""
        sides = split(parts, ASSIGNMENTS)
        if len(sides) > 1:
            return self.lines(sides, names)
        choices = split(parts, {"?", ":", "&&", "||"})
        if len(choices) > 1:
            return self.lines(choices, names)[:1]
        lines = []
        for i, part in enumerate(parts):
            if not isinstance(part, Group):
                continue
            before = parts[i - 1] if i > 0 and not isinstance(parts[i - 1], Group) else None
            is_call = part.kind == "(" and before and re.match(r"[A-Za-z_]", before[0])
            line = self.inside(part, is_call, names)
            if is_call and before[0] in names:
                line = before[1]
            if line:
                lines.append(line)
        return lines

    def inside(self, group, is_call, names):
        """The line of a draw in the group, or 0."""
        lines = self.lines(split(group.parts, {","}), names)
        if group.kind == "{" or is_call:
            return self.only(lines)
        return lines[0] if lines else 0

    def lines(self, pieces, names):
        """One line for each piece that draws."""
        judged = [self.only(self.draws(piece, names)) for piece in pieces]
        return [line for line in judged if line]

    def only(self, lines):
        """Notes a finding when there is more than one."""
        if len(lines) > 1:
            self.found.add(lines[0])
        return lines[0] if lines else 0

    def statements(self, body, names):
        """Full expressions, one after the other; a block is what begins a statement with {."""
        parts = []
        i = 0
        while i < len(body.parts):
            part = body.parts[i]
            if is_word(part, ";") or is_word(part, "else") or is_word(part, "do"):
                self.declared(parts, names)
                parts = []
            elif not parts and not isinstance(part, Group) and part[0] in CONTROLS:
                i += 1
                self.statements(body.parts[i], names)
            elif not parts and is_group(part, "{"):
                self.statements(part, names)
            else:
                parts.append(part)
                if is_word(part, ":") and (is_word(parts[0], "case") or len(parts) == 2):
                    parts = []
            i += 1
        self.declared(parts, names)

    def declared(self, parts, names):
        """Declarators follow one another, and so do operands of a comma."""
        self.lines(split(parts, {","}), names)

    def check(self, everywhere, findings):
        for _, _, body in self.functions:
            self.statements(body, self.drawing | everywhere)
        for line in sorted(self.found):
            findings.add("order", f"{self.name}:{line}",
                         "two draws in one expression: C does not say which is first")


def check(root, names, findings):
    files = [File(name, house.read(root, name)) for name in names if house.is_c(name)]
    everywhere = set(ROOTS)
    while any([file.learn(everywhere) for file in files]):
        pass
    for file in files:
        file.check(everywhere, findings)


if __name__ == "__main__":
    house.run("draws", __doc__, check)
