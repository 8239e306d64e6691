#!/bin/bash
# Tiles on threads of their own ([cores] mode = spread) order transactions as tiles on one do.
# One node: spread tiles spin, and a small machine has not enough cores for four of them.
# timeout: 200
. "$(dirname "$0")/lab_lib.sh"

lab=$work/lab
lab_up "$lab" --nodes 1
quorate submit --wait --dir "$lab" "shared" >/dev/null || fail "the shared node does not order"
quorate lab down --keep-data --dir "$lab" >/dev/null || fail "lab down --keep-data"
sed -i 's/^mode = shared$/mode = spread/' "$lab/node0/node.conf"
grep -q '^mode = spread$' "$lab/node0/node.conf" || fail "the configuration has no mode line"
lab_up "$lab"
grep -q "spread cores" "$lab/node0/quorated.log" || fail "the node does not say that it is spread"
[ "$(status_of "$lab" 0 'd["node"]["cores"]')" = spread ] ||
	fail "status says: $(status_of "$lab" 0 'd["node"]["cores"]')"
threads=$(ls "/proc/$(cut -d' ' -f1 "$lab/node0/quorated.pid")/task" | wc -l)
[ "$threads" -ge 4 ] || fail "only $threads threads"
quorate submit --wait --timeout 60 --count 500 --dir "$lab" "spread" >"$work/out" 2>&1 ||
	fail "the spread node does not order: $(tail -n 2 "$work/out")"
timeout 100 quorate-bench run --lab "$lab" --rate 2000 --duration 3 --ids "$work/ids" \
	--json "$work/bench.json" --quiet >"$work/bench.log" 2>&1 ||
	fail "load through the DPDK port: $(cat "$work/bench.log")"
cat "$work/bench.log"
held=$(quorate tail --node "$lab/node0" --json | wc -l)
[ "$held" -eq $((501 + 6000)) ] || fail "the order holds $held transactions"
check_order "$work/ids" "$lab" || fail "the order does not hold what was final"

# It stops in order and starts again, and goes back to one thread.
quorate lab down --keep-data --dir "$lab" >/dev/null || fail "lab down --keep-data"
grep -q "stopped in order" "$lab/node0/quorated.log" || fail "the spread node did not stop in order"
sed -i 's/^mode = spread$/mode = shared/' "$lab/node0/node.conf"
lab_up "$lab"
quorate submit --wait --dir "$lab" "shared again" >/dev/null || fail "not ordering after spread"
echo "figure: one node, spread, on $(nproc) cores: $threads threads"
echo passed
