#!/usr/bin/env python3
"""Keeps the results of ./test.sh: one line a test (result, name, seconds, reason; tab separated).

  test_results.py meson BUILD RESULTS   adds what meson wrote about the last run in BUILD
  test_results.py report RESULTS [JSON] prints failures, skips and the last line; writes JSON
"""

import json
import os
import sys

PASSED = {"OK", "EXPECTEDFAIL"}
SKIPPED = {"SKIP"}


def last_line(text):
    lines = [line.strip() for line in (text or "").splitlines() if line.strip()]
    return lines[-1].replace("\t", " ") if lines else ""


def meson_rows(build, label):
    path = os.path.join(build, "meson-logs", "testlog.json")
    with open(path, encoding="utf-8") as file:
        for line in file:
            test = json.loads(line)
            suite, _, short = test["name"].rpartition(" / ")  # "quorate:unit / test_err"
            name = f"{label}/{suite.split(':')[-1]}/{short}"
            result = test["result"]
            words = last_line(test.get("stdout"))
            if result in PASSED:
                yield "passed", name, test["duration"], ""
                # A unit test that ran, but left some of its promises unchecked, says which.
                for skip in (test.get("stdout") or "").splitlines():
                    if skip.startswith("SKIP ") and ": " in skip:
                        part, reason = skip[5:].split(": ", 1)
                        yield "skipped", f"{name}/{part}", 0, reason
            elif result in SKIPPED:
                yield "skipped", name, test["duration"], words or "no reason given"
            else:
                yield "failed", name, test["duration"], f"{result}: {words}"


def add_meson(build, results):
    label = os.path.basename(os.path.abspath(build))
    with open(results, "a", encoding="utf-8") as file:
        for result, name, seconds, reason in meson_rows(build, label):
            file.write(f"{result}\t{name}\t{float(seconds):.2f}\t{reason}\n")
    return 0


def report(results, json_path):
    with open(results, encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file if line.strip()]
    counts = {kind: sum(1 for row in rows if row[0] == kind)
              for kind in ("passed", "failed", "skipped")}
    for kind in ("skipped", "failed"):
        for row in rows:
            if row[0] == kind:
                print(f"{kind}: {row[1]}: {row[3]}")
    if json_path:
        tests = [{"name": row[1], "result": row[0], "seconds": float(row[2]), "reason": row[3]}
                 for row in rows]
        with open(json_path, "w", encoding="utf-8") as file:
            json.dump({**counts, "tests": tests}, file, indent=1)
            file.write("\n")
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return 1 if counts["failed"] or not counts["passed"] else 0


def main():
    if len(sys.argv) == 4 and sys.argv[1] == "meson":
        return add_meson(sys.argv[2], sys.argv[3])
    if len(sys.argv) in (3, 4) and sys.argv[1] == "report":
        return report(sys.argv[2], sys.argv[3] if len(sys.argv) == 4 else "")
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
