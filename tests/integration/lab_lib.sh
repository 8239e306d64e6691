# Sourced by the scripts that run whole labs: programs, one directory for everything, and a trap
# that stops every lab and every background program of the script, by its process id.
#
# QUORATE_BUILD is the build folder with the programs; default: build/gcc of this tree.
# KEEP=1 leaves a failed lab as it is, for looking at.
# Nothing here decides by time: waits have a bound and then say what was missing.
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${QUORATE_BUILD:-$here/../../build/gcc}" 2>/dev/null && pwd) || {
	echo "SKIP: QUORATE_BUILD is no build folder"
	exit 77
}
for program in quorated quorate quorate-mgmtd quorate-store quorate-bench; do
	[ -x "$build/$program" ] || {
		echo "SKIP: $program is not built in $build"
		exit 77
	}
done
[ "$(id -u)" -eq 0 ] || {
	echo "SKIP: needs root"
	exit 77
}
export PATH=$build:$PATH LC_ALL=C.UTF-8
work=$(mktemp -d /tmp/quorate-test-XXXXXX)
labs=()
jobs_pids=()

clean_up() {
	local code=$? pid lab
	if [ -n "${KEEP:-}" ] && [ $code -ne 0 ] && [ $code -ne 77 ]; then
		echo "KEEP: everything stays in $work; the labs run on"
		return
	fi
	for pid in ${jobs_pids[@]+"${jobs_pids[@]}"}; do
		kill "$pid" 2>/dev/null
	done
	for lab in ${labs[@]+"${labs[@]}"}; do
		quorate lab down --dir "$lab" >/dev/null 2>&1
	done
	for pid in ${jobs_pids[@]+"${jobs_pids[@]}"}; do
		kill -9 "$pid" 2>/dev/null
	done
	wait 2>/dev/null
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP

say() {
	printf '%6.1f s  %s\n' "$SECONDS" "$*"
}

fail() {
	local log
	echo "FAILED: $*"
	for log in "$work"/*/node*/quorated.log; do
		[ -s "$log" ] && echo "--- $log" && tail -n 4 "$log"
	done
	exit 1
}

# lab_up DIR OPTION...: HTTP ports from 21000 on, below the range the kernel gives to others.
lab_up() {
	local lab=$1
	shift
	labs+=("$lab")
	quorate lab up --dir "$lab" --http-port "${http_port:-21000}" --timeout 120 "$@" \
		>"$work/up.out" 2>"$work/up.err" || fail "lab up: $(tail -n 2 "$work/up.err")"
}

# lab_start LAB NODE
lab_start() {
	quorate lab start "$2" --dir "$1" --timeout 120 >"$work/start.out" 2>"$work/start.err" ||
		fail "lab start $2: $(tail -n 2 "$work/start.err")"
}

# background COMMAND...: output into $work/NAME.log; the id is in $pid.
background() {
	local log=$1
	shift
	"$@" >"$log" 2>&1 &
	pid=$!
	jobs_pids+=("$pid")
}

# json_of FILE EXPRESSION: a value of a JSON file; `d` is the document.
json_of() {
	python3 -c 'import json,sys
d = json.load(open(sys.argv[1]))
print(eval(sys.argv[2]))' "$1" "$2"
}

# status_of LAB NODE EXPRESSION: a value of a node's status, 0 when it does not answer.
status_of() {
	quorate status --node "$1/node$2" --json 2>/dev/null |
		python3 -c 'import json,sys
try: print(eval(sys.argv[1], {"d": json.load(sys.stdin)}))
except Exception: print(0)' "$3"
}

height_of() {
	status_of "$1" "$2" 'd["order"]["delivered_height"]'
}

# wait_height LAB NODE HEIGHT SECONDS
wait_height() {
	local until=$((SECONDS + $4))
	while [ "$(height_of "$1" "$2")" -lt "$3" ]; do
		[ "$SECONDS" -lt "$until" ] ||
			fail "node $2 is at $(height_of "$1" "$2"), not $3, after $4 s"
		sleep 0.2
	done
}

# settle LAB SECONDS: every node delivered what the highest of them has now.
settle() {
	local lab=$1 node highest=0 height
	for node in "$lab"/node*; do
		height=$(height_of "$lab" "${node##*node}")
		[ "$height" -le "$highest" ] || highest=$height
	done
	[ "$highest" -gt 0 ] || fail "no node says a height"
	for node in "$lab"/node*; do
		wait_height "$lab" "${node##*node}" "$highest" "$2"
	done
}

# metric LAB NODE NAME: the sum of a metric's series whose line begins with NAME.
metric() {
	local port
	port=$(sed -n 's/.*"http_port": *\([0-9]*\).*/\1/p' "$1/lab.json")
	python3 - "http://127.0.0.1:$((port + $2))/metrics" "$3" <<'END'
import sys, urllib.request
text = urllib.request.urlopen(sys.argv[1], timeout=10).read().decode()
print(int(sum(float(line.rsplit(None, 1)[1]) for line in text.splitlines()
              if line.startswith(sys.argv[2]))))
END
}

# processes_of TEXT: processes whose command line contains TEXT, this shell's own apart.
processes_of() {
	local file pid line
	for file in /proc/[0-9]*/cmdline; do
		pid=${file#/proc/}
		pid=${pid%/cmdline}
		line=$(tr '\0' ' ' 2>/dev/null <"$file") 2>/dev/null || continue
		[ "$pid" != $$ ] && [ "${line#*"$1"}" != "$line" ] && echo "$pid $line"
	done
	return 0
}

# gone PID...: waits until these processes, already killed, have ended.
gone() {
	local tries=0
	while kill -0 "$@" 2>/dev/null; do
		[ $((tries += 1)) -le 300 ] || fail "killed, but still there: $*"
		sleep 0.1
	done
}

# check_order IDS LAB: nothing lost, nothing twice, one order; the figures are printed.
check_order() {
	python3 "$here/../../tools/check_order.py" --ids "$1" --quorate "$build/quorate" \
		--timeout 120 "$2"/node[0-9]*
}
