#!/usr/bin/env python3
"""Compares what was submitted with what every node says is final.

Not the load generator, and shares no code with it or with the nodes: it reads
the list of submitted ids (one hexadecimal txid a line) and, for every node, the
lines of `quorate tail --json`. It answers:

    lost         submitted, but not in some node's order
    duplicates   an id that stands twice in some node's order
    strangers    in the order, but never submitted (only counted)
    disagree     nodes whose orders are not prefixes of one another

Exit code 0 when nothing is lost, doubled or contradicted, else 1; 2 for wrong use.
"""
import argparse
import hashlib
import json
import subprocess
import sys


def read_submitted(path):
    submitted = set()
    with open(path, encoding="ascii") as lines:
        for line in lines:
            word = line.split(maxsplit=1)
            if word:
                submitted.add(word[0])
    return submitted


def read_order(quorate, node, timeout_s):
    """Yields (height, index, txid) of one node's whole order."""
    command = [quorate, "tail", "--node", node, "--from", "1", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        for line in process.stdout:
            record = json.loads(line)
            if "txid" in record:
                yield record["height"], record["index"], record["txid"]
    finally:
        process.stdout.close()
        code = process.wait(timeout=timeout_s)
    if code != 0:
        raise SystemExit(f"check_order: {' '.join(command)} ended with code {code}")


def check_node(order, submitted):
    seen = set()
    duplicates = 0
    running = hashlib.sha256()
    digests = []
    last = (0, -1)
    for height, index, txid in order:
        if (height, index) <= last:
            raise SystemExit(f"check_order: order goes back at height {height} index {index}")
        last = (height, index)
        if txid in seen:
            duplicates += 1
        seen.add(txid)
        running.update(f"{height} {index} {txid}\n".encode())
        digests.append(running.digest())
    return {
        "final": len(seen),
        "lost": len(submitted - seen),
        "duplicates": duplicates,
        "strangers": len(seen - submitted),
        "height": last[0],
        "digests": digests,
        "missing": sorted(submitted - seen)[:5],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ids", required=True, help="file with one submitted txid a line")
    parser.add_argument("--quorate", default="quorate", help="the command line program")
    parser.add_argument("--json", metavar="FILE", help="write the result there too")
    parser.add_argument("--timeout", type=int, default=60, help="seconds for each node")
    parser.add_argument("nodes", nargs="+", help="directory of each node")
    args = parser.parse_args()

    submitted = read_submitted(args.ids)
    nodes = []
    for node in args.nodes:
        nodes.append(check_node(read_order(args.quorate, node, args.timeout), submitted))

    shortest = min(len(node["digests"]) for node in nodes)
    agree = shortest == 0 or len({node["digests"][shortest - 1] for node in nodes}) == 1
    result = {
        "submitted": len(submitted),
        "final": min(node["final"] for node in nodes),
        "lost": max(node["lost"] for node in nodes),
        "duplicates": max(node["duplicates"] for node in nodes),
        "strangers": max(node["strangers"] for node in nodes),
        "nodes": len(nodes),
        "agree": agree,
        "compared_transactions": shortest,
        "first_missing": next((node["missing"] for node in nodes if node["missing"]), []),
    }
    text = json.dumps(result)
    print(text)
    if args.json:
        with open(args.json, "w", encoding="ascii") as out:
            out.write(text + "\n")
    good = result["lost"] == 0 and result["duplicates"] == 0 and agree
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
