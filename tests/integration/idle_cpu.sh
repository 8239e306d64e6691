#!/bin/bash
# What four idle nodes cost: printed, not judged, unless a node spins.
# timeout: 150
. "$(dirname "$0")/lab_lib.sh"

lab=$work/lab
seconds=${IDLE_SECONDS:-10}
lab_up "$lab"
sleep 2

# Processor time of a node in ticks.
ticks() {
	local fields
	fields=$(sed 's/.*) //' "/proc/$(cut -d' ' -f1 "$lab/node$1/quorated.pid")/stat")
	# shellcheck disable=SC2086
	set -- $fields
	echo $((${12} + ${13}))
}

for node in 0 1 2 3; do
	before[node]=$(ticks $node)
done
sleep "$seconds"
for node in 0 1 2 3; do
	used=$(($(ticks $node) - before[node]))
	percent=$(python3 -c "print('%.1f' % (100.0 * $used / $(getconf CLK_TCK) / $seconds))")
	echo "figure: node $node idle uses $percent % of a core"
	[ "${percent%.*}" -lt 50 ] || fail "node $node spins while idle"
done
echo passed
