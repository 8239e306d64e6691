# For the port_*.sh tests: starts port_probe processes, reads what they say, ends them by pid.
# shellcheck shell=sh

work=$(mktemp -d)
started=""

start_probe() { # NAME ARGUMENT...: leaves the pid in $pid, output in $work/NAME.log
	probe_name=$1
	shift
	$in_namespace "$probe" "$@" >>"$work/$probe_name.log" 2>&1 &
	pid=$!
	started="$started $pid"
}

end_probes() {
	for each in $started; do
		kill -9 "$each" 2>/dev/null || true
	done
	for each in $started; do
		wait "$each" 2>/dev/null || true
	done
	started=""
}

count_lines() { # NAME PATTERN
	grep -c "$2" "$work/$1.log" 2>/dev/null || true
}

wait_lines() { # NAME PATTERN COUNT: until that many lines are there, at most 20 s
	waited=0
	while [ "$(count_lines "$1" "$2")" -lt "$3" ]; do
		waited=$((waited + 1))
		if [ $waited -gt 400 ]; then
			fail "$1 did not say '$2' $3 times"
		fi
		sleep 0.05
	done
}

status_of() { # NAME PID KEY: asks for a status line and prints one value of it
	before=$(count_lines "$1" "^STATUS")
	kill -USR1 "$2"
	wait_lines "$1" "^STATUS" $((before + 1))
	grep "^STATUS" "$work/$1.log" | tail -1 | tr ' ' '\n' | sed -n "s/^$3=//p"
}

fail() {
	echo "FAIL: $*"
	for log in "$work"/*.log; do
		echo "--- $(basename "$log")"
		tail -20 "$log"
	done
	exit 1
}
