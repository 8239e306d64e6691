#!/usr/bin/env python3
"""Measures a fresh lab: load at several rates, several times each, then idle; checks the order.

Every figure of docs/PERFORMANCE.md that comes from a lab is one run of this. Prints Markdown with
medians and spread; --json keeps every single run. Says what other processes used meanwhile: a
figure taken beside a busy neighbour is worth little.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

TICK_US = 1_000_000 / os.sysconf("SC_CLK_TCK")


def process_ticks(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def machine_ticks():
    fields = [int(x) for x in pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
    return sum(fields[:3]) + sum(fields[5:7])


class Lab:
    def __init__(self, programs, directory):
        self.programs = programs
        self.directory = directory

    def run(self, program, *arguments, **options):
        return subprocess.run([self.programs / program, *map(str, arguments)], check=True,
                              stdout=subprocess.DEVNULL, **options)

    def up(self):
        self.run("quorate", "lab", "up", "--dir", self.directory, timeout=120,
                 stderr=subprocess.DEVNULL)

    def down(self):
        self.run("quorate", "lab", "down", "--dir", self.directory, timeout=60)

    def node_ticks(self):
        return [process_ticks(int(pid_file.read_text().split()[0]))
                for pid_file in sorted(self.directory.glob("node*/quorated.pid"))]

    def load(self, rate, seconds, ids, scratch):
        result = scratch / "run.json"
        before, machine = sum(self.node_ticks()), machine_ticks()
        children = os.times()
        in_flight = ["--in-flight", 2048] if rate == 0 else []
        self.run("quorate-bench", "run", "--lab", self.directory, "--rate", rate, "--duration",
                 seconds, "--quiet", "--ids", scratch / "ids", "--json", result, *in_flight,
                 timeout=seconds * 10 + 60)
        nodes = sum(self.node_ticks()) - before
        after = os.times()
        bench = (after.children_user + after.children_system - children.children_user -
                 children.children_system) * os.sysconf("SC_CLK_TCK")
        run = json.loads(result.read_text())
        run["nodes_cpu_us_per_tx"] = nodes * TICK_US / max(1, run["final"])
        run["foreign_cpu_s"] = max(0, machine_ticks() - machine - nodes - bench) * TICK_US / 1e6
        with ids.open("ab") as all_ids:
            all_ids.write((scratch / "ids").read_bytes())
        return run

    def idle(self, seconds):
        before = self.node_ticks()
        time.sleep(seconds)
        return [(b - a) * TICK_US / 1e4 / seconds for a, b in zip(before, self.node_ticks())]


def spread(values, digits):
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def row(rate, runs):
    return " | ".join([
        f"{rate}" if rate else "no pause, 2 048 frames under way",
        spread([r["tx_per_s"] for r in runs], 0),
        spread([r["p50_us"] / 1000 for r in runs], 1),
        spread([r["p99_us"] / 1000 for r in runs], 1),
        f"{sum(r['frames_resent'] for r in runs)}",
        spread([r["nodes_cpu_us_per_tx"] for r in runs], 1),
        spread([r["foreign_cpu_s"] for r in runs], 1),
    ])


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=pathlib.Path, default=pathlib.Path("build/gcc"),
                        help="folder of quorated, quorate, quorate-bench (default build/gcc)")
    parser.add_argument("--rates", default="200,1000,30000,60000,0",
                        help="transactions a second; 0: as fast as it goes")
    parser.add_argument("--runs", type=int, default=5, help="runs of each rate (default 5)")
    parser.add_argument("--seconds", type=int, default=4, help="of each run (default 4)")
    parser.add_argument("--json", type=pathlib.Path, help="write every run there")
    options = parser.parse_args()
    programs = options.programs.resolve()
    if not (programs / "quorate-bench").exists():
        sys.exit(f"lab_figures.py: no quorate-bench in {programs}; build first, or --programs DIR")
    kept = {"runs": []}
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        lab = Lab(programs, scratch / "lab")
        lab.up()
        try:
            time.sleep(2)
            kept["idle_percent"] = lab.idle(10)
            print("idle, % of a core a node:", spread(kept["idle_percent"], 1), flush=True)
            print("| asked, tx/s | final, tx/s | p50, ms | p99, ms | frames sent again | "
                  "CPU of four nodes, µs/tx | foreign CPU, s |\n|" + "---|" * 7)
            for rate in map(int, options.rates.split(",")):
                runs = []
                for _ in range(options.runs):
                    runs.append(lab.load(rate, options.seconds, scratch / "all", scratch))
                    time.sleep(1)
                kept["runs"] += [{"rate": rate, **run} for run in runs]
                print("|", row(rate, runs), "|", flush=True)
            checked = subprocess.run(
                [sys.executable, pathlib.Path(__file__).parent.parent / "tools/check_order.py",
                 "--quorate", programs / "quorate", "--ids", scratch / "all", "--timeout", "300",
                 *(scratch / "lab").glob("node?")], check=False, stdout=subprocess.PIPE)
            print("order:", checked.stdout.decode().strip())
            if options.json:
                options.json.write_text(json.dumps(kept, indent=1) + "\n")
        finally:
            lab.down()
    return checked.returncode


if __name__ == "__main__":
    sys.exit(main())
