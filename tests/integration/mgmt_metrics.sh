#!/bin/sh
# quorate-mgmtd beside a node that comes, goes, hangs and is killed: every answer is right at every
# moment, and the node notices nothing.
#
# usage: mgmt_metrics.sh QUORATE_MGMTD CTL_WRITER
set -eu

mgmtd=$1
writer=$2
command -v curl >/dev/null 2>&1 || { echo "SKIP: curl is not installed"; exit 77; }

dir=$(mktemp -d)
mgmtd_pid=
writer_pid=
finish() {
	for pid in $mgmtd_pid $writer_pid; do
		kill -CONT "$pid" 2>/dev/null || true
		kill -KILL "$pid" 2>/dev/null || true
	done
	rm -rf "$dir"
}
trap finish EXIT

fail() {
	echo "FAILED: $1"
	cat "$dir/mgmtd.log" 2>/dev/null || true
	exit 1
}

# Starts mgmtd on a free port and learns which.
start_mgmtd() {
	"$mgmtd" --run-dir "$dir" --listen 127.0.0.1:0 2>"$dir/mgmtd.log" &
	mgmtd_pid=$!
	for _ in $(seq 100); do
		port=$(sed -n 's/.*answering on port \([0-9]*\).*/\1/p' "$dir/mgmtd.log")
		[ -n "$port" ] && return
		sleep 0.05
	done
	fail "mgmtd does not start"
}

code_of() {
	curl -s -o "$dir/body" -w '%{http_code}' -m 5 "http://127.0.0.1:$port$1" || true
}

# Waits until PATH answers CODE and the body contains TEXT.
expect() {
	for _ in $(seq 200); do
		if [ "$(code_of "$1")" = "$2" ] && grep -q -- "$3" "$dir/body"; then
			return
		fi
		sleep 0.05
	done
	fail "$1 is not $2 with '$3' but: $(head -c 300 "$dir/body")"
}

start_writer() {
	"$writer" "$dir" &
	writer_pid=$!
}

start_mgmtd
expect /healthz 503 "absent"
expect /metrics 200 "^quorate_up 0$"
expect / 200 "/metrics"
expect /nowhere 404 "no such page"
[ "$(curl -s -o /dev/null -w '%{http_code}' -X POST "http://127.0.0.1:$port/metrics")" = 405 ] ||
	fail "POST is not refused"

start_writer
expect /healthz 200 "^ok$"
expect /readyz 200 "^ready$"
expect /metrics 200 "^quorate_up 1$"
expect /metrics 200 '^quorate_committed_height [1-9]'
expect /metrics 200 '^quorate_drops_total{reason="forged",tile="core"} [1-9]'
expect /metrics 200 '^quorate_finality_seconds_bucket{le="+Inf"} [1-9]'
expect /v1/status 200 '"state":"running"'
if command -v promtool >/dev/null 2>&1; then
	curl -s "http://127.0.0.1:$port/metrics" | promtool check metrics || fail "promtool objects"
fi

# mgmtd killed: the node goes on, and a new mgmtd sees it at once.
kill -KILL "$mgmtd_pid"
wait "$mgmtd_pid" 2>/dev/null || true
kill -0 "$writer_pid" || fail "the node noticed the death of mgmtd"
start_mgmtd
expect /healthz 200 "^ok$"

# The node hangs.
kill -STOP "$writer_pid"
expect /healthz 503 "heartbeat"
expect /metrics 200 '^quorate_node_state{state="hung"} 1$'
kill -CONT "$writer_pid"
expect /healthz 200 "^ok$"

# The node is killed and comes back: another file, another generation.
kill -KILL "$writer_pid"
wait "$writer_pid" 2>/dev/null || true
expect /healthz 503 "dead"
start_writer
expect /healthz 200 "^ok$"

# The node stops in order.
kill -TERM "$writer_pid"
wait "$writer_pid" || fail "the writer did not stop in order"
writer_pid=
expect /healthz 503 "halted"

# So does mgmtd.
kill -TERM "$mgmtd_pid"
wait "$mgmtd_pid" || fail "mgmtd did not stop in order"
mgmtd_pid=

"$mgmtd" --run-dir "$dir" --listen 192.0.2.1:80 2>"$dir/mgmtd.log" && fail "not loopback, accepted"
grep -q "management_address" "$dir/mgmtd.log" || fail "no remedy named"
echo "passed"
