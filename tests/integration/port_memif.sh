#!/bin/sh
# Two processes on one memif link with doorbells: each side is killed -9 ten times and comes back;
# nothing is damaged, the survivor survives, idling costs no rounds, nothing is left behind.
set -eu

probe=$1
in_namespace=""
. "$(dirname "$0")/port_lib.sh"
trap 'end_probes; rm -rf "$work"' EXIT

lab=port-memif-$$
server="0 2 memif=@$lab-link,server,1,@$lab-bell1 bell=@$lab-bell0 huge=never"
client="1 2 memif=@$lab-link,client,0,@$lab-bell0 bell=@$lab-bell1 huge=never"

# The client first: it has to wait for its server.
# shellcheck disable=SC2086
start_probe client $client rate=500
client_pid=$pid
wait_lines client "^READY" 1
# shellcheck disable=SC2086
start_probe server $server rate=500
server_pid=$pid
wait_lines client "^UP 0" 1
wait_lines server "^UP 1" 1

# A second process with the same name is refused with cause and remedy.
# shellcheck disable=SC2086
if "$probe" 0 2 memif=@$lab-link,server,1 huge=never >"$work/second.log" 2>&1; then
	fail "two servers on one socket"
fi
grep -q "is taken" "$work/second.log" || fail "no cause for the second server"

for round in 1 2 3 4 5 6 7 8 9 10; do
	for victim in server client; do
		if [ $victim = server ]; then
			kill -9 "$server_pid"
			wait "$server_pid" 2>/dev/null || true
			survivor=client survivor_pid=$client_pid peer=0
		else
			kill -9 "$client_pid"
			wait "$client_pid" 2>/dev/null || true
			survivor=server survivor_pid=$server_pid peer=1
		fi
		ups=$(count_lines $survivor "^UP $peer")
		: >"$work/$victim.log"
		if [ $victim = server ]; then
			# shellcheck disable=SC2086
			start_probe server $server rate=500
			server_pid=$pid
		else
			# shellcheck disable=SC2086
			start_probe client $client rate=500
			client_pid=$pid
		fi
		wait_lines $survivor "^UP $peer" $((ups + 1))
		wait_lines $victim "^UP" 1
		kill -0 "$survivor_pid" || fail "$survivor died in round $round"
		before=$(status_of $survivor "$survivor_pid" received)
		waited=0
		while [ "$(status_of $survivor "$survivor_pid" received)" -le "$before" ]; do
			waited=$((waited + 1))
			[ $waited -le 100 ] || fail "no message after round $round ($victim)"
			sleep 0.05
		done
	done
done
[ "$(status_of server "$server_pid" damaged)" = 0 ] || fail "damaged messages at the server"
[ "$(status_of client "$client_pid" damaged)" = 0 ] || fail "damaged messages at the client"
[ "$(status_of server "$server_pid" bells_heard)" -gt 0 ] || fail "no bell heard"
end_probes

# Idle: both sleep; a loop that spun would do millions of rounds.
: >"$work/server.log"
: >"$work/client.log"
# shellcheck disable=SC2086
start_probe server $server rate=0
server_pid=$pid
# shellcheck disable=SC2086
start_probe client $client rate=0
wait_lines client "^UP 0" 1
wait_lines server "^UP 1" 1
sleep 1
rounds=$(status_of server "$server_pid" rounds)
cpu=$(status_of server "$server_pid" cpu_ms)
sleep 3
rounds=$(($(status_of server "$server_pid" rounds) - rounds))
cpu=$(($(status_of server "$server_pid" cpu_ms) - cpu))
[ $rounds -lt 30000 ] || fail "$rounds rounds in 3 idle seconds"
echo "idle: $rounds rounds and $cpu ms of processor time in 3 s"
kill -TERM "$server_pid"
wait "$server_pid" || fail "an orderly end is not exit code 0"
end_probes
for left in /var/run/dpdk/quorate-probe-*; do
	[ ! -e "$left" ] || fail "left behind: $left"
done
echo "20 times killed and back"
