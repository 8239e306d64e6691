#!/bin/bash
# From a fresh Debian 12 machine to a cluster that orders, survives a death and proves it.
set -u

usage() {
	cat <<'END'
usage: ./quickstart.sh [--once] [--json FILE] [--transactions N] [--rate N] [--dir DIR] [--help]

Installs missing Debian packages, builds, starts a four-node lab, orders signed
128-byte transactions of 100 client keys through the DPDK client ports of all four
nodes, kills one node in the middle and starts it again; then compares what was submitted
with every node's order, and checks one proof of every node offline.

  --once            stop the lab at the end and leave nothing behind
  --json FILE       write all figures to FILE
  --transactions N  how many (default 100000)
  --rate N          sent a second (default 20000)
  --dir DIR         where the lab lives (default ./lab)

Runs as root: installs packages and locks memory. A second run starts over.
exit codes: 0 everything held, 1 something did not, 2 wrong use or not possible here
END
}

once=false
json=""
transactions=100000
rate=20000
dir=""
while [ $# -gt 0 ]; do
	case $1 in
	--once) once=true ;;
	--json | --transactions | --rate | --dir)
		[ $# -ge 2 ] || { echo "quickstart.sh: $1 needs a value (see --help)" >&2; exit 2; }
		case $1 in
		--json) json=$(realpath -m -- "$2") ;;
		--dir) dir=$(realpath -m -- "$2") ;;
		--transactions) transactions=$2 ;;
		--rate) rate=$2 ;;
		esac
		shift
		;;
	--help | -h)
		usage
		exit 0
		;;
	*)
		echo "quickstart.sh: unknown argument '$1' (see --help)" >&2
		exit 2
		;;
	esac
	shift
done
case $transactions$rate in
*[!0-9]* | "")
	echo "quickstart.sh: --transactions and --rate take whole numbers" >&2
	exit 2
	;;
esac

cd "$(dirname "$(realpath "$0")")" || exit 2
if [ "$(id -u)" -ne 0 ]; then
	echo "quickstart.sh: run me as root: sudo ./quickstart.sh" >&2
	echo "(installs missing packages and locks memory; the lab itself needs no NIC)" >&2
	exit 2
fi

root=$PWD
build=$root/build/gcc
dir=${dir:-$root/lab}
work=$(mktemp -d)
export PATH=$build:$PATH LC_ALL=C.UTF-8
bench_pid=""

say() {
	printf '\n== %s\n' "$*"
}

clean_up() {
	[ -z "$bench_pid" ] || kill "$bench_pid" 2>/dev/null
	rm -rf "$work"
	$once && quorate lab down --dir "$dir" >/dev/null 2>&1
}
trap clean_up EXIT

give_up() {
	echo "quickstart.sh: $*" >&2
	exit 1
}

say "1/6  packages"
tools/install_packages.sh || { echo "quickstart.sh: packages are missing" >&2; exit 2; }

say "2/6  build"
mkdir -p build
options=(-Dwerror=true -Ddpdk=enabled -During=enabled -Dbench=enabled -Dtests=true)
if [ ! -f "$build/build.ninja" ]; then
	CC=gcc meson setup "$build" "${options[@]}" >"$work/setup.log" 2>&1 ||
		{ tail -n 20 "$work/setup.log" >&2; give_up "meson setup failed"; }
fi
ninja -C "$build" quorated quorate-mgmtd quorate quorate-store quorate-bench 2>&1 |
	tee "$work/ninja.log" | while IFS= read -r line; do
	step=${line%%]*}
	case $step in
	\[[0-9]*/[0-9]*) printf '\r   step %s ' "${step#\[}" ;;
	esac
done
if [ "${PIPESTATUS[0]}" -ne 0 ]; then
	tail -n 30 "$work/ninja.log" >&2
	give_up "the build failed: ninja -C $build"
fi
printf '\r   built in %s      \n' "$build"

say "3/6  a cluster of four nodes"
quorate lab down --dir "$dir" >/dev/null 2>&1
quorate lab up --dir "$dir" || give_up "the lab did not start: see $dir/node*/quorated.log"

say "4/6  $transactions signed transactions through four DPDK client ports; node 2 dies on the way"
quorate-bench run --lab "$dir" --rate "$rate" --transactions "$transactions" --payload-bytes 128 \
	--clients 100 --ids "$work/ids" --json "$work/bench.json" >"$work/bench.txt" \
	2> >(tee "$work/bench.log" >&2) &
bench_pid=$!
final_now() {
	tail -c 400 "$work/bench.log" 2>/dev/null | tr '\r' '\n' |
		sed -n 's/.* final *\([0-9]*\).*/\1/p' | tail -n 1
}
wait_final() {
	local tries=0 now
	while kill -0 "$bench_pid" 2>/dev/null && [ $tries -lt 600 ]; do
		now=$(final_now)
		[ "${now:-0}" -ge "$1" ] && return 0
		sleep 0.1
		tries=$((tries + 1))
	done
}
wait_final $((transactions / 3))
printf '\n   kill -9 of node 2\n'
quorate lab kill 2 --dir "$dir" >/dev/null || give_up "node 2 could not be killed"
wait_final $((transactions * 2 / 3))
printf '\n   node 2 starts again\n'
quorate lab start 2 --dir "$dir" >/dev/null 2>"$work/start.txt" ||
	{ cat "$work/start.txt" >&2; give_up "node 2 is not back: see $dir/node2/quorated.log"; }
wait "$bench_pid"
bench_code=$?
bench_pid=""
cat "$work/bench.txt"
[ $bench_code -le 1 ] || give_up "the load did not run"

say "5/6  what was submitted against what every node has in its order"
python3 tools/quickstart_report.py settle "$dir" || give_up "the nodes are not level"
python3 tools/check_order.py --ids "$work/ids" --json "$work/check.json" \
	"$dir"/node0 "$dir"/node1 "$dir"/node2 "$dir"/node3

say "6/6  one proof of every node, checked by a process that has only the genesis and the file"
txid=$(sed -n "$((transactions / 2))p" "$work/ids")
for i in 0 1 2 3; do
	mkdir "$work/proof$i"
	quorate prove "$txid" --node "$dir/node$i" --out "$work/proof$i/proof" >/dev/null ||
		give_up "node $i gave no proof of $txid"
	cp "$dir/genesis" "$work/proof$i/"
	(cd "$work/proof$i" && env -i "$build/quorate" verify proof --genesis genesis --json) \
		>"$work/proof$i.json"
	quorate status --node "$dir/node$i" --json >"$work/status$i.json"
done

python3 tools/quickstart_report.py report "$work" ${json:+"$json"}
code=$?

if ! $once; then
	cat <<END

The lab is still running. Try (with PATH=$build:\$PATH):
  quorate lab status --dir $dir             every node at a glance
  quorate lab submit "hello" --dir $dir     one transaction, final in milliseconds
  quorate tail --follow --dir $dir          the order as it grows
  quorate lab kill 1 --dir $dir             break a node, then: quorate lab start 1
  quorate-bench run --lab $dir --rate 30000 --duration 10
  curl http://$(sed -n 's/.*\(127[0-9.:]*\).*/\1/p' "$dir"/node0/mgmtd.log | head -n 1)/metrics
  quorate lab down --dir $dir               stop and leave nothing behind
END
fi
exit $code
