#!/usr/bin/env python3
"""The figures of quickstart.sh: waits until the nodes are level, then reports.

settle DIR           waits until all nodes of the lab in DIR have the same height
report WORK [FILE]   puts bench, check, proof and status results together; writes FILE
"""
import json
import pathlib
import subprocess
import sys
import time

SETTLE_S = 60


def status(node):
    answer = subprocess.run(["quorate", "status", "--node", str(node), "--json"],
                            capture_output=True, text=True, check=False)
    try:
        return json.loads(answer.stdout)
    except ValueError:
        return None


def settle(lab):
    nodes = sorted(pathlib.Path(lab).glob("node*"))
    end = time.monotonic() + SETTLE_S
    while time.monotonic() < end:
        found = [status(node) for node in nodes]
        if all(found):
            heights = [one["order"]["delivered_height"] for one in found]
            finals = {one["order"]["transactions_final"] for one in found}
            if max(heights) - min(heights) <= 1 and len(finals) == 1:
                print(f"all {len(nodes)} nodes at height {max(heights)}, "
                      f"{finals.pop()} transactions final")
                return 0
        time.sleep(0.2)
    return 1


def read(path):
    with open(path, encoding="utf-8") as text:
        return json.load(text)


def report(work, out):
    work = pathlib.Path(work)
    bench = read(work / "bench.json")
    check = read(work / "check.json")
    proofs = [read(path) for path in sorted(work.glob("proof?.json"))]
    nodes = [read(path) for path in sorted(work.glob("status?.json"))]
    places = {(proof["height"], proof["block"]) for proof in proofs}
    proof_ok = len(proofs) == len(nodes) and all(proof["proved"] for proof in proofs)
    result = {
        "submitted": check["submitted"],
        "final": check["final"],
        "lost": check["lost"],
        "duplicates": check["duplicates"],
        "agree": check["agree"] and len(places) == 1,
        "nodes": len(nodes),
        "heights": [node["order"]["delivered_height"] for node in nodes],
        "proved_height": proofs[0]["height"],
        "block_hash": proofs[0]["block"],
        "tx_per_s": bench["tx_per_s"],
        "p50_us": bench["p50_us"],
        "p99_us": bench["p99_us"],
        "gap_us_max": bench["gap_us_max"],
        "proof_ok": proof_ok,
        "frames_per_port": bench["frames_per_port"],
        "ports": bench["ports"],
        "disk": nodes[0]["node"]["disk"],
    }
    print(f"transactions final   {result['final']} of {result['submitted']}   "
          f"lost {result['lost']}   twice {result['duplicates']}")
    print(f"blocks               {max(result['heights'])}")
    print(f"rate                 {result['tx_per_s']:.0f} tx/s, "
          f"p50 {result['p50_us'] / 1000:.1f} ms, p99 {result['p99_us'] / 1000:.1f} ms "
          "(with a node dying; from when each was due)")
    print(f"longest silence      {result['gap_us_max'] / 1000:.0f} ms")
    print(f"frames per port      {' '.join(str(count) for count in result['frames_per_port'])}"
          f"   ({result['ports']}, disk: {result['disk']})")
    if len(places) == 1:
        print(f"one block            all {len(nodes)} nodes hold {result['block_hash'][:16]} "
              f"at height {result['proved_height']}")
    else:
        print(f"FORK                 {sorted(places)}")
    print(f"proofs               {sum(proof['proved'] for proof in proofs)} of {len(nodes)} "
          "verified with nothing but the genesis")
    if out:
        with open(out, "w", encoding="utf-8") as text:
            text.write(json.dumps(result, indent=1) + "\n")
    good = (proof_ok and result["agree"] and result["lost"] == 0 and result["duplicates"] == 0
            and result["final"] == result["submitted"])
    print("everything held" if good else "SOMETHING DID NOT HOLD")
    return 0 if good else 1


def main(args):
    if len(args) == 2 and args[0] == "settle":
        return settle(args[1])
    if len(args) in (2, 3) and args[0] == "report":
        return report(args[1], args[2] if len(args) == 3 else None)
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
