#!/usr/bin/env python3
"""Was every situation that matters reached? Adds up the marks of batches of the simulator.

    tools/marks.py FILE...            FILE is what quorate-sim --json wrote
    tools/marks.py --plant FILE...    the same with a mark that nobody hits: must fail

Exit code: 0 every mark was hit, 1 one was not (it is named), 2 wrong use or no marks.
"""

import json
import sys


def main():
    files = sys.argv[1:]
    hits = {}
    if files[:1] == ["--plant"]:
        hits["planted: nobody hits this"] = 0
        files = files[1:]
    if not files or files[0].startswith("-"):
        print(__doc__)
        return 2
    for name in files:
        try:
            with open(name, encoding="utf-8") as file:
                marks = json.load(file)["mark_hits"]
        except (OSError, ValueError, KeyError) as error:
            print(f"marks: {name}: {error!r}", file=sys.stderr)
            return 2
        for mark, count in marks.items():
            hits[mark] = hits.get(mark, 0) + count
    missing = [mark for mark, count in hits.items() if count == 0]
    for mark in missing:
        print(f"never hit: {mark}")
    rarest = min(hits, key=hits.get)
    found = len(hits) - len(missing)
    print(f"{found} of {len(hits)} marks hit; rarest, {hits[rarest]} times: {rarest}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
