#!/bin/bash
# One of four nodes dies under load: the load goes on, nothing is lost. The longest gap is printed;
# it decides nothing unless it shows that the cluster waited for the dead node.
# timeout: 300
. "$(dirname "$0")/lab_lib.sh"

lab=$work/lab
rate=${RATE:-3000}
lab_up "$lab"
background "$work/bench.log" quorate-bench run --lab "$lab" --rate "$rate" --duration 24 \
	--ids "$work/ids" --json "$work/bench.json" --quiet
bench=$pid
sleep 8
victim=${VICTIM:-$((RANDOM % 4))}
quorate lab kill "$victim" --dir "$lab" >/dev/null || fail "node $victim could not be killed"
say "node $victim is dead"
sleep 8
lab_start "$lab" "$victim"
say "node $victim takes part again"
wait "$bench" || fail "the load ended with $?: $(cat "$work/bench.log")"
cat "$work/bench.log"
gap=$(json_of "$work/bench.json" 'int(d["gap_us_max"])')
echo "figure: longest time without a final transaction $((gap / 1000)) ms at $rate tx/s"
[ "$gap" -le 5000000 ] || fail "a gap of $((gap / 1000)) ms: the cluster waited for a dead node"
settle "$lab" 120
check_order "$work/ids" "$lab" || fail "the orders do not hold what was final"
echo passed
