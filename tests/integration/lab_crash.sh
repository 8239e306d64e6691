#!/bin/bash
# kill -9 of a random node under load, and of all four at once, again and again: every transaction
# that was acknowledged is in every node's order exactly once, and the orders agree.
# ROUNDS and ALL_ROUNDS say how often (4 and 1), RATE how many transactions a second (3000),
# SEED which nodes.
# timeout: 600
. "$(dirname "$0")/lab_lib.sh"

lab=$work/lab
rounds=${ROUNDS:-4}
all_rounds=${ALL_ROUNDS:-1}
rate=${RATE:-3000}
RANDOM=${SEED:-$$}
echo "seed ${SEED:-$$}: $rounds rounds of one node, $all_rounds of all four, $rate tx/s"
lab_up "$lab"

# load SECONDS NAME: its own ids, other client keys each time.
load() {
	background "$work/$2.log" quorate-bench run --lab "$lab" --rate "$rate" --duration "$1" \
		--ids "$work/$2.ids" --json "$work/$2.json" --quiet --patience 120
	bench=$pid
}

# load_ends NAME: every transaction was acknowledged by f+1 nodes.
load_ends() {
	wait "$bench"
	local code=$?
	[ -s "$work/$1.json" ] || fail "$1: the load ended with $code: $(cat "$work/$1.log")"
	say "$1: $(json_of "$work/$1.json" \
		'"%d of %d final, gap %d ms, %d frames sent again" % (d["final"], d["submitted"],
		d["gap_us_max"] / 1000, d["frames_resent"])' | tr -d '\n')"
	[ $code -eq 0 ] || fail "$1: not everything became final: $(cat "$work/$1.log")"
}

for round in $(seq "$rounds"); do
	victim=$((RANDOM % 4))
	load 12 "one$round"
	sleep "4.$((RANDOM % 10))"
	quorate lab kill "$victim" --dir "$lab" >/dev/null || fail "round $round: no kill"
	sleep "1.$((RANDOM % 10))"
	lab_start "$lab" "$victim"
	load_ends "one$round"
	say "round $round: node $victim died and came back: $(cat "$work/start.out")"
done

for round in $(seq "$all_rounds"); do
	load 12 "all$round"
	sleep "4.$((RANDOM % 10))"
	pids=$(for node in 0 1 2 3; do cut -d' ' -f1 "$lab/node$node/quorated.pid"; done)
	# shellcheck disable=SC2086
	kill -9 $pids || fail "round $round of all: no kill"
	# shellcheck disable=SC2086
	gone $pids
	lab_up "$lab"
	load_ends "all$round"
	say "round $round of all: four nodes died and came back"
done

settle "$lab" 120
cat "$work"/*.ids >"$work/ids"
check_order "$work/ids" "$lab" || fail "the orders do not hold what was acknowledged"
echo passed
